"""From what the store sent to what this node must do, some of it at a time.

    fed ─▶ waiting ─▶ folded into the state, as far as was fed by then ─▶ derived ─▶ Derived
              ▲                                                                        │
              └────────────────────────── what was fed meanwhile ◀─────────────────────┘

Standing rules:

* What was fed between two drains is derived together, never a part of it: the events of one write of the
  store are fed together, and so are seen together.
* Until a derivation is done the state stays as it is, and what was derived before holds.
* Whoever feeds stops while there `is_much` to read: nothing else bounds a fast store.
"""

from collections import deque
from typing import Final

from felixbgp.cluster.inputs import SnapshotReceived, StoreInput
from felixbgp.cluster.node_statuses import NodeStatuses, is_of_node_statuses
from felixbgp.cluster.parts import Parts, Work
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derivation import Derivation, Derived

PARTS_AT_ONCE: Final = 200
"""Of about ten microseconds each (`cluster/parts.py`), so that a drain has time for the sessions as well."""
PARTS_BESIDE: Final = 50
"""The same while the speaker has a step's work of its own."""
UNREAD_MAX: Final = 1_024
"""Values that may wait here before whoever feeds is told to: some ten drains."""


class Intake:
    """Follows the store into `state`, and from there; nothing is derived before that is in sync."""

    def __init__(
        self, state: ClusterState, derivation: Derivation, reports: NodeStatuses | None = None
    ) -> None:
        self._state = state
        self._reports = reports
        self._derivation = derivation
        self._waiting: deque[StoreInput] = deque()
        self._unread = 0
        self._together = 0
        """How many of them are read before anything is derived."""
        self._folding: Work[bool] | None = None
        self._deriving: Work[Derived] | None = None
        self._is_due = False
        self.has_other_reports = False
        """Whether one of our CalicoNodeStatuses changed, its report aside; whoever heeds it sets it back."""

    def feed(self, event: StoreInput) -> None:
        """Take an event; it is read when its turn comes."""
        self._waiting.append(event)
        self._unread += _size(event)

    def derive_again(self) -> None:
        """Something changed that the state tells of: derive once more, though nothing is fed."""
        self._is_due = True

    @property
    def is_amid(self) -> bool:
        """Whether some of what belongs together is read and the rest is not, or not all of it is derived."""
        return self._together > 0 or self._deriving is not None

    @property
    def has_work(self) -> bool:
        """Whether `take` has something to do."""
        return bool(self._waiting) or self._is_due or self.is_amid

    @property
    def is_much(self) -> bool:
        """Whether whoever feeds had better wait."""
        return self._unread >= UNREAD_MAX

    def take(self, credit: int = PARTS_AT_ONCE) -> Derived | None:
        """Go on for so many parts; what was derived, when all of that is done."""
        if self._deriving is None:
            credit = self._read(credit)
            if self._together or not self._is_due:
                return None
            self._is_due = False
            self._deriving = Work(self._derivation.follow(self._state, self._state.take_changes()))
        self._deriving.go_on(credit)
        derived = self._deriving.result
        if derived is not None:
            self._deriving = None
        return derived

    def _read(self, credit: int) -> int:
        """Read what belongs together; what is left of the credit."""
        if not self._together:
            self._together = len(self._waiting)
        while self._together and credit > 0:
            event, was_in_sync = self._waiting[0], self._state.in_sync()
            if self._folding is None:
                self._folding = Work(self._fold(event))
            credit = self._folding.go_on(credit)
            changed = self._folding.result
            if changed is not None:
                self._folding = None
                self._waiting.popleft()
                self._together -= 1
                self._unread -= _size(event)
                is_in_sync = self._state.in_sync()
                self._is_due = self._is_due or (is_in_sync and (changed or not was_in_sync))
        return credit

    def _fold(self, event: StoreInput) -> Parts[bool]:
        """Whether something is to be derived anew; nothing is from the CalicoNodeStatuses."""
        if self._reports is None or not is_of_node_statuses(event):
            return (yield from self._state.fold(event))
        self.has_other_reports = (yield from self._reports.fold(event)) or self.has_other_reports
        return False


def _size(event: StoreInput) -> int:
    return len(event.values) if isinstance(event, SnapshotReceived) else 1
