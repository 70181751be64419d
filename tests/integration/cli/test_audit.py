"""`node audit` against a real etcd, whose agents are played: they answer, or not, as a test wants."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from felixbgp._pb.etcd import auth_pb2, rpc_pb2
from felixbgp.lab.etcd import EtcdServer
from felixbgp.lab.store import Store
from felixbgp.lab.waiting import wait_until
from felixbgp.net import Prefix
from felixbgp.runtime.etcd import EtcdSettings, open_client
from felixbgp.status.audit import AuditAnswer, Difference, Kind, Outcome, Views
from felixbgp.status.audit_document import decode_request, encode
from felixbgp.status.document import AgentAlive, encode_alive
from felixbgp.status.document import encode as encode_status
from felixbgp.status.keys import alive_key, audit_key, audit_requests_prefix, status_key
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus
from tests.integration.etcd.test_security import administer, enable_users
from tests.support.command import Ran
from tests.support.command import run_command as run

pytestmark = pytest.mark.etcd

ANSWER = AuditAnswer(requests=(), node="node-1", version="0.1.0", began=1, ended=2, compared=3)
DIFFERENCE = Difference(
    Prefix.parse("10.0.0.0/26"), Kind.MISSING, Views(wanted="blackhole metric 1024"), Outcome.HEALED
)
DIFFERING = replace(ANSWER, differing=1, healed=1, differences=(DIFFERENCE,))

Asking = Callable[..., "Future[Ran]"]


@pytest.fixture
def asking() -> Iterator[Asking]:
    """A command that runs beside the test."""
    with ThreadPoolExecutor() as pool:
        yield lambda *arguments: pool.submit(run, "node", "audit", *arguments)


def publish(store: Store, node: str, *, alive: bool = True) -> None:
    status = NodeStatus(node=node, version="0.1.0", datastore=DatastoreState(DatastoreCondition.SYNCING, 1))
    store.put_all({status_key(node): encode_status(status, 0).decode()})
    if alive:
        store.put_all({alive_key(node): encode_alive(AgentAlive("0.1.0", 1)).decode()})


def asked(store: Store, node: str = "node-1", count: int = 1) -> dict[str, bytes]:
    """The requests that wait, by id, as soon as there are so many."""
    prefix = audit_requests_prefix(node)
    wait_until(lambda: len(store.get_prefix(prefix)) >= count, "requests", 30)
    return {key.removeprefix(prefix): value for key, value in store.get_prefix(prefix).items()}


def answer(store: Store, *requests: str, node: str = "node-1", found: AuditAnswer = ANSWER) -> None:
    value = encode(replace(found, requests=requests, node=node), 0)
    store.put_all({audit_key(node): value.decode()})


def test_a_node_that_agrees(empty_store: Store, asking: Asking) -> None:
    publish(empty_store, "node-1")
    running = asking("node-1")
    ((request, value),) = asked(empty_store).items()
    assert "@" in decode_request(value) or decode_request(value)
    answer(empty_store, "somebody-else's", request)
    done = running.result(30)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Node node-1: intent, Loc-RIB and kernel agree.\n")
    assert list(empty_store.get_prefix(audit_requests_prefix("node-1"))) == []


def test_a_node_that_does_not(empty_store: Store, asking: Asking) -> None:
    publish(empty_store, "node-1")
    running = asking("node-1", "-o", "json")
    answer(empty_store, *asked(empty_store), found=DIFFERING)
    done = running.result(30)
    assert done.exit_code == 1
    printed = json.loads(done.stdout)
    assert (printed["node"], printed["agrees"]) == ("node-1", False)
    assert printed["answer"]["differences"][0]["prefix"] == "10.0.0.0/26"


def test_this_node_when_none_is_named(
    empty_store: Store, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODENAME", "node-7")
    publish(empty_store, "node-7")
    running = asking("-o", "yaml")
    answer(empty_store, *asked(empty_store, "node-7"), node="node-7")
    done = running.result(30)
    assert done.exit_code == 0
    assert "node: node-7\n" in done.stdout


def test_an_answer_to_somebody_else_an_old_one_and_nonsense_are_not_taken(
    empty_store: Store, asking: Asking
) -> None:
    publish(empty_store, "node-1")
    answer(empty_store, "an-old-one", found=DIFFERING)
    running = asking("node-1")
    (request,) = asked(empty_store)
    empty_store.put_all({audit_key("node-1"): "nonsense"})
    answer(empty_store, "another", found=replace(DIFFERING, version=f"which only names {request}"))
    answer(empty_store, request)
    assert running.result(30).exit_code == 0


def test_an_answer_that_cannot_be_read_is_told(empty_store: Store, asking: Asking) -> None:
    publish(empty_store, "node-1")
    running = asking("node-1")
    (request,) = asked(empty_store)
    empty_store.put_all({audit_key("node-1"): f'{{"requests": ["{request}"], "differences": [{{}}]}}'})
    done = running.result(30)
    assert done.exit_code == 1
    assert "the value of its key 'audit' cannot be read: differences[0].kind" in done.stdout


def test_two_who_ask_at_once_have_one_answer(empty_store: Store) -> None:
    publish(empty_store, "node-1")
    # Processes: two commands in one would fight for its standard output.
    program = [sys.executable, "-c", "from felixbgp.cli.main import main; main()", "node", "audit", "node-1"]
    running = [subprocess.Popen(program, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answer(empty_store, *asked(empty_store, count=2))
    told = [process.communicate(timeout=30)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert all(text.startswith("Node node-1: intent, Loc-RIB and kernel agree.") for text in told)


def test_all_nodes_of_which_one_does_not_run(empty_store: Store, asking: Asking) -> None:
    for node in ("node-1", "node-2"):
        publish(empty_store, node)
    publish(empty_store, "node-3", alive=False)
    running = asking("--all")
    for node in ("node-2", "node-1"):
        answer(empty_store, *asked(empty_store, node), node=node)
    done = running.result(30)
    assert done.exit_code == 1
    results = [line for line in done.stdout.splitlines() if line.startswith("Node ")]
    assert results == [
        "Node node-1: intent, Loc-RIB and kernel agree.",
        "Node node-2: intent, Loc-RIB and kernel agree.",
        "Node node-3: no audit: its agent is not running",
    ]


def test_a_node_that_does_not_answer(empty_store: Store) -> None:
    publish(empty_store, "node-1")
    done = run("node", "audit", "node-1", "--timeout", "0.3")
    assert done.exit_code == 1
    assert done.stdout == (
        "Node node-1: no audit: its agent (0.1.0) did not answer within 0.3 s; its datastore is Syncing\n\n"
    )
    assert list(empty_store.get_prefix(audit_requests_prefix("node-1"))) == []


def test_a_node_whose_agent_could_not(empty_store: Store, asking: Asking) -> None:
    publish(empty_store, "node-1")
    running = asking("node-1")
    answer(empty_store, *asked(empty_store), found=replace(ANSWER, failure="the kernel could not be read"))
    done = running.result(30)
    assert (done.exit_code, done.stdout) == (1, "Node node-1: no audit: the kernel could not be read\n\n")


def test_a_node_that_there_is_not(empty_store: Store) -> None:
    done = run("node", "audit", "node-9")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: no node has published a status under /felixbgp/v1/nodes/\n",
    )
    publish(empty_store, "node-1")
    done = run("node", "audit", "node-9")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: node 'node-9' has not published a status; these have: node-1\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("node-1", "--all"), "give a NODE or --all, not both"),
        (("node-1", "--timeout", "0"), "--timeout"),
        (("node-1", "-o", "wide"), "--output"),
    ],
)
def test_what_cannot_be_meant(arguments: tuple[str, ...], reason: str) -> None:
    done = run("node", "audit", *arguments)
    assert done.exit_code == 2
    assert reason in done.stderr


def test_an_etcd_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")
    done = run("node", "audit", "node-1")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: etcd cannot be reached: ")


def test_somebody_who_may_read_and_not_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def let_the_agent_read(settings: EtcdSettings) -> None:
        async with open_client(settings) as client:
            await enable_users(client)
        async with open_client(replace(settings, username="root", password="root")) as root:
            permission = auth_pb2.Permission(key=b"/felixbgp/", range_end=b"/felixbgp0")
            request = rpc_pb2.AuthRoleGrantPermissionRequest(name="agent", perm=permission)
            await administer(root, "RoleGrantPermission", request)

    with EtcdServer.on_free_ports(tmp_path) as server:
        publish(Store([server.endpoint]), "node-1")
        trio.run(let_the_agent_read, EtcdSettings(endpoints=(server.endpoint,)))
        monkeypatch.setenv("ETCD_ENDPOINTS", server.endpoint)
        monkeypatch.setenv("ETCD_USERNAME", "agent")
        monkeypatch.setenv("ETCD_PASSWORD", "secret")
        done = run("node", "audit", "node-1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: etcd at {server.endpoint} refuses user 'agent': ")
    assert "permission denied" in done.stderr
