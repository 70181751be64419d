"""A topology as a graph in Graphviz's language, for those who want another layout than ours."""

from collections.abc import Iterator

from felixbgp.cli.table import printable
from felixbgp.cli.topology_model import Kind, Place, Session, Speaker, Topology
from felixbgp.cli.topology_text import reasons_of, session_name

COLOURS = {
    Kind.MESH: "#9aa0a6",
    Kind.CLIENT: "#3367d6",
    Kind.REFLECTORS: "#7b1fa2",
    Kind.NODES: "#5f6368",
    Kind.EXTERNAL: "#188038",
    Kind.WORKLOAD: "#b06000",
}
PROBLEM = "#d93025"


def as_dot(topology: Topology) -> str:
    """The graph. Names and reasons are quoted: whatever is in them, they stay texts."""
    return "\n".join(["graph felixbgp {", *(f"  {line}" for line in _lines(topology)), "}", ""])


def _lines(topology: Topology) -> Iterator[str]:
    yield "layout=fdp; overlap=false; splines=true;"
    yield 'node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11];'
    yield "edge [fontname=Helvetica, fontsize=9];"
    groups: dict[str, list[Speaker]] = {}
    for speaker in topology.speakers.values():
        groups.setdefault(speaker.group, []).append(speaker)
    for number, (group, speakers) in enumerate(groups.items()):
        if not group:
            yield from map(_vertex, speakers)
            continue
        yield f"subgraph cluster_{number} {{"
        yield f"  label={quoted(group)}; color={quoted('#dadce0')};"
        yield from (f"  {_vertex(speaker)}" for speaker in speakers)
        yield "}"
    yield from (_edge(topology, session) for session in topology.sessions)


def quoted(text: str) -> str:
    """A string of the language: two characters mean something in one."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _id(place: Place) -> str:
    """What a peer is called that is no node cannot be the name of one."""
    return quoted(place.name if place.is_node else f"peer {place.name}")


def _vertex(speaker: Speaker) -> str:
    attributes = {"label": quoted(speaker.label)}
    if not speaker.place.is_node:
        attributes |= {"shape": "ellipse", "color": quoted(COLOURS[Kind.EXTERNAL])}
    elif speaker.cluster_id:
        attributes |= {"peripheries": "2", "color": quoted(COLOURS[Kind.CLIENT])}
    if speaker.fault:
        attributes |= {
            "color": quoted(PROBLEM),
            "fontcolor": quoted(PROBLEM),
            "tooltip": quoted(speaker.fault),
        }
    return f"{_id(speaker.place)} [{_list(attributes)}];"


def _edge(topology: Topology, session: Session) -> str:
    attributes = {
        "color": quoted(COLOURS[session.kind]),
        "tooltip": quoted(session_name(topology, session)),
    }
    if not session.is_established:
        reasons = quoted(reasons_of(session))
        attributes |= {
            "color": quoted(PROBLEM), "style": "dashed", "penwidth": "2",
            "label": reasons, "fontcolor": quoted(PROBLEM),
        }  # fmt: skip
    first, second = session.ends
    return f"{_id(first)} -- {_id(second)} [{_list(attributes)}];"


def _list(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())
