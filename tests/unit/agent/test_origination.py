"""What a node originates: sources come and go, and of several the preferred one counts."""

import pytest

from felixbgp.agent.origination import LOOKED_AT, Origination
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Precedence
from felixbgp.cluster.parts import Work, whole
from felixbgp.fib.types import (
    AddressSnapshot,
    InterfaceAddress,
    KernelRoute,
    LinkChanged,
    NextHop,
    Route,
    RouteKind,
)
from felixbgp.intent.priorities import NormalPriority
from felixbgp.intent.types import Intent, StaticRoute
from felixbgp.net import Address, Prefix

BLOCK = Prefix.parse("10.0.0.0/26")
OTHER_BLOCK, AROUND = Prefix.parse("10.0.1.0/26"), Prefix.parse("10.0.0.0/16")
WORKLOAD = Prefix.parse("10.0.0.1/32")
GATEWAY, OTHER = Address.parse("10.0.0.254"), Address.parse("10.0.0.253")
NORMAL = 2147483647 - 1024
AGGREGATE = LocalRoute(RouteSource.AGGREGATE, local_pref=NORMAL)
DIRECT = LocalRoute(RouteSource.DIRECT, "lo", local_pref=NORMAL)
STATIC = LocalRoute(RouteSource.STATIC, next_hop=GATEWAY, local_pref=NORMAL)


def workload(interface: str, local_pref: int = NORMAL) -> LocalRoute:
    return LocalRoute(RouteSource.KERNEL, interface, None, local_pref, Precedence.BESIDE)


def of_others(interface: str = "", gateway: str = "", local_pref: int = NORMAL) -> LocalRoute:
    hop = Address.parse(gateway) if gateway else None
    return LocalRoute(RouteSource.KERNEL, interface, hop, local_pref, Precedence.LAST)


def kernel_route(prefix: Prefix, interface: str, gateway: str = "", metric: int = 0) -> KernelRoute:
    hop = NextHop(Address.parse(gateway) if gateway else None, interface)
    return KernelRoute(prefix, Route(RouteKind.UNICAST, (hop,), metric), protocol=3)


def connect(origination: Origination, *texts: str) -> None:
    """Give `lo` these addresses."""
    prefixes = [Prefix.parse(text, strict=False) for text in texts]
    addresses = (InterfaceAddress("lo", prefix.address, prefix.length) for prefix in prefixes)
    origination.feed(LinkChanged(1, "lo", up=True))
    origination.feed(AddressSnapshot(tuple(addresses)))


def configured(**intent: object) -> Origination:
    origination = Origination()
    origination.configure(Intent(**intent))  # type: ignore[arg-type]
    return origination


def changes(origination: Origination) -> list[tuple[Prefix, LocalRoute | None]]:
    return origination.take_changes(1000)


def test_blocks_come_and_go() -> None:
    origination = configured(aggregates=(BLOCK,))
    assert changes(origination) == [(BLOCK, AGGREGATE)]
    origination.configure(Intent(aggregates=(BLOCK,)))
    assert changes(origination) == []
    origination.configure(Intent(service_ranges=(BLOCK,)))
    assert changes(origination) == []
    origination.configure(Intent())
    assert changes(origination) == [(BLOCK, None)]


def test_a_workload_is_known_by_its_interface() -> None:
    origination = configured()
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "eth0"))])
    assert changes(origination) == [(WORKLOAD, of_others("eth0"))]
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1234"))])
    assert changes(origination) == [(WORKLOAD, workload("cali1234"))]
    origination.kernel_changed([(WORKLOAD, None)])
    assert changes(origination) == [(WORKLOAD, None)]


def test_nothing_is_originated_before_it_is_known_what_is_wanted() -> None:
    origination = Origination()
    connect(origination, "192.0.2.1/32")
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1"))])
    assert not origination.has_changes()
    assert changes(origination) == []
    origination.configure(Intent())
    assert origination.has_changes()
    assert changes(origination) == [(Prefix.parse("192.0.2.1/32"), DIRECT), (WORKLOAD, workload("cali1"))]
    assert not origination.has_changes()


def test_other_patterns_of_workloads_interfaces() -> None:
    origination = configured()
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "tap7"))])
    assert changes(origination) == [(WORKLOAD, of_others("tap7"))]
    origination.configure(Intent(workload_interfaces=("cali*", "tap*")))
    assert changes(origination) == [(WORKLOAD, workload("tap7"))]
    origination.configure(Intent())
    assert changes(origination) == [(WORKLOAD, of_others("tap7"))]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("direct", "static"),
        ("static", "workload"),
        ("workload", "aggregate"),
        ("aggregate", "route of others"),
    ],
)
def test_of_two_sources_the_preferred_one_counts_until_it_goes(better: str, worse: str) -> None:
    routes = {
        "direct": DIRECT,
        "static": STATIC,
        "workload": workload("cali1"),
        "aggregate": AGGREGATE,
        "route of others": of_others("eth0"),
    }
    origination = Origination()

    def have(*sources: str) -> None:
        connect(origination, *([str(WORKLOAD)] if "direct" in sources else []))
        interface = "cali1" if "workload" in sources else "eth0"
        present = {"workload", "route of others"} & set(sources)
        found = kernel_route(WORKLOAD, interface) if present else None
        origination.kernel_changed([(WORKLOAD, found)])
        origination.configure(
            Intent(
                static_routes=(StaticRoute(WORKLOAD, GATEWAY),) if "static" in sources else (),
                aggregates=(WORKLOAD,) if "aggregate" in sources else (),
            )
        )

    have(worse)
    assert changes(origination) == [(WORKLOAD, routes[worse])]
    have(better, worse)
    assert changes(origination) == [(WORKLOAD, routes[better])]
    have(worse)
    assert changes(origination) == [(WORKLOAD, routes[worse])]
    have()
    assert changes(origination) == [(WORKLOAD, None)]


def test_another_gateway_is_another_route() -> None:
    origination = configured(static_routes=(StaticRoute(WORKLOAD, GATEWAY),))
    assert changes(origination) == [(WORKLOAD, STATIC)]
    origination.configure(Intent(static_routes=(StaticRoute(WORKLOAD, OTHER),)))
    assert changes(origination) == [(WORKLOAD, STATIC._replace(next_hop=OTHER))]


def test_what_comes_and_goes_between_two_calls_is_no_change() -> None:
    origination = configured()
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1"))])
    origination.kernel_changed([(WORKLOAD, None)])
    assert changes(origination) == []


@pytest.mark.parametrize(
    ("text", "route", "originated"),
    [
        pytest.param(
            "0.0.0.0/0",
            kernel_route(BLOCK, "eth0", "192.0.2.254", metric=100),
            of_others("eth0", "192.0.2.254", 2147483547),
            id="a default route, with its gateway and its metric as priority",
        ),
        pytest.param(
            "10.1.0.0/16",
            KernelRoute(BLOCK, Route(RouteKind.BLACKHOLE, (), 0), 80),
            of_others(),
            id="a blackhole",
        ),
        pytest.param(
            "10.1.0.0/16",
            KernelRoute(
                BLOCK,
                Route(RouteKind.UNICAST, (NextHop(GATEWAY, "eth0"), NextHop(OTHER, "eth1")), 20),
                11,
            ),
            of_others(local_pref=2147483627),
            id="several next hops: no interface, and ourselves as next hop",
        ),
        pytest.param(
            "10.1.0.0/16",
            kernel_route(BLOCK, "eth0", metric=4294967295),
            of_others("eth0", local_pref=0),
            id="a metric beyond all priorities",
        ),
        pytest.param("169.254.0.0/16", kernel_route(BLOCK, "eth0"), None, id="link-local"),
        pytest.param("fe80::/64", kernel_route(BLOCK, "eth0"), None, id="IPv6 link-local"),
        pytest.param("224.0.0.0/4", kernel_route(BLOCK, "eth0"), None, id="multicast"),
        pytest.param("ff00::/8", kernel_route(BLOCK, "eth0"), None, id="IPv6 multicast"),
        pytest.param("127.0.0.0/8", kernel_route(BLOCK, "lo"), None, id="loopback"),
    ],
)
def test_what_others_wrote(text: str, route: KernelRoute, originated: LocalRoute | None) -> None:
    prefix = Prefix.parse(text)
    origination = configured()
    origination.kernel_changed([(prefix, route._replace(prefix=prefix))])
    assert changes(origination) == ([] if originated is None else [(prefix, originated)])


def test_the_metric_of_a_workloads_route_is_its_priority() -> None:
    origination = configured()
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1", metric=512))])
    assert changes(origination) == [(WORKLOAD, workload("cali1", 2147483647 - 512))]


def test_another_normal_priority_is_told_of_all_that_has_it() -> None:
    v6, static = Prefix.parse("fd00::/122"), Prefix.parse("10.9.9.9/32")
    wanted = {"aggregates": (BLOCK, v6), "static_routes": (StaticRoute(static, GATEWAY),)}
    origination = configured(**wanted)
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1", metric=512))])
    changes(origination)
    origination.configure(Intent(**wanted, normal_priority=NormalPriority(ipv4=77)))  # type: ignore[arg-type]
    assert changes(origination) == [
        (BLOCK, AGGREGATE._replace(local_pref=2147483570)),
        (static, STATIC._replace(local_pref=2147483570)),
    ]


def test_routes_of_the_kernel_are_taken_up_a_few_at_a_time_and_the_nodes_own_at_once() -> None:
    prefixes = [Prefix.of(Address(bytes((10, 1, 1, number))), 32) for number in range(5)]
    origination = configured()
    origination.kernel_changed([(prefix, kernel_route(prefix, "eth0")) for prefix in prefixes])
    assert [prefix for prefix, _ in origination.take_changes(2)] == prefixes[:2]
    assert origination.has_changes()
    origination.configure(Intent(aggregates=(BLOCK,)))
    connect(origination, "192.0.2.1/32")
    assert [str(prefix) for prefix, _ in origination.take_changes(2)] == [
        "10.0.0.0/26",
        "192.0.2.1/32",
        *map(str, prefixes[2:4]),
    ]
    assert [prefix for prefix, _ in origination.take_changes(2)] == prefixes[4:]
    assert not origination.has_changes()


def test_a_block_is_in_use_while_the_kernel_leads_into_it() -> None:
    origination = configured(aggregates=(BLOCK, OTHER_BLOCK))
    blocks = (BLOCK, OTHER_BLOCK)
    assert whole(origination.blocks_in_use(blocks)) == ()
    origination.kernel_changed(
        [
            (WORKLOAD, kernel_route(WORKLOAD, "cali1")),
            # Somebody else's own blackhole, and a route around it, say nothing about who lives there.
            (OTHER_BLOCK, kernel_route(OTHER_BLOCK, "eth0", "10.0.0.253")),
            (AROUND, kernel_route(AROUND, "eth0", "10.0.0.253")),
        ]
    )
    assert whole(origination.blocks_in_use(blocks)) == (BLOCK,)
    assert whole(origination.blocks_in_use(())) == ()
    origination.kernel_changed([(WORKLOAD, None)])
    assert whole(origination.blocks_in_use(blocks)) == ()


def test_many_routes_are_looked_at_in_parts() -> None:
    origination = configured(aggregates=(BLOCK,))
    others = [Prefix.parse(f"192.0.{number >> 8}.{number & 255}/32") for number in range(2 * LOOKED_AT)]
    for prefix in (*others, WORKLOAD):
        origination.kernel_changed([(prefix, kernel_route(prefix, "eth0"))])
    work = Work(origination.blocks_in_use((BLOCK,)))
    work.go_on(1)
    origination.kernel_changed([(others[-1], None)])
    assert work.result is None
    work.go_on(2 * LOOKED_AT)
    assert work.result == (BLOCK,)
