"""Many timers, one next deadline."""

from heapq import heapify, heappop, heappush


class Deadlines:
    """The current deadline of each of many keys; cheap to move, and to ask for the earliest.

    A heap whose outdated entries are dropped when they come up.
    """

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def set(self, key: int, at: int | None) -> None:
        """Move a deadline, or with None remove it."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heappush(self._heap, (at, key))
            if len(self._heap) > 64 + 4 * len(self._at):
                # Deadlines that keep moving leave their old entries behind.
                self._heap = [(at, key) for key, at in self._at.items()]
                heapify(self._heap)

    def earliest(self) -> int | None:
        """The earliest deadline; None when there is none."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now: int) -> list[int]:
        """Remove the keys that are due at `now` and return them, earliest first, then by key."""
        due: list[int] = []
        while (at := self.earliest()) is not None and at <= now:
            key = heappop(self._heap)[1]
            del self._at[key]
            due.append(key)
        return due
