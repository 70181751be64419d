"""What a node was told of the store, and what of that is a change."""

import json

from felixbgp.agent.inputs import Input
from felixbgp.cluster.drains import drain_key
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StateRecovered,
    StoredValue,
)
from felixbgp.journal.known import Change, Known
from felixbgp.resources.keys import prefix_of
from felixbgp.status.keys import audit_request_key
from tests.support.stored import resource

PEERS = prefix_of("BGPPeer")
KEY, VALUE = resource("BGPPeer", "tor", {"peerIP": "192.0.2.1", "asNumber": 64567})
_, OTHER = resource("BGPPeer", "tor", {"peerIP": "192.0.2.1", "asNumber": 64568})


def put(value: bytes, revision: int, key: str = KEY) -> KeyPut:
    return KeyPut(StoredValue(key, value, revision))


def listing(revision: int, *values: StoredValue, prefix: str = PEERS) -> SnapshotReceived:
    return SnapshotReceived(prefix, revision, values)


def told(*events: Input) -> Known:
    known = Known()
    for event in events:
        known.take(event)
    return known


def test_what_is_read_first_is_known_and_no_change() -> None:
    known = Known()
    assert known.is_first(listing(7, StoredValue(KEY, VALUE, 5)))
    assert known.take(listing(7, StoredValue(KEY, VALUE, 5))) == []
    assert not known.is_first(listing(8))
    assert (known.revision, dict(known.values)) == (5, {KEY: StoredValue(KEY, VALUE, 5)})


def test_a_write_and_a_deletion_are_changes() -> None:
    known = told(listing(7))
    assert known.take(put(VALUE, 8)) == [Change(KEY, 8, None, VALUE)]
    assert known.take(put(OTHER, 9)) == [Change(KEY, 9, VALUE, OTHER)]
    assert known.take(KeyDeleted(KEY, 11)) == [Change(KEY, 11, OTHER, None)]
    assert (known.revision, dict(known.values)) == (11, {})


def test_what_is_old_or_as_it_was_is_none() -> None:
    known = told(listing(7), put(VALUE, 8))
    for event in (put(OTHER, 8), put(OTHER, 3), put(VALUE, 9), KeyDeleted(KEY, 8), KeyDeleted("x", 9)):
        assert known.changes_of(event) == []


def test_what_a_listing_lacks_went_by_then() -> None:
    known = told(listing(7, StoredValue(KEY, VALUE, 5)))
    assert known.take(listing(20)) == [Change(KEY, 20, VALUE, None, is_listed=True)]


def test_a_store_that_was_put_back_to_a_backup_counts() -> None:
    known = told(listing(7, StoredValue(KEY, OTHER, 7)))
    assert known.take(listing(4, StoredValue(KEY, VALUE, 3))) == [Change(KEY, 3, OTHER, VALUE)]


def test_what_was_kept_of_the_store_counts_where_the_store_said_nothing() -> None:
    kept = StateRecovered((listing(5, StoredValue(KEY, VALUE, 5)),), 5, 0)
    known = told(kept)
    assert known.take(listing(9, StoredValue(KEY, OTHER, 9))) == [Change(KEY, 9, VALUE, OTHER)]
    assert known.take(kept) == []


def test_only_what_people_and_calico_write_counts() -> None:
    known = told(listing(7))
    for key in (audit_request_key("node-1", "x"), "/calico/ipam/v2/handle/x", "/elsewhere"):
        assert known.take(put(b"{}", 9, key)) == []
    assert known.take(RevisionReached(12)) == []
    assert known.take(put(b"{}", 10, drain_key("node-1"))) != []
    assert known.take(put(b"name", 11, "/felixbgp/v1/secrets/bgp/mesh")) != []
    assert known.revision == 11


def test_an_agents_report_is_no_change() -> None:
    key, value = resource("CalicoNodeStatus", "one", {"node": "node-1", "classes": ["BGP"]})
    known = told(listing(7, prefix=prefix_of("CalicoNodeStatus")), put(value, 8, key))
    reported = json.dumps({**json.loads(value), "status": {"lastUpdated": "2024-05-01T10:00:00Z"}}).encode()
    assert known.take(put(reported, 9, key)) == []
    changed = json.dumps({**json.loads(reported), "spec": {"node": "node-2"}}).encode()
    assert [change.revision for change in known.take(put(changed, 10, key))] == [10]
    assert [change.revision for change in known.take(put(b"no JSON", 11, key))] == [11]
