"""What the agent says of the store, and what stands in for it."""

import pytest

from felixbgp.agent.datastore import NOT_KEPT, SECOND_NS, Datastore
from felixbgp.cluster.facts import LastKnownStateReplaced, LastKnownStateUnusable, LastKnownStateUsed
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    PrefixRefused,
    SnapshotReceived,
    StateRecovered,
    StoredValue,
)
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, Recovered

A, B, OPTIONAL = "/a/", "/b/", "/optional/"
LOST = DatastoreState(DatastoreCondition.LOST, 1, "refused")


def snapshot(prefix: str, revision: int = 7) -> SnapshotReceived:
    return SnapshotReceived(prefix, revision, (StoredValue(f"{prefix}x", b"1", revision),))


def kept(*prefixes: str) -> StateRecovered:
    return StateRecovered(tuple(map(snapshot, prefixes)), revision=9, written_at=-5 * SECOND_NS)


@pytest.fixture
def lost() -> Datastore:
    store = Datastore((A, B))
    store.observe(DatastoreLost("refused"), 1, in_sync=False)
    assert store.state == LOST
    return store


def test_what_was_kept_is_read_and_told_as_what_it_is(lost: Datastore) -> None:
    assert lost.recover(kept(A, B, OPTIONAL), 3 * SECOND_NS, in_sync=False) == [snapshot(A), snapshot(B)]
    recovered = Recovered(9, -5 * SECOND_NS)
    assert lost.state == DatastoreState(DatastoreCondition.RECOVERED, 3 * SECOND_NS, "refused", recovered)
    assert not lost.is_confirmed
    assert lost.take_facts() == [LastKnownStateUsed(revision=9, age_seconds=8)]
    assert not lost.settle(4 * SECOND_NS, 9)  # It is in force, and that is no news of the store.


def test_it_stays_so_until_all_that_the_store_has_is_in_force(lost: Datastore) -> None:
    lost.recover(kept(A, B), 3, in_sync=False)
    lost.take_facts()
    lost.observe(DatastoreRestored(), 4, in_sync=True)
    assert (lost.state.condition, lost.state.since, lost.state.reason) == (
        DatastoreCondition.RECOVERED,
        3,
        "",
    )
    lost.observe(snapshot(A, 5), 5, in_sync=True)
    assert not lost.settle(5, 5)
    lost.observe(snapshot(B, 5), 6, in_sync=True)
    assert lost.settle(7, 5)
    assert lost.is_confirmed
    assert lost.state == DatastoreState(DatastoreCondition.IN_SYNC, 7)
    assert lost.take_facts() == [LastKnownStateReplaced(revision=5, recovered_revision=9)]


def test_a_store_that_goes_again_meanwhile_is_lost_and_not_recovered(lost: Datastore) -> None:
    lost.recover(kept(A, B), 3, in_sync=False)
    lost.observe(DatastoreRestored(), 4, in_sync=True)
    for prefix in (A, B):
        lost.observe(snapshot(prefix), 4, in_sync=True)
    lost.observe(DatastoreLost("gone again"), 5, in_sync=True)
    assert lost.state.condition is DatastoreCondition.RECOVERED
    assert lost.settle(6, 7)
    assert lost.state == DatastoreState(DatastoreCondition.LOST, 6, "gone again")


def test_where_the_store_was_quicker_nothing_is_recovered() -> None:
    store = Datastore((A, B))
    store.observe(snapshot(A), 1, in_sync=False)
    assert store.recover(kept(A, B), 2, in_sync=False) == [snapshot(B)]
    store = Datastore((A, B))
    for prefix in (A, B):
        store.observe(snapshot(prefix), 1, in_sync=False)
    assert store.recover(kept(A, B), 2, in_sync=False) == []
    assert store.is_confirmed
    assert store.take_facts() == []


def test_what_the_store_may_refuse_is_read_or_refused_unless_the_store_has_said_it() -> None:
    for tolerated in ((OPTIONAL, "/other/"), ("/heard/",)):
        store = Datastore((A,), tolerated)
        store.observe(snapshot("/heard/"), 1, in_sync=False)
        read = store.recover(kept(A, OPTIONAL, "/heard/"), 2, in_sync=False)
        wanted = [snapshot(OPTIONAL), PrefixRefused("/other/", NOT_KEPT)] if OPTIONAL in tolerated else []
        assert read == [snapshot(A), *wanted]


def test_half_a_state_is_of_no_use(lost: Datastore) -> None:
    assert lost.recover(kept(A), 2, in_sync=False) == []
    assert lost.state == LOST
    assert lost.take_facts() == [LastKnownStateUnusable("nothing is kept of /b/")]


def test_what_resources_call_for_comes_from_what_was_kept_or_is_refused(lost: Datastore) -> None:
    assert lost.stand_in([OPTIONAL]) == []  # The store will say, or the file.
    lost.recover(kept(A, B, OPTIONAL), 2, in_sync=False)
    assert lost.stand_in([OPTIONAL, "/other/"]) == [
        snapshot(OPTIONAL),
        PrefixRefused("/other/", NOT_KEPT),
    ]


def test_once_the_store_has_answered_it_answers_for_everything(lost: Datastore) -> None:
    lost.recover(kept(A, B, OPTIONAL), 2, in_sync=False)
    for prefix in (A, B):
        lost.observe(snapshot(prefix), 3, in_sync=True)
    assert lost.stand_in([OPTIONAL]) == []


def test_without_anything_kept_it_syncs_as_ever() -> None:
    store = Datastore((A,))
    assert store.state == DatastoreState(DatastoreCondition.SYNCING, 0)
    store.observe(snapshot(A), 1, in_sync=False)
    assert store.settle(2, 7)
    assert store.state == DatastoreState(DatastoreCondition.IN_SYNC, 2)
    assert not store.settle(3, 7)
    store.observe(DatastoreLost("gone"), 4, in_sync=True)
    store.observe(DatastoreRestored(), 5, in_sync=True)
    assert store.state == DatastoreState(DatastoreCondition.IN_SYNC, 5)
