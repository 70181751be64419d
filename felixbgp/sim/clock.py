"""Virtual time: a queue of what happens when. Ties go to whoever was scheduled first."""

import heapq
from collections.abc import Callable
from typing import Final

PARTS: Final = 1_000_000


class Clock:
    """Monotonic nanoseconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0

    def call_at(self, when: int, action: Callable[[], None]) -> None:
        """Do `action` at `when`, or next if that has passed."""
        self._scheduled += 1
        heapq.heappush(self._queue, (max(when, self.now), self._scheduled, action))

    def call_after(self, delay: int, action: Callable[[], None]) -> None:
        """Do `action` in `delay` nanoseconds."""
        self.call_at(self.now + delay, action)

    def step(self) -> bool:
        """Move to the next thing that is due and do it; False when nothing will ever happen."""
        if not self._queue:
            return False
        self.now, _, action = heapq.heappop(self._queue)
        action()
        return True

    def next_time(self) -> int | None:
        """When the next thing happens."""
        return self._queue[0][0] if self._queue else None


class LocalClock:
    """One machine's: it began at `offset_ns`, and runs `fast_ppm` parts in a million fast."""

    def __init__(self, clock: Clock, offset_ns: int = 0, fast_ppm: int = 0) -> None:
        """`fast_ppm` may be negative, and is above -1,000,000: time never stands still."""
        self._clock = clock
        self._offset_ns = offset_ns
        self._rate = PARTS + fast_ppm

    @property
    def now(self) -> int:
        """Its time, in nanoseconds."""
        return self._offset_ns + self._clock.now * self._rate // PARTS

    def true_time(self, when: int) -> int:
        """The first moment of the true clock at which this one shows `when` or more."""
        return -((self._offset_ns - when) * PARTS // self._rate)
