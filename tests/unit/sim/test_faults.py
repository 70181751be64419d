"""What goes wrong with kernels, agents and machines, and what operators do, in a cluster of three."""

from errno import EBUSY

import pytest

from felixbgp.agent.effects import Fact
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.fib.types import KernelUnheard
from felixbgp.net import Prefix
from felixbgp.sim import machines, operators
from felixbgp.sim.faults import (
    Bad,
    Clog,
    Compact,
    Deafen,
    Forget,
    GoBack,
    Isolate,
    Kill,
    LastingFault,
    Lose,
    Partition,
    Refuse,
    Reset,
    Silence,
    Slow,
    Stop,
    TurnOff,
)
from felixbgp.sim.links import Trouble
from felixbgp.sim.machines import Machine
from felixbgp.sim.operators import AddNode, Block, Delete, Patch, Put, Recreate, RemoveNode
from felixbgp.sim.world import SECOND, World
from felixbgp.status.keys import alive_key

BLOCK = Prefix.parse("10.0.2.0/26")


def cluster(size: int = 3) -> World:
    world = World(1, draining_seconds=120, is_traced=False)
    Put("IPPool", "v4", {"cidr": "10.0.0.0/8"}).do(world)
    Put("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": True}).do(world)
    for number in range(1, size + 1):
        AddNode(Machine(number=number), (f"10.0.{number}.0/26",), {"rack": "a"}).do(world)
    world.run_until(lambda: is_whole(world, size), limit_ns=60 * SECOND)
    world.run_for(5 * SECOND)
    return world


def is_whole(world: World, size: int = 3) -> bool:
    return all(len(node.kernel.routes()) == size for node in world.nodes.values())


def downs(world: World) -> int:
    """How many ends of sessions were lost."""
    facts: list[Fact] = [fact for node in world.nodes.values() for fact in node.facts]
    return sum(isinstance(fact, SessionStateChanged) and fact.old == "Established" for fact in facts)


@pytest.fixture
def world() -> World:
    return cluster()


LASTING: list[LastingFault] = [
    Partition(("node-1",), ("node-2", "node-3")),
    Clog("node-1", "node-2"),
    Bad(Trouble.CHOPPED, "node-1", "node-2"),
    Silence(("node-1", "node-2", "node-3")),
    Isolate(("node-1",)),
    Slow("node-1", 3000),
    GoBack(),
    Refuse("node-1", EBUSY),
    Deafen("node-1"),
    Kill("node-1"),
    Stop("node-1"),
    TurnOff("node-1"),
]


@pytest.mark.parametrize("fault", LASTING, ids=lambda fault: type(fault).__name__)
def test_each_fault_ends_without_a_trace(world: World, fault: LastingFault) -> None:
    end = fault.begin(world)
    world.run_for(2 * SECOND)
    end()
    world.run_for(30 * SECOND)
    assert is_whole(world)
    assert world.network.links.is_sound()
    assert world.store.is_sound()


@pytest.mark.parametrize("fault", LASTING, ids=lambda fault: type(fault).__name__)
def test_of_two_that_overlap_the_last_counts(world: World, fault: LastingFault) -> None:
    ends = [fault.begin(world), fault.begin(world)]
    ends[0]()
    world.run_for(SECOND)
    ends[1]()
    world.run_for(30 * SECOND)
    assert is_whole(world)


def test_a_partition_is_between_the_two_sets_alone(world: World) -> None:
    Partition(("node-1",), ("node-2",)).begin(world)
    world.run_for(100 * SECOND)
    assert downs(world) == 2


def test_resets_and_lost_ends_cost_the_session_and_it_comes_back(world: World) -> None:
    Reset("node-1", "node-2").do(world)
    world.run_for(30 * SECOND)
    assert downs(world) == 2
    Forget("node-1", "node-3").do(world)
    world.run_for(60 * SECOND)
    assert downs(world) == 4
    assert world.established() == 3
    assert is_whole(world)


def test_routes_that_somebody_deleted_are_written_again(world: World) -> None:
    Lose("node-1", 0, 1).do(world)
    assert world.nodes["node-1"].kernel.routes() == {}
    world.run_for(5 * SECOND)
    assert is_whole(world)


def test_who_was_deaf_is_told_of_what_it_missed(world: World) -> None:
    end = Deafen("node-1").begin(world)
    Lose("node-1", 1, 2).do(world)
    world.run_for(5 * SECOND)
    assert not is_whole(world)
    end()
    world.run_for(5 * SECOND)
    assert is_whole(world)
    assert any(isinstance(fact, KernelUnheard) for fact in world.nodes["node-1"].facts)


def test_a_kernel_can_refuse_one_prefix(world: World) -> None:
    Refuse("node-1", EBUSY, (str(BLOCK),)).begin(world)
    Lose("node-1", 0, 1).do(world)
    world.run_for(5 * SECOND)
    assert BLOCK not in world.nodes["node-1"].kernel.routes()
    assert len(world.nodes["node-1"].kernel.routes()) == 2


def test_the_dead_leave_their_key_in_the_store_for_a_while_and_the_stopped_do_not(world: World) -> None:
    Kill("node-1").begin(world)
    Stop("node-2").begin(world)
    world.run_for(5 * SECOND)
    keys = [alive_key(f"node-{number}") for number in (1, 2, 3)]
    assert [world.store.get(key) is not None for key in keys] == [True, False, True]
    world.run_for(15 * SECOND)
    assert [world.store.get(key) is not None for key in keys] == [False, False, True]


def test_a_machine_without_power_loses_its_routes_and_its_peers_hear_nothing(world: World) -> None:
    end = TurnOff("node-1").begin(world)
    assert world.nodes["node-1"].kernel.routes() == {}
    assert world.nodes["node-1"].is_off
    world.run_for(3 * SECOND)
    assert downs(world) == 0
    end()
    assert world.nodes["node-1"].is_alive
    world.run_for(60 * SECOND)
    assert is_whole(world)


def test_a_backup_that_is_put_back_undoes_what_operators_did(world: World) -> None:
    end = GoBack().begin(world)
    Block(2, "10.0.2.64/26").do(world)
    world.run_for(5 * SECOND)
    assert is_whole(world, 4)
    end()
    world.run_for(10 * SECOND)
    assert is_whole(world, 3)


def test_operators_patch_what_is_there_and_nothing_else(world: World) -> None:
    Patch("Node", "node-1", {"metadata": {"labels": {"rack": None}}}).do(world)
    stored = world.store.get("/calico/resources/v3/projectcalico.org/nodes/node-1")
    assert stored is not None
    assert b"rack" not in stored
    revision = world.store.revision
    Patch("Node", "node-9", {"spec": {}}).do(world)
    assert world.store.revision == revision


def test_a_resource_is_deleted_and_created_again_unless_somebody_else_did(world: World) -> None:
    key = "/calico/resources/v3/projectcalico.org/ippools/v4"
    before = world.store.get(key)
    end = Recreate("IPPool", "v4").begin(world)
    assert world.store.get(key) is None
    end()
    assert world.store.get(key) == before
    end = Recreate("IPPool", "v4").begin(world)
    Put("IPPool", "v4", {"cidr": "10.0.0.0/9"}).do(world)
    end()
    assert world.store.get(key) != before
    Delete("IPPool", "v4").do(world)
    assert world.store.get(key) is None


def test_nodes_join_and_leave(world: World) -> None:
    RemoveNode(2).do(world)
    world.run_for(30 * SECOND)
    assert "node-2" not in world.nodes
    assert not any("node-2" in key for key in world.store.contents())
    assert is_whole(world, 2)
    Compact().do(world)
    AddNode(Machine(number=4), ("10.0.4.0/26",)).do(world)
    world.run_for(30 * SECOND)
    assert is_whole(world, 3)


def test_faults_of_machines_that_are_not_there_do_nothing(world: World) -> None:
    RemoveNode(3).do(world)
    faults: list[LastingFault] = [Refuse("node-3", EBUSY), Deafen("node-3"), Kill("node-3"), Stop("node-3")]
    for fault in faults:
        fault.begin(world)()
    Lose("node-3", 0, 1).do(world)
    assert "node-3" not in world.nodes


def test_addresses_and_blocks_of_machines_do_not_collide() -> None:
    numbers = [*range(1, 1100), machines.ROUTERS_FROM, machines.ROUTERS_FROM + 1]
    found = [Machine(number=number, is_dual=True).addresses for number in numbers]
    assert len({address for pair in found for address in pair}) == 2 * len(numbers)
    blocks = {
        machines.block_of(number, place, address.family)
        for number in range(1, 1100)
        for place in range(4)
        for address in found[0]
    }
    assert len(blocks) == 1099 * 4 * 2


def test_a_node_is_written_as_calico_writes_it() -> None:
    put = operators.node(Machine(number=7, is_dual=True), {"rack": "b"})
    assert put.spec == {"bgp": {"ipv4Address": "172.30.0.7/16", "ipv6Address": "fd30::7/64"}}
    assert put.labels == {"rack": "b"}
