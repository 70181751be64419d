"""Labs for the tests: a bare one without agents, and a cluster that is healthy at the start of every test."""

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from bench.losses.cases import CASES
from bench.losses.cluster import Cluster
from felixbgp.lab import calico, checks, processes
from felixbgp.lab.lab import STATUS_PREFIX, Lab, down
from felixbgp.lab.plan import AS_NUMBER, LabPlan

HEALTHY_SECONDS_MAX = 120.0
_numbers = itertools.count(1)


def fresh_name() -> str:
    """A name that no other lab of this host has: ours by our process id."""
    return f"t{os.getpid()}n{next(_numbers)}"


def is_up_anew(lab: Lab, node: str, address: str, before: object) -> bool:
    """Whether a node says that its session with an address stands, and not since `before`.

    After a restart its status is that of its former life until it writes one.
    """
    peer = checks.peer(lab.store, node, address)
    return peer.get("state") == "Established" and peer.get("since") != before


@contextlib.contextmanager
def a_lab(plan: LabPlan, *, agents: bool = True) -> Iterator[Lab]:
    """A lab with BIRD in it that is gone afterwards, whatever happens.

    Peers that a test deletes are gone at once: what is drained is seen in the tests of that.
    """
    try:
        yield Lab.up(plan, tor_kind="bird", agents=agents, settings={"FELIXBGP_DRAINING_SECONDS": "0"})
    finally:
        down(plan.name)


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name; what the test makes under it is removed."""
    made = fresh_name()
    yield made
    down(made)


@pytest.fixture(scope="session")
def bare() -> Iterator[Lab]:
    """Two nodes and a router, and no agents."""
    with a_lab(LabPlan(name=fresh_name(), node_count=2), agents=False) as made:
        yield made


@pytest.fixture(scope="session")
def cluster() -> Iterator[Lab]:
    """Three nodes with agents, and a router."""
    with a_lab(LabPlan(name=fresh_name())) as made:
        yield made


@pytest.fixture
def lab(cluster: Lab) -> Iterator[Lab]:
    """The cluster of three nodes and a router, healthy."""
    yield from healthy(cluster)


def healthy(cluster: Lab) -> Iterator[Lab]:
    """A cluster with every process alive, etcd as `lab up` left it, and the mesh Established.

    A test that ends a process starts it again; one that is missing afterwards died of the test.
    """
    for name, running in cluster.processes.items():
        if processes.is_alive(running):
            cluster.send_signal(name, signal.SIGCONT)
        else:
            cluster.start(name)
    checks.wait_for(lambda: _store_faults(cluster), "etcd answers", HEALTHY_SECONDS_MAX)
    _restore_resources(cluster)
    checks.wait_for(lambda: _faults(cluster), "the cluster is healthy", HEALTHY_SECONDS_MAX)
    yield cluster
    for name, running in cluster.processes.items():
        assert processes.is_alive(running), cluster.log(name)[-2000:]


def _store_faults(lab: Lab) -> list[str]:
    return [] if lab.is_store_ready() else ["no answer"]


def _restore_resources(lab: Lab) -> None:
    wanted = calico.cluster_resources(lab.plan)
    found = lab.store.get_prefix("/calico/")
    lab.store.delete(found.keys() - wanted.keys())
    lab.store.put_all({key: value for key, value in wanted.items() if found.get(key) != value.encode()})


def _faults(lab: Lab) -> list[str]:
    mesh = checks.mesh_sessions(lab.plan)
    extra = [
        f"{node} still has peer {entry['address']}, AS {entry['remoteAs']}, as AS {entry['localAs']}"
        for node in mesh
        for entry in checks.status(lab.store, node).get("peers", [])
        if entry["address"] not in mesh[node] or {entry["localAs"], entry["remoteAs"]} != {AS_NUMBER}
    ]
    return (
        _former_lives(lab)
        + extra
        + checks.missing_sessions(lab.store, mesh)
        + checks.missing_routes(replace(lab.plan, tor_count=0))
        + checks.missing_blackholes(lab.plan)
        + _extra_routes(lab.plan)
    )


def _former_lives(lab: Lab) -> list[str]:
    """Agents of which etcd has the word of another process, and sessions older than an agent at one end."""
    started: dict[str, datetime] = {}
    for node in lab.plan.nodes:
        alive = json.loads(lab.store.get(f"{STATUS_PREFIX}{node.name}/alive") or b"{}")
        if alive.get("pid") != lab.processes[node.name].pid:
            return [f"{node.name} is silent"]
        since = datetime.fromisoformat(alive["started"])
        started |= dict.fromkeys((node.name, node.ipv4, node.ipv6), since)
    return [
        f"{node} still tells of a former session with {address}"
        for (node, address), since in checks.session_times(lab.store, checks.mesh_sessions(lab.plan)).items()
        if datetime.fromisoformat(since) < max(started[node], started[address])
    ]


def _extra_routes(plan: LabPlan) -> list[str]:
    """Routes of ours in the kernels of nodes that are no node's block, say those of a peer that is gone."""
    blocks = {block for node in plan.nodes for block in (node.block_v4, node.block_v6)}
    return [
        f"{node.name} still has a route {prefix}"
        for node in plan.nodes
        for version in plan.families
        for prefix, route in checks.routes(node.namespace, version).items()
        if route.protocol == checks.BGP_PROTOCOL and prefix not in blocks
    ]


@pytest.fixture(scope="session")
def lossless() -> Iterator[Cluster]:
    """Four nodes with a workload each, and a ToR with a host behind it, for the cases of `bench.losses`."""
    with Cluster.up(CASES[0].plan(fresh_name())) as made:
        yield made
