"""One node's audit, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from felixbgp.cli.node_report import since
from felixbgp.cli.table import Cell, Coloured, bordered, printable
from felixbgp.status.audit import AuditAnswer, Difference, Kind, Outcome
from felixbgp.status.audit_document import to_object

_GOOD, _BAD = "green", "red"
_HEADERS = ("PREFIX", "DIFFERENCE", "INTENT", "LOC-RIB", "WANTED IN KERNEL", "FOUND IN KERNEL", "OUTCOME")
_REPAIR_HEADERS = ("TIME", "PREFIX", "FOUND IN KERNEL", "WANTED IN KERNEL")
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "not in the kernel",
    Kind.DIFFERENT: "another route in the kernel",
    Kind.UNWANTED: "too much in the kernel",
    Kind.CONFLICT: "a foreign route in our place",
    Kind.NOT_ORIGINATED: "not originated",
    Kind.NOT_INTENDED: "originated without reason",
    Kind.NOT_PROGRAMMED: "not asked of the kernel",
    Kind.NOT_SELECTED: "in the kernel without reason",
}
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.HEALED: "put right",
    Outcome.WAITING: "in work",
    Outcome.REFUSED: "refused",
    Outcome.LEFT_ALONE: "left alone",
}


@dataclass(frozen=True, slots=True)
class NodeAudit:
    """A node's answer; without one `fault` says why."""

    node: str
    answer: AuditAnswer | None
    fault: str = ""

    @property
    def failure(self) -> str:
        """Why nothing was compared; "" when it was."""
        return self.fault if self.answer is None else self.answer.failure

    @property
    def agrees(self) -> bool:
        """Whether intent, Loc-RIB and kernel were found to agree."""
        return self.answer is not None and self.answer.agrees


def as_object(audit: NodeAudit) -> dict[str, object]:
    """The audit for programs: `answer` is the object that stands in etcd."""
    return {
        "node": audit.node,
        "agrees": audit.agrees,
        "fault": audit.fault,
        "answer": None if audit.answer is None else to_object(audit.answer),
    }


def render(audit: NodeAudit, now_ns: int, *, coloured: bool = False) -> str:
    """The audit for people: the result, what differs, and what was put right before; ends with an empty line.

    `now_ns` is in nanoseconds since 1970; times are shown in the local zone.
    """
    parts = [_heading(audit, coloured=coloured)]
    if audit.answer is not None:
        if audit.answer.differences:
            rows = [_row(difference, coloured=coloured) for difference in audit.answer.differences]
            parts.append(bordered(_HEADERS, rows) + _more(audit.answer.differing - len(rows)))
        if audit.answer.repairs:
            parts.append(_repaired(audit.answer, now_ns))
    return "\n\n".join(parts) + "\n\n"


def _heading(audit: NodeAudit, *, coloured: bool) -> str:
    told = _result(audit)
    if coloured:
        told = click.style(told, fg=_GOOD if audit.agrees else _BAD)
    lines = [f"Node {printable(audit.node)}: {told}"]
    if audit.answer is not None and not audit.answer.failure:
        totals = audit.answer.totals
        lines.append(
            f"  {audit.answer.compared} prefixes: {totals.originated} originated, {totals.selected} selected"
        )
        lines.append(
            f"  In the kernel: {totals.wanted} wanted, {totals.installed} of ours, {totals.foreign} of others"
        )
    return "\n".join(lines)


def _result(audit: NodeAudit) -> str:
    if audit.answer is None or audit.answer.failure:
        return f"no audit: {printable(audit.failure)}"
    differing, healed = audit.answer.differing, audit.answer.healed
    if not differing:
        return "intent, Loc-RIB and kernel agree."
    what = "1 difference" if differing == 1 else f"{differing} differences"
    left = "all put right" if healed == differing else f"{healed} put right"
    return f"{what} between intent, Loc-RIB and kernel, {left}."


def _row(difference: Difference, *, coloured: bool) -> tuple[Cell, ...]:
    views = difference.views
    outcome = _OUTCOMES[difference.outcome] + (f": {difference.reason}" if difference.reason else "")
    colour = _GOOD if difference.outcome is Outcome.HEALED else _BAD
    return (
        str(difference.prefix),
        _KINDS[difference.kind],
        views.intent or "-",
        views.loc_rib or "-",
        views.wanted or "-",
        views.kernel or "-",
        Coloured(outcome, colour) if coloured else outcome,
    )


def _repaired(answer: AuditAnswer, now_ns: int) -> str:
    times = "once" if answer.repairs == 1 else f"{answer.repairs} times"
    title = f"Found otherwise and put right since the audit before: {times}"
    rows = [
        (since(repair.time, now_ns), str(repair.prefix), repair.found or "-", repair.wanted or "-")
        for repair in answer.repaired
    ]
    return f"{title}\n{bordered(_REPAIR_HEADERS, rows)}" if rows else title


def _more(count: int) -> str:
    return f"\nand {count} more" if count > 0 else ""
