"""A topology as a picture: nodes on a circle, route reflectors within it, other routers around it.

    router                      Those of one rack stand side by side, with its name outside.
  o   o   o                     A router stands as near as it can to whom it has sessions with.
o    R R    o   router
  o   o   o
"""

from collections.abc import Iterator, Sequence
from math import atan2, cos, pi, sin
from typing import NamedTuple
from xml.etree import ElementTree as ET

from felixbgp.cli.table import printable
from felixbgp.cli.topology_graphviz import COLOURS, PROBLEM
from felixbgp.cli.topology_model import Kind, Place, Session, Speaker, Topology, natural
from felixbgp.cli.topology_text import PROBLEMS_SHOWN, counted, reasons_of, session_name

MESH_DRAWN = 40
"""Of more nodes a mesh is one grey disc: only what is not Established of it is drawn as lines."""
LABEL_MAX = 34
"""Characters of a name in the picture; all of it is shown to who points at it."""
_CHARACTER = 6.6
_HEIGHT = 22.0
_RING = 150.0
"""Between the circles."""
_RADIUS_MIN = 190.0
_MARGIN = 135.0
"""Half of the longest box, and some."""
_GAP = 6.0
"""Between the boxes on a circle."""
_ROW = 18.0


class Point(NamedTuple):
    """Of the picture, from its centre."""

    x: float
    y: float


def as_svg(topology: Topology) -> str:
    """The picture, as XML; names and reasons are only ever text in it."""
    places, racks, radius = laid_out(topology)
    half = radius + _MARGIN
    lines = list(_footer(topology))
    height = 2 * half + _ROW * (len(lines) + 1)
    root = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{-half:.0f} {-half:.0f} {2 * half:.0f} {height:.0f}",
        width=f"{2 * half:.0f}",
        height=f"{height:.0f}",
    )
    root.set("font-family", "Helvetica, Arial, sans-serif")
    root.set("font-size", "11")
    box = {"x": f"{-half:.0f}", "y": f"{-half:.0f}", "width": "100%", "height": "100%", "fill": "#ffffff"}
    ET.SubElement(root, "rect", box)
    _mesh(root, topology, places)
    for session in _drawn(topology):
        _line(root, topology, session, places)
    for name, point in racks:
        _text(root, name, point, "#5f6368", size=13)
    for place, point in places.items():
        _box(root, topology.speakers[place], point)
    for number, (line, colour) in enumerate(lines):
        point = Point(-half + 12, half + _ROW * (number + 0.5))
        _text(root, line, point, colour, anchor="start")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def laid_out(topology: Topology) -> tuple[dict[Place, Point], list[tuple[str, Point]], float]:
    """Where everybody stands, where the names of racks stand, and the radius of it all."""
    rim = [one for one in topology.nodes if not one.cluster_id]
    rim.sort(key=lambda one: (not one.group, natural(one.group), natural(one.label)))
    reflectors = [one for one in topology.nodes if one.cluster_id]
    radius = max(_RADIUS_MIN, _room(rim) / (2 * pi), _room(reflectors) / pi)
    places = {one.place: _at(radius, angle) for one, angle in zip(rim, _angles(len(rim)), strict=True)}
    inner = 0.0 if len(reflectors) == 1 else radius * 0.5
    for one, angle in zip(reflectors, _angles(len(reflectors)), strict=True):
        places[one.place] = _at(inner, angle)
    racks = []
    for group in dict.fromkeys(one.group for one in rim if one.group):
        middle = _middle([places[one.place] for one in rim if one.group == group])
        racks.append((group, _at(radius + _RING * 0.35, atan2(middle.y, middle.x))))
    others = _nearest(topology, places)
    around = max(radius + _RING, _room(topology.others) / (2 * pi)) if others else radius
    for place, angle in others:
        places[place] = _at(around, angle)
    return places, racks, around


def _room(speakers: Sequence[Speaker]) -> float:
    """What they need of a circle: where it is level, boxes stand side by side."""
    return len(speakers) * max((_width(_shown(one)) + _GAP for one in speakers), default=0.0)


def _shown(speaker: Speaker) -> str:
    label = printable(speaker.label)
    return label if len(label) <= LABEL_MAX else f"{label[: LABEL_MAX - 1]}…"


def _width(shown: str) -> float:
    return len(shown) * _CHARACTER + 14


def _nearest(topology: Topology, places: dict[Place, Point]) -> list[tuple[Place, float]]:
    """The routers that are no nodes, and at which angle each stands: near to its nodes, none on another."""
    wanted: dict[Place, list[Point]] = {one.place: [] for one in topology.others}
    for session in topology.sessions:
        node, other = session.ends
        if not other.is_node:
            wanted[other].append(places[node])
    middles = {place: _middle(points) for place, points in wanted.items()}
    ordered = sorted(
        middles, key=lambda place: (atan2(middles[place].y, middles[place].x), natural(place.name))
    )
    slots = max(len(ordered), 12)
    free = list(range(slots))
    found = []
    for index, place in enumerate(ordered):
        angle = atan2(middles[place].y, middles[place].x)
        # In their order around the circle, so that lines cross as little as they can.
        last = len(free) - (len(ordered) - index)
        best = min(range(last + 1), key=lambda one: abs(2 * pi * free[one] / slots - pi - angle))
        found.append((place, 2 * pi * free[best] / slots - pi))
        del free[: best + 1]
    return found


def _angles(count: int) -> list[float]:
    """Around the circle, from the top on."""
    return [2 * pi * number / count - pi / 2 for number in range(count)]


def _at(radius: float, angle: float) -> Point:
    return Point(radius * cos(angle), radius * sin(angle))


def _middle(points: Sequence[Point]) -> Point:
    if not points:
        return Point(0.0, -1.0)
    return Point(sum(one.x for one in points) / len(points), sum(one.y for one in points) / len(points))


def _drawn(topology: Topology) -> list[Session]:
    """The sessions that are lines, those in red last and so on top."""
    is_large = len(topology.nodes) > MESH_DRAWN
    shown = [
        one for one in topology.sessions if not (is_large and one.kind is Kind.MESH and one.is_established)
    ]
    return sorted(shown, key=lambda one: not one.is_established)


def _mesh(root: ET.Element, topology: Topology, places: dict[Place, Point]) -> None:
    """The disc that stands for a large mesh."""
    count = sum(one.kind is Kind.MESH for one in topology.sessions)
    if len(topology.nodes) <= MESH_DRAWN or not count:
        return
    radius = max(abs(complex(*point)) for place, point in places.items() if place.is_node)
    disc = ET.SubElement(root, "circle", cx="0", cy="0", r=f"{radius:.1f}", fill="#f1f3f4")
    _title(disc, f"mesh: {counted(count, 'session')}")


def _line(root: ET.Element, topology: Topology, session: Session, places: dict[Place, Point]) -> None:
    """A session; that of IPv6 a little beside that of IPv4."""
    start, end = (places[place] for place in session.ends)
    length = max(abs(complex(end.x - start.x, end.y - start.y)), 1.0)
    shift = 0.0 if session.family.bits == 32 else 3.0
    beside = Point(-(end.y - start.y) / length * shift, (end.x - start.x) / length * shift)
    line = ET.SubElement(
        root,
        "line",
        x1=f"{start.x + beside.x:.1f}",
        y1=f"{start.y + beside.y:.1f}",
        x2=f"{end.x + beside.x:.1f}",
        y2=f"{end.y + beside.y:.1f}",
        stroke=COLOURS[session.kind] if session.is_established else PROBLEM,
    )
    name = session_name(topology, session)
    if session.is_established:
        line.set("stroke-opacity", "0.6")
    else:
        line.set("stroke-width", "2.5")
        line.set("stroke-dasharray", "7 4")
        name += f": {reasons_of(session)}"
    _title(line, name)


def _box(root: ET.Element, speaker: Speaker, point: Point) -> None:
    shown = _shown(speaker)
    width = _width(shown)
    colour = COLOURS[Kind.EXTERNAL] if not speaker.place.is_node else "#3c4043"
    if speaker.cluster_id:
        colour = COLOURS[Kind.CLIENT]
    if speaker.fault:
        colour = PROBLEM
    box = ET.SubElement(
        root,
        "rect",
        x=f"{point.x - width / 2:.1f}",
        y=f"{point.y - _HEIGHT / 2:.1f}",
        width=f"{width:.1f}",
        height=f"{_HEIGHT:.0f}",
        rx="4" if speaker.place.is_node else "11",
        fill="#e8f0fe" if speaker.cluster_id else "#ffffff",
        stroke=colour,
    )
    box.set("stroke-width", "2" if speaker.cluster_id or speaker.fault else "1")
    reflector = f", route reflector of cluster {speaker.cluster_id}" if speaker.cluster_id else ""
    fault = f": {speaker.fault}" if speaker.fault else ""
    _title(box, f"{speaker.label}, AS {speaker.as_number}{reflector}{fault}")
    _text(root, shown, point, colour)


def _footer(topology: Topology) -> Iterator[tuple[str, str]]:
    """What the colours mean, and each session that is not Established; a line and its colour."""
    kinds = dict.fromkeys(session.kind for session in topology.sessions)
    for kind in kinds:
        count = sum(session.kind is kind for session in topology.sessions)
        yield f"― {kind.value}: {counted(count, 'session')}", COLOURS[kind]
    problems = topology.problems
    if not problems:
        return
    yield f"― not Established: {len(problems)} of {len(topology.sessions)}", PROBLEM
    for session in problems[:PROBLEMS_SHOWN]:
        yield f"{session_name(topology, session)}: {reasons_of(session)}", PROBLEM
    if len(problems) > PROBLEMS_SHOWN:
        yield f"and {len(problems) - PROBLEMS_SHOWN} more", PROBLEM


def _title(parent: ET.Element, text: str) -> None:
    """What is shown to who points there."""
    ET.SubElement(parent, "title").text = printable(text)


def _text(
    root: ET.Element, text: str, point: Point, colour: str, *, size: int = 0, anchor: str = "middle"
) -> None:
    found = ET.SubElement(root, "text", x=f"{point.x:.1f}", y=f"{point.y + 4:.1f}", fill=colour)
    found.set("text-anchor", anchor)
    if size:
        found.set("font-size", str(size))
    found.text = printable(text)
