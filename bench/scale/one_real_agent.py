"""One real agent among played nodes: how soon all sessions are up (P9), and what they cost at rest (P7).

namespace scale-peers                       namespace scale-node
  all other nodes, in one process  ── veth ──  etcd, and the agent under test
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple
from urllib.request import urlopen

from felixbgp.lab import netns, processes
from felixbgp.lab.etcd import find_etcd
from felixbgp.lab.lab import felixbgp_command
from felixbgp.lab.store import Store, StoreError
from felixbgp.lab.waiting import wait_until
from felixbgp.status.keys import status_key
from tests.support.large_cluster import LOCAL, OWN, mesh_objects

NODE, PEERS = "scale-node", "scale-peers"
UP = ("link set lo up", "link set scale0 up")
NEXT = "169.254.0.2"
"""Where the others are: the way to each of them would need an entry of its own in the table of neighbours."""
ENDPOINT = "http://127.0.0.1:2379"
IDLE_SECONDS = 40.0
"""Longer than the 30 s between two KEEPALIVEs of a session, so that each had its turn."""
START_SECONDS_MAX = 120.0


class Started(NamedTuple):
    """Seconds from exec until the last of so many sessions was Established, and the CPU time until then.

    `queued_seconds` of them the process was ready to run, and others had the processors.
    """

    sessions: int
    seconds: float
    cpu_seconds: float
    queued_seconds: float


class Idle(NamedTuple):
    """CPU time in a second of `seconds` at rest, and resident memory after them."""

    sessions: int
    cpu_share: float
    resident_mb: float


class Asked(NamedTuple):
    """What etcd counted since it began: octets from clients, and how often the agent's status was written."""

    octets: float
    status_writes: int


@contextmanager
def world(size: int, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Both namespaces, etcd with the cluster in it, and the others; ends all of it."""
    netns.remove((NODE, PEERS))
    netns.create((NODE, PEERS))
    with ExitStack() as stack:
        stack.callback(netns.remove, (NODE, PEERS))
        netns.batch((f"link add scale0 netns {NODE} type veth peer name scale0 netns {PEERS}",))
        netns.batch(
            (*UP, f"addr add {OWN}/32 dev scale0", f"route add 10.0.0.0/8 via {NEXT} dev scale0 onlink"), NODE
        )
        # AnyIP: all of the cluster's addresses are here.
        there = (
            f"addr add {NEXT}/32 dev scale0",
            "route add local 10.0.0.0/8 dev lo",
            f"route add {OWN}/32 dev scale0",
        )
        netns.batch((*UP, *there), PEERS)
        for space in (NODE, PEERS):
            netns.write_sysctls(space, {"net/core/somaxconn": "4096", "net/ipv4/tcp_max_syn_backlog": "8192"})
        spawned(
            stack,
            directory,
            "etcd",
            NODE,
            str(find_etcd()),
            "--data-dir",
            str(directory),
            "--log-level",
            "error",
        )
        wait_until(_is_ready, "etcd", seconds_max=30)
        with netns.inside(NODE):
            store, values = Store([ENDPOINT]), dict(mesh_objects(size))
            for keys in batched(values, 100):
                store.put_all({key: values[key].decode() for key in keys})
        player = subprocess.Popen(
            netns.exec_arguments(PEERS, (sys.executable, "-m", "bench.scale.player")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(player.wait)
        assert player.stdin is not None
        stack.callback(player.stdin.close)
        ask(player)
        yield player


def spawned(
    stack: ExitStack, directory: Path, name: str, namespace: str, *arguments: str
) -> processes.Running:
    command = processes.Command(name, arguments, str(directory / f"{name}.log"), namespace)
    running = processes.spawn(command)
    stack.callback(processes.stop_all, [running])
    return running


def ask(player: subprocess.Popen[str]) -> tuple[int, float]:
    """How many sessions are up, and when the last came up."""
    assert player.stdin is not None
    assert player.stdout is not None
    player.stdin.write("\n")
    player.stdin.flush()
    count, at = player.stdout.readline().split()
    return int(count), float(at)


def agent(stack: ExitStack, directory: Path) -> tuple[processes.Running, float]:
    """Start the agent under test; gives when."""
    began = monotonic()
    running = spawned(
        stack,
        directory,
        "agent",
        NODE,
        *felixbgp_command(),
        "agent",
        "--node",
        LOCAL,
        "--etcd-endpoints",
        ENDPOINT,
    )
    return running, began


def started(
    player: subprocess.Popen[str], running: processes.Running, began: float, sessions: int
) -> Started:
    """Wait until all sessions are up."""
    wait_until(lambda: ask(player)[0] >= sessions, f"{sessions} sessions", seconds_max=START_SECONDS_MAX)
    used = processes.usage(running)
    assert used is not None
    queued = int(Path(f"/proc/{running.pid}/schedstat").read_text().split()[1]) / 1e9
    return Started(sessions, ask(player)[1] - began, used.cpu_seconds, queued)


def idle(running: processes.Running, sessions: int, seconds: float = IDLE_SECONDS) -> Idle:
    """Watch the agent while nothing happens, after what follows the start."""
    sleep(10 + sessions / 50)
    before = processes.usage(running)
    sleep(seconds)
    after = processes.usage(running)
    assert before is not None
    assert after is not None
    return Idle(sessions, (after.cpu_seconds - before.cpu_seconds) / seconds, after.resident_bytes / 1e6)


def _is_ready() -> bool:
    try:
        with netns.inside(NODE):
            Store([ENDPOINT]).get("/")
    except StoreError:
        return False
    return True


def batched(values: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def asked() -> Asked:
    """What etcd says of itself."""
    with netns.inside(NODE):
        with urlopen(f"{ENDPOINT}/metrics") as answer:  # noqa: S310 - it is http
            lines = answer.read().decode().splitlines()
        writes = Store([ENDPOINT]).writes(status_key(LOCAL))
    octets = next(line for line in lines if line.startswith("etcd_network_client_grpc_received_bytes_total"))
    return Asked(float(octets.split()[1]), writes)


def measured(size: int, starts: int, *, rests: bool) -> tuple[list[Started], Idle | None, Asked | None]:
    """Start the agent some times beside nodes that are there, the last time to watch it rest.

    Then etcd tells what that, all in all, was asked of it beyond the cluster's resources.
    """
    found, resting, cost = [], None, None
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with world(size, directory) as player:
            before = asked()
            for turn in range(starts):
                with ExitStack() as stack:
                    running, began = agent(stack, directory)
                    found.append(started(player, running, began, size))
                    if rests and turn == starts - 1:
                        resting, after = idle(running, size), asked()
                        cost = Asked(after.octets - before.octets, after.status_writes)
                wait_until(lambda: ask(player)[0] == 0, "all sessions down", seconds_max=30)
    return found, resting, cost
