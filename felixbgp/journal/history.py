"""What a journal tells of the past: what changed in the store, and what became of the sessions.

    Fed ────► Known ────────────────────────► ResourceChanged
    Called ─► Replay ─► Observe(fact) ──────► SessionChanged

Of what an agent did there are digests alone in a journal, so that its sessions are had by doing it again.
Where the agent of today does otherwise, or raises, that is said once, and what the store told goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from felixbgp.agent.effects import Observe
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.cluster.inputs import DatastoreLost, DatastoreRestored
from felixbgp.journal.fields import FieldChange, field_changes
from felixbgp.journal.known import Change, Known
from felixbgp.journal.recorder import told_of
from felixbgp.journal.records import Began, Called, Ended, Fed, Record
from felixbgp.journal.replay import Difference, Replay


@dataclass(frozen=True, slots=True)
class Told:
    """Something about the agent, its recording or its store. `is_gap`: what comes is not all there was."""

    at: int
    revision: int
    text: str
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class ResourceChanged:
    """A key was written or deleted; `fields` is how it differs.

    `is_listed`: nobody was told when it went, and by `revision` it was gone.
    """

    at: int
    revision: int
    key: str
    is_put: bool
    is_new: bool
    is_listed: bool
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A peer's state changed, and why; `revision` is how far the agent was with the store.

    `cause` is what the status named then where there is no session and no attempt at one, `reason` the
    speaker's own words.
    """

    at: int
    revision: int
    peer: PeerId
    name: str
    old: str
    new: str
    reason: str
    cause: Cause | None = None


Event = Told | ResourceChanged | SessionChanged
"""`at` is in nanoseconds of the agent's clock, `revision` of etcd; 0 before the first."""


class History:
    """One life of an agent. `known` is what the lives before were told of the store, and goes on."""

    def __init__(self, known: Known, *, with_sessions: bool = True) -> None:
        self._known = known
        self._with_sessions = with_sessions
        self._replay: Replay | None = None
        self._has_begun = False
        self._now = 0

    def take(self, record: Record) -> Iterator[Event]:
        """What a record tells. Raises `JournalError` for a journal that begins twice."""
        match record:
            case Began():
                if self._with_sessions:
                    self._replay = Replay(record)
                return
            case Fed():
                if not self._has_begun:
                    self._has_begun = True
                    yield Told(record.now, self._known.revision, "the agent starts")
                self._now = record.now
                yield from self._fed(record)
            case Called():
                self._now = record.now
            case Ended():
                yield self._told(f"the recording ends: {record.reason}", is_gap=True)
            case _:
                pass
        yield from self._replayed(record)

    def gap(self, text: str) -> Told:
        """That something is missing from here on."""
        return self._told(text, is_gap=True)

    def _fed(self, record: Fed) -> Iterator[Event]:
        match record.event:
            case DatastoreLost():
                yield self._told(f"etcd is lost: {record.event.reason}")
            case DatastoreRestored():
                yield self._told("etcd answers again")
            case _:
                for change in self._known.take(record.event):
                    yield _changed(record.now, change)

    def _replayed(self, record: Record) -> Iterator[Event]:
        """What the agent says when it is given and asked the same again."""
        replay = self._replay
        if replay is None:
            return
        replay.effects = []
        try:
            difference = replay.take(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the agent's, and what a journal is for
            self._replay = None
            yield self._told(f"what its sessions did from here on is missing: {told_of(error)}", is_gap=True)
            return
        if difference is not None:
            replay.go_on()
            yield self._told(_otherwise(difference), is_gap=True)
        yield from self._transitions(replay)

    def _transitions(self, replay: Replay) -> Iterator[Event]:
        for effect in replay.effects:
            if isinstance(effect, Observe) and isinstance(effect.fact, SessionStateChanged):
                fact = effect.fact
                revision, states = self._known.revision, (str(fact.old), str(fact.new))
                cause = replay.agent.cause(fact.peer) if fact.new in ("Idle", "Active") else None
                yield SessionChanged(self._now, revision, fact.peer, fact.name, *states, fact.reason, cause)

    def _told(self, text: str, *, is_gap: bool = False) -> Told:
        return Told(self._now, self._known.revision, text, is_gap)


class Worthwhile:
    """Of the changes of sessions those that a reader wants: a peer that is dialled in vain is told once.

    That is what begins or ends a session, and what has a cause that its peer did not have the last time.
    """

    def __init__(self) -> None:
        self._causes: dict[PeerId, tuple[Cause | None, str]] = {}

    def __call__(self, event: Event) -> bool:
        """Whether an event is one of them; all that are about something else are."""
        if not isinstance(event, SessionChanged):
            return True
        if "Established" in (event.old, event.new):
            self._causes.pop(event.peer, None)
            return True
        if not event.reason or event.old == "Idle" or event.new not in ("Idle", "Active"):
            return False
        before, cause = self._causes.get(event.peer), (event.cause, event.reason)
        self._causes[event.peer] = cause
        return cause != before


def _changed(now: int, change: Change) -> ResourceChanged:
    return ResourceChanged(
        at=now,
        revision=change.revision,
        key=change.key,
        is_put=change.after is not None,
        is_new=change.before is None,
        is_listed=change.is_listed,
        fields=() if change.after is None else field_changes(change.key, change.before, change.after),
    )


def _otherwise(difference: Difference) -> str:
    return (
        f"from call {difference.number} on an agent of today does otherwise; "
        "what is told of sessions is what they would have done now"
    )
