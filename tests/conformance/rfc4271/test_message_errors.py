"""RFC 4271 §6.1 to §6.3: octets in, the exact NOTIFICATION out. RFC 7606 revises §6.3 and is named there."""

from dataclasses import replace

import pytest

from felixbgp.bgp.wire.codec import decode, encode_notification
from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import Negotiated, OpenMessage
from felixbgp.bgp.wire.open import validate_open
from felixbgp.net import IPV4, IPV6, Address

LOCAL_AS, PEER_AS = 64512, 64512
IDENTIFIER = Address.parse("192.0.2.1")
SESSION = Negotiated(
    families=(IPV4, IPV6), peer_as=PEER_AS, peer_identifier=IDENTIFIER, hold_time_ns=0, keepalive_ns=0
)
MARKER = "ff" * 16


def answer(stream: str, octets_max: int = 4096) -> str:
    """The NOTIFICATION that a stream (in hexadecimal) is answered with, without its header; "" for none."""
    framer = Framer(octets_max)
    framer.feed(bytes.fromhex(stream))
    try:
        for message_type, body in framer.messages():
            message = decode(message_type, body, SESSION, ebgp=True)
            if isinstance(message, OpenMessage):
                validate_open(message, expected_as=PEER_AS, local_as=LOCAL_AS, local_identifier=IDENTIFIER)
    except WireError as error:
        return encode_notification(error.notification())[19:].hex(" ", 1)
    return ""


def message(number: int, body: str) -> str:
    octets = bytes.fromhex(body)
    return f"{MARKER}{19 + len(octets):04x}{number:02x}{octets.hex()}"


HEADER = [
    pytest.param("fe" + MARKER[2:] + "001304", "01 01", id="marker, first octet"),
    pytest.param(MARKER[:-2] + "00" + "001304", "01 01", id="marker, last octet"),
    pytest.param(MARKER + "001204", "01 02 00 12", id="length below 19"),
    pytest.param(MARKER + "100102", "01 02 10 01", id="length above 4096"),
    pytest.param(MARKER + "ffff02", "01 02 ff ff", id="length 65535"),
    pytest.param(MARKER + "001c01", "01 02 00 1c", id="OPEN below 29"),
    pytest.param(MARKER + "001602", "01 02 00 16", id="UPDATE below 23"),
    pytest.param(MARKER + "001404", "01 02 00 14", id="KEEPALIVE above 19"),
    pytest.param(MARKER + "001403", "01 02 00 14", id="NOTIFICATION below 21"),
    pytest.param(MARKER + "001605000100", "01 02 00 16", id="ROUTE-REFRESH below 23"),
    pytest.param(MARKER + "001300", "01 03 00", id="type 0"),
    pytest.param(MARKER + "001306", "01 03 06", id="type 6"),
    pytest.param(MARKER + "0020ff", "01 03 ff", id="type 255"),
    pytest.param(MARKER + "001206", "01 02 00 12", id="length before type"),
    pytest.param("00" * 16 + "001206", "01 01", id="marker before length and type"),
]


@pytest.mark.parametrize(("stream", "expected"), HEADER)
def test_6_1_message_header(stream: str, expected: str) -> None:
    assert answer(stream) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(MARKER + "100101", "01 02 10 01", id="OPEN"),
        pytest.param(MARKER + "100104", "01 02 10 01", id="KEEPALIVE"),
        pytest.param(MARKER + "ffff06", "01 03 06", id="unknown type"),
        pytest.param(MARKER + "ffff02", "", id="UPDATE, the rest of which is still to come"),
    ],
)
def test_6_1_with_extended_messages(stream: str, expected: str) -> None:
    """RFC 8654 §4: never for OPEN and KEEPALIVE."""
    assert answer(stream, 65535) == expected


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(message(1, "04 fc00 005a c0000202 00"), id="OPEN of 29"),
        pytest.param(message(2, "0000 0000"), id="UPDATE of 23"),
        pytest.param(message(3, "0600"), id="NOTIFICATION of 21"),
        pytest.param(message(4, ""), id="KEEPALIVE of 19"),
        pytest.param(message(5, "00010001"), id="ROUTE-REFRESH of 23"),
        pytest.param(MARKER + "001c", id="half a header"),
    ],
)
def test_6_1_the_shortest_good_messages(stream: str) -> None:
    assert answer(stream) == ""


OPEN = [
    pytest.param("03 fc00 005a c0000202 00", "02 01 00 04", id="version 3"),
    pytest.param("05 fc00 005a c0000202 63", "02 01 00 04", id="version 5, whatever follows"),
    pytest.param("04 fc01 005a c0000202 00", "02 02", id="another AS"),
    pytest.param("04 0000 005a c0000202 00", "02 02", id="AS 0"),
    pytest.param("04 fc00 005a c0000202 08 02 06 41 04 00000000", "02 02", id="AS 0 in four octets"),
    pytest.param("04 5ba0 005a c0000202 08 02 06 41 04 0000fc01", "02 02", id="another AS in four octets"),
    pytest.param("04 fc00 005a 00000000 00", "02 03", id="identifier 0"),
    pytest.param("04 fc00 005a c0000201 00", "02 03", id="our identifier in our AS"),
    pytest.param("04 fc00 005a c0000202 02 01 00", "02 04", id="authentication parameter"),
    pytest.param("04 fc00 005a c0000202 03 fe 01 00", "02 04", id="unknown parameter"),
    pytest.param("04 fc00 0001 c0000202 00", "02 06", id="hold time 1"),
    pytest.param("04 fc00 0002 c0000202 00", "02 06", id="hold time 2"),
    pytest.param("04 fc00 005a c0000202 04 02 02 41 04", "02 00", id="malformed parameter"),
    pytest.param("04 fc00 005a c0000202 05 02 03 01 01 00", "02 00", id="malformed capability"),
    pytest.param("04 fc00 005a c0000202 01", "02 00", id="parameters beyond the message"),
    pytest.param("04 fc00 0000 c0000202 00", "", id="hold time 0"),
    pytest.param("04 fc00 0003 c0000202 00", "", id="hold time 3"),
    pytest.param("04 fc00 005a c0000202 04 02 02 f0 00", "", id="unknown capability"),
    pytest.param("04 5ba0 005a c0000202 08 02 06 41 04 0000fc00", "", id="our peer in four octets"),
]


@pytest.mark.parametrize(("body", "expected"), OPEN)
def test_6_2_open(body: str, expected: str) -> None:
    assert answer(message(1, body)) == expected


def update(attributes: str, nlri: str = "", withdrawn: str = "") -> str:
    sizes = [len(bytes.fromhex(one)) for one in (withdrawn, attributes)]
    return message(2, f"{sizes[0]:04x}{withdrawn}{sizes[1]:04x}{attributes}{nlri}")


# RFC 7606 §5.2: without routes to withdraw, what would be treat-as-withdraw is reported as RFC 4271 says.
UPDATE = [
    pytest.param(message(2, "0001 0000"), "03 01", id="lengths beyond the message"),
    pytest.param(message(2, "0000 0001"), "03 01", id="attributes beyond the message"),
    pytest.param(update("4001010040"), "03 01", id="attributes that do not fill their length"),
    pytest.param(update("40630121"), "03 02 40 63 01 21", id="unrecognised well-known attribute"),
    pytest.param(update("c0010100"), "03 04 c0 01 01 00", id="attribute flags"),
    pytest.param(update("40010200 00"), "03 05 40 01 02 00 00", id="attribute length"),
    pytest.param(update("40010103"), "03 06 40 01 01 03", id="undefined ORIGIN"),
    pytest.param(update("400303c00002"), "03 05 40 03 03 c0 00 02", id="NEXT_HOP length"),
    pytest.param(update("800e03000201"), "03 09 80 0e 03 00 02 01", id="optional attribute"),
    pytest.param(update("40020209 01"), "03 0b", id="malformed AS_PATH"),
    pytest.param(update("", withdrawn="21c000020000"), "03 0a", id="withdrawn network field"),
    pytest.param(update("40010100", nlri="18c000"), "03 0a", id="network field"),
]


@pytest.mark.parametrize(("stream", "expected"), UPDATE)
def test_6_3_update(stream: str, expected: str) -> None:
    assert answer(stream) == expected


MANDATORY = "40010100" + "400200" + "400304c0000201"


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(update("40010100400200", "08 0a"), id="missing well-known attribute"),
        pytest.param(update("40010100400200400304e0000001", "08 0a"), id="NEXT_HOP of no host"),
        pytest.param(update("c0010100" + MANDATORY[8:], "08 0a"), id="attribute flags with routes"),
        pytest.param(update(MANDATORY + MANDATORY, "08 0a"), id="attributes twice"),
        pytest.param(update(MANDATORY, "08 e0"), id="semantically incorrect prefix"),
        pytest.param(update(MANDATORY + "806300", "08 0a"), id="unrecognised optional attribute"),
        pytest.param(update(MANDATORY, "08 0a"), id="nothing wrong"),
    ],
)
def test_6_3_what_no_longer_ends_a_session(stream: str) -> None:
    """RFC 7606; RFC 4271 §6.3 for semantically incorrect next hops and prefixes."""
    assert answer(stream) == ""


def test_6_4_an_error_of_ours_may_carry_any_notification() -> None:
    """No answer is ever given to a NOTIFICATION, whatever it says."""
    assert answer(message(3, "ffff" + "00" * 40)) == ""


def test_7313_route_refresh_length() -> None:
    """RFC 7313 §5: the whole message comes back."""
    stream = message(5, "0001010100")
    framer = Framer()
    framer.feed(bytes.fromhex(stream))
    ((message_type, body),) = framer.messages()
    with pytest.raises(WireError) as caught:
        decode(message_type, body, replace(SESSION, enhanced_route_refresh=True), ebgp=True)
    assert (caught.value.code, caught.value.subcode) == (7, 1)
    assert caught.value.data.hex() == stream
