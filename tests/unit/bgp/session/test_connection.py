"""One connection, played message by message."""

from collections.abc import Callable

import pytest

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import NotificationReceived, NotificationSent
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    RefreshRequested,
    SessionAction,
    UpdateArrived,
)
from felixbgp.bgp.session.connection import Connection, Progress
from felixbgp.bgp.session.endings import Ended
from felixbgp.bgp.session.state import SessionState
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    Role,
    role,
)
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.errors import encode_shutdown_communication
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import (
    Capability,
    MessageType,
    NotificationMessage,
    OpenMessage,
    RouteRefreshMessage,
)
from felixbgp.bgp.wire.open import (
    decode_open,
    encode_open,
    make_open,
)
from felixbgp.net import IPV4, IPV6, Address, Family

SECOND_NS = 1_000_000_000
LOCAL, REMOTE = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
PEER = PeerId(REMOTE)
KEEPALIVE = encode_keepalive()


class Scene:
    """A dialled connection whose OPEN is out, with what it emitted since the last look."""

    def __init__(
        self,
        *,
        hold_time_s: int = 90,
        local_as: int = 64512,
        remote_as: int = 64513,
        families: tuple[Family, ...] = (IPV4,),
        jitter: Callable[[], float] = lambda: 0.0,
        **parameters: object,
    ) -> None:
        self.emitted: list[SessionAction] = []
        self.remote_as = remote_as
        config = PeerConfig(
            peer=PEER,
            name="tor",
            families=families,
            local_as=local_as,
            remote_as=remote_as,
            hold_time_s=hold_time_s,
            **parameters,  # type: ignore[arg-type]
        )
        speaker = SpeakerConfig(bgp_identifier=LOCAL, local_as=local_as)
        self.connection = Connection(1, config, speaker, jitter, self.emitted.append)
        self.connection.open(0)

    def hear(self, octets: bytes, now: int = 0) -> list[Progress | Ended]:
        return list(self.connection.receive(octets, now))

    def open(
        self,
        *,
        hold_time_s: int = 90,
        extra: tuple[Capability, ...] = (),
        families: tuple[Family, ...] = (IPV4,),
    ) -> list[Progress | Ended]:
        message = make_open(
            local_as=self.remote_as,
            hold_time_s=hold_time_s,
            bgp_identifier=REMOTE,
            families=families,
            extra=extra,
        )
        return self.hear(encode_open(message))

    def establish(self, *, hold_time_s: int = 90) -> "Scene":
        assert self.open(hold_time_s=hold_time_s) == [Progress.OPENED]
        return self.confirm()

    def confirm(self) -> "Scene":
        self.connection.confirm(0)
        assert self.hear(KEEPALIVE) == [Progress.ESTABLISHED]
        self.emitted.clear()
        return self

    def taken(self) -> list[SessionAction]:
        emitted = self.emitted.copy()
        self.emitted.clear()
        return emitted


def sent(message: bytes) -> SendBytes:
    return SendBytes(1, (message,))


def notification(code: int, subcode: int, data: bytes = b"") -> bytes:
    return encode_notification(NotificationMessage(code, subcode, data))


def test_our_open_is_the_first_thing_on_the_wire() -> None:
    (message,) = Scene(local_as=4200000001, families=(IPV4, IPV6)).emitted
    assert isinstance(message, SendBytes)
    assert decode_open(message.chunks[0][19:]) == OpenMessage(
        my_as=23456,
        hold_time_s=90,
        bgp_identifier=LOCAL,
        capabilities=(
            Capability(1, b"\x00\x01\x00\x01"),
            Capability(1, b"\x00\x02\x00\x01"),
            Capability(65, b"\xfa\x56\xea\x01"),
            Capability(2),
            Capability(70),
            Capability(6),
        ),
    )


def test_a_session_comes_up() -> None:
    scene = Scene()
    connection = scene.connection
    scene.taken()
    assert str(connection.state) == "OpenSent"
    assert scene.open(hold_time_s=30) == [Progress.OPENED]
    assert scene.taken() == []  # The peer decides first.
    connection.confirm(0)
    assert scene.taken() == [sent(KEEPALIVE)]
    assert str(connection.state) == "OpenConfirm"
    assert scene.hear(KEEPALIVE) == [Progress.ESTABLISHED]
    assert str(connection.state) == "Established"
    assert connection.negotiated.hold_time_ns == 30 * SECOND_NS


def test_messages_in_one_chunk_are_handled_in_order_up_to_the_one_that_ends_it() -> None:
    scene = Scene().establish()
    update = frame(MessageType.UPDATE, b"\0\0\0\0")
    (ended,) = scene.hear(update + notification(6, 4) + update)
    assert isinstance(ended, Ended)
    assert scene.taken() == [
        UpdateArrived(b"\0\0\0\0"),
        Observed(NotificationReceived(PEER, 6, 4, "Cease: Administrative Reset")),
        CloseConnection(1),
    ]
    assert scene.connection.state is SessionState.IDLE


def test_nothing_is_read_on_once_the_consumer_ended_the_connection() -> None:
    scene = Scene()
    outcomes = scene.connection.receive(b"".join((encode_open(peer_open()), KEEPALIVE)), 0)
    assert next(outcomes) is Progress.OPENED
    scene.connection.notify(6, 7)
    assert list(outcomes) == []


def peer_open(*, identifier: Address = REMOTE, local_as: int = 64513, hold_time_s: int = 90) -> OpenMessage:
    return make_open(local_as=local_as, hold_time_s=hold_time_s, bgp_identifier=identifier, families=(IPV4,))


@pytest.mark.parametrize(
    ("message", "codes", "words"),
    [
        (peer_open(local_as=64999), (2, 2), "Bad Peer AS: the peer says it is AS 64999, not AS 64513"),
        (peer_open(hold_time_s=2), (2, 6), "Unacceptable Hold Time"),
        (peer_open(identifier=Address(bytes(4))), (2, 3), "Bad BGP Identifier"),
        (
            OpenMessage(version=5, my_as=64513, hold_time_s=90, bgp_identifier=REMOTE),
            (2, 1),
            "Unsupported Version",
        ),
        (
            make_open(local_as=64513, hold_time_s=90, bgp_identifier=REMOTE, families=(IPV6,)),
            (2, 7),
            "no address family",
        ),
    ],
)
def test_an_unacceptable_open_is_answered_with_its_code_and_told_in_words(
    message: OpenMessage, codes: tuple[int, int], words: str
) -> None:
    scene = Scene()
    scene.taken()
    (ended,) = scene.hear(encode_open(message))
    assert isinstance(ended, Ended)
    assert ended.lasting
    assert words in ended.reason
    reply, observed, close = scene.taken()
    assert isinstance(reply, SendBytes)
    assert tuple(reply.chunks[0][18:21]) == (MessageType.NOTIFICATION, *codes)
    assert observed == Observed(NotificationSent(PEER, *codes, ended.reason))
    assert close == CloseConnection(1)


@pytest.mark.parametrize(
    "state", [SessionState.OPEN_SENT, SessionState.OPEN_CONFIRM, SessionState.ESTABLISHED]
)
def test_an_unexpected_message_is_named_in_the_notification(state: SessionState) -> None:
    scene = Scene()
    kind, subcode = MessageType.UPDATE, 1
    if state is not SessionState.OPEN_SENT:
        subcode = 2
        scene.open()
        scene.connection.confirm(0)
    if state is SessionState.ESTABLISHED:
        kind, subcode = MessageType.OPEN, 3
        scene.hear(KEEPALIVE)
    scene.taken()
    scene.hear(frame(kind, bytes(10)))
    assert scene.taken()[0] == sent(notification(5, subcode, bytes((kind,))))


def test_a_notification_is_told_with_the_words_of_its_sender() -> None:
    scene = Scene().establish()
    octets = notification(6, 2, encode_shutdown_communication("moving house\n"))
    (ended,) = scene.hear(octets)
    assert ended == Ended(
        "received NOTIFICATION Cease: Administrative Shutdown: moving house\\n",
        lasting=True,
        kind=DownKind.HARD,
    )


@pytest.mark.parametrize(
    ("code", "subcode", "lasting"),
    [(4, 0, False), (8, 0, False), (5, 3, True), (2, 2, True), (3, 1, True), (1, 2, True), (99, 99, True)]
    + [(6, subcode, subcode not in (4, 5, 6, 7, 10)) for subcode in range(12)],
)
def test_which_ends_make_the_next_attempt_wait(code: int, subcode: int, lasting: bool) -> None:
    (received,) = Scene().hear(notification(code, subcode))
    assert isinstance(received, Ended)
    assert received.lasting is lasting
    assert Scene().connection.notify(code, subcode).lasting is lasting


class TestTimers:
    def test_open_sent_ends_after_the_large_hold_time(self) -> None:
        scene = Scene()
        scene.taken()
        assert scene.connection.next_deadline() == 240 * SECOND_NS
        assert scene.connection.run_timers(240 * SECOND_NS - 1) is None
        assert scene.connection.run_timers(240 * SECOND_NS) == Ended(
            "hold timer expired", lasting=False, kind=DownKind.HARD
        )
        assert scene.taken()[0] == sent(notification(4, 0))

    def test_keepalives_go_out_at_a_jittered_third_of_the_hold_time(self) -> None:
        draws = iter((0.0, 0.5, 0.0))
        scene = Scene(jitter=lambda: next(draws))
        scene.establish(hold_time_s=9)
        assert scene.connection.next_deadline() == 2_250_000_000
        assert scene.connection.run_timers(2_250_000_000) is None
        assert scene.taken() == [sent(KEEPALIVE)]
        assert scene.connection.next_deadline() == 2_250_000_000 + 2_625_000_000

    def test_a_sent_update_puts_the_keepalive_off(self) -> None:
        scene = Scene().establish(hold_time_s=9)
        scene.connection.sent(SECOND_NS)
        assert scene.connection.next_deadline() == SECOND_NS + 2_250_000_000

    @pytest.mark.parametrize("octets", [KEEPALIVE, frame(MessageType.UPDATE, bytes(4))])
    def test_keepalive_and_update_restart_the_hold_timer(self, octets: bytes) -> None:
        scene = Scene().establish(hold_time_s=9)
        scene.hear(octets, 5 * SECOND_NS)
        assert scene.connection.run_timers(14 * SECOND_NS - 1) is None
        assert scene.connection.run_timers(14 * SECOND_NS) is not None

    def test_route_refresh_does_not(self) -> None:
        scene = Scene().establish(hold_time_s=9)
        scene.hear(encode_route_refresh(RouteRefreshMessage(IPV4)), 5 * SECOND_NS)
        assert scene.connection.run_timers(9 * SECOND_NS) is not None

    def test_the_hold_timer_goes_before_the_keepalive_timer(self) -> None:
        scene = Scene().establish(hold_time_s=9)
        scene.connection.run_timers(9 * SECOND_NS)
        assert scene.taken()[0] == sent(notification(4, 0))

    def test_a_hold_time_of_zero_has_no_timers_once_established(self) -> None:
        scene = Scene()
        scene.open(hold_time_s=0)
        scene.connection.confirm(7)
        assert scene.connection.next_deadline() == 7 + 240 * SECOND_NS  # Deviation b.
        scene.hear(KEEPALIVE, 8)
        assert scene.connection.next_deadline() is None
        scene.connection.sent(9)
        assert scene.connection.next_deadline() is None
        assert scene.connection.run_timers(10**15) is None


class TestRouteRefresh:
    def test_of_a_family_of_the_session_is_handed_on(self) -> None:
        scene = Scene(families=(IPV4, IPV6))
        scene.open(families=(IPV4, IPV6), extra=(ROUTE_REFRESH,))
        scene.confirm()
        scene.hear(encode_route_refresh(RouteRefreshMessage(IPV6)))
        assert scene.taken() == [RefreshRequested(IPV6)]

    def test_of_another_family_is_overlooked(self) -> None:
        scene = Scene(families=(IPV4, IPV6)).establish()
        assert scene.hear(encode_route_refresh(RouteRefreshMessage(IPV6))) == []
        assert scene.taken() == []

    @pytest.mark.parametrize("subtype", [0, 1, 2])
    def test_with_a_mark_of_begin_or_end_is_handed_on_as_such(self, subtype: int) -> None:
        scene = Scene()
        scene.open(extra=(ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH))
        scene.confirm()
        scene.hear(encode_route_refresh(RouteRefreshMessage(IPV4, subtype)))
        assert scene.taken() == [RefreshRequested(IPV4, subtype)]

    def test_with_a_subtype_that_nobody_knows_is_overlooked(self) -> None:
        scene = Scene()
        scene.open(extra=(ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH))
        scene.confirm()
        assert scene.hear(encode_route_refresh(RouteRefreshMessage(IPV4, 3))) == []
        assert scene.taken() == []

    @pytest.mark.parametrize(
        ("ours", "theirs"), [(True, (ROUTE_REFRESH,)), (False, (ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH))]
    )
    def test_has_a_reserved_octet_and_no_subtype_unless_both_sides_are_enhanced(
        self, ours: bool, theirs: tuple[Capability, ...]
    ) -> None:
        scene = Scene(enhanced_refresh=ours)
        scene.open(extra=theirs)
        scene.confirm()
        scene.hear(encode_route_refresh(RouteRefreshMessage(IPV4, 2)))
        assert scene.taken() == [RefreshRequested(IPV4, 0)]

    def test_that_is_too_short_ends_the_session(self) -> None:
        scene = Scene().establish()
        (ended,) = scene.hear(frame(MessageType.ROUTE_REFRESH, b"\0"))
        assert isinstance(ended, Ended)
        assert ended.reason.startswith("Message Header Error: Bad Message Length")


class TestExtendedMessages:
    """RFC 8654."""

    LONG = frame(MessageType.UPDATE, bytes(4096))

    @pytest.mark.parametrize("theirs", [(EXTENDED_MESSAGE,), ()])
    def test_are_taken_once_the_open_is_in_whatever_the_peer_takes_itself(
        self, theirs: tuple[Capability, ...]
    ) -> None:
        scene = Scene()
        scene.open(extra=theirs)
        scene.confirm()
        assert scene.hear(self.LONG) == []
        assert scene.taken() == [UpdateArrived(bytes(4096))]
        assert scene.connection.negotiated.extended_message is bool(theirs)

    def test_are_taken_in_the_very_chunk_that_brings_the_open(self) -> None:
        scene = Scene()
        outcomes = scene.connection.receive(encode_open(peer_open()) + KEEPALIVE + self.LONG, 0)
        assert next(outcomes) is Progress.OPENED
        scene.connection.confirm(0)
        assert list(outcomes) == [Progress.ESTABLISHED]
        assert scene.taken()[-1] == UpdateArrived(bytes(4096))

    def test_that_we_do_not_offer_are_refused(self) -> None:
        scene = Scene(extended_message=False).establish()
        scene.hear(self.LONG)
        assert scene.taken()[0] == sent(notification(1, 2, (4096 + 19).to_bytes(2, "big")))

    def test_before_the_open_are_refused(self) -> None:
        scene = Scene()
        scene.taken()
        scene.hear(self.LONG)
        assert scene.taken()[0] == sent(notification(1, 2, (4096 + 19).to_bytes(2, "big")))


class TestRole:
    """RFC 9234 §4.2, for external peers."""

    def test_that_does_not_go_with_ours_is_refused(self) -> None:
        scene = Scene(role=Role.PROVIDER)
        scene.taken()
        (ended,) = scene.open(extra=(role(Role.PEER),))
        assert isinstance(ended, Ended)
        assert scene.taken()[0] == sent(notification(2, 11))

    def test_that_goes_with_ours_is_known_afterwards(self) -> None:
        scene = Scene(role=Role.PROVIDER)
        assert scene.open(extra=(role(Role.CUSTOMER),)) == [Progress.OPENED]
        assert scene.connection.negotiated.peer_role == Role.CUSTOMER

    @pytest.mark.parametrize("strict", [True, False])
    def test_may_be_missing_unless_we_are_strict(self, strict: bool) -> None:
        (outcome,) = Scene(role=Role.PROVIDER, role_strict=strict).open()
        assert isinstance(outcome, Ended) is strict

    def test_means_nothing_to_an_internal_peer(self) -> None:
        scene = Scene(remote_as=64512, role=Role.PROVIDER, role_strict=True)
        assert scene.open() == [Progress.OPENED]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "connection closed by the peer in OpenSent"),
        ("Connection reset by peer", "connection lost in OpenSent: Connection reset by peer"),
    ],
)
def test_the_loss_of_tcp_is_told_with_the_state_it_struck_and_answered_with_nothing(
    reason: str, words: str
) -> None:
    scene = Scene()
    scene.taken()
    assert scene.connection.lost(reason) == Ended(words, lasting=False, kind=DownKind.LOST)
    assert scene.taken() == []
