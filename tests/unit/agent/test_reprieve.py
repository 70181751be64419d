"""A session that stands outlives for ten seconds the want of a filter or a password."""

from dataclasses import replace

import pytest

from felixbgp.agent.reprieve import REPRIEVE_NS, Reprieve
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent
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
