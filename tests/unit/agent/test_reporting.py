"""When a CalicoNodeStatus is written: at once, by its period, after a conflict, after a failure."""

from collections.abc import Callable

import pytest

from felixbgp.agent.effects import NodeStatusNotWritten, PutNodeStatusResource
from felixbgp.agent.inputs import (
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceWritten,
)
from felixbgp.agent.publication import PARTS_AT_ONCE
from felixbgp.agent.reporting import SECOND_NS as SECOND
from felixbgp.agent.reporting import Reporting
from felixbgp.cluster.node_statuses import Wanted
from felixbgp.cluster.parts import Parts
from felixbgp.net import Address
from felixbgp.resources.calico_node_status import CalicoNodeStatusSpec, StatusClass
from felixbgp.status.report import DaemonReport, Report
from felixbgp.status.report_routes import RouteTables
from tests.support.parts import in_parts

Build = Callable[[frozenset[StatusClass]], Parts[Report]]


def wanted(
    revision: int = 5, period: int = 10, *, name: str = "s", cls: str = "BGP", reported: bool = False
) -> Wanted:
    spec = CalicoNodeStatusSpec.model_validate({"node": "n", "classes": [cls], "updatePeriodSeconds": period})
    return Wanted(name, revision, spec, {"kind": "CalicoNodeStatus"}, reported)


def told(started: int) -> Build:
    """Builds a report of an agent that started at this time."""
    return lambda _: in_parts(Report(agent=(DaemonReport("1", Address(bytes(4)), started, 0), None)))


def never(_: frozenset[StatusClass]) -> Parts[Report]:
    raise AssertionError("built without need")


@pytest.fixture
def reporting() -> Reporting:
    return Reporting()


def filled(reporting: Reporting, period: int = 10) -> None:
    """An object that is wanted at 0 and written at once, with revision 6."""
    reporting.want("s", wanted(5, period), 0)
    assert len(reporting.take(0, told(1))) == 1
    reporting.feed(NodeStatusResourceWritten("s", 6), 0)


def test_nothing_wanted_nothing_is_built(reporting: Reporting) -> None:
    assert reporting.next_deadline() is None
    assert reporting.take(0, never) == []


def test_a_new_object_is_filled_at_once_with_the_classes_it_asks_for(reporting: Reporting) -> None:
    asked: list[frozenset[StatusClass]] = []

    def build(classes: frozenset[StatusClass]) -> Parts[Report]:
        asked.append(classes)
        return in_parts(Report())

    reporting.want("s", wanted(), 7)
    assert reporting.next_deadline() == 7
    assert reporting.take(7, build) == [PutNodeStatusResource("s", 5, Report(), wanted().document)]
    assert asked == [frozenset({StatusClass.BGP})]


def test_then_every_period_if_it_differs_with_the_revision_of_our_own_write(reporting: Reporting) -> None:
    filled(reporting)
    assert reporting.next_deadline() == 10 * SECOND
    assert reporting.take(10 * SECOND - 1, never) == []
    assert reporting.take(10 * SECOND, told(1)) == []
    assert reporting.next_deadline() == 20 * SECOND
    [put] = reporting.take(20 * SECOND, told(2))
    assert put.revision == 6


def test_a_period_of_0_is_one_report(reporting: Reporting) -> None:
    filled(reporting, period=0)
    assert reporting.next_deadline() is None


def test_the_echo_of_our_own_write_changes_nothing(reporting: Reporting) -> None:
    filled(reporting)
    reporting.want("s", wanted(6, reported=True), SECOND)
    assert reporting.next_deadline() == 10 * SECOND


def test_an_echo_before_the_answer_changes_nothing_either(reporting: Reporting) -> None:
    reporting.want("s", wanted(5), 0)
    reporting.take(0, told(1))
    reporting.want("s", wanted(6, reported=True), 1)
    reporting.feed(NodeStatusResourceWritten("s", 6), 2)
    assert reporting.next_deadline() == 10 * SECOND
    assert reporting.take(10 * SECOND, told(1)) == []


def test_another_spec_is_reported_at_once(reporting: Reporting) -> None:
    filled(reporting)
    reporting.want("s", wanted(7, 3600, cls="Agent", reported=True), SECOND)
    [put] = reporting.take(SECOND, told(1))
    assert put.revision == 7
    reporting.feed(NodeStatusResourceWritten("s", 8), SECOND)
    assert reporting.next_deadline() == 3601 * SECOND


def test_another_spec_while_a_write_is_under_way_is_reported_after_it(reporting: Reporting) -> None:
    reporting.want("s", wanted(5), 0)
    reporting.take(0, told(1))
    reporting.want("s", wanted(7, cls="Agent"), 1)
    assert reporting.next_deadline() is None
    reporting.feed(NodeStatusResourceWritten("s", 6), 2)
    [put] = reporting.take(2, told(1))
    assert put.revision == 7


def test_a_report_that_somebody_removed_is_written_again(reporting: Reporting) -> None:
    filled(reporting, period=0)
    reporting.want("s", wanted(7, 0), SECOND)
    [put] = reporting.take(SECOND, told(1))
    assert put.revision == 7


def test_after_a_conflict_the_new_object_is_waited_for(reporting: Reporting) -> None:
    reporting.want("s", wanted(5, 0), 0)
    reporting.take(0, told(1))
    reporting.feed(NodeStatusResourceConflicted("s"), 1)
    assert reporting.next_deadline() is None
    reporting.restored(2)
    assert reporting.next_deadline() is None
    reporting.want("s", wanted(6, 0), 3)
    assert reporting.next_deadline() == 3 + SECOND
    [put] = reporting.take(3 + SECOND, told(1))
    assert put.revision == 6


def test_a_conflict_with_what_we_have_heard_of_meanwhile(reporting: Reporting) -> None:
    filled(reporting, period=0)
    reporting.want("s", wanted(7, 0, reported=False), 1)
    reporting.take(1, told(1))
    reporting.want("s", wanted(8, 0, reported=True), 2)
    reporting.feed(NodeStatusResourceConflicted("s"), 3)
    [put] = reporting.take(3 + SECOND, told(1))
    assert put.revision == 8


@pytest.mark.parametrize(
    ("period", "tries"), [(0, 3), (31, 3), (30, 1), (1, 1)], ids=["once", "long", "short", "shortest"]
)
def test_a_failed_write_is_tried_again_unless_the_next_report_is_near(
    reporting: Reporting, period: int, tries: int
) -> None:
    reporting.want("s", wanted(5, period), 0)
    at = 0
    for attempt in range(tries):
        assert len(reporting.take(at, told(attempt))) == 1
        reporting.feed(NodeStatusResourceFailed("s", "no answer"), at)
        at += SECOND
    left = reporting.next_deadline()
    assert left == ((tries - 1 + period) * SECOND if period else None)
    [problem] = reporting.problems()
    assert (problem.subject, problem.reason) == ("CalicoNodeStatus s", "cannot be written: no answer")
    assert reporting.take_facts() == [NodeStatusNotWritten("s", "no answer")]


def test_what_could_not_be_written_is_when_the_store_is_back(reporting: Reporting) -> None:
    reporting.want("s", wanted(5, 0), 0)
    for at in range(3):
        reporting.take(at * SECOND, told(1))
        reporting.feed(NodeStatusResourceFailed("s", "no answer"), at * SECOND)
    reporting.restored(9 * SECOND)
    assert len(reporting.take(9 * SECOND, told(1))) == 1
    reporting.feed(NodeStatusResourceWritten("s", 6), 9 * SECOND)
    assert reporting.problems() == ()
    reporting.restored(10 * SECOND)
    assert reporting.next_deadline() is None


def test_one_object_is_written_at_a_time(reporting: Reporting) -> None:
    reporting.want("b", wanted(name="b"), 0)
    reporting.want("a", wanted(name="a"), 0)
    assert [put.name for put in reporting.take(0, told(1))] == ["a"]
    assert reporting.take(0, never) == []
    reporting.feed(NodeStatusResourceWritten("a", 6), 0)
    assert [put.name for put in reporting.take(0, told(1))] == ["b"]


def test_a_report_is_built_in_parts_and_dropped_when_another_is_asked_for(reporting: Reporting) -> None:
    def build(classes: frozenset[StatusClass]) -> Parts[Report]:
        return in_parts(Report(), *(PARTS_AT_ONCE for _ in classes))

    reporting.want("s", wanted(5), 0)
    assert reporting.take(0, build) == []
    assert reporting.next_deadline() == 0
    reporting.want("s", wanted(6, cls="Agent"), 0)
    assert reporting.take(0, build) == []
    assert reporting.take(0, build) == []
    assert [put.revision for put in reporting.take(0, build)] == [6]


def test_an_object_that_is_gone_is_forgotten_also_while_it_is_written(reporting: Reporting) -> None:
    reporting.want("s", wanted(), 0)
    reporting.take(0, told(1))
    reporting.want("s", None, 1)
    reporting.feed(NodeStatusResourceConflicted("s"), 2)
    assert reporting.next_deadline() is None


def test_what_is_left_out_is_a_problem_by_name(reporting: Reporting) -> None:
    reporting.want("s", wanted(cls="Routes"), 0)
    reporting.take(0, lambda _: in_parts(Report(routes=RouteTables((), (), cut=True))))
    [problem] = reporting.problems()
    assert problem.reason == "has more routes than the object has room for; 0 of them are told"
