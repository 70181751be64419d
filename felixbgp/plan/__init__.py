"""What a change of the store would do: to every node's sessions, and to where its packets go.

Takes the store's contents and the keys that are to be others; gives an `Outcome`. Asks what the agents go by:
the derivation, the table of what a change affects, the rules of both ends of a session, the decision process.
Has no state, no clock and no I/O, and predicts the state at rest, not the way there.
"""
