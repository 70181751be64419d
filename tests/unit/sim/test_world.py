"""Clusters on a virtual clock."""

import json
import os
import subprocess
import sys
from errno import EBUSY, ENOBUFS, ENOMEM, ENOSPC

import pytest

from felixbgp.bgp.facts import NotificationSent, SessionStateChanged
from felixbgp.cluster.facts import InvalidValue
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.types import Problem
from felixbgp.net import Prefix
from felixbgp.sim.world import SECOND, NotReached, World
from felixbgp.status.node_status import RouteCounts
from tests.support.cluster import RESOURCES, add_node, converged, mesh, put_resource

A_MESH = """
import sys
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh
size = int(sys.argv[1])
world = mesh(size, seed=7)
world.run_until(lambda: converged(world, size), limit_ns=60 * SECOND)
world.run_for(100 * SECOND)
print(world.established(), world.digest())
"""


def run_a_mesh(size: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", A_MESH, str(size)]
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", [8, pytest.param(20, marks=pytest.mark.long)])
def test_a_mesh_converges_the_same_under_two_hash_seeds(size: int) -> None:
    first, second = run_a_mesh(size, "1"), run_a_mesh(size, "2")
    assert first.split()[0] == str(size * (size - 1))  # Pairs, in two families.
    assert first == second


def test_another_seed_is_another_run() -> None:
    digests = set()
    for seed in (1, 2):
        world = mesh(3, seed)
        world.run_for(100 * SECOND)  # KEEPALIVEs are jittered
        digests.add(world.digest())
    assert len(digests) == 2


def test_a_quiet_cluster_does_nothing_but_keepalives() -> None:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    world.run_for(60 * SECOND)
    writes = [node.kernel.writes for node in world.nodes.values()]
    facts = [len(node.facts) for node in world.nodes.values()]
    world.run_for(600 * SECOND)
    assert [node.kernel.writes for node in world.nodes.values()] == writes
    assert [len(node.facts) for node in world.nodes.values()] == facts
    assert world.established() == 2


def test_a_node_that_a_newer_calico_wrote_stays_in_the_mesh_and_what_is_not_known_is_named() -> None:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    bgp = {"ipv4Address": "172.30.0.2/24", "ipv6Address": "fd30::2/64", "newer": {}}
    sessions = [fact for fact in world.nodes["node-1"].facts if isinstance(fact, SessionStateChanged)]
    put_resource(world, "Node", "nodes", "node-2", {"bgp": bgp})
    world.run_for(10 * SECOND)
    for node in world.nodes.values():
        assert node.status is not None
        assert [(problem.subject, problem.field, problem.reason) for problem in node.status.problems] == [
            (f"{RESOURCES}/nodes/node-2", "spec.bgp.newer", "is not known to this version and is ignored")
        ]
    assert world.established() == 2
    found = [fact for fact in world.nodes["node-1"].facts if isinstance(fact, SessionStateChanged)]
    assert found == sessions


def test_a_workload_outside_every_block_of_its_node_is_announced() -> None:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    address = Prefix.parse("10.0.200.7/32")
    route = Route(RouteKind.UNICAST, (NextHop(None, "cali12345"),), 0)
    workload = KernelRoute(address, route, protocol=3)
    one, two = world.nodes["node-1"], world.nodes["node-2"]
    one.kernel_changed(workload, present=True)
    world.run_until(lambda: address in two.kernel.routes(), limit_ns=5 * SECOND)
    assert address not in one.kernel.routes()
    one.kernel_changed(workload, present=False)
    world.run_until(lambda: address not in two.kernel.routes(), limit_ns=5 * SECOND)


def test_a_killed_agent_comes_back_and_no_kernel_of_the_cluster_is_written_to() -> None:
    world = mesh(3, seed=3)
    world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)
    node = world.nodes["node-1"]
    before = {name: one.kernel.routes() for name, one in world.nodes.items()}
    writes = {name: one.kernel.writes for name, one in world.nodes.items()}
    node.kill()
    world.run_for(5 * SECOND)
    node.start()
    world.run_until(lambda: world.established() == 6, limit_ns=60 * SECOND)
    world.run_for(150 * SECOND)
    # Not on the node itself, and by graceful restart not on its peers either.
    assert {name: one.kernel.routes() for name, one in world.nodes.items()} == before
    assert {name: one.kernel.writes for name, one in world.nodes.items()} == writes


def test_what_went_away_while_the_agent_was_dead_is_swept_after_the_peers_have_spoken() -> None:
    world = mesh(3, seed=3)
    world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)
    node, gone = world.nodes["node-1"], Prefix.parse("10.0.2.0/26")
    node.kill()
    world.store.delete("/calico/ipam/v2/host/node-2/ipv4/block/10.0.2.0-26")
    world.run_for(5 * SECOND)
    assert gone in node.kernel.routes()
    node.start()
    world.run_until(lambda: gone not in node.kernel.routes(), limit_ns=60 * SECOND)
    assert len(node.kernel.routes()) == 5


@pytest.mark.parametrize(
    ("errno", "reason"),
    [
        (EBUSY, "Device or resource busy"),
        (ENOMEM, "Cannot allocate memory"),
        (ENOBUFS, "No buffer space available"),
        (ENOSPC, "No space left on device"),
    ],
)
def test_what_a_kernel_refuses_is_tried_again_and_told_and_stops_no_other_route(
    errno: int, reason: str
) -> None:
    world = mesh(3, seed=3)
    node, spared = world.nodes["node-1"], Prefix.parse("fd10::200/122")
    node.kernel.refuse(errno, reason, but=[spared])
    world.run_for(60 * SECOND)
    assert list(node.kernel.routes()) == [spared]
    assert node.status is not None
    told = [problem for problem in node.status.problems if problem.subject.startswith("route ")]
    assert [problem.subject for problem in told] == [
        "route 10.0.1.0/26",
        "route 10.0.2.0/26",
        "route 10.0.3.0/26",
        "route fd10::100/122",
        "route fd10::300/122",
    ]
    assert {problem.reason for problem in told} == {reason}
    assert node.status.routes == RouteCounts(wanted=6, installed=1, failed=5)
    refused = node.agent.statistics().fib.refused
    # 1, 2, 4 … seconds after another: six or seven times in the first minute, and once in every further one.
    assert 5 * 5 <= refused <= 5 * 7
    world.run_for(300 * SECOND)
    assert node.agent.statistics().fib.refused - refused <= 5 * 6
    # The others, too, wait for nobody; and of what is not in this kernel, nothing was announced.
    for other in ("node-2", "node-3"):
        assert Prefix.parse("10.0.1.0/26") not in world.nodes[other].kernel.routes()
        assert len(world.nodes[other].kernel.routes()) == 4
    node.kernel.relent()
    world.run_until(lambda: converged(world, 3), limit_ns=61 * SECOND)
    world.run_for(10 * SECOND)
    assert not [problem for problem in node.status.problems if problem.subject.startswith("route ")]


def test_a_deletion_that_a_kernel_refuses_is_tried_again_and_told() -> None:
    world = mesh(2, seed=3)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    node, gone = world.nodes["node-1"], Prefix.parse("10.0.2.0/26")
    node.kernel.refuse(EBUSY, "Device or resource busy")
    world.store.delete("/calico/ipam/v2/host/node-2/ipv4/block/10.0.2.0-26")
    world.run_for(20 * SECOND)
    assert gone in node.kernel.routes()
    assert node.status is not None
    assert Problem(f"route {gone}", "", "Device or resource busy") in node.status.problems
    node.kernel.relent()
    world.run_until(lambda: gone not in node.kernel.routes(), limit_ns=61 * SECOND)


def test_a_lost_store_changes_nothing_and_changes_made_meanwhile_are_followed() -> None:
    world = mesh(2, seed=5)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    world.store.fail("connection refused")
    add_node(world, 3)
    world.run_for(300 * SECOND)
    assert world.established() == 2
    assert len(world.nodes["node-1"].kernel.routes()) == 4
    world.store.recover()
    world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)


def test_an_invalid_value_harms_only_itself_until_it_is_corrected() -> None:
    world = mesh(2, seed=6)
    peer = {"peerIP": "172.30.0.2", "asNumber": 1 << 33}
    put_resource(world, "BGPPeer", "bgppeers", "wrong", peer)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    world.run_for(2 * SECOND)
    node = world.nodes["node-1"]
    (fact,) = [fact for fact in node.facts if isinstance(fact, InvalidValue)]
    assert fact.errors[0].field == "spec.asNumber"
    assert node.status is not None
    (problem,) = node.status.problems
    assert problem.subject.endswith("/bgppeers/wrong")
    assert problem.field == "spec.asNumber"
    put_resource(world, "BGPPeer", "bgppeers", "wrong", {"peerIP": "172.30.0.77", "asNumber": 64567})
    world.run_until(lambda: node.status is not None and len(node.status.peers) == 3, limit_ns=5 * SECOND)
    world.run_for(2 * SECOND)
    assert node.status.problems == ()


def test_a_peer_that_falls_silent_is_noticed_by_its_hold_timer_and_nobody_else_is_harmed() -> None:
    world = mesh(3, seed=8)
    world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)
    world.run_for(1 * SECOND)
    started = world.clock.now
    world.network.cut("node-1", "node-2")
    world.run_until(lambda: world.established() == 4, limit_ns=200 * SECOND)
    assert world.clock.now - started <= 90 * SECOND
    expired = [f for f in world.nodes["node-1"].facts if isinstance(f, NotificationSent) and f.code == 4]
    assert expired
    third = world.nodes["node-3"].facts
    assert not any(isinstance(f, SessionStateChanged) and f.old == "Established" for f in third)
    world.network.mend("node-1", "node-2")
    world.run_until(lambda: world.established() == 6 and converged(world, 3), limit_ns=60 * SECOND)


def test_a_condition_that_never_holds_is_reported_with_the_time_it_was_given() -> None:
    world = World(seed=1)
    with pytest.raises(NotReached, match=r"not reached after 0\.000 s"):
        world.run_until(lambda: False, limit_ns=SECOND)


def test_the_status_is_what_the_node_does() -> None:
    world = mesh(2, seed=9)
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    world.run_for(3 * SECOND)
    status = world.nodes["node-1"].status
    assert status is not None
    assert [(str(p.peer), p.state, p.scope) for p in status.peers] == [
        ("172.30.0.2", "Established", "mesh"),
        ("fd30::2", "Established", "mesh"),
    ]
    assert [str(block) for block in status.blocks] == ["10.0.1.0/26", "fd10::100/122"]
    assert status.routes == RouteCounts(wanted=4, installed=4)
    assert json.loads(json.dumps(status.problems)) == []
