"""A topology as lines: node by node while there are few, else those that are alike together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import click

from felixbgp.cli.table import printable, some
from felixbgp.cli.topology_model import Kind, Place, Session, Speaker, Topology, natural
from felixbgp.status.cause import EXPLANATIONS

NODES_SHOWN = 25
"""So many are shown one by one."""
NAMES_SHOWN = 12
PROBLEMS_SHOWN = 20
EXAMPLES_SHOWN = 3
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}

Paint = Callable[[str], str]


class _Row(NamedTuple):
    """Sessions of one node of one kind: what they are called there, and the other ends."""

    title: str
    down: tuple[str, ...]
    up: tuple[str, ...]


def rendered(topology: Topology, *, coloured: bool) -> str:
    """The topology for people; what is wrong is in red on a terminal, and marked with `!` everywhere."""
    red: Paint = partial(click.style, fg="red") if coloured else str
    parts = [_summary(topology, red), *_bodies(topology, red), *_problems(topology, red)]
    return "\n\n".join(parts) + "\n"


def session_name(topology: Topology, session: Session) -> str:
    """Both ends of a session, and what it is."""
    ends = " — ".join(printable(topology.speakers[place].label) for place in session.ends)
    resource = f", BGPPeer {printable(session.resource)}" if session.resource else ""
    return f"{ends} ({family_name(session)}, {session.kind.value}{resource})"


def family_name(session: Session) -> str:
    """Of the addresses that the session runs between."""
    return _FAMILIES.get(session.family.label, session.family.label)


def reasons_of(session: Session) -> str:
    """Why a session is not Established, on one line."""
    return printable("; ".join(map(str, session.reasons)))


def counted(count: int, word: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _summary(topology: Topology, red: Paint) -> str:
    nodes, others, problems = topology.nodes, topology.others, topology.problems
    line = counted(len(nodes), "node")
    if others:
        line += f", {counted(len(others), 'other router')}"
    line += f"; {counted(len(topology.sessions), 'session')} wanted, "
    line += f"{len(topology.sessions) - len(problems)} Established"
    if problems:
        line += ", " + red(f"{len(problems)} not")
    if topology.apart:
        line += f"\nWithout a BGP address: {some(map(printable, topology.apart), NAMES_SHOWN)}"
    return line


def _bodies(topology: Topology, red: Paint) -> Iterator[str]:
    """A paragraph for each node, or for each group of nodes that are alike."""
    rows = _rows_by_node(topology)
    nodes = topology.nodes
    if len(nodes) <= NODES_SHOWN:
        for node in nodes:
            yield "\n".join([_heading(node, red), *_lines(rows.get(node.place, []), red)])
        return
    alike: dict[object, list[Speaker]] = {}
    for node in nodes:
        alike.setdefault(_likeness(node, rows.get(node.place, [])), []).append(node)
    for group in alike.values():
        first = group[0]
        if len(group) == 1:
            yield "\n".join([_heading(first, red), *_lines(rows.get(first.place, []), red)])
            continue
        faulty = [node for node in group if node.fault]
        heading = f"{len(group)} nodes, {_span(group)}  AS {first.as_number}{_in_group(first)}"
        lines = [f"    {row.title:<9} {_alike(row)}" for row in rows.get(first.place, [])]
        if faulty:
            names = some([printable(node.label) for node in faulty], NAMES_SHOWN)
            lines.append("    " + red(f"! {counted(len(faulty), 'agent')} not well: {names}"))
        yield "\n".join([heading, *lines])


def _heading(node: Speaker, red: Paint) -> str:
    line = f"{printable(node.label)}  AS {node.as_number}{_in_group(node)}"
    if node.cluster_id:
        line += f", route reflector of cluster {node.cluster_id}"
    return line + ("  " + red(f"! {printable(node.fault)}") if node.fault else "")


def _in_group(node: Speaker) -> str:
    return f", {printable(node.group)}" if node.group else ""


def _rows_by_node(topology: Topology) -> dict[Place, list[_Row]]:
    """By node, and in the order of the kinds."""
    ends: dict[Place, dict[str, dict[Place, list[Session]]]] = {}
    for session in topology.sessions:
        for place, other in (session.ends, session.ends[::-1]):
            if place.is_node:
                title = _title(session, place)
                ends.setdefault(place, {}).setdefault(title, {}).setdefault(other, []).append(session)
    return {
        place: [
            _row(topology, title, by_other) for title, by_other in sorted(titles.items(), key=_title_order)
        ]
        for place, titles in ends.items()
    }


def _title(session: Session, place: Place) -> str:
    if session.kind is Kind.CLIENT:
        return "clients" if session.ends[0] == place else "client of"
    return _TITLES[session.kind]


_TITLES = {
    Kind.MESH: "mesh",
    Kind.REFLECTORS: "peers",
    Kind.NODES: "peers",
    Kind.EXTERNAL: "external",
    Kind.WORKLOAD: "workloads",
}
_TITLE_ORDER = ("mesh", "peers", "clients", "client of", "external", "workloads")


def _title_order(item: tuple[str, object]) -> int:
    return _TITLE_ORDER.index(item[0])


def _row(topology: Topology, title: str, by_other: dict[Place, list[Session]]) -> _Row:
    down, up = [], []
    for place, sessions in by_other.items():
        label = printable(topology.speakers[place].label)
        lost = [family_name(session) for session in sessions if not session.is_established]
        if not lost:
            up.append(label)
        else:
            down.append(f"{label} ({', '.join(lost)})" if len(lost) < len(sessions) else label)
    return _Row(title, tuple(down), tuple(up))


def _lines(rows: Sequence[_Row], red: Paint) -> Iterator[str]:
    for row in rows:
        down = [red(f"!{name}") for name in row.down[:NAMES_SHOWN]]
        up = row.up[: max(0, NAMES_SHOWN - len(down))]
        more = len(row.down) + len(row.up) - len(down) - len(up)
        names = ", ".join([*down, *up, *([f"and {more} more"] if more else [])])
        yield f"    {row.title:<9} {names}"


def _likeness(node: Speaker, rows: Sequence[_Row]) -> object:
    """What nodes have in common that are shown together; reflectors are shown by themselves."""
    if node.cluster_id:
        return node.place
    return node.as_number, node.group, tuple((row.title, _alike(row)) for row in rows)


def _alike(row: _Row) -> str:
    """A row for many nodes: of a mesh how many there are, as each node has all others; else who they are."""
    names = sorted((*row.up, *(name.rpartition(" (IPv")[0] or name for name in row.down)))
    if row.title in ("mesh", "clients", "workloads") or len(names) > NAMES_SHOWN:
        return counted(len(names), "session")
    return ", ".join(names)


def _span(nodes: Sequence[Speaker]) -> str:
    return f"{printable(nodes[0].label)} … {printable(nodes[-1].label)}"


def _problems(topology: Topology, red: Paint) -> Iterator[str]:
    """Each session that is not Established; where there are many, by the reason; and what to do."""
    problems = topology.problems
    if not problems:
        return
    lines = [red(f"NOT ESTABLISHED: {len(problems)} of {len(topology.sessions)}")]
    if len(problems) <= PROBLEMS_SHOWN:
        lines += (f"  {session_name(topology, one)}: {red(reasons_of(one))}" for one in problems)
    else:
        lines += (f"  {line}" for line in _by_reason(topology, problems, red))
    yield "\n".join(lines)
    causes = {reason.cause for session in problems for reason in session.reasons if reason.cause is not None}
    if causes:
        ordered = sorted(causes, key=lambda cause: cause.value)
        told = [f"  {cause.value}: {EXPLANATIONS[cause].remedy}" for cause in ordered]
        yield "\n".join(["WHAT TO DO", *told])


def _by_reason(topology: Topology, problems: Iterable[Session], red: Paint) -> Iterator[str]:
    by_reason: dict[str, dict[Session, str]] = {}
    for session in problems:
        for reason in session.reasons:
            by_reason.setdefault(reason.why, {}).setdefault(session, reason.node)
    ranked = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for why, sessions in ranked[:PROBLEMS_SHOWN]:
        by_name = sorted(set(sessions.values()), key=natural)
        nodes = some(map(printable, by_name), NAMES_SHOWN)
        yield f"{counted(len(sessions), 'session')}: {red(printable(why))} ({nodes})"
        yield from (f"    {session_name(topology, one)}" for one in list(sessions)[:EXAMPLES_SHOWN])
    if len(ranked) > PROBLEMS_SHOWN:
        yield f"and {len(ranked) - PROBLEMS_SHOWN} more reasons"
