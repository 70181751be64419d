"""What follows from the end of a connection: what to call it, when to dial again, whether routes may stay.

A NOTIFICATION ends the session and takes its routes along (RFC 4271 §8.2.2), unless both sides have the N
bit of graceful restart (RFC 8538 §4): then the routes may stay, and whoever wants them gone sends a Hard
Reset around what it has to say. We do so when the same would happen again, or nobody is expected back.
"""

from dataclasses import dataclass
from typing import Final

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.session.actions import DownKind
from felixbgp.bgp.wire.errors import (
    CeaseSubcode,
    ErrorCode,
    OpenSubcode,
    decode_hard_reset,
    encode_hard_reset,
)
from felixbgp.bgp.wire.messages import NotificationMessage

# Endings after which the peer is expected back, so that waiting would only prolong the outage: a restart or
# change of configuration, the losing side of a collision, a peer that does not know us yet, a failed path.
# All others would repeat themselves.
_PASSING_CEASES: Final = (
    CeaseSubcode.ADMINISTRATIVE_RESET,
    CeaseSubcode.CONNECTION_REJECTED,
    CeaseSubcode.OTHER_CONFIGURATION_CHANGE,
    CeaseSubcode.CONNECTION_COLLISION_RESOLUTION,
    CeaseSubcode.BFD_DOWN,
)
_PASSING_CODES: Final = (ErrorCode.HOLD_TIMER_EXPIRED, ErrorCode.SEND_HOLD_TIMER_EXPIRED)

_CAUSES: Final[dict[tuple[int, int], Cause]] = {
    (ErrorCode.OPEN_MESSAGE, OpenSubcode.BAD_PEER_AS): Cause.WRONG_AS,
    (ErrorCode.OPEN_MESSAGE, OpenSubcode.BAD_BGP_IDENTIFIER): Cause.WRONG_IDENTIFIER,
    (ErrorCode.CEASE, CeaseSubcode.MAXIMUM_PREFIXES_REACHED): Cause.MAXIMUM_PREFIXES,
}
"""Whoever of the two says so. Which of them, and in which words, is in the reason."""
_CAUSES_RECEIVED: Final[dict[tuple[int, int], Cause]] = {
    # RFC 4486 §4: the peer "decides to disallow a BGP connection (e.g., the peer is not configured locally)",
    # or "to de-configure a peer".
    (ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED): Cause.NOT_LISTED,
    (ErrorCode.CEASE, CeaseSubcode.PEER_DE_CONFIGURED): Cause.NOT_LISTED,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over; `reason` says why in words.

    `lasting` is True when the same would happen again on the next attempt, so that it had better wait;
    `kind` counts if the connection carried a session.
    """

    reason: str
    lasting: bool
    kind: DownKind
    cause: Cause


def is_lasting(message: NotificationMessage) -> bool:
    """Whether a NOTIFICATION, ours or the peer's, tells of something that will not pass by itself."""
    inner = _within_hard_reset(message)
    if inner is not None:
        message = inner
    if message.code == ErrorCode.CEASE:
        return message.subcode not in _PASSING_CEASES
    return message.code not in _PASSING_CODES


def cause_sent(message: NotificationMessage) -> Cause:
    """What to call the end of a connection that we ended with this, before it is wrapped as a Hard Reset."""
    if message.code in _PASSING_CODES:
        return Cause.HOLD_TIMER
    return _CAUSES.get((message.code, message.subcode), Cause.NOTIFICATION_SENT)


def cause_received(message: NotificationMessage) -> Cause:
    """What to call the end of a connection that the peer ended with this."""
    message = _within_hard_reset(message) or message
    if message.code in _PASSING_CODES:
        return Cause.HOLD_TIMER
    said = (message.code, message.subcode)
    return _CAUSES.get(said) or _CAUSES_RECEIVED.get(said, Cause.NOTIFICATION_RECEIVED)


def to_send(message: NotificationMessage, *, retains: bool) -> tuple[NotificationMessage, DownKind]:
    """What to send for `message`, and what it means for the routes; `retains` says that both have the N bit.

    RFC 8538 §5.1 suggests which Ceases to send as Hard Resets; of our errors, those that would repeat.
    """
    if not retains:
        return message, DownKind.HARD
    shortage = (ErrorCode.CEASE, CeaseSubcode.OUT_OF_RESOURCES)
    if not is_lasting(message) or (message.code, message.subcode) == shortage:
        return message, DownKind.LOST
    data = encode_hard_reset(message.code, message.subcode, message.data)
    return NotificationMessage(ErrorCode.CEASE, CeaseSubcode.HARD_RESET, data), DownKind.HARD


def kind_received(message: NotificationMessage, *, retains: bool) -> DownKind:
    """What a NOTIFICATION of the peer means for the routes (RFC 8538 §4)."""
    return DownKind.LOST if retains and not _is_hard_reset(message) else DownKind.HARD


def _is_hard_reset(message: NotificationMessage) -> bool:
    return (message.code, message.subcode) == (ErrorCode.CEASE, CeaseSubcode.HARD_RESET)


def _within_hard_reset(message: NotificationMessage) -> NotificationMessage | None:
    return decode_hard_reset(message.data) if _is_hard_reset(message) else None
