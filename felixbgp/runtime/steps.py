"""How long the steps of the loop take, by kind. While one lasts nobody else is served."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

MILLISECOND_NS: Final = 1_000_000
LONG_NS: Final = 100 * MILLISECOND_NS
"""A step far beyond the bound of 5 ms, which an operator should hear of."""
COMPLAINT_INTERVAL_NS: Final = 10_000 * MILLISECOND_NS
BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
"""Upper bounds of the classes in which steps are counted; longer ones are in one more."""
SHORT_MS: Final = 5
"""The bound of a step: what a status tells of shorter ones too."""
SLICE_NS: Final = 5_000 * MILLISECOND_NS
SLICES: Final = 12
"""A minute, in parts."""


class StepKind(StrEnum):
    """What a step is for. Operators read these names in the status and among the metrics."""

    FEED = "feed"
    """To hand over what came in, whoever it is from."""
    TAKE = "take"
    """Sessions, what peers sent, selection; with the start of what follows from it, as for the next ones."""
    TELL = "tell"
    """To tell peers and kernel."""
    PUBLISH = "publish"
    """To put the status and reports together."""
    STORE = "store"
    """To read what etcd sent, and to write what it is sent."""
    KERNEL = "kernel"
    """The same for the kernel."""
    OTHER = "other"
    """Whatever else: connections, the system's signals."""


@dataclass(frozen=True, slots=True)
class StepTookLong:
    """A fact: one step of the loop took very long, with this budget (0 for a feed)."""

    step: str
    milliseconds: int
    budget: int


class Longest(NamedTuple):
    """The longest steps in nanoseconds: since the start, and of the last minute."""

    ever_ns: int
    lately_ns: int


class Named(NamedTuple):
    """The longest steps, rounded up to 5, 10, 20, 50, … ms, and of which kind they are if that is above 5."""

    ever_ms: int
    ever_kind: str
    lately_ms: int
    lately_kind: str


class Steps:
    """Durations of one kind of step, `name`. Recording one costs well below a microsecond."""

    __slots__ = ("_complained_at", "_lately", "_slice", "counts", "longest_ns", "name", "total_ns")

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.longest_ns = 0
        self.total_ns = 0
        self._lately = [0] * SLICES
        self._slice = 0
        self._complained_at: int | None = None

    def record(self, now_ns: int, took_ns: int) -> None:
        """A step ended now."""
        self.counts[0 if took_ns <= MILLISECOND_NS else bisect_left(BOUNDS_MS, took_ns / MILLISECOND_NS)] += 1
        self.total_ns += took_ns
        self._pass_time(now_ns)
        position = self._slice % SLICES
        if took_ns > self._lately[position]:
            self._lately[position] = took_ns
            self.longest_ns = max(self.longest_ns, took_ns)

    def longest(self, now_ns: int) -> Longest:
        """The longest steps as of now."""
        self._pass_time(now_ns)
        return Longest(self.longest_ns, max(self._lately))

    def complaint(self, now_ns: int, took_ns: int, budget: int) -> StepTookLong | None:
        """What to tell of a step that took so long; a run of them is told of every ten seconds."""
        if took_ns < LONG_NS:
            return None
        if self._complained_at is not None and now_ns - self._complained_at < COMPLAINT_INTERVAL_NS:
            return None
        self._complained_at = now_ns
        return StepTookLong(self.name, took_ns // MILLISECOND_NS, budget)

    def _pass_time(self, now_ns: int) -> None:
        """Forget what is older than a minute."""
        current = now_ns // SLICE_NS
        for passed in range(max(self._slice + 1, current - SLICES + 1), current + 1):
            self._lately[passed % SLICES] = 0
        self._slice = max(self._slice, current)


def longest_of(kinds: Iterable[Steps], now_ns: int) -> Named:
    """The longest of several kinds of steps; of equally long ones the first."""
    ever, lately = (0, ""), (0, "")
    for steps in kinds:
        longest = steps.longest(now_ns)
        if longest.ever_ns > ever[0]:
            ever = longest.ever_ns, steps.name
        if longest.lately_ns > lately[0]:
            lately = longest.lately_ns, steps.name
    return Named(*_told(*ever), *_told(*lately))


def _told(took_ns: int, kind: str) -> tuple[int, str]:
    """Which of many short steps was the longest is no news."""
    took_ms = rounded_up_ms(took_ns)
    return took_ms, "" if took_ms == SHORT_MS else kind


def rounded_up_ms(took_ns: int) -> int:
    """A duration as the least of 5, 10, 20, 50, … ms that it does not exceed.

    That is all that a status tells, so that it does not change with every breath.
    """
    at_least = bisect_left(BOUNDS_MS, took_ns / MILLISECOND_NS)
    return max(SHORT_MS, BOUNDS_MS[min(at_least, len(BOUNDS_MS) - 1)])
