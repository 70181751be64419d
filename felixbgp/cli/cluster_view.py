"""The cluster on one screen: what is wrong first, then its nodes, then their sessions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import click

from felixbgp.cli.node_report import PEER_TYPES, NodeReport, since
from felixbgp.cli.table import printable
from felixbgp.net import IPV4, IPV6
from felixbgp.status.cause import EXPLANATIONS
from felixbgp.status.node_status import DatastoreCondition, PeerStatus

ESTABLISHED: Final = "Established"
_GAP: Final = "  "
_BAD: Final = "red"
_NODES: Final = ("NODE", "AGENT", "AS", "IPV4", "IPV6", "RECEIVED", "ADVERTISED", "KERNEL", "PROBLEMS")
_SESSIONS: Final = (
    "NODE", "PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "RECEIVED", "ACCEPTED", "ADVERTISED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line of what is wrong: where, what, and what to do about it ("" when that says it all)."""

    node: str
    subject: str
    text: str
    remedy: str = ""


def troubles(report: NodeReport) -> list[Trouble]:
    """What is wrong with one node, the worst first."""
    node, status = report.node, report.status
    found = [Trouble(node, "document", fault) for fault in report.faults]
    if report.alive is None:
        found.append(
            Trouble(node, "agent", "is not running", "start it; the log of its unit says why it ended")
        )
    if status is None:
        return found
    condition = status.datastore.condition
    if condition is not DatastoreCondition.IN_SYNC and report.alive is not None:
        found.append(Trouble(node, "datastore", f"{condition.value} {status.datastore.reason}".strip()))
    found += (_of_session(node, peer) for peer in status.peers if peer.state != ESTABLISHED)
    found += (
        Trouble(node, f"{problem.subject} {problem.field}".strip(), problem.reason)
        for problem in status.problems
    )
    return found


def _of_session(node: str, peer: PeerStatus) -> Trouble:
    """A session that is not Established; what an older agent tells has no cause."""
    error = f" ({peer.last_error})" if peer.last_error else ""
    if peer.cause is None:
        return Trouble(node, f"peer {peer.peer}", f"{peer.state}{error}")
    text, remedy = EXPLANATIONS[peer.cause]
    return Trouble(node, f"peer {peer.peer}", f"{peer.cause.value}: {text}{error}", remedy)


def screen(
    reports: Sequence[NodeReport],
    now_ns: int,
    *,
    size: tuple[int, int],
    lost: str = "",
    coloured: bool = True,
) -> list[str]:
    """The lines of one screen of `size` (columns, lines), each cut to fit.

    `lost` says why etcd is not followed. Of what is wrong there are as many lines as half of the screen has,
    of the nodes half of the rest.
    """
    width, height = size
    wrong = {report.node: troubles(report) for report in reports}
    ordered = sorted(reports, key=lambda report: (not wrong[report.node], report.node))
    lines = [_summary(reports, sum(map(len, wrong.values())), since(now_ns, now_ns))]
    if lost:
        lines.append(
            _painted(f"etcd does not answer, this is what it told last: {printable(lost)}", coloured)
        )
    rows = [
        line for report in ordered for trouble in wrong[report.node] for line in _lines(trouble, coloured)
    ]
    if rows:
        lines += ["", "PROBLEMS", *_first(rows, max(2, (height - len(lines)) // 2))]
    nodes = _columns(_NODES, [_node(report, len(wrong[report.node])) for report in ordered])
    lines += ["", *_first(nodes, max(3, (height - len(lines)) // 2))]
    sessions = _columns(_SESSIONS, [row for report in ordered for row in _sessions(report, now_ns)])
    left = height - len(lines) - 1
    if left >= 2 and len(sessions) > 1:
        lines += ["", *_first(sessions, left)]
    return [_cut(line, width) for line in lines[:height]]


def _summary(reports: Sequence[NodeReport], problems: int, time: str) -> str:
    peers = [peer for report in reports if report.status is not None for peer in report.status.peers]
    up = sum(peer.state == ESTABLISHED for peer in peers)
    running = sum(report.alive is not None for report in reports)
    return (
        f"{time}  {len(reports)} nodes, {running} agents running, "
        f"{up} of {len(peers)} sessions Established, {problems} problems"
    )


def _lines(trouble: Trouble, coloured: bool) -> list[str]:
    text = f"{trouble.node}  {trouble.subject}: {trouble.text}"
    told = [_painted(printable(text), coloured)]
    return [*told, f"    {trouble.remedy}"] if trouble.remedy else told


def _node(report: NodeReport, problems: int) -> tuple[str, ...]:
    status = report.status
    agent = "-" if report.alive is None else printable(report.alive.version)
    if status is None:
        return printable(report.node), agent, "-", "-", "-", "-", "-", "-", str(problems)
    routes = status.routes
    return (
        printable(report.node),
        agent if status.drained is None else f"{agent} DRAINED",
        "-" if status.speaker is None else str(status.speaker.as_number),
        *(
            _up_of([peer for peer in status.peers if peer.peer.address.family == family])
            for family in (IPV4, IPV6)
        ),
        str(sum(peer.prefixes_received for peer in status.peers)),
        str(sum(peer.prefixes_advertised for peer in status.peers)),
        "-" if routes is None else f"{routes.installed}/{routes.wanted}",
        str(problems),
    )


def _up_of(peers: Sequence[PeerStatus]) -> str:
    return f"{sum(peer.state == ESTABLISHED for peer in peers)}/{len(peers)}"


def _sessions(report: NodeReport, now_ns: int) -> Iterable[tuple[str, ...]]:
    peers = () if report.status is None else report.status.peers
    for peer in sorted(peers, key=lambda one: one.state == ESTABLISHED):
        yield (
            printable(report.node),
            str(peer.peer),
            printable(PEER_TYPES.get(peer.scope, peer.scope)),
            printable(peer.state if peer.cause is None else f"{peer.state} {peer.cause.value}"),
            since(peer.since, now_ns),
            str(peer.prefixes_received),
            str(peer.prefixes_accepted),
            str(peer.prefixes_advertised),
        )


def _columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headers, *rows)
    ]


def _first(lines: Sequence[str], room: int) -> list[str]:
    """As many as there is room for, and how many there are beyond."""
    if len(lines) <= room:
        return list(lines)
    return [*lines[: room - 1], f"... and {len(lines) - room + 1} more lines"]


def _painted(text: str, coloured: bool) -> str:
    return click.style(text, fg=_BAD) if coloured else text


def _cut(line: str, width: int) -> str:
    """No wider than the screen; a colour does not count, and ends with the line."""
    plain = click.unstyle(line)
    if len(plain) <= width:
        return line
    cut = plain[: width - 1] + "…"
    return click.style(cut, fg=_BAD) if plain != line else cut
