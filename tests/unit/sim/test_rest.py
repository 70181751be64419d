"""Worlds at rest are as the oracle says, and a difference is named."""

import pytest

from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.sim.rest import differences
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import make_reflector, mesh, peer_with_reflectors, put_resource, set_mesh


@pytest.fixture
def world() -> World:
    cluster = mesh(4, seed=5)
    cluster.run_for(60 * SECOND)
    return cluster


def test_a_mesh_and_its_reflectors_are_as_the_oracle_says(world: World) -> None:
    assert differences(world) == []
    for number in (1, 2):
        make_reflector(world, number)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    assert differences(world) != []
    world.run_for(150 * SECOND)
    assert differences(world) == []


def test_filters_and_priorities_are_as_the_oracle_says(world: World) -> None:
    set_mesh(world, enabled=False)
    spec: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()", "filters": ["some"]}
    put_resource(world, "BGPPeer", "bgppeers", "all", spec)
    preferred = {"action": "Accept", "operations": [{"setPriority": {"value": 77}}]}
    hidden = {"action": "Reject", "cidr": "10.0.2.0/24", "matchOperator": "In"}
    rules: dict[str, object] = {"exportV4": [hidden], "importV4": [preferred]}
    put_resource(world, "BGPFilter", "bgpfilters", "some", rules)
    world.run_for(150 * SECOND)
    assert differences(world) == []


def test_the_dead_are_expected_nowhere(world: World) -> None:
    world.nodes["node-4"].kill()
    world.run_for(300 * SECOND)
    assert differences(world, dead=["node-4"]) == []
    assert "node-1: no session with 172.30.0.4" in differences(world)


def test_a_route_that_is_missing_or_leads_elsewhere_is_named(world: World) -> None:
    kernel = world.nodes["node-1"].kernel
    there, here = Prefix.parse("10.0.2.0/26"), Prefix.parse("10.0.1.0/26")
    routes = dict(kernel.routes())
    kernel.routes = lambda: {  # type: ignore[method-assign]
        **{prefix: route for prefix, route in routes.items() if prefix != here},
        there: Route(RouteKind.UNICAST, (NextHop(Address.parse("172.30.0.3"), "eth0"),)),
    }
    assert differences(world) == [
        "node-1: 10.0.1.0/26 is nowhere and should be here with metric 1024",
        "node-1: 10.0.2.0/26 is 172.30.0.3 with metric 1024 and should be 172.30.0.2 with metric 1024",
    ]
