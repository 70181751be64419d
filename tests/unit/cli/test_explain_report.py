"""What `felixbgp explain` shows, and who it finds to have withheld a prefix."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from felixbgp.cli.explain_report import (
    ExplanationError,
    NodeAnswer,
    as_object,
    covering,
    decode,
    render,
    with_withholders,
)
from felixbgp.net import Prefix
from felixbgp.status.explanation import (
    Decider,
    ExplainedKernel,
    ExplainedPath,
    ExplainedSession,
    Explanation,
    KernelOutcome,
    PathOutcome,
    ToldOutcome,
    ToldRoute,
)

A, B = "10.0.0.1", "10.0.0.2"
RULE = Decider("filter keep export rule 3", "BGPFilter/keep", 42)
NOTHING = ExplainedKernel(outcome=KernelOutcome.NOT_WANTED, reason="nothing is selected")
SELECTED = ExplainedPath(
    outcome=PathOutcome.SELECTED, source="own block", step="ONLY_PATH", reason="only path"
)


def session(
    address: str, local: str, node: str, *told: ToldRoute, state: str = "Established"
) -> ExplainedSession:
    return ExplainedSession(
        address=address,
        port=179,
        node=node,
        scope="mesh",
        resource=f"Node/{node}",
        revision=7,
        state=state,
        local=local,
        told=told,
    )


def answer(
    node: str,
    *paths: ExplainedPath,
    sessions: tuple[ExplainedSession, ...] = (),
    kernel: ExplainedKernel = NOTHING,
    covering: str = "",
) -> NodeAnswer:
    return NodeAnswer(
        node,
        Explanation(
            node=node,
            version="1",
            prefix="10.65.0.0/26",
            datastore="InSync",
            revision=50,
            paths=paths,
            sessions=sessions,
            kernel=kernel,
            covering=covering,
        ),
    )


KEPT = ToldRoute(outcome=ToldOutcome.WITHHELD, reason=RULE.rule, decider=RULE)


def test_the_other_end_of_a_session_says_why_nothing_came() -> None:
    answers = with_withholders(
        [
            answer("a", SELECTED, sessions=(session(B, A, "b", KEPT),)),
            answer("b", sessions=(session(A, B, "a"),)),
            NodeAnswer("c", fault="its agent is not running"),
        ]
    )
    assert [one.withheld for one in answers[::2]] == [(), ()]
    [withheld] = answers[1].withheld
    assert (withheld.node, withheld.reason, withheld.decider) == ("a", RULE.rule, RULE)
    text = render(answers[1])
    assert "10.65.0.0/26 never arrived: withheld by a: filter keep export rule 3" in text
    assert "(BGPFilter/keep of revision 42)" in text
    assert as_object(answers[1])["withheldBy"] == [
        {
            "node": "a",
            "peer": A,
            "reason": RULE.rule,
            "decider": {"rule": RULE.rule, "resource": "BGPFilter/keep", "revision": 42},
        }
    ]


def test_a_session_that_is_down_is_what_kept_it_and_a_router_that_is_no_node_is_not_asked() -> None:
    answers = with_withholders(
        [
            answer("a", SELECTED),
            answer("b", sessions=(session(A, "", "a", state="Active"), session("10.9.9.9", B, ""))),
        ]
    )
    assert [(one.node, one.reason) for one in answers[1].withheld] == [("a", "the session is Active")]


def test_a_node_that_did_not_answer_and_one_that_was_told_nothing() -> None:
    assert render(NodeAnswer("c", fault="its agent is not running")) == "Node c: its agent is not running\n\n"
    assert "never arrived; no node that answered has kept it back" in render(answer("b"))


def test_a_prefix_that_is_not_known_names_the_one_that_covers_it() -> None:
    found = answer("b", covering="10.65.0.0/16")
    text = render(found)
    assert "10.65.0.0/26 never arrived; no node that answered has kept it back" in text
    assert "\n  10.65.0.0/16 covers it: felixbgp explain 10.65.0.0/16\n" in text
    assert "covers it" not in render(answer("b"))


def test_an_address_is_explained_by_the_longest_prefix_of_the_nodes_that_do_not_know_it_itself() -> None:
    wide, long = answer("a", covering="10.0.0.0/8"), answer("b", covering="10.65.0.0/16")
    silent = NodeAnswer("c", fault="its agent is not running")
    assert covering([wide, long, silent, answer("d")]) == Prefix.parse("10.65.0.0/16")
    assert covering([wide, answer("b", SELECTED, covering="10.65.0.0/16")]) == Prefix.parse("10.0.0.0/8")
    assert covering([answer("d", SELECTED)]) is None
    assert covering([silent, answer("d"), answer("e", covering="no prefix")]) is None


def test_outcome_reason_and_routes_of_the_kernel_are_told_apart() -> None:
    there = ExplainedKernel(
        outcome=KernelOutcome.NOT_WANTED, reason="it is there already", routes="dev eth0 proto kernel"
    )
    assert "\n  Kernel has no route of ours: it is there already [dev eth0 proto kernel]\n" in render(
        answer("a", kernel=there)
    )
    bare = ExplainedKernel(outcome=KernelOutcome.INSTALLED)
    assert "\n  Kernel has the route\n" in render(answer("a", kernel=bare))


def test_every_field_for_programs_is_in_camel_case() -> None:
    told = ToldRoute(outcome=ToldOutcome.TOLD, learned_from=B, next_hop=A, as_path="1", local_pref=7)
    printed = as_object(answer("a", replace(SELECTED, decider=RULE), sessions=(session(B, A, "b", told),)))
    names = set(_names(printed))
    assert {"withheldBy", "learnedFrom", "nextHop", "asPath", "localPref"} <= names
    assert [name for name in sorted(names) if not name.isalnum()] == []


def _names(printed: object) -> Iterator[str]:
    if isinstance(printed, dict):
        for name, value in printed.items():
            yield name
            yield from _names(value)
    elif isinstance(printed, list | tuple):
        for value in printed:
            yield from _names(value)


def test_paths_are_shown_with_step_rule_and_revision() -> None:
    lost = ExplainedPath(
        outcome=PathOutcome.LOST, peer=B, node="b", next_hop=B, as_path="64601 64602", step="AS_PATH",
        reason="the selected one has: shorter AS_PATH",
        decider=Decider("filter in import rule 1", "BGPFilter/in", 9),
    )  # fmt: skip
    text = render(answer("a", SELECTED, lost))
    assert "Node a: 10.65.0.0/26 is selected, own block: only path" in text
    [row] = [line for line in text.splitlines() if "64601 64602" in line]
    assert "AS_PATH: the selected one has: shorter AS_PATH by filter in import rule 1" in row
    assert "(BGPFilter/in of revision 9)" in row


def test_what_comes_from_elsewhere_cannot_steer_the_terminal() -> None:
    evil = replace(SELECTED, reason="\x1b[2J")
    assert "\x1b" not in render(answer("a", evil))


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"node": 1}'])
def test_an_answer_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(ExplanationError):
        decode(value)
