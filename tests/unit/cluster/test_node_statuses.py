"""Which CalicoNodeStatuses are one node's, and what is kept of them."""

import json

import pytest

from felixbgp.cluster.facts import FieldsIgnored, InvalidValue, ReadRefused, ValueCorrected
from felixbgp.cluster.inputs import (
    DatastoreLost,
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.cluster.node_statuses import NODE_STATUSES, NodeStatuses, is_of_node_statuses
from tests.support.documents import document

KEY = NODE_STATUSES + "s"
SPEC: dict[str, object] = {"node": "node-1", "classes": ["BGP"], "updatePeriodSeconds": 10}


def value(spec: dict[str, object] = SPEC, **more: object) -> bytes:
    return json.dumps(document("CalicoNodeStatus", spec, "s") | more).encode()


def put(revision: int, stored: bytes) -> KeyPut:
    return KeyPut(StoredValue(KEY, stored, revision))


def ours(*events: StoreInput) -> NodeStatuses:
    found = NodeStatuses("node-1")
    for event in events:
        found.feed(event)
    return found


def test_one_of_ours_is_told_with_its_revision_and_all_that_is_stored_beside_the_report() -> None:
    status = {
        "lastUpdated": "2024-05-01T10:00:00Z",
        "newer": 1,
        "bgp": {"newer": [2], "peersV4": [{"new": 3}]},
    }
    found = ours(put(5, value(status=status, unknown="kept")))
    [(name, wanted)] = found.take_changes()
    assert wanted is not None
    assert (name, wanted.name, wanted.revision, wanted.reported) == ("s", "s", 5, True)
    assert wanted.spec.update_period_seconds == 10
    rest = document("CalicoNodeStatus", SPEC, "s")
    assert wanted.document == rest | {"unknown": "kept", "status": {"newer": 1, "bgp": {"newer": [2]}}}
    assert found.take_changes() == []


def test_a_report_alone_is_no_change_but_its_revision_is_told() -> None:
    found = ours(put(5, value()))
    found.take_changes()
    assert not found.feed(put(6, value(status={"lastUpdated": "2024-05-01T10:00:00Z"})))
    [(_, wanted)] = found.take_changes()
    assert wanted is not None
    assert (wanted.revision, wanted.reported) == (6, True)
    assert found.feed(put(7, value(SPEC | {"classes": ["Agent"]})))


@pytest.mark.parametrize(
    "stored",
    [
        value(SPEC | {"node": "node-2"}),
        value(SPEC | {"node": "node-10"}),
        value(SPEC | {"node": "node-2"}, status={"note": "node-1"}),
        b"not JSON at all",
    ],
    ids=["another node", "a longer name", "our name elsewhere", "unreadable, without our name"],
)
def test_others_are_none_of_ours(stored: bytes) -> None:
    found = NodeStatuses("node-1")
    assert not found.feed(put(5, stored))
    assert (found.take_changes(), found.invalid, found.take_facts()) == ([], {}, [])


def test_a_name_written_in_numbers_is_our_name() -> None:
    found = ours(put(5, value().replace(b"node-1", b"node\\u002d1")))
    assert [name for name, _ in found.take_changes()] == ["s"]


@pytest.mark.parametrize(
    "event",
    [
        KeyDeleted(KEY, 6),
        put(6, value(SPEC | {"node": "node-2"})),
        put(6, value(SPEC | {"classes": []})),
        SnapshotReceived(NODE_STATUSES, 6, ()),
    ],
    ids=["deleted", "given to another node", "invalid", "not in the snapshot"],
)
def test_what_is_no_longer_ours_is_told_once(event: StoreInput) -> None:
    found = ours(put(5, value()))
    found.take_changes()
    assert found.feed(event)
    assert found.take_changes() == [("s", None)]


def test_an_invalid_one_is_named_until_it_is_mended() -> None:
    found = ours(put(5, value(SPEC | {"classes": ["Rotes"]})), put(6, value(SPEC | {"classes": ["Rotes"]})))
    [error] = found.invalid[KEY]
    assert error.field == "spec.classes[0]"
    assert found.take_facts() == [InvalidValue(KEY, 5, (error,))]
    assert found.feed(put(7, value()))
    assert found.invalid == {}
    assert found.take_facts() == [ValueCorrected(KEY, 7)]


def test_an_unreadable_one_that_has_our_name_in_it_is_ours_to_name() -> None:
    found = ours(put(5, value()[:-1]))
    assert list(found.invalid) == [KEY]
    found.feed(KeyDeleted(KEY, 6))
    assert found.invalid == {}


def test_a_field_of_a_newer_version_is_ignored_and_named() -> None:
    found = ours(put(5, value(SPEC | {"newer": 1})), put(6, value(SPEC | {"newer": 1})))
    [fact] = found.take_facts()
    assert isinstance(fact, FieldsIgnored)
    assert found.ignored == {KEY: fact.errors}
    found.feed(put(7, value()))
    assert found.ignored == {}


def test_what_a_snapshot_had_is_late_after_it() -> None:
    found = ours(SnapshotReceived(NODE_STATUSES, 9, (StoredValue(KEY, value(), 5),)))
    found.take_changes()
    assert not found.feed(put(9, value(SPEC | {"node": "node-2"})))
    assert not found.feed(KeyDeleted(KEY, 9))
    assert found.take_changes() == []


def test_a_store_that_does_not_let_us_read_is_told_once() -> None:
    refused = PrefixRefused(NODE_STATUSES, "permission denied")
    found = ours(refused, refused)
    assert found.take_facts() == [ReadRefused(NODE_STATUSES, "permission denied")]
    found.feed(SnapshotReceived(NODE_STATUSES, 9, ()))
    found.feed(refused)
    assert len(found.take_facts()) == 1


def test_only_what_is_under_the_prefix_is_about_them() -> None:
    other = "/calico/resources/v3/projectcalico.org/nodes/"
    about: list[StoreInput] = [put(5, b""), KeyDeleted(KEY, 5), PrefixRefused(NODE_STATUSES, "")]
    about.append(SnapshotReceived(NODE_STATUSES, 5, ()))
    others: list[StoreInput] = [KeyDeleted(other, 5), PrefixRefused(other, ""), DatastoreLost("gone")]
    others += [SnapshotReceived(other, 5, ()), KeyPut(StoredValue(other, b"", 5))]
    assert all(map(is_of_node_statuses, about))
    assert not any(map(is_of_node_statuses, others))
    assert not NodeStatuses("node-1").feed(DatastoreLost("gone"))


def test_a_key_with_more_in_it_is_no_object() -> None:
    assert not NodeStatuses("node-1").feed(KeyPut(StoredValue(KEY + "/more", value(), 5)))
