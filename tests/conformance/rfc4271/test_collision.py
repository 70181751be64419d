"""RFC 4271 §6.8: of two connections to one peer, the one dialled by the higher BGP identifier stays."""

from itertools import count

import pytest

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, SendBytes
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpConnected
from felixbgp.bgp.session.actions import SessionAction
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import MessageType
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, Address

LOW, HIGH = Address.parse("9.255.255.255"), Address.parse("192.0.2.1")
END = Endpoint(HIGH, 179)
OUTGOING, INCOMING = 1, -1
KEEPALIVE = encode_keepalive()

WE_ARE_HIGHER = (HIGH, 64512, LOW, 64513)
WE_ARE_LOWER = (LOW, 64512, HIGH, 64513)
SAME_IDENTIFIER_HIGHER_AS = (LOW, 64513, LOW, 64512)
SAME_IDENTIFIER_LOWER_AS = (LOW, 64512, LOW, 64513)
Sides = tuple[Address, int, Address, int]


class Scene:
    """A peer with two connections in OpenSent, and its own view of who dominates."""

    def __init__(self, sides: Sides, *, detect_collision_established: bool = False) -> None:
        numbers = count(1)
        identifier, local_as, self.peer_identifier, self.peer_as = sides
        config = PeerConfig(
            peer=PeerId(HIGH),
            name="tor",
            families=(IPV4,),
            local_as=local_as,
            remote_as=self.peer_as,
            detect_collision_established=detect_collision_established,
        )
        speaker = SpeakerConfig(bgp_identifier=identifier, local_as=local_as)
        self.peer = Peer(config, speaker, lambda: 0.5, lambda: next(numbers))
        self.peer.start(0)

    def both_up(self) -> "Scene":
        self.peer.accepted(TcpAccepted(INCOMING, END, END), 0)
        self.peer.connected(TcpConnected(OUTGOING, END, END), 0)
        return self

    def open(self, connection: int) -> list[str]:
        message = make_open(
            local_as=self.peer_as, hold_time_s=90, bgp_identifier=self.peer_identifier, families=(IPV4,)
        )
        return shown(self.peer.received(connection, encode_open(message), 0))

    def keepalive(self, connection: int) -> list[str]:
        return shown(self.peer.received(connection, KEEPALIVE, 0))


def shown(actions: list[SessionAction]) -> list[str]:
    """The transport's part of the actions."""
    words = []
    for action in actions:
        if isinstance(action, CloseConnection):
            words.append(f"close {action.connection}")
        elif isinstance(action, SendBytes):
            (message,) = action.chunks
            kind = MessageType(message[18])
            codes = f" {message[19]}/{message[20]}" if kind is MessageType.NOTIFICATION else ""
            words.append(f"{kind.name}{codes} to {action.connection}")
    return words


def given_up(connection: int) -> list[str]:
    return [f"NOTIFICATION 6/7 to {connection}", f"close {connection}"]


@pytest.mark.parametrize("sides", [WE_ARE_HIGHER, SAME_IDENTIFIER_HIGHER_AS])
def test_the_dominant_side_keeps_its_own_when_its_open_is_first(sides: Sides) -> None:
    scene = Scene(sides).both_up()
    assert scene.open(OUTGOING) == [f"KEEPALIVE to {OUTGOING}", *given_up(INCOMING)]


@pytest.mark.parametrize("sides", [WE_ARE_HIGHER, SAME_IDENTIFIER_HIGHER_AS])
def test_the_dominant_side_keeps_its_own_when_the_open_of_the_other_is_first(sides: Sides) -> None:
    scene = Scene(sides).both_up()
    assert scene.open(INCOMING) == given_up(INCOMING)
    assert scene.open(OUTGOING) == [f"KEEPALIVE to {OUTGOING}"]


@pytest.mark.parametrize("sides", [WE_ARE_LOWER, SAME_IDENTIFIER_LOWER_AS])
def test_the_other_side_keeps_the_incoming_one_as_soon_as_it_has_an_open(sides: Sides) -> None:
    scene = Scene(sides).both_up()
    assert scene.open(INCOMING) == [f"KEEPALIVE to {INCOMING}", *given_up(OUTGOING)]


@pytest.mark.parametrize("sides", [WE_ARE_LOWER, SAME_IDENTIFIER_LOWER_AS])
def test_the_other_side_goes_on_with_its_own_until_the_dominant_one_has_an_open(sides: Sides) -> None:
    scene = Scene(sides).both_up()
    assert scene.open(OUTGOING) == [f"KEEPALIVE to {OUTGOING}"]
    assert scene.open(INCOMING) == [f"KEEPALIVE to {INCOMING}", *given_up(OUTGOING)]


def test_a_keepalive_on_the_lower_sides_own_proves_that_it_was_kept() -> None:
    scene = Scene(WE_ARE_LOWER).both_up()
    scene.open(OUTGOING)
    assert scene.keepalive(OUTGOING) == given_up(INCOMING)
    assert scene.peer.established == OUTGOING


@pytest.mark.parametrize("sides", [WE_ARE_HIGHER, WE_ARE_LOWER])
def test_a_dial_under_way_is_cancelled_by_an_open_on_the_incoming_one(sides: Sides) -> None:
    scene = Scene(sides)
    scene.peer.accepted(TcpAccepted(INCOMING, END, END), 0)
    assert scene.open(INCOMING) == [f"close {OUTGOING}", f"KEEPALIVE to {INCOMING}"]
    assert scene.peer.connected(TcpConnected(OUTGOING, END, END), 0) == []


@pytest.mark.parametrize("sides", [WE_ARE_HIGHER, WE_ARE_LOWER])
@pytest.mark.parametrize("kept", [OUTGOING, INCOMING])
def test_an_established_session_yields_to_no_newcomer(sides: Sides, kept: int) -> None:
    scene = Scene(sides)
    if kept == OUTGOING:
        scene.peer.connected(TcpConnected(OUTGOING, END, END), 0)
    else:
        scene.peer.accepted(TcpAccepted(INCOMING, END, END), 0)
    scene.open(kept)
    scene.keepalive(kept)
    assert shown(scene.peer.accepted(TcpAccepted(-2, END, END), 0)) == given_up(-2)
    assert (scene.peer.established, scene.peer.last_error) == (kept, "")


class TestCollisionDetectEstablishedState:
    """RFC 4271 §6.8 and §8.1.1: the session takes part in collisions as well."""

    def established(self, sides: Sides, kept: int) -> Scene:
        scene = Scene(sides, detect_collision_established=True)
        if kept == OUTGOING:
            scene.peer.connected(TcpConnected(OUTGOING, END, END), 0)
        else:
            scene.peer.accepted(TcpAccepted(INCOMING, END, END), 0)
        scene.open(kept)
        scene.keepalive(kept)
        assert shown(scene.peer.accepted(TcpAccepted(-2, END, END), 0)) == ["OPEN to -2"]
        assert scene.peer.established == kept
        return scene

    @pytest.mark.parametrize("sides", [WE_ARE_HIGHER, SAME_IDENTIFIER_HIGHER_AS])
    @pytest.mark.parametrize("kept", [OUTGOING, INCOMING])
    def test_the_dominant_side_closes_the_newcomer_at_its_open(self, sides: Sides, kept: int) -> None:
        scene = self.established(sides, kept)
        assert scene.open(-2) == given_up(-2)
        assert scene.peer.established == kept

    @pytest.mark.parametrize("sides", [WE_ARE_LOWER, SAME_IDENTIFIER_LOWER_AS])
    @pytest.mark.parametrize("kept", [OUTGOING, INCOMING])
    def test_the_other_side_closes_the_session_and_goes_on_with_the_newcomer(
        self, sides: Sides, kept: int
    ) -> None:
        scene = self.established(sides, kept)
        assert scene.open(-2) == ["KEEPALIVE to -2", *given_up(kept)]
        assert scene.peer.state == "OpenConfirm"
        scene.keepalive(-2)
        assert scene.peer.established == -2


def test_a_second_incoming_connection_replaces_the_first() -> None:
    scene = Scene(WE_ARE_LOWER)
    scene.peer.accepted(TcpAccepted(INCOMING, END, END), 0)
    newer = scene.peer.accepted(TcpAccepted(-2, END, END), 0)
    assert shown(newer) == ["OPEN to -2", *given_up(INCOMING)]
    assert scene.open(INCOMING) == []
    assert scene.open(-2) == [f"close {OUTGOING}", "KEEPALIVE to -2"]


def test_losing_a_collision_is_no_error_and_calls_for_no_further_dial() -> None:
    scene = Scene(WE_ARE_LOWER).both_up()
    scene.open(INCOMING)
    scene.keepalive(INCOMING)
    hold_time_ns = scene.peer._connections[INCOMING].negotiated.hold_time_ns
    assert scene.peer.last_error == ""
    deadline = scene.peer.next_deadline()
    assert deadline is not None
    assert 0.75 * hold_time_ns / 3 <= deadline <= hold_time_ns / 3  # the KEEPALIVE, and no dial before it
