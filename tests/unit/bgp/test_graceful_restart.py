"""Sessions that are lost and come back: RFC 4724, RFC 8538 and RFC 9494 as scenarios."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.deferral import ESTABLISH_NS, SELECTION_DEFERRAL_NS
from felixbgp.bgp.inputs import TcpClosed
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.retention import BRIDGE_NS
from felixbgp.bgp.speaker import Speaker
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.communities import LLGR_STALE
from felixbgp.bgp.wire.update import encode_end_of_rib
from felixbgp.net import IPV4, IPV6
from tests.support.speakers import SECOND, Network, Node, Pipe, half, join, peer_config

ONE_BLOCK, TWO_BLOCK, THREE_BLOCK = "10.1.0.0/26", "10.2.0.0/26", "10.3.0.0/26"
RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True)


def two(of_one: GracefulRestart | None = RESTART, of_two: GracefulRestart | None = RESTART) -> tuple[
    Network, Node, Node
]:  # fmt: skip
    """Two nodes in session, with a block each."""
    network = Network()
    one, two = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    join([(one, two)], {(one, two): {"graceful_restart": of_one}, (two, one): {"graceful_restart": of_two}})
    network.run_for(1)
    one.originate(ONE_BLOCK)
    two.originate(TWO_BLOCK)
    network.settle()
    assert one.peer(two).state == "Established"
    return network, one, two


def restart(
    network: Network, node: Node, *, preserved: bool = True, deferral_ns: int = SELECTION_DEFERRAL_NS
) -> None:
    """The node's process dies and another one starts; the kernels see to it that connections end."""
    for connection, pipe in list(node.pipes.items()):
        del node.pipes[connection]
        del pipe.other.pipes[pipe.other_connection]
        pipe.other.speaker.feed(TcpClosed(pipe.other_connection, "connection reset"), network.now)
    node.speaker = Speaker(node.config, half)
    node.loc_rib.clear()
    if preserved:
        node.speaker.begin_restart(network.now, deferral_ns)
    node.configure(*node.peers.values())


def lose(network: Network, node: Node, other: Node) -> None:
    """The connection between two nodes breaks, and none comes into being for now."""
    network.cut(node, other)
    node.accepts = other.accepts = False
    network.settle()


def find_again(network: Network, node: Node, other: Node) -> None:
    node.accepts = other.accepts = True
    network.run_for(10)
    assert node.peer(other).state == "Established"


@pytest.fixture
def no_end_of_rib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody has forgotten how to end a table."""
    carry = Network._send

    def carry_other(network: Network, node: Node, connection: int, pipe: Pipe, data: bytes) -> None:
        for family in (IPV4, IPV6):
            data = data.replace(encode_end_of_rib(family), encode_keepalive())
        carry(network, node, connection, pipe, data)

    monkeypatch.setattr(Network, "_send", carry_other)


def test_a_short_break_changes_no_route_anywhere() -> None:
    network, one, other = two()
    one.changes = other.changes = 0
    lose(network, one, other)
    assert one.routes()[TWO_BLOCK] == "10.0.0.2"
    assert one.peer(other).state != "Established"
    assert one.peer(other).prefixes_stale == 1
    find_again(network, one, other)
    assert one.routes()[TWO_BLOCK] == "10.0.0.2"
    assert (one.peer(other).prefixes_stale, one.peer(other).prefixes_received) == (0, 1)
    assert one.changes == other.changes == 0


def test_a_session_that_another_configuration_needs_changes_no_route_anywhere() -> None:
    network, one, two_ = two()
    one.changes = two_.changes = 0
    one.change(two_, hold_time_s=30)
    network.run_for(10)
    assert one.peer(two_).state == "Established"
    assert one.peer(two_).hold_time_s == 30
    assert (one.changes, two_.changes) == (0, 0)
    assert one.peer(two_).prefixes_stale == two_.peer(one).prefixes_stale == 0


@pytest.mark.parametrize("of_one", [None, GracefulRestart(notification=False)])
def test_without_graceful_restart_only_who_wants_such_a_session_keeps_the_routes(
    of_one: GracefulRestart | None,
) -> None:
    network, one, two_ = two(of_one=of_one)
    one.changes = two_.changes = 0
    one.change(two_, hold_time_s=30)
    network.run_for(10)
    assert one.peer(two_).hold_time_s == 30
    assert (one.changes, two_.changes) == (0, 2)
    assert one.peer(two_).prefixes_stale == 0


def test_what_is_kept_so_is_not_kept_for_long_when_the_peer_is_not_back() -> None:
    network, one, two_ = two(of_one=None)
    one.accepts = two_.accepts = False
    one.change(two_, hold_time_s=30)
    network.run_for(BRIDGE_NS / SECOND - 1)
    assert TWO_BLOCK in one.routes()
    network.run_for(2)
    assert TWO_BLOCK not in one.routes()


@pytest.mark.usefixtures("no_end_of_rib")
def test_nor_is_what_the_peer_that_is_back_does_not_say_again() -> None:
    network, one, two_ = two(of_one=None)
    two_.originate("10.2.0.64/26")
    network.settle()
    two_.accepts = False
    one.change(two_, hold_time_s=30)
    network.settle()
    two_.originate("10.2.0.64/26", route=None)
    two_.accepts = True
    network.run_for(10)
    assert one.peer(two_).state == "Established"
    assert {TWO_BLOCK, "10.2.0.64/26"} <= set(one.routes())
    network.run_for(BRIDGE_NS / SECOND)
    assert set(one.routes()) == {ONE_BLOCK, TWO_BLOCK}


def test_a_peer_that_says_which_families_it_keeps_has_the_others_kept_so_too() -> None:
    """FRR that helps others to restart names none."""
    network, one, two_ = two()
    exchange = one.speaker._peerings.by_peer[PeerId(two_.address)].exchange
    assert exchange is not None
    restart = exchange.negotiated.graceful_restart
    assert restart is not None
    exchange.negotiated = replace(exchange.negotiated, graceful_restart=replace(restart, families=()))
    one.changes = 0
    one.change(two_, hold_time_s=30)
    network.run_for(10)
    assert one.changes == 0


def test_what_the_peer_does_not_say_again_goes_with_end_of_rib() -> None:
    network, one, other = two()
    lose(network, one, other)
    other.withdraw(TWO_BLOCK)
    assert TWO_BLOCK in one.routes()
    find_again(network, one, other)
    assert TWO_BLOCK not in one.routes()


@pytest.mark.parametrize("seconds", [119, 121])
def test_a_peer_that_stays_away_is_waited_for_as_long_as_it_asked(seconds: int) -> None:
    network, one, other = two()
    lose(network, one, other)
    network.run_for(seconds)
    assert (TWO_BLOCK in one.routes()) is (seconds < 120)
    find_again(network, one, other)
    assert TWO_BLOCK in one.routes()


@pytest.mark.parametrize(("ours", "theirs"), [(None, RESTART), (RESTART, None), (None, None)])
def test_without_the_capability_on_both_sides_routes_go_at_once(
    ours: GracefulRestart | None, theirs: GracefulRestart | None
) -> None:
    network, one, other = two(ours, theirs)
    lose(network, one, other)
    assert TWO_BLOCK not in one.routes()


def test_a_peer_that_is_removed_takes_its_routes_along() -> None:
    network, one, other = two()
    one.configure()
    network.settle()
    assert TWO_BLOCK not in one.routes()
    # Cease/Hard Reset (RFC 8538 §5): it will not be back.
    assert ONE_BLOCK not in other.routes()


def test_a_peer_removed_while_it_is_waited_for_is_forgotten() -> None:
    network, one, other = two()
    lose(network, one, other)
    one.configure()
    network.settle()
    assert TWO_BLOCK not in one.routes()
    assert one.speaker.next_deadline() is None


def test_silence_is_a_loss_too() -> None:
    """RFC 8538 §4: with the N bit on both sides an expired hold timer keeps the routes."""
    network, one, other = two()
    network.silence(other)
    network.run_for(95)
    assert one.peer(other).state != "Established"
    assert TWO_BLOCK in one.routes()
    network.run_for(121)
    assert TWO_BLOCK not in one.routes()


def test_without_the_n_bit_an_expired_hold_timer_is_the_end() -> None:
    plain = GracefulRestart(notification=False, forwarding_preserved=True)
    network, one, other = two(plain, plain)
    network.silence(other)
    network.run_for(95)
    assert TWO_BLOCK not in one.routes()


@pytest.mark.usefixtures("no_end_of_rib")
def test_a_peer_that_lost_its_forwarding_state_is_taken_at_its_word() -> None:
    network, one, other = two()
    one.accepts = other.accepts = False
    restart(network, other, preserved=False)
    network.settle()
    assert TWO_BLOCK in one.routes()
    find_again(network, one, other)
    assert TWO_BLOCK not in one.routes()


@pytest.mark.usefixtures("no_end_of_rib")
@pytest.mark.parametrize("seconds", [30, 360])
def test_an_end_of_rib_that_never_comes_is_not_waited_for_forever(seconds: int) -> None:
    """RFC 4724 §4.2: for how long must be configurable."""
    network, one, other = two(replace(RESTART, renewal_time_s=seconds))
    lose(network, one, other)
    other.withdraw(TWO_BLOCK)
    one.accepts = other.accepts = True
    network.run_for(seconds - 5)
    assert TWO_BLOCK in one.routes()
    network.run_for(20)
    assert TWO_BLOCK not in one.routes()


@pytest.mark.usefixtures("no_end_of_rib")
@pytest.mark.parametrize(("seconds", "stays"), [(100, True), (110, False)])
def test_a_peer_that_is_lost_again_before_it_said_everything_keeps_it_within_its_first_restart_time(
    seconds: int, *, stays: bool
) -> None:
    """Killed twice: the second life was too short to say anything, and the kernel forwards as ever."""
    network, one, other = two()
    lose(network, one, other)
    other.withdraw(TWO_BLOCK)
    other.originate(THREE_BLOCK)
    find_again(network, one, other)
    assert set(one.routes()) == {ONE_BLOCK, TWO_BLOCK, THREE_BLOCK}
    network.run_for(seconds)
    lose(network, one, other)
    assert THREE_BLOCK in one.routes()
    assert (TWO_BLOCK in one.routes()) is stays
    find_again(network, one, other)
    network.run_for(20)
    lose(network, one, other)
    assert THREE_BLOCK in one.routes()
    assert TWO_BLOCK not in one.routes()


def test_long_lived_routes_are_the_last_resort_until_their_time_is_over_too() -> None:
    long_lived = GracefulRestart(forwarding_preserved=True, long_lived_stale_time_s=3600)
    network, one, other = two(long_lived, long_lived)
    lose(network, one, other)
    network.run_for(121)
    selected = one.loc_rib[next(prefix for prefix in one.loc_rib if str(prefix) == TWO_BLOCK)]
    assert LLGR_STALE in selected.attributes.communities
    network.run_for(3590)
    assert TWO_BLOCK in one.routes()
    network.run_for(15)
    assert TWO_BLOCK not in one.routes()


def test_who_has_no_long_lived_routes_of_its_own_keeps_none_for_others() -> None:
    """Zero means not at all, whatever the peer asks for: we have not offered it."""
    asks = GracefulRestart(forwarding_preserved=True, long_lived_stale_time_s=3600)
    network, one, other = two(RESTART, asks)
    lose(network, one, other)
    network.run_for(119)
    assert TWO_BLOCK in one.routes()
    network.run_for(2)
    assert TWO_BLOCK not in one.routes()


# ---- the restarting side


def test_a_restarted_node_listens_before_it_speaks() -> None:
    network, one, other = two()
    restart(network, other)
    other.originate(TWO_BLOCK)
    network.settle()
    assert one.routes()[TWO_BLOCK] == "10.0.0.2"
    network.run_for(5)
    assert other.routes() == {ONE_BLOCK: "10.0.0.1", TWO_BLOCK: "own"}
    assert one.peer(other).prefixes_stale == 0
    negotiated = one.speaker._peerings.by_peer[PeerId(other.address)].exchange.negotiated  # type: ignore[union-attr]
    assert negotiated.graceful_restart is not None
    assert negotiated.graceful_restart.restarting


def test_a_restarted_reflector_does_not_hand_on_half_a_table() -> None:
    """Its clients keep what they have until it has heard from all of them."""
    network = Network()
    core, one, other = (network.node(f"10.0.0.{number}", asn=64512) for number in (1, 2, 3))
    client: dict[str, object] = {"route_reflector_client": True, "graceful_restart": RESTART}
    join(
        [(core, one), (core, other)],
        {
            (core, one): client,
            (core, other): client,
            (one, core): {"graceful_restart": RESTART},
            (other, core): {"graceful_restart": RESTART},
        },
    )
    network.run_for(1)
    one.originate(ONE_BLOCK)
    other.originate(TWO_BLOCK)
    network.settle()
    other.accepts = False
    restart(network, core)
    network.run_for(ESTABLISH_NS / SECOND - 1)
    assert core.peer(one).state == "Established"
    assert core.routes() == {}
    assert TWO_BLOCK in one.routes()
    other.accepts = True
    network.run_for(10)
    assert set(core.routes()) == {ONE_BLOCK, TWO_BLOCK}
    assert TWO_BLOCK in one.routes()


def test_nobody_is_waited_for_who_is_not_there() -> None:
    network, _, other = two()
    other.accepts = False
    restart(network, other)
    other.originate(TWO_BLOCK)
    network.run_for(ESTABLISH_NS / SECOND - 1)
    assert other.routes() == {}
    network.run_for(2)
    assert other.routes() == {TWO_BLOCK: "own"}


@pytest.mark.parametrize("presence", [Presence.AWAY, Presence.DEAD])
def test_nobody_is_waited_for_whose_agent_is_known_not_to_run(presence: Presence) -> None:
    network, one, other = two()
    other.accepts = False
    restart(network, other)
    other.originate(TWO_BLOCK)
    network.run_for(2)
    assert other.routes() == {}
    assert other.speaker.is_missed(PeerId(one.address))
    other.speaker.note_presence(PeerId(one.address), presence, "away", network.now)
    network.settle()
    assert other.routes() == {TWO_BLOCK: "own"}
    # A host that lives forwards, and its routes in our kernel are waited for; a dead one owes nothing.
    assert other.speaker.has_all_tables() is (presence is Presence.DEAD)
    assert other.peer(one).warning == "away"
    other.accepts = True
    network.run_for(10)
    assert set(other.routes()) == {ONE_BLOCK, TWO_BLOCK}
    assert other.peer(one).warning == ""


def test_what_is_kept_of_a_dead_peer_goes_at_once_and_alone() -> None:
    network, one, other = two()
    lose(network, one, other)
    assert one.speaker.take_missed() == [PeerId(other.address)]
    one.speaker.note_presence(PeerId(other.address), Presence.DEAD, "dead", network.now)
    network.settle()
    assert set(one.routes()) == {ONE_BLOCK}
    assert set(other.routes()) == {ONE_BLOCK, TWO_BLOCK}


def test_a_session_knows_better_than_anybody_else() -> None:
    network, one, other = two()
    one.speaker.note_presence(PeerId(other.address), Presence.DEAD, "dead", network.now)
    network.settle()
    assert set(one.routes()) == {ONE_BLOCK, TWO_BLOCK}
    assert one.peer(other).warning == ""


def test_a_peer_of_one_family_that_is_not_there_does_not_hold_up_the_other_family() -> None:
    """RFC 4724 §4.1: selection is deferred per address family."""
    network, one, other = two()
    away = network.node("fd00::9", asn=64512)
    del network.nodes[away.address]
    restart(network, other)
    other.configure(*other.peers.values(), peer_config(other, away, graceful_restart=RESTART))
    other.originate(TWO_BLOCK, "fd02::/122")
    network.run_for(5)
    assert set(other.routes()) == set(one.routes()) == {ONE_BLOCK, TWO_BLOCK}
    assert other.speaker.next_deadline() != 0
    network.run_for(6)
    assert set(other.routes()) == {ONE_BLOCK, TWO_BLOCK, "fd02::/122"}


def test_what_was_not_agreed_on_is_not_waited_for() -> None:
    """The peer speaks one of two families, and will send no End-of-RIB of the other."""
    network, one, other = two()
    restart(network, other)
    both = {peer: replace(config, families=(IPV4, IPV6)) for peer, config in other.peers.items()}
    other.configure(*both.values())
    other.originate("fd02::/122")
    network.run_for(5)
    assert other.peer(one).state == "Established"
    assert "fd02::/122" in other.routes()


def test_two_that_restart_together_do_not_wait_for_each_other() -> None:
    network, one, other = two()
    restart(network, one)
    restart(network, other)
    one.originate(ONE_BLOCK)
    other.originate(TWO_BLOCK)
    network.run_for(5)
    assert set(one.routes()) == set(other.routes()) == {ONE_BLOCK, TWO_BLOCK}


@pytest.mark.usefixtures("no_end_of_rib")
@pytest.mark.parametrize("seconds", [15, 60])
def test_a_peer_that_never_finishes_its_table_holds_nobody_up_for_long(seconds: int) -> None:
    """RFC 4724 §4.1: for how long must be configurable."""
    network, _, other = two()
    restart(network, other, deferral_ns=seconds * SECOND)
    other.originate(TWO_BLOCK)
    network.run_for(seconds - 1)
    assert other.routes() == {}
    network.run_for(2)
    assert set(other.routes()) == {ONE_BLOCK, TWO_BLOCK}


def test_peers_without_graceful_restart_are_not_waited_for() -> None:
    network, one, other = two(None, None)
    restart(network, other)
    other.originate(TWO_BLOCK)
    network.settle()
    assert other.routes() == {TWO_BLOCK: "own"}
    network.run_for(5)
    assert set(one.routes()) == {ONE_BLOCK, TWO_BLOCK}
