"""The agent as a plain router, whose intent is given to it. With a store it is tested in tests/unit/sim."""

from dataclasses import replace
from itertools import chain

from felixbgp.agent.agent import FACTS_AT_ONCE, Agent, Progress
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import IntentProblem, Listen, Observe
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.cluster.inputs import KeyPut, RevisionReached, SnapshotReceived, StoredValue
from felixbgp.cluster.state import watched_prefixes
from felixbgp.fib.types import KernelSnapshot
from felixbgp.intent.types import Intent, Problem
from felixbgp.net import IPV4, IPV6, Address
from tests.support.large_cluster import node_object

OWN = Address.parse("192.0.2.1")
MANY_FACTS = 2 * FACTS_AT_ONCE + 1


def peer(host: int, password: bytes | None = None) -> PeerConfig:
    address = Address.parse(f"192.0.2.{host}")
    return PeerConfig(
        peer=PeerId(address),
        name=f"peer-{host}",
        families=(IPV4,),
        local_as=64500,
        remote_as=64500 + host,
        transport=TransportOptions(password=password),
    )


def router(*peers: PeerConfig) -> Intent:
    return Intent(
        speaker=SpeakerConfig(bgp_identifier=OWN, local_as=64500),
        listen=(OWN,),
        peers={config.peer: config for config in peers},
    )


def test_a_given_intent_replaces_the_one_before() -> None:
    agent = Agent(AgentConfig(node="router"), lambda: 0.0)

    agent.feed(IntentGiven(router(peer(2, b"secret"), peer(3))), 0)
    listening = [effect for effect in agent.drain(0, 100) if isinstance(effect, Listen)]
    assert [[str(prefix) for prefix, _ in effect.keys] for effect in listening] == [["192.0.2.2/32"]]
    assert [shown.name for shown in agent.status(0).peers] == ["peer-2", "peer-3"]

    agent.feed(IntentGiven(router(peer(3), replace(peer(4), passive=True))), 1)
    listening = [effect for effect in agent.drain(1, 100) if isinstance(effect, Listen)]
    assert [effect.keys for effect in listening] == [()]
    assert [shown.name for shown in agent.status(1).peers] == ["peer-3", "peer-4"]


def test_two_peers_at_one_address_have_one_password_and_others_cost_nothing_when_one_changes() -> None:
    agent = Agent(AgentConfig(node="router"), lambda: 0.0)
    first = peer(2, b"of port 179")
    second = replace(first, peer=PeerId(first.peer.address, 1179), transport=TransportOptions(password=b"b"))
    agent.feed(IntentGiven(router(second, first, peer(3, b"c"))), 0)
    [before] = [effect.keys for effect in agent.drain(0, 100) if isinstance(effect, Listen)]
    assert [(str(prefix), password) for prefix, password in before] == [
        ("192.0.2.2/32", b"b"),
        ("192.0.2.3/32", b"c"),
    ]
    agent.feed(IntentGiven(router(second, first, peer(3, b"c"), peer(1, b"a"))), 1)
    [after] = [effect.keys for effect in agent.drain(1, 100) if isinstance(effect, Listen)]
    assert [(str(prefix), password) for prefix, password in after] == [
        ("192.0.2.1/32", b"a"),
        ("192.0.2.2/32", b"b"),
        ("192.0.2.3/32", b"c"),
    ]
    assert all(new is old for (new, _), (old, _) in zip(after[1:], before, strict=True))


def test_of_many_facts_some_are_told_in_one_step_and_all_in_the_end_in_their_order() -> None:
    agent = Agent(AgentConfig(node="router"), lambda: 0.0)
    problems = tuple(Problem(f"BGPPeer {number}", "spec.filters", "no such") for number in range(MANY_FACTS))
    agent.feed(IntentGiven(replace(router(), problems=problems)), 0)
    steps: list[list[Problem]] = []
    while agent.next_deadline() == 0:
        told = [effect.fact for effect in agent.drain(0, 100) if isinstance(effect, Observe)]
        steps.append([fact.problem for fact in told if isinstance(fact, IntentProblem)])
    assert [len(step) for step in steps] == [FACTS_AT_ONCE, FACTS_AT_ONCE, 1]
    assert tuple(chain(*steps)) == problems


def test_how_far_the_store_has_come_is_told() -> None:
    agent = Agent(AgentConfig(node="node-1"), lambda: 0.0)
    own, other = (StoredValue(*node_object(number), 3) for number in (1, 2))
    for family in (IPV4, IPV6):
        agent.feed(KernelSnapshot(family, ()), 0)
    for prefix in watched_prefixes("node-1"):
        values = (own,) if own.key.startswith(prefix) else ()
        agent.feed(SnapshotReceived(prefix, 5, values), 0)
    agent.drain(0, 100)
    assert agent.progress() == Progress(revision=5, changes=1, peers=0, is_in_force=True)

    agent.feed(KeyPut(other._replace(revision=7)), 1)
    agent.feed(RevisionReached(7), 1)
    assert agent.progress().revision == 5
    agent.drain(1, 100)
    assert agent.progress() == Progress(revision=7, changes=2, peers=1, is_in_force=True)

    agent.feed(RevisionReached(9), 2)
    agent.drain(2, 100)
    assert agent.progress() == Progress(revision=9, changes=2, peers=1, is_in_force=True)
    tallies = agent.tallies()
    assert sum(tallies.sessions.values()) == 1
    assert tallies.kernel == {IPV4: (0, 0), IPV6: (0, 0)}
    assert Agent(AgentConfig(node="node-1", forwards=False), lambda: 0.0).tallies().kernel == {}
