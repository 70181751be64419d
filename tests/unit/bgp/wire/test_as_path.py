"""AS_PATH, AS4_PATH, and what the two say together."""

import pytest

from felixbgp.bgp.wire.as_path import (
    AsPathError,
    Path,
    can_be_passed_on,
    decode_as4_path,
    decode_as_path,
    encode_as4_path,
    encode_as_path,
    merge_as4_path,
    path_length,
    prepended,
    without_confederations,
)
from felixbgp.bgp.wire.messages import Segment, SegmentType

SET, SEQUENCE = SegmentType.AS_SET, SegmentType.AS_SEQUENCE
CONFED_SEQUENCE, CONFED_SET = SegmentType.AS_CONFED_SEQUENCE, SegmentType.AS_CONFED_SET


def sequence(*asns: int) -> Segment:
    return Segment(SEQUENCE, asns)


def as_set(*asns: int) -> Segment:
    return Segment(SET, asns)


@pytest.mark.parametrize(
    ("path", "octets"),
    [
        ((), b""),
        ((sequence(1),), b"\x02\x01\0\0\0\x01"),
        ((sequence(70000, 2), as_set(3)), b"\x02\x02\0\x01\x11\x70\0\0\0\x02\x01\x01\0\0\0\x03"),
        ((sequence(0x1000000, 1),), b"\x02\x02\x01\0\0\0\0\0\0\x01"),
    ],
)
def test_paths_to_the_octet(path: Path, octets: bytes) -> None:
    assert encode_as_path(path, four_octets=True) == octets
    assert decode_as_path(octets, four_octets=True) == path


def test_a_segment_is_its_numbers_however_they_were_given() -> None:
    given, read = sequence(70000, 2), Segment(SEQUENCE, (), b"\0\1\x11\x70\0\0\0\2")
    assert given == read
    assert hash(given) == hash(read)
    assert read.asns == (70000, 2)
    assert read.count == 2
    assert repr(given) == repr(read) == "Segment(2, (70000, 2))"
    assert read != as_set(70000, 2)
    assert read != sequence(70000)


def test_two_octets_put_as_trans_for_what_does_not_fit() -> None:
    octets = encode_as_path((sequence(70000, 65535),), four_octets=False)
    assert octets == b"\x02\x02\x5b\xa0\xff\xff"
    assert decode_as_path(octets, four_octets=False) == (sequence(23456, 65535),)


def test_long_segments_are_split_and_empty_ones_left_out() -> None:
    asns = tuple(range(1, 301))
    octets = encode_as_path((sequence(), sequence(*asns)), four_octets=True)
    assert decode_as_path(octets, four_octets=True) == (sequence(*asns[:255]), sequence(*asns[255:]))


@pytest.mark.parametrize("four_octets", [False, True])
@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x00\x01\0\0\0\x01", id="segment type 0"),
        pytest.param(b"\x05\x01\0\0\0\x01", id="segment type 5"),
        pytest.param(b"\x03\x01\0\x01\0\x01", id="confederation sequence"),
        pytest.param(b"\x04\x01\0\x01\0\x01", id="confederation set"),
        pytest.param(b"\x02\x00", id="empty segment"),
        pytest.param(b"\x02", id="no count"),
        pytest.param(b"\x02\x04\0\x01\0\x01", id="numbers beyond the attribute"),
        pytest.param(b"\x02\x01\0\x00\0\x00", id="AS 0"),
        pytest.param(b"\x02\x01\0\x01\0\x01\x02", id="an octet left over"),
    ],
)
def test_malformed_paths_are_refused(octets: bytes, four_octets: bool) -> None:
    with pytest.raises(AsPathError):
        decode_as_path(octets, four_octets=four_octets)


def test_confederation_segments_are_read_in_an_as4_path_only_to_be_left_out() -> None:
    """RFC 6793 §6."""
    octets = b"\x03\x01\0\0\0\x09\x02\x01\0\x01\x11\x70\x04\x01\0\0\0\x09"
    path = decode_as4_path(octets)
    assert [one.type for one in path] == [CONFED_SEQUENCE, SEQUENCE, CONFED_SET]
    assert without_confederations(path) == (sequence(70000),)


@pytest.mark.parametrize("four_octets", [False, True])
def test_a_path_of_more_numbers_than_a_message_could_pass_on_is_refused(four_octets: bool) -> None:
    longest = (sequence(*range(1, 1001)),)
    octets = encode_as_path(longest, four_octets=four_octets)
    assert path_length(decode_as_path(octets, four_octets=four_octets)) == 1000
    one_more = encode_as_path((*longest, as_set(1, 2)), four_octets=four_octets)
    with pytest.raises(AsPathError, match="more than 4016 octets"):
        decode_as_path(one_more, four_octets=four_octets)


@pytest.mark.parametrize("four_octets", [False, True])
def test_segments_count_too_for_what_a_message_could_pass_on(four_octets: bool) -> None:
    """A thousand segments of one number each are within 4096 octets from an old speaker, and 6000 from us."""
    octets = encode_as_path((sequence(1),) * 669, four_octets=four_octets)
    assert path_length(decode_as_path(octets, four_octets=four_octets)) == 669
    octets = encode_as_path((sequence(1),) * 670, four_octets=four_octets)
    with pytest.raises(AsPathError, match="more than 4016 octets"):
        decode_as_path(octets, four_octets=four_octets)


@pytest.mark.parametrize(
    ("path", "octets"),
    [
        ((sequence(1, 2),), b""),
        ((Segment(CONFED_SEQUENCE, (70000,)), sequence(1)), b""),
        (
            (Segment(CONFED_SET, (5,)), sequence(1, 70000)),
            b"\x02\x02\0\0\0\x01\0\x01\x11\x70",
        ),
    ],
)
def test_an_as4_path_is_sent_only_where_it_tells_more(path: Path, octets: bytes) -> None:
    assert encode_as4_path(path) == octets


def test_a_set_counts_one_and_confederations_none() -> None:
    path = (sequence(1, 2), as_set(3, 4, 5), Segment(CONFED_SEQUENCE, (6,)), Segment(CONFED_SET, (7,)))
    assert path_length(path) == 3


@pytest.mark.parametrize(
    ("as_path", "as4_path", "merged"),
    [
        pytest.param((sequence(1, 2),), (), (sequence(1, 2),), id="no AS4_PATH"),
        pytest.param((sequence(1),), (sequence(1, 70000),), (sequence(1),), id="AS4_PATH too long"),
        pytest.param(
            (sequence(23456, 23456),), (sequence(70000, 70001),), (sequence(70000, 70001),), id="equal"
        ),
        pytest.param(
            (sequence(5, 23456),), (sequence(70000),), (sequence(5, 70000),), id="one old speaker between"
        ),
        pytest.param(
            (sequence(5), as_set(6, 7), sequence(8, 23456)),
            (sequence(70000),),
            (sequence(5), as_set(6, 7), sequence(8, 70000)),
            id="segments before",
        ),
        pytest.param(
            (as_set(6, 7), sequence(23456)),
            (sequence(70000),),
            (as_set(6, 7), sequence(70000)),
            id="a set before a sequence",
        ),
        pytest.param(
            (sequence(5, 23456),),
            (as_set(70000, 70001),),
            (sequence(5), as_set(70000, 70001)),
            id="a set after a sequence",
        ),
        pytest.param(
            (sequence(*range(1, 256)), sequence(23456)),
            (sequence(70000),),
            (sequence(*range(1, 256)), sequence(70000)),
            id="no segment beyond 255",
        ),
        pytest.param(
            (as_set(6, 7),), (as_set(70000),), (as_set(70000),), id="sets count one, whatever is in them"
        ),
    ],
)
def test_as4_path_replaces_the_tail(as_path: Path, as4_path: Path, merged: Path) -> None:
    """RFC 6793 §4.2.3."""
    assert merge_as4_path(as_path, as4_path) == merged


def test_an_as4_path_of_large_sets_does_not_make_a_path_too_long_to_be_passed_on() -> None:
    """Each counts one, so that it leaves nearly all of the AS_PATH in front of it."""
    as_path = (sequence(*[23456] * 255),) * 3 + (sequence(*[23456] * 235),)
    large = as_set(*range(70000, 70255))
    assert merge_as4_path(as_path, (large,) * 3) == as_path
    assert merge_as4_path(as_path[:2], (large,)) == (as_path[0], sequence(*[23456] * 254), large)


@pytest.mark.parametrize(
    ("asns", "before", "after"),
    [
        pytest.param((7,), (), (sequence(7),), id="empty"),
        pytest.param((7,), (sequence(1, 2),), (sequence(7, 1, 2),), id="into the first sequence"),
        pytest.param((7, 8), (sequence(1),), (sequence(7, 8, 1),), id="several, in their order"),
        pytest.param((7,), (as_set(1, 2),), (sequence(7), as_set(1, 2)), id="before a set"),
        pytest.param(
            (7,), (sequence(*range(255)),), (sequence(7), sequence(*range(255))), id="before a full sequence"
        ),
        pytest.param(
            (7, 8),
            (sequence(*range(254)),),
            (sequence(7, 8), sequence(*range(254))),
            id="before one without room for all",
        ),
        pytest.param(
            (7,),
            (Segment(CONFED_SEQUENCE, (1,)), sequence(2)),
            (sequence(7, 2),),
            id="confederations end at our border",
        ),
    ],
)
def test_numbers_in_front(asns: tuple[int, ...], before: Path, after: Path) -> None:
    assert prepended(asns, before) == after


def test_a_path_can_be_passed_on_as_far_as_a_received_one_may_go() -> None:
    longest = tuple(sequence(*[1] * 250) for _ in range(4))
    octets = encode_as_path(longest, four_octets=True)
    assert decode_as_path(octets, four_octets=True) == longest
    assert can_be_passed_on(longest)
    longer = (*longest, sequence(1, 1))
    with pytest.raises(AsPathError):
        decode_as_path(encode_as_path(longer, four_octets=True), four_octets=True)
    assert not can_be_passed_on(longer)
