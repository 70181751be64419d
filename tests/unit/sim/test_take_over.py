"""What another daemon left in a node's kernel is taken over, and no route is missing at any moment."""

from felixbgp.fib.types import KernelRoute
from felixbgp.net import Prefix
from felixbgp.sim.kernel import Kernel
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import converged, mesh

SIZE = 5
BIRD, BIRD_METRIC = 12, 32
GONE = Prefix.parse("10.0.99.0/26")


def leave_to_bird(kernel: Kernel) -> None:
    """Have the kernel as if BIRD had written all that was ours, and one route that nobody has any more."""
    routes = kernel.routes()
    for prefix, route in routes.items():
        kernel.change(KernelRoute(prefix, route, kernel.protocol), present=False)
        kernel.change(KernelRoute(prefix, route._replace(metric=BIRD_METRIC), BIRD), present=True)
    some = next(route for route in routes.values() if route.next_hops and route.next_hops[0].gateway)
    kernel.change(KernelRoute(GONE, some._replace(metric=BIRD_METRIC), BIRD), present=True)


def watch(world: World, name: str, wanted: set[Prefix], duration_ns: int) -> None:
    """Let time pass; the node's kernel has a route of ours to each of these at every moment."""
    end = world.clock.now + duration_ns
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert wanted <= world.nodes[name].kernel.routes().keys()
        others = [node for node in world.nodes.values() if node.name != name]
        assert all(len(node.kernel.routes()) == 2 * SIZE for node in others)


def test_birds_routes_forward_until_ours_are_there_and_only_then_go() -> None:
    world = mesh(SIZE, seed=17)
    world.run_until(lambda: converged(world, SIZE), limit_ns=60 * SECOND)
    world.run_for(60 * SECOND)
    node = world.nodes["node-3"]
    wanted = set(node.kernel.routes())
    node.kill()
    leave_to_bird(node.kernel)
    node.kernel.take_over([BIRD])
    assert node.kernel.routes().keys() == wanted | {GONE}
    node.start()
    watch(world, "node-3", wanted, 150 * SECOND)
    assert converged(world, SIZE)
    assert {route.metric for route in node.kernel.routes().values()} != {BIRD_METRIC}
    assert GONE not in node.kernel.routes()


def test_routes_that_are_not_taken_over_stay_somebody_elses() -> None:
    world = mesh(SIZE, seed=17)
    world.run_until(lambda: converged(world, SIZE), limit_ns=60 * SECOND)
    node = world.nodes["node-3"]
    node.kill()
    leave_to_bird(node.kernel)
    assert node.kernel.routes() == {}
    node.start()
    world.run_for(150 * SECOND)
    assert GONE not in node.kernel.routes()
    assert any(route.protocol == BIRD for snapshot in node.kernel.snapshots() for route in snapshot.routes)
