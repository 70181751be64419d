"""The small messages, and the entry for all."""

import pytest

from felixbgp.bgp.wire.codec import (
    decode,
    decode_notification,
    decode_route_refresh,
    encode_keepalive,
    encode_notification,
    encode_route_refresh,
)
from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.messages import (
    KeepaliveMessage,
    MessageType,
    NotificationMessage,
    RouteRefreshMessage,
    UpdateMessage,
)
from felixbgp.bgp.wire.open import encode_open, make_open, negotiate
from felixbgp.net import IPV4, IPV6, Address, Family

OPEN = make_open(local_as=64512, hold_time_s=90, bgp_identifier=Address.parse("192.0.2.1"), families=(IPV4,))
NEGOTIATED = negotiate(OPEN, OPEN)


def test_a_keepalive_is_a_header() -> None:
    assert encode_keepalive() == b"\xff" * 16 + b"\x00\x13\x04"


def test_a_notification_comes_back() -> None:
    message = NotificationMessage(6, 2, b"\x03bye")
    assert encode_notification(message) == b"\xff" * 16 + b"\x00\x19\x03\x06\x02\x03bye"
    assert decode_notification(encode_notification(message)[19:]) == message


def test_a_notification_never_outgrows_a_message() -> None:
    encoded = encode_notification(NotificationMessage(3, 9, bytes(65000)))
    assert len(encoded) == 4096
    assert encoded[16:18] == b"\x10\x00"


@pytest.mark.parametrize("body", [b"", b"\x06"])
def test_a_short_notification_is_a_bad_length(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_notification(body)
    assert (caught.value.code, caught.value.subcode) == (1, 2)


def test_a_route_refresh_to_the_octet() -> None:
    message = RouteRefreshMessage(IPV6, 2)
    assert encode_route_refresh(message)[16:] == b"\x00\x17\x05\x00\x02\x02\x01"
    assert decode_route_refresh(b"\x00\x02\x02\x01", enhanced=True) == message


def test_without_the_capability_the_subtype_is_a_reserved_octet() -> None:
    assert decode_route_refresh(b"\x00\x01\x02\x01", enhanced=False) == RouteRefreshMessage(IPV4, 0)


@pytest.mark.parametrize("enhanced", [False, True])
def test_filters_after_a_request_are_overlooked(enhanced: bool) -> None:
    found = decode_route_refresh(b"\x00\x01\x00\x80rest", enhanced=enhanced)
    assert found == RouteRefreshMessage(Family(1, 128), 0)


@pytest.mark.parametrize("body", [b"", b"\0\1", b"\0\1\1", b"\0\1\1\1\0", b"\0\1\2\1\0"])
def test_a_marker_of_the_wrong_length_goes_back_whole(body: bytes) -> None:
    """RFC 7313 §5."""
    with pytest.raises(WireError) as caught:
        decode_route_refresh(body, enhanced=True)
    error = caught.value
    whole = b"\xff" * 16 + bytes((0, 19 + len(body), 5)) + body
    assert (error.code, error.subcode, error.data) == (7, 1, whole)


def test_a_short_request_of_a_plain_peer_is_a_bad_length() -> None:
    with pytest.raises(WireError) as caught:
        decode_route_refresh(b"\0\1\0", enhanced=False)
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (1, 2, b"\0\x16")


@pytest.mark.parametrize(
    ("message_type", "body", "message"),
    [
        (MessageType.OPEN, encode_open(OPEN)[19:], OPEN),
        (MessageType.UPDATE, bytes(4), UpdateMessage(end_of_rib=IPV4)),
        (MessageType.NOTIFICATION, b"\x04\x00", NotificationMessage(4, 0)),
        (MessageType.KEEPALIVE, b"", KeepaliveMessage()),
        (MessageType.ROUTE_REFRESH, b"\0\1\1\1", RouteRefreshMessage(IPV4, 1)),
    ],
)
def test_each_type_is_decoded_as_itself(message_type: MessageType, body: bytes, message: object) -> None:
    assert decode(message_type, body, NEGOTIATED, ebgp=True) == message
