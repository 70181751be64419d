"""`node drain` and `undrain` against a real etcd, whose agents are played."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.cluster.drains import Drain, DrainPhase, decode, drain_key
from felixbgp.lab.store import Store
from felixbgp.lab.waiting import wait_until
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.drain_document import encode as encode_drain
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    NodeStatus,
    PeerDraining,
    PeerStatus,
)
from tests.support.command import Ran
from tests.support.command import run_command as run

pytestmark = pytest.mark.etcd

PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()", "node"]
NODES = "/calico/resources/v3/projectcalico.org/nodes/"
ADDRESSES = {f"node-{number}": Address.parse(f"10.0.0.{number}") for number in (1, 2)}
SERVICE = Prefix.parse("10.96.0.0/16")
ANNOUNCE = Drain("d1", DrainPhase.ANNOUNCE, 1_000_000, "somebody")
WITHDRAW = replace(ANNOUNCE, phase=DrainPhase.WITHDRAW)
QUICKLY = ("--settle", "0.2")

Draining = Callable[..., "Future[Ran]"]


@pytest.fixture
def draining() -> Iterator[Draining]:
    """A command that runs beside the test."""
    with ThreadPoolExecutor() as pool:
        yield lambda *arguments: pool.submit(run, "node", *arguments)


@pytest.fixture
def store(empty_store: Store) -> Store:
    """Two nodes whose agents run, and have a session."""
    for node, address in ADDRESSES.items():
        spec = {"bgp": {"ipv4Address": f"{address}/24"}}
        resource = {
            "apiVersion": "projectcalico.org/v3",
            "kind": "Node",
            "metadata": {"name": node},
            "spec": spec,
        }
        alive = encode_alive(AgentAlive("0.1.0", 1)).decode()
        empty_store.put_all({NODES + node: json.dumps(resource), alive_key(node): alive})
    tell_own(empty_store, None)
    tell_other(empty_store, None)
    return empty_store


def tell(store: Store, node: str, peer: PeerStatus, drained: Drained | None = None) -> None:
    datastore = DatastoreState(DatastoreCondition.IN_SYNC, 1)
    status = NodeStatus(node=node, version="0.1.0", datastore=datastore, peers=(peer,), drained=drained)
    store.put_all({status_key(node): encode(status, 0).decode()})


def session(address: Address, **more: object) -> PeerStatus:
    known = PeerStatus(
        peer=PeerId(address),
        name="Mesh",
        scope="mesh",
        resource="",
        families=(IPV4,),
        local_as=1,
        remote_as=1,
        state="Established",
        since=1,
        prefixes_received=1,
        prefixes_advertised=1,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def tell_own(store: Store, drain: Drain | None) -> None:
    """What node-1 publishes."""
    drained = None if drain is None else Drained(id=drain.id, phase=drain.phase.value)
    told = 0 if drain is not None and drain.phase is DrainPhase.WITHDRAW else 1
    tell(store, "node-1", session(ADDRESSES["node-2"], prefixes_advertised=told), drained)


def tell_other(store: Store, drain: Drain | None, *needed: Prefix, received: int = 1) -> None:
    """What node-2 publishes: of node-1 it needs these prefixes."""
    seen = None
    if drain is not None:
        seen = PeerDraining(since=1, drain=drain.id, unreplaced=len(needed), prefixes=needed)
    tell(store, "node-2", session(ADDRESSES["node-1"], draining=seen, prefixes_received=received))


def stored(store: Store) -> Drain | None:
    value = store.get(drain_key("node-1"))
    found = None if value is None else decode(value)
    return found if isinstance(found, Drain) else None


def asked(store: Store, phase: DrainPhase) -> Drain:
    """The drain that the command writes."""
    wait_until(lambda: (found := stored(store)) is not None and found.phase is phase, phase.value, 30)
    found = stored(store)
    assert found is not None
    return found


def told(ran: Ran) -> list[str]:
    """What it said while it waited, without the times."""
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in ran.stderr.splitlines()]


def test_a_node_is_drained_and_put_back(store: Store, draining: Draining) -> None:
    running = draining("drain", "node-1", *QUICKLY)
    drain = asked(store, DrainPhase.ANNOUNCE)
    assert drain.origin
    assert drain.since > 0
    tell_own(store, drain)
    tell_other(store, drain, SERVICE)
    tell_other(store, drain)
    drain = asked(store, DrainPhase.WITHDRAW)
    tell_own(store, drain)
    tell_other(store, drain, received=0)
    done = running.result(30)
    assert (done.exit_code, done.stdout) == (0, "node-1: safe to stop\n")
    assert told(done)[0] == "node-1 announces everything with GRACEFUL_SHUTDOWN"
    assert "node-1 withdraws everything" in told(done)
    again = run("node", "drain", "node-1")
    assert (again.exit_code, again.stdout) == (0, "node-1: safe to stop\n")
    running = draining("undrain", "node-1")
    wait_until(lambda: stored(store) is None, "undrained", 30)
    tell_own(store, None)
    done = running.result(30)
    assert (done.exit_code, done.stdout) == (0, "node-1 announces everything again\n")
    assert run("node", "undrain", "node-1").stdout == "node-1 is not drained\n"


def test_what_has_no_other_path_keeps_it_waiting_unless_that_is_forced(
    store: Store, draining: Draining
) -> None:
    store.put_all({drain_key("node-1"): encode_drain(ANNOUNCE).decode()})
    tell_own(store, ANNOUNCE)
    tell_other(store, ANNOUNCE, SERVICE)
    refused = run("node", "drain", "node-1", "--timeout", "0.5", *QUICKLY)
    assert (refused.exit_code, refused.stdout) == (1, "")
    *_, first, second, last = told(refused)
    assert first == "error: node-1 is not safe to stop:"
    assert second == "error: 10.96.0.0/16 has no other path on node-2"
    assert last.startswith("error: the drain stays: go on with `felixbgp node drain node-1`, with --force ")
    assert stored(store) == ANNOUNCE
    running = draining("drain", "node-1", "--timeout", "0.5", "--force", *QUICKLY)
    assert asked(store, DrainPhase.WITHDRAW) == WITHDRAW
    tell_own(store, WITHDRAW)
    tell_other(store, WITHDRAW, received=0)
    done = running.result(30)
    assert done.exit_code == 0
    assert "warning: by --force, though 10.96.0.0/16 has no other path on node-2" in told(done)


def test_where_only_the_agent_restarts_nothing_is_withdrawn(store: Store, draining: Draining) -> None:
    running = draining("drain", "node-1", "--restart", *QUICKLY)
    drain = asked(store, DrainPhase.ANNOUNCE)
    tell_own(store, drain)
    tell_other(store, drain, SERVICE)
    done = running.result(30)
    assert (done.exit_code, done.stdout) == (0, "node-1: its agent can be restarted\n")
    assert told(done)[-1] == "warning: 10.96.0.0/16 has no other path on node-2; it is kept"
    assert stored(store) == drain


def test_a_drain_that_ends_meanwhile_is_no_success(store: Store, draining: Draining) -> None:
    running = draining("drain", "node-1")
    asked(store, DrainPhase.ANNOUNCE)
    store.delete([drain_key("node-1")])
    done = running.result(30)
    assert done.exit_code == 1
    assert told(done)[-1] == "error: somebody else changed the drain of node-1 meanwhile"


def test_a_value_that_is_no_drain_is_replaced(store: Store, draining: Draining) -> None:
    store.put_all({drain_key("node-1"): "nonsense"})
    running = draining("drain", "node-1", "--timeout", "0.2", *QUICKLY)
    asked(store, DrainPhase.ANNOUNCE)
    assert running.result(30).exit_code == 1


def test_whoever_interrupts_a_drain_learns_that_it_stays(store: Store) -> None:
    with subprocess.Popen([*PROGRAM, "drain", "node-1"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith("node-1 announces everything with GRACEFUL_SHUTDOWN\n")
        process.send_signal(signal.SIGINT)
        *_, last = process.communicate()[1].splitlines()
    assert process.returncode == 130
    assert last == (
        "error: the drain stays: go on with `felixbgp node drain node-1`, with --force whatever that costs, "
        "or end it with `felixbgp node undrain node-1`"
    )
    assert stored(store) is not None


def test_whoever_interrupts_an_undrain_learns_how_far_it_is(store: Store) -> None:
    store.put_all({drain_key("node-1"): encode_drain(WITHDRAW).decode()})
    tell_own(store, WITHDRAW)
    with subprocess.Popen([*PROGRAM, "undrain", "node-1"], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: stored(store) is None, "undrained", 30)
        process.send_signal(signal.SIGINT)
        *_, last = process.communicate()[1].splitlines()
    assert process.returncode == 130
    # The command hears of its own write a moment later than we may.
    assert last in {
        "error: not known whether the drain of node-1 has ended",
        (
            "error: node-1 is not drained any more, but its agent has not said so yet; "
            "`felixbgp node status node-1` shows when it does"
        ),
    }


def test_who_cannot_be_undrained(store: Store) -> None:
    unknown = run("node", "undrain", "node-7")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert unknown.stderr == (
        "error: there is no Node 'node-7', and no agent has published a status under that name\n"
    )
    store.put_all({drain_key("node-7"): encode_drain(ANNOUNCE).decode()})
    left = run("node", "undrain", "node-7")
    assert (left.exit_code, left.stdout) == (0, "node-7 is not drained any more; its agent is not running\n")
    assert store.get(drain_key("node-7")) is None


def test_who_cannot_be_drained(store: Store) -> None:
    unknown = run("node", "drain", "node-7")
    assert unknown.exit_code == 1
    assert unknown.stderr == (
        "error: there is no Node 'node-7', and no agent has published a status under that name\n"
    )
    store.delete([alive_key("node-1")])
    stopped = run("node", "drain", "node-1")
    assert stopped.exit_code == 1
    assert stopped.stderr == (
        "error: the agent of node-1 is not running: nobody can announce anything for it\n"
    )
    assert stored(store) is None
    assert run("node", "drain").exit_code == 2


def test_a_node_whose_agent_does_not_run_is_undrained(store: Store) -> None:
    store.put_all({drain_key("node-1"): encode_drain(WITHDRAW).decode()})
    tell_own(store, WITHDRAW)
    late = run("node", "undrain", "node-1", "--timeout", "0.2")
    assert late.exit_code == 1
    assert "has not said so within 0.2 s" in late.stderr
    store.put_all({drain_key("node-1"): encode_drain(WITHDRAW).decode()})
    store.delete([alive_key("node-1")])
    done = run("node", "undrain", "node-1")
    assert done.exit_code == 0
    assert done.stdout == "node-1 is not drained any more; its agent is not running\n"
    assert stored(store) is None
