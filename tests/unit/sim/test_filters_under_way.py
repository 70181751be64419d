"""A BGPPeer begins to name a BGPFilter that comes later, or loses it: the session goes on for ten seconds."""

import pytest

from felixbgp.agent.reprieve import REPRIEVE_NS
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import RESOURCES, converged, mesh, put_resource

ACCEPT: dict[str, object] = {"importV4": [{"action": "Accept"}]}


def put_peer(world: World, *filters: str) -> None:
    spec: dict[str, object] = {
        "node": "node-1",
        "peerIP": "172.30.0.2",
        "asNumber": 64512,
        "filters": filters,
    }
    put_resource(world, "BGPPeer", "bgppeers", "to-node-2", spec)


def changes_of_sessions(world: World) -> int:
    return len([fact for fact in world.nodes["node-1"].facts if isinstance(fact, SessionStateChanged)])


@pytest.fixture
def world() -> World:
    cluster = mesh(2, seed=4)
    put_peer(cluster)
    cluster.run_until(lambda: converged(cluster, 2), limit_ns=60 * SECOND)
    cluster.run_for(60 * SECOND)
    return cluster


def test_the_filter_comes_later_and_goes_first_and_no_session_is_reset(world: World) -> None:
    before = changes_of_sessions(world)
    put_peer(world, "a-filter")
    world.run_for(REPRIEVE_NS - SECOND)
    put_resource(world, "BGPFilter", "bgpfilters", "a-filter", ACCEPT)
    world.run_for(60 * SECOND)
    world.store.delete(f"{RESOURCES}/bgpfilters/a-filter")
    world.run_for(REPRIEVE_NS - SECOND)
    put_peer(world)
    world.run_for(60 * SECOND)
    assert changes_of_sessions(world) == before
    assert converged(world, 2)


def test_a_filter_that_never_comes_takes_the_session_down(world: World) -> None:
    put_peer(world, "a-filter")
    world.run_for(REPRIEVE_NS - SECOND)
    assert world.established() == 2
    world.run_for(2 * SECOND)
    assert world.established() == 1
    put_resource(world, "BGPFilter", "bgpfilters", "a-filter", ACCEPT)
    world.run_until(lambda: world.established() == 2, limit_ns=60 * SECOND)
