"""Next hops: is a kernel route the wanted one, what a lost interface leaves of it, who depends on what."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Address, Nlri, Prefix
from felixbgp.net.table import Table

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


def without_hops(route: Route, gone: tuple[NextHop, ...]) -> Route | None:
    """What is left of a route when some of its next hops go; None when nothing is.

    Of a single next hop that goes the kernel does not tell the weight.
    """
    return _keep(route, lambda hop: not any(_hop_is(hop, other) for other in gone))


def alive(route: Route) -> Route:
    """A route without the next hops that the kernel does not use."""
    return _keep(route, lambda hop: hop.weight > 0) or route


def _keep(route: Route, is_left: Callable[[NextHop], bool]) -> Route | None:
    """A route that leads nowhere depends on nothing, and stays."""
    left = tuple(hop for hop in route.next_hops if is_left(hop))
    if len(left) == len(route.next_hops):
        return route
    return route._replace(next_hops=left) if left else None


def _hop_is(believed: NextHop, told: NextHop) -> bool:
    return believed.gateway == told.gateway and believed.interface in ("", told.interface)


def with_interface_dead(route: Route, interface: str) -> Route | None:
    """A route after an interface went down; None when no next hop is left.

    The kernel keeps next hops through it beside others, and revives them without a word.
    """
    hops = tuple(
        hop._replace(weight=-abs(hop.weight)) if hop.interface == interface else hop
        for hop in route.next_hops
    )
    if not hops or any(hop.weight > 0 for hop in hops):
        return route._replace(next_hops=hops)
    return None


def with_interface_known(route: Route, link: Prefix, interface: str) -> Route:
    """A route after it is known which interface the kernel chose for the gateways inside a prefix."""
    hops = (
        hop._replace(interface=interface) if not hop.interface and _is_inside(hop, link) else hop
        for hop in route.next_hops
    )
    return route._replace(next_hops=ordered(tuple(hops)))


def _is_inside(hop: NextHop, link: Prefix) -> bool:
    return hop.gateway is not None and link.contains(hop.gateway)


def is_connected(route: Route) -> bool:
    """Whether the route says that its prefix lives on the link itself (a next hop without gateway)."""
    return route.kind is RouteKind.UNICAST and any(hop.gateway is None for hop in route.next_hops)


def with_interface_renamed(route: Route, name: str, new_name: str) -> Route:
    """The same route after one of its interfaces got another name."""
    hops = (hop._replace(interface=new_name) if hop.interface == name else hop for hop in route.next_hops)
    return route._replace(next_hops=ordered(tuple(hops)))


class HopIndex:
    """Which prefixes depend on an interface, or on a gateway whose interface was left to the kernel.

    Distinct interfaces and gateways are few (the node's links and peers), prefixes are many: looking
    through the gateways costs one comparison per gateway, never one per prefix.
    """

    __slots__ = ("_by_gateway", "_by_interface")

    def __init__(self) -> None:
        self._by_interface: dict[str, Table[None]] = {}
        self._by_gateway: dict[Address, Table[None]] = {}

    def add(self, nlri: Nlri, route: Route) -> None:
        """Enter a prefix under everything that its route depends on."""
        for hop in route.next_hops:
            if hop.interface:
                _put(self._by_interface, hop.interface, nlri)
            elif hop.gateway is not None:
                _put(self._by_gateway, hop.gateway, nlri)

    def discard(self, nlri: Nlri, route: Route) -> None:
        """Take back what `add` entered for the same route."""
        for hop in route.next_hops:
            if hop.interface:
                _drop(self._by_interface, hop.interface, nlri)
            elif hop.gateway is not None:
                _drop(self._by_gateway, hop.gateway, nlri)

    def through_interface(self, interface: str) -> list[Nlri]:
        """The prefixes with a next hop that names the interface."""
        members = self._by_interface.get(interface)
        return [] if members is None else list(members.keys())

    def through_gateways(self, link: Prefix) -> Iterator[Nlri]:
        """The prefixes with a gateway inside `link` and no interface named; a prefix may come twice."""
        for gateway in list(self._by_gateway):
            if link.contains(gateway):
                yield from self._through_gateway(gateway)

    def without_interface(self) -> Iterator[Nlri]:
        """The prefixes with a gateway and no interface named; a prefix may come twice."""
        for gateway in list(self._by_gateway):
            yield from self._through_gateway(gateway)

    def _through_gateway(self, gateway: Address) -> list[Nlri]:
        members = self._by_gateway.get(gateway)
        return [] if members is None else list(members.keys())


def _put(index: dict[Key, Table[None]], key: Key, nlri: Nlri) -> None:
    """Enter a prefix into one list of the index."""
    members = index.get(key)
    if members is None:
        members = index[key] = Table()
    members.put(nlri, None)


def _drop(index: dict[Key, Table[None]], key: Key, nlri: Nlri) -> None:
    """Remove a prefix from one list of the index, and the list with its last prefix."""
    members = index.get(key)
    if members is not None:
        members.pop(nlri)
        if not len(members):
            del index[key]
