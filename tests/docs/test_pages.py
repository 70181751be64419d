"""Every command of every page is typed, in the order of the page, in a fresh environment.

A page of docs/how-to is typed in the lab that docs/how-to/index.md brings up, which is made for it and is
gone afterwards; every other page brings what it needs itself. How blocks are read: tests/support/pages.py.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import pytest

from felixbgp.lab.lab import down
from felixbgp.lab.waiting import NotInTimeError, wait_until
from tests.lab.conftest import fresh_name
from tests.support.pages import ROOT, Command, File, is_as_shown, pages, steps

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(900)]

NOT_TYPED = {
    "docs/rollout.md": "playbooks for machines with systemd and sshd; tests/rollout runs them",
    "docs/packages.md": "installs on the machine that it is read on; tests/packages does it on others",
    "docs/reference/commands.md": "the examples of --help, each by itself; see the tests of verbs",
    "docs/performance.md": "benchmarks, of which the page is the result; they take hours",
}
"""Pages whose commands are not typed here, and why. There is no other way to leave one out."""

LOOKS = (
    "felixbgp get ", "felixbgp node status", "felixbgp topology", "felixbgp explain ", "felixbgp lab exec ",
    "felixbgp lab status", "felixbgp version", "etcdctl get ", "etcdctl endpoint ", "curl ",
)  # fmt: skip
"""Commands that change nothing. A reader looks again until a change has come to all nodes; so do we."""
SECONDS_MAX = 60
LAB_PAGE = ROOT / "docs/how-to/index.md"
LAB_DOWN = "felixbgp lab down"


class Shell:
    """One bash for a whole page: what a command exports or where it goes counts for those after it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ETCD", "FELIXBGP", "PYTEST", "KEEP", "MAKE", "COV"))
        }
        environment["FELIXBGP_LAB"] = name
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, typed: str) -> tuple[int, str]:
        """Exit status, and all that was printed."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        script, printed = self._folder / ".typed", self._folder / ".printed"
        script.write_text(f"{typed}\n")
        self._bash.stdin.write(f". {script} </dev/null >{printed} 2>&1; echo $?\n")
        self._bash.stdin.flush()
        status = self._bash.stdout.readline()
        assert status, f"the shell ended in:\n{typed}"
        return int(status), printed.read_text()

    def end(self) -> None:
        """Close it."""
        self._bash.communicate()


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name; what is made under it is removed."""
    made = fresh_name()
    yield made
    down(made)


@pytest.fixture
def folder(page: Path, tmp_path: Path) -> Path:
    """Where a reader is: in a fresh clone for the README, in an empty folder else."""
    if page == ROOT / "README.md":
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def shell(folder: Path, name: str) -> Iterator[Shell]:
    """A shell in that folder."""
    made = Shell(folder, name)
    yield made
    made.end()


def follow(shell: Shell, folder: Path, page: Path, wanted: list[File | Command]) -> None:
    """Write every file and type every command of a page, and hold what is printed against it."""
    for step in wanted:
        where = f"{page.relative_to(ROOT)}:{step.line}"
        if isinstance(step, File):
            (folder / step.name).write_text(step.text)
        else:
            type_it(shell, step, where)


def type_it(shell: Shell, command: Command, where: str) -> None:
    """Once if it changes something, else until it prints what the page shows."""
    status, printed = shell.run(command.text)

    def is_right() -> bool:
        ended_right = (status != 0) is command.is_to_fail
        return ended_right and (command.printed is None or is_as_shown(command.printed, printed))

    def look_again() -> bool:
        nonlocal status, printed
        status, printed = shell.run(command.text)
        return is_right()

    if not is_right() and command.text.startswith(LOOKS):
        with suppress(NotInTimeError):  # told below, with what is printed and what is shown
            wait_until(look_again, where, SECONDS_MAX)
    shown = "" if command.printed is None else f"\nshown:\n{command.printed}"
    if not is_right():
        raise AssertionError(f"{where}: {command.text}\nexit status {status}, printed:\n{printed}{shown}")


def lab_steps() -> tuple[list[File | Command], list[File | Command]]:
    """How docs/how-to/index.md brings its lab up, without the look at it, and how it takes it down."""
    found = steps(LAB_PAGE.read_text())
    up = list(takewhile(lambda step: isinstance(step, Command) and step.printed is None, found))
    down_again = [step for step in found if isinstance(step, Command) and step.text == LAB_DOWN]
    assert up
    assert down_again
    return up, [*down_again]


def typed_pages() -> list[Path]:
    """The pages that have commands, but for those of `NOT_TYPED`."""
    return [
        page
        for page in pages()
        if str(page.relative_to(ROOT)) not in NOT_TYPED
        and any(isinstance(step, Command) for step in steps(page.read_text()))
    ]


@pytest.mark.parametrize("page", typed_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_does_what_the_page_says(page: Path, shell: Shell, folder: Path) -> None:
    wanted = steps(page.read_text())
    up, down_again = lab_steps() if page.parent == LAB_PAGE.parent and page != LAB_PAGE else ([], [])
    follow(shell, folder, LAB_PAGE, up)
    follow(shell, folder, page, wanted)
    follow(shell, folder, LAB_PAGE, down_again)
