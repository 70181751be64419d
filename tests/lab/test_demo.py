"""`make demo` is the first thing a stranger sees."""

import os
import subprocess

import pytest

from felixbgp.lab import netns, state
from felixbgp.lab.lab import felixbgp_command

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]


def test_the_demo_holds_and_leaves_nothing(name: str) -> None:
    before = netns.names()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ETCD", "KEEP"))}
    done = subprocess.run(
        [*felixbgp_command(), "lab", "demo", "--name", name],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "All of it holds." in done.stdout
    assert netns.names() == before
    assert not state.folder(name).exists()
