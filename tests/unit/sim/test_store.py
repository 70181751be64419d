"""What the watchers of a simulated store hear, and in what order."""

import pytest

from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StoreInput,
)
from felixbgp.sim.clock import Clock
from felixbgp.sim.store import CatchUp, Store

MS = 1_000_000


class Watched:
    """A store with a watcher, who notes in short what it hears."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Store(self.clock, MS)
        self.heard: list[StoreInput] = []
        self.store.put("/a/1", b"one")
        self.store.watch("node", ("/a/",), self.heard.append)
        self.take()

    def take(self) -> list[str]:
        while self.clock.step():
            pass
        told, self.heard[:] = [_in_short(one) for one in self.heard], []
        return [text for text in told if text]


def _in_short(event: StoreInput) -> str:
    if isinstance(event, KeyPut):
        return f"{event.stored.key}={event.stored.value.decode()}@{event.stored.revision}"
    if isinstance(event, KeyDeleted):
        return f"{event.key} gone@{event.revision}"
    if isinstance(event, SnapshotReceived):
        values = " ".join(f"{one.key}={one.value.decode()}" for one in event.values)
        return f"[{values}]@{event.revision}"
    if isinstance(event, RevisionReached):
        return ""
    return {DatastoreLost: "lost", DatastoreRestored: "restored"}[type(event)]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_changes_are_heard_after_the_delay_of_the_node(watched: Watched) -> None:
    watched.store.set_delay("node", 7 * MS)
    watched.store.slow_down("node", 5 * MS)
    before = watched.clock.now
    watched.store.put("/a/1", b"two")
    watched.store.put("/b/1", b"not followed")
    assert watched.take() == ["/a/1=two@3"]
    assert watched.clock.now - before == 12 * MS


def test_a_watcher_that_is_slow_hears_all_in_order_though_it_gets_faster_meanwhile(watched: Watched) -> None:
    watched.store.slow_down("node", 500 * MS)
    watched.store.put("/a/1", b"two")
    watched.store.slow_down("node", 0)
    watched.store.put("/a/1", b"three")
    assert watched.take() == ["/a/1=two@3", "/a/1=three@4"]


@pytest.mark.parametrize(
    ("how", "heard"),
    [
        (CatchUp(), ["/a/2=x@3", "/a/1=two@4", "/a/1=three@5", "/a/2 gone@6"]),
        (CatchUp(coalesced=True), ["/a/2 gone@6", "/a/1=three@5"]),
        (CatchUp(reversed=True), ["/a/2 gone@6", "/a/1=three@5", "/a/1=two@4", "/a/2=x@3"]),
        (CatchUp(repeated=True), ["/a/1=one@2", "/a/2=x@3", "/a/1=two@4", "/a/1=three@5", "/a/2 gone@6"]),
    ],
)
def test_what_was_missed_in_silence_is_told_afterwards(
    watched: Watched, how: CatchUp, heard: list[str]
) -> None:
    watched.store.silence("node")
    watched.store.put("/a/2", b"x")
    watched.store.put("/a/1", b"two")
    watched.store.put("/a/1", b"three")
    watched.store.delete("/a/2")
    assert watched.take() == []
    watched.store.speak("node", how)
    assert watched.take() == heard


def test_who_cannot_reach_the_store_is_told_and_goes_on_from_where_it_was(watched: Watched) -> None:
    watched.store.isolate("node", "no route")
    watched.store.isolate("node", "and no power")
    watched.store.put("/a/1", b"two")
    assert not watched.store.is_reachable("node")
    assert watched.take() == ["lost"]
    watched.store.rejoin("node")
    assert watched.take() == []
    watched.store.rejoin("node")
    assert watched.take() == ["restored", "/a/1=two@3"]
    assert watched.store.is_reachable("node")


def test_who_missed_what_was_compacted_lists_anew(watched: Watched) -> None:
    watched.store.silence("node")
    watched.store.put("/a/1", b"two")
    watched.store.compact()
    watched.store.put("/a/1", b"three")
    watched.store.speak("node")
    assert watched.take() == ["[/a/1=three]@4"]


def test_a_store_that_goes_back_to_a_backup_gives_a_lower_revision_once_more(watched: Watched) -> None:
    backup = watched.store.backup()
    watched.store.put("/a/1", b"two")
    watched.store.put("/a/2", b"x")
    watched.take()
    watched.store.restore(backup)
    assert watched.take() == ["lost", "restored", "[/a/1=one]@2"]
    watched.store.put("/a/1", b"again")
    assert watched.take() == ["/a/1=again@3"]


def test_an_outage_is_seen_by_all_and_what_was_written_meanwhile_afterwards(watched: Watched) -> None:
    watched.store.fail("connection refused")
    watched.store.put("/a/1", b"two")
    assert watched.take() == ["lost"]
    assert not watched.store.is_sound()
    watched.store.recover()
    assert watched.take() == ["restored", "[/a/1=two]@3"]
    assert watched.store.is_sound()


def test_a_watcher_that_begins_while_nobody_can_reach_the_store_lists_when_it_can(watched: Watched) -> None:
    watched.store.fail("connection refused")
    heard: list[StoreInput] = []
    watched.store.watch("other", ("/a/",), heard.append)
    watched.store.recover()
    watched.take()
    assert [_in_short(one) for one in heard if _in_short(one)] == ["lost", "restored", "[/a/1=one]@2"]
