from felixbgp.agent.origination import Origination
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.types import StaticRoute
from felixbgp.net import Address, Prefix

BLOCK = Prefix.parse("10.0.0.0/26")
WORKLOAD = Prefix.parse("10.0.0.1/32")
AGGREGATE = LocalRoute(RouteSource.AGGREGATE)


def kernel_route(prefix: Prefix, interface: str) -> KernelRoute:
    return KernelRoute(prefix, Route(RouteKind.UNICAST, (NextHop(None, interface),), 0), protocol=3)


def test_blocks_come_and_go() -> None:
    origination = Origination()
    origination.configure([BLOCK], ("cali*",))
    assert origination.take_changes() == [(BLOCK, AGGREGATE)]
    origination.configure([BLOCK], ("cali*",))
    assert origination.take_changes() == []
    origination.configure([], ("cali*",))
    assert origination.take_changes() == [(BLOCK, None)]


def test_a_workload_is_known_by_its_interface() -> None:
    origination = Origination()
    origination.configure([], ("cali*",))
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "eth0"))])
    assert origination.take_changes() == []
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1234"))])
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.KERNEL, "cali1234"))]
    origination.kernel_changed([(WORKLOAD, None)])
    assert origination.take_changes() == [(WORKLOAD, None)]


def test_routes_that_came_before_the_patterns_count() -> None:
    origination = Origination()
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "tap7"))])
    assert origination.take_changes() == []
    origination.configure([], ("cali*", "tap*"))
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.KERNEL, "tap7"))]
    origination.configure([], ("cali*",))
    assert origination.take_changes() == [(WORKLOAD, None)]


def test_a_block_of_one_address_gives_way_to_the_workload_in_it() -> None:
    origination = Origination()
    origination.configure([WORKLOAD], ("cali*",))
    assert origination.take_changes() == [(WORKLOAD, AGGREGATE)]
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1"))])
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.KERNEL, "cali1"))]
    origination.kernel_changed([(WORKLOAD, None)])
    assert origination.take_changes() == [(WORKLOAD, AGGREGATE)]


def test_what_comes_and_goes_between_two_calls_is_no_change() -> None:
    origination = Origination()
    origination.configure([], ("cali*",))
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1"))])
    origination.kernel_changed([(WORKLOAD, None)])
    assert origination.take_changes() == []


def test_a_static_route_is_preferred_and_gives_way_when_it_goes() -> None:
    origination = Origination()
    gateway, other = Address.parse("10.0.0.254"), Address.parse("10.0.0.253")
    origination.configure([WORKLOAD], ("cali*",), [StaticRoute(WORKLOAD, gateway)])
    origination.kernel_changed([(WORKLOAD, kernel_route(WORKLOAD, "cali1"))])
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.STATIC, next_hop=gateway))]
    origination.configure([WORKLOAD], ("cali*",), [StaticRoute(WORKLOAD, other)])
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.STATIC, next_hop=other))]
    origination.configure([WORKLOAD], ("cali*",))
    assert origination.take_changes() == [(WORKLOAD, LocalRoute(RouteSource.KERNEL, "cali1"))]
