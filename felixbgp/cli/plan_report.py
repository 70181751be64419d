"""How a plan is shown: a table of nodes and lines below it, or all of it as YAML or JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.table import bordered, printable
from felixbgp.plan.outcome import NodeOutcome, Outcome, Presence, Route, RouteOutcome, SessionOutcome
from felixbgp.plan.sessions import SessionChange

FORMS = ("table", "wide", "yaml", "json")
HEADERS = (
    *("NODE", "KEPT", "CHANGED", "RESET", "ADDED", "REMOVED"),
    *("GAINED", "LOST", "MOVED", "NO PATH"),
)
LINES_MAX = 10
"""Sessions or prefixes of a node that are named unless all are asked for."""


class Planned(NamedTuple):
    """A prediction, and what it is about."""

    outcome: Outcome
    revision: int
    """Of the store as it is."""
    changed: Mapping[str, bytes | None]
    """The keys that would be written, None for those that would be deleted."""
    notes: Sequence[str] = ()
    """What was assumed."""


def printed(planned: Planned, form: str) -> str:
    """The text of a plan in one of `FORMS`."""
    match form:
        case "json":
            return as_json(to_object(planned))
        case "yaml":
            return as_yaml(to_object(planned))
        case _:
            lines = _lines(planned, wide=form == "wide")
            return "".join(f"{line}\n" for line in lines)


def to_object(planned: Planned) -> dict[str, Any]:
    """All of it; a session that is kept is only counted."""
    outcome = planned.outcome
    return {
        "revision": planned.revision,
        "written": [key for key, value in planned.changed.items() if value is not None],
        "deleted": [key for key, value in planned.changed.items() if value is None],
        "affected": outcome.affected,
        "loses": outcome.loses,
        "nodes": {name: _node(node) for name, node in outcome.nodes.items()},
        "notes": list(planned.notes),
    }


def _node(node: NodeOutcome) -> dict[str, Any]:
    return {
        "presence": node.presence.value,
        "sessionsKept": node.kept,
        "sessions": [_session(one) for one in node.sessions],
        "gained": [_prefix(one) for one in node.gained],
        "lost": [_prefix(one) for one in node.lost],
        "moved": [_prefix(one) for one in node.moved],
        "noPath": [_prefix(one) for one in node.stranded],
    }


def _session(one: SessionOutcome) -> dict[str, Any]:
    found: dict[str, Any] = {"peer": str(one.peer), "name": one.name, "change": one.change.value}
    if one.parameters:
        found["parameters"] = list(one.parameters)
    if one.peer_parameters:
        found["parametersOfPeer"] = list(one.peer_parameters)
    if one.reason:
        found["reason"] = one.reason
    if one.change is SessionChange.RESET:
        found["losesRoutesMeanwhile"] = one.loses
    return found


def _prefix(one: RouteOutcome) -> dict[str, Any]:
    ways = {"from": one.before, "to": one.after}
    return {"prefix": str(one.prefix), **{name: _route(way) for name, way in ways.items() if way is not None}}


def _route(route: Route) -> dict[str, Any]:
    return {"nextHops": [str(hop) for hop in route.next_hops], "asPath": list(route.as_path)}


def _lines(planned: Planned, *, wide: bool) -> Iterator[str]:
    outcome = planned.outcome
    shown = {
        name: node
        for name, node in outcome.nodes.items()
        if wide or node.sessions or node.is_affected or node.presence is not Presence.STAYS
    }
    if shown:
        yield bordered(HEADERS, [_row(name, node) for name, node in shown.items()])
    for name, node in shown.items():
        yield from _details(name, node, wide=wide)
    yield from (f"note: {printable(note)}" for note in planned.notes)
    yield (
        f"{len(planned.changed)} key(s) of revision {planned.revision} would change; "
        f"{outcome.affected} of {len(outcome.nodes)} nodes are affected; "
        f"{'routes are' if outcome.loses else 'nothing is'} lost"
    )


def _row(name: str, node: NodeOutcome) -> list[str]:
    counts = [node.count(change) for change in SessionChange]
    counts += [len(node.gained), len(node.lost), len(node.moved), len(node.stranded)]
    presence = "" if node.presence is Presence.STAYS else f" ({node.presence.value})"
    return [name + presence, *(str(count) if count else "-" for count in counts)]


def _details(name: str, node: NodeOutcome, *, wide: bool) -> Iterator[str]:
    """What an operator looks at twice: not what is gained or changed in place, unless all is asked for."""
    quiet = (SessionChange.CHANGED, SessionChange.ADDED)
    lines = [_session_line(one) for one in node.sessions if wide or one.change not in quiet]
    lines += [f"{one.prefix} is left without a path, by {one.before} now" for one in node.stranded]
    lines += [f"{one.prefix} is lost: nobody originates it any more" for one in node.lost]
    lines += [f"{one.prefix} moves from {one.before} to {one.after}" for one in node.moved]
    lines += [f"{one.prefix} is gained, by {one.after}" for one in node.gained if wide]
    cut = lines if wide else lines[:LINES_MAX]
    yield from (f"{name}: {printable(line)}" for line in cut)
    if len(lines) > len(cut):
        yield f"{name}: and {len(lines) - len(cut)} more (-o wide tells all)"


def _session_line(one: SessionOutcome) -> str:
    who = str(one.peer) if one.name in ("", str(one.peer)) else f"{one.peer} ({one.name})"
    text = f"session with {who} is {one.change.value}"
    if one.change is SessionChange.CHANGED:
        text += " in place"
    if one.parameters:
        text += f": {', '.join(one.parameters)}"
    if one.peer_parameters:
        text += f"; there: {', '.join(one.peer_parameters)}"
    if one.reason:
        text += f": {one.reason}"
    return text + (", without graceful restart" if one.loses else "")
