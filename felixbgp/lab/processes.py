"""Processes that outlive the command that started them, told apart from later ones with the same pid.

A pid alone is no identity: the kernel gives it out again. A pid and the time its process started is one
(proc(5), field 22 of /proc/PID/stat), and a pidfd holds on to it while a signal is on its way.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from felixbgp.lab import netns

STOP_SECONDS_MAX = 10.0
"""How long a process may take to obey SIGTERM before SIGKILL."""
KILL_SECONDS_MAX = 5.0
"""How long the kernel may take to end a process after SIGKILL."""
PRIVATE_VARIABLES = ("ETCD", "CALICO_", "FELIXBGP_", "NODENAME")
"""What the caller's environment must not lend to a lab's processes: they have their own."""


class ProcessError(Exception):
    """A process could not be started or would not end; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start one process of a lab. `namespace` "" is the host's own network."""

    name: str
    arguments: tuple[str, ...]
    log: str
    namespace: str = ""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """A started process. `started` is its start time in clock ticks since boot."""

    command: Command
    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class Usage:
    """State letter of proc(5), CPU time used, resident memory and number of threads."""

    state: str
    cpu_seconds: float
    resident_bytes: int
    threads: int


def spawn(command: Command) -> Running:
    """Start a process in its own session, its output appended to its log; raises `ProcessError`."""
    arguments = list(command.arguments)
    if command.namespace:
        # `ip netns exec` replaces itself, so the pid is the program's own.
        arguments = netns.exec_arguments(command.namespace, arguments)
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawn(
            arguments[0],
            arguments,
            _environment(dict(command.environment)),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, command.log, log_flags, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGPIPE),
        )
    except OSError as error:
        raise ProcessError(f"cannot start {command.name} ({arguments[0]}): {error.strerror}") from error
    stat = _stat(pid)
    if stat is None:
        raise ProcessError(f"{command.name} ended as soon as it was started; see {command.log}")
    return Running(command, pid, stat.started)


def usage(running: Running) -> Usage | None:
    """What the process uses; None when it lives no more."""
    stat = _stat(running.pid)
    if stat is None or stat.started != running.started:
        return None
    if stat.state in "ZX":
        _reap(running.pid)
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return Usage(stat.state, stat.ticks / os.sysconf("SC_CLK_TCK"), stat.resident_pages * page, stat.threads)


def is_alive(running: Running) -> bool:
    """Whether this very process still exists; a stopped one does, a zombie does not."""
    return usage(running) is not None


def send_signal(running: Running, number: signal.Signals) -> bool:
    """Signal this very process; False when it lives no more."""
    descriptor = _open(running)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def stop_all(running: Iterable[Running], *, seconds_max: float = STOP_SECONDS_MAX) -> None:
    """End processes together: SIGTERM, and SIGKILL for those that take longer. Raises `ProcessError`."""
    _end(running, (signal.SIGTERM, signal.SIGCONT), seconds_max, last_word=True)


def kill(running: Running) -> None:
    """End one process as kill -9 does, and wait until it is gone."""
    _end([running], (signal.SIGKILL,), KILL_SECONDS_MAX, last_word=False)


def kill_inside(namespace: str) -> None:
    """Kill -9 whatever runs in a namespace, whoever started it."""
    for pid in netns.pids(namespace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end(
    running: Iterable[Running], numbers: Sequence[signal.Signals], seconds_max: float, *, last_word: bool
) -> None:
    opened = [(process, _open(process)) for process in running]
    alive = {process: descriptor for process, descriptor in opened if descriptor is not None}
    try:
        for descriptor in alive.values():
            _signal_each(descriptor, numbers)
        left = _wait(alive, seconds_max)
        if left and last_word:
            for process in left:
                _signal_each(alive[process], (signal.SIGKILL,))
            left = _wait({process: alive[process] for process in left}, KILL_SECONDS_MAX)
        if left:
            raise ProcessError(f"will not end: {', '.join(f'{p.command.name} ({p.pid})' for p in left)}")
    finally:
        for descriptor in alive.values():
            os.close(descriptor)


def _signal_each(descriptor: int, numbers: Sequence[signal.Signals]) -> None:
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)


def _wait(alive: Mapping[Running, int], seconds_max: float) -> list[Running]:
    """Wait for the ends of processes; gives those that still live at the deadline."""
    deadline = time.monotonic() + seconds_max
    waiting = {descriptor: process for process, descriptor in alive.items()}
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting and (left_s := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left_s * 1000):
            poll.unregister(descriptor)
            _reap(waiting.pop(descriptor).pid)
    return list(waiting.values())


def _open(running: Running) -> int | None:
    """A pidfd of this very process, or None. Between the two looks the pid cannot change hands unseen."""
    try:
        descriptor = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return None
    if is_alive(running):
        return descriptor
    os.close(descriptor)
    return None


def _reap(pid: int) -> None:
    # Only the command that started a process is its parent; for any other there is nothing to collect.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    ticks: int
    threads: int
    started: int
    resident_pages: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may hold anything, so count from behind it.
    fields = text.rpartition(")")[2].split()
    return _Stat(
        state=fields[0],
        ticks=int(fields[11]) + int(fields[12]),
        threads=int(fields[17]),
        started=int(fields[19]),
        resident_pages=int(fields[21]),
    )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    lent = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_VARIABLES)}
    return lent | dict(extra)
