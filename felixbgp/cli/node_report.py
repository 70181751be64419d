"""One node's published documents, and how they are shown."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from felixbgp.bgp.cause import Cause
from felixbgp.cli.store import Stored
from felixbgp.cli.table import Cell, Coloured, bordered, printable, some
from felixbgp.cluster.drains import DrainPhase
from felixbgp.net import IPV4, IPV6, Family
from felixbgp.status.audit import AuditStatus
from felixbgp.status.cause import EXPLANATIONS
from felixbgp.status.document import (
    AgentAlive,
    alive_to_object,
    decode,
    decode_alive,
    to_object,
)
from felixbgp.status.keys import ALIVE, parse_key
from felixbgp.status.node_status import (
    DatastoreCondition,
    Drained,
    NodeStatus,
    PeerDraining,
    PeerStatus,
    RouteCounts,
)
from felixbgp.status.proto_json import DocumentError

_SECOND_NS = 1_000_000_000
_RECENT_NS = 20 * 3600 * _SECOND_NS
"""Until then a time is shown without its date, as calicoctl does."""
_BLOCKS_SHOWN = 8
_PREFIXES_SHOWN = 3
_PEERS_SHOWN = 8
_DRAIN_PHASES = {
    DrainPhase.ANNOUNCE.value: "it announces all as a last resort",
    DrainPhase.WITHDRAW.value: "it announces nothing",
}
STEP_MS = 5
"""The longest time for which an agent should serve nobody else; only a longer one is shown."""

_HEADERS = ("PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO")
_WIDE_HEADERS = (
    *_HEADERS,
    "RESOURCE",
    "LOCAL AS",
    "REMOTE AS",
    "IDENTIFIER",
    "HOLD",
    "RECEIVED",
    "ACCEPTED",
    "ADVERTISED",
    "CAUSE",
)
PEER_TYPES = {
    "mesh": "node-to-node mesh",
    "global": "global",
    "node": "node specific",
    "workload": "local workload",
    "": "no longer wanted",
}
_RECEIVED = "received NOTIFICATION "
_SENT = "sent NOTIFICATION "
_SOCKET_ERRORS = frozenset(os.strerror(number) for number in errno.errorcode)
_DOWN = (Cause.CONFIGURATION_MISSING, Cause.SHUT_DOWN)
"""What BIRD calls down: no attempt is made. All else that is not up is its state `start`."""
_GOOD, _BAD = "green", "red"


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What stands in the store of one node. A document that cannot be read leaves its reason in `faults`."""

    node: str
    alive: AgentAlive | None = None
    status: NodeStatus | None = None
    faults: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether an agent runs there and what it wrote can be read."""
        return self.alive is not None and not self.faults


def read_reports(stored: Iterable[Stored]) -> list[NodeReport]:
    """One report per node, ordered by name; a key that is none of ours is skipped."""
    documents: dict[str, dict[str, bytes]] = {}
    for entry in stored:
        parsed = parse_key(entry.key)
        if parsed is not None:
            node, document = parsed
            documents.setdefault(node, {})[document] = entry.value
    return [_report(node, documents[node]) for node in sorted(documents)]


def _report(node: str, documents: dict[str, bytes]) -> NodeReport:
    alive: AgentAlive | None = None
    status: NodeStatus | None = None
    faults: list[str] = []
    for name, value in sorted(documents.items()):
        try:
            if name == ALIVE:
                alive = decode_alive(value)
            else:
                status = decode(value)
        except DocumentError as error:
            faults.append(f"the value of its key {name!r} cannot be read: {error}")
    return NodeReport(node, alive, status, tuple(faults))


def as_object(report: NodeReport) -> dict[str, object]:
    """The report for programs: `agent` and `status` are the objects that stand in etcd."""
    alive = report.alive
    return {
        "node": report.node,
        "running": alive is not None,
        "agent": None if alive is None else alive_to_object(alive),
        "status": None if report.status is None else to_object(report.status),
        "faults": list(report.faults),
    }


def render(report: NodeReport, now_ns: int, *, wide: bool, coloured: bool = False) -> str:
    """The report for people: what runs, a table per family as calicoctl has it, and what is wrong.

    `now_ns` is in nanoseconds since 1970; times are shown in the local zone. It ends with an empty line.
    """
    parts = [_heading(report, now_ns, coloured=coloured)]
    if report.status is not None:
        parts += [
            _peers_of(report.status, family, now_ns, wide=wide, coloured=coloured) for family in (IPV4, IPV6)
        ]
        if any(peer.cause for peer in report.status.peers):
            parts.append(_causes(report.status, coloured=coloured))
        if report.status.problems:
            parts.append(_problems(report.status, coloured=coloured))
    return "\n\n".join(parts) + "\n\n"


def _heading(report: NodeReport, now_ns: int, *, coloured: bool) -> str:
    state = _agent_state(report, now_ns)
    if coloured and report.alive is None:
        state = click.style(state, fg=_BAD)
    lines = [f"Node {printable(report.node)}: {state}"]
    lines += [f"  {printable(fault)}" for fault in report.faults]
    if report.status is not None:
        lines += _facts(report.status, now_ns)
    return "\n".join(lines)


def _agent_state(report: NodeReport, now_ns: int) -> str:
    alive, status = report.alive, report.status
    if alive is not None:
        running = f"the agent ({printable(alive.version)}) is running since {since(alive.started, now_ns)}."
        return running if status is not None else f"{running} It has not published a status yet."
    if status is not None:
        return "THE AGENT IS NOT RUNNING. This is the last it told:"
    return "THE AGENT IS NOT RUNNING."


def _facts(status: NodeStatus, now_ns: int) -> list[str]:
    lines: list[str] = []
    if status.speaker is None:
        lines.append("  It has no BGP address.")
    else:
        speaker = status.speaker
        reflector = "" if speaker.cluster_id is None else f", route reflector of cluster {speaker.cluster_id}"
        lines.append(f"  AS {speaker.as_number}, BGP identifier {speaker.identifier}{reflector}")
    if status.datastore.condition is not DatastoreCondition.IN_SYNC:
        reason = f": {printable(status.datastore.reason)}" if status.datastore.reason else ""
        lines.append(
            f"  Datastore: {status.datastore.condition.value} "
            f"since {since(status.datastore.since, now_ns)}{reason}"
        )
    recovered = status.datastore.recovered
    if recovered is not None:
        lines.append(
            "  It runs from what it last knew of etcd: "
            f"revision {recovered.revision}, kept at {since(recovered.written_at, now_ns)}"
        )
    if status.drained is not None:
        lines.append(f"  {_drained(status.drained, now_ns)}")
    lines.append(f"  Routes in the kernel: {_routes(status.routes)}")
    step = status.longest_step
    if step is not None and step.ever_ms > STEP_MS:
        ever, lately = (
            f" ({printable(kind)})" if kind else "" for kind in (step.ever_kind, step.lately_kind)
        )
        lines.append(
            f"  Longest step: {step.ever_ms} ms{ever}, of the last minute {step.lately_ms} ms{lately}"
        )
    if status.audit is not None:
        lines.append(f"  Audit: {_audit(status.audit, now_ns)}")
    if status.blocks:
        shown = [str(block) for block in status.blocks[:_BLOCKS_SHOWN]]
        more = len(status.blocks) - len(shown)
        lines.append(f"  Blocks: {', '.join(shown)}{f' and {more} more' if more else ''}")
    return lines


def _drained(drained: Drained, now_ns: int) -> str:
    """That the node is drained, by whom, and what it does therefore."""
    by = f" by {printable(drained.origin)}" if drained.origin else ""
    told = _DRAIN_PHASES.get(drained.phase, printable(drained.phase))
    return f"DRAINED since {since(drained.since, now_ns)}{by}: {told}"


def _draining(draining: PeerDraining, now_ns: int) -> str:
    """Who is about to leave: why, until when, and what has no other path."""
    told = "its node is drained" if draining.drain else "draining"
    if draining.deadline is not None:
        told += f" until {since(draining.deadline, now_ns)} at the latest"
    if not draining.unreplaced:
        return f"{told}: all prefixes have other paths"
    shown = ", ".join(map(str, draining.prefixes[:_PREFIXES_SHOWN]))
    more = ", …" if draining.unreplaced > _PREFIXES_SHOWN and shown else ""
    told += f": {draining.unreplaced} prefixes have no other path"
    return told + (f" ({shown}{more})" if shown else "")


def _routes(routes: RouteCounts | None) -> str:
    if routes is None:
        return "none, the agent writes no routes (--no-kernel)"
    failed = f", {routes.failed} failed" if routes.failed else ""
    return f"{routes.installed} of {routes.wanted}{failed}"


def _audit(audit: AuditStatus, now_ns: int) -> str:
    if audit.differing:
        told = f"{audit.differing} of {audit.compared} prefixes differ in intent, Loc-RIB and kernel"
    else:
        told = f"intent, Loc-RIB and kernel agree on {audit.compared} prefixes"
    told += f" since {since(audit.since, now_ns)}"
    return told + (
        f"; {audit.healed} put right, the last at {since(audit.last_healed, now_ns)}" if audit.healed else ""
    )


def _peers_of(status: NodeStatus, family: Family, now_ns: int, *, wide: bool, coloured: bool) -> str:
    """One family's table; a peer belongs to the family that its session runs over."""
    name = "IPv4" if family == IPV4 else "IPv6"
    peers = [peer for peer in status.peers if peer.peer.address.family == family]
    if not peers:
        return f"{name} BGP status\nNo {name} peers found."
    headers = _WIDE_HEADERS if wide else _HEADERS
    rows = [_row(peer, now_ns, coloured=coloured) + (_wide_cells(peer) if wide else ()) for peer in peers]
    return f"{name} BGP status\n{bordered(headers, rows)}"


def _row(peer: PeerStatus, now_ns: int, *, coloured: bool) -> tuple[Cell, ...]:
    established = peer.state == "Established"
    colour = _GOOD if established else _BAD
    state, info = "up" if established else "start", _info(peer, now_ns)
    if peer.cause in _DOWN:
        state = "down"
    return (
        str(peer.peer),
        PEER_TYPES.get(peer.scope, peer.scope),
        Coloured(state, colour) if coloured else state,
        since(peer.since, now_ns),
        Coloured(info, colour) if coloured else info,
    )


def _info(peer: PeerStatus, now_ns: int) -> str:
    """The state, the last error behind BIRD's word for its kind (proto/bgp/bgp.c), a warning, who leaves."""
    error = peer.last_error or ""
    if error in _SOCKET_ERRORS:
        told = f"Socket: {error}"
    elif error.startswith(_RECEIVED):
        told = f"Received: {error.removeprefix(_RECEIVED)}"
    elif error.startswith(_SENT):
        told = f"BGP Error: {error.removeprefix(_SENT)}"
    else:
        told = f"Error: {error}" if error else ""
    warning = f"Warning: {peer.warning}" if peer.warning else ""
    leaving = "" if peer.draining is None else f"({_draining(peer.draining, now_ns)})"
    return " ".join(filter(None, (peer.state, told, warning, leaving)))


def _wide_cells(peer: PeerStatus) -> tuple[str, ...]:
    return (
        peer.resource or "-",
        str(peer.local_as),
        str(peer.remote_as or "-"),
        "-" if peer.remote_identifier is None else str(peer.remote_identifier),
        "-" if peer.hold_time_s is None else f"{peer.hold_time_s} s",
        str(peer.prefixes_received),
        str(peer.prefixes_accepted),
        str(peer.prefixes_advertised),
        "-" if peer.cause is None else peer.cause.value,
    )


def _causes(status: NodeStatus, *, coloured: bool) -> str:
    """Why sessions are not Established, and what to do: cause by cause, as many peers may share one."""
    lines = ["Not Established, and what to do"]
    for cause in Cause:
        peers = [str(peer.peer) for peer in status.peers if peer.cause is cause]
        if peers:
            text, remedy = EXPLANATIONS[cause]
            word = click.style(cause.value, fg=_BAD) if coloured else cause.value
            lines += [
                f"  {word}: {text}",
                f"    Peers: {some(peers, _PEERS_SHOWN)}",
                f"    To do: {remedy}",
            ]
    return "\n".join(lines)


def _problems(status: NodeStatus, *, coloured: bool) -> str:
    rows: list[tuple[Cell, ...]] = []
    for problem in status.problems:
        reason = Coloured(problem.reason, _BAD) if coloured else problem.reason
        rows.append((problem.subject, problem.field or "-", reason))
    return f"Problems\n{bordered(('SUBJECT', 'FIELD', 'REASON'), rows)}"


def since(then_ns: int, now_ns: int) -> str:
    """HH:MM:SS for the last 20 hours, else YYYY-MM-DD, in the local zone; `-` for no time at all."""
    if then_ns <= 0:
        return "-"
    then = datetime.fromtimestamp(then_ns / _SECOND_NS, UTC).astimezone()
    return then.strftime("%H:%M:%S" if now_ns - then_ns < _RECENT_NS else "%Y-%m-%d")
