"""What a Derivation makes of changes one after the other is what `derive` makes of the state at once."""

import json
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.cluster.drains import DRAINS
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
    yield document("Node", name, {"bgp": both, "wireguard": {"interfaceIPv4Address": "10.99.0.1"}})
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
    for name in "abc":
        drain = [b'{"id": "1", "phase": "Announce"}', b'{"id": "2", "phase": "Withdraw"}', b"{}"]
        yield f"{DRAINS}{name}", drain
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
OTHERS: tuple[StoreInput, ...] = (
    SecretFilesRead("/secrets", (SecretFile(SECRET, b"file"),)),
    *NOTHING,
    SnapshotReceived(SECRETS, 0, ()),
    SnapshotReceived(ENDPOINTS, 0, ()),
    PrefixRefused(SECRETS, "permission denied"),
    PrefixRefused(ENDPOINTS, "permission denied"),
    SnapshotReceived(DRAINS, 0, ()),
    PrefixRefused(DRAINS, "permission denied"),
)
others = st.sampled_from(OTHERS)
# A cluster that is there already meets more than one that grows from nothing.
started: st.SearchStrategy[list[tuple[str, bytes | None]]]
started = st.lists(writes, min_size=15, max_size=40) | st.just([])
batches = st.builds(
    lambda first, more: [first, *more], started, st.lists(st.lists(writes | others, max_size=4), max_size=12)
)
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


class Follower:
    """A state and a derivation that follows it, held to what is derived at once."""

    def __init__(self) -> None:
        self._state = ClusterState(SELF)
        for prefix in watched_prefixes(SELF):
            self._state.feed(SnapshotReceived(prefix, 1, ()))
        self._derivation = Derivation(SELF)
        self._peers: dict[PeerId, PeerConfig] = {}
        self._revision = 1

    def follow(self, batch: Batch) -> None:
        for one in batch:
            self._revision += 1
            self._state.feed(event(self._revision, one))
        self._state.take_demands()
        intent, changed, *_ = self._derivation.update(self._state, self._state.take_changes())
        assert intent == derive(self._state, SELF)
        assert list(intent.peers) == sorted(intent.peers)
        for peer, config in changed.items():
            assert config != self._peers.get(peer)
            if config is None:
                del self._peers[peer]
            else:
                self._peers[peer] = config
        assert self._peers == intent.peers


@given(batches)
def test_one_change_after_the_other_comes_to_the_same(happened: Sequence[Batch]) -> None:
    follower = Follower()
    for batch in happened:
        follower.follow(batch)


@pytest.mark.parametrize("seed", range(20))
def test_so_does_a_long_life(seed: int) -> None:
    """Much that has to be there at once for a mistake to show is there in the end."""
    chance = Random(seed)  # noqa: S311 - chosen to be the same every time

    def one() -> tuple[str, bytes | None] | StoreInput:
        if chance.random() < 0.1:
            return chance.choice(OTHERS)
        key = chance.choice(sorted(VALUES))
        return key, None if chance.random() < 0.2 else chance.choice(VALUES[key])

    follower = Follower()
    for _ in range(200):
        follower.follow([one() for _ in range(chance.choice((1, 1, 2, 3)))])


@given(st.lists(writes, max_size=30), st.data())
def test_any_order_and_any_splitting_come_to_the_same(
    written: list[tuple[str, bytes | None]], data: st.DataObject
) -> None:
    happened = [event(revision, one) for revision, one in enumerate(written, start=2)]
    others = data.draw(st.permutations(happened))
    cuts = set(data.draw(st.lists(st.integers(0, len(happened)), max_size=8)))
    at_once, in_parts = ClusterState(SELF), ClusterState(SELF)
    for state in (at_once, in_parts):
        for prefix in watched_prefixes(SELF):
            state.feed(SnapshotReceived(prefix, 1, ()))
    for one in happened:
        at_once.feed(one)
    derivation = Derivation(SELF)
    for number, one in enumerate(others):
        in_parts.feed(one)
        if number in cuts:
            derivation.update(in_parts, in_parts.take_changes())
    assert derivation.update(in_parts, in_parts.take_changes()).intent == derive(at_once, SELF)
