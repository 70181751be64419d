"""UPDATE: what a message means, what malformed ones still mean, and how routes are packed."""

from dataclasses import replace
from itertools import pairwise

import pytest

from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.messages import Negotiated, PathAttributes, Segment, UnknownAttribute, UpdateMessage
from felixbgp.bgp.wire.update import (
    decode_update,
    encode_announcements,
    encode_end_of_rib,
    encode_withdrawals,
)
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

BOTH = Negotiated(
    families=(IPV4, IPV6),
    peer_as=64512,
    peer_identifier=Address.parse("192.0.2.9"),
    hold_time_ns=0,
    keepalive_ns=0,
)
ONLY_IPV4 = replace(BOTH, families=(IPV4,))
ONLY_IPV6 = replace(BOTH, families=(IPV6,))

ORIGIN = b"\x40\x01\x01\x00"
AS_PATH = b"\x40\x02\x06\x02\x01\0\0\0\x09"
NEXT_HOP = b"\x40\x03\x04\xc0\0\2\1"
MANDATORY = ORIGIN + AS_PATH + NEXT_HOP
PLAIN = PathAttributes(as_path=(Segment(2, (9,)),), next_hop=b"\xc0\0\2\1")
GLOBAL = Address.parse("2001:db8::1")
LINK_LOCAL = Address.parse("fe80::1")
PLAIN6 = PLAIN.replace(next_hop=bytes(GLOBAL))

A, B = Prefix.parse("10.1.0.0/16").nlri, Prefix.parse("10.2.0.0/26").nlri
A6, B6 = Prefix.parse("2001:db8:1::/48").nlri, Prefix.parse("2001:db8:2::/64").nlri


def attribute(flags: int, number: int, value: bytes) -> bytes:
    return bytes((flags | 0x10, number)) + len(value).to_bytes(2, "big") + value


def reach(
    *nlris: bytes, next_hop: bytes = GLOBAL, family: Family = IPV6, flags: int = 0x80, reserved: int = 0
) -> bytes:
    head = family.afi.to_bytes(2, "big") + bytes((family.safi, len(next_hop)))
    return attribute(flags, 14, head + next_hop + bytes((reserved,)) + b"".join(nlris))


def unreach(*nlris: bytes, family: Family = IPV6, flags: int = 0x80) -> bytes:
    return attribute(flags, 15, family.afi.to_bytes(2, "big") + bytes((family.safi,)) + b"".join(nlris))


def body(withdrawn: bytes = b"", attributes: bytes = b"", nlri: bytes = b"") -> bytes:
    return (
        len(withdrawn).to_bytes(2, "big") + withdrawn + len(attributes).to_bytes(2, "big") + attributes + nlri
    )


def decode(octets: bytes, negotiated: Negotiated = BOTH, *, ebgp: bool = True) -> UpdateMessage:
    return decode_update(octets, negotiated, ebgp)


def reset(octets: bytes, negotiated: Negotiated = BOTH) -> tuple[int, int, bytes]:
    with pytest.raises(WireError) as caught:
        decode(octets, negotiated)
    return caught.value.code, caught.value.subcode, caught.value.data


def test_withdrawals_and_routes_of_ipv4() -> None:
    assert decode(body(A, MANDATORY, B)) == UpdateMessage(
        withdrawn=((IPV4, (A,)),), announced=((IPV4, PLAIN, (B,)),)
    )


def test_withdrawals_and_routes_of_ipv6() -> None:
    octets = reach(B6) + ORIGIN + AS_PATH + unreach(A6)
    assert decode(body(b"", octets)) == UpdateMessage(
        withdrawn=((IPV6, (A6,)),), announced=((IPV6, PLAIN6, (B6,)),)
    )


def test_both_families_in_one_message_have_their_own_next_hops() -> None:
    found = decode(body(A, unreach(A6) + reach(B6) + MANDATORY, B))
    assert found.withdrawn == ((IPV4, (A,)), (IPV6, (A6,)))
    assert found.announced == ((IPV4, PLAIN, (B,)), (IPV6, PLAIN6, (B6,)))
    assert found.errors == ()


def test_ipv4_in_mp_reach_nlri() -> None:
    octets = reach(A, next_hop=b"\xc0\0\2\7", family=IPV4) + ORIGIN + AS_PATH
    assert decode(body(b"", octets)).announced == ((IPV4, PLAIN.replace(next_hop=b"\xc0\0\2\7"), (A,)),)


def test_next_hop_beside_mp_reach_nlri_is_overlooked() -> None:
    """RFC 4760 §3; some speakers send 0.0.0.0 there."""
    octets = reach(A6) + ORIGIN + AS_PATH + b"\x40\x03\x04\0\0\0\0"
    assert decode(body(b"", octets)) == UpdateMessage(announced=((IPV6, PLAIN6, (A6,)),))


def test_host_bits_are_masked_everywhere() -> None:
    found = decode(body(b"\x0c\xff\xff", reach(b"\x04\x2f") + MANDATORY, b"\x19\x0a\0\0\xff"))
    assert found.withdrawn[0][1] == (b"\x0c\xff\xf0",)
    assert [nlris for _, _, nlris in found.announced] == [(b"\x19\x0a\0\0\x80",), (b"\x04\x20",)]


@pytest.mark.parametrize(
    ("next_hop", "kept"),
    [
        (GLOBAL, GLOBAL),
        (LINK_LOCAL, LINK_LOCAL),
        (GLOBAL + LINK_LOCAL, GLOBAL),
        (bytes(16) + LINK_LOCAL, LINK_LOCAL),
    ],
)
def test_the_global_next_hop_is_kept_if_there_is_one(next_hop: bytes, kept: bytes) -> None:
    found = decode(body(b"", reach(A6, next_hop=next_hop) + ORIGIN + AS_PATH))
    assert found.announced[0][1].next_hop == kept


@pytest.mark.parametrize(
    ("octets", "negotiated", "family"),
    [
        pytest.param(body(), BOTH, IPV4, id="empty UPDATE"),
        pytest.param(body(), ONLY_IPV6, None, id="empty UPDATE, no IPv4"),
        pytest.param(body(b"", unreach()), BOTH, IPV6, id="empty MP_UNREACH_NLRI"),
        pytest.param(body(b"", unreach(family=IPV4)), BOTH, IPV4, id="multiprotocol form for IPv4"),
        pytest.param(body(b"", unreach()), ONLY_IPV4, None, id="not negotiated"),
        pytest.param(body(b"", unreach(A6)), BOTH, None, id="a withdrawal"),
        pytest.param(body(b"", unreach(b"\x08\xff")), BOTH, None, id="a withdrawal of nothing usable"),
        pytest.param(body(A, unreach()), BOTH, None, id="withdrawn routes too"),
        pytest.param(body(b"", unreach() + ORIGIN), BOTH, None, id="another attribute too"),
        pytest.param(body(b"", ORIGIN), BOTH, None, id="attributes without routes"),
    ],
)
def test_end_of_rib(octets: bytes, negotiated: Negotiated, family: Family | None) -> None:
    assert decode(octets, negotiated).end_of_rib == family


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_our_end_of_rib_is_understood(family: Family) -> None:
    assert decode(encode_end_of_rib(family)[19:]) == UpdateMessage(end_of_rib=family)


def test_our_end_of_rib_to_the_octet() -> None:
    assert encode_end_of_rib(IPV4)[16:] == b"\x00\x17\x02\0\0\0\0"
    assert encode_end_of_rib(IPV6)[16:] == b"\x00\x1d\x02\0\0\0\6\x80\x0f\x03\0\2\1"


NOT_NEGOTIATED = [
    pytest.param(body(A, MANDATORY, B), ONLY_IPV6, "ipv4", id="IPv4 fields"),
    pytest.param(body(b"", reach(A6) + unreach(B6) + MANDATORY), ONLY_IPV4, "ipv6", id="IPv6"),
    pytest.param(
        body(b"", reach(b"anything", family=Family(25, 70)) + MANDATORY), BOTH, "25/70", id="unknown family"
    ),
    pytest.param(
        body(b"", reach(A6, family=Family(1, 2))),
        replace(BOTH, families=(Family(1, 2),)),
        "1/2",
        id="a family nobody can read",
    ),
]


@pytest.mark.parametrize(("octets", "negotiated", "label"), NOT_NEGOTIATED)
def test_families_of_others_are_dropped(octets: bytes, negotiated: Negotiated, label: str) -> None:
    text = f"ignored: family {label} was not negotiated"
    assert decode(octets, negotiated) == UpdateMessage(errors=(text,))


TREATED_AS_WITHDRAWN = [
    pytest.param(AS_PATH + NEXT_HOP, "ORIGIN is missing", id="§3.d ORIGIN missing"),
    pytest.param(ORIGIN + NEXT_HOP, "AS_PATH is missing", id="§3.d AS_PATH missing"),
    pytest.param(ORIGIN + AS_PATH, "NEXT_HOP is missing", id="§3.d NEXT_HOP missing"),
    pytest.param(b"", "ORIGIN is missing", id="§3.d all missing"),
    pytest.param(b"\x40\x01\x01\x09" + AS_PATH + NEXT_HOP, "ORIGIN: there is no origin 9", id="§7.1"),
    pytest.param(MANDATORY + b"\x80", "the attributes do not fill their total length", id="§4 underrun"),
    pytest.param(ORIGIN + AS_PATH + b"\x40\x03\x04\0\0\0\0", "the next hop is no host address", id="0.0.0.0"),
    pytest.param(
        ORIGIN + AS_PATH + b"\x40\x03\x04\xe0\0\0\1", "the next hop is no host address", id="multicast"
    ),
    pytest.param(
        ORIGIN + AS_PATH + b"\x40\x03\x04" + b"\xff" * 4, "the next hop is no host address", id="broadcast"
    ),
]


@pytest.mark.parametrize(("octets", "text"), TREATED_AS_WITHDRAWN)
def test_faulty_routes_are_withdrawn(octets: bytes, text: str) -> None:
    assert decode(body(A, octets, B)) == UpdateMessage(
        withdrawn=((IPV4, (A,)), (IPV4, (B,))), errors=(f"treat-as-withdraw: {text}",)
    )


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(reach(A6) + AS_PATH, "ORIGIN is missing", id="§3.d ORIGIN missing"),
        pytest.param(reach(A6) + ORIGIN, "AS_PATH is missing", id="§3.d AS_PATH missing"),
        pytest.param(
            reach(A6, next_hop=bytes(16)) + ORIGIN + AS_PATH, "the next hop is no host address", id="::"
        ),
        pytest.param(
            reach(A6, next_hop=b"\xff\2" + bytes(14)) + ORIGIN + AS_PATH,
            "the next hop is no host address",
            id="multicast",
        ),
    ],
)
def test_faulty_multiprotocol_routes_are_withdrawn(octets: bytes, text: str) -> None:
    assert decode(body(b"", octets)) == UpdateMessage(
        withdrawn=((IPV6, (A6,)),), errors=(f"treat-as-withdraw: {text}",)
    )


def test_one_family_can_be_at_fault_alone() -> None:
    found = decode(body(b"", reach(A6) + ORIGIN + AS_PATH, B))
    assert found.withdrawn == ((IPV4, (B,)),)
    assert found.announced == ((IPV6, PLAIN6, (A6,)),)


def test_a_discarded_attribute_does_not_hurt_its_routes() -> None:
    octets = MANDATORY + b"\x40\x05\x04\0\0\0\x64"
    text = "attribute discard: LOCAL_PREF came from an external peer"
    for _ in range(2):
        assert decode(body(b"", octets, B)) == UpdateMessage(announced=((IPV4, PLAIN, (B,)),), errors=(text,))
    found = decode(body(b"", octets, B), ebgp=False)
    assert found.announced[0][1] == PLAIN.replace(local_pref=100)
    assert found.errors == ()


def test_an_error_of_two_families_is_noted_once() -> None:
    found = decode(body(b"", reach(A6) + MANDATORY + b"\x40\x06\x01\x00", B))
    assert found.errors == ("attribute discard: ATOMIC_AGGREGATE: it cannot have 1 octets",)


def test_attributes_of_no_routes_are_harmless_when_good() -> None:
    assert decode(body(A, MANDATORY)) == UpdateMessage(withdrawn=((IPV4, (A,)),))
    assert decode(body(b"", ORIGIN + b"\x40\x06\x01\x00")).announced == ()


def test_empty_mp_reach_nlri_announces_nothing() -> None:
    assert decode(body(b"", reach() + ORIGIN + AS_PATH)) == UpdateMessage()
    assert decode(body(b"", reach())) == UpdateMessage()


def test_routes_left_out_are_routes_all_the_same() -> None:
    """RFC 7606 §5.2: they were found, so a bad attribute beside them does not end the session."""
    found = decode(body(b"", reach(b"\x08\xff") + b"\x40\x01\x01\x09" + AS_PATH))
    assert found.errors[0] == "ignored: 1 multicast prefixes"
    assert (found.withdrawn, found.announced) == ((), ())


def test_an_empty_mp_reach_nlri_beside_routes_does_not_end_the_session() -> None:
    found = decode(body(b"", reach() + b"\x40\x01\x01\x09" + AS_PATH + NEXT_HOP, B))
    assert found.withdrawn == ((IPV4, (B,)),)


# RFC 7911: path identifiers.

IDENTIFIED = replace(BOTH, add_path_receive=(IPV4, IPV6))


def identified(number: int, nlri: bytes) -> bytes:
    return number.to_bytes(4, "big") + nlri


def test_identifiers_stay_before_their_prefixes_everywhere() -> None:
    one, other = identified(1, A), identified(0xFFFFFFFF, A)
    six = identified(0, A6)
    octets = reach(six, identified(1, A6)) + unreach(identified(7, B6)) + MANDATORY
    assert decode(body(one, octets, one + other), IDENTIFIED) == UpdateMessage(
        withdrawn=((IPV4, (one,)), (IPV6, (identified(7, B6),))),
        announced=((IPV4, PLAIN, (one, other)), (IPV6, PLAIN6, (six, identified(1, A6)))),
    )


def test_identifiers_are_per_family_and_per_direction() -> None:
    session = replace(BOTH, add_path_receive=(IPV6,), add_path_send=(IPV4,))
    found = decode(body(A, reach(identified(1, A6)) + MANDATORY, B), session)
    assert found.withdrawn == ((IPV4, (A,)),)
    assert [nlris for _, _, nlris in found.announced] == [(B,), (identified(1, A6),)]


def test_routes_with_identifiers_are_withdrawn_with_them() -> None:
    """RFC 7606 §2: treat-as-withdraw is about the very path that was announced."""
    found = decode(body(b"", AS_PATH + NEXT_HOP, identified(9, B)), IDENTIFIED)
    assert found.withdrawn == ((IPV4, (identified(9, B),)),)


@pytest.mark.parametrize(
    ("octets", "subcode"),
    [
        pytest.param(body(b"\0\0\0"), 10, id="withdrawn identifier cut off"),
        pytest.param(body(b"", MANDATORY, identified(1, b"")), 10, id="identifier without a prefix"),
        pytest.param(body(b"", MANDATORY, identified(1, b"\x21" + bytes(5))), 10, id="33 bits"),
        pytest.param(body(b"", MANDATORY, identified(1, A)[:-1]), 10, id="prefix cut off"),
        pytest.param(body(b"", reach(identified(1, A6)[:-1])), 9, id="IPv6 prefix cut off"),
        pytest.param(body(b"", unreach(identified(1, b""))), 9, id="IPv6 identifier without a prefix"),
    ],
)
def test_malformed_identified_prefixes_reset_the_session(octets: bytes, subcode: int) -> None:
    assert reset(octets, IDENTIFIED)[:2] == (3, subcode)


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_end_of_rib_has_no_identifier(family: Family) -> None:
    assert decode(encode_end_of_rib(family)[19:], IDENTIFIED) == UpdateMessage(end_of_rib=family)


# RFC 8950: IPv4 routes with an IPv6 next hop.

EXTENDED = replace(ONLY_IPV4, extended_next_hop=(IPV4,))


@pytest.mark.parametrize(
    ("next_hop", "kept"),
    [
        (b"\xc0\0\2\7", b"\xc0\0\2\7"),
        (GLOBAL, GLOBAL),
        (GLOBAL + LINK_LOCAL, GLOBAL),
        (bytes(16) + LINK_LOCAL, LINK_LOCAL),
        (LINK_LOCAL, LINK_LOCAL),
    ],
)
def test_the_length_of_a_next_hop_tells_its_protocol(next_hop: bytes, kept: bytes) -> None:
    """RFC 8950 §3."""
    octets = reach(A, next_hop=next_hop, family=IPV4) + ORIGIN + AS_PATH
    assert decode(body(b"", octets), EXTENDED).announced == ((IPV4, PLAIN.replace(next_hop=kept), (A,)),)


@pytest.mark.parametrize("octets", [0, 5, 8, 17, 24, 48])
def test_no_other_length_is_a_next_hop(octets: int) -> None:
    bad = reach(A, next_hop=bytes(octets), family=IPV4)
    assert reset(body(b"", bad + ORIGIN + AS_PATH), EXTENDED) == (3, 9, bad)


def test_an_ipv6_next_hop_of_ipv4_routes_must_be_a_host_too() -> None:
    found = decode(body(b"", reach(A, next_hop=bytes(16), family=IPV4) + ORIGIN + AS_PATH), EXTENDED)
    assert found.withdrawn == ((IPV4, (A,)),)
    assert found.errors == ("treat-as-withdraw: the next hop is no host address",)


def test_it_does_not_let_ipv6_routes_have_ipv4_next_hops() -> None:
    bad = reach(A6, next_hop=b"\xc0\0\2\7")
    assert reset(body(b"", bad), replace(EXTENDED, families=(IPV4, IPV6)))[:2] == (3, 9)


def test_a_peer_with_two_octets_per_as_number() -> None:
    old = replace(BOTH, four_octet_as=False)
    octets = ORIGIN + b"\x40\x02\x04\x02\x01\x5b\xa0" + NEXT_HOP + b"\xc0\x11\x06\x02\x01\0\x01\x11\x70"
    found = decode(body(b"", octets, A), old)
    assert found.announced[0][1].as_path == (Segment(2, (70000,)),)


def test_unknown_transitive_attributes_travel_on() -> None:
    found = decode(body(b"", MANDATORY + b"\xc0\x63\x01!", A))
    assert found.announced[0][1].unknown == (UnknownAttribute(0xE0, 99, b"!"),)


RESETS = [
    pytest.param(b"\0\0\0", (1, 2, b"\0\x16"), id="shorter than its lengths"),
    pytest.param(b"\0\5\0\0", (3, 1, b""), id="withdrawn routes too long"),
    pytest.param(b"\0\1\0\0", (3, 1, b""), id="no room for the attributes' length"),
    pytest.param(b"\0\0\0\1", (3, 1, b""), id="attributes too long"),
    pytest.param(body(b"\x21" + bytes(5)), (3, 10, b""), id="withdrawn prefix of 33 bits"),
    pytest.param(body(b"", MANDATORY, b"\x18\x0a"), (3, 10, b""), id="NLRI cut off"),
    pytest.param(body(b"", reach(A6) * 2), (3, 1, b""), id="MP_REACH_NLRI twice"),
    pytest.param(body(b"", b"\x80\x0e\xff"), (3, 1, b""), id="MP_REACH_NLRI cut off"),
    pytest.param(body(b"", b"\x40\x63\x00"), (3, 2, b"\x40\x63\x00"), id="unknown well-known, no routes"),
    pytest.param(
        body(b"", reach(A6, family=Family(25, 70)) + b"\x40\x63\x00"),
        (3, 2, b"\x40\x63\x00"),
        id="unknown well-known beside a family of others",
    ),
    pytest.param(
        body(A, b"\x40\x01\x01\x09"), (3, 6, b"\x40\x01\x01\x09"), id="§5.2 bad ORIGIN, only withdrawals"
    ),
    pytest.param(
        body(A, reach() + b"\x40\x01\x01\x09"),
        (3, 6, b"\x40\x01\x01\x09"),
        id="§5.2 bad ORIGIN, MP_REACH_NLRI without routes",
    ),
]
RESETS += [
    pytest.param(body(b"", bad + MANDATORY, A), (3, 9, bad), id=name)
    for bad, name in [
        (attribute(0x80, 14, b"\0\2\1\x10"), "MP_REACH_NLRI too short"),
        (attribute(0x80, 15, b"\0\2"), "MP_UNREACH_NLRI too short"),
        (attribute(0x80, 14, b"\0\2\1\x10" + bytes(16)), "no octet after the next hop"),
        (reach(A6, next_hop=b"\x0a\0\0\1"), "IPv6 with an IPv4 next hop"),
        (reach(A6, next_hop=bytes(17)), "IPv6 with a next hop of 17 octets"),
        (reach(A, family=IPV4), "RFC 8950 IPv4 with an IPv6 next hop, not negotiated"),
        (reach(b"\x81" + bytes(17)), "a prefix of 129 bits"),
        (unreach(b"\x81" + bytes(17)), "a withdrawn prefix of 129 bits"),
        (unreach(b"\x40"), "a withdrawn prefix cut off"),
    ]
]
RESETS += [
    pytest.param(body(b"", bad + MANDATORY, A), (3, 4, bad), id=f"§5.3 {name}")
    for bad, name in [
        (reach(A6, flags=0xC0), "flags of MP_REACH_NLRI"),
        (unreach(A6, flags=0x40), "flags of MP_UNREACH_NLRI"),
        (reach(A6, family=Family(25, 70), flags=0x40), "flags of a family of others"),
    ]
]


@pytest.mark.parametrize(("octets", "expected"), RESETS)
def test_what_cannot_be_tolerated_resets_the_session(octets: bytes, expected: tuple[int, int, bytes]) -> None:
    assert reset(octets) == expected


# Encoding.

MANY = [bytes((26, 10, one >> 10, one >> 2 & 255, one << 6 & 192)) for one in range(3000)]
MANY6 = [bytes((64, 32, 1, 13, 184, 0, 0)) + one.to_bytes(2, "big") for one in range(3000)]


def test_a_route_to_the_octet() -> None:
    (message,) = encode_announcements(IPV4, PLAIN, [A])
    assert message == b"\xff" * 16 + b"\x00\x2e\x02" + body(b"", MANDATORY, A)


def test_an_ipv6_route_to_the_octet() -> None:
    (message,) = encode_announcements(IPV6, PLAIN6, [A6])
    mp_reach = b"\x80\x0e\x1c\0\2\1\x10" + GLOBAL + b"\0" + A6
    assert message[19:] == body(b"", mp_reach + ORIGIN + AS_PATH)


def test_an_ipv4_route_with_an_ipv6_next_hop_to_the_octet() -> None:
    (message,) = encode_announcements(IPV4, PLAIN6, [A])
    mp_reach = b"\x80\x0e\x18\0\1\1\x10" + GLOBAL + b"\0" + A
    assert message[19:] == body(b"", mp_reach + ORIGIN + AS_PATH)
    assert decode(message[19:], EXTENDED).announced == ((IPV4, PLAIN6, (A,)),)


def test_routes_with_identifiers_to_the_octet() -> None:
    one, other = identified(1, A), identified(2, A)
    (message,) = encode_announcements(IPV4, PLAIN, [one, other])
    assert message[19:] == body(b"", MANDATORY, b"\0\0\0\1" + A + b"\0\0\0\2" + A)
    (message,) = encode_withdrawals(IPV6, [identified(3, A6)])
    assert message[19:] == body(b"", b"\x80\x0f\x0e\0\2\1\0\0\0\3" + A6)


def test_withdrawals_to_the_octet() -> None:
    assert [one[19:] for one in encode_withdrawals(IPV4, [A, B])] == [body(A + B)]
    assert [one[19:] for one in encode_withdrawals(IPV6, [A6])] == [body(b"", b"\x80\x0f\x0a\0\2\1" + A6)]


@pytest.mark.parametrize("max_length", [64, 100, 4096, 65535])
@pytest.mark.parametrize(("family", "nlris", "attributes"), [(IPV4, MANY, PLAIN), (IPV6, MANY6, PLAIN6)])
def test_as_many_routes_as_fit_go_into_each_message(
    family: Family, nlris: list[bytes], attributes: PathAttributes, max_length: int
) -> None:
    if max_length == 64 and family == IPV6:
        max_length = 75
    messages = encode_announcements(family, attributes, nlris, max_length=max_length)
    found = [decode(one[19:]).announced for one in messages]
    assert [nlri for ((_, _, some),) in found for nlri in some] == nlris
    assert {(one[0], one[1]) for (one,) in found} == {(family, attributes)}
    sizes = [len(one) for one in messages]
    # An attribute of 255 octets or less saves one octet of the header that room is kept for.
    assert all(max_length - len(nlris[0]) - 1 <= one <= max_length for one in sizes[:-1])
    assert sizes[-1] <= max_length


@pytest.mark.parametrize("max_length", [40, 4096, 65535])
@pytest.mark.parametrize(("family", "nlris"), [(IPV4, MANY), (IPV6, MANY6)])
def test_as_many_withdrawals_as_fit_go_into_each_message(
    family: Family, nlris: list[bytes], max_length: int
) -> None:
    messages = encode_withdrawals(family, nlris, max_length)
    found = [decode(one[19:]).withdrawn for one in messages]
    assert [nlri for ((_, some),) in found for nlri in some] == nlris
    assert {one[0] for (one,) in found} == {family}
    sizes = [len(one) for one in messages]
    assert all(max_length - len(nlris[0]) - 1 <= one <= max_length for one in sizes[:-1])
    assert sizes[-1] <= max_length


def test_prefixes_of_all_lengths_are_packed_greedily() -> None:
    nlris = [Prefix.of(Address.parse("10.255.255.255"), one % 33).nlri for one in range(500)]
    messages = encode_announcements(IPV4, PLAIN, nlris, max_length=60)
    assert [nlri for one in messages for nlri in decode(one[19:]).announced[0][2]] == nlris
    for one, after in pairwise(messages):
        assert len(one) + len(decode(after[19:]).announced[0][2][0]) > 60


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_nothing_to_say_is_not_said(family: Family) -> None:
    assert encode_announcements(family, PLAIN6, []) == []
    assert encode_withdrawals(family, []) == []
    assert encode_announcements(family, PLAIN6, [], max_length=20) == []


@pytest.mark.parametrize(("family", "nlri", "attributes"), [(IPV4, A, PLAIN), (IPV6, A6, PLAIN6)])
def test_attributes_that_fill_a_message_cannot_be_sent(
    family: Family, nlri: bytes, attributes: PathAttributes
) -> None:
    """RFC 8654 §4: the caller sees that nothing came of it, and withdraws."""
    long = attributes.replace(communities=tuple(range(1100)))
    assert encode_announcements(family, long, [nlri]) == []
    assert len(encode_announcements(family, long, [nlri], max_length=65535)) == 1
