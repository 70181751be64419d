"""RFC 4271 §4: the form of what we send, and the forms that have to be taken."""

import pytest

from felixbgp.bgp.wire.attribute_encoding import encode_attributes
from felixbgp.bgp.wire.attributes import AttributeType, decode_attributes
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.messages import (
    MessageType,
    NotificationMessage,
    PathAttributes,
    RouteRefreshMessage,
    UnknownAttribute,
)
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_end_of_rib, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.support.paths import sequence
from tests.support.played import Played
from tests.support.speakers import SECOND, Network

BLOCK = "10.1.0.0/26"
NLRI, NLRI6 = Prefix.parse(BLOCK).nlri, Prefix.parse("fd00::/64").nlri
PLAIN = PathAttributes(next_hop=b"\x0a\0\0\2", as_path=sequence(64513))
EVERY_ATTRIBUTE = PathAttributes(
    origin=2,
    as_path=sequence(65001, 70000),
    next_hop=b"\x0a\0\0\2",
    med=1,
    local_pref=2,
    atomic_aggregate=True,
    aggregator=(70000, b"\x0a\0\0\1"),
    communities=tuple(range(100)),
    originator_id=b"\x0a\0\0\2",
    cluster_list=(b"\x0a\0\0\3",),
    extended_communities=(b"A" * 8,),
    large_communities=((1, 2, 3),),
    only_to_customer=70000,
    unknown=(UnknownAttribute(0xE0, 99, b"x"), UnknownAttribute(0xE0, 25, bytes(20))),
    partial=(7, 8, 16, 32, 35),
)

SENT = {
    "OPEN": encode_open(
        make_open(local_as=64512, hold_time_s=90, bgp_identifier=Address.parse("10.0.0.1"), families=(IPV4,))
    ),
    "KEEPALIVE": encode_keepalive(),
    "NOTIFICATION": encode_notification(NotificationMessage(6, 2, b"\3bye")),
    "NOTIFICATION with too much data": encode_notification(NotificationMessage(1, 1, bytes(9000))),
    "ROUTE-REFRESH": encode_route_refresh(RouteRefreshMessage(IPV4)),
    "UPDATE": encode_announcements(IPV4, PLAIN, [NLRI])[0],
    "UPDATE, MP_REACH_NLRI": encode_announcements(IPV6, PLAIN.replace(next_hop=b"\1" * 16), [NLRI6])[0],
    "UPDATE, withdrawals": encode_withdrawals(IPV4, [NLRI])[0],
    "UPDATE, MP_UNREACH_NLRI": encode_withdrawals(IPV6, [NLRI6])[0],
    "UPDATE, End-of-RIB": encode_end_of_rib(IPV4),
}


@pytest.mark.parametrize("message", SENT.values(), ids=SENT)
def test_4_1_a_message_has_a_marker_of_ones_and_the_length_that_it_needs(message: bytes) -> None:
    assert message[:16] == b"\xff" * 16
    assert int.from_bytes(message[16:18], "big") == len(message)
    assert 19 <= len(message) <= 4096


def flags_by_type(octets: bytes) -> dict[int, int]:
    found: dict[int, int] = {}
    while octets:
        start = 4 if octets[0] & 0x10 else 3
        found[octets[1]] = octets[0]
        octets = octets[start + int.from_bytes(octets[2:start], "big") :]
    return found


@pytest.mark.parametrize("four_octet_as", [True, False])
def test_4_3_flags_are_those_of_the_attribute_and_the_unused_bits_are_zero(four_octet_as: bool) -> None:
    """Well-known ones are transitive and never partial; non-transitive ones are never partial."""
    octets = encode_attributes(EVERY_ATTRIBUTE, four_octet_as=four_octet_as, with_next_hop=True)
    flags = flags_by_type(octets)
    assert set(AttributeType) - set(flags) == {
        AttributeType.MP_REACH_NLRI,
        AttributeType.MP_UNREACH_NLRI,
        *([AttributeType.AS4_PATH, AttributeType.AS4_AGGREGATOR] if four_octet_as else []),
    }
    well_known = [AttributeType.ORIGIN, AttributeType.AS_PATH, AttributeType.NEXT_HOP]
    well_known += [AttributeType.LOCAL_PREF, AttributeType.ATOMIC_AGGREGATE]
    non_transitive = [AttributeType.MULTI_EXIT_DISC, AttributeType.ORIGINATOR_ID, AttributeType.CLUSTER_LIST]
    assert {flags[one] for one in well_known} == {0x40}
    assert {flags[one] for one in non_transitive} == {0x80}
    assert all(value & 0x0F == 0 for value in flags.values())
    assert all(flags[number] & 0xE0 == 0xE0 for number in (*EVERY_ATTRIBUTE.partial, 25, 99))


@pytest.mark.parametrize("bits", [0x01, 0x02, 0x04, 0x08, 0x0F])
def test_4_3_the_unused_bits_of_flags_are_ignored_when_received(bits: int) -> None:
    octets = encode_attributes(EVERY_ATTRIBUTE, four_octet_as=True, with_next_hop=True)
    changed = bytearray(octets)
    position = 0
    while position < len(changed):
        start = position + (4 if changed[position] & 0x10 else 3)
        end = start + int.from_bytes(changed[position + 2 : start], "big")
        changed[position] |= bits
        position = end
    assert bytes(changed) != octets
    found = decode_attributes(bytes(changed), four_octet_as=True, ebgp=False)
    assert found.errors == ()
    assert encode_attributes(found.attributes, four_octet_as=True, with_next_hop=True) == octets


def two() -> tuple[Network, Played]:
    network = Network()
    node = network.node("10.0.0.1", asn=64512)
    return network, Played(node, "10.0.0.2", asn=64513)


def test_4_3_a_prefix_withdrawn_and_announced_in_one_message_is_announced() -> None:
    _, peer = two()
    peer.establish()
    octets = encode_attributes(PLAIN, four_octet_as=True, with_next_hop=True)
    for _ in range(2):
        peer.update(octets, NLRI, withdrawn=NLRI)
        assert list(peer.adj_rib_in()) == [BLOCK]
        assert peer.node.routes() == {BLOCK: "10.0.0.2"}


@pytest.mark.parametrize("hold_time_s", [3, 4, 5, 9])
def test_4_4_keepalives_are_never_less_than_a_second_apart(hold_time_s: int) -> None:
    network, peer = two()
    peer.establish(hold_time_s=hold_time_s)
    for _ in range(20):
        before, at = len(peer.kinds()), network.now
        while len(peer.kinds()) == before:
            network.now = peer.node.speaker.next_deadline() or network.now
            network.settle()
        assert peer.kinds()[-1] is MessageType.KEEPALIVE
        assert network.now - at >= SECOND
        peer.say(encode_keepalive())
    assert peer.state == "Established"
