"""What is kept of the store for a start without it."""

import pytest

from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import (
    DatastoreLost,
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
)
from felixbgp.cluster.last_known import LastKnown
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.cluster.secrets import SECRETS, SecretId

A, B = "/calico/a/", "/calico/b/"


def snapshot(prefix: str, revision: int, **values: str) -> SnapshotReceived:
    stored = (StoredValue(f"{prefix}{name}", value.encode(), revision) for name, value in values.items())
    return SnapshotReceived(prefix, revision, tuple(stored))


def put(key: str, value: str, revision: int) -> KeyPut:
    return KeyPut(StoredValue(key, value.encode(), revision))


def state(known: LastKnown) -> tuple[bool, bool]:
    """Whether it is answered, and whole."""
    return known.is_answered, known.is_whole


def values(known: LastKnown) -> dict[str, str]:
    return {one.key: one.value.decode() for snapshot in known.snapshots() for one in snapshot.values}


@pytest.fixture
def known() -> LastKnown:
    made = LastKnown("node-1")
    made.follow((A, B), (NODE_STATUSES,))
    return made


def test_it_is_whole_when_all_that_is_followed_was_heard(known: LastKnown) -> None:
    assert known.hear(snapshot(A, 5, x="1"))
    assert state(known) == (False, False)
    assert known.hear(snapshot(B, 5))
    assert state(known) == (True, True)
    # Resources call for secrets: without them it is half of what an agent needs.
    known.follow((A, B), (SECRETS, NODE_STATUSES))
    assert state(known) == (True, False)
    assert known.hear(PrefixRefused(SECRETS, "permission denied"))
    assert state(known) == (True, True)
    assert not known.hear(PrefixRefused(SECRETS, "permission denied"))
    assert [snapshot.prefix for snapshot in known.snapshots()] == [A, B, SECRETS]


def test_nothing_is_whole_before_anything_is_followed() -> None:
    fresh = LastKnown("node-1")
    assert state(fresh) == (False, False)
    assert (fresh.revision, fresh.snapshots()) == (0, ())


def test_events_are_followed_and_those_that_come_again_are_not(known: LastKnown) -> None:
    known.hear(snapshot(A, 5, x="1", y="1"))
    known.hear(snapshot(B, 5))
    assert known.hear(put(f"{A}z", "3", 6))
    assert known.hear(KeyDeleted(f"{A}y", 7))
    for late in (put(f"{A}y", "again", 6), KeyDeleted(f"{A}x", 4), put("/calico/c/x", "nobody's", 8)):
        assert not known.hear(late)
    for other in (RevisionReached(9), DatastoreLost("gone"), snapshot("/calico/c/", 9, x="1")):
        assert not known.hear(other)
    assert not known.hear(KeyDeleted(f"{A}never", 9))
    assert values(known) == {f"{A}x": "1", f"{A}z": "3"}
    assert known.revision == 9


def test_one_write_of_several_keys_is_taken_as_a_whole(known: LastKnown) -> None:
    known.hear(snapshot(A, 5))
    for name in ("x", "y"):
        assert known.hear(put(f"{A}{name}", name, 6))
    assert values(known) == {f"{A}x": "x", f"{A}y": "y"}


def test_a_store_that_went_back_is_kept_as_it_is(known: LastKnown) -> None:
    for event in (snapshot(A, 500, x="new"), snapshot(A, 5, x="old"), put(f"{A}y", "1", 6)):
        known.hear(event)
    assert values(known) == {f"{A}x": "old", f"{A}y": "1"}
    assert known.revision == 6


def test_what_is_no_longer_followed_is_forgotten(known: LastKnown) -> None:
    known.follow((A, B), (SECRETS,))
    known.hear(snapshot(A, 5, x="1"))
    known.follow((A, B), ())
    assert [snapshot.prefix for snapshot in known.snapshots()] == [A, B]
    assert values(known) == {f"{A}x": "1"}


def test_of_what_many_share_only_what_concerns_this_node_is_kept() -> None:
    known = LastKnown("node-1")
    known.follow((A,), (SECRETS, WORKLOAD_ENDPOINTS, DRAINS))
    own, other = (f"{WORKLOAD_ENDPOINTS}default/{name}-k8s-pod-eth0" for name in ("node--1", "node--2"))
    endpoints = tuple(StoredValue(key, b"{}", 5) for key in (own, other))
    for event in (
        snapshot(A, 5),
        snapshot(SECRETS, 5, **{"bgp/wanted": "one", "bgp/other": "two"}),
        SnapshotReceived(WORKLOAD_ENDPOINTS, 5, endpoints),
        snapshot(DRAINS, 5, **{"node-2": "{}"}),
    ):
        known.hear(event)
    assert not known.hear(put(other, "{}", 6))
    known.want_secrets([SecretId("bgp", "wanted")])
    assert values(known) == {f"{SECRETS}bgp/wanted": "one", own: "{}", f"{DRAINS}node-2": "{}"}
    # Another one is referred to now: it was heard long ago.
    known.want_secrets([SecretId("bgp", "other")])
    assert values(known)[f"{SECRETS}bgp/other"] == "two"
