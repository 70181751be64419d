"""What a Derivation makes of changes one after the other is what `derive` makes of the state at once."""

import json
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SecretFilesRead,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.cluster.secrets import SECRETS, SecretFile, SecretId
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.derive import derive
from felixbgp.resources.keys import RESOURCES, prefix_of

SELF = "a"
SECRET = SecretId("s", "k")
PASSWORD = {"secretKeyRef": {"name": "s", "key": "k"}}
ENDPOINTS = prefix_of("WorkloadEndpoint")


def document(kind: str, name: str, spec: object, **metadata: object) -> bytes:
    return json.dumps(
        {
            "kind": kind,
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
    ).encode()


def nodes(name: str) -> Iterator[bytes]:
    host = ord(name) - 96
    bgp = {"ipv4Address": f"10.0.0.{host}/24"}
    both = bgp | {"ipv6Address": f"fd00::{host}"}
    reflector = {"projectcalico.org/RouteReflectorClusterID": "1.1.1.1"}
    for labels in ({}, {"rr": "true"}, {"rack": "1"}):
        yield document("Node", name, {"bgp": both}, labels=labels)
    yield document("Node", name, {"bgp": bgp | {"asNumber": 2}}, labels={"rack": "1"})
    yield document("Node", name, {"bgp": both | {"routeReflectorClusterID": "2.2.2.2"}})
    yield document("Node", name, {"bgp": bgp}, annotations=reflector, labels={"rr": "true"})
    yield document("Node", name, {"bgp": {"ipv4Address": "10.0.0.2"}})
    yield document("Node", name, {"bgp": {"ipv6Address": "fd00::3"}})
    yield document("Node", name, {})
    yield b"not json"


PEER_SPECS: tuple[dict[str, object], ...] = (
    {"peerIP": "10.0.0.2", "asNumber": 64512},
    {"peerIP": "10.0.0.2:180", "asNumber": 2, "nodeSelector": "has(rack)"},
    {"peerIP": "192.0.2.1", "asNumber": 3, "filters": ["f", "g"], "reachableBy": "10.0.0.9"},
    {"peerIP": "192.0.2.1", "asNumber": 4, "node": SELF, "reachableBy": "10.0.0.8"},
    {"peerIP": "10.0.0.1", "asNumber": 64512, "nodeSelector": "!has(rr)", "reachableBy": "10.0.0.9"},
    {"nodeSelector": "all()", "peerSelector": "has(rr)"},
    {"nodeSelector": "has(rr)", "peerSelector": "rack == '1'", "filters": ["f"], "localASNumber": 7},
    {"peerSelector": "has(rack)", "reversePeering": "Manual", "password": PASSWORD},
    {"node": "b", "peerSelector": "all()", "ttlSecurity": 2},
    {"localWorkloadSelector": "has(router)", "asNumber": 65000},
    {"nodeSelector": "has(rack)", "localWorkloadSelector": "all()", "asNumber": 65001},
    {},
)
FILTER_SPECS = (
    {"importV4": [{"action": "Reject"}]},
    {"exportV4": [{"action": "Accept", "interface": "eth0"}], "importV6": [{"action": "Accept"}]},
)
ENDPOINT_SPEC = {"node": SELF, "orchestrator": "k8s", "endpoint": "eth0", "interfaceName": "cali1"}


def table() -> Iterator[tuple[str, list[bytes]]]:
    """Few keys with few values each, so that events meet."""
    for name in "abcd":
        yield f"{RESOURCES}nodes/{name}", list(nodes(name))
    for name in "pqr":
        yield (
            f"{RESOURCES}bgppeers/{name}",
            [document("BGPPeer", name, spec) for spec in PEER_SPECS] + [b"{}"],
        )
    defaults = ({"nodeToNodeMeshEnabled": False}, {"asNumber": 2, "listenPort": 180}, {"bindMode": "NodeIP"})
    more = ({"nodeMeshPassword": PASSWORD}, {"localWorkloadPeeringIPV4": "169.254.0.1", "bindMode": "NodeIP"})
    yield (
        f"{RESOURCES}bgpconfigurations/default",
        [document("BGPConfiguration", "default", spec) for spec in (*defaults, *more)],
    )
    for name in ("node.a", "node.b", "other"):
        specs = ({"listenPort": 181}, {"logSeverityScreen": "Error"})
        key = f"{RESOURCES}bgpconfigurations/{name}"
        yield key, [document("BGPConfiguration", name, spec) for spec in specs]
    for name in "fg":
        yield f"{RESOURCES}bgpfilters/{name}", [document("BGPFilter", name, spec) for spec in FILTER_SPECS]
    for name, mode in (("x", "Never"), ("y", "Always")):
        spec = {"cidr": "10.65.0.0/16", "ipipMode": mode}
        key = f"{RESOURCES}ippools/{name}"
        yield (
            key,
            [document("IPPool", name, spec), document("IPPool", name, spec | {"disableBGPExport": True})],
        )
    for host in "ab":
        key = f"/calico/ipam/v2/host/{host}/ipv4/block/10.65.1.0-26"
        yield key, [b'{"state":"confirmed"}', b'{"state":"pending"}']
    yield f"{SECRETS}s/k", [b"one", b"two\n", b""]
    name = "a-k8s-w-eth0"
    endpoint = ENDPOINT_SPEC | {"pod": "w", "ipNetworks": ["10.65.1.1/32"]}
    moved = ENDPOINT_SPEC | {"pod": "w", "ipNetworks": ["10.65.1.2/32", "fd00:65::1/128"]}
    values = [
        document("WorkloadEndpoint", name, endpoint, namespace="default", labels={"router": "x"}),
        document("WorkloadEndpoint", name, moved, namespace="default", labels={"router": "x"}),
        document("WorkloadEndpoint", name, moved, namespace="default"),
    ]
    yield f"{ENDPOINTS}default/{name}", values


VALUES = dict(table())
NOTHING = (SecretFilesRead("/secrets", (SecretFile(SECRET),)),)
writes = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(st.just(key), st.none() | st.sampled_from(VALUES[key]))
)
others = st.sampled_from(
    (
        SecretFilesRead("/secrets", (SecretFile(SECRET, b"file"),)),
        *NOTHING,
        SnapshotReceived(SECRETS, 0, ()),
        SnapshotReceived(ENDPOINTS, 0, ()),
        PrefixRefused(SECRETS, "permission denied"),
        PrefixRefused(ENDPOINTS, "permission denied"),
    )
)
batches = st.lists(st.lists(writes | others, max_size=4), max_size=12)
Batch = Sequence[tuple[str, bytes | None] | StoreInput]


def event(revision: int, happened: tuple[str, bytes | None] | StoreInput) -> StoreInput:
    match happened:
        case (str(key), None):
            return KeyDeleted(key, revision)
        case (str(key), bytes(value)):
            return KeyPut(StoredValue(key, value, revision))
        case SnapshotReceived(prefix):
            return SnapshotReceived(prefix, revision, ())
        case _:
            return happened


@given(batches)
def test_one_change_after_the_other_comes_to_the_same(happened: Sequence[Batch]) -> None:
    state = ClusterState(SELF)
    for prefix in watched_prefixes(SELF):
        state.feed(SnapshotReceived(prefix, 1, ()))
    derivation = Derivation(SELF)
    peers: dict[PeerId, PeerConfig] = {}
    revision = 1
    for batch in happened:
        for one in batch:
            revision += 1
            state.feed(event(revision, one))
        state.take_demands()
        intent, changed = derivation.update(state, state.take_changes())
        assert intent == derive(state, SELF)
        assert list(intent.peers) == sorted(intent.peers)
        for peer, config in changed.items():
            assert config != peers.get(peer)
            if config is None:
                del peers[peer]
            else:
                peers[peer] = config
        assert peers == intent.peers
