"""What a view must read beyond the fixed prefixes, and what waits for it."""

import json

import pytest

from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS, Demands
from felixbgp.cluster.facts import ClusterInSync, ReadRefused
from felixbgp.cluster.following import UNREAD
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SecretFilesRead,
    SnapshotReceived,
    StoredValue,
)
from felixbgp.cluster.secrets import SECRETS, FoundSecret, MissingSecret, SecretFile, SecretId
from felixbgp.cluster.state import ClusterState, watched_prefixes

R = "/calico/resources/v3/projectcalico.org/"
TOR = SecretId("bgp-secrets", "tor")
MESH = SecretId("bgp-secrets", "mesh")
DIRECTORY = "/etc/felixbgp/secrets"


def reference(secret: SecretId) -> dict[str, object]:
    return {"secretKeyRef": {"name": secret.name, "key": secret.key}}


def document(kind: str, plural: str, name: str, spec: object, **labels: str) -> StoredValue:
    value = {
        "kind": kind,
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
    return StoredValue(f"{R}{plural}/{name}", json.dumps(value).encode(), 5)


def node(name: str = "a", **labels: str) -> StoredValue:
    return document("Node", "nodes", name, {"bgp": {"ipv4Address": "10.0.0.1"}}, **labels)


def bgp_peer(name: str, **spec: object) -> StoredValue:
    return document("BGPPeer", "bgppeers", name, spec)


WITH_PASSWORD = bgp_peer("tor", peerIP="10.0.0.2", asNumber=1, password=reference(TOR))
MESH_PASSWORD = document(
    "BGPConfiguration", "bgpconfigurations", "default", {"nodeMeshPassword": reference(MESH)}
)


def of_workloads(name: str, **spec: object) -> StoredValue:
    return bgp_peer(name, localWorkloadSelector="has(bgp)", asNumber=1, **spec)


def synced(*stored: StoredValue, name: str | None = "a") -> ClusterState:
    """A view to which every fixed prefix was told, with these values."""
    state = ClusterState(name)
    for prefix in watched_prefixes(name):
        state.feed(SnapshotReceived(prefix, 7, tuple(v for v in stored if v.key.startswith(prefix))))
    return state


@pytest.mark.parametrize(
    ("stored", "prefixes", "secrets"),
    [
        ((), (), ()),
        ((bgp_peer("p", peerIP="10.0.0.2", asNumber=1, password={}),), (), ()),
        ((WITH_PASSWORD, MESH_PASSWORD), (SECRETS,), (MESH, TOR)),
        ((WITH_PASSWORD, bgp_peer("q", peerSelector="all()", password=reference(TOR))), (SECRETS,), (TOR,)),
        ((of_workloads("p"),), (WORKLOAD_ENDPOINTS,), ()),
        ((of_workloads("p", node="a"),), (WORKLOAD_ENDPOINTS,), ()),
        ((of_workloads("p", node="b"),), (), ()),
        ((node(rack="1"), of_workloads("p", nodeSelector="has(rack)")), (WORKLOAD_ENDPOINTS,), ()),
        ((node(), of_workloads("p", nodeSelector="has(rack)")), (), ()),
        ((of_workloads("p", nodeSelector="all()"),), (), ()),
        ((of_workloads("p", password=reference(TOR)),), (WORKLOAD_ENDPOINTS, SECRETS), (TOR,)),
    ],
    ids=[
        "nothing",
        "a password that refers to nothing",
        "a BGPPeer's and the mesh's password",
        "one secret for two",
        "workloads of every node",
        "workloads of this node",
        "workloads of another node",
        "workloads of nodes like this",
        "workloads of nodes unlike this",
        "a node that does not exist has none",
        "both",
    ],
)
def test_what_resources_call_for(
    stored: tuple[StoredValue, ...], prefixes: tuple[str, ...], secrets: tuple[SecretId, ...]
) -> None:
    assert synced(*stored).take_demands() == Demands(prefixes, secrets)


def test_demands_are_told_when_they_change() -> None:
    state = synced()
    assert state.has_demands()
    assert state.take_demands() == Demands()
    assert not state.has_demands()
    assert state.take_demands() is None
    state.feed(KeyPut(WITH_PASSWORD._replace(revision=8)))
    assert state.has_demands()
    assert state.take_demands() == Demands((SECRETS,), (TOR,))
    state.feed(KeyPut(of_workloads("p")._replace(revision=9)))
    state.feed(KeyDeleted(f"{R}bgppeers/p", 10))
    assert state.take_demands() is None
    state.feed(KeyPut(StoredValue(WITH_PASSWORD.key, b"not JSON", 11)))
    assert state.take_demands() == Demands()


def test_a_view_of_every_node_calls_for_nothing() -> None:
    state = synced(WITH_PASSWORD, of_workloads("p"), name=None)
    assert state.in_sync()
    assert state.take_demands() == Demands()


def test_in_sync_when_what_the_first_snapshot_calls_for_came_too() -> None:
    state = synced(WITH_PASSWORD, of_workloads("p"))
    assert not state.in_sync()
    assert state.take_facts() == []
    state.take_demands()
    state.feed(SnapshotReceived(SECRETS, 8, ()))
    state.feed(SnapshotReceived(WORKLOAD_ENDPOINTS, 9, ()))
    assert not state.in_sync()
    assert state.feed(SecretFilesRead(DIRECTORY, (SecretFile(TOR),)))
    assert state.in_sync()
    assert state.take_facts() == [ClusterInSync(9)]


def test_what_is_no_longer_called_for_is_not_waited_for() -> None:
    state = synced(WITH_PASSWORD)
    assert state.feed(KeyDeleted(WITH_PASSWORD.key, 8))
    assert state.in_sync()


def test_a_refused_prefix_keeps_nobody_waiting() -> None:
    state = synced(WITH_PASSWORD)
    state.take_demands()
    state.feed(SecretFilesRead(DIRECTORY, (SecretFile(TOR),)))
    assert not state.in_sync()
    assert state.feed(PrefixRefused(SECRETS, "permission denied"))
    assert state.in_sync()
    assert state.take_facts() == [ReadRefused(SECRETS, "permission denied"), ClusterInSync(7)]
    missing = state.secret(TOR)
    assert isinstance(missing, MissingSecret)
    assert missing.reason.endswith("cannot be read: permission denied")
    assert not state.feed(PrefixRefused(SECRETS, "permission denied"))
    assert state.feed(SnapshotReceived(SECRETS, 9, (StoredValue(f"{SECRETS}bgp-secrets/tor", b"x", 8),)))
    assert state.secret(TOR) == FoundSecret(b"x")


def test_once_in_sync_it_stays_so_whatever_is_called_for() -> None:
    state = synced()
    assert state.feed(KeyPut(WITH_PASSWORD._replace(revision=8)))
    assert state.in_sync()
    assert state.secret(TOR) == MissingSecret(UNREAD)
    state.take_demands()
    assert state.feed(SecretFilesRead(DIRECTORY, (SecretFile(TOR),)))
    missing = state.secret(TOR)
    assert isinstance(missing, MissingSecret)
    assert missing.reason.endswith(f"in etcd {UNREAD}")
    assert state.feed(SnapshotReceived(SECRETS, 9, ()))
    missing = state.secret(TOR)
    assert isinstance(missing, MissingSecret)
    assert missing.absent


def test_secrets_in_etcd_come_change_and_go() -> None:
    state = synced(WITH_PASSWORD)
    state.take_demands()
    state.feed(SecretFilesRead(DIRECTORY, (SecretFile(TOR),)))
    key = f"{SECRETS}bgp-secrets/tor"
    state.feed(SnapshotReceived(SECRETS, 8, (StoredValue(key, b"one\n", 8),)))
    assert state.secret(TOR) == FoundSecret(b"one")
    assert state.feed(KeyPut(StoredValue(key, b"two", 9)))
    assert not state.feed(KeyPut(StoredValue(key, b"one", 8)))
    assert state.secret(TOR) == FoundSecret(b"two")
    assert not state.feed(KeyPut(StoredValue(key, b"two", 10)))
    assert state.feed(KeyDeleted(key, 11))
    assert isinstance(state.secret(TOR), MissingSecret)
    assert not state.feed(KeyPut(StoredValue(f"{SECRETS}../tor", b"x", 12)))


def test_the_snapshot_of_an_optional_prefix_does_not_turn_the_revision_back() -> None:
    state = synced(WITH_PASSWORD)
    state.take_demands()
    state.feed(KeyPut(node()._replace(revision=20)))
    state.feed(SnapshotReceived(SECRETS, 15, ()))
    assert state.revision == 20


def test_a_secret_is_forgotten_when_nothing_refers_to_one() -> None:
    state = synced(WITH_PASSWORD)
    state.take_demands()
    files = SecretFilesRead(DIRECTORY, (SecretFile(TOR),))
    state.feed(files)
    stored = StoredValue(f"{SECRETS}bgp-secrets/tor", b"secret", 8)
    state.feed(SnapshotReceived(SECRETS, 8, (stored,)))
    state.feed(KeyDeleted(WITH_PASSWORD.key, 9))
    state.take_demands()
    assert not state.feed(KeyPut(stored._replace(revision=10)))
    state.feed(KeyPut(WITH_PASSWORD._replace(revision=11)))
    assert not state.feed(SnapshotReceived(SECRETS, 11, (stored,)))
    state.take_demands()
    state.feed(files)
    missing = state.secret(TOR)
    assert isinstance(missing, MissingSecret)
    assert missing.reason.endswith(UNREAD)
    assert state.feed(SnapshotReceived(SECRETS, 12, (stored,)))
    assert state.secret(TOR) == FoundSecret(b"secret")


def endpoint(node: str, workload: str = "vm", **labels: str) -> StoredValue:
    name = "-".join(part.replace("-", "--") for part in (node, "openstack", workload, "eth0"))
    value = {
        "kind": "WorkloadEndpoint",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"orchestrator": "openstack", "node": node, "workload": workload, "endpoint": "eth0"},
    }
    return StoredValue(f"{WORKLOAD_ENDPOINTS}default/{name}", json.dumps(value).encode(), 8)


def test_endpoints_of_this_node_are_kept_and_others_are_not_looked_at() -> None:
    state = synced(node(), of_workloads("p"))
    state.take_demands()
    assert state.workload_endpoints_obstacle == UNREAD
    own, foreign = endpoint("a"), endpoint("a-b")._replace(value=b"not JSON")
    state.feed(SnapshotReceived(WORKLOAD_ENDPOINTS, 8, (own, foreign)))
    assert state.in_sync()
    assert state.workload_endpoints_obstacle == ""
    assert list(state.workload_endpoints) == ["default/a-openstack-vm-eth0"]
    assert not state.feed(KeyPut(foreign._replace(revision=9)))
    assert not state.feed(KeyDeleted(foreign.key, 10))
    assert state.invalid == {}
    assert state.feed(KeyPut(endpoint("a", bgp="yes")._replace(revision=11)))
    assert state.feed(KeyPut(StoredValue(own.key, b"not JSON", 12)))
    assert (list(state.workload_endpoints), list(state.invalid)) == ([], [own.key])
    assert state.feed(KeyDeleted(own.key, 13))
    assert state.invalid == {}


def test_endpoints_are_forgotten_with_the_last_peer_that_calls_for_them() -> None:
    state = synced(node(), of_workloads("p"))
    state.take_demands()
    state.feed(SnapshotReceived(WORKLOAD_ENDPOINTS, 8, (endpoint("a"),)))
    state.feed(KeyDeleted(f"{R}bgppeers/p", 9))
    state.take_demands()
    assert state.workload_endpoints == {}
    assert not state.feed(KeyPut(endpoint("a")._replace(revision=10)))


def test_a_view_of_every_node_keeps_the_endpoints_of_all() -> None:
    state = synced(name=None)
    state.feed(SnapshotReceived(WORKLOAD_ENDPOINTS, 8, (endpoint("a"), endpoint("b"))))
    assert len(state.workload_endpoints) == 2
