"""Three speakers and random events: at rest, tables and wires agree with each other and with the rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.config import NextHopMode, PeerId
from felixbgp.bgp.policy.evaluate import Verdict, evaluate
from felixbgp.bgp.policy.types import (
    Action,
    AddCommunity,
    Match,
    Policy,
    PrefixMatch,
    PrependAsPath,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.rib.decision import best_path
from felixbgp.bgp.rib.export import export, told_attributes
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Prefix, table
from tests.support.speakers import Network, Node, join

PREFIXES = ("10.1.0.0/26", "10.1.0.64/32")
REJECT_ONE = Policy(
    (Rule("no hosts", Match(PrefixMatch.equal(Prefix.parse("10.1.0.64/32"))), Action.REJECT),)
)
REJECT_ALL = Policy(default=Action.REJECT)
ACCEPT_ALL = Policy()
CHANGE_ONE = Policy(
    (
        Rule("one", REJECT_ONE.rules[0].match, Action.ACCEPT, (AddCommunity(7),)),
        Rule("all", Match(), Action.NEXT, (PrependAsPath((9,)),)),
    )
)
PREFER_ONE = Policy((Rule("one", REJECT_ONE.rules[0].match, Action.ACCEPT, (SetLocalPref(200),)),))
"""One node may prefer another one's routes. Two that prefer each other's never come to rest, by the standard:
each takes its own route back as soon as it hears the other's (a dispute wheel, RFC 4264)."""
REJECT_CHANGED = Policy((Rule("no 7", Match(community=7), Action.REJECT),))

node = st.integers(0, 2)
pair = st.sampled_from([(0, 1), (1, 2), (0, 2)])
prefix = st.sampled_from(PREFIXES)
policy = st.sampled_from([ACCEPT_ALL, REJECT_ONE, REJECT_ALL, CHANGE_ONE, CHANGE_ONE, REJECT_CHANGED])


@pytest.fixture(autouse=True, scope="module", params=[1, table.PART_MAX], ids=["in parts", "in one"])
def part_max(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether tables are in as many parts as they have prefixes."""
    before = table.PART_MAX
    table.PART_MAX = request.param
    yield
    table.PART_MAX = before


@dataclass(frozen=True)
class Step:
    """One thing that happens; `one` and `two` number nodes."""

    kind: str
    one: int = 0
    two: int = 0
    value: Any = None


def steps() -> st.SearchStrategy[Step]:
    directed = st.permutations([0, 1, 2])
    return st.one_of(
        st.builds(Step, st.just("originate"), node, value=prefix),
        st.builds(Step, st.just("originate"), node, value=prefix),
        st.builds(Step, st.just("withdraw"), node, value=prefix),
        st.builds(lambda p: Step("cut", *p), pair),
        st.builds(lambda p, v: Step("export_policy", p[0], p[1], v), directed, policy),
        st.builds(lambda p, v: Step("import_policy", p[0], p[1], v), directed, policy),
        st.just(Step("import_policy", 0, 1, PREFER_ONE)),
        st.builds(lambda p, v: Step("route_reflector_client", p[0], p[1], v), directed, st.booleans()),
        st.builds(lambda p, v: Step("next_hop", p[0], p[1], v), directed, st.sampled_from(list(NextHopMode))),
        st.builds(Step, st.just("hold"), node, value=prefix),
        st.builds(Step, st.just("release"), node),
        st.builds(Step, st.just("stop reading"), node),
        st.builds(Step, st.just("read"), node),
        st.builds(Step, st.just("pass"), value=st.integers(0, 3)),
    )


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, list[Node]]:
    network = Network()
    asns = draw(st.sampled_from([(1, 1, 1), (1, 2, 3), (1, 1, 2), (1, 2, 1)]))
    nodes = [network.node(f"10.0.0.{number + 1}", asn=asn) for number, asn in enumerate(asns)]
    all_paths: dict[str, object] = dict.fromkeys(("add_path_send", "add_path_receive"), draw(st.booleans()))
    parameters = {(one, two): all_paths for one in nodes for two in nodes if one is not two}
    join([(nodes[0], nodes[1]), (nodes[1], nodes[2]), (nodes[0], nodes[2])], parameters)
    for one in nodes:
        one.budget = draw(st.sampled_from([1, 2, 1000]))
    return network, nodes


def perform(network: Network, nodes: list[Node], step: Step) -> None:
    one, two = nodes[step.one], nodes[step.two]
    match step.kind:
        case "originate":
            one.originate(step.value)
        case "withdraw":
            one.withdraw(step.value)
        case "cut":
            network.cut(one, two)
        case "hold":
            release(one)
            one.held = {IPV4: {Prefix.parse(step.value).nlri}}
        case "release":
            release(one)
        case "stop reading":
            network.stall(one)
        case "read":
            network.resume(one)
        case "pass":
            network.run_for(step.value)
        case parameter:
            one.change(two, **{parameter: step.value})


def release(one: Node) -> None:
    held, one.held = one.held, {}
    for family, nlris in held.items():
        one.speaker.release(family, list(nlris))  # type: ignore[call-overload]


@given(networks(), st.lists(steps(), min_size=6, max_size=40), st.booleans())
def test_at_rest_all_tables_agree(
    made: tuple[Network, list[Node]], happening: list[Step], settle_between: bool
) -> None:
    network, nodes = made
    for step in happening:
        perform(network, nodes, step)
        if settle_between:
            network.settle()
    for one in nodes:
        release(one)
        network.resume(one)
    network.run_for(20)
    for one in nodes:
        for other in nodes:
            if one is not other:
                assert_told(one, other)
        assert_decided(one)


def assert_told(one: Node, other: Node) -> None:
    """What `other` has of `one` is what `one`'s Loc-RIB and export rules give, and `one` knows it."""
    assert one.peer(other).state == "Established"
    assert other.rib_in(one) == expected(one, other)
    assert one.peer(other).prefixes_advertised == len(other.rib_in(one)) == other.peer(one).prefixes_received


def expected(one: Node, other: Node) -> dict[str, PathAttributes]:
    """The Adj-RIB-Out by brute force."""
    peering = one.speaker._peerings.by_peer[PeerId(other.address)]
    assert peering.exchange is not None
    view = peering.exchange.views[IPV4]
    table: dict[str, PathAttributes] = {}
    for text in PREFIXES:
        nlri = Prefix.parse(text).nlri
        best = one.speaker._loc_ribs[IPV4].path(nlri)
        for path in one.speaker._loc_ribs[IPV4].candidates(nlri):
            if not view.add_path and path is not best:
                continue
            verdict = judged(peering.config.export_policy, text, path.attributes, path.source)
            told = told_attributes(view, path, verdict.attributes) if verdict.accepted else None
            source = export(view, path)
            if told is not None and source is not None and source.source != PeerId(other.address):
                number = int.from_bytes(one.speaker._advertising._numbers.identifier(path), "big")
                table[f"{text} path {number}" if view.add_path else text] = told
    return table


def assert_decided(one: Node) -> None:
    """The Loc-RIB is the decision over what is in the Adj-RIBs-In and acceptable, and was told outside."""
    shown = one.routes()
    for text in PREFIXES:
        nlri = Prefix.parse(text).nlri
        loc_rib = one.speaker._loc_ribs[IPV4]
        learned = {
            (peer.address, key[: -len(nlri)]): judged(
                peering.config.import_policy, text, rib.attributes(key)
            ).attributes
            for peer, peering in one.speaker._peerings.by_peer.items()
            if peering.exchange is not None
            for rib in peering.exchange.ribs.values()
            for key in rib.prefixes()
            if key.endswith(nlri) and not rib.refusal(key)
        }
        candidates = loc_rib.candidates(nlri)
        found = {
            (path.peer.peer.address, path.path_id): path.attributes
            for path in candidates
            if path.peer is not None
        }
        assert found == learned
        assert (text in shown) == bool(candidates)
        if candidates:
            assert loc_rib.path(nlri) is best_path(candidates).path
            assert loc_rib.selected(nlri) is not None
            assert shown[text] == (", ".join(map(str, one.loc_rib[Prefix.parse(text)].next_hops)) or "own")
            best = best_path(candidates).path
            assert one.loc_rib[Prefix.parse(text)].attributes == best.attributes


def judged(
    policy: Policy, text: str, attributes: PathAttributes | None, source: RouteSource = RouteSource.BGP
) -> Verdict:
    """One route by itself."""
    assert attributes is not None
    nlri = Prefix.parse(text).nlri
    return evaluate(policy, IPV4, nlri, source=source, interface="", attributes=attributes)
