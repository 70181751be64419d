"""How next hops are reached: the kernel's routes, our own, and what comes and goes."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from felixbgp.agent.next_hops import NextHopTable, Resolution
from felixbgp.fib.types import (
    AddressChanged,
    AddressSnapshot,
    InterfaceAddress,
    KernelRoute,
    KernelSnapshot,
    LinkChanged,
    NextHop,
    Route,
    RouteKind,
)
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.net.trie import PrefixTrie


class Ours(NamedTuple):
    """A route of ours, for tests: its next hops, and its metric in the kernel."""

    next_hops: tuple[str, ...]
    metric: int = 1024


class OwnRoutes:
    """Routes of ours that are what the test says."""

    def __init__(self, table: NextHopTable, routes: Mapping[str, Ours]) -> None:
        self._table = table
        self._routes: PrefixTrie[Ours] = PrefixTrie()
        for text, route in routes.items():
            self._routes[Prefix.parse(text)] = route

    def longest_match(self, address: Address) -> tuple[Prefix, int] | None:
        found = self._routes.longest_match(address)
        return None if found is None else (found[0], found[1].metric)

    def resolution(self, prefix: Prefix, passed: tuple[Prefix, ...]) -> Resolution:
        route = self._routes.get(prefix)
        assert route is not None
        found = [self._table.resolve(Address.parse(one), self, passed) for one in route.next_hops]
        hops = tuple(hop for one in found for hop in one.hops)
        through = frozenset({prefix}).union(*(one.through for one in found))
        return Resolution(hops, through) if hops else Resolution((), reason=found[0].reason)


def foreign(text: str, *hops: NextHop, kind: RouteKind = RouteKind.UNICAST, metric: int = 0) -> KernelRoute:
    return KernelRoute(Prefix.parse(text), Route(kind, hops, metric), 4)


def link(interface: str) -> NextHop:
    return NextHop(None, interface)


def via(gateway: str, interface: str, *, onlink: bool = False, weight: int = 1) -> NextHop:
    return NextHop(Address.parse(gateway), interface, onlink, weight)


KERNEL = (
    foreign("172.30.0.0/24", link("eth0")),
    foreign("172.30.1.0/24", link("eth1")),
    foreign("198.51.100.0/24", via("172.30.0.254", "eth0")),
    foreign("203.0.113.0/24", via("172.30.0.254", "eth0", weight=3), via("172.30.1.254", "eth1")),
    foreign("10.65.0.5/32", link("cali5")),
    foreign("192.0.2.0/24", kind=RouteKind.BLACKHOLE),
    foreign("192.0.2.128/25", kind=RouteKind.UNREACHABLE),
    foreign("10.99.0.0/16", via("10.99.0.1", "wg0", onlink=True)),
    foreign("fd30::/64", link("eth0"), metric=256),
    foreign("fe80::/64", link("eth0"), metric=256),
)


def table(*routes: KernelRoute) -> NextHopTable:
    """One that was told of both families."""
    made = NextHopTable()
    for family in (IPV4, IPV6):
        made.feed(KernelSnapshot(family, ()))
    made.kernel_changed((route.prefix, route) for route in routes)
    return made


def resolved(made: NextHopTable, address: str, ours: Mapping[str, Ours] | None = None) -> Resolution:
    return made.resolve(Address.parse(address), OwnRoutes(made, ours or {}), ())


def prefixes(*texts: str) -> frozenset[Prefix]:
    return frozenset(map(Prefix.parse, texts))


@pytest.mark.parametrize(
    ("address", "hops"),
    [
        pytest.param("172.30.0.9", (via("172.30.0.9", "eth0"),), id="on a link"),
        pytest.param("10.65.0.5", (via("10.65.0.5", "cali5"),), id="a workload"),
        pytest.param("198.51.100.7", (via("172.30.0.254", "eth0"),), id="by a router"),
        pytest.param(
            "203.0.113.7",
            (via("172.30.0.254", "eth0", weight=3), via("172.30.1.254", "eth1")),
            id="by two routers",
        ),
        pytest.param("10.99.7.7", (via("10.99.0.1", "wg0", onlink=True),), id="onlink stays"),
        pytest.param("fd30::9", (via("fd30::9", "eth0"),), id="IPv6 on a link"),
    ],
)
def test_by_a_route_of_others(address: str, hops: tuple[NextHop, ...]) -> None:
    assert resolved(table(*KERNEL), address) == Resolution(hops)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        pytest.param("10.1.1.1", "no route leads to it", id="no route"),
        pytest.param("192.0.2.1", "the kernel's route to 192.0.2.0/24 is blackhole", id="blackhole"),
        pytest.param("192.0.2.129", "the kernel's route to 192.0.2.128/25 is unreachable", id="unreachable"),
        pytest.param("fd31::1", "no route leads to it", id="IPv6"),
        pytest.param("fe80::9", "it is a link-local address, and nobody says of which link", id="link-local"),
    ],
)
def test_not_resolvable_by_routes_of_others(address: str, reason: str) -> None:
    assert resolved(table(*KERNEL), address) == Resolution((), reason=reason)


WORKLOADS_NODE = {"10.65.1.0/26": Ours(("172.30.0.2",))}
FAR_NODE = {"10.65.1.0/26": Ours(("172.31.0.2",)), "0.0.0.0/0": Ours(("172.30.0.254",))}
"""A node that only a default route from a peer leads to."""


@pytest.mark.parametrize(
    ("address", "ours", "hops", "through"),
    [
        pytest.param(
            "10.65.1.7", WORKLOADS_NODE, (via("172.30.0.2", "eth0"),), ("10.65.1.0/26",), id="one BGP route"
        ),
        pytest.param(
            "10.65.1.7",
            FAR_NODE,
            (via("172.30.0.254", "eth0"),),
            ("10.65.1.0/26", "0.0.0.0/0"),
            id="two BGP routes",
        ),
        pytest.param(
            "10.65.0.5",
            {"10.65.0.0/26": Ours(("172.30.0.2",))},
            (via("10.65.0.5", "cali5"),),
            (),
            id="longer",
        ),
        pytest.param(
            "172.30.0.9",
            {"172.30.0.0/24": Ours(("172.30.1.1",))},
            (via("172.30.0.9", "eth0"),),
            (),
            id="of two routes to one prefix the lower metric",
        ),
        pytest.param(
            "172.30.0.9",
            {"172.30.0.0/24": Ours(("172.30.1.1",), metric=0)},
            (via("172.30.0.9", "eth0"),),
            (),
            id="of two with one metric the other's, in whose place ours cannot be",
        ),
        pytest.param(
            "172.30.0.9",
            {"172.30.0.0/24": Ours(("172.30.1.1",), metric=-1)},
            (via("172.30.1.1", "eth1"),),
            ("172.30.0.0/24",),
            id="which may be ours",
        ),
        pytest.param(
            "10.65.1.7",
            {"10.65.1.0/26": Ours(("10.1.1.1", "172.30.0.3"))},
            (via("172.30.0.3", "eth0"),),
            ("10.65.1.0/26",),
            id="of several next hops those that are resolvable",
        ),
    ],
)
def test_by_our_own_routes(
    address: str, ours: Mapping[str, Ours], hops: tuple[NextHop, ...], through: tuple[str, ...]
) -> None:
    assert resolved(table(*KERNEL), address, ours) == Resolution(hops, prefixes(*through))


def test_what_is_in_the_network_of_a_link_is_on_that_link() -> None:
    """The kernel takes it as a gateway there, whatever more specific route leads to it."""
    network = foreign("172.30.2.0/24", link("eth2"))
    made = table(*KERNEL, network._replace(protocol=2))
    ours = {"172.30.2.128/25": Ours(("172.30.0.2",))}
    assert resolved(made, "172.30.2.129", ours).hops == (via("172.30.2.129", "eth2"),)
    made = table(*KERNEL, network)
    assert resolved(made, "172.30.2.129", ours).hops == (via("172.30.0.2", "eth0"),)


def test_a_way_that_leads_through_itself_is_none() -> None:
    loop = {"10.0.0.0/8": Ours(("10.1.1.1",))}
    default = foreign("0.0.0.0/0", via("172.30.0.254", "eth0"))
    reason = "the way to it leads through 10.0.0.0/8, to which it is the way"
    assert resolved(table(*KERNEL, default), "10.1.1.1", loop) == Resolution((), reason=reason)


def test_two_routes_that_are_each_others_way_are_none() -> None:
    loop = {"10.1.0.0/16": Ours(("10.2.0.1",)), "10.2.0.0/16": Ours(("10.1.0.1",))}
    default = foreign("0.0.0.0/0", via("172.30.0.254", "eth0"))
    assert resolved(table(*KERNEL, default), "10.1.0.1", loop).hops == ()
    assert resolved(table(*KERNEL, default), "10.2.0.1", loop).hops == ()


def test_a_way_through_too_many_bgp_routes_is_none() -> None:
    chain = {f"10.{number}.0.0/16": Ours((f"10.{number + 1}.0.1",)) for number in range(1, 5)}
    chain["10.5.0.0/16"] = Ours(("172.30.0.2",))
    assert resolved(table(*KERNEL), "10.2.0.9", chain).hops == (via("172.30.0.2", "eth0"),)
    reason = "the way to it leads through more than 4 BGP routes"
    assert resolved(table(*KERNEL), "10.1.0.9", chain) == Resolution((), reason=reason)


def test_before_the_kernel_was_read_a_next_hop_is_taken_to_be_on_a_link() -> None:
    made = NextHopTable()
    assert resolved(made, "10.1.1.1") == Resolution((NextHop(Address.parse("10.1.1.1")),))
    made.feed(KernelSnapshot(IPV4, ()))
    assert resolved(made, "10.1.1.1").hops == ()
    assert resolved(made, "fd00::1").hops == (NextHop(Address.parse("fd00::1")),)


class Watched:
    """A table that tracks one next hop, and tells what it makes of every change."""

    def __init__(self, address: str, *routes: KernelRoute) -> None:
        self.table = table(*routes)
        self.address = Address.parse(address)
        self.table.track([self.address])
        self.now()

    def now(self) -> list[NextHop] | str | None:
        """The hops or why there are none, if that changed."""
        changes = self.table.settle(OwnRoutes(self.table, {}))
        if not changes:
            return None
        ((address, resolution),) = changes
        assert address == self.address
        assert self.table.get(address) == resolution
        return list(resolution.hops) or resolution.reason


def test_a_more_specific_route_takes_over_and_gives_back() -> None:
    watched = Watched("198.51.100.7", *KERNEL)
    host = foreign("198.51.100.7/32", via("172.30.1.254", "eth1"))
    watched.table.kernel_changed([(host.prefix, host)])
    assert watched.now() == [via("172.30.1.254", "eth1")]
    watched.table.kernel_changed([(host.prefix, None)])
    assert watched.now() == [via("172.30.0.254", "eth0")]
    watched.table.kernel_changed([(Prefix.parse("198.51.100.0/24"), None)])
    assert watched.now() == "no route leads to it"


def test_routes_elsewhere_change_nothing() -> None:
    watched = Watched("198.51.100.7", *KERNEL)
    for text in ("198.51.101.0/24", "198.51.100.8/32", "198.0.0.0/15", "fd00::/8"):
        route = foreign(text, link("eth9"))
        watched.table.kernel_changed([(route.prefix, route)])
    assert watched.table.is_settled
    assert watched.now() is None


def test_a_route_around_a_next_hop_has_it_looked_at_again() -> None:
    watched = Watched("198.51.100.7", *KERNEL)
    watched.table.touch(*Prefix.parse("198.51.100.4/30"))
    assert not watched.table.is_settled
    assert watched.now() is None


def test_a_link_without_carrier_passes_nothing_on() -> None:
    watched = Watched("203.0.113.7", *KERNEL)
    watched.table.feed(LinkChanged(2, "eth0", up=True, carrier=False))
    assert watched.now() == [via("172.30.1.254", "eth1")]
    watched.table.feed(LinkChanged(3, "eth1", up=False))
    assert watched.now() == "interface eth0 has no carrier, interface eth1 is down"
    watched.table.feed(LinkChanged(2, "eth0", up=True))
    watched.table.feed(LinkChanged(3, "eth1", up=False, present=False))
    assert watched.now() == [via("172.30.0.254", "eth0", weight=3), via("172.30.1.254", "eth1")]


def test_an_address_of_this_node_is_no_next_hop() -> None:
    watched = Watched("172.30.0.9", *KERNEL)
    own = InterfaceAddress("eth0", watched.address, 24)
    other = InterfaceAddress("eth0", Address.parse("172.30.0.10"), 24)
    watched.table.feed(AddressSnapshot((own, other)))
    assert watched.now() == "it is an address of this node"
    watched.table.feed(AddressChanged(other, present=False))
    assert watched.now() is None
    watched.table.feed(AddressChanged(own, present=False))
    assert watched.now() == [via("172.30.0.9", "eth0")]
    watched.table.feed(AddressChanged(own, present=True))
    assert watched.now() == "it is an address of this node"


def test_what_is_forgotten_is_not_looked_at_again() -> None:
    watched = Watched("198.51.100.7", *KERNEL)
    watched.table.touch(*Prefix.parse("198.51.100.0/24"))
    watched.table.forget(watched.address)
    assert watched.table.is_settled
    watched.table.touch(*Prefix.parse("198.51.100.0/24"))
    assert watched.table.is_settled
    assert watched.table.get(watched.address).hops == ()
