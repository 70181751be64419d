"""What an agent was told of the store, and what changed with each word of it.

Only what operators and Calico write counts: resources, blocks, drains, secrets. A CalicoNodeStatus counts
without its report, which agents write all the time.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from felixbgp.agent.inputs import Input
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StateRecovered, StoredValue
from felixbgp.cluster.secrets import SECRETS
from felixbgp.resources import parse_key
from felixbgp.resources.decode import parse_json
from felixbgp.resources.editing import without_report, written
from felixbgp.resources.keys import prefix_of

_REPORTED = prefix_of("CalicoNodeStatus")


class Change(NamedTuple):
    """A key that is not as it was; None stands for one that is not there.

    `revision` is the one that wrote it. Of a key that was only missed in a listing the revision is that of
    the listing, and `is_listed`: it went by then.
    """

    key: str
    revision: int
    before: bytes | None
    after: bytes | None
    is_listed: bool = False


class Known:
    """The keys and values of one node's view, through all of its lives."""

    def __init__(self) -> None:
        self.revision = 0
        """The latest of all that counts."""
        self._values: dict[str, StoredValue] = {}
        self._listed: set[str] = set()
        """Prefixes of which all was told once."""

    @property
    def values(self) -> Mapping[str, StoredValue]:
        """What there is, by key."""
        return self._values

    def is_first(self, event: Input) -> bool:
        """Whether an input tells all of a prefix, and none before it did."""
        told = event.snapshots if isinstance(event, StateRecovered) else [event]
        return any(isinstance(one, SnapshotReceived) and one.prefix not in self._listed for one in told)

    def changes_of(self, event: Input) -> list[Change]:
        """What an input changes; of a prefix that was never told of before, everything in it is new."""
        match event:
            case KeyPut() if _counts(event.stored.key):
                return list(self._put(event.stored))
            case KeyDeleted():
                return list(self._deleted(event.key, event.revision))
            case SnapshotReceived():
                return list(self._snapshot(event))
            case StateRecovered():
                unknown = [one for one in event.snapshots if one.prefix not in self._listed]
                return [change for one in unknown for change in self._snapshot(one)]
            case _:
                return []

    def take(self, event: Input) -> list[Change]:
        """Take an input in, and give what it changes that was known before: what is read first is no news."""
        found = self.changes_of(event)
        told = event.snapshots if isinstance(event, StateRecovered) else [event]
        first = [
            one.prefix for one in told if isinstance(one, SnapshotReceived) and one.prefix not in self._listed
        ]
        self._listed.update(first)
        for change in found:
            self.revision = max(self.revision, change.revision)
            if change.after is None:
                self._values.pop(change.key, None)
            else:
                self._values[change.key] = StoredValue(change.key, change.after, change.revision)
        return [change for change in found if not change.key.startswith(tuple(first))]

    def _put(self, stored: StoredValue) -> Iterator[Change]:
        before = self._values.get(stored.key)
        if before is not None and stored.revision <= before.revision:
            return
        value = _told(stored)
        if before is None or before.value != value:
            yield Change(stored.key, stored.revision, None if before is None else before.value, value)

    def _deleted(self, key: str, revision: int) -> Iterator[Change]:
        before = self._values.get(key)
        if before is not None and revision > before.revision:
            yield Change(key, revision, before.value, None)

    def _snapshot(self, event: SnapshotReceived) -> Iterator[Change]:
        """The truth about its prefix, also where it goes back (a store put back to a backup)."""
        there = {one.key: one for one in event.values if _counts(one.key)}
        for key, stored in there.items():
            before, value = self._values.get(key), _told(stored)
            if before is None or before.value != value:
                yield Change(key, stored.revision, None if before is None else before.value, value)
        for key, before in self._values.items():
            if key.startswith(event.prefix) and key not in there:
                yield Change(key, event.revision, before.value, None, is_listed=True)


def _counts(key: str) -> bool:
    return key.startswith((DRAINS, SECRETS)) or parse_key(key) is not None


def _told(stored: StoredValue) -> bytes:
    """The value as far as it counts."""
    if not stored.key.startswith(_REPORTED):
        return stored.value
    document = parse_json(stored.value)
    return stored.value if isinstance(document, list) else written(without_report(document))
