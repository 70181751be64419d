"""felixbgp: the BGP networking of a Calico-style cluster, one agent per node.

The pure core is every package but `runtime`, `cli` and `lab`; see docs/architecture.md.
"""

__version__ = "0.1.0"
