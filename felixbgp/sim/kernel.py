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
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Family, Prefix

LINK = "eth0"
KERNEL_PROTOCOL = 2
"""rtm_protocol `kernel`: a network that is connected because an address is in it."""
EEXIST = 17
ENETUNREACH = 101


class Kernel:
    """Outlives the agent on it, as a real one does. `connected` are the networks on its link, eth0."""

    def __init__(self, protocol: int, connected: Iterable[Prefix]) -> None:
        self.protocol = protocol
        self._routes: dict[RouteKey, KernelRoute] = {}
        for network in connected:
            self.connect(network)
        self.writes = 0
        """How many routes were asked to be replaced or deleted."""

    def snapshots(self) -> list[KernelSnapshot]:
        """What a dump of each family gives."""
        return [KernelSnapshot(family, self._of(family)) for family in (IPV4, IPV6)]

    def apply(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect and answer it."""
        if isinstance(effect, DeleteRoutes):
            return self._delete(effect.routes)
        return self._replace(effect)

    def routes(self) -> dict[Prefix, Route]:
        """Our own routes, by prefix."""
        return {k.prefix: k.route for k in self._routes.values() if k.protocol == self.protocol}

    def change(self, route: KernelRoute, *, present: bool) -> KernelRouteChanged:
        """Somebody else adds or removes a route; gives what the agent hears."""
        key = RouteKey(route.prefix, route.metric)
        if present:
            self._routes[key] = route
        else:
            self._routes.pop(key, None)
        return KernelRouteChanged(route, present)

    def connect(self, network: Prefix) -> KernelRouteChanged:
        """Have the link in one more network; gives what the agent hears."""
        metric = 0 if network.family == IPV4 else 256
        on_link = Route(RouteKind.UNICAST, (NextHop(None, LINK),), metric)
        return self.change(KernelRoute(network, on_link, KERNEL_PROTOCOL), present=True)

    def _of(self, family: Family) -> tuple[KernelRoute, ...]:
        return tuple(route for key, route in self._routes.items() if key.prefix.family == family)

    def _replace(self, effect: ReplaceRoutes) -> list[KernelInput]:
        applied: list[Prefix] = []
        failed: list[KernelInput] = []
        for prefix, route in effect.routes:
            self.writes += 1
            key = RouteKey(prefix, route.metric)
            if effect.exclusive and key in self._routes:
                failed.append(RouteFailed(prefix, EEXIST, "File exists", present=True))
            elif all(self._reachable(hop) for hop in route.next_hops):
                self._routes[key] = KernelRoute(prefix, route, self.protocol)
                applied.append(prefix)
            else:
                failed.append(RouteFailed(prefix, ENETUNREACH, "Nexthop has invalid gateway", present=True))
        surprised = any(isinstance(answer, RouteFailed) and answer.errno == EEXIST for answer in failed)
        if surprised:
            failed += self.snapshots()
        return [RoutesApplied(tuple(applied), present=True), *failed] if applied else failed

    def _delete(self, keys: tuple[RouteKey, ...]) -> list[KernelInput]:
        for key in keys:
            self.writes += 1
            found = self._routes.get(key)
            if found is not None and found.protocol == self.protocol:
                del self._routes[key]
        return [RoutesApplied(tuple(key.prefix for key in keys), present=False)]

    def _reachable(self, hop: NextHop) -> bool:
        """Whether the kernel takes a next hop: its gateway has to be on a link."""
        gateway = hop.gateway
        if gateway is None or hop.onlink:
            return True
        links = (one for one in self._routes.values() if is_connected(one.route))
        return any(link.prefix.contains(gateway) for link in links)
