"""etcd dies, hangs, forgets; agents die; peers talk nonsense. What stands must stand."""

import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from felixbgp.lab import checks, netns, processes
from felixbgp.lab.calico import RESOURCES
from felixbgp.lab.forwarder import LISTEN_PORT
from felixbgp.lab.lab import Lab
from felixbgp.lab.monitor import RouteMonitor
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

CPU_SHARE_MAX = 0.5
"""Of one processor, while etcd is away. A busy loop takes all it can get; a patient agent next to nothing."""


# --- etcd --------------------------------------------------------------------------------------------


@contextmanager
def nothing_moves(lab: Lab) -> Iterator[None]:
    """No session of the mesh is reset, no route of ours touched, no agent spins, and packets pass."""
    sessions = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    assert len(sessions) == 12
    monitors = [RouteMonitor(node.namespace) for node in lab.plan.nodes]
    with ExitStack() as stack:
        for monitor in monitors:
            stack.enter_context(monitor)
        yield
    for monitor in monitors:
        assert monitor.of_protocol("bgp") == []
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == sessions


def connections(lab: Lab) -> dict[str, frozenset[int]]:
    return {node.name: checks.connections(node.namespace, LISTEN_PORT) for node in lab.plan.nodes}


def kept(lab: Lab, before: dict[str, frozenset[int]]) -> list[str]:
    """Nodes that still have a connection to etcd from before."""
    return [name for name, ports in connections(lab).items() if ports & before[name]]


def cpu_seconds(lab: Lab) -> dict[str, float]:
    found = {node.name: processes.usage(lab.processes[node.name]) for node in lab.plan.nodes}
    return {name: used.cpu_seconds for name, used in found.items() if used is not None}


def assert_changes_are_followed(lab: Lab) -> None:
    """A peer written now comes up. Its address is the router's, its routes are new: after `nothing_moves`."""
    lab.put_peer("afterwards", {"peerIP": lab.plan.tors[0].ipv4, "asNumber": 64567})
    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "changes are followed", 90)


def test_etcd_killed_and_started_again(lab: Lab) -> None:
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    with nothing_moves(lab):
        before = connections(lab)
        lab.kill("etcd")
        checks.wait_for(lambda: kept(lab, before), "the agents notice", 60)
        assert checks.failed_pings(lab, checks.workload_pings(lab.plan)) == []
        lab.start("etcd")
        wait_until(lab.is_store_ready, "etcd answers", 60)
    assert_changes_are_followed(lab)
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


def test_etcd_stopped_for_longer_than_its_clients_wait(lab: Lab) -> None:
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    with nothing_moves(lab):
        before, cpu = connections(lab), cpu_seconds(lab)
        lab.send_signal("etcd", signal.SIGSTOP)
        try:
            took = checks.wait_for(lambda: kept(lab, before), "the agents give up on the connection", 120)
            assert checks.failed_pings(lab, checks.workload_pings(lab.plan)) == []
            spent = {name: seconds - cpu[name] for name, seconds in cpu_seconds(lab).items()}
            assert max(spent.values()) < CPU_SHARE_MAX * max(took, 1.0)
        finally:
            lab.send_signal("etcd", signal.SIGCONT)
        wait_until(lab.is_store_ready, "etcd answers", 60)
    assert_changes_are_followed(lab)
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


def test_history_compacted_while_the_agents_were_cut_off(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    lab.put_peer("before", {"peerIP": tor.ipv6, "asNumber": 64567})
    wanted = checks.tor_sessions(lab.plan, (6,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the first peer is up", 90)
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))

    before = connections(lab)
    lab.kill("forwarder")
    checks.wait_for(lambda: kept(lab, before), "the agents are cut off", 60)
    # A deletion that no watch can deliver any more: only comparing snapshots finds it.
    lab.delete_peer("before")
    lab.put_peer("after", {"peerIP": tor.ipv4, "asNumber": 64567})
    lab.store.compact(lab.store.revision())
    lab.start("forwarder")

    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the new peer is up", 90)
    wait_until(lambda: not checks.peer(lab.store, "node-1", tor.ipv6), "the deleted peer is gone", 60)
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


# --- agents ------------------------------------------------------------------------------------------


def test_routes_of_a_killed_agent_stay_and_are_adopted(lab: Lab) -> None:
    checks.wait_for(lambda: checks.missing_routes(without_tors(lab)), "all routes of the mesh", 60)
    victim = lab.plan.nodes[0]
    with RouteMonitor(victim.namespace) as monitor:
        lab.kill(victim.name)
        wanted = checks.wanted_by_node(without_tors(lab), victim, 4)
        assert wanted.keys() <= checks.routes(victim.namespace, 4).keys()
        lab.start(victim.name)
        mesh = checks.mesh_sessions(lab.plan)
        others = {node: peers for node, peers in mesh.items() if node != victim.name}
        # The status of the dead agent still says Established, so its new sessions are asked of the others.
        wait_until(lambda: checks.missing_sessions(lab.store, others), "the others lost it", 60)
        checks.wait_for(lambda: checks.missing_sessions(lab.store, mesh), "sessions are back", 120)
        checks.wait_for(lambda: checks.missing_routes(without_tors(lab)), "routes are back everywhere", 60)
    assert monitor.of_protocol("bgp") == []


def test_an_agent_that_is_gone_is_told_from_one_that_runs(lab: Lab) -> None:
    lab.kill("node-3")
    wait_until(lambda: not checks.is_alive(lab.store, "node-3"), "its lease runs out", 90)
    assert checks.status(lab.store, "node-3")["node"] == "node-3"
    lab.start("node-3")
    wait_until(lambda: checks.is_alive(lab.store, "node-3"), "it is back", 60)


def without_tors(lab: Lab) -> LabPlan:
    plan = lab.plan
    return LabPlan(
        name=plan.name, node_count=plan.node_count, tor_count=0, workload_count=plan.workload_count
    )


# --- peers -------------------------------------------------------------------------------------------

MARKER = b"\xff" * 16
STRANGER = "172.30.0.1"
"""The bridge's own address: a peer that we play."""
STRANGER_AS = 64999
KEEPALIVE = MARKER + struct.pack("!HB", 19, 4)


def open_message(hold_time_s: int) -> bytes:
    """RFC 4271 §4.2, with the capabilities of 4-octet AS numbers and IPv4 unicast."""
    capabilities = b"\x41\x04" + struct.pack("!I", STRANGER_AS) + b"\x01\x04\x00\x01\x00\x01"
    parameters = b"\x02" + bytes((len(capabilities),)) + capabilities
    body = struct.pack("!BHH4s", 4, STRANGER_AS, hold_time_s, socket.inet_aton(STRANGER))
    body += bytes((len(parameters),)) + parameters
    return MARKER + struct.pack("!HB", 19 + len(body), 1) + body


@contextmanager
def stranger(lab: Lab) -> Iterator[socket.socket]:
    """A TCP connection to node-1 from an address that it knows as a peer."""
    node = lab.plan.nodes[0]
    lab.put_peer("stranger", {"peerIP": STRANGER, "asNumber": STRANGER_AS, "node": node.name})
    wait_until(lambda: checks.peer(lab.store, node.name, STRANGER), "the peer is known", 60)
    with netns.inside(lab.plan.fabric):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(60)
        connection.bind((STRANGER, 0))
        connection.connect((node.ipv4, 179))
        yield connection


def read_message(connection: socket.socket) -> tuple[int, bytes]:
    """Type and body of one message; type 0 at the end of the stream."""
    header = read_exactly(connection, 19)
    if len(header) < 19:
        return 0, b""
    length, kind = struct.unpack("!HB", header[16:])
    return kind, read_exactly(connection, length - 19)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        chunk = connection.recv(count - len(got))
        if not chunk:
            break
        got += chunk
    return got


def read_notification(connection: socket.socket) -> tuple[int, int]:
    """Code and subcode of the first NOTIFICATION; (0, 0) when the connection ends without one."""
    while True:
        kind, body = read_message(connection)
        if kind == 3:
            return body[0], body[1]
        if kind == 0:
            return 0, 0


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (1, 1), id="no marker: connection not synchronized"
        ),
        pytest.param(MARKER + struct.pack("!HB", 5, 1), (1, 2), id="length 5: bad message length"),
        pytest.param(MARKER + struct.pack("!HB", 19, 77), (1, 3), id="type 77: bad message type"),
        pytest.param(KEEPALIVE, (5, 1), id="KEEPALIVE before OPEN: unexpected message in OpenSent"),
        pytest.param(open_message(1), (2, 6), id="hold time 1: unacceptable"),
    ],
)
def test_nonsense_is_answered_by_the_right_notification(
    lab: Lab, said: bytes, answer: tuple[int, int]
) -> None:
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    with stranger(lab) as connection:
        connection.sendall(said)
        assert read_notification(connection) == answer
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


def test_half_a_message_and_then_nothing_ends_with_the_hold_timer(lab: Lab) -> None:
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    with stranger(lab) as connection:
        connection.sendall(open_message(3) + KEEPALIVE + (MARKER + struct.pack("!HB", 60, 2))[:17])
        assert read_notification(connection) == (4, 0)
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


def test_a_peer_that_says_nothing_and_goes_is_forgotten(lab: Lab) -> None:
    mesh = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    with stranger(lab) as connection:
        assert read_message(connection)[0] == 1
    wait_until(
        lambda: checks.peer(lab.store, "node-1", STRANGER)["state"] in ("Idle", "Connect", "Active"),
        "the session is over", 60,
    )  # fmt: skip
    assert checks.session_times(lab.store, checks.mesh_sessions(lab.plan)) == mesh


def test_an_address_that_is_no_peer_gets_no_word(lab: Lab) -> None:
    assert lab.store.get_prefix(f"{RESOURCES}bgppeers/") == {}
    with netns.inside(lab.plan.fabric):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(60)
        connection.bind((STRANGER, 0))
        connection.connect((lab.plan.nodes[0].ipv4, 179))
        connection.sendall(open_message(90))
        with suppress(ConnectionResetError):
            assert read_notification(connection) in ((0, 0), (6, 5))
