"""Everything an Agent can ask for, in the imperative. Each fallible effect has an answering input."""

from dataclasses import dataclass, field

from felixbgp.agent.draining import Drained
from felixbgp.agent.forwarding import NextHopFact
from felixbgp.agent.liveness import AskAlive, NodeDead, ProbeHost
from felixbgp.agent.resets import AcquireTurn, ReleaseTurn, ResetFact
from felixbgp.bgp.effects import TransportEffect
from felixbgp.bgp.facts import BgpFact
from felixbgp.bgp.inputs import Endpoint
from felixbgp.cluster.facts import ClusterFact
from felixbgp.cluster.secrets import SecretId
from felixbgp.fib.types import FibFact, KernelEffect, ReadKernel
from felixbgp.intent.types import Problem
from felixbgp.net import Prefix
from felixbgp.resources.editing import Json
from felixbgp.status.audit import AuditAnswer
from felixbgp.status.node_status import NodeStatus
from felixbgp.status.report import Report


@dataclass(frozen=True, slots=True)
class Listen:
    """Accept connections at exactly these endpoints: open new ones, close all others, keep the rest.

    Each endpoint that was not open yet is answered by `Listening` or `ListenFailed`; so is each whose keys
    changed. Nobody inside the prefix of a key gets through without it (RFC 2385), also while the key could
    not be set.
    """

    endpoints: tuple[Endpoint, ...]
    keys: tuple[tuple[Prefix, bytes], ...] = field(default=(), repr=False)
    """TCP MD5 passwords of those who may connect; left out of the repr."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow exactly these prefixes of the store; those that are followed already go on undisturbed.

    Each is answered by a `SnapshotReceived` and then by its changes. The required ones stay the same and are
    listed as of one revision. An optional one that the store does not let us read is answered by
    `PrefixRefused`, and harms no other.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadSecretFiles:
    """Tell what the node's directory of secrets holds for exactly these, now and whenever that changes.

    Answered by `SecretFilesRead` if there are any.
    """

    secrets: tuple[SecretId, ...]


@dataclass(frozen=True, slots=True)
class SetLogLevel:
    """Log from this level on: `debug`, `info`, `warning` or `error`; not answered."""

    level: str


@dataclass(frozen=True, slots=True)
class PutStatus:
    """Write our status document; answered by `StatusWritten` or `StatusWriteFailed`."""

    status: NodeStatus


@dataclass(frozen=True, slots=True)
class PutNodeStatusResource:
    """Put a report into a CalicoNodeStatus, if that was last written at `revision`.

    `document` is what is stored beside the report, and stays. Answered by `NodeStatusResourceWritten`,
    `NodeStatusResourceConflicted` or `NodeStatusResourceFailed`.
    """

    name: str
    revision: int
    report: Report
    document: Json


@dataclass(frozen=True, slots=True)
class PutAudit:
    """Write the answer to who asked for an audit; answered by `AuditWritten` or `AuditWriteFailed`."""

    answer: AuditAnswer


@dataclass(frozen=True, slots=True)
class NodeStatusNotWritten:
    """A fact: a CalicoNodeStatus could not be filled, in the store's words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class IntentProblem:
    """A fact: something the operator should mend, found while deriving the intent."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class AuditDiffered:
    """A fact: intent, Loc-RIB and kernel did not agree about a prefix; audit.proto explains the words."""

    prefix: Prefix
    kind: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditEnded:
    """A fact: a comparison that was asked for, or that found something, in prefixes; and who asked."""

    compared: int
    differing: int
    healed: int
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditNotWritten:
    """A fact: the answer to who asked for an audit could not be written, in the store's words."""

    reason: str


AuditFact = AuditDiffered | AuditEnded | AuditNotWritten
Fact = (
    BgpFact
    | ClusterFact
    | Drained
    | FibFact
    | AuditFact
    | IntentProblem
    | NextHopFact
    | NodeDead
    | NodeStatusNotWritten
    | ResetFact
)


@dataclass(frozen=True, slots=True)
class Observe:
    """Tell the operator; not answered."""

    fact: Fact


Effect = (
    TransportEffect
    | KernelEffect
    | ReadKernel
    | Listen
    | Follow
    | ReadSecretFiles
    | SetLogLevel
    | PutStatus
    | PutNodeStatusResource
    | PutAudit
    | ProbeHost
    | AskAlive
    | AcquireTurn
    | ReleaseTurn
    | Observe
)
