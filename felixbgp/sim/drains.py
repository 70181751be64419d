"""Drained nodes: the oracle's own reading of what they tell, and of what others make of it (RFC 8326)."""

from typing import Final

from felixbgp.cluster.drains import DrainPhase
from felixbgp.net import Prefix
from felixbgp.resources.block_affinity import AffinityState
from felixbgp.sim.filters import Path
from felixbgp.sim.topology import Cluster, Session

GRACEFUL_SHUTDOWN: Final = (0xFFFF, 0)


def tells_nothing(cluster: Cluster, name: str) -> bool:
    """Whether a node is drained to the end."""
    return cluster.drains.get(name) is DrainPhase.WITHDRAW


def told(cluster: Cluster, name: str, prefix: Prefix, path: Path) -> Path | None:
    """What a node tells of a path that its export policy lets out, a block unmarked; None: nothing."""
    is_block = cluster.blocks.get(name, {}).get(prefix) is AffinityState.CONFIRMED
    if is_block and not tells_nothing(cluster, name):
        return path
    match cluster.drains.get(name):
        case DrainPhase.WITHDRAW:
            return None
        case DrainPhase.ANNOUNCE:
            return path._replace(communities=path.communities | {GRACEFUL_SHUTDOWN}, local_pref=0)
        case _:
            return path


def heard(session: Session, path: Path) -> Path:
    """A path before the import filters: what an external peer marks is a last resort."""
    marked = session.into.external and GRACEFUL_SHUTDOWN in path.communities
    return path._replace(local_pref=0) if marked else path


def taken(cluster: Cluster, session: Session, before: Path, path: Path) -> Path:
    """A path after them: they give what a drained node tells no other preference."""
    return path._replace(local_pref=before.local_pref) if session.sender in cluster.drains else path
