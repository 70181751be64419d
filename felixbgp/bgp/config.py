"""What the speaker is told to be: its own identity and its peers."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.net import Address, Family

BGP_PORT = 179


class PeerId(NamedTuple):
    """The address and TCP port a peer is reached at; what tells two peers apart."""

    address: Address
    port: int = BGP_PORT

    def __str__(self) -> str:
        if self.port == BGP_PORT:
            return str(self.address)
        host = str(self.address) if len(self.address) == 4 else f"[{self.address}]"
        return f"{host}:{self.port}"


class NextHopMode(Enum):
    """NEXT_HOP towards a peer: by the rules of RFC 4271 §5.1.3, always ourselves, or always unchanged."""

    AUTO = "auto"
    SELF = "self"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class GracefulRestart:
    """What we offer a peer about our restarts, and its own (RFC 4724, RFC 8538, RFC 9494)."""

    restart_time_s: int = 120
    """How long, at most 4095 seconds, the peer shall wait for us to come back."""
    forwarding_preserved: bool = False
    """Whether the kernel keeps forwarding while the process restarts."""
    notification: bool = True
    """Keep routes also when a session ends with a NOTIFICATION or an expired hold timer (RFC 8538)."""
    renewal_time_s: int = 360
    """How long after its return a peer may take to announce its routes again, before those that it did not
    announce go (RFC 4724 §4.2)."""
    long_lived_stale_time_s: int = 0
    """How long stale routes may stay as a last resort after the restart time (RFC 9494); 0: not at all."""


class LimitAction(Enum):
    """What happens when a peer announces more prefixes than it may (RFC 4486 §4, subcode 1)."""

    WARN = "warn"
    DROP = "drop"
    """Those beyond the limit are not taken in."""
    SHUTDOWN = "shutdown"
    """The session ends with Cease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixLimit:
    """How many prefixes a peer may announce, per family and before any filter."""

    maximum: int
    warn_at_percent: int = 75
    action: LimitAction = LimitAction.SHUTDOWN
    restart_after_s: int | None = None
    """When the session may come back after `SHUTDOWN`; None: not before its configuration changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """One peer. `families` has one entry in a Calico cluster (one session per family)."""

    peer: PeerId
    name: str
    """What operators call it, unique among the peers; appears in status only."""
    families: tuple[Family, ...]
    local_as: int
    remote_as: int
    shutdown: str | None = None
    """Keep the session down, and tell the peer this text (RFC 9003; "" is a text too); None: let it be up."""
    passive: bool = False
    """Never dial; wait for the peer to do so."""
    hold_time_s: int = 90
    """Proposed hold time in seconds (RFC 4271 §4.2): 0, or at least 3."""
    keepalive_time_s: int | None = None
    """Seconds between KEEPALIVEs, at least 1, where that is less than a third of the negotiated hold time;
    None: a third of it."""
    delay_open_s: int = 0
    """How long to leave the first word to the peer (DelayOpenTime, RFC 4271 §8.1.1); 0: not at all."""
    detect_collision_established: bool = False
    """Let a new connection compete with an Established session (RFC 4271 §8.1.1)."""
    graceful_restart: GracefulRestart | None = None
    add_path_receive: bool = False
    """Take in several paths per prefix (RFC 7911), in all families."""
    add_path_send: bool = False
    extended_message: bool = True
    """Take messages of up to 65535 octets, and send them to a peer that takes them too (RFC 8654)."""
    enhanced_refresh: bool = True
    """Mark the begin and end of a refresh (RFC 7313)."""
    extended_next_hop: bool = False
    """IPv4 routes may have IPv6 next hops (RFC 8950)."""
    role: Role | None = None
    """What we are to an external peer (RFC 9234)."""
    role_strict: bool = False
    """Refuse an external peer that tells no role."""
    route_reflector_client: bool = False
    next_hop: NextHopMode = NextHopMode.AUTO
    allowed_local_as: int = 0
    """How many times our own AS may stand in a received AS_PATH."""
    prefix_limit: PrefixLimit | None = None
    attributes_octets_max: int = 1 << 30
    """What the path attributes of a family may take in memory, about: twice those of the Internet's table.
    A peer that passes it is put down for a minute."""
    requires_policy: bool = False
    """RFC 8212: without an import policy an external peer brings nothing, without an export policy it gets
    nothing; one that accepts everything must be written as a rule."""
    override_as: bool = False
    """Towards an external peer, write our AS wherever the peer's stands in the AS_PATH."""
    remove_private_as: bool = False
    """Towards an external peer, leave private AS numbers (RFC 6996) out of the AS_PATH."""
    prepend_local_as: int = 0
    """How many more times our AS is put in front towards an external peer."""
    transport: TransportOptions = field(default_factory=TransportOptions)
    import_policy: Policy = field(default_factory=Policy)
    export_policy: Policy = field(default_factory=Policy)
    leading: bool = False
    """Of a draining peer: what it brings is told to others as a last resort, and is none here yet. They shall
    have stopped sending here what we would send back to them."""
    draining: bool = False
    """Nobody wants this session any more: what it brings is used only where there is nothing else. When it is
    lost it does not come back, and what it brought stays as well."""
    counted: bool = False
    """Keep count of the prefixes that are selected from it, for somebody waits until there are none."""

    @property
    def external(self) -> bool:
        """Whether this is an eBGP peer."""
        return self.local_as != self.remote_as

    @property
    def is_last_resort(self) -> bool:
        """Whether what it brings is used only where there is nothing else."""
        return self.draining and not self.leading


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerConfig:
    """The speaker's identity. `cluster_id` defaults to the identifier (RFC 4456 §7)."""

    bgp_identifier: Address
    local_as: int
    cluster_id: Address | None = None
    multipath_external: int = 1
    multipath_internal: int = 1
    """How many equally good paths, of eBGP and of iBGP, carry traffic together."""
