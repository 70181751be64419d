"""What becomes of one change of the store on this node, seen where inputs and effects pass.

    KeyPut ─▶ opened ─▶ derived ─▶ in force ─▶ UPDATEs sent, received ─▶ kernel asked, answered ─▶ over

Nothing tells an agent why a peer sent an UPDATE. It counts to the change that was heard of last, while that
is not over: so a trace says what followed a change, which is not always what it caused.

Standing rules:

* At most one change is open. The next one ends it: what comes is that one's.
* A change is over when nothing of this kind happened for LINGER_NS, and nothing is left to do.
* What peers or the store's snapshots bring while no change is open is an episode without a revision.
  It becomes that of a change which is heard of within ADOPT_NS: an UPDATE may be quicker than etcd.
* Only names are kept: of keys, peers and nodes; never a value.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import getrandbits
from typing import Final

from felixbgp.agent.agent import Progress
from felixbgp.agent.effects import Effect, Fact, Observe
from felixbgp.agent.inputs import Input
from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import BytesReceived, TcpAccepted, TcpClosed, TcpConnected
from felixbgp.bgp.wire.framer import HEADER_OCTETS
from felixbgp.bgp.wire.messages import MessageType
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, RevisionReached, SnapshotReceived
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.fib.types import DeleteRoutes, ReplaceRoutes, RouteFailed, RoutesApplied
from felixbgp.runtime import telemetry_ids

LINGER_NS: Final = 5_000_000_000
"""As long as a session that is wanted no more stays when nothing needs it; most other work takes less."""
LONGEST_NS: Final = 60_000_000_000
"""A node that never rests is told of every minute."""
ADOPT_NS: Final = 1_000_000_000
PEERS_MAX: Final = 32
"""Peers with spans of their own in one change; the others are counted."""
NAMES_MAX: Final = 16
"""Keys and sessions that are named; the others are counted."""
CHANGES_PER_MINUTE: Final = 600
"""Changes that become spans: each is up to a millisecond here, so that this is one percent of a processor."""
OWN_KEYS: Final = ("/felixbgp/v1/nodes/", NODE_STATUSES)
"""What is written there changes no route: audits that are asked for, reports."""

Ends = tuple[str, str]
"""The addresses of a session: the sender's and the receiver's."""


@dataclass(slots=True)
class Stretch:
    """Something that went on from `began` to `ended` (monotonic nanoseconds), and how much of it."""

    began: int
    ended: int
    count: int = 0

    def more(self, now: int, count: int = 1) -> None:
        """It happened again."""
        self.ended = now
        self.count += count


@dataclass(slots=True)
class Change:
    """One change on one node; `revision` 0 means that nobody wrote anything."""

    opened_at: int
    trace_id: int
    span_id: int
    revision: int = 0
    cluster: int = 0
    is_sync: bool = False
    """Whether the store told everything anew."""
    keys: list[str] = field(default_factory=list)
    keys_count: int = 0
    before: int = 0
    """The revision of the change that this one ended."""
    joined: list[int] = field(default_factory=list)
    """Earlier revisions that came in the same breath."""
    heard_at: int = 0
    """When the store told of it."""
    progress: Progress | None = None
    """The agent's when it began."""
    derived_at: int | None = None
    in_force_at: int | None = None
    peers: int | None = None
    """How many peers it concerns here; None when the intent stayed as it was."""
    sent: dict[Ends, Stretch] = field(default_factory=dict)
    received: dict[Ends, Stretch] = field(default_factory=dict)
    kernel: Stretch | None = None
    """Writes that were asked for, until the last answer."""
    refused: int = 0
    sessions: list[tuple[int, str, str]] = field(default_factory=list)
    """When a session became Established or ended, with whom."""
    omitted: int = 0
    """What there was no room for."""
    active_at: int = 0

    @property
    def ended_at(self) -> int:
        """When the last of it happened."""
        stretches = [*self.sent.values(), *self.received.values(), *filter(None, (self.kernel,))]
        moments = [stretch.ended for stretch in stretches] + [at for at, _, _ in self.sessions]
        stages = [at for at in (self.derived_at, self.in_force_at) if at is not None]
        return max([self.opened_at, self.heard_at, *moments, *stages])

    @property
    def told_at(self) -> int | None:
        """When the last UPDATE was handed to TCP."""
        return max((stretch.ended for stretch in self.sent.values()), default=None)


class MessageCounter:
    """Counts the UPDATEs in one direction of a connection, whose borders may lie anywhere."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        """Octets of the present message that are still to come."""

    def feed(self, data: bytes) -> int:
        """How many UPDATEs begin here. What is no BGP is the session's business, and its end."""
        updates, position = 0, 0
        if self._head:
            data, self._head = self._head + data, b""
        if self._left:
            position = min(self._left, len(data))
            self._left -= position
        while position < len(data):
            if len(data) - position < HEADER_OCTETS:
                self._head = data[position:]
                break
            length = int.from_bytes(data[position + 16 : position + 18], "big")
            updates += data[position + 18] == MessageType.UPDATE
            end = position + max(length, HEADER_OCTETS)
            self._left = max(0, end - len(data))
            position = end
        return updates


class _Connection:
    """A session's two directions; the counter of what comes."""

    __slots__ = ("counter", "incoming", "outgoing")

    def __init__(self, local: str, remote: str) -> None:
        self.outgoing = (local, remote)
        self.incoming = (remote, local)
        self.counter = MessageCounter()


@dataclass(slots=True)
class Counts:
    """Since the start, for metrics."""

    updates_sent: int = 0
    updates_received: int = 0
    writes_applied: int = 0
    writes_by_errno: dict[int, int] = field(default_factory=dict)
    changes_untold: int = 0
    heard_revision: int = 0
    kernel_waiting: int = 0


class Changes:
    """Follows the changes of one agent.

    `over` is given each when it is over, within an allowance; `told` every fact.
    """

    def __init__(
        self,
        node: str,
        over: Callable[[Change], None] = lambda _: None,
        told: Callable[[Fact], None] = lambda _: None,
    ) -> None:
        self._node = node
        self._over = over
        self._told = told
        self.cluster: Callable[[], int] = int
        """The identifier of the etcd cluster; 0 while that is not known."""
        self.open: Change | None = None
        self.counts = Counts()
        self._connections: dict[int, _Connection] = {}
        self._allowance = Allowance(CHANGES_PER_MINUTE, 60_000_000_000)

    # ---- what passes

    def heard(self, event: Input, now: int, progress: Callable[[], Progress]) -> None:
        """An input is fed."""
        if isinstance(event, BytesReceived):
            self._received(event, now)
        elif isinstance(event, KeyPut):
            self._changed(event.stored.key, event.stored.revision, now, progress)
        elif isinstance(event, KeyDeleted):
            self._changed(event.key, event.revision, now, progress)
        elif isinstance(event, RoutesApplied):
            self._answered(len(event.prefixes), now)
            self.counts.writes_applied += len(event.prefixes)
        elif isinstance(event, RouteFailed):
            self._answered(1, now)
            errors = self.counts.writes_by_errno
            errors[event.errno] = errors.get(event.errno, 0) + 1
            if self.open is not None:
                self.open.refused += 1
        elif isinstance(event, TcpConnected | TcpAccepted):
            ends = str(event.local.address), str(event.remote.address)
            self._connections[event.connection] = _Connection(*ends)
        elif isinstance(event, TcpClosed):
            self._connections.pop(event.connection, None)
        elif isinstance(event, SnapshotReceived):
            self._heard_of(event.revision)
            if self.open is None:
                self._begin(now).is_sync = True
        elif isinstance(event, RevisionReached):
            self._heard_of(event.revision)

    def asked(self, effects: Iterable[Effect], now: int) -> None:
        """The agent asks for something."""
        for effect in effects:
            if isinstance(effect, SendBytes):
                self._sent(effect, now)
            elif isinstance(effect, ReplaceRoutes | DeleteRoutes):
                self._written(len(effect.routes), now)
            elif isinstance(effect, CloseConnection):
                self._connections.pop(effect.connection, None)
            elif isinstance(effect, Observe):
                self._told(effect.fact)
                if isinstance(effect.fact, SessionStateChanged):
                    self._session(effect.fact, now)

    @property
    def is_awaiting(self) -> bool:
        """Whether the agent has to be asked how far it has come."""
        return self.open is not None and self.open.progress is not None and self.open.in_force_at is None

    def stands(self, progress: Progress, now: int) -> None:
        """The agent has come so far, now."""
        change = self.open
        if change is None or change.progress is None or change.in_force_at is not None:
            return
        if change.derived_at is None:
            if progress.revision < change.revision:
                return
            change.derived_at = now
            if progress.changes != change.progress.changes:
                change.peers = progress.peers
            self._touch(change, now)
        if progress.is_in_force:
            change.in_force_at = now

    def look(self, now: int, *, is_busy: bool) -> None:
        """End what is over; `is_busy`: the agent has something to do at once."""
        change = self.open
        if change is None:
            return
        if is_busy or self.counts.kernel_waiting:
            change.active_at = max(change.active_at, now)
        if now - change.active_at >= LINGER_NS or now - change.opened_at >= LONGEST_NS:
            self._end(now)

    def finish(self, now: int) -> None:
        """End what is open: nobody will see more of it."""
        self._end(now)

    def next_deadline(self) -> int | None:
        """When there is something to look at though nothing happened."""
        change = self.open
        return None if change is None else min(change.active_at + LINGER_NS, change.opened_at + LONGEST_NS)

    # ---- one by one

    def _changed(self, key: str, revision: int, now: int, progress: Callable[[], Progress]) -> None:
        self._heard_of(revision)
        if key.startswith(OWN_KEYS):
            return
        change = self.open
        if change is None or (change.revision != revision and not self._adopts(change, now)):
            before = 0 if change is None else change.revision
            self._end(now)
            change = self._begin(now)
            change.before = before
        if change.revision != revision:
            self._name(change, revision, progress(), now)
        change.keys_count += 1
        if len(change.keys) < NAMES_MAX:
            change.keys.append(key)
        self._touch(change, now)

    def _adopts(self, change: Change, now: int) -> bool:
        """Whether what is open becomes this change's: it has none, or came in the same breath."""
        return now - change.opened_at < ADOPT_NS if change.revision == 0 else now == change.opened_at

    def _name(self, change: Change, revision: int, progress: Progress, now: int) -> None:
        if change.revision == 0:
            change.heard_at = now
        elif len(change.joined) < NAMES_MAX:
            change.joined.append(change.revision)
        change.revision, change.cluster = revision, self.cluster()
        change.trace_id = telemetry_ids.trace_id(change.cluster, revision)
        change.span_id = telemetry_ids.change_id(change.cluster, revision, self._node)
        change.progress = progress

    def _heard_of(self, revision: int) -> None:
        self.counts.heard_revision = max(self.counts.heard_revision, revision)

    def _received(self, event: BytesReceived, now: int) -> None:
        connection = self._connections.get(event.connection)
        if connection is None:
            return
        updates = connection.counter.feed(event.data)
        if updates:
            self.counts.updates_received += updates
            change = self._episode(now)
            self._exchange(change, change.received, connection.incoming, updates, now)

    def _sent(self, effect: SendBytes, now: int) -> None:
        connection = self._connections.get(effect.connection)
        updates = sum(_updates_in(chunk) for chunk in effect.chunks)
        if updates and connection is not None:
            self.counts.updates_sent += updates
            change = self._episode(now)
            self._exchange(change, change.sent, connection.outgoing, updates, now)

    def _exchange(
        self, change: Change, known: dict[Ends, Stretch], ends: Ends, updates: int, now: int
    ) -> None:
        stretch = known.get(ends)
        if stretch is not None:
            stretch.more(now, updates)
        elif len(known) < PEERS_MAX:
            known[ends] = Stretch(now, now, updates)
        else:
            change.omitted += 1
        self._touch(change, now)

    def _written(self, count: int, now: int) -> None:
        self.counts.kernel_waiting += count
        change = self._episode(now)
        if change.kernel is None:
            change.kernel = Stretch(now, now)
        change.kernel.more(now, count)
        self._touch(change, now)

    def _answered(self, count: int, now: int) -> None:
        self.counts.kernel_waiting = max(0, self.counts.kernel_waiting - count)
        change = self.open
        if change is not None and change.kernel is not None:
            change.kernel.ended = now
            self._touch(change, now)

    def _session(self, fact: SessionStateChanged, now: int) -> None:
        change = self.open
        if change is None or "Established" not in (fact.old, fact.new):
            return
        if len(change.sessions) < NAMES_MAX:
            change.sessions.append((now, fact.name, fact.new))
        else:
            change.omitted += 1
        self._touch(change, now)

    def _episode(self, now: int) -> Change:
        """What is open, or something new that nobody wrote."""
        return self._begin(now) if self.open is None else self.open

    def _begin(self, now: int) -> Change:
        self.open = Change(now, getrandbits(128) or 1, getrandbits(64) or 1, active_at=now)
        return self.open

    def _end(self, now: int) -> None:
        change, self.open = self.open, None
        if change is None:
            return
        if self._allowance.take(now):
            self._over(change)
        else:
            self.counts.changes_untold += 1

    @staticmethod
    def _touch(change: Change, now: int) -> None:
        change.active_at = max(change.active_at, now)


def _updates_in(chunk: bytes) -> int:
    """Whole messages; mostly one, of which there are many: every peer is sent its own."""
    if len(chunk) == (chunk[16] << 8 | chunk[17]):
        return int(chunk[18] == MessageType.UPDATE)
    return MessageCounter().feed(chunk)
