"""What the speaker observed, for logs, metrics and history; nothing in the core reads these."""

from dataclasses import dataclass

from felixbgp.bgp.config import PeerId
from felixbgp.net import Family


@dataclass(frozen=True, slots=True)
class SessionStateChanged:
    """A peer moved between states of RFC 4271 §8.2.2 (`Idle` … `Established`); `reason` says why."""

    peer: PeerId
    name: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotificationSent:
    """We ended a session with this code and subcode."""

    peer: PeerId
    code: int
    subcode: int
    text: str


@dataclass(frozen=True, slots=True)
class NotificationReceived:
    """The peer ended the session with this code and subcode."""

    peer: PeerId
    code: int
    subcode: int
    text: str


@dataclass(frozen=True, slots=True)
class UpdateMalformed:
    """An UPDATE was not as it should be; `verdict` is RFC 7606's word for what we did."""

    peer: PeerId
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class PrefixLimitReached:
    """A peer announced so many prefixes that its limit is near, or passed; told once per session and step."""

    peer: PeerId
    family: Family
    count: int
    maximum: int
    action: str
    """What was done: "warn", "drop" or "shutdown"."""


@dataclass(frozen=True, slots=True)
class ConnectionRefused:
    """Somebody who is no peer of ours, or not now, opened a connection and was turned away."""

    remote: str
    reason: str


BgpFact = (
    SessionStateChanged
    | NotificationSent
    | NotificationReceived
    | UpdateMalformed
    | PrefixLimitReached
    | ConnectionRefused
)
