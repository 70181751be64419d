"""A node's kernel: the routes it was given, and who gave them."""

from collections.abc import Iterable

from felixbgp.fib.hops import is_connected
from felixbgp.fib.types import (
    DeleteRoutes,
    KernelEffect,
    KernelInput,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    NextHop,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Family, Prefix

EEXIST = 17
ENETUNREACH = 101
RTPROT_KERNEL = 2
INTERFACE = "eth0"


class Kernel:
    """Outlives the agent on it, as a real one does. `connected` are the networks a gateway may be in."""

    def __init__(self, protocol: int, metric: int, connected: Iterable[Prefix]) -> None:
        self.protocol = protocol
        self.metric = metric
        self._connected = tuple(connected)
        self._routes: dict[tuple[Prefix, int], KernelRoute] = {}
        self.writes = 0
        """How many routes were asked to be replaced or deleted."""

    def snapshots(self) -> list[KernelSnapshot]:
        """What a dump of each family gives."""
        return [KernelSnapshot(family, self._of(family)) for family in (IPV4, IPV6)]

    def apply(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect and answer it."""
        if isinstance(effect, DeleteRoutes):
            return self._delete(effect.prefixes)
        return self._replace(effect)

    def routes(self) -> dict[Prefix, Route]:
        """Our own routes, by prefix."""
        return {k.prefix: k.route for k in self._routes.values() if k.protocol == self.protocol}

    def change(self, route: KernelRoute, *, present: bool) -> KernelRouteChanged:
        """Somebody else adds or removes a route; gives what the agent hears."""
        if present:
            self._routes[route.prefix, route.metric] = route
        else:
            self._routes.pop((route.prefix, route.metric), None)
        return KernelRouteChanged(route, present)

    def connect(self, network: Prefix) -> KernelRouteChanged:
        """Have a link in one more network; gives what the agent hears."""
        self._connected = (*self._connected, network)
        return KernelRouteChanged(_connected_route(network), present=True)

    def _of(self, family: Family) -> tuple[KernelRoute, ...]:
        written = (route for (prefix, _), route in self._routes.items() if prefix.family == family)
        return (*(_connected_route(one) for one in self._connected if one.family == family), *written)

    def _replace(self, effect: ReplaceRoutes) -> list[KernelInput]:
        applied: list[Prefix] = []
        failed: list[KernelInput] = []
        for prefix, route in effect.routes:
            self.writes += 1
            if effect.exclusive and (prefix, self.metric) in self._routes:
                failed.append(RouteFailed(prefix, EEXIST, "File exists", present=True))
            elif all(self._reachable(hop) for hop in route.next_hops):
                self._routes[prefix, self.metric] = KernelRoute(prefix, route, self.protocol, self.metric)
                applied.append(prefix)
            else:
                failed.append(RouteFailed(prefix, ENETUNREACH, "Nexthop has invalid gateway", present=True))
        surprised = any(isinstance(answer, RouteFailed) and answer.errno == EEXIST for answer in failed)
        if surprised:
            failed += self.snapshots()
        return [RoutesApplied(tuple(applied), present=True), *failed] if applied else failed

    def _delete(self, prefixes: tuple[Prefix, ...]) -> list[KernelInput]:
        for prefix in prefixes:
            self.writes += 1
            found = self._routes.get((prefix, self.metric))
            if found is not None and found.protocol == self.protocol:
                del self._routes[prefix, self.metric]
        return [RoutesApplied(prefixes, present=False)]

    def _reachable(self, hop: NextHop) -> bool:
        """Whether the kernel takes a next hop: its gateway has to be on a link."""
        gateway = hop.gateway
        if gateway is None or hop.onlink or any(network.contains(gateway) for network in self._connected):
            return True
        links = (one for one in self._routes.values() if is_connected(one.route))
        return any(link.prefix.contains(gateway) for link in links)


def _connected_route(network: Prefix) -> KernelRoute:
    """What the kernel itself has for a network that an address is in."""
    metric = 0 if network.family == IPV4 else 256
    return KernelRoute(network, Route(RouteKind.UNICAST, (NextHop(None, INTERFACE),)), RTPROT_KERNEL, metric)
