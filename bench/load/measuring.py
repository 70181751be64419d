"""One load on one daemon, once: what it took."""

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from bench.load.daemons.base import Daemon, Place
from bench.load.generator import Job, Told, main
from bench.load.loads import Load, parties_of
from bench.load.site import a_site
from felixbgp.lab import processes
from felixbgp.lab.processes import Running

PREPARE_SECONDS_MAX = 120.0
CONNECT_SECONDS_MAX = 120.0
PHASE_SECONDS_MAX = 120.0
CHECK_SECONDS_MAX = 60.0
ANSWER_SECONDS_MORE = 60.0
"""What the generator may take on top, to look through what it holds."""
SETTLE_SECONDS_MAX = 5.0
SETTLE_STEP_SECONDS = 0.1
QUIET_SHARE = 0.02
"""Of a core; a daemon that uses less is done."""


@dataclass(slots=True)
class Measured:
    """One phase. CPU seconds and memory are of the daemon, MiB."""

    phase: str
    routes: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Until nothing was left to do, also after the receivers had everything."""
    cpu_seconds_until_received: float = 0.0
    resident_mib: float = 0.0
    announced: int = 0
    withdrawn: int = 0
    updates: int = 0
    octets: int = 0
    generator_cpu_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """One run. `given_up` says why it ended early."""

    load: str
    daemon: str
    routes: int
    connect_seconds: float = 0.0
    peak_mib: float = 0.0
    longest_step_ms: int = 0
    """For how long the daemon served nobody else, where it tells; 0 where not."""
    longest_step_kind: str = ""
    phases: list[Measured] = field(default_factory=list)
    given_up: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)


class GivenUpError(Exception):
    """A step took too long, or somebody died; the text says which."""


def measure(load: Load, kind: type[Daemon], routes: int) -> Outcome:
    """Do it. What goes wrong is in the outcome; everything is removed."""
    outcome = Outcome(load.name, kind.name, routes)
    with TemporaryDirectory(prefix="felixbench-") as folder, a_site(parties_of(load)) as site:
        daemon = kind(Place(site.device, Path(folder)), load)
        try:
            job = Job(load, routes, site.load, kind.is_changing)
            with a_generator(job) as pipe:
                _run(daemon, pipe, outcome)
        except GivenUpError as error:
            outcome.given_up = f"{error}\n{daemon.log_tail()}".strip()
        finally:
            daemon.stop()
    return outcome


@contextmanager
def a_generator(job: Job) -> Iterator[Connection]:
    """A generator's process and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(target=main, args=(theirs, job), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(5)
        process.kill()
        process.join()


def cpu_seconds(running: Iterable[Running]) -> float:
    """CPU time of processes, to the nanosecond: their CPU-time clocks (clock_getcpuclockid(3))."""
    # The id is what glibc computes: the inverted pid, and 2 for the clock of the scheduler.
    return sum(time.clock_gettime(~process.pid << 3 | 2) for process in running)


def memory_mib(running: Iterable[Running], field_name: str = "VmRSS") -> float:
    """Resident memory of processes, or its peak (`VmHWM`)."""
    total = 0.0
    for process in running:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field_name}:"):
                total += int(line.split()[1]) / 1024
    return total


def ask(pipe: Connection, seconds_max: float, *question: object) -> Any:
    """The generator's answer. Raises `GivenUpError`."""
    try:
        if question:
            pipe.send(question)
        if not pipe.poll(seconds_max):
            raise GivenUpError(f"no answer to {question} in {seconds_max:.0f} s")
        return pipe.recv()
    except (EOFError, BrokenPipeError, ConnectionResetError) as error:
        raise GivenUpError(f"the generator ended at {question}") from error


def _run(daemon: Daemon, pipe: Connection, outcome: Outcome) -> None:
    ready = ask(pipe, PREPARE_SECONDS_MAX)
    daemon.start()
    limit = CONNECT_SECONDS_MAX
    connected: float | str = ask(pipe, limit + ANSWER_SECONDS_MORE, "connect", limit)
    if isinstance(connected, str):
        raise GivenUpError(connected)
    outcome.connect_seconds = connected
    _settle(daemon)
    for number, (name, routes) in enumerate(ready):
        measured = Measured(name, routes)
        outcome.phases.append(measured)
        _measure_phase(daemon, pipe, number, measured)
        if measured.faults:
            raise GivenUpError(f"{name}: {measured.faults[0]}")
    outcome.peak_mib = memory_mib(daemon.measured(), "VmHWM")
    outcome.longest_step_ms, outcome.longest_step_kind = daemon.longest_step()


def _measure_phase(daemon: Daemon, pipe: Connection, number: int, measured: Measured) -> None:
    must_live(daemon)
    before = cpu_seconds(daemon.measured())
    limit = PHASE_SECONDS_MAX + daemon.load.seconds
    told: Told = ask(pipe, limit + ANSWER_SECONDS_MORE, "perform", number, limit)
    must_live(daemon)
    measured.cpu_seconds_until_received = cpu_seconds(daemon.measured()) - before
    measured.cpu_seconds = _settle(daemon) - before
    measured.resident_mib = memory_mib(daemon.measured())
    patience = CHECK_SECONDS_MAX if told.is_complete else 0.0
    measured.faults, late = ask(pipe, patience + ANSWER_SECONDS_MORE, "check", number, patience)
    measured.seconds = told.seconds + late
    measured.announced, measured.withdrawn = told.announced, told.withdrawn
    measured.updates, measured.octets = told.updates, told.octets
    measured.generator_cpu_seconds = told.cpu_seconds


def _settle(daemon: Daemon) -> float:
    """Wait until the daemon has nothing to do; gives its CPU time then."""
    deadline = monotonic() + SETTLE_SECONDS_MAX
    last = cpu_seconds(daemon.measured())
    while monotonic() < deadline:
        sleep(SETTLE_STEP_SECONDS)
        must_live(daemon)
        now = cpu_seconds(daemon.measured())
        if now - last < QUIET_SHARE * SETTLE_STEP_SECONDS:
            break
        last = now
    return cpu_seconds(daemon.measured())


def must_live(daemon: Daemon) -> None:
    """Raise `GivenUpError` if one of its processes has ended."""
    for process in daemon.measured():
        if not processes.is_alive(process):
            raise GivenUpError(f"{process.command.name} died")
