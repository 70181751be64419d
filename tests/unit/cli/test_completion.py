"""What the shell completes without etcd; tests/integration/cli has what it completes with one."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from felixbgp.cli.main import VERBS, cli

PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def completed(*words: str) -> list[str]:
    """What is offered for the last of the words."""
    *before, last = words
    return [item.value for item in ShellComplete(cli, {}, "felixbgp", "_X").get_completions(before, last)]


def test_verbs_and_what_they_do() -> None:
    assert completed("") == list(VERBS)
    assert completed("ve") == ["version"]
    items = ShellComplete(cli, {}, "felixbgp", "_X").get_completions([], "get")
    assert [item.help for item in items] == [VERBS["get"].summary]
    assert "--version" in completed("--")


def test_completing_a_verb_loads_none() -> None:
    program = (
        "import sys\n"
        "from click.shell_completion import ShellComplete\n"
        "from felixbgp.cli.main import cli\n"
        "assert ShellComplete(cli, {}, 'felixbgp', '_X').get_completions([], 'ge')\n"
        "print('trio' in sys.modules, 'pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_kinds() -> None:
    assert completed("get", "bgp") == ["bgpconfigurations", "bgpfilters", "bgppeers"]
    assert completed("get", "NO") == ["nodes"]


def test_forms_of_output() -> None:
    assert completed("get", "nodes", "-o", "j") == ["json", "jsonpath=", "jsonpath-file="]


def test_contexts(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        "[contexts.lab]\nendpoints = 'http://a:1'\n[contexts.production]\nendpoints = 'http://b:1'\n"
    )
    assert completed("get", "--config", str(file), "--context", "") == ["lab", "production"]
    assert completed("get", "-c", str(file), "--context", "p") == ["production"]
    file.write_text("nonsense")
    assert completed("get", "--config", str(file), "--context", "") == []


def test_names_are_not_told_when_etcd_is_not_there() -> None:
    assert completed("get", "nodes", "") == []
    assert completed("get", "pods", "") == []
    assert completed("get", "nodes", "--context", "nowhere", "") == []
    assert completed("node", "status", "") == []


def test_nothing_is_said_when_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FELIXBGP_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "felixbgp get nodes ")
    monkeypatch.setenv("COMP_CWORD", "3")
    done = subprocess.run(PROGRAM, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
