"""Routes of everybody else in the watched table: observed, reported, never touched."""

from collections.abc import Callable, Iterator
from itertools import islice

from felixbgp.fib.hops import (
    HopIndex,
    is_connected,
    names_interface,
    with_interface_renamed,
    without_hops,
    without_interface,
)
from felixbgp.fib.types import KernelRoute, RouteKind
from felixbgp.net import Nlri, Prefix
from felixbgp.net.table import Table, Walk

PROTOCOL_NAMES = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird",
    14: "xorp", 16: "dhcp", 80: "calico", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}  # fmt: skip
"""rtm_protocol as iproute2 prints it (rtnetlink.h), and Felix's own 80."""


def protocol_name(protocol: int) -> str:
    """The name that `ip route` shows, or the number as text."""
    return PROTOCOL_NAMES.get(protocol, str(protocol))


_NOT_LEARNED = frozenset((0, 1, 2))
"""Nobody's, ICMP redirects, and what the kernel itself made when an address was set."""


class _Best:
    """Per prefix the route of the lowest metric among those that count; tells where it is another one."""

    __slots__ = ("_counts", "_reported", "changed")

    def __init__(self, counts: Callable[[KernelRoute], bool]) -> None:
        self._counts = counts
        self._reported: Table[KernelRoute] = Table()
        self.changed: dict[Nlri, None] = {}
        """Where to look again."""

    def take(
        self, routes: Table[tuple[KernelRoute, ...]], budget: int
    ) -> list[tuple[Nlri, KernelRoute | None]]:
        """The changes since the last call; looks at `budget` prefixes."""
        changes: list[tuple[Nlri, KernelRoute | None]] = []
        for nlri in list(islice(self.changed, budget)):
            del self.changed[nlri]
            counting = filter(self._counts, routes.get(nlri) or ())
            best = min(counting, key=lambda route: route.metric, default=None)
            if best == self._reported.get(nlri):
                continue
            changes.append((nlri, best))
            if best is None:
                self._reported.pop(nlri)
            else:
                self._reported.put(nlri, best)
        return changes


class ForeignRoutes:
    """The foreign routes of one family.

    One prefix can have several: one per table and metric, and beside each other of one metric where somebody
    appended them (IPv4) or where they are routes to links (IPv6, fe80::/64 on every interface).
    """

    __slots__ = ("_index", "_learned", "_routes", "_used")

    def __init__(self) -> None:
        self._routes: Table[tuple[KernelRoute, ...]] = Table()
        self._index = HopIndex()
        self._learned = _Best(_is_learned)
        self._used = _Best(_is_used)

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[KernelRoute]:
        return (route for routes in self._routes.values() for route in routes)

    def of(self, nlri: Nlri) -> tuple[KernelRoute, ...]:
        """The routes of a prefix."""
        return self._routes.get(nlri) or ()

    def walk(self) -> Walk[tuple[KernelRoute, ...]]:
        """A way through all prefixes with a foreign route, which bears changes."""
        return Walk(self._routes)

    def replace(self, nlris: list[Nlri], routes: Table[tuple[KernelRoute, ...]]) -> list[Nlri]:
        """Take from a complete view what it says of these prefixes; gives those where anything differs."""
        changed = [nlri for nlri in nlris if self.of(nlri) != (routes.get(nlri) or ())]
        for nlri in changed:
            self._set(nlri, routes.get(nlri) or ())
        return changed

    def add(self, route: KernelRoute, *, alone: bool) -> None:
        """A route appeared or changed; with `alone`, others of its table and metric are gone."""
        known = self.of(route.prefix.nlri)
        kept = tuple(
            other for other in known if not _is_beside(other, route) or not (alone or _same(other, route))
        )
        self._set(route.prefix.nlri, (*kept, route))

    def remove(self, route: KernelRoute) -> None:
        """A route, or some next hops of one (IPv6 removes them one by one), went away."""
        known = self.of(route.prefix.nlri)
        if route in known:
            self._set(route.prefix.nlri, tuple(other for other in known if other != route))
            return
        kept = (_without(other, route) if _same(other, route) else other for other in known)
        self._set(route.prefix.nlri, tuple(other for other in kept if other is not None))

    def remove_metric(self, nlri: Nlri, metric: int, table: int) -> None:
        """Whatever had this prefix and metric in a table was replaced."""
        known = self.of(nlri)
        self._set(nlri, tuple(other for other in known if (other.metric, other.table) != (metric, table)))

    def links_through(self, interface: str) -> list[Prefix]:
        """The prefixes that are connected through an interface."""
        return [
            route.prefix
            for nlri in self._index.through_interface(interface)
            for route in self.of(nlri)
            if is_connected(route.route) and names_interface(route.route, interface)
        ]

    def lose_interface(self, interface: str) -> list[Nlri]:
        """Forget what went through a lost interface; gives the prefixes that were concerned."""
        concerned = self._index.through_interface(interface)
        for nlri in concerned:
            left = ((route, without_interface(route.route, interface)) for route in self.of(nlri))
            self._set(nlri, tuple(route._replace(route=rest) for route, rest in left if rest is not None))
        return concerned

    def rename_interface(self, name: str, new_name: str) -> None:
        """Call an interface by its new name."""
        for nlri in self._index.through_interface(name):
            there = self.of(nlri)
            self._set(
                nlri,
                tuple(r._replace(route=with_interface_renamed(r.route, name, new_name)) for r in there),
            )

    def rival(self, nlri: Nlri, metric: int, table: int) -> KernelRoute | None:
        """The foreign route that sits at exactly this prefix and metric of a table, or None."""
        known = self.of(nlri)
        return next((other for other in known if (other.metric, other.table) == (metric, table)), None)

    def has_changes(self) -> bool:
        """Whether `take_changes` may have something to tell."""
        return bool(self._learned.changed)

    def has_used_changes(self) -> bool:
        """Whether `take_used_changes` may have something to tell."""
        return bool(self._used.changed)

    def take_changes(self, budget: int) -> list[tuple[Nlri, KernelRoute | None]]:
        """Where the best route that BIRD would learn (lowest metric) is another than was told.

        Looks at up to `budget` prefixes.
        """
        return self._learned.take(self._routes, budget)

    def take_used_changes(self, budget: int) -> list[tuple[Nlri, KernelRoute | None]]:
        """The same for the best of all routes: the one that the kernel uses, but for ours."""
        return self._used.take(self._routes, budget)

    def _set(self, nlri: Nlri, routes: tuple[KernelRoute, ...]) -> None:
        for route in self._routes.pop(nlri) or ():
            self._index.discard(nlri, route.route)
        for route in routes:
            self._index.add(nlri, route.route)
        if routes:
            self._routes.put(nlri, routes)
        self._learned.changed[nlri] = None
        self._used.changed[nlri] = None


def _is_learned(route: KernelRoute) -> bool:
    """Whether BIRD would learn the route: somebody wrote it, and it says what becomes of packets."""
    return route.protocol not in _NOT_LEARNED and route.route.kind is not RouteKind.OTHER


def _is_used(route: KernelRoute) -> bool:
    """Whether the kernel looks no further: a throw route has it look in the next table."""
    return route.route.kind is not RouteKind.OTHER


def _is_beside(one: KernelRoute, other: KernelRoute) -> bool:
    return one.metric == other.metric and one.table == other.table


def _same(one: KernelRoute, other: KernelRoute) -> bool:
    """Whether two reports of one prefix speak of the same route, its next hops aside.

    Two routes to links, on different interfaces, are two routes.
    """
    if not _is_beside(one, other) or one.protocol != other.protocol:
        return False
    if is_connected(one.route) and is_connected(other.route):
        return one.route.next_hops[0].interface == other.route.next_hops[0].interface
    return True


def _without(route: KernelRoute, gone: KernelRoute) -> KernelRoute | None:
    """A route without the next hops of another report of it."""
    if not route.route.next_hops:
        return None
    rest = without_hops(route.route, gone.route.next_hops)
    return None if rest is None else route._replace(route=rest)
