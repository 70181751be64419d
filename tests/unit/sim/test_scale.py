"""What one agent does about a change does not grow with its cluster, and what it writes has a bound.

Work is counted in instructions of Python, which are the same in every run: no times.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest

from felixbgp.agent.publication import LOOK_PER_PEER_NS, interval_ns
from felixbgp.bgp.inputs import BytesReceived
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.status import document, keys
from tests.support.derivation import Object
from tests.support.large_cluster import (
    SECOND,
    LargeCluster,
    bgp_peer_object,
    mesh_objects,
    node_object,
    reflector_objects,
)

SMALL, LARGE = 20, 200
MINUTE = 60 * SECOND
PEER_OCTETS_MAX = 420
"""One line of a status, of a session without a fault."""
KEEPALIVE_MAX = 10_000
"""Instructions for one that came, and to drain once."""
LOOK_MAX = 1_200
"""Instructions to put together the status of one peer."""
OCTETS_BESIDE_PEERS_MAX = 2_000


def work(objects: list[Object], change: Callable[[int], Object]) -> int:
    """Instructions for one change in a cluster at rest; the status is on its way and not built again."""
    cluster = LargeCluster(objects)
    cluster.run_for(MINUTE)
    cluster.takes_status = False
    cluster.change(node_object(2000))
    cluster.change(change(1))
    cluster.run_for(MINUTE)
    cluster.work.counts = True
    cluster.change(change(2))
    return cluster.work.instructions


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda turn: node_object(1000 + turn), id="a node joins"),
        pytest.param(lambda turn: node_object(7, turn=str(turn)), id="a label of a node"),
        pytest.param(lambda turn: bgp_peer_object("other", turn), id="a BGPPeer of another node"),
    ],
)
def test_a_change_costs_the_same_in_a_larger_mesh(change: Callable[[int], Object]) -> None:
    small, large = (work(mesh_objects(size), change) for size in (SMALL, LARGE))
    assert large <= 1.1 * small


def test_a_label_costs_a_reflector_the_same_in_a_larger_cluster() -> None:
    small, large = (
        work(reflector_objects(size), lambda turn: node_object(7, turn=str(turn))) for size in (SMALL, LARGE)
    )
    assert large <= 1.1 * small


def test_a_mesh_that_never_rests_costs_the_store_no_more_than_its_bound() -> None:
    cluster = LargeCluster(mesh_objects(LARGE))
    cluster.run_for(MINUTE)
    peers = len(cluster.statuses[-1][1].peers)
    cluster.statuses.clear()
    for turn in range(600):
        cluster.change(bgp_peer_object("local", turn))
        cluster.run_for(SECOND // 10)
    times = [at for at, _ in cluster.statuses]
    assert len(times) == pytest.approx(MINUTE / interval_ns(peers), abs=2)
    assert all(after - before >= interval_ns(peers) for before, after in pairwise(times))
    octets = sum(len(document.encode(status, 0)) for _, status in cluster.statuses)
    assert octets <= len(times) * (OCTETS_BESIDE_PEERS_MAX + peers * PEER_OCTETS_MAX)


def test_nothing_is_written_for_keepalives_and_they_are_looked_at_now_and_then() -> None:
    cluster = LargeCluster(mesh_objects(LARGE))
    cluster.run_for(MINUTE)
    cluster.statuses.clear()
    cluster.work.counts = True
    for turn in range(1000):
        connections = cluster.connections()
        cluster.feed(BytesReceived(connections[turn % len(connections)], encode_keepalive()))
        cluster.settle()
        cluster.run_for(SECOND // 100)
    assert cluster.statuses == []
    looks = 10 * SECOND // (LARGE * LOOK_PER_PEER_NS)
    assert cluster.work.instructions <= 1000 * KEEPALIVE_MAX + looks * LARGE * LOOK_MAX


def test_no_agent_follows_the_status_of_any_node() -> None:
    cluster = LargeCluster(mesh_objects(SMALL))
    followed = [prefix for effect in cluster.followed for prefix in (*effect.required, *effect.optional)]
    assert followed
    for node in ("local", "node-7"):
        assert not any(keys.status_key(node).startswith(prefix) for prefix in followed)
        assert not any(keys.alive_key(node).startswith(prefix) for prefix in followed)
