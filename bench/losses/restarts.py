"""Z5: agents that stop and start, are killed, and are replaced by others, one or all at once."""

import time
from collections.abc import Iterable
from dataclasses import replace

from bench.losses.case import Case, Step, nothing
from bench.losses.cluster import Cluster, mesh, peer_with_reflectors, reflectors
from felixbgp.lab import checks
from felixbgp.lab.processes import Command

BGP_PORT = 179
VICTIM = "node-3"
"""In the middle of the cables, and no reflector."""
REFLECTORS = ("node-1", "node-2")
AWAY_SECONDS = 20.0
"""Longer than its leased key lives, and than a hold timer needs to be noticed; the restart time is 120 s."""
SECONDS_MAX = 120.0
OTHER_VERSION = "import felixbgp; felixbgp.__version__ = '99.0'; from felixbgp.cli.main import main; main()"
WATCH_SECONDS = 10.0
"""After the sessions are back: until End-of-RIB has come of everybody, and kernels are swept."""
NODES = 10
PROBED = ("node-1", "node-3", "node-6", "node-10")
"""Of ten: all pairs of eleven endpoints are more packets than a machine sends in time."""
UNPROBED = tuple(f"node-{number}" for number in range(1, NODES + 1) if f"node-{number}" not in PROBED)


def is_back(cluster: Cluster, names: Iterable[str]) -> None:
    """Wait until these nodes have a connection for every session that they want.

    What a status says may be of a former life.
    """
    wanted = cluster.wanted_sessions()

    def missing() -> list[str]:
        counts = {
            node.name: checks.connection_count(node.namespace, BGP_PORT)
            for node in cluster.plan.nodes
            if node.name in names
        }
        return [
            f"{name} has {count} of {len(wanted[name])} sessions"
            for name, count in counts.items()
            if count < len(wanted[name])
        ]

    checks.wait_for(missing, "the sessions are back", SECONDS_MAX)


def restart(cluster: Cluster) -> None:
    """SIGTERM, and another one at once."""
    cluster.stop(VICTIM)
    cluster.start(VICTIM)
    is_back(cluster, (VICTIM,))


def stop_and_start(cluster: Cluster) -> None:
    """As an operator does, who has something to do meanwhile."""
    cluster.stop(VICTIM)
    time.sleep(AWAY_SECONDS)
    cluster.start(VICTIM)
    is_back(cluster, (VICTIM,))


def kill(cluster: Cluster) -> None:
    """Kill -9, and another one after a second, as systemd does."""
    cluster.kill(VICTIM)
    time.sleep(1.0)
    cluster.start(VICTIM)
    is_back(cluster, (VICTIM,))


def kill_twice(cluster: Cluster) -> None:
    """The second time as soon as its sessions are back."""
    kill(cluster)
    kill(cluster)


def upgrade(cluster: Cluster) -> None:
    """Another version takes its place, and then the first one again."""
    command = cluster.lab.processes[VICTIM].command
    python = command.arguments[0].replace("felixbgp", "python")
    for one in (replace(command, arguments=(python, "-c", OTHER_VERSION, "agent")), command):
        _replace(cluster, one)


def _replace(cluster: Cluster, command: Command) -> None:
    cluster.stop(VICTIM)
    cluster.lab.spawn(command)
    is_back(cluster, (VICTIM,))


def roll(cluster: Cluster) -> None:
    """Every node, each when the one before is back."""
    for node in cluster.plan.nodes:
        cluster.stop(node.name)
        cluster.start(node.name)
        is_back(cluster, (node.name,))


def all_at_once(cluster: Cluster) -> None:
    """Every one is killed, and then all are started."""
    names = [node.name for node in cluster.plan.nodes]
    for name in names:
        cluster.kill(name)
    for name in names:
        cluster.start(name)
    is_back(cluster, names)


def reflected(cluster: Cluster) -> None:
    """Two reflectors instead of the mesh."""
    cluster.put(reflectors(cluster.plan, REFLECTORS) | peer_with_reflectors() | mesh(enabled=False))


def _of_ten(name: str, title: str, change: Step, prepare: Step = nothing) -> Case:
    return Case(
        group="Z5",
        name=name,
        title=title,
        change=change,
        prepare=prepare,
        nodes=NODES,
        unprobed=UNPROBED,
        watch_seconds=WATCH_SECONDS,
    )


CASES = (
    Case(
        group="Z5",
        name="agent-stopped",
        title="an agent is stopped, and started 20 s later",
        change=stop_and_start,
        watch_seconds=WATCH_SECONDS,
    ),
    Case(
        group="Z5",
        name="agent-restarted",
        title="an agent is restarted",
        change=restart,
        watch_seconds=WATCH_SECONDS,
    ),
    Case(
        group="Z5",
        name="agent-upgraded",
        title="an agent gives way to the same code under another version's number, and that to the first",
        change=upgrade,
        watch_seconds=WATCH_SECONDS,
        bird=False,
    ),
    Case(
        group="Z5",
        name="agent-killed",
        title="an agent is killed with -9, and started a second later",
        change=kill,
        watch_seconds=WATCH_SECONDS,
    ),
    Case(
        group="Z5",
        name="agent-killed-twice",
        title="an agent is killed with -9, and again as soon as its sessions are back",
        change=kill_twice,
        watch_seconds=WATCH_SECONDS,
    ),
    _of_ten("rolling", "all agents of ten nodes are restarted, one after the other", roll),
    _of_ten("all-killed", "all agents of ten nodes are killed at once, and started", all_at_once),
    _of_ten(
        "all-killed-reflected",
        "the same with two route reflectors instead of the mesh",
        all_at_once,
        reflected,
    ),
)
