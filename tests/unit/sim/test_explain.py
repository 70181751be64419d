"""`felixbgp explain` across a cluster: what each node says, and what that means for another."""

import pytest
from pydantic import TypeAdapter

from felixbgp.agent.config import ROUTE_METRIC
from felixbgp.cli.explain_report import NodeAnswer, decode, render, with_withholders
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.sim.kernel import LINK
from felixbgp.sim.world import SECOND, World
from felixbgp.status.explanation import Explanation, KernelOutcome, PathOutcome, ToldOutcome
from tests.support.cluster import RESOURCES, converged, mesh, put_resource

BLOCK = "10.0.2.0/26"
PREFIX = Prefix.parse(BLOCK)


@pytest.fixture
def world() -> World:
    cluster = mesh(3, seed=3)
    cluster.run_until(lambda: converged(cluster, 3), limit_ns=60 * SECOND)
    cluster.run_for(SECOND)
    return cluster


def ask(world: World) -> dict[str, NodeAnswer]:
    """Ask all nodes, as the command does."""
    answers = [NodeAnswer(name, world.nodes[name].agent.explain(PREFIX)) for name in sorted(world.nodes)]
    return {answer.node: answer for answer in with_withholders(answers)}


def put_filtered_peer(world: World) -> None:
    """Node-2 tells node-1 nothing of its block, by the only rule of a filter."""
    rule = {"action": "Reject", "matchOperator": "In", "cidr": BLOCK}
    put_resource(world, "BGPFilter", "bgpfilters", "keep", {"exportV4": [rule]})
    spec: dict[str, object] = {
        "node": "node-2",
        "peerIP": "172.30.0.1",
        "asNumber": 64512,
        "filters": ["keep"],
    }
    put_resource(world, "BGPPeer", "bgppeers", "kept", spec)
    world.run_for(10 * SECOND)


def test_a_block_is_selected_everywhere_and_told_by_its_node_alone(world: World) -> None:
    answers = ask(world)
    for name in ("node-1", "node-3"):
        found = answers[name].explanation
        assert found is not None
        assert [(one.outcome, one.node, one.step) for one in found.paths] == [
            (PathOutcome.SELECTED, "node-2", "ONLY_PATH")
        ]
        assert found.kernel.outcome is KernelOutcome.INSTALLED
        assert {one.outcome for session in found.sessions for one in session.told} == {ToldOutcome.WITHHELD}
    owner = answers["node-2"].explanation
    assert owner is not None
    assert {one.outcome for session in owner.sessions for one in session.told} == {ToldOutcome.TOLD}
    assert all(answer.withheld == () for answer in answers.values())


def test_what_never_arrived_names_the_node_the_rule_and_the_revision_that_kept_it_back(world: World) -> None:
    put_filtered_peer(world)
    answer = ask(world)["node-1"]
    assert answer.explanation is not None
    assert answer.explanation.paths == ()
    first = answer.withheld[0]
    assert (first.node, first.reason) == ("node-2", "filter keep export rule 1")
    assert first.decider is not None
    assert first.decider.resource == "BGPFilter/keep"
    assert first.decider.revision == world.store.contents()[f"{RESOURCES}/bgpfilters/keep"].revision
    assert [one.node for one in answer.withheld] == ["node-2", "node-3"]
    assert answer.withheld[1].reason == (
        "learned over iBGP; only a route reflector passes it on, from or to clients (RFC 4271 §9.2, 4456)"
    )
    text = render(answer)
    assert f"{BLOCK} never arrived: withheld by node-2: filter keep export rule 1" in text
    assert f"(BGPFilter/keep of revision {first.decider.revision})" in text


def test_an_address_inside_a_block_names_the_block(world: World) -> None:
    for name in sorted(world.nodes):
        found = world.nodes[name].agent.explain(Prefix.parse("10.0.2.5/32"))
        assert (found.paths, found.covering) == ((), BLOCK)
        assert world.nodes[name].agent.explain(PREFIX).covering == ""
        assert world.nodes[name].agent.explain(Prefix.parse("192.0.2.0/24")).covering == ""


def test_a_node_whose_session_is_down_is_named(world: World) -> None:
    world.nodes["node-1"].kill()
    world.run_for(SECOND)
    world.network.cut("node-1", "node-2")
    world.nodes["node-1"].start()
    world.run_for(10 * SECOND)
    answer = ask(world)["node-1"]
    assert ("node-2", "the session is ") in [(one.node, one.reason[:15]) for one in answer.withheld]


def test_a_conflict_in_the_kernel_is_told_by_the_node_that_has_it(world: World) -> None:
    node = world.nodes["node-1"]
    way = Route(RouteKind.UNICAST, (NextHop(Address.parse("172.30.0.3"), LINK),), ROUTE_METRIC)
    node.kernel_changed(KernelRoute(PREFIX, way, 4), present=True)
    world.run_for(SECOND)
    found = ask(world)["node-1"].explanation
    assert found is not None
    assert found.kernel.outcome is KernelOutcome.CONFLICT
    assert "CONFLICT: protocol static has a route" in render(NodeAnswer("node-1", found))


def test_to_ask_changes_nothing() -> None:
    """Two worlds of one seed, of which one is asked all the time, do the same to the last octet."""
    digests = []
    for asks in (False, True):
        cluster = mesh(3, seed=9)
        for step in range(1500):
            cluster.step()
            if asks and step % 5 == 0:
                for node in cluster.nodes.values():
                    node.agent.explain(PREFIX)
                    node.agent.readiness(cluster.clock.now)
        digests.append(cluster.digest())
    assert digests[0] == digests[1]


def test_an_answer_can_be_read_by_another_version(world: World) -> None:
    found = ask(world)["node-1"].explanation
    assert found is not None
    value = TypeAdapter(Explanation).dump_json(found, by_alias=True)
    assert decode(value) == found
    assert decode(value.replace(b'"node":', b'"unheard":1,"node":', 1)) == found
