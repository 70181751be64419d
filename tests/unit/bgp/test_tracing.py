"""What a speaker says of one prefix: who told it, what was selected by which step, who is told of it."""

import pytest

from felixbgp.bgp.config import GracefulRestart
from felixbgp.bgp.policy.types import Action, Match, Policy, PrefixMatch, Rule
from felixbgp.bgp.rib.trace import SPLIT_HORIZON, PeerTrace, SpeakerTrace, Telling
from felixbgp.bgp.wire.capabilities import add_path, graceful_restart
from felixbgp.bgp.wire.communities import NO_EXPORT
from felixbgp.net import IPV4, Prefix
from tests.support.paths import OUR_AS, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

PREFIX = "192.0.2.0/24"
REJECTING = Rule("not this one", Match(PrefixMatch.equal(Prefix.parse(PREFIX))), Action.REJECT)
NOT_THIS_ONE = Policy((REJECTING,))
NLRI = Prefix.parse(PREFIX).nlri


@pytest.fixture
def node() -> Node:
    return Network().node("10.0.0.1", asn=OUR_AS)


def traced(node: Node) -> SpeakerTrace:
    return node.speaker.trace(IPV4, NLRI)


def of(trace: SpeakerTrace, other: Played) -> PeerTrace:
    [found] = [one for one in trace.peers if one.config.peer.address == other.address]
    return found


def played(node: Node, number: int, **parameters: object) -> Played:
    return Played(node, f"10.0.0.{number}", asn=65000 + number, **parameters)


def established(*peers: Played) -> None:
    for peer in peers:
        peer.establish()


def test_of_a_prefix_that_nobody_told_there_is_nothing_but_the_peers(node: Node) -> None:
    other = played(node, 2)
    trace = traced(node)
    assert (trace.contest.best, trace.contest.paths, trace.is_deferred) == (None, (), False)
    assert (of(trace, other).state, of(trace, other).local, of(trace, other).told) == ("Active", None, [])


def test_a_route_is_followed_from_who_told_it_to_who_is_told(node: Node) -> None:
    first, second = played(node, 2), played(node, 3)
    established(first, second)
    first.announce(PREFIX)
    trace = traced(node)
    [received] = of(trace, first).received
    assert (received.refusal, received.is_accepted, received.rule, received.is_stale) == (
        "",
        True,
        None,
        False,
    )
    assert trace.contest.best is not None
    assert trace.contest.best.path.peer is not None
    assert trace.contest.best.path.peer.peer == of(trace, first).config.peer
    [told] = of(trace, second).told
    assert (told.telling, told.is_by_policy, told.attributes is None) == (Telling.TOLD, False, False)
    [back] = of(trace, first).told
    assert (back.telling, back.reason) == (Telling.WITHHELD, SPLIT_HORIZON)


def test_a_rule_that_rejects_is_named_on_the_way_in_and_on_the_way_out(node: Node) -> None:
    first = played(node, 2, import_policy=NOT_THIS_ONE)
    second, third = played(node, 3), played(node, 4, export_policy=NOT_THIS_ONE)
    established(first, second, third)
    for peer in (first, second):
        peer.announce(PREFIX)
    trace = traced(node)
    [received] = of(trace, first).received
    assert (received.is_accepted, received.rule) == (False, REJECTING)
    [told] = of(trace, third).told
    assert (told.telling, told.is_by_policy, told.rule) == (Telling.WITHHELD, True, 0)


def test_what_lost_has_the_step_that_it_lost_by(node: Node) -> None:
    first, second = played(node, 2), played(node, 3)
    established(first, second)
    first.announce(PREFIX)
    second.announce(PREFIX, as_path=sequence(second.asn, 65100))
    contest = traced(node).contest
    assert len(contest.paths) == 2
    [path] = contest.lost
    assert path.peer is not None
    assert path.peer.peer.address == second.address


def test_what_is_kept_of_a_session_that_is_over_is_stale(node: Node) -> None:
    other = played(node, 2, graceful_restart=GracefulRestart(restart_time_s=120))
    other.establish(graceful_restart(120, [(IPV4, True)], restarting=False, notification=False))
    other.announce(PREFIX)
    other.hang_up()
    trace = of(traced(node), other)
    assert (trace.local, [one.is_stale for one in trace.received]) == (None, [True])


def test_asking_changes_nothing(node: Node) -> None:
    first, second = played(node, 2), played(node, 3)
    established(first, second)
    first.announce(PREFIX)
    second.forget()
    assert traced(node) == traced(node)
    node.network.settle()
    assert second.heard() == []


def test_what_the_standard_keeps_back_is_said_in_its_words(node: Node) -> None:
    first, second, looping = played(node, 2), played(node, 3), played(node, 4)
    established(first, second, looping)
    first.announce(PREFIX, communities=(NO_EXPORT,))
    looping.announce(PREFIX, as_path=sequence(looping.asn, OUR_AS))
    trace = traced(node)
    [told] = of(trace, second).told
    assert (told.telling, told.is_by_policy, told.attributes) == (Telling.WITHHELD, False, None)
    assert "NO_EXPORT" in told.reason
    [received] = of(trace, looping).received
    assert received.refusal
    assert not received.is_accepted


def test_who_takes_several_paths_is_told_of_each_that_may_be_used(node: Node) -> None:
    first, second = played(node, 2), played(node, 3)
    third = played(node, 4, add_path_send=True)
    established(first, second)
    third.establish(add_path([(IPV4, True, False)]))
    for peer in (first, second):
        peer.announce(PREFIX)
    assert [one.telling for one in of(traced(node), third).told] == [Telling.TOLD, Telling.TOLD]


def test_counts_are_by_family_and_state(node: Node) -> None:
    first, second = played(node, 2), played(node, 3)
    first.establish()
    first.announce(PREFIX, "198.51.100.0/24")
    assert node.speaker.sessions_by_state() == {"Established": 1, second.state: 1}
