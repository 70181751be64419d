"""What the store tells us, in the past tense. Keys are text, values the stored bytes."""

from dataclasses import dataclass
from typing import NamedTuple


class StoredValue(NamedTuple):
    """A key, its value, and the etcd revision that wrote it (`mod_revision`)."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class SnapshotReceived:
    """Everything under `prefix` as of `revision`; keys known under it and not listed here are gone."""

    prefix: str
    revision: int
    values: tuple[StoredValue, ...]


@dataclass(frozen=True, slots=True)
class KeyPut:
    """A key was written."""

    stored: StoredValue


@dataclass(frozen=True, slots=True)
class KeyDeleted:
    """A key went away at `revision`."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class RevisionReached:
    """All events up to `revision` have been delivered (end of a watch batch, or a progress notification)."""

    revision: int


@dataclass(frozen=True, slots=True)
class DatastoreLost:
    """No connection to the store; what is known stays valid."""

    reason: str


@dataclass(frozen=True, slots=True)
class DatastoreRestored:
    """The store answers again; events or snapshots follow."""


StoreInput = SnapshotReceived | KeyPut | KeyDeleted | RevisionReached | DatastoreLost | DatastoreRestored
