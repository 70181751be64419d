"""The class Routes of a report: what BIRD's tables would show of this node, as the agent has it.

    Loc-RIB: eligible paths, learned and our own ─┐
    kernel: the routes of everybody else ─────────┼─▶ per prefix: one in use (FIB), the others (RIB)
    kernel: the routes we want there ─────────────┘   (interface of the one in use)

Paths that a filter rejected are no part of it, as in BIRD.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.snapshot import RouteSnapshot
from felixbgp.cluster.parts import Parts
from felixbgp.fib.hops import is_connected
from felixbgp.fib.types import KERNEL_PROTOCOL, KernelRoute, Route
from felixbgp.fib.types import RouteKind as KernelKind
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import IPV4, Address, Family, Nlri, Prefix
from felixbgp.net.trie import PrefixTrie
from felixbgp.resources.calico_node_status import RouteKind, RouteSourceType

ROUTES_MAX: Final = 4_000
"""Of both families. An entry has at most 270 octets; with 2,500 peers of 125 and annotations of 256 KiB the
object stays below the 1.5 MiB that etcd takes by default. Every agent is told of every report, too."""
SCANNED_MAX: Final = ROUTES_MAX + 1
"""Of one family, paths and kernel routes each: one more than can be told says that there are more."""
TOGETHER: Final = 100
"""Routes that are looked at in one part."""
SORTED: Final = 200
"""What it takes to sort those of a family, in parts."""
Told = TypeVar("Told", RouteSnapshot, KernelRoute)

_SINKS: Final = {
    KernelKind.BLACKHOLE: "blackhole",
    KernelKind.UNREACHABLE: "unreachable",
    KernelKind.PROHIBIT: "prohibit",
}
"""What stands for the interface of a route that leads nowhere."""
_LINK_LOCAL: Final = Prefix.parse("fe80::/10")


class RouteReport(NamedTuple):
    """A route. `gateway` is None where it has none, `interface` "" where it is not known."""

    kind: RouteKind
    destination: Prefix
    gateway: Address | None
    interface: str
    source: RouteSourceType
    peer: Address | None = None


class RouteTables(NamedTuple):
    """The routes of each family by destination, the one in use first; `cut` when some are left out."""

    v4: tuple[RouteReport, ...]
    v6: tuple[RouteReport, ...]
    cut: bool = False


class RouteFacts(NamedTuple):
    """What is known of the routes of one family: up to `SCANNED_MAX` of each kind."""

    family: Family
    paths: Sequence[RouteSnapshot]
    """But for those that were found in the kernel, and so are among the foreign ones."""
    foreign: Sequence[KernelRoute]


class Surroundings(NamedTuple):
    """What routes are told by: our usual metric, what we want in the kernel, and what made a peer one.

    `wanted` is None where we write no routes: then none is in use.
    """

    metric: int
    wanted: Callable[[Prefix], Route | None] | None
    origins: Mapping[PeerId, PeerOrigin]


def routes_of(v4: RouteFacts, v6: RouteFacts, around: Surroundings) -> Parts[RouteTables]:
    """The class Routes; one family never takes the other's room."""
    links = _Links((*v4.foreign, *v6.foreign))
    found_v4 = yield from _family_routes(v4, around, links)
    found_v6 = yield from _family_routes(v6, around, links)
    half = ROUTES_MAX // 2
    room_v4 = ROUTES_MAX - min(len(found_v6), half)
    room_v6 = ROUTES_MAX - min(len(found_v4), half)
    scanned = max(len(part) for facts in (v4, v6) for part in (facts.paths, facts.foreign))
    cut = len(found_v4) > room_v4 or len(found_v6) > room_v6 or scanned >= SCANNED_MAX
    return RouteTables(_first(found_v4, room_v4), _first(found_v6, room_v6), cut)


class _Links:
    """Through which interface an address is reached, by the networks that are connected."""

    def __init__(self, foreign: Sequence[KernelRoute]) -> None:
        self._connected: PrefixTrie[str] = PrefixTrie()
        self._known: dict[Address, str] = {}
        for route in foreign:
            if is_connected(route.route):
                self._connected[route.prefix] = route.route.next_hops[0].interface

    def interface(self, gateway: Address) -> str:
        """The interface; "" when no connected network has the address."""
        if gateway not in self._known:
            found = self._connected.longest_match(gateway)
            self._known[gateway] = "" if found is None else found[1]
        return self._known[gateway]


def _family_routes(facts: RouteFacts, around: Surroundings, links: _Links) -> Parts[list[RouteReport]]:
    lowest: dict[Nlri, int] = {}
    foreign = [route for route in facts.foreign if _is_told(route)]
    for route in foreign:
        nlri = route.prefix.nlri
        lowest[nlri] = min(route.metric, lowest.get(nlri, route.metric))
    ours: set[Nlri] = set()
    for paths in _batches(facts.paths):
        ours.update(path.nlri for path in paths if _is_in_use(path, facts.family, around, lowest))
        yield 10
    found: list[RouteReport] = []
    for routes in _batches(foreign):
        for route in routes:
            nlri = route.prefix.nlri
            found.append(_kernel_route(route, in_use=nlri not in ours and route.metric == lowest[nlri]))
        yield 20
    for paths in _batches(facts.paths):
        # Of a connected network the kernel tells as well, but for one of a single address.
        found += (
            _path(path, facts.family, around, links, in_use=path.best and path.nlri in ours)
            for path in paths
            if path.source is not RouteSource.DIRECT or path.nlri not in lowest
        )
        yield 30
    yield SORTED
    return sorted(found, key=_order)


def _batches(found: Sequence[Told]) -> Iterator[Sequence[Told]]:
    return (found[first : first + TOGETHER] for first in range(0, len(found), TOGETHER))


def _is_in_use(path: RouteSnapshot, family: Family, around: Surroundings, lowest: Mapping[Nlri, int]) -> bool:
    """Whether the kernel goes by this path of ours, as far as the routes of others let it."""
    if not path.best or around.wanted is None:
        return False
    return _is_lowest(_metric(Prefix(family, path.nlri), around), lowest.get(path.nlri))


def _metric(destination: Prefix, around: Surroundings) -> int:
    wanted = None if around.wanted is None else around.wanted(destination)
    return around.metric if wanted is None else wanted.metric


def _is_lowest(metric: int, of_others: int | None) -> bool:
    return of_others is None or metric <= of_others


def _is_told(route: KernelRoute) -> bool:
    """Whether BIRD would see the route: no local addresses, no link-local networks."""
    if route.route.kind is KernelKind.OTHER:
        return False
    return route.prefix.family == IPV4 or not _LINK_LOCAL.covers(route.prefix)


def _kernel_route(route: KernelRoute, *, in_use: bool) -> RouteReport:
    kind = RouteKind.FIB if in_use else RouteKind.RIB
    direct = is_connected(route.route) and route.protocol == KERNEL_PROTOCOL
    source = RouteSourceType.DIRECT if direct else RouteSourceType.KERNEL
    hops = route.route.next_hops
    interface = hops[0].interface if hops else _SINKS.get(route.route.kind, "")
    return RouteReport(kind, route.prefix, hops[0].gateway if hops else None, interface, source)


def _path(
    path: RouteSnapshot, family: Family, around: Surroundings, links: _Links, *, in_use: bool
) -> RouteReport:
    kind = RouteKind.FIB if in_use else RouteKind.RIB
    destination = Prefix(family, path.nlri)
    if path.source is RouteSource.DIRECT:
        return RouteReport(kind, destination, None, path.interface, RouteSourceType.DIRECT)
    if path.next_hop is None:
        return RouteReport(kind, destination, None, "blackhole", RouteSourceType.STATIC)
    tunnel = _interface_wanted(around, destination, path.next_hop) if in_use else ""
    interface = tunnel or links.interface(path.next_hop)
    if path.peer is None:
        return RouteReport(kind, destination, path.next_hop, interface, RouteSourceType.STATIC)
    origin = around.origins.get(path.peer)
    in_mesh = origin is not None and origin.scope == "mesh"
    source = RouteSourceType.NODE_MESH if in_mesh else RouteSourceType.BGP_PEER
    return RouteReport(kind, destination, path.next_hop, interface, source, path.peer.address)


def _interface_wanted(around: Surroundings, destination: Prefix, gateway: Address) -> str:
    route = None if around.wanted is None else around.wanted(destination)
    hops = () if route is None else route.next_hops
    return next((hop.interface for hop in hops if hop.gateway == gateway), "")


def _first(found: list[RouteReport], room: int) -> tuple[RouteReport, ...]:
    """What there is room for: routes in use before the others, by destination."""
    if len(found) <= room:
        return tuple(found)
    kept = sorted(found, key=_is_spare)[:room]
    return tuple(sorted(kept, key=_order))


def _is_spare(route: RouteReport) -> bool:
    return route.kind is RouteKind.RIB


def _order(route: RouteReport) -> tuple[bytes, bytes, bool, str, bytes, bytes, str]:
    nlri = route.destination.nlri
    return (
        nlri[1:],
        nlri[:1],
        _is_spare(route),
        route.source.value,
        route.peer or b"",
        route.gateway or b"",
        route.interface,
    )
