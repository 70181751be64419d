"""CalicoNodeStatuses in a cluster on a virtual clock: who fills them, when, and when not."""

import json
from typing import Any

from felixbgp.cluster.facts import ReadRefused
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.sim.world import MILLISECOND, SECOND, World
from tests.support.cluster import converged, mesh, put_resource

KEY = NODE_STATUSES + "my-status"


def ask(world: World, node: str = "node-1", period: int = 10, classes: tuple[str, ...] = ("BGP",)) -> None:
    spec: dict[str, object] = {"node": node, "classes": list(classes), "updatePeriodSeconds": period}
    put_resource(world, "CalicoNodeStatus", "caliconodestatuses", "my-status", spec)


def stored(world: World) -> dict[str, Any]:
    value = world.store.get(KEY)
    assert value is not None
    found: dict[str, Any] = json.loads(value)
    return found


def label(world: World) -> None:
    """Somebody else edits the object, and leaves the report alone."""
    edited = stored(world)
    edited["metadata"]["labels"] = {"edited": "yes"}
    world.store.put(KEY, json.dumps(edited).encode())


def two_nodes() -> World:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    return world


def test_a_created_one_is_filled_at_once_with_all_three_classes() -> None:
    world = two_nodes()
    ask(world, classes=("Agent", "BGP", "Routes"))
    world.run_until(lambda: "status" in stored(world), 10 * MILLISECOND)
    status = stored(world)["status"]
    assert [status["agent"][family]["state"] for family in ("birdV4", "birdV6")] == ["Ready", "Ready"]
    assert status["bgp"]["numberEstablishedV4"] == 1
    assert [peer["state"] for peer in status["bgp"]["peersV6"]] == ["Established"]
    assert [(route["destination"], route["gateway"]) for route in status["routes"]["routesV4"]] == [
        ("10.0.1.0/26", "N/A"),
        ("10.0.2.0/26", "172.30.0.2"),
        ("172.30.0.0/24", "N/A"),
    ]


def test_one_that_was_there_before_the_agent_is_filled_too() -> None:
    world = World(1)
    ask(world)
    for number, node in enumerate(("node-1", "node-2"), start=1):
        spec: dict[str, object] = {"bgp": {"ipv4Address": f"172.30.0.{number}/24"}}
        put_resource(world, "Node", "nodes", node, spec)
    world.add_node("node-1", [])
    world.run_until(lambda: "status" in stored(world), 60 * SECOND)
    assert stored(world)["status"]["bgp"]["peersV4"][0]["peerIP"] == "172.30.0.2"


def test_it_is_written_again_after_its_period_and_only_if_it_differs() -> None:
    world = two_nodes()
    ask(world)
    world.run_for(SECOND)
    before = world.store.revision
    world.run_for(60 * SECOND)
    assert world.store.revision == before
    world.nodes["node-2"].kill()
    world.run_for(9 * SECOND)
    world.run_for(SECOND)
    assert world.store.revision == before + 1
    assert stored(world)["status"]["bgp"]["numberEstablishedV4"] == 0


def test_a_period_of_0_is_one_report() -> None:
    world = two_nodes()
    ask(world, period=0)
    world.run_for(SECOND)
    before = stored(world)
    world.nodes["node-2"].kill()
    world.run_for(300 * SECOND)
    assert stored(world) == before


def test_another_spec_is_reported_at_once_and_classes_no_longer_wanted_go() -> None:
    world = two_nodes()
    ask(world, period=3600)
    world.run_for(SECOND)
    edited = stored(world)
    edited["spec"]["classes"] = ["Agent"]
    world.store.put(KEY, json.dumps(edited).encode())
    world.run_until(lambda: "agent" in stored(world)["status"], 10 * MILLISECOND)
    assert "bgp" not in stored(world)["status"]


def test_a_write_in_between_is_not_overwritten() -> None:
    world = two_nodes()
    ask(world)
    world.run_until(lambda: "status" in stored(world), SECOND)
    world.nodes["node-2"].kill()
    began = world.clock.now
    # The agent's next report is due before it hears of this.
    world.run_for(10 * SECOND - MILLISECOND)
    label(world)
    edited = world.store.revision
    world.run_for(MILLISECOND)
    assert world.store.revision == edited
    world.run_for(2 * SECOND)
    assert world.clock.now - began < 13 * SECOND
    found = stored(world)
    assert found["metadata"]["labels"] == {"edited": "yes"}
    assert found["status"]["bgp"]["numberEstablishedV4"] == 0


def test_a_deleted_one_stays_deleted() -> None:
    world = two_nodes()
    ask(world)
    world.run_for(SECOND)
    world.nodes["node-2"].kill()
    world.store.delete(KEY)
    world.run_for(60 * SECOND)
    assert world.store.get(KEY) is None


def test_another_nodes_reports_cause_nothing() -> None:
    world = two_nodes()
    ask(world, node="node-9")
    world.run_for(SECOND)
    traces = {name: node.trace.hexdigest() for name, node in world.nodes.items()}
    before = world.store.revision
    reported = stored(world) | {"status": {"lastUpdated": "2024-05-01T10:00:00Z"}}
    for _ in range(3):
        world.store.put(KEY, json.dumps(reported).encode())
    world.run_for(20 * MILLISECOND)
    assert {name: node.trace.hexdigest() for name, node in world.nodes.items()} == traces
    assert world.store.revision == before + 3
    assert stored(world) == reported


def test_an_outage_of_the_store_delays_a_report() -> None:
    world = two_nodes()
    world.store.fail("no answer")
    world.run_for(SECOND)
    ask(world, period=0)
    world.store.recover()
    world.run_until(lambda: "status" in stored(world), SECOND)


def test_a_report_that_failed_is_named_and_written_after_the_outage() -> None:
    world = two_nodes()
    ask(world, period=60)
    world.run_for(SECOND)
    world.nodes["node-2"].kill()
    world.store.fail("no answer")
    world.run_for(65 * SECOND)
    node = world.nodes["node-1"]
    assert [problem.subject for problem in node.agent.status(0).problems] == ["CalicoNodeStatus my-status"]
    world.store.recover()
    world.run_for(SECOND)
    assert stored(world)["status"]["bgp"]["numberEstablishedV4"] == 0
    assert node.agent.status(0).problems == ()


def test_whoever_may_not_read_them_does_everything_else() -> None:
    world = mesh(2, seed=1)
    world.store.close(NODE_STATUSES, "permission denied")
    ask(world)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    assert "status" not in stored(world)
    assert ReadRefused(NODE_STATUSES, "permission denied") in world.nodes["node-1"].facts
    world.store.open(NODE_STATUSES)
    world.run_until(lambda: "status" in stored(world), SECOND)


def test_an_invalid_one_is_named_by_its_node_alone() -> None:
    world = two_nodes()
    ask(world, classes=("Rotes",))
    world.run_for(2 * SECOND)
    problems = {
        name: [p.subject for p in node.agent.status(0).problems] for name, node in world.nodes.items()
    }
    assert problems == {"node-1": [KEY], "node-2": []}
