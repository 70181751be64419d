"""What holds of any octets that the wire layer reads; the first octet or two choose the session they come in.

Nothing but `WireError` comes out, with a NOTIFICATION that can be sent; what was read is written and read to
the same value.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from felixbgp.bgp.wire.attributes import _MEMOS, RULES, _Memo
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    Role,
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
    encode_notification,
    encode_route_refresh,
)
from felixbgp.bgp.wire.errors import WireError, describe_notification
from felixbgp.bgp.wire.framer import (
    EXTENDED_MESSAGE_OCTETS_MAX,
    HEADER_OCTETS,
    MESSAGE_OCTETS_MAX,
    Framer,
    frame,
)
from felixbgp.bgp.wire.messages import MessageType, Negotiated, OpenMessage, PathAttributes, UpdateMessage
from felixbgp.bgp.wire.open import (
    as_number_of,
    decode_open,
    encode_open,
    families_of,
    make_open,
    negotiate,
    validate_open,
)
from felixbgp.bgp.wire.update import (
    decode_update,
    encode_announcements,
    encode_end_of_rib,
    encode_withdrawals,
)
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

IDENTIFIER: Final = Address.parse("192.0.2.1")
BOTH: Final = ((IPV4,), (IPV6,), (IPV4, IPV6), (IPV6, IPV4))
VERDICTS: Final = ("attribute discard: ", "treat-as-withdraw: ", "ignored: ")


def forget() -> None:
    """Empty the memos of the decoder, so that what a run does depends on its octets alone."""
    for key in range(len(_MEMOS)):
        _MEMOS[key] = _Memo()


def check_answer(error: WireError) -> None:
    """The NOTIFICATION of an error can be sent and told."""
    message = error.notification()
    assert len(encode_notification(message)) <= MESSAGE_OCTETS_MAX
    assert "subcode" not in describe_notification(message)
    assert str(error)


# ---- framer


def framer(data: bytes) -> None:
    """However a stream is cut, the same messages are in it, and at most one is held back."""
    if len(data) < 2:
        return
    octets_max = (MESSAGE_OCTETS_MAX, EXTENDED_MESSAGE_OCTETS_MAX)[data[0] & 1]
    size, stream = data[1] or 1, data[2:]
    whole, end = _frames([stream], octets_max)
    cut_up = _frames([stream[at : at + size] for at in range(0, len(stream), size)], octets_max)
    assert cut_up == (whole, end)
    for kind, body in whole:
        assert kind is not MessageType.KEEPALIVE or not body
        assert HEADER_OCTETS + len(body) <= (MESSAGE_OCTETS_MAX if kind is MessageType.OPEN else octets_max)
    again = b"".join(frame(*one) for one in whole)
    assert stream.startswith(again)
    if isinstance(end, int):
        assert end == len(stream) - len(again)


def _frames(
    chunks: list[bytes], octets_max: int
) -> tuple[list[tuple[MessageType, bytes]], int | tuple[int, int, bytes]]:
    """All messages, then how many octets are left, or the error."""
    found: list[tuple[MessageType, bytes]] = []
    one = Framer(octets_max)
    try:
        for chunk in chunks:
            one.feed(chunk)
            found += one.messages()
            assert one.buffered < octets_max
    except WireError as error:
        check_answer(error)
        # An error is told again and again, and nothing after it is looked at.
        one.feed(b"\xff")
        with suppress(WireError):
            raise AssertionError(one.next_message()) from error
        return found, (error.code, error.subcode, error.data)
    return found, one.buffered


# ---- OPEN

OURS: Final = tuple(
    make_open(
        local_as=64512, hold_time_s=hold_time_s, bgp_identifier=IDENTIFIER, families=families, extra=extra
    )
    for families, hold_time_s, extra in (
        ((IPV4,), 90, ()),
        ((IPV6,), 0, (ROUTE_REFRESH, extended_next_hop((IPV4,)))),
        (
            (IPV4, IPV6),
            3,
            (
                ENHANCED_ROUTE_REFRESH,
                EXTENDED_MESSAGE,
                add_path(((IPV4, True, True), (IPV6, True, False))),
                extended_next_hop((IPV4,)),
                graceful_restart(120, (), restarting=False, notification=True),
            ),
        ),
        (
            (IPV6, IPV4),
            65535,
            (add_path(((IPV4, False, True),)), graceful_restart(0, (), restarting=True, notification=False)),
        ),
    )
)
ROLES: Final = (None, *Role)


def opening(data: bytes) -> None:
    """An OPEN that can be read is judged, and what it agrees on with ours is the same from both sides."""
    if not data:
        return
    ours = OURS[data[0] & 3]
    internal, strict, role = data[0] & 4, data[0] & 8, ROLES[(data[0] >> 4) % len(ROLES)]
    try:
        message = decode_open(data[1 : 1 + MESSAGE_OCTETS_MAX - HEADER_OCTETS])
        assert decode_open(encode_open(message)[HEADER_OCTETS:]) == message
        expected_as = as_number_of(message)
        validate_open(
            message,
            expected_as=expected_as,
            local_as=expected_as if internal else 64512,
            local_identifier=IDENTIFIER,
            role=role,
            role_strict=bool(strict),
        )
        agreed = negotiate(ours, message)
    except WireError as error:
        check_answer(error)
        return
    _check_capabilities(message)
    _check_agreement(agreed, ours, message)
    assert _in_common(negotiate(message, ours)) == _in_common(_mirrored(agreed))


def _check_capabilities(message: OpenMessage) -> None:
    """What is read from capabilities makes capabilities that read the same."""
    told = message.capabilities
    paths = {family: one for family, one in read_add_path(told).items() if one.receive or one.send}
    again = add_path((family, one.receive, one.send) for family, one in paths.items())
    assert read_add_path((again,)) == paths
    next_hops = read_extended_next_hop(told)
    assert [one.afi for one in next_hops] == [IPV4.afi] * len(next_hops)
    restart = read_graceful_restart(told)
    if restart is None:
        assert read_long_lived(told) == ()
        return
    rewritten = graceful_restart(
        restart.restart_time_s,
        restart.families,
        restarting=restart.restarting,
        notification=restart.notification,
    )
    assert read_graceful_restart((rewritten,)) == restart
    assert read_long_lived((rewritten, long_lived(read_long_lived(told)))) == read_long_lived(told)


def _check_agreement(agreed: Negotiated, ours: OpenMessage, theirs: OpenMessage) -> None:
    assert agreed.families
    assert [one for one in families_of(ours) if one in agreed.families] == list(agreed.families)
    assert set(agreed.families) <= set(families_of(theirs))
    told = (*agreed.add_path_receive, *agreed.add_path_send, *agreed.extended_next_hop)
    assert set(told) <= set(agreed.families)
    assert agreed.hold_time_ns == 0 or agreed.hold_time_ns >= 3_000_000_000
    assert agreed.hold_time_ns // 3 == agreed.keepalive_ns
    assert agreed.peer_as == as_number_of(theirs) != 0
    if agreed.graceful_restart is not None:
        assert agreed.graceful_restart.restart_time_s < 4096


def _mirrored(agreed: Negotiated) -> Negotiated:
    return replace(agreed, add_path_receive=agreed.add_path_send, add_path_send=agreed.add_path_receive)


def _in_common(agreed: Negotiated) -> tuple[object, ...]:
    """What is not a matter of who asks."""
    return (
        set(agreed.families),
        agreed.hold_time_ns,
        agreed.four_octet_as,
        agreed.route_refresh,
        agreed.enhanced_route_refresh,
        agreed.extended_message,
        set(agreed.add_path_receive),
        set(agreed.add_path_send),
        set(agreed.extended_next_hop),
    )


# ---- UPDATE

SESSION: Final = negotiate(OURS[2], OURS[2])


def session_of(options: int) -> tuple[Negotiated, bool]:
    """One of all kinds of sessions, and whether it is with an external peer."""
    session = replace(
        SESSION,
        families=BOTH[options & 3],
        four_octet_as=bool(options & 4),
        add_path_receive=(*[IPV4] * (options >> 4 & 1), *[IPV6] * (options >> 5 & 1)),
        extended_next_hop=(IPV4,) * (options >> 6 & 1),
    )
    return session, bool(options & 8)


def update(data: bytes) -> None:
    """An UPDATE in any kind of session."""
    if data:
        session, external = session_of(data[0])
        _read_update(data[1:], session, external)


BASE: Final = {
    1: b"\x40\x01\x01\x00",
    2: b"\x40\x02\x06\x02\x01\x00\x00\xfc\x01",
    3: b"\x40\x03\x04\xc0\x00\x02\x02",
}
"""The attributes every route must have."""
BASE_TWO_OCTETS: Final = {**BASE, 2: b"\x40\x02\x04\x02\x01\xfc\x01"}
TYPES: Final = (*RULES, 0, 11, 128, 255)


def attribute(data: bytes) -> None:
    """One attribute of any type, with any flags and value, beside those a route must have."""
    if len(data) < 3:
        return
    session, external = session_of(data[0])
    number, flags, value = TYPES[data[1] % len(TYPES)], data[2] | 0x10, data[3:]
    base = BASE if session.four_octet_as else BASE_TWO_OCTETS
    parts = {**base, number: bytes((flags, number)) + len(value).to_bytes(2, "big") + value}
    octets = b"".join(parts.values())
    nlri = b"\0\0\0\1\x08\x0a" if IPV4 in session.add_path_receive else b"\x08\x0a"
    found = _read_update(b"\0\0" + len(octets).to_bytes(2, "big") + octets + nlri, session, external)
    if found is None or IPV4 not in session.families:
        return
    withdrawn = [some for family, some in found.withdrawn if family == IPV4]
    announced = [some for family, _, some in found.announced if family == IPV4]
    # Whatever becomes of the attribute, the route is there, or gone (RFC 7606 §2).
    assert (nlri,) in withdrawn + announced


def _read_update(body: bytes, session: Negotiated, external: bool) -> UpdateMessage | None:
    forget()
    try:
        found = decode_update(body, session, external)
    except WireError as error:
        check_answer(error)
        return None
    assert decode_update(body, session, external) == found, "the memo tells something else"
    check_update(found, session, external=external)
    return found


def check_update(message: UpdateMessage, session: Negotiated, *, external: bool) -> None:
    """What is accepted is canonical: sent on, it is accepted without complaint and means the same."""
    assert len(message.errors) <= 20
    assert all(one.startswith(VERDICTS) for one in message.errors)
    for family, nlris in message.withdrawn:
        _check_nlris(family, nlris, session)
        again = _sent(encode_withdrawals(family, nlris), session, external)
        assert [one.withdrawn for one in again] == [((family, some),) for some in _pieces(again)]
        assert [one for some in _pieces(again) for one in some] == list(nlris)
    for family, attributes, nlris in message.announced:
        _check_nlris(family, nlris, session)
        _check_attributes(family, attributes, session)
        for four_octet_as in (True, False):
            for octets_max in (MESSAGE_OCTETS_MAX, EXTENDED_MESSAGE_OCTETS_MAX):
                messages = encode_announcements(
                    family, attributes, nlris, four_octet_as=four_octet_as, max_length=octets_max
                )
                assert all(len(one) <= octets_max for one in messages)
                again = _sent(messages, replace(session, four_octet_as=four_octet_as), external)
                assert all(one.announced[0][:2] == (family, attributes) for one in again)
                # All or none: none only where the attributes leave no room.
                assert [one for some in _pieces(again) for one in some] in ([], list(nlris))
                assert messages or octets_max == MESSAGE_OCTETS_MAX or attributes.unknown
    if message.end_of_rib is not None:
        marks = _sent([encode_end_of_rib(message.end_of_rib)], session, external)
        assert marks == [UpdateMessage(end_of_rib=message.end_of_rib)]


def _check_nlris(family: Family, nlris: tuple[bytes, ...], session: Negotiated) -> None:
    assert family in session.families
    assert nlris
    for one in nlris:
        nlri = one[4:] if family in session.add_path_receive else one
        prefix = Prefix(family, nlri)
        assert Prefix.parse(str(prefix)) == prefix


def _sent(messages: list[bytes], session: Negotiated, external: bool) -> list[UpdateMessage]:
    found = [decode_update(one[HEADER_OCTETS:], session, external) for one in messages]
    assert not any(one.errors for one in found)
    return found


def _pieces(messages: list[UpdateMessage]) -> Iterator[tuple[bytes, ...]]:
    for one in messages:
        yield from (nlris for _, nlris in one.withdrawn)
        yield from (nlris for _, _, nlris in one.announced)


def _check_attributes(family: Family, attributes: PathAttributes, session: Negotiated) -> None:
    if len(attributes.next_hop) != family.octets:
        assert (family, len(attributes.next_hop)) == (IPV4, 16)
        assert IPV4 in session.extended_next_hop
    assert any(attributes.next_hop)
    assert sum(2 + 4 * len(one.asns) for one in attributes.as_path) <= 4016
    for segment in attributes.as_path:
        assert segment.type in (1, 2)
        assert 1 <= len(segment.asns) <= 255
        assert 0 not in segment.asns
    kinds: tuple[Sequence[Any], ...] = (
        attributes.communities,
        attributes.extended_communities,
        attributes.large_communities,
        attributes.partial,
        [one.type for one in attributes.unknown],
    )
    for values in kinds:
        assert all(one < other for one, other in pairwise(values))


# ---- NOTIFICATION and ROUTE-REFRESH


def notification(data: bytes) -> None:
    """A NOTIFICATION is told in one printable line, and written as it was."""
    body = data[: MESSAGE_OCTETS_MAX - HEADER_OCTETS]
    try:
        message = decode_notification(body)
    except WireError as error:
        check_answer(error)
        return
    text = describe_notification(message)
    assert text.isprintable()
    # Nothing is told at length: names, and at most 255 octets, escaped.
    assert len(text) < 2000
    assert encode_notification(message) == frame(MessageType.NOTIFICATION, body)


def route_refresh(data: bytes) -> None:
    """A ROUTE-REFRESH, with and without RFC 7313."""
    if not data:
        return
    enhanced = bool(data[0] & 1)
    try:
        message = decode_route_refresh(data[1:], enhanced=enhanced)
    except WireError as error:
        check_answer(error)
        return
    octets = encode_route_refresh(message)[HEADER_OCTETS:]
    assert decode_route_refresh(octets, enhanced=enhanced) == message
    if enhanced:
        assert data[1:].startswith(octets)
