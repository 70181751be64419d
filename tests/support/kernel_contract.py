"""What every kernel does with our writes and with the deeds of others: the real one, and sim's.

Each scenario runs over a `Bench`: a kernel with two links that are up, eth0 and eth1, each with a network of
either family. It states what is answered, what is told, and what is in the table afterwards.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from errno import EEXIST, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENODEV, ENOENT
from typing import Protocol

from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import (
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
from felixbgp.net import IPV4, Address, Family, Prefix

OURS, STATIC, KERNEL = 179, 4, 2
METRIC, OTHER_METRIC = 1024, 20
BLACKHOLE = Route(RouteKind.BLACKHOLE, (), METRIC)
PROHIBIT = Route(RouteKind.PROHIBIT, (), METRIC)


class Bench(Protocol):
    """A kernel, and everything that may happen to it."""

    async def apply(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect; gives an answer per prefix and nothing else."""

    async def heard(self) -> list[KernelInput]:
        """What was told since the last call, in order."""

    async def table(self, family: Family) -> dict[RouteKey, KernelRoute]:
        """All routes of the table, as a dump has them."""

    async def somebody_writes(self, route: KernelRoute) -> None:
        """Somebody else puts a route where it belongs, whatever is there."""

    async def somebody_removes(self, route: KernelRoute) -> None:
        """Somebody else removes a route."""

    async def set_link(self, name: str, *, up: bool) -> None:
        """The administrator turns an interface on or off."""

    async def remove_link(self, name: str) -> None:
        """An interface goes for good."""

    async def disconnect(self, network: Prefix, name: str) -> None:
        """The address that makes an interface part of a network is removed."""


@dataclass(frozen=True)
class Case:
    """One family's networks on eth0 and eth1, a gateway in each, one that is nowhere, and destinations."""

    network: Prefix
    gateway: Address
    other_gateway: Address
    nowhere: Address
    destinations: tuple[Prefix, Prefix, Prefix]
    unreachable: int
    """What the kernel says of a gateway that is nowhere."""

    @property
    def family(self) -> Family:
        """The family of all of them."""
        return self.network.family

    def via(self, interface: str = "", metric: int = METRIC) -> Route:
        """Through the gateway on eth0."""
        return Route(RouteKind.UNICAST, (NextHop(self.gateway, interface),), metric)

    @property
    def both(self) -> Route:
        """Through both gateways."""
        hops = (NextHop(self.gateway, "eth0"), NextHop(self.other_gateway, "eth1", weight=3))
        return Route(RouteKind.UNICAST, hops, METRIC)


CASES = {
    "IPv4": Case(
        Prefix.parse("192.0.2.0/24"),
        Address.parse("192.0.2.1"),
        Address.parse("198.51.100.1"),
        Address.parse("203.0.113.1"),
        (Prefix.parse("10.1.0.0/24"), Prefix.parse("10.2.0.0/24"), Prefix.parse("10.3.0.0/24")),
        ENETUNREACH,
    ),
    "IPv6": Case(
        Prefix.parse("2001:db8::/64"),
        Address.parse("2001:db8::1"),
        Address.parse("2001:db8:1::1"),
        Address.parse("2001:db8:ffff::1"),
        (Prefix.parse("fd00:1::/64"), Prefix.parse("fd00:2::/64"), Prefix.parse("fd00:3::/64")),
        EHOSTUNREACH,
    ),
}

Scenario = Callable[[Bench, Case], Awaitable[None]]
SCENARIOS: list[Scenario] = []
WITH_GROUPS: list[Scenario] = []
"""Where our routes with several next hops lead to groups of nexthop objects."""
WITHOUT_GROUPS: list[Scenario] = []
"""Where they hold their next hops themselves."""


def scenario(function: Scenario) -> Scenario:
    """Enter a scenario into the contract."""
    SCENARIOS.append(function)
    return function


def with_groups(function: Scenario) -> Scenario:
    """Enter a scenario of kernels with groups."""
    WITH_GROUPS.append(function)
    return function


def without_groups(function: Scenario) -> Scenario:
    """Enter a scenario of kernels without."""
    WITHOUT_GROUPS.append(function)
    return function


def create(*routes: tuple[Prefix, Route]) -> ReplaceRoutes:
    return ReplaceRoutes(routes, exclusive=True)


def replace(*routes: tuple[Prefix, Route]) -> ReplaceRoutes:
    return ReplaceRoutes(routes)


def remove(prefix: Prefix, metric: int = METRIC) -> DeleteRoutes:
    return DeleteRoutes((RouteKey(prefix, metric),))


def applied(*prefixes: Prefix) -> list[KernelInput]:
    return [RoutesApplied(prefixes, present=True)]


def removed(*prefixes: Prefix) -> list[KernelInput]:
    return [RoutesApplied(prefixes, present=False)]


async def of_prefix(bench: Bench, prefix: Prefix) -> dict[int, KernelRoute]:
    """What the table has for a prefix, by metric."""
    table = await bench.table(prefix.family)
    return {key.metric: route for key, route in table.items() if key.prefix == prefix}


async def told_of(bench: Bench, prefix: Prefix) -> list[KernelRouteChanged]:
    """The changes of a prefix's routes that were told since the last call."""
    events = await bench.heard()
    return [each for each in events if isinstance(each, KernelRouteChanged) and each.route.prefix == prefix]


def errno_of(answers: list[KernelInput]) -> dict[Prefix, int]:
    """The refusals, each of which says why."""
    failed = [answer for answer in answers if isinstance(answer, RouteFailed)]
    assert all(answer.reason for answer in failed)
    return {answer.prefix: answer.errno for answer in failed}


@scenario
async def a_created_route_is_ours_and_its_interface_is_filled_in(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    assert await bench.apply(create((prefix, case.via()))) == applied(prefix)
    found = (await of_prefix(bench, prefix))[METRIC]
    assert (found.route, found.protocol) == (case.via("eth0"), OURS)


@scenario
async def every_kind_replaces_every_other(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    onlink = NextHop(case.nowhere, "eth0", onlink=True)
    shapes = [
        case.via("eth0"), BLACKHOLE, case.both, Route(RouteKind.UNREACHABLE, (), METRIC), PROHIBIT,
        *(Route(RouteKind.UNICAST, (hop,), METRIC) for hop in (NextHop(None, "eth0"), onlink)),
    ]  # fmt: skip
    await bench.apply(create((prefix, BLACKHOLE)))
    for shape in (*shapes, *reversed(shapes)):
        assert await bench.apply(replace((prefix, shape))) == applied(prefix)
        (found,) = (await of_prefix(bench, prefix)).values()
        assert satisfies(found.route, shape)


@scenario
async def what_is_there_is_not_created_and_the_table_is_told(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    theirs = KernelRoute(prefix, PROHIBIT, STATIC)
    await bench.somebody_writes(theirs)
    await bench.heard()
    assert await bench.apply(create((prefix, BLACKHOLE))) == [
        RouteFailed(prefix, EEXIST, "File exists", present=True)
    ]
    snapshots = [each for each in await bench.heard() if isinstance(each, KernelSnapshot)]
    assert [each.family for each in snapshots] == [case.family]
    assert theirs in snapshots[0].routes


@scenario
async def what_is_not_there_is_not_replaced_and_the_table_is_told(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    await bench.heard()
    assert errno_of(await bench.apply(replace((prefix, BLACKHOLE)))) == {prefix: ENOENT}
    assert [each.family for each in await bench.heard() if isinstance(each, KernelSnapshot)] == [case.family]


@scenario
async def two_metrics_of_one_prefix_are_two_routes(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    other = case.via("eth0", OTHER_METRIC)
    await bench.apply(create((prefix, case.via("eth0"))))
    assert await bench.apply(create((prefix, other))) == applied(prefix)
    assert (await of_prefix(bench, prefix)).keys() == {METRIC, OTHER_METRIC}
    assert await bench.apply(replace((prefix, BLACKHOLE))) == applied(prefix)
    assert (await of_prefix(bench, prefix))[OTHER_METRIC].route == other
    assert await bench.apply(remove(prefix)) == removed(prefix)
    assert (await of_prefix(bench, prefix)).keys() == {OTHER_METRIC}


@scenario
async def nobody_elses_route_is_removed_and_what_is_gone_counts_as_removed(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    theirs = KernelRoute(prefix, PROHIBIT, STATIC)
    await bench.somebody_writes(theirs)
    assert await bench.apply(remove(prefix)) == removed(prefix)
    assert await of_prefix(bench, prefix) == {METRIC: theirs}
    assert await bench.apply(remove(case.destinations[1])) == removed(case.destinations[1])


@scenario
async def a_bad_entry_leaves_the_others_of_its_batch_alone(bench: Bench, case: Case) -> None:
    first, second, third = case.destinations
    off_link = Route(RouteKind.UNICAST, (NextHop(case.nowhere),), METRIC)
    nowhere = Route(RouteKind.UNICAST, (NextHop(case.gateway, "eth9"),), METRIC)
    answers = await bench.apply(create((first, off_link), (second, case.via()), (third, nowhere)))
    assert errno_of(answers) == {first: case.unreachable, third: ENODEV}
    assert [answer for answer in answers if isinstance(answer, RoutesApplied)] == applied(second)
    table = await bench.table(case.family)
    assert {key.prefix for key in table} & set(case.destinations) == {second}


@scenario
async def a_gateway_behind_another_interface_is_refused(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    assert errno_of(await bench.apply(create((prefix, case.via("eth1"))))) == {prefix: case.unreachable}
    both = Route(RouteKind.UNICAST, (NextHop(case.gateway, "eth0"), NextHop(case.nowhere)), METRIC)
    assert errno_of(await bench.apply(create((prefix, both)))) == {prefix: case.unreachable}


@scenario
async def our_own_writes_are_not_told_and_the_deeds_of_others_are(bench: Bench, case: Case) -> None:
    prefix = case.destinations[0]
    await bench.heard()
    await bench.apply(create((prefix, BLACKHOLE)))
    await bench.apply(replace((prefix, PROHIBIT)))
    assert await told_of(bench, prefix) == []
    theirs = KernelRoute(prefix, case.via("eth0"), STATIC)
    await bench.somebody_writes(theirs)
    assert await told_of(bench, prefix) == [KernelRouteChanged(theirs, present=True)]
    await bench.somebody_removes(theirs)
    (event,) = await told_of(bench, prefix)
    assert (event.route, event.present) == (theirs, False)
    await bench.apply(create((prefix, BLACKHOLE)))
    ours = KernelRoute(prefix, BLACKHOLE, OURS)
    await bench.somebody_removes(ours)
    (event,) = await told_of(bench, prefix)
    assert (event.route, event.present) == (ours, False)
    assert await of_prefix(bench, prefix) == {}


@scenario
async def connected_networks_are_routes_of_the_kernel(bench: Bench, case: Case) -> None:
    (found,) = (await of_prefix(bench, case.network)).values()
    metric = 0 if case.family == IPV4 else 256
    on_link = Route(RouteKind.UNICAST, (NextHop(None, "eth0"),), metric)
    assert found == KernelRoute(case.network, on_link, KERNEL)


@scenario
async def with_an_interface_its_routes_go(bench: Bench, case: Case) -> None:
    one, two, _ = case.destinations
    await bench.apply(create((one, case.via()), (two, BLACKHOLE)))
    await bench.heard()
    await bench.set_link("eth0", up=False)
    events = await bench.heard()
    assert [each.name for each in events if isinstance(each, LinkChanged) and not each.up][:1] == ["eth0"]
    # Of IPv4 routes nothing is told: with the interface, the fib knows.
    told = {each.route.prefix for each in events if isinstance(each, KernelRouteChanged)}
    assert told & {one, case.network} == (set() if case.family == IPV4 else {one, case.network})
    table = await bench.table(case.family)
    assert {key.prefix for key in table} & {one, two, case.network} == {two}


@without_groups
async def a_next_hop_that_is_down_is_kept_among_others(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.heard()
    await bench.set_link("eth0", up=False)
    assert await told_of(bench, prefix) == []
    there = case.both.next_hops
    left = (await of_prefix(bench, prefix))[METRIC].route.next_hops
    assert left == (there[0]._replace(weight=-1), there[1])


@with_groups
async def a_next_hop_that_is_down_leaves_its_groups_and_stays_out(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.heard()
    await bench.set_link("eth0", up=False)
    assert (await told_of(bench, prefix))[-1:] == [left_by_eth0(case, prefix)]
    assert (await of_prefix(bench, prefix))[METRIC] == left_by_eth0(case, prefix).route
    await bench.set_link("eth0", up=True)
    await bench.heard()
    assert (await of_prefix(bench, prefix))[METRIC] == left_by_eth0(case, prefix).route


@with_groups
async def the_last_next_hop_of_a_group_takes_its_routes_along(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.set_link("eth0", up=False)
    await bench.set_link("eth1", up=False)
    told = await told_of(bench, prefix)
    assert not told[-1].present
    assert told[-1].route.metric == METRIC
    assert await of_prefix(bench, prefix) == {}


@with_groups
async def an_interface_that_is_removed_leaves_its_groups(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.heard()
    await bench.remove_link("eth0")
    assert (await told_of(bench, prefix))[-1:] == [left_by_eth0(case, prefix)]
    assert (await of_prefix(bench, prefix))[METRIC] == left_by_eth0(case, prefix).route


@with_groups
async def the_last_address_leaves_groups_as_they_are(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.disconnect(case.network, "eth0")
    await bench.heard()
    assert (await of_prefix(bench, prefix))[METRIC].route == case.both


def left_by_eth0(case: Case, prefix: Prefix) -> KernelRouteChanged:
    """What is told of a route through both when eth0 has left it."""
    route = case.both._replace(next_hops=case.both.next_hops[1:])
    return KernelRouteChanged(KernelRoute(prefix, route, OURS), present=True, alone=False)


@scenario
async def an_interface_that_is_down_takes_no_routes(bench: Bench, case: Case) -> None:
    one, two, three = case.destinations
    await bench.set_link("eth0", up=False)
    onlink = Route(RouteKind.UNICAST, (NextHop(case.nowhere, "eth0", onlink=True),), METRIC)
    answers = await bench.apply(create((one, case.via()), (two, case.via("eth0")), (three, onlink)))
    assert errno_of(answers) == {one: case.unreachable, two: case.unreachable, three: ENETDOWN}


@without_groups
async def a_next_hop_that_was_down_is_revived_without_a_word(bench: Bench, case: Case) -> None:
    prefix = case.destinations[1]
    await bench.apply(create((prefix, case.both)))
    await bench.set_link("eth0", up=False)
    await bench.heard()
    await bench.set_link("eth0", up=True)
    events = await bench.heard()
    assert any(isinstance(each, LinkChanged) and each.name == "eth0" and each.up for each in events)
    assert not any(isinstance(each, KernelRouteChanged) and each.route.prefix == prefix for each in events)
    if case.family == IPV4:
        # The address stayed, and its network comes back with the interface.
        told = [each.route.prefix for each in events if isinstance(each, KernelRouteChanged) and each.present]
        assert case.network in told
    assert (await of_prefix(bench, prefix))[METRIC].route == case.both


@without_groups
async def an_interface_that_is_removed_takes_whole_ipv4_routes_along(bench: Bench, case: Case) -> None:
    one, two, _ = case.destinations
    await bench.apply(create((one, case.via("eth0")), (two, case.both)))
    await bench.heard()
    await bench.remove_link("eth0")
    events = await bench.heard()
    links = [each for each in events if isinstance(each, LinkChanged) and each.name == "eth0"]
    assert not links[-1].present
    left = await of_prefix(bench, two)
    assert await of_prefix(bench, one) == {}
    told = [each for each in events if isinstance(each, KernelRouteChanged) and each.route.prefix == two]
    if case.family == IPV4:
        assert (left, told) == ({}, [])
    else:
        assert all(not each.present for each in told)
        assert {hop.interface for each in told for hop in each.route.route.next_hops} >= {"eth0"}


@scenario
async def with_the_last_address_ipv4_routes_go_without_a_word(bench: Bench, case: Case) -> None:
    one, two, _ = case.destinations
    await bench.apply(create((one, case.via("eth0")), (two, BLACKHOLE)))
    await bench.heard()
    await bench.disconnect(case.network, "eth0")
    told = await bench.heard()
    changes = {each.route.prefix: each.present for each in told if isinstance(each, KernelRouteChanged)}
    assert changes.get(case.network) is False
    assert one not in changes
    assert await of_prefix(bench, case.network) == {}
    assert set(await of_prefix(bench, one)) == (set() if case.family == IPV4 else {METRIC})
    assert errno_of(await bench.apply(create((case.destinations[2], case.via())))) == {
        case.destinations[2]: case.unreachable
    }
