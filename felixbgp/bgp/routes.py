"""Routes at the speaker's border: what is originated, and what was selected for whom."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Selected:
    """The result of the decision process for one prefix (RFC 4271 §9.1).

    `next_hops` are the gateways to use, ascending, empty for a route of our own; `peer` is None for one of
    our own; `reason` names the step of the ladder that decided.
    """

    source: RouteSource
    peer: PeerId | None
    next_hops: tuple[Address, ...]
    attributes: PathAttributes
    reason: str


class RouteChange(NamedTuple):
    """The Loc-RIB's entry of one prefix changed; None means no route is left."""

    family: Family
    nlri: Nlri
    selected: Selected | None
    unresolved: tuple[Address, ...] = ()
    """The next hops of its paths where none may be used for want of a way to them."""


class Reachability(NamedTuple):
    """What is known of a NEXT_HOP (RFC 4271 §9.1.2.1): whether there is a way to it.

    `through` are the BGP routes that this way takes. A path to one of them by this next hop would be the way
    to itself, and counts as not resolvable.
    """

    resolvable: bool
    through: frozenset[Prefix] = frozenset()
