"""What the matrix asks of a daemon, and how one is run in the foreground of a namespace."""

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from felixbgp.lab import netns, processes
from felixbgp.net import Address, Prefix
from tests.interop.plan import VARIANTS, Feature, Neighbour, Variant

COMMAND_SECONDS_MAX = 20
"""No question to a daemon takes near as long, also while five of them start on one processor."""
SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""Debian keeps daemons out of an ordinary user's PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session as the daemon sees it."""

    state: str
    """Its own word; `Established` in all of them."""
    updates_received: int | None = None
    """UPDATEs, or routes in them: a number that grows when routes are sent again; None where it has none."""
    refreshes_sent: int | None = None
    """ROUTE-REFRESH messages; None where it does not count them."""

    @property
    def established(self) -> bool:
        """Whether routes may pass."""
        return self.state.lower() == "established"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path of a prefix as the daemon has it."""

    neighbour: Address | None
    """Who announced it; None for one of its own."""
    next_hop: Address | None = None
    as_path: tuple[int, ...] = ()
    local_pref: int | None = None
    communities: frozenset[tuple[int, ...]] = frozenset()
    large_communities: frozenset[tuple[int, ...]] = frozenset()
    route_targets: frozenset[tuple[int, ...]] = frozenset()
    """Extended communities of RFC 4360 §4: AS number and number."""
    originator_id: Address | None = None
    cluster_list: tuple[Address, ...] = ()
    path_id: int | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """What a daemon has not got, and where that stands: in its documentation, or in its own words."""

    reason: str
    proof: str
    variants: tuple[Variant, ...] = VARIANTS
    """In which sessions."""


class NoAnswerError(Exception):
    """A daemon's own CLI failed; the text is its complaint."""


@dataclass
class Daemon(ABC):
    """One instance. `folder` is its own; `neighbours` are its sessions."""

    namespace: str
    folder: Path
    neighbours: tuple[Neighbour, ...]
    is_back: bool = False
    """Whether this is a restart: then it says so, and has no more of its own but one plain prefix."""
    _running: list[processes.Running] = field(default_factory=list)

    name: ClassVar[str]
    package: ClassVar[str]
    limits: ClassVar[Mapping[Feature, Limit]] = {}
    relays: ClassVar[bool] = True
    """Whether it tells one neighbour what it heard from another."""
    partial: ClassVar[Mapping[Feature, Limit]] = {}
    """Features of which it has one half, and why not the other."""
    keeps_routes: ClassVar[bool] = True
    """Whether it keeps the routes of a neighbour that restarts (RFC 4724 §4.2)."""
    has_routes_kept: ClassVar[bool] = True
    """Whether it asks its neighbours to keep its own (RFC 4724 §4.1)."""
    note: ClassVar[str] = ""
    """What else there is to know of it."""

    @abstractmethod
    def version(self) -> str:
        """As it says itself."""

    @abstractmethod
    def write_configuration(self) -> None:
        """Everything it needs, in `folder`."""

    @abstractmethod
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """What to run, in order; each stays in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether its CLI answers."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to say
        """What has to be said by the CLI once it answers."""

    @abstractmethod
    def sessions(self) -> dict[Address, Session]:
        """All sessions, by our end."""

    @abstractmethod
    def routes(self, prefix: Prefix) -> list[Route]:
        """All paths of a prefix."""

    @abstractmethod
    def refresh(self, neighbour: Neighbour) -> None:
        """Ask that neighbour for its routes again (RFC 2918)."""

    def start(self) -> None:
        """Run it; `is_ready` tells when it is there."""
        for number, arguments in enumerate(self.commands()):
            command = processes.Command(
                f"{self.name}-{number}", arguments, str(self.log), self.namespace, self.environment()
            )
            self._running.append(processes.spawn(command))

    def environment(self) -> tuple[tuple[str, str], ...]:
        """Variables for its processes."""
        return ()

    def kill(self) -> None:
        """As kill -9."""
        for running in self._running:
            processes.kill(running)
        processes.kill_inside(self.namespace)
        self._running.clear()

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "log"

    def log_end(self) -> str:
        """The last of it, for messages."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def ask(self, *arguments: str) -> str:
        """The output of a command in the daemon's namespace; raises `NoAnswerError`."""
        return output_in(self.namespace, *arguments)


def output_in(namespace: str, *arguments: str) -> str:
    """The output of a command in a namespace; raises `NoAnswerError`."""
    return output(netns.exec_arguments(namespace, arguments))


def output(arguments: Sequence[str]) -> str:
    """The output of a command; raises `NoAnswerError`."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise NoAnswerError(f"`{' '.join(arguments)}`: {done.stdout.strip()} {done.stderr.strip()}")
    return done.stdout or done.stderr


def program(name: str, folder: str = "") -> str:
    """The path of an installed program."""
    path = shutil.which(name, path=folder or SEARCH_PATH)
    assert path is not None, f"{name} is not installed; the Makefile names the packages"
    return path


def numbers(text: str) -> tuple[int, ...]:
    """The numbers of a community, however they are parted."""
    return tuple(map(int, re.findall(r"\d+", text)))
