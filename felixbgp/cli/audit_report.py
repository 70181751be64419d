"""One node's audit, and how it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from felixbgp.cli.node_report import since
from felixbgp.cli.table import Cell, Coloured, bordered, printable
from felixbgp.net import Prefix
from felixbgp.status.audit import AuditAnswer, Difference, Kind, Outcome
from felixbgp.status.audit_document import to_object

_GOOD, _BAD = "green", "red"
_HEADERS = ("PREFIX", "INTENT", "LOC-RIB", "WANTED", "KERNEL", "DIFFERENCE", "OUTCOME")
_REPAIR_HEADERS = ("TIME", "PREFIX", "WANTED", "KERNEL")
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.MISSING: "missing",
    Kind.DIFFERENT: "different",
    Kind.UNWANTED: "unwanted",
    Kind.CONFLICT: "conflict",
    Kind.NOT_ORIGINATED: "not originated",
    Kind.NOT_INTENDED: "not intended",
    Kind.NOT_PROGRAMMED: "not programmed",
    Kind.NOT_SELECTED: "not selected",
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
            below = _more(audit.answer.differing - len(rows)) + _reasons(audit.answer.differences)
            parts.append(bordered(_HEADERS, rows) + below)
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
        compared = audit.answer.compared
        lines.append(
            f"  Prefixes: {compared} compared, {totals.originated} originated, {totals.selected} selected"
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
    views, outcome = difference.views, _OUTCOMES[difference.outcome]
    colour = _GOOD if difference.outcome is Outcome.HEALED else _BAD
    return (
        str(difference.prefix),
        views.intent or "-",
        views.loc_rib or "-",
        views.wanted or "-",
        views.kernel or "-",
        _KINDS[difference.kind],
        Coloured(outcome, colour) if coloured else outcome,
    )


def _reasons(differences: Sequence[Difference]) -> str:
    """Each reason once, with the first prefix that has it: in the table they would make every line long."""
    prefixes: dict[str, list[Prefix]] = {}
    for difference in differences:
        if difference.reason:
            prefixes.setdefault(difference.reason, []).append(difference.prefix)
    lines = []
    for reason, concerned in prefixes.items():
        more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
        lines.append(f"\n{concerned[0]}{more}: {printable(reason)}")
    return "".join(lines)


def _repaired(answer: AuditAnswer, now_ns: int) -> str:
    times = "once" if answer.repairs == 1 else f"{answer.repairs} times"
    title = f"Found otherwise and put right since the audit before: {times}"
    rows = [
        (since(repair.time, now_ns), str(repair.prefix), repair.wanted or "-", repair.found or "-")
        for repair in answer.repaired
    ]
    return f"{title}\n{bordered(_REPAIR_HEADERS, rows)}" if rows else title


def _more(count: int) -> str:
    return f"\nand {count} more" if count > 0 else ""
