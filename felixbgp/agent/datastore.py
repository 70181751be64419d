"""How well the agent follows the store, and what stands in for the store while that has never answered.

    Syncing ──── all prefixes read ────────────────────────▶ InSync ◀──▶ Lost
       └─ StateRecovered ─▶ Recovered ── the same ──────────────▲

Standing rules:

* What was recovered is read as what the store sends is: the rest of the agent sees no difference.
* It is not confirmed: no route of a former life is swept for want of somebody who announces it.
* What the store itself has said of a prefix counts more than what was recovered of it, whichever came first,
  and also where its revision is lower: a store that was restored from a backup is believed.
"""

from collections.abc import Iterable

from felixbgp.cluster.facts import (
    ClusterFact,
    LastKnownStateReplaced,
    LastKnownStateUnusable,
    LastKnownStateUsed,
)
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    PrefixRefused,
    SnapshotReceived,
    StateRecovered,
    StoreInput,
)
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, Recovered

SECOND_NS = 1_000_000_000
NOT_KEPT = "etcd does not answer, and nothing of this is kept on the node"


class Datastore:
    """The condition of one agent's store.

    `required` are the prefixes without which nothing is derived, `tolerated` those that are followed always,
    too, and that the store may refuse.
    """

    def __init__(self, required: Iterable[str], tolerated: Iterable[str] = ()) -> None:
        self.state = DatastoreState(DatastoreCondition.SYNCING, 0)
        self._unheard = dict.fromkeys(required)
        """Required prefixes of which the store itself has said nothing yet."""
        self._tolerated = dict.fromkeys(tolerated)
        """The same of the others."""
        self._lost: str | None = None
        """Why the store does not answer; None while it does, or was not asked."""
        self._recovered: Recovered | None = None
        self._kept: dict[str, SnapshotReceived] = {}
        """What was recovered of other prefixes, until somebody asks for it."""
        self._facts: list[ClusterFact] = []

    @property
    def is_confirmed(self) -> bool:
        """Whether nothing that is in force was only recovered."""
        return self._recovered is None

    def observe(self, event: StoreInput, now: int, *, in_sync: bool) -> None:
        """Hear what the store says, or of it; `in_sync`: whether all prefixes were read."""
        if isinstance(event, SnapshotReceived):
            self._unheard.pop(event.prefix, None)
            self._tolerated.pop(event.prefix, None)
            self._kept.pop(event.prefix, None)
        elif isinstance(event, DatastoreLost):
            self._lost = event.reason
            self._enter(DatastoreCondition.LOST, now)
        elif isinstance(event, DatastoreRestored):
            self._lost = None
            self._enter(DatastoreCondition.IN_SYNC if in_sync else DatastoreCondition.SYNCING, now)

    def recover(self, event: StateRecovered, now: int, *, in_sync: bool) -> list[StoreInput]:
        """What is to be read of a recovered state; nothing where the store was quicker, or some is missing.

        `in_sync`: whether all prefixes were read.
        """
        if in_sync or not self._unheard or self._recovered is not None:
            return []
        kept = {snapshot.prefix: snapshot for snapshot in event.snapshots}
        missing = [prefix for prefix in self._unheard if prefix not in kept]
        if missing:
            self._facts.append(LastKnownStateUnusable(f"nothing is kept of {', '.join(missing)}"))
            return []
        wanted: list[StoreInput] = [kept.pop(prefix) for prefix in self._unheard]
        self._kept = kept
        self._recovered = Recovered(event.revision, event.written_at)
        self._enter(DatastoreCondition.RECOVERED, now)
        age = max(0, now - event.written_at) // SECOND_NS
        self._facts.append(LastKnownStateUsed(event.revision, age))
        return wanted + self.stand_in(self._tolerated)

    def stand_in(self, prefixes: Iterable[str]) -> list[StoreInput]:
        """What is to be read for prefixes that resources call for, while the store does not answer."""
        if self._recovered is None or not self._unheard:
            return []
        kept = ((prefix, self._kept.pop(prefix, None)) for prefix in prefixes)
        return [PrefixRefused(prefix, NOT_KEPT) if one is None else one for prefix, one in kept]

    def settle(self, now: int, revision: int) -> bool:
        """All that was fed is read and in force, and the state is in sync; True when that is news."""
        if self._unheard and self._recovered is not None:
            return False
        if self._recovered is not None:
            self._facts.append(LastKnownStateReplaced(revision, self._recovered.revision))
            self._recovered = None
            self._kept = {}
            self._enter(DatastoreCondition.IN_SYNC if self._lost is None else DatastoreCondition.LOST, now)
            return True
        if self.state.condition is DatastoreCondition.SYNCING:
            self._enter(DatastoreCondition.IN_SYNC, now)
            return True
        return False

    def take_facts(self) -> list[ClusterFact]:
        """What was observed since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _enter(self, condition: DatastoreCondition, now: int) -> None:
        """What is recovered stays so, whether the store can be reached or not, until it was read."""
        if self._recovered is None:
            self.state = DatastoreState(condition, now, self._lost or "")
            return
        since = self.state.since if self.state.recovered is not None else now
        self.state = DatastoreState(DatastoreCondition.RECOVERED, since, self._lost or "", self._recovered)
