"""ECMP by groups of nexthop objects on a real kernel: flows stay, objects come and go, harm is healed."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from errno import ENETDOWN, ENETUNREACH
from pathlib import Path
from typing import Any

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import (
    DeleteRoutes,
    KernelInput,
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
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.runtime.netlink import groups as groups_module
from felixbgp.runtime.netlink import nexthops
from felixbgp.runtime.netlink.kernel import Kernel
from tests.integration.netlink.conftest import (
    METRIC,
    PROTOCOL,
    all_heard,
    ip,
    ip_batch,
    running,
    settle,
)
from tests.support.flows import Lookups, Way, flows_to, hash_ports

pytestmark = pytest.mark.trio

P4, P6 = Prefix.parse("10.1.2.0/24"), Prefix.parse("fd00:1::/64")
Q4, Q6 = Prefix.parse("10.1.3.0/24"), Prefix.parse("fd00:2::/64")
PAIRS = [pytest.param((P4, Q4), id="IPv4"), pytest.param((P6, Q6), id="IPv6")]
BOTH = [pytest.param(P4, id="IPv4"), pytest.param(P6, id="IPv6")]
FLOWS = 4096


@pytest.fixture(autouse=True)
def links(namespace: None) -> None:  # noqa: ARG001 - comes after it
    """Four interfaces with a network of each family, out0 to out3."""
    hash_ports()
    for n in range(4):
        ip_batch(
            [
                f"link add out{n} type veth peer name far{n}",
                f"link set far{n} up",
                f"link set out{n} up",
                f"addr add 172.16.{n}.2/24 dev out{n}",
                f"addr add fd16:{n}::2/64 dev out{n} nodad",
            ]
        )


@pytest.fixture(params=[1, 0], ids=["next hops told", "numbers alone"])
def compat(namespace: None, request: pytest.FixtureRequest) -> None:  # noqa: ARG001 - comes after it
    """Whether the kernel tells the next hops of a route beside the number of its object."""
    Path("/proc/sys/net/ipv4/nexthop_compat_mode").write_text(str(request.param), encoding="ascii")


def hop(number: int, family_of: Prefix = P4, weight: int = 1) -> NextHop:
    gateway = f"172.16.{number}.1" if family_of.family is IPV4 else f"fd16:{number}::1"
    return NextHop(Address.parse(gateway), f"out{number}", weight=weight)


def over(prefix: Prefix, *numbers: int) -> Route:
    return Route(RouteKind.UNICAST, tuple(hop(number, prefix) for number in numbers))


def objects() -> list[dict[str, Any]]:
    return list(json.loads(ip("-json nexthop show") or "[]"))


def groups() -> dict[int, int]:
    """How many members the groups have, by number."""
    return {each["id"]: len(each["group"]) for each in objects() if "group" in each}


def shown(prefix: Prefix) -> dict[str, Any]:
    (route,) = json.loads(ip(f"-json {'-4' if prefix.family is IPV4 else '-6'} route show {prefix}"))
    return dict(route)


async def write(kernel: Kernel, *routes: tuple[Prefix, Route], exclusive: bool = False) -> None:
    done = tuple(prefix for prefix, _ in routes)
    assert await kernel.apply(ReplaceRoutes(routes, exclusive)) == [RoutesApplied(done, present=True)]


async def remove(kernel: Kernel, *prefixes: Prefix) -> None:
    await kernel.apply(DeleteRoutes(tuple(RouteKey(prefix, METRIC) for prefix in prefixes)))


def ways_to(prefix: Prefix) -> list[Way]:
    with Lookups() as lookups:
        return lookups.ways(flows_to(prefix, FLOWS))


def moved(before: list[Way], after: list[Way]) -> Counter[tuple[int, int]]:
    """How many flows went from which gateway to which other, gateways by their number."""
    return Counter((number(old), number(new)) for old, new in zip(before, after, strict=True) if old != new)


def number(way: Way) -> int:
    _, gateway = way
    return gateway[2] if len(gateway) == 4 else gateway[3]


# -- how flows move -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", BOTH)
async def test_no_flow_of_the_others_moves_when_a_next_hop_leaves_and_comes(prefix: Prefix) -> None:
    async with running() as (kernel, inbox):
        await write(kernel, (prefix, over(prefix, 0, 1, 2, 3)), exclusive=True)
        (group,) = groups()
        before = ways_to(prefix)
        assert min(Counter(map(number, before)).values()) > FLOWS / 5
        await write(kernel, (prefix, over(prefix, 0, 2, 3)))
        without = ways_to(prefix)
        assert {old for old, _ in moved(before, without)} == {1}
        assert groups() == {group: 3}
        # Whatever is in use stays; what is idle long enough, or too much for too long, goes to the new one.
        await write(kernel, (prefix, over(prefix, 0, 1, 2, 3)))
        assert moved(without, ways_to(prefix)) == {}
        assert groups() == {group: 4}
        assert ours(await all_heard(inbox)) == {}


@pytest.mark.parametrize("prefixes", PAIRS)
async def test_nor_when_only_some_routes_of_a_group_lose_a_next_hop(prefixes: tuple[Prefix, Prefix]) -> None:
    leaving, staying = prefixes
    async with running() as (kernel, _):
        four, three = over(leaving, 0, 1, 2, 3), over(leaving, 0, 2, 3)
        await write(kernel, (leaving, four), (staying, four), exclusive=True)
        before, others = ways_to(leaving), ways_to(staying)
        await write(kernel, (leaving, three))
        assert sorted(groups().values()) == [3, 4]
        without = ways_to(leaving)
        assert {old for old, _ in moved(before, without)} == {1}
        assert moved(others, ways_to(staying)) == {}
        # The last one follows: into the group that there is, and the flows fall as those of the first did.
        await write(kernel, (staying, three))
        assert {old for old, _ in moved(others, ways_to(staying))} == {1}
        assert list(groups().values()) == [3]
        # Both come back, one after the other; only what is the newcomer's share moves, to it alone.
        await write(kernel, (leaving, four))
        again = ways_to(leaving)
        assert {new for _, new in moved(without, again)} == {1}
        assert Counter(map(number, again))[1] > FLOWS / 5


async def test_a_change_of_weights_moves_flows_in_one_direction() -> None:
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1)), (Q4, over(P4, 0, 1)), exclusive=True)
        before = ways_to(P4)
        weighted = Route(RouteKind.UNICAST, (hop(0), hop(1, weight=3)))
        await write(kernel, (P4, weighted))
        assert set(moved(before, ways_to(P4))) == {(0, 1)}


# -- objects --------------------------------------------------------------------------------------------


async def test_what_no_route_uses_is_removed() -> None:
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1)), (P6, over(P6, 2, 3)), (Q4, over(P4, 1, 2)), exclusive=True)
        assert sorted(groups().values()) == [2, 2, 2]
        assert {each["protocol"] for each in objects()} == {str(PROTOCOL)}
        await write(kernel, (P4, over(P4, 0)))
        await remove(kernel, P6)
        assert sorted(each.get("dev", "") for each in objects()) == ["", "out1", "out2"]
        await write(kernel, (Q4, Route(RouteKind.BLACKHOLE)))
        assert objects() == []
        assert shown(P4)["dev"] == "out0"


async def test_routes_of_both_families_through_the_same_gateways_share_a_group() -> None:
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P6, 0, 1)), (P6, over(P6, 0, 1)), exclusive=True)
        assert list(groups().values()) == [2]
        assert {number(way) for way in ways_to(P4)} == {0, 1}
        assert await read_anew() == {P4: over(P6, 0, 1), P6: over(P6, 0, 1)}


async def test_gateways_of_both_families_and_none_at_all_in_one_group() -> None:
    mixed = Route(RouteKind.UNICAST, (NextHop(None, "out2"), hop(0), hop(1, P6)))
    onlink = Route(
        RouteKind.UNICAST,
        tuple(NextHop(Address.parse("203.0.113.1"), f"out{n}", onlink=True) for n in range(2)),
    )
    bare = Route(RouteKind.UNICAST, (NextHop(None, "out0"), NextHop(None, "out1")))
    async with running() as (kernel, _):
        routes = {P4: mixed, Q4: onlink, Prefix.parse("10.1.4.0/24"): bare, P6: bare}
        await write(kernel, *routes.items(), exclusive=True)
        assert len(groups()) == 4
        assert await read_anew() == routes


async def test_a_metric_of_its_own_is_a_route_of_its_own() -> None:
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1)), exclusive=True)
        await write(kernel, (P4, over(P4, 0, 1)._replace(metric=7)), exclusive=True)
        await remove(kernel, P4)
        assert list(groups().values()) == [2]
        assert shown(P4)["metric"] == 7


async def test_a_second_life_takes_over_what_is_used_and_removes_the_rest() -> None:
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1, 2)), (P6, over(P6, 0, 1)), exclusive=True)
        before = {each["id"]: each for each in objects()}
        ways = ways_to(P4)
    spare = min(before) + 100
    ip(f"nexthop add id {spare} via 172.16.3.1 dev out3 protocol {PROTOCOL}")
    ip(f"nexthop add id {spare + 1} via 172.16.3.1 dev out3 protocol zebra")
    ip("nexthop add id 7 via 172.16.3.1 dev out3 protocol zebra")
    ip(f"nexthop add id 8 via 172.16.3.1 dev out3 protocol {PROTOCOL}")
    ip("nexthop add id 9 group 7 protocol zebra")
    async with running() as (kernel, _):
        assert {each["id"] for each in objects()} == {*before, 7, 8, 9, spare + 1}
        assert await read_anew() == {P4: over(P4, 0, 1, 2), P6: over(P6, 0, 1)}
        await write(kernel, (P4, over(P4, 0, 2)))
        assert {old for old, _ in moved(ways, ways_to(P4))} == {1}
        await remove(kernel, P4, P6)
        assert {each["id"] for each in objects()} == {7, 8, 9, spare + 1}


async def test_a_group_that_a_route_of_somebody_else_uses_stays() -> None:
    async with running() as (kernel, inbox):
        await write(kernel, (P4, over(P4, 0, 1)), exclusive=True)
        (group,) = groups()
        ip(f"route add 10.9.0.0/16 nhid {group} proto static metric 20")
        await all_heard(inbox)
        await write(kernel, (P4, over(P4, 0, 1, 2)))
        assert sorted(groups().values()) == [2, 3]
        await remove(kernel, P4)
        assert groups() == {group: 2}
    async with running():
        assert groups() == {group: 2}
        assert shown(Prefix.parse("10.9.0.0/16"))["nhid"] == group


async def test_more_sets_than_we_may_have_groups_get_legacy_multipath(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups_module, "GROUPS_MAX", 1)
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1)), (Q4, over(P4, 1, 2)), (P6, over(P6, 0, 1)), exclusive=True)
        assert len(groups()) == 1
        assert await read_anew() == {P4: over(P4, 0, 1), Q4: over(P4, 1, 2), P6: over(P6, 0, 1)}


@pytest.mark.parametrize("prefix", BOTH)
async def test_a_kernel_without_groups_gets_legacy_multipath(
    prefix: Prefix, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A number that no kernel knows yet, as this one was to those before 5.13.
    monkeypatch.setattr(nexthops, "RTM_GETNEXTHOPBUCKET", 1022)
    caplog.set_level(logging.INFO)
    async with running() as (kernel, _):
        await write(kernel, (prefix, over(prefix, 0, 1)), exclusive=True)
        assert objects() == []
        assert await read_anew() == {prefix: over(prefix, 0, 1)}
    assert "this kernel has no resilient next-hop groups" in caplog.text
    monkeypatch.undo()
    async with running() as (kernel, _):
        assert await read_anew() == {prefix: over(prefix, 0, 1)}
        await write(kernel, (prefix, over(prefix, 0, 1, 2)))
        assert list(groups().values()) == [3]
        assert await read_anew() == {prefix: over(prefix, 0, 1, 2)}


async def test_a_next_hop_that_is_refused_leaves_the_route_as_it_is() -> None:
    ip("link set far3 down")
    async with running() as (kernel, _):
        await write(kernel, (P4, over(P4, 0, 1)), exclusive=True)
        assert await kernel.apply(ReplaceRoutes(((P4, over(P4, 0, 3)),))) == [
            RouteFailed(P4, ENETDOWN, "Network is down: Carrier for nexthop device is down", present=True)
        ]
        assert await read_anew() == {P4: over(P4, 0, 1)}
        # Where there is no route yet, one with a next hop too many is better than none.
        await write(kernel, (Q4, over(P4, 0, 3)), exclusive=True)
        assert "nhid" not in shown(Q4)
        assert len(objects()) == 3


async def test_where_legacy_multipath_is_refused_too_it_says_why() -> None:
    bad = Route(RouteKind.UNICAST, (hop(0), NextHop(Address.parse("203.0.113.1"), "out3")))
    async with running() as (kernel, _):
        assert await kernel.apply(ReplaceRoutes(((P4, bad),), exclusive=True)) == [
            RouteFailed(P4, ENETUNREACH, "Network is unreachable: Nexthop has invalid gateway", present=True)
        ]
        assert objects() == []


# -- what happens to them -------------------------------------------------------------------------------


def ours(events: Iterable[KernelInput]) -> dict[Prefix, Route | None]:
    """What events say of our routes, the last of each."""
    changes = (event for event in events if isinstance(event, KernelRouteChanged))
    return {
        each.route.prefix: each.route.route if each.present else None
        for each in changes
        if each.route.protocol == PROTOCOL
    }


async def read_anew() -> dict[Prefix, Route]:
    """Our routes as another Kernel reads them."""
    async with running() as (_, other):
        tables = [event for event in other.waiting if isinstance(event, KernelSnapshot)]
    return {each.prefix: each.route for table in tables for each in table.routes if each.protocol == PROTOCOL}


@pytest.mark.usefixtures("compat")
@pytest.mark.parametrize("loss", ["link set out1 down", "link set far1 down", "link del out1"])
async def test_a_lost_link_leaves_its_groups_at_once_and_the_routes_are_told(loss: str) -> None:
    async with running() as (kernel, inbox):
        await write(
            kernel, (P4, over(P4, 0, 1, 2)), (P6, over(P6, 0, 1)), (Q4, over(P4, 1, 2)), exclusive=True
        )
        before = ways_to(P4)
        await all_heard(inbox)
        ip(loss)
        left = {P4: over(P4, 0, 2), P6: over(P6, 0), Q4: over(P4, 2)}
        told: dict[Prefix, Route | None] = {}
        while told != left:
            told |= ours(await inbox.until(lambda event: bool(ours([event]))))
        assert {old for old, _ in moved(before, ways_to(P4))} == {1}
        assert await read_anew() == left


@pytest.mark.usefixtures("compat")
async def test_when_the_last_link_of_a_group_is_lost_its_routes_are_told_to_be_gone() -> None:
    async with running() as (kernel, inbox):
        await write(kernel, (P4, over(P4, 0, 1)), (P6, over(P6, 0, 1)), exclusive=True)
        ip("link set far0 down")
        ip("link set far1 down")
        told: dict[Prefix, Route | None] = {}
        while told != {P4: None, P6: None}:
            told |= ours(await inbox.until(lambda event: bool(ours([event]))))
        assert await read_anew() == {}
        ip("link set far0 up")
        ip("link set far1 up")
        ip_batch(["addr replace fd16:0::2/64 dev out0 nodad", "addr replace fd16:1::2/64 dev out1 nodad"])
        await write(kernel, (P4, over(P4, 0, 1)), (P6, over(P6, 0, 1)), exclusive=True)
        assert await read_anew() == {P4: over(P4, 0, 1), P6: over(P6, 0, 1)}


@pytest.mark.usefixtures("compat")
@pytest.mark.parametrize("victim", ["group", "member", "all"])
async def test_what_somebody_deletes_or_changes_of_ours_is_healed(victim: str) -> None:
    wanted = {P4: over(P4, 0, 1), P6: over(P6, 0, 1), Q4: over(P4, 0, 1)}
    fib = Fib(PROTOCOL)
    for prefix, route in wanted.items():
        fib.want(prefix, route)
    fib.start()
    async with running() as (kernel, inbox):
        await settle(fib, kernel, inbox)
        assert len(groups()) == 2
        if victim == "group":
            ip_batch(f"nexthop del id {each}" for each in groups())
        elif victim == "member":
            ip_batch(f"nexthop del id {each['id']}" for each in objects() if each.get("dev") == "out1")
        else:
            ip("nexthop flush")
        told: dict[Prefix, Route | None] = {}
        while told.keys() != wanted.keys():
            events = await inbox.until(lambda event: bool(ours([event])))
            told |= ours(events)
            for event in events:
                fib.feed(event, 0)
        await settle(fib, kernel, inbox)
        assert await read_anew() == wanted
        assert len(groups()) == 2
        assert fib.problems() == {}


async def test_what_nobody_told_of_is_found_when_everything_is_read() -> None:
    wanted = over(P4, 0, 1)
    async with running() as (kernel, inbox):
        await write(kernel, (P4, wanted), exclusive=True)
        (group,) = groups()
        # Nobody tells which addresses a group of somebody else has: no event is of our routes.
        ip_batch(["nexthop add id 7 via 172.16.2.1 dev out2", "nexthop add id 8 via 172.16.3.1 dev out3"])
        ip(f"nexthop replace id {group} group 7/8 type resilient")
        await inbox.until(lambda event: ours([event]) == {P4: over(P4, 2, 3)})
        await write(kernel, (P4, wanted))
        assert await read_anew() == {P4: wanted}
