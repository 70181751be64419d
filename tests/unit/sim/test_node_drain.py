"""Nodes that are drained and stopped: no kernel misses a route, and what nobody else has is waited for."""

import json
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.cli.drain_proof import Proof, Scene, proof_of
from felixbgp.cli.node_report import NodeReport
from felixbgp.cluster.drains import DRAINS, Drain, DrainPhase, drain_key
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.node import Node
from felixbgp.sim.world import SECOND, World
from felixbgp.status import drain_document
from felixbgp.status.document import AgentAlive
from tests.support.cluster import (
    blocks,
    converged,
    make_reflector,
    mesh,
    peer_with_reflectors,
    put_resource,
    set_mesh,
)

SIZE = 5
SETTLING_NS = 10 * SECOND
SERVICES = Prefix.parse("10.96.0.0/16")
TOR = Address.parse("172.30.0.254")
WORKLOAD = Prefix.parse("10.0.1.7/32")

Holds = Callable[[], bool]


def ask(world: World, node: str, phase: DrainPhase) -> Drain:
    """Write what the command writes."""
    wanted = Drain("d1", phase, 0, "a test")
    world.store.put(drain_key(node), drain_document.encode(wanted))
    return wanted


def proof(world: World, node: str, drain: Drain) -> Proof:
    """What the command makes of what the agents published last."""
    agents = {name: each for name, each in world.nodes.items() if each.intent is None}
    reports = {
        name: NodeReport(name, AgentAlive("1", 1) if each.is_alive else None, each.status)
        for name, each in agents.items()
    }
    return proof_of(Scene(node, drain, {name: each.addresses for name, each in agents.items()}, reports))


def watch(world: World, condition: Holds, limit_ns: int, holds: Holds) -> None:
    """Let time pass until the condition is true; at every step everything holds."""
    end = world.clock.now + limit_ns
    while not condition():
        upcoming = world.clock.next_time()
        assert upcoming is not None
        assert upcoming <= end, "not reached"
        world.clock.step()
        assert holds(), f"at {world.clock.now / SECOND:.3f} s"


def watch_for(world: World, duration_ns: int, holds: Holds) -> None:
    end = world.clock.now + duration_ns
    world.clock.call_at(end, lambda: None)
    watch(world, lambda: world.clock.now >= end, duration_ns, holds)


def have(nodes: Iterable[Node], wanted: Iterable[Prefix]) -> bool:
    """Whether all these kernels have routes to all of these."""
    prefixes = frozenset(wanted)
    return all(prefixes <= node.kernel.routes().keys() for node in nodes)


def drain(world: World, node: str, holds: Holds, unproven: tuple[str, ...] = ()) -> None:
    """What the command does: announce, wait for the proof and a while, withdraw, wait until all is gone."""
    announced = ask(world, node, DrainPhase.ANNOUNCE)
    watch(world, lambda: proof(world, node, announced).holds, 60 * SECOND, holds)
    watch_for(world, SETTLING_NS, holds)
    assert proof(world, node, announced) == Proof((), unproven)
    withdraw(world, node, holds)


def withdraw(world: World, node: str, holds: Holds) -> None:
    withdrawn = ask(world, node, DrainPhase.WITHDRAW)
    watch(world, lambda: proof(world, node, withdrawn).holds, 60 * SECOND, holds)


def sessions_lost(world: World) -> int:
    facts = (fact for node in world.nodes.values() for fact in node.facts)
    return sum(isinstance(fact, SessionStateChanged) and fact.old == "Established" for fact in facts)


def drained(world: World) -> dict[str, str]:
    """By node, the phase of its drain that it tells of."""
    return {
        name: each.status.drained.phase if each.status is not None and each.status.drained is not None else ""
        for name, each in world.nodes.items()
    }


def all_sent_to(world: World, node: str) -> set[Prefix]:
    """What the others have from a node."""
    addresses = world.nodes[node].addresses
    return {
        prefix
        for name, each in world.nodes.items()
        if name != node
        for prefix, route in each.kernel.routes().items()
        if any(hop.gateway in addresses for hop in route.next_hops)
    }


@pytest.fixture
def world() -> World:
    """A mesh."""
    cluster = mesh(SIZE, seed=5)
    cluster.run_until(lambda: converged(cluster, SIZE), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    return cluster


@pytest.mark.parametrize("seed", [11, 12])
def test_a_reflector_of_two_is_drained_and_stopped(seed: int) -> None:
    world = mesh(SIZE, seed=seed, draining_seconds=120)
    for number in (1, 2):
        make_reflector(world, number)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    world.run_until(lambda: converged(world, SIZE), limit_ns=60 * SECOND)
    world.run_for(180 * SECOND)
    others = [world.nodes[f"node-{number}"] for number in (2, 3, 4, 5)]
    holds = partial(have, others, {prefix for number in (2, 3, 4, 5) for prefix in blocks(number)})
    lost = sessions_lost(world)
    drain(world, "node-1", holds)
    assert sessions_lost(world) == lost
    world.nodes["node-1"].kill()
    watch_for(world, 200 * SECOND, holds)
    status = world.nodes["node-3"].status
    assert status is not None
    assert [peer.prefixes_received for peer in status.peers if peer.draining is not None] == [0, 0]


def test_the_only_reflector_waits_for_another_one() -> None:
    world = mesh(SIZE, seed=3, draining_seconds=120)
    make_reflector(world, 1)
    peer_with_reflectors(world)
    set_mesh(world, enabled=False)
    world.run_until(lambda: converged(world, SIZE), limit_ns=60 * SECOND)
    world.run_for(180 * SECOND)
    clients = [world.nodes[f"node-{number}"] for number in (3, 4, 5)]
    holds = partial(have, clients, {prefix for number in (2, 3, 4, 5) for prefix in blocks(number)})
    announced = ask(world, "node-1", DrainPhase.ANNOUNCE)
    watch_for(world, 30 * SECOND, holds)
    obstacles = proof(world, "node-1", announced).obstacles
    assert obstacles[0] == "10.0.2.0/26 has no other path on node-3, node-4, node-5"
    assert len(obstacles) == 2 * (SIZE - 1)
    make_reflector(world, 2)
    drain(world, "node-1", holds)
    world.nodes["node-1"].kill()
    watch_for(world, 200 * SECOND, holds)


def tor_of(*nodes: Address, address: Address = TOR, as_number: int = 65000) -> Intent:
    """A router in another AS, with sessions to these nodes, which uses several paths at once."""
    speaker = SpeakerConfig(bgp_identifier=address, local_as=as_number, multipath_external=16)
    peers = {
        PeerId(node): PeerConfig(
            peer=PeerId(node), name=str(node), families=(IPV4,), local_as=as_number, remote_as=64512
        )
        for node in nodes
    }
    return Intent(speaker=speaker, listen=(address,), peers=peers)


def test_one_of_two_nodes_that_announce_the_same_services_to_a_router(world: World) -> None:
    put_resource(
        world, "BGPConfiguration", "bgpconfigurations", "default",
        {"serviceClusterIPs": [{"cidr": str(SERVICES)}]},
    )  # fmt: skip
    # Only two of the nodes have services.
    for number in (3, 4, 5):
        exclude_from_services(world, number)
    put_resource(world, "BGPPeer", "bgppeers", "tor", {"peerIP": str(TOR), "asNumber": 65000})
    nodes = [Address.parse(f"172.30.0.{number}") for number in (1, 2)]
    tor = world.add_node("tor", [TOR], [Prefix.parse("172.30.0.0/24")], intent=tor_of(*nodes))
    both = {*nodes}

    def next_hops() -> set[Address | None]:
        route = tor.kernel.routes().get(SERVICES)
        return set() if route is None else {hop.gateway for hop in route.next_hops}

    world.run_until(lambda: next_hops() == both, limit_ns=60 * SECOND)
    drain(world, "node-1", lambda: bool(next_hops()), unproven=("172.30.0.254 (Global_172_30_0_254)",))
    assert next_hops() == {nodes[1]}
    world.nodes["node-1"].kill()
    watch_for(world, 200 * SECOND, lambda: next_hops() == {nodes[1]})


@pytest.mark.parametrize("seed", range(4))
def test_blocks_behind_two_routers_in_other_as_stay_where_they_are(seed: int) -> None:
    """Marked, each router would try the way by the other, and the nodes take that for a loop."""
    world = mesh(3, seed)
    world.network.links.set_delays(500_000, 5_000_000)
    set_mesh(world, enabled=False)
    nodes = [Address.parse(f"172.30.0.{number}") for number in (1, 2, 3)]
    for number in (1, 2):
        router = Address.parse(f"172.30.0.{250 + number}")
        spec: dict[str, object] = {"asNumber": 65000 + number, "numAllowedLocalASNumbers": 1}
        put_resource(world, "BGPPeer", "bgppeers", f"router-{number}", {"peerIP": str(router), **spec})
        intent = tor_of(*nodes, address=router, as_number=65000 + number)
        world.add_node(f"router-{number}", [router], [Prefix.parse("172.30.0.0/24")], intent=intent)
    holds = partial(have, world.nodes.values(), [blocks(number)[0] for number in (1, 2, 3)])
    world.run_until(holds, limit_ns=60 * SECOND)
    world.run_for(60 * SECOND)
    ask(world, "node-3", DrainPhase.ANNOUNCE)
    watch_for(world, 30 * SECOND, holds)


def exclude_from_services(world: World, number: int) -> None:
    label = {"node.kubernetes.io/exclude-from-external-load-balancers": "true"}
    bgp = {"ipv4Address": f"172.30.0.{number}/24", "ipv6Address": f"fd30::{number:x}/64"}
    metadata = {"name": f"node-{number}", "labels": label}
    node = {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": metadata, "spec": {"bgp": bgp}}
    key = f"/calico/resources/v3/projectcalico.org/nodes/node-{number}"
    world.store.put(key, json.dumps(node).encode())


def test_workloads_keep_a_drain_waiting_until_they_have_moved(world: World) -> None:
    node = world.nodes["node-1"]
    route = KernelRoute(WORKLOAD, Route(RouteKind.UNICAST, (NextHop(None, "cali1"),), 0), 3)
    node.kernel.add_link("cali1")
    node.kernel_changed(route, present=True)
    announced = ask(world, "node-1", DrainPhase.ANNOUNCE)
    holds = partial(have, world.nodes.values(), blocks(1))
    world.run_for(10 * SECOND)
    watch_for(world, 100 * SECOND, holds)
    assert proof(world, "node-1", announced).obstacles == (
        "10.0.1.0/26, a block of node-1 with workloads, has no other path on node-2, node-3, node-4, node-5",
    )
    node.kernel_changed(route, present=False)
    world.run_until(lambda: proof(world, "node-1", announced).holds, limit_ns=10 * SECOND)
    withdraw(world, "node-1", lambda: True)
    assert all_sent_to(world, "node-1") == set()
    # What its own packets need is there as before.
    assert have([node], {prefix for number in range(1, SIZE + 1) for prefix in blocks(number)})


def test_a_drained_node_that_restarts_stays_so_until_it_is_put_back(world: World) -> None:
    drain(world, "node-1", lambda: True)
    node = world.nodes["node-1"]
    node.kill()
    world.run_for(5 * SECOND)
    node.start()
    watch_for(world, 200 * SECOND, lambda: all_sent_to(world, "node-1") == set())
    assert "Withdraw" in drained(world)["node-1"]
    world.store.delete(drain_key("node-1"))
    world.run_until(lambda: converged(world, SIZE), limit_ns=5 * SECOND)
    world.run_for(5 * SECOND)
    assert set(drained(world).values()) == {""}
    assert not any(
        peer.draining for each in world.nodes.values() if each.status for peer in each.status.peers
    )


def test_a_node_that_is_drained_halfway_restarts_halfway(world: World) -> None:
    announced = ask(world, "node-1", DrainPhase.ANNOUNCE)
    world.run_for(10 * SECOND)
    node = world.nodes["node-1"]
    node.kill()
    world.run_for(SECOND)
    assert proof(world, "node-1", announced).obstacles[0] == "the agent of node-1 is not running"
    node.start()
    world.run_until(lambda: proof(world, "node-1", announced).holds, limit_ns=200 * SECOND)
    assert have(world.nodes.values(), blocks(1))


def test_where_nobody_may_read_who_is_drained_nothing_else_suffers() -> None:
    world = mesh(3, seed=1)
    world.store.close(DRAINS, "permission denied")
    world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)
    announced = ask(world, "node-1", DrainPhase.ANNOUNCE)
    world.run_for(60 * SECOND)
    assert converged(world, 3)
    assert proof(world, "node-1", announced).obstacles == (
        "node-1 itself has not seen the drain yet",
        "the drain has not been seen yet by node-2, node-3",
    )


def test_who_is_drained_is_no_reason_to_be_restless(world: World) -> None:
    """Reflectors that prefer each other's way to the same node would change their minds for ever."""
    for number in (2, 3):
        make_reflector(world, number)
    peer_with_reflectors(world)
    world.run_for(60 * SECOND)
    ask(world, "node-1", DrainPhase.ANNOUNCE)
    world.run_for(20 * SECOND)
    before = [(node.kernel.writes, sent(node)) for node in world.nodes.values()]
    world.run_for(100 * SECOND)
    assert [(node.kernel.writes, sent(node)) for node in world.nodes.values()] == before


def sent(node: Node) -> int:
    return sum(peer.updates_sent for peer in node.agent._speaker.peers())
