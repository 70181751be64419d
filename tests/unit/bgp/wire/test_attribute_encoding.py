"""Attributes leave in one order and one form."""

import pytest

from felixbgp.bgp.wire.attribute_encoding import encode_attribute, encode_attributes
from felixbgp.bgp.wire.attributes import decode_attributes
from felixbgp.bgp.wire.messages import PathAttributes, Segment, UnknownAttribute

FULL = PathAttributes(
    origin=2,
    as_path=(Segment(2, (65001, 70000)),),
    next_hop=b"\xc0\0\2\1",
    med=1,
    local_pref=2,
    atomic_aggregate=True,
    aggregator=(70000, b"\x0a\0\0\1"),
    communities=(0x10001,),
    originator_id=b"\x0a\0\0\2",
    cluster_list=(b"\x0a\0\0\3", b"\x0a\0\0\4"),
    extended_communities=(b"A" * 8,),
    large_communities=((1, 2, 3),),
    only_to_customer=70000,
    unknown=(
        UnknownAttribute(0xE0, 13, b"x"),
        UnknownAttribute(0xC0, 25, bytes(20)),
        UnknownAttribute(0xE0, 99, b""),
    ),
    partial=(8, 32, 35),
)


def types_of(octets: bytes) -> list[int]:
    found = []
    while octets:
        found.append(octets[1])
        octets = octets[3 + octets[2] :]
    return found


def test_the_least_to_the_octet() -> None:
    octets = encode_attributes(PathAttributes(next_hop=b"\xc0\0\2\1"), four_octet_as=True, with_next_hop=True)
    assert octets == b"\x40\x01\x01\x00\x40\x02\x00\x40\x03\x04\xc0\0\2\1"


def test_an_only_to_customer_of_zero_is_one() -> None:
    """RFC 9234 §5: once set it is preserved, and its length alone is judged."""
    octets = encode_attributes(PathAttributes(only_to_customer=0), four_octet_as=True, with_next_hop=False)
    assert octets.endswith(b"\xc0\x23\x04\0\0\0\0")
    found = decode_attributes(octets, four_octet_as=True, ebgp=True)
    assert (found.attributes.only_to_customer, found.fault) == (0, None)


def test_without_next_hop_for_multiprotocol_routes() -> None:
    octets = encode_attributes(PathAttributes(next_hop=bytes(16)), four_octet_as=True, with_next_hop=False)
    assert octets == b"\x40\x01\x01\x00\x40\x02\x00"


def test_everything_ascends_by_type() -> None:
    octets = encode_attributes(FULL, four_octet_as=True, with_next_hop=True)
    assert types_of(octets) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 16, 25, 32, 35, 99]


def test_an_old_peer_gets_as4_attributes_too() -> None:
    octets = encode_attributes(FULL, four_octet_as=False, with_next_hop=True)
    assert types_of(octets) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 16, 17, 18, 25, 32, 35, 99]
    assert b"\x40\x02\x06\x02\x02\xfd\xe9\x5b\xa0" in octets
    assert b"\xc0\x07\x06\x5b\xa0\x0a\0\0\1" in octets
    assert b"\xc0\x11\x0a\x02\x02\0\0\xfd\xe9\0\x01\x11\x70" in octets
    assert b"\xc0\x12\x08\0\x01\x11\x70\x0a\0\0\1" in octets


def test_an_old_peer_gets_none_where_two_octets_do() -> None:
    attributes = PathAttributes(as_path=(Segment(2, (1,)),), aggregator=(2, b"\x0a\0\0\1"))
    octets = encode_attributes(attributes, four_octet_as=False, with_next_hop=False)
    assert types_of(octets) == [1, 2, 7]
    assert octets.endswith(b"\xc0\x07\x06\x00\x02\x0a\0\0\1")


@pytest.mark.parametrize("four_octet_as", [False, True])
def test_the_partial_bit_is_passed_on(four_octet_as: bool) -> None:
    """RFC 4271 §5: nobody may take it away."""
    octets = encode_attributes(FULL, four_octet_as=four_octet_as, with_next_hop=True)
    assert b"\xe0\x08\x04" in octets
    assert b"\xe0\x20\x0c" in octets
    assert b"\xe0\x23\x04\0\x01\x11\x70" in octets
    assert b"\xc0\x19\x14" in octets
    assert b"\xc0\x10\x08" in octets
    found = decode_attributes(octets, four_octet_as=four_octet_as, ebgp=False)
    assert found.attributes == FULL
    assert found.errors == ()


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, b"\x40\x02\x00"), (255, b"\x40\x02\xff"), (256, b"\x50\x02\x01\x00")],
)
def test_the_length_is_wide_only_where_it_must_be(size: int, head: bytes) -> None:
    assert encode_attribute(0x40, 2, bytes(size)) == head + bytes(size)
