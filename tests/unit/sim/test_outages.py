"""Half of the nodes do not hear of a change of topology, for longer than anything waits; no route is lost."""

import pytest

from felixbgp.sim.world import SECOND, World
from tests.support.cluster import converged, make_reflector, mesh, peer_with_reflectors, set_mesh
from tests.unit.sim.test_draining import watch

SIZE = 5
CUT_OFF = ("node-4", "node-5")


@pytest.fixture
def world() -> World:
    cluster = mesh(SIZE, seed=3)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    return cluster


def test_the_mesh_gives_way_to_reflectors_while_half_of_the_nodes_are_cut_off(world: World) -> None:
    """When they hear of it again, one of them is away."""
    for name in CUT_OFF:
        world.store.isolate(name, "cut off")
    watch(world, 20 * SECOND)
    for number in (1, 2):
        make_reflector(world, number)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    watch(world, 400 * SECOND)
    for name in CUT_OFF:
        world.store.rejoin(name)
    world.nodes["node-4"].kill()
    watch(world, 5 * SECOND)
    world.nodes["node-4"].start()
    watch(world, 200 * SECOND)
    assert world.established() == 2 * (2 * (SIZE - 2) + 1)
