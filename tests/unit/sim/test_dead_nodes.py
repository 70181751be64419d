"""A dead node against a restarting agent: the routes of one leave, those of the other stay."""

import pytest

from felixbgp.agent.liveness import NodeDead
from felixbgp.net import Prefix
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import converged, mesh

SIZE = 4
HOLD_TIME_NS = 90 * SECOND
RESTART_TIME_NS = 120 * SECOND
FOUND_OUT_NS = 7 * SECOND
"""A second of patience, the store, and a dial of five seconds that nobody answers."""
OF_THE_THIRD = (Prefix.parse("10.0.3.0/26"), Prefix.parse("fd10::300/122"))
OTHERS = ("node-1", "node-2", "node-4")


def with_routes(world: World, *names: str) -> list[str]:
    """Those of these nodes whose kernels still have all routes to the third node."""
    return [name for name in names or OTHERS if world.nodes[name].kernel.routes().keys() >= set(OF_THE_THIRD)]


def without_any(world: World) -> bool:
    return all(world.nodes[name].kernel.routes().keys().isdisjoint(OF_THE_THIRD) for name in OTHERS)


def keep(world: World, duration_ns: int) -> None:
    """Let time pass; at no moment may a route to the third node be missing on another."""
    end = world.clock.now + duration_ns
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert with_routes(world) == list(OTHERS), f"{(world.clock.now - end + duration_ns) / SECOND:.3f} s"


def warnings(world: World, name: str) -> list[str]:
    status = world.nodes[name].agent.status(world.clock.now)
    return [peer.warning or "" for peer in status.peers if peer.warning]


def deaths(world: World) -> list[tuple[str, str, str]]:
    return [
        (name, fact.node, fact.reason)
        for name in OTHERS
        for fact in world.nodes[name].facts
        if isinstance(fact, NodeDead)
    ]


@pytest.fixture
def world() -> World:
    cluster = mesh(SIZE, seed=5)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    return cluster


def test_the_routes_of_a_node_without_power_leave_before_its_hold_time_is_over(world: World) -> None:
    world.nodes["node-3"].turn_off()
    # It spoke at least once in a third of the hold time, and is missed after a half of it.
    took = world.run_until(lambda: without_any(world), limit_ns=HOLD_TIME_NS // 2 + FOUND_OUT_NS)
    assert took > 15 * SECOND
    reason = "Node node-3 is dead: its alive key is gone, and a dial to it failed: timed out"
    assert warnings(world, "node-1") == [reason, reason]
    assert deaths(world) == [(name, "node-3", "timed out") for name in OTHERS for _ in OF_THE_THIRD]


def test_a_node_that_comes_back_is_a_peer_like_any_other(world: World) -> None:
    world.nodes["node-3"].turn_off()
    world.run_until(lambda: without_any(world), limit_ns=HOLD_TIME_NS)
    world.nodes["node-3"].start()
    world.run_until(lambda: converged(world, SIZE), limit_ns=30 * SECOND)
    assert warnings(world, "node-1") == []


@pytest.mark.parametrize("gracefully", [True, False], ids=["stopped", "killed"])
def test_the_routes_of_a_restarting_agent_stay(world: World, *, gracefully: bool) -> None:
    node = world.nodes["node-3"]
    if gracefully:
        node.stop()
    else:
        node.kill()
    keep(world, RESTART_TIME_NS - 10 * SECOND)
    node.start()
    keep(world, 60 * SECOND)
    assert deaths(world) == []


def test_without_the_store_nothing_is_concluded(world: World) -> None:
    world.nodes["node-3"].turn_off()
    world.store.fail("gone")
    keep(world, HOLD_TIME_NS + RESTART_TIME_NS // 2)
    world.store.recover()
    world.run_until(lambda: without_any(world), limit_ns=FOUND_OUT_NS + 10 * SECOND)


def test_a_node_behind_a_broken_link_lives_as_long_as_the_store_says_so(world: World) -> None:
    for name in OTHERS:
        world.network.cut("node-3", name)
    keep(world, HOLD_TIME_NS + RESTART_TIME_NS // 2)
    assert deaths(world) == []
    world.nodes["node-3"].kill()
    world.run_until(lambda: without_any(world), limit_ns=15 * SECOND + 2 * FOUND_OUT_NS)


def test_a_node_whose_link_is_cut_for_less_than_its_hold_time_keeps_its_sessions(world: World) -> None:
    """Silence alone says nothing, nor does it with a dial that fails while the key is there."""
    for name in OTHERS:
        world.network.cut("node-3", name)
    keep(world, HOLD_TIME_NS * 2 // 3 - SECOND)
    for name in OTHERS:
        world.network.mend("node-3", name)
    keep(world, 60 * SECOND)
    assert world.established() == SIZE * (SIZE - 1)
    assert all(peer.established_count == 1 for peer in world.nodes["node-3"].agent._speaker.peers())


def test_an_agent_that_restarts_beside_a_dead_node_does_not_wait_for_it(world: World) -> None:
    world.nodes["node-3"].turn_off()
    world.nodes["node-1"].kill()
    world.run_for(20 * SECOND)
    assert with_routes(world, "node-1") == ["node-1"]
    world.nodes["node-1"].start()
    # Five seconds until somebody is asked for, a dial of five, and what a session takes.
    took = world.run_until(lambda: with_routes(world, "node-1") == [], limit_ns=15 * SECOND)
    assert took > 5 * SECOND
