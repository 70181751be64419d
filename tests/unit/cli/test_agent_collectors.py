"""What `diags` asks of this host's agent, piece by piece."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.bgp.inputs import Endpoint
from felixbgp.cli import agent_collectors
from felixbgp.cli.agent_collectors import PAST_SECONDS
from felixbgp.cli.agent_collectors import agent_collectors as collectors_of
from felixbgp.cli.collectors import CannotCollectError
from felixbgp.net import Address
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.settings import AgentSettings
from felixbgp.status.document import encode

LOOPBACK = Address.parse("127.0.0.1")
STATUS = Agent(AgentConfig(node="node-1"), lambda: 0.5).status(0)
NOW_NS = 1_700_000_000_000_000_000


def settings_of(tmp_path: Path) -> AgentSettings:
    return AgentSettings(node=STATUS.node, etcd=EtcdSettings(), state_directory=tmp_path, health=None)


def collected(settings: AgentSettings, name: str) -> bytes:
    (found,) = [one for one in collectors_of(lambda: settings) if one.name == name]
    return found.collect()


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[Endpoint, list[str]]]:
    """Somebody who answers the same to everything, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Endpoint(LOOPBACK, server.server_port), asked
        finally:
            server.shutdown()
            thread.join()


def test_who_is_not_ready_is_heard_too(tmp_path: Path) -> None:
    with answering(503, b'{"ready": false}') as (endpoint, asked):
        settings = replace(settings_of(tmp_path), health=endpoint)
        assert collected(settings, "readiness.json") == b'{"ready": false}'
        assert collected(settings, "liveness.json") == b'{"ready": false}'
    assert asked == ["/readiness?format=json", "/liveness?format=json"]
    with pytest.raises(CannotCollectError, match=r"127\.0\.0\.1:\d+: .*refused"):
        collected(settings, "readiness.json")


def test_the_status_is_shown_as_it_is_kept(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with pytest.raises(CannotCollectError, match="the agent has kept no status yet"):
        collected(settings, "status.txt")
    (tmp_path / "status.json").write_bytes(encode(STATUS, NOW_NS))
    assert collected(settings, "status.json") == encode(STATUS, NOW_NS)
    shown = collected(settings, "status.txt").decode()
    assert "node-1" in shown
    with pytest.raises(CannotCollectError, match="keeps nothing on its disk"):
        collected(replace(settings, state_directory=None), "status.txt")


def test_a_journal_is_taken_whole_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "journal"
    settings = replace(settings_of(tmp_path), journal=journal)
    journal.write_bytes(b"x" * 10)
    assert collected(settings, "recording/journal") == b"x" * 10
    with pytest.raises(OSError, match="No such file"):
        collected(settings, "recording/journal-before")
    monkeypatch.setattr(agent_collectors, "OUTPUT_BYTES_MAX", 9)
    with pytest.raises(CannotCollectError, match="10 bytes, which is too much"):
        collected(settings, "recording/journal")
    os.utime(journal, (0, time.time() - PAST_SECONDS - 60))
    with pytest.raises(CannotCollectError, match="was not written for 1h"):
        collected(settings, "recording/journal")


@pytest.mark.timeout(120)
def test_what_a_broken_journal_tells_is_said(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    settings = replace(settings_of(tmp_path), journal=journal)
    with pytest.raises(CannotCollectError, match="there is none"):
        collected(settings, "history.txt")
    journal.write_bytes(b"nothing of the kind")
    with pytest.raises(CannotCollectError, match="there is no journal that can be read"):
        collected(settings, "history.txt")
