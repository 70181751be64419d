"""Whatever a peer sends, only `WireError` comes out, and what was accepted can be sent on."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    CapabilityCode,
    Role,
    add_path,
    extended_next_hop,
    graceful_restart,
)
from felixbgp.bgp.wire.codec import Message, decode
from felixbgp.bgp.wire.errors import WireError, describe_notification
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import (
    MessageType,
    Negotiated,
    NotificationMessage,
    OpenMessage,
    PathAttributes,
    RouteRefreshMessage,
    Segment,
    UnknownAttribute,
    UpdateMessage,
)
from felixbgp.bgp.wire.open import (
    make_open,
    negotiate,
    validate_open,
)
from felixbgp.bgp.wire.update import encode_announcements, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Family
from tests.fuzz.wire import check_answer, check_update

IDENTIFIER = Address.parse("192.0.2.1")
OURS = make_open(
    local_as=64512,
    hold_time_s=90,
    bgp_identifier=IDENTIFIER,
    families=(IPV4, IPV6),
    extra=(
        ENHANCED_ROUTE_REFRESH,
        add_path(((IPV4, True, True), (IPV6, True, True))),
        extended_next_hop((IPV4,)),
        graceful_restart(120, (), restarting=False, notification=True),
    ),
)
SESSION = replace(negotiate(OURS, OURS), add_path_receive=(), extended_next_hop=())

FEW_FAMILIES = st.sampled_from(((), (IPV4,), (IPV4, IPV6)))
sessions = st.builds(
    lambda families, four, enhanced, add_path, next_hops: replace(
        SESSION,
        families=families,
        four_octet_as=four,
        enhanced_route_refresh=enhanced,
        add_path_receive=add_path,
        extended_next_hop=next_hops,
    ),
    st.sampled_from(((IPV4,), (IPV6,), (IPV4, IPV6))),
    st.booleans(),
    st.booleans(),
    FEW_FAMILIES,
    st.sampled_from(((), (IPV4,))),
)


def survive(message_type: MessageType, body: bytes, session: Negotiated, ebgp: bool) -> Message | None:
    """Decode and judge; the NOTIFICATION of an error must be one that can be sent and told."""
    try:
        message = decode(message_type, body, session, ebgp=ebgp)
        if isinstance(message, OpenMessage):
            judge_open(message)
    except WireError as error:
        check_answer(error)
        return None
    if isinstance(message, NotificationMessage):
        assert describe_notification(message).isprintable()
    if isinstance(message, UpdateMessage):
        check_update(message, session, external=ebgp)
    return message


def judge_open(message: OpenMessage) -> None:
    for role in (None, *Role):
        validate_open(
            message,
            expected_as=64512,
            local_as=64512 if role is None else 64513,
            local_identifier=IDENTIFIER,
            role=role,
        )
        agreed = negotiate(OURS, message)
        told = (*agreed.add_path_receive, *agreed.add_path_send, *agreed.extended_next_hop)
        assert set(told) <= set(agreed.families)


def attribute(flags: int, number: int, value: bytes) -> bytes:
    return bytes((flags | 0x10, number)) + len(value).to_bytes(2, "big") + value


def an_update(withdrawn: bytes, attributes: list[bytes], nlri: bytes) -> bytes:
    octets = b"".join(attributes)
    return b"".join(
        (len(withdrawn).to_bytes(2, "big"), withdrawn, len(octets).to_bytes(2, "big"), octets, nlri)
    )


flags = st.sampled_from((0x40, 0x80, 0xC0, 0xE0, 0x00, 0xFF))
types = st.sampled_from((*range(1, 11), 14, 15, 16, 17, 18, 25, 32, 35, 0, 13, 99, 255))
values = st.binary(max_size=24) | st.sampled_from(
    (
        b"\0",
        b"\2\1\0\0\0\5",
        b"\2\1\0\5",
        b"\xc0\0\2\1",
        b"\0\2\1\x10\x20" + bytes(14) + b"\1\0\x10\x20\1",
        b"\0\2\1\x20\x20" + bytes(31) + b"\1\0",
        b"\0\1\1\4\xc0\0\2\1\0\x08\x0a",
        b"\0\1\1\4\xc0\0\2\1\0\0\0\0\1\x08\x0a",
        b"\0\1\1\x10\x20" + bytes(14) + b"\1\0\x08\x0a",
        b"\0\2\1\0\0\0\1\x08\x0a",
        bytes(20),
        b"\0\2\1",
        b"\0\2\1\x40" + bytes(8),
        b"\x5b\xa0\xc0\0\2\1",
        b"\0\0\0\5\xc0\0\2\1",
        b"\0\2\1\x10" + bytes(16) + b"\0",
    )
)
valid = [
    attribute(0x40, 1, b"\0"),
    attribute(0x40, 2, b"\2\1\0\0\0\5"),
    attribute(0x40, 3, b"\xc0\0\2\1"),
    attribute(0x80, 14, b"\0\2\1\x10\x20" + bytes(14) + b"\1\0\x10\x20\1"),
]
nlri_fields = st.sampled_from(
    (
        b"",
        b"\x08\x0a",
        b"\x00",
        b"\x1a\x0a\0\0\xff",
        b"\x08\xe0",
        b"\x21",
        b"\0\0\0\1\x08\x0a",
        b"\0\0\0\1\x08\xe0",
    )
) | st.binary(max_size=12)
structured_updates = st.builds(
    an_update,
    nlri_fields,
    st.lists(st.sampled_from(valid) | st.builds(attribute, flags, types, values), max_size=7),
    nlri_fields,
)


@given(structured_updates, sessions, st.booleans())
def test_updates_of_wild_attributes(body: bytes, session: Negotiated, ebgp: bool) -> None:
    survive(MessageType.UPDATE, body, session, ebgp)


def an_open(capabilities: list[tuple[int, bytes]]) -> bytes:
    octets = b"".join(bytes((code, len(value))) + value for code, value in capabilities)
    parameters = b"\2" + len(octets).to_bytes(2, "big") + octets
    return b"\4\xfc\0\0\x5a\xc0\0\2\2\xff\xff" + len(parameters).to_bytes(2, "big") + parameters


capability_values = st.binary(max_size=15) | st.sampled_from(
    (
        b"\3",
        b"\0\0\xfc\0",
        b"\0\1\0\1",
        b"\0\1\1\3",
        b"\0\1\0\1\0\2",
        b"\x40\x78\0\1\1\x80",
        b"\0\1\1\x80\0\0\1",
    )
)


@given(st.lists(st.tuples(st.sampled_from(CapabilityCode), capability_values), max_size=4))
def test_opens_of_wild_capabilities(capabilities: list[tuple[int, bytes]]) -> None:
    survive(MessageType.OPEN, an_open(capabilities), SESSION, ebgp=True)


@given(st.sampled_from(MessageType), st.binary(max_size=80), sessions, st.booleans())
def test_any_octets_as_any_message(
    message_type: MessageType, body: bytes, session: Negotiated, ebgp: bool
) -> None:
    survive(message_type, body, session, ebgp)


@given(st.lists(st.binary(max_size=60) | st.just(b"\xff" * 16 + b"\0\x17\2\0\0\0\0"), max_size=6))
def test_any_octets_as_a_stream(chunks: list[bytes]) -> None:
    framer = Framer()
    try:
        for chunk in chunks:
            framer.feed(chunk)
            for message_type, body in framer.messages():
                survive(message_type, body, SESSION, ebgp=True)
            assert framer.buffered < 4096
    except WireError as error:
        check_answer(error)


FULL = PathAttributes(
    origin=1,
    as_path=(Segment(2, (64512, 70000)), Segment(1, (1, 2))),
    next_hop=b"\xc0\0\2\1",
    med=1,
    local_pref=2,
    atomic_aggregate=True,
    aggregator=(70000, b"\x0a\0\0\1"),
    communities=(1, 2),
    originator_id=b"\x0a\0\0\2",
    cluster_list=(b"\x0a\0\0\3",),
    extended_communities=(b"A" * 8,),
    large_communities=((1, 2, 3),),
    only_to_customer=70000,
    unknown=(UnknownAttribute(0xE0, 99, b"xyz"),),
)
FULL6 = FULL.replace(next_hop=b"\x20\1" + bytes(13) + b"\1")
PREFIXES: dict[Family, list[bytes]] = {
    IPV4: [b"\x08\x0a", b"\x1a\x0a\0\0\x40"],
    IPV6: [b"\x20\x20\1\x0d\xb8"],
}
IDENTIFIED = [b"\0\0\0\1" + one for one in PREFIXES[IPV4]]
VALID = [
    *encode_announcements(IPV4, FULL, PREFIXES[IPV4]),
    *encode_announcements(IPV4, FULL, PREFIXES[IPV4], four_octet_as=False),
    *encode_announcements(IPV6, FULL6, PREFIXES[IPV6]),
    *encode_announcements(IPV4, FULL6, PREFIXES[IPV4]),
    *encode_announcements(IPV4, FULL6, IDENTIFIED),
    *encode_withdrawals(IPV4, IDENTIFIED),
    *encode_withdrawals(IPV4, PREFIXES[IPV4]),
    *encode_withdrawals(IPV6, PREFIXES[IPV6]),
]
mutations = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4)


@given(st.sampled_from(VALID), mutations, st.integers(0, 250), sessions, st.booleans())
def test_valid_updates_with_octets_changed_and_cut(
    message: bytes, changes: list[tuple[int, int]], cut: int, session: Negotiated, ebgp: bool
) -> None:
    body = bytearray(message[19:])
    for position, value in changes:
        body[position % len(body)] = value
    survive(MessageType.UPDATE, bytes(body), session, ebgp)
    survive(MessageType.UPDATE, bytes(body[:cut]), session, ebgp)


def test_the_fuzz_bed_itself_is_accepted() -> None:
    """Else the tests above would try nothing but errors."""
    with_identifiers = replace(SESSION, add_path_receive=(IPV4,), extended_next_hop=(IPV4,))
    plain = replace(with_identifiers, add_path_receive=())
    old = replace(plain, four_octet_as=False)
    beds = (plain, old, plain, plain, with_identifiers, with_identifiers, plain, plain)
    for message, session in zip(VALID, beds, strict=True):
        found = survive(MessageType.UPDATE, message[19:], session, ebgp=False)
        assert isinstance(found, UpdateMessage)
        assert found.errors == ()
    assert isinstance(
        survive(MessageType.ROUTE_REFRESH, b"\0\1\0\1", SESSION, ebgp=True), RouteRefreshMessage
    )


def test_the_longest_messages_of_the_smallest_parts_are_read() -> None:
    """65535 octets of one-octet prefixes, attributes of three octets, segments of one number."""
    session = replace(SESSION, extended_message=True)
    routes = an_update(b"", valid[:3], bytes(65000))
    assert survive(MessageType.UPDATE, routes, session, ebgp=True) is not None
    duplicates = an_update(b"", [*valid[:3], b"\x80\x63\x00" * 21000], b"\x08\x0a")
    assert survive(MessageType.UPDATE, duplicates, session, ebgp=True) is not None
    path = attribute(0x40, 2, b"\2\1\0\0\0\5" * 10000)
    long_path = an_update(b"", [valid[0], path, valid[2]], b"\x08\x0a")
    assert survive(MessageType.UPDATE, long_path, session, ebgp=True) is not None
