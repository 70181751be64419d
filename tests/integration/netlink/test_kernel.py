"""Writing and watching the routing table of a real kernel."""

import json
from collections.abc import Iterable
from errno import EEXIST, EMFILE, ENETUNREACH, ENOBUFS, ENODEV, ENOENT
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest
import trio

from felixbgp.fib.fib import Fib
from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import (
    AddressChanged,
    AddressSnapshot,
    DeleteRoutes,
    InterfaceAddress,
    KernelInput,
    KernelLost,
    KernelRead,
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
from felixbgp.runtime.netlink import kernel as kernel_module
from felixbgp.runtime.netlink.sockets import open_netlink
from tests.integration.netlink.conftest import (
    METRIC,
    PROTOCOL,
    all_heard,
    ip,
    ip_batch,
    is_event_of,
    running,
    settle,
)

pytestmark = pytest.mark.trio

BLACKHOLE = Route(RouteKind.BLACKHOLE)


def via(gateway: str, interface: str = "eth0", *, onlink: bool = False, weight: int = 1) -> NextHop:
    return NextHop(Address.parse(gateway), interface, onlink, weight)


def unicast(*hops: NextHop, metric: int = METRIC) -> Route:
    return Route(RouteKind.UNICAST, hops, metric)


P4, P6 = Prefix.parse("10.1.2.0/24"), Prefix.parse("fd00:1::/64")
SHAPES_4 = {
    "gateway": unicast(via("192.0.2.1")),
    "gateway, interface left to the kernel": unicast(via("192.0.2.1", "")),
    "interface": unicast(NextHop(None, "eth0")),
    "onlink": unicast(via("203.0.113.1", onlink=True)),
    "gateway of the other family": unicast(via("2001:db8::1")),
    "two next hops with weights": unicast(via("192.0.2.1", weight=3), via("198.51.100.1", "eth1")),
    "blackhole": BLACKHOLE,
    "unreachable": Route(RouteKind.UNREACHABLE),
    "prohibit": Route(RouteKind.PROHIBIT),
}
SHAPES_6 = {
    "gateway": unicast(via("2001:db8::1")),
    "gateway, interface left to the kernel": unicast(via("2001:db8::1", "")),
    "link-local gateway": unicast(via("fe80::1")),
    "interface": unicast(NextHop(None, "eth0")),
    "onlink": unicast(via("2001:db8:ffff::1", onlink=True)),
    "two next hops with weights": unicast(via("2001:db8::1", weight=3), via("2001:db8:1::1", "eth1")),
    "blackhole": BLACKHOLE,
    "unreachable": Route(RouteKind.UNREACHABLE),
    "prohibit": Route(RouteKind.PROHIBIT),
}
SHAPES = [
    pytest.param(prefix, route, id=f"IPv{4 if prefix == P4 else 6} {name}")
    for prefix, shapes in ((P4, SHAPES_4), (P6, SHAPES_6))
    for name, route in shapes.items()
]


async def snapshot(family: Family) -> dict[tuple[Prefix, int], KernelRoute]:
    """The table as another Kernel reads it."""
    async with running() as (_, inbox):
        seen = await inbox.until(lambda event: isinstance(event, KernelSnapshot) and event.family == family)
        (table,) = (each for each in seen if isinstance(each, KernelSnapshot) and each.family == family)
        return {(route.prefix, route.metric): route for route in table.routes}


def shown(prefix: Prefix) -> list[dict[str, Any]]:
    family = "-4" if prefix.family is IPV4 else "-6"
    return list(json.loads(ip(f"-json -details {family} route show {prefix}")))


def replace(*routes: tuple[Prefix, Route]) -> ReplaceRoutes:
    return ReplaceRoutes(routes)


def create(*routes: tuple[Prefix, Route]) -> ReplaceRoutes:
    return ReplaceRoutes(routes, exclusive=True)


async def test_first_view_is_links_then_routes() -> None:
    ip("route add 10.9.0.0/16 via 192.0.2.1 proto static metric 20")
    async with running() as (_, inbox):
        first = inbox.waiting
        links = {each.name: each for each in first if isinstance(each, LinkChanged)}
        assert links.keys() == {"lo", "eth0", "eth1"}
        assert links["eth0"].up
        assert links["eth0"].carrier
        (addresses,) = (each.addresses for each in first if isinstance(each, AddressSnapshot))
        assert InterfaceAddress("eth0", Address.parse("192.0.2.2"), 24) in addresses
        assert InterfaceAddress("eth1", Address.parse("2001:db8:1::2"), 64) in addresses
        assert [type(each) for each in first[-2:]] == [KernelSnapshot, KernelSnapshot]
    v4, v6 = await snapshot(IPV4), await snapshot(IPV6)
    static = Prefix.parse("10.9.0.0/16")
    assert v4[static, 20] == KernelRoute(static, unicast(via("192.0.2.1"), metric=20), 4)
    connected = v4[Prefix.parse("192.0.2.0/24"), 0]
    assert (connected.route, connected.protocol) == (unicast(NextHop(None, "eth0"), metric=0), 2)
    assert v6[Prefix.parse("2001:db8::/64"), 256].route == unicast(NextHop(None, "eth0"), metric=256)


@pytest.mark.parametrize(("prefix", "route"), SHAPES)
async def test_every_shape_is_created_read_replaced_and_removed(prefix: Prefix, route: Route) -> None:
    async with running() as (kernel, _):
        assert await kernel.apply(create((prefix, route))) == [RoutesApplied((prefix,), present=True)]
        there = (await snapshot(prefix.family))[prefix, METRIC]
        assert satisfies(there.route, route)
        assert there.protocol == PROTOCOL
        (line,) = shown(prefix)
        assert (line["protocol"], line["metric"]) == (str(PROTOCOL), METRIC)
        for other in (SHAPES_4 if prefix == P4 else SHAPES_6).values():
            for each in (other, route):
                assert await kernel.apply(replace((prefix, each))) == [RoutesApplied((prefix,), present=True)]
                assert satisfies((await snapshot(prefix.family))[prefix, METRIC].route, each)
        assert len(shown(prefix)) == 1
        assert await kernel.apply(DeleteRoutes((RouteKey(prefix, METRIC),))) == [
            RoutesApplied((prefix,), present=False)
        ]
        assert shown(prefix) == []


@pytest.mark.parametrize("text", ["0.0.0.0/0", "128.0.0.0/1", "10.1.2.3/32", "::/0", "fd00::1/128"])
async def test_prefixes_of_every_length(text: str) -> None:
    prefix = Prefix.parse(text)
    async with running() as (kernel, _):
        await kernel.apply(create((prefix, BLACKHOLE)))
        assert (await snapshot(prefix.family))[prefix, METRIC].route == BLACKHOLE
        await kernel.apply(DeleteRoutes((RouteKey(prefix, METRIC),)))
        assert (prefix, METRIC) not in await snapshot(prefix.family)


@pytest.mark.parametrize("ways", [("192.0.2.1",), ("192.0.2.1", "192.0.2.2")], ids=["one way", "two"])
async def test_of_what_is_asked_for_together_each_is_answered_for_itself(ways: tuple[str, ...]) -> None:
    """More than fit into one datagram; some of each effect cannot be done."""
    prefixes = [Prefix.parse(f"10.{number // 256}.{number % 256}.0/24") for number in range(3000)]
    route, nowhere = unicast(*map(via, ways)), unicast(via("203.0.113.1"))
    unknown = unicast(via("192.0.2.1", "eth7"))
    async with running() as (kernel, _):
        first = [(prefix, nowhere if number == 7 else route) for number, prefix in enumerate(prefixes)]
        second = [(P6, BLACKHOLE), (Prefix.parse("10.200.0.0/24"), unknown)]
        gone = DeleteRoutes((RouteKey(Prefix.parse("10.201.0.0/24"), METRIC),))
        results = await kernel.apply(create(*first), replace(*second), gone)
        problems = [each for each in results if isinstance(each, RouteFailed)]
        assert [(each.prefix, each.errno) for each in problems] == [
            (prefixes[7], ENETUNREACH),
            (P6, ENOENT),
            (second[1][0], ENODEV),
        ]
        applied = [each for each in results if isinstance(each, RoutesApplied)]
        assert applied == [
            RoutesApplied(tuple(prefixes[:7] + prefixes[8:]), present=True),
            RoutesApplied((gone.routes[0].prefix,), present=False),
        ]
        table = await snapshot(IPV4)
        assert all(((prefix, METRIC) in table) is (prefix != prefixes[7]) for prefix in prefixes)


@pytest.mark.parametrize("prefix", [P4, P6], ids=["IPv4", "IPv6"])
async def test_what_is_there_already_is_not_created_and_the_table_is_read_again(prefix: Prefix) -> None:
    ip(f"route add blackhole {prefix} proto static metric {METRIC}")
    async with running() as (kernel, inbox):
        inbox.waiting.clear()
        assert await kernel.apply(create((prefix, BLACKHOLE))) == [
            RouteFailed(prefix, EEXIST, "File exists", present=True)
        ]
        table = await inbox.next(KernelSnapshot)
        assert KernelRoute(prefix, BLACKHOLE, 4) in table.routes


@pytest.mark.parametrize("prefix", [P4, P6], ids=["IPv4", "IPv6"])
async def test_what_is_not_there_is_not_replaced_and_the_table_is_read_again(prefix: Prefix) -> None:
    async with running() as (kernel, inbox):
        inbox.waiting.clear()
        (failed,) = await kernel.apply(replace((prefix, BLACKHOLE)))
        assert isinstance(failed, RouteFailed)
        assert failed.errno == ENOENT
        assert (await inbox.next(KernelSnapshot)).family == prefix.family


@pytest.mark.parametrize("prefix", [P4, P6], ids=["IPv4", "IPv6"])
async def test_nobody_elses_route_is_removed(prefix: Prefix) -> None:
    ip(f"route add blackhole {prefix} proto static metric {METRIC}")
    async with running() as (kernel, _):
        assert await kernel.apply(DeleteRoutes((RouteKey(prefix, METRIC),))) == [
            RoutesApplied((prefix,), present=False)
        ]
        assert len(shown(prefix)) == 1


async def test_after_a_removal_that_can_name_no_metric_the_table_is_read_again() -> None:
    ip(f"route add blackhole {P4} proto {PROTOCOL}")
    ip(f"route add blackhole {P4} proto {PROTOCOL} metric {METRIC}")
    async with running() as (kernel, inbox):
        await all_heard(inbox)
        for left in ({METRIC}, set()):
            await kernel.apply(DeleteRoutes((RouteKey(P4, 0),)))
            table = await inbox.next(KernelSnapshot)
            assert {route.metric for route in table.routes if route.prefix == P4} == left
            await inbox.next(KernelSnapshot)


async def test_one_bad_entry_leaves_the_rest_of_its_batch_alone() -> None:
    prefixes = [Prefix.parse(f"10.1.{number}.0/24") for number in range(200)]
    good, bad = unicast(via("192.0.2.1")), unicast(via("203.0.113.1"))
    entries = [(prefix, bad if number in {7, 199} else good) for number, prefix in enumerate(prefixes)]
    async with running() as (kernel, _):
        *failed, applied = await kernel.apply(create(*entries))
        reason = "Network is unreachable: Nexthop has invalid gateway"
        assert failed == [
            RouteFailed(prefixes[number], ENETUNREACH, reason, present=True) for number in (7, 199)
        ]
        assert isinstance(applied, RoutesApplied)
        assert {prefix for prefix, metric in await snapshot(IPV4) if metric == METRIC} == set(
            applied.prefixes
        )
        assert len(applied.prefixes) == 198


async def test_a_next_hop_through_no_interface_is_refused_by_name() -> None:
    async with running() as (kernel, _):
        assert await kernel.apply(create((P4, unicast(via("192.0.2.1", "eth9"))), (P6, BLACKHOLE))) == [
            RouteFailed(P4, ENODEV, "No such device: there is no interface eth9", present=True),
            RoutesApplied((P6,), present=True),
        ]


async def test_deeds_of_others_are_told_and_our_own_are_not() -> None:
    async with running() as (kernel, inbox):
        await all_heard(inbox)
        await kernel.apply(create((P4, BLACKHOLE)))
        await kernel.apply(replace((P4, Route(RouteKind.PROHIBIT))))
        ip("route add 10.9.0.0/16 via 192.0.2.1 proto static metric 20")
        ip("route append 10.9.0.0/16 via 192.0.2.7 proto static metric 20")
        ip("route replace 10.9.0.0/16 via 192.0.2.9 proto boot metric 20")
        ip("route del 10.9.0.0/16 via 192.0.2.9 metric 20")
        ip(f"route del prohibit {P4} metric {METRIC} proto {PROTOCOL}")
        static = Prefix.parse("10.9.0.0/16")
        assert await all_heard(inbox) == [
            KernelRouteChanged(
                KernelRoute(static, unicast(via("192.0.2.1"), metric=20), 4), present=True, alone=False
            ),
            KernelRouteChanged(
                KernelRoute(static, unicast(via("192.0.2.7"), metric=20), 4), present=True, alone=False
            ),
            KernelRouteChanged(
                KernelRoute(static, unicast(via("192.0.2.9"), metric=20), 3), present=True, alone=True
            ),
            KernelRouteChanged(
                KernelRoute(static, unicast(via("192.0.2.9"), metric=20), 3), present=False, alone=False
            ),
            KernelRouteChanged(
                KernelRoute(P4, Route(RouteKind.PROHIBIT), PROTOCOL), present=False, alone=False
            ),
        ]


async def test_other_tables_are_not_looked_at() -> None:
    ip("route add blackhole 10.7.0.0/16 table 1000 metric 1")
    async with running() as (_, inbox):
        inbox.waiting.clear()
        ip("route add blackhole 10.8.0.0/16 table 1000 metric 1")
        ip("route add blackhole 10.8.0.0/16 metric 1 tos 4")
        assert await all_heard(inbox) == []
    async with running(table=1000) as (kernel, inbox):
        tables = [each for each in inbox.waiting if isinstance(each, KernelSnapshot)]
        found = {(str(route.prefix), route.table) for table in tables for route in table.routes}
        # The main table is read whatever the table of ours: it has the connected networks.
        assert {("10.7.0.0/16", 1000), ("10.8.0.0/16", 1000), ("192.0.2.0/24", 254)} <= found
        await kernel.apply(create((P4, BLACKHOLE)))
        assert f"{P4}" in ip("route show table 1000")
        ip("route add blackhole 10.9.0.0/16 metric 1")
        ip("route add blackhole 10.9.0.0/16 table 1001 metric 1")
        heard = [each for each in await all_heard(inbox) if isinstance(each, KernelRouteChanged)]
        assert [(str(each.route.prefix), each.route.table) for each in heard] == [("10.9.0.0/16", 254)]


@pytest.mark.parametrize("prefix", [P4, P6], ids=["IPv4", "IPv6"])
async def test_in_a_table_of_our_own_routes_of_the_main_table_are_no_conflict(prefix: Prefix) -> None:
    ip(f"route add blackhole {prefix} proto static metric {METRIC}")
    ip(f"route add blackhole {prefix} proto {PROTOCOL} metric 7")
    gateway = via("192.0.2.1") if prefix == P4 else via("2001:db8::1")
    fib = Fib(PROTOCOL, 1000)
    async with running(table=1000) as (kernel, inbox):
        fib.want(prefix, unicast(gateway))
        fib.start()
        assert await settle(fib, kernel, inbox) == 1
        assert fib.problems() == {}
        family = "-4" if prefix == P4 else "-6"
        assert "via" in ip(f"{family} route show table 1000")
        # Neither the other's route nor what carries our number there was touched.
        assert len(shown(prefix)) == 2
        fib.want(prefix, None)
        await settle(fib, kernel, inbox)
        assert ip(f"{family} route show table 1000") == ""


async def test_links_come_go_and_change_their_names() -> None:
    async with running() as (_, inbox):
        index = next(e.index for e in inbox.waiting if isinstance(e, LinkChanged) and e.name == "eth0")
        inbox.waiting.clear()
        ip("link set eth0 down")
        ip("link set eth0 name wan0")
        ip("link set wan0 up")
        ip("link set wan0 mtu 1400")
        ip("link del wan0")
        changes = [each for each in await all_heard(inbox) if isinstance(each, LinkChanged)]
        assert [each for each in changes if each.index == index] == [
            LinkChanged(index, "eth0", up=False, carrier=False),
            LinkChanged(index, "wan0", up=False, carrier=False),
            LinkChanged(index, "wan0", up=True),
            LinkChanged(index, "wan0", up=False, carrier=False),
            LinkChanged(index, "wan0", up=False, present=False, carrier=False),
        ]


async def test_a_carrier_is_lost_with_the_other_end() -> None:
    async with running() as (_, inbox):
        index = next(e.index for e in inbox.waiting if isinstance(e, LinkChanged) and e.name == "eth0")
        inbox.waiting.clear()
        # The kernel tells of carriers in its own time, a second later at most.
        for carrier in (False, True):
            ip(f"link set eth1 {'up' if carrier else 'down'}")
            told = LinkChanged(index, "eth0", up=True, carrier=carrier)
            heard = await inbox.until(partial(eq, told))
            assert [each for each in heard if isinstance(each, LinkChanged) and each.index == index] == [told]


async def test_addresses_come_go_and_move_with_the_name_of_their_interface() -> None:
    fourth = InterfaceAddress("eth0", Address.parse("192.0.2.77"), 24)
    sixth = InterfaceAddress("eth0", Address.parse("2001:db8::77"), 64)
    async with running() as (_, inbox):
        inbox.waiting.clear()
        ip("addr add 192.0.2.77/24 dev eth0")
        ip("addr add 2001:db8::77/64 dev eth0 nodad")
        # Deprecated, and in use nevertheless.
        ip("addr change 2001:db8::77/64 dev eth0 preferred_lft 0")
        ip("addr del 192.0.2.77/24 dev eth0")
        heard = await all_heard(inbox)
        assert [each for each in heard if isinstance(each, AddressChanged | AddressSnapshot)] == [
            AddressChanged(fourth, present=True),
            AddressChanged(sixth, present=True),
            AddressChanged(fourth, present=False),
        ]
        ip("link set eth0 name wan0")
        heard = await all_heard(inbox)
        (addresses,) = (each.addresses for each in heard if isinstance(each, AddressSnapshot))
        assert sixth._replace(interface="wan0") in addresses
        assert not any(each.interface == "eth0" for each in addresses)


def look_for_duplicates(times: int) -> None:
    Path("/proc/sys/net/ipv6/conf/eth0/dad_transmits").write_text(str(times))


async def test_an_address_is_told_of_when_nobody_else_on_the_link_has_it() -> None:
    told = AddressChanged(InterfaceAddress("eth0", Address.parse("2001:db8::77"), 64), present=True)
    # For three seconds, not one: a busy machine is to have heard all else before they are over.
    look_for_duplicates(3)
    async with running() as (_, inbox):
        ip("addr add 2001:db8::77/64 dev eth0")
        assert told not in await all_heard(inbox)
        await inbox.until(lambda event: event == told)


async def test_a_port_that_leaves_its_bridge_is_still_a_link() -> None:
    ip_batch(["link add br0 type bridge", "link set eth1 master br0"])
    async with running() as (_, inbox):
        inbox.waiting.clear()
        ip("link set eth1 nomaster")
        ip("route add 10.9.0.0/16 dev eth1 metric 20")
        heard = await all_heard(inbox)
        assert not any(isinstance(each, LinkChanged) and not each.present for each in heard)
        (event,) = (each for each in heard if is_event_of(Prefix.parse("10.9.0.0/16"))(each))
        assert isinstance(event, KernelRouteChanged)
        assert event.route.route == unicast(NextHop(None, "eth1"), metric=20)


async def test_many_deeds_of_others_are_told_together() -> None:
    """Whoever hears of each alone does so much between two of them that it falls behind."""
    routes = [f"10.66.{number // 256}.{number % 256}/32 dev eth0" for number in range(2_000)]
    async with running() as (_, inbox):
        before = inbox.deliveries
        # Nothing is read while this runs.
        ip_batch(f"route add {route}" for route in routes)
        told = await inbox.until(lambda event: _is_change_of(event, "10.66.7.207/32"))
        assert len([event for event in told if isinstance(event, KernelRouteChanged)]) == len(routes)
        assert inbox.deliveries - before <= 2 + len(routes) // kernel_module.DATAGRAMS_MAX


def _is_change_of(event: KernelInput, prefix: str) -> bool:
    return isinstance(event, KernelRouteChanged) and event.route.prefix == Prefix.parse(prefix)


async def test_lost_events_are_said_and_everything_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_module, "EVENTS_OCTETS", 4096)
    monkeypatch.setattr(kernel_module, "PAUSE_SECONDS", 0)
    async with running() as (_, inbox):
        # And for a while there are no sockets to be had.
        failures = iter([OSError(EMFILE, "Too many open files")] * 3)

        def open_late(octets: int, groups: Iterable[int]) -> trio.socket.SocketType:
            for failure in failures:
                raise failure
            return open_netlink(octets, groups)

        monkeypatch.setattr(kernel_module, "open_netlink", open_late)
        inbox.waiting.clear()
        # The loop stands still meanwhile, as it would under load.
        ip_batch(f"route add blackhole 10.1.{n}.0/24 metric 9" for n in range(256))
        ip("link del eth1")
        lost = await inbox.until(lambda event: isinstance(event, KernelLost))
        assert lost[-1] == KernelLost("No buffer space available")
        assert (await inbox.next(AddressSnapshot)).addresses
        tables = {(await inbox.next(KernelSnapshot)).family for _ in range(2)}
        assert tables == {IPV4, IPV6}
    assert sum(metric == 9 for _, metric in await snapshot(IPV4)) == 256


async def test_the_table_is_read_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_module, "RESYNC_SECONDS", 0)
    async with running() as (_, inbox):
        inbox.waiting.clear()
        for _ in range(4):
            await inbox.next(KernelSnapshot)


async def test_ten_thousand_routes_in_batches() -> None:
    prefixes = [Prefix.parse(f"10.{n >> 8}.{n & 255}.0/26") for n in range(10_000)]
    hop = unicast(via("192.0.2.1"))
    async with running() as (kernel, inbox):
        for start in range(0, len(prefixes), 500):
            batch = prefixes[start : start + 500]
            (applied,) = await kernel.apply(create(*((prefix, hop) for prefix in batch)))
            assert applied == RoutesApplied(tuple(batch), present=True)
        assert {prefix for prefix, metric in await snapshot(IPV4) if metric == METRIC} == set(prefixes)
        for start in range(0, len(prefixes), 500):
            await kernel.apply(
                DeleteRoutes(tuple(RouteKey(prefix, METRIC) for prefix in prefixes[start : start + 500]))
            )
        assert not any(metric == METRIC for _, metric in await snapshot(IPV4))
        assert not any(isinstance(each, KernelLost) for each in await all_heard(inbox))


async def test_a_second_life_adopts_the_routes_of_the_first() -> None:
    wanted = {
        P4: SHAPES_4["two next hops with weights"],
        P6: SHAPES_6["gateway, interface left to the kernel"],
    }
    for expected in (2, 0):
        fib = Fib(PROTOCOL)
        async with running() as (kernel, inbox):
            for prefix, route in wanted.items():
                fib.want(prefix, route)
            fib.start()
            assert await settle(fib, kernel, inbox) == expected
            assert fib.statistics().installed == 2
            assert await all_heard(inbox) == []


async def test_who_asks_gets_everything_as_it_is_and_then_word_that_it_was_all() -> None:
    async with running() as (kernel, inbox):
        await all_heard(inbox)
        ip(f"route add blackhole {P4} proto static")
        kernel.read_again()
        heard = await inbox.until(lambda event: isinstance(event, KernelRead))
        tables = {each.family: each for each in heard if isinstance(each, KernelSnapshot)}
        assert tables.keys() == {IPV4, IPV6}
        assert P4 in [route.prefix for route in tables[IPV4].routes]


async def test_who_asks_while_nothing_can_be_read_hears_why_and_gets_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(ENOBUFS, "No buffer space available")

    async with running() as (kernel, inbox):
        await all_heard(inbox)
        with monkeypatch.context() as broken:
            broken.setattr(kernel_module, "dump", fail)
            kernel.read_again()
            heard = await inbox.until(lambda event: isinstance(event, KernelLost))
            assert not any(isinstance(event, KernelRead) for event in heard)
        await inbox.until(lambda event: isinstance(event, KernelRead))
