"""What must be true of a lab, asked of the real things: status keys, BIRD, the kernel, packets.

Each `missing_…` function looks once and gives what is not as it should be, in words, empty when all is
well; `wait_for` looks until then or until a deadline.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from felixbgp.lab import bird, netns
from felixbgp.lab.lab import STATUS_PREFIX, Lab
from felixbgp.lab.plan import LabPlan, Node, Tor
from felixbgp.lab.store import Store
from felixbgp.lab.waiting import wait_until
from felixbgp.runtime import state_directory, state_format

BGP_PROTOCOL = 179
"""rtm_protocol of our agents' routes, for which `ip route` has no name."""
BLACKHOLE_TYPE = "6"
"""RTN_BLACKHOLE, as `ip -N` prints it."""
SHOWN_MAX = 6
"""Faults named at a deadline; more would hide the first."""

Sessions = Mapping[str, frozenset[str]]
"""For each node the peer addresses that must be Established."""
Missing = Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Route:
    """One kernel route. `gateways` is empty for a connected or blackhole route."""

    prefix: str
    protocol: int
    gateways: frozenset[str]
    device: str
    metric: int
    blackhole: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """One echo request: from a member of the lab to an address."""

    source: str
    target: str
    address: str


def wait_for(missing: Missing, what: str, seconds_max: float) -> float:
    """Wait until nothing is missing; gives the seconds it took. Raises `NotInTimeError` with what is."""
    last: list[str] = []

    def nothing_missing() -> bool:
        last[:] = missing()
        return not last

    def describe() -> str:
        more = f", and {len(last) - SHOWN_MAX} more" if len(last) > SHOWN_MAX else ""
        return "; ".join(last[:SHOWN_MAX]) + more

    return wait_until(nothing_missing, what, seconds_max, describe=describe)


# --- status keys -------------------------------------------------------------------------------------


def status(store: Store, node: str) -> dict[str, Any]:
    """The status document of a node; empty when there is none."""
    value = store.get(f"{STATUS_PREFIX}{node}/status")
    return dict(json.loads(value)) if value else {}


def is_alive(store: Store, node: str) -> bool:
    """Whether the node's leased key exists."""
    return store.get(f"{STATUS_PREFIX}{node}/alive") is not None


def peer(store: Store, node: str, address: str) -> dict[str, Any]:
    """What a node says of one peer; empty when it has no such peer."""
    peers = status(store, node).get("peers", [])
    return next((dict(entry) for entry in peers if entry.get("address") == address), {})


def problems(store: Store, node: str) -> list[dict[str, str]]:
    """What a node asks its operator to mend."""
    return [dict(entry) for entry in status(store, node).get("problems", [])]


def unkept_state(lab: Lab) -> list[str]:
    """Nodes and prefixes of which the node's disk does not have what etcd has; it is written with a delay."""
    missing = []
    for node in lab.plan.nodes:
        kept = lab.state_directory(node.name) / state_directory.STORE
        if not kept.exists():
            missing.append(f"nothing of {node.name}")
            continue
        for snapshot in state_format.decode(kept.read_bytes()).snapshots:
            there = {stored.key: stored.value for stored in snapshot.values}
            if there != lab.store.get_prefix(snapshot.prefix):
                missing.append(f"{snapshot.prefix} on {node.name}")
    return missing


def session_times(store: Store, sessions: Sessions) -> dict[tuple[str, str], str]:
    """Since when each of these sessions is Established, by node and peer: one that was reset has a new time.

    Those that are not Established are left out. A status is written every second or two at most, so what just
    happened may not be in it yet.
    """
    return {
        (node, entry["address"]): entry.get("since", "")
        for node, addresses in sessions.items()
        for entry in status(store, node).get("peers", [])
        if entry["address"] in addresses and entry.get("state") == "Established"
    }


def missing_sessions(store: Store, wanted: Sessions) -> list[str]:
    """Sessions that are not Established."""
    documents = store.get_prefix(STATUS_PREFIX)
    faults = []
    for node, addresses in wanted.items():
        document = json.loads(documents.get(f"{STATUS_PREFIX}{node}/status", b"{}"))
        states = {entry["address"]: entry.get("state", "") for entry in document.get("peers", [])}
        faults += [
            f"{node} to {address}: {states.get(address, 'no such peer')}"
            for address in sorted(addresses)
            if states.get(address) != "Established"
        ]
    return faults


def mesh_sessions(plan: LabPlan) -> Sessions:
    """Every node with every other one, in each family."""
    return {
        node.name: frozenset(
            address
            for other in plan.nodes
            if other != node
            for address in (other.ipv4, other.ipv6)
            if address
        )
        for node in plan.nodes
    }


def tor_sessions(plan: LabPlan, versions: Iterable[int] = (4, 6)) -> Sessions:
    """Every node with every ToR of its subnet, in the families given."""
    return {
        node.name: frozenset(
            address for tor in plan.tors if tor.subnet == node.subnet for address in _addresses(tor, versions)
        )
        for node in plan.nodes
    }


def missing_bird_sessions(lab: Lab, version: int) -> list[str]:
    """ToRs whose BIRD has fewer Established sessions than there are nodes in its subnet."""
    faults = []
    for tor in lab.plan.tors:
        wanted = sum(node.subnet == tor.subnet for node in lab.plan.nodes)
        count = bird.established(lab.control(tor), version)
        if count != wanted:
            faults.append(f"BIRD on {tor.name}: {count} of {wanted} IPv{version} sessions")
    return faults


# --- kernel ------------------------------------------------------------------------------------------


def routes(namespace: str, version: int) -> dict[str, Route]:
    """The main table of a namespace by prefix (`default` for the default route)."""
    entries = netns.query(["-N", f"-{version}", "route", "show", "table", "main"], namespace)
    return {entry["dst"]: _route(entry) for entry in entries}


def missing_routes(plan: LabPlan) -> list[str]:
    """Kernel routes that nodes and ToRs must have once all sessions stand."""
    faults = []
    for version in plan.families:
        for node in plan.nodes:
            faults += _faults(node.name, node.namespace, version, wanted_by_node(plan, node, version))
        for tor in plan.tors:
            near = [node for node in plan.nodes if node.subnet == tor.subnet]
            blocks = {_block(node, version): _address(node, version) for node in near}
            faults += _faults(tor.name, tor.namespace, version, blocks)
    return faults


def wanted_by_node(plan: LabPlan, node: Node, version: int) -> dict[str, str]:
    """Prefix and gateway of each route a node must learn: the other nodes' blocks, its ToRs' stubs.

    A block of another subnet is reached by way of the router between them.
    """
    others = {_block(other, version): _way(node, other, version) for other in plan.nodes if other != node}
    stubs = {
        (tor.stub_v4 if version == 4 else tor.stub_v6): _address(tor, version)
        for tor in plan.tors
        if tor.subnet == node.subnet
    }
    return others | stubs


def missing_blackholes(plan: LabPlan) -> list[str]:
    """Own blocks that a node does not hold as blackholes."""
    faults = []
    for version in plan.families:
        for node in plan.nodes:
            route = routes(node.namespace, version).get(_block(node, version))
            if route is None or not route.blackhole:
                faults.append(f"{node.name}: no blackhole {_block(node, version)}")
    return faults


def connections(namespace: str, port: int) -> frozenset[int]:
    """Local ports of the Established IPv4 connections from a namespace to a remote port.

    A connection that was given up and made anew has another local port.
    """
    return frozenset(local for local, remote in _established(namespace) if remote == port)


def connection_count(namespace: str, port: int) -> int:
    """How many IPv4 connections with a port at either end are Established."""
    return sum(port in ports for ports in _established(namespace))


def _established(namespace: str) -> list[tuple[int, int]]:
    """Local and remote port of each."""
    with netns.inside(namespace):
        rows = Path("/proc/thread-self/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    # proc_net_tcp: number, local address:port, remote address:port, state; all hexadecimal, 01 Established.
    fields = [row.split() for row in rows]
    return [
        (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16))
        for _, local, remote, tcp_state, *_ in fields
        if tcp_state == "01"
    ]


# --- packets -----------------------------------------------------------------------------------------


def workload_pings(plan: LabPlan) -> list[Ping]:
    """From every workload to every other one, in each family."""
    return [
        Ping(source.name, target.name, address)
        for source in plan.workloads
        for target in plan.workloads
        if source != target
        for address in (target.ipv4, target.ipv6)
        if address
    ]


def tor_pings(plan: LabPlan) -> list[Ping]:
    """From every ToR to every workload, and from every workload to every ToR's service address."""
    there = [
        Ping(tor.name, workload.name, address)
        for tor in plan.tors
        for workload in plan.workloads
        for address in (workload.ipv4, workload.ipv6)
        if address
    ]
    back = [
        Ping(workload.name, tor.name, address)
        for tor in plan.tors
        for workload in plan.workloads
        for address in (tor.service_v4, tor.service_v6)
        if address
    ]
    return there + back


def failed_pings(lab: Lab, pings: Iterable[Ping], *, seconds_max: int = 2) -> list[Ping]:
    """Send one echo request for each, one source after the other; gives those without an answer."""
    command = shutil.which("ping")
    if command is None:
        raise netns.NetworkError("the checks need the `ping` command (package iputils-ping)")
    by_source: dict[str, list[Ping]] = {}
    for ping in pings:
        by_source.setdefault(ping.source, []).append(ping)
    failed: list[Ping] = []
    for group in by_source.values():
        with ExitStack() as stack:
            started = [
                (ping, stack.enter_context(_start_ping(lab, command, ping, seconds_max))) for ping in group
            ]
            failed += [ping for ping, process in started if process.wait() != 0]
    return failed


def missing_pings(lab: Lab, pings: Iterable[Ping]) -> list[str]:
    """The pings without an answer, in words."""
    return [f"{ping.source} to {ping.target} ({ping.address})" for ping in failed_pings(lab, pings)]


def lost_packets(lab: Lab, pings: Iterable[Ping], count: int) -> list[str]:
    """Send `count` echo requests for each, one a second and all pings together; gives the losses in words."""
    command = shutil.which("ping")
    if command is None:
        raise netns.NetworkError("the checks need the `ping` command (package iputils-ping)")
    with ExitStack() as stack:
        started = []
        for ping in pings:
            arguments = [command, "-n", "-q", "-c", str(count), ping.address]
            process = subprocess.Popen(  # noqa: S603 - a list; addresses come from the plan
                lab.exec_arguments(ping.source, arguments), stdout=subprocess.PIPE, text=True
            )
            started.append((ping, stack.enter_context(process)))
        summaries = [(ping, process.communicate()[0]) for ping, process in started]
    return [
        f"{ping.source} to {ping.target} ({ping.address}): {summary}"
        for ping, summary in summaries
        if f"{count} packets transmitted, {count} received" not in summary
    ]


def _start_ping(lab: Lab, command: str, ping: Ping, seconds_max: int) -> subprocess.Popen[bytes]:
    arguments = [command, "-n", "-q", "-c", "1", "-W", str(seconds_max), ping.address]
    return subprocess.Popen(  # noqa: S603 - a list; addresses come from the plan
        lab.exec_arguments(ping.source, arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _faults(name: str, namespace: str, version: int, wanted: Mapping[str, str]) -> list[str]:
    found = routes(namespace, version)
    return [
        f"{name}: no route {prefix} via {gateway}"
        for prefix, gateway in wanted.items()
        if prefix not in found or gateway not in found[prefix].gateways
    ]


def _route(entry: Mapping[str, Any]) -> Route:
    hops = entry.get("nexthops", [entry])
    return Route(
        prefix=entry["dst"],
        protocol=int(entry.get("protocol", 0)),
        gateways=frozenset(hop["gateway"] for hop in hops if "gateway" in hop),
        device=entry.get("dev", ""),
        metric=int(entry.get("metric", 0)),
        blackhole=entry.get("type") == BLACKHOLE_TYPE,
    )


def _block(node: Node, version: int) -> str:
    return node.block_v4 if version == 4 else node.block_v6


def _address(member: Node | Tor, version: int) -> str:
    return member.ipv4 if version == 4 else member.ipv6


def _way(node: Node, other: Node, version: int) -> str:
    if node.subnet == other.subnet:
        return _address(other, version)
    return node.subnet.gateway_v4 if version == 4 else node.subnet.gateway_v6


def _addresses(member: Node | Tor, versions: Iterable[int]) -> list[str]:
    return [address for version in versions if (address := _address(member, version))]
