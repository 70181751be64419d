"""`node status` on a host whose etcd cannot be reached: what the agent of this host keeps on its disk."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp.lab.etcd import free_ports
from felixbgp.runtime.state_directory import ALIVE, PUBLIC, STATUS, StateDirectory
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, Recovered
from tests.support.command import run_command

RECOVERED = DatastoreState(
    DatastoreCondition.RECOVERED, 0, "no route to host", Recovered(4711, -3600 * 10**9)
)


@pytest.fixture(autouse=True)
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [port] = free_ports(1)
    monkeypatch.setenv("ETCD_ENDPOINTS", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NODENAME", "node-1")
    monkeypatch.setenv("FELIXBGP_STATE_DIRECTORY", str(tmp_path / "state"))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[StateDirectory]:
    """The directory of an agent that runs."""
    directory = StateDirectory.hold(tmp_path / "state")
    now = time.time_ns()
    status = NodeStatus(node="node-1", version="0.1.0", datastore=RECOVERED)
    for name, content in (
        (STATUS, encode(status, now)),
        (ALIVE, encode_alive(AgentAlive("0.1.0", now, 7))),
    ):
        directory.write(name, [content], mode=PUBLIC, lasting=False)
    yield directory
    directory.close()


def test_the_status_of_this_host_is_shown_and_where_it_is_from(held: StateDirectory) -> None:
    ran = run_command("node", "status")
    assert ran.exit_code == 0, ran.output
    assert "etcd cannot be reached: " in ran.stderr
    assert f"This is what the agent of this host keeps in {held.path}:" in ran.stderr
    assert "Node node-1: the agent (0.1.0) is running since" in ran.stdout
    assert "Datastore: Recovered since" in ran.stdout
    assert "  It runs from what it last knew of etcd: revision 4711, kept at " in ran.stdout
    for output in ("json", "yaml"):
        ran = run_command("node", "status", "node-1", "-o", output)
        assert ran.exit_code == 0
        assert "Recovered" in ran.stdout
        assert "4711" in ran.stdout


def test_of_an_agent_that_is_gone_it_is_the_last_that_it_told(held: StateDirectory) -> None:
    path = held.path
    held.close()
    ran = run_command("node", "status")
    assert ran.exit_code == 1
    assert "THE AGENT IS NOT RUNNING. This is the last it told:" in ran.stdout
    held._lock = StateDirectory.hold(path)._lock  # for the fixture


@pytest.mark.parametrize(
    "arguments",
    [("--all",), ("node-2",), ("--context", "lab")],
    ids=["all nodes", "another node", "another etcd"],
)
def test_nothing_else_is_answered_from_it(
    held: StateDirectory, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    assert held.path.exists()
    file = tmp_path / "config.toml"
    [port] = free_ports(1)
    file.write_text(f'[contexts.lab]\nendpoints = "http://127.0.0.1:{port}"\n')
    ran = run_command("node", "status", "--config", str(file), *arguments)
    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert "cannot be reached" in ran.stderr


def test_a_host_without_a_directory_says_that_etcd_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("none", "/nonexistent/felixbgp"):
        monkeypatch.setenv("FELIXBGP_STATE_DIRECTORY", place)
        ran = run_command("node", "status")
        assert ran.exit_code == 1
        assert ran.stderr.startswith("error: etcd cannot be reached")


def test_a_document_that_others_could_have_written_is_not_shown(held: StateDirectory) -> None:
    (held.path / STATUS).chmod(0o666)
    ran = run_command("node", "status")
    assert ran.exit_code == 1
    assert "others may write it" in ran.stderr
