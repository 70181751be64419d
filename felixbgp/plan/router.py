"""Whoever speaks BGP: the nodes, and what is beside the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.routes import LocalRoute
from felixbgp.net import Address, Family, Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """One speaker: its identity, its sessions as it wants them, and its own routes."""

    name: str
    speaker: SpeakerConfig
    addresses: Mapping[Family, Address]
    listen_port: int
    peers: Mapping[PeerId, PeerConfig]
    scopes: Mapping[PeerId, str]
    """Where each of these comes from: a `PeerOrigin.scope`."""
    routes: Mapping[Prefix, LocalRoute]
    held_down: Mapping[Address, str] = field(default_factory=dict)
    """Peers that it wants and must have no session with, and why."""
    is_node: bool = True
