"""`make demo` is the first thing a stranger sees."""

import os
import signal
import subprocess

import pytest

from felixbgp.lab import netns, state
from felixbgp.lab.lab import felixbgp_command

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]


def test_the_demo_holds_and_leaves_nothing(name: str) -> None:
    done = subprocess.run(
        [*felixbgp_command(), "lab", "demo", "--name", name],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "All of it holds." in done.stdout
    assert namespaces_of(name) == []
    assert not state.folder(name).exists()


def namespaces_of(name: str) -> list[str]:
    """Others on this machine may have some too."""
    return [namespace for namespace in netns.names() if namespace.startswith(f"{name}-")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("heading", ["starting tor-1", "== Full mesh"])
def test_an_interrupted_demo_leaves_nothing(name: str, number: signal.Signals, heading: str) -> None:
    arguments = [*felixbgp_command(), "lab", "demo", "--name", name]
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert any(line.startswith(heading) for line in demo.stdout)
        demo.send_signal(number)
        demo.stdout.read()
    assert demo.returncode == 130
    assert namespaces_of(name) == []
    assert not state.folder(name).exists()


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("ETCD", "KEEP"))}
