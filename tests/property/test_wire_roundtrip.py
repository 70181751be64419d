"""What the wire layer writes, it reads; however TCP cuts it; and writing what was read changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.wire.attribute_encoding import encode_attributes
from felixbgp.bgp.wire.attributes import decode_attributes
from felixbgp.bgp.wire.capabilities import (
    add_path,
    extended_next_hop,
    graceful_restart,
    long_lived,
    read_add_path,
    read_extended_next_hop,
    read_graceful_restart,
    read_long_lived,
)
from felixbgp.bgp.wire.codec import (
    decode_notification,
    decode_route_refresh,
    encode_keepalive,
    encode_notification,
    encode_route_refresh,
)
from felixbgp.bgp.wire.errors import (
    decode_hard_reset,
    decode_shutdown_communication,
    encode_hard_reset,
    encode_shutdown_communication,
)
from felixbgp.bgp.wire.framer import Framer, frame
from felixbgp.bgp.wire.messages import (
    Capability,
    MessageType,
    Negotiated,
    NotificationMessage,
    OpenMessage,
    PathAttributes,
    PeerRestart,
    RouteRefreshMessage,
    Segment,
    UnknownAttribute,
)
from felixbgp.bgp.wire.open import decode_open, encode_open
from felixbgp.bgp.wire.update import decode_update, encode_announcements, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

Value = TypeVar("Value")

# Small domains, so that equal values, borders and empty things meet often.
asns = st.sampled_from((1, 2, 23456, 65535, 65536, 4294967295))
identifiers = st.sampled_from((b"\x0a\0\0\1", b"\x0a\0\0\2", b"\xff\0\0\0"))
numbers = st.sampled_from((0, 1, 100, 4294967295))
segments = st.builds(Segment, st.sampled_from((1, 2)), st.lists(asns, min_size=1, max_size=4).map(tuple))


def ascending(
    items: st.SearchStrategy[Value], key: Callable[[Value], object]
) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(items, max_size=3, unique_by=key).map(lambda found: tuple(sorted(found, key=key)))  # type: ignore[arg-type]


unknown = st.builds(
    UnknownAttribute,
    st.just(0xE0),
    st.sampled_from((11, 13, 19, 40, 255)),
    st.sampled_from((b"", b"x", bytes(255), bytes(256))),
) | st.builds(UnknownAttribute, st.sampled_from((0xC0, 0xE0)), st.just(25), st.just(bytes(20)))


def attributes_of(next_hops: st.SearchStrategy[bytes]) -> st.SearchStrategy[PathAttributes]:
    return st.builds(
        PathAttributes,
        origin=st.integers(0, 2),
        as_path=st.lists(segments, max_size=3).map(tuple),
        next_hop=next_hops,
        med=st.none() | numbers,
        local_pref=st.none() | numbers,
        atomic_aggregate=st.booleans(),
        aggregator=st.none() | st.tuples(asns, identifiers),
        communities=ascending(numbers, lambda one: one),
        originator_id=st.none() | identifiers,
        cluster_list=st.lists(identifiers, max_size=3).map(tuple),
        extended_communities=ascending(st.sampled_from((bytes(8), b"A" * 8)), lambda one: one),
        large_communities=ascending(st.tuples(numbers, numbers, numbers), lambda one: one),
        only_to_customer=st.none() | asns,
        unknown=ascending(unknown, lambda one: one.type),
    )


def prefixes_of(family: Family) -> st.SearchStrategy[bytes]:
    addresses = st.sampled_from((bytes(family.octets), b"\x20" + b"\xff" * (family.octets - 1)))
    lengths = st.integers(0, family.bits)
    return st.builds(lambda octets, length: Prefix.of(Address(octets), length).nlri, addresses, lengths)


def nlris_of(family: Family, add_path: bool) -> st.SearchStrategy[list[bytes]]:
    """Prefixes, with path identifiers before them where the session has them; equal ones are wanted."""
    identifiers = st.sampled_from((bytes(4), b"\x18\x0a\0\0", b"\xff" * 4))
    prefixes = prefixes_of(family)
    return st.lists(st.builds(bytes.__add__, identifiers, prefixes) if add_path else prefixes, max_size=60)


IPV4_NEXT_HOP, IPV6_NEXT_HOP = b"\xc0\0\2\1", b"\x20\1" + bytes(13) + b"\1"
next_hops = {IPV4: st.sampled_from((IPV4_NEXT_HOP, IPV6_NEXT_HOP)), IPV6: st.just(IPV6_NEXT_HOP)}
families = st.sampled_from((IPV4, IPV6))
SESSION = Negotiated(
    families=(IPV4, IPV6),
    peer_as=1,
    peer_identifier=Address(b"\x0a\0\0\1"),
    hold_time_ns=0,
    keepalive_ns=0,
    extended_next_hop=(IPV4,),
)

opens = st.builds(
    OpenMessage,
    my_as=st.integers(0, 65535),
    hold_time_s=st.integers(0, 65535),
    bgp_identifier=st.binary(min_size=4, max_size=4),
    capabilities=st.lists(
        st.builds(Capability, st.integers(0, 255), st.sampled_from((b"", b"abcd", bytes(120), bytes(255)))),
        max_size=4,
    ).map(tuple),
)


@given(opens)
def test_open_comes_back(message: OpenMessage) -> None:
    assert decode_open(encode_open(message)[19:]) == message


told_families = st.sampled_from((IPV4, IPV6, Family(25, 70)))


def by_family(*values: st.SearchStrategy[object]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(st.tuples(told_families, *values), max_size=3, unique_by=lambda one: one[0])


@given(st.integers(0, 4095), by_family(st.booleans()), st.booleans(), st.booleans())
def test_graceful_restart_comes_back(
    restart_time_s: int, told: list[tuple[Family, bool]], restarting: bool, notification: bool
) -> None:
    found = read_graceful_restart(
        (graceful_restart(restart_time_s, told, restarting=restarting, notification=notification),)
    )
    assert found == PeerRestart(
        restarting=restarting,
        notification=notification,
        restart_time_s=restart_time_s,
        families=tuple(told),
    )


HELPER = graceful_restart(0, (), restarting=False, notification=False)


@given(by_family(st.booleans(), st.integers(0, 0xFFFFFF)))
def test_long_lived_restart_comes_back(told: list[tuple[Family, bool, int]]) -> None:
    assert read_long_lived((long_lived(told), HELPER)) == tuple(told)


@given(by_family(st.booleans(), st.booleans()))
def test_add_path_comes_back(told: list[tuple[Family, bool, bool]]) -> None:
    found = read_add_path((add_path(told),))
    assert found == {family: (receive, send) for family, receive, send in told if receive or send}


@given(st.lists(st.sampled_from((IPV4, Family(1, 2), Family(1, 128))), unique=True))
def test_extended_next_hop_comes_back(told: list[Family]) -> None:
    assert read_extended_next_hop((extended_next_hop(told),)) == tuple(told)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40))
def test_a_hard_reset_comes_back(code: int, subcode: int, data: bytes) -> None:
    assert decode_hard_reset(encode_hard_reset(code, subcode, data)) == NotificationMessage(
        code, subcode, data
    )


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40))
def test_notification_comes_back(code: int, subcode: int, data: bytes) -> None:
    message = NotificationMessage(code, subcode, data)
    assert decode_notification(encode_notification(message)[19:]) == message


@given(st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255))
def test_route_refresh_comes_back(afi: int, safi: int, subtype: int) -> None:
    message = RouteRefreshMessage(Family(afi, safi), subtype)
    assert decode_route_refresh(encode_route_refresh(message)[19:], enhanced=True) == message


@given(st.text(max_size=300))
def test_a_communication_never_breaks_and_keeps_what_is_printable(text: str) -> None:
    found = decode_shutdown_communication(encode_shutdown_communication(text))
    assert found.isprintable()
    if text.isprintable():
        assert text.startswith(found)


@given(st.data(), families, st.booleans(), st.booleans())
def test_announcements_come_back(
    data: st.DataObject, family: Family, four_octet_as: bool, add_path: bool
) -> None:
    attributes = data.draw(attributes_of(next_hops[family]))
    nlris = data.draw(nlris_of(family, add_path))
    max_length = data.draw(st.sampled_from((100, 300, 4096, 65535)))
    messages = encode_announcements(
        family, attributes, nlris, four_octet_as=four_octet_as, max_length=max_length
    )
    assert all(len(one) <= max_length for one in messages)
    session = replace(SESSION, four_octet_as=four_octet_as, add_path_receive=(family,) if add_path else ())
    found = [decode_update(body, session, ebgp=False) for body in through_a_stream(messages, max_length)]
    assert all(not one.errors and not one.withdrawn for one in found)
    announced = [one for message in found for one in message.announced]
    assert all(one[:2] == (family, attributes) for one in announced if four_octet_as)
    came_back = [nlri for _, _, some in announced for nlri in some]
    # All or none: none only if the attributes leave no room.
    assert came_back == nlris or (not messages and max_length < 4096)


def through_a_stream(messages: list[bytes], octets_max: int) -> list[bytes]:
    """The bodies as a framer finds them that allows just this length."""
    framer = Framer(octets_max)
    framer.feed(b"".join(messages))
    return [body for _, body in framer.messages()]


@pytest.mark.parametrize("thousands", [1, 20])
@pytest.mark.parametrize("add_path", [False, True])
@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_extended_messages_come_back(family: Family, add_path: bool, thousands: int) -> None:
    """RFC 8654: as many routes as 65535 octets hold, in one message."""
    identifier = b"\0\0\0\1" if add_path else b""
    nlris = [identifier + b"\x18" + one.to_bytes(3, "big") for one in range(1000 * thousands)]
    attributes = PathAttributes(as_path=(Segment(2, (1,)),), next_hop=IPV6_NEXT_HOP)
    messages = encode_announcements(family, attributes, nlris, max_length=65535)
    assert len(messages) == -(-len(b"".join(nlris)) // 65450)
    session = replace(SESSION, add_path_receive=(family,) if add_path else ())
    found = [decode_update(body, session, ebgp=True) for body in through_a_stream(messages, 65535)]
    assert [nlri for one in found for _, _, some in one.announced for nlri in some] == nlris


@given(st.data(), families, st.booleans())
def test_withdrawals_come_back(data: st.DataObject, family: Family, add_path: bool) -> None:
    nlris = data.draw(nlris_of(family, add_path))
    max_length = data.draw(st.sampled_from((60, 100, 4096, 65535)))
    messages = encode_withdrawals(family, nlris, max_length)
    assert all(len(one) <= max_length for one in messages)
    session = replace(SESSION, add_path_receive=(family,) if add_path else ())
    bodies = through_a_stream(messages, max_length)
    found = [decode_update(body, session, ebgp=True).withdrawn for body in bodies]
    assert [nlri for one in found for _, some in one for nlri in some] == nlris


@given(attributes_of(st.just(IPV4_NEXT_HOP)), st.booleans())
def test_what_was_read_is_written_the_same(attributes: PathAttributes, four_octet_as: bool) -> None:
    """Canonical: encoding is a fixed point, through peers of either kind."""
    octets = encode_attributes(attributes, four_octet_as=four_octet_as, with_next_hop=True)
    found = decode_attributes(octets, four_octet_as=four_octet_as, ebgp=False)
    assert found.fault is None
    again = encode_attributes(found.attributes, four_octet_as=four_octet_as, with_next_hop=True)
    assert again == octets


@given(st.lists(asns, min_size=1, max_size=600))
def test_long_paths_keep_their_numbers(path: list[int]) -> None:
    attributes = PathAttributes(as_path=(Segment(2, tuple(path)),), next_hop=b"\xc0\0\2\1")
    octets = encode_attributes(attributes, four_octet_as=True, with_next_hop=True)
    found = decode_attributes(octets, four_octet_as=True, ebgp=False).attributes.as_path
    assert [one for segment in found for one in segment.asns] == path


whole_messages = st.sampled_from(
    (
        encode_keepalive(),
        frame(MessageType.UPDATE, bytes(4)),
        frame(MessageType.UPDATE, bytes(4077)),
        frame(MessageType.NOTIFICATION, b"\6\2"),
        encode_route_refresh(RouteRefreshMessage(IPV6)),
    )
)
broken = st.sampled_from((b"", b"\0" * 19, b"\xff" * 16 + b"\0\x13\x09", b"\xff" * 19, b"\xff" * 7))


def frames_of(chunks: list[bytes]) -> tuple[list[tuple[MessageType, bytes]], str]:
    framer = Framer()
    found: list[tuple[MessageType, bytes]] = []
    try:
        for chunk in chunks:
            framer.feed(chunk)
            found += framer.messages()
    except Exception as error:  # noqa: BLE001 - any error is compared
        return found, repr(error)
    return found, f"{framer.buffered} octets left"


@given(st.lists(whole_messages, max_size=6), broken, st.lists(st.integers(0, 9000), max_size=8))
def test_chunks_do_not_matter(messages: list[bytes], tail: bytes, cuts: list[int]) -> None:
    stream = b"".join(messages) + tail
    borders = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    chunks = [stream[a:b] for a, b in pairwise(borders)]
    whole, end = frames_of([stream])
    cut_up, cut_end = frames_of(chunks)
    # An error shows as soon as its header is there, so both see it, after the same messages.
    assert (cut_up, cut_end) == (whole, end)
    assert [frame(*one) for one in whole] == messages
