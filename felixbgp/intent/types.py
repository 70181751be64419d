"""What a node must do, as values."""

from dataclasses import dataclass, field
from typing import NamedTuple

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.cluster.drains import Drain
from felixbgp.intent.priorities import NORMAL_PRIORITIES, NormalPriority
from felixbgp.net import Address, Prefix

RESOURCES = "/calico/resources/v3/projectcalico.org/"


DEFAULT_LOG_LEVEL = "info"
"""When no BGPConfiguration says otherwise, as in Calico."""


WORKLOAD_INTERFACES = ("cali*",)
"""Patterns of the interfaces that workloads are behind, as Calico names them."""


@dataclass(frozen=True, slots=True)
class PeerOrigin:
    """A peer's scope (`mesh`, `global`, `node` or `workload`) and its BGPPeer's name ("" for the mesh).

    `drain` is the id of the drain of the node that the peer is; "" where it is none, or is not drained.
    """

    scope: str
    resource: str
    drain: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the operator should mend: which object, which field ("" = the object), and why."""

    subject: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tunnel:
    """BGP routes inside `pool` leave through `interface`, the BGP next hop as gateway, on-link.

    Routes whose next hop lies in `direct` (the node's own subnet; None = none do) are plain instead.
    """

    pool: Prefix
    interface: str
    direct: Prefix | None = None


class StaticRoute(NamedTuple):
    """The way to a peer that is not on a link of this node (BGPPeer's reachableBy)."""

    prefix: Prefix
    gateway: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Everything derived for one node. `speaker` is None while the node has no BGP address."""

    speaker: SpeakerConfig | None = None
    listen: tuple[Address, ...] = ()
    """Addresses to accept on; the unspecified address of a family for all. Empty: do not listen."""
    listen_port: int = 179
    peers: dict[PeerId, PeerConfig] = field(default_factory=dict)
    origins: dict[PeerId, PeerOrigin] = field(default_factory=dict)
    held_down: dict[PeerId, PeerOrigin] = field(default_factory=dict)
    """Peers that are wanted and must have no session, as a filter or a secret is missing (`problems`)."""
    aggregates: tuple[Prefix, ...] = ()
    """Own blocks to originate and to hold as blackholes in the kernel (outside `kernel_exclusions`)."""
    service_ranges: tuple[Prefix, ...] = ()
    """Service ranges to originate; never in the kernel, where they would cut off the services themselves."""
    kernel_exclusions: tuple[Prefix, ...] = ()
    """Ranges whose routes are not put into the kernel: VXLAN pools (Felix does it) and service ranges."""
    encrypted_next_hops: tuple[Address, ...] = ()
    """Nodes reached through wireguard: routes by them are not put into the kernel, for Felix has its own."""
    tunnels: tuple[Tunnel, ...] = ()
    """IPIP pools and how packets to them leave this node."""
    static_routes: tuple[StaticRoute, ...] = ()
    """Routes to originate and to put into the kernel; one per prefix."""
    log_level: str = DEFAULT_LOG_LEVEL
    """What to log from: `debug`, `info`, `warning` or `error`."""
    workload_interfaces: tuple[str, ...] = WORKLOAD_INTERFACES
    """Patterns of the interfaces whose kernel routes are workloads of this node."""
    ignored_interfaces: tuple[str, ...] = ()
    """Patterns of the interfaces whose connected networks are not originated."""
    normal_priority: NormalPriority = NORMAL_PRIORITIES
    """The priority of a route that has none of its own: its metric in the kernel, told as LOCAL_PREF."""
    drain: Drain | None = None
    """That of this node."""
    problems: tuple[Problem, ...] = ()
