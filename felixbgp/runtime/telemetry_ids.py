"""Names of traces and spans that every process of a cluster finds by itself.

BGP carries no trace context, and etcd's values are Calico's. But everybody who follows a change knows the
cluster's identifier and the revision that wrote it, and both ends of a session know its addresses. So that is
what identifiers are made of (docs/adr/0042-one-trace-per-revision.md).
"""

from hashlib import sha256
from typing import Final

TRACE_OCTETS: Final = 16
SPAN_OCTETS: Final = 8


def trace_id(cluster: int, revision: int) -> int:
    """Of everything that a write at this revision brings about."""
    return _number(TRACE_OCTETS, "trace", cluster, revision)


def write_id(cluster: int, revision: int) -> int:
    """The span of who wrote it: the root, whether that was us, and told of it, or somebody else."""
    return _number(SPAN_OCTETS, "write", cluster, revision)


def change_id(cluster: int, revision: int, node: str) -> int:
    """The span of what one node made of it."""
    return _number(SPAN_OCTETS, "change", cluster, revision, node)


def update_id(cluster: int, revision: int, sender: str, receiver: str) -> int:
    """The span of the UPDATEs that one end of a session sent because of it; the ends by their addresses."""
    return _number(SPAN_OCTETS, "update", cluster, revision, sender, receiver)


def _number(octets: int, *parts: str | int) -> int:
    digest = sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:octets], "big") or 1  # Zero is no identifier.
