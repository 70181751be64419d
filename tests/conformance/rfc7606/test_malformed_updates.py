"""RFC 7606: a malformed UPDATE of a peer played by hand, and what becomes of its routes.

The peer has announced two prefixes. The UPDATE is about the first; the second shows what the session lost.
"""

import pytest

from felixbgp.bgp.facts import UpdateMalformed
from felixbgp.bgp.wire.attribute_encoding import encode_attribute
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, PathAttributes, Segment, UnknownAttribute
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.support.paths import OUR_AS
from tests.support.played import Played
from tests.support.speakers import Network

BLOCK, OTHER = "10.1.0.0/26", "10.2.0.0/26"
NLRI, OTHER_NLRI = Prefix.parse(BLOCK).nlri, Prefix.parse(OTHER).nlri
BLOCK6, OTHER6 = "fd01::/64", "fd02::/64"
NLRI6, OTHER_NLRI6 = Prefix.parse(BLOCK6).nlri, Prefix.parse(OTHER6).nlri
PEER_AS = 65001

ORIGIN = encode_attribute(0x40, 1, b"\0")
AS_PATH = encode_attribute(0x40, 2, b"\2\1\0\0\xfd\xe9")
NEXT_HOP = encode_attribute(0x40, 3, b"\x0a\0\0\2")
LOCAL_PREF = encode_attribute(0x40, 5, b"\0\0\0\x64")
MANDATORY = ORIGIN + AS_PATH + NEXT_HOP
EXTERNAL_PATH = PathAttributes(next_hop=b"\x0a\0\0\2", as_path=(Segment(2, (PEER_AS,)),))
INTERNAL_PATH = EXTERNAL_PATH.replace(local_pref=100)


def malformed(number: int, flags: int, value: bytes) -> bytes:
    return encode_attribute(flags, number, value)


def peer(*, internal: bool = False, family: str = "IPv4") -> Played:
    network = Network()
    if family == "IPv6":
        node = network.node("fd00::1", asn=OUR_AS)
        played = Played(node, "fd00::2", asn=PEER_AS).establish()
        played.announce(BLOCK6, OTHER6)
        return played
    node = network.node("10.0.0.1", asn=OUR_AS)
    played = Played(node, "10.0.0.2", asn=OUR_AS if internal else PEER_AS).establish()
    played.announce(BLOCK, OTHER)
    return played


def verdicts(played: Played) -> list[str]:
    return [fact.verdict for fact in played.node.facts if isinstance(fact, UpdateMalformed)]


def assert_withdrawn(played: Played) -> None:
    """Treat-as-withdraw: the prefix is gone from Adj-RIB-In and Loc-RIB, and the session lives."""
    assert played.state == "Established"
    assert list(played.adj_rib_in()) == [OTHER]
    assert list(played.node.routes()) == [OTHER]
    assert "treat-as-withdraw" in verdicts(played)


def assert_discarded(played: Played, expected: PathAttributes) -> None:
    """Attribute discard: the prefix has what the rest of the attributes says."""
    assert played.state == "Established"
    assert played.adj_rib_in()[BLOCK] == expected
    assert verdicts(played) == ["attribute discard"]


def assert_reset(played: Played, subcode: int, data: bytes | None = None) -> None:
    """Session reset: UPDATE Message Error, and all routes are gone."""
    (notification,) = played.notifications()
    assert (notification.code, notification.subcode) == (3, subcode)
    assert data is None or notification.data == data
    assert played.state != "Established"
    assert played.node.routes() == {}
    assert "session reset" in verdicts(played)


# ---- attributes of which the routes are withdrawn

WITHDRAWN = [
    pytest.param(MANDATORY + b"\xc0\x63", id="4: one octet short of a header"),
    pytest.param(MANDATORY + b"\xd0\x63\0", id="4: one octet short of a long header"),
    pytest.param(MANDATORY + b"\xc0\x63\x05abcd", id="4: the last attribute is longer than what is left"),
    pytest.param(AS_PATH + NEXT_HOP, id="3.d: no ORIGIN"),
    pytest.param(ORIGIN + NEXT_HOP, id="3.d: no AS_PATH"),
    pytest.param(ORIGIN + AS_PATH, id="3.d: no NEXT_HOP"),
    pytest.param(malformed(1, 0xC0, b"\0") + AS_PATH + NEXT_HOP, id="3.c: ORIGIN optional"),
    pytest.param(malformed(1, 0x00, b"\0") + AS_PATH + NEXT_HOP, id="3.c: ORIGIN not transitive"),
    pytest.param(MANDATORY + malformed(4, 0xC0, bytes(4)), id="3.c: MULTI_EXIT_DISC transitive"),
    pytest.param(MANDATORY + malformed(8, 0x80, bytes(4)), id="3.c: COMMUNITIES not transitive"),
    pytest.param(MANDATORY + malformed(7, 0x40, bytes(8)), id="3.c: AGGREGATOR well-known"),
    pytest.param(malformed(1, 0x40, b"\3") + AS_PATH + NEXT_HOP, id="7.1: ORIGIN undefined"),
    pytest.param(malformed(1, 0x40, b"\0\0") + AS_PATH + NEXT_HOP, id="7.1: ORIGIN of two octets"),
    pytest.param(ORIGIN + malformed(2, 0x40, b"\7\1\0\0\0\1") + NEXT_HOP, id="7.2: segment type 7"),
    pytest.param(ORIGIN + malformed(2, 0x40, b"\2\2\0\0\0\1") + NEXT_HOP, id="7.2: segment overrun"),
    pytest.param(ORIGIN + malformed(2, 0x40, b"\2\1\0\0\0\1\2") + NEXT_HOP, id="7.2: segment underrun"),
    pytest.param(ORIGIN + malformed(2, 0x40, b"\2\0") + NEXT_HOP, id="7.2: empty segment"),
    pytest.param(ORIGIN + AS_PATH + malformed(3, 0x40, b"\x0a\0\0"), id="7.3: NEXT_HOP of three octets"),
    pytest.param(MANDATORY + malformed(4, 0x80, bytes(3)), id="7.4: MULTI_EXIT_DISC of three octets"),
    pytest.param(MANDATORY + malformed(8, 0xC0, bytes(6)), id="7.8: COMMUNITIES of six octets"),
    pytest.param(MANDATORY + malformed(8, 0xC0, b""), id="7.8: COMMUNITIES empty"),
    pytest.param(MANDATORY + malformed(16, 0xC0, bytes(12)), id="7.14: extended communities of 12 octets"),
    pytest.param(MANDATORY + malformed(16, 0xC0, b""), id="7.14: extended communities empty"),
    pytest.param(MANDATORY + malformed(25, 0xC0, bytes(21)), id="7.15: IPv6 communities of 21 octets"),
    pytest.param(MANDATORY + malformed(25, 0xC0, b""), id="7.15: IPv6 communities empty"),
]
OF_INTERNAL_PEERS = [
    pytest.param(MANDATORY + malformed(5, 0x40, bytes(3)), id="7.5: LOCAL_PREF of three octets"),
    pytest.param(
        MANDATORY + LOCAL_PREF + malformed(9, 0x80, bytes(5)), id="7.9: ORIGINATOR_ID of five octets"
    ),
    pytest.param(
        MANDATORY + LOCAL_PREF + malformed(10, 0x80, bytes(6)), id="7.10: CLUSTER_LIST of six octets"
    ),
    pytest.param(MANDATORY + LOCAL_PREF + malformed(10, 0x80, b""), id="7.10: CLUSTER_LIST empty"),
]


@pytest.mark.parametrize("attributes", WITHDRAWN)
@pytest.mark.parametrize("internal", [False, True], ids=["external", "internal"])
def test_routes_with_a_malformed_attribute_are_withdrawn(attributes: bytes, internal: bool) -> None:
    played = peer(internal=internal)
    played.update(attributes, NLRI)
    assert_withdrawn(played)


@pytest.mark.parametrize("attributes", OF_INTERNAL_PEERS)
def test_routes_of_an_internal_peer_with_a_malformed_attribute_are_withdrawn(attributes: bytes) -> None:
    played = peer(internal=True)
    played.update(attributes, NLRI)
    assert_withdrawn(played)


@pytest.mark.parametrize("number", [1, 3, 4, 5, 7, 8, 9, 10, 16, 25, 32, 35])
def test_4_no_attribute_may_be_empty_but_as_path_and_atomic_aggregate(number: int) -> None:
    """Of the others AGGREGATOR (§7.7) is discarded, and the rest condemn their routes."""
    flags = {1: 0x40, 3: 0x40, 5: 0x40, 4: 0x80, 9: 0x80, 10: 0x80}.get(number, 0xC0)
    known = [one for one in (ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF) if one[1] != number]
    played = peer(internal=True)
    played.update(b"".join(known) + malformed(number, flags, b""), NLRI)
    if number == 7:
        assert_discarded(played, INTERNAL_PATH)
    else:
        assert_withdrawn(played)


def test_4_as_path_and_atomic_aggregate_may_be_empty() -> None:
    played = peer(internal=True)
    played.update(ORIGIN + malformed(2, 0x40, b"") + NEXT_HOP + LOCAL_PREF + malformed(6, 0x40, b""), NLRI)
    assert played.adj_rib_in()[BLOCK] == INTERNAL_PATH.replace(as_path=(), atomic_aggregate=True)
    assert verdicts(played) == []


def test_2_treat_as_withdraw_is_for_the_very_routes_of_the_message_in_all_its_fields() -> None:
    """Those it withdraws go too, and what replaced them elsewhere is told instead."""
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    played = Played(node, "10.0.0.2", asn=PEER_AS).establish()
    listener = Played(node, "10.0.0.3", asn=65003).establish()
    played.announce(BLOCK, OTHER, "10.3.0.0/26")
    played.update(AS_PATH + NEXT_HOP, NLRI, withdrawn=OTHER_NLRI)
    assert list(played.adj_rib_in()) == list(listener.routes()) == ["10.3.0.0/26"]


# ---- attributes that are discarded

DISCARDED = [
    pytest.param(malformed(6, 0x40, b"\1"), id="7.6: ATOMIC_AGGREGATE of one octet"),
    pytest.param(malformed(7, 0xC0, bytes(6)), id="7.7: AGGREGATOR of six octets"),
    pytest.param(malformed(7, 0xC0, bytes(9)), id="7.7: AGGREGATOR of nine octets"),
    pytest.param(malformed(7, 0xC0, b""), id="7.7: AGGREGATOR empty"),
]
OF_EXTERNAL_PEERS = [
    pytest.param(malformed(5, 0x40, bytes(4)), id="7.5: LOCAL_PREF"),
    pytest.param(malformed(5, 0x40, bytes(3)), id="7.5: LOCAL_PREF of three octets"),
    pytest.param(malformed(9, 0x80, bytes(4)), id="7.9: ORIGINATOR_ID"),
    pytest.param(malformed(9, 0x80, bytes(5)), id="7.9: ORIGINATOR_ID of five octets"),
    pytest.param(malformed(10, 0x80, bytes(4)), id="7.10: CLUSTER_LIST"),
    pytest.param(malformed(10, 0x80, b""), id="7.10: CLUSTER_LIST empty"),
]


@pytest.mark.parametrize("attribute", DISCARDED)
@pytest.mark.parametrize("internal", [False, True], ids=["external", "internal"])
def test_a_malformed_attribute_without_weight_is_discarded(attribute: bytes, internal: bool) -> None:
    played = peer(internal=internal)
    played.update(MANDATORY + (LOCAL_PREF if internal else b"") + attribute, NLRI)
    assert_discarded(played, INTERNAL_PATH if internal else EXTERNAL_PATH)


@pytest.mark.parametrize("attribute", OF_EXTERNAL_PEERS)
def test_what_only_internal_peers_may_say_is_discarded_of_others(attribute: bytes) -> None:
    played = peer()
    played.update(MANDATORY + attribute, NLRI)
    assert_discarded(played, EXTERNAL_PATH)


def test_7_7_an_aggregator_has_six_octets_from_a_peer_with_two_per_as_number() -> None:
    network = Network()
    played = Played(network.node("10.0.0.1", asn=OUR_AS), "10.0.0.2", asn=PEER_AS)
    played.establish(two_octets=True)
    short = ORIGIN + encode_attribute(0x40, 2, b"\2\1\xfd\xe9") + NEXT_HOP
    played.update(short + malformed(7, 0xC0, b"\0\x09\x0a\0\0\x09"), NLRI)
    assert played.adj_rib_in()[BLOCK] == EXTERNAL_PATH.replace(aggregator=(9, b"\x0a\0\0\x09"))
    played.update(short + malformed(7, 0xC0, b"\0\0\0\x09\x0a\0\0\x09"), NLRI)
    assert_discarded(played, EXTERNAL_PATH)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(
            MANDATORY + malformed(4, 0x80, b"\0\0\0\1") + malformed(4, 0x80, b"\0\0\0\2"),
            EXTERNAL_PATH.replace(med=1),
            id="recognised",
        ),
        pytest.param(
            MANDATORY + malformed(99, 0xC0, b"one") + malformed(99, 0xC0, b"two"),
            EXTERNAL_PATH.replace(unknown=(UnknownAttribute(0xE0, 99, b"one"),)),
            id="unrecognised",
        ),
        pytest.param(MANDATORY + malformed(3, 0x40, b"\x0a\0"), EXTERNAL_PATH, id="the second malformed"),
    ],
)
def test_3_g_of_an_attribute_that_appears_twice_the_first_counts(
    octets: bytes, expected: PathAttributes
) -> None:
    played = peer()
    played.update(octets, NLRI)
    assert_discarded(played, expected)


@pytest.mark.parametrize(("number", "size"), [(16, 8), (25, 20)])
@pytest.mark.parametrize("kind", [b"\x00\x02", b"\x3f\x07", b"\x43\xfe", b"\xff\xff"])
def test_7_14_and_7_15_communities_of_any_type_are_no_error(number: int, size: int, kind: bytes) -> None:
    value = kind.ljust(size, b"\x01")
    played = peer()
    played.update(MANDATORY + encode_attribute(0xC0, number, value), NLRI)
    known = played.adj_rib_in()[BLOCK]
    assert value in (*known.extended_communities, *(one.value for one in known.unknown))
    assert verdicts(played) == []


# ---- several errors in one message


def test_3_h_errors_of_one_kind_are_handled_as_one() -> None:
    played = peer()
    played.update(MANDATORY + malformed(4, 0x80, b"") + malformed(8, 0xC0, b""), NLRI)
    assert_withdrawn(played)
    assert set(verdicts(played)) == {"treat-as-withdraw"}


@pytest.mark.parametrize("order", [1, -1])
def test_3_h_the_strongest_of_several_approaches_counts(order: int) -> None:
    discarded, withdrawn = malformed(6, 0x40, b"\1"), malformed(4, 0x80, b"")
    played = peer()
    played.update(MANDATORY + b"".join([discarded, withdrawn][::order]), NLRI)
    assert_withdrawn(played)
    fatal = malformed(99, 0x40, b"?")
    played.update(MANDATORY + b"".join([withdrawn, discarded, fatal][::order]), NLRI)
    assert_reset(played, 2, fatal)


# ---- what resets the session


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\x05\0\0", id="withdrawn routes"),
        pytest.param(b"\0\0\0\x05" + ORIGIN, id="attributes"),
        pytest.param(b"\0\x02\x08\x0a\0\x03", id="both"),
    ],
)
def test_3_b_lengths_beyond_the_message_reset_the_session(body: bytes) -> None:
    played = peer()
    played.say(frame(MessageType.UPDATE, body))
    assert_reset(played, 1, b"")


@pytest.mark.parametrize("number", [14, 15])
def test_3_g_multiprotocol_attributes_that_appear_twice_reset_the_session(number: int) -> None:
    played = peer(family="IPv6")
    value = reach_value(NLRI6) if number == 14 else b"\0\2\1" + NLRI6
    played.update(encode_attribute(0x80, number, value) * 2 + ORIGIN + AS_PATH)
    assert_reset(played, 1)


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b"\x21\x0a\0\0\0\0", id="5.3: 33 bits"),
        pytest.param(b"\xff" + bytes(32), id="5.3: 255 bits"),
        pytest.param(NLRI + b"\x18\x0a\0", id="5.3: the last prefix is cut off"),
        pytest.param(b"\x01", id="5.3: no octet of the prefix is there"),
    ],
)
@pytest.mark.parametrize("withdrawn", [False, True], ids=["NLRI", "withdrawn"])
def test_3_i_and_5_3_fields_that_are_no_prefixes_reset_the_session(field: bytes, withdrawn: bool) -> None:
    played = peer()
    if withdrawn:
        played.update(b"", b"", withdrawn=field)
    else:
        played.update(MANDATORY, field)
    assert_reset(played, 10)


@pytest.mark.parametrize("attributes", [AS_PATH + NEXT_HOP, MANDATORY + malformed(4, 0x80, b"")])
def test_3_j_without_prefixes_to_withdraw_the_session_is_reset(attributes: bytes) -> None:
    played = peer()
    played.update(attributes, b"\x21\x0a\0\0\0\0")
    assert_reset(played, 10)


def reach_value(nlri: bytes, next_hop: bytes = bytes(Address.parse("fd00::2"))) -> bytes:
    return b"\0\2\1" + bytes((len(next_hop),)) + next_hop + b"\0" + nlri


MULTIPROTOCOL = [
    pytest.param(14, 0x80, reach_value(b"\x81" + bytes(17)), id="5.3: announced prefix of 129 bits"),
    pytest.param(15, 0x80, b"\0\2\1\x81" + bytes(17), id="5.3: withdrawn prefix of 129 bits"),
    pytest.param(14, 0x80, reach_value(NLRI6 + NLRI6[:-1]), id="5.3: announced prefix cut off"),
    pytest.param(15, 0x80, b"\0\2\1" + NLRI6[:-1], id="5.3: withdrawn prefix cut off"),
    pytest.param(14, 0xC0, reach_value(NLRI6), id="5.3: transitive MP_REACH_NLRI"),
    pytest.param(14, 0x40, reach_value(NLRI6), id="5.3: well-known MP_REACH_NLRI"),
    pytest.param(15, 0xC0, b"\0\2\1" + NLRI6, id="5.3: transitive MP_UNREACH_NLRI"),
    pytest.param(15, 0x80, b"\0\2", id="5.3: MP_UNREACH_NLRI of two octets"),
    pytest.param(14, 0x80, b"\0\2\1\0", id="5.3: MP_REACH_NLRI of four octets"),
    pytest.param(14, 0x80, reach_value(NLRI6, b"\x0a\0\0\2"), id="7.11: next hop of four octets"),
    pytest.param(14, 0x80, reach_value(NLRI6, bytes(17)), id="7.11: next hop of 17 octets"),
    pytest.param(14, 0x80, b"\0\2\1\xff" + bytes(20), id="7.11: next hop beyond the attribute"),
]


@pytest.mark.parametrize(("number", "flags", "value"), MULTIPROTOCOL)
def test_multiprotocol_attributes_that_cannot_be_relied_on_reset_the_session(
    number: int, flags: int, value: bytes
) -> None:
    played = peer(family="IPv6")
    played.update(encode_attribute(flags, number, value) + ORIGIN + AS_PATH)
    assert_reset(played, 4 if flags != 0x80 else 9, encode_attribute(flags, number, value))


@pytest.mark.parametrize(
    ("attributes", "withdrawn"),
    [
        pytest.param(malformed(1, 0x40, b"\3"), b"", id="attributes alone"),
        pytest.param(malformed(1, 0x40, b"\3"), NLRI, id="beside withdrawn routes"),
        pytest.param(
            encode_attribute(0x80, 15, b"\0\2\1") + malformed(4, 0x80, b""), b"", id="beside MP_UNREACH"
        ),
        pytest.param(ORIGIN + b"\xd0\x63\0", b"", id="attributes that do not fill their length"),
    ],
)
def test_5_2_an_error_without_reachable_routes_resets_the_session(
    attributes: bytes, withdrawn: bytes
) -> None:
    played = peer()
    played.update(attributes, withdrawn=withdrawn)
    (notification,) = played.notifications()
    assert notification.code == 3
    assert played.state != "Established"


def test_5_2_a_discarded_attribute_without_reachable_routes_does_not() -> None:
    played = peer()
    played.update(ORIGIN + malformed(6, 0x40, b"\1"), withdrawn=NLRI)
    assert played.state == "Established"
    assert verdicts(played) == ["attribute discard"]


def test_4_the_routes_are_found_by_the_length_of_all_attributes() -> None:
    """An attribute that runs over ends where the attributes end, not where it says."""
    played = peer()
    played.update(MANDATORY + b"\xc0\x63\xff", NLRI)
    assert_withdrawn(played)


# ---- fields and their order


def fields_of(body: bytes) -> tuple[list[str], list[int]]:
    """Which fields of an UPDATE have routes, and the types of its attributes in their order."""
    withdrawn = int.from_bytes(body[:2], "big")
    size = int.from_bytes(body[2 + withdrawn : 4 + withdrawn], "big")
    octets, nlri = body[4 + withdrawn : 4 + withdrawn + size], body[4 + withdrawn + size :]
    types = []
    while octets:
        start = 4 if octets[0] & 0x10 else 3
        types.append(octets[1])
        octets = octets[start + int.from_bytes(octets[2:start], "big") :]
    present = {"withdrawn": withdrawn, "NLRI": nlri, "reach": 14 in types, "unreach": 15 in types}
    return [name for name, there in present.items() if there], types


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_5_1_what_we_send_has_one_field_of_routes_and_multiprotocol_attributes_first(family: str) -> None:
    played = peer(family=family)
    listener = Played(played.node, "fd00::3" if family == "IPv6" else "10.0.0.3", asn=65003).establish()
    played.withdraw(BLOCK if family == "IPv4" else BLOCK6)
    played.announce(*([BLOCK, OTHER] if family == "IPv4" else [BLOCK6, OTHER6]), med=7, origin=2)
    bodies = [body for kind, body in listener.heard() if kind is MessageType.UPDATE]
    assert len(bodies) == 4  # Two routes, End-of-RIB, one withdrawal, two routes.
    fields = [fields_of(body) for body in bodies]
    assert all(len(names) <= 1 for names, _ in fields)
    assert all(types[0] in (14, 15) for _, types in fields if {14, 15} & set(types))
    assert {name for names, _ in fields for name in names} == (
        {"withdrawn", "NLRI"} if family == "IPv4" else {"reach", "unreach"}
    )


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_5_1_fields_in_any_place_and_combination_are_read(place: int) -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    played = Played(node, "10.0.0.2", asn=PEER_AS, families=(IPV4, IPV6)).establish(families=(IPV4, IPV6))
    played.announce(OTHER)
    reach = encode_attribute(0x80, 14, reach_value(NLRI6))
    unreach = encode_attribute(0x80, 15, b"\0\2\1" + OTHER_NLRI6)
    parts = [ORIGIN, AS_PATH, NEXT_HOP]
    parts[place:place] = [reach]
    parts[(2 * place) % 4 : (2 * place) % 4] = [unreach]
    played.update(b"".join(parts), NLRI, withdrawn=OTHER_NLRI)
    assert played.state == "Established"
    assert verdicts(played) == []
    assert list(played.adj_rib_in()) == [BLOCK]
    assert list(node.rib_in(played, IPV6)) == [BLOCK6]  # type: ignore[arg-type]
