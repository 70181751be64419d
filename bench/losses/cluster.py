"""A lab whose nodes run felixbgp, with a ToR that all of them peer with, and what a case may do to it."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from felixbgp.intent.types import Intent
from felixbgp.lab import calico, checks, processes, sessions
from felixbgp.lab.lab import STATUS_PREFIX, Lab, down, felixbgp_command
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan, Workload
from felixbgp.lab.store import Store

SECONDS_MAX = 120.0
"""Until all is as it should be: BIRD waits up to half a minute after an error."""
COMMAND_SECONDS_MAX = 60.0


class Cluster:
    """Agents of felixbgp on all nodes. `bird.Twin` is the same with BIRD."""

    daemon: ClassVar[str] = "felixbgp"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    @classmethod
    @contextlib.contextmanager
    def up(cls, plan: LabPlan, settings: Mapping[str, str] | None = None) -> Iterator["Cluster"]:
        """A cluster for the length of a `with` block; `settings` (`FELIXBGP_…`) are for every agent."""
        try:
            made = cls(cls._bring_up(plan, settings or {}))
            made.restore()
            yield made
        finally:
            down(plan.name)

    @classmethod
    def _bring_up(cls, plan: LabPlan, settings: Mapping[str, str]) -> Lab:
        return Lab.up(plan, tor_kind="bird", settings=settings)

    @property
    def plan(self) -> LabPlan:
        """What the lab consists of."""
        return self.lab.plan

    @property
    def store(self) -> Store:
        """The lab's etcd. After a write the twin must be told (`follow`); `put` and `delete` do both."""
        return self.lab.store

    def endpoints(self, without: Sequence[str] = ()) -> list[Workload]:
        """A workload of each node and the hosts of all ToRs, but for the nodes and ToRs named."""
        workloads = [
            workload
            for node in self.plan.nodes
            for workload in node.workloads[:1]
            if node.name not in without
        ]
        return workloads + [tor.host for tor in self.plan.tors if tor.name not in without]

    # ---- resources

    def put(self, values: Mapping[str, str]) -> None:
        """Write keys in one transaction."""
        self.store.put_all(values)
        self.follow()

    def delete(self, *keys: str) -> None:
        """Remove keys in one transaction."""
        self.store.delete(keys)
        self.follow()

    def felixbgp(self, *words: str, text: str = "") -> str:
        """Run a verb of felixbgp on this cluster's etcd, `text` its standard input; gives what it prints."""
        done = subprocess.run(
            [*felixbgp_command(), *words],
            env=dict(os.environ) | self.lab.environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"felixbgp {' '.join(words)}: {done.stdout}{done.stderr}")
        self.follow()
        return done.stdout

    def follow(self) -> None:
        """What confd does after a change of etcd; agents do it by themselves."""

    def base(self) -> dict[str, str]:
        """The resources that every case begins with."""
        peers = [
            (f"{tor.name}-ipv{version}", address)
            for tor in self.plan.tors
            for version, address in ((4, tor.ipv4), (6, tor.ipv6))
            if address
        ]
        values = calico.cluster_resources(self.plan)
        for name, address in peers:
            values |= calico.peer_resource(name, {"peerIP": address, "asNumber": TOR_AS_NUMBER})
        return values

    # ---- daemons

    def stop(self, node: str) -> None:
        """SIGTERM, and wait for the end."""
        self.lab.stop(node)

    def kill(self, node: str) -> None:
        """Kill -9."""
        self.lab.kill(node)

    def start(self, node: str) -> None:
        """Start what was stopped or killed."""
        self.lab.start(node)

    # ---- how it is, and how it should be

    def intents(self) -> dict[str, Intent]:
        """What each node must do, by the resources in etcd."""
        return sessions.intents(self.store, self.plan)

    def wanted_sessions(self) -> dict[str, frozenset[str]]:
        """For each node the addresses of its peers, by the resources."""
        return sessions.wanted(self.intents())

    def sessions(self) -> dict[str, frozenset[str]]:
        """For each node the addresses of the peers with an Established session, as its status has them."""
        return sessions.standing(self.store, self.plan)

    def unsettled(self) -> list[str]:
        """Sessions that are wanted and do not stand, or not as wanted, and those that nobody wants."""
        intents = self.intents()
        outdated = sessions.outdated(intents, self.store.get_prefix(STATUS_PREFIX))
        return sessions.differing(sessions.wanted(intents), self.sessions()) + outdated

    def wait_until_settled(self) -> None:
        """Wait until exactly the sessions stand that the resources want; raises `NotInTimeError`."""
        checks.wait_for(self.unsettled, f"{self.daemon}: the sessions that the resources want", SECONDS_MAX)

    def restore(self) -> None:
        """Back to the mesh, with every process alive, whatever a case left."""
        for name, running in self.lab.processes.items():
            if processes.is_alive(running):
                self.lab.send_signal(name, signal.SIGCONT)
            else:
                self.lab.start(name)
        checks.wait_for(
            lambda: [] if self.lab.is_store_ready() else ["no answer"], "etcd answers", SECONDS_MAX
        )
        wanted = self.base()
        found = self.store.get_prefix("/calico/")
        self.store.put_all({key: value for key, value in wanted.items() if found.get(key) != value.encode()})
        self.store.delete(found.keys() - wanted.keys())
        self.follow()
        self.wait_until_settled()
        checks.wait_for(lambda: checks.missing_routes(self.plan), "every route in every kernel", SECONDS_MAX)


def reflectors(plan: LabPlan, names: Iterable[str], cluster_id: str = "244.0.0.1") -> dict[str, str]:
    """The Node resources of nodes that are route reflectors, by annotation, and labelled as such."""
    values = {}
    for node in plan.nodes:
        if node.name in names:
            (key, text), *_ = calico.node_resources(node).items()
            value: dict[str, Any] = json.loads(text)
            value["metadata"]["annotations"] = {"projectcalico.org/RouteReflectorClusterID": cluster_id}
            value["metadata"]["labels"]["route-reflector"] = "true"
            values[key] = json.dumps(value)
    return values


def peer_with_reflectors() -> dict[str, str]:
    """The BGPPeer that makes every node a peer of every reflector."""
    spec = {"nodeSelector": "all()", "peerSelector": "route-reflector == 'true'"}
    return calico.peer_resource("peer-with-route-reflectors", spec)


def mesh(*, enabled: bool) -> dict[str, str]:
    """The BGPConfiguration `default` with the mesh enabled or disabled."""
    return calico.configuration_resource("default", {"nodeToNodeMeshEnabled": enabled})
