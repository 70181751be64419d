"""Our own routes as the kernel is believed to have them."""

from collections.abc import Callable, Iterator

from felixbgp.fib.hops import (
    HopIndex,
    names_interface,
    with_interface_dead,
    with_interface_known,
    with_interface_renamed,
    without_hops,
)
from felixbgp.fib.types import Route
from felixbgp.net import Nlri, Prefix
from felixbgp.net.table import Table, Walk


class OwnRoutes:
    """The routes of one family that carry our protocol: of each prefix at most one of each metric.

    More than one is rare: while a prefix moves from one metric to another, or left by a former life.
    """

    __slots__ = ("_alone", "_index", "_routes")

    def __init__(self) -> None:
        self._routes: Table[tuple[Route, ...]] = Table(4)
        self._alone: tuple[Route, ...] = ()
        """The last route that was the only one of its prefix: one object for all prefixes that share it."""
        self._index = HopIndex()

    def __len__(self) -> int:
        """How many prefixes have a route of ours."""
        return len(self._routes)

    def __iter__(self) -> Iterator[tuple[Nlri, Route]]:
        return ((nlri, route) for nlri, routes in self._routes.items() for route in routes)

    def of(self, nlri: Nlri) -> tuple[Route, ...]:
        """The routes of a prefix, the lowest metric first."""
        return self._routes.get(nlri) or ()

    def find(self, nlri: Nlri, metric: int) -> Route | None:
        """The route at a prefix and metric, or None."""
        for route in self.of(nlri):
            if route.metric == metric:
                return route
        return None

    def put(self, nlri: Nlri, route: Route) -> None:
        """Believe this route to be there, in the place of one of its metric."""
        known = self._routes.get(nlri)
        if known is None:
            self.add(nlri, route)
        else:
            self._set(nlri, (*_others(known, route.metric), route))

    def add(self, nlri: Nlri, route: Route) -> None:
        """The same where no route of the prefix was."""
        alone = self._alone
        if not alone or alone[0] is not route:
            alone = self._alone = (route,)
        self._index.add(nlri, route)
        self._routes.put(nlri, alone)

    def remove(self, nlri: Nlri, metric: int) -> None:
        """Believe no route of this metric to be there."""
        known = self._routes.get(nlri)
        if known is None:
            return
        if len(known) > 1:
            self._set(nlri, _others(known, metric))
        elif known[0].metric == metric:
            self.clear(nlri)

    def clear(self, nlri: Nlri) -> None:
        """Believe no route of the prefix to be there."""
        for route in self._routes.pop(nlri) or ():
            self._index.discard(nlri, route)

    def walk(self) -> Walk[tuple[Route, ...]]:
        """A way through all prefixes with a route of ours, which bears changes."""
        return Walk(self._routes)

    def replace(self, nlris: list[Nlri], routes: Table[tuple[Route, ...]]) -> list[Nlri]:
        """Take from a complete view what it says of these prefixes; gives those where anything differs."""
        before = self._routes
        changed: list[Nlri] = []
        same: tuple[Route, ...] | None = None
        as_same: tuple[Route, ...] = ()
        for nlri in nlris:
            there = routes.get(nlri) or ()
            known = before.get(nlri) or ()
            # Prefixes share their routes, so that those of a whole table are mostly compared once.
            if known is same and there is as_same:
                continue
            if known == _ordered(there):
                same, as_same = known, there
            else:
                changed.append(nlri)
        for nlri in changed:
            self._set(nlri, routes.get(nlri) or ())
        return changed

    def lose_hops(self, nlri: Nlri, route: Route) -> None:
        """The kernel removed a route, or some next hops of one: IPv6 tells of them one by one."""
        known = self.find(nlri, route.metric)
        left = None if known is None or not known.next_hops else without_hops(known, route.next_hops)
        if left is None or left == known:
            self.remove(nlri, route.metric)
        else:
            self.put(nlri, left)

    def lose_interface(self, interface: str) -> Iterator[Nlri]:
        """Cut what goes through an interface that is down; gives the prefixes that were cut."""
        for nlri in self._index.through_interface(interface):
            self._map(nlri, lambda route: with_interface_dead(route, interface))
            yield nlri

    def lose_through(self, interface: str) -> Iterator[Nlri]:
        """Forget every route with a next hop through an interface, in use or not; gives their prefixes."""
        for nlri in self._index.through_interface(interface):
            self._map(nlri, lambda route: None if names_interface(route, interface) else route)
            yield nlri

    def rename_interface(self, name: str, new_name: str) -> Iterator[Nlri]:
        """Call an interface by its new name; gives the prefixes that name it."""
        for nlri in self._index.through_interface(name):
            self._map(nlri, lambda route: with_interface_renamed(route, name, new_name))
            yield nlri

    def learn_interface(self, link: Prefix, interface: str) -> None:
        """A prefix is, or was, reached through an interface: so are the gateways in it."""
        for nlri in dict.fromkeys(self._index.through_gateways(link)):
            self._map(nlri, lambda route: with_interface_known(route, link, interface))

    def _map(self, nlri: Nlri, changed: Callable[[Route], Route | None]) -> None:
        left = (changed(route) for route in self.of(nlri))
        self._set(nlri, tuple(route for route in left if route is not None))

    def _set(self, nlri: Nlri, routes: tuple[Route, ...]) -> None:
        self.clear(nlri)
        there = _ordered(routes)
        for route in there:
            self._index.add(nlri, route)
        if there:
            self._routes.put(nlri, there)


def _others(routes: tuple[Route, ...], metric: int) -> tuple[Route, ...]:
    return tuple(route for route in routes if route.metric != metric)


def _ordered(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(sorted(routes, key=lambda route: route.metric)) if len(routes) > 1 else routes
