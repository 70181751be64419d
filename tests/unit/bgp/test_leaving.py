"""Peers that are about to leave: which prefixes are selected from them is counted, for those who wait."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerId
from felixbgp.bgp.policy.types import Action, Match, Policy, Rule, SetLocalPref
from felixbgp.bgp.speaker import DRAINED_TEXT
from felixbgp.bgp.wire.capabilities import graceful_restart
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.support.paths import OUR_AS
from tests.support.played import Played
from tests.support.speakers import OWN, Network, Node

RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True)
PRESERVED = graceful_restart(120, [(IPV4, True)], restarting=False, notification=True)
LAST = Policy((Rule("last", Match(), Action.ACCEPT, (SetLocalPref(0),)),))
ONE, TWO, THREE = "10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"


@pytest.fixture
def node() -> Node:
    return Network().node("10.0.0.1", asn=OUR_AS)


def peer(node: Node, number: int, **parameters: object) -> Played:
    return Played(node, f"10.0.0.{number}", asn=None, **parameters).establish()


def lost(node: Node, restart: GracefulRestart | None = RESTART, *, draining: bool = False) -> Played:
    """A peer of which there was a route when its session broke."""
    played = Played(node, "10.0.0.2", graceful_restart=restart).establish(PRESERVED)
    played.announce(ONE)
    played.end_of_rib()
    change(played, draining=draining)
    played.hang_up()
    return played


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
    leaving = lost(node)
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


@pytest.mark.parametrize("restart", [None, RESTART], ids=["not graceful", "graceful"])
def test_what_a_draining_peer_brought_stays_without_its_session_until_it_is_no_peer(
    node: Node, restart: GracefulRestart | None
) -> None:
    """Somebody forwards by it until all have another way, whatever was agreed on with the peer."""
    leaving = lost(node, restart, draining=True)
    node.network.run_for(10_000)
    assert node.routes() == {ONE: "10.0.0.2"}
    assert needed(leaving) == (1, {ONE})
    leaving.connect()
    assert leaving.state == "Idle"
    assert node.routes() == {ONE: "10.0.0.2"}
    node.configure()
    node.network.settle()
    assert node.routes() == {}


def test_so_does_what_was_kept_already_when_the_drain_began(node: Node) -> None:
    leaving = lost(node)
    node.network.run_for(100)
    change(leaving, draining=True)
    node.network.run_for(10_000)
    assert node.routes() == {ONE: "10.0.0.2"}


def test_one_that_is_wanted_again_has_the_restart_time_to_come_back(node: Node) -> None:
    leaving = lost(node, draining=True)
    node.network.run_for(10_000)
    change(leaving, draining=False)
    assert needed(leaving) == (None, set())
    node.network.run_for(119)
    assert node.routes() == {ONE: "10.0.0.2"}
    node.network.run_for(2)
    assert node.routes() == {}


def test_one_that_is_wanted_again_and_is_not_graceful_has_no_time(node: Node) -> None:
    leaving = lost(node, None, draining=True)
    change(leaving, draining=False)
    node.network.run_for(1)
    assert node.routes() == {}


def test_what_was_held_stays_until_a_peer_that_is_back_has_told_its_table(node: Node) -> None:
    """Though it says that it preserved nothing: nothing else is known."""
    leaving = lost(node, draining=True)
    change(leaving, draining=False)
    nothing = graceful_restart(120, [(IPV4, False)], restarting=True, notification=True)
    leaving.establish(nothing)
    assert node.routes() == {ONE: "10.0.0.2"}
    leaving.announce(TWO)
    leaving.end_of_rib()
    assert node.routes() == {TWO: "10.0.0.2"}


@pytest.mark.parametrize(
    ("draining", "subcode"),
    [(True, CeaseSubcode.ADMINISTRATIVE_RESET), (False, CeaseSubcode.HARD_RESET)],
    ids=["drained", "at once"],
)
def test_a_peer_that_was_drained_keeps_our_routes_when_it_is_told_good_bye(
    node: Node, subcode: CeaseSubcode, *, draining: bool
) -> None:
    """RFC 8538 §3: it forwards to us until it has drained us, too."""
    leaving = Played(node, "10.0.0.2", graceful_restart=RESTART).establish(PRESERVED)
    change(leaving, draining=draining)
    node.configure()
    node.network.settle()
    (notification,) = leaving.notifications()
    assert (notification.code, notification.subcode) == (ErrorCode.CEASE, subcode)
    assert (DRAINED_TEXT.encode() in notification.data) is draining
