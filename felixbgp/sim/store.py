"""The store of a simulated cluster: keys, revisions, and watchers that hear of every change in their time.

What can happen to a watcher is what can happen with etcd (`runtime/etcd/watch.py`): it is late, it is cut off
and goes on from the revision it had, it must list anew because history was compacted or the store went back
to a backup. Beyond that an event may be told again, late ones after newer ones, and of several for one key
the last alone: that much an agent has to bear.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.sim.clock import Clock
from felixbgp.sim.observer import NOBODY, Observer

Watcher = Callable[[StoreInput], None]
Change = KeyPut | KeyDeleted


@dataclass(frozen=True, slots=True)
class Backup:
    """A store at one moment."""

    revision: int
    values: Mapping[str, StoredValue]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """How what a watcher missed is told to it when it is heard again."""

    coalesced: bool = False
    """Of each key the last change only."""
    repeated: bool = False
    """What it heard last once more, before the rest."""
    reversed: bool = False
    """The newest first."""


IN_ORDER = CatchUp()


@dataclass(slots=True)
class _Watching:
    """One node's watch."""

    name: str
    deliver: Watcher
    prefixes: dict[str, None]
    revision: int = 0
    """Up to which its events were sent to it; 0 when it must list."""
    arrives_at: int = 0
    unlisted: dict[str, None] = field(default_factory=dict)
    """The prefixes of which it has no snapshot yet."""
    is_told_lost: bool = False


class Store:
    """What etcd is to a real cluster. Every change reaches a watcher `latency_ns` later, or its own delay."""

    def __init__(self, clock: Clock, latency_ns: int) -> None:
        self._clock = clock
        self._latency_ns = latency_ns
        self._delays: dict[str, int] = {}
        self._slowness: dict[str, int] = {}
        self._values: dict[str, StoredValue] = {}
        self.observer: Observer = NOBODY
        self._history: list[Change] = []
        self._compacted = 1
        """Up to which revision there is no history."""
        self._watchers: dict[str, _Watching] = {}
        self._closed: dict[str, str] = {}
        self._silent: dict[str, int] = {}
        self._unreachable: dict[str, int] = {}
        self._available = True
        self._reason = ""
        self.revision = 1

    # -- keys -------------------------------------------------------------------------------------------

    def put(self, key: str, value: bytes) -> None:
        """Write a key."""
        self.revision += 1
        stored = StoredValue(key, value, self.revision)
        self._values[key] = stored
        self._announce(key, KeyPut(stored))

    def put_if_unchanged(self, key: str, value: bytes, revision: int) -> bool:
        """Write a key that was last written at `revision`; False, and nothing, if that has changed."""
        stored = self._values.get(key)
        if stored is None or stored.revision != revision:
            return False
        self.put(key, value)
        return True

    def delete(self, key: str) -> None:
        """Remove a key; as in etcd, one that is not there changes nothing."""
        if self._values.pop(key, None) is None:
            return
        self.revision += 1
        self._announce(key, KeyDeleted(key, self.revision))

    def get(self, key: str) -> bytes | None:
        """A key's value."""
        stored = self._values.get(key)
        return None if stored is None else stored.value

    def contents(self) -> Mapping[str, StoredValue]:
        """All keys with their values, as they are."""
        return MappingProxyType(self._values)

    def backup(self) -> Backup:
        """The store as it is now, to go back to."""
        return Backup(self.revision, dict(self._values))

    def restore(self, backup: Backup) -> None:
        """Go back to what was once: all that was written since is lost, and its revisions are given again."""
        for key in (*self._values, *backup.values):
            self.observer.key_changed(key)
        self._values = dict(backup.values)
        self.revision = self._compacted = backup.revision
        self._history = []
        for watching in self._watchers.values():
            watching.revision = 0
            watching.unlisted = dict(watching.prefixes)
            if self._hears(watching.name):
                self._lose(watching, "the store went back to a backup")
                self._catch_up(watching, IN_ORDER)

    def compact(self) -> None:
        """Forget history: who is cut off now must list when it comes back."""
        self._compacted = self.revision
        self._history = []

    # -- who can reach it -------------------------------------------------------------------------------

    @property
    def is_available(self) -> bool:
        """Whether anybody's request is answered."""
        return self._available

    def is_reachable(self, name: str) -> bool:
        """Whether a node's request is answered."""
        return self._available and name not in self._unreachable

    def set_delay(self, name: str, delay_ns: int) -> None:
        """Let whatever is told to a node, and its writes, take so long."""
        self._delays[name] = delay_ns

    def slow_down(self, name: str, by_ns: int) -> None:
        """Let it take that much longer."""
        self._slowness[name] = by_ns

    def delay(self, name: str) -> int:
        """How long what is told to a node takes."""
        return self._delays.get(name, self._latency_ns) + self._slowness.get(name, 0)

    def fail(self, reason: str) -> None:
        """Become unreachable for all; writes from the operator's side still count and are seen afterwards."""
        self._available, self._reason = False, reason
        for watching in self._watchers.values():
            self._lose(watching, reason)

    def recover(self) -> None:
        """Become reachable again, with no history: every watcher lists anew."""
        self._available = True
        self.compact()
        for watching in self._watchers.values():
            if self._hears(watching.name):
                self._catch_up(watching, IN_ORDER)

    def silence(self, name: str) -> None:
        """Tell a node nothing for now, nor that anything is wrong."""
        self._silent[name] = self._silent.get(name, 0) + 1

    def isolate(self, name: str, reason: str) -> None:
        """Let a node not reach the store, and know it."""
        self._unreachable[name] = self._unreachable.get(name, 0) + 1
        if name in self._watchers:
            self._lose(self._watchers[name], reason)

    def speak(self, name: str, how: CatchUp = IN_ORDER) -> None:
        """End one `silence`."""
        self._end(self._silent, name, how)

    def rejoin(self, name: str, how: CatchUp = IN_ORDER) -> None:
        """End one `isolate`."""
        self._end(self._unreachable, name, how)

    def is_sound(self) -> bool:
        """Whether everybody hears it."""
        return self._available and not (self._silent or self._unreachable or self._closed)

    def close(self, prefix: str, reason: str) -> None:
        """Let nobody read a prefix from now on, as etcd does with who lacks the permission."""
        self._closed[prefix] = reason

    def open(self, prefix: str) -> None:
        """Let it be read again."""
        del self._closed[prefix]
        for watching in self._watchers.values():
            if self._hears(watching.name) and prefix in watching.prefixes:
                watching.unlisted[prefix] = None
                self._catch_up(watching, IN_ORDER)

    # -- watchers ---------------------------------------------------------------------------------------

    def watch(self, name: str, prefixes: tuple[str, ...], watcher: Watcher) -> None:
        """Tell the watcher of exactly these prefixes: of each new one a snapshot, then every change."""
        known = self._watchers.get(name)
        watching = known or _Watching(name, watcher, {}, self.revision)
        watching.unlisted |= {prefix: None for prefix in prefixes if prefix not in watching.prefixes}
        watching.prefixes = dict.fromkeys(prefixes)
        watching.unlisted = {prefix: None for prefix in watching.unlisted if prefix in watching.prefixes}
        self._watchers[name] = watching
        if self._hears(name):
            self._catch_up(watching, IN_ORDER)
        elif not self.is_reachable(name):
            self._lose(watching, self._reason)

    def unwatch(self, name: str) -> None:
        """Forget a watcher; what is on its way to it is lost."""
        self._watchers.pop(name, None)

    def _hears(self, name: str) -> bool:
        return self.is_reachable(name) and name not in self._silent

    def _end(self, troubles: dict[str, int], name: str, how: CatchUp) -> None:
        count = troubles.pop(name, 0) - 1
        if count > 0:
            troubles[name] = count
        elif name in self._watchers and self._hears(name):
            self._catch_up(self._watchers[name], how)

    def _lose(self, watching: _Watching, reason: str) -> None:
        if not watching.is_told_lost:
            watching.is_told_lost = True
            self._deliver(watching, DatastoreLost(reason))

    def _catch_up(self, watching: _Watching, how: CatchUp) -> None:
        """Tell a watcher all that it does not know, which may be everything."""
        if watching.is_told_lost or not watching.revision:
            self._deliver(watching, DatastoreRestored())
        watching.is_told_lost = False
        if watching.revision < self._compacted:
            watching.unlisted = dict(watching.prefixes)
        for event in self._missed(watching, how):
            self._deliver(watching, event)
        for prefix in watching.unlisted:
            self._list(watching, prefix)
        watching.unlisted = {}
        watching.revision = self.revision
        self._deliver(watching, RevisionReached(self.revision))

    def _missed(self, watching: _Watching, how: CatchUp) -> Iterable[StoreInput]:
        missed = [event for event in self._history if _revision_of(event) > watching.revision]
        if how.coalesced:
            missed = list({_key_of(event): event for event in missed}.values())
        if how.repeated:
            missed = [event for event in self._history if _revision_of(event) <= watching.revision][
                -5:
            ] + missed
        if how.reversed:
            missed.reverse()
        listed = tuple(watching.unlisted)
        followed = tuple(watching.prefixes)
        closed = tuple(self._closed)
        return [
            event
            for event in missed
            if _key_of(event).startswith(followed)
            and not _key_of(event).startswith(listed)
            and not _key_of(event).startswith(closed)
        ]

    def _list(self, watching: _Watching, prefix: str) -> None:
        if prefix in self._closed:
            self._deliver(watching, PrefixRefused(prefix, self._closed[prefix]))
            return
        values = tuple(v for k, v in sorted(self._values.items()) if k.startswith(prefix))
        self._deliver(watching, SnapshotReceived(prefix, self.revision, values))

    def _announce(self, key: str, event: Change) -> None:
        self._history.append(event)
        self.observer.key_changed(key)
        if key.startswith(tuple(self._closed)):
            return
        for watching in self._watchers.values():
            if not self._hears(watching.name):
                continue
            if key.startswith(tuple(watching.prefixes)):
                self._deliver(watching, event)
                self._deliver(watching, RevisionReached(self.revision))
            watching.revision = self.revision

    def _deliver(self, watching: _Watching, event: StoreInput) -> None:
        deliver = watching.deliver
        watching.arrives_at = max(watching.arrives_at, self._clock.now + self.delay(watching.name))
        self._clock.call_at(watching.arrives_at, lambda: deliver(event))


def _key_of(event: Change) -> str:
    return event.stored.key if isinstance(event, KeyPut) else event.key


def _revision_of(event: Change) -> int:
    return event.stored.revision if isinstance(event, KeyPut) else event.revision
