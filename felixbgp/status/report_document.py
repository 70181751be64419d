"""A report's form in etcd: CalicoNodeStatus.status as Calico writes it, in the object that asked for it.

Times are UTC: whoever reads them is hardly ever on the node, and Calico's containers have no other.
"""

from datetime import UTC, datetime
from typing import Final

from felixbgp.cluster.parts import Parts
from felixbgp.net import Address
from felixbgp.resources.calico_node_status import DaemonState
from felixbgp.resources.editing import Json, reported, written
from felixbgp.status.report import DaemonReport, PeerReport, PeerTable, Report
from felixbgp.status.report_routes import RouteReport, RouteTables

TOGETHER: Final = 100
"""Peers or routes that are made text in one part of the work."""
DUMPED: Final = 200
"""What it takes to make JSON of 4,000 routes, in parts."""
_SECOND_NS: Final = 1_000_000_000
_LAST_UPDATED: Final = "%Y-%m-%dT%H:%M:%SZ"
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
_TIME_OF_DAY: Final = "%H:%M:%S"
_DATE: Final = "%Y-%m-%d"


def encode(document: Json, report: Report, wall_offset_ns: int, written_at_ns: int) -> Parts[bytes]:
    """The object to store: `document`, the stored one without its report, with this one.

    `wall_offset_ns` turns the report's times into nanoseconds since 1970, which `written_at_ns` is in.
    """
    status = yield from status_of(report, wall_offset_ns, written_at_ns)
    whole_object = reported(document, status)
    yield DUMPED
    return written(whole_object)


def status_of(report: Report, wall_offset_ns: int, written_at_ns: int) -> Parts[Json]:
    """CalicoNodeStatus.status as plain JSON; an empty list and an unknown value are left out, as Go does."""
    status: Json = {"lastUpdated": _text(written_at_ns, _LAST_UPDATED)}
    if report.agent is not None:
        v4, v6 = report.agent
        status["agent"] = {"birdV4": _daemon(v4, wall_offset_ns), "birdV6": _daemon(v6, wall_offset_ns)}
    if report.bgp is not None:
        status["bgp"] = yield from _bgp(*report.bgp, wall_offset_ns)
    if report.routes is not None:
        status["routes"] = yield from _routes(report.routes)
    return status


def _daemon(daemon: DaemonReport | None, wall_offset_ns: int) -> Json:
    if daemon is None:
        return {"state": DaemonState.NOT_READY.value}
    return {
        "state": DaemonState.READY.value,
        "version": daemon.version,
        "routerID": str(daemon.identifier),
        "lastBootTime": _text(daemon.started + wall_offset_ns, _MOMENT),
        "lastReconfigurationTime": _text(daemon.reconfigured + wall_offset_ns, _MOMENT),
    }


def _bgp(v4: PeerTable, v6: PeerTable, wall_offset_ns: int) -> Parts[Json]:
    section: Json = {
        "numberEstablishedV4": v4.established,
        "numberNotEstablishedV4": v4.not_established,
        "numberEstablishedV6": v6.established,
        "numberNotEstablishedV6": v6.not_established,
    }
    for name, table in (("peersV4", v4), ("peersV6", v6)):
        told: list[Json] = []
        for first in range(0, len(table.peers), TOGETHER):
            told += (_peer(peer, wall_offset_ns) for peer in table.peers[first : first + TOGETHER])
            yield TOGETHER // 3
        if told:
            section[name] = told
    return section


def _peer(peer: PeerReport, wall_offset_ns: int) -> Json:
    return {
        "peerIP": str(peer.address),
        **({} if peer.kind is None else {"type": peer.kind.value}),
        "state": peer.state.value,
        "since": _text(peer.since + wall_offset_ns, _TIME_OF_DAY if peer.recent else _DATE),
    }


def _routes(tables: RouteTables) -> Parts[Json]:
    texts: dict[Address, str] = {}
    section: Json = {}
    for name, routes in (("routesV4", tables.v4), ("routesV6", tables.v6)):
        told: list[Json] = []
        for first in range(0, len(routes), TOGETHER):
            told += (_route(route, texts) for route in routes[first : first + TOGETHER])
            yield TOGETHER // 3
        if told:
            section[name] = told
    return section


def _route(route: RouteReport, texts: dict[Address, str]) -> Json:
    """One route; the gateways and peers of thousands are a few addresses, each made text once."""
    for address in (route.gateway, route.peer):
        if address is not None and address not in texts:
            texts[address] = str(address)
    return {
        "type": route.kind.value,
        "destination": str(route.destination),
        "gateway": "N/A" if route.gateway is None else texts[route.gateway],
        **({"interface": route.interface} if route.interface else {}),
        "learnedFrom": {
            "sourceType": route.source.value,
            **({} if route.peer is None else {"peerIP": texts[route.peer]}),
        },
    }


def _text(wall_ns: int, form: str) -> str:
    return datetime.fromtimestamp(wall_ns // _SECOND_NS, UTC).strftime(form)
