"""Sessions with a rack's two routers begin anew on all nodes, and no prefix ever loses all its paths."""

from collections import Counter
from collections.abc import Iterator

import pytest

from felixbgp.agent.resets import ResetUnfinished, TurnSkipped
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.facts import NotificationSent
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.world import SECOND, World
from felixbgp.status.keys import RESETS
from tests.support.cluster import mesh, put_resource

SIZE = 4
NODES = [f"node-{number}" for number in range(1, SIZE + 1)]
TORS = {"tor-1": "172.30.0.201", "tor-2": "172.30.0.202"}
BEYOND = Prefix.parse("192.168.0.0/16")
"""What both routers tell of."""
SERVICES = Prefix.parse("10.96.0.0/12")
"""What all nodes tell of."""
CEASES = (6, 6)
"""Other configuration change."""


def tor_intent(address: str) -> Intent:
    """A router that keeps nothing of a session that is over."""
    peers = [
        PeerConfig(
            peer=PeerId(Address.parse(f"172.30.0.{number}")),
            name=f"node-{number}",
            families=(IPV4,),
            local_as=65000,
            remote_as=64512,
            passive=True,
            requires_policy=False,
        )
        for number in range(1, SIZE + 1)
    ]
    own = Address.parse(address)
    return Intent(
        speaker=SpeakerConfig(bgp_identifier=own, local_as=65000, multipath_external=16),
        listen=(own,),
        peers={config.peer: config for config in peers},
        aggregates=(BEYOND,),
    )


def peer_with_tors(world: World, **spec: object) -> None:
    for name, address in TORS.items():
        put_resource(world, "BGPPeer", "bgppeers", name, {"peerIP": address, "asNumber": 65000, **spec})


def next_hops(world: World, name: str, prefix: Prefix) -> int:
    selected = world.nodes[name].agent._speaker.selected(prefix.family, prefix.nlri)
    return 0 if selected is None else len(selected.next_hops)


def ways(world: World) -> Iterator[tuple[str, int]]:
    """By how many ways traffic of each kind goes."""
    for name in NODES:
        yield f"{name} to what is beyond", next_hops(world, name, BEYOND)
        yield f"{name} by its kernel", int(BEYOND in world.nodes[name].kernel.routes())
        block = Prefix.parse(f"10.0.{name[-1]}.0/26")
        yield f"from beyond to {name}", max(next_hops(world, tor, block) for tor in TORS)
    yield "from beyond to services", max(next_hops(world, tor, SERVICES) for tor in TORS)


def down(world: World) -> int:
    """How many sessions of nodes with routers are not there."""
    tors = [PeerId(Address.parse(address)) for address in TORS.values()]
    return sum(not world.nodes[name].agent._speaker.is_up(tor) for name in NODES for tor in tors)


def watch(world: World, duration_ns: int) -> int:
    """Let time pass; no traffic may lack a way. Gives how many sessions with routers were down at once."""
    end, most = world.clock.now + duration_ns, 0
    while (upcoming := world.clock.next_time()) is not None and upcoming <= end:
        world.clock.step()
        fewest = min(ways(world), key=lambda way: way[1])
        assert fewest[1] > 0, fewest
        most = max(most, down(world))
    return most


def resets(world: World) -> Counter[tuple[str, str]]:
    """How often a node ended the session with a router to have another."""
    return Counter(
        (name, str(fact.peer))
        for name in NODES
        for fact in world.nodes[name].facts
        if isinstance(fact, NotificationSent)
        and (fact.code, fact.subcode) == CEASES
        and str(fact.peer) in TORS.values()
    )


ALL_ONCE = {(name, address): 1 for name in NODES for address in TORS.values()}


@pytest.fixture
def world() -> World:
    cluster = mesh(SIZE, seed=3)
    spec: dict[str, object] = {"serviceClusterIPs": [{"cidr": str(SERVICES)}]}
    put_resource(cluster, "BGPConfiguration", "bgpconfigurations", "default", spec)
    peer_with_tors(cluster)
    for name, address in TORS.items():
        cluster.add_node(name, [Address.parse(address)], intent=tor_intent(address))
    cluster.run_until(lambda: all(count > 0 for _, count in ways(cluster)), limit_ns=60 * SECOND)
    cluster.run_for(30 * SECOND)
    return cluster


def test_one_session_at_a_time_in_the_whole_cluster(world: World) -> None:
    peer_with_tors(world, maxRestartTime="60s")
    assert watch(world, 120 * SECOND) == 1
    assert resets(world) == ALL_ONCE
    assert not any(key.startswith(RESETS) for key in world.store.contents())
    assert all(peer.warning is None for name in NODES for peer in world.nodes[name].agent.status(0).peers)


def test_an_agent_that_dies_in_its_turn_holds_up_the_others_for_the_time_of_its_lease(world: World) -> None:
    peer_with_tors(world, maxRestartTime="60s")
    world.run_until(lambda: bool(resets(world)), limit_ns=10 * SECOND)
    [(name, _)] = resets(world)
    world.nodes[name].kill()
    world.run_for(14 * SECOND)
    assert resets(world).keys() == {(name, TORS["tor-1"])}
    world.nodes[name].start()
    world.run_for(120 * SECOND)
    assert {pair for pair in resets(world) if pair[0] != name} == {
        pair for pair in ALL_ONCE if pair[0] != name
    }


def test_a_place_in_line_that_a_backup_brings_back_holds_up_the_others_for_the_time_of_its_lease(
    world: World,
) -> None:
    world.store.put(f"{RESETS}node-9", b"of a former life")
    backup = world.store.backup()
    world.store.delete(f"{RESETS}node-9")
    world.restore(backup)
    peer_with_tors(world, maxRestartTime="60s")
    world.run_for(14 * SECOND)
    assert not resets(world)
    world.run_for(120 * SECOND)
    assert resets(world) == ALL_ONCE


def test_without_a_store_each_node_goes_on_by_itself_after_a_minute(world: World) -> None:
    peer_with_tors(world, maxRestartTime="60s")
    world.run_for(SECOND // 100)
    world.store.fail("gone")
    world.run_for(55 * SECOND)
    assert len(resets(world)) <= 2
    [warning, _] = [
        peer.warning
        for peer in world.nodes["node-4"].agent.status(0).peers
        if str(peer.peer) in TORS.values()
    ]
    assert warning == "waits for its turn to reset: no answer"
    world.run_for(30 * SECOND)
    assert resets(world) == ALL_ONCE
    facts = [fact for name in NODES for fact in world.nodes[name].facts]
    assert any(isinstance(fact, TurnSkipped) for fact in facts)
    assert not any(isinstance(fact, ResetUnfinished) for fact in facts)


def test_a_router_that_does_not_come_back_leaves_every_node_its_other_one(world: World) -> None:
    world.nodes["tor-1"].kill()
    peer_with_tors(world, maxRestartTime="60s")
    assert watch(world, 200 * SECOND) == SIZE
    assert resets(world) == Counter()
    world.nodes["tor-1"].start()
    watch(world, 120 * SECOND)
    assert resets(world).keys() == {(name, TORS["tor-2"]) for name in NODES}
