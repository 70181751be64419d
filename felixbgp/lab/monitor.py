"""Watch a kernel's routes while something else happens: what was added, changed and deleted."""

import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from felixbgp.lab import netns
from felixbgp.lab.waiting import wait_until

FIRST_MARK = "192.0.2.253"
LAST_MARK = "192.0.2.254"
"""Routes of our own, added to see the monitor report them: then it has reported everything before."""
MARK_SECONDS_MAX = 30.0


class RouteMonitor:
    """`ip monitor route` in a namespace for the length of a `with` block; then `events` has its lines.

    A deleted route's line begins with `Deleted`.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._output = Path()
        self._stack = ExitStack()
        self.events: list[str] = []

    def __enter__(self) -> Self:
        arguments = [netns.ip_command(), "-n", self._namespace, "monitor", "route"]
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="felixbgp-"))
            self._output = Path(folder) / "events"
            with self._output.open("wb") as output:
                process = subprocess.Popen(arguments, stdout=output)  # noqa: S603 - a list of our own
            stack.enter_context(process)
            stack.callback(process.kill)
            self._mark(FIRST_MARK)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self._mark(LAST_MARK)
                self.events = [
                    line for line in self._lines() if FIRST_MARK not in line and LAST_MARK not in line
                ]

    def of_protocol(self, protocol: str | int) -> list[str]:
        """The events of one routing protocol, for example `kernel`; a number where `ip` has no name."""
        return [line for line in self.events if f" proto {protocol} " in f"{line} "]

    def _mark(self, address: str) -> None:
        def reported() -> bool:
            # The first mark may come before the monitor listens, so it is made until it is reported; and
            # made anew each time, since the kernel is silent about a route replaced by its like.
            netns.batch(
                [f"route add blackhole {address}/32", f"route del blackhole {address}/32"], self._namespace
            )
            return any(address in line for line in self._lines())

        wait_until(reported, "`ip monitor` reports", MARK_SECONDS_MAX)

    def _lines(self) -> list[str]:
        return self._output.read_text(encoding="utf-8").splitlines()
