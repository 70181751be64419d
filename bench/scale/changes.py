"""P6: what one change costs one agent, by the size of its cluster, and what the status that follows costs.

One agent as it is, all of its sessions Established, the other nodes played. Instructions are those of Python,
the same in every run; CPU time is the best of some turns. What C does at one go (copying a table of 1,000
peers, sorting it) shows in the CPU time alone.
"""

import gc
from collections.abc import Callable, Iterator
from time import process_time
from typing import NamedTuple

from felixbgp.agent.publication import interval_ns
from felixbgp.status import document
from tests.support.derivation import Object
from tests.support.large_cluster import (
    SECOND,
    LargeCluster,
    filter_object,
    mesh_objects,
    node_object,
    reflector_objects,
)

SIZES = (10, 100, 1_000, 5_000)
TURNS = 7
MINUTE = 60 * SECOND
SETTLED = 200 * SECOND
"""Longer than the interval between two statuses of 5,000 peers."""

CLUSTERS = {"mesh": mesh_objects, "reflector": reflector_objects}
REFLECTED_MAX = 1_000
"""A reflector's clients: with a filter of 5,000 of them one edit takes ten seconds."""
CHANGES: dict[str, Callable[[int], Object]] = {
    "a node joins": lambda turn: node_object(10_000 + turn),
    "a label changes": lambda turn: node_object(7, turn=str(turn)),
    "a filter is edited": lambda turn: filter_object("rules", 1 + turn),
}


class Cost(NamedTuple):
    """Of one change in a cluster of so many nodes."""

    cluster: str
    change: str
    nodes: int
    instructions: int
    cpu_ms: float


class StatusCost(NamedTuple):
    """Of one status: to put it together, to encode it new and once more; and how often that is at most."""

    nodes: int
    octets: int
    build_ms: float
    encode_ms: float
    encode_again_ms: float
    interval_s: float


def of_changes(sizes: tuple[int, ...] = SIZES) -> Iterator[Cost]:
    """Every change in every cluster; a node joins a reflector's cluster as one more client."""
    for name, objects in CLUSTERS.items():
        for size in sizes:
            if name == "reflector" and size > REFLECTED_MAX:
                continue
            cluster = LargeCluster(objects(size))
            cluster.run_for(SETTLED)
            cluster.takes_status = False
            cluster.change(node_object(9_999))
            cluster.run_for(SETTLED)
            # From here on a status is on its way, and no other is put together.
            for change, written in CHANGES.items():
                yield _cost(cluster, name, change, size, written)


def _cost(cluster: LargeCluster, name: str, change: str, size: int, written: Callable[[int], Object]) -> Cost:
    best = float("inf")
    for turn in range(TURNS):
        gc.collect()
        cluster.work.seconds = 0.0
        cluster.change(written(turn))
        best = min(best, cluster.work.seconds)
        cluster.run_for(SECOND)
    cluster.work.instructions, cluster.work.counts = 0, True
    cluster.change(written(TURNS))
    cluster.work.counts = False
    return Cost(name, change, size, cluster.work.instructions, best * 1000)


def of_status(sizes: tuple[int, ...] = SIZES) -> Iterator[StatusCost]:
    """What a mesh's status costs the agent and the store."""
    for size in sizes:
        cluster = LargeCluster(mesh_objects(size))
        cluster.run_for(SETTLED)
        encoder = document.Encoder(0)
        status = cluster.agent.status(cluster.now)
        whole = _milliseconds(lambda: encoder.encode(status))  # noqa: B023 - called at once
        again = _milliseconds(lambda: encoder.encode(cluster.agent.status(cluster.now)))  # noqa: B023
        build = min(_milliseconds(lambda: cluster.agent.status(cluster.now)) for _ in range(3))  # noqa: B023
        octets, peers = len(encoder.encode(status)), len(status.peers)
        yield StatusCost(size, octets, build, whole, again - build, interval_ns(peers) / SECOND)


def _milliseconds(action: Callable[[], object]) -> float:
    gc.collect()
    began = process_time()
    action()
    return (process_time() - began) * 1000
