"""Each attribute by the table: accepted, discarded, condemning its routes, or ending the session."""

import pytest

from felixbgp.bgp.wire import attributes as module
from felixbgp.bgp.wire.attributes import (
    RULES,
    AttributeSet,
    AttributeType,
    Verdict,
    decode_attributes,
    split_multiprotocol,
)
from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.messages import PathAttributes, Segment, UnknownAttribute

ORIGIN = b"\x40\x01\x01\x00"
AS_PATH = b"\x40\x02\x06\x02\x01\0\0\0\x09"
NEXT_HOP = b"\x40\x03\x04\xc0\0\2\1"
MANDATORY = ORIGIN + AS_PATH + NEXT_HOP
PLAIN = PathAttributes(as_path=(Segment(2, (9,)),), next_hop=b"\xc0\0\2\1")


def decode(octets: bytes, *, four_octet_as: bool = True, ebgp: bool = False) -> AttributeSet:
    return decode_attributes(octets, four_octet_as=four_octet_as, ebgp=ebgp)


def test_the_mandatory_ones_alone() -> None:
    found = decode(MANDATORY)
    assert (found.attributes, found.seen, found.fault, found.errors) == (PLAIN, 0b1110, None, ())


def test_no_attributes_at_all() -> None:
    found = decode(b"")
    assert (found.attributes, found.seen, found.fault, found.errors) == (PathAttributes(), 0, None, ())


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x80\x04\x04\0\0\0\x05", PLAIN.replace(med=5)),
        (b"\x40\x05\x04\0\0\0\x64", PLAIN.replace(local_pref=100)),
        (b"\x40\x06\x00", PLAIN.replace(atomic_aggregate=True)),
        (b"\xc0\x07\x08\0\0\0\x09\x0a\0\0\1", PLAIN.replace(aggregator=(9, b"\x0a\0\0\1"))),
        (
            b"\xc0\x08\x0c\0\x01\0\x02\0\x01\0\x01\0\x01\0\x02",
            PLAIN.replace(communities=(0x10001, 0x10002)),
        ),
        (b"\x80\x09\x04\x0a\0\0\1", PLAIN.replace(originator_id=b"\x0a\0\0\1")),
        (b"\x80\x0a\x08\x0a\0\0\2\x0a\0\0\1", PLAIN.replace(cluster_list=(b"\x0a\0\0\2", b"\x0a\0\0\1"))),
        (
            b"\xc0\x10\x10" + b"B" * 8 + b"A" * 8,
            PLAIN.replace(extended_communities=(b"A" * 8, b"B" * 8)),
        ),
        (
            b"\xc0\x20\x18\0\0\0\2\0\0\0\2\0\0\0\2\0\0\0\1\0\0\0\2\0\0\0\3",
            PLAIN.replace(large_communities=((1, 2, 3), (2, 2, 2))),
        ),
        (b"\xd0\x63\x00\x01!", PLAIN.replace(unknown=(UnknownAttribute(0xE0, 99, b"!"),))),
        (b"\xe0\x63\x00", PLAIN.replace(unknown=(UnknownAttribute(0xE0, 99, b""),))),
        (b"\x80\x63\x01!", PLAIN),
        (b"\xe0\x08\x04\0\1\0\2", PLAIN.replace(communities=(0x10002,), partial=(8,))),
        (b"\xc0\x23\x04\0\1\x11\x70", PLAIN.replace(only_to_customer=70000)),
        (b"\xe0\x23\x04\0\0\0\x09", PLAIN.replace(only_to_customer=9, partial=(35,))),
        (
            b"\xd0\x19\x00\x14" + bytes(20),
            PLAIN.replace(unknown=(UnknownAttribute(0xC0, 25, bytes(20)),)),
        ),
        (
            b"\xe0\x19\x28" + b"\xff" * 40,
            PLAIN.replace(unknown=(UnknownAttribute(0xE0, 25, b"\xff" * 40),)),
        ),
    ],
)
def test_well_formed_attributes_are_read(octets: bytes, expected: PathAttributes) -> None:
    found = decode(MANDATORY + octets)
    assert found.attributes == expected
    assert found.fault is None
    assert found.errors == ()
    assert found.seen & 1 << octets[1]


def test_unknown_ones_are_put_in_order() -> None:
    found = decode(b"\xc0\x63\x01b" + MANDATORY + b"\xc0\x28\x01a")
    assert [one.type for one in found.attributes.unknown] == [40, 99]


def test_an_extended_length_is_fine_for_a_short_value() -> None:
    assert decode(b"\x50\x01\x00\x01\x02" + AS_PATH + NEXT_HOP).attributes == PLAIN.replace(origin=2)


WITHDRAW = [
    pytest.param(b"\x40\x01\x01\x03", 6, "ORIGIN", id="§7.1 origin value"),
    pytest.param(b"\x40\x01\x02\x00\x00", 5, "ORIGIN", id="§7.1 origin length"),
    pytest.param(b"\x40\x01\x00", 5, "ORIGIN", id="§7.1 origin empty"),
    pytest.param(b"\x40\x02\x02\x09\x01", 11, "AS_PATH", id="§7.2 segment type"),
    pytest.param(b"\x40\x02\x06\x02\x01\0\0\0\0", 11, "AS_PATH", id="RFC 7607 AS 0"),
    pytest.param(b"\x40\x02\x06\x03\x01\0\0\0\1", 11, "AS_PATH", id="RFC 5065 confederation"),
    pytest.param(b"\x40\x03\x05\0\0\0\0\1", 5, "NEXT_HOP", id="§7.3 next hop length"),
    pytest.param(b"\x80\x04\x03\0\0\0", 5, "MULTI_EXIT_DISC", id="§7.4 MED length"),
    pytest.param(b"\x40\x05\x03\0\0\0", 5, "LOCAL_PREF", id="§7.5 local preference length"),
    pytest.param(b"\xc0\x08\x05" + bytes(5), 5, "COMMUNITIES", id="§7.8 communities length"),
    pytest.param(b"\xc0\x08\x00", 5, "COMMUNITIES", id="§7.8 communities empty"),
    pytest.param(b"\x80\x09\x05" + bytes(5), 5, "ORIGINATOR_ID", id="§7.9 originator length"),
    pytest.param(b"\x80\x0a\x06" + bytes(6), 5, "CLUSTER_LIST", id="§7.10 cluster list length"),
    pytest.param(b"\x80\x0a\x00", 5, "CLUSTER_LIST", id="§7.10 cluster list empty"),
    pytest.param(b"\xc0\x10\x07" + bytes(7), 5, "EXTENDED_COMMUNITIES", id="§7.14 extended length"),
    pytest.param(b"\xc0\x19\x15" + bytes(21), 5, "IPV6_EXTENDED_COMMUNITIES", id="§7.15 length"),
    pytest.param(b"\xc0\x19\x00", 5, "IPV6_EXTENDED_COMMUNITIES", id="§7.15 empty"),
    pytest.param(b"\x80\x19\x14" + bytes(20), 4, "IPV6_EXTENDED_COMMUNITIES", id="§3.c non-transitive"),
    pytest.param(b"\xc0\x20\x04" + bytes(4), 5, "LARGE_COMMUNITIES", id="RFC 8092 length"),
    pytest.param(b"\xc0\x20\x00", 5, "LARGE_COMMUNITIES", id="RFC 8092 empty"),
    pytest.param(b"\xc0\x23\x02\0\x09", 5, "ONLY_TO_CUSTOMER", id="RFC 9234 §5 length 2"),
    pytest.param(b"\xc0\x23\x08" + bytes(8), 5, "ONLY_TO_CUSTOMER", id="RFC 9234 §5 length 8"),
    pytest.param(b"\xc0\x23\x00", 5, "ONLY_TO_CUSTOMER", id="RFC 9234 §5 empty"),
    pytest.param(b"\x80\x23\x04" + bytes(4), 4, "ONLY_TO_CUSTOMER", id="§3.c non-transitive OTC"),
    pytest.param(b"\xc0\x01\x01\x00", 4, "ORIGIN", id="§3.c optional origin"),
    pytest.param(b"\x80\x07\x08" + bytes(8), 4, "AGGREGATOR", id="§3.c non-transitive aggregator"),
    pytest.param(b"\x40\x08\x04" + bytes(4), 4, "COMMUNITIES", id="§3.c well-known communities"),
]


@pytest.mark.parametrize(("octets", "subcode", "name"), WITHDRAW)
def test_malformed_attributes_condemn_their_routes(octets: bytes, subcode: int, name: str) -> None:
    found = decode(octets)
    assert found.fault is not None
    assert found.fault.subcode == subcode
    assert found.fault.data == (b"" if subcode == 11 else octets)
    assert found.errors == (f"treat-as-withdraw: {found.fault.text}",)
    assert name in found.fault.text


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x40\x02\x10" + b"\x02\x01\0\0\0\x09", id="overrun"),
        pytest.param(b"\x40\x02", id="one or two octets left"),
        pytest.param(b"\x40", id="one octet left"),
        pytest.param(b"\x50\x02\x00", id="three octets left of a long header"),
    ],
)
def test_attributes_that_do_not_fill_their_length(octets: bytes) -> None:
    """RFC 7606 §4."""
    found = decode(ORIGIN + octets)
    assert found.fault is not None
    assert (found.fault.subcode, found.fault.data) == (1, b"")
    assert found.seen == 1 << 1


DISCARD = [
    pytest.param(b"\x40\x06\x01\x00", True, False, "ATOMIC_AGGREGATE", id="§7.6 atomic aggregate"),
    pytest.param(b"\xc0\x07\x06" + bytes(6), True, False, "AGGREGATOR", id="§7.7 aggregator length"),
    pytest.param(b"\xc0\x07\x08" + bytes(8), False, False, "AGGREGATOR", id="§7.7 two-octet session"),
    pytest.param(b"\xc0\x07\x08" + bytes(8), True, False, "AGGREGATOR", id="RFC 7607 aggregator AS 0"),
    pytest.param(b"\x40\x05\x04" + bytes(4), True, True, "LOCAL_PREF", id="§7.5 from outside"),
    pytest.param(b"\x40\x05\x03" + bytes(3), True, True, "LOCAL_PREF", id="§7.5 malformed from outside"),
    pytest.param(b"\x80\x09\x04" + bytes(4), True, True, "ORIGINATOR_ID", id="§7.9 from outside"),
    pytest.param(b"\x80\x0a\x04" + bytes(4), True, True, "CLUSTER_LIST", id="§7.10 from outside"),
    pytest.param(b"\xc0\x11\x06\x02\x01\0\0\0\1", True, False, "AS4_PATH", id="RFC 6793 §4.1 path"),
    pytest.param(b"\xc0\x12\x08" + b"1" * 8, True, False, "AS4_AGGREGATOR", id="RFC 6793 §4.1 aggregator"),
    pytest.param(b"\xc0\x11\x03\x02\x01\0", False, False, "AS4_PATH", id="RFC 6793 §6 path"),
    pytest.param(b"\xc0\x11\x06\x02\x01\0\0\0\0", False, False, "AS4_PATH", id="RFC 7607 AS4_PATH AS 0"),
    pytest.param(b"\xc0\x12\x07" + bytes(7), False, False, "AS4_AGGREGATOR", id="RFC 6793 §6 length"),
    pytest.param(b"\xc0\x12\x08" + bytes(8), False, False, "AS4_AGGREGATOR", id="RFC 7607 AS4 AS 0"),
    pytest.param(ORIGIN + b"\x40\x01\x01\x02", True, False, "more than once", id="§3.g duplicate"),
    pytest.param(b"\x80\x63\x00\x80\x63\x00", True, False, "more than once", id="§3.g unknown duplicate"),
]


@pytest.mark.parametrize(("octets", "four_octet_as", "ebgp", "text"), DISCARD)
def test_discarded_attributes_leave_no_trace_but_a_note(
    octets: bytes, four_octet_as: bool, ebgp: bool, text: str
) -> None:
    found = decode(octets, four_octet_as=four_octet_as, ebgp=ebgp)
    assert found.attributes == PathAttributes()
    assert found.fault is None
    assert len(found.errors) == 1
    assert found.errors[0].startswith("attribute discard: ")
    assert text in found.errors[0]


def test_wrong_flags_condemn_even_what_is_discarded_from_outside() -> None:
    assert decode(b"\xc0\x05\x04" + bytes(4), ebgp=True).fault is not None


def test_the_first_fault_is_the_one_reported() -> None:
    found = decode(b"\x40\x01\x01\x07" + b"\x40\x03\x01\x07")
    assert found.fault is not None
    assert found.fault.subcode == 6
    assert len(found.errors) == 2


def test_many_errors_are_not_noted_but_the_fault_always_is() -> None:
    found = decode(b"\x80\x63\x00" * 200)
    assert len(found.errors) == 8
    assert found.fault is None
    found = decode(b"\x80\x63\x00" * 200 + b"\x40\x01\x01\x07" + b"\x40\x03\x01\x07")
    assert found.errors[8:] == ("treat-as-withdraw: ORIGIN: there is no origin 7",)


def test_more_attributes_than_there_are_types_condemn_their_routes() -> None:
    found = decode(b"".join(bytes((0xC0, one, 0)) for one in range(99, 256)) + b"\x80\x63\x00" * 99)
    assert found.fault is None
    found = decode(b"\x80\x63\x00" * 257 + MANDATORY)
    assert found.fault is not None
    assert (found.fault.subcode, found.fault.data) == (1, b"")
    assert found.errors[-1] == "treat-as-withdraw: too many attributes"
    assert found.seen == 1 << 99


def test_an_as_path_beyond_every_limit_condemns_its_routes() -> None:
    segment = b"\x02\xc8" + b"\0\0\0\1" * 200
    path = b"\x50\x02" + (5 * len(segment)).to_bytes(2, "big") + 5 * segment
    assert decode(path).fault is None
    path = (
        b"\x50\x02"
        + (5 * len(segment) + 10).to_bytes(2, "big")
        + 5 * segment
        + b"\x01\x02"
        + bytes((0, 0, 0, 1)) * 2
    )
    found = decode(path)
    assert found.fault is not None
    assert found.fault.subcode == 11
    assert found.attributes.as_path == ()


def test_an_unknown_well_known_attribute_ends_the_session() -> None:
    with pytest.raises(WireError) as caught:
        decode(MANDATORY + b"\x40\x63\x01!")
    error = caught.value
    assert (error.code, error.subcode, error.data) == (3, 2, b"\x40\x63\x01!")


OLD_PATH = b"\x40\x02\x06\x02\x02\x00\x05\x5b\xa0"
AS4_PATH = b"\xc0\x11\x06\x02\x01\x00\x01\x11\x70"
MERGED = (Segment(2, (5, 70000)),)
UNMERGED = (Segment(2, (5, 23456)),)


@pytest.mark.parametrize(
    ("octets", "path", "aggregator"),
    [
        pytest.param(AS4_PATH, MERGED, None, id="AS4_PATH alone"),
        pytest.param(
            b"\xc0\x07\x06\x00\x09\x0a\0\0\1" + AS4_PATH, MERGED, 9, id="an aggregator without AS4_AGGREGATOR"
        ),
        pytest.param(
            b"\xc0\x07\x06\x5b\xa0\x0a\0\0\1" + AS4_PATH + b"\xc0\x12\x08\x00\x01\x11\x70\x0a\0\0\1",
            MERGED,
            70000,
            id="AS_TRANS aggregated",
        ),
        pytest.param(
            b"\xc0\x07\x06\x00\x09\x0a\0\0\1" + AS4_PATH + b"\xc0\x12\x08\x00\x01\x11\x70\x0a\0\0\1",
            UNMERGED,
            9,
            id="an old speaker aggregated: both are stale",
        ),
        pytest.param(
            AS4_PATH + b"\xc0\x12\x08\x00\x01\x11\x70\x0a\0\0\1", MERGED, None, id="no AGGREGATOR at all"
        ),
        pytest.param(
            b"\xc0\x11\x0c" + AS4_PATH[3:] + b"\x03\x01\0\0\0\x09", MERGED, None, id="§6 confederations"
        ),
    ],
)
def test_as4_attributes_are_believed_where_they_can_be(
    octets: bytes, path: tuple[Segment, ...], aggregator: int | None
) -> None:
    """RFC 6793 §4.2.3."""
    found = decode(ORIGIN + OLD_PATH + octets, four_octet_as=False).attributes
    assert found.as_path == path
    assert found.aggregator == (None if aggregator is None else (aggregator, b"\x0a\0\0\1"))


def test_confederations_in_an_as4_path_are_noted() -> None:
    """RFC 6793 §6."""
    found = decode(b"\xc0\x11\x06\x03\x01\0\0\0\x09", four_octet_as=False)
    assert found.errors == ("attribute discard: AS4_PATH: confederation segments have no place in it",)


def test_equal_octets_give_the_same_object() -> None:
    assert decode(MANDATORY) is decode(bytes(bytearray(MANDATORY)))
    assert decode(MANDATORY) is not decode(MANDATORY, ebgp=True)


def test_the_next_hop_of_mp_reach_replaces_the_other() -> None:
    found = decode_attributes(MANDATORY, four_octet_as=True, ebgp=False, next_hop=bytes(15) + b"\1")
    assert found.attributes == PLAIN.replace(next_hop=bytes(15) + b"\1")


def test_the_memory_of_sets_is_bounded_and_keeps_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMO_OCTETS_MAX", 1000)
    memo = module._Memo()
    found = decode(MANDATORY)
    memo.put((b"", b"used"), found)
    for number in range(100):
        memo.put((b"", number.to_bytes(20, "big")), found)
        assert memo.get((b"", b"used")) is found
        assert len(memo._young) + len(memo._old) <= 26
    assert memo.get((b"", bytes(20))) is None


def test_multiprotocol_attributes_are_not_for_this_decoder() -> None:
    with pytest.raises(ValueError, match="comes before"):
        decode(b"\x80\x0f\x03\0\2\1")


REACH = b"\x80\x0e\x02RR"
UNREACH = b"\x90\x0f\x00\x02UU"


@pytest.mark.parametrize(
    ("octets", "rest", "reach", "unreach"),
    [
        (b"", b"", None, None),
        (MANDATORY, MANDATORY, None, None),
        (REACH, b"", b"RR", None),
        (UNREACH + MANDATORY, MANDATORY, None, b"UU"),
        (ORIGIN + REACH + AS_PATH + UNREACH + NEXT_HOP, MANDATORY, b"RR", b"UU"),
        (REACH + b"\x40\x01\xff", b"\x40\x01\xff", b"RR", None),
        (MANDATORY + b"\x40", MANDATORY + b"\x40", None, None),
    ],
)
def test_multiprotocol_attributes_are_taken_out(
    octets: bytes, rest: bytes, reach: bytes | None, unreach: bytes | None
) -> None:
    found = split_multiprotocol(octets)
    assert found[0] == rest
    assert (None if found[1] is None else found[1].value) == reach
    assert (None if found[2] is None else found[2].value) == unreach


def test_what_was_taken_out_can_be_quoted() -> None:
    _, _, unreach = split_multiprotocol(MANDATORY + UNREACH)
    assert unreach is not None
    assert (unreach.flags, unreach.raw) == (0x90, UNREACH)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(REACH + REACH, id="§3.g MP_REACH_NLRI twice"),
        pytest.param(UNREACH + ORIGIN + UNREACH, id="§3.g MP_UNREACH_NLRI twice"),
        pytest.param(b"\x80\x0e\x03RR", id="§3.j MP_REACH_NLRI cut off"),
        pytest.param(b"\x90\x0f\x00", id="§3.j header of MP_UNREACH_NLRI cut off"),
    ],
)
def test_unusable_multiprotocol_attributes_end_the_session(octets: bytes) -> None:
    with pytest.raises(WireError) as caught:
        split_multiprotocol(octets)
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (3, 1, b"")


def test_every_named_attribute_has_its_row() -> None:
    assert set(RULES) == set(AttributeType)
    for number, rule in RULES.items():
        assert rule.name == AttributeType(number).name


def test_verdicts_are_ordered_by_strength() -> None:
    assert [one.label for one in sorted(Verdict)] == [
        "attribute discard",
        "treat-as-withdraw",
        "session reset",
    ]
