"""A peer's dialling, back-off, administration and what it shows of itself. Collisions: see conformance."""

from dataclasses import replace
from itertools import count

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, TransportOptions
from felixbgp.bgp.facts import ConnectionRefused, SessionStateChanged
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected, TcpConnectFailed
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    SessionAction,
    SessionDown,
    SessionEstablished,
    UpdatesArrived,
)
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, NotificationMessage
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, Address

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
LOCAL, REMOTE = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
HERE, THERE = Endpoint(LOCAL, 40000), Endpoint(REMOTE, 1179)
OPTIONS = TransportOptions(ttl=1)

OPEN = encode_open(make_open(local_as=64513, hold_time_s=90, bgp_identifier=REMOTE, families=(IPV4,)))
KEEPALIVE = encode_keepalive()
REFUSED = "Connection refused"


def config(**parameters: object) -> PeerConfig:
    config = PeerConfig(
        peer=PeerId(REMOTE, 1179),
        name="tor",
        families=(IPV4,),
        local_as=64512,
        remote_as=64513,
        transport=OPTIONS,
    )
    return replace(config, **parameters)  # type: ignore[arg-type]


def make(**parameters: object) -> Peer:
    """A peer whose jitter always takes the whole quarter off."""
    numbers = count(1)
    speaker = SpeakerConfig(bgp_identifier=LOCAL, local_as=64512)
    return Peer(config(**parameters), speaker, lambda: 0.0, lambda: next(numbers))


def started(**parameters: object) -> Peer:
    peer = make(**parameters)
    peer.start(0)
    return peer


def established(peer: Peer, number: int = 1, now: int = 0) -> Peer:
    if number < 0:
        peer.accepted(TcpAccepted(number, HERE, THERE), now)
    else:
        peer.connected(TcpConnected(number, HERE, THERE), now)
    peer.received(number, OPEN, now)
    peer.received(number, KEEPALIVE, now)
    assert peer.established == number
    return peer


def notification(code: int, subcode: int) -> bytes:
    return encode_notification(NotificationMessage(code, subcode))


def transport(actions: list[SessionAction]) -> list[SessionAction]:
    return [action for action in actions if not isinstance(action, Observed)]


def changes(actions: list[SessionAction]) -> list[tuple[str, str, str]]:
    facts = [action.fact for action in actions if isinstance(action, Observed)]
    return [(fact.old, fact.new, fact.reason) for fact in facts if isinstance(fact, SessionStateChanged)]


def delay_until_dial(peer: Peer, now: int) -> int:
    """Let the next dial happen; gives how long it took, in milliseconds."""
    at = peer.next_deadline()
    assert at is not None
    (dial,) = transport(peer.run_timers(at))
    assert isinstance(dial, Connect)
    return (at - now) // MILLISECOND_NS


class TestDialling:
    def test_start_dials_at_once(self) -> None:
        actions = make().start(7)
        assert actions[0] == Connect(1, Endpoint(REMOTE, 1179), OPTIONS, 5 * SECOND_NS)
        assert changes(actions) == [("Idle", "Connect", "started")]

    def test_success_sends_an_open(self) -> None:
        actions = started().connected(TcpConnected(1, HERE, THERE), 0)
        (send,) = transport(actions)
        assert isinstance(send, SendBytes)
        assert send.chunks[0][18] == MessageType.OPEN

    def test_failures_are_retried_ever_slower_up_to_five_seconds(self) -> None:
        peer, delays, now = started(), [], 0
        for number in range(1, 8):
            peer.connect_failed(TcpConnectFailed(number, REFUSED), now)
            assert (peer.state, peer.last_error) == ("Active", REFUSED)
            delays.append(delay_until_dial(peer, now))
            now += delays[-1] * MILLISECOND_NS
        # 0.25 s doubling to 5 s, less a quarter each.
        assert delays == [187, 375, 750, 1500, 3000, 3750, 3750]

    @pytest.mark.parametrize(
        ("subcode", "cause", "told"),
        [
            (2, Cause.REFUSED, Cause.NOTIFICATION_RECEIVED),
            (2, Cause.TIMED_OUT, Cause.TIMED_OUT),
            (7, Cause.REFUSED, Cause.REFUSED),
        ],
        ids=["shut down and refuses", "shut down and silent", "a collision, then away"],
    )
    def test_who_said_that_it_is_shut_down_is_so_while_it_refuses(
        self, subcode: int, cause: Cause, told: Cause
    ) -> None:
        peer = established(started())
        peer.received(1, notification(6, subcode), 0)
        said = peer.last_error
        assert delay_until_dial(peer, 0) > 0
        peer.connect_failed(TcpConnectFailed(2, REFUSED, cause), SECOND_NS)
        assert (peer.cause, peer.last_error) == (told, said if told is not cause else REFUSED)

    def test_a_transport_that_never_answers_is_given_up_after_six_seconds(self) -> None:
        peer = started()
        assert peer.next_deadline() == 6 * SECOND_NS
        actions = peer.run_timers(6 * SECOND_NS)
        assert transport(actions) == [CloseConnection(1)]
        assert peer.last_error == "no answer to the connection attempt"
        assert peer.connected(TcpConnected(1, HERE, THERE), 6 * SECOND_NS) == []
        assert peer.connect_failed(TcpConnectFailed(1, "late"), 6 * SECOND_NS) == []

    def test_a_dial_goes_on_beside_an_incoming_connection_that_has_not_opened(self) -> None:
        peer = started()
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        assert peer.last_error == ""  # There is still a chance.
        assert delay_until_dial(peer, 0) == 187
        assert peer.state == "OpenSent"

    def test_a_passive_peer_never_dials(self) -> None:
        peer = make(passive=True)
        assert transport(peer.start(0)) == []
        assert (peer.state, peer.next_deadline()) == ("Active", None)
        established(peer, -1)
        peer.received(-1, notification(3, 1), 0)
        assert (peer.state, peer.next_deadline()) == ("Active", None)


class TestBackOff:
    def test_a_lasting_error_holds_the_peer_in_idle_ever_longer_up_to_a_minute(self) -> None:
        peer, delays, now = started(), [], 0
        for number in range(1, 9):
            peer.connected(TcpConnected(number, HERE, THERE), now)
            peer.received(number, notification(2, 2), now)
            assert peer.state == "Idle"
            delays.append(delay_until_dial(peer, now))
            now += delays[-1] * MILLISECOND_NS
        assert delays == [750, 1500, 3000, 6000, 12000, 24000, 45000, 45000]

    def test_idle_accepts_the_peer_which_ends_the_back_off(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.received(1, notification(2, 2), 0)
        established(peer, -1)
        peer.closed(TcpClosed(-1, ""), SECOND_NS)
        assert peer.state == "Active"

    def test_a_passing_failure_does_not_shorten_the_hold(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.received(1, notification(2, 2), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.closed(TcpClosed(-1, ""), 0)
        assert peer.state == "Idle"
        assert delay_until_dial(peer, 0) == 750

    def test_a_lasting_failure_of_the_peers_own_attempts_puts_our_dial_off(self) -> None:
        peer = started()
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(-1, notification(2, 2), 0)
        assert peer.state == "Idle"
        assert delay_until_dial(peer, 0) == 750

    def test_a_lasting_failure_does_not_bring_a_planned_dial_forward(self) -> None:
        peer = started()
        for number in range(1, 6):
            peer.connect_failed(TcpConnectFailed(number, REFUSED), 0)
            delay_until_dial(peer, 0)
        peer.connect_failed(TcpConnectFailed(6, REFUSED), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(-1, notification(2, 2), 0)
        assert delay_until_dial(peer, 0) == 3750

    def test_a_session_that_lasted_makes_the_next_retry_quick(self) -> None:
        peer = started()
        for number in (1, 2, 3):
            peer.connect_failed(TcpConnectFailed(number, REFUSED), 0)
            delay_until_dial(peer, 0)
        established(peer, 4)
        peer.closed(TcpClosed(4, ""), 30 * SECOND_NS)
        assert delay_until_dial(peer, 30 * SECOND_NS) == 187

    def test_a_session_that_did_not_last_does_not(self) -> None:
        peer = started()
        for number in (1, 2, 3):
            peer.connect_failed(TcpConnectFailed(number, REFUSED), 0)
            delay_until_dial(peer, 0)
        established(peer, 4)
        peer.closed(TcpClosed(4, ""), 29 * SECOND_NS)
        assert delay_until_dial(peer, 29 * SECOND_NS) == 1500


class TestStop:
    def test_ceases_then_closes_then_is_down_once_and_idle_for_good(self) -> None:
        peer = established(started())
        actions = peer.stop(5, 3, "no longer a peer")
        assert transport(actions) == [
            SendBytes(1, (notification(6, 3),)),
            CloseConnection(1),
            SessionDown("sent NOTIFICATION Cease: Peer De-configured", DownKind.HARD),
        ]
        assert (peer.state, peer.since, peer.next_deadline()) == ("Idle", 5, None)
        assert peer.last_error == "no longer a peer"
        assert (peer.established, peer.negotiated) == (None, None)
        assert transport(peer.stop(6, 3)) == []

    def test_tells_a_shutdown_in_words(self) -> None:
        (send, *_) = established(started()).stop(0, 2, "bye")
        assert isinstance(send, SendBytes)
        assert send.chunks[0][19:] == b"\x06\x02\x03bye"

    def test_without_words_has_those_of_the_standard(self) -> None:
        peer = started()
        assert transport(peer.stop(0, 2)) == [CloseConnection(1)]
        assert peer.last_error == "Cease: Administrative Shutdown"

    def test_ends_both_connections_of_a_collision(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        actions = transport(peer.stop(0, 6))
        assert [action for action in actions if isinstance(action, CloseConnection)] == [
            CloseConnection(1),
            CloseConnection(-1),
        ]

    def test_can_be_followed_by_a_start_with_fresh_back_off(self) -> None:
        peer = started()
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        peer.stop(0, 2)
        assert transport(peer.start(0)) == [Connect(2, Endpoint(REMOTE, 1179), OPTIONS, 5 * SECOND_NS)]
        peer.connect_failed(TcpConnectFailed(2, REFUSED), 0)
        assert delay_until_dial(peer, 0) == 187

    def test_before_any_start_connections_are_refused(self) -> None:
        actions = transport(make().accepted(TcpAccepted(-1, HERE, THERE), 0))
        assert actions == [SendBytes(-1, (notification(6, 5),)), CloseConnection(-1)]


class TestSession:
    def test_comes_up_with_what_was_negotiated(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 1)
        peer.received(1, OPEN, 2)
        actions = peer.received(1, KEEPALIVE, 3)
        assert peer.negotiated is not None
        assert transport(actions) == [SessionEstablished(1, peer.negotiated)]
        assert peer.negotiated.peer_identifier == REMOTE
        assert (peer.state, peer.since, peer.established) == ("Established", 3, 1)

    def test_shows_each_state_even_when_all_comes_in_one_chunk(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        actions = peer.received(1, OPEN + KEEPALIVE + frame(MessageType.UPDATE, bytes(4)), 0)
        assert changes(actions) == [
            ("OpenSent", "OpenConfirm", "OPEN received"),
            ("OpenConfirm", "Established", "KEEPALIVE received"),
        ]
        assert actions[-1] == UpdatesArrived([bytes(4)])

    def test_forgets_the_last_error(self) -> None:
        peer = started()
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        delay_until_dial(peer, 0)
        assert peer.last_error == REFUSED
        assert established(peer, 2).last_error == ""

    def test_fails_with_the_code_the_speaker_found(self) -> None:
        peer = established(started())
        actions = peer.fail(3, 9, b"\x01", 0)
        assert transport(actions) == [
            SendBytes(1, (encode_notification(NotificationMessage(3, 9, b"\x01")),)),
            CloseConnection(1),
            SessionDown("sent NOTIFICATION UPDATE Message Error: Optional Attribute Error", DownKind.HARD),
        ]
        assert peer.fail(3, 9, b"", 0) == []

    def test_ends_silently_with_its_tcp_connection(self) -> None:
        peer = established(started())
        actions = peer.closed(TcpClosed(1, ""), 0)
        assert transport(actions) == [
            SessionDown("connection closed by the peer in Established", DownKind.LOST)
        ]
        assert peer.closed(TcpClosed(1, ""), 0) == []

    def test_half_dead_ends_by_its_hold_timer(self) -> None:
        peer, now, ended = established(started()), 0, list[SessionAction]()
        while not ended:
            deadline = peer.next_deadline()
            assert deadline is not None
            now = deadline
            ended = [one for one in peer.run_timers(now) if isinstance(one, SessionDown)]
        assert ended == [SessionDown("hold timer expired", DownKind.HARD)]
        assert (now, peer.last_error) == (90 * SECOND_NS, "hold timer expired")

    def test_sending_an_update_puts_the_keepalive_off(self) -> None:
        peer = established(started())
        peer.sent(SECOND_NS)
        assert peer.next_deadline() == SECOND_NS + 22_500 * MILLISECOND_NS

    def test_what_was_heard_late_puts_the_end_off(self) -> None:
        peer = established(started())
        peer.heard(80 * SECOND_NS)
        peer.run_timers(169 * SECOND_NS)
        assert peer.state == "Established"
        peer.run_timers(170 * SECOND_NS)
        assert peer.last_error == "hold timer expired"

    def test_sent_and_heard_mean_nothing_without_a_session(self) -> None:
        peer = started()
        before = peer.next_deadline()
        peer.sent(SECOND_NS)
        peer.heard(SECOND_NS)
        assert peer.next_deadline() == before


class TestKeptDown:
    """By `fail` with a time, as for a peer that announces too many prefixes."""

    def down(self, hold_ns: int | None) -> Peer:
        peer = established(started())
        actions = peer.fail(6, 1, b"", 0, hold_ns=hold_ns)
        assert transport(actions) == [
            SendBytes(1, (notification(6, 1),)),
            CloseConnection(1),
            SessionDown("sent NOTIFICATION Cease: Maximum Number of Prefixes Reached", DownKind.HARD),
        ]
        assert peer.state == "Idle"
        return peer

    def test_refuses_connections_and_says_until_when(self) -> None:
        peer = self.down(60 * SECOND_NS)
        words = "sent NOTIFICATION Cease: Maximum Number of Prefixes Reached; down for 60 s"
        assert peer.last_error == words
        actions = transport(peer.accepted(TcpAccepted(-1, HERE, THERE), 59 * SECOND_NS))
        assert actions == [SendBytes(-1, (notification(6, 5),)), CloseConnection(-1)]
        assert (peer.state, peer.last_error) == ("Idle", words)

    def test_dials_when_the_time_is_over(self) -> None:
        peer = self.down(60 * SECOND_NS)
        assert peer.next_deadline() == 60 * SECOND_NS
        actions = peer.run_timers(60 * SECOND_NS)
        assert transport(actions) == [Connect(2, Endpoint(REMOTE, 1179), OPTIONS, 5 * SECOND_NS)]
        assert changes(actions) == [("Idle", "Connect", "back after the time it was to stay down")]

    def test_without_a_time_waits_for_a_start(self) -> None:
        peer = self.down(None)
        assert peer.last_error.endswith("; down until started again")
        assert peer.next_deadline() is None
        assert transport(peer.start(0)) == [Connect(2, Endpoint(REMOTE, 1179), OPTIONS, 5 * SECOND_NS)]

    def test_is_started_before_its_time_by_a_start(self) -> None:
        peer = self.down(60 * SECOND_NS)
        assert transport(peer.start(0)) == [Connect(2, Endpoint(REMOTE, 1179), OPTIONS, 5 * SECOND_NS)]
        established(peer, 2)
        assert peer.received(2, KEEPALIVE, 30 * SECOND_NS) == []
        assert transport(peer.run_timers(60 * SECOND_NS)) == [SendBytes(2, (KEEPALIVE,))]

    def test_stays_down_for_good_after_a_stop(self) -> None:
        peer = self.down(60 * SECOND_NS)
        peer.stop(0, 2)
        assert (peer.next_deadline(), peer.last_error) == (None, "Cease: Administrative Shutdown")

    def test_goes_back_to_listening_when_it_is_passive(self) -> None:
        peer = started(passive=True)
        established(peer, -1).fail(6, 1, b"", 0, hold_ns=SECOND_NS)
        assert transport(peer.run_timers(SECOND_NS)) == []
        assert peer.state == "Active"

    def test_means_nothing_without_a_session(self) -> None:
        peer = started()
        assert peer.fail(6, 1, b"", 0, hold_ns=None) == []
        assert peer.state == "Connect"


class TestShutdownCommunication:
    """RFC 9003: at most 255 octets of UTF-8."""

    @pytest.mark.parametrize(
        ("text", "octets"),
        [
            ("", b""),
            ("x" * 255, b"\xff" + b"x" * 255),
            ("x" * 256, b"\xff" + b"x" * 255),
            ("\u00e9" * 128, b"\xfe" + "\u00e9".encode() * 127),  # No half of a character.
            ("x" + "\U0001f6d1" * 64, b"\xfd" + b"x" + "\U0001f6d1".encode() * 63),
        ],
    )
    @pytest.mark.parametrize("subcode", [2, 4])
    def test_is_cut_at_a_character(self, subcode: int, text: str, octets: bytes) -> None:
        (send, *_) = established(started()).stop(0, subcode, text)
        assert isinstance(send, SendBytes)
        assert send.chunks[0][19:] == bytes((6, subcode)) + octets

    def test_goes_with_no_other_subcode(self) -> None:
        (send, *_) = established(started()).stop(0, 3, "sold")
        assert isinstance(send, SendBytes)
        assert send.chunks[0][19:] == b"\x06\x03"


class TestFlood:
    """Of connections, by a peer that does not take no for an answer."""

    def turned_away(self, peer: Peer, first: int, now: int) -> list[int]:
        """Which of ten connections are; only the first one beyond the allowance is told why."""
        away = []
        for number in range(first, first + 10):
            actions = transport(peer.accepted(TcpAccepted(-number, HERE, THERE), now))
            if CloseConnection(-number) in actions:
                told = [SendBytes(-number, (notification(6, 5),))] if number == 11 else []
                assert actions == [*told, CloseConnection(-number)]
                away.append(number)
        return away

    def test_is_refused_beyond_ten_in_ten_seconds(self) -> None:
        peer = started()
        assert self.turned_away(peer, 1, 0) == []
        assert self.turned_away(peer, 11, 10 * SECOND_NS - 1) == list(range(11, 21))
        assert self.turned_away(peer, 21, 10 * SECOND_NS) == []

    def test_is_told_of_once_and_leaves_the_last_good_connection_alone(self) -> None:
        peer = started()
        self.turned_away(peer, 1, 0)
        told = Observed(ConnectionRefused("192.0.2.2", "too many connections"))
        assert told in peer.accepted(TcpAccepted(-11, HERE, THERE), 0)
        assert peer.accepted(TcpAccepted(-12, HERE, THERE), 0) == [CloseConnection(-12)]
        peer.received(-10, OPEN + KEEPALIVE, 0)
        assert peer.established == -10

    def test_of_a_stopped_peer_makes_no_more_noise(self) -> None:
        peer = make()
        for number in range(1, 11):
            assert SendBytes(-number, (notification(6, 5),)) in peer.accepted(
                TcpAccepted(-number, HERE, THERE), 0
            )
        assert len(peer.accepted(TcpAccepted(-11, HERE, THERE), 0)) == 3
        assert peer.accepted(TcpAccepted(-12, HERE, THERE), 0) == [CloseConnection(-12)]


class TestDelayedOpen:
    def test_is_said_after_its_time(self) -> None:
        peer = started(delay_open_s=5)
        assert peer.connected(TcpConnected(1, HERE, THERE), 0) == []
        assert (peer.state, peer.next_deadline()) == ("Connect", 5 * SECOND_NS)
        actions = peer.run_timers(5 * SECOND_NS)
        assert changes(actions) == [("Connect", "OpenSent", "DelayOpenTimer expired")]

    def test_is_said_at_once_to_a_peer_that_spoke_first(self) -> None:
        peer = started(delay_open_s=5)
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        opened, keepalive = transport(peer.received(1, OPEN, SECOND_NS))
        assert isinstance(opened, SendBytes)
        assert opened.chunks[0][18] == MessageType.OPEN
        assert keepalive == SendBytes(1, (KEEPALIVE,))
        assert peer.state == "OpenConfirm"

    def test_that_the_peer_does_not_wait_for_leads_to_a_new_attempt(self) -> None:
        peer = started(delay_open_s=5)
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.closed(TcpClosed(1, ""), 0)
        assert (peer.state, peer.last_error) == ("Active", "connection closed by the peer in Connect")
        assert delay_until_dial(peer, 0) == 187


class TestConnectRetryCounter:
    def test_counts_attempts_and_connections_that_came_to_their_end(self) -> None:
        peer = started()
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        delay_until_dial(peer, 0)
        established(peer, 2)
        assert peer.connect_retry_count == 1
        peer.closed(TcpClosed(2, ""), 0)
        assert peer.connect_retry_count == 2

    def test_begins_anew_with_a_stop(self) -> None:
        peer = started()
        peer.connect_failed(TcpConnectFailed(1, REFUSED), 0)
        peer.stop(0, 2)
        assert peer.connect_retry_count == 0


def test_a_parameter_changed_in_place_leaves_the_session_alone() -> None:
    peer = established(started())
    peer.update_config(config(name="spine"), 0)
    assert (peer.config.name, peer.established) == ("spine", 1)
    (change,) = [
        action.fact
        for action in peer.closed(TcpClosed(1, ""), 0)
        if isinstance(action, Observed) and isinstance(action.fact, SessionStateChanged)
    ]
    assert change.name == "spine"


class TestWhoDials:
    """A change of `passive`, which no session that is up notices."""

    def test_changes_nothing_of_a_session(self) -> None:
        peer = established(started())
        peer.update_config(config(passive=True), 0)
        peer.update_config(config(), 0)
        assert peer.established == 1
        assert transport(peer.run_timers(0)) == []

    def test_dials_at_once_where_it_only_waited(self) -> None:
        peer = started(passive=True)
        assert peer.next_deadline() is None
        peer.update_config(config(), 7)
        assert delay_until_dial(peer, 7) == 0

    def test_waits_where_the_next_dial_was_planned(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.received(1, notification(6, 3), 0)
        assert peer.state == "Idle"
        peer.update_config(config(passive=True), 0)
        assert peer.next_deadline() is None
        peer.run_timers(0)
        assert peer.state == "Active"

    def test_goes_on_with_the_dial_that_is_under_way(self) -> None:
        peer = started()
        peer.update_config(config(passive=True), 0)
        assert established(peer).established == 1

    def test_does_not_dial_while_it_is_stopped(self) -> None:
        peer = make(passive=True)
        peer.update_config(config(), 0)
        assert peer.next_deadline() is None


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (notification(6, 3), "received NOTIFICATION Cease: Peer De-configured"),
        (bytes(19), "Message Header Error: Connection Not Synchronized: the marker is not all ones"),
        (
            KEEPALIVE,
            "sent NOTIFICATION Finite State Machine Error: Receive Unexpected Message in OpenSent State",
        ),
    ],
)
def test_the_last_error_is_in_words(octets: bytes, words: str) -> None:
    peer = started()
    peer.connected(TcpConnected(1, HERE, THERE), 0)
    peer.received(1, octets, 0)
    assert peer.last_error == words


def test_octets_of_an_unknown_connection_are_ignored() -> None:
    assert started().received(-9, OPEN, 0) == []


class TestTwoConnections:
    """In short; the whole is in the conformance tests. We are 192.0.2.1, and 192.0.2.2 dominates."""

    def test_the_dominant_peers_own_stays(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(1, OPEN, 0)
        actions = transport(peer.received(-1, OPEN, 0))
        cease = SendBytes(1, (notification(6, 7),))
        assert actions == [SendBytes(-1, (KEEPALIVE,)), cease, CloseConnection(1)]

    def test_the_first_to_be_established_stays(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(1, OPEN, 0)
        actions = transport(peer.received(1, KEEPALIVE, 0))
        assert actions[:2] == [SendBytes(-1, (notification(6, 7),)), CloseConnection(-1)]
        assert isinstance(actions[2], SessionEstablished)

    def test_ours_stays_against_a_lower_peer(self) -> None:
        lower = Address.parse("192.0.2.0")
        message = make_open(local_as=64513, hold_time_s=90, bgp_identifier=lower, families=(IPV4,))
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        actions = transport(peer.received(-1, encode_open(message), 0))
        assert actions == [SendBytes(-1, (notification(6, 7),)), CloseConnection(-1)]

    def test_a_peer_that_never_speaks_on_the_one_that_stays_is_not_waited_for_long(self) -> None:
        lower = Address.parse("192.0.2.0")
        message = make_open(local_as=64513, hold_time_s=90, bgp_identifier=lower, families=(IPV4,))
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(-1, encode_open(message), SECOND_NS)
        assert peer.next_deadline() == 11 * SECOND_NS
        actions = transport(peer.run_timers(11 * SECOND_NS))
        assert actions == [SendBytes(1, (notification(4, 0),)), CloseConnection(1)]
        assert delay_until_dial(peer, 11 * SECOND_NS) < 1000

    def test_a_peer_that_reads_only_what_it_dialled_has_its_session_the_second_time(self) -> None:
        lower = Address.parse("192.0.2.0")
        message = make_open(local_as=64513, hold_time_s=90, bgp_identifier=lower, families=(IPV4,))
        peer = started()
        now = 0
        for ours, theirs in ((1, -1), (2, -2), (3, -3)):
            peer.connected(TcpConnected(ours, HERE, THERE), now)
            peer.accepted(TcpAccepted(theirs, HERE, THERE), now)
            actions = transport(peer.received(theirs, encode_open(message) + KEEPALIVE, now))
            kept = theirs if ours == 2 else ours
            assert CloseConnection(ours + theirs - kept) in actions
            assert peer.established == (theirs if ours == 2 else None)
            if peer.established is not None:
                # A session is the end of the exception: the next collision is decided by rule 4 again.
                peer.closed(TcpClosed(theirs, ""), now)
            else:
                now += 10 * SECOND_NS
                peer.run_timers(now)
            now += delay_until_dial(peer, now) * MILLISECOND_NS

    def test_a_connection_that_was_kept_and_spoken_on_was_no_bad_choice(self) -> None:
        lower = Address.parse("192.0.2.0")
        message = make_open(local_as=64513, hold_time_s=90, bgp_identifier=lower, families=(IPV4,))
        peer = started()
        for ours, theirs in ((1, -1), (2, -2)):
            peer.connected(TcpConnected(ours, HERE, THERE), 0)
            peer.accepted(TcpAccepted(theirs, HERE, THERE), 0)
            actions = transport(peer.received(theirs, encode_open(message), 0))
            assert actions == [SendBytes(theirs, (notification(6, 7),)), CloseConnection(theirs)]
            peer.received(ours, encode_open(message), 0)
            peer.closed(TcpClosed(ours, ""), 0)
            delay_until_dial(peer, 0)

    def test_an_exception_is_made_for_silence_alone(self) -> None:
        """Once both connections have an OPEN, identifiers decide as ever."""
        lower = Address.parse("192.0.2.0")
        message = make_open(local_as=64513, hold_time_s=90, bgp_identifier=lower, families=(IPV4,))
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.received(-1, encode_open(message), 0)
        peer.run_timers(10 * SECOND_NS)
        now = 10 * SECOND_NS + delay_until_dial(peer, 10 * SECOND_NS) * MILLISECOND_NS
        peer.connected(TcpConnected(2, HERE, THERE), now)
        peer.accepted(TcpAccepted(-2, HERE, THERE), now)
        assert transport(peer.received(-2, encode_open(message), now)) == [SendBytes(-2, (KEEPALIVE,))]
        actions = transport(peer.received(2, encode_open(message), now))
        assert actions[1:] == [SendBytes(-2, (notification(6, 7),)), CloseConnection(-2)]
        peer.accepted(TcpAccepted(-3, HERE, THERE), now)
        actions = transport(peer.received(-3, encode_open(message), now))
        assert actions == [SendBytes(-3, (notification(6, 7),)), CloseConnection(-3)]

    def test_the_end_of_one_calls_for_no_dial_while_ours_is_alive(self) -> None:
        peer = started()
        peer.connected(TcpConnected(1, HERE, THERE), 0)
        peer.accepted(TcpAccepted(-1, HERE, THERE), 0)
        peer.closed(TcpClosed(-1, ""), 0)
        assert (peer.state, peer.next_deadline()) == ("OpenSent", 240 * SECOND_NS)

    def test_an_established_session_refuses_another(self) -> None:
        peer = established(started())
        actions = transport(peer.accepted(TcpAccepted(-1, HERE, THERE), 0))
        assert actions == [SendBytes(-1, (notification(6, 7),)), CloseConnection(-1)]


def test_a_second_start_is_overlooked() -> None:
    peer = started()
    assert peer.start(1) == []
