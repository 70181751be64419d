"""Short ways to write paths, for tests of decision and export."""

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.path import Path, PathPeer, local_path
from felixbgp.bgp.routes import LocalRoute, Precedence
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType
from felixbgp.net import Address

OUR_AS = 64512


def sequence(*asns: int) -> tuple[Segment, ...]:
    """An AS_PATH of one AS_SEQUENCE."""
    return (Segment(SegmentType.AS_SEQUENCE, asns),)


def as_set(*asns: int) -> Segment:
    """An AS_SET."""
    return Segment(SegmentType.AS_SET, asns)


def path_peer(
    address: str = "10.0.0.1",
    *,
    asn: int = OUR_AS,
    identifier: str = "",
    client: bool = False,
    port: int = 179,
) -> PathPeer:
    """A peer; its identifier is its address unless told otherwise."""
    return PathPeer(
        PeerId(Address.parse(address), port),
        external=asn != OUR_AS,
        identifier=Address.parse(identifier or address),
        remote_as=asn,
        client=client,
    )


def path(peer: PathPeer | None = None, **attributes: object) -> Path:
    """A path from a peer, by default an iBGP one, with these attributes."""
    known = {"next_hop": bytes(Address.parse("10.9.9.9")), **attributes}
    return Path(PathAttributes(**known), path_peer() if peer is None else peer)  # type: ignore[arg-type]


def own_path(
    source: RouteSource = RouteSource.AGGREGATE,
    interface: str = "",
    next_hop: str = "",
    local_pref: int | None = None,
    precedence: Precedence = Precedence.FIRST,
) -> Path:
    """A path of our own."""
    gateway = Address.parse(next_hop) if next_hop else None
    return local_path(LocalRoute(source, interface, gateway, local_pref, precedence))
