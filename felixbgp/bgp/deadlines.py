"""Many timers, one next deadline."""

from enum import IntEnum
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

DUE_AT_ONCE: Final = 64
"""What is done for one costs up to 30 µs with the system call, and a thousand may be due together."""


class Timer(IntEnum):
    """The timers of a peering, all others being the session's own."""

    SESSION = 0
    SEND_HOLD = 1
    STALE = 2


_TIMERS: Final = len(Timer)


def key_of(number: int, timer: Timer) -> int:
    """The key of a timer of the peering with this number."""
    return _TIMERS * number + timer


def number_and_timer(key: int) -> tuple[int, int]:
    """Whose timer a key stands for, and which."""
    return divmod(key, _TIMERS)


class Deadlines:
    """The current deadline of each of many keys; cheap to move, and to ask for the earliest.

    A heap with an entry for each key. Most deadlines move away again and again, as those of a session do with
    every message: the entry stays where it is, and is put further down only when its time has come.
    """

    __slots__ = ("_at", "_heap", "_queued")

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []
        self._queued: dict[int, int] = {}
        """Of each key the time of the entry that counts: never later than its deadline."""

    def set(self, key: int, at: int | None) -> None:
        """Move a deadline, or with None remove it."""
        if at is None:
            self._at.pop(key, None)
            return
        self._at[key] = at
        queued = self._queued.get(key)
        if queued is None or queued > at:
            self._queued[key] = at
            heappush(self._heap, (at, key))
            if len(self._heap) > 64 + 4 * len(self._queued):
                # Deadlines that come ever closer leave their old entries behind.
                self._heap = [(at, key) for key, at in self._queued.items()]
                heapify(self._heap)

    def earliest(self) -> int | None:
        """The earliest deadline; None when there is none."""
        heap = self._heap
        while heap:
            queued, key = heap[0]
            at = self._at.get(key)
            if self._queued.get(key) != queued:
                heappop(heap)
            elif at is None:
                heappop(heap)
                del self._queued[key]
            elif at > queued:
                self._queued[key] = at
                heapreplace(heap, (at, key))
            else:
                return at
        return None

    def take_due(self, now: int) -> list[int]:
        """Remove the next keys that are due at `now` and return them, earliest first, then by key."""
        due: list[int] = []
        while len(due) < DUE_AT_ONCE and (at := self.earliest()) is not None and at <= now:
            key = heappop(self._heap)[1]
            del self._at[key]
            del self._queued[key]
            due.append(key)
        return due
