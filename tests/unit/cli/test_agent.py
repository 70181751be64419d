"""How `felixbgp agent` gets its settings."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from felixbgp.cli import agent
from felixbgp.cli.main import cli
from felixbgp.net import Address
from felixbgp.runtime import telemetry
from felixbgp.runtime.settings import AgentSettings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[AgentSettings]:
    """The settings with which agents would have been started."""
    settings: list[AgentSettings] = []
    monkeypatch.setattr(agent, "run", settings.append)
    for name in ("NODENAME", "ETCD_ENDPOINTS", "CALICO_ROUTER_ID"):
        monkeypatch.delenv(name, raising=False)
    return settings


def test_flags_win_over_environment_over_file(
    started: list[AgentSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('node = "f"\nrouter_id = "10.0.0.3"\n[etcd]\nendpoints = "http://f:1"\n')
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://e:1")
    monkeypatch.setenv("CALICO_ROUTER_ID", "10.0.0.2")
    flags = ["--config", str(file), "--router-id", "10.0.0.1", "--route-metric", "99", "--no-kernel"]
    result = CliRunner().invoke(cli, ["agent", *flags])
    assert result.exit_code == 0, result.output
    (settings,) = started
    assert settings.node == "f"
    assert settings.etcd.endpoints == ("http://e:1",)
    assert settings.router_id == Address.parse("10.0.0.1")
    assert settings.route_metric == 99
    assert settings.no_kernel


def test_a_wrong_setting_is_one_line_that_names_its_source(started: list[AgentSettings]) -> None:
    result = CliRunner().invoke(cli, ["agent"], env={"ETCD_ENDPOINTS": "ftp://x"})
    assert result.exit_code == 1
    assert result.output.startswith("error: environment ETCD_ENDPOINTS: endpoint 'ftp://x': the scheme")
    assert result.output.count("\n") == 1
    assert started == []


def test_a_fault_of_ours_is_in_the_log_with_the_place_where_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_settings: AgentSettings) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("felixbgp.runtime.run.run_agent", fail)
    monkeypatch.setattr(telemetry.LOGGER, "propagate", True)
    result = CliRunner().invoke(cli, ["agent", "--node", "n"])
    assert result.exit_code == 1
    assert result.output.startswith("error: unexpected ZeroDivisionError")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
