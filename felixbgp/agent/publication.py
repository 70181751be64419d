"""When our status document is written: on change, one at a time, and the rarer the more peers are in it.

    touched ─▶ not before ─▶ built ─▶ as last time? ─ yes ─▶ not looked at again for LOOK_NS
                   ▲                   │ no
                   └─ write interval ──┴─▶ PutStatus

A document has a line for every peer, and every session of a mesh is told by both its ends: what a cluster
writes at once grows with the square of its size. So does the bound: docs/scale.md has the figures.
"""

from collections.abc import Callable
from typing import Final

from felixbgp.agent.effects import PutStatus
from felixbgp.agent.inputs import StatusWriteFailed, StatusWritten
from felixbgp.cluster.parts import Parts, Work
from felixbgp.status.node_status import NodeStatus

INTERVAL_NS: Final = 1_000_000_000
"""A cluster of 1,000 nodes that all change at once then costs the store 1,000 writes a second at most."""
INTERVAL_PER_PEER_NS: Final = 20_000_000
"""And each node some 18 kB a second at most, as a peer has some 365 octets: 21 s between two writes with
1,000 peers, 1.2 s with ten."""
LOOK_PER_PEER_NS: Final = 4_000_000
"""After a look that found nothing new: it takes 8 µs a peer, and with 1,000 peers there is always a KEEPALIVE
to look after. So it takes 0.2 % of a processor at most."""
PARTS_AT_ONCE: Final = 200
"""Of building a document, some two milliseconds."""
RETRY_NS: Final = 5_000_000_000
"""The store was asked and refused or did not answer; its client has its own, quicker attempts inside."""


def interval_ns(peers: int) -> int:
    """How long after the write of a document with so many peers the next one is due at the soonest."""
    return INTERVAL_NS + INTERVAL_PER_PEER_NS * peers


class Publication:
    """Coalesces: what changes between two writes is written once, the last state wins.

    A document is built in parts: a peer that changes after its part was built is told by the next one.
    """

    def __init__(self) -> None:
        self._changed = False
        self._last: NodeStatus | None = None
        self._not_before = 0
        self._paced_until = 0
        """Until then no write of any kind: the bound on what we cost the store."""
        self._writing = False
        self._building: Work[NodeStatus] | None = None

    def touch(self) -> None:
        """Something that the document shows may have changed."""
        self._changed = True

    def feed(self, event: StatusWritten | StatusWriteFailed, now: int) -> None:
        """Take the answer to the last write; a failed one is made again, with the state of then."""
        self._writing = False
        if isinstance(event, StatusWriteFailed):
            self._last = None
            self._changed = True
            self._not_before = max(self._not_before, now + RETRY_NS)

    def restored(self, now: int) -> None:
        """The store answers again: a write that failed need not wait any longer than others."""
        self._not_before = min(self._not_before, max(now, self._paced_until))

    def take(self, now: int, build: Callable[[], Parts[NodeStatus]]) -> list[PutStatus]:
        """The write that is due, if any; `build` is called only when one may be, and gone on with."""
        if self._building is None:
            if not self._changed or self._writing or now < self._not_before:
                return []
            self._changed = False
            self._building = Work(build())
        self._building.go_on(PARTS_AT_ONCE)
        status = self._building.result
        if status is None:
            return []
        self._building = None
        if status == self._last:
            self._not_before = now + LOOK_PER_PEER_NS * len(status.peers)
            return []
        self._last = status
        self._writing = True
        self._not_before = self._paced_until = now + interval_ns(len(status.peers))
        return [PutStatus(status)]

    def next_deadline(self) -> int | None:
        """When a write is due, 0 while one is built; None while nothing changed or one is under way."""
        if self._building is not None:
            return 0
        return self._not_before if self._changed and not self._writing else None
