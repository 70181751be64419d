"""Everything an Agent can be told, in the past tense. Most of it belongs to one room and passes through."""

from dataclasses import dataclass
from enum import Enum

from felixbgp.bgp.inputs import Endpoint, TransportInput
from felixbgp.cluster.inputs import StateRecovered, StoreInput
from felixbgp.fib.types import KernelInput
from felixbgp.intent.types import Intent


@dataclass(frozen=True, slots=True)
class Listening:
    """The answer to `Listen` for one endpoint: connections are accepted there."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class ListenFailed:
    """The other answer to `Listen`; `reason` is the system's own words."""

    endpoint: Endpoint
    reason: str


@dataclass(frozen=True, slots=True)
class StatusWritten:
    """The answer to `PutStatus`: the document is in the store."""


@dataclass(frozen=True, slots=True)
class StatusWriteFailed:
    """The other answer to `PutStatus`."""

    reason: str


@dataclass(frozen=True, slots=True)
class NodeStatusResourceWritten:
    """The answer to `PutNodeStatusResource`: the object has the report, written at `revision`."""

    name: str
    revision: int


@dataclass(frozen=True, slots=True)
class NodeStatusResourceConflicted:
    """Another answer to `PutNodeStatusResource`: somebody wrote or deleted the object; we hear of it."""

    name: str


@dataclass(frozen=True, slots=True)
class NodeStatusResourceFailed:
    """Another answer to `PutNodeStatusResource`; whether it was written is not known in every case."""

    name: str
    reason: str


NodeStatusResourceInput = NodeStatusResourceWritten | NodeStatusResourceConflicted | NodeStatusResourceFailed


@dataclass(frozen=True, slots=True)
class AuditWritten:
    """The answer to `PutAudit`: whoever asked can read it."""


@dataclass(frozen=True, slots=True)
class AuditWriteFailed:
    """The other answer to `PutAudit`."""

    reason: str


class ProbeOutcome(Enum):
    """What became of a dial that was made to see whether a host lives."""

    ANSWERED = "answered"
    """The host accepted, refused or reset the connection: it lives."""
    SILENT = "silent"
    """Nobody answered in time, or somebody on the way said that there is no way there."""
    FAILED = "failed"
    """It could not be tried, for a reason of our own."""


@dataclass(frozen=True, slots=True)
class HostProbed:
    """The answer to `ProbeHost`; `reason` is the system's own words."""

    remote: Endpoint
    outcome: ProbeOutcome
    reason: str


@dataclass(frozen=True, slots=True)
class AliveRead:
    """The answer to `AskAlive`: whether the node's `alive` key is there.

    `is_known`: whether the node ever told anything of itself, so that the key could be missed.
    """

    node: str
    is_present: bool
    is_known: bool


@dataclass(frozen=True, slots=True)
class AliveUnread:
    """The other answer to `AskAlive`, in the store's words."""

    node: str
    reason: str


LivenessInput = HostProbed | AliveRead | AliveUnread


@dataclass(frozen=True, slots=True)
class TurnGranted:
    """An answer to `AcquireTurn`: nobody else resets sessions now."""


@dataclass(frozen=True, slots=True)
class TurnAwaited:
    """Another answer to `AcquireTurn`: the turn comes after that of `node`."""

    node: str


@dataclass(frozen=True, slots=True)
class TurnRefused:
    """Another answer to `AcquireTurn`: the store does not help, in its words; it is asked again."""

    reason: str


@dataclass(frozen=True, slots=True)
class TurnLost:
    """The end of a turn or of waiting for one that nobody asked for: the lease is lost."""

    reason: str


TurnInput = TurnGranted | TurnAwaited | TurnRefused | TurnLost


@dataclass(frozen=True, slots=True)
class StepsMeasured:
    """How long the longest step took, and of which kind it was: since the start, and of the last minute.

    Rounded up (5, 10, 20, 50, … ms) and with no kind up to 5 ms, so that this is news only now and then.
    """

    longest_ms: int = 5
    longest_kind: str = ""
    lately_ms: int = 5
    lately_kind: str = ""


@dataclass(frozen=True, slots=True)
class IntentGiven:
    """What to do is said outright and no store is followed: a plain router."""

    intent: Intent


Input = (
    TransportInput
    | KernelInput
    | StoreInput
    | StateRecovered
    | Listening
    | ListenFailed
    | StatusWritten
    | StatusWriteFailed
    | NodeStatusResourceInput
    | AuditWritten
    | AuditWriteFailed
    | LivenessInput
    | TurnInput
    | StepsMeasured
    | IntentGiven
)
