"""Who is drained, for how long, and who is not."""

from dataclasses import replace

import pytest

from felixbgp.agent.draining import DEPARTED_NS, LEAD_NS, SETTLING_NS, Drained, Draining
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Address
from felixbgp.status.node_status import Leave

SECOND = 1_000_000_000
LONGEST_NS = 60 * SECOND
PEER = PeerId(Address.parse("10.0.0.2"))
CONFIG = PeerConfig(peer=PEER, name="two", families=(IPV4,), local_as=64512, remote_as=64512)
GONE = Derived(Intent(), {PEER: None})
KNOWN = {PEER: CONFIG}


@pytest.fixture
def draining() -> Draining:
    return Draining(LONGEST_NS)


def leave(draining: Draining, now: int = 0) -> None:
    wanted = draining.follow(GONE, KNOWN, lambda _: True, now)
    assert wanted == {PEER: replace(CONFIG, draining=True, leading=True)} == draining.configs()
    assert draining.next_deadline() == now + LEAD_NS
    assert draining.take_led(now + LEAD_NS - 1) == {}
    assert draining.take_led(now + LEAD_NS) == {PEER: replace(CONFIG, draining=True)} == draining.configs()
    assert draining.take_led(now + 2 * LEAD_NS) == {}


LEFT = Derived(Intent(), {PEER: None}, departed=frozenset((PEER.address,)))


def over(draining: Draining, unreplaced: int, now: int, *, is_up: bool = True) -> list[PeerId]:
    return list(draining.take_over(lambda _: unreplaced, lambda _: is_up, now))


def test_it_ends_when_nothing_was_selected_of_it_for_a_while(draining: Draining) -> None:
    leave(draining)
    assert draining.next_deadline() == LONGEST_NS
    assert over(draining, 3, now=SECOND) == []
    assert over(draining, 0, now=2 * SECOND) == []
    assert draining.next_deadline() == 2 * SECOND + SETTLING_NS
    assert over(draining, 0, now=SECOND + SETTLING_NS) == []
    assert over(draining, 0, now=2 * SECOND + SETTLING_NS) == [PEER]
    assert draining.take_facts() == [Drained(PEER, 0)]
    assert (draining.configs(), draining.next_deadline()) == ({}, None)


def test_what_is_selected_of_it_again_begins_the_while_anew(draining: Draining) -> None:
    leave(draining)
    assert over(draining, 0, now=0) == []
    assert over(draining, 1, now=SETTLING_NS) == []
    assert over(draining, 0, now=SETTLING_NS + 1) == []
    assert draining.next_deadline() == 2 * SETTLING_NS + 1


def test_in_the_end_it_goes_whatever_that_costs_and_says_so(draining: Draining) -> None:
    leave(draining)
    assert draining.next_deadline() == LONGEST_NS
    assert over(draining, 7, now=LONGEST_NS - 1) == []
    assert over(draining, 7, now=LONGEST_NS) == [PEER]
    assert draining.take_facts() == [Drained(PEER, 7)]
    assert draining.next_deadline() is None


def test_one_that_is_wanted_again_is_what_the_intent_says(draining: Draining) -> None:
    leave(draining)
    assert draining.follow(Derived(Intent(), KNOWN), {}, lambda _: True, 1) == KNOWN
    assert draining.configs() == {}
    assert over(draining, 0, now=LONGEST_NS) == []


def test_one_that_leaves_twice_stays_what_it_is(draining: Draining) -> None:
    leave(draining)
    assert draining.follow(GONE, {}, lambda _: True, 1) == {}
    assert draining.next_deadline() == LONGEST_NS
    draining.give_up()
    assert draining.next_deadline() is None


@pytest.mark.parametrize(
    ("derived", "known", "has_routes", "longest_ns"),
    [
        (Derived(Intent(), {PEER: None}, held_down=frozenset((PEER,))), KNOWN, True, LONGEST_NS),
        (GONE, {PEER: replace(CONFIG, shutdown="maintenance")}, True, LONGEST_NS),
        (GONE, {}, True, LONGEST_NS),
        (GONE, KNOWN, False, LONGEST_NS),
        (GONE, KNOWN, True, 0),
    ],
    ids=["must stay down", "was shut down", "was none", "has no routes", "nobody is"],
)
def test_nobody_waits_for_a_peer_that(
    derived: Derived, known: dict[PeerId, PeerConfig], has_routes: bool, longest_ns: int
) -> None:
    draining = Draining(longest_ns)
    assert draining.follow(derived, known, lambda _: has_routes, 0) == {PEER: None}
    assert draining.configs() == {}


def test_one_whose_node_left_the_cluster_stays_for_a_little_while(draining: Draining) -> None:
    wanted = draining.follow(LEFT, KNOWN, lambda _: True, 0)
    assert wanted == {PEER: replace(CONFIG, draining=True, leading=True)}
    assert over(draining, 7, DEPARTED_NS - 1) == []
    assert over(draining, 7, DEPARTED_NS) == [PEER]
    assert draining.take_facts() == [Drained(PEER, 7)]


def test_one_whose_node_left_the_cluster_goes_with_its_session(draining: Draining) -> None:
    draining.follow(LEFT, KNOWN, lambda _: True, 0)
    assert over(draining, 7, 1, is_up=False) == [PEER]
    assert (draining.configs(), draining.take_facts()) == ({}, [])


def test_one_that_is_drained_stays_without_a_session_until_its_node_leaves(draining: Draining) -> None:
    leave(draining)
    assert over(draining, 7, 1, is_up=False) == []
    assert draining.follow(LEFT._replace(peers={}), {}, lambda _: True, 1) == {}
    assert over(draining, 7, 1, is_up=False) == [PEER]


def test_one_whose_node_leaves_meanwhile_does_not_stay_longer_for_that(draining: Draining) -> None:
    leave(draining)
    draining.follow(LEFT, {}, lambda _: True, LONGEST_NS - SECOND)
    assert over(draining, 7, LONGEST_NS) == [PEER]


def test_one_whose_node_leaves_meanwhile_goes_sooner(draining: Draining) -> None:
    leave(draining)
    draining.follow(LEFT, {}, lambda _: True, SECOND)
    assert over(draining, 7, SECOND + DEPARTED_NS - 1) == []
    assert over(draining, 7, SECOND + DEPARTED_NS) == [PEER]


def test_one_that_is_counted_stays_and_since_when_is_known(draining: Draining) -> None:
    counted = {PEER: replace(CONFIG, counted=True)}
    assert draining.follow(Derived(Intent(), counted), KNOWN, lambda _: True, 1) == counted
    assert draining.follow(Derived(Intent(), counted), counted, lambda _: True, 2) == counted
    assert draining.leaves() == {PEER: Leave(1, None)}
    assert (draining.configs(), draining.next_deadline()) == ({}, None)
    leave_by = draining.follow(GONE, counted, lambda _: True, 3)
    assert leave_by == {PEER: replace(CONFIG, counted=True, draining=True, leading=True)}
    assert draining.leaves() == {PEER: Leave(3, 3 + LONGEST_NS)}
    draining.follow(Derived(Intent(), KNOWN), {}, lambda _: True, 4)
    assert draining.leaves() == {}
