"""Whether another node has us as a peer, by the same resources: as that node itself derives it."""

import json
from collections.abc import Mapping

import pytest

from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, required_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.net import Address

RESOURCES = "/calico/resources/v3/projectcalico.org"
ONE, TWO = Address.parse("172.30.0.1"), Address.parse("172.30.0.2")
MESH_OFF = {"nodeToNodeMeshEnabled": False}


def state_of(
    node: str, peers: Mapping[str, object], *, default: Mapping[str, object], reflector: bool
) -> ClusterState:
    """Two nodes, the second perhaps a reflector, and these BGPPeers."""
    cluster = {"routeReflectorClusterID": "1.0.0.1"} if reflector else {}
    written: dict[str, tuple[str, object]] = {
        "nodes/node-1": ("Node", {"bgp": {"ipv4Address": f"{ONE}/24"}}),
        "nodes/node-2": ("Node", {"bgp": {"ipv4Address": f"{TWO}/24", **cluster}}),
        "bgpconfigurations/default": ("BGPConfiguration", default),
        **{f"bgppeers/{name}": ("BGPPeer", spec) for name, spec in peers.items()},
    }
    values = []
    for revision, (path, (kind, spec)) in enumerate(written.items(), 1):
        name = path.partition("/")[2]
        labels = {"name": name}
        metadata = {"name": name, "labels": labels}
        value = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}
        values.append(StoredValue(f"{RESOURCES}/{path}", json.dumps(value).encode(), revision))
    state = ClusterState(node)
    for prefix in required_prefixes(node):
        there = tuple(value for value in values if value.key.startswith(prefix))
        state.feed(SnapshotReceived(prefix, 100, there))
    return state


PEER = {"node": "node-1", "peerIP": str(TWO), "asNumber": 64512}


@pytest.mark.parametrize(
    ("peers", "default", "reflector", "listed"),
    [
        ({}, {}, False, True),
        ({}, MESH_OFF, False, False),
        ({}, {}, True, False),
        ({"forward": PEER}, MESH_OFF, False, True),
        ({"forward": PEER | {"reversePeering": "Manual"}}, MESH_OFF, False, False),
        ({"forward": PEER | {"reversePeering": "Manual"}}, {}, False, True),
        ({"forward": PEER | {"asNumber": 65001}}, MESH_OFF, False, False),
        ({"forward": PEER | {"peerIP": f"{TWO}:1790"}}, MESH_OFF, False, False),
        (
            {
                "forward": PEER | {"reversePeering": "Manual"},
                "back": {"node": "node-2", "peerIP": str(ONE), "asNumber": 64512},
            },
            MESH_OFF,
            False,
            True,
        ),
        (
            {"all": {"nodeSelector": "name == 'node-1'", "peerSelector": "name == 'node-2'"}},
            MESH_OFF,
            False,
            True,
        ),
        (
            {
                "all": {
                    "nodeSelector": "name == 'node-1'",
                    "peerSelector": "name == 'node-2'",
                    "reversePeering": "Manual",
                }
            },
            MESH_OFF,
            False,
            False,
        ),
        ({"back": {"nodeSelector": "name == 'node-2'", "peerSelector": "all()"}}, MESH_OFF, False, True),
    ],
)
def test_it_is_what_the_other_node_derives(
    peers: Mapping[str, object], default: Mapping[str, object], reflector: bool, listed: bool
) -> None:
    ours = Derivation("node-1")
    ours.update(state_of("node-1", peers, default=default, reflector=reflector))
    assert ours.lists_us(TWO) is listed
    theirs = Derivation("node-2").update(state_of("node-2", peers, default=default, reflector=reflector))
    assert (ONE in [peer.address for peer in theirs.intent.peers]) is listed


def test_of_who_is_no_other_node_nothing_is_known() -> None:
    ours = Derivation("node-1")
    assert ours.lists_us(TWO) is None
    ours.update(state_of("node-1", {}, default={}, reflector=False))
    assert ours.lists_us(ONE) is None
    assert ours.lists_us(Address.parse("192.0.2.1")) is None
