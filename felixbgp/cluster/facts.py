"""What the view of the store observed, for logs, metrics and status; nothing in the core reads these."""

from dataclasses import dataclass

from felixbgp.resources.errors import FieldError


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A key was written with a value that counts as absent; `errors` says all that is wrong with it."""

    key: str
    revision: int
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class FieldsIgnored:
    """A key was written with a value that counts, but for some fields."""

    key: str
    revision: int
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class ValueCorrected:
    """A key whose value was invalid has a valid one, or is gone."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class StaleEventIgnored:
    """An event was older than what is known of its key."""

    key: str
    revision: int
    known_revision: int


@dataclass(frozen=True, slots=True)
class ClusterInSync:
    """Every watched prefix has delivered a snapshot: from now on absent means absent."""

    revision: int


@dataclass(frozen=True, slots=True)
class StoreLost:
    """The store does not answer; what is known stays valid."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReadRefused:
    """The store does not let us read under a prefix that a resource calls for."""

    prefix: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoreRestored:
    """The store answers again."""


@dataclass(frozen=True, slots=True)
class LastKnownStateUsed:
    """The store does not answer, so what it last held stands in for it; `age_seconds` since that was kept."""

    revision: int
    age_seconds: int


@dataclass(frozen=True, slots=True)
class LastKnownStateUnusable:
    """What was kept of the store does not do: the store itself must answer first."""

    reason: str


@dataclass(frozen=True, slots=True)
class LastKnownStateReplaced:
    """The store has answered, and what it holds is in force; `recovered_revision` is how far we were."""

    revision: int
    recovered_revision: int


ClusterFact = (
    InvalidValue
    | FieldsIgnored
    | ValueCorrected
    | StaleEventIgnored
    | ClusterInSync
    | ReadRefused
    | StoreLost
    | StoreRestored
    | LastKnownStateUsed
    | LastKnownStateUnusable
    | LastKnownStateReplaced
)
