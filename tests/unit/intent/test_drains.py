"""What a drain makes of the sessions of the drained node, and of those with it."""

import json

import pytest

from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.policy.evaluate import Verdict, evaluate
from felixbgp.bgp.policy.types import (
    Action,
    AddCommunity,
    Match,
    Policy,
    PrefixMatch,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.wire.communities import GRACEFUL_SHUTDOWN
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.cluster.drains import Drain, DrainPhase, drain_key
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, StoredValue
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.derive import derive
from felixbgp.intent.drains import KEPT_MAX, announcing, unpreferred
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Prefix
from felixbgp.status.drain_document import encode

INSIDE = Prefix.parse("10.65.1.0/26")
OUTSIDE = Prefix.parse("192.0.2.0/24")
ATTRIBUTES = PathAttributes(next_hop=bytes(4), local_pref=200, communities=(7,))
R = "/calico/resources/v3/projectcalico.org/"


def judge(policy: Policy, prefix: Prefix) -> Verdict:
    return evaluate(policy, IPV4, prefix.nlri, source=RouteSource.BGP, interface="", attributes=ATTRIBUTES)


@pytest.mark.parametrize("default", [Action.ACCEPT, Action.REJECT])
def test_the_same_routes_pass_and_the_last_word_is_that_of_the_drain(default: Action) -> None:
    inside = Match(PrefixMatch.inside(Prefix.parse("10.65.0.0/16")))
    marked = Rule("marks", Match(), Action.NEXT, (AddCommunity(9), SetLocalPref(300)))
    preferred = Rule("prefers", inside, Action.ACCEPT, (SetLocalPref(400),))
    secret = Rule("keeps", Match(PrefixMatch.inside(Prefix.parse("10.65.9.0/24"))), Action.REJECT)
    policy = Policy((marked, secret, preferred), default)
    told = judge(announcing(policy), INSIDE)
    assert (told.accepted, told.rule) == (True, "prefers")
    assert (told.attributes.local_pref, told.attributes.communities) == (0, (7, 9, GRACEFUL_SHUTDOWN))
    learned = judge(unpreferred(policy), INSIDE)
    assert learned.rule == "prefers"
    assert (learned.attributes.local_pref, learned.attributes.communities) == (200, (7, 9))
    assert not judge(announcing(policy), Prefix.parse("10.65.9.0/26")).accepted
    other = judge(announcing(policy), OUTSIDE)
    assert (other.accepted, other.rule) == (default is Action.ACCEPT, "default")
    if other.accepted:
        assert (other.attributes.local_pref, other.attributes.communities) == (0, (7, 9, GRACEFUL_SHUTDOWN))


class Cluster:
    """Nodes a, b and c in a mesh, seen from node a; b has a session by a BGPPeer, too."""

    def __init__(self) -> None:
        self.state = ClusterState("a")
        self._revision = 0
        for number, name in enumerate("abc", start=1):
            self.node(name, f"10.0.0.{number}")
        self.put("bgpfilters/f", "BGPFilter", {"importV4": [{"action": "Accept", "operations": [
            {"setPriority": {"value": 100}}]}]})  # fmt: skip
        peer = {"peerIP": "10.0.0.2", "asNumber": 64512, "node": "a", "filters": ["f"]}
        self.put("bgppeers/p", "BGPPeer", peer)
        self.put("bgppeers/tor", "BGPPeer", {"peerIP": "192.0.2.1", "asNumber": 1})

    def node(self, name: str, address: str) -> None:
        self.put(f"nodes/{name}", "Node", {"bgp": {"ipv4Address": f"{address}/24"}})

    def put(self, path: str, kind: str, spec: object) -> None:
        metadata = {"name": path.partition("/")[2]}
        value = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": metadata, "spec": spec}
        self.write(R + path, json.dumps(value).encode())

    def write(self, key: str, value: bytes | None) -> None:
        self._revision += 1
        if value is None:
            self.state.feed(KeyDeleted(key, self._revision))
        else:
            self.state.feed(KeyPut(StoredValue(key, value, self._revision)))

    def drain(self, node: str, phase: DrainPhase | None, drain: str = "d1") -> None:
        self.write(drain_key(node), None if phase is None else encode(Drain(drain, phase)))

    def intent(self) -> Intent:
        return derive(self.state, "a")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def config(intent: Intent, address: str) -> PeerConfig:
    (found,) = [each for peer, each in intent.peers.items() if str(peer) == address]
    return found


def drains(intent: Intent) -> dict[str, str]:
    return {str(peer): origin.drain for peer, origin in intent.origins.items()}


def test_its_blocks_are_told_as_ever(cluster: Cluster) -> None:
    key = "/calico/ipam/v2/host/a/ipv4/block/10.65.1.0-26"
    cluster.write(key, b'{"state":"confirmed"}')
    cluster.put("ippools/pool", "IPPool", {"cidr": "10.65.0.0/16"})
    cluster.drain("a", DrainPhase.ANNOUNCE)
    policy = config(cluster.intent(), "10.0.0.3").export_policy
    assert judge(policy, INSIDE).attributes == ATTRIBUTES
    other = judge(policy, Prefix.parse("10.65.2.0/26"))
    assert (other.attributes.local_pref, other.attributes.communities) == (0, (7, GRACEFUL_SHUTDOWN))
    cluster.drain("a", DrainPhase.WITHDRAW)
    assert not judge(config(cluster.intent(), "10.0.0.3").export_policy, INSIDE).accepted


def test_with_the_drained_node_no_filter_sets_a_preference(cluster: Cluster) -> None:
    before = cluster.intent()
    assert judge(config(before, "10.0.0.2").import_policy, OUTSIDE).attributes.local_pref != 200
    cluster.drain("b", DrainPhase.ANNOUNCE)
    intent = cluster.intent()
    towards = config(intent, "10.0.0.2")
    assert towards.counted
    assert judge(towards.import_policy, OUTSIDE).attributes.local_pref == 200
    assert towards.export_policy == config(before, "10.0.0.2").export_policy
    for address in ("10.0.0.3", "192.0.2.1"):
        assert config(intent, address) == config(before, address)
    assert drains(intent) == {"10.0.0.2": "d1", "10.0.0.3": "", "192.0.2.1": ""}
    assert intent.drain is None
    cluster.drain("b", None)
    assert cluster.intent() == before


def test_the_drained_node_tells_all_as_a_last_resort_and_then_nothing(cluster: Cluster) -> None:
    before = cluster.intent()
    cluster.drain("a", DrainPhase.ANNOUNCE)
    intent = cluster.intent()
    assert intent.drain == Drain("d1", DrainPhase.ANNOUNCE)
    for peer, each in intent.peers.items():
        assert each.export_policy == announcing(before.peers[peer].export_policy)
        assert each.import_policy == before.peers[peer].import_policy
        assert not each.counted
    cluster.drain("a", DrainPhase.WITHDRAW)
    withdrawn = cluster.intent()
    assert not any(judge(each.export_policy, OUTSIDE).accepted for each in withdrawn.peers.values())
    assert {each.import_policy for each in withdrawn.peers.values()} == {
        each.import_policy for each in before.peers.values()
    }


def test_two_are_drained_at_once(cluster: Cluster) -> None:
    before = cluster.intent()
    cluster.drain("a", DrainPhase.ANNOUNCE)
    cluster.drain("c", DrainPhase.WITHDRAW, "d2")
    intent = cluster.intent()
    towards = config(intent, "10.0.0.3")
    assert towards.counted
    assert towards.export_policy == announcing(config(before, "10.0.0.3").export_policy)
    assert drains(intent)["10.0.0.3"] == "d2"


def test_a_drain_of_nobody_is_no_drain(cluster: Cluster) -> None:
    before = cluster.intent()
    cluster.drain("z", DrainPhase.ANNOUNCE)
    assert cluster.intent() == before


def test_a_node_without_an_address_says_that_it_is_drained(cluster: Cluster) -> None:
    cluster.put("nodes/a", "Node", {})
    cluster.drain("a", DrainPhase.WITHDRAW)
    assert cluster.intent().drain == Drain("d1", DrainPhase.WITHDRAW)


def test_who_is_drained_is_known_by_the_address_of_now(cluster: Cluster) -> None:
    derivation = Derivation("a")
    cluster.drain("b", DrainPhase.ANNOUNCE)
    derivation.update(cluster.state, cluster.state.take_changes())
    cluster.node("b", "10.0.0.9")
    derived = derivation.update(cluster.state, cluster.state.take_changes())
    assert drains(derived.intent) == {"10.0.0.2": "", "10.0.0.3": "", "10.0.0.9": "d1", "192.0.2.1": ""}
    assert derived.intent == cluster.intent()


def test_policies_that_were_edited_are_forgotten(cluster: Cluster) -> None:
    cluster.drain("b", DrainPhase.ANNOUNCE)
    derivation = Derivation("a")
    for value in range(1, KEPT_MAX + 3):
        operation = {"addCommunity": {"value": f"1:{value}"}}
        cluster.put(
            "bgpfilters/f", "BGPFilter", {"importV4": [{"action": "Accept", "operations": [operation]}]}
        )
        intent = derivation.update(cluster.state, cluster.state.take_changes()).intent
        told = judge(config(intent, "10.0.0.2").import_policy, OUTSIDE).attributes
        assert (told.communities, told.local_pref) == ((7, (1 << 16) + value), 200)
