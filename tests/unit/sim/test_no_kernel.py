"""A route reflector that writes no routes (`--no-kernel`), in a cluster on a virtual clock."""

import json
from typing import Any

import pytest

from felixbgp.fib.types import KernelRoute, Route, RouteKind
from felixbgp.intent.types import Problem
from felixbgp.net import IPV4, Prefix
from felixbgp.sim.world import SECOND, World
from felixbgp.status import audit_document, keys
from tests.support.cluster import add_node, put_resource

CLIENTS = ("node-1", "node-2")
FORMER = Prefix.parse("10.0.9.0/26")
"""A route of ours from before, when the reflector wrote routes."""


@pytest.fixture
def world() -> World:
    """Two clients, and node-3, which reflects and forwards nothing; everything has converged."""
    world = World(seed=1)
    put_resource(world, "IPPool", "ippools", "v4", {"cidr": "10.0.0.0/16", "ipipMode": "Never"})
    put_resource(world, "IPPool", "ippools", "v6", {"cidr": "fd10::/48", "ipipMode": "Never"})
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", {"nodeToNodeMeshEnabled": False})
    for number in (1, 2):
        add_node(world, number)
        peer: dict[str, object] = {"node": f"node-{number}", "peerIP": "172.30.0.3", "asNumber": 64512}
        put_resource(world, "BGPPeer", "bgppeers", f"rr-{number}", peer)
        peer = {"node": "node-3", "peerIP": f"172.30.0.{number}", "asNumber": 64512}
        put_resource(world, "BGPPeer", "bgppeers", f"client-{number}", peer)
    reflector = add_node(world, 3, forwards=False)
    bgp = {"ipv4Address": "172.30.0.3/24", "routeReflectorClusterID": "244.0.0.1"}
    put_resource(world, "Node", "nodes", "node-3", {"bgp": bgp})
    reflector.kernel_changed(
        KernelRoute(FORMER, Route(RouteKind.BLACKHOLE), reflector.kernel.protocol), present=True
    )
    world.run_until(lambda: all(len(routes_v4(world, node)) == 3 for node in CLIENTS), 60 * SECOND)
    world.run_for(10 * SECOND)
    return world


def routes_v4(world: World, node: str) -> list[str]:
    found = world.nodes[node].kernel.routes()
    return sorted(str(prefix) for prefix in found if prefix.family == IPV4)


def stored(world: World, key: str) -> dict[str, Any]:
    value = world.store.get(key)
    found: dict[str, Any] = {} if value is None else json.loads(value)
    return found


def test_it_restarts_and_no_client_loses_a_route(world: World) -> None:
    """No kernel tells it that it lived before."""
    reflector, clients = world.nodes["node-3"], [world.nodes[name].kernel for name in CLIENTS]
    writes = [kernel.writes for kernel in clients]
    reflector.kill()
    world.run_for(5 * SECOND)
    reflector.start()
    world.run_for(300 * SECOND)
    assert [kernel.writes for kernel in clients] == writes
    assert all(peer.prefixes_stale == 0 for peer in world.nodes["node-1"].agent.status(world.clock.now).peers)
    assert world.established() == 2


def test_it_reflects_and_announces_and_leaves_its_kernel_alone_for_ever(world: World) -> None:
    reflector = world.nodes["node-3"]
    for node in CLIENTS:
        assert routes_v4(world, node) == ["10.0.1.0/26", "10.0.2.0/26", "10.0.3.0/26"]
    # Past the deadline at which a former life's routes would be swept.
    world.run_for(300 * SECOND)
    assert list(reflector.kernel.routes()) == [FORMER]
    assert reflector.kernel.writes == 0
    statistics = reflector.agent.statistics()
    assert statistics.speaker.prefixes == 4
    fib = statistics.fib
    assert (fib.wanted, fib.foreign, fib.held, fib.waiting) == (0, 0, 0, 0)


def test_a_route_that_is_gone_is_withdrawn(world: World) -> None:
    world.store.delete("/calico/ipam/v2/host/node-2/ipv4/block/10.0.2.0-26")
    world.run_until(lambda: routes_v4(world, "node-1") == ["10.0.1.0/26", "10.0.3.0/26"], 5 * SECOND)


def test_its_status_has_no_routes_of_the_kernel(world: World) -> None:
    status = world.nodes["node-3"].status
    assert status is not None
    assert status.routes is None
    assert [peer.prefixes_advertised for peer in status.peers] == [2, 2]
    assert status.problems == ()


def test_a_report_has_every_route_and_none_in_use(world: World) -> None:
    spec: dict[str, object] = {"node": "node-3", "classes": ["BGP", "Routes"], "updatePeriodSeconds": 10}
    put_resource(world, "CalicoNodeStatus", "caliconodestatuses", "mine", spec)
    world.run_for(SECOND)
    key = "/calico/resources/v3/projectcalico.org/caliconodestatuses/mine"
    status = stored(world, key)["status"]
    assert status["bgp"]["numberEstablishedV4"] == 2
    assert [(route["destination"], route["type"]) for route in status["routes"]["routesV4"]] == [
        ("10.0.1.0/26", "RIB"),
        ("10.0.2.0/26", "RIB"),
        ("10.0.3.0/26", "RIB"),
    ]


def test_an_audit_is_answered_at_once_by_why_there_is_none(world: World) -> None:
    world.store.put(keys.audit_request_key("node-3", "one"), audit_document.encode_request("somebody"))
    world.run_for(SECOND)
    value = world.store.get(keys.audit_key("node-3"))
    assert value is not None
    answer = audit_document.decode(value)
    assert answer.requests == ("one",)
    assert (answer.compared, answer.totals.selected, answer.totals.installed) == (0, 4, 0)
    assert answer.failure == "the agent writes no routes (--no-kernel), so there is nothing to compare"


def test_a_static_route_to_a_peer_is_a_problem_and_not_announced(world: World) -> None:
    spec: dict[str, object] = {
        "node": "node-3",
        "peerIP": "192.0.2.9",
        "asNumber": 64999,
        "reachableBy": "172.30.0.9",
    }
    put_resource(world, "BGPPeer", "bgppeers", "far", spec)
    world.run_for(5 * SECOND)
    reflector = world.nodes["node-3"]
    assert reflector.status is not None
    assert reflector.status.problems == (
        Problem("route 192.0.2.9/32", "", "by way of 172.30.0.9: this agent writes no routes"),
    )
    assert reflector.agent.statistics().speaker.prefixes == 4
    assert reflector.kernel.writes == 0


def test_next_hops_are_not_remembered(world: World) -> None:
    speaker = world.nodes["node-3"].agent._speaker
    assert speaker.next_hops.sweep() == []
    assert speaker.unresolved() == {}
