"""What a change does, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from felixbgp.intent.types import Problem
from felixbgp.net import Address, Prefix
from felixbgp.plan.sessions import SessionChange


class Presence(Enum):
    """Whether a node takes part in BGP before and after."""

    STAYS = "stays"
    JOINS = "joins"
    LEAVES = "leaves"


class SessionOutcome(NamedTuple):
    """One session as one of its nodes has it."""

    peer: Address
    name: str
    """The node that the peer is, or its address."""
    change: SessionChange
    parameters: tuple[str, ...] = ()
    """What differs at this end."""
    peer_parameters: tuple[str, ...] = ()
    """What differs at the other."""
    reason: str = ""
    """Why it is removed."""
    loses: bool = False
    """Of one that is reset: whether routes go while it is down; such resets take turns."""


class Route(NamedTuple):
    """Where packets to a prefix go: next hops, ascending, none for one that is the node's own."""

    next_hops: tuple[Address, ...]
    as_path: tuple[int, ...] = ()

    def __str__(self) -> str:
        by = " ".join(map(str, self.next_hops)) or "here"
        return f"{by} (AS {' '.join(map(str, self.as_path))})" if self.as_path else by


class RouteOutcome(NamedTuple):
    """One prefix of one node; None: it has no route."""

    prefix: Prefix
    before: Route | None
    after: Route | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutcome:
    """What a change does to one node."""

    presence: Presence = Presence.STAYS
    kept: int = 0
    """How many sessions stay as they are."""
    sessions: tuple[SessionOutcome, ...] = ()
    """All others."""
    gained: tuple[RouteOutcome, ...] = ()
    lost: tuple[RouteOutcome, ...] = ()
    """Prefixes that nobody originates any more."""
    stranded: tuple[RouteOutcome, ...] = ()
    """Prefixes that somebody originates, and this node has no path to any more."""
    moved: tuple[RouteOutcome, ...] = ()
    """Those with other next hops, or another AS_PATH."""

    def count(self, change: SessionChange) -> int:
        """How many sessions this becomes of."""
        if change is SessionChange.KEPT:
            return self.kept
        return sum(one.change is change for one in self.sessions)

    @property
    def is_affected(self) -> bool:
        """Whether sessions come, go or begin anew, or packets go another way."""
        changed = SessionChange.CHANGED
        ways = self.gained or self.lost or self.stranded or self.moved
        return bool(ways) or any(one.change is not changed for one in self.sessions)

    @property
    def loses(self) -> bool:
        """Whether there are prefixes that it has a route to and will have none."""
        return bool(self.lost or self.stranded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change does."""

    nodes: Mapping[str, NodeOutcome]
    """Every node that takes part before or after, by name."""
    unsettled: tuple[Prefix, ...] = ()
    """Prefixes of which the policies allow no state at rest, before or after: nothing is said of them."""
    invalid: Mapping[str, str] = field(default_factory=dict)
    """Keys whose values count as absent afterwards, and why."""
    problems: tuple[Problem, ...] = ()
    """What the agents will say is to be mended, and do not say now."""
    outside: tuple[str, ...] = ()
    """The peers that are no nodes."""

    @property
    def affected(self) -> int:
        """How many nodes are affected."""
        return sum(node.is_affected for node in self.nodes.values())

    @property
    def loses(self) -> bool:
        """Whether any node is left without a route that it has now, or nothing can be said of one."""
        return bool(self.unsettled) or any(node.loses for node in self.nodes.values())
