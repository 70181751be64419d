"""The decision process of RFC 4271 §9.1: which of the paths to a prefix is used.

The result is a function of the set of paths. It does not depend on their order, their age or on what was
selected before, so it can be recomputed at any time and by anybody. That is why there is no "oldest route"
step, and why MED, which is no order between two paths of different neighbour ASes, removes paths from the
set instead of ordering pairs (RFC 4271 §9.1.2.2 c).
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.wire.communities import GRACEFUL_SHUTDOWN

Key = TypeVar("Key", int, bytes)


class SelectionReason(Enum):
    """The step of the ladder that left one path."""

    ONLY_PATH = "only path"
    LOCAL = "originated here"
    LEARNED = "learned, before what the kernel has from others"
    DRAINING = "not about to go"
    LONG_LIVED_STALE = "not kept beyond the end of its session"
    LOCAL_PREF = "higher LOCAL_PREF"
    AS_PATH = "shorter AS_PATH"
    ORIGIN = "lower ORIGIN"
    MED = "lower MULTI_EXIT_DISC from the same neighbouring AS"
    EXTERNAL = "eBGP over iBGP"
    IDENTIFIER = "lower BGP Identifier or ORIGINATOR_ID"
    CLUSTER_LIST = "shorter CLUSTER_LIST"
    PEER_ADDRESS = "lower peer address"
    PATH_IDENTIFIER = "lower path identifier"


class Best(NamedTuple):
    """The path to use and the step that decided for it."""

    path: Path
    reason: SelectionReason
    equal: tuple[Path, ...]
    """The paths that are as good but for the last steps, which only break ties; `path` is the first."""


Lost = dict[Path, SelectionReason]
"""The paths that are not the best one, each with the step that put it out."""


def best_path(paths: Sequence[Path], lost: Lost | None = None) -> Best:
    """Walk the ladder until one of the eligible paths is left; there must be at least one.

    Absent attributes have a stated value (LOCAL_PREF 100, MED 0), so that every step orders every path.
    Whoever wants to know what became of the others gives a mapping for it, `lost`.
    """
    if len(paths) == 1:
        return _alone(paths, SelectionReason.ONLY_PATH)
    left = list(paths)
    # 1. Our own routes before or after learned ones, as BIRD and therefore Calico order their protocols.
    if len(left := _lowest(left, _precedence, None, lost)) == 1:
        return _alone(left, SelectionReason.LEARNED if _is_learned(left[0]) else SelectionReason.LOCAL)
    # 1b. What is kept beyond its session only when there is nothing else (RFC 9494 §4.3).
    if len(left := _lowest(left, _is_long_lived_stale, SelectionReason.LONG_LIVED_STALE, lost)) == 1:
        return _alone(left, SelectionReason.LONG_LIVED_STALE)
    # 1c. What comes over a session that nobody wants any more only as long as there is nothing else; nor what
    #     others tell as such (RFC 8326). Were that not as bad, two who drain one peer would each go by the
    #     other, and both go back when they hear of it, for ever.
    if len(left := _lowest(left, _is_draining, SelectionReason.DRAINING, lost)) == 1:
        return _alone(left, SelectionReason.DRAINING)
    # 2. The highest degree of preference (RFC 4271 §9.1.1).
    if len(left := _lowest(left, _negative_local_pref, SelectionReason.LOCAL_PREF, lost)) == 1:
        return _alone(left, SelectionReason.LOCAL_PREF)
    # 2b. One of our own that stood beside the learned ones: what is here needs no way to elsewhere.
    if len(left := _lowest(left, _is_learned, SelectionReason.LOCAL, lost)) == 1:
        return _alone(left, SelectionReason.LOCAL)
    # 3. The fewest AS numbers (§9.1.2.2 a).
    if len(left := _lowest(left, _as_path_length, SelectionReason.AS_PATH, lost)) == 1:
        return _alone(left, SelectionReason.AS_PATH)
    # 4. IGP before EGP before INCOMPLETE (§9.1.2.2 b).
    if len(left := _lowest(left, _origin, SelectionReason.ORIGIN, lost)) == 1:
        return _alone(left, SelectionReason.ORIGIN)
    # 5. Per neighbouring AS, the lowest MED (§9.1.2.2 c).
    if len(left := _lowest_med_per_neighbour(left, lost)) == 1:
        return _alone(left, SelectionReason.MED)
    # 6. eBGP before iBGP (§9.1.2.2 d).
    if len(left := _lowest(left, _is_internal, SelectionReason.EXTERNAL, lost)) == 1:
        return _alone(left, SelectionReason.EXTERNAL)
    # 7. The nearest NEXT_HOP (§9.1.2.2 e): no IGP runs here, all next hops are stated to be equally near.
    # 8. The lowest BGP Identifier (§9.1.2.2 f), or ORIGINATOR_ID (RFC 4456 §9).
    # 9. The fewest reflections (RFC 4456 §9).
    # 10. The lowest peer address (§9.1.2.2 g); the port tells apart two peers at one address.
    # 11. The lowest path identifier, among several paths of one peer (RFC 7911).
    equal = tuple(sorted(left, key=_tie_breakers))
    if lost is not None:
        lost.update({path: _tie_step(equal[0], path) for path in equal[1:]})
    return Best(equal[0], _tie_step(equal[0], equal[1]), equal)


def _alone(left: Sequence[Path], reason: SelectionReason) -> Best:
    return Best(left[0], reason, (left[0],))


def _tie_step(one: Path, other: Path) -> SelectionReason:
    """The first of the last steps that tells two paths apart."""
    keys = zip(_TIE_STEPS, _tie_breakers(one), _tie_breakers(other), strict=True)
    return next((step for step, first, second in keys if first != second))


def _lowest(
    paths: list[Path], key: Callable[[Path], Key], step: SelectionReason | None, lost: Lost | None
) -> list[Path]:
    """The paths whose key is lowest. No `step`: that of a path depends on whether it was learned."""
    keys = [key(path) for path in paths]
    lowest = min(keys)
    if lost is not None:
        for path, value in zip(paths, keys, strict=True):
            if value != lowest:
                lost[path] = step or (SelectionReason.LOCAL if _is_learned(path) else SelectionReason.LEARNED)
    return [path for path, value in zip(paths, keys, strict=True) if value == lowest]


def _lowest_med_per_neighbour(paths: list[Path], lost: Lost | None) -> list[Path]:
    lowest: dict[int, int] = {}
    for path in paths:
        med = path.attributes.med or 0
        lowest[path.neighbour_as] = min(med, lowest.get(path.neighbour_as, med))
    left = [path for path in paths if (path.attributes.med or 0) == lowest[path.neighbour_as]]
    if lost is not None:
        lost.update({path: SelectionReason.MED for path in paths if path not in left})
    return left


def _precedence(path: Path) -> int:
    return path.precedence


def _is_learned(path: Path) -> bool:
    return path.peer is not None


def _is_long_lived_stale(path: Path) -> bool:
    return path.long_lived_stale


def _is_draining(path: Path) -> bool:
    if path.peer is None:
        return False
    return path.peer.draining or GRACEFUL_SHUTDOWN in path.attributes.communities


def _negative_local_pref(path: Path) -> int:
    return -path.local_pref


def _as_path_length(path: Path) -> int:
    return path.as_path_length


def _origin(path: Path) -> int:
    return path.attributes.origin


def _is_internal(path: Path) -> bool:
    return path.peer is not None and not path.peer.external


def _peer_address(path: Path) -> tuple[int, bytes, int]:
    peer = None if path.peer is None else path.peer.peer
    return (0, b"", 0) if peer is None else (len(peer.address), bytes(peer.address), peer.port)


_TIE_STEPS: Final = (
    SelectionReason.IDENTIFIER,
    SelectionReason.CLUSTER_LIST,
    SelectionReason.PEER_ADDRESS,
    SelectionReason.PATH_IDENTIFIER,
)


def _tie_breakers(path: Path) -> tuple[bytes, int, tuple[int, bytes, int], bytes]:
    """What steps 8 to 11 look at, in their order."""
    return path.identifier, len(path.attributes.cluster_list), _peer_address(path), path.path_id
