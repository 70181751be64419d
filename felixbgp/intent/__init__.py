"""What this node must do: `derive(state, node) -> Intent`, or a `Derivation` that follows a state's changes.

A function of the cluster's current state and a node's name: peers with all their parameters, originated
ranges, policies, and the problems found on the way. `plan` calls it for every node.
"""
