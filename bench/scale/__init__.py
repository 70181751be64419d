"""The size of a cluster: what a change, a new peer, a cold start and 1,000 idle sessions cost one agent."""
