"""What a speaker said, read off octets that the speaker's own encoder made."""

from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_announcements, encode_end_of_rib, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.sim.said import UPDATE, Said, read

V4 = (Prefix.parse("10.0.0.0/9"), Prefix.parse("10.128.1.0/26"), Prefix.parse("0.0.0.0/0"))
V6 = (Prefix.parse("fd10::100/122"), Prefix.parse("fd10::/48"))
GATEWAY_V4, GATEWAY_V6 = Address.parse("172.30.0.1"), Address.parse("fd30::1")


def announcement(gateway: Address, prefixes: tuple[Prefix, ...]) -> bytes:
    attributes = PathAttributes(next_hop=gateway, local_pref=7, communities=(1, 2, 3))
    return b"".join(encode_announcements(gateway.family, attributes, [one.nlri for one in prefixes]))


def test_announcements_of_both_families() -> None:
    assert read(announcement(GATEWAY_V4, V4)) == (Said(UPDATE, (), V4, GATEWAY_V4),)
    assert read(announcement(GATEWAY_V6, V6)) == (Said(UPDATE, (), V6, GATEWAY_V6),)


def test_withdrawals_of_both_families() -> None:
    for family, prefixes in ((IPV4, V4), (IPV6, V6)):
        data = b"".join(encode_withdrawals(family, [one.nlri for one in prefixes]))
        assert read(data) == (Said(UPDATE, prefixes),)


def test_the_end_of_a_table() -> None:
    assert read(encode_end_of_rib(IPV4)) == (Said(UPDATE, ends_table=True),)
    assert read(encode_end_of_rib(IPV6)) == (Said(UPDATE, ends_table=True),)


def test_messages_in_a_row() -> None:
    data = encode_keepalive() + announcement(GATEWAY_V4, V4) + encode_end_of_rib(IPV4)
    assert [(said.kind, len(said.announced), said.ends_table) for said in read(data)] == [
        (4, 0, False),
        (UPDATE, 3, False),
        (UPDATE, 0, True),
    ]
