"""What a state says has changed since it was last asked."""

import json

from felixbgp.cluster.changes import Changes
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SecretFilesRead,
    SnapshotReceived,
    StoredValue,
)
from felixbgp.cluster.secrets import SECRETS, SecretFile, SecretId
from felixbgp.cluster.state import ClusterState
from felixbgp.resources.keys import HOSTS, RESOURCES

SECRET = SecretId("bgp", "password")
PEERING = {"peerIP": "192.0.2.1", "asNumber": 1, "password": {"secretKeyRef": SECRET._asdict()}}


def document(kind: str, name: str, spec: object, **more: object) -> bytes:
    metadata = {"name": name, **more}
    return json.dumps(
        {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
    ).encode()


class Store:
    """Writes to a state, one revision after the other."""

    def __init__(self) -> None:
        self.state = ClusterState("a")
        self.revision = 0

    def put(self, kind: str, name: str, spec: object, **more: object) -> None:
        self.put_key(f"{RESOURCES}{kind.lower()}s/{name}", document(kind, name, spec, **more))

    def put_key(self, key: str, value: bytes) -> None:
        self.revision += 1
        self.state.feed(KeyPut(StoredValue(key, value, self.revision)))

    def delete(self, key: str) -> None:
        self.revision += 1
        self.state.feed(KeyDeleted(key, self.revision))

    def taken(self) -> Changes:
        return self.state.take_changes()


def test_everything_at_first_and_nothing_the_second_time() -> None:
    store = Store()
    node = document("Node", "b", {"bgp": {"ipv4Address": "10.0.0.2"}})
    listed = (StoredValue(f"{RESOURCES}nodes/b", node, 1), StoredValue(f"{RESOURCES}nodes/c", node, 1))
    store.state.feed(SnapshotReceived(f"{RESOURCES}nodes/", 2, listed))
    store.put("BGPPeer", "p", PEERING)
    changes = store.taken()
    # That of "c" is a document about "b".
    assert changes
    assert (changes.of("Node"), changes.of("BGPPeer"), changes.of("IPPool")) == (("b",), ("p",), ())
    assert not store.taken()


def test_in_the_order_in_which_they_changed_first() -> None:
    store = Store()
    for name in ("z", "b", "a", "z"):
        store.put("BGPPeer", name, PEERING, labels={"turn": str(store.revision)})
    assert store.taken().of("BGPPeer") == ("z", "b", "a")


def test_what_means_the_same_is_no_change() -> None:
    store = Store()
    store.put("Node", "b", {"bgp": {"ipv4Address": "10.0.0.2"}}, uid="1")
    store.taken()
    store.put(
        "Node", "b", {"bgp": {"ipv4Address": "10.0.0.2"}}, uid="2", creationTimestamp="2024-01-01T00:00:00Z"
    )
    store.put("Node", "b", {"bgp": {"ipv4Address": "10.0.0.2/32"}})
    assert not store.taken()


def test_spec_labels_and_annotations_mean_something() -> None:
    store = Store()
    store.put("Node", "b", {})
    store.taken()
    for metadata in ({"labels": {"x": "y"}}, {"annotations": {"x": "y"}}):
        store.put("Node", "b", {}, **metadata)
        assert store.taken().includes("Node", "a", "b")


def test_what_goes_becomes_invalid_or_valid_again() -> None:
    store = Store()
    key = f"{RESOURCES}bgpfilters/f"
    for value in (document("BGPFilter", "f", {}), b"no json", document("BGPFilter", "f", {})):
        store.put_key(key, value)
        assert store.taken().of("BGPFilter") == ("f",)
    store.delete(key)
    assert store.taken().of("BGPFilter") == ("f",)
    store.put_key(key, b"no json")
    store.delete(key)
    assert not store.taken()


def test_blocks_by_host() -> None:
    store = Store()
    key = f"{HOSTS}a/ipv4/block/10.65.0.0-26"
    store.put_key(key, b'{"state":"confirmed"}')
    changes = store.taken()
    assert (changes.blocks_of("a"), changes.blocks_of("b")) == (True, False)
    store.put_key(key, b'{"state":"confirmed","deleted":false}')
    assert not store.taken()
    store.delete(key)
    assert store.taken().blocks_of("a")


def test_secrets_wherever_they_are() -> None:
    store = Store()
    store.put("BGPPeer", "p", PEERING)
    assert store.state.take_demands() is not None
    assert store.taken().prefixes == (SECRETS,)
    store.state.feed(SecretFilesRead("/secrets", (SecretFile(SECRET),)))
    assert store.taken().secrets == (SECRET,)
    store.state.feed(SecretFilesRead("/secrets", (SecretFile(SECRET),)))
    assert not store.taken()
    store.state.feed(SnapshotReceived(SECRETS, store.revision, ()))
    assert store.taken().prefixes == (SECRETS,)
    for value in (b"one", b"two"):
        store.put_key(f"{SECRETS}bgp/password", value)
        assert store.taken().secrets == (SECRET,)
    store.put_key(f"{SECRETS}bgp/password", b"two")
    assert not store.taken()


def test_an_optional_prefix_that_is_refused() -> None:
    store = Store()
    store.put("BGPPeer", "p", PEERING)
    store.state.take_demands()
    store.taken()
    store.state.feed(PrefixRefused(SECRETS, "permission denied"))
    assert store.taken().prefixes == (SECRETS,)
    store.state.feed(PrefixRefused(SECRETS, "permission denied"))
    assert not store.taken()
