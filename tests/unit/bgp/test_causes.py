"""Why there is no session: every cause that a speaker finds out, brought about between speakers."""

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import GracefulRestart, PeerId, PrefixLimit
from felixbgp.bgp.effects import Connect
from felixbgp.bgp.inputs import TcpConnectFailed
from felixbgp.bgp.presence import Presence
from felixbgp.net import IPV6
from tests.support.speakers import Network, Node, join, peer_config

AS = 64512


class Pair:
    """Two speakers, of which the left one dials."""

    def __init__(self, **parameters: object) -> None:
        self.network = Network()
        self.left, self.right = (self.network.node(f"10.0.0.{number}", asn=AS) for number in (1, 2))
        self.parameters = parameters

    def join(self, left: dict[str, object] | None = None, right: dict[str, object] | None = None) -> "Pair":
        """Have them peer, and give them a second."""
        of_left, of_right = self.parameters | (left or {}), self.parameters | (right or {})
        join(
            [(self.left, self.right)],
            {(self.left, self.right): of_left, (self.right, self.left): of_right},
        )
        self.network.run_for(1)
        return self

    def causes(self) -> tuple[Cause | None, Cause | None]:
        return self.left.peer(self.right).cause, self.right.peer(self.left).cause


def seen(of: Node, other: Node) -> tuple[Cause | None, str]:
    """The cause and the words beside it."""
    peer = of.peer(other)
    return peer.cause, peer.last_error


def test_of_a_session_there_is_none() -> None:
    assert Pair().join().causes() == (None, None)


def test_before_the_first_attempt_has_ended_it_is_starting() -> None:
    pair = Pair()
    pair.right.accepts = False
    pair.left.configure(peer_config(pair.left, pair.right))
    pair.right.configure(peer_config(pair.right, pair.left))
    assert pair.causes() == (Cause.STARTING, Cause.STARTING)


@pytest.mark.parametrize(
    "cause",
    [
        Cause.REFUSED,
        Cause.UNREACHABLE,
        Cause.TIMED_OUT,
        Cause.ADDRESS_NOT_LOCAL,
        Cause.DIAL_FAILED,
        Cause.CONNECTION_CLOSED,
    ],
)
def test_a_dial_that_fails_is_called_what_the_shell_calls_it(cause: Cause) -> None:
    pair = Pair()
    pair.left.configure(peer_config(pair.left, pair.right))
    speaker, now = pair.left.speaker, pair.network.now
    (dial,) = [effect for effect in speaker.control(now) if isinstance(effect, Connect)]
    speaker.feed(TcpConnectFailed(dial.connection, "in the system's words", cause), now)
    speaker.control(now)
    assert seen(pair.left, pair.right) == (cause, "in the system's words")


def test_a_dial_that_the_shell_does_not_answer_has_timed_out() -> None:
    pair = Pair()
    pair.left.configure(peer_config(pair.left, pair.right))
    speaker, now = pair.left.speaker, pair.network.now
    speaker.control(now)
    speaker.control(now + 7_000_000_000)
    assert seen(pair.left, pair.right)[0] is Cause.TIMED_OUT


def test_a_wrong_as_number_is_named_on_both_sides() -> None:
    pair = Pair().join(left={"remote_as": 65001})
    assert seen(pair.left, pair.right) == (
        Cause.WRONG_AS,
        "OPEN Message Error: Bad Peer AS: the peer says it is AS 64512, not AS 65001",
    )
    assert seen(pair.right, pair.left) == (
        Cause.WRONG_AS,
        "received NOTIFICATION OPEN Message Error: Bad Peer AS",
    )


def test_two_internal_peers_with_one_identifier() -> None:
    network = Network()
    left, right = network.node("10.0.0.1", asn=AS), network.node("10.0.0.2", asn=AS)
    right.config = left.config
    join([(left, right)], {})
    network.run_for(1)
    assert [left.peer(right).cause, right.peer(left).cause] == [Cause.WRONG_IDENTIFIER] * 2
    assert "our own BGP identifier" in left.peer(right).last_error + right.peer(left).last_error


def test_a_silent_peer_is_a_matter_of_the_hold_timer_as_long_as_it_answers_dials() -> None:
    pair = Pair(hold_time_s=9).join()
    pair.right.reads = False
    pair.network.nodes.pop(pair.right.address)
    pair.network.nodes[pair.right.address] = pair.right
    speaker = pair.left.speaker
    speaker.control(pair.network.now + 10_000_000_000)
    assert seen(pair.left, pair.right) == (Cause.HOLD_TIMER, "hold timer expired")


def test_a_shutdown_is_told_in_its_operators_words() -> None:
    pair = Pair().join()
    pair.right.change(pair.left, shutdown="maintenance of rack 7")
    pair.network.settle()
    assert seen(pair.left, pair.right) == (
        Cause.NOTIFICATION_RECEIVED,
        "received NOTIFICATION Cease: Administrative Shutdown: maintenance of rack 7",
    )
    assert seen(pair.right, pair.left) == (Cause.SHUT_DOWN, "maintenance of rack 7")
    pair.right.change(pair.left, shutdown=None)
    assert seen(pair.right, pair.left)[0] is Cause.STARTING


def test_too_many_prefixes_are_named_on_both_sides_as_long_as_the_session_is_kept_down() -> None:
    pair = Pair().join(left={"prefix_limit": PrefixLimit(maximum=1)})
    pair.right.originate("10.1.0.0/24", "10.2.0.0/24")
    pair.network.run_for(1)
    assert pair.causes() == (Cause.MAXIMUM_PREFIXES, Cause.MAXIMUM_PREFIXES)
    pair.network.run_for(20)
    assert pair.causes()[0] is Cause.MAXIMUM_PREFIXES


def test_who_has_us_not_as_a_peer_rejects_us() -> None:
    pair = Pair()
    pair.left.configure(peer_config(pair.left, pair.right))
    pair.right.configure()
    pair.network.run_for(1)
    assert seen(pair.left, pair.right) == (
        Cause.NOT_LISTED,
        "received NOTIFICATION Cease: Connection Rejected",
    )


def test_who_stops_to_have_us_as_a_peer_says_so() -> None:
    pair = Pair().join()
    pair.right.configure()
    pair.network.settle()
    assert seen(pair.left, pair.right)[0] is Cause.NOT_LISTED


def test_what_does_not_go_together_we_say() -> None:
    pair = Pair().join(left={"families": (IPV6,)})
    assert Cause.NOTIFICATION_SENT in pair.causes()
    assert "no address family" in pair.left.peer(pair.right).last_error


class TestAPeerThatIsAway:
    def lost(self, **parameters: object) -> Pair:
        """A pair whose right one had told a route, and is gone."""
        pair = Pair(**parameters).join()
        pair.right.originate("10.1.0.0/24")
        pair.network.run_for(1)
        pair.right.accepts = False
        pair.network.cut(pair.left, pair.right)
        pair.network.settle()
        return pair

    def test_has_closed_the_connection(self) -> None:
        assert self.lost().left.peer(Pair().right).cause is Cause.CONNECTION_CLOSED

    def test_restarts_while_its_routes_are_kept_for_it(self) -> None:
        pair = self.lost(graceful_restart=GracefulRestart(restart_time_s=60))
        assert pair.causes()[0] is Cause.RESTARTING
        pair.network.run_for(61)
        assert pair.causes()[0] is not Cause.RESTARTING

    def test_is_unreachable_when_its_node_was_found_dead(self) -> None:
        pair = self.lost(graceful_restart=GracefulRestart(restart_time_s=60))
        speaker, peer = pair.left.speaker, PeerId(pair.right.address)
        # To a dial with a password a host without an agent is as silent as a dead one.
        pair.network.run_for(1)
        assert pair.causes()[0] is Cause.DIAL_FAILED
        speaker.note_presence(peer, Presence.AWAY, "", pair.network.now)
        assert pair.causes()[0] is Cause.RESTARTING
        speaker.note_presence(peer, Presence.DEAD, "Node two is dead", pair.network.now)
        assert pair.causes()[0] is Cause.UNREACHABLE

    def test_is_draining_when_nobody_wants_it_any_more(self) -> None:
        pair = self.lost()
        pair.left.change(pair.right, draining=True)
        assert pair.causes()[0] is Cause.DRAINING
