"""What `node status --watch` knows of the keys it follows."""

import pytest

from felixbgp.cli.node_watch import Documents
from felixbgp.cli.store import StoreError
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    SnapshotReceived,
    StoredValue,
)
from felixbgp.status.document import AgentAlive, encode_alive
from felixbgp.status.keys import NODES, alive_key, status_key


def alive(node: str, version: str = "1") -> StoredValue:
    return StoredValue(alive_key(node), encode_alive(AgentAlive(version, 1)), 1)


def listed(*values: StoredValue) -> Documents:
    documents = Documents()
    documents.take([SnapshotReceived(NODES, 5, values)])
    return documents


def test_all_that_is_stored_and_then_every_change() -> None:
    documents = listed(alive("b"), alive("a"))
    assert [report.node for report in documents.reports()] == ["a", "b"]
    documents.take([KeyPut(alive("a", "2")), KeyDeleted(alive_key("b"), 7)])
    (report,) = documents.reports()
    assert report.alive is not None
    assert report.alive.version == "2"


def test_a_dead_agent_leaves_its_status() -> None:
    documents = listed(alive("a"), StoredValue(status_key("a"), b"{", 1))
    documents.take([KeyDeleted(alive_key("a"), 7)])
    (report,) = documents.reports()
    assert (report.alive, len(report.faults)) == (None, 1)


def test_only_one_of_them() -> None:
    assert [report.node for report in listed(alive("a"), alive("b")).reports("b")] == ["b"]


def test_a_new_listing_is_all_there_is() -> None:
    documents = listed(alive("a"))
    documents.take([SnapshotReceived(NODES, 9, (alive("c"),))])
    assert [report.node for report in documents.reports()] == ["c"]


def test_keys_of_others_are_none_of_its_business() -> None:
    documents = listed(StoredValue(f"{NODES}a/audit", b"{}", 1))
    documents.take([KeyDeleted(f"{NODES}a/audit", 7), KeyDeleted(alive_key("z"), 8)])
    assert documents.reports() == []


def test_a_store_that_is_lost_is_said_until_it_is_back() -> None:
    documents = listed(alive("a"))
    documents.take([DatastoreLost("no answer")])
    assert (documents.lost, len(documents.reports())) == ("no answer", 1)
    documents.take([DatastoreRestored()])
    assert documents.lost == ""


def test_who_may_not_read_is_told() -> None:
    with pytest.raises(StoreError, match="permission denied"):
        Documents().take([DatastoreLost("permission denied", refused=True)])
