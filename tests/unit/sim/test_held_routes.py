"""What is held of a peer that was drained, when it is wanted again before it is back."""

import pytest

from felixbgp.net import Prefix
from felixbgp.sim.operators import Patch
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import converged, mesh, set_mesh

THEIRS = Prefix.parse("10.0.2.0/26")


@pytest.fixture
def world() -> World:
    """A mesh of three that nobody wants any more, and node-2 has died since."""
    cluster = mesh(3, seed=5, draining_seconds=120)
    cluster.run_until(lambda: converged(cluster, 3), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    set_mesh(cluster, enabled=False)
    cluster.run_for(2 * SECOND)
    cluster.nodes["node-2"].kill()
    cluster.run_for(2 * SECOND)
    return cluster


def has_route(world: World) -> bool:
    return THEIRS in world.nodes["node-1"].kernel.routes()


def test_it_goes_after_the_restart_time_where_its_node_does_not_come_back(world: World) -> None:
    set_mesh(world, enabled=True)
    world.run_for(110 * SECOND)
    assert has_route(world)
    world.run_for(20 * SECOND)
    assert not has_route(world)


def test_it_stays_until_the_peer_has_said_what_it_has(world: World) -> None:
    # The agent comes back to a cluster without a mesh, and for the one that follows it is no restart.
    world.nodes["node-2"].start()
    world.run_for(20 * SECOND)
    set_mesh(world, enabled=True)
    end = world.clock.now + 60 * SECOND
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.step()
        assert has_route(world)
    assert world.established() == 6


def test_it_goes_too_where_the_peer_is_wanted_again_as_another(world: World) -> None:
    own = {"spec": {"bgp": {"asNumber": 64700}}}
    Patch("Node", "node-1", own).do(world)
    set_mesh(world, enabled=True)
    world.run_for(110 * SECOND)
    assert has_route(world)
    world.run_for(20 * SECOND)
    assert not has_route(world)
