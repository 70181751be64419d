"""Routes at the speaker's border: what is originated, and what was selected for whom."""

from dataclasses import dataclass
from typing import NamedTuple

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Address, Family, Nlri, Prefix


class LocalRoute(NamedTuple):
    """A route of our own: where it came from, its interface ("" = none), its next hop (None = ourselves)."""

    source: RouteSource
    interface: str = ""
    next_hop: Address | None = None


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
