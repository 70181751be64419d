"""A session that stands outlives for ten seconds the want of a filter or a password."""

from dataclasses import replace

import pytest

from felixbgp.agent.reprieve import REPRIEVE_NS, NodeReprieve, Reprieve
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent, Problem
from felixbgp.net import IPV4, Address

PEER = PeerId(Address.parse("10.0.0.2"))
OTHER = PeerId(Address.parse("10.0.0.3"))
CONFIG = PeerConfig(peer=PEER, name="two", families=(IPV4,), local_as=64512, remote_as=64512)
KNOWN = {PEER: CONFIG}
MISSING = Derived(Intent(), {OTHER: None, PEER: None}, held_down=frozenset((PEER,)))
CHANGED = Derived(Intent(), {PEER: replace(CONFIG, name="three")})
LEFT = Derived(Intent(), {}, departed=frozenset((PEER.address,)))


@pytest.fixture
def reprieve() -> Reprieve:
    """One peer is spared since 0."""
    made = Reprieve()
    assert made.follow(MISSING, KNOWN, lambda _: True, 0).peers == {OTHER: None}
    assert (made.configs(), made.next_deadline()) == (KNOWN, REPRIEVE_NS)
    return made


def test_what_is_missing_comes_in_time(reprieve: Reprieve) -> None:
    assert reprieve.take_over(REPRIEVE_NS - 1) == {}
    assert reprieve.follow(CHANGED, {}, lambda _: True, REPRIEVE_NS - 1) == CHANGED
    assert (reprieve.configs(), reprieve.next_deadline()) == ({}, None)


def test_what_is_missing_does_not_come(reprieve: Reprieve) -> None:
    assert reprieve.take_over(REPRIEVE_NS) == {PEER: None}
    assert (reprieve.configs(), reprieve.next_deadline()) == ({}, None)


def test_the_node_leaves_meanwhile(reprieve: Reprieve) -> None:
    assert reprieve.follow(LEFT, {}, lambda _: True, 1).peers == {PEER: None}
    assert reprieve.configs() == {}


def test_this_node_takes_no_part_any_more(reprieve: Reprieve) -> None:
    reprieve.give_up()
    assert reprieve.next_deadline() is None


@pytest.mark.parametrize(
    ("derived", "known", "has_routes"),
    [
        (MISSING, {}, True),
        (MISSING, {PEER: replace(CONFIG, shutdown="maintenance")}, True),
        (MISSING, KNOWN, False),
        (MISSING._replace(departed=frozenset((PEER.address,))), KNOWN, True),
        (Derived(Intent(), {PEER: None}), KNOWN, True),
    ],
    ids=["was none", "was shut down", "has no routes", "left the cluster", "is not claimed any more"],
)
def test_nobody_spares_a_peer_that(
    derived: Derived, known: dict[PeerId, PeerConfig], *, has_routes: bool
) -> None:
    reprieve = Reprieve()
    assert reprieve.follow(derived, known, lambda _: has_routes, 0) == derived
    assert reprieve.configs() == {}


SPEAKER = SpeakerConfig(bgp_identifier=Address.parse("10.0.0.1"), local_as=64512)
SOME = Derived(Intent(speaker=SPEAKER, peers=KNOWN), KNOWN)
NONE = Derived(Intent(problems=(Problem("Node one", "", "does not exist"),)), {PEER: None})


def deleted(longest_ns: int = 2 * REPRIEVE_NS) -> NodeReprieve:
    """The Node has gone at 0."""
    reprieve = NodeReprieve(longest_ns)
    assert reprieve.follow(SOME, -1) is SOME
    assert reprieve.follow(NONE, 0) == Derived(replace(SOME.intent, problems=NONE.intent.problems), {})
    assert reprieve.take_over(min(REPRIEVE_NS, longest_ns) - 1) is None
    return reprieve


def test_a_node_is_written_again_in_time() -> None:
    reprieve = deleted()
    again = SOME._replace(departed=frozenset((OTHER.address,)), held_down=frozenset((OTHER,)))
    assert reprieve.follow(again, REPRIEVE_NS - 1) == again._replace(peers={})
    assert (reprieve.next_deadline(), reprieve.take_over(2 * REPRIEVE_NS)) == (None, None)


def test_a_node_is_written_again_and_is_another() -> None:
    peers = {OTHER: replace(CONFIG, peer=OTHER)}
    other = Derived(Intent(speaker=SPEAKER, peers=peers), peers)
    assert deleted().follow(other, 1).peers == {**peers, PEER: None}


@pytest.mark.parametrize("longest_ns", [REPRIEVE_NS // 2, 2 * REPRIEVE_NS])
def test_a_node_is_not_written_again_in_time(longest_ns: int) -> None:
    reprieve = deleted(longest_ns)
    at = reprieve.next_deadline()
    assert at == min(REPRIEVE_NS, longest_ns)
    # Each change that leaves it without a Node is followed, and does not put the end off.
    reprieve.follow(NONE._replace(intent=Intent()), 1)
    assert reprieve.take_over(at) == Derived(Intent(), {PEER: None})
    assert reprieve.next_deadline() is None
    assert reprieve.follow(NONE, at) is NONE
    assert reprieve.follow(SOME, at + 1) is SOME


def test_a_node_that_never_had_one_or_may_not_go_on() -> None:
    assert NodeReprieve(REPRIEVE_NS).follow(NONE, 0) is NONE
    reprieve = NodeReprieve(0)
    reprieve.follow(SOME, 0)
    assert reprieve.follow(NONE, 1) is NONE
    assert (reprieve.next_deadline(), reprieve.take_over(REPRIEVE_NS)) == (None, None)
