"""Prefixes that wait for their turn, in the order in which they came."""

from itertools import islice

from felixbgp.net import Nlri


class Waiting:
    """An ordered set from which the first are taken.

    To take from the front of a dictionary again and again is to pass over all that was taken before, so the
    order of many is written down once and then walked through.
    """

    __slots__ = ("_entries", "_order", "_position")

    def __init__(self) -> None:
        self._entries: dict[Nlri, None] = {}
        self._order: list[Nlri] = []
        self._position = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, nlri: Nlri) -> bool:
        return nlri in self._entries

    def add(self, nlri: Nlri) -> None:
        """Have a prefix wait, behind the others; one that waits already keeps its place."""
        self._entries[nlri] = None

    def add_all(self, nlris: dict[Nlri, None]) -> None:
        """Have many wait, in their order; the dictionary is given away."""
        if self._entries:
            self._entries.update(nlris)
        else:
            self._entries = nlris

    def discard(self, nlri: Nlri) -> None:
        """A prefix waits no more, if it did."""
        self._entries.pop(nlri, None)

    def clear(self) -> None:
        """None waits any more."""
        self._entries.clear()
        self._forget_order()

    def copy(self) -> dict[Nlri, None]:
        """All that wait."""
        return self._entries.copy()

    def take(self, count: int) -> list[Nlri]:
        """Remove and return the first `count`, or all there are."""
        entries = self._entries
        if count >= len(entries):
            taken = list(entries)
            self.clear()
            return taken
        taken = []
        while len(taken) < count:
            if self._position == len(self._order):
                self._order, self._position = list(entries), 0
            end = self._position + count - len(taken)
            for nlri in islice(self._order, self._position, end):
                # One that left and came back since may go now: it did not wait longer than it says.
                if nlri in entries:
                    del entries[nlri]
                    taken.append(nlri)
            self._position = min(end, len(self._order))
        if not entries:
            self._forget_order()
        return taken

    def _forget_order(self) -> None:
        self._order = []
        self._position = 0
