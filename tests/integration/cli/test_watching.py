"""`felixbgp node status --watch` on a real terminal, against a real etcd."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.lab.etcd import EtcdServer
from felixbgp.net import IPV4, Address
from felixbgp.runtime.etcd.client import open_client
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, PeerStatus
from tests.support.command import run_command as run

pytestmark = pytest.mark.etcd

PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]
NOW_NS = 1_700_000_000 * 10**9
SECONDS_MAX = 100.0
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
PEER = PeerStatus(
    peer=PeerId(Address.parse("10.0.0.2"), 179),
    name="peer",
    scope="mesh",
    resource="",
    families=(IPV4,),
    local_as=64512,
    remote_as=64512,
    state="Established",
    since=0,
)
STATUS = NodeStatus(
    node="node-1",
    version="0.1.0",
    datastore=DatastoreState(DatastoreCondition.IN_SYNC, since=0),
    peers=(PEER,),
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EtcdServer]:
    with EtcdServer.on_free_ports(tmp_path / "etcd") as started:
        monkeypatch.setenv("ETCD_ENDPOINTS", started.endpoint)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield started


def put(server: EtcdServer, key: str, value: bytes) -> None:
    async def write() -> None:
        async with open_client(EtcdSettings(endpoints=(server.endpoint,))) as client:
            await client.put(key, value)

    trio.run(write)


class Terminal:
    """A command on a terminal of its own, and what it drew so far."""

    def __init__(self, *arguments: str) -> None:
        self._own_end, its_end = pty.openpty()
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
        self.process = subprocess.Popen([*PROGRAM, *arguments], stdout=its_end, env=environ)
        os.close(its_end)
        self.drawn = ""

    def until(self, pattern: str) -> None:
        """Read until what is drawn from now on matches."""
        deadline, before = time.monotonic() + SECONDS_MAX, len(self.drawn)
        while re.search(pattern, self.drawn[before:]) is None:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._own_end], [], [], max(left, 0))
            assert ready, f"{pattern!r} is not in {self.drawn[before:]!r}"
            self.drawn += os.read(self._own_end, 65_536).decode(errors="replace")

    def interrupt(self) -> int:
        """As Ctrl-C does; the exit code, when all that it still drew was read."""
        self.process.send_signal(signal.SIGINT)
        while True:
            try:
                self.drawn += os.read(self._own_end, 65_536).decode(errors="replace")
            except OSError:  # how a terminal says that nobody writes to it any more
                break
        os.close(self._own_end)
        return self.process.wait(SECONDS_MAX)


def test_it_follows_the_cluster_until_somebody_interrupts_it(server: EtcdServer) -> None:
    put(server, alive_key("node-1"), encode_alive(AgentAlive("0.1.0", NOW_NS)))
    put(server, status_key("node-1"), encode(STATUS, NOW_NS))
    terminal = Terminal("node", "status", "--watch")
    try:
        terminal.until(r"1 nodes, 1 agents running, 1 of 1 sessions Established, 0 problems")
        assert terminal.drawn.startswith(ALTERNATE)
        down = replace(PEER, state="Active", cause=Cause.TIMED_OUT, last_error="timed out")
        put(server, status_key("node-1"), encode(replace(STATUS, peers=(down,)), NOW_NS))
        terminal.until(r"0 of 1 sessions Established, 1 problems")
        terminal.until(r"node-1  peer 10\.0\.0\.2: TimedOut: [^\r]* \(timed out\)")
        terminal.until(r"compare the passwords of both sides")
        put(server, status_key("node-2"), encode(replace(STATUS, node="node-2"), NOW_NS))
        terminal.until(r"2 nodes, 1 agents running")
        server.stop()
        terminal.until(r"etcd does not answer, this is what it told last")
        code = terminal.interrupt()
    finally:
        terminal.process.kill()
    assert code == 0
    assert terminal.drawn.endswith(BACK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--watch",), "error: --watch needs a terminal; for programs there is -o json without --watch\n"),
        (("--watch", "-o", "json"), "error: --watch draws on the terminal and has no other form\n"),
    ],
)
def test_it_is_for_terminals(arguments: tuple[str, ...], message: str) -> None:
    answer = run("node", "status", *arguments)
    assert answer.exit_code != 0
    assert answer.stderr.startswith(message)
