"""Nodes that are drained and stopped: no kernel misses a route, and what nobody else has is waited for."""

from collections.abc import Callable, Iterable

import pytest

from felixbgp.cli.drain_proof import Proof, Scene, proof_of
from felixbgp.cli.node_report import NodeReport
from felixbgp.cluster.drains import Drain, DrainPhase, drain_key
from felixbgp.net import Address, Prefix
from felixbgp.sim.world import SECOND, World
from felixbgp.status import drain_document
from felixbgp.status.document import AgentAlive
from tests.support.cluster import converged, mesh
from tests.unit.sim.test_draining import blocks, make_reflector, peer_with_reflectors, set_mesh

SIZE = 5
SETTLING_NS = 10 * SECOND
SERVICES = Prefix.parse("10.96.0.0/16")


def ask(world: World, node: str, phase: DrainPhase, drain: str = "d1") -> Scene:
    """Write what the command writes; gives what it looks at from now on."""
    wanted = Drain(drain, phase, 0, "a test")
    world.store.put(drain_key(node), drain_document.encode(wanted))
    return scene(world, node, wanted)


def scene(world: World, node: str, drain: Drain) -> Scene:
    numbers = {name: int(name.removeprefix("node-")) for name in world.nodes}
    return Scene(
        node,
        drain,
        {
            name: (Address.parse(f"172.30.0.{number}"), Address.parse(f"fd30::{number:x}"))
            for name, number in numbers.items()
        },
        {
            name: NodeReport(name, AgentAlive("1", 1), each.status)
            for name, each in world.nodes.items()
            if each.status is not None
        },
    )


def proof(world: World, seen: Scene) -> Proof:
    return proof_of(scene(world, seen.node, seen.drain))


def watch(world: World, condition: Callable[[], bool], limit_ns: int, holds: Callable[[], bool]) -> None:
    """Let time pass until the condition is true; at every step everything holds."""
    end = world.clock.now + limit_ns
    while not condition():
        upcoming = world.clock.next_time()
        assert upcoming is not None
        assert upcoming <= end, "not reached"
        world.clock.step()
        assert holds(), f"at {world.clock.now / SECOND:.3f} s"


def watch_for(world: World, duration_ns: int, holds: Callable[[], bool]) -> None:
    end = world.clock.now + duration_ns
    world.clock.call_at(end, lambda: None)
    watch(world, lambda: world.clock.now >= end, duration_ns, holds)


def all_have(world: World, *wanted: Iterable[Prefix]) -> Callable[[], bool]:
    """Whether every kernel, but for that of node-1, has routes to all of these."""
    prefixes = frozenset(prefix for each in wanted for prefix in each)
    kernels = [node.kernel for name, node in world.nodes.items() if name != "node-1"]
    return lambda: all(prefixes <= kernel.routes().keys() for kernel in kernels)


def drain(world: World, node: str, holds: Callable[[], bool]) -> None:
    """What the command does: announce, wait for the proof and a while, withdraw, wait until all is gone."""
    announced = ask(world, node, DrainPhase.ANNOUNCE)
    watch(world, lambda: proof(world, announced).holds, 60 * SECOND, holds)
    watch_for(world, SETTLING_NS, holds)
    assert proof(world, announced) == ((), ())
    withdrawn = ask(world, node, DrainPhase.WITHDRAW)
    watch(world, lambda: proof(world, withdrawn).holds, 60 * SECOND, holds)


def reflected(seed: int = 11) -> World:
    """Two reflectors, and three clients."""
    world = mesh(SIZE, seed=seed, draining_seconds=120)
    for number in (1, 2):
        make_reflector(world, number)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    world.run_until(lambda: converged(world, SIZE), limit_ns=60 * SECOND)
    world.run_for(180 * SECOND)
    assert converged(world, SIZE)
    return world


@pytest.mark.parametrize("seed", [11, 12])
def test_a_reflector_of_two_is_drained_and_stopped(seed: int) -> None:
    world = reflected(seed)
    holds = all_have(world, *(blocks(number) for number in (2, 3, 4, 5)))
    drain(world, "node-1", holds)
    world.nodes["node-1"].kill()
    watch_for(world, 200 * SECOND, holds)
    status = world.nodes["node-3"].status
    assert status is not None
    assert [peer.prefixes_received for peer in status.peers if peer.draining is not None] == [0, 0]
