"""When to try a refused route again: exponential back-off, cut short when the cause may be mended."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from felixbgp.fib.hops import HopIndex
from felixbgp.fib.types import Route
from felixbgp.net import Nlri, Prefix

SECOND = 1_000_000_000
RETRY_NS_MIN = SECOND
RETRY_NS_MAX = 60 * SECOND
"""First and longest wait, nanoseconds: a minute is also how often the whole table is read again."""


@dataclass(slots=True)
class _Attempt:
    """How often a prefix failed in a row, and when it is due; `due` is None while it is tried again."""

    failures: int
    due: int | None
    route: Route | None


class RetryQueue:
    """The refused prefixes of one family and their deadlines."""

    __slots__ = ("_attempts", "_deadlines", "_index", "_serial")

    def __init__(self) -> None:
        self._attempts: dict[Nlri, _Attempt] = {}
        self._deadlines: list[tuple[int, int, Nlri]] = []
        self._index = HopIndex()
        self._serial = 0

    def failed(self, nlri: Nlri, route: Route | None, now: int) -> None:
        """One more failure: wait 1, 2, 4 … 60 seconds. `route` is what was refused, None for a removal."""
        previous = self._attempts.get(nlri)
        failures = 1 if previous is None else previous.failures + 1
        self.forget(nlri)
        # The shift is bounded before it is made: a route can fail for years.
        due = now + min(RETRY_NS_MIN << min(failures - 1, 6), RETRY_NS_MAX)
        self._attempts[nlri] = _Attempt(failures, due, route)
        if route is not None:
            self._index.add(nlri, route)
        self._serial += 1
        heappush(self._deadlines, (due, self._serial, nlri))

    def forget(self, nlri: Nlri) -> None:
        """The prefix succeeded, or something else is wanted now: the count starts anew."""
        if not self._attempts:
            return
        attempt = self._attempts.pop(nlri, None)
        if attempt is not None and attempt.route is not None:
            self._index.discard(nlri, attempt.route)

    def resume(self, nlri: Nlri) -> None:
        """The prefix is tried now; its count is kept."""
        attempt = self._attempts.get(nlri)
        if attempt is not None:
            attempt.due = None

    def take_due(self, now: int) -> list[Nlri]:
        """The prefixes whose wait is over."""
        due: list[Nlri] = []
        while self._deadlines and (self._deadlines[0][0] <= now or self._is_stale(self._deadlines[0])):
            entry = heappop(self._deadlines)
            if not self._is_stale(entry):
                due.append(entry[2])
                self.resume(entry[2])
        return due

    def next_deadline(self) -> int | None:
        """When the first wait is over, nanoseconds."""
        while self._deadlines and self._is_stale(self._deadlines[0]):
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def mended_by_link(self, interface: str) -> list[Nlri]:
        """The waiting prefixes that an interface coming up may help: those that name it or name none."""
        return self._waiting([*self._index.through_interface(interface), *self._index.without_interface()])

    def mended_by_route(self, link: Prefix, interface: str) -> list[Nlri]:
        """The waiting prefixes that a prefix now reached through an interface may help.

        Those with a gateway inside it, and those that name the interface.
        """
        return self._waiting([*self._index.through_gateways(link), *self._index.through_interface(interface)])

    def _waiting(self, nlris: Iterable[Nlri]) -> list[Nlri]:
        return [nlri for nlri in dict.fromkeys(nlris) if self._attempts[nlri].due is not None]

    def _is_stale(self, entry: tuple[int, int, Nlri]) -> bool:
        attempt = self._attempts.get(entry[2])
        return attempt is None or attempt.due != entry[0]
