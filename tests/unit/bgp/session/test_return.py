"""Graceful restart, from the session's side: what is said of our restart, and a peer that comes back."""

from itertools import count

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    SessionAction,
    SessionDown,
    SessionEstablished,
)
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.capabilities import CapabilityCode, graceful_restart
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification
from felixbgp.bgp.wire.messages import Capability, MessageType, NotificationMessage
from felixbgp.bgp.wire.open import decode_open, encode_open, make_open
from felixbgp.net import IPV4, Address, Family

SECOND_NS = 1_000_000_000
LOCAL, REMOTE = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
HERE, THERE = Endpoint(LOCAL, 179), Endpoint(REMOTE, 40000)
KEEPALIVE = encode_keepalive()
OLD, NEW = -1, -2
RESTART = GracefulRestart()
REPLACED = "replaced by a new connection of the peer"


def capability(*families: Family) -> Capability:
    restarted = ((family, True) for family in families)
    return graceful_restart(60, restarted, restarting=True, notification=True)


def peer_open(*extra: Capability) -> bytes:
    return encode_open(
        make_open(local_as=64513, hold_time_s=90, bgp_identifier=REMOTE, families=(IPV4,), extra=extra)
    )


OPEN = peer_open(capability(IPV4))


def make(*, ours: GracefulRestart | None = RESTART) -> Peer:
    numbers = count(1)
    config = PeerConfig(
        peer=PeerId(REMOTE),
        name="tor",
        families=(IPV4,),
        local_as=64512,
        remote_as=64513,
        graceful_restart=ours,
    )
    speaker = SpeakerConfig(bgp_identifier=LOCAL, local_as=64512)
    return Peer(config, speaker, lambda: 0.0, lambda: next(numbers))


def established(*, ours: GracefulRestart | None = RESTART, theirs: bytes = OPEN) -> Peer:
    peer = make(ours=ours)
    peer.start(0)
    peer.accepted(TcpAccepted(OLD, HERE, THERE), 0)
    peer.received(OLD, theirs + KEEPALIVE, 0)
    assert peer.established == OLD
    return peer


def transport(actions: list[SessionAction]) -> list[SessionAction]:
    return [action for action in actions if not isinstance(action, Observed)]


def path(actions: list[SessionAction]) -> list[tuple[str, str]]:
    facts = [action.fact for action in actions if isinstance(action, Observed)]
    return [(fact.new, fact.reason) for fact in facts if isinstance(fact, SessionStateChanged)]


def cease(connection: int, subcode: int) -> list[SessionAction]:
    message = encode_notification(NotificationMessage(6, subcode))
    return [SendBytes(connection, (message,)), CloseConnection(connection)]


def told(actions: list[SessionAction]) -> tuple[bool, bool]:
    """The R bit of the OPEN among the actions, and the F bit of its family."""
    messages = [action.chunks[0] for action in actions if isinstance(action, SendBytes)]
    (message,) = [one for one in messages if one[18] == MessageType.OPEN]
    capabilities = decode_open(message[19:]).capabilities
    (value,) = [one.value for one in capabilities if one.code == CapabilityCode.GRACEFUL_RESTART]
    return bool(value[0] & 0x80), bool(value[5] & 0x80)


class TestOurRestart:
    """The R and F bits (RFC 4724 §3, RFC 8538 §4)."""

    @pytest.mark.parametrize("preserved", [True, False])
    def test_is_told_in_every_open_until_a_session_is_established(self, preserved: bool) -> None:
        peer = make(ours=GracefulRestart(forwarding_preserved=preserved))
        peer.start(0, restarting=True)
        assert told(peer.connected(TcpConnected(1, HERE, THERE), 0)) == (True, preserved)
        peer.closed(TcpClosed(1, ""), 0)
        assert told(peer.accepted(TcpAccepted(OLD, HERE, THERE), 0)) == (True, preserved)
        peer.received(OLD, OPEN + KEEPALIVE, 0)
        peer.closed(TcpClosed(OLD, ""), 0)
        assert told(peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)) == (False, True)

    def test_that_was_none_has_preserved_nothing_either(self) -> None:
        peer = make(ours=GracefulRestart(forwarding_preserved=True))
        peer.start(0)
        assert told(peer.connected(TcpConnected(1, HERE, THERE), 0)) == (False, False)

    def test_is_over_with_a_stop_while_forwarding_goes_on(self) -> None:
        peer = make()
        peer.start(0, restarting=True)
        peer.accepted(TcpAccepted(OLD, HERE, THERE), 0)
        peer.received(OLD, OPEN + KEEPALIVE, 0)
        peer.stop(0, 4)
        peer.start(0)
        assert told(peer.connected(TcpConnected(2, HERE, THERE), 0)) == (False, True)

    def test_is_none_where_the_same_speaker_is_configured_anew(self) -> None:
        peer = make()
        peer.start(0, returning=True)
        assert told(peer.connected(TcpConnected(1, HERE, THERE), 0)) == (False, True)


class TestAPeerThatComesBack:
    """RFC 4724 §4.2 and §5, on a new connection while the old session is Established."""

    def test_replaces_the_session_once_its_keepalive_is_here(self) -> None:
        peer = established()
        (ours,) = transport(peer.accepted(TcpAccepted(NEW, HERE, THERE), SECOND_NS))
        assert isinstance(ours, SendBytes)
        assert transport(peer.received(NEW, OPEN, SECOND_NS)) == [SendBytes(NEW, (KEEPALIVE,))]
        assert (peer.state, peer.established) == ("Established", OLD)
        actions = peer.received(NEW, KEEPALIVE, 2 * SECOND_NS)
        assert peer.negotiated is not None
        assert transport(actions) == [
            CloseConnection(OLD),
            SessionDown(REPLACED, DownKind.LOST),
            SessionEstablished(NEW, peer.negotiated),
        ]
        assert path(actions) == [("OpenConfirm", REPLACED), ("Established", "KEEPALIVE received")]
        assert (peer.established, peer.since, peer.last_error) == (NEW, 2 * SECOND_NS, "")
        assert peer.next_deadline() == 23_500_000_000  # The KEEPALIVE, and no dial before it.

    def test_is_heard_on_the_new_connection_alone(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        peer.received(NEW, OPEN + KEEPALIVE, 0)
        assert peer.received(OLD, KEEPALIVE, 0) == []
        assert peer.closed(TcpClosed(OLD, "Connection reset by peer"), 0) == []
        assert peer.established == NEW

    def test_may_try_again_before_that(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        actions = transport(peer.accepted(TcpAccepted(-3, HERE, THERE), 0))
        assert actions[1:] == cease(NEW, 7)
        peer.received(-3, OPEN + KEEPALIVE, 0)
        assert peer.established == -3

    def test_does_not_end_the_session_with_the_late_loser_of_a_collision(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        collided = encode_notification(NotificationMessage(6, 7))
        actions = transport(peer.received(NEW, OPEN + collided, 0))
        assert actions == [SendBytes(NEW, (KEEPALIVE,)), CloseConnection(NEW)]
        assert (peer.established, peer.last_error) == (OLD, "")

    def test_does_not_end_the_session_with_an_open_that_is_wrong(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        wrong = make_open(local_as=64999, hold_time_s=90, bgp_identifier=REMOTE, families=(IPV4,))
        peer.received(NEW, encode_open(wrong), 0)
        assert (peer.established, peer.state) == (OLD, "Established")

    def test_goes_on_where_the_old_session_ends_by_itself_meanwhile(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        peer.received(NEW, OPEN, 0)
        actions = peer.closed(TcpClosed(OLD, ""), 0)
        assert transport(actions) == [
            SessionDown("connection closed by the peer in Established", DownKind.LOST)
        ]
        assert peer.state == "OpenConfirm"
        (up,) = transport(peer.received(NEW, KEEPALIVE, 0))
        assert isinstance(up, SessionEstablished)

    def test_is_refused_when_the_session_is_to_stay_down(self) -> None:
        peer = established()
        peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)
        actions = transport(peer.fail(6, 1, b"", 0, hold_ns=None))
        assert actions[-2:] == cease(NEW, 5)
        assert peer.last_error.endswith("Maximum Number of Prefixes Reached; down until started again")
        assert (peer.state, peer.next_deadline()) == ("Idle", None)

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [(None, OPEN), (RESTART, peer_open()), (RESTART, peer_open(capability()))],
        ids=["we have none", "the peer has none", "the peer has it for no family"],
    )
    def test_is_refused_without_graceful_restart_on_both_sides(
        self, ours: GracefulRestart | None, theirs: bytes
    ) -> None:
        peer = established(ours=ours, theirs=theirs)
        assert transport(peer.accepted(TcpAccepted(NEW, HERE, THERE), 0)) == cease(NEW, 7)


class TestStop:
    """RFC 8538 §5.1; locally the routes of a stopped peer go, unless another session follows."""

    @pytest.mark.parametrize(
        ("subcode", "message", "kind"),
        [
            (2, NotificationMessage(6, 9, b"\x06\x02\x03bye"), DownKind.HARD),
            (3, NotificationMessage(6, 9, b"\x06\x03"), DownKind.HARD),
            (4, NotificationMessage(6, 4, b"\x03bye"), DownKind.LOST),
            (6, NotificationMessage(6, 6), DownKind.LOST),
        ],
        ids=["shutdown", "removed", "reset", "changed"],
    )
    def test_is_hard_for_the_peer_where_it_is_for_good(
        self, subcode: int, message: NotificationMessage, kind: DownKind
    ) -> None:
        actions = transport(established().stop(0, subcode, "bye"))
        assert actions[0] == SendBytes(OLD, (encode_notification(message),))
        (down,) = [action for action in actions if isinstance(action, SessionDown)]
        assert down.kind is kind
