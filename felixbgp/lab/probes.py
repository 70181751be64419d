"""Probes at 1 kHz between all endpoints of a lab, and what of them was lost.

    with Probes.between(lab.plan.endpoints) as probes:
        probes.wait_until_all_work()
        probes.mark()
        ...                                   # whatever must lose nothing
        result = probes.stop()

One `lab.prober` process for each endpoint, in its namespace. Between every two endpoints, in both directions
and in each family, one UDP packet a millisecond.
"""

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from felixbgp.lab.plan import Workload
from felixbgp.lab.prober import INTERVAL_NS
from felixbgp.lab.waiting import NotInTimeError

START_SECONDS = 1.0
"""Until the first packet: so long may the processes take to start."""
WORK_SECONDS_MAX = 60.0
DRAIN_SECONDS = 1.0
"""What is not there by then after the last packet was sent is lost."""
REPORT_SECONDS_MAX = 60.0
SHOWN_MAX = 6
"""Pairs named when not all of them work."""
SOFTNET = Path("/proc/net/softnet_stat")

Ranges = Sequence[tuple[int, int]]
"""Numbers of packets as first and last of each row, in order."""


class ProbeError(Exception):
    """The probes themselves failed, so that their result would say nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of the packets from one endpoint to another in one family (4 or 6).

    `gap_ms` is the longest time between two packets that came, by when they were due: 1 where none is lost.
    `first_lost_ms` is when the first that never came was due, after the mark.
    """

    source: str
    target: str
    family: int
    sent: int
    lost: int
    gap_ms: int
    duplicates: int = 0
    reordered: int = 0
    delay_ms_max: float = 0.0
    first_lost_ms: int = 0


@dataclass(frozen=True, slots=True)
class Losses:
    """All pairs. `lag_ms_max` is how late a packet was sent at most, when its sender was not scheduled.

    `dropped` packets came, and the socket that they came to had no room.
    """

    pairs: tuple[Pair, ...]
    seconds: float
    lag_ms_max: float
    dropped: int = 0

    @property
    def sent(self) -> int:
        """Packets sent."""
        return sum(pair.sent for pair in self.pairs)

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return sum(pair.lost for pair in self.pairs)

    @property
    def gap_ms(self) -> int:
        """The longest of all gaps."""
        return max((pair.gap_ms for pair in self.pairs), default=0)

    def losing(self) -> list[str]:
        """The pairs that lost something, in words, the worst first."""
        worst = sorted(self.pairs, key=lambda pair: (-pair.lost, pair.source, pair.target, pair.family))
        return [
            f"{pair.source} to {pair.target} (IPv{pair.family}): {pair.lost} of {pair.sent} lost, "
            f"{pair.gap_ms} ms without any, the first after {pair.first_lost_ms} ms"
            for pair in worst
            if pair.lost
        ]


class Probes:
    """Probes on their way for the length of a `with` block. Raises `ProbeError`."""

    def __init__(self, endpoints: Iterable[Workload], families: Iterable[int]) -> None:
        self._endpoints = tuple(endpoints)
        self._families = tuple(families)
        self._stack = ExitStack()
        self._processes: list[subprocess.Popen[str]] = []
        self._begin_ns = 0
        self._marked = 0
        self._machine_drops = 0

    @classmethod
    def between(cls, endpoints: Iterable[Workload], families: Iterable[int] = (4,)) -> Self:
        """Probes between all of these."""
        return cls(endpoints, families)

    def __enter__(self) -> Self:
        self._begin_ns = time.monotonic_ns() + int(START_SECONDS * 1e9)
        with ExitStack() as stack:
            for index in range(len(self._endpoints)):
                process = subprocess.Popen(
                    [sys.executable, "-m", "felixbgp.lab.prober"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                stack.enter_context(process)
                stack.callback(process.kill)
                self._processes.append(process)
                self._tell(process, json.dumps(self._config(index)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def wait_until_all_work(self, seconds_max: float = WORK_SECONDS_MAX) -> None:
        """Wait until a hundred packets in a row have come of every pair.

        Raises `NotInTimeError` with the pairs that lost most since the beginning.
        """
        deadline = time.monotonic() + seconds_max
        for endpoint, process in zip(self._endpoints, self._processes, strict=True):
            if not self._says_ready(endpoint, process, deadline):
                losing = self._count().losing()
                more = f"; and {len(losing) - SHOWN_MAX} more" if len(losing) > SHOWN_MAX else ""
                raise NotInTimeError(
                    f"not within {seconds_max:g} s: packets of all pairs arrive "
                    f"({'; '.join(losing[:SHOWN_MAX])}{more})"
                )

    def mark(self) -> None:
        """Count what is sent from now on."""
        for process in self._processes:
            self._tell(process, "mark")
        self._marked = (time.monotonic_ns() - self._begin_ns) // INTERVAL_NS + 1
        self._machine_drops = machine_drops()

    def stop(self) -> Losses:
        """Send no more, wait for what is on its way, and count."""
        losses = self._count()
        dropped = machine_drops() - self._machine_drops
        if losses.lost and (losses.dropped or dropped):
            raise ProbeError(
                f"{losses.dropped} packets were dropped by the probers' own sockets and {dropped} by the "
                f"machine's backlog: what {losses.lost} lost packets say of the routes is unknown"
            )
        return losses

    def _count(self) -> Losses:
        for process in self._processes:
            self._tell(process, "stop")
        time.sleep(DRAIN_SECONDS)
        names = [endpoint.name for endpoint in self._endpoints]
        said = zip(names, self._processes, strict=True)
        return count(names, [self._report(name, process) for name, process in said], self._marked)

    def _config(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "namespace": self._endpoints[index].namespace,
            "families": self._families,
            "begin_ns": self._begin_ns,
            "addresses": [{"4": endpoint.ipv4, "6": endpoint.ipv6} for endpoint in self._endpoints],
        }

    def _tell(self, process: subprocess.Popen[str], line: str) -> None:
        if process.stdin is None:
            raise ProbeError("a prober without a pipe")
        # That it has ended is said when it is to answer.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()

    def _says_ready(self, endpoint: Workload, process: subprocess.Popen[str], deadline: float) -> bool:
        """Wait for the one line that a prober says by itself."""
        if process.stdout is None:
            raise ProbeError("a prober without a pipe")
        left_s = deadline - time.monotonic()
        if not select.select([process.stdout], [], [], max(0.0, left_s))[0]:
            return False
        if not process.stdout.readline():
            raise ProbeError(f"the prober at {endpoint.name} ended")
        return True

    def _report(self, name: str, process: subprocess.Popen[str]) -> dict[str, Any]:
        """The last line that a prober says."""
        try:
            said, _ = process.communicate("count\n", timeout=REPORT_SECONDS_MAX)
            return dict(json.loads(said.splitlines()[-1]))
        except (subprocess.TimeoutExpired, BrokenPipeError, IndexError, ValueError) as error:
            raise ProbeError(f"the prober at {name} does not say what came: {error!r}") from error


def count(names: Sequence[str], reports: Sequence[dict[str, Any]], first: int) -> Losses:
    """Put together what the probers at `names` say; only packets from number `first` on count."""
    pairs = []
    for target, report in enumerate(reports):
        for incoming in report["incoming"]:
            source, family = incoming["source"], incoming["family"]
            sender = reports[source]
            unsent = {
                number
                for index, version, number in sender["unsent"]
                if (index, version) == (target, family) and number >= first
            }
            numbers = range(first, sender["sent"])
            sent, lost, gap_ms = _compare(numbers, unsent, incoming["ranges"])
            pairs.append(
                Pair(
                    names[source], names[target], family, sent, lost, gap_ms,
                    incoming["duplicates"], incoming["reordered"], incoming["delay_ms_max"],
                    _first_lost(numbers, unsent, incoming["ranges"]) - first if lost else 0,
                )
            )  # fmt: skip
    pairs.sort(key=lambda pair: (pair.source, pair.target, pair.family))
    longest = max((report["sent"] for report in reports), default=first)
    lag = max((report["lag_ms_max"] for report in reports), default=0.0)
    dropped = sum(report["dropped"] for report in reports)
    return Losses(tuple(pairs), max(0, longest - first) * INTERVAL_NS / 1e9, lag, dropped)


def machine_drops() -> int:
    """Packets that this machine's processors dropped because too many waited for them.

    The second column of each line of softnet_stat, in hexadecimal; every hop of a packet in a lab is there.
    """
    with contextlib.suppress(OSError):
        return sum(int(line.split()[1], 16) for line in SOFTNET.read_text(encoding="ascii").splitlines())
    return 0


def _compare(sent: range, unsent: set[int], received: Ranges) -> tuple[int, int, int]:
    """How many were sent, how many of them lost, and the longest gap in milliseconds."""
    count, gap = len(sent) - len(unsent), 0
    came, last = 0, sent.start - 1
    for begin, end in received:
        low, high = max(begin, sent.start), min(end, sent.stop - 1)
        if low > high:
            continue
        came += high - low + 1
        gap = max(gap, low - last, min(1, high - low))
        last = high
    gap = max(gap, sent.stop - last - 1)
    return count, max(0, count - came), gap * INTERVAL_NS // 1_000_000


def _first_lost(sent: range, unsent: set[int], received: Ranges) -> int:
    """The lowest number that was sent and never came; the end of what was sent where there is none."""
    number = sent.start
    for begin, end in received:
        while number < min(begin, sent.stop):
            if number not in unsent:
                return number
            number += 1
        number = max(number, end + 1)
    return next((one for one in range(number, sent.stop) if one not in unsent), sent.stop)
