"""Which nodes are drained: what a key says, and what the state makes of it."""

import pytest

from felixbgp.cluster.drains import (
    DRAINS,
    ORIGIN_MAX,
    VALUE_OCTETS_MAX,
    Drain,
    DrainPhase,
    decode,
    drain_key,
    parse_key,
)
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, PrefixRefused, SnapshotReceived, StoredValue
from felixbgp.cluster.state import DRAIN, ClusterState, required_prefixes
from felixbgp.status.drain_document import encode

SECOND = 1_000_000_000
WANTED = Drain("3f-A", DrainPhase.ANNOUNCE, 1_700_000_000 * SECOND + 123_000_000, "operator@admin-1")


def test_what_is_written_is_what_is_read() -> None:
    assert decode(encode(WANTED)) == WANTED
    assert decode(encode(Drain("x", DrainPhase.WITHDRAW))) == Drain("x", DrainPhase.WITHDRAW)


@pytest.mark.parametrize("milliseconds", range(1_699_999_999_900, 1_700_000_000_100))
def test_a_time_keeps_its_milliseconds(milliseconds: int) -> None:
    drain = Drain("x", DrainPhase.ANNOUNCE, milliseconds * 1_000_000)
    assert decode(encode(drain)) == drain


def test_a_newer_version_may_say_more() -> None:
    assert decode(b'{"id": "1", "phase": "Withdraw", "reason": {"x": 1}}') == Drain("1", DrainPhase.WITHDRAW)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"", ""),
        (b"[]", ""),
        (b'{"phase": "Announce"}', "id"),
        (b'{"id": "", "phase": "Announce"}', "id"),
        (b'{"id": "a b", "phase": "Announce"}', "id"),
        (b'{"id": 1, "phase": "Announce"}', "id"),
        (b'{"id": "1"}', "phase"),
        (b'{"id": "1", "phase": "announce"}', "phase"),
        (b'{"id": "1", "phase": "Announce", "since": "yesterday"}', "since"),
        (b'{"id": "1", "phase": "Announce", "since": "2026-01-01T00:00:00"}', "since"),
        (b'{"id": "1", "phase": "Announce", "origin": "%s"}' % (b"x" * (ORIGIN_MAX + 1)), "origin"),
        (b'{"id": "1", "phase": "Announce", "x": "%s"}' % (b"x" * VALUE_OCTETS_MAX), ""),
    ],
)
def test_what_is_none(value: bytes, field: str) -> None:
    errors = decode(value)
    assert isinstance(errors, list)
    assert [error.field for error in errors] == [field]


@pytest.mark.parametrize(
    ("key", "node"),
    [
        (drain_key("node-1"), "node-1"),
        (DRAINS, None),
        (f"{DRAINS}a/b", None),
        ("/felixbgp/v1/nodes/a/status", None),
    ],
)
def test_keys(key: str, node: str | None) -> None:
    assert parse_key(key) == node


@pytest.fixture
def state() -> ClusterState:
    """One that waits for the drains alone."""
    waiting = ClusterState("a")
    for prefix in required_prefixes("a"):
        waiting.feed(SnapshotReceived(prefix, 5, ()))
    waiting.take_changes()
    return waiting


def stored(value: bytes, revision: int, node: str = "b") -> StoredValue:
    return StoredValue(drain_key(node), value, revision)


def test_a_restarted_agent_knows_who_is_drained_before_it_does_anything(state: ClusterState) -> None:
    assert not state.in_sync()
    assert state.feed(SnapshotReceived(DRAINS, 6, (stored(encode(WANTED), 6),)))
    assert state.in_sync()
    assert state.drains == {"b": WANTED}
    assert state.take_changes().of(DRAIN) == ("b",)


def test_who_may_not_read_them_drains_nobody(state: ClusterState) -> None:
    state.feed(PrefixRefused(DRAINS, "permission denied"))
    assert state.in_sync()
    assert state.drains == {}
    state.take_demands()
    assert state.feed(SnapshotReceived(DRAINS, 6, (stored(encode(WANTED), 6),)))
    assert state.drains == {"b": WANTED}


def test_they_come_change_and_go(state: ClusterState) -> None:
    state.feed(SnapshotReceived(DRAINS, 6, ()))
    state.take_changes()
    assert state.feed(KeyPut(stored(encode(WANTED), 7)))
    assert not state.feed(KeyPut(stored(encode(WANTED), 8)))
    assert state.feed(KeyPut(stored(b'{"id": "2", "phase": "Withdraw"}', 9)))
    assert state.drains == {"b": Drain("2", DrainPhase.WITHDRAW)}
    assert state.feed(KeyDeleted(drain_key("b"), 10))
    assert state.drains == {}
    assert state.take_changes().of(DRAIN) == ("b",)
    assert not state.feed(KeyDeleted(drain_key("b"), 11))


def test_an_invalid_value_is_as_good_as_none_and_is_named(state: ClusterState) -> None:
    state.feed(SnapshotReceived(DRAINS, 6, (stored(encode(WANTED), 6),)))
    assert state.feed(KeyPut(stored(b"nonsense", 7)))
    assert state.drains == {}
    assert list(state.invalid) == [drain_key("b")]
    assert state.feed(KeyPut(stored(encode(WANTED), 8)))
    assert state.drains == {"b": WANTED}
    assert state.invalid == {}
