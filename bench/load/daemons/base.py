"""What every daemon under test has in common."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.load.loads import Load, parties_of
from bench.load.plan import DEVICE_V4, DEVICE_V6
from felixbgp.lab import processes
from felixbgp.lab.processes import Command, Running

POLICY_RULES = 20
"""Rules of the filter in the load `policy`: none of them matches but the last, which accepts."""


class UnavailableError(Exception):
    """The daemon is not installed, or does not run; the text says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon runs: its namespace, and a folder for its files."""

    namespace: str
    folder: Path


class Daemon:
    """One daemon, for one load."""

    name: ClassVar[str]
    title: ClassVar[str]
    is_slow: ClassVar[bool] = False
    """Whether it gets the smaller number of routes."""
    is_changing: ClassVar[bool] = True
    """Whether it puts its own AS in front of what it passes on to external peers."""
    cannot: ClassVar[dict[str, str]] = {}
    """Loads that it has no part in, and why."""
    remarks: ClassVar[dict[str, str]] = {}
    """What to know about its figures, by load."""

    def __init__(self, place: Place, load: Load) -> None:
        self.place = place
        self.load = load
        self.parties = parties_of(load)
        self._running: list[Running] = []

    @classmethod
    def obstacle(cls, load: Load) -> str:
        """Why it has no part in a load; "" when it has."""
        return cls.cannot.get(load.name, "")

    @classmethod
    def remark(cls, load: Load) -> str:
        """What to know about its figures for a load; "" for nothing."""
        return cls.remarks.get(load.name, "")

    @classmethod
    def version(cls) -> str:
        """What it says it is. Raises `UnavailableError`."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """The device's own, of the family of the sessions."""
        return DEVICE_V6 if self.load.is_ipv6 else DEVICE_V4

    def start(self) -> None:
        """Configure and start it; the parties find out when it listens."""
        raise NotImplementedError

    def measured(self) -> list[Running]:
        """The processes whose CPU time and memory count."""
        return self._running

    def longest_step(self) -> tuple[int, str]:
        """For how many ms it served nobody else at most, and by what; 0 where it does not say."""
        return 0, ""

    def stop(self) -> None:
        """End all its processes."""
        processes.stop_all(self._running)

    def log_tail(self) -> str:
        """The end of what it has written."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.place.folder / f"{self.name}.log"

    def spawn(self, name: str, *arguments: str, environment: tuple[tuple[str, str], ...] = ()) -> Running:
        """Start a process in the device's namespace."""
        log = self.place.folder / f"{name}.log"
        command = Command(name, arguments, str(log), self.place.namespace, environment)
        running = processes.spawn(command)
        self._running.append(running)
        return running

    def policy_prefixes(self) -> Iterator[str]:
        """The prefixes that the rules before the last reject: all of them where the load has no routes."""
        for number in range(POLICY_RULES - 1):
            yield f"10.{100 + number}.0.0/16"


def program(name: str, folder: str = "") -> str:
    """Where a program is. Raises `UnavailableError`."""
    found = shutil.which(name, path=f"{folder}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise UnavailableError(f"{name} is not installed")
    return found


def output(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip()
