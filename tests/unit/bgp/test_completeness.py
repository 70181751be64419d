"""End-of-RIB after a restart: not before those who restart too have said what it would leave out."""

import pytest

from felixbgp.bgp.completeness import TABLE_NS
from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.inputs import TcpClosed
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.speaker import Speaker
from tests.support.speakers import SECOND, Network, Node, half, join

RESTART_TIME_S = 90
RESTART = GracefulRestart(restart_time_s=RESTART_TIME_S, forwarding_preserved=True)
PLAIN: dict[str, object] = {"graceful_restart": RESTART}
CLIENT: dict[str, object] = {**PLAIN, "route_reflector_client": True}
ONE_BLOCK, TWO_BLOCK = "10.1.0.0/26", "10.2.0.0/26"


class Star:
    """A core, and two around it that have a block each and hear of the other's by the core alone."""

    def __init__(self, *numbers: int, reflects: bool = False) -> None:
        self.network = Network()
        self.core, self.one, self.two = (
            self.network.node(f"10.0.0.{place}", asn=number) for place, number in enumerate(numbers, start=1)
        )
        inward = CLIENT if reflects else PLAIN
        settings = {(self.core, self.one): inward, (self.core, self.two): inward}
        settings |= {(self.one, self.core): PLAIN, (self.two, self.core): PLAIN}
        join([(self.core, self.one), (self.core, self.two)], settings)
        self.network.run_for(1)
        self.originate(self.one)
        self.originate(self.two)
        self.network.run_for(1)

    def originate(self, node: Node) -> None:
        node.originate(ONE_BLOCK if node is self.one else TWO_BLOCK)

    def end(self, *nodes: Node) -> None:
        """Their processes die; others hear of it."""
        for node in nodes:
            node.accepts = False
            for connection, pipe in list(node.pipes.items()):
                del node.pipes[connection]
                del pipe.other.pipes[pipe.other_connection]
                pipe.other.speaker.feed(TcpClosed(pipe.other_connection, "reset"), self.network.now)
            node.speaker = Speaker(node.config, half)
            node.loc_rib.clear()
        self.network.settle()

    def start(self, node: Node) -> None:
        """Another process takes the place of the one that died."""
        node.accepts = True
        node.speaker.begin_restart(self.network.now)
        node.configure(*node.peers.values())
        if node is not self.core:
            self.originate(node)

    def has_told_all(self, node: Node) -> bool:
        """Whether the core has sent End-of-RIB to a node."""
        return node.peer(self.core).end_of_rib_received


@pytest.fixture(params=[(64512, 64512, 64512), (65000, 65001, 65002)], ids=["reflector", "external"])
def star(request: pytest.FixtureRequest) -> Star:
    """All three are down."""
    made = Star(*request.param, reflects=request.param[0] == request.param[1])
    assert TWO_BLOCK in made.one.routes()
    made.end(made.core, made.one, made.two)
    return made


def test_of_all_who_restart_the_first_is_told_everything_before_it_is_told_that_this_is_all(
    star: Star,
) -> None:
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(30)
    assert star.one.peer(star.core).state == "Established"
    assert not star.has_told_all(star.one)
    star.start(star.two)
    while not star.has_told_all(star.one):
        assert star.core.peer(star.two).state != "Established" or TWO_BLOCK in star.core.routes()
        star.network.run_for(1)
    assert TWO_BLOCK in star.one.routes()
    assert ONE_BLOCK in star.two.routes()
    star.network.run_for(1)
    assert star.has_told_all(star.two)


def test_who_is_not_back_in_its_restart_time_is_waited_for_no_longer(star: Star) -> None:
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(RESTART_TIME_S - 1)
    assert not star.has_told_all(star.one)
    star.network.run_for(2)
    assert star.has_told_all(star.one)
    deadline = star.core.speaker.next_deadline()
    assert deadline is not None
    assert deadline > star.network.now


def test_who_has_said_everything_and_restarts_after_that_is_not_waited_for(star: Star) -> None:
    for node in (star.core, star.one, star.two):
        star.start(node)
    star.network.run_for(15)
    assert star.has_told_all(star.one)
    assert star.has_told_all(star.two)
    star.end(star.one, star.two)
    for node in (star.one, star.two):
        star.start(node)
    star.network.run_for(10)
    for node, block in ((star.one, TWO_BLOCK), (star.two, ONE_BLOCK)):
        assert star.has_told_all(node)
        assert block in node.routes()


def test_who_restarts_again_does_not_wait_for_one_who_waits_for_others(star: Star) -> None:
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(15)
    star.core.originate("10.3.0.0/26")
    star.network.run_for(1)
    assert not star.has_told_all(star.one)
    star.end(star.one)
    star.start(star.one)
    star.network.run_for(12)
    assert not star.has_told_all(star.one)
    assert "10.3.0.0/26" in star.one.routes()


def test_and_waits_for_one_who_has_heard_everybody(star: Star) -> None:
    for node in (star.core, star.one, star.two):
        star.start(node)
    star.network.run_for(15)
    completeness = star.core.speaker._completeness
    assert completeness is not None
    peering = star.core.speaker._peerings.by_peer[PeerId(star.one.address)]
    assert not completeness.awaits_others(peering, star.network.now)
    star.end(star.one)
    star.start(star.one)
    star.network.run_for(2)
    negotiated = star.one.speaker._peerings.by_peer[PeerId(star.core.address)].session.negotiated
    assert negotiated is not None
    assert negotiated.graceful_restart is not None
    assert not negotiated.graceful_restart.restarting


def test_what_is_known_already_is_told_meanwhile(star: Star) -> None:
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(15)
    star.core.originate("10.3.0.0/26")
    star.network.run_for(1)
    assert "10.3.0.0/26" in star.one.routes()
    assert not star.has_told_all(star.one)


def test_a_peer_that_is_removed_is_not_waited_for(star: Star) -> None:
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(15)
    star.core.configure(*(peer for peer in star.core.peers.values() if peer.peer.address != star.two.address))
    star.network.run_for(1)
    assert star.has_told_all(star.one)


def test_a_dead_peer_is_not_waited_for_and_one_without_an_agent_is(star: Star) -> None:
    star.start(star.core)
    star.start(star.one)
    peer = PeerId(star.two.address)
    star.network.run_for(15)
    star.core.speaker.note_presence(peer, Presence.AWAY, "", star.network.now)
    star.network.run_for(1)
    assert not star.has_told_all(star.one)
    star.core.speaker.note_presence(peer, Presence.DEAD, "its host is silent", star.network.now)
    star.network.run_for(1)
    assert star.has_told_all(star.one)


def test_nobody_waits_for_what_is_not_reflected() -> None:
    star = Star(64512, 64512, 64512)
    star.end(star.core, star.one, star.two)
    star.start(star.core)
    star.start(star.one)
    star.network.run_for(12)
    assert star.has_told_all(star.one)


def test_two_that_wait_for_each_other_do_so_for_as_long_as_a_table_takes() -> None:
    """Three AS, each in session with both others, restart together."""
    network = Network()
    nodes = [network.node(f"10.0.0.{number}", asn=65000 + number) for number in (1, 2, 3)]
    pairs = [(nodes[0], nodes[1]), (nodes[0], nodes[2]), (nodes[1], nodes[2])]
    join(pairs, {(a, b): PLAIN for a in nodes for b in nodes if a is not b})
    network.run_for(1)
    for node in nodes:
        node.speaker = Speaker(node.config, half)
        node.pipes.clear()
    for node in nodes:
        node.speaker.begin_restart(network.now)
        node.configure(*node.peers.values())
    network.run_for(TABLE_NS / SECOND - 5)
    assert nodes[0].peer(nodes[1]).state == "Established"
    assert not nodes[0].peer(nodes[1]).end_of_rib_received
    network.run_for(15)
    assert nodes[0].peer(nodes[1]).end_of_rib_received
