"""A configured peer: when to dial, and which of two connections to keep (RFC 4271 §8.2.1, §6.8).

    start() ──▶ Connect ◀───────────── back-off over ──────────────┐
                 │  │                                              │
           TCP up│  │dial failed                                   │
                 │  └────────────────────────────▶ Active ─────────┤   soon: 0.25 s, doubling to 5 s
                 ▼                                   ▲             │
           ┌ Connection ┐                            │passing      │
           │ OpenSent   │                            │             │
           │ OpenConfirm│────────── ended ───────────┤             │
           │ Established│                            │lasting      │
           └────────────┘                            ▼             │
                 ▲                                 Idle ───────────┘   later: 1 s, doubling to 60 s
                 └── TCP accepted, in any of these; stop() leads from all of them to Idle for good,
                     and fail() from Established to Idle for as long as it says

The peer's state is that of its most advanced connection; without one, that of its dialling.

Standing rules
  1. At most two connections: one dialled, one accepted. A second accepted one replaces the first, for a peer
     dials once at a time and so has given up the older; but never an Established one.
  2. An Established session yields to nothing but its own end. A connection that arrives meanwhile is refused
     with Cease/7, and a half-dead session ends by its hold timer. There are two exceptions:
     with graceful restart on both sides the newcomer replaces it, as soon as a KEEPALIVE proves that the peer
     means this one (RFC 4724 §4.2, §5); and with CollisionDetectEstablishedState rule 4 is for it too.
  3. A dial under way or planned is given up as soon as any connection has a valid OPEN.
  4. Whoever has the higher (BGP identifier, AS number) dominates, and of two connections the one it dialled
     stays (RFC 4271 §6.8, RFC 6286 §2.3). The dominant side decides at the first OPEN on either; the other
     side at the OPEN on the connection that will stay, or when a KEEPALIVE proves that the dominant side
     kept this one. So two of us never close one connection each. (With a peer that looks at OpenConfirm
     alone, as §6.8 demands at least, this can happen; jitter then parts the next two dials.)
     There are peers that read only the connection they dialled. If the one kept by rule 4 ends without an
     OPEN, the dominant side keeps whichever has one the next time, until a session is Established.
  5. Every end of a session gives exactly one `SessionDown`, after its NOTIFICATION and `CloseConnection`.
  6. A stopped peer is Idle and refuses connections with Cease/5. It has no timer, but for the one that starts
     it again where `fail` asked for that.

Deviations from RFC 4271, and from RFC 4724 in the last
  a. Idle after a failure still accepts connections: back-off is against our dialling in vain, and the peer
     that dials has its own. (§8.2.2 refuses in Idle. Two peers that both back off would otherwise meet late.)
  b. Only a lasting error leads to Idle. Other ends lead to Active, which is Idle with IdleHoldTime zero,
     ConnectRetryTimer running and the port open.
  c. Rule 4's dominant side examines connections in OpenSent too; §6.8 allows it, as the OPEN at hand tells
     the peer's identifier.
  d. Two connections are taken to be from one speaker even if their BGP identifiers differ: a peer is told by
     its address, and an identifier may change with a restart.
  e. An attempt that nobody answers leads to Active and the next one after the back-off; event 9 in Connect
     would dial again at once. A peer that is held back counts as started, so a further start does nothing.
  f. RFC 4724 §5 drops the Established session as soon as TCP is up. Then the loser of a collision, which may
     arrive after the winner is Established, would end the winner; it never sends a KEEPALIVE.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerConfig, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.facts import ConnectionRefused, SessionStateChanged
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected, TcpConnectFailed
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    SessionAction,
    SessionDown,
    SessionEstablished,
)
from felixbgp.bgp.session.backoff import SECOND_NS, Backoff
from felixbgp.bgp.session.connection import Connection, Progress
from felixbgp.bgp.session.endings import Ended
from felixbgp.bgp.session.offer import our_open
from felixbgp.bgp.session.state import SessionState
from felixbgp.bgp.wire.codec import encode_notification
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode, encode_shutdown_communication, notification_text
from felixbgp.bgp.wire.messages import Negotiated, NotificationMessage

CONNECT_TIMEOUT_NS = 5 * SECOND_NS
"""Nodes of a cluster answer within milliseconds; five seconds see two retransmitted SYNs (1 s, 3 s)."""
CONNECT_ANSWER_NS = CONNECT_TIMEOUT_NS + SECOND_NS
"""A transport that has not answered `Connect` by then is taken to have lost it (RFC 4271 §8.2.2, event 9)."""
RETRY_FIRST_NS = SECOND_NS // 4
"""Jittered, so 0.19 to 0.25 s: an agent that restarts is back within a second, and a session with it."""
RETRY_CAP_NS = 5 * SECOND_NS
"""RFC 4271 §10 suggests 120 s, for the Internet; in a cluster a repaired link shall not idle that long."""
IDLE_HOLD_FIRST_NS = SECOND_NS
IDLE_HOLD_CAP_NS = 60 * SECOND_NS
"""A misconfigured peer costs two messages a minute and is noticed within a minute of its repair."""
COLLISION_OPEN_NS = 10 * SECOND_NS
"""A peer that spoke on another connection speaks on the one we kept within a round trip. One that reads only
its first connection never does, and shall not be waited for as long as one that is silent altogether."""
STABLE_NS = 30 * SECOND_NS
"""A session that lasted this long was a success; back-offs start anew. Shorter ones are flapping."""

ACCEPTED_MAX = 10
ACCEPTED_WINDOW_NS = 10 * SECOND_NS
"""Each accepted connection costs two messages and some lines of log. A peer dials once at a time and backs
off; one that keeps to neither is answered once a second on average, and beyond that refused in silence."""

_FOLLOWED = (CeaseSubcode.ADMINISTRATIVE_RESET, CeaseSubcode.OTHER_CONFIGURATION_CHANGE)
"""Ends of a session that another one follows."""
_WITH_COMMUNICATION = (CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET)


class Peer:
    """The session with one peer. Every method with an event returns what to do, in order, and never raises.

    `state` is one of `SessionState` since `since` (ns); `last_error` tells why the last session or attempt
    ended and is "" once a session is Established, `cause` what that is called; `established` is the
    transport number of the session's connection and `negotiated` its parameters, both None outside
    Established. `connect_retry_count` is the ConnectRetryCounter of RFC 4271 §8: attempts and connections
    since `start` that came to their end.
    """

    __slots__ = (
        "_accepted",
        "_actions",
        "_backoff_idle",
        "_backoff_retry",
        "_connections",
        "_dial_at",
        "_dial_expires_at",
        "_dialling",
        "_holding",
        "_jitter",
        "_kept",
        "_new_connection",
        "_restarting",
        "_resume_at",
        "_returning",
        "_running",
        "_speaker",
        "_was_told_why",
        "_yields",
        "awaits_others",
        "cause",
        "config",
        "connect_retry_count",
        "established",
        "last_error",
        "negotiated",
        "since",
        "state",
    )

    def __init__(
        self,
        config: PeerConfig,
        speaker: SpeakerConfig,
        jitter: Callable[[], float],
        new_connection: Callable[[], int],
    ) -> None:
        """`jitter()` is in [0, 1); `new_connection()` gives a positive number never given before."""
        self.config = config
        self.state: str = SessionState.IDLE
        self.since = 0
        self.last_error = ""
        self.cause = Cause.STARTING
        self.established: int | None = None
        self.negotiated: Negotiated | None = None
        self.connect_retry_count = 0
        self.awaits_others = False
        """Whether the speaker has restarted and still waits for what other peers have to say. This one is
        told, by the R bit (RFC 4724 §3), and does not wait for us."""
        self._speaker = speaker
        self._jitter = jitter
        self._new_connection = new_connection
        self._actions: list[SessionAction] = []
        self._backoff_retry = Backoff(RETRY_FIRST_NS, RETRY_CAP_NS, jitter)
        self._backoff_idle = Backoff(IDLE_HOLD_FIRST_NS, IDLE_HOLD_CAP_NS, jitter)
        self._connections: dict[int, Connection] = {}
        self._running = False
        self._restarting = False
        self._returning = False
        self._was_told_why = False
        self._resume_at: int | None = None
        self._holding = False
        self._accepted = Allowance(ACCEPTED_MAX, ACCEPTED_WINDOW_NS)
        self._kept: int | None = None
        self._yields = False
        self._dialling: int | None = None
        self._dial_expires_at: int | None = None
        self._dial_at: int | None = None

    # ---- administration

    def start(self, now: int, *, restarting: bool = False, returning: bool = False) -> list[SessionAction]:
        """Events 1 and 4: begin to dial, or for a passive peer to wait for it. Nothing if already started.

        With graceful restart (RFC 4724 §3): `restarting` says that the speaker is a new one in place of
        another, of which the peer is told until a session is Established; `returning`, that this very speaker
        had a session with the peer before, in another configuration. Also ends the waiting of `fail`.
        """
        if not self._running:
            self._restarting = restarting
            self._returning = self._returning or returning
            self.connect_retry_count = 0
            self._run("started", now)
        return self._take()

    def stop(self, now: int, subcode: int, text: str = "") -> list[SessionAction]:
        """Event 2: end everything with Cease/`subcode` and stay Idle until `start`.

        `text` is for people: it becomes the reason here, and with subcodes 2 and 4 is told to the peer
        (RFC 9003). Routes go at once, except with subcodes 4 (administrative reset), which a start follows,
        and 6 (other configuration change), which a session in the new configuration follows.
        """
        self._halt()
        data = encode_shutdown_communication(text) if subcode in _WITH_COMMUNICATION else b""
        for connection in list(self._connections.values()):
            ended = connection.notify(ErrorCode.CEASE, subcode, data)
            if subcode not in _FOLLOWED:
                ended = replace(ended, kind=DownKind.HARD)
            self._end(connection, ended, now)
        self.connect_retry_count = 0
        self.last_error = text or notification_text(ErrorCode.CEASE, subcode)
        self.cause = Cause.SHUT_DOWN
        self._show_state(self.last_error, now)
        return self._take()

    def wind_down(self, now: int) -> list[SessionAction]:
        """Let the session go on if there is one, and have none follow it until `start`."""
        self._halt()
        self._give_up_all([one for one in self._connections.values() if one.number != self.established], now)
        return self._take()

    def update_config(self, config: PeerConfig, now: int) -> None:
        """Take over parameters that are no part of what the OPENs agreed on, such as name and policies."""
        was_passive, self.config = self.config.passive, config
        for connection in self._connections.values():
            connection.update_config(config, now)
        if config.passive:
            # A dial that is under way may come to its end.
            self._dial_at, self._holding = None, False
        elif was_passive and self._may_dial():
            self._dial_at = now

    # ---- what the transport tells

    def accepted(self, event: TcpAccepted, now: int) -> list[SessionAction]:
        """Event 17: the peer connected to us."""
        connection = self._connection(event.connection)
        if not self._accepted.take(now):
            self._refuse(event.connection)
        elif not self._running:
            connection.notify(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
        elif self.established is not None and not self._admits_newcomers():
            connection.notify(ErrorCode.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
        else:
            self._open(connection, "connection accepted", now)
        return self._take()

    def connected(self, event: TcpConnected, now: int) -> list[SessionAction]:
        """Event 16: our dial succeeded. One that was given up meanwhile is already being closed."""
        if event.connection == self._dialling:
            self._dialling = self._dial_expires_at = None
            self._open(self._connection(event.connection), "connected", now)
        return self._take()

    def connect_failed(self, event: TcpConnectFailed, now: int) -> list[SessionAction]:
        """Event 18 while dialling."""
        if event.connection == self._dialling:
            self._dial_failed(event.reason, event.cause, now)
        return self._take()

    def received(self, connection: int, data: bytes, now: int) -> list[SessionAction]:
        """Octets of the peer; those of a connection that is over are ignored."""
        one = self._connections.get(connection)
        if one is not None:
            for outcome in one.receive(data, now):
                self._follow(one, outcome, now)
        return self._take()

    def closed(self, event: TcpClosed, now: int) -> list[SessionAction]:
        """Event 18: a connection ended without us."""
        connection = self._connections.get(event.connection)
        if connection is not None:
            self._end(connection, connection.lost(event.reason), now)
        return self._take()

    # ---- what the speaker tells

    def fail(
        self, code: int, subcode: int, data: bytes, now: int, hold_ns: int | None = 0
    ) -> list[SessionAction]:
        """Events 8 and 28: the session cannot go on, say because of an UPDATE. Nothing without a session.

        `hold_ns` keeps the peer down afterwards, also for connections of its own: for so long, or with None
        until `start`. `last_error` tells so.
        """
        if self.established is not None:
            connection = self._connections[self.established]
            if hold_ns != 0:
                self._halt()
            ended = connection.notify(code, subcode, data)
            self._end(connection, ended, now)
            if hold_ns != 0:
                self._hold_down(ended, hold_ns, now)
        return self._take()

    @property
    def is_silent(self) -> bool:
        """Whether there is a session, and nothing was heard over it for half of the hold time."""
        return self.established is not None and self._connections[self.established].is_silent

    def heard(self, now: int) -> None:
        """Event 27 for what had waited here: the hold timer starts anew."""
        if self.established is not None:
            self._connections[self.established].heard(now)

    def sent(self, now: int) -> None:
        """An UPDATE was sent, so no KEEPALIVE is due for a while (RFC 4271 §4.4)."""
        if self.established is not None:
            self._connections[self.established].sent(now)

    # ---- time

    def run_timers(self, now: int) -> list[SessionAction]:
        """Do what is due at `now`; afterwards `next_deadline` lies later."""
        for connection in list(self._connections.values()):
            ended = connection.run_timers(now)
            if ended is not None:
                self._end(connection, ended, now)
        if self._dialling is not None and self._dial_expires_at is not None and self._dial_expires_at <= now:
            self._actions.append(CloseConnection(self._dialling))
            self._dial_failed("no answer to the connection attempt", Cause.TIMED_OUT, now)
        if self._dial_at is not None and self._dial_at <= now:
            self._dial(now)
            self._show_state("back-off over", now)
        if self._resume_at is not None and self._resume_at <= now:
            self._run("back after the time it was to stay down", now)
        self._show_state("DelayOpenTimer expired", now)  # Whatever else happened here has shown itself.
        return self._take()

    def next_deadline(self) -> int | None:
        """The earliest timer in nanoseconds; None while only the outside can move this peer."""
        timers = [connection.next_deadline() for connection in self._connections.values()]
        timers += [self._dial_at, self._dial_expires_at, self._resume_at]
        return min((at for at in timers if at is not None), default=None)

    # ---- within

    def _run(self, reason: str, now: int) -> None:
        self._running = True
        self._resume_at = None
        if self.cause is Cause.SHUT_DOWN:
            self.cause = Cause.STARTING
        self._reset_backoffs()
        if not self.config.passive and self.established is None:  # The session of a `wind_down` goes on.
            self._dial(now)
        self._show_state(reason, now)

    def _halt(self) -> None:
        self._running = False
        self._resume_at = None
        self._cancel_dial()

    def _hold_down(self, ended: Ended, hold_ns: int | None, now: int) -> None:
        """Stay away for a while; a newcomer (rule 2) goes, too."""
        for connection in list(self._connections.values()):
            cease = connection.notify(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
            self._end(connection, cease, now)
        self._resume_at = None if hold_ns is None else now + hold_ns
        words = "until started again" if hold_ns is None else f"for {hold_ns // SECOND_NS} s"
        self.last_error, self.cause = f"{ended.reason}; down {words}", ended.cause

    def _connection(self, number: int) -> Connection:
        restart = self.config.graceful_restart
        # RFC 8538 §4: whoever has not restarted forwards on as ever, and says so.
        preserved = self._restarting and restart is not None and restart.forwarding_preserved
        offer = our_open(
            self.config,
            self._speaker,
            restarting=self._restarting or self.awaits_others,
            forwarding=self._returning or preserved,
        )
        return Connection(number, self.config, offer, self._jitter, self._actions.append)

    def _refuse(self, connection: int) -> None:
        """Turn a connection away, with a word and a fact for the first of many only."""
        if self._accepted.has_just_run_out:
            cease = NotificationMessage(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
            self._actions.append(SendBytes(connection, (encode_notification(cease),)))
            fact = ConnectionRefused(str(self.config.peer.address), "too many connections")
            self._actions.append(Observed(fact))
        self._actions.append(CloseConnection(connection))

    def _admits_newcomers(self) -> bool:
        """Rule 2's exceptions."""
        return self.config.detect_collision_established or self._restarts_gracefully()

    def _restarts_gracefully(self) -> bool:
        """Whether both sides of the session have graceful restart, for any family."""
        if self.config.graceful_restart is None or self.negotiated is None:
            return False
        theirs = self.negotiated.graceful_restart
        return theirs is not None and bool(theirs.families)

    def _open(self, connection: Connection, reason: str, now: int) -> None:
        others = [one for one in self._connections.values() if one.number != self.established]
        older = [one for one in others if one.outgoing == connection.outgoing]
        self._connections[connection.number] = connection
        connection.open(now)
        self._show_state(reason, now)
        self._give_up_all(older, now)  # Rule 1.

    def _follow(self, connection: Connection, outcome: Progress | Ended, now: int) -> None:
        match outcome:
            case Ended():
                self._end(connection, outcome, now)
            case Progress.OPENED:
                self._confirm(connection, now)
            case Progress.ESTABLISHED:
                self._establish(connection, now)
            case _:
                assert_never(outcome)

    def _confirm(self, connection: Connection, now: int) -> None:
        """A valid OPEN arrived: resolve a collision (rule 4), then go on with the connection if it stays."""
        if self._restarts_gracefully():
            connection.confirm(now)  # `_establish` ends the session: rule 2.
            return
        dominant = self._dominates(connection)
        others = [one for one in self._connections.values() if one is not connection]
        silent = [one for one in others if one.state is SessionState.OPEN_SENT]
        if others and dominant and not connection.outgoing and not (self._yields and silent == others):
            for one in silent:
                one.expect_open(now + COLLISION_OPEN_NS)
                self._kept = one.number
            self._give_up(connection, now)
            return
        if connection.number == self._kept:
            self._kept = None
        self._cancel_dial()  # Rule 3.
        connection.confirm(now)
        self._show_state("OPEN received", now)
        if connection.outgoing == dominant:
            self._give_up_all(others, now)

    def _dominates(self, connection: Connection) -> bool:
        """RFC 4271 §6.8: the identifiers compare as unsigned integers, which octets in network order do."""
        theirs = (connection.negotiated.peer_identifier, connection.negotiated.peer_as)
        return (self._speaker.bgp_identifier, self.config.local_as) > theirs

    def _establish(self, connection: Connection, now: int) -> None:
        if self.established is not None:
            old = self._connections[self.established]
            self._end(old, old.replaced(), now)
        self._restarting = self._yields = False
        self._returning = True
        self.established = connection.number
        self.negotiated = connection.negotiated
        self.last_error, self.cause = "", Cause.STARTING
        self._show_state("KEEPALIVE received", now)
        self._give_up_all([one for one in self._connections.values() if one is not connection], now)
        self._actions.append(SessionEstablished(connection.number, connection.negotiated))

    def _give_up_all(self, connections: list[Connection], now: int) -> None:
        for one in connections:
            self._give_up(one, now)

    def _give_up(self, connection: Connection, now: int) -> None:
        """Event 23, OpenCollisionDump."""
        cease = connection.notify(ErrorCode.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
        self._end(connection, cease, now)

    def _end(self, connection: Connection, ended: Ended, now: int) -> None:
        """A connection is over: tell it, and see to the next attempt."""
        self.connect_retry_count += 1
        del self._connections[connection.number]
        if connection.number == self._kept:
            self._kept, self._yields = None, True
        if connection.number == self.established:
            self.established = self.negotiated = None
            self._actions.append(SessionDown(ended.reason, ended.kind))
            if now - self.since >= STABLE_NS:
                self._reset_backoffs()
        if not self._connections:
            self.last_error, self.cause = ended.reason, ended.cause
            self._was_told_why = ended.lasting and ended.cause is Cause.NOTIFICATION_RECEIVED
        self._plan_dial(lasting=ended.lasting, now=now)
        self._show_state(ended.reason, now)

    # ---- dialling

    def _dial(self, now: int) -> None:
        self._cancel_dial()
        self._dialling = self._new_connection()
        self._dial_expires_at = now + CONNECT_ANSWER_NS
        remote = Endpoint(self.config.peer.address, self.config.peer.port)
        self._actions.append(Connect(self._dialling, remote, self.config.transport, CONNECT_TIMEOUT_NS))

    def _dial_failed(self, reason: str, cause: Cause, now: int) -> None:
        self.connect_retry_count += 1
        self._dialling = self._dial_expires_at = None
        # A peer that said why it is shut down, and refuses since, is shut down for that reason still.
        if not self._connections and not (self._was_told_why and cause is Cause.REFUSED):
            self.last_error, self.cause = reason, cause
        self._plan_dial(lasting=False, now=now)
        self._show_state(reason, now)

    def _cancel_dial(self) -> None:
        if self._dialling is not None:
            self._actions.append(CloseConnection(self._dialling))
        self._dialling = self._dial_expires_at = self._dial_at = None
        self._holding = False

    def _plan_dial(self, *, lasting: bool, now: int) -> None:
        """Set the time of the next dial, unless one is under way or a connection makes it needless."""
        if not self._may_dial():
            return
        if lasting:
            self._dial_at = max(self._dial_at or 0, now + self._backoff_idle.take())
            self._holding = True
        elif self._dial_at is None:
            self._dial_at = now + self._backoff_retry.take()

    def _may_dial(self) -> bool:
        if not self._running or self.config.passive or self._dialling is not None:
            return False
        return not any(one.outgoing or one.confirmed for one in self._connections.values())

    def _reset_backoffs(self) -> None:
        self._backoff_retry.reset()
        self._backoff_idle.reset()

    # ---- what is seen from outside

    def _show_state(self, reason: str, now: int) -> None:
        state = self._best_state()
        if state != self.state:
            fact = SessionStateChanged(self.config.peer, self.config.name, self.state, state, reason)
            self._actions.append(Observed(fact))
            self.state, self.since = state, now

    def _best_state(self) -> SessionState:
        if self.established is not None:
            return SessionState.ESTABLISHED
        # A KEEPALIVE that came in makes a session only once the session before it is over.
        opened = self._connections.values()
        states = [SessionState.OPEN_CONFIRM if one.confirmed else one.state for one in opened]
        if self._dialling is not None:
            states.append(SessionState.CONNECT)
        if not states:
            return SessionState.ACTIVE if self._running and not self._holding else SessionState.IDLE
        return max(states, key=lambda state: state.rank)

    def _take(self) -> list[SessionAction]:
        actions = self._actions.copy()
        self._actions.clear()  # The connections hold on to this very list.
        return actions
