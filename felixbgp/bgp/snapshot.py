"""What the speaker shows of itself: immutable pictures for status, plans and tests."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.session.state import SessionState
from felixbgp.net import Address, Family, Nlri, Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSnapshot:
    """One peer at one moment. Times are monotonic nanoseconds; `since` is that of the last state change."""

    peer: PeerId
    name: str
    families: tuple[Family, ...]
    local_as: int
    remote_as: int
    state: str
    """RFC 4271 §8.2.2: Idle, Connect, Active, OpenSent, OpenConfirm or Established."""
    since: int
    last_error: str = ""
    """Why the last session or attempt ended, in words; stays until the next session is Established."""
    cause: Cause | None = None
    """Why there is no session; None in Established."""
    warning: str = ""
    """What an operator should know although the session is up, in words."""
    remote_identifier: Address | None = None
    hold_time_s: int | None = None
    """As negotiated; None outside Established."""
    established_count: int = 0
    end_of_rib_received: bool = False
    prefixes_received: int = 0
    prefixes_accepted: int = 0
    prefixes_stale: int = 0
    """Kept from a session that is over, and not announced again so far (RFC 4724)."""
    prefixes_advertised: int = 0
    unreplaced: int | None = None
    """For how many prefixes it is still needed, at least one while that is open; None: nobody counts."""
    unreplaced_first: tuple[Prefix, ...] = ()
    """Some of these."""
    malformed_updates: tuple[tuple[str, int], ...] = ()
    """How many, by RFC 7606's word for what was done about them, sorted; one UPDATE can have several."""
    updates_received: int = 0
    updates_sent: int = 0


class PeerStanding(NamedTuple):
    """How far a peer is that is to be up: whether it is Established, and has told its initial table.

    `cause` is why there is no session, None where there is one; `reason` the same in words, or what was found
    out about the peer from elsewhere.
    """

    peer: PeerId
    state: str
    has_whole_table: bool
    cause: Cause | None
    reason: str

    @property
    def is_up(self) -> bool:
        """Whether there is a session."""
        return self.state == SessionState.ESTABLISHED


class RouteSnapshot(NamedTuple):
    """One eligible path to a prefix.

    `peer` is None for a route of our own, `next_hop` where it has none, `interface` "" where none is known.
    """

    nlri: Nlri
    source: RouteSource
    peer: PeerId | None
    next_hop: Address | None
    best: bool
    """Whether the decision process selected it."""
    interface: str = ""

    @classmethod
    def of(cls, nlri: Nlri, path: Path, *, best: bool) -> Self:
        """That of one path."""
        peer = None if path.peer is None else path.peer.peer
        next_hop = Address(path.attributes.next_hop) if path.attributes.next_hop else None
        return cls(nlri, path.source, peer, next_hop, best, path.interface)


class FamilyCounts(NamedTuple):
    """Routes of one family at each stage; the first two and the last are summed over the peers."""

    received: int
    accepted: int
    selected: int
    advertised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerStatistics:
    """Sizes and queues, for metrics and for tests."""

    peers: int
    peers_established: int
    prefixes: int
    paths: int
    attributes: int
    updates_waiting: int
    """Framed, not yet decoded."""
    prefixes_to_decide: int
    prefixes_to_send: int
    """Summed over the peers."""
