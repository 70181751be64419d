"""Another decoder reads what we write: tshark finds our messages well-formed and sees what we meant."""

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

from felixbgp.bgp.wire.capabilities import (
    Role,
    add_path,
    extended_next_hop,
    graceful_restart,
    long_lived,
    role,
)
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.errors import encode_shutdown_communication
from felixbgp.bgp.wire.messages import (
    Capability,
    NotificationMessage,
    PathAttributes,
    RouteRefreshMessage,
    Segment,
    UnknownAttribute,
)
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_end_of_rib, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Prefix

TSHARK = shutil.which("tshark") or "tshark"  # Where it is missing the tests fail, and say so.

SOURCE, DESTINATION = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
RAW_IP = 101
"""The pcap link type of packets without a link header."""

FULL = PathAttributes(
    origin=2,
    as_path=(Segment(2, (64512, 70000)), Segment(1, (1, 2))),
    next_hop=bytes(SOURCE),
    med=5,
    local_pref=100,
    atomic_aggregate=True,
    aggregator=(70000, bytes(SOURCE)),
    communities=(0xFC000001, 0xFFFFFF01),
    originator_id=bytes(DESTINATION),
    cluster_list=(bytes(SOURCE), bytes(DESTINATION)),
    extended_communities=(b"\x00\x02\xfc\x00\x00\x00\x00\x01",),
    large_communities=((64512, 1, 2),),
    only_to_customer=70000,
)
UNKNOWN = PathAttributes(next_hop=bytes(SOURCE), unknown=(UnknownAttribute(0xE0, 201, bytes(300)),))
LONG = PathAttributes(as_path=(Segment(2, tuple(range(1, 301))),), next_hop=bytes(SOURCE))
OVER_IPV6 = PathAttributes(
    as_path=(Segment(2, (64512,)),), next_hop=bytes(Address.parse("2001:db8::1")), communities=(1,)
)
# No default route among others: tshark guesses from it that path identifiers (RFC 7911) are there.
NLRI4 = [Prefix.parse(one).nlri for one in ("10.65.0.64/26", "10.1.0.0/16", "192.0.2.7/32")]
NLRI6 = [Prefix.parse(one).nlri for one in ("2001:db8:1::/48", "2001:db8::7/128", "fd00::/122")]
# tshark finds path identifiers by the same prefix coming twice.
IDENTIFIED4 = [number.to_bytes(4, "big") + one for number, one in enumerate(NLRI4 * 2, 1)]
IDENTIFIED6 = [number.to_bytes(4, "big") + one for number, one in enumerate(NLRI6 * 2, 1)]
MANY = [bytes((24, 10, one >> 8, one & 255)) for one in range(2000)]
OPEN = make_open(local_as=70000, hold_time_s=90, bgp_identifier=SOURCE, families=(IPV4, IPV6))
FULL_OPEN = make_open(
    local_as=70000,
    hold_time_s=90,
    bgp_identifier=SOURCE,
    families=(IPV4, IPV6),
    extra=(
        extended_next_hop((IPV4,)),
        role(Role.CUSTOMER),
        graceful_restart(120, ((IPV4, True), (IPV6, False)), restarting=True, notification=True),
        add_path(((IPV4, True, True), (IPV6, False, True))),
        long_lived(((IPV4, True, 3600),)),
    ),
)
LARGE_OPEN = make_open(
    local_as=64512,
    hold_time_s=0,
    bgp_identifier=SOURCE,
    families=(IPV4,),
    extra=tuple(Capability(number, bytes(120)) for number in (239, 240)),
)


def tcp_stream(path: Path, messages: list[bytes]) -> None:
    """Write a capture file of one TCP connection to port 179, one message per segment."""
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, RAW_IP)]
    sequence = 1
    for number, message in enumerate(messages):
        tcp = struct.pack("!HHIIBBHHH", 40000, 179, sequence, 1, 5 << 4, 0x18, 65535, 0, 0)
        total = 20 + len(tcp) + len(message)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, total, number, 0, 255, 6, 0, SOURCE, DESTINATION)
        packets.append(struct.pack("<IIII", number, 0, total, total) + ip + tcp + message)
        sequence += len(message)
    path.write_bytes(b"".join(packets))


def dissect(path: Path, messages: list[bytes], *options: str) -> list[dict[str, Any]]:
    """What tshark makes of each message: the layers of its packet."""
    capture = path / "messages.pcap"
    tcp_stream(capture, messages)
    assert TSHARK is not None
    done = subprocess.run(
        [TSHARK, "-n", "-r", str(capture), "-T", "json", "--no-duplicate-keys", *options],
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


MESSAGES = [
    encode_open(OPEN),
    encode_open(FULL_OPEN),
    encode_open(make_open(local_as=1, hold_time_s=3, bgp_identifier=SOURCE, families=(IPV6,), extra=())),
    encode_keepalive(),
    encode_notification(NotificationMessage(6, 2, encode_shutdown_communication("Grüße"))),
    encode_notification(NotificationMessage(2, 1, b"\0\4")),
    encode_route_refresh(RouteRefreshMessage(IPV6)),
    encode_end_of_rib(IPV4),
    encode_end_of_rib(IPV6),
    *encode_announcements(IPV4, FULL, NLRI4),
    *encode_announcements(IPV4, FULL, [b"\0"]),
    *encode_announcements(IPV4, LONG, NLRI4),
    *encode_announcements(IPV4, UNKNOWN, NLRI4),
    *encode_announcements(IPV4, FULL, MANY),
    *encode_announcements(IPV6, OVER_IPV6, NLRI6),
    *encode_announcements(IPV6, OVER_IPV6, [b"\0"]),
    *encode_announcements(IPV4, OVER_IPV6, NLRI4),
    *encode_announcements(IPV4, FULL, IDENTIFIED4),
    *encode_announcements(IPV6, OVER_IPV6, IDENTIFIED6),
    *encode_withdrawals(IPV4, IDENTIFIED4),
    *encode_withdrawals(IPV4, NLRI4),
    *encode_withdrawals(IPV4, MANY),
    *encode_withdrawals(IPV6, NLRI6),
]


def test_all_our_messages_are_well_formed(tmp_path: Path) -> None:
    layers = dissect(tmp_path, MESSAGES, "-o", "tcp.analyze_sequence_numbers:FALSE")
    assert len(layers) == len(MESSAGES)
    for message, layer in zip(MESSAGES, layers, strict=True):
        text = json.dumps(layer)
        assert "bgp" in layer, text
        assert layer["bgp"]["bgp.length"] == str(len(message))
        assert layer["bgp"]["bgp.type"] == str(message[18])
        assert "_ws.malformed" not in text, text
        assert "Malformed" not in text, text
        # Of the unassigned attribute alone tshark says that it does not know it.
        if message not in encode_announcements(IPV4, UNKNOWN, NLRI4):
            assert "_ws.expert" not in text, text


def test_a_malformed_message_would_be_seen(tmp_path: Path) -> None:
    """The test above can fail."""
    (message,) = encode_announcements(IPV4, FULL, NLRI4)
    bad = message.replace(b"\x80\x04\x04", b"\x80\x04\x05")
    (layer,) = dissect(tmp_path, [bad])
    assert "alformed" in json.dumps(layer) or "_ws.expert" in json.dumps(layer)


def test_capabilities_are_the_ones_we_meant(tmp_path: Path) -> None:
    """Those that this tshark has a name for."""
    (layer,) = dissect(tmp_path, [encode_open(FULL_OPEN)])
    text = json.dumps(layer["bgp"])
    for meant in (
        '"bgp.cap.enh.afi": "1", "bgp.cap.enh.safi": "1", "bgp.cap.enh.nhafi": "2"',
        '"bgp.cap.gr.timers.restart_flag": "1", "bgp.cap.gr.timers.notification_flag": "1"',
        '"bgp.cap.gr.timers.restart_time": "120"',
        '"bgp.cap.gr.flag": ["0x80", "0x00"]',
        '"bgp.cap.ap.afi": ["1", "2"], "bgp.cap.ap.safi": ["1", "1"], "bgp.cap.ap.sendreceive": ["3", "2"]',
    ):
        assert meant in text


def test_path_identifiers_are_the_ones_we_meant(tmp_path: Path) -> None:
    messages = [
        *encode_announcements(IPV4, FULL, IDENTIFIED4),
        *encode_announcements(IPV6, OVER_IPV6, IDENTIFIED6),
        *encode_withdrawals(IPV4, IDENTIFIED4),
    ]
    for layer in dissect(tmp_path, messages):
        text = json.dumps(layer["bgp"])
        for number in range(1, 7):
            assert f'path_id": "{number}"' in text


def test_an_ipv4_route_has_the_ipv6_next_hop_we_meant(tmp_path: Path) -> None:
    (layer,) = dissect(tmp_path, encode_announcements(IPV4, OVER_IPV6, NLRI4))
    text = json.dumps(layer["bgp"])
    assert "2001:db8::1" in text
    for nlri in NLRI4:
        assert f"{Prefix(IPV4, nlri)}" in text


def test_prefixes_and_numbers_are_the_ones_we_meant(tmp_path: Path) -> None:
    messages = [*encode_announcements(IPV4, FULL, NLRI4), *encode_announcements(IPV6, OVER_IPV6, NLRI6)]
    texts = [json.dumps(layer["bgp"]) for layer in dissect(tmp_path, messages)]
    for nlri in NLRI4:
        assert f"{Prefix(IPV4, nlri)}" in texts[0]
    for nlri in NLRI6:
        assert f"{Prefix(IPV6, nlri)}" in texts[1]
    for meant in ('as4": ["64512", "70000"]', 'aggregator_as": "70000"', 'ldp2": "2"', '"192.0.2.2"'):
        assert meant in texts[0]
    assert "2001:db8::1" in texts[1]


def test_extended_optional_parameters_are_understood(tmp_path: Path) -> None:
    """RFC 9072; an old tshark may not know it, but then reads the fixed part all the same."""
    (layer,) = dissect(tmp_path, [encode_open(LARGE_OPEN)])
    assert layer["bgp"]["bgp.open.version"] == "4"
    assert layer["bgp"]["bgp.open.myas"] == "64512"
