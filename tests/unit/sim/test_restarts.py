"""Agents that end and come back, in any order and number: no kernel of the cluster loses a route."""

import pytest

from felixbgp.sim.world import MILLISECOND, SECOND, World
from tests.support.cluster import (
    converged,
    make_reflector,
    mesh,
    peer_with_reflectors,
    put_resource,
    set_mesh,
)

pytestmark = pytest.mark.long
SIZE = 5


@pytest.fixture
def world() -> World:
    """A mesh at rest."""
    cluster = mesh(SIZE, seed=11)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(150 * SECOND)
    return cluster


def watch(world: World, duration_ns: int) -> None:
    """Let time pass; at no moment may a route be missing anywhere."""
    end = world.clock.now + duration_ns
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert converged(world, SIZE), f"at {(world.clock.now - end) / SECOND:.4f} s before the end"
    world.clock.now = max(world.clock.now, end)


@pytest.mark.parametrize("lived_ms", [3, 10, 30, 300, 3000])
def test_an_agent_that_is_killed_again_before_it_has_spoken(world: World, lived_ms: int) -> None:
    node = world.nodes["node-4"]
    node.kill()
    watch(world, 4 * SECOND)
    node.start()
    watch(world, lived_ms * MILLISECOND)
    node.kill()
    watch(world, 4 * SECOND)
    node.start()
    watch(world, 300 * SECOND)


def test_an_agent_that_has_five_minutes_for_its_restart_takes_half_of_them(world: World) -> None:
    spec: dict[str, object] = {"nodeMeshMaxRestartTime": "300s"}
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", spec)
    world.run_for(60 * SECOND)
    nodes = list(world.nodes.values())
    for node in nodes:
        node.kill()
    watch(world, SECOND)
    for node in nodes[1:]:
        node.start()
    watch(world, 150 * SECOND)
    nodes[0].start()
    watch(world, 20 * SECOND)


@pytest.fixture
def reflected() -> World:
    """Everybody is in session with node-1 and node-2 alone, at rest."""
    cluster = mesh(SIZE, seed=12)
    for number in (1, 2):
        make_reflector(cluster, number)
    peer_with_reflectors(cluster)
    set_mesh(cluster, enabled=False)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(150 * SECOND)
    return cluster


@pytest.mark.parametrize(
    "started_at",
    [(1, 1, 1, 1, 1), (2, 1, 1, 1, 40), (1, 30, 2, 15, 3), (50, 110, 1, 20, 2)],
    ids=["together", "one is late", "one after the other", "the reflectors are late"],
)
def test_all_agents_restart_and_hear_of_each_other_by_reflectors(
    reflected: World, started_at: tuple[int, ...]
) -> None:
    nodes = list(reflected.nodes.values())
    for node in nodes:
        node.kill()
    began = reflected.clock.now
    for seconds, node in sorted(zip(started_at, nodes, strict=True), key=lambda each: each[0]):
        watch(reflected, began + seconds * SECOND - reflected.clock.now)
        node.start()
    watch(reflected, 400 * SECOND)
    assert all(node.agent.statistics().fib.wanted == 2 * SIZE for node in nodes)


@pytest.mark.parametrize("later_ms", [100, 30_000])
def test_an_agent_that_starts_between_the_end_of_the_mesh_and_what_replaces_it(
    world: World, later_ms: int
) -> None:
    set_mesh(world, enabled=False)
    watch(world, SECOND)
    node = world.nodes["node-4"]
    node.kill()
    watch(world, SECOND)
    node.start()
    watch(world, later_ms * MILLISECOND)
    make_reflector(world, 1)
    peer_with_reflectors(world)
    watch(world, 200 * SECOND)
    assert world.established() == 2 * (SIZE - 1)


@pytest.mark.parametrize("later_ms", [100, 5_000])
def test_an_agent_that_starts_between_two_writes_that_change_some_of_its_peers(
    world: World, later_ms: int
) -> None:
    make_reflector(world, 1)
    watch(world, SECOND)
    node = world.nodes["node-4"]
    node.kill()
    watch(world, SECOND)
    node.start()
    watch(world, later_ms * MILLISECOND)
    peer_with_reflectors(world)
    watch(world, 200 * SECOND)
    assert world.established() == SIZE * (SIZE - 1)
