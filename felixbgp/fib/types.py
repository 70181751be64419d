"""Routes as the kernel has them, and the inputs and effects that move them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from felixbgp.net import Address, Family, Prefix

KERNEL_PROTOCOL: Final = 2
"""rtm_protocol of what the kernel made itself when an address was set (RTPROT_KERNEL)."""


class RouteKind(IntEnum):
    """rtm_type of rtnetlink(7); `OTHER` stands for every kind that we see and never write (throw, local)."""

    OTHER = 0
    UNICAST = 1
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


class NextHop(NamedTuple):
    """One way out: a gateway, an interface, or both. `interface` is a name ("" = let the kernel choose).

    A negative weight is one that the kernel keeps among others and does not use: its interface is down.
    """

    gateway: Address | None
    interface: str = ""
    onlink: bool = False
    weight: int = 1


class Route(NamedTuple):
    """What a prefix leads to; `next_hops` is empty unless `kind` is UNICAST, sorted otherwise.

    The kernel tells the routes of one prefix apart by `metric`, from 0 to 4294967295, and uses the lowest.
    """

    kind: RouteKind
    next_hops: tuple[NextHop, ...] = ()
    metric: int = 1024


class RouteKey(NamedTuple):
    """By what the kernel knows a route in its table."""

    prefix: Prefix
    metric: int


MAIN_TABLE = 254
"""The one in which the kernel itself writes its connected networks."""


class KernelRoute(NamedTuple):
    """A route as the kernel reports it, in the table that ours go into or in the main table."""

    prefix: Prefix
    route: Route
    protocol: int
    table: int = MAIN_TABLE

    @property
    def metric(self) -> int:
        """The route's own."""
        return self.route.metric


@dataclass(frozen=True, slots=True)
class KernelSnapshot:
    """All routes of one family in the watched tables, ours and others'; replaces what was known."""

    family: Family
    routes: tuple[KernelRoute, ...]


@dataclass(frozen=True, slots=True)
class KernelRouteChanged:
    """Somebody (never ourselves) added, replaced or removed a route."""

    route: KernelRoute
    present: bool
    alone: bool = True
    """Whether no other route of its prefix and metric is left beside it (false for an appended one)."""


@dataclass(frozen=True, slots=True)
class RoutesApplied:
    """The kernel took these `ReplaceRoutes` (present) or `DeleteRoutes` (absent) entries."""

    prefixes: tuple[Prefix, ...]
    present: bool


@dataclass(frozen=True, slots=True)
class RouteFailed:
    """The kernel refused one entry: its errno, and its own words.

    EEXIST and ENOENT say that the belief about the kernel was wrong: a `KernelSnapshot` follows them.
    """

    prefix: Prefix
    errno: int
    reason: str
    present: bool
    """Whether the entry was of a `ReplaceRoutes`."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface appeared, changed or (present false) went away; `up` is the administrator's IFF_UP."""

    index: int
    name: str
    up: bool
    present: bool = True
    carrier: bool = True
    """Whether there is somebody at the other end (IFF_LOWER_UP); without it no packet leaves."""


class InterfaceAddress(NamedTuple):
    """An address of this node, on a link whose network is `Prefix.of(address, length)`."""

    interface: str
    address: Address
    length: int


@dataclass(frozen=True, slots=True)
class AddressSnapshot:
    """All addresses of this node, of both families; replaces what was known."""

    addresses: tuple[InterfaceAddress, ...]


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An address was added to an interface, or taken from it."""

    address: InterfaceAddress
    present: bool


@dataclass(frozen=True, slots=True)
class KernelLost:
    """Events were lost (ENOBUFS) or the socket failed; snapshots of every family follow."""

    reason: str


@dataclass(frozen=True, slots=True)
class KernelRead:
    """The answer to `ReadKernel`: everything was read since, and stands in the inputs before this one."""


KernelInput = (
    KernelSnapshot
    | KernelRouteChanged
    | RoutesApplied
    | RouteFailed
    | LinkChanged
    | AddressSnapshot
    | AddressChanged
    | KernelLost
    | KernelRead
)


@dataclass(frozen=True, slots=True)
class ReplaceRoutes:
    """Make these routes ours, each atomically; answered per prefix by `RoutesApplied` or `RouteFailed`.

    With `exclusive`, none of them is believed to be there: each is created, and refused with EEXIST when
    any route of its prefix and metric exists. Without it, each replaces a route of the same metric that is
    known to be ours.
    """

    routes: tuple[tuple[Prefix, Route], ...]
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRoutes:
    """Remove these routes of ours, each of another prefix; answered like `ReplaceRoutes`."""

    routes: tuple[RouteKey, ...]


@dataclass(frozen=True, slots=True)
class ReadKernel:
    """Read links, addresses and routes of both families afresh.

    Answered by snapshots and then `KernelRead`, or as long as it cannot be done by `KernelLost`.
    """


KernelEffect = ReplaceRoutes | DeleteRoutes


@dataclass(frozen=True, slots=True)
class RouteProblem:
    """A fact: one prefix could not be brought into the wanted state, and why."""

    prefix: Prefix
    reason: str


@dataclass(frozen=True, slots=True)
class KernelUnheard:
    """A fact: what the kernel did was not heard, and why; nothing is written until its tables were read."""

    reason: str


FibFact = RouteProblem | KernelUnheard
