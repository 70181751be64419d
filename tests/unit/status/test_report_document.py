"""A report as JSON: Calico's fields and words, and what is kept of the object it goes into."""

import json

from felixbgp.cluster.parts import whole
from felixbgp.net import Address, Prefix
from felixbgp.resources import CalicoNodeStatus
from felixbgp.resources.calico_node_status import PeerKind, RouteKind, RouteSourceType, SessionState
from felixbgp.resources.keys import ResourceKey
from felixbgp.status.node_status import PEERS_MAX
from felixbgp.status.report import DaemonReport, PeerReport, PeerTable, Report
from felixbgp.status.report_document import encode, status_of
from felixbgp.status.report_routes import ROUTES_MAX, RouteReport, RouteTables
from tests.support.documents import document, read

SECOND = 1_000_000_000
NOON = 1_714_564_800 * SECOND
"""2024-05-01 12:00:00 UTC."""
V4, V6 = Address.parse("10.0.0.2"), Address.parse("fd00::2")
DAEMON = DaemonReport("felixbgp 0.1.0", V4, 0, 90 * SECOND)
SPEC = {"node": "node-1", "classes": ["Agent", "BGP", "Routes"], "updatePeriodSeconds": 10}
REPORT = Report(
    agent=(DAEMON, None),
    bgp=(
        PeerTable(1, 0, (PeerReport(V4, PeerKind.NODE_MESH, SessionState.ESTABLISHED, SECOND, recent=True),)),
        PeerTable(0, 1, (PeerReport(V6, None, SessionState.ACTIVE, SECOND, recent=False),)),
    ),
    routes=RouteTables(
        (
            RouteReport(
                RouteKind.FIB, Prefix.parse("10.1.0.0/26"), V4, "eth0", RouteSourceType.NODE_MESH, V4
            ),
            RouteReport(RouteKind.RIB, Prefix.parse("10.2.0.0/26"), None, "", RouteSourceType.STATIC),
        ),
        (),
    ),
)
STATUS = {
    "lastUpdated": "2024-05-01T12:00:05Z",
    "agent": {
        "birdV4": {
            "state": "Ready",
            "version": "felixbgp 0.1.0",
            "routerID": "10.0.0.2",
            "lastBootTime": "2024-05-01 12:00:00",
            "lastReconfigurationTime": "2024-05-01 12:01:30",
        },
        "birdV6": {"state": "NotReady"},
    },
    "bgp": {
        "numberEstablishedV4": 1,
        "numberNotEstablishedV4": 0,
        "numberEstablishedV6": 0,
        "numberNotEstablishedV6": 1,
        "peersV4": [{"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Established", "since": "12:00:01"}],
        "peersV6": [{"peerIP": "fd00::2", "state": "Active", "since": "2024-05-01"}],
    },
    "routes": {
        "routesV4": [
            {
                "type": "FIB",
                "destination": "10.1.0.0/26",
                "gateway": "10.0.0.2",
                "interface": "eth0",
                "learnedFrom": {"sourceType": "NodeMesh", "peerIP": "10.0.0.2"},
            },
            {
                "type": "RIB",
                "destination": "10.2.0.0/26",
                "gateway": "N/A",
                "learnedFrom": {"sourceType": "Static"},
            },
        ]
    },
}


def test_a_report_in_calicos_words() -> None:
    assert whole(status_of(REPORT, NOON, NOON + 5 * SECOND)) == STATUS


def test_only_what_was_asked_for_is_there() -> None:
    assert whole(status_of(Report(), NOON, NOON)) == {"lastUpdated": "2024-05-01T12:00:00Z"}
    assert list(whole(status_of(Report(agent=(None, None)), NOON, NOON))) == ["lastUpdated", "agent"]


def test_the_object_stays_as_it_is_beside_the_report() -> None:
    stored = document("CalicoNodeStatus", SPEC, "s", labels={"a": "b"}, uid="u") | {"newer": [1]}
    stored["status"] = {"newer": 2, "bgp": {"newer": 3}}
    value = whole(encode(stored, REPORT, NOON, NOON + 5 * SECOND))
    bgp = {**STATUS["bgp"], "newer": 3}  # type: ignore[dict-item]
    assert json.loads(value) == stored | {"status": {**STATUS, "bgp": bgp, "newer": 2}}


def test_what_is_written_can_be_read() -> None:
    value = whole(encode(document("CalicoNodeStatus", SPEC, "s"), REPORT, NOON, NOON))
    found = read(str(ResourceKey("CalicoNodeStatus", "s")), value)
    assert isinstance(found, CalicoNodeStatus)
    assert found.status is not None
    assert found.status.routes is not None
    assert len(found.status.routes.routes_v4) == 2


def test_the_largest_report_fits_into_etcd() -> None:
    long = Address.parse("2001:db8:1111:2222:3333:4444:5555:6666")
    peer = PeerReport(long, PeerKind.GLOBAL_PEER, SessionState.OPEN_CONFIRM, 0, recent=False)
    destination = Prefix.of(long, 128)
    route = RouteReport(RouteKind.FIB, destination, long, "cali12345678901", RouteSourceType.NODE_MESH, long)
    report = Report(
        agent=(DAEMON, DAEMON),
        bgp=(PeerTable(0, 0, ()), PeerTable(0, PEERS_MAX, (peer,) * PEERS_MAX)),
        routes=RouteTables((), (route,) * ROUTES_MAX),
    )
    value = whole(
        encode(document("CalicoNodeStatus", SPEC, annotations={"a": "x" * 262_000}), report, NOON, NOON)
    )
    assert len(value) < 3 << 19, len(value)
