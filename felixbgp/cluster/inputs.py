"""What the store tells us, in the past tense. Keys are text, values the stored bytes."""

from dataclasses import dataclass
from typing import NamedTuple

from felixbgp.cluster.secrets import SECRETS, SecretFile


class StoredValue(NamedTuple):
    """A key, its value, and the etcd revision that wrote it (`mod_revision`)."""

    key: str
    value: bytes
    revision: int

    def __repr__(self) -> str:
        value = "…" if self.key.startswith(SECRETS) else repr(self.value)
        return f"StoredValue({self.key!r}, {value}, {self.revision})"


@dataclass(frozen=True, slots=True)
class SnapshotReceived:
    """Everything under `prefix` as of `revision`; keys known under it and not listed here are gone."""

    prefix: str
    revision: int
    values: tuple[StoredValue, ...]


@dataclass(frozen=True, slots=True)
class StateRecovered:
    """What the store held when this node last heard of it. It does not answer, and nothing is confirmed.

    One snapshot for each prefix that was followed then, all up to `revision`. `written_at` is when that was
    written down, in nanoseconds of the agent's clock; negative for a time before that clock began. Whatever
    the store itself says of a prefix counts more, be it before or after.
    """

    snapshots: tuple[SnapshotReceived, ...]
    revision: int
    written_at: int


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
class PrefixRefused:
    """The store does not let us read under `prefix`, though it answers; a snapshot follows when it does.

    What is known stays valid; of what is not known nothing will come for now.
    """

    prefix: str
    reason: str


@dataclass(frozen=True, slots=True)
class SecretFilesRead:
    """What the directory of secrets holds for those that were asked for; replaces what was known."""

    directory: str
    files: tuple[SecretFile, ...]


@dataclass(frozen=True, slots=True)
class DatastoreLost:
    """No connection to the store, or it refuses us; what is known stays valid."""

    reason: str
    refused: bool = False
    """Whether the store answers and does not let us read."""


@dataclass(frozen=True, slots=True)
class DatastoreRestored:
    """The store answers again; events or snapshots follow."""


StoreEvent = (
    KeyPut
    | KeyDeleted
    | RevisionReached
    | PrefixRefused
    | SecretFilesRead
    | DatastoreLost
    | DatastoreRestored
)
"""What is taken in at once."""
StoreInput = SnapshotReceived | StoreEvent
