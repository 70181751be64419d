"""Sessions that nobody wants any more stay until others have taken over, and no kernel loses a route."""

import pytest

from felixbgp.agent.config import DRAINING_SECONDS
from felixbgp.agent.draining import Drained
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.net import Prefix
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import (
    RESOURCES,
    blocks,
    converged,
    make_reflector,
    mesh,
    peer_with_reflectors,
    put_resource,
    set_mesh,
)

SIZE = 5
LONGEST_NS = DRAINING_SECONDS * SECOND


def watch(world: World, duration_ns: int) -> None:
    """Let time pass; at no moment may a route be missing anywhere."""
    end = world.clock.now + duration_ns
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert converged(world, SIZE), (
            f"{(world.clock.now - end + duration_ns) / SECOND:.3f} s after the change"
        )


def sessions(world: World) -> set[tuple[str, str]]:
    """Which nodes have an Established session with whom."""
    return {
        (name, str(peer.peer.address))
        for name, node in world.nodes.items()
        for peer in (() if node.status is None else node.status.peers)
        if peer.state == "Established"
    }


@pytest.fixture
def world() -> World:
    cluster = mesh(SIZE, seed=11)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    return cluster


def test_the_mesh_gives_way_to_a_reflector_and_comes_back(world: World) -> None:
    make_reflector(world, 1)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    watch(world, 2 * LONGEST_NS)
    assert world.established() == 2 * (SIZE - 1)
    set_mesh(world, enabled=True)
    watch(world, 2 * LONGEST_NS)
    assert world.established() == SIZE * (SIZE - 1)


def test_a_mesh_that_is_disabled_first_stays_while_a_reflector_can_still_come(world: World) -> None:
    set_mesh(world, enabled=False)
    watch(world, LONGEST_NS - 10 * SECOND)
    make_reflector(world, 1)
    peer_with_reflectors(world)
    watch(world, 2 * LONGEST_NS)
    assert world.established() == 2 * (SIZE - 1)


def test_a_mesh_that_nothing_follows_ends_in_time_and_says_what_that_cost(world: World) -> None:
    set_mesh(world, enabled=False)
    watch(world, LONGEST_NS - SECOND)
    status = world.nodes["node-2"].status
    assert status is not None
    draining = [peer.draining for peer in status.peers if peer.draining is not None]
    assert {(one.drain, one.unreplaced) for one in draining} == {("", 1)}
    assert {one.deadline for one in draining} == {draining[0].since + LONGEST_NS}
    assert {prefix for one in draining for prefix in one.prefixes} == {
        prefix for number in (1, 3, 4, 5) for prefix in blocks(number)
    }
    world.run_for(2 * SECOND)
    assert world.established() == 0
    lost = [fact.lost for fact in world.nodes["node-2"].facts if isinstance(fact, Drained)]
    assert lost == [1] * (2 * (SIZE - 1))
    world.run_for(150 * SECOND)
    assert all(len(node.kernel.routes()) == 2 for node in world.nodes.values())


def test_where_nobody_is_drained_the_mesh_ends_with_the_write() -> None:
    cluster = mesh(SIZE, seed=11, draining_seconds=0)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    set_mesh(cluster, enabled=False)
    cluster.run_for(SECOND)
    assert cluster.established() == 0
    assert all(len(one.kernel.routes()) == 2 for one in cluster.nodes.values())


def have_route_to(world: World, number: int) -> list[str]:
    """The nodes whose kernels have both blocks of a node."""
    return [name for name, node in world.nodes.items() if {*blocks(number)} <= node.kernel.routes().keys()]


def test_a_node_that_left_the_cluster_is_not_waited_for(world: World) -> None:
    world.nodes["node-5"].kill()
    world.store.delete(f"{RESOURCES}/nodes/node-5")
    world.run_for(SECOND)
    assert have_route_to(world, 5) == ["node-5"], "which has nobody to remove it"


def test_one_that_left_while_its_agent_runs_has_ten_seconds(world: World) -> None:
    world.store.delete(f"{RESOURCES}/nodes/node-5")
    world.run_for(9 * SECOND)
    assert len(have_route_to(world, 5)) == SIZE
    world.run_for(2 * SECOND)
    assert have_route_to(world, 5) == []
    assert not world.nodes["node-5"].kernel.routes()
    world.run_for(60 * SECOND)
    assert not {peer for _, peer in sessions(world)} & {"172.30.0.5", "fd30::5"}


def test_nor_is_one_that_was_being_drained_when_it_left(world: World) -> None:
    set_mesh(world, enabled=False)
    world.run_for(10 * SECOND)
    world.nodes["node-5"].kill()
    world.store.delete(f"{RESOURCES}/nodes/node-5")
    world.run_for(SECOND)
    theirs = {Prefix.parse("10.0.5.0/26"), Prefix.parse("fd10::500/122")}
    assert not any(theirs & {*world.nodes[f"node-{number}"].kernel.routes()} for number in range(1, SIZE))


def test_a_peer_that_is_wanted_again_keeps_its_session(world: World) -> None:
    before = [
        len([f for f in one.facts if isinstance(f, SessionStateChanged)]) for one in world.nodes.values()
    ]
    set_mesh(world, enabled=False)
    watch(world, 30 * SECOND)
    set_mesh(world, enabled=True)
    watch(world, 2 * LONGEST_NS)
    after = [
        len([f for f in one.facts if isinstance(f, SessionStateChanged)]) for one in world.nodes.values()
    ]
    assert after == before


# ---- reflectors that become others


def make_client(world: World, number: int) -> None:
    """No reflector any more."""
    bgp = {"ipv4Address": f"172.30.0.{number}/24", "ipv6Address": f"fd30::{number:x}/64"}
    put_resource(world, "Node", "nodes", f"node-{number}", {"bgp": bgp})


@pytest.fixture
def reflected(world: World) -> World:
    """Node-1 is the reflector of all others."""
    make_reflector(world, 1)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    watch(world, 2 * LONGEST_NS)
    return world


@pytest.mark.parametrize("late", [0, 3])
def test_a_client_that_becomes_a_second_reflector_keeps_what_the_first_has_told_it(
    reflected: World, late: int
) -> None:
    """With the cluster ID of the first, that is a loop; and one of its new clients hears of it late."""
    reflected.store.silence(f"node-{late}")
    make_reflector(reflected, 2)
    watch(reflected, 10 * SECOND)
    reflected.store.speak(f"node-{late}")
    watch(reflected, 2 * LONGEST_NS)
    assert reflected.established() == 2 * (SIZE - 1) + 2 * (SIZE - 2)


@pytest.mark.parametrize("late", [0, 2])
def test_a_reflector_that_is_none_any_more_reflects_until_the_mesh_stands(
    reflected: World, late: int
) -> None:
    reflected.store.silence(f"node-{late}")
    make_client(reflected, 1)
    set_mesh(reflected, enabled=True)
    reflected.store.delete(f"{RESOURCES}/bgppeers/to-reflectors")
    watch(reflected, 30 * SECOND)
    reflected.store.speak(f"node-{late}")
    watch(reflected, 2 * LONGEST_NS)
    assert reflected.established() == SIZE * (SIZE - 1)


def test_and_does_so_when_the_end_of_its_role_is_heard_before_the_mesh(reflected: World) -> None:
    make_client(reflected, 1)
    watch(reflected, 20 * SECOND)
    set_mesh(reflected, enabled=True)
    watch(reflected, 2 * LONGEST_NS)
    assert reflected.established() == SIZE * (SIZE - 1)
