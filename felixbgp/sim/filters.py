"""A path, and what BGPFilters make of it: the oracle's own reading of them."""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from felixbgp.net import IPV4, Address, Prefix
from felixbgp.resources.bgp_filter import (
    FilterAction,
    FilterRule,
    FilterSource,
    MatchOperator,
    Operation,
    PeerType,
)
from felixbgp.sim.topology import Cluster, End, Session

Community = tuple[int, ...]
"""Two numbers, or three."""
NO_EXPORT: Final = (0xFFFF, 0xFF01)
NO_ADVERTISE: Final = (0xFFFF, 0xFF02)
_BEST_LOCAL_PREF: Final = 0x7FFF_FFFF


class Path(NamedTuple):
    """A way to one prefix, as its holder has it. Of its own one it is the origin."""

    next_hop: Address | None = None
    as_path: tuple[int, ...] = ()
    local_pref: int | None = None
    communities: frozenset[Community] = frozenset()
    originator: Address | None = None
    clusters: tuple[Address, ...] = ()
    heard: Session | None = None
    """From whom; None: it is its own."""
    identifier: Address | None = None
    """The BGP Identifier of whom it was heard from."""


class Answer(Enum):
    """What the filters of a session say of a path; `NOTHING`: no rule matches."""

    ACCEPT = "accept"
    REJECT = "reject"
    NOTHING = "nothing"


def ask(cluster: Cluster, end: End, direction: str, prefix: Prefix, path: Path) -> tuple[Answer, Path]:
    """The filters of one end of a session, in their order; `direction` is `import` or `export`."""
    for rule in rules(cluster, end, direction, prefix):
        if _matches(rule, prefix, path, internal=not end.external):
            if rule.action is FilterAction.REJECT:
                return Answer.REJECT, path
            for operation in rule.operations:
                path = _changed(operation, path)
            return Answer.ACCEPT, path
    return Answer.NOTHING, path


def rules(cluster: Cluster, end: End, direction: str, prefix: Prefix) -> Iterator[FilterRule]:
    """The rules that a session has for a family and direction, in their order."""
    version = "v4" if prefix.family == IPV4 else "v6"
    for name in end.filters:
        if name in cluster.filters:
            yield from getattr(cluster.filters[name], f"{direction}_{version}")


def communities_of(text: str) -> Community:
    """`65000:1` or `65000:1:2`."""
    return tuple(map(int, text.split(":")))


def is_about(rule: FilterRule, prefix: Prefix, *, internal: bool, learned: bool) -> bool:
    """Whether a rule's conditions hold, but for those on communities."""
    if rule.peer_type is not None and (rule.peer_type is PeerType.IBGP) is not internal:
        return False
    if rule.source is FilterSource.REMOTE_PEERS and not learned:
        return False
    return rule.cidr is None or _is_of(rule, rule.cidr, prefix)


def _matches(rule: FilterRule, prefix: Prefix, path: Path, *, internal: bool) -> bool:
    if not is_about(rule, prefix, internal=internal, learned=path.heard is not None):
        return False
    wanted = () if rule.communities is None else rule.communities.values
    return all(communities_of(text) in path.communities for text in wanted)


def _is_of(rule: FilterRule, cidr: Prefix, prefix: Prefix) -> bool:
    is_exact = rule.match_operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL)
    is_negated = rule.match_operator in (MatchOperator.NOT_EQUAL, MatchOperator.NOT_IN)
    if rule.prefix_length is None:
        return (prefix == cidr if is_exact else cidr.covers(prefix)) is not is_negated
    # Calico compares with a set of prefixes then, and a prefix never equals a set.
    shortest = max(cidr.length, rule.prefix_length.min or 0)
    longest = cidr.family.bits if rule.prefix_length.max is None else rule.prefix_length.max
    is_in = not is_exact and cidr.covers(prefix) and shortest <= prefix.length <= longest
    return is_in is not is_negated


def _changed(operation: Operation, path: Path) -> Path:
    if operation.add_community is not None:
        added = communities_of(operation.add_community.value)
        return path._replace(communities=path.communities | {added})
    if operation.prepend_as_path is not None:
        return path._replace(as_path=(*operation.prepend_as_path.prefix, *path.as_path))
    if operation.set_priority is not None:
        return path._replace(local_pref=max(_BEST_LOCAL_PREF - operation.set_priority.value, 0))
    return path
