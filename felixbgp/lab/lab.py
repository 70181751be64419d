"""Bring a lab up, look after its processes, take it down again."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from felixbgp.lab import bird, calico, netns, processes, router, state, topology
from felixbgp.lab.etcd import EtcdServer, EtcdServerError
from felixbgp.lab.forwarder import FORWARDING, LISTEN_ADDRESS, LISTEN_PORT
from felixbgp.lab.plan import LabPlan, Node, PlanError, Tor, owns_namespace
from felixbgp.lab.processes import Command, ProcessError, Running
from felixbgp.lab.state import LabState, StateError
from felixbgp.lab.store import Store, StoreError
from felixbgp.lab.waiting import NotInTimeError, wait_until

ETCD_START_SECONDS_MAX = 30.0
FORWARDER_SECONDS_MAX = 30.0
AGENT_SECONDS_MAX = 30.0
AGENT_SECONDS_EACH = 2.0
"""What starting Python and reading the modules costs on a slow machine, one after the other."""
LOG_TAIL = 1000
"""Characters of a log shown when its process ended too early."""
STATUS_PREFIX = "/felixbgp/v1/nodes/"
ETCD_FLAGS = ("--auto-compaction-mode=revision", "--auto-compaction-retention=10000")
"""A lab may run for days; its history must not fill /run."""
NODE_ENDPOINT = f"http://{LISTEN_ADDRESS}:{LISTEN_PORT}"
"""What etcd looks like from inside a node."""
TOR_KINDS = ("auto", "bird", "felixbgp")

Report = Callable[[str], None]


class LabError(Exception):
    """The lab cannot be made or used; the text says what to do."""


EXPECTED = (
    PlanError, netns.NetworkError, ProcessError, StateError, StoreError, EtcdServerError,
    NotInTimeError, LabError,
)  # fmt: skip
"""What can go wrong with a lab and is no bug of ours: print the text, no traceback."""


class Lab:
    """A lab that is up. Made by `up`, or by `attach` to one that another command brought up."""

    def __init__(self, lab_state: LabState) -> None:
        self._state = lab_state

    @classmethod
    def up(
        cls,
        plan: LabPlan,
        *,
        tor_kind: str = "auto",
        endpoints: Sequence[str] = (),
        force: bool = False,
        agents: bool = True,
        settings: Mapping[str, str] | None = None,
        report: Report = lambda _: None,
    ) -> Self:
        """Make everything and start everything; on failure takes it all down again and raises.

        `endpoints` names an etcd to use instead of our own. `agents` False leaves the nodes without one,
        `settings` (`FELIXBGP_…`) are for all of them.
        """
        require(root=True)
        chosen = _tor_kind(tor_kind, plan.tor_count)
        store = Store(endpoints) if endpoints else None
        if store is not None and not force and store.get_prefix(calico.NODES):
            raise LabError(
                f"{','.join(endpoints)} holds the nodes of a cluster already; --force adds the lab's"
            )
        _refuse_leftovers(plan.name)
        state.claim(plan.name)
        own_etcd = store is None
        known = LabState(
            plan, chosen, endpoints=tuple(endpoints), own_etcd=own_etcd, settings=dict(settings or {})
        )
        lab = cls(known)
        try:
            lab._build(report, agents=agents)
        except BaseException:
            down(plan.name)
            raise
        return lab

    @classmethod
    def attach(cls, name: str) -> Self:
        """The lab of that name; raises `StateError` if there is none."""
        return cls(state.load(name))

    @property
    def plan(self) -> LabPlan:
        """What the lab consists of."""
        return self._state.plan

    @property
    def tor_kind(self) -> str:
        """`bird` or `felixbgp`."""
        return self._state.tor_kind

    @property
    def folder(self) -> Path:
        """State, logs and sockets."""
        return state.folder(self.plan.name)

    @property
    def secrets(self) -> Path:
        """The directory in which all agents look for passwords, as `<secret>/<key>`; made by who wants it."""
        return self.folder / "secrets"

    def state_directory(self, node: str) -> Path:
        """Where a node's agent keeps what it knows of the store; made by the agent."""
        return self.folder / f"{node}.state"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where etcd is, seen from the host."""
        return self._state.endpoints

    @property
    def store(self) -> Store:
        """A client of the lab's etcd."""
        return Store(self.endpoints)

    @property
    def agents_started(self) -> float:
        """When the first agent was started, in seconds since 1970; 0 without agents."""
        return self._state.agents_started

    @property
    def processes(self) -> dict[str, Running]:
        """All processes ever started, by name: `etcd`, `forwarder`, `node-1`, `tor-1`."""
        return dict(self._state.processes)

    def log(self, name: str) -> str:
        """What a process has written so far."""
        return self._log_path(name).read_text(encoding="utf-8", errors="replace")

    def control(self, tor: Tor) -> Path:
        """The socket of a ToR's BIRD."""
        return self.folder / f"{tor.name}.ctl"

    def start(self, name: str) -> Running:
        """Start a process again that ended, by the command it had; raises `LabError` if it lives."""
        old = self._process(name)
        if processes.is_alive(old):
            raise LabError(f"{name} is running (pid {old.pid})")
        return self.spawn(old.command)

    def kill(self, name: str) -> None:
        """Kill -9; returns when the process is gone."""
        processes.kill(self._process(name))

    def stop(self, name: str) -> None:
        """SIGTERM, then wait for the end."""
        processes.stop_all([self._process(name)])

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal, for example SIGSTOP; raises `LabError` if the process is gone."""
        if not processes.send_signal(self._process(name), number):
            raise LabError(f"{name} is not running")

    def exec_arguments(self, member: str, command: Sequence[str]) -> list[str]:
        """The argument list that runs a command inside `node-1`, `tor-1`, `node-1-w1` or `fabric`."""
        return netns.exec_arguments(self.plan.namespace_of(member), command)

    def put_peer(self, name: str, spec: Mapping[str, object]) -> None:
        """Write a BGPPeer as Calico stores it."""
        self.store.put_all(calico.peer_resource(name, spec))

    def delete_peer(self, name: str) -> None:
        """Remove a BGPPeer."""
        self.store.delete([f"{calico.RESOURCES}bgppeers/{name}"])

    def environment(self) -> dict[str, str]:
        """What to export on the host for `felixbgp` and `etcdctl` to find the lab's etcd."""
        endpoints = ",".join(self.endpoints)
        return {"ETCD_ENDPOINTS": endpoints, "ETCDCTL_ENDPOINTS": endpoints, "ETCDCTL_API": "3"}

    def _build(self, report: Report, *, agents: bool) -> None:
        plan = self.plan
        state.save(self._state)
        if self._state.own_etcd:
            report("starting etcd")
            self._start_etcd()
        report(f"making {len(plan.namespaces)} network namespaces")
        topology.build(plan)
        self._start_forwarder()
        report("writing nodes, pools and blocks to etcd")
        self._write_resources()
        for tor in plan.tors:
            report(f"starting {tor.name} ({self.tor_kind})")
            self._start_tor(tor)
        if agents:
            report(f"starting {plan.node_count} agents")
            self._start_agents()
        self._refuse_dead()

    def _start_etcd(self) -> None:
        server = EtcdServer.on_free_ports(self.folder / "etcd", extra_flags=ETCD_FLAGS)
        server.data_dir.mkdir()
        self._state.endpoints = (server.endpoint,)
        self.spawn(Command("etcd", tuple(server.command()), str(self._log_path("etcd"))))

        def ready() -> bool:
            self._refuse_dead()
            return self.is_store_ready()

        wait_until(ready, "etcd answers", ETCD_START_SECONDS_MAX)

    def is_store_ready(self) -> bool:
        """Whether etcd answers requests."""
        try:
            self.store.revision()
        except StoreError:
            return False
        return True

    def _start_forwarder(self) -> None:
        namespaces = [node.namespace for node in self.plan.nodes]
        arguments = (sys.executable, "-m", "felixbgp.lab.forwarder", ",".join(self.endpoints), *namespaces)
        self.spawn(Command("forwarder", arguments, str(self._log_path("forwarder"))))

        def listening() -> bool:
            self._refuse_dead()
            return FORWARDING in self.log("forwarder")

        wait_until(listening, "every node has its way to etcd", FORWARDER_SECONDS_MAX)

    def _write_resources(self) -> None:
        values = calico.cluster_resources(self.plan)
        if not self._state.own_etcd:
            self._state.keys = tuple(values)
            state.save(self._state)
        self.store.put_all(values)

    def _start_tor(self, tor: Tor) -> None:
        suffix = "conf" if self.tor_kind == "bird" else "json"
        config = self.folder / f"{tor.name}.{suffix}"
        if self.tor_kind == "bird":
            config.write_text(bird.configuration(tor), encoding="utf-8")
            arguments = bird.arguments(bird.find_bird() or "bird", config, self.control(tor))
        else:
            config.write_text(json.dumps(router.configuration(self.plan, tor), indent=1), encoding="utf-8")
            arguments = (*felixbgp_command(), "lab", "router", str(config))
        self.spawn(Command(tor.name, arguments, str(self._log_path(tor.name)), tor.namespace))

    def _start_agents(self) -> None:
        """Start them, and wait until each has written its leased key: from then on it follows etcd."""
        self._state.agents_started = time.time()
        for node in self.plan.nodes:
            self.start_agent(node)

        def silent() -> list[str]:
            self._refuse_dead()
            keys = self.store.get_prefix(STATUS_PREFIX)
            return [node.name for node in self.plan.nodes if f"{STATUS_PREFIX}{node.name}/alive" not in keys]

        wait_until(
            lambda: not silent(),
            "every agent reports itself in etcd",
            AGENT_SECONDS_MAX + AGENT_SECONDS_EACH * self.plan.node_count,
            describe=lambda: f"silent: {', '.join(silent())}",
        )

    def _refuse_dead(self) -> None:
        """Raise `LabError` with the end of its log when a process ended that should run."""
        for name, running in self._state.processes.items():
            if not processes.is_alive(running):
                raise LabError(f"{name} ended at its start; its log ends:\n{self.log(name)[-LOG_TAIL:]}")

    def start_agent(self, node: Node) -> None:
        """Start felixbgp on a node, in place of whatever went by that name."""
        environment = (
            ("NODENAME", node.name),
            ("ETCD_ENDPOINTS", NODE_ENDPOINT),
            ("FELIXBGP_SECRETS_DIR", str(self.secrets)),
            ("FELIXBGP_STATE_DIRECTORY", str(self.state_directory(node.name))),
            *self._state.settings.items(),
        )
        arguments = (*felixbgp_command(), "agent")
        self.spawn(Command(node.name, arguments, str(self._log_path(node.name)), node.namespace, environment))

    def spawn(self, command: Command) -> Running:
        """Start one more process of the lab, or one again; it ends with the lab."""
        running = processes.spawn(command)
        self._state.processes[command.name] = running
        state.save(self._state)
        return running

    def _process(self, name: str) -> Running:
        found = self._state.processes.get(name)
        if found is None:
            raise LabError(f"no process {name!r}; there are {', '.join(self._state.processes)}")
        return found

    def _log_path(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def down(name: str) -> bool:
    """Remove a lab with all its processes, namespaces and files, also one that was left half made.

    Gives False when there was nothing. May be called again and again.
    """
    LabPlan(name=name)  # refuses what is no lab name before anything is looked for or removed
    require(root=True)
    place = state.folder(name)
    namespaces = [namespace for namespace in netns.names() if owns_namespace(name, namespace)]
    if not place.exists() and not namespaces:
        return False
    problem = _stop_processes(name)
    for namespace in namespaces:
        processes.kill_inside(namespace)
    netns.remove(namespaces)
    shutil.rmtree(place, ignore_errors=True)
    _remove_if_empty(state.RUN_FOLDER)
    if problem:
        raise LabError(problem)
    return True


def require(*, root: bool) -> None:
    """Raise `LabError` in one line when this host lacks what every lab needs."""
    if sys.platform != "linux":
        raise LabError("the lab needs Linux: it is made of network namespaces")
    if root and not state.is_root():
        raise LabError("the lab needs root: it makes network namespaces and writes kernel routes (try sudo)")
    netns.ip_command()


def felixbgp_command() -> tuple[str, ...]:
    """How to call the `felixbgp` that this process belongs to."""
    script = Path(sys.executable).with_name("felixbgp")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-c", "from felixbgp.cli.main import main; main()")


def _refuse_leftovers(name: str) -> None:
    left = [namespace for namespace in netns.names() if owns_namespace(name, namespace)]
    # With a state file it is a lab that is up, and `claim` has the better words.
    if left and not state.folder(name).exists():
        raise LabError(
            f"there are namespaces of a lab {name} ({', '.join(left)}); `felixbgp lab down --name {name}` "
            "removes them"
        )


def _stop_processes(name: str) -> str:
    """End what the state file knows of; gives what could not be cleared up, "" when all was."""
    try:
        known = state.load(name)
    except StateError:
        return ""  # Never got as far; what runs in the namespaces is ended with them.
    etcd = known.processes.pop("etcd", None)
    processes.stop_all(known.processes.values())
    problem = _forget_keys(known) if known.keys else ""
    if etcd is not None:
        # Its data goes too, so nothing is lost by not asking politely.
        processes.kill(etcd)
    return problem


def _forget_keys(known: LabState) -> str:
    store = Store(known.endpoints)
    prefixes = [f"{STATUS_PREFIX}{node.name}/" for node in known.plan.nodes]
    try:
        own = [key for prefix in prefixes for key in store.get_prefix(prefix)]
        store.delete([*known.keys, *own])
    except StoreError as error:
        return f"the lab's keys are left in etcd: {error}"
    return ""


def _tor_kind(wanted: str, count: int) -> str:
    found = bird.find_bird() if wanted != "felixbgp" and count else None
    if wanted == "bird" and count and found is None:
        raise LabError("BIRD 2 is not installed (package bird2); --tor-kind felixbgp does without")
    return "bird" if found else "felixbgp"


def _remove_if_empty(place: Path) -> None:
    try:
        place.rmdir()
    except OSError as error:
        # Another lab lives there; anything else would show at the next `lab up`.
        if place.exists() and not os.listdir(place):  # noqa: PTH208 - one entry is enough to know
            raise LabError(f"cannot remove {place}: {error.strerror}") from error
