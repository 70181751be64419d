"""CalicoNodeStatus: what may be asked for, and the report as Calico writes it."""

import json

import pytest

from felixbgp.resources import CalicoNodeStatus, encode, validate
from felixbgp.resources.calico_node_status import PeerKind, RouteKind, SessionState, StatusClass
from tests.support.documents import document, read, stored

SPEC: dict[str, object] = {"node": "node-1", "classes": ["Agent", "BGP", "Routes"], "updatePeriodSeconds": 10}
STATUS: dict[str, object] = {
    "lastUpdated": "2024-05-01T10:00:00Z",
    "agent": {
        "birdV4": {
            "state": "Ready",
            "version": "v0.3.3",
            "routerID": "10.0.0.1",
            "lastBootTime": "2024-05-01 09:00:00",
            "lastReconfigurationTime": "2024-05-01 09:30:00",
        },
        "birdV6": {"state": "NotReady"},
    },
    "bgp": {
        "numberEstablishedV4": 1,
        "numberNotEstablishedV4": 0,
        "numberEstablishedV6": 0,
        "numberNotEstablishedV6": 1,
        "peersV4": [
            {"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Established", "since": "09:00:10"}
        ],
        "peersV6": [{"peerIP": "fd00::2", "type": "GlobalPeer", "state": "OpenSent", "since": "2024-04-01"}],
    },
    "routes": {
        "routesV4": [
            {
                "type": "FIB",
                "destination": "10.65.1.0/26",
                "gateway": "10.0.0.2",
                "interface": "eth0",
                "learnedFrom": {"sourceType": "NodeMesh", "peerIP": "10.0.0.2"},
            },
            {
                "type": "RIB",
                "destination": "10.65.0.0/26",
                "gateway": "N/A",
                "interface": "blackhole",
                "learnedFrom": {"sourceType": "Static"},
            },
        ],
        "routesV6": [],
    },
}  # fmt: skip


def test_a_report_as_calico_writes_it() -> None:
    whole = document("CalicoNodeStatus", SPEC) | {"status": STATUS}
    key, _ = stored("CalicoNodeStatus", SPEC)
    found = read(key, json.dumps(whole).encode())
    assert isinstance(found, CalicoNodeStatus), found
    assert found.spec.classes == tuple(StatusClass)
    assert found.status is not None
    assert found.status.bgp is not None
    assert found.status.bgp.peers_v4[0].type is PeerKind.NODE_MESH
    assert found.status.bgp.peers_v6[0].state is SessionState.OPEN_SENT
    assert found.status.routes is not None
    assert found.status.routes.routes_v4[1].type is RouteKind.RIB
    assert found.namespace is None
    assert json.loads(encode(found))["status"] == STATUS


def test_what_go_writes_for_an_object_that_was_never_reported() -> None:
    status: object = {"lastUpdated": None, "agent": {"birdV4": {}, "birdV6": {}}, "bgp": {}, "routes": {}}
    found = validate(document("CalicoNodeStatus", SPEC) | {"status": status})
    assert isinstance(found, CalicoNodeStatus), found
    assert found.status is not None
    assert found.status.last_updated is None


@pytest.mark.parametrize("period", [0, 86_400])
def test_the_period_is_between_never_and_daily(period: int) -> None:
    assert isinstance(
        validate(document("CalicoNodeStatus", SPEC | {"updatePeriodSeconds": period})), CalicoNodeStatus
    )


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        pytest.param(
            {"node": "", "classes": None, "updatePeriodSeconds": None},
            ["spec.node: is missing", "spec.classes: is missing", "spec.updatePeriodSeconds: is missing"],
            id="all are required",
        ),
        pytest.param({"node": "a/b"}, ['spec.node: "a/b" is not a node name'], id="node"),
        pytest.param(
            {"classes": []},
            ["spec.classes: is empty; give one or more of Agent, BGP and Routes"],
            id="no class",
        ),
        pytest.param(
            {"classes": ["BGP", "Agent", "BGP", "BGP"]},
            ['spec.classes[2]: "BGP" is there twice', 'spec.classes[3]: "BGP" is there twice'],
            id="a class twice",
        ),
        pytest.param(
            {"classes": ["bgp"]},
            ["spec.classes[0]: \"bgp\" is not 'Agent', 'BGP' or 'Routes'"],
            id="no such class",
        ),
        pytest.param(
            {"updatePeriodSeconds": 86_401},
            ["spec.updatePeriodSeconds: 86401 is not between 0 and 86400"],
            id="more than a day",
        ),
        pytest.param(
            {"updatePeriodSeconds": -1},
            ["spec.updatePeriodSeconds: -1 is not between 0 and 86400"],
            id="less than nothing",
        ),
        pytest.param(
            {"updatePeriodSeconds": "10"},
            ['spec.updatePeriodSeconds: "10" is not a whole number'],
            id="period as a text",
        ),
    ],
)
def test_what_cannot_be_asked_for(changes: dict[str, object], sentences: list[str]) -> None:
    found = validate(document("CalicoNodeStatus", SPEC | changes))
    assert isinstance(found, list)
    assert [str(error) for error in found] == sentences


def test_an_object_that_asks_for_nothing() -> None:
    whole = document("CalicoNodeStatus", SPEC)
    del whole["spec"]
    found = validate(whole)
    assert isinstance(found, list)
    assert [str(error) for error in found] == ["spec: is missing"]
