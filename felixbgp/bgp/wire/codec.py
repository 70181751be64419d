"""The small messages, and one entry that decodes any message by its type."""

from typing import Final, assert_never

from felixbgp.bgp.wire.errors import ErrorCode, RouteRefreshSubcode, WireError
from felixbgp.bgp.wire.framer import HEADER_OCTETS, MESSAGE_OCTETS_MAX, bad_message_length, frame
from felixbgp.bgp.wire.messages import (
    KeepaliveMessage,
    MessageType,
    Negotiated,
    NotificationMessage,
    OpenMessage,
    RouteRefreshMessage,
    UpdateMessage,
)
from felixbgp.bgp.wire.open import decode_open
from felixbgp.bgp.wire.update import decode_update
from felixbgp.net import Family

Message = OpenMessage | UpdateMessage | NotificationMessage | KeepaliveMessage | RouteRefreshMessage

_KEEPALIVE: Final = frame(MessageType.KEEPALIVE, b"")
_NOTIFICATION_DATA_MAX: Final = MESSAGE_OCTETS_MAX - HEADER_OCTETS - 2


def encode_keepalive() -> bytes:
    """RFC 4271 §4.4."""
    return _KEEPALIVE


def encode_notification(message: NotificationMessage) -> bytes:
    """RFC 4271 §4.5; data that does not fit is cut, for it is only a help to the other side."""
    fixed = bytes((message.code, message.subcode))
    return frame(MessageType.NOTIFICATION, fixed + message.data[:_NOTIFICATION_DATA_MAX])


def decode_notification(body: bytes) -> NotificationMessage:
    """Read the body of a NOTIFICATION; any code is taken, as there is nothing to answer it with."""
    if len(body) < 2:
        raise bad_message_length(HEADER_OCTETS + len(body), "a NOTIFICATION has at least 21 octets")
    return NotificationMessage(body[0], body[1], body[2:])


def encode_route_refresh(message: RouteRefreshMessage) -> bytes:
    """RFC 2918 §3, RFC 7313 §3.2."""
    family = message.family
    body = b"%b%c%c" % (family.afi.to_bytes(2, "big"), message.subtype, family.safi)
    return frame(MessageType.ROUTE_REFRESH, body)


def decode_route_refresh(body: bytes, *, enhanced: bool) -> RouteRefreshMessage:
    """Read the body of a ROUTE-REFRESH; `enhanced` says that both sides have RFC 7313's capability.

    Without it the subtype is a reserved octet and reads as 0. What follows the fixed part of a request
    (RFC 5291's filters, never asked for) is overlooked. Raises `WireError`.
    """
    if enhanced and len(body) != 4 and (len(body) < 4 or body[2] in (1, 2)):
        raise WireError(
            ErrorCode.ROUTE_REFRESH_MESSAGE,
            RouteRefreshSubcode.INVALID_MESSAGE_LENGTH,
            frame(MessageType.ROUTE_REFRESH, body),
            f"a ROUTE-REFRESH cannot have a body of {len(body)} octets",
        )
    if len(body) < 4:
        raise bad_message_length(HEADER_OCTETS + len(body), "a ROUTE-REFRESH has at least 23 octets")
    family = Family(int.from_bytes(body[:2], "big"), body[3])
    return RouteRefreshMessage(family, body[2] if enhanced else 0)


def decode(message_type: MessageType, body: bytes, negotiated: Negotiated, *, ebgp: bool) -> Message:
    """Read the body of any message of an established session; raises `WireError`."""
    match message_type:
        case MessageType.UPDATE:
            return decode_update(body, negotiated, ebgp)
        case MessageType.KEEPALIVE:
            return KeepaliveMessage()
        case MessageType.NOTIFICATION:
            return decode_notification(body)
        case MessageType.ROUTE_REFRESH:
            return decode_route_refresh(body, enhanced=negotiated.enhanced_route_refresh)
        case MessageType.OPEN:
            return decode_open(body)
        case _:
            assert_never(message_type)
