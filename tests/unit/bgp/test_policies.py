"""Policies at a speaker: what they change on routes, both ways, and what a change of policy costs."""

from dataclasses import replace
from itertools import pairwise

import pytest

from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.policy.types import (
    Action,
    AddCommunity,
    Match,
    Operation,
    Policy,
    PrefixMatch,
    PrependAsPath,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.rib import exports
from felixbgp.bgp.rib.memory import SET_OCTETS
from felixbgp.bgp.routes import LocalRoute
from felixbgp.bgp.wire.communities import NO_ADVERTISE, NO_EXPORT
from felixbgp.bgp.wire.messages import MessageType, PathAttributes
from felixbgp.net import IPV4, Prefix
from tests.support.paths import sequence
from tests.support.speakers import Network, Node, join

BLOCK, OTHER_BLOCK = "10.1.0.0/26", "10.1.0.64/26"
COLOUR, LARGE = 64512 << 16 | 7, (64512, 7, 9)


def on(prefix: str | None, *operations: Operation, name: str = "rule", **conditions: object) -> Rule:
    """A rule that accepts, and changes what it accepts."""
    where = None if prefix is None else PrefixMatch.equal(Prefix.parse(prefix))
    return Rule(name, Match(where, **conditions), Action.ACCEPT, operations)  # type: ignore[arg-type]


def row(*asns: int) -> tuple[Network, list[Node]]:
    """Nodes in a row, each in session with the next."""
    network = Network()
    nodes = [network.node(f"10.0.0.{number}", asn=asn) for number, asn in enumerate(asns, start=1)]
    join(list(pairwise(nodes)), {})
    network.run_for(1)
    return network, nodes


def selected(node: Node, prefix: str = BLOCK) -> PathAttributes:
    return node.loc_rib[Prefix.parse(prefix)].attributes


# ---- import


def test_operations_on_import_change_what_is_used_and_told_but_not_what_was_received() -> None:
    network, (one, middle, last) = row(65001, 64512, 64512)
    operations = (AddCommunity(COLOUR), AddCommunity(LARGE), PrependAsPath((3, 4)), SetLocalPref(200))
    middle.change(one, import_policy=Policy((on(BLOCK, *operations),)))
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    received = PathAttributes(next_hop=one.address, as_path=sequence(65001))
    assert middle.rib_in(one) == {BLOCK: received, OTHER_BLOCK: received}
    changed = received.replace(
        as_path=sequence(3, 4, 65001),
        communities=(COLOUR,),
        large_communities=(LARGE,),
        local_pref=200,
    )
    assert (selected(middle), selected(middle, OTHER_BLOCK)) == (changed, received)
    assert last.rib_in(middle) == {BLOCK: changed, OTHER_BLOCK: received.replace(local_pref=100)}


def test_local_pref_set_on_import_decides() -> None:
    network = Network()
    core, short, far = (
        network.node(f"10.0.0.{host}", asn=asn) for host, asn in ((1, 64512), (2, 65002), (3, 65003))
    )
    join(
        [(core, short), (core, far)],
        {(core, short): {"import_policy": Policy((on(None, SetLocalPref(50)),))}},
    )
    network.run_for(1)
    for node in (short, far):
        node.originate(BLOCK)
    network.settle()
    assert core.routes() == {BLOCK: "10.0.0.3"}
    core.change(short, import_policy=Policy())
    network.settle()
    assert core.routes() == {BLOCK: "10.0.0.2"}


def test_our_own_as_put_in_front_on_import_is_no_loop_here() -> None:
    network, (one, other) = row(65001, 64512)
    other.change(one, import_policy=Policy((on(None, PrependAsPath((64512, 64512))),)))
    one.originate(BLOCK)
    network.settle()
    assert other.refusal(one, BLOCK) == ""
    assert selected(other).as_path == sequence(64512, 64512, 65001)


def test_no_export_added_on_import_keeps_the_route_in_our_as() -> None:
    network, (one, middle, last) = row(65001, 64512, 65003)
    middle.change(one, import_policy=Policy((on(BLOCK, AddCommunity(NO_EXPORT)),)))
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    assert list(last.routes()) == [OTHER_BLOCK]


def test_prefixes_that_a_policy_changes_alike_stay_together() -> None:
    network, (one, middle, last) = row(65001, 64512, 65003)
    rules = (on(None, AddCommunity(COLOUR)),)
    middle.change(one, import_policy=Policy(rules))
    middle.sent.clear()
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    paths = [middle.speaker._loc_ribs[IPV4].path(Prefix.parse(text).nlri) for text in (BLOCK, OTHER_BLOCK)]
    assert paths[0] is paths[1]
    assert len(last.routes()) == 2
    assert sum(len(sent.chunks) for sent in middle.sent) == 1


def test_a_changed_import_policy_judges_again_what_is_here() -> None:
    network, (one, middle, last) = row(65001, 64512, 65003)
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    for community in (COLOUR, COLOUR + 1):
        middle.change(one, import_policy=Policy((on(BLOCK, AddCommunity(community)),)))
        network.settle()
        assert selected(middle).communities == (community,)
        assert last.rib_in(middle)[BLOCK].communities == (community,)
        assert last.rib_in(middle)[OTHER_BLOCK].communities == ()
    middle.change(one, import_policy=Policy((Rule("no", Match(community=COLOUR), Action.REJECT),)))
    network.settle()
    assert middle.routes() == {BLOCK: "10.0.0.1", OTHER_BLOCK: "10.0.0.1"}
    one.change(middle, export_policy=Policy((on(BLOCK, AddCommunity(COLOUR)),)))
    network.settle()
    assert middle.routes() == {OTHER_BLOCK: "10.0.0.1"}
    assert middle.refusal(one, BLOCK) == "no"
    one.withdraw(BLOCK, OTHER_BLOCK)
    network.settle()
    assert middle.routes() == last.routes() == {}


# ---- export


def test_operations_on_export_come_before_what_the_standard_makes_of_a_route() -> None:
    network, (one, internal) = row(64512, 64512)
    operations = (AddCommunity(COLOUR), PrependAsPath((3, 4)), SetLocalPref(200))
    one.change(internal, export_policy=Policy((on(BLOCK, *operations),)))
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    assert internal.rib_in(one) == {
        BLOCK: PathAttributes(
            next_hop=one.address, as_path=sequence(3, 4), communities=(COLOUR,), local_pref=200
        ),
        OTHER_BLOCK: PathAttributes(next_hop=one.address, local_pref=100),
    }
    network, (one, external) = row(64512, 65002)
    one.change(external, export_policy=Policy((on(BLOCK, *operations),)))
    one.originate(BLOCK)
    network.settle()
    assert external.rib_in(one) == {
        BLOCK: PathAttributes(next_hop=one.address, as_path=sequence(64512, 3, 4), communities=(COLOUR,))
    }
    assert selected(one) == PathAttributes()


@pytest.mark.parametrize("community", [NO_EXPORT, NO_ADVERTISE])
def test_what_an_export_policy_forbids_is_for_the_peer_to_heed(community: int) -> None:
    network, (one, middle, last) = row(64512, 65002, 65003)
    one.change(middle, export_policy=Policy((on(BLOCK, AddCommunity(community)),)))
    one.originate(BLOCK)
    network.settle()
    assert middle.rib_in(one)[BLOCK].communities == (community,)
    assert last.routes() == {}


def test_conditions_on_export_see_the_route_as_it_is_here() -> None:
    network, (one, middle, last) = row(65001, 64512, 64512)
    one.originate(BLOCK)
    for match, goes in (
        (Match(as_path_start=(65001,)), True),
        (Match(as_path_start=(64512,)), False),
        (Match(local_pref=100), False),
    ):
        rule = Rule("rule", match, Action.ACCEPT)
        middle.change(last, export_policy=Policy((rule,), Action.REJECT))
        network.settle()
        assert (BLOCK in last.routes()) is goes


def test_every_path_of_a_prefix_is_judged_by_its_own_attributes() -> None:
    network = Network()
    core, one, two, far = (network.node(f"10.0.0.{host}", asn=64512) for host in (1, 2, 3, 4))
    client: dict[str, object] = {"route_reflector_client": True}
    coloured = Policy((on(None, AddCommunity(COLOUR)),))
    not_coloured = Policy((Rule("no", Match(community=COLOUR), Action.REJECT), on(None, SetLocalPref(7))))
    join(
        [(core, one), (core, two), (core, far)],
        {
            (one, core): {"export_policy": coloured},
            (core, one): client,
            (core, two): client,
            (core, far): {**client, "add_path_send": True, "export_policy": not_coloured},
            (far, core): {"add_path_receive": True},
        },
    )
    network.run_for(1)
    for node in (one, two):
        node.originate(BLOCK)
    network.settle()
    (told,) = far.rib_in(core).values()
    assert (told.next_hop, told.local_pref) == (two.address, 7)
    core.change(far, export_policy=Policy())
    network.settle()
    assert sorted(known.communities for known in far.rib_in(core).values()) == [(), (COLOUR,)]


@pytest.mark.parametrize(
    "bound", [("EXPORTS_MAX", 2), ("EXPORTS_OCTETS_MAX", 2 * SET_OCTETS)], ids=["number", "memory"]
)
def test_memories_of_what_became_of_a_path_are_bounded(
    bound: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, *bound)
    monkeypatch.setattr(exports, "POLICIES_MAX", 2)
    network, (one, other) = row(64512, 64512)
    one.change(other, export_policy=Policy((on(None, AddCommunity(COLOUR)),)))
    prefixes = [f"10.2.0.{host}/32" for host in range(9)]
    for number, prefix in enumerate(prefixes):
        one.originate(prefix, route=LocalRoute(RouteSource.KERNEL, f"cali{number}"))
    network.settle()
    assert sorted(other.routes()) == sorted(prefixes)
    assert {known.communities for known in other.rib_in(one).values()} == {(COLOUR,)}
    (group,) = one.speaker._advertising._groups.values()
    kept = group._exports
    assert max(len(kept._exports), len(kept._views), len(kept._policies)) <= 2


# ---- what a change costs


def everything_at_rest() -> tuple[Network, Node, Node]:
    """Two nodes with policies both ways, which change, take and refuse something."""
    network, (one, other) = row(65001, 64512)
    rules = (Rule("old no", Match(PrefixMatch.equal(Prefix.parse(OTHER_BLOCK))), Action.REJECT),)
    importing = Policy((*rules, on(None, AddCommunity(COLOUR), name="old colour")))
    other.change(one, import_policy=importing, export_policy=importing)
    one.originate(BLOCK, OTHER_BLOCK)
    other.originate("10.2.0.0/26", OTHER_BLOCK)
    network.run_for(1)
    assert selected(other).communities == (COLOUR,)
    assert other.refusal(one, OTHER_BLOCK) == "old no"
    for node in (one, other):
        node.sent.clear()
        node.facts.clear()
        node.changes = 0
    return network, one, other


def renamed(policy: Policy) -> Policy:
    return replace(
        policy, rules=tuple(replace(rule, name=rule.name.replace("old", "new")) for rule in policy.rules)
    )


def test_new_names_cause_nothing_and_are_shown() -> None:
    _, one, other = everything_at_rest()
    config = other.peers[next(iter(other.peers))]
    paths = other.speaker._loc_ribs[IPV4].candidates(Prefix.parse(BLOCK).nlri)
    deadline = other.speaker.next_deadline()
    other.change(
        one, import_policy=renamed(config.import_policy), export_policy=renamed(config.export_policy)
    )
    assert other.speaker.next_deadline() == deadline
    assert other.drain() == []
    assert (other.facts, other.changes) == ([], 0)
    assert other.speaker.statistics().prefixes_to_decide == other.speaker.statistics().prefixes_to_send == 0
    assert other.speaker._loc_ribs[IPV4].candidates(Prefix.parse(BLOCK).nlri) == paths
    assert other.refusal(one, OTHER_BLOCK) == "new no"


def test_another_policy_changes_routes_in_place_without_a_word_to_whom_they_came_from() -> None:
    network, one, other = everything_at_rest()
    config = other.peers[next(iter(other.peers))]
    more = replace(config.import_policy, rules=(on(None, AddCommunity(LARGE)), *config.import_policy.rules))
    other.change(one, import_policy=more)
    network.settle()
    assert other.sent == one.sent == []
    assert selected(other).large_communities == (LARGE,)
    assert selected(other, OTHER_BLOCK).large_communities == ()  # Our own is preferred to a learned one.
    assert other.refusal(one, OTHER_BLOCK) == ""
    other.change(one, export_policy=more)
    network.settle()
    kinds = {chunk[18] for sent in (*one.sent, *other.sent) for chunk in sent.chunks}
    assert kinds == {MessageType.UPDATE}
    assert {known.large_communities for known in one.rib_in(other).values()} == {(LARGE,)}
    assert not any(isinstance(fact, SessionStateChanged) for fact in (*one.facts, *other.facts))
    assert other.peer(one).established_count == 1
