"""What a session asks of its speaker, in order of occurrence; effects for the transport pass through."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.facts import BgpFact
from felixbgp.bgp.wire.messages import Negotiated
from felixbgp.net import Family


class DownKind(Enum):
    """What becomes of the routes that were learned over a session that is over."""

    LOST = "lost"
    """They may be kept for a while, if graceful restart was agreed on (RFC 4724 §4.2, RFC 8538 §4)."""
    HARD = "hard"
    """They go at once."""


@dataclass(frozen=True, slots=True)
class SessionEstablished:
    """The FSM entered Established on `connection`; routes may flow (RFC 4271 §8.2.2)."""

    connection: int
    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class SessionDown:
    """The FSM left Established (RFC 4271 §8.2.2). `reason` is in words."""

    reason: str
    kind: DownKind = DownKind.HARD


class UpdatesArrived(NamedTuple):
    """The bodies of successive UPDATEs, framed and not yet decoded; belong to the Established session."""

    bodies: list[bytes]


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """Nothing was heard of an Established peer for half of the hold time, in which it should have spoken."""


@dataclass(frozen=True, slots=True)
class RefreshRequested:
    """The peer asks for our Adj-RIB-Out of a family again; `subtype` 0 request, 1 BoRR, 2 EoRR."""

    family: Family
    subtype: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """Something for logs and status."""

    fact: BgpFact


SessionAction = (
    Connect
    | SendBytes
    | CloseConnection
    | SessionEstablished
    | SessionDown
    | UpdatesArrived
    | RefreshRequested
    | PeerSilent
    | Observed
)
