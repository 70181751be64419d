"""Speakers that talk to each other over in-memory TCP: what operators and peers see of them."""

from dataclasses import replace
from itertools import pairwise

import pytest

from felixbgp.bgp.config import GracefulRestart, LimitAction, NextHopMode, PeerId, PrefixLimit
from felixbgp.bgp.effects import CloseConnection, SendBytes, SetOptions, TransportOptions
from felixbgp.bgp.facts import (
    ConnectionRefused,
    NotificationReceived,
    PrefixLimitReached,
    SessionStateChanged,
    UpdateMalformed,
)
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpAccepted
from felixbgp.bgp.policy.types import Action, Match, Policy, PrefixMatch, RouteSource, Rule
from felixbgp.bgp.rib.adj_rib_out import IN_FLIGHT_MAX
from felixbgp.bgp.rib.path_numbers import NUMBERS_SWEEP_FIRST
from felixbgp.bgp.routes import LocalRoute
from felixbgp.bgp.snapshot import FamilyCounts, RouteSnapshot
from felixbgp.bgp.strangers import REFUSALS_PER_SECOND, REFUSED_ADDRESSES_MAX
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.codec import encode_route_refresh
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, PathAttributes, RouteRefreshMessage
from felixbgp.bgp.wire.update import encode_announcements, encode_end_of_rib, encode_withdrawals
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from tests.support.paths import sequence
from tests.support.speakers import SECOND, Network, Node, join, peer_config

BLOCK = "10.1.0.0/26"
OTHER_BLOCK = "10.1.0.64/26"
BLOCK_NLRI = Prefix.parse(BLOCK).nlri


def reject(prefix: str) -> Policy:
    rule = Rule(f"not {prefix}", Match(PrefixMatch.equal(Prefix.parse(prefix))), Action.REJECT)
    return Policy((rule,))


def two(asn: int = 64512, other_asn: int = 64512, **parameters: object) -> tuple[Network, Node, Node]:
    """Two nodes in session; `parameters` are for the first one's view of the second."""
    network = Network()
    one, other = network.node("10.0.0.1", asn=asn), network.node("10.0.0.2", asn=other_asn)
    join([(one, other)], {(one, other): parameters})
    network.run_for(1)
    assert one.peer(other).state == other.peer(one).state == "Established"
    return network, one, other


def chain(*asns: int, **parameters: object) -> tuple[Network, list[Node]]:
    """Nodes in a row; `parameters` are for the second one's view of both its neighbours."""
    network = Network()
    nodes = [network.node(f"10.0.0.{number}", asn=asn) for number, asn in enumerate(asns, start=1)]
    pairs = list(pairwise(nodes))
    middle = nodes[1]
    join(pairs, {(middle, other): parameters for other in nodes if other is not middle})
    network.run_for(1)
    return network, nodes


def sessions(node: Node) -> int:
    """How often a session of the node was established."""
    return sum(peer.established_count for peer in node.speaker.peers())


def connection(of: Node, other: Node) -> int:
    return next(number for number, pipe in of.pipes.items() if pipe.other is other)


# ---- routes between two


def test_internal_peers_exchange_own_routes_and_withdraw_them() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    network.settle()
    assert other.routes() == {BLOCK: "10.0.0.1"}
    assert other.rib_in(one) == {BLOCK: PathAttributes(next_hop=one.address, local_pref=100)}
    one.withdraw(BLOCK)
    network.settle()
    assert other.routes() == {}
    assert other.rib_in(one) == {}


def test_external_peers_see_our_as_and_address() -> None:
    network, one, other = two(65001, 65002)
    one.originate(BLOCK)
    network.settle()
    assert other.rib_in(one) == {BLOCK: PathAttributes(next_hop=one.address, as_path=sequence(65001))}


def test_ipv6_routes_over_an_ipv6_session() -> None:
    network = Network()
    one, other = network.node("fd00::1", asn=64512), network.node("fd00::2", asn=64512)
    join([(one, other)], {})
    one.originate("fd01::/122")
    network.run_for(1)
    assert other.routes() == {"fd01::/122": "fd00::1"}
    assert other.peer(one).end_of_rib_received
    one.withdraw("fd01::/122")
    network.settle()
    assert other.routes() == {}


def test_end_of_rib_follows_the_initial_table() -> None:
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    one.originate(BLOCK)
    join([(one, other)], {})
    network.run_for(1)
    assert other.peer(one).end_of_rib_received
    octets = b"".join(chunk for sent in one.sent for chunk in sent.chunks)
    announcement = encode_announcements(
        IPV4, PathAttributes(next_hop=one.address, local_pref=100), [BLOCK_NLRI]
    )[0]
    assert octets.endswith(announcement + encode_end_of_rib(IPV4))


def test_a_prefix_of_our_own_beats_a_learned_one_and_gives_way_when_withdrawn() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    other.originate(BLOCK)
    network.settle()
    assert (one.routes(), other.routes()) == ({BLOCK: "own"}, {BLOCK: "own"})
    one.withdraw(BLOCK)
    network.settle()
    assert (one.routes(), other.routes()) == ({BLOCK: "10.0.0.2"}, {BLOCK: "own"})
    assert other.rib_in(one) == {}


def test_a_kernel_route_through_a_router_keeps_that_router_as_next_hop() -> None:
    network, one, other = two()
    one.originate(BLOCK, route=LocalRoute(RouteSource.KERNEL, "eth0", Address.parse("10.0.0.77")))
    network.settle()
    assert other.routes() == {BLOCK: "10.0.0.77"}


# ---- routes through a third


def test_internal_routes_are_not_told_to_internal_peers() -> None:
    network, (one, _, last) = chain(64512, 64512, 64512)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {}


def test_external_routes_are_told_to_internal_peers_with_their_next_hop() -> None:
    network, (one, _, last) = chain(65001, 64512, 64512)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {BLOCK: "10.0.0.1"}


def test_next_hop_self_is_for_learned_routes_too() -> None:
    network, (one, _, last) = chain(65001, 64512, 64512, next_hop=NextHopMode.SELF)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {BLOCK: "10.0.0.2"}


def test_next_hop_keep_is_for_external_peers_too() -> None:
    network, (one, _, last) = chain(65001, 64512, 65003, next_hop=NextHopMode.KEEP)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {BLOCK: "10.0.0.1"}


def test_a_reflector_names_originator_and_cluster_and_keeps_the_next_hop() -> None:
    network, (one, reflector, last) = chain(64512, 64512, 64512, route_reflector_client=True)
    one.originate(BLOCK)
    network.settle()
    assert last.rib_in(reflector) == {
        BLOCK: PathAttributes(
            next_hop=one.address,
            local_pref=100,
            originator_id=bytes(one.address),
            cluster_list=(bytes(reflector.address),),
        )
    }
    assert one.rib_in(reflector) == {}


def test_reflectors_of_one_cluster_do_not_use_each_others_reflections() -> None:
    network = Network()
    client = network.node("10.0.0.1", asn=64512)
    reflectors = [network.node(f"10.0.0.{host}", asn=64512, cluster_id="9.9.9.9") for host in (2, 3)]
    for_client: dict[tuple[Node, Node], dict[str, object]] = {
        (reflector, client): {"route_reflector_client": True} for reflector in reflectors
    }
    join(
        [(client, reflectors[0]), (client, reflectors[1]), (reflectors[0], reflectors[1])],
        for_client,
    )
    client.originate(BLOCK)
    network.run_for(1)
    first, second = reflectors
    assert first.routes() == second.routes() == {BLOCK: "10.0.0.1"}
    assert first.refusal(second, BLOCK) == "reflection loop: CLUSTER_LIST holds our cluster"


def test_a_loop_is_seen_and_can_be_allowed_in_place() -> None:
    network, (one, _, last) = chain(65001, 64512, 65001)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {}
    assert last.refusal(network.nodes[Address.parse("10.0.0.2")], BLOCK).startswith("AS loop")
    last.change(network.nodes[Address.parse("10.0.0.2")], allowed_local_as=1)
    network.settle()
    assert last.routes() == {BLOCK: "10.0.0.2"}
    assert sessions(last) == 1


def test_a_peer_whose_route_becomes_the_best_is_told_to_forget_the_other() -> None:
    network, (one, middle, last) = chain(65001, 64512, 65003)
    one.originate(BLOCK)
    network.settle()
    assert last.rib_in(middle) == {
        BLOCK: PathAttributes(next_hop=middle.address, as_path=sequence(64512, 65001))
    }
    middle.change(one, import_policy=Policy(default=Action.REJECT))
    last.originate(BLOCK)
    network.settle()
    assert middle.routes() == {BLOCK: "10.0.0.3"}
    assert last.rib_in(middle) == {}
    assert one.rib_in(middle) == {
        BLOCK: PathAttributes(next_hop=middle.address, as_path=sequence(64512, 65003))
    }


# ---- policies and other changes


def test_an_import_policy_changes_what_is_used_without_a_reset() -> None:
    network, one, other = two()
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    other.change(one, import_policy=reject(BLOCK))
    network.settle()
    assert other.routes() == {OTHER_BLOCK: "10.0.0.1"}
    assert other.refusal(one, BLOCK) == f"not {BLOCK}"
    assert (other.peer(one).prefixes_received, other.peer(one).prefixes_accepted) == (2, 1)
    other.change(one, import_policy=Policy())
    network.settle()
    assert other.routes() == {BLOCK: "10.0.0.1", OTHER_BLOCK: "10.0.0.1"}
    assert sessions(other) == 1


def test_an_export_policy_sends_the_difference_and_nothing_else() -> None:
    network, one, other = two()
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    one.sent.clear()
    one.change(other, export_policy=reject(BLOCK))
    network.settle()
    assert [chunk for sent in one.sent for chunk in sent.chunks] == encode_withdrawals(IPV4, [BLOCK_NLRI])
    assert list(other.routes()) == [OTHER_BLOCK]
    assert one.peer(other).prefixes_advertised == 1
    assert sessions(one) == 1


def test_an_export_policy_that_means_the_same_sends_nothing() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    network.settle()
    one.sent.clear()
    one.change(other, export_policy=reject("99.0.0.0/8"), name="renamed")
    network.settle()
    assert one.sent == []
    assert one.peer(other).name == "renamed"


def test_an_external_peer_that_needs_a_policy_gets_and_brings_nothing_without_one() -> None:
    """RFC 8212 §2; changed in place."""
    network, one, other = two(64512, 64513, requires_policy=True)
    one.originate(BLOCK)
    other.originate(OTHER_BLOCK)
    network.settle()
    assert (one.routes(), other.routes()) == ({BLOCK: "own"}, {OTHER_BLOCK: "own"})
    assert one.refusal(other, OTHER_BLOCK) == "an external peer needs a policy (RFC 8212)"
    everything = Policy((Rule("everything", Match(), Action.ACCEPT),))
    one.change(other, import_policy=everything)
    network.settle()
    assert one.routes() == {BLOCK: "own", OTHER_BLOCK: "10.0.0.2"}
    assert BLOCK not in other.routes()
    one.change(other, export_policy=everything)
    network.settle()
    assert other.routes() == {OTHER_BLOCK: "own", BLOCK: "10.0.0.1"}
    assert sessions(one) == 1


def test_an_internal_peer_needs_no_policy() -> None:
    network, one, other = two(requires_policy=True)
    one.originate(BLOCK)
    network.settle()
    assert other.routes() == {BLOCK: "10.0.0.1"}


def test_as_path_edits_change_in_place() -> None:
    network, one, other = two(64512, 64513)
    one.originate(BLOCK)
    network.settle()
    one.change(other, prepend_local_as=2)
    network.settle()
    assert other.rib_in(one)[BLOCK].as_path == sequence(64512, 64512, 64512)
    assert sessions(one) == 1


def test_two_sites_of_one_as_see_each_other_by_as_override() -> None:
    network = Network()
    site, core, far = (
        network.node(f"10.0.0.{number}", asn=asn) for number, asn in ((1, 65001), (2, 64512), (3, 65001))
    )
    join(
        [(site, core), (core, far)], {(core, far): {"override_as": True}, (core, site): {"override_as": True}}
    )
    network.run_for(1)
    site.originate(BLOCK)
    network.settle()
    assert far.routes() == {BLOCK: "10.0.0.2"}
    assert far.rib_in(core)[BLOCK].as_path == sequence(64512, 64512)


def test_a_peer_about_to_go_is_left_alone_as_long_as_there_is_another() -> None:
    """RFC 8326: GRACEFUL_SHUTDOWN from an external peer makes its routes the last resort, here and beyond."""
    network, (leaving, one, _) = chain(64513, 64512, 64512)
    leaving.originate(BLOCK)
    network.settle()
    update = one.rib_in(leaving)[BLOCK].replace(communities=(0xFFFF0000,))
    (message,) = encode_announcements(IPV4, update, [BLOCK_NLRI])
    one.speaker.feed(BytesReceived(connection(one, leaving), message), network.now)
    network.settle()
    beyond = network.nodes[Address.parse("10.0.0.3")]
    assert beyond.rib_in(one)[BLOCK].local_pref == 0
    assert beyond.routes() == {BLOCK: "10.0.0.1"}


def test_becoming_a_reflector_needs_no_reset() -> None:
    network, (one, middle, last) = chain(64512, 64512, 64512)
    one.originate(BLOCK)
    network.settle()
    assert last.routes() == {}
    middle.change(one, route_reflector_client=True)
    network.settle()
    assert last.routes() == {BLOCK: "10.0.0.1"}
    middle.change(one, route_reflector_client=False)
    network.settle()
    assert last.routes() == {}
    assert [sessions(node) for node in (one, middle, last)] == [1, 2, 1]


def test_what_is_in_open_needs_a_new_session() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    network.settle()
    one.change(other, hold_time_s=30)
    network.settle()
    received = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert [(fact.code, fact.subcode) for fact in received] == [(6, 6)]
    network.run_for(10)
    assert one.peer(other).state == "Established"
    assert (one.peer(other).hold_time_s, one.peer(other).established_count) == (30, 2)
    assert other.routes() == {BLOCK: "10.0.0.1"}


def test_a_removed_peer_is_told_so_and_its_routes_go() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    other.originate(OTHER_BLOCK)
    network.settle()
    one.configure()
    network.settle()
    received = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert [(fact.code, fact.subcode) for fact in received] == [(6, 3)]
    assert (one.routes(), other.routes()) == ({BLOCK: "own"}, {OTHER_BLOCK: "own"})
    assert one.speaker.peers() == []
    assert one.speaker.next_deadline() is None


# ---- sessions


def test_a_lost_session_takes_its_routes_along_and_comes_back_with_them() -> None:
    network, (one, middle, last) = chain(65001, 64512, 65003)
    one.originate(BLOCK)
    network.settle()
    network.cut(one, middle)
    network.settle()
    assert (middle.routes(), last.routes()) == ({}, {})
    network.run_for(10)
    assert last.routes() == {BLOCK: "10.0.0.2"}
    assert middle.peer(one).established_count == 2


def test_silence_ends_the_session_when_the_hold_time_is_over() -> None:
    network, one, other = two(hold_time_s=9)
    other.originate(BLOCK)
    network.settle()
    network.silence(other)
    network.run_for(10)
    assert one.peer(other).state != "Established"
    assert one.routes() == {}


def test_the_keepalive_interval_changes_without_a_new_session() -> None:
    network, one, other = two()
    for seconds, at_least in ((None, 3), (2, 50), (None, 3)):
        one.change(other, keepalive_time_s=seconds)
        one.sent.clear()
        network.run_for(100)
        kinds = [chunk[18] for sent in one.sent for chunk in sent.chunks]
        assert set(kinds) == {MessageType.KEEPALIVE}
        assert at_least <= len(kinds) <= 2 * at_least
    assert sessions(one) == sessions(other) == 1


def test_keepalives_hold_a_session_that_has_nothing_to_say() -> None:
    network, one, other = two(hold_time_s=9)
    network.run_for(100)
    assert one.peer(other).established_count == 1
    assert one.peer(other).state == "Established"


def test_a_stranger_is_turned_away() -> None:
    network, one, _ = two()
    stranger = Endpoint(Address.parse("192.0.2.66"), 5555)
    one.facts.clear()
    for number in range(-200, -100):
        one.speaker.feed(TcpAccepted(number, Endpoint(one.address, 179), stranger), network.now)
        network.now += SECOND // 100
    effects = one.drain()
    while one.speaker.backlog:
        effects += one.drain()
    notifications = [effect for effect in effects if isinstance(effect, SendBytes)]
    assert notifications[0].chunks[0][18:21] == b"\3\6\5"
    assert len(notifications) == REFUSALS_PER_SECOND
    assert sum(isinstance(effect, CloseConnection) for effect in effects) == 100
    assert one.facts == [ConnectionRefused("192.0.2.66", "no such peer")]
    one.speaker.feed(TcpAccepted(-300, Endpoint(one.address, 179), stranger), network.now)
    assert len(one.drain()) == 2


def test_a_change_of_some_peers_leaves_the_others_as_they_are() -> None:
    network, one, other = two()
    network.settle()
    third = peer_config(one, other, peer=PeerId(Address.parse("10.0.0.0")), name="third")
    one.speaker.change_peers({third.peer: third, PeerId(Address.parse("10.0.0.9")): None}, network.now)
    network.settle()
    assert [(peer.name, peer.state) for peer in one.speaker.peers()] == [
        ("third", "Active"),
        ("10.0.0.2", "Established"),
    ]
    one.speaker.change_peers({PeerId(other.address): None}, network.now)
    network.settle()
    received = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert [(fact.code, fact.subcode) for fact in received] == [(6, 3)]
    assert [peer.name for peer in one.speaker.peers()] == ["third"]


def test_peers_at_one_address_are_told_apart_by_port() -> None:
    network, one, other = two()
    second = peer_config(one, other, peer=PeerId(other.address, 1179), name="second", passive=True)
    one.configure(*one.peers.values(), second)
    network.settle()
    one.speaker.feed(
        TcpAccepted(-99, Endpoint(one.address, 179), Endpoint(other.address, 50000)), network.now
    )
    one.drain()
    assert [(peer.name, peer.state) for peer in one.speaker.peers()] == [
        ("10.0.0.2", "Established"),
        ("second", "OpenSent"),
    ]


def test_a_peer_that_dials_from_its_port_is_known_by_it_and_may_go_while_the_other_stays() -> None:
    network, one, other = two()
    second = peer_config(one, other, peer=PeerId(other.address, 1179), name="second", passive=True)
    first = one.peers[PeerId(other.address)]
    one.configure(first, second)
    one.speaker.feed(TcpAccepted(-99, Endpoint(one.address, 179), Endpoint(other.address, 1179)), network.now)
    one.drain()
    assert [(peer.name, peer.state) for peer in one.speaker.peers()][1] == ("second", "OpenSent")
    one.configure(first)
    network.settle()
    assert [(peer.name, peer.state) for peer in one.speaker.peers()] == [("10.0.0.2", "Established")]
    assert one.speaker._peerings._by_address.keys() == {other.address}


def test_the_routes_of_a_lost_peer_go_in_portions() -> None:
    network, one, other = two()
    prefixes = many(250)
    other.originate(*prefixes)
    network.settle()
    one.budget = 100
    network.cut(one, other)
    left = []
    for _ in range(3):
        network.turn(one)
        left.append(len(one.loc_rib))
    assert left == [150, 50, 0]


def test_what_is_of_a_family_without_a_table_is_passed_over() -> None:
    """Two speakers may agree on a family that neither keeps routes of."""
    multicast = Family(1, 2)
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    both: dict[str, object] = {"families": (IPV4, multicast)}
    join([(one, other)], {(one, other): both, (other, one): both})
    one.originate(BLOCK)
    network.run_for(1)
    assert other.routes() == {BLOCK: "10.0.0.1"}
    other.speaker.feed(
        BytesReceived(connection(other, one), encode_route_refresh(RouteRefreshMessage(multicast))),
        network.now,
    )
    network.settle()
    assert other.peer(one).established_count == 1


def test_a_release_concerns_its_family_alone() -> None:
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    both: dict[str, object] = {"families": (IPV4, IPV6), "extended_next_hop": True}
    join([(one, other)], {(one, other): both, (other, one): both})
    network.run_for(1)
    one.held = {IPV4: {BLOCK_NLRI}}
    one.originate(BLOCK)
    network.settle()
    one.held = {}
    one.speaker.release(IPV6, [BLOCK_NLRI])
    network.settle()
    assert other.routes() == {}
    one.speaker.release(IPV4, [BLOCK_NLRI])
    network.settle()
    assert other.routes() == {BLOCK: "10.0.0.1"}


def test_a_change_that_its_peer_cannot_see_sends_nothing() -> None:
    """Our AS in place of another is for external peers."""
    network, one, other = two()
    one.originate(BLOCK)
    network.settle()
    one.sent.clear()
    one.change(other, override_as=True)
    network.settle()
    assert one.sent == []
    assert sessions(one) == 1


def test_a_hopeless_update_ends_the_session() -> None:
    network, one, other = two()
    other.originate(BLOCK)
    network.settle()
    broken = frame(MessageType.UPDATE, b"\0\1\xff\0\0")
    one.speaker.feed(BytesReceived(connection(one, other), broken), network.now)
    network.settle()
    assert any(isinstance(fact, UpdateMalformed) and fact.verdict == "session reset" for fact in one.facts)
    received = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert [fact.code for fact in received] == [3]
    assert one.routes() == {}
    assert one.peer(other).malformed_updates == (("session reset", 1),)


def test_an_update_with_several_errors_of_one_kind_is_one_malformed_update() -> None:
    network, one, other = two()
    other.originate(BLOCK)
    network.settle()
    (good,) = encode_announcements(IPV4, one.rib_in(other)[BLOCK], [BLOCK_NLRI])
    # ATOMIC_AGGREGATE and AGGREGATOR of one octet each: both are left out (RFC 7606 §7.6, §7.7).
    size = int.from_bytes(good[21:23], "big")
    bad = b"\x40\x06\x01\0\xc0\x07\x01\0"
    body = good[19:21] + (size + len(bad)).to_bytes(2, "big") + good[23 : 23 + size] + bad + good[23 + size :]
    one.speaker.feed(BytesReceived(connection(one, other), frame(MessageType.UPDATE, body)), network.now)
    network.settle()
    assert one.peer(other).malformed_updates == (("attribute discard", 1),)
    assert sum(isinstance(fact, UpdateMalformed) for fact in one.facts) == 2


def test_a_route_with_broken_attributes_counts_as_withdrawn() -> None:
    network, one, other = two()
    other.originate(BLOCK)
    network.settle()
    assert one.routes() == {BLOCK: "10.0.0.2"}
    good = encode_announcements(IPV4, PathAttributes(next_hop=other.address, local_pref=100), [BLOCK_NLRI])
    broken = good[0].replace(b"\x40\x01\x01\x00", b"\x40\x01\x01\x09")
    one.speaker.feed(BytesReceived(connection(one, other), broken), network.now)
    network.settle()
    assert one.routes() == {}
    assert one.peer(other).state == "Established"
    assert [fact.verdict for fact in one.facts if isinstance(fact, UpdateMalformed)] == ["treat-as-withdraw"]


# ---- route refresh


def test_a_refresh_brings_everything_again() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    network.settle()
    one.sent.clear()
    request = encode_route_refresh(RouteRefreshMessage(IPV4))
    one.speaker.feed(BytesReceived(connection(one, other), request), network.now)
    network.settle()
    again = encode_announcements(IPV4, PathAttributes(next_hop=one.address, local_pref=100), [BLOCK_NLRI])
    sent = [chunk for message in one.sent for chunk in message.chunks]
    assert [message for message in sent if message[18] == MessageType.UPDATE] == again
    assert other.routes() == {BLOCK: "10.0.0.1"}
    assert sessions(one) == 1


# ---- back-pressure


def many(count: int, start: int = 0) -> list[str]:
    return [
        f"10.{64 + number // 65536}.{number // 256 % 256}.{number % 256}/32"
        for number in range(start, start + count)
    ]


def test_a_peer_that_does_not_read_costs_one_entry_per_prefix() -> None:
    network, (one, middle, last) = chain(65001, 64512, 65003)
    network.stall(one)
    prefixes = many(300)
    for _ in range(5):
        middle.originate(*prefixes)
        network.settle()
        middle.withdraw(*prefixes)
        network.settle()
    middle.originate(*prefixes)
    middle.sent.clear()
    network.settle()
    assert len(last.rib_in(middle)) == 300
    assert one.rib_in(middle) == {}
    assert middle.speaker.statistics().prefixes_to_send == 300
    assert connection(middle, one) not in [sent.connection for sent in middle.sent]
    network.resume(one)
    network.settle()
    assert len(one.rib_in(middle)) == 300
    assert middle.speaker.statistics().prefixes_to_send == 0


def test_what_a_slow_peer_never_heard_of_is_not_withdrawn() -> None:
    network, one, other = two()
    network.stall(other)
    one.originate(BLOCK)
    network.settle()
    one.withdraw(BLOCK)
    one.sent.clear()
    network.settle()
    network.resume(other)
    network.settle()
    assert one.sent == []


@pytest.mark.long
def test_octets_in_flight_are_bounded() -> None:
    network, one, other = two()
    other.reads = False
    one.originate(*many(90_000))
    network.settle()
    in_flight = sum(len(data) for data in one.pipes[connection(one, other)].unread)
    assert IN_FLIGHT_MAX <= in_flight <= IN_FLIGHT_MAX + 128 * 1024
    assert one.speaker.next_deadline() != 0
    network.resume(other)
    network.settle()
    assert len(other.rib_in(one)) == 90_000


@pytest.mark.parametrize("prefixes", [(BLOCK,), ()], ids=["UPDATEs", "KEEPALIVEs only"])
def test_a_peer_that_never_reads_is_given_up(prefixes: tuple[str, ...]) -> None:
    """RFC 9687: it keeps its session alive by KEEPALIVEs, and keeps routes that are no longer true."""
    network, one, other = two()
    network.run_for(500)
    network.silence(other)
    one.originate(*prefixes)
    network.settle()
    for _ in range(22):
        network.run_for(25)
        for number in one.pipes:
            one.speaker.feed(BytesReceived(number, frame(MessageType.KEEPALIVE, b"")), network.now)
    assert any(
        isinstance(fact, SessionStateChanged) and "Send Hold Timer Expired" in fact.reason
        for fact in one.facts
    )


@pytest.mark.parametrize("hold_time_s", [90, 0], ids=["KEEPALIVEs between", "nothing between"])
def test_a_peer_that_reads_slowly_is_kept(hold_time_s: int) -> None:
    network, one, other = two(hold_time_s=hold_time_s)
    network.silence(other)
    one.originate(BLOCK)
    network.settle()
    for _ in range(40):
        network.run_for(25)
        for number in one.pipes:
            one.speaker.feed(BytesReceived(number, frame(MessageType.KEEPALIVE, b"")), network.now)
            one.speaker.feed(BytesWritten(number, 1), network.now)
    assert one.peer(other).state == "Established"
    assert one.peer(other).established_count == 1


# ---- the kernel


def test_nobody_is_told_of_us_before_the_kernel_is_ready() -> None:
    network, (one, middle, last) = chain(65001, 64512, 65003)
    middle.held = {IPV4: {BLOCK_NLRI}}
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    assert list(last.routes()) == [OTHER_BLOCK]
    middle.held = {}
    middle.speaker.release(IPV4, [BLOCK_NLRI])
    network.settle()
    assert list(last.routes()) == [BLOCK, OTHER_BLOCK]


def test_a_reflected_route_needs_nothing_of_our_kernel() -> None:
    network, (one, middle, last) = chain(64512, 64512, 64512, route_reflector_client=True)
    middle.held = {IPV4: {BLOCK_NLRI}}
    one.originate(BLOCK)
    network.settle()
    assert list(last.routes()) == [BLOCK]


@pytest.mark.parametrize(("seconds", "complete"), [(3, False), (7, True)])
def test_end_of_rib_waits_for_the_kernel_but_not_forever(seconds: int, complete: bool) -> None:
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    one.held = {IPV4: {BLOCK_NLRI}}
    one.originate(BLOCK)
    join([(one, other)], {})
    network.run_for(seconds)
    assert other.peer(one).end_of_rib_received is complete


# ---- update groups


def test_peers_of_one_view_share_their_encoding() -> None:
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    spokes = [network.node(f"10.0.0.{host}", asn=64512) for host in range(2, 8)]
    join([(hub, spoke) for spoke in spokes], {})
    network.run_for(1)
    hub.sent.clear()
    hub.originate(BLOCK)
    network.settle()
    assert len(hub.sent) == len(spokes)
    assert len({id(sent.chunks[0]) for sent in hub.sent}) == 1
    assert all(spoke.routes() == {BLOCK: "10.0.0.1"} for spoke in spokes)


def test_unknown_families_of_a_peer_are_nothing_to_it() -> None:
    network, one, other = two()
    other.originate("fd00::/64")
    network.settle()
    assert one.routes() == {}
    assert other.peer(one).prefixes_advertised == 0
    assert IPV6 not in one.peer(other).families


def test_statistics_count_what_is_there() -> None:
    network, one, other = two()
    other.originate(BLOCK, OTHER_BLOCK)
    one.originate(BLOCK)
    network.settle()
    counted = one.speaker.statistics()
    assert (counted.peers, counted.peers_established, counted.prefixes, counted.paths) == (1, 1, 2, 3)
    assert (counted.attributes, counted.updates_waiting, counted.prefixes_to_decide) == (1, 0, 0)


def test_counts_are_by_state_stage_and_family() -> None:
    network, one, other = two()
    other.originate(BLOCK, OTHER_BLOCK)
    one.originate(BLOCK)
    network.settle()
    reject = Policy((Rule("no", Match(), Action.REJECT),))
    one.change(other, import_policy=reject)
    network.settle()
    assert one.speaker.sessions_by_state() == {"Established": 1}
    assert one.speaker.counts_by_family() == {
        IPV4: FamilyCounts(received=2, accepted=0, selected=1, advertised=1),
        IPV6: FamilyCounts(received=0, accepted=0, selected=0, advertised=0),
    }


def test_the_queue_of_work_is_cut_by_the_budget() -> None:
    network, one, other = two()
    one.budget = other.budget = 7
    one.originate(*many(100))
    network.turn(one)
    assert one.speaker.statistics().prefixes_to_decide == 93
    assert one.speaker.next_deadline() == 0
    network.settle()
    assert len(other.routes()) == 100
    assert network.now < 3 * SECOND


# ---- several paths per prefix (RFC 7911)


def reflector_with_all_paths() -> tuple[Network, Node, list[Node], Node]:
    """A reflector, two clients with one block both, and a client that is told of all paths."""
    network = Network()
    core, one, two, far = (network.node(f"10.0.0.{number}", asn=64512) for number in (1, 2, 3, 4))
    client: dict[str, object] = {"route_reflector_client": True}
    join(
        [(core, one), (core, two), (core, far)],
        {
            (core, one): client,
            (core, two): client,
            (core, far): {**client, "add_path_send": True},
            (far, core): {"add_path_receive": True},
        },
    )
    network.run_for(1)
    for node in (one, two):
        node.originate(BLOCK)
    network.settle()
    return network, core, [one, two], far


def next_hops(of: Node, other: Node) -> list[str]:
    """Of all paths that a node has from another."""
    return sorted(str(Address(known.next_hop)) for known in of.rib_in(other).values())


def test_a_peer_that_wants_all_paths_gets_them_and_keeps_what_is_left() -> None:
    network, core, (one, two), far = reflector_with_all_paths()
    assert next_hops(far, core) == ["10.0.0.2", "10.0.0.3"]
    assert far.routes() == {BLOCK: "10.0.0.2"}
    assert core.peer(far).prefixes_advertised == 2
    core.sent.clear()
    one.withdraw(BLOCK)
    network.settle()
    assert next_hops(far, core) == ["10.0.0.3"]
    assert far.routes() == {BLOCK: "10.0.0.3"}
    # The path that stays is not told again: one withdrawal is all there is for this peer.
    told = [sent for sent in core.sent if sent.connection == connection(core, far)]
    assert [len(sent.chunks) for sent in told] == [1]
    network.cut(core, two)
    network.settle()
    assert far.rib_in(core) == {}


@pytest.mark.long
def test_a_peer_that_takes_ever_new_identifiers_does_not_use_ours_up() -> None:
    network = Network()
    source, core, far = (network.node(f"10.0.0.{number}", asn=65000 + number) for number in (1, 2, 3))
    both: dict[str, object] = {"add_path_receive": True, "add_path_send": True}
    ends = [(source, core), (core, far)]
    join(ends, {pair: both for one, two in ends for pair in ((one, two), (two, one))})
    network.run_for(1)
    attributes = PathAttributes(next_hop=source.address, as_path=sequence(65001))
    core.budget = 4 * NUMBERS_SWEEP_FIRST
    for start in range(0, 4 * NUMBERS_SWEEP_FIRST, 512):
        keys = [number.to_bytes(4, "big") + BLOCK_NLRI for number in range(start, start + 512)]
        for messages in (encode_announcements(IPV4, attributes, keys), encode_withdrawals(IPV4, keys[1:])):
            core.speaker.feed(BytesReceived(connection(core, source), b"".join(messages)), network.now)
            network.settle()
    kept = range(0, 4 * NUMBERS_SWEEP_FIRST, 512)
    assert len(far.rib_in(core)) == len(core.rib_in(source)) == len(kept)
    assert len(core.speaker._advertising._numbers._identifiers) <= NUMBERS_SWEEP_FIRST + 512


def test_a_worse_path_too_is_told_changed_and_filtered() -> None:
    network, core, (_, two), far = reflector_with_all_paths()
    (message,) = encode_announcements(IPV4, core.rib_in(two)[BLOCK].replace(med=7), [BLOCK_NLRI])
    core.speaker.feed(BytesReceived(connection(core, two), message), network.now)
    network.settle()
    assert sorted(known.med or 0 for known in far.rib_in(core).values()) == [0, 7]
    core.change(far, export_policy=reject(BLOCK))
    network.settle()
    assert far.rib_in(core) == {}
    core.change(far, export_policy=Policy())
    network.settle()
    assert next_hops(far, core) == ["10.0.0.2", "10.0.0.3"]
    assert sessions(far) == 1


def test_a_refresh_brings_all_paths_again() -> None:
    network, core, _, far = reflector_with_all_paths()
    before = far.rib_in(core)
    core.sent.clear()
    core.speaker.feed(
        BytesReceived(connection(core, far), encode_route_refresh(RouteRefreshMessage(IPV4))), network.now
    )
    network.settle()
    assert far.rib_in(core) == before
    assert sum(len(sent.chunks) for sent in core.sent) == 4  # BoRR, two paths, EoRR.


def test_all_paths_wait_for_the_kernel_one_by_one() -> None:
    network, core, _, far = reflector_with_all_paths()
    core.held = {IPV4: {Prefix.parse(OTHER_BLOCK).nlri}}
    core.originate(OTHER_BLOCK)
    network.settle()
    assert OTHER_BLOCK not in far.routes()
    core.held = {}
    core.speaker.release(IPV4, [Prefix.parse(OTHER_BLOCK).nlri])
    network.settle()
    assert far.routes()[OTHER_BLOCK] == "10.0.0.1"


def test_a_role_is_agreed_on_and_marks_what_goes_down() -> None:
    """RFC 9234: a provider marks its routes; a customer hands them to nobody but its own customers."""
    network = Network()
    provider, middle, other_provider = (
        network.node(f"10.0.0.{number}", asn=asn) for number, asn in ((1, 64512), (2, 64513), (3, 64514))
    )
    join(
        [(provider, middle), (middle, other_provider)],
        {
            (provider, middle): {"role": Role.PROVIDER},
            (middle, provider): {"role": Role.CUSTOMER},
            (middle, other_provider): {"role": Role.CUSTOMER},
            (other_provider, middle): {"role": Role.PROVIDER},
        },
    )
    network.run_for(1)
    provider.originate(BLOCK)
    middle.originate(OTHER_BLOCK)
    network.settle()
    assert middle.rib_in(provider)[BLOCK].only_to_customer == 64512
    assert list(other_provider.routes()) == [OTHER_BLOCK]


# ---- too many prefixes

LIMITED = PrefixLimit(maximum=2, restart_after_s=60)
MANY = ("10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26")


def limit_steps(node: Node) -> list[tuple[int, str]]:
    return [(fact.count, fact.action) for fact in node.facts if isinstance(fact, PrefixLimitReached)]


def test_a_peer_beyond_its_limit_is_told_and_warned_of() -> None:
    network, one, other = two(prefix_limit=replace(LIMITED, action=LimitAction.WARN))
    for number, prefix in enumerate(MANY, start=1):
        other.originate(prefix)
        network.settle()
        assert len(one.routes()) == number
    assert limit_steps(one) == [(2, "warn"), (3, "warn")]
    assert one.peer(other).warning == "3 of at most 2 ipv4 prefixes"
    assert one.peer(other).state == "Established"


def test_what_is_beyond_the_limit_can_be_dropped() -> None:
    network, one, other = two(prefix_limit=replace(LIMITED, action=LimitAction.DROP))
    other.originate(*MANY)
    network.settle()
    assert len(one.routes()) == 2
    assert limit_steps(one) == [(3, "drop")]
    assert one.peer(other).warning.endswith("and 1 announcements beyond were dropped")


def test_a_session_beyond_its_limit_ends_and_comes_back_when_its_time_is_over() -> None:
    """RFC 4486 §4: the data of the Cease says which family, and how many it may be."""
    network, one, other = two(prefix_limit=LIMITED)
    other.originate(*MANY)
    network.settle()
    assert limit_steps(one) == [(3, "shutdown")]
    (received,) = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert (received.code, received.subcode) == (6, 1)
    assert one.routes() == {}
    network.run_for(59)
    assert one.peer(other).state == "Idle"
    assert "maximum number of prefixes reached" in one.peer(other).last_error.lower()
    other.withdraw(MANY[0])
    network.run_for(20)
    assert one.peer(other).state == "Established"
    assert len(one.routes()) == 2


def test_without_a_time_only_a_new_configuration_brings_the_session_back() -> None:
    network, one, other = two(prefix_limit=replace(LIMITED, restart_after_s=None))
    other.originate(*MANY)
    network.run_for(3600)
    assert one.peer(other).state == "Idle"
    one.change(other, prefix_limit=replace(LIMITED, maximum=100))
    network.run_for(10)
    assert len(one.routes()) == 3


def test_ipv4_routes_over_an_ipv6_session() -> None:
    """RFC 8950."""
    network = Network()
    one, other = network.node("2001:db8::1", asn=64512), network.node("2001:db8::2", asn=64513)
    both: dict[str, object] = {"families": (IPV6, IPV4), "extended_next_hop": True}
    join([(one, other)], {(one, other): both, (other, one): both})
    network.run_for(1)
    one.originate(BLOCK)
    network.settle()
    assert other.routes() == {BLOCK: "2001:db8::1"}
    one.change(other, extended_next_hop=False)
    network.run_for(5)
    assert other.routes() == {}


# ---- marks around a refresh (RFC 7313)


def marks(node: Node, to: Node) -> list[int | None]:
    """What a node sent to another: the subtypes of ROUTE-REFRESHes, None for an UPDATE."""
    chunks = [c for sent in node.sent if sent.connection == connection(node, to) for c in sent.chunks]
    kinds = (MessageType.UPDATE, MessageType.ROUTE_REFRESH)
    return [None if c[18] == MessageType.UPDATE else c[21] for c in chunks if c[18] in kinds]


def ask(network: Network, node: Node, for_: Node, subtype: int = 0) -> None:
    """`for_` sends `node` a ROUTE-REFRESH."""
    message = encode_route_refresh(RouteRefreshMessage(IPV4, subtype))
    node.speaker.feed(BytesReceived(connection(node, for_), message), network.now)


@pytest.mark.parametrize(("enhanced", "expected"), [(True, [1, None, 2]), (False, [None])])
def test_a_refresh_is_marked_for_those_who_know_the_marks(enhanced: bool, expected: list[int | None]) -> None:
    network, one, other = two(enhanced_refresh=enhanced)
    one.originate(BLOCK)
    network.settle()
    one.sent.clear()
    ask(network, one, other)
    network.settle()
    assert marks(one, other) == expected


def test_what_is_not_announced_between_the_marks_is_gone() -> None:
    network, one, other = two()
    other.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    ask(network, one, other, subtype=1)
    network.settle()
    assert one.peer(other).prefixes_stale == 2
    (again,) = encode_announcements(IPV4, one.rib_in(other)[BLOCK], [BLOCK_NLRI])
    one.speaker.feed(BytesReceived(connection(one, other), again), network.now)
    ask(network, one, other, subtype=2)
    network.settle()
    assert list(one.rib_in(other)) == [BLOCK]


def test_no_marks_before_the_end_of_the_first_table() -> None:
    """RFC 7313 §4, on both sides."""
    network, one, other = two()
    restart: dict[str, object] = {"graceful_restart": GracefulRestart(forwarding_preserved=True)}
    one.originate(BLOCK, OTHER_BLOCK)
    network.settle()
    one.accepts = other.accepts = False
    network.cut(one, other)
    network.settle()
    one.change(other, **restart)
    other.change(one, **restart)
    one.held = {IPV4: {BLOCK_NLRI}}  # So that End-of-RIB waits.
    one.accepts = other.accepts = True
    network.run_for(2)
    assert one.peer(other).state == "Established"
    assert not other.peer(one).end_of_rib_received
    one.sent.clear()
    ask(network, one, other)
    network.settle()
    assert list(other.rib_in(one)) == [OTHER_BLOCK]
    assert marks(one, other) == [None]
    ask(network, other, one, subtype=1)
    network.settle()
    assert other.peer(one).prefixes_stale == 0


# ---- administration


def test_a_session_is_shut_down_with_words_and_comes_back_when_wanted() -> None:
    """RFC 9003."""
    network, one, other = two()
    other.originate(BLOCK)
    network.settle()
    one.change(other, shutdown="maintenance of rack 7")
    network.settle()
    (received,) = [fact for fact in other.facts if isinstance(fact, NotificationReceived)]
    assert (received.code, received.subcode) == (6, 2)
    assert "maintenance of rack 7" in received.text
    assert one.routes() == {}
    network.run_for(300)
    assert one.peer(other).state == "Idle"
    assert one.peer(other).last_error == "maintenance of rack 7"
    one.change(other, shutdown=None)
    network.run_for(65)
    assert one.routes() == {BLOCK: "10.0.0.2"}


def test_a_peer_that_is_shut_down_from_the_start_is_not_spoken_to() -> None:
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    join([(one, other)], {(one, other): {"shutdown": ""}})
    network.run_for(60)
    assert one.peer(other).state == "Idle"
    assert sessions(one) == 0


def test_an_accepted_connection_is_given_the_ttls_of_its_peer_before_anything_is_said() -> None:
    """RFC 5082: whoever dialled."""
    network = Network()
    one, other = network.node("10.0.0.1", asn=64512), network.node("10.0.0.2", asn=64512)
    options = TransportOptions(ttl=255, min_ttl=255)
    one.configure(peer_config(one, other, transport=options, passive=True))
    one.speaker.feed(TcpAccepted(-1, Endpoint(one.address, 179), Endpoint(other.address, 40000)), network.now)
    first, second = one.speaker.control(network.now)
    assert first == SetOptions(-1, options)
    assert isinstance(second, SendBytes)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (PeerId(Address.parse("192.0.2.1")), "192.0.2.1"),
        (PeerId(Address.parse("192.0.2.1"), 1179), "192.0.2.1:1179"),
        (PeerId(Address.parse("2001:db8::1"), 1179), "[2001:db8::1]:1179"),
    ],
)
def test_how_a_peer_is_called(peer: PeerId, text: str) -> None:
    assert str(peer) == text


def test_strangers_are_remembered_in_bounds() -> None:
    network, one, _ = two()
    for number in range(2 * REFUSED_ADDRESSES_MAX):
        stranger = Address(bytes((192, 0, number // 256, number % 256)))
        one.speaker.feed(
            TcpAccepted(-1000 - number, Endpoint(one.address, 179), Endpoint(stranger, 40000)), network.now
        )
        one.speaker.control(network.now)
        network.now += SECOND
    assert len(one.speaker._strangers._refused) == REFUSED_ADDRESSES_MAX


def test_the_routes_are_shown_with_their_next_hops_up_to_a_limit() -> None:
    network, one, other = two()
    one.originate(BLOCK)
    other.originate(OTHER_BLOCK)
    network.run_for(1)
    shown = one.speaker.routes(IPV4, 10)
    assert shown == [
        RouteSnapshot(BLOCK_NLRI, RouteSource.AGGREGATE, None, None, best=True),
        RouteSnapshot(
            Prefix.parse(OTHER_BLOCK).nlri, RouteSource.BGP, PeerId(other.address), other.address, best=True
        ),
    ]
    assert one.speaker.routes(IPV4, 1) == shown[:1]
    assert one.speaker.routes(IPV6, 10) == []


def test_peers_are_pictured_one_by_one_and_what_they_were_told_is_counted_once() -> None:
    network, one, other = two()
    third = network.node("10.0.0.3", asn=64512)
    join([(one, other), (one, third)], {})
    fourth = replace(one.peers[PeerId(third.address)], peer=PeerId(Address.parse("10.0.0.4")), name="fourth")
    one.configure(*one.peers.values(), fourth)
    one.originate(BLOCK)
    network.run_for(10)

    pictures = one.speaker.pictures()
    first = next(pictures)
    one.originate(OTHER_BLOCK)
    one.configure(*(peer for peer in one.peers.values() if peer is not fourth))
    network.settle()
    (second,) = pictures
    assert [first.prefixes_advertised, second.prefixes_advertised] == [1, 1]
    assert [first.updates_sent, second.updates_sent] == [2, 3]
    assert [peer.prefixes_advertised for peer in one.speaker.peers()] == [2, 2]
