"""An agent that starts without a store runs from what was kept, and catches up; no kernel loses a route."""

import json
from itertools import pairwise

import pytest

from felixbgp.agent.config import DRAINING_SECONDS
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.cluster.facts import LastKnownStateReplaced, LastKnownStateUsed
from felixbgp.cluster.inputs import SnapshotReceived, StateRecovered, StoreInput
from felixbgp.cluster.secrets import SECRETS
from felixbgp.cluster.state import watched_prefixes
from felixbgp.sim.node import Node
from felixbgp.sim.world import SECOND, World
from felixbgp.status.node_status import DatastoreCondition
from tests.support.cluster import RESOURCES, add_node, converged, mesh, put_resource

SIZE = 3
FILTERS = 300
LIMIT_NS = 60 * SECOND
PASSWORD = {"password": {"secretKeyRef": {"name": "bgp", "key": "mesh"}}}


def kept(world: World, name: str, *optional: str) -> StateRecovered:
    """What a node would have kept of the store as it is now."""
    heard: list[StoreInput] = []
    world.store.watch(f"keeper of {name}", (*watched_prefixes(name), *optional), heard.append)
    world.run_for(SECOND // 10)
    world.store.unwatch(f"keeper of {name}")
    snapshots = tuple(event for event in heard if isinstance(event, SnapshotReceived))
    return StateRecovered(snapshots, world.store.revision, world.clock.now)


def start_without_store(world: World, state: StateRecovered) -> Node:
    """Node 1 begins a new life three seconds before it is given what was kept."""
    node = world.nodes["node-1"]
    node.kill()
    if world.store.is_available:
        world.store.fail("no route to host")
    node.facts.clear()
    node.start()
    world.run_for(3 * SECOND)
    node._feed(state, node._life)
    return node


def watch(world: World, until_ns: int) -> None:
    """Let time pass; at no moment may a route be missing anywhere."""
    while (upcoming := world.clock.next_time()) is not None and upcoming <= until_ns:
        world.clock.step()
        assert converged(world, SIZE)


def sessions(node: Node) -> list[str]:
    return [
        f"{fact.old} {fact.new}"
        for fact in node.facts
        if isinstance(fact, SessionStateChanged) and "Established" in (fact.old, fact.new)
    ]


def established(node: Node) -> int:
    return node.agent.statistics().speaker.peers_established


def condition(world: World, node: Node) -> DatastoreCondition:
    return node.agent.status(world.clock.now).datastore.condition


@pytest.fixture
def world() -> World:
    made = mesh(SIZE, 7)
    made.run_until(lambda: converged(made, SIZE), LIMIT_NS)
    return made


def test_it_gets_sessions_and_routes_and_says_what_it_runs_from(world: World) -> None:
    state = kept(world, "node-1")
    world.nodes["node-1"].kernel.routes()
    node = start_without_store(world, state)
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    watch(world, world.clock.now + 300 * SECOND)
    told = node.agent.status(world.clock.now).datastore
    assert told.condition is DatastoreCondition.RECOVERED
    assert told.recovered == (state.revision, state.written_at)
    assert LastKnownStateUsed in map(type, node.facts)
    assert node.agent.statistics().in_sync


def test_what_is_the_same_causes_no_reset_and_no_change_of_a_route(world: World) -> None:
    node = start_without_store(world, kept(world, "node-1"))
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    world.run_for(30 * SECOND)
    writes = node.agent.statistics().fib
    node.facts.clear()
    world.store.recover()
    watch(world, world.clock.now + 300 * SECOND)
    assert condition(world, node) is DatastoreCondition.IN_SYNC
    assert sessions(node) == []
    assert LastKnownStateReplaced in map(type, node.facts)
    assert node.agent.statistics().fib == writes


def test_what_changed_meanwhile_takes_effect_and_nothing_else_moves(world: World) -> None:
    node = start_without_store(world, kept(world, "node-1"))
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    node.facts.clear()
    add_node(world, SIZE + 1)
    world.store.recover()
    world.run_until(lambda: converged(world, SIZE + 1), LIMIT_NS)
    assert sessions(node) == ["OpenConfirm Established"] * 2


def test_what_went_meanwhile_goes(world: World) -> None:
    state = kept(world, "node-1")
    node = start_without_store(world, state)
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    world.nodes.pop("node-3").kill()
    world.store.delete(f"{RESOURCES}/nodes/node-3")
    world.store.recover()
    world.run_until(lambda: len(node.kernel.routes()) == 2 * (SIZE - 1), LIMIT_NS)
    assert established(node) == 2


def test_a_store_from_an_older_backup_is_believed_as_it_is(world: World) -> None:
    state = kept(world, "node-1")
    newer = tuple(SnapshotReceived(one.prefix, 1_000_000, one.values) for one in state.snapshots)
    node = start_without_store(world, StateRecovered(newer, 1_000_000, world.clock.now))
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    world.store.recover()
    world.run_until(lambda: condition(world, node) is DatastoreCondition.IN_SYNC, LIMIT_NS)
    assert node.agent.statistics().revision == world.store.revision < 1_000_000
    # And what is written there afterwards counts, though the revision is lower than the recovered one.
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", {"nodeToNodeMeshEnabled": False})
    world.run_until(lambda: established(node) == 0, LIMIT_NS + DRAINING_SECONDS * SECOND)


def test_no_route_of_a_former_life_is_swept_before_the_store_was_heard(world: World) -> None:
    """A peer that the kept state does not know yet has its routes in the kernel; it is named by the store.

    Of which there is so much that it is read in several steps, the peer last.
    """
    state = kept(world, "node-1")
    rule = {"action": "Accept", "cidr": "10.9.0.0/16", "matchOperator": "In"}
    for number in range(FILTERS):
        put_resource(world, "BGPFilter", "bgpfilters", f"filter-{number}", {"importV4": [rule]})
    add_node(world, SIZE + 1)
    world.run_until(lambda: converged(world, SIZE + 1), LIMIT_NS)
    node = start_without_store(world, state)
    end = world.clock.now + 600 * SECOND
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert len(node.kernel.routes()) == 2 * (SIZE + 1)
    world.store.recover()
    end = world.clock.now + 300 * SECOND
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        assert len(node.kernel.routes()) == 2 * (SIZE + 1)
    assert established(node) == 2 * SIZE


def with_passwords(world: World, password: bytes) -> None:
    spec: dict[str, object] = {"nodeMeshPassword": PASSWORD["password"], "nodeToNodeMeshEnabled": True}
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", spec)
    world.store.put(f"{SECRETS}bgp/mesh", password)


def test_passwords_of_the_store_are_recovered_too(world: World) -> None:
    with_passwords(world, b"correct horse")
    world.run_until(lambda: established(world.nodes["node-1"]) == 0, LIMIT_NS)
    world.run_until(lambda: world.established() == SIZE * (SIZE - 1), LIMIT_NS)
    node = start_without_store(world, kept(world, "node-1", SECRETS))
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)
    node.facts.clear()
    world.store.recover()
    world.run_for(30 * SECOND)
    assert sessions(node) == []


def test_without_its_password_a_session_stays_down_and_the_status_says_where_it_was_looked_for(
    world: World,
) -> None:
    with_passwords(world, b"correct horse")
    world.run_for(10 * SECOND)
    node = start_without_store(world, kept(world, "node-1"))
    world.run_until(lambda: node.agent.statistics().in_sync, LIMIT_NS)
    world.run_for(20 * SECOND)
    assert established(node) == 0
    problems = json.dumps([problem.reason for problem in node.agent.status(world.clock.now).problems])
    assert "nothing of this is kept on the node" in problems
    world.store.recover()
    world.run_until(lambda: established(node) == 2 * (SIZE - 1), LIMIT_NS)


def test_the_agent_rests_while_it_waits(world: World) -> None:
    """It asks for no turn again and again for what only the store can say."""
    node = start_without_store(world, kept(world, "node-1"))
    world.run_for(300 * SECOND)
    deadlines = []
    for _ in range(20):
        deadline = node.agent.next_deadline()
        assert deadline is not None
        deadlines.append(deadline)
        world.run_for(max(0, deadline - world.clock.now) + SECOND)
    assert all(later > earlier for earlier, later in pairwise(deadlines))
