"""A node's kernel: the routes it was given and who gave them, its links and the networks on them.

It keeps the contract of kernels as the real one does (`tests/support/kernel_contract.py`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from errno import EEXIST, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENODEV, ENOENT

from felixbgp.fib.hops import alive, is_connected, names_interface, with_interface_dead, without_interface
from felixbgp.fib.types import (
    KERNEL_PROTOCOL,
    DeleteRoutes,
    KernelEffect,
    KernelInput,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    LinkChanged,
    NextHop,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.sim.observer import NOBODY, Observer

LINK = "eth0"
"""The one that every node has."""


@dataclass(slots=True)
class _Link:
    index: int
    up: bool = True
    networks: dict[Prefix, None] = field(default_factory=dict)
    """Those of the addresses on it; of IPv6 they go when it is turned off."""


class _RefusedError(Exception):
    """The errno, and the kernel's words."""


class Kernel:
    """Outlives the agent on it, as a real one does. `connected` are the networks on its link, eth0.

    With `has_groups` our routes with several next hops lead to groups, as they do on Linux since 5.13.
    """

    def __init__(self, protocol: int, connected: Iterable[Prefix], *, has_groups: bool = True) -> None:
        self.protocol = protocol
        self._has_groups = has_groups
        self._routes: dict[RouteKey, KernelRoute] = {}
        self._grouped: dict[RouteKey, None] = {}
        self._links: dict[str, _Link] = {}
        self._last_index = 1
        self._refusal: tuple[int, str] | None = None
        self._spared: frozenset[Prefix] = frozenset()
        self._refused: frozenset[Prefix] | None = None
        self.writes = 0
        """How many routes were asked to be replaced or deleted."""
        self.name = ""
        """Whose it is, for the observer."""
        self.observer: Observer = NOBODY
        self.add_link(LINK, connected)

    def snapshots(self) -> list[KernelSnapshot]:
        """What a dump of each family gives."""
        return [self.snapshot(family) for family in (IPV4, IPV6)]

    def snapshot(self, family: Family) -> KernelSnapshot:
        """What a dump of one family gives."""
        routes = (route for key, route in self._routes.items() if key.prefix.family == family)
        return KernelSnapshot(family, tuple(routes))

    def reboot(self) -> None:
        """The machine starts anew: of all routes those of its own links are left."""
        self._routes = {
            key: there for key, there in self._routes.items() if there.protocol == KERNEL_PROTOCOL
        }
        self._grouped.clear()
        self.observer.kernel_disturbed(self.name)

    def take_over(self, protocols: Collection[int]) -> None:
        """Put our mark on the routes of these protocols, as the shell does at its start if told to."""
        for key, there in self._routes.items():
            if there.protocol in protocols:
                self._routes[key] = there._replace(protocol=self.protocol)

    def routes(self) -> dict[Prefix, Route]:
        """Our own routes, by prefix."""
        return {k.prefix: k.route for k in self._routes.values() if k.protocol == self.protocol}

    # -- what we write ----------------------------------------------------------------------------------

    def apply(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect and answer it; what the kernel tells besides comes last."""
        if isinstance(effect, DeleteRoutes):
            return self._delete(effect.routes)
        return self._replace(effect)

    def _replace(self, effect: ReplaceRoutes) -> list[KernelInput]:
        applied: list[Prefix] = []
        failed: list[RouteFailed] = []
        for prefix, route in effect.routes:
            self.writes += 1
            try:
                self._put(prefix, route, exclusive=effect.exclusive)
            except _RefusedError as refusal:
                errno, reason = refusal.args
                failed.append(RouteFailed(prefix, errno, reason, present=True))
            else:
                applied.append(prefix)
        wrong = dict.fromkeys(f.prefix.family for f in failed if f.errno in (EEXIST, ENOENT))
        done = [RoutesApplied(tuple(applied), present=True)] if applied else []
        return [*failed, *done, *(self.snapshot(family) for family in wrong)]

    def _put(self, prefix: Prefix, route: Route, *, exclusive: bool) -> None:
        self._check_mood(prefix)
        hops = tuple(self._resolved(hop, prefix.family) for hop in route.next_hops)
        key = RouteKey(prefix, route.metric)
        if exclusive and key in self._routes:
            raise _RefusedError(EEXIST, "File exists")
        if not exclusive and key not in self._routes:
            raise _RefusedError(ENOENT, "No such file or directory")
        self._routes[key] = KernelRoute(prefix, route._replace(next_hops=hops), self.protocol)
        self._grouped.pop(key, None)
        if self._has_groups and len(hops) > 1:
            self._grouped[key] = None
        self.observer.route_changed(self.name, prefix, route.metric, self._routes[key].route)

    def _delete(self, keys: tuple[RouteKey, ...]) -> list[KernelInput]:
        removed: list[Prefix] = []
        failed: list[KernelInput] = []
        for key in keys:
            self.writes += 1
            try:
                self._check_mood(key.prefix)
            except _RefusedError as refusal:
                errno, reason = refusal.args
                failed.append(RouteFailed(key.prefix, errno, reason, present=False))
                continue
            found = self._routes.get(key)
            if found is not None and found.protocol == self.protocol:
                self._remove(key)
                self.observer.route_changed(self.name, key.prefix, key.metric, None)
            removed.append(key.prefix)
        return [*failed, RoutesApplied(tuple(removed), present=False)] if removed else failed

    def _resolved(self, hop: NextHop, family: Family) -> NextHop:
        """The next hop with the interface that it leads to."""
        link = self._links.get(hop.interface)
        if hop.interface and link is None:
            raise _RefusedError(ENODEV, f"there is no interface {hop.interface}")
        if hop.gateway is None or hop.onlink:
            if link is None or not link.up:
                raise _RefusedError(ENETDOWN, "Nexthop device is not up")
            return hop
        interface = self._interface_to(hop.gateway, hop.interface)
        if interface is None and family == IPV4:
            raise _RefusedError(ENETUNREACH, "Nexthop has invalid gateway")
        if interface is None:
            raise _RefusedError(EHOSTUNREACH, "No route to host")
        return hop._replace(interface=interface)

    def _interface_to(self, gateway: Address, wanted: str) -> str | None:
        """Through which interface a gateway is reached directly; None when through none, or not `wanted`."""
        for key, there in self._routes.items():
            if is_connected(there.route) and key.prefix.contains(gateway):
                interface = there.route.next_hops[0].interface
                if wanted in ("", interface):
                    return interface
        return None

    def refuse(
        self, errno: int, reason: str, *, but: Iterable[Prefix] = (), only: Iterable[Prefix] | None = None
    ) -> None:
        """From now on refuse every write with this, but those of some prefixes, or `only` those of some."""
        self._refusal, self._spared = (errno, reason), frozenset(but)
        self._refused = None if only is None else frozenset(only)
        self.observer.kernel_disturbed(self.name)

    def relent(self) -> None:
        """Refuse nothing without need any more."""
        self._refusal = None
        self.observer.kernel_disturbed(self.name)

    def _check_mood(self, prefix: Prefix) -> None:
        if self._refusal is None or prefix in self._spared:
            return
        if self._refused is None or prefix in self._refused:
            raise _RefusedError(*self._refusal)

    # -- what others do ---------------------------------------------------------------------------------

    def change(self, route: KernelRoute, *, present: bool) -> KernelRouteChanged:
        """Somebody else adds or removes a route; gives what the agent hears.

        They add the interfaces of their route, too, where there are none.
        """
        key = RouteKey(route.prefix, route.metric)
        self.observer.kernel_disturbed(self.name)
        self._remove(key)
        if present:
            for hop in route.route.next_hops:
                if hop.interface not in self._links:
                    self.add_link(hop.interface)
            self._routes[key] = route
        return KernelRouteChanged(route, present)

    def connect(self, network: Prefix, name: str = LINK) -> KernelRouteChanged:
        """Have a link in one more network; gives what the agent hears."""
        self._links[name].networks[network] = None
        return self.change(_on_link(network, name), present=True)

    def disconnect(self, network: Prefix, name: str = LINK) -> KernelRouteChanged:
        """Take a link out of a network; with the last IPv4 one, its IPv4 routes go without a word."""
        networks = self._links[name].networks
        del networks[network]
        change = self.change(_on_link(network, name), present=False)
        if network.family == IPV4 and not any(other.family == IPV4 for other in networks):
            self._cut(name, (IPV4,))
        return change

    def add_link(self, name: str, networks: Iterable[Prefix] = ()) -> list[KernelInput]:
        """An interface appears, and is turned on; gives what the agent hears."""
        self._last_index += 1
        self._links[name] = _Link(self._last_index)
        events: list[KernelInput] = [LinkChanged(self._last_index, name, up=True)]
        return [*events, *(self.connect(network, name) for network in networks)]

    def set_link(self, name: str, *, up: bool) -> list[KernelInput]:
        """The administrator turns an interface on or off; gives what the agent hears."""
        link = self._links[name]
        link.up = up
        self.observer.kernel_disturbed(self.name)
        event = LinkChanged(link.index, name, up, carrier=up)
        if not up:
            link.networks = {network: None for network in link.networks if network.family == IPV4}
            return [event, *self._cut(name, (IPV4, IPV6)), *self._cut_groups(name)]
        for key, there in self._routes.items():
            self._routes[key] = there._replace(route=_revived(there.route, name))
        return [event, *(self.connect(network, name) for network in link.networks)]

    def remove_link(self, name: str) -> list[KernelInput]:
        """An interface goes for good, with all IPv4 routes that name it; gives what the agent hears."""
        events = self.set_link(name, up=False)
        link = self._links.pop(name)
        for key, there in list(self._routes.items()):
            if not names_interface(there.route, name):
                continue
            left = without_interface(there.route, name)
            if key.prefix.family == IPV4 or left is None:
                del self._routes[key]
                continue
            self._routes[key] = there._replace(route=left)
            gone = tuple(hop for hop in there.route.next_hops if hop not in left.next_hops)
            events.append(
                KernelRouteChanged(
                    there._replace(route=there.route._replace(next_hops=gone)), present=False, alone=False
                )
            )
        return [*events, LinkChanged(link.index, name, up=False, present=False, carrier=False)]

    def _cut(self, name: str, families: Iterable[Family]) -> list[KernelInput]:
        """What goes through an interface dies; of IPv4 routes nothing is told."""
        events: list[KernelInput] = []
        for key, there in list(self._routes.items()):
            if key.prefix.family not in families or key in self._grouped:
                continue
            if not names_interface(there.route, name):
                continue
            left = with_interface_dead(there.route, name)
            if left is not None:
                self._routes[key] = there._replace(route=left)
                continue
            del self._routes[key]
            if key.prefix.family == IPV6:
                used = there._replace(route=alive(there.route))
                events.append(KernelRouteChanged(used, present=False, alone=False))
        return events

    def _cut_groups(self, name: str) -> list[KernelInput]:
        """What goes through an interface leaves its groups, whose routes are told as they are then."""
        events: list[KernelInput] = []
        for key in list(self._grouped):
            there = self._routes[key]
            left = without_interface(there.route, name)
            if left == there.route:
                continue
            now = there._replace(route=left or there.route._replace(next_hops=()))
            events.append(KernelRouteChanged(now, present=left is not None, alone=False))
            self._routes[key] = now
            if left is None:
                self._remove(key)
        return events

    def _remove(self, key: RouteKey) -> None:
        self._routes.pop(key, None)
        self._grouped.pop(key, None)


def _on_link(network: Prefix, name: str) -> KernelRoute:
    metric = 0 if network.family == IPV4 else 256
    return KernelRoute(network, Route(RouteKind.UNICAST, (NextHop(None, name),), metric), KERNEL_PROTOCOL)


def _revived(route: Route, name: str) -> Route:
    hops = (hop._replace(weight=abs(hop.weight)) if hop.interface == name else hop for hop in route.next_hops)
    return route._replace(next_hops=tuple(hops))
