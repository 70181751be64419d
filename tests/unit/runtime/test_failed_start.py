"""A start that fails for its settings leaves the journal of the last life where it is."""

import socket
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from felixbgp.bgp.inputs import Endpoint
from felixbgp.intent.types import Intent
from felixbgp.net import Address
from felixbgp.runtime import run
from felixbgp.runtime.etcd import EtcdSettings
from felixbgp.runtime.netlink.takeover import DaemonStillRunsError
from felixbgp.runtime.settings import AgentSettings, TelemetrySettings
from felixbgp.runtime.settings_file import SettingsError

pytestmark = pytest.mark.usefixtures("own_handlers")

LOOPBACK = Address.parse("127.0.0.1")
LIFE = b"of the last life"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.write_bytes(LIFE)
    return path


def start(journal: Path, port: int) -> None:
    """One that cannot come to anything, as it is to do nothing."""
    telemetry = TelemetrySettings(prometheus=Endpoint(LOOPBACK, port))
    etcd = EtcdSettings()
    settings = AgentSettings(node="node-1", etcd=etcd, no_kernel=True, telemetry=telemetry, journal=journal)
    trio.run(partial(run.run_agent, settings, intent=Intent()))


def left_alone(journal: Path) -> bool:
    return [path.name for path in journal.parent.iterdir()] == ["journal"] and journal.read_bytes() == LIFE


def test_without_an_exporter(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    with pytest.raises(SettingsError, match="its exporter is not installed"):
        start(journal, 0)
    assert left_alone(journal)


def test_without_the_port_of_the_metrics(journal: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"telemetry.prometheus: 127.0.0.1:{port}: "):
            start(journal, port)
    assert left_alone(journal)


def test_beside_the_daemon_whose_routes_are_to_be_ours(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_listens() -> None:
        raise DaemonStillRunsError

    monkeypatch.setattr(run, "require_nobody_listens", somebody_listens)
    settings = AgentSettings(node="node-1", etcd=EtcdSettings(), take_over=(12,), journal=journal)
    with pytest.raises(DaemonStillRunsError):
        trio.run(partial(run.run_agent, settings, intent=Intent()))
    assert left_alone(journal)
