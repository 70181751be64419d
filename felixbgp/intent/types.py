"""What a node must do, as values."""

from dataclasses import dataclass, field

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.net import Address, Prefix

RESOURCES = "/calico/resources/v3/projectcalico.org/"


@dataclass(frozen=True, slots=True)
class PeerOrigin:
    """A peer's scope (`mesh`, `global` or `node`) and its BGPPeer's name ("" for the mesh)."""

    scope: str
    resource: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the operator should mend: which object, which field ("" = the object), and why."""

    subject: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Everything derived for one node. `speaker` is None while the node has no BGP address."""

    speaker: SpeakerConfig | None = None
    listen: tuple[Address, ...] = ()
    """Addresses to accept on; the unspecified address of a family for all. Empty: do not listen."""
    listen_port: int = 179
    peers: dict[PeerId, PeerConfig] = field(default_factory=dict)
    origins: dict[PeerId, PeerOrigin] = field(default_factory=dict)
    aggregates: tuple[Prefix, ...] = ()
    """Own blocks to originate and to hold as blackholes in the kernel."""
    kernel_exclusions: tuple[Prefix, ...] = ()
    """Ranges whose BGP routes are not put into the kernel (VXLAN pools)."""
    workload_interfaces: tuple[str, ...] = ("cali*",)
    """Patterns of the interfaces whose kernel routes are workloads of this node."""
    problems: tuple[Problem, ...] = ()
