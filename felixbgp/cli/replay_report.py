"""An agent as it stood, for people and for programs: its peers, its filters, its routes."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from felixbgp.bgp.snapshot import RouteSnapshot
from felixbgp.cli.moments import SECOND_NS, time_text
from felixbgp.cli.printing import as_json
from felixbgp.cli.table import bordered, printable
from felixbgp.cluster.inputs import StoredValue
from felixbgp.journal.moment import Stood
from felixbgp.net import Prefix
from felixbgp.resources import BgpFilter, Decoded, decode
from felixbgp.resources.decode import parse_json
from felixbgp.status.document import encode
from felixbgp.status.node_status import PeerStatus

_CHAINS = ("importV4", "exportV4", "importV6", "exportV6")


def rendered(stood: Stood) -> str:
    """Tables of peers, filters and routes under a heading, each ended by an empty line."""
    when = (
        f"{stood.at / SECOND_NS:.3f} s of its clock"
        if stood.wall_offset_ns is None
        else time_text(stood.at + stood.wall_offset_ns)
    )
    routes = stood.status.routes
    counts = "" if routes is None else f"\n  Routes in the kernel: {routes.installed} of {routes.wanted}"
    heading = (
        f"Node {printable(stood.node)} at {when}, revision {stood.revision or '-'} "
        f"(felixbgp {printable(stood.version)}){counts}"
    )
    return "\n\n".join((heading, _peers(stood), _filters(stood), _routes(stood), *_problems(stood))) + "\n\n"


def as_object(stood: Stood) -> dict[str, object]:
    """All of it for programs: `status` is the document that the agent would publish, times are UTC."""
    offset = stood.wall_offset_ns
    time = None if offset is None else datetime.fromtimestamp((stood.at + offset) / SECOND_NS, UTC)
    return {
        "node": stood.node,
        "version": stood.version,
        "time": None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "clock": stood.at / SECOND_NS,
        "revision": stood.revision,
        "remarks": list(stood.remarks),
        "status": json.loads(encode(stood.status, offset or 0)),
        "filters": [
            {"key": one.key, "revision": one.revision, "value": _document(one)} for one in stood.filters
        ],
        "routes": [_route_object(prefix, route) for prefix, route in stood.routes],
    }


def _peers(stood: Stood) -> str:
    if not stood.status.peers:
        return "Peers\nThere are none."
    offset = stood.wall_offset_ns
    rows = [_peer(peer, offset) for peer in stood.status.peers]
    headers = ("PEER ADDRESS", "RESOURCE", "AS", "STATE", "SINCE", "INFO", "RECEIVED", "ACCEPTED", "TOLD")
    return f"Peers\n{bordered(headers, rows)}"


def _peer(peer: PeerStatus, offset: int | None) -> tuple[str, ...]:
    return (
        str(peer.peer),
        peer.resource or peer.scope or "-",
        str(peer.remote_as),
        peer.state,
        f"{peer.since / SECOND_NS:.3f} s" if offset is None else time_text(peer.since + offset),
        peer.last_error or "",
        str(peer.prefixes_received),
        str(peer.prefixes_accepted),
        str(peer.prefixes_advertised),
    )


def _filters(stood: Stood) -> str:
    rows = [row for stored in stood.filters for row in _filter(stored)]
    if not rows:
        return "Filters\nThere are none."
    return f"Filters\n{bordered(('FILTER', 'REVISION', 'CHAIN', 'RULE', 'ACTION', 'CONDITIONS'), rows)}"


def _filter(stored: StoredValue) -> Iterator[tuple[str, ...]]:
    """A row for each rule, or one that says that there are none, or why it counts as absent."""
    found = decode(stored.key, stored.value)
    head = stored.key.rpartition("/")[2], str(stored.revision)
    if not (isinstance(found, Decoded) and isinstance(found.value, BgpFilter)):
        reason = "; ".join(map(str, found)) if isinstance(found, list) else ""
        yield (*head, "-", "-", "invalid, counts as absent", reason)
        return
    spec = found.value.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    rules = [(chain, number, rule) for chain in _CHAINS for number, rule in enumerate(spec.get(chain, ()), 1)]
    for chain, number, rule in rules:
        yield (*head, chain, str(number), str(rule.get("action", "")), _conditions(rule))
    if not rules:
        yield (*head, "-", "-", "no rules", "")


def _conditions(rule: Mapping[str, Any]) -> str:
    """What a rule asks of a route, and what it does to it, in the words of the resource."""
    return ", ".join(f"{name}={_plain(value)}" for name, value in rule.items() if name != "action")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else " ".join(as_json(value).split())


def _routes(stood: Stood) -> str:
    if not stood.routes:
        return "Routes\nThere are none."
    rows = [
        (
            "*" if route.best else "",
            str(prefix),
            route.source.value,
            "-" if route.peer is None else str(route.peer),
            "-" if route.next_hop is None else str(route.next_hop),
            route.interface or "-",
        )
        for prefix, route in stood.routes
    ]
    return f"Routes (* selected)\n{bordered(('', 'PREFIX', 'SOURCE', 'PEER', 'NEXT HOP', 'INTERFACE'), rows)}"


def _problems(stood: Stood) -> Iterator[str]:
    rows = [(one.subject, one.field or "-", one.reason) for one in stood.status.problems]
    if rows:
        yield f"Problems\n{bordered(('SUBJECT', 'FIELD', 'REASON'), rows)}"


def _document(stored: StoredValue) -> object:
    """The object that is stored; what is none, as text."""
    found = parse_json(stored.value)
    return stored.value.decode(errors="replace") if isinstance(found, list) else found


def _route_object(prefix: Prefix, route: RouteSnapshot) -> dict[str, object]:
    return {
        "prefix": str(prefix),
        "selected": route.best,
        "source": route.source.value,
        "peer": None if route.peer is None else str(route.peer),
        "nextHop": None if route.next_hop is None else str(route.next_hop),
        "interface": route.interface or None,
    }
