from dataclasses import replace

from felixbgp.agent.effects import PutStatus
from felixbgp.agent.inputs import StatusWriteFailed, StatusWritten
from felixbgp.agent.publication import (
    INTERVAL_NS,
    LOOK_PER_PEER_NS,
    PARTS_AT_ONCE,
    RETRY_NS,
    Publication,
    interval_ns,
)
from felixbgp.bgp.config import PeerId
from felixbgp.net import IPV4, Address
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, PeerStatus
from tests.support.parts import in_parts


def status(version: str) -> NodeStatus:
    return NodeStatus(node="n", version=version, datastore=DatastoreState(DatastoreCondition.IN_SYNC, 0))


def test_nothing_changed_nothing_is_built() -> None:
    publication = Publication()
    assert publication.next_deadline() is None
    assert publication.take(0, lambda: in_parts(status("never built"))) == []


def test_changes_within_a_second_are_one_write_of_the_last_state() -> None:
    publication = Publication()
    publication.touch()
    assert publication.take(0, lambda: in_parts(status("1"))) == [PutStatus(status("1"))]
    publication.feed(StatusWritten(), 10)
    publication.touch()
    publication.touch()
    assert publication.next_deadline() == INTERVAL_NS
    assert publication.take(INTERVAL_NS - 1, lambda: in_parts(status("2"))) == []
    assert publication.take(INTERVAL_NS, lambda: in_parts(status("3"))) == [PutStatus(status("3"))]


def test_an_equal_document_is_not_written_again() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(status("1")))
    publication.feed(StatusWritten(), 1)
    publication.touch()
    assert publication.take(INTERVAL_NS, lambda: in_parts(status("1"))) == []
    assert publication.next_deadline() is None


def test_a_document_is_built_in_parts_and_what_changes_meanwhile_is_told_by_the_next() -> None:
    publication = Publication()
    publication.touch()
    build = iter((in_parts(status("1"), PARTS_AT_ONCE, PARTS_AT_ONCE), in_parts(status("2"))))
    assert publication.take(0, lambda: next(build)) == []
    assert publication.next_deadline() == 0
    publication.touch()
    assert publication.take(1, lambda: next(build)) == []
    assert publication.take(2, lambda: next(build)) == [PutStatus(status("1"))]
    publication.feed(StatusWritten(), 3)
    assert publication.next_deadline() == 2 + INTERVAL_NS
    assert publication.take(2 + INTERVAL_NS, lambda: next(build)) == [PutStatus(status("2"))]


def test_one_write_at_a_time() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(status("1")))
    publication.touch()
    assert publication.next_deadline() is None
    assert publication.take(INTERVAL_NS, lambda: in_parts(status("2"))) == []
    publication.feed(StatusWritten(), INTERVAL_NS)
    assert publication.take(INTERVAL_NS, lambda: in_parts(status("2"))) == [PutStatus(status("2"))]


def test_a_failed_write_is_made_again_with_the_state_of_then() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(status("1")))
    publication.feed(StatusWriteFailed("timed out"), 100)
    assert publication.next_deadline() == 100 + RETRY_NS
    publication.restored(200)
    assert publication.next_deadline() == INTERVAL_NS
    assert publication.take(INTERVAL_NS, lambda: in_parts(status("1"))) == [PutStatus(status("1"))]


def of_peers(count: int, version: str = "1") -> NodeStatus:
    peers = tuple(
        PeerStatus(
            peer=PeerId(Address(number.to_bytes(4, "big"))),
            name="",
            scope="mesh",
            resource="",
            families=(IPV4,),
            local_as=64512,
            remote_as=64512,
            state="Established",
            since=0,
        )
        for number in range(count)
    )
    return replace(status(version), peers=peers)


def test_the_more_peers_a_document_has_the_later_it_is_written_again() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(of_peers(1000, "1")))
    publication.feed(StatusWritten(), 10)
    publication.touch()
    assert publication.next_deadline() == interval_ns(1000) == 21 * INTERVAL_NS
    # Nor does a store that comes back make it sooner.
    publication.restored(20)
    assert publication.take(interval_ns(1000) - 1, lambda: in_parts(of_peers(1000, "2"))) == []
    assert len(publication.take(interval_ns(1000), lambda: in_parts(of_peers(1000, "2")))) == 1


def test_a_failed_write_of_many_peers_is_not_made_again_sooner_than_any_other() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(of_peers(1000)))
    publication.feed(StatusWriteFailed("refused"), 100)
    assert publication.next_deadline() == interval_ns(1000)


def test_what_changes_nothing_is_not_looked_at_again_at_once() -> None:
    publication = Publication()
    publication.touch()
    publication.take(0, lambda: in_parts(of_peers(1000)))
    publication.feed(StatusWritten(), 1)
    now = interval_ns(1000)
    publication.touch()
    assert publication.take(now, lambda: in_parts(of_peers(1000))) == []
    publication.touch()
    assert publication.next_deadline() == now + 1000 * LOOK_PER_PEER_NS
