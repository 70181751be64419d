"""What follows from the end of a connection: whether to dial again soon, and whether routes may stay.

A NOTIFICATION ends the session and takes its routes along (RFC 4271 §8.2.2), unless both sides have the N
bit of graceful restart (RFC 8538 §4): then the routes may stay, and whoever wants them gone sends a Hard
Reset around what it has to say. We do so when the same would happen again, or nobody is expected back.
"""

from dataclasses import dataclass
from typing import Final

from felixbgp.bgp.session.actions import DownKind
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode, decode_hard_reset, encode_hard_reset
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


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection is over; `reason` says why in words.

    `lasting` is True when the same would happen again on the next attempt, so that it had better wait;
    `kind` counts if the connection carried a session.
    """

    reason: str
    lasting: bool
    kind: DownKind


def is_lasting(message: NotificationMessage) -> bool:
    """Whether a NOTIFICATION, ours or the peer's, tells of something that will not pass by itself."""
    inner = _within_hard_reset(message)
    if inner is not None:
        message = inner
    if message.code == ErrorCode.CEASE:
        return message.subcode not in _PASSING_CEASES
    return message.code not in _PASSING_CODES


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
