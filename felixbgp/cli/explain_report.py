"""What nodes say of a prefix, put together and shown.

What never came to a node is nowhere in what that node says. But its neighbour knows why: the two ends of a
session have the same two addresses the other way round, so that what the one was not told stands with the
other.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from felixbgp.cli.table import Cell, Coloured, bordered, printable
from felixbgp.net import Prefix, PrefixError
from felixbgp.status.explanation import (
    Decider,
    ExplainedPath,
    ExplainedSession,
    Explanation,
    KernelOutcome,
    PathOutcome,
    ToldOutcome,
    ToldRoute,
)

_ADAPTER: Final = TypeAdapter(Explanation)
_GOOD, _BAD = "green", "red"
_TOLD_SHOWN: Final = 20
"""Peers of one node in a table; a mesh of a thousand has as many that are told alike. JSON has all."""
_MISSING_SHOWN: Final = 10
_ESTABLISHED: Final = "Established"


class ExplanationError(ValueError):
    """An answer that cannot be read; the text says where."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a neighbour that has a route did not bring it; `node` is the neighbour."""

    node: str
    peer: str
    """The neighbour's end of the session."""
    reason: str
    decider: Decider | None = None


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What one node said, or why it said nothing; who withheld the prefix where no path came to it."""

    node: str
    explanation: Explanation | None = None
    fault: str = ""
    withheld: tuple[Withheld, ...] = field(default=())

    @property
    def knows_it(self) -> bool:
        """Whether the node has a path to the prefix."""
        return self.explanation is not None and bool(self.explanation.paths)


def decode(value: bytes) -> Explanation:
    """Read the answer of an agent; fields that it does not know are ignored. Raises `ExplanationError`."""
    try:
        return _ADAPTER.validate_json(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ExplanationError(f"{where}: {first['msg']}" if where else first["msg"]) from error


def covering(answers: Sequence[NodeAnswer]) -> Prefix | None:
    """The longest prefix by which a node routes that does not know the one asked for; None for none."""
    wider = []
    for answer in answers:
        if answer.explanation is not None and not answer.knows_it:
            with suppress(PrefixError):  # So is "" none.
                wider.append(Prefix.parse(answer.explanation.covering))
    return max(wider, key=lambda one: one.length, default=None)


def with_withholders(answers: Sequence[NodeAnswer]) -> list[NodeAnswer]:
    """The answers, and of each node that has no path, who kept it from it."""
    by_ends = {
        (session.local, session.address): (answer.explanation, session)
        for answer in answers
        if answer.explanation is not None
        for session in answer.explanation.sessions
    }
    having = {
        answer.node: answer.explanation
        for answer in answers
        if answer.explanation is not None and answer.explanation.selected is not None
    }
    return [
        answer
        if answer.explanation is None or answer.explanation.paths
        else NodeAnswer(
            answer.node, answer.explanation, "", tuple(_withheld(answer.explanation, by_ends, having))
        )
        for answer in answers
    ]


def _withheld(
    found: Explanation,
    by_ends: Mapping[tuple[str, str], tuple[Explanation, ExplainedSession]],
    having: Mapping[str, Explanation],
) -> list[Withheld]:
    """What kept the prefix from a node; those first where a rule decided, which somebody wrote."""
    kept: list[Withheld] = []
    for session in found.sessions:
        if session.state != _ESTABLISHED:
            if session.node in having:
                kept.append(Withheld(session.node, session.address, f"the session is {session.state}"))
            continue
        other = by_ends.get((session.address, session.local))
        for told in () if other is None else other[1].told:
            if other is not None and told.outcome is not ToldOutcome.TOLD:
                reason = told.reason or _TOLD[told.outcome]
                kept.append(Withheld(other[0].node, session.address, reason, told.decider))
    return sorted(kept, key=lambda one: (one.decider is None, one.node, one.peer))


# ---- for programs


def as_object(answer: NodeAnswer) -> dict[str, object]:
    """The answer as the agent gave it, with what was put together here."""
    explanation = answer.explanation
    return {
        "node": answer.node,
        "explanation": None
        if explanation is None
        else _ADAPTER.dump_python(explanation, mode="json", by_alias=True),
        "withheldBy": [
            {
                "node": one.node,
                "peer": one.peer,
                "reason": one.reason,
                "decider": None
                if one.decider is None
                else {
                    "rule": one.decider.rule,
                    "resource": one.decider.resource,
                    "revision": one.decider.revision,
                },
            }
            for one in answer.withheld
        ],
        "fault": answer.fault,
    }


# ---- for people

_PATHS: Final = {
    PathOutcome.SELECTED: "selected",
    PathOutcome.ALSO_USED: "used too",
    PathOutcome.LOST: "lost",
    PathOutcome.REJECTED: "rejected",
    PathOutcome.NOT_ELIGIBLE: "not eligible",
    PathOutcome.UNRESOLVABLE: "no way to next hop",
    PathOutcome.UNDECIDED: "undecided",
}
_TOLD: Final = {
    ToldOutcome.TOLD: "told",
    ToldOutcome.PENDING: "about to be told",
    ToldOutcome.WAITS_FOR_KERNEL: "waits for the kernel",
    ToldOutcome.WITHHELD: "withheld",
}
_KERNEL: Final = {
    KernelOutcome.INSTALLED: "has the route",
    KernelOutcome.WAITING: "is being written",
    KernelOutcome.CONFLICT: "CONFLICT",
    KernelOutcome.REFUSED: "REFUSED",
    KernelOutcome.NOT_WANTED: "has no route of ours",
    KernelOutcome.UNSYNCHRONISED: "is not known",
    KernelOutcome.NO_KERNEL: "is not written",
}
_PATH_HEADERS: Final = ("FROM", "NODE", "NEXT HOP", "AS PATH", "LOCAL PREF", "OUTCOME", "WHY")
_TOLD_HEADERS: Final = ("TO", "NODE", "OUTCOME", "WHY")
_WITHHELD_HEADERS: Final = ("WITHHELD BY", "PEER", "WHY")


def render(answer: NodeAnswer, *, coloured: bool = False) -> str:
    """One node's answer: a line that says it all, then tables. It ends with an empty line."""
    if answer.explanation is None:
        return f"Node {printable(answer.node)}: {printable(answer.fault)}\n\n"
    return "\n\n".join(_parts(answer, answer.explanation, coloured=coloured)) + "\n\n"


def _parts(answer: NodeAnswer, found: Explanation, *, coloured: bool) -> Iterator[str]:
    lines = [f"Node {printable(found.node)}: {_summary(answer, found)}"]
    kernel = found.kernel
    told = ": ".join(filter(None, (_KERNEL[kernel.outcome], kernel.reason)))
    routes = f" [{kernel.routes}]" if kernel.routes else ""
    lines.append(f"  Kernel {printable(told + routes)}")
    if found.covering:
        lines.append(f"  {printable(found.covering)} covers it: felixbgp explain {printable(found.covering)}")
    if found.datastore != "InSync":
        lines.append(f"  Datastore: {printable(found.datastore)}")
    if found.note:
        lines.append(f"  Note: {printable(found.note)}")
    yield "\n".join(lines)
    if found.paths:
        yield bordered(_PATH_HEADERS, [_path_row(path, coloured=coloured) for path in found.paths])
    if answer.withheld:
        shown = answer.withheld[:_MISSING_SHOWN]
        yield bordered(
            _WITHHELD_HEADERS, [(one.node, one.peer, _why(one.reason, one.decider)) for one in shown]
        ) + _more(len(answer.withheld) - len(shown))
    rows = [
        _told_row(session, told, coloured=coloured) for session in found.sessions for told in session.told
    ]
    if rows:
        yield bordered(_TOLD_HEADERS, rows[:_TOLD_SHOWN]) + _more(len(rows) - _TOLD_SHOWN)


def _summary(answer: NodeAnswer, found: Explanation) -> str:
    prefix, selected = printable(found.prefix), found.selected
    if selected is not None:
        where = printable(selected.source) if not selected.peer else f"from {_who(selected)}"
        return f"{prefix} is selected, {where}: {printable(selected.reason)}"
    if found.paths:
        return f"{prefix} is known, and no path to it is used"
    if answer.withheld:
        first = answer.withheld[0]
        return f"{prefix} never arrived: withheld by {printable(first.node)}: {printable(first.reason)}"
    return f"{prefix} never arrived; no node that answered has kept it back"


def _who(path: ExplainedPath) -> str:
    return f"{printable(path.peer)} ({printable(path.node)})" if path.node else printable(path.peer)


def _path_row(path: ExplainedPath, *, coloured: bool) -> tuple[Cell, ...]:
    outcome: Cell = _PATHS[path.outcome] + (" (stale)" if path.stale else "")
    if coloured and path.outcome in (PathOutcome.SELECTED, PathOutcome.ALSO_USED):
        outcome = Coloured(str(outcome), _GOOD)
    reason = f"{path.step}: {path.reason}" if path.step else path.reason
    return (
        path.peer or path.source or "-",
        path.node or "-",
        path.next_hop or "-",
        path.as_path or "-",
        str(path.local_pref),
        outcome,
        _why(reason, path.decider),
    )


def _told_row(session: ExplainedSession, told: ToldRoute, *, coloured: bool) -> tuple[Cell, ...]:
    outcome: Cell = _TOLD[told.outcome]
    if coloured and told.outcome is ToldOutcome.WITHHELD and told.decider is not None:
        outcome = Coloured(str(outcome), _BAD)
    return (session.address, session.node or "-", outcome, _why(told.reason, told.decider))


def _why(reason: str, decider: Decider | None) -> str:
    """The reason, the rule where that is not the reason, and the resource that it is of."""
    if decider is None:
        return reason or "-"
    rule = "" if decider.rule in (reason, "default") else decider.rule
    revision = f" of revision {decider.revision}" if decider.revision else ""
    resource = f"({decider.resource}{revision})" if decider.resource else ""
    parts = [reason, f"by {rule}" if rule and reason else rule, resource]
    return " ".join(filter(None, parts)) or "-"


def _more(count: int) -> str:
    return f"\nand {count} more; -o json has all" if count > 0 else ""
