"""Z7: agents that start while etcd is away, run from what they last knew of it, and catch up."""

import time
from collections.abc import Iterable

from bench.losses.case import Case
from bench.losses.cluster import Cluster, mesh, peer_with_reflectors, reflectors
from felixbgp.lab import checks

BGP_PORT = 179
VICTIM = "node-3"
"""No reflector."""
REFLECTORS = ("node-1", "node-2")
SECONDS_MAX = 120.0
AWAY_SECONDS = 15.0
"""For how long etcd stays away when the sessions stand again: longer than leased keys live."""
WATCH_SECONDS = 10.0


def keep(cluster: Cluster) -> None:
    """Wait until every disk has what etcd has."""
    cluster.wait_until_settled()
    checks.wait_for(lambda: checks.unkept_state(cluster.lab), "all is kept", SECONDS_MAX)


def start_without_etcd(cluster: Cluster, names: Iterable[str], counts: dict[str, int]) -> None:
    """Start agents without etcd, and wait until each has so many connections, and runs from what it kept."""
    for name in names:
        cluster.start(name)

    def missing() -> list[str]:
        found = {
            node.name: checks.connection_count(node.namespace, BGP_PORT)
            for node in cluster.plan.nodes
            if node.name in names
        }
        waiting = [f"{name} has {count} sessions" for name, count in found.items() if count < counts[name]]
        return waiting + [
            f"{name} knows nothing" for name in names if "LastKnownStateUsed" not in life(cluster, name)
        ]

    checks.wait_for(missing, "agents run without etcd", SECONDS_MAX)


def bring_back(cluster: Cluster, names: Iterable[str]) -> None:
    """Etcd returns after a while, and these agents follow it again."""
    time.sleep(AWAY_SECONDS)
    cluster.lab.start("etcd")
    checks.wait_for(
        lambda: [name for name in names if "LastKnownStateReplaced" not in life(cluster, name)],
        "agents have caught up",
        SECONDS_MAX,
    )
    checks.wait_for(
        lambda: [] if cluster.lab.is_store_ready() else ["no answer"], "etcd answers", SECONDS_MAX
    )


def life(cluster: Cluster, name: str) -> str:
    """What an agent has logged since it was started last."""
    log = cluster.lab.log(name)
    return log[log.rindex("starts on node") :]


def one(cluster: Cluster) -> None:
    """One is killed while etcd is away."""
    counts = session_counts(cluster)
    cluster.lab.kill("etcd")
    cluster.kill(VICTIM)
    start_without_etcd(cluster, (VICTIM,), counts)
    bring_back(cluster, (VICTIM,))


def all_of_them(cluster: Cluster) -> None:
    """All are killed while etcd is away."""
    counts = session_counts(cluster)
    names = [node.name for node in cluster.plan.nodes]
    cluster.lab.kill("etcd")
    for name in names:
        cluster.kill(name)
    start_without_etcd(cluster, names, counts)
    bring_back(cluster, names)


def changed_meanwhile(cluster: Cluster) -> None:
    """The mesh gives way to reflectors while an agent is stopped, which starts without etcd."""
    cluster.stop(VICTIM)
    cluster.put(reflectors(cluster.plan, REFLECTORS) | peer_with_reflectors() | mesh(enabled=False))
    time.sleep(AWAY_SECONDS)
    cluster.lab.kill("etcd")
    # Its sessions with the reflectors and the ToR; the others want none with it any more.
    start_without_etcd(cluster, (VICTIM,), {VICTIM: len(REFLECTORS) + 1})
    bring_back(cluster, (VICTIM,))


def session_counts(cluster: Cluster) -> dict[str, int]:
    """How many sessions each node wants."""
    return {name: len(peers) for name, peers in cluster.wanted_sessions().items()}


CASES = (
    Case(
        group="Z7",
        name="agent-without-etcd",
        title="an agent is killed while etcd is away, and starts; etcd comes back",
        prepare=keep,
        change=one,
        watch_seconds=WATCH_SECONDS,
        bird=False,
    ),
    Case(
        group="Z7",
        name="all-without-etcd",
        title="all agents are killed while etcd is away, and start; etcd comes back",
        prepare=keep,
        change=all_of_them,
        watch_seconds=WATCH_SECONDS,
        bird=False,
    ),
    Case(
        group="Z7",
        name="changed-without-etcd",
        title="mesh → reflectors while an agent is stopped, which starts without etcd; etcd comes back",
        prepare=keep,
        change=changed_meanwhile,
        watch_seconds=WATCH_SECONDS,
        bird=False,
    ),
)
