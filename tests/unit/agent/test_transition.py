"""What may stay as it was when the intent changes, and in which order the reasons count."""

from dataclasses import replace

from felixbgp.agent.draining import LEAD_NS
from felixbgp.agent.transition import Transition
from felixbgp.bgp.config import PeerId
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent
from tests.support.speakers import SECOND, Network, join

LONGEST_NS = 120 * SECOND
BLOCK = "10.1.0.0/26"


class Case:
    """A node whose two iBGP peers tell it one prefix, all in session."""

    def __init__(self, longest_ns: int = LONGEST_NS) -> None:
        self.network = Network()
        self.one = self.network.node("10.0.0.1", asn=64512)
        self.others = [self.network.node(address, asn=64512) for address in ("10.0.0.2", "10.0.0.3")]
        join([(self.one, other) for other in self.others], {})
        for other in self.others:
            other.originate(BLOCK)
        self.network.run_for(5)
        self.peers = [PeerId(other.address) for other in self.others]
        self.transition = Transition(self.one.speaker, longest_ns, lambda address: f"node-{address}")
        self.intent = Intent(speaker=self.one.config, peers=dict(self.one.peers))
        self.transition.follow(self.intent, Derived.between(Intent(), self.intent), self.network.now)

    def follow(self, intent: Intent, **derived: object) -> None:
        """The intent is another."""
        change = Derived.between(self.intent, intent)._replace(**derived)  # type: ignore[arg-type]
        self.intent = intent
        self.transition.follow(intent, change, self.network.now)

    def without(self, peer: PeerId) -> Intent:
        return replace(self.intent, peers={one: c for one, c in self.intent.peers.items() if one != peer})

    def has(self, peer: PeerId) -> bool:
        return self.one.speaker.config_of(peer) is not None


def test_a_peer_that_is_wanted_no_more_stays_as_a_last_resort() -> None:
    case = Case()
    case.follow(case.without(case.peers[0]))
    config = case.one.speaker.config_of(case.peers[0])
    assert config is not None
    assert config.draining
    assert list(case.transition.leaves()) == [case.peers[0]]
    assert case.transition.next_deadline() == case.network.now + LEAD_NS


def test_one_that_must_stay_down_is_spared_first_and_not_drained_after() -> None:
    case = Case()
    case.follow(case.without(case.peers[0]), held_down=frozenset(case.peers[:1]))
    assert case.has(case.peers[0])
    assert case.transition.leaves() == {}
    at = case.transition.next_deadline()
    assert at is not None
    assert at < case.network.now + LONGEST_NS
    assert case.transition.take_over(at)
    assert not case.has(case.peers[0])


def test_whose_node_left_the_cluster_goes_at_once_for_whatever_reason() -> None:
    case = Case()
    departed = frozenset([case.peers[0].address])
    case.follow(case.without(case.peers[0]), held_down=frozenset(case.peers[:1]), departed=departed)
    assert not case.has(case.peers[0])


def test_a_node_that_takes_no_part_any_more_keeps_nobody() -> None:
    case = Case()
    case.follow(case.without(case.peers[0]))
    case.follow(Intent())
    assert not any(map(case.has, case.peers))
    assert case.transition.next_deadline() is None


def test_who_stays_stays_when_the_speaker_is_configured_anew() -> None:
    case = Case()
    case.follow(case.without(case.peers[0]))
    assert case.intent.speaker is not None
    case.follow(replace(case.intent, speaker=replace(case.intent.speaker, multipath_internal=2)))
    assert case.has(case.peers[0])
