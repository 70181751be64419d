"""One connection, played message by message."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import NotificationReceived, NotificationSent
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    PeerSilent,
    RefreshRequested,
    SessionAction,
    UpdatesArrived,
)
from felixbgp.bgp.session.connection import Connection, Progress
from felixbgp.bgp.session.endings import Ended
from felixbgp.bgp.session.offer import our_open
from felixbgp.bgp.session.state import SessionState
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    Role,
    graceful_restart,
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
        number: int = 1,
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
        offer = our_open(config, speaker)
        self.connection = Connection(number, config, offer, jitter, self.emitted.append)
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
        UpdatesArrived([b"\0\0\0\0"]),
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
        cause=Cause.NOTIFICATION_RECEIVED,
    )


class TestTimers:
    def test_open_sent_ends_after_the_large_hold_time(self) -> None:
        scene = Scene()
        scene.taken()
        assert scene.connection.next_deadline() == 240 * SECOND_NS
        assert scene.connection.run_timers(240 * SECOND_NS - 1) is None
        assert scene.connection.run_timers(240 * SECOND_NS) == Ended(
            "hold timer expired", lasting=False, kind=DownKind.HARD, cause=Cause.HOLD_TIMER
        )
        assert scene.taken()[0] == sent(notification(4, 0))

    def test_keepalives_go_out_at_a_jittered_third_of_the_hold_time(self) -> None:
        draws = iter((0.0, 0.5, 0.0))
        scene = Scene(jitter=lambda: next(draws))
        scene.establish(hold_time_s=9)
        assert scene.connection.next_deadline() == 2_250_000_000
        assert scene.connection.run_timers(2_250_000_000) is None
        assert scene.taken() == [sent(KEEPALIVE)]
        scene.hear(KEEPALIVE, 2_250_000_000)
        assert scene.connection.next_deadline() == 2_250_000_000 + 2_625_000_000

    @pytest.mark.parametrize(
        ("keepalive_time_s", "hold_time_s", "seconds"),
        [
            pytest.param(None, 9, 3, id="a third of the hold time"),
            pytest.param(2, 9, 2, id="less"),
            pytest.param(10, 9, 3, id="no more than a third"),
            pytest.param(10**30, 9, 3, id="however much it says"),
            pytest.param(1, 9, 1.25, id="jitter included, no more than one a second"),
            pytest.param(2, 3, 1.25, id="a third is a second"),
        ],
    )
    def test_the_interval_is_the_configured_one_up_to_a_third_of_the_hold_time(
        self, keepalive_time_s: int | None, hold_time_s: int, seconds: float
    ) -> None:
        scene = Scene(keepalive_time_s=keepalive_time_s).establish(hold_time_s=hold_time_s)
        first = max(SECOND_NS, int(seconds * SECOND_NS * 3 // 4))
        assert scene.connection.next_deadline() == first
        assert scene.connection.run_timers(first) is None
        assert scene.taken() == [sent(KEEPALIVE)]
        scene.hear(KEEPALIVE, first)
        assert scene.connection.next_deadline() == 2 * first

    def test_a_hold_time_of_zero_has_no_keepalives_whatever_is_configured(self) -> None:
        scene = Scene(keepalive_time_s=1).establish(hold_time_s=0)
        assert scene.connection.next_deadline() is None

    def test_another_interval_counts_at_once_where_it_is_shorter(self) -> None:
        scene = Scene().establish(hold_time_s=90)
        connection, config = scene.connection, scene.connection._config
        assert connection.next_deadline() == 22_500_000_000
        connection.update_config(replace(config, name="renamed"), 5 * SECOND_NS)
        assert connection.next_deadline() == 22_500_000_000
        connection.update_config(replace(config, keepalive_time_s=4), 5 * SECOND_NS)
        assert connection.next_deadline() == 8 * SECOND_NS
        assert scene.taken() == []
        connection.update_config(config, 6 * SECOND_NS)
        assert connection.next_deadline() == 8 * SECOND_NS
        connection.run_timers(8 * SECOND_NS)
        assert connection.next_deadline() == 30_500_000_000

    def test_before_the_opens_have_agreed_another_interval_is_only_remembered(self) -> None:
        scene = Scene()
        config = scene.connection._config
        scene.connection.update_config(replace(config, keepalive_time_s=4), 0)
        assert scene.establish(hold_time_s=90).connection.next_deadline() == 3 * SECOND_NS

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

    def test_a_peer_that_says_nothing_for_half_of_the_hold_time_is_silent_until_it_speaks(self) -> None:
        scene = Scene().establish(hold_time_s=9)
        seen = []
        for heard_at in (0, 8 * SECOND_NS):
            for at in (4_500_000_000 - 1, 4_500_000_000, 4_500_000_001):
                assert scene.connection.run_timers(heard_at + at) is None
                seen.append((PeerSilent() in scene.taken(), scene.connection.is_silent))
            scene.hear(KEEPALIVE, 8 * SECOND_NS)
        assert seen == 2 * [(False, False), (True, True), (False, True)]
        assert not scene.connection.is_silent

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
        assert scene.taken() == [UpdatesArrived([bytes(4096)])]
        assert scene.connection.negotiated.extended_message is bool(theirs)

    def test_are_taken_in_the_very_chunk_that_brings_the_open(self) -> None:
        scene = Scene()
        outcomes = scene.connection.receive(encode_open(peer_open()) + KEEPALIVE + self.LONG, 0)
        assert next(outcomes) is Progress.OPENED
        scene.connection.confirm(0)
        assert list(outcomes) == [Progress.ESTABLISHED]
        assert scene.taken()[-1] == UpdatesArrived([bytes(4096)])

    def test_that_we_do_not_offer_are_refused(self) -> None:
        scene = Scene(extended_message=False).establish()
        scene.hear(self.LONG)
        assert scene.taken()[0] == sent(notification(1, 2, (4096 + 19).to_bytes(2, "big")))

    def test_before_the_open_are_refused(self) -> None:
        scene = Scene()
        scene.taken()
        scene.hear(self.LONG)
        assert scene.taken()[0] == sent(notification(1, 2, (4096 + 19).to_bytes(2, "big")))


class TestDelayedOpen:
    """RFC 4271 §8.1.1: DelayOpen, with a DelayOpenTime of five seconds."""

    def test_leaves_the_first_word_to_the_peer(self) -> None:
        scene = Scene(delay_open_s=5)
        assert scene.taken() == []
        assert scene.connection.next_deadline() == 5 * SECOND_NS

    @pytest.mark.parametrize(("number", "state"), [(1, "Connect"), (-1, "Active")])
    def test_waits_in_the_state_that_tcp_came_up_in(self, number: int, state: str) -> None:
        scene = Scene(number=number, delay_open_s=5)
        assert str(scene.connection.state) == state

    def test_says_it_when_the_time_is_over_and_then_waits_as_ever(self) -> None:
        scene = Scene(delay_open_s=5)
        assert scene.connection.run_timers(5 * SECOND_NS) is None
        (message,) = scene.taken()
        assert isinstance(message, SendBytes)
        assert message.chunks[0][18] == MessageType.OPEN
        assert str(scene.connection.state) == "OpenSent"
        assert scene.connection.next_deadline() == 245 * SECOND_NS

    def test_answers_an_open_with_both_messages_once_the_peer_is_confirmed(self) -> None:
        scene = Scene(delay_open_s=5)
        assert scene.open() == [Progress.OPENED]
        assert scene.taken() == []
        scene.connection.confirm(0)
        ours, keepalive = scene.taken()
        assert isinstance(ours, SendBytes)
        assert ours.chunks[0][18] == MessageType.OPEN
        assert keepalive == sent(KEEPALIVE)
        assert str(scene.connection.state) == "OpenConfirm"
        assert scene.connection.run_timers(5 * SECOND_NS) is None
        assert scene.taken() == []

    def test_does_not_keep_an_error_back(self) -> None:
        scene = Scene(delay_open_s=5)
        scene.hear(encode_open(peer_open(local_as=64999)))
        assert scene.taken()[0] == sent(notification(2, 2))

    def test_takes_no_other_message(self) -> None:
        scene = Scene(delay_open_s=5)
        scene.hear(KEEPALIVE)
        assert scene.taken()[0] == sent(notification(5, 0, b"\x04"))


class TestGracefulRestart:
    """What an end means for the routes; the table is in test_endings."""

    RESTART: ClassVar = GracefulRestart()

    def establish(self, *, ours: GracefulRestart | None = RESTART, theirs: bool = True) -> Scene:
        scene = Scene(graceful_restart=ours)
        scene.open(extra=(graceful_restart(60, ((IPV4, True),), restarting=False, notification=theirs),))
        return scene.confirm()

    def test_keeps_them_after_a_notification_when_both_have_the_n_bit(self) -> None:
        (ended,) = self.establish().hear(notification(6, 4))
        assert isinstance(ended, Ended)
        assert ended.kind is DownKind.LOST

    @pytest.mark.parametrize(
        ("ours", "theirs"), [(None, True), (GracefulRestart(notification=False), True), (RESTART, False)]
    )
    def test_does_not_when_one_side_lacks_it(self, ours: GracefulRestart | None, theirs: bool) -> None:
        (ended,) = self.establish(ours=ours, theirs=theirs).hear(notification(6, 4))
        assert isinstance(ended, Ended)
        assert ended.kind is DownKind.HARD

    def test_keeps_them_after_the_hold_timer(self) -> None:
        scene = self.establish()
        ended = scene.connection.run_timers(90 * SECOND_NS)
        assert ended is not None
        assert ended.kind is DownKind.LOST
        assert scene.taken()[0] == sent(notification(4, 0))

    def test_sends_what_would_repeat_as_a_hard_reset_and_tells_both(self) -> None:
        scene = self.establish()
        ended = scene.connection.notify(3, 1, b"?")
        words = "sent NOTIFICATION UPDATE Message Error: Malformed Attribute List"
        assert ended == Ended(words, lasting=True, kind=DownKind.HARD, cause=Cause.NOTIFICATION_SENT)
        assert scene.taken() == [
            sent(notification(6, 9, b"\x03\x01?")),
            Observed(NotificationSent(PEER, 6, 9, words)),
            CloseConnection(1),
        ]

    def test_takes_a_hard_reset_at_its_word_and_its_content_for_what_is_next(self) -> None:
        (ended,) = self.establish().hear(notification(6, 9, b"\x06\x04"))
        words = "received NOTIFICATION Cease: Hard Reset: Cease: Administrative Reset"
        assert ended == Ended(words, lasting=False, kind=DownKind.HARD, cause=Cause.NOTIFICATION_RECEIVED)

    def test_means_nothing_before_there_is_a_session(self) -> None:
        scene = Scene(graceful_restart=self.RESTART)
        scene.open(extra=(graceful_restart(60, ((IPV4, True),), restarting=False, notification=True),))
        scene.connection.confirm(0)
        scene.taken()
        ended = scene.connection.notify(6, 2)
        assert ended.kind is DownKind.HARD
        assert scene.taken()[0] == sent(notification(6, 2))

    def test_closes_a_connection_whose_peer_has_come_back_without_a_word(self) -> None:
        scene = self.establish()
        words = "replaced by a new connection of the peer"
        assert scene.connection.replaced() == Ended(
            words, lasting=False, kind=DownKind.LOST, cause=Cause.CONNECTION_CLOSED
        )
        assert scene.taken() == [CloseConnection(1)]


class TestLimits:
    """What a peer that has not proved itself can make us do."""

    @pytest.mark.parametrize(
        "message", [KEEPALIVE, encode_open(peer_open()), frame(MessageType.UPDATE, bytes(4))]
    )
    def test_a_flood_of_messages_is_over_after_the_second(self, message: bytes) -> None:
        scene = Scene()
        outcomes = list[Progress | Ended]()
        for outcome in scene.connection.receive(message * 1000, 0):
            outcomes.append(outcome)
            if outcome is Progress.OPENED:
                scene.connection.confirm(0)
        assert isinstance(outcomes[-1], Ended)
        assert len(outcomes) <= 2

    def test_an_open_of_more_octets_than_a_message_may_have_is_refused_at_its_header(self) -> None:
        scene = Scene()
        scene.taken()
        scene.hear(encode_open(peer_open())[:16] + b"\x10\x01\x01")
        assert scene.taken()[0] == sent(notification(1, 2, b"\x10\x01"))

    def test_octets_that_never_become_an_open_do_not_put_the_end_off(self) -> None:
        scene = Scene()
        scene.taken()
        endless = encode_open(peer_open())[:16] + b"\x10\x00\x01" + bytes(4096)
        for second in range(240):
            assert scene.hear(endless[second : second + 1], second * SECOND_NS) == []
        assert scene.connection.run_timers(240 * SECOND_NS) is not None
        assert scene.taken()[0] == sent(notification(4, 0))


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
    assert scene.connection.lost(reason) == Ended(
        words, lasting=False, kind=DownKind.LOST, cause=Cause.CONNECTION_CLOSED
    )
    assert scene.taken() == []
