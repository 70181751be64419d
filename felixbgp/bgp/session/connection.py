"""One TCP connection's part of the FSM: from the moment TCP is up to the end (RFC 4271 §8.2.2).

              open()                    confirm()                 KEEPALIVE
    (TCP up) ────────▶ OpenSent ─OPEN─▶ (asks) ────▶ OpenConfirm ──────────▶ Established ─┐ UPDATE,
        │                 ▲ │              │ ▲            │                      │    ▲   │ KEEPALIVE,
        │ DelayOpen       │ │              │ │            │                      │    └───┘ ROUTE-REFRESH
        ▼                 │ │              │ │            │                      │
    Connect, Active ──────┘ │              │ │            │                      │
        │   │    timer      │              │ │            │                      │
        │   └───────────────┼─────OPEN─────┼─┘            │                      │
        ▼                   ▼              ▼ collision    ▼                      ▼
        ──────────────────────────────── Idle: over, for good ────────────────────────

Standing rules
  1. Nothing raises, whatever the peer sends. Every (state, message) pair ends in a step forward, in nothing,
     or in a NOTIFICATION followed by `CloseConnection`; in this order, and never anything after it.
  2. A valid OPEN stops here and is put to the `Peer`, who alone sees both connections (§6.8). Only its
     `confirm` sends our first KEEPALIVE, and before it our OPEN if that was delayed (event 20).
  3. An UPDATE is not looked into: its body goes on, after the hold timer was restarted.
  4. A NOTIFICATION is never answered (§6.4).
  5. Idle is final. Octets that arrive later belong to a stream that is already given up.
  6. A NOTIFICATION does not wait for our OPEN (SendNOTIFICATIONwithoutOPEN, §8.1.1, is always true).

Limits
  Before Established every message is a step forward or the end, so a peer that has not proved itself is
  listened to for two messages. Of octets that are no message yet there are at most `MESSAGE_OCTETS_MAX`: a
  header that says more is refused with 1/2. They do not restart the hold timer, so an OPEN that never ends
  is refused with 4/0 after `HOLD_TIME_LARGE_NS`.

Deviations from RFC 4271
  a. OPEN in OpenConfirm on the same connection is an FSM error (5/2, RFC 6608); the standard would run
     collision detection of the connection against itself.
  b. With a negotiated hold time of 0 the large hold timer still bounds OpenConfirm, so that a peer which
     falls silent between OPEN and KEEPALIVE cannot keep a connection forever.
  c. A message other than OPEN while our OPEN is delayed is answered with 5/0; the standard drops the
     connection without a word.
  d. The send hold timer (RFC 9687) is the speaker's, who alone learns when octets leave; it comes in as
     `fail` with code 8. Before Established there is none: that time the hold timer bounds.
"""

from collections.abc import Callable, Iterator
from enum import Enum

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import NotificationReceived, NotificationSent
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    PeerSilent,
    RefreshRequested,
    SessionAction,
    UpdatesArrived,
)
from felixbgp.bgp.session.backoff import SECOND_NS, jittered
from felixbgp.bgp.session.endings import (
    Ended,
    cause_received,
    cause_sent,
    is_lasting,
    kind_received,
    to_send,
)
from felixbgp.bgp.session.state import SessionState
from felixbgp.bgp.wire.codec import (
    decode_notification,
    decode_route_refresh,
    encode_keepalive,
    encode_notification,
)
from felixbgp.bgp.wire.errors import (
    ErrorCode,
    FsmSubcode,
    WireError,
    describe_notification,
    notification_text,
)
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, Framer
from felixbgp.bgp.wire.messages import MessageType, Negotiated, NotificationMessage, OpenMessage
from felixbgp.bgp.wire.open import decode_open, encode_open, negotiate, validate_open
from felixbgp.net import Address

HOLD_TIME_LARGE_NS = 240 * SECOND_NS
"""RFC 4271 §8.2.2 suggests four minutes for the time before the OPENs have agreed on a hold time."""

REFRESH_SUBTYPE_MAX = 2
"""RFC 7313 §3.2: 0 is a request, 1 and 2 mark the begin and the end of an answer."""

_UNEXPECTED = {
    SessionState.OPEN_SENT: FsmSubcode.UNEXPECTED_MESSAGE_IN_OPEN_SENT,
    SessionState.OPEN_CONFIRM: FsmSubcode.UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM,
    SessionState.ESTABLISHED: FsmSubcode.UNEXPECTED_MESSAGE_IN_ESTABLISHED,
}

_BEFORE_OPEN = Negotiated(
    families=(),
    peer_as=0,
    peer_identifier=Address(bytes(4)),
    hold_time_ns=HOLD_TIME_LARGE_NS,
    keepalive_ns=0,
)
"""What applies until the OPENs have agreed: the large hold timer, no KEEPALIVEs, no families."""


class Progress(Enum):
    """What a message brought about that the `Peer` has to act on."""

    OPENED = "a valid OPEN arrived; answer with `confirm` or `cease`"
    ESTABLISHED = "the first KEEPALIVE arrived"


class Connection:
    """One TCP connection to or from a peer, known by its transport number.

    Actions go to `emit` as they occur. `negotiated` counts from the arrival of a valid OPEN on.
    """

    __slots__ = (
        "_config",
        "_delay_at",
        "_emit",
        "_framer",
        "_hold_at",
        "_jitter",
        "_keepalive_at",
        "_our_open",
        "_silent_at",
        "negotiated",
        "number",
        "state",
    )

    def __init__(
        self,
        number: int,
        config: PeerConfig,
        our_open: OpenMessage,
        jitter: Callable[[], float],
        emit: Callable[[SessionAction], None],
    ) -> None:
        self.number = number
        self.state = SessionState.IDLE
        self.negotiated = _BEFORE_OPEN
        self._config = config
        self._jitter = jitter
        self._emit = emit
        self._framer = Framer()
        self._our_open = our_open
        self._delay_at: int | None = None
        self._hold_at: int | None = None
        self._keepalive_at: int | None = None
        self._silent_at: int | None = None
        """When the peer counts as silent; None once it does, and outside Established."""

    @property
    def outgoing(self) -> bool:
        """Whether we dialled; the speaker numbers its own connections positive."""
        return self.number > 0

    @property
    def confirmed(self) -> bool:
        """Whether the peer has proved itself by a valid OPEN that we answered."""
        return self.state in (SessionState.OPEN_CONFIRM, SessionState.ESTABLISHED)

    @property
    def _retains(self) -> bool:
        """Whether a NOTIFICATION leaves routes where they are, unless it is a Hard Reset (RFC 8538 §4)."""
        restart = self.negotiated.graceful_restart
        return self.state is SessionState.ESTABLISHED and restart is not None and restart.notification

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard of an Established peer for half of the hold time."""
        return (
            self.state is SessionState.ESTABLISHED and self._hold_at is not None and self._silent_at is None
        )

    def open(self, now: int) -> None:
        """TCP is up (events 16 and 17): send our OPEN, now or after a while, and wait for the peer's."""
        if self._config.delay_open_s:
            self.state = SessionState.CONNECT if self.outgoing else SessionState.ACTIVE
            self._delay_at = now + self._config.delay_open_s * SECOND_NS
        else:
            self._send_open(now)

    def expect_open(self, by: int) -> None:
        """In OpenSent: wait for the peer's OPEN no longer than this."""
        self._hold_at = by if self._hold_at is None else min(self._hold_at, by)

    def confirm(self, now: int) -> None:
        """Answer a valid OPEN with a KEEPALIVE and go to OpenConfirm (events 19 and 20)."""
        if self._delay_at is not None:
            self._send_open(now)
        self._send(encode_keepalive())
        self.state = SessionState.OPEN_CONFIRM
        self._restart_keepalive(now)
        self._hold_at = now + (self.negotiated.hold_time_ns or HOLD_TIME_LARGE_NS)

    def receive(self, data: bytes, now: int) -> Iterator[Progress | Ended]:
        """Take the next octets; yields what the peer has to decide on, and stops once the state is Idle."""
        self._framer.feed(data)
        try:
            while True:
                if self.state is SessionState.ESTABLISHED:
                    self._take_updates(now)
                message = self._framer.next_message()
                if message is None:
                    return
                outcome = self._handle(*message, now)
                if outcome is not None:
                    yield outcome
                if self.state is SessionState.IDLE:
                    return
        except WireError as error:
            yield self._end_with(error.notification(), str(error))

    def notify(self, code: int, subcode: int, data: bytes = b"") -> Ended:
        """End the connection with a NOTIFICATION."""
        return self._end_with(
            NotificationMessage(code, subcode, data), f"sent NOTIFICATION {notification_text(code, subcode)}"
        )

    def lost(self, reason: str) -> Ended:
        """TCP ended without us (event 18); `reason` is the system's word, "" for the end of the stream."""
        self.state, state = SessionState.IDLE, self.state
        words = (
            f"connection lost in {state}: {reason}" if reason else f"connection closed by the peer in {state}"
        )
        return Ended(words, lasting=False, kind=DownKind.LOST, cause=Cause.CONNECTION_CLOSED)

    def replaced(self) -> Ended:
        """The peer has come back on another connection, so that this one leads nowhere (RFC 4724 §5)."""
        self._close()
        reason = "replaced by a new connection of the peer"
        return Ended(reason, lasting=False, kind=DownKind.LOST, cause=Cause.CONNECTION_CLOSED)

    def update_config(self, config: PeerConfig, now: int) -> None:
        """Take over parameters that a running session does not depend on, and the KEEPALIVE interval."""
        changed = config.keepalive_time_s != self._config.keepalive_time_s
        self._config = config
        if changed and self._keepalive_at is not None:
            due = self._keepalive_at
            self._restart_keepalive(now)
            self._keepalive_at = min(due, self._keepalive_at)

    def heard(self, now: int) -> None:
        """An UPDATE was only looked into now: while it waited, nothing more was read."""
        self._restart_hold(now)

    def sent(self, now: int) -> None:
        """We sent an UPDATE, which serves as KEEPALIVE (RFC 4271 §4.4)."""
        self._restart_keepalive(now)

    def run_timers(self, now: int) -> Ended | None:
        """Events 10 to 12: the hold timer before the keepalive timer, for it may end the connection."""
        if self._delay_at is not None and self._delay_at <= now:
            self._send_open(now)
        if self._hold_at is not None and self._hold_at <= now:
            return self._end_with(NotificationMessage(ErrorCode.HOLD_TIMER_EXPIRED, 0), "hold timer expired")
        if self._silent_at is not None and self._silent_at <= now:
            self._silent_at = None
            self._emit(PeerSilent())
        if self._keepalive_at is not None and self._keepalive_at <= now:
            self._send(encode_keepalive())
            self._restart_keepalive(now)
        return None

    def next_deadline(self) -> int | None:
        """When `run_timers` has something to do."""
        timers = (self._delay_at, self._hold_at, self._keepalive_at, self._silent_at)
        return min((at for at in timers if at is not None), default=None)

    def _take_updates(self, now: int) -> None:
        bodies = self._framer.take_updates()
        if bodies:
            self._restart_hold(now)
            self._emit(UpdatesArrived(bodies))

    def _handle(self, message_type: MessageType, body: bytes, now: int) -> Progress | Ended | None:
        match message_type:
            case MessageType.NOTIFICATION:
                return self._on_notification(decode_notification(body))
            case MessageType.OPEN if not self.confirmed:
                return self._on_open(decode_open(body))
            case MessageType.KEEPALIVE if self.state is SessionState.OPEN_CONFIRM:
                self.state = SessionState.ESTABLISHED
                self._restart_hold(now)
                return Progress.ESTABLISHED
            case MessageType.KEEPALIVE if self.state is SessionState.ESTABLISHED:
                self._restart_hold(now)
            case MessageType.ROUTE_REFRESH if self.state is SessionState.ESTABLISHED:
                self._on_route_refresh(body)
            case _:
                return self._on_unexpected(message_type)
        return None

    def _on_open(self, message: OpenMessage) -> Progress:
        """Events 19 and 20. Raises `WireError` (event 22) for an OPEN that cannot be accepted."""
        config = self._config
        validate_open(
            message,
            expected_as=config.remote_as,
            local_as=config.local_as,
            local_identifier=Address(self._our_open.bgp_identifier),
            role=config.role,
            role_strict=config.role_strict,
        )
        self.negotiated = negotiate(self._our_open, message)
        if config.extended_message:
            # RFC 8654 §4: whoever offers to take extended messages must, whether it may send them or not.
            self._framer.messages_octets_max = EXTENDED_MESSAGE_OCTETS_MAX
        return Progress.OPENED

    def _on_notification(self, message: NotificationMessage) -> Ended:
        """Events 24 and 25."""
        text = describe_notification(message)
        fact = NotificationReceived(self._config.peer, message.code, message.subcode, text)
        self._emit(Observed(fact))
        ended = Ended(
            f"received NOTIFICATION {text}",
            is_lasting(message),
            kind_received(message, retains=self._retains),
            cause_received(message),
        )
        self._close()
        return ended

    def _on_route_refresh(self, body: bytes) -> None:
        """RFC 2918 §4: a family that is not of this session is overlooked, and RFC 7313 §5: so is a subtype.

        We always have the capability, which is all that entitles the peer to ask.
        """
        message = decode_route_refresh(body, enhanced=self.negotiated.enhanced_route_refresh)
        if message.family in self.negotiated.families and message.subtype <= REFRESH_SUBTYPE_MAX:
            self._emit(RefreshRequested(message.family, message.subtype))

    def _on_unexpected(self, message_type: MessageType) -> Ended:
        """RFC 6608 §3: the data is the type of the message that does not belong in this state."""
        subcode = _UNEXPECTED.get(self.state, FsmSubcode.UNSPECIFIED)
        return self.notify(ErrorCode.FINITE_STATE_MACHINE, subcode, bytes((message_type,)))

    def _end_with(self, message: NotificationMessage, reason: str) -> Ended:
        sent, kind = to_send(message, retains=self._retains)
        self._send(encode_notification(sent))
        self._emit(Observed(NotificationSent(self._config.peer, sent.code, sent.subcode, reason)))
        self._close()
        return Ended(reason, is_lasting(message), kind, cause_sent(message))

    def _close(self) -> None:
        self._emit(CloseConnection(self.number))
        self.state = SessionState.IDLE

    def _send_open(self, now: int) -> None:
        self._delay_at = None
        self._send(encode_open(self._our_open))
        self._restart_hold(now)
        self.state = SessionState.OPEN_SENT

    def _send(self, message: bytes) -> None:
        self._emit(SendBytes(self.number, (message,)))

    def _restart_hold(self, now: int) -> None:
        hold_time_ns = self.negotiated.hold_time_ns
        self._hold_at = now + hold_time_ns if hold_time_ns else None
        if self.state is SessionState.ESTABLISHED and hold_time_ns:
            self._silent_at = now + hold_time_ns // 2

    def _restart_keepalive(self, now: int) -> None:
        if self.negotiated.keepalive_ns:
            # RFC 4271 §4.4: never more than one a second, which matters with a hold time of 3 s.
            self._keepalive_at = now + max(SECOND_NS, jittered(self._keepalive_ns, self._jitter))

    @property
    def _keepalive_ns(self) -> int:
        """A third of the hold time that was agreed on (RFC 4271 §4.4), or less where that is configured."""
        third_ns = self.negotiated.keepalive_ns
        wanted_s = self._config.keepalive_time_s
        return third_ns if wanted_s is None else min(third_ns, wanted_s * SECOND_NS)
