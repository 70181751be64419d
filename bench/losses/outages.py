"""Z6: etcd is away, loses its leader, goes back to a backup, or is out of reach for half of the nodes."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.losses.case import Case
from bench.losses.cluster import SECONDS_MAX, Cluster
from bench.losses.policies import (
    MARK,
    OTHER_MARK,
    at_tor,
    communities_of,
    no_session_is_reset,
    put_communities,
)
from felixbgp.lab.etcd import EtcdServer, free_ports
from felixbgp.lab.forwarder import FORWARDING
from felixbgp.lab.lab import Lab, LabError, down
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.store import Store
from felixbgp.lab.waiting import wait_until

AWAY_SECONDS = 600.0
CUT_SECONDS = 60.0
"""Longer than the agents' leased keys live, and than any of their timeouts towards etcd."""
ELECTION_SECONDS = 10.0
OVERTAKING_WRITES = 200
"""More than there were since the backup."""
MEMBERS = 3
SECOND_FORWARDER = "forwarder-2"


def stop_etcd(cluster: Cluster, seconds: float = AWAY_SECONDS) -> None:
    """It ends in order, and is started after so long; then a change is followed."""
    with no_session_is_reset(cluster):
        cluster.lab.stop("etcd")
        time.sleep(seconds)
        cluster.lab.start("etcd")
        _wait_for_store(cluster)
        put_communities(cluster, MARK)
        _all_are_marked(cluster)


def kill_leaders(cluster: Cluster) -> None:
    """The member that leads is killed, and one after the other the next two leaders; each comes back."""
    if not isinstance(cluster, ThreeMembers):
        raise LabError("this needs an etcd of three members")
    with no_session_is_reset(cluster):
        for mark in (MARK, OTHER_MARK, MARK):
            leader = cluster.leader()
            leader.kill()
            time.sleep(ELECTION_SECONDS)
            _wait_for_store(cluster)
            put_communities(cluster, mark)
            _all_are_marked(cluster, mark)
            leader.start()


def restore_etcd(cluster: Cluster) -> None:
    """Its data become those of an older backup, and writes of others bring it past what agents know of it."""
    with no_session_is_reset(cluster), tempfile.TemporaryDirectory(prefix="felixbgp-") as folder:
        backup = Path(folder) / "backup.db"
        _etcdctl(cluster.lab, "--endpoints", cluster.lab.endpoints[0], "snapshot", "save", str(backup))
        put_communities(cluster, MARK)
        _all_are_marked(cluster)
        known = cluster.store.revision()
        cluster.lab.kill("forwarder")
        cluster.lab.kill("etcd")
        _restore_data(cluster.lab, backup)
        cluster.lab.start("etcd")
        _wait_for_store(cluster)
        for number in range(OVERTAKING_WRITES):
            cluster.store.put(f"/elsewhere/{number}", "x")
        if cluster.store.revision() <= known:
            raise LabError("the restored etcd is not ahead of what agents know")
        cluster.lab.start("forwarder")
        at_tor(
            cluster, lambda routes: bool(routes) and not communities_of(routes, MARK), "no block is marked"
        )


def cut_half(cluster: Cluster, seconds: float = CUT_SECONDS) -> None:
    """Nothing comes through between half of the nodes and etcd; the others follow a change meanwhile."""
    nodes = len(cluster.plan.nodes)
    # A block is marked by who has it and by who passes it on: not those of the ones cut off among themselves.
    told = nodes**2 - (nodes // 2) ** 2
    with no_session_is_reset(cluster):
        cluster.lab.send_signal("forwarder", signal.SIGSTOP)
        put_communities(cluster, MARK)
        at_tor(cluster, lambda routes: communities_of(routes, MARK) == told, "the others' blocks are marked")
        time.sleep(seconds)
        cluster.lab.send_signal("forwarder", signal.SIGCONT)
        _all_are_marked(cluster)


def two_forwarders(cluster: Cluster) -> None:
    """Each half of the nodes has a way to etcd of its own."""
    if SECOND_FORWARDER in cluster.lab.processes:
        return
    command = cluster.lab.processes["forwarder"].command
    *words, endpoints = command.arguments[: -len(cluster.plan.nodes)]
    namespaces = [node.namespace for node in cluster.plan.nodes]
    half = len(namespaces) // 2
    cluster.lab.kill("forwarder")
    log = command.log.replace("forwarder", SECOND_FORWARDER)
    Path(log).touch()
    first = replace(command, arguments=(*words, endpoints, *namespaces[:half]))
    second = replace(
        command, name=SECOND_FORWARDER, log=log, arguments=(*words, endpoints, *namespaces[half:])
    )
    for one in (first, second):
        cluster.lab.spawn(one)
    wait_until(lambda: FORWARDING in cluster.lab.log(SECOND_FORWARDER), "both forward", SECONDS_MAX)


def _all_are_marked(cluster: Cluster, mark: str = MARK) -> None:
    """The ToR hears of every block from every node, and each is marked by the node that has it."""
    wanted = len(cluster.plan.nodes) ** 2
    at_tor(cluster, lambda routes: communities_of(routes, mark) == wanted, f"every block is marked {mark}")


def _wait_for_store(cluster: Cluster) -> None:
    wait_until(cluster.lab.is_store_ready, "etcd answers", SECONDS_MAX)


def _restore_data(lab: Lab, backup: Path) -> None:
    """Make the data of the lab's etcd, which does not run, those of a backup."""
    arguments = lab.processes["etcd"].command.arguments
    wanted = ("--name=", "--data-dir=", "--initial-cluster=", "--initial-advertise-peer-urls=")
    flags = [word for word in arguments if word.startswith(wanted)]
    shutil.rmtree(next(word.removeprefix(wanted[1]) for word in flags if word.startswith(wanted[1])))
    _etcdctl(lab, "snapshot", "restore", str(backup), *flags)


def _etcdctl(lab: Lab, *words: str) -> None:
    command = shutil.which("etcdctl")
    if command is None:
        raise LabError("etcdctl is not installed (package etcd-client)")
    done = subprocess.run(
        [command, *words], env={**os.environ, "ETCDCTL_API": "3"}, cwd=lab.folder,
        capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"etcdctl {' '.join(words)}: {done.stderr}")


class ThreeMembers(Cluster):
    """The same with an etcd of three members, which is not the lab's own."""

    members: Sequence[EtcdServer] = ()

    @classmethod
    @contextlib.contextmanager
    def up(cls, plan: LabPlan, settings: Mapping[str, str] | None = None) -> Iterator["ThreeMembers"]:
        """A cluster for the length of a `with` block."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="felixbgp-"))
            members = _members(Path(folder))
            for member in members:
                stack.callback(member.stop)
                member.start(wait=False)
            for member in members:
                member.wait_until_ready()
            stack.callback(down, plan.name)
            endpoints = [member.endpoint for member in members]
            made = cls(Lab.up(plan, tor_kind="bird", endpoints=endpoints, settings=settings or {}))
            made.members = members
            made.restore()
            yield made

    def leader(self) -> EtcdServer:
        """The member that leads."""
        for member in self.members:
            if member.running and Store((member.endpoint,)).leads():
                return member
        raise LabError("etcd has no leader")

    def restore(self) -> None:
        """All members run, and then the rest."""
        for member in self.members:
            if not member.running:
                member.start()
        super().restore()


def _members(folder: Path) -> list[EtcdServer]:
    ports = free_ports(2 * MEMBERS)
    members = [
        EtcdServer(folder / f"m{number}", ports[2 * number], ports[2 * number + 1], name=f"m{number}")
        for number in range(MEMBERS)
    ]
    everybody = ",".join(f"{member.name}={member.peer_url}" for member in members)
    return [replace(member, initial_cluster=everybody) for member in members]


CASES = (
    Case(
        group="Z6",
        name="etcd-stopped",
        title="etcd is stopped for ten minutes",
        change=stop_etcd,
        bird=False,
    ),
    Case(
        group="Z6",
        name="etcd-leader-killed",
        title="of an etcd of three members the leader is killed, three times",
        change=kill_leaders,
        cluster=ThreeMembers,
        bird=False,
    ),
    Case(
        group="Z6",
        name="etcd-restored",
        title="etcd is restored from a backup older than the last change, and is ahead when agents see it",
        change=restore_etcd,
        bird=False,
    ),
    Case(
        group="Z6",
        name="etcd-cut",
        title="half of the nodes are cut off from etcd for a minute, and something changes meanwhile",
        prepare=two_forwarders,
        change=cut_half,
        bird=False,
    ),
)
