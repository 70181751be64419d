from felixbgp.agent.effects import PutStatus
from felixbgp.agent.inputs import StatusWriteFailed, StatusWritten
from felixbgp.agent.publication import INTERVAL_NS, RETRY_NS, Publication
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus


def status(version: str) -> NodeStatus:
    return NodeStatus(node="n", version=version, datastore=DatastoreState(DatastoreCondition.IN_SYNC, 0))


def test_nothing_changed_nothing_is_built() -> None:
    publication = Publication()
    assert publication.next_deadline() is None
    assert publication.take(0, lambda: status("never built")) == []


def test_changes_within_a_second_are_one_write_of_the_last_state() -> None:
    publication = Publication()
    publication.touch()
    assert publication.take(0, lambda: status("1")) == [PutStatus(status("1"))]
    publication.feed(StatusWritten(), 10)
    publication.touch()
    publication.touch()
    assert publication.next_deadline() == INTERVAL_NS
    assert publication.take(INTERVAL_NS - 1, lambda: status("2")) == []
    assert publication.take(INTERVAL_NS, lambda: status("3")) == [PutStatus(status("3"))]


def test_an_equal_document_is_not_written_again() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: status("1"))
    publication.feed(StatusWritten(), 1)
    publication.touch()
    assert publication.take(INTERVAL_NS, lambda: status("1")) == []
    assert publication.next_deadline() is None


def test_one_write_at_a_time() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: status("1"))
    publication.touch()
    assert publication.next_deadline() is None
    assert publication.take(INTERVAL_NS, lambda: status("2")) == []
    publication.feed(StatusWritten(), INTERVAL_NS)
    assert publication.take(INTERVAL_NS, lambda: status("2")) == [PutStatus(status("2"))]


def test_a_failed_write_is_made_again_with_the_state_of_then() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: status("1"))
    publication.feed(StatusWriteFailed("timed out"), 100)
    assert publication.next_deadline() == 100 + RETRY_NS
    publication.restored(200)
    assert publication.take(200, lambda: status("1")) == [PutStatus(status("1"))]
