"""What `node audit` shows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import click
import pytest

from felixbgp.cli.audit_report import NodeAudit, as_object, render
from felixbgp.net import Prefix
from felixbgp.status.audit import AuditAnswer, Difference, Kind, Outcome, Repair, Totals, Views

NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


AGREE = AuditAnswer(
    requests=("one",),
    node="node-1",
    version="0.1.0",
    began=NOW_NS,
    ended=NOW_NS,
    totals=Totals(originated=2, selected=6, wanted=5, installed=5, foreign=9),
    compared=6,
)
LEARNED = "from 10.0.0.2 via 10.0.0.2"
DIFFER = replace(
    AGREE,
    differing=4,
    healed=2,
    differences=(
        Difference(
            Prefix.parse("10.65.0.0/26"),
            Kind.MISSING,
            Views("own block", "originated: aggregate route", "blackhole metric 1024", ""),
            Outcome.HEALED,
        ),
        Difference(
            Prefix.parse("10.65.0.64/26"),
            Kind.DIFFERENT,
            Views("", LEARNED, "via 10.0.0.2 metric 1024", "via 10.0.0.9 dev eth0 metric 1024 proto 179"),
            Outcome.HEALED,
        ),
        Difference(
            Prefix.parse("10.65.0.128/26"),
            Kind.CONFLICT,
            Views("", LEARNED, "via 10.0.0.2 metric 1024", "blackhole metric 1024 proto static"),
            Outcome.LEFT_ALONE,
            "protocol static has a route here",
        ),
        Difference(
            Prefix.parse("192.0.2.0/24"), Kind.UNWANTED, Views(kernel="blackhole proto 179"), Outcome.WAITING
        ),
    ),
)


def test_all_agree() -> None:
    assert (
        render(NodeAudit("node-1", AGREE), NOW_NS)
        == """\
Node node-1: intent, Loc-RIB and kernel agree.
  Prefixes: 6 compared, 2 originated, 6 selected
  In the kernel: 5 wanted, 5 of ours, 9 of others

"""
    )


def test_what_differs_stands_side_by_side(golden: Callable[[str, str], None]) -> None:
    golden("golden/node-audit.txt", render(NodeAudit("node-1", DIFFER), NOW_NS))


def test_what_was_put_right_before_is_no_difference(golden: Callable[[str, str], None]) -> None:
    answer = replace(
        AGREE,
        repaired=(
            Repair(Prefix.parse("10.65.0.64/26"), NOW_NS - 10**9, "", "via 10.0.0.2 metric 1024"),
            Repair(Prefix.parse("192.0.2.0/24"), NOW_NS, "blackhole metric 1024 proto 179", ""),
        ),
        repairs=3,
    )
    golden("golden/node-audit-repaired.txt", render(NodeAudit("node-1", answer), NOW_NS))
    assert NodeAudit("node-1", answer).agrees


def test_one_difference_and_very_many() -> None:
    one = replace(DIFFER, differing=1, healed=1, differences=DIFFER.differences[:1])
    assert "1 difference between intent, Loc-RIB and kernel, all put right." in render(
        NodeAudit("node-1", one), NOW_NS
    )
    many = replace(DIFFER, differing=5_000, healed=0)
    text = render(NodeAudit("node-1", many), NOW_NS)
    assert "5000 differences between intent, Loc-RIB and kernel, 0 put right." in text
    assert "\nand 4996 more\n10.65.0.128/26: protocol static has a route here\n\n" in text


def test_a_reason_that_many_have_is_told_once() -> None:
    refused = [
        DIFFER.differences[0]._replace(
            prefix=Prefix.parse(f"10.0.{number}.0/24"), outcome=Outcome.REFUSED, reason="No buffer space"
        )
        for number in range(3)
    ]
    text = render(NodeAudit("node-1", replace(DIFFER, differences=tuple(refused))), NOW_NS)
    assert "\n10.0.0.0/24 and 2 more: No buffer space\n" in text
    assert text.count("No buffer space") == 1


def test_repairs_that_are_not_listed_are_counted() -> None:
    text = render(NodeAudit("node-1", replace(AGREE, repairs=1)), NOW_NS)
    assert text.endswith("\n\nFound otherwise and put right since the audit before: once\n\n")


@pytest.mark.parametrize(
    "audit",
    [
        NodeAudit("node-1", None, "its agent is not running"),
        NodeAudit("node-1", replace(AGREE, failure="its agent is not running")),
    ],
    ids=["no answer", "an answer that is none"],
)
def test_no_audit(audit: NodeAudit) -> None:
    assert render(audit, NOW_NS) == "Node node-1: no audit: its agent is not running\n\n"
    assert not audit.agrees


def test_every_kind_and_outcome_has_words() -> None:
    for kind in Kind:
        for outcome in Outcome:
            difference = DIFFER.differences[0]._replace(kind=kind, outcome=outcome)
            assert render(NodeAudit("n", replace(DIFFER, differences=(difference,))), NOW_NS)


def test_no_character_of_an_answer_steers_the_terminal() -> None:
    nasty = DIFFER.differences[0]._replace(views=Views("\x1b[31m", "a\nb", "", ""), reason="\x07")
    answer = replace(DIFFER, differences=(nasty,), failure="")
    assert "\x1b" not in render(NodeAudit("\x1b[1m", answer), NOW_NS)
    assert "\x1b" not in render(NodeAudit("n", replace(answer, failure="\x1b[1m")), NOW_NS)


def test_colours_are_for_terminals() -> None:
    coloured = render(NodeAudit("node-1", DIFFER), NOW_NS, coloured=True)
    assert click.style("put right     ", fg="green")[:5] in coloured
    assert click.unstyle(coloured) == render(NodeAudit("node-1", DIFFER), NOW_NS)


def test_for_programs_the_answer_is_as_it_stands_in_etcd() -> None:
    printed = as_object(NodeAudit("node-1", DIFFER))
    assert (printed["node"], printed["agrees"], printed["fault"]) == ("node-1", False, "")
    assert isinstance(printed["answer"], dict)
    assert printed["answer"]["differing"] == 4
    assert as_object(NodeAudit("node-1", None, "gone")) == {
        "node": "node-1",
        "agrees": False,
        "fault": "gone",
        "answer": None,
    }
