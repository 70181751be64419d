"""The journals of a simulated cluster: a file for every life of every agent, for `felixbgp replay`."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.journal.recorder import RecordedAgent, Recorder


class Recordings:
    """Files `node-1.1`, `node-1.2`, … in a directory, for the time of a `with` block.

    Passwords stay in them as they are: those of a simulation are nobody's.
    """

    def __init__(self, directory: Path) -> None:
        """Raises `OSError` for a directory that cannot be made."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lives = Counter[str]()
        self._open = ExitStack()

    def make_agent(self, config: AgentConfig, jitter: Callable[[], float]) -> Agent:
        """Begin a life that is recorded. Raises `OSError`."""
        self._lives[config.node] += 1
        path = self._directory / f"{config.node}.{self._lives[config.node]}"
        file = self._open.enter_context(path.open("wb"))

        def write(octets: bytes) -> None:
            file.write(octets)

        return cast("Agent", RecordedAgent(config, jitter, Recorder(write)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
