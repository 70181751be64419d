"""etcd dies, hangs, forgets; agents die; peers talk nonsense. What stands must stand."""

import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest

from felixbgp.lab import checks, netns, processes
from felixbgp.lab.checks import Ping
from felixbgp.lab.forwarder import LISTEN_PORT
from felixbgp.lab.lab import Lab
from felixbgp.lab.monitor import RouteMonitor
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567


@contextmanager
def nothing_moves(lab: Lab) -> Iterator[None]:
    """No session of the mesh is reset, and no kernel route of ours is added, changed or deleted."""
    sessions = mesh_times(lab)
    with ExitStack() as stack:
        monitors = [stack.enter_context(RouteMonitor(node.namespace)) for node in lab.plan.nodes]
        yield
    assert [monitor.of_protocol(checks.BGP_PROTOCOL) for monitor in monitors] == [[], [], []]
    assert mesh_times(lab) == sessions


def mesh_times(lab: Lab) -> dict[tuple[str, str], str]:
    found = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    assert len(found) == 12
    return found


# --- etcd --------------------------------------------------------------------------------------------

CPU_SHARE_MAX = 0.1
"""Of one processor, while etcd is away. A busy loop takes all it can get; a patient agent under 0.01."""
CPU_SECONDS_MAX = 0.5
"""On top: to find the connection dead, make a new one and read all of the cluster again."""


@contextmanager
def nobody_spins(lab: Lab) -> Iterator[None]:
    """Every agent sleeps for most of the time."""
    started, before = time.monotonic(), cpu_seconds(lab)
    yield
    took = time.monotonic() - started
    spent = {name: seconds - before[name] for name, seconds in cpu_seconds(lab).items()}
    assert spent.keys() == before.keys()
    assert max(spent.values()) < CPU_SECONDS_MAX + CPU_SHARE_MAX * took, spent


def cpu_seconds(lab: Lab) -> dict[str, float]:
    found = {node.name: processes.usage(lab.processes[node.name]) for node in lab.plan.nodes}
    return {name: used.cpu_seconds for name, used in found.items() if used is not None}


def packets_pass(lab: Lab, seconds: int) -> None:
    """For so long a packet a second from every node's workloads to the next node's, and none is lost."""
    nodes = lab.plan.nodes
    pairs = zip(nodes, (*nodes[1:], nodes[0]), strict=True)
    pings = [
        Ping(source.workloads[0].name, target.workloads[0].name, address)
        for source, target in pairs
        for address in (target.workloads[0].ipv4, target.workloads[0].ipv6)
    ]
    assert checks.lost_packets(lab, pings, count=seconds + 1) == []


def connections(lab: Lab) -> dict[str, frozenset[int]]:
    return {node.name: checks.connections(node.namespace, LISTEN_PORT) for node in lab.plan.nodes}


def kept(lab: Lab, before: dict[str, frozenset[int]]) -> list[str]:
    """Nodes that still have a connection to etcd from before."""
    return [name for name, ports in connections(lab).items() if ports & before[name]]


def changes_are_followed(lab: Lab) -> None:
    """A peer written now comes up, and the statuses of which it is part show the mesh as it was."""
    lab.put_peer("afterwards", {"peerIP": lab.plan.tors[0].ipv4, "asNumber": TOR_AS})
    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "changes are followed", 90)


def test_etcd_killed_and_started_again(lab: Lab) -> None:
    mesh, logs = mesh_times(lab), {node.name: len(lab.log(node.name)) for node in lab.plan.nodes}
    with nothing_moves(lab):
        before = connections(lab)
        with nobody_spins(lab):
            lab.kill("etcd")
            checks.wait_for(lambda: kept(lab, before), "the agents notice", 60)
            packets_pass(lab, seconds=10)
        lab.start("etcd")
        wait_until(lab.is_store_ready, "etcd answers", 60)
        checks.wait_for(lambda: not_restored(lab, logs), "the agents are back at etcd", 60)
    changes_are_followed(lab)
    assert mesh_times(lab) == mesh


def test_etcd_stopped_for_a_minute(lab: Lab) -> None:
    """It accepts connections and never answers. That BGP goes on is shown to a peer that comes meanwhile."""
    mesh, logs = mesh_times(lab), {node.name: len(lab.log(node.name)) for node in lab.plan.nodes}
    with stranger(lab) as connection:
        before = connections(lab)
        with nobody_spins(lab):
            lab.send_signal("etcd", signal.SIGSTOP)
            try:
                packets_pass(lab, seconds=60)
                assert kept(lab, before) == []
                connection.sendall(open_message(hold_time_s=3) + KEEPALIVE)
                read_keepalives(connection, 3)
            finally:
                lab.send_signal("etcd", signal.SIGCONT)
        wait_until(lab.is_store_ready, "etcd answers", 60)
        checks.wait_for(lambda: not_restored(lab, logs), "the agents are back at etcd", 60)
    changes_are_followed(lab)
    assert mesh_times(lab) == mesh


def not_restored(lab: Lab, lengths: dict[str, int]) -> list[str]:
    """Nodes whose logs, behind these lengths, do not tell that etcd was lost and answers again."""
    logs = {name: lab.log(name)[length:] for name, length in lengths.items()}
    return [
        name
        for name, log in logs.items()
        if not log.find("StoreRestored") > log.find("WARNING StoreLost") >= 0
    ]


def test_history_compacted_while_the_agents_were_cut_off(lab: Lab) -> None:
    """The deletion of a peer that no watch can deliver any more: only comparing snapshots finds it."""
    tor = lab.plan.tors[0]
    lab.put_peer("before", {"peerIP": tor.ipv6, "asNumber": TOR_AS})
    wanted = checks.tor_sessions(lab.plan, (6,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the first peer is up", 90)
    mesh = mesh_times(lab)
    with ExitStack() as stack:
        monitors = [stack.enter_context(RouteMonitor(node.namespace)) for node in lab.plan.nodes]
        before = connections(lab)
        lab.kill("forwarder")
        checks.wait_for(lambda: kept(lab, before), "the agents are cut off", 60)
        lab.delete_peer("before")
        lab.put_peer("after", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
        lab.store.compact(lab.store.revision())
        lab.start("forwarder")

        wanted = checks.tor_sessions(lab.plan, (4,))
        checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the new peer is up", 90)
        checks.wait_for(lambda: nodes_with_peer(lab, tor.ipv6), "the deleted peer is gone", 60)
    events = [event for monitor in monitors for event in monitor.of_protocol(checks.BGP_PROTOCOL)]
    assert [event for event in events if tor.stub_v4 not in event and tor.stub_v6 not in event] == []
    assert mesh_times(lab) == mesh


def nodes_with_peer(lab: Lab, address: str) -> list[str]:
    return [node.name for node in lab.plan.nodes if checks.peer(lab.store, node.name, address)]


# --- agents ------------------------------------------------------------------------------------------


STALE = "203.0.113.0/24"
"""A route with our mark that nobody wants: once it is gone, the agent has looked through what it found."""


@pytest.mark.parametrize("end", [Lab.kill, Lab.stop], ids=["killed", "stopped in order"])
def test_routes_of_an_agent_that_ended_stay_and_are_adopted(
    lab: Lab, end: Callable[[Lab, str], None]
) -> None:
    victim = lab.plan.nodes[0]
    before, held = mesh_times(lab), our_routes(lab)
    assert len(held) == 6
    with RouteMonitor(victim.namespace) as monitor:
        end(lab, victim.name)
        assert our_routes(lab) == held
        netns.batch(
            [f"route add blackhole {STALE} proto {checks.BGP_PROTOCOL} metric 1024"], victim.namespace
        )
        lab.start(victim.name)
        checks.wait_for(partial(not_renewed, lab, before), "its sessions are new on both sides", 120)
        mesh_only = replace(lab.plan, tor_count=0)
        checks.wait_for(lambda: checks.missing_routes(mesh_only), "routes are back everywhere", 60)
        wait_until(lambda: our_routes(lab) == held, "what nobody wants is swept", 60)
    assert [event.startswith("Deleted") for event in monitor.of_protocol(checks.BGP_PROTOCOL)] == [
        False,
        True,
    ]
    assert all(STALE in event for event in monitor.of_protocol(checks.BGP_PROTOCOL))
    theirs = {session: since for session, since in before.items() if not is_of(lab, session)}
    assert theirs.items() <= mesh_times(lab).items()


def our_routes(lab: Lab) -> dict[str, checks.Route]:
    """What node-1 has in its kernel with our mark."""
    namespace = lab.plan.nodes[0].namespace
    found = checks.routes(namespace, 4) | checks.routes(namespace, 6)
    return {prefix: route for prefix, route in found.items() if route.protocol == checks.BGP_PROTOCOL}


def is_of(lab: Lab, session: tuple[str, str]) -> bool:
    """Whether node-1 is at one end of a session."""
    victim = lab.plan.nodes[0]
    return session[0] == victim.name or session[1] in (victim.ipv4, victim.ipv6)


def not_renewed(lab: Lab, before: dict[tuple[str, str], str]) -> list[str]:
    """Sessions of node-1 that do not stand, or stand since before."""
    now = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    return [
        str(session) for session, since in before.items()
        if is_of(lab, session) and now.get(session, since) == since
    ]  # fmt: skip


def test_an_agent_that_is_gone_is_told_from_one_that_runs(lab: Lab) -> None:
    lab.kill("node-3")
    wait_until(lambda: not checks.is_alive(lab.store, "node-3"), "its lease runs out", 90)
    assert checks.status(lab.store, "node-3")["node"] == "node-3"
    lab.start("node-3")
    wait_until(lambda: checks.is_alive(lab.store, "node-3"), "it is back", 60)


def test_an_agent_that_stops_in_order_says_so(lab: Lab) -> None:
    lab.stop("node-3")
    # Its lease would run out after ten seconds at the soonest.
    wait_until(lambda: not checks.is_alive(lab.store, "node-3"), "it has said so", 5)
    assert checks.status(lab.store, "node-3")["node"] == "node-3"
    lab.start("node-3")
    wait_until(lambda: checks.is_alive(lab.store, "node-3"), "it is back", 60)


# --- peers -------------------------------------------------------------------------------------------

OPEN, UPDATE, NOTIFICATION, KEEPALIVE_TYPE = 1, 2, 3, 4
STRANGER = "172.30.0.1"
"""The bridge's own address: a peer that we play."""
STRANGER_AS = 64999
MARKER = b"\xff" * 16


def message(kind: int, body: bytes = b"") -> bytes:
    """RFC 4271 §4.1."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(hold_time_s: int, as_number: int = STRANGER_AS) -> bytes:
    """RFC 4271 §4.2, with the capabilities of 4-octet AS numbers and IPv4 unicast."""
    capabilities = b"\x41\x04" + struct.pack("!I", as_number) + b"\x01\x04\x00\x01\x00\x01"
    parameters = b"\x02" + bytes((len(capabilities),)) + capabilities
    body = struct.pack("!BHH4s", 4, as_number, hold_time_s, socket.inet_aton(STRANGER))
    return message(OPEN, body + bytes((len(parameters),)) + parameters)


KEEPALIVE = message(KEEPALIVE_TYPE)


def call(lab: Lab) -> socket.socket:
    """A TCP connection from the stranger to node-1."""
    with netns.inside(lab.plan.fabric):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(60)
        connection.bind((STRANGER, 0))
        connection.connect((lab.plan.nodes[0].ipv4, 179))
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def stranger(lab: Lab) -> Iterator[socket.socket]:
    """A connection to node-1 from an address that it knows as a peer; nobody else notices any of it."""
    with nothing_moves(lab):
        lab.put_peer("stranger", {"peerIP": STRANGER, "asNumber": STRANGER_AS, "node": "node-1"})
        wait_until(lambda: checks.peer(lab.store, "node-1", STRANGER), "the peer is known", 60)
        with call(lab) as connection:
            yield connection
        lab.delete_peer("stranger")
        # A status without the peer was written after all that happened: the mesh in it is not of before.
        wait_until(lambda: not checks.peer(lab.store, "node-1", STRANGER), "the peer is gone", 60)


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


MESSAGES_MAX = 20
"""More than any of these exchanges has: a connection that lives on with KEEPALIVEs was not ended."""


def read_notification(connection: socket.socket) -> tuple[int, int]:
    """Code and subcode of the NOTIFICATION that ends the stream; (0, 0) when it ends without one."""
    for _ in range(MESSAGES_MAX):
        kind, body = read_message(connection)
        if kind == NOTIFICATION:
            assert read_message(connection) == (0, b"")
            return body[0], body[1]
        if kind == 0:
            return 0, 0
    raise AssertionError("the connection goes on")


def read_keepalives(connection: socket.socket, count: int) -> None:
    """Read until that many have come."""
    while count:
        kind, body = read_message(connection)
        assert kind in (OPEN, UPDATE, KEEPALIVE_TYPE), (kind, body)
        count -= kind == KEEPALIVE_TYPE


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (1, 1), id="no marker: not synchronized"),
        pytest.param(MARKER + struct.pack("!HB", 5, 1), (1, 2), id="length 5: bad message length"),
        pytest.param(message(77), (1, 3), id="type 77: bad message type"),
        pytest.param(KEEPALIVE, (5, 1), id="KEEPALIVE before OPEN: unexpected message in OpenSent"),
        pytest.param(open_message(1), (2, 6), id="hold time 1: unacceptable"),
        pytest.param(open_message(90, as_number=64998), (2, 2), id="AS 64998: bad peer AS"),
        pytest.param(
            open_message(90) + KEEPALIVE + message(UPDATE, b"\xff\xff\x00\x00"), (3, 1),
            id="UPDATE with more withdrawn routes than octets: malformed attribute list",
        ),
        pytest.param(
            open_message(90) + KEEPALIVE + open_message(90), (5, 3),
            id="a second OPEN: unexpected message in Established",
        ),
    ],
)  # fmt: skip
def test_nonsense_is_answered_by_the_right_notification(
    lab: Lab, said: bytes, answer: tuple[int, int]
) -> None:
    with stranger(lab) as connection:
        connection.sendall(said)
        assert read_notification(connection) == answer


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(open_message(3), id="only OPEN"),
        pytest.param(open_message(3) + KEEPALIVE, id="nothing once Established"),
        pytest.param(open_message(3) + KEEPALIVE + message(UPDATE, bytes(41))[:17], id="half a header"),
        pytest.param(open_message(3) + KEEPALIVE + message(UPDATE, bytes(41))[:40], id="half an UPDATE"),
    ],
)
def test_who_falls_silent_is_ended_by_the_hold_timer(lab: Lab, said: bytes) -> None:
    with stranger(lab) as connection:
        connection.sendall(said)
        assert read_notification(connection) == (4, 0)


def test_who_says_nothing_at_all_is_waited_for_and_forgotten_when_it_goes(lab: Lab) -> None:
    """Its hold timer of four minutes is tested where time can be turned."""
    with stranger(lab) as connection:
        assert read_message(connection)[0] == OPEN
        wait_until(lambda: checks.peer(lab.store, "node-1", STRANGER)["state"] == "OpenSent", "OpenSent", 60)
        connection.shutdown(socket.SHUT_WR)
        assert read_message(connection) == (0, b"")
        wait_until(lambda: checks.peer(lab.store, "node-1", STRANGER)["state"] != "OpenSent", "forgotten", 60)


def test_an_address_that_is_no_peer_is_turned_away(lab: Lab) -> None:
    with nothing_moves(lab), call(lab) as connection:
        connection.sendall(open_message(90))
        assert read_notification(connection) == (6, 5)
