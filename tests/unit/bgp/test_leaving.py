"""Peers that are about to leave: which prefixes are selected from them is counted, for those who wait."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.policy.types import Action, Match, Policy, Rule, SetLocalPref
from felixbgp.bgp.wire.capabilities import graceful_restart
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.support.paths import OUR_AS
from tests.support.played import Played
from tests.support.speakers import OWN, Network, Node

LAST = Policy((Rule("last", Match(), Action.ACCEPT, (SetLocalPref(0),)),))
ONE, TWO, THREE = "10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"


@pytest.fixture
def node() -> Node:
    return Network().node("10.0.0.1", asn=OUR_AS)


def peer(node: Node, number: int, **parameters: object) -> Played:
    return Played(node, f"10.0.0.{number}", asn=None, **parameters).establish()


def change(played: Played, **parameters: object) -> None:
    peers = {**played.node.peers}
    known = PeerId(played.address)
    peers[known] = replace(peers[known], **parameters)  # type: ignore[arg-type]
    played.node.configure(*peers.values())
    played.node.network.settle()


def needed(played: Played) -> tuple[int | None, set[str]]:
    snapshot = played.snapshot
    return snapshot.unreplaced, set(map(str, snapshot.unreplaced_first))


def test_nobody_counts_unless_somebody_waits(node: Node) -> None:
    leaving = peer(node, 2)
    leaving.announce(ONE)
    assert needed(leaving) == (None, set())


@pytest.mark.parametrize("flag", ["counted", "draining"])
def test_what_is_selected_from_it_is_counted_from_then_on(node: Node, flag: str) -> None:
    leaving, other = peer(node, 2), peer(node, 3)
    leaving.announce(ONE, TWO)
    other.announce(ONE)
    assert node.routes()[ONE] == "10.0.0.2"
    change(leaving, import_policy=LAST, **{flag: True})
    assert node.routes() == {ONE: "10.0.0.3", TWO: "10.0.0.2"}
    assert needed(leaving) == (1, {TWO})
    assert node.speaker.unreplaced_count(PeerId(leaving.address)) == 1
    leaving.announce(THREE)
    other.withdraw(ONE)
    assert needed(leaving) == (3, {ONE, TWO, THREE})
    other.announce(ONE, TWO, THREE)
    assert needed(leaving) == (0, set())
    other.withdraw(TWO)
    leaving.withdraw(TWO, THREE)
    assert needed(leaving) == (0, set())


def test_one_that_stays_after_all_is_counted_no_more(node: Node) -> None:
    leaving = peer(node, 2, counted=True)
    leaving.announce(ONE)
    assert needed(leaving) == (1, {ONE})
    change(leaving, counted=False)
    assert needed(leaving) == (None, set())
    change(leaving, counted=True)
    assert needed(leaving) == (1, {ONE})


def test_a_session_never_notices(node: Node) -> None:
    leaving = peer(node, 2)
    leaving.announce(ONE)
    change(leaving, counted=True, import_policy=LAST)
    change(leaving, counted=False, import_policy=Policy())
    assert leaving.notifications() == []
    assert leaving.snapshot.established_count == 1


def test_equal_paths_are_no_way_to_one_that_leaves(node: Node) -> None:
    """As one of several next hops it would be sent packets, and none of them counted."""
    node.config = type(node.config)(
        bgp_identifier=node.config.bgp_identifier, local_as=OUR_AS, multipath_internal=4
    )
    leaving, other = peer(node, 3), peer(node, 2)
    for each in (leaving, other):
        each.announce(ONE, local_pref=100)
    selected = node.loc_rib[Prefix.parse(ONE)]
    assert len(selected.next_hops) == 2
    change(leaving, counted=True, import_policy=LAST)
    assert needed(leaving) == (0, set())
    assert node.loc_rib[Prefix.parse(ONE)].next_hops == (Address.parse("10.0.0.2"),)


def test_what_is_kept_of_a_lost_session_counts_too(node: Node) -> None:
    restart = GracefulRestart(restart_time_s=120, forwarding_preserved=True)
    offered = graceful_restart(120, [(IPV4, True)], restarting=False, notification=True)
    leaving = Played(node, "10.0.0.2", graceful_restart=restart).establish(offered)
    leaving.announce(ONE)
    leaving.end_of_rib()
    leaving.hang_up()
    assert node.routes() == {ONE: "10.0.0.2"}
    change(leaving, counted=True, import_policy=LAST)
    assert needed(leaving) == (1, {ONE})
    peer(node, 3).announce(ONE)
    assert needed(leaving) == (0, set())
    assert leaving.snapshot.prefixes_stale == 1


def test_while_something_is_not_decided_nothing_is_proved(node: Node) -> None:
    leaving, other = peer(node, 2, counted=True), peer(node, 3)
    leaving.announce(ONE)
    other.announce(ONE, local_pref=200)
    assert needed(leaving) == (0, set())
    node.speaker.originate(IPV4, Prefix.parse(TWO).nlri, OWN)
    assert needed(leaving) == (1, set())
    node.network.settle()
    assert needed(leaving) == (0, set())
    leaving_id = PeerId(leaving.address)
    assert node.speaker.unreplaced_count(leaving_id) == 0
    assert node.speaker.unreplaced_count(PeerId(Address.parse("10.0.0.9"))) == 0


def test_both_families_of_one_session_are_told_apart(node: Node) -> None:
    """0808 0a: 10.0.0.0/8 or a00::/8."""
    both = Played(node, "10.0.0.2", families=(IPV4, IPV6), counted=True)
    both.establish(families=(IPV4, IPV6))
    both.announce("10.0.0.0/8")
    assert needed(both) == (1, {"10.0.0.0/8"})
