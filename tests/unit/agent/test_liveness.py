"""Who is asked about a peer that is missed, when, and what is concluded from the answers."""

from dataclasses import replace

import pytest

from felixbgp.agent.inputs import AliveRead, AliveUnread, HostProbed, ProbeOutcome
from felixbgp.agent.liveness import (
    AT_ONCE,
    AWAITED_NS,
    PACE_NS,
    PATIENCE_NS,
    PROBE_TIMEOUT_NS,
    AskAlive,
    Liveness,
    NodeDead,
    ProbeHost,
)
from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.inputs import Endpoint
from felixbgp.bgp.presence import Presence
from felixbgp.net import Address
from tests.support.speakers import SECOND, Network, Node, join, peer_config

RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True)
BLOCK = "10.2.0.0/26"
ONE, TWO = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
PEER = PeerId(TWO)
GONE, THERE, UNKNOWN = (
    AliveRead("node-2", is_present=False, is_known=True),
    AliveRead("node-2", is_present=True, is_known=True),
    AliveRead("node-2", is_present=False, is_known=False),
)


class Case:
    """A node, of whose only peer it has a route, and what looks after that."""

    def __init__(self, nodes: dict[Address, str] | None = None) -> None:
        names = {TWO: "node-2"} if nodes is None else nodes
        self.network = Network()
        self.one = self.network.node(str(ONE), asn=64512)
        self.two = self.network.node(str(TWO), asn=64512)
        both = {"graceful_restart": RESTART, "transport": TransportOptions(min_ttl=254, password=b"secret")}
        join([(self.one, self.two)], {(self.one, self.two): both, (self.two, self.one): both})
        self.two.originate(BLOCK)
        self.network.run_for(40)
        assert self.one.routes() == {BLOCK: str(TWO)}
        self.liveness = Liveness(self.one.speaker, names.get)

    def lose(self) -> None:
        """The session ends, and none follows."""
        self.network.cut(self.one, self.two)
        self.one.accepts = self.two.accepts = False
        self.network.settle()

    def after(self, duration_ns: int) -> list[AskAlive | ProbeHost]:
        """What is asked when this much time has passed."""
        self.network.run_for(duration_ns / SECOND)
        return self.liveness.take(self.network.now)

    def tell(self, event: AliveRead | AliveUnread | ProbeOutcome) -> list[AskAlive | ProbeHost]:
        """What is asked next, at once."""
        answer = HostProbed(Endpoint(TWO, 179), event, "why") if isinstance(event, ProbeOutcome) else event
        self.liveness.feed(answer, self.network.now)
        self.network.settle()
        return self.liveness.take(self.network.now)

    def until_probed(self) -> None:
        assert self.after(0) == []
        assert self.after(PATIENCE_NS) == [AskAlive("node-2")]
        assert isinstance(self.tell(GONE)[0], ProbeHost)


def test_no_key_and_no_answer_to_a_dial_are_death_and_the_routes_leave_at_once() -> None:
    case = Case()
    case.lose()
    assert case.after(0) == []
    assert case.after(PATIENCE_NS - 1) == []
    assert case.after(1) == [AskAlive("node-2")]
    assert case.one.routes() == {BLOCK: str(TWO)}
    # The host's answer has neither the signature of its agent nor its TTL.
    dial = ProbeHost(Endpoint(TWO, 179), TransportOptions(), PROBE_TIMEOUT_NS)
    assert case.tell(GONE) == [dial]
    assert case.tell(ProbeOutcome.SILENT) == [AskAlive("node-2")]
    assert case.one.routes() == {BLOCK: str(TWO)}
    assert case.tell(GONE) == []
    assert case.one.routes() == {}
    assert case.liveness.take_facts() == [NodeDead(PEER, "node-2", "why")]
    text = "Node node-2 is dead: its alive key is gone, and a dial to it failed: why"
    assert case.one.peer(case.two).warning == text
    assert case.liveness.next_deadline() is None


@pytest.mark.parametrize("answer", [THERE, UNKNOWN, AliveUnread("node-2", "no answer")])
def test_a_key_that_is_there_unknown_or_unreadable_concludes_nothing_and_is_asked_for_again(
    answer: AliveRead | AliveUnread,
) -> None:
    case = Case()
    case.lose()
    assert [*case.after(0), *case.after(PATIENCE_NS)] == [AskAlive("node-2")]
    assert case.tell(answer) == []
    assert case.after(PACE_NS - 1) == []
    assert case.after(1) == [AskAlive("node-2")]
    assert case.one.routes() == {BLOCK: str(TWO)}


@pytest.mark.parametrize("outcome", [ProbeOutcome.ANSWERED, ProbeOutcome.FAILED])
def test_a_host_that_answers_lives_and_one_that_could_not_be_dialled_may(outcome: ProbeOutcome) -> None:
    case = Case()
    case.lose()
    case.until_probed()
    assert case.tell(outcome) == []
    assert case.after(PACE_NS) == [AskAlive("node-2")]
    assert case.one.routes() == {BLOCK: str(TWO)}


def test_an_agent_that_came_back_while_its_host_was_dialled_in_vain_lives() -> None:
    case = Case()
    case.lose()
    case.until_probed()
    assert case.tell(ProbeOutcome.SILENT) == [AskAlive("node-2")]
    assert case.tell(THERE) == []
    assert case.one.routes() == {BLOCK: str(TWO)}
    assert case.after(PACE_NS) == [AskAlive("node-2")]
    # The dial of then counts for nothing any more.
    assert isinstance(case.tell(GONE)[0], ProbeHost)
    assert case.one.routes() == {BLOCK: str(TWO)}


def test_a_peer_that_is_back_before_the_answer_is_not_dead() -> None:
    case = Case()
    case.lose()
    case.until_probed()
    case.one.accepts = case.two.accepts = True
    case.network.run_for(10)
    assert case.tell(ProbeOutcome.SILENT) == []
    assert case.one.peer(case.two).state == "Established"
    assert case.one.routes() == {BLOCK: str(TWO)}
    assert case.liveness.take_facts() == []


def test_of_a_peer_that_is_no_node_nobody_is_asked() -> None:
    case = Case({})
    case.lose()
    assert [*case.after(0), *case.after(PATIENCE_NS)] == []
    assert case.liveness.next_deadline() is None


def test_a_peer_whose_restart_time_is_over_is_no_longer_of_interest() -> None:
    case = Case()
    case.lose()
    assert [*case.after(0), *case.after(PATIENCE_NS)] == [AskAlive("node-2")]
    assert case.tell(THERE) == []
    assert case.after(120 * SECOND) == []
    assert case.liveness.next_deadline() is None


def test_a_silent_peer_is_asked_for_before_its_hold_time_is_over_and_its_session_ends_with_its_death() -> (
    None
):
    case = Case()
    case.network.silence(case.two)
    assert case.after(44 * SECOND) == []
    asked: list[AskAlive | ProbeHost] = []
    while not asked:
        asked = case.after(SECOND // 2)
    assert case.one.peer(case.two).state == "Established"
    for answer in (GONE, ProbeOutcome.SILENT, GONE):
        case.tell(answer)
    assert case.one.peer(case.two).state != "Established"
    assert case.one.routes() == {}


def test_a_silent_peer_that_speaks_again_is_left_alone() -> None:
    case = Case()
    case.network.silence(case.two)
    asked: list[AskAlive | ProbeHost] = []
    while not asked:
        asked = case.after(SECOND // 2)
    case.tell(GONE)
    case.network.nodes[TWO] = case.two
    case.network.resume(case.two)
    case.network.settle()
    case.tell(ProbeOutcome.SILENT)
    assert case.one.peer(case.two).state == "Established"
    assert case.one.routes() == {BLOCK: str(TWO)}


def many(count: int) -> tuple[Network, Node, dict[Address, str]]:
    """A node that is to peer with others, none of which is there."""
    network = Network()
    one = network.node(str(ONE), asn=64512)
    others = [network.node(f"10.0.1.{number}", asn=64512) for number in range(1, count + 1)]
    for other in others:
        del network.nodes[other.address]
    one.configure(*(peer_config(one, other, graceful_restart=RESTART) for other in others))
    network.settle()
    return network, one, {other.address: f"node-{other.address}" for other in others}


def test_after_a_restart_those_who_do_not_come_are_asked_for_some_at_a_time() -> None:
    network, one, names = many(AT_ONCE + 3)
    liveness = Liveness(one.speaker, names.get)
    liveness.expect(list(one.peers), network.now)
    assert liveness.next_deadline() == network.now + AWAITED_NS
    network.run_for(AWAITED_NS / SECOND)
    asked = liveness.take(network.now)
    assert len(asked) == AT_ONCE
    liveness.feed(AliveRead(next(iter(names.values())), is_present=True, is_known=True), network.now)
    assert len(liveness.take(network.now)) == 1
    liveness.stop_awaiting()
    network.run_for(PACE_NS / SECOND)
    assert liveness.take(network.now) == []


def test_two_peers_that_are_one_node_are_one_question() -> None:
    network, one, names = many(2)
    liveness = Liveness(one.speaker, dict.fromkeys(names, "node-2").get)
    liveness.expect(list(one.peers), network.now)
    network.run_for(AWAITED_NS / SECOND)
    assert liveness.take(network.now) == [AskAlive("node-2")]
    liveness.feed(GONE, network.now)
    assert len([one for one in liveness.take(network.now) if isinstance(one, ProbeHost)]) == 2


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    case = Case()
    assert case.tell(GONE) == []
    assert case.tell(ProbeOutcome.SILENT) == []
    case.one.speaker.note_presence(PeerId(ONE), Presence.DEAD, "", case.network.now)
    case.one.speaker.note_presence(PEER, Presence.DEAD, "", case.network.now)
    assert case.one.routes() == {BLOCK: str(TWO)}
    assert replace(case.one.peer(case.two), warning="") == case.one.peer(case.two)
