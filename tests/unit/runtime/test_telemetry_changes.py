"""Which moments of a change are noted, and to which change something counts."""

from collections.abc import Callable

import pytest

from felixbgp.agent.agent import Progress
from felixbgp.agent.effects import Observe
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import BytesReceived, Endpoint, TcpClosed, TcpConnected
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StoredValue
from felixbgp.fib.types import (
    DeleteRoutes,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.runtime import telemetry_ids
from felixbgp.runtime.telemetry_changes import (
    ADOPT_NS,
    CHANGES_PER_MINUTE,
    LINGER_NS,
    LONGEST_NS,
    NAMES_MAX,
    PEERS_MAX,
    Change,
    Changes,
    MessageCounter,
)
from tests.support.paths import sequence

CLUSTER = 0xC1
KEY = "/calico/resources/v3/projectcalico.org/bgppeers/tor"
PREFIX = Prefix.parse("10.0.0.0/24")
HERE, THERE = "192.0.2.1", "192.0.2.2"
UPDATE = encode_announcements(
    IPV4, PathAttributes(next_hop=Address.parse(THERE), as_path=sequence(65002)), (b"\x18\x0a\x00\x00",)
)[0]
SECOND = 1_000_000_000


class Followed:
    """Changes, those that are over, and an agent that stands where the test says."""

    def __init__(self) -> None:
        self.over: list[Change] = []
        self.changes = Changes("node-1", self.over.append)
        self.changes.cluster = lambda: CLUSTER
        self.progress = Progress(1, 0, 0, is_in_force=True)
        self.connect(1, THERE)

    def connect(self, number: int, remote: str) -> None:
        ends = Endpoint(Address.parse(HERE), 50_000), Endpoint(Address.parse(remote), 179)
        self.heard(TcpConnected(number, *ends), 0)

    def heard(self, event: object, now: int) -> None:
        self.changes.heard(event, now, lambda: self.progress)  # type: ignore[arg-type]

    def put(self, revision: int, now: int, key: str = KEY) -> None:
        self.heard(KeyPut(StoredValue(key, b"{}", revision)), now)

    def stands(self, progress: Progress, now: int) -> None:
        self.progress = progress
        self.changes.stands(progress, now)

    def rest(self, now: int) -> Change:
        """Let time pass until the open change is over."""
        self.changes.look(now, is_busy=False)
        return self.over[-1]


@pytest.fixture
def followed() -> Followed:
    return Followed()


def test_one_change_from_etcd_to_the_kernel(followed: Followed) -> None:
    followed.put(7, 1000)
    followed.stands(Progress(6, 0, 0, is_in_force=True), 1500)
    followed.stands(Progress(7, 1, 3, is_in_force=False), 2000)
    followed.stands(Progress(7, 1, 3, is_in_force=True), 3000)
    followed.changes.asked([SendBytes(1, (encode_keepalive(), UPDATE)), SendBytes(1, (UPDATE,))], 4000)
    followed.changes.asked([ReplaceRoutes(((PREFIX, Route(RouteKind.BLACKHOLE)),))], 5000)
    followed.changes.asked([DeleteRoutes((RouteKey(PREFIX, 1),))], 5500)
    followed.heard(RoutesApplied((PREFIX,), present=True), 6000)
    followed.heard(RouteFailed(PREFIX, 101, "", present=False), 7000)
    change = followed.rest(7000 + LINGER_NS)

    assert (change.revision, change.keys) == (7, [KEY])
    assert change.trace_id == telemetry_ids.trace_id(CLUSTER, 7)
    assert change.span_id == telemetry_ids.change_id(CLUSTER, 7, "node-1")
    assert (change.heard_at, change.derived_at, change.in_force_at, change.peers) == (1000, 2000, 3000, 3)
    assert (change.sent[HERE, THERE].began, change.sent[HERE, THERE].count) == (4000, 2)
    assert change.kernel is not None
    assert (change.kernel.began, change.kernel.ended, change.kernel.count) == (5000, 7000, 2)
    assert (change.refused, change.told_at, change.ended_at) == (1, 4000, 7000)


def test_a_change_that_concerns_nobody_here(followed: Followed) -> None:
    followed.put(7, 1000)
    followed.stands(Progress(7, 0, 0, is_in_force=True), 2000)
    assert followed.rest(2000 + LINGER_NS).peers is None


def test_it_is_not_over_while_the_kernel_owes_an_answer_or_the_agent_is_busy(followed: Followed) -> None:
    followed.put(7, 0)
    followed.changes.asked([DeleteRoutes((RouteKey(PREFIX, 1),))], 0)
    followed.changes.look(LINGER_NS, is_busy=False)
    assert followed.over == []
    followed.heard(RoutesApplied((PREFIX,), present=False), LINGER_NS)
    followed.changes.look(2 * LINGER_NS - 1, is_busy=True)
    followed.changes.look(2 * LINGER_NS, is_busy=False)
    assert followed.over == []
    assert followed.changes.next_deadline() == 3 * LINGER_NS - 1
    assert followed.rest(3 * LINGER_NS - 1).ended_at == LINGER_NS


def test_one_that_has_no_end_is_told_of_all_the_same(followed: Followed) -> None:
    followed.put(7, 0)
    followed.changes.look(LONGEST_NS, is_busy=True)
    assert [change.revision for change in followed.over] == [7]


def test_the_next_change_ends_the_one_before(followed: Followed) -> None:
    followed.put(7, 0)
    followed.put(8, 5)
    followed.changes.asked([SendBytes(1, (UPDATE,))], 6)
    assert [change.revision for change in followed.over] == [7]
    assert followed.over[0].sent == {}
    second = followed.rest(6 + LINGER_NS)
    assert (second.revision, second.before, len(second.sent)) == (8, 7, 1)


def test_what_comes_in_one_breath_is_one_change(followed: Followed) -> None:
    followed.put(7, 0)
    followed.put(8, 0)
    followed.put(8, 1, f"{KEY}-2")
    followed.heard(KeyDeleted(f"{KEY}-3", 8), 2)
    change = followed.rest(2 + LINGER_NS)
    assert (change.revision, change.joined, change.keys_count) == (8, [7], 4)


def test_an_update_that_is_quicker_than_etcd_counts_to_the_change(followed: Followed) -> None:
    followed.heard(BytesReceived(1, UPDATE), 0)
    followed.put(7, ADOPT_NS - 1)
    change = followed.rest(ADOPT_NS + LINGER_NS)
    assert (change.revision, change.heard_at, change.opened_at) == (7, ADOPT_NS - 1, 0)
    assert change.received[THERE, HERE].count == 1


def test_one_that_is_much_quicker_has_another_reason(followed: Followed) -> None:
    followed.heard(BytesReceived(1, UPDATE), 0)
    followed.put(7, ADOPT_NS)
    assert [(change.revision, len(change.received)) for change in followed.over] == [(0, 1)]


@pytest.mark.parametrize(
    "key",
    [
        "/felixbgp/v1/nodes/node-1/audit-requests/1",
        "/calico/resources/v3/projectcalico.org/caliconodestatuses/a",
    ],
)
def test_reports_are_no_changes(followed: Followed, key: str) -> None:
    followed.put(7, 0, key)
    assert followed.changes.open is None
    assert followed.changes.counts.heard_revision == 7


def test_all_that_the_store_holds_is_no_change_of_anybody(followed: Followed) -> None:
    followed.heard(SnapshotReceived("/calico/", 9, ()), 0)
    change = followed.rest(LINGER_NS)
    assert (change.is_sync, change.revision) == (True, 0)


def test_keepalives_are_no_episode(followed: Followed) -> None:
    followed.heard(BytesReceived(1, encode_keepalive()), 0)
    followed.changes.asked([SendBytes(1, (encode_keepalive(),))], 0)
    assert followed.changes.open is None


@pytest.mark.parametrize("end", [TcpClosed(1, ""), CloseConnection(1)], ids=["by the peer", "by us"])
def test_nothing_is_kept_of_a_connection_that_ended(followed: Followed, end: object) -> None:
    if isinstance(end, TcpClosed):
        followed.heard(end, 0)
    else:
        followed.changes.asked([end], 0)  # type: ignore[list-item]
    assert followed.changes._connections == {}


def test_sessions_are_named_when_they_come_and_go(followed: Followed) -> None:
    followed.put(7, 0)
    for old, new in (("Idle", "Active"), ("OpenConfirm", "Established"), ("Established", "Idle")):
        fact = SessionStateChanged(PeerId(Address.parse(THERE)), "tor", old, new, "")
        followed.changes.asked([Observe(fact)], 1)
    assert followed.rest(1 + LINGER_NS).sessions == [(1, "tor", "Established"), (1, "tor", "Idle")]


def test_what_is_named_is_bounded(followed: Followed) -> None:
    for number in range(PEERS_MAX + 2):
        followed.connect(number, f"198.51.100.{number + 1}")
    followed.put(7, 0)
    for number in range(PEERS_MAX + 2):
        followed.put(7, 0, f"{KEY}{number}")
        followed.changes.asked([SendBytes(number, (UPDATE,))], 0)
    change = followed.rest(LINGER_NS)
    assert (len(change.keys), change.keys_count) == (NAMES_MAX, PEERS_MAX + 3)
    assert (len(change.sent), change.omitted) == (PEERS_MAX, 2)


def test_more_changes_than_are_worth_it_are_counted(followed: Followed) -> None:
    for revision in range(1, CHANGES_PER_MINUTE + 4):
        followed.put(revision, revision)
    assert len(followed.over) == CHANGES_PER_MINUTE
    assert followed.changes.counts.changes_untold == 2


@pytest.mark.parametrize("size", [1, 7, 19, 20, 4096])
def test_updates_are_counted_wherever_the_borders_are(size: int) -> None:
    stream = (encode_keepalive() + UPDATE) * 3 + encode_keepalive() * 2 + UPDATE
    counter = MessageCounter()
    assert sum(counter.feed(stream[first : first + size]) for first in range(0, len(stream), size)) == 4


@pytest.mark.parametrize("octets", [b"\0" * 100, b"\xff" * 100], ids=["length 0", "length 65535"])
def test_what_is_no_bgp_is_counted_to_its_end(octets: bytes) -> None:
    assert MessageCounter().feed(octets) == 0


def test_identifiers_are_those_of_everybody() -> None:
    """Old and new agents follow one change: these must never be others."""
    assert telemetry_ids.trace_id(1, 2) == 0x1A613820830138E540215F5648A5FBD8
    assert telemetry_ids.write_id(1, 2) == 0x6488AAF4616FDC12
    assert telemetry_ids.change_id(1, 2, "node-1") == 0x75E294CF1AE0CE6D
    assert telemetry_ids.update_id(1, 2, HERE, THERE) == 0xEE460F108D7BA97


def differing(make: Callable[[], int], *others: Callable[[], int]) -> bool:
    return all(make() != other() for other in others)


def test_directions_clusters_and_revisions_have_identifiers_of_their_own() -> None:
    assert differing(
        lambda: telemetry_ids.update_id(1, 2, HERE, THERE),
        lambda: telemetry_ids.update_id(1, 2, THERE, HERE),
        lambda: telemetry_ids.update_id(2, 2, HERE, THERE),
        lambda: telemetry_ids.update_id(1, 3, HERE, THERE),
    )
