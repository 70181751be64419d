"""Routes at the speaker's border: what is originated, and what was selected for whom."""

from enum import IntEnum
from typing import NamedTuple

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Address, Family, Nlri, Prefix


class Precedence(IntEnum):
    """How a route of our own stands to those that peers tell of the same prefix; the lower the better."""

    FIRST = 0
    """Before all of them."""
    BESIDE = 1
    """One among them: the highest LOCAL_PREF is used, and of equal ones ours."""
    LAST = 2
    """After all of them: used where nobody tells of the prefix."""


class LocalRoute(NamedTuple):
    """A route of our own: where it came from, its interface ("" = none), its next hop (None = ourselves).

    `local_pref` is told to iBGP peers; None stands for the default of 100.
    """

    source: RouteSource
    interface: str = ""
    next_hop: Address | None = None
    local_pref: int | None = None
    precedence: Precedence = Precedence.FIRST


class Selected:
    """The result of the decision process for one prefix (RFC 4271 §9.1); a value.

    `next_hops` are the gateways to use, ascending, empty for a route of our own; `peer` is None for one of
    our own; `reason` names the step of the ladder that decided.
    """

    __slots__ = ("attributes", "next_hops", "peer", "reason", "source")

    def __init__(
        self,
        source: RouteSource,
        peer: PeerId | None,
        next_hops: tuple[Address, ...],
        attributes: PathAttributes,
        reason: str,
    ) -> None:
        self.source = source
        self.peer = peer
        self.next_hops = next_hops
        self.attributes = attributes
        self.reason = reason

    def _values(self) -> tuple[object, ...]:
        return (self.source, self.peer, self.next_hops, self.attributes, self.reason)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Selected) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Selected{self._values()!r}"


class RouteChange:
    """The Loc-RIB's entry of one prefix changed; None means no route is left. A value."""

    __slots__ = ("family", "nlri", "selected", "unresolved")

    def __init__(
        self, family: Family, nlri: Nlri, selected: Selected | None, unresolved: tuple[Address, ...] = ()
    ) -> None:
        self.family = family
        self.nlri = nlri
        self.selected = selected
        self.unresolved = unresolved
        """The next hops of its paths where none may be used for want of a way to them."""

    def _values(self) -> tuple[object, ...]:
        return (self.family, self.nlri, self.selected, self.unresolved)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RouteChange) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"RouteChange{self._values()!r}"


class Reachability(NamedTuple):
    """What is known of a NEXT_HOP (RFC 4271 §9.1.2.1): whether there is a way to it.

    `through` are the BGP routes that this way takes. A path to one of them by this next hop would be the way
    to itself, and counts as not resolvable.
    """

    resolvable: bool
    through: frozenset[Prefix] = frozenset()
