"""Our own routes as a source of the Loc-RIB."""

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.local_routes import SWEEP_FIRST, LocalRoutes
from felixbgp.bgp.routes import LocalRoute
from felixbgp.net import IPV4, Prefix

ONE = Prefix.parse("10.1.0.0/16").nlri
BLOCK = LocalRoute(RouteSource.AGGREGATE)
WORKLOAD = LocalRoute(RouteSource.KERNEL, "cali1")


def test_origination_change_and_end() -> None:
    loc_rib = LocRib(IPV4)
    routes = LocalRoutes(loc_rib)
    routes.originate(ONE, BLOCK)
    assert [path.source for path in loc_rib.candidates(ONE)] == [RouteSource.AGGREGATE]
    routes.originate(ONE, WORKLOAD)
    assert [(path.source, path.interface) for path in loc_rib.candidates(ONE)] == [
        (RouteSource.KERNEL, "cali1")
    ]
    routes.originate(ONE, None)
    routes.originate(ONE, None)
    assert loc_rib.candidates(ONE) == ()


def test_the_same_route_again_is_no_work() -> None:
    loc_rib = LocRib(IPV4)
    routes = LocalRoutes(loc_rib)
    routes.originate(ONE, BLOCK)
    loc_rib.decide(10, [])
    routes.originate(ONE, BLOCK)
    assert loc_rib.dirty_count == 0


def test_interfaces_of_the_past_are_forgotten() -> None:
    routes = LocalRoutes(LocRib(IPV4))
    for number in range(3 * SWEEP_FIRST):
        routes.originate(ONE, LocalRoute(RouteSource.KERNEL, f"cali{number}"))
    assert len(routes._paths) <= SWEEP_FIRST
