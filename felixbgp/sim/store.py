"""The store of a simulated cluster: keys, revisions, and watchers that hear of every change in order."""

from collections.abc import Callable, Iterable

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

Watcher = Callable[[StoreInput], None]


class Store:
    """What etcd is to a real cluster. Every change reaches every watcher `latency_ns` later."""

    def __init__(self, clock: Clock, latency_ns: int) -> None:
        self._clock = clock
        self._latency_ns = latency_ns
        self._values: dict[str, StoredValue] = {}
        self._watchers: dict[str, Watcher] = {}
        self._followed: dict[str, dict[str, None]] = {}
        self._closed: dict[str, str] = {}
        self._available = True
        self.revision = 1

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

    @property
    def is_available(self) -> bool:
        """Whether a node's request is answered."""
        return self._available

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

    def watch(self, name: str, prefixes: tuple[str, ...], watcher: Watcher) -> None:
        """Tell the watcher of exactly these prefixes: of each new one a snapshot, then every change."""
        known = self._followed.get(name, {})
        self._watchers[name] = watcher
        self._followed[name] = dict.fromkeys(prefixes)
        if self._available:
            self._catch_up([prefix for prefix in prefixes if prefix not in known], watcher)

    def unwatch(self, name: str) -> None:
        """Forget a watcher; what is on its way to it is lost."""
        self._watchers.pop(name, None)
        self._followed.pop(name, None)

    def close(self, prefix: str, reason: str) -> None:
        """Let nobody read a prefix from now on, as etcd does with who lacks the permission."""
        self._closed[prefix] = reason

    def open(self, prefix: str) -> None:
        """Let it be read again."""
        del self._closed[prefix]
        for name, watcher in self._watchers.items():
            if self._available and prefix in self._followed[name]:
                self._catch_up([prefix], watcher)

    def fail(self, reason: str) -> None:
        """Become unreachable; writes from the operator's side still count and are seen afterwards."""
        self._available = False
        for watcher in self._watchers.values():
            self._deliver(watcher, DatastoreLost(reason))

    def recover(self) -> None:
        """Become reachable: every watcher lists anew, as after a compaction."""
        self._available = True
        for name, watcher in self._watchers.items():
            self._catch_up(self._followed[name], watcher)

    def _catch_up(self, prefixes: Iterable[str], watcher: Watcher) -> None:
        self._deliver(watcher, DatastoreRestored())
        for prefix in prefixes:
            if prefix in self._closed:
                self._deliver(watcher, PrefixRefused(prefix, self._closed[prefix]))
                continue
            values = tuple(v for k, v in sorted(self._values.items()) if k.startswith(prefix))
            self._deliver(watcher, SnapshotReceived(prefix, self.revision, values))
        self._deliver(watcher, RevisionReached(self.revision))

    def _announce(self, key: str, event: KeyPut | KeyDeleted) -> None:
        if not self._available:
            return
        if key.startswith(tuple(self._closed)):
            return
        for name, watcher in self._watchers.items():
            if any(key.startswith(prefix) for prefix in self._followed[name]):
                self._deliver(watcher, event)
                self._deliver(watcher, RevisionReached(self.revision))

    def _deliver(self, watcher: Watcher, event: StoreInput) -> None:
        self._clock.call_after(self._latency_ns, lambda: watcher(event))
