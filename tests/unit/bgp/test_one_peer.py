"""What the agent asks of one peer, to decide what it may do to it."""

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.wire.capabilities import graceful_restart
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.errors import ErrorCode
from felixbgp.bgp.wire.messages import Capability
from felixbgp.net import IPV4, IPV6, Address
from tests.support.paths import OUR_AS
from tests.support.played import Played
from tests.support.speakers import Network, Node

BLOCK = "10.1.0.0/24"
RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True)
HOLD_TIME_S = 90


def offered(*families: tuple[int, int], notification: bool = True) -> Capability:
    known = [(family, True) for family in (IPV4, IPV6) if family in families]
    return graceful_restart(120, known, restarting=False, notification=notification)


@pytest.fixture
def node() -> Node:
    return Network().node("10.0.0.1", asn=OUR_AS)


def played(node: Node, **parameters: object) -> Played:
    return Played(node, "10.0.0.2", asn=None, graceful_restart=RESTART, families=(IPV4, IPV6), **parameters)


def test_of_one_that_is_no_peer_there_is_nothing(node: Node) -> None:
    speaker, stranger = node.speaker, PeerId(Address.parse("10.0.0.9"))
    speaker.note(stranger, "who?")
    speaker.note_presence(stranger, Presence.DEAD, "who?", node.network.now)
    assert speaker.peers() == []
    assert (speaker.config_of(stranger), speaker.transport_of(stranger)) == (None, None)
    assert speaker.session_count(stranger) == 0
    questions = (
        speaker.is_up,
        speaker.has_table_of,
        speaker.has_routes_of,
        speaker.is_missed,
        speaker.loses_by_reset,
    )
    assert not any(question(stranger) for question in questions)


def test_a_session_comes_tells_its_table_and_goes(node: Node) -> None:
    other = played(node)
    speaker, peer = node.speaker, PeerId(other.address)

    def seen() -> tuple[bool, int, bool, bool, bool]:
        return (
            speaker.is_up(peer),
            speaker.session_count(peer),
            speaker.has_table_of(peer),
            speaker.has_routes_of(peer),
            speaker.is_missed(peer),
        )

    assert seen() == (False, 0, False, False, True)
    assert speaker.config_of(peer) == node.peers[peer]
    assert speaker.transport_of(peer) == node.peers[peer].transport
    other.establish(offered(IPV4))
    assert seen() == (True, 1, False, True, False)
    other.announce(BLOCK)
    assert seen() == (True, 1, False, True, False)
    other.end_of_rib()
    assert seen() == (True, 1, True, True, False)
    other.hang_up()
    assert seen() == (False, 1, False, True, True)  # What it announced is kept.
    other.establish(offered(IPV4))
    assert seen() == (True, 2, False, True, False)
    other.withdraw(BLOCK)
    other.hang_up()
    assert seen() == (False, 2, False, False, True)


@pytest.mark.parametrize(
    ("capabilities", "loses"),
    [
        ((), True),
        ((offered(IPV4, IPV6, notification=False),), True),
        ((offered(IPV4),), True),
        ((offered(IPV4, IPV6),), False),
    ],
    ids=["not graceful", "not with a NOTIFICATION", "one of two families", "both families"],
)
def test_a_reset_takes_routes_along_unless_all_of_them_are_kept(
    node: Node, capabilities: tuple[Capability, ...], *, loses: bool
) -> None:
    """RFC 8538 §4; a session that is down has nothing to lose."""
    other = played(node)
    peer = PeerId(other.address)
    assert not node.speaker.loses_by_reset(peer)
    other.establish(*capabilities, families=(IPV4, IPV6))
    assert node.speaker.loses_by_reset(peer) is loses
    other.hang_up()
    assert not node.speaker.loses_by_reset(peer)


def test_what_is_noted_of_a_peer_is_told_until_its_next_session(node: Node) -> None:
    other = played(node)
    node.speaker.note(PeerId(other.address), "waits for its turn")
    assert other.snapshot.warning == "waits for its turn"
    other.establish()
    assert other.snapshot.warning == ""
    node.speaker.note(PeerId(other.address), "waits for its turn")
    assert other.snapshot.warning == "waits for its turn"


@pytest.mark.parametrize("presence", [Presence.AWAY, Presence.DEAD])
def test_a_silent_session_ends_once_its_peer_is_known_to_be_dead(node: Node, presence: Presence) -> None:
    """Its routes go, too: no packet should be sent there until the hold timer expires."""
    other = played(node, hold_time_s=HOLD_TIME_S).establish(offered(IPV4), hold_time_s=HOLD_TIME_S)
    peer = PeerId(other.address)
    other.announce(BLOCK)
    node.network.run_for(HOLD_TIME_S / 2 + 1)
    assert node.speaker.take_missed() == [peer]
    assert node.speaker.is_missed(peer)
    node.speaker.note_presence(peer, presence, "its host is silent", node.network.now)
    node.network.settle()
    if presence is Presence.AWAY:
        assert node.routes() == {BLOCK: "10.0.0.2"}
        other.say(encode_keepalive())
        assert not node.speaker.is_missed(peer)
    else:
        assert node.routes() == {}
        assert [one.code for one in other.notifications()] == [ErrorCode.HOLD_TIMER_EXPIRED]
        assert other.snapshot.warning == "its host is silent"


def test_a_session_that_is_heard_goes_on_whatever_others_say(node: Node) -> None:
    other = played(node).establish(offered(IPV4))
    other.announce(BLOCK)
    node.speaker.note_presence(PeerId(other.address), Presence.DEAD, "its host is silent", node.network.now)
    node.network.settle()
    assert node.routes() == {BLOCK: "10.0.0.2"}
    assert other.snapshot.warning == ""
