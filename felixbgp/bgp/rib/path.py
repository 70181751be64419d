"""A path: one set of attributes from one peer, shared by every prefix announced with them.

What the decision process, the loop checks and the export rules ask of a path depends on the attributes and
the peer only, so it is worked out once per path, not once per prefix.
"""

from collections.abc import Sequence
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType
from felixbgp.net import Address, Family

DEFAULT_LOCAL_PREF: Final = 100
"""The degree of preference of a path that carries none: a convention, the standard has no default."""


class PathPeer:
    """The peer a path came from, as far as decision and export care; one per session and configuration."""

    __slots__ = ("client", "external", "identifier", "local_as", "peer", "remote_as")

    def __init__(
        self,
        peer: PeerId,
        *,
        external: bool,
        identifier: bytes,
        local_as: int,
        remote_as: int,
        client: bool = False,
    ) -> None:
        self.peer = peer
        self.external = external
        self.identifier = identifier
        self.local_as = local_as
        self.remote_as = remote_as
        self.client = client


class Path:
    """Attributes and their origin. Equal only to itself; `peer` is None for a route of our own."""

    __slots__ = (
        "alone",
        "as_path_length",
        "attributes",
        "identifier",
        "ineligible",
        "interface",
        "local_pref",
        "neighbour_as",
        "peer",
        "source",
    )

    def __init__(
        self,
        attributes: PathAttributes,
        peer: PathPeer | None,
        *,
        source: RouteSource = RouteSource.BGP,
        interface: str = "",
        ineligible: str = "",
    ) -> None:
        self.attributes = attributes
        self.peer = peer
        self.source = source
        self.interface = interface
        self.ineligible = ineligible
        """Why the decision process must not see the path; "" when it may."""
        self.alone: tuple[Path, ...] = (self,)
        """The candidates of a prefix that has no other path: shared, as most prefixes have one path."""
        local_pref = attributes.local_pref
        self.local_pref = DEFAULT_LOCAL_PREF if local_pref is None else local_pref
        self.as_path_length = as_path_length(attributes.as_path)
        self.neighbour_as = 0 if peer is None else neighbour_as(attributes.as_path, peer)
        self.identifier = attributes.originator_id or (b"" if peer is None else peer.identifier)
        """What stands for the BGP Identifier in the decision (RFC 4456 §9)."""


def local_path(route: LocalRoute) -> Path:
    """The path of a route we originate."""
    attributes = PathAttributes(next_hop=bytes(route.next_hop or b""))
    return Path(attributes, None, source=route.source, interface=route.interface)


def as_path_length(as_path: Sequence[Segment]) -> int:
    """The number of AS numbers (RFC 4271 §9.1.2.2 a).

    An AS_SET counts 1, confederation segments 0 (RFC 5065 §5.3).
    """
    length = 0
    for segment in as_path:
        if segment.type == SegmentType.AS_SEQUENCE:
            length += len(segment.asns)
        elif segment.type == SegmentType.AS_SET:
            length += 1
    return length


def neighbour_as(as_path: Sequence[Segment], peer: PathPeer) -> int:
    """neighborAS() of RFC 4271 §9.1.2.2 c: the AS that the route entered our AS from.

    An AS_PATH that is empty or begins with an AS_SET belongs to the AS of the peer itself.
    """
    for segment in as_path:
        if segment.type == SegmentType.AS_SEQUENCE and segment.asns:
            return segment.asns[0]
        if segment.type == SegmentType.AS_SET:
            break
    return peer.remote_as


class Acceptance:
    """What makes a received path eligible (RFC 4271 §9.1.2, RFC 4456 §8) for one peer and family."""

    __slots__ = ("_allowed_local_as", "_cluster_id", "_family", "_identifier", "_local_as", "_own_addresses")

    def __init__(
        self,
        family: Family,
        *,
        local_as: frozenset[int],
        allowed_local_as: int,
        identifier: bytes,
        cluster_id: bytes,
        own_addresses: frozenset[bytes],
    ) -> None:
        self._family = family
        self._local_as = local_as
        self._allowed_local_as = allowed_local_as
        self._identifier = identifier
        self._cluster_id = cluster_id
        self._own_addresses = own_addresses

    def refusal(self, attributes: PathAttributes) -> str:
        """Why the path is not eligible, in words; "" when it is."""
        own = sum(asn in self._local_as for segment in attributes.as_path for asn in segment.asns)
        if own > self._allowed_local_as:
            return f"AS loop: our own AS stands {own} times in the AS_PATH"
        if attributes.originator_id == self._identifier:
            return "reflection loop: ORIGINATOR_ID is our identifier"
        if self._cluster_id in attributes.cluster_list:
            return "reflection loop: CLUSTER_LIST holds our cluster"
        if attributes.next_hop in self._own_addresses:
            return "NEXT_HOP is ourselves"
        if not usable_next_hop(attributes.next_hop, self._family):
            return "NEXT_HOP is not the address of a host"
        return ""


def usable_next_hop(next_hop: bytes, family: Family) -> bool:
    """Whether a gateway of this family can be programmed from the address alone.

    Unspecified, loopback, multicast and reserved ones name no neighbour (RFC 4271 §6.3); a link-local IPv6
    address would need an interface, which the attribute does not carry.
    """
    if len(next_hop) != family.octets:
        return False
    if len(next_hop) == 4:
        return next_hop[0] not in (0, 127) and next_hop[0] < 224
    address = Address(next_hop)
    unspecified_or_loopback = address[:15] == bytes(15) and address[15] < 2
    return not (address.is_link_local or address[0] == 0xFF or unspecified_or_loopback)
