"""Next hops: is a kernel route the wanted one, what a lost interface leaves of it, who depends on what."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Address, Nlri, Prefix

Key = TypeVar("Key", str, Address)


def satisfies(actual: Route, wanted: Route) -> bool:
    """Whether the kernel's route does what was asked for.

    The kernel fills in an interface that was left to it, and forgets the weight of a single next hop.
    """
    if actual == wanted:
        return True
    if actual.kind is not wanted.kind or actual.metric != wanted.metric:
        return False
    if len(actual.next_hops) != len(wanted.next_hops):
        return False
    single = len(wanted.next_hops) == 1
    pairs = zip(ordered(actual.next_hops), ordered(wanted.next_hops), strict=True)
    return all(_hop_satisfies(have, want, single=single) for have, want in pairs)


def _hop_satisfies(have: NextHop, want: NextHop, *, single: bool) -> bool:
    return (
        have.gateway == want.gateway
        and have.onlink == want.onlink
        and want.interface in ("", have.interface)
        and (single or have.weight == want.weight)
    )


def ordered(hops: tuple[NextHop, ...]) -> tuple[NextHop, ...]:
    """The next hops in the one order that everybody uses: by gateway (none first), then interface."""
    return tuple(sorted(hops, key=_order)) if len(hops) > 1 else hops


def _order(hop: NextHop) -> tuple[bytes, str, int]:
    return (hop.gateway or b"", hop.interface, hop.weight)


def names_interface(route: Route, interface: str) -> bool:
    """Whether a next hop names the interface."""
    return any(hop.interface == interface for hop in route.next_hops)


def without_interface(route: Route, interface: str) -> Route | None:
    """What is left of a route when an interface goes; None when nothing is."""
    return _keep(route, lambda hop: hop.interface != interface)


def without_link(route: Route, link: Prefix) -> Route | None:
    """What is left of a route when the link of a prefix goes; None when nothing is.

    Where an interface is named, that decides, not the gateway.
    """
    return _keep(
        route, lambda hop: bool(hop.interface) or hop.gateway is None or not link.contains(hop.gateway)
    )


def without_hops(route: Route, gone: tuple[NextHop, ...]) -> Route | None:
    """What is left of a route when some of its next hops go; None when nothing is."""
    return _keep(route, lambda hop: hop not in gone)


def _keep(route: Route, is_left: Callable[[NextHop], bool]) -> Route | None:
    """A route that leads nowhere depends on nothing, and stays."""
    left = tuple(hop for hop in route.next_hops if is_left(hop))
    if len(left) == len(route.next_hops):
        return route
    return route._replace(next_hops=left) if left else None


def is_connected(route: Route) -> bool:
    """Whether the route says that its prefix lives on the link itself (a next hop without gateway)."""
    return route.kind is RouteKind.UNICAST and any(hop.gateway is None for hop in route.next_hops)


class HopIndex:
    """Which prefixes depend on an interface, or on a gateway whose interface was left to the kernel.

    Distinct interfaces and gateways are few (the node's links and peers), prefixes are many: looking
    through the gateways costs one comparison per gateway, never one per prefix.
    """

    __slots__ = ("_by_gateway", "_by_interface")

    def __init__(self) -> None:
        self._by_interface: dict[str, dict[Nlri, None]] = {}
        self._by_gateway: dict[Address, dict[Nlri, None]] = {}

    def add(self, nlri: Nlri, route: Route) -> None:
        """Enter a prefix under everything that its route depends on."""
        for hop in route.next_hops:
            if hop.interface:
                self._by_interface.setdefault(hop.interface, {})[nlri] = None
            elif hop.gateway is not None:
                self._by_gateway.setdefault(hop.gateway, {})[nlri] = None

    def discard(self, nlri: Nlri, route: Route) -> None:
        """Take back what `add` entered for the same route."""
        for hop in route.next_hops:
            if hop.interface:
                _drop(self._by_interface, hop.interface, nlri)
            elif hop.gateway is not None:
                _drop(self._by_gateway, hop.gateway, nlri)

    def through_interface(self, interface: str) -> list[Nlri]:
        """The prefixes with a next hop that names the interface, in order of entry."""
        return list(self._by_interface.get(interface, ()))

    def through_gateways(self, link: Prefix) -> Iterator[Nlri]:
        """The prefixes with a gateway inside `link` and no interface named; a prefix may come twice."""
        for gateway in list(self._by_gateway):
            if link.contains(gateway):
                yield from list(self._by_gateway.get(gateway, ()))

    def without_interface(self) -> Iterator[Nlri]:
        """The prefixes with a gateway and no interface named; a prefix may come twice."""
        for gateway in list(self._by_gateway):
            yield from list(self._by_gateway.get(gateway, ()))


def _drop(index: dict[Key, dict[Nlri, None]], key: Key, nlri: Nlri) -> None:
    """Remove a prefix from one list of the index, and the list with its last prefix."""
    members = index.get(key)
    if members is not None:
        members.pop(nlri, None)
        if not members:
            del index[key]
