"""Labs for the tests: a bare one without agents, and a cluster that is healthy at the start of every test."""

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator

import pytest

from felixbgp.lab import checks, processes
from felixbgp.lab.calico import RESOURCES
from felixbgp.lab.lab import Lab, down
from felixbgp.lab.plan import LabPlan

HEALTHY_SECONDS_MAX = 120.0
_numbers = itertools.count(1)


def fresh_name() -> str:
    """A name that no other lab of this host has: ours by our process id."""
    return f"t{os.getpid()}n{next(_numbers)}"


@contextlib.contextmanager
def a_lab(plan: LabPlan, **how: object) -> Iterator[Lab]:
    """A lab that is gone afterwards, whatever happens."""
    try:
        yield Lab.up(plan, **how)  # type: ignore[arg-type]
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
def lab(cluster: Lab) -> Lab:
    """The cluster, healthy: every process alive, no BGPPeer, all sessions of the mesh Established."""
    for name, running in cluster.processes.items():
        if processes.is_alive(running):
            cluster.send_signal(name, signal.SIGCONT)
        else:
            cluster.start(name)
    checks.wait_for(lambda: _store_faults(cluster), "etcd answers", HEALTHY_SECONDS_MAX)
    for plural in ("bgppeers", "bgpconfigurations"):
        cluster.store.delete(cluster.store.get_prefix(f"{RESOURCES}{plural}/"))
    checks.wait_for(lambda: _faults(cluster), "the cluster is healthy", HEALTHY_SECONDS_MAX)
    return cluster


def _store_faults(lab: Lab) -> list[str]:
    return [] if lab.is_store_ready() else ["no answer"]


def _faults(lab: Lab) -> list[str]:
    nodes = [node.name for node in lab.plan.nodes]
    silent = [f"{node} is silent" for node in nodes if not checks.is_alive(lab.store, node)]
    mesh = checks.mesh_sessions(lab.plan)
    extra = [
        f"{node} still has peer {entry['address']}"
        for node in nodes
        for entry in checks.status(lab.store, node).get("peers", [])
        if entry["address"] not in mesh[node]
    ]
    return silent + extra + checks.missing_sessions(lab.store, mesh)
