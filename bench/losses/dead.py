"""Z9: a node without power against an agent that is away: the routes to one leave, to the other they stay."""

import time

from bench.losses.case import Case
from bench.losses.cluster import Cluster
from felixbgp.lab import checks, netns

ONE = "node-2"
AWAY_SECONDS = 60.0
"""Half of the restart time, and more than the lease of a dead agent's key (15 s)."""
GONE_SECONDS_MAX = 90.0
"""Calico's hold time."""


def _turn_off(cluster: Cluster) -> None:
    """The node's process dies and nothing answers at its addresses any more; whoever sends hears nothing."""
    _plug(cluster, "down")
    cluster.kill(ONE)


def _routes_gone(cluster: Cluster) -> None:
    """Wait until no other node has a route to the one that is dead."""

    def left() -> list[str]:
        node = next(node for node in cluster.plan.nodes if node.name == ONE)
        return [
            f"{other.name}: {node.block_v4}"
            for other in cluster.plan.nodes
            if other.name != ONE and node.block_v4 in checks.routes(other.namespace, 4)
        ]

    try:
        took = checks.wait_for(left, f"no route to {ONE}", GONE_SECONDS_MAX)
        print(f"the routes to {ONE} left after {took:.1f} s", flush=True)
    finally:
        _plug(cluster, "up")


def _stay_away(cluster: Cluster) -> None:
    cluster.kill(ONE)
    time.sleep(AWAY_SECONDS)
    cluster.start(ONE)


def _plug(cluster: Cluster, state: str) -> None:
    """Take the node's cable out of the fabric (`down`), or put it in (`up`)."""
    netns.batch([f"link set {ONE} {state}"], cluster.plan.fabric)


CASES = (
    Case(
        group="Z9",
        name="node-dead",
        title="a node loses its power: what is not sent to it or from it loses nothing, and its routes leave",
        change=_turn_off,
        settled=_routes_gone,
        # A ToR without BFD goes on to use the node as one of its ways to the others.
        unprobed=(ONE, "tor-1"),
        bird=False,
    ),
    Case(
        group="Z9",
        name="agent-away",
        title="an agent is away for a minute, its key in etcd long gone: its routes stay",
        change=_stay_away,
        bird=False,
    ),
)
