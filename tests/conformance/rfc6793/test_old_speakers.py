"""RFC 6793: four-octet AS numbers, towards peers played by hand that know them or do not."""

import pytest

from felixbgp.bgp.facts import UpdateMalformed
from felixbgp.bgp.wire.attribute_encoding import encode_attribute
from felixbgp.bgp.wire.messages import Capability, MessageType, PathAttributes, Segment
from felixbgp.net import Prefix
from tests.support.paths import OUR_AS, as_set, sequence
from tests.support.played import Played
from tests.support.speakers import Network

BLOCK = "10.1.0.0/26"
NLRI = Prefix.parse(BLOCK).nlri
AS_TRANS = 23456
LARGE_AS = 4_200_000_001

ORIGIN = b"\x40\x01\x01\x00"
NEXT_HOP = b"\x40\x03\x04\x0a\0\0\2"
LOCAL_PREF = b"\x40\x05\x04\0\0\0\x64"
TWO_OCTET_PATH = encode_attribute(0x40, 2, b"\2\2\0\5\x5b\xa0")  # 5, AS_TRANS
FOUR_OCTET_PATH = encode_attribute(0x40, 2, b"\2\2\0\0\0\5\0\1\x11\x70")  # 5, 70000
AS4_PATH = encode_attribute(0xC0, 17, b"\2\1\0\1\x11\x70")  # 70000
AGGREGATOR, AGGREGATOR_TRANS = (
    encode_attribute(0xC0, 7, one + b"\x0a\0\0\x09") for one in (b"\0\5", b"\x5b\xa0")
)
AS4_AGGREGATOR = encode_attribute(0xC0, 18, b"\0\1\x11\x70\x0a\0\0\x09")


def peer(*, asn: int = OUR_AS, our_as: int = OUR_AS, old: bool = True) -> Played:
    """A peer in session; an `old` one knows AS numbers of two octets only."""
    node = Network().node("10.0.0.1", asn=our_as)
    return Played(node, "10.0.0.2", asn=asn).establish(two_octets=old)


def attribute_values(played: Played) -> dict[int, bytes]:
    """What the only UPDATE with routes that a peer heard has, by type."""
    (body,) = [body for kind, body in played.heard() if kind is MessageType.UPDATE and len(body) > 4]
    octets = body[4 : 4 + int.from_bytes(body[2:4], "big")]
    found: dict[int, bytes] = {}
    while octets:
        start = 4 if octets[0] & 0x10 else 3
        end = start + int.from_bytes(octets[2:start], "big")
        found[octets[1]] = octets[start:end]
        octets = octets[end:]
    return found


def sent_on(*, old: bool, **attributes: object) -> dict[int, bytes]:
    """What a peer hears of a route that another one announced."""
    node = Network().node("10.0.0.1", asn=OUR_AS)
    source = Played(node, "10.0.0.3", asn=65001).establish()
    listener = Played(node, "10.0.0.2").establish(two_octets=old)
    source.announce(BLOCK, **attributes)  # type: ignore[arg-type]
    return attribute_values(listener)


def received(played: Played, *attributes: bytes) -> PathAttributes:
    """What the node makes of a route with these attributes beside ORIGIN, NEXT_HOP and LOCAL_PREF."""
    played.update(ORIGIN + NEXT_HOP + LOCAL_PREF + b"".join(attributes), NLRI)
    assert played.state == "Established"
    return played.adj_rib_in()[BLOCK]


def discards(played: Played) -> list[str]:
    facts = [fact for fact in played.node.facts if isinstance(fact, UpdateMalformed)]
    assert {fact.verdict for fact in facts} <= {"attribute discard"}
    return [fact.reason.partition(":")[0] for fact in facts]


# ---- 4.1, the capability


@pytest.mark.parametrize(("our_as", "field"), [(64512, 64512), (65535, 65535), (LARGE_AS, AS_TRANS)])
def test_4_1_and_4_2_1_our_as_number_is_in_the_capability_and_as_trans_where_it_does_not_fit(
    our_as: int, field: int
) -> None:
    played = peer(our_as=our_as, asn=64999)
    assert played.their_open.my_as == field
    assert Capability(65, our_as.to_bytes(4, "big")) in played.their_open.capabilities


@pytest.mark.parametrize(("asn", "field"), [(LARGE_AS, AS_TRANS), (LARGE_AS, 7), (65001, AS_TRANS)])
def test_4_1_the_as_number_of_a_peer_is_that_of_its_capability(asn: int, field: int) -> None:
    played = Played(Network().node("10.0.0.1", asn=OUR_AS), "10.0.0.2", asn=asn)
    played.connect()
    played.say_open(my_as=field)
    assert played.state == "OpenConfirm"


@pytest.mark.parametrize("old", [False, True])
def test_4_1_numbers_have_four_octets_between_those_who_know_them(old: bool) -> None:
    """In AS_PATH and AGGREGATOR, both ways; two towards the others."""
    octets = sent_on(old=old, as_path=sequence(65001, 7), aggregator=(9, b"\x0a\0\0\x09"))
    width = 2 if old else 4
    assert octets[2] == b"\2\2" + (65001).to_bytes(width, "big") + (7).to_bytes(width, "big")
    assert octets[7] == (9).to_bytes(width, "big") + b"\x0a\0\0\x09"
    known = received(
        peer(old=old),
        encode_attribute(0x40, 2, b"\2\1" + (9).to_bytes(width, "big")),
        encode_attribute(0xC0, 7, (9).to_bytes(width, "big") + b"\x0a\0\0\x09"),
    )
    assert (known.as_path, known.aggregator) == (sequence(9), (9, b"\x0a\0\0\x09"))


def test_4_1_there_are_no_as4_attributes_between_those_who_know() -> None:
    octets = sent_on(old=False, as_path=sequence(65001, 70000), aggregator=(70000, b"\x0a\0\0\x09"))
    assert not {17, 18} & set(octets)


def test_4_1_as4_attributes_of_a_peer_that_knows_are_discarded() -> None:
    played = peer(old=False)
    known = received(played, FOUR_OCTET_PATH, AS4_PATH, AS4_AGGREGATOR)
    assert (known.as_path, known.aggregator, known.unknown) == (sequence(5, 70000), None, ())
    assert discards(played) == ["AS4_PATH", "AS4_AGGREGATOR"]


# ---- 4.2.2, towards old speakers


def test_4_2_2_the_path_goes_out_in_two_octets_and_again_in_four() -> None:
    octets = sent_on(old=True, as_path=(*sequence(65001, 70000), as_set(80000, 7)))
    assert octets[2] == b"\2\2\xfd\xe9\x5b\xa0\1\2\x5b\xa0\0\7"
    assert octets[17] == b"\2\2\0\0\xfd\xe9\0\1\x11\x70\1\2\0\1\x38\x80\0\0\0\7"


def test_4_2_2_a_path_that_fits_two_octets_is_not_sent_again() -> None:
    assert 17 not in sent_on(old=True, as_path=sequence(65001, AS_TRANS, 65535))


@pytest.mark.parametrize(("asn", "field", "again"), [(70000, AS_TRANS, True), (65535, 65535, False)])
def test_4_2_2_an_aggregator_beyond_two_octets_is_sent_again(asn: int, field: int, again: bool) -> None:
    octets = sent_on(old=True, aggregator=(asn, b"\x0a\0\0\x09"))
    assert octets[7] == field.to_bytes(2, "big") + b"\x0a\0\0\x09"
    assert octets.get(18) == (asn.to_bytes(4, "big") + b"\x0a\0\0\x09" if again else None)


def test_4_2_2_our_own_as_number_is_in_both_paths() -> None:
    played = peer(our_as=LARGE_AS, asn=65001)
    played.node.originate(BLOCK)
    played.node.network.settle()
    octets = attribute_values(played)
    assert (octets[2], octets[17]) == (b"\2\1\x5b\xa0", b"\2\1" + LARGE_AS.to_bytes(4, "big"))


# ---- 4.2.3, from old speakers


@pytest.mark.parametrize(
    ("attributes", "as_path", "aggregator"),
    [
        pytest.param([TWO_OCTET_PATH], sequence(5, AS_TRANS), None, id="neither"),
        pytest.param([TWO_OCTET_PATH, AS4_PATH], sequence(5, 70000), None, id="AS4_PATH"),
        pytest.param(
            [TWO_OCTET_PATH, AGGREGATOR_TRANS, AS4_PATH, AS4_AGGREGATOR],
            sequence(5, 70000),
            70000,
            id="the AGGREGATOR is AS_TRANS",
        ),
        pytest.param(
            [TWO_OCTET_PATH, AGGREGATOR, AS4_PATH, AS4_AGGREGATOR],
            sequence(5, AS_TRANS),
            5,
            id="the AGGREGATOR is another",
        ),
        pytest.param(
            [encode_attribute(0x40, 2, b"\2\1\0\5"), encode_attribute(0xC0, 17, b"\2\2" + bytes(7) + b"\7")],
            sequence(5),
            None,
            id="AS4_PATH with AS 0",
        ),
        pytest.param(
            [encode_attribute(0x40, 2, b"\2\1\0\5"), encode_attribute(0xC0, 17, b"\2\2" + b"\0\0\0\7" * 2)],
            sequence(5),
            None,
            id="AS4_PATH is longer",
        ),
        pytest.param(
            [
                encode_attribute(0x40, 2, b"\2\3\0\1\0\2\0\3\1\2\0\4\0\5\2\1\x5b\xa0"),
                AS4_PATH,
            ],
            (*sequence(1, 2, 3), as_set(4, 5), *sequence(70000)),
            None,
            id="AS_PATH is longer",
        ),
    ],
)
def test_4_2_3_both_kinds_of_attributes_make_one(
    attributes: list[bytes], as_path: tuple[Segment, ...], aggregator: int | None
) -> None:
    known = received(peer(), *attributes)
    assert known.as_path == as_path
    assert known.aggregator == (None if aggregator is None else (aggregator, b"\x0a\0\0\x09"))


# ---- 6, errors


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\2\1\0\1\x11\x70\2", id="odd length"),
        pytest.param(b"\2\1\0\1", id="too short"),
        pytest.param(b"\2\2\0\1\x11\x70", id="segment beyond the attribute"),
        pytest.param(b"\2\1\0\1\x11\x70\2\0", id="empty segment"),
        pytest.param(b"\7\1\0\1\x11\x70", id="segment type 7"),
    ],
)
def test_6_a_malformed_as4_path_is_discarded(value: bytes) -> None:
    played = peer()
    known = received(played, TWO_OCTET_PATH, encode_attribute(0xC0, 17, value))
    assert known.as_path == sequence(5, AS_TRANS)
    assert discards(played) == ["AS4_PATH"]


@pytest.mark.parametrize("size", [0, 6, 7, 9])
def test_6_a_malformed_as4_aggregator_is_discarded(size: int) -> None:
    played = peer()
    known = received(played, TWO_OCTET_PATH, AGGREGATOR_TRANS, encode_attribute(0xC0, 18, b"\1" * size))
    assert known.aggregator == (AS_TRANS, b"\x0a\0\0\x09")
    assert discards(played) == ["AS4_AGGREGATOR"]


def test_6_confederation_segments_of_an_as4_path_are_left_out() -> None:
    played = peer()
    value = b"\3\1\0\0\0\x63" + AS4_PATH[3:] + b"\4\1\0\0\0\x62"
    known = received(played, TWO_OCTET_PATH, encode_attribute(0xC0, 17, value))
    assert known.as_path == sequence(5, 70000)
    assert discards(played) == ["AS4_PATH"]
