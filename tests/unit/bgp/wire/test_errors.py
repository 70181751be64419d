"""NOTIFICATION in words, and the words of a shutdown."""

import pytest

from felixbgp.bgp.wire.errors import (
    CeaseSubcode,
    ErrorCode,
    FsmSubcode,
    HeaderSubcode,
    OpenSubcode,
    RouteRefreshSubcode,
    UpdateSubcode,
    WireError,
    decode_hard_reset,
    decode_shutdown_communication,
    describe_notification,
    encode_hard_reset,
    encode_shutdown_communication,
    notification_text,
)
from felixbgp.bgp.wire.messages import NotificationMessage

NAMES = [
    (1, 1, "Message Header Error: Connection Not Synchronized"),
    (1, 2, "Message Header Error: Bad Message Length"),
    (2, 0, "OPEN Message Error"),
    (2, 2, "OPEN Message Error: Bad Peer AS"),
    (2, 7, "OPEN Message Error: Unsupported Capability"),
    (2, 11, "OPEN Message Error: Role Mismatch"),
    (3, 11, "UPDATE Message Error: Malformed AS_PATH"),
    (4, 0, "Hold Timer Expired"),
    (5, 2, "Finite State Machine Error: Receive Unexpected Message in OpenConfirm State"),
    (6, 4, "Cease: Administrative Reset"),
    (6, 9, "Cease: Hard Reset"),
    (6, 10, "Cease: BFD Down"),
    (7, 1, "ROUTE-REFRESH Message Error: Invalid Message Length"),
    (8, 0, "Send Hold Timer Expired"),
    (6, 77, "Cease: subcode 77"),
    (99, 3, "error code 99: subcode 3"),
    (99, 0, "error code 99"),
]


@pytest.mark.parametrize(("code", "subcode", "text"), NAMES)
def test_codes_have_their_names(code: int, subcode: int, text: str) -> None:
    assert notification_text(code, subcode) == text


@pytest.mark.parametrize(
    ("code", "subcodes"),
    [
        (ErrorCode.MESSAGE_HEADER, HeaderSubcode),
        (ErrorCode.OPEN_MESSAGE, OpenSubcode),
        (ErrorCode.UPDATE_MESSAGE, UpdateSubcode),
        (ErrorCode.FINITE_STATE_MACHINE, FsmSubcode),
        (ErrorCode.CEASE, CeaseSubcode),
        (ErrorCode.ROUTE_REFRESH_MESSAGE, RouteRefreshSubcode),
    ],
)
def test_every_subcode_we_can_send_has_a_name(code: ErrorCode, subcodes: type[CeaseSubcode]) -> None:
    for subcode in subcodes:
        assert "subcode" not in notification_text(code, subcode)


def test_an_error_carries_the_notification_that_answers_it() -> None:
    error = WireError(ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSUPPORTED_VERSION_NUMBER, b"\0\4", "version 3")
    assert error.notification() == NotificationMessage(2, 1, b"\0\4")
    assert str(error) == "OPEN Message Error: Unsupported Version Number: version 3"


def test_an_error_without_words_has_those_of_its_code() -> None:
    assert WireError(6, 5).text == "Cease: Connection Rejected"


@pytest.mark.parametrize("text", ["back at 20:00", "Wartung läuft", "€" * 85])
def test_a_communication_comes_back_as_it_was(text: str) -> None:
    assert decode_shutdown_communication(encode_shutdown_communication(text)) == text


def test_a_communication_is_cut_between_characters() -> None:
    data = encode_shutdown_communication("€" * 86)
    assert data[0] == 255 == len(data) - 1
    data = encode_shutdown_communication("a" + "€" * 86)
    assert data[0] == 253 == len(data) - 1
    assert decode_shutdown_communication(data) == "a" + "€" * 84


def test_no_words_are_no_data() -> None:
    assert encode_shutdown_communication("") == b""
    assert decode_shutdown_communication(b"") == ""


def test_a_lone_surrogate_does_not_stop_a_shutdown() -> None:
    assert encode_shutdown_communication("a\ud800b") == b"\x03a?b"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"\x02\xff\xfe", r"\xff\xfe", id="not UTF-8"),
        pytest.param(b"\x05a\nb\x1b[", r"a\nb\x1b[", id="control characters"),
        pytest.param("\x03\u202e".encode(), r"\u202e", id="direction override"),
        pytest.param(b"\xffshort", "short", id="length beyond the data"),
        pytest.param(b"\x01ab", "a", id="data beyond the length"),
        pytest.param(b"\x00", "", id="empty"),
    ],
)
def test_hostile_communications_are_safe_to_print(data: bytes, text: str) -> None:
    assert decode_shutdown_communication(data) == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (NotificationMessage(6, 2, b"\x03bye"), "Cease: Administrative Shutdown: bye"),
        (NotificationMessage(6, 4, b""), "Cease: Administrative Reset"),
        (NotificationMessage(6, 5, b"\x03bye"), "Cease: Connection Rejected"),
        (NotificationMessage(6, 9, b"\x06\x03"), "Cease: Hard Reset: Cease: Peer De-configured"),
        (NotificationMessage(6, 9, b"\x06"), "Cease: Hard Reset"),
        (
            NotificationMessage(6, 9, b"\x06\x02\x03bye"),
            "Cease: Hard Reset: Cease: Administrative Shutdown: bye",
        ),
        (NotificationMessage(6, 9, b"\x06\x09" * 9), "Cease: Hard Reset: Cease: Hard Reset"),
        (NotificationMessage(4, 0, b""), "Hold Timer Expired"),
    ],
)
def test_a_received_notification_is_described(message: NotificationMessage, text: str) -> None:
    assert describe_notification(message) == text


def test_a_hard_reset_carries_the_notification_it_stands_for() -> None:
    """RFC 8538 §3.1."""
    data = encode_hard_reset(ErrorCode.CEASE, CeaseSubcode.ADMINISTRATIVE_RESET, b"\x03bye")
    assert data == b"\x06\x04\x03bye"
    assert decode_hard_reset(data) == NotificationMessage(6, 4, b"\x03bye")
    assert decode_hard_reset(encode_hard_reset(4, 0)) == NotificationMessage(4, 0)


@pytest.mark.parametrize("data", [b"", b"\x06"])
def test_a_hard_reset_may_tell_nothing(data: bytes) -> None:
    assert decode_hard_reset(data) is None
