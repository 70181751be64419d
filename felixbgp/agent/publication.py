"""When our status document is written: on change, not more often than once a second, one at a time."""

from collections.abc import Callable

from felixbgp.agent.effects import PutStatus
from felixbgp.agent.inputs import StatusWriteFailed, StatusWritten
from felixbgp.status.node_status import NodeStatus

INTERVAL_NS = 1_000_000_000
"""A cluster of 1,000 nodes that all change at once then costs the store 1,000 writes a second at most."""
RETRY_NS = 5_000_000_000
"""The store was asked and refused or did not answer; its client has its own, quicker attempts inside."""


class Publication:
    """Coalesces: what changes between two writes is written once, the last state wins."""

    def __init__(self) -> None:
        self._changed = False
        self._last: NodeStatus | None = None
        self._not_before = 0
        self._writing = False

    def touch(self) -> None:
        """Something that the document shows may have changed."""
        self._changed = True

    def feed(self, event: StatusWritten | StatusWriteFailed, now: int) -> None:
        """Take the answer to the last write; a failed one is made again, with the state of then."""
        self._writing = False
        if isinstance(event, StatusWriteFailed):
            self._last = None
            self._changed = True
            self._not_before = now + RETRY_NS

    def restored(self, now: int) -> None:
        """The store answers again: no reason to wait any longer."""
        self._not_before = min(self._not_before, now)

    def take(self, now: int, build: Callable[[], NodeStatus]) -> list[PutStatus]:
        """The write that is due, if any; `build` is called only when one may be."""
        if not self._changed or self._writing or now < self._not_before:
            return []
        self._changed = False
        status = build()
        if status == self._last:
            return []
        self._last = status
        self._writing = True
        self._not_before = now + INTERVAL_NS
        return [PutStatus(status)]

    def next_deadline(self) -> int | None:
        """When a write is due; None while nothing changed or one is under way."""
        return self._not_before if self._changed and not self._writing else None
