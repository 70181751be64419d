import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from felixbgp.lab import processes
from felixbgp.lab.processes import Command, ProcessError, Running
from felixbgp.lab.waiting import wait_until

SHELL = shutil.which("sh") or "/bin/sh"
SLEEP = f"exec {shutil.which('sleep')} 600"
DEAF = "trap '' TERM; echo ready; while :; do read line </dev/zero; done"


class Started:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Running] = []

    def shell(self, script: str, **environment: str) -> Running:
        name = f"p{len(self.all)}"
        log = str(self.folder / f"{name}.log")
        command = Command(name, (SHELL, "-c", script), log, environment=tuple(environment.items()))
        self.all.append(processes.spawn(command))
        return self.all[-1]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    made = Started(tmp_path)
    yield made
    for running in made.all:
        processes.kill(running)


def test_a_process_runs_apart_from_us_with_its_output_in_its_log(started: Started) -> None:
    running = started.shell(f"echo out; echo err >&2; echo $GREETING; {SLEEP}", GREETING="hello")
    log = Path(running.command.log)
    wait_until(lambda: log.read_text().count("\n") == 3, "three lines", 10)
    assert log.read_text().split() == ["out", "err", "hello"]
    assert os.getsid(running.pid) == running.pid


def test_our_own_settings_of_etcd_and_node_are_not_lent(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://wrong:1")
    monkeypatch.setenv("NODENAME", "wrong")
    running = started.shell(f'echo "<$ETCD_ENDPOINTS$NODENAME>"; {SLEEP}')
    log = Path(running.command.log)
    wait_until(log.read_text, "a line", 10)
    assert log.read_text() == "<>\n"


def test_usage_tells_running_from_stopped(started: Started) -> None:
    running = started.shell(SLEEP)
    assert processes.send_signal(running, signal.SIGSTOP)
    wait_until(lambda: (use := processes.usage(running)) is not None and use.state == "T", "stopped", 10)


def test_usage_of_a_python_process_is_of_a_pythons_size(tmp_path: Path) -> None:
    waits = "import signal; print('up', flush=True); signal.pause()"
    running = processes.spawn(Command("python", (sys.executable, "-c", waits), str(tmp_path / "log")))
    try:
        wait_until(lambda: "up" in (tmp_path / "log").read_text(), "it is up", 10)
        used = processes.usage(running)
    finally:
        processes.kill(running)
    assert used is not None
    assert 2**20 < used.resident_bytes < 2**30
    assert used.cpu_seconds < 60


def test_a_stopped_process_obeys_sigterm_all_the_same(started: Started) -> None:
    running = started.shell(SLEEP)
    processes.send_signal(running, signal.SIGSTOP)
    processes.stop_all([running])
    assert not processes.is_alive(running)


def test_one_that_is_deaf_to_sigterm_is_killed(started: Started) -> None:
    deaf, good = started.shell(DEAF), started.shell(SLEEP)
    wait_until(lambda: "ready" in Path(deaf.command.log).read_text(), "the trap is set", 10)
    processes.stop_all([deaf, good], seconds_max=0.2)
    assert not processes.is_alive(deaf)
    assert not processes.is_alive(good)


def test_a_later_process_with_the_same_pid_is_left_alone(started: Started) -> None:
    running = started.shell(SLEEP)
    earlier = replace(running, started=running.started - 1)
    assert not processes.is_alive(earlier)
    assert not processes.send_signal(earlier, signal.SIGKILL)
    processes.stop_all([earlier])
    processes.kill(earlier)
    assert processes.is_alive(running)


def test_one_that_ended_by_itself_is_dead_though_nobody_collected_it(started: Started) -> None:
    running = started.shell("exit 3")
    wait_until(lambda: not processes.is_alive(running), "it ended", 10)
    assert processes.usage(running) is None
    assert not processes.send_signal(running, signal.SIGTERM)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = Command("ghost", (str(tmp_path / "ghost"),), str(tmp_path / "log"))
    with pytest.raises(ProcessError, match="cannot start ghost"):
        processes.spawn(missing)


def test_stopping_waits_no_longer_than_it_takes(started: Started) -> None:
    running = started.shell(SLEEP)
    begin = time.monotonic()
    processes.stop_all([running], seconds_max=600)
    assert time.monotonic() - begin < 500
