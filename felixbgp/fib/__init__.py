"""What the kernel should have against what it has, as a delta; owner of the question which routes are ours.

Takes wanted routes, kernel snapshots and acknowledgements; gives replacements and deletions. Routes of other
protocols are observed, never replaced and never deleted.
"""
