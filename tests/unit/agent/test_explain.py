"""What an agent says of one prefix: who told it, what decided, and what became of it."""

from felixbgp.agent.config import ROUTE_METRIC
from felixbgp.bgp.wire.communities import NO_EXPORT
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.resources.keys import ResourceKey
from felixbgp.status.explanation import (
    Decider,
    ExplainedPath,
    Explanation,
    KernelOutcome,
    PathOutcome,
    ToldOutcome,
    ToldRoute,
)
from tests.support.cluster_node import ClusterNode
from tests.support.derivation import LOCAL, Object, bgp_peer, defaults, node, resource
from tests.support.paths import sequence

FILTER = {
    "importV4": [
        {"action": "Accept", "matchOperator": "Equal", "cidr": "192.168.1.0/24"},
        {"action": "Reject", "matchOperator": "In", "cidr": "192.168.0.0/16"},
    ],
    "exportV4": [{"action": "Reject", "matchOperator": "In", "cidr": "203.0.113.0/24"}],
}
A, B, C = "10.0.0.2", "10.0.0.3", "10.0.0.4"
BLOCK = Object(f"/calico/ipam/v2/host/{LOCAL}/ipv4/block/10.65.1.0-26", b'{"state":"confirmed"}')


def external(name: str, address: str, asn: int, *filters: str) -> Object:
    return bgp_peer(name, peerIP=address, asNumber=asn, filters=filters)


def router() -> ClusterNode:
    """The node between three routers: A, with filters, and B and C."""
    objects = (
        node(LOCAL, "10.0.0.1/24"),
        defaults(nodeToNodeMeshEnabled=False, asNumber=64512),
        resource("IPPool", "pool", {"cidr": "10.65.0.0/16", "ipipMode": "Never"}),
        resource("BGPFilter", "strict", FILTER),
        external("a", A, 64601, "strict"),
        external("b", B, 64602),
        external("c", C, 64603),
        BLOCK,
    )
    made = ClusterNode(objects, ["10.0.0.0/24"])
    made.addresses({"eth0": "10.0.0.1/24"})
    for peer, asn in ((A, 64601), (B, 64602), (C, 64603)):
        made.connect(peer, asn, external=True)
    return made


def explained(made: ClusterNode, prefix: str) -> Explanation:
    return made.agent.explain(Prefix.parse(prefix))


def path(found: Explanation, peer: str) -> ExplainedPath:
    [one] = [one for one in found.paths if one.peer == peer]
    return one


def told(found: Explanation, peer: str) -> ToldRoute:
    [one] = [one for session in found.sessions if session.address == peer for one in session.told]
    return one


def revision(made: ClusterNode, kind: str, name: str) -> int:
    key = str(ResourceKey(kind, name))
    [stored] = [one for one in made._stored if one.key == key]
    return stored.revision


def test_an_accepted_route_names_the_rule_that_let_it_in_and_is_in_the_kernel() -> None:
    made = router()
    made.announce(A, "192.168.1.0/24")
    found = explained(made, "192.168.1.0/24")
    one = path(found, A)
    assert (one.outcome, one.step, one.next_hop, one.as_path) == (
        PathOutcome.SELECTED,
        "ONLY_PATH",
        A,
        "64601",
    )
    assert one.decider == Decider(
        "filter strict import rule 1", "BGPFilter/strict", revision(made, "BGPFilter", "strict")
    )
    assert found.kernel.outcome is KernelOutcome.INSTALLED
    assert found.kernel.wanted == f"via {A} dev eth0 metric {ROUTE_METRIC}"
    assert (found.node, found.prefix, found.note) == (LOCAL, "192.168.1.0/24", "")
    [session] = [session for session in found.sessions if session.address == A]
    assert (session.resource, session.revision) == ("BGPPeer/a", revision(made, "BGPPeer", "a"))


def test_a_route_that_a_filter_rejects_names_its_rule_by_number() -> None:
    made = router()
    made.announce(A, "192.168.2.0/24")
    found = explained(made, "192.168.2.0/24")
    one = path(found, A)
    assert one.outcome is PathOutcome.REJECTED
    assert one.reason == "filter strict import rule 2"
    assert one.decider == Decider(one.reason, "BGPFilter/strict", revision(made, "BGPFilter", "strict"))
    assert found.selected is None
    assert (found.kernel.outcome, found.kernel.reason) == (KernelOutcome.NOT_WANTED, "nothing is selected")


def test_a_route_withheld_by_the_export_policy_says_by_which_rule_of_which_resource() -> None:
    made = router()
    made.announce(B, "203.0.113.0/24")
    found = explained(made, "203.0.113.0/24")
    by_filter, by_default = told(found, A), told(found, C)
    assert (by_filter.outcome, by_filter.reason) == (ToldOutcome.WITHHELD, "filter strict export rule 1")
    assert by_filter.decider is not None
    assert by_filter.decider.resource == "BGPFilter/strict"
    assert (by_default.outcome, by_default.reason) == (
        ToldOutcome.WITHHELD,
        "no rule of the export policy accepts it",
    )
    assert told(found, B).reason == "it comes from this peer, or leads to it"
    assert made.heard(A).keys() == made.heard(C).keys() == {"10.65.1.0/26"}


def test_a_route_of_the_nodes_own_says_why_it_is_originated_and_what_lets_it_out() -> None:
    made = router()
    found = explained(made, "10.65.1.0/26")
    one = path(found, "")
    assert (one.outcome, one.source) == (PathOutcome.SELECTED, "own block")
    claim = "BlockAffinity/10.65.1.0/26"
    assert one.decider is not None
    assert one.decider.resource == claim
    assert one.decider.revision > 0
    out = told(found, A)
    assert (out.outcome, out.as_path, out.next_hop) == (ToldOutcome.TOLD, "64512", "10.0.0.1")
    assert out.decider == Decider("own block 10.65.1.0/26", claim, one.decider.revision)


def test_a_workload_inside_our_own_block_stays_here() -> None:
    made = router()
    cali = Route(RouteKind.UNICAST, (NextHop(None, "cali1"),), 0)
    made.kernel_has(KernelRoute(Prefix.parse("10.65.1.7/32"), cali, 80))
    found = explained(made, "10.65.1.7/32")
    assert told(found, A).reason == "inside own block 10.65.1.0/26"
    assert found.kernel.outcome is KernelOutcome.NOT_WANTED
    assert found.kernel.reason == "it is there already, by somebody else"


def test_a_route_that_lost_names_the_step_of_the_decision() -> None:
    made = router()
    made.announce(B, "198.51.100.0/24", as_path=sequence(64602, 64700))
    made.announce(C, "198.51.100.0/24", as_path=sequence(64603))
    found = explained(made, "198.51.100.0/24")
    won, lost = path(found, C), path(found, B)
    assert (won.outcome, won.step, won.reason) == (PathOutcome.SELECTED, "AS_PATH", "shorter AS_PATH")
    assert (lost.outcome, lost.step) == (PathOutcome.LOST, "AS_PATH")


def test_a_route_without_a_way_to_its_next_hop_says_what_is_missing() -> None:
    made = router()
    made.announce(B, "198.51.100.0/24", next_hop=bytes(Address.parse("10.9.9.9")))
    one = path(explained(made, "198.51.100.0/24"), B)
    assert (one.outcome, one.reason) == (PathOutcome.UNRESOLVABLE, "10.9.9.9: no route leads to it")


def test_a_loop_and_no_export_are_the_standards_word() -> None:
    made = router()
    made.announce(B, "198.51.100.0/24", as_path=sequence(64602, 64512))
    made.announce(B, "10.65.2.0/26", communities=(NO_EXPORT,))
    loop = path(explained(made, "198.51.100.0/24"), B)
    assert loop.outcome is PathOutcome.NOT_ELIGIBLE
    assert loop.reason.startswith("AS loop")
    out = told(explained(made, "10.65.2.0/26"), C)
    assert out.reason == "it carries NO_EXPORT, and the peer is external (RFC 1997)"


def test_somebody_elses_route_in_our_place_is_a_conflict() -> None:
    made = router()
    foreign = Route(RouteKind.UNICAST, (NextHop(Address.parse(C), "eth0"),), ROUTE_METRIC)
    made.kernel_has(KernelRoute(Prefix.parse("198.51.100.0/24"), foreign, 4))
    made.announce(B, "198.51.100.0/24")
    found = explained(made, "198.51.100.0/24")
    assert found.kernel.outcome is KernelOutcome.CONFLICT
    assert "protocol static has a route of the same metric" in found.kernel.reason
    assert found.kernel.routes == f"via {C} dev eth0 metric {ROUTE_METRIC} proto static"


def test_nothing_is_known_of_a_prefix_that_nobody_told() -> None:
    found = explained(router(), "192.0.2.0/24")
    assert found.paths == ()
    assert [session.told for session in found.sessions] == [(), (), ()]


def test_filters_that_do_the_same_are_told_apart_by_their_names() -> None:
    """Peers with equal policies are told alike, from one table; the rule that decided is each one's own."""
    objects = (
        node(LOCAL, "10.0.0.1/24"),
        defaults(nodeToNodeMeshEnabled=False, asNumber=64512),
        resource("BGPFilter", "one", FILTER),
        resource("BGPFilter", "two", FILTER),
        external("a", A, 64601, "one"),
        external("b", B, 64602, "two"),
        external("c", C, 64603),
    )
    made = ClusterNode(objects, ["10.0.0.0/24"])
    made.addresses({"eth0": "10.0.0.1/24"})
    for peer, asn in ((A, 64601), (B, 64602), (C, 64603)):
        made.connect(peer, asn, external=True)
    made.announce(C, "203.0.113.0/24")
    found = explained(made, "203.0.113.0/24")
    assert [told(found, peer).reason for peer in (A, B)] == [
        "filter one export rule 1",
        "filter two export rule 1",
    ]
