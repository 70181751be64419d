"""Agents that end and come back, in any order and number: no kernel of the cluster loses a route."""

import pytest

from felixbgp.sim.world import MILLISECOND, SECOND, World
from tests.support.cluster import converged, mesh

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
