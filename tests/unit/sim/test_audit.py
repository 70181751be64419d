"""Audits in a cluster on a virtual clock whose kernels are changed without a word."""

import pytest

from felixbgp.agent.effects import AuditDiffered, AuditEnded
from felixbgp.cluster.facts import InvalidValue, ReadRefused
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.sim.node import Node
from felixbgp.sim.world import MILLISECOND, SECOND, World
from felixbgp.status import audit_document, keys
from felixbgp.status.audit import AuditAnswer, Kind, Outcome
from tests.support.cluster import converged, mesh

STATIC = 4
"""RTPROT_STATIC: somebody typed it."""
THEIRS = Prefix.parse("10.0.2.0/26")
"""The block of node-2, which node-1 learns."""
THEIRS_V6 = Prefix.parse("fd10::200/122")
STRAY = Prefix.parse("192.0.2.0/24")
"""What nobody wants."""


@pytest.fixture
def world() -> World:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    # The sweep of a former life's routes is over.
    world.run_for(10 * SECOND)
    return world


def ask(world: World, request: str = "one", value: bytes | None = None) -> None:
    asked = audit_document.encode_request("somebody") if value is None else value
    world.store.put(keys.audit_request_key("node-1", request), asked)


def answer(world: World) -> AuditAnswer | None:
    value = world.store.get(keys.audit_key("node-1"))
    return None if value is None else audit_document.decode(value)


def audited(world: World, request: str = "one") -> AuditAnswer:
    """What node-1 answers to a request of now."""
    ask(world, request)

    def is_answered() -> bool:
        found = answer(world)
        return found is not None and request in found.requests

    world.run_until(is_answered, 20 * SECOND)
    found = answer(world)
    assert found is not None
    return found


def silently(node: Node, prefix: Prefix, route: Route | None, protocol: int) -> None:
    """Change the kernel so that the agent does not hear of it; None removes what is there at our metric."""
    there = KernelRoute(prefix, route or Route(RouteKind.BLACKHOLE), protocol)
    node.kernel.change(there, present=route is not None)


def via(gateway: str) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(Address.parse(gateway)),))


def test_all_agree_in_a_cluster_at_rest(world: World) -> None:
    found = audited(world)
    assert found.agrees
    assert found.node == "node-1"
    assert (found.compared, found.differing, found.differences, found.failure) == (4, 0, (), "")
    assert (found.totals.originated, found.totals.selected, found.totals.wanted) == (2, 4, 4)
    assert found.totals.installed == 4


def test_what_was_changed_without_a_word_is_named_and_put_right(world: World) -> None:
    node = world.nodes["node-1"]
    before = node.kernel.routes()
    silently(node, THEIRS, None, node.kernel.protocol)
    silently(node, THEIRS_V6, via("fd30::9"), node.kernel.protocol)
    silently(node, STRAY, via("172.30.0.9"), node.kernel.protocol)

    found = audited(world)

    told = {(str(entry.prefix), entry.kind, entry.outcome) for entry in found.differences}
    assert told == {
        ("10.0.2.0/26", Kind.MISSING, Outcome.HEALED),
        ("fd10::200/122", Kind.DIFFERENT, Outcome.HEALED),
        ("192.0.2.0/24", Kind.UNWANTED, Outcome.HEALED),
    }
    assert (found.differing, found.healed, found.agrees) == (3, 3, False)
    assert node.kernel.routes() == before
    assert audited(world, "two").agrees


def test_the_views_of_a_difference_stand_side_by_side(world: World) -> None:
    node = world.nodes["node-1"]
    silently(node, THEIRS, via("172.30.0.9"), node.kernel.protocol)
    (difference,) = audited(world).differences
    assert difference.views.intent == ""
    assert difference.views.loc_rib == "from 172.30.0.2 via 172.30.0.2"
    assert difference.views.wanted == "via 172.30.0.2 dev eth0 metric 1024"
    assert difference.views.kernel == "via 172.30.0.9 metric 1024 proto 179"


def test_a_foreign_route_in_our_place_is_named_and_left_alone(world: World) -> None:
    node = world.nodes["node-1"]
    silently(node, THEIRS, via("172.30.0.9"), STATIC)
    for request in ("one", "two"):
        (difference,) = audited(world, request).differences
        assert (difference.prefix, difference.kind) == (THEIRS, Kind.CONFLICT)
        assert difference.outcome is Outcome.LEFT_ALONE
        assert "protocol static" in difference.reason
    assert THEIRS not in node.kernel.routes()
    silently(node, THEIRS, None, STATIC)
    assert [entry.outcome for entry in audited(world, "three").differences] == []
    assert THEIRS in node.kernel.routes()


def test_what_an_event_told_of_is_put_right_before_anybody_asks_and_told_then(world: World) -> None:
    node = world.nodes["node-1"]
    route = node.kernel.routes()[THEIRS]
    node.kernel_changed(KernelRoute(THEIRS, route, node.kernel.protocol), present=False)
    world.run_for(SECOND)
    found = audited(world)
    assert found.agrees
    assert found.repairs == 1
    assert [(entry.prefix, entry.found) for entry in found.repaired] == [(THEIRS, "")]
    assert found.repaired[0].wanted == "via 172.30.0.2 dev eth0 metric 1024"
    assert audited(world, "two").repairs == 0


def test_what_the_regular_reading_puts_right_is_in_the_status_and_told_to_who_asks_next(world: World) -> None:
    node = world.nodes["node-1"]
    node.read_kernel()
    world.run_for(2 * SECOND)
    assert node.status is not None
    assert node.status.audit is not None
    assert (node.status.audit.compared, node.status.audit.differing, node.status.audit.healed) == (4, 0, 0)
    since = node.status.audit.since
    world.run_for(10 * SECOND)

    silently(node, THEIRS, None, node.kernel.protocol)
    changed_at = world.clock.now
    node.read_kernel()
    world.run_for(4 * SECOND)
    assert THEIRS in node.kernel.routes()
    assert node.status.audit.since >= changed_at > since
    assert (node.status.audit.differing, node.status.audit.healed) == (0, 1)
    told = [fact for fact in node.facts if isinstance(fact, AuditDiffered)]
    assert [(fact.prefix, fact.kind, fact.outcome) for fact in told] == [(THEIRS, "Missing", "Healed")]

    found = audited(world)
    assert found.agrees
    assert [entry.prefix for entry in found.repaired] == [THEIRS]


def test_a_status_is_not_written_because_all_still_agree(world: World) -> None:
    node = world.nodes["node-1"]
    node.read_kernel()
    world.run_for(4 * SECOND)
    before = node.status
    world.run_for(10 * SECOND)
    node.read_kernel()
    world.run_for(4 * SECOND)
    assert node.status is before
    assert [fact for fact in node.facts if isinstance(fact, AuditEnded)] == []


def test_one_answer_answers_all_who_wait_and_no_more_than_one_a_second_is_given(world: World) -> None:
    first = audited(world)
    ask(world, "two")
    ask(world, "three")
    world.run_until(lambda: (answer(world) or first).requests == ("two", "three"), 20 * SECOND)
    second = answer(world)
    assert second is not None
    assert second.began - first.began >= SECOND


def test_a_request_is_answered_once_also_when_the_store_is_read_again(world: World) -> None:
    first = audited(world)
    world.store.fail("gone")
    world.run_for(SECOND)
    world.store.recover()
    world.run_for(5 * SECOND)
    found = answer(world)
    assert found is not None
    assert found.began == first.began


@pytest.mark.parametrize(
    ("request_id", "value", "reason"),
    [
        ("one", b"nonsense", "not JSON"),
        ("one", b"[]", "not a JSON object"),
        ("one", b'{"origin": 7}', "origin"),
        ("one", b'{"origin": "' + b"x" * 2000 + b'"}', "more than a request may have"),
        ("../alive", b"{}", "letters, digits and hyphens"),
        ("", b"{}", "letters, digits and hyphens"),
        ("x" * 65, b"{}", "letters, digits and hyphens"),
    ],
    ids=["no JSON", "no object", "wrong type", "too long", "no id", "empty id", "long id"],
)
def test_nonsense_is_ignored_with_a_reason_and_harms_nobody_else(
    world: World, request_id: str, value: bytes, reason: str
) -> None:
    ask(world, request_id, value)
    world.run_for(2 * SECOND)
    assert answer(world) is None
    (fact,) = [fact for fact in world.nodes["node-1"].facts if isinstance(fact, InvalidValue)]
    assert reason in str(fact.errors[0])
    assert audited(world, "good").agrees


def test_a_flood_of_nonsense_is_told_of_once_a_second(world: World) -> None:
    for number in range(100):
        ask(world, f"no {number}", b"")
    world.run_for(100 * MILLISECOND)
    assert len([fact for fact in world.nodes["node-1"].facts if isinstance(fact, InvalidValue)]) == 1


def test_a_store_that_forbids_to_read_requests_harms_nothing(world: World) -> None:
    prefix = keys.audit_requests_prefix("node-3")
    world.store.close(prefix, "permission denied")
    node = world.add_node("node-3", [])
    world.run_until(lambda: node.agent.statistics().in_sync, 10 * SECOND)
    world.run_for(SECOND)
    assert ReadRefused(prefix, "permission denied") in node.facts


def test_whoever_asks_while_the_store_cannot_be_written_gets_no_answer_and_the_agent_goes_on(
    world: World,
) -> None:
    node = world.nodes["node-1"]
    ask(world)
    world.run_for(2 * MILLISECOND)
    world.store.fail("gone")
    world.run_for(5 * SECOND)
    assert answer(world) is None
    world.store.recover()
    world.run_for(SECOND)
    assert audited(world, "two").agrees
    assert any(type(fact).__name__ == "AuditNotWritten" for fact in node.facts)
