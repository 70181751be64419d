"""A path: one set of attributes from one peer, shared by every prefix announced with them.

What the decision process, the loop checks and the export rules ask of a path depends on the attributes and
the peer only, so it is worked out once per path, not once per prefix.
"""

from itertools import islice
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.memory import octets_of
from felixbgp.bgp.routes import LocalRoute, Precedence, Selected
from felixbgp.bgp.wire.communities import LLGR_STALE
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType, number_of
from felixbgp.net import Family, Nlri, Prefix

DEFAULT_LOCAL_PREF: Final = 100
"""The degree of preference of a path that carries none: a convention, the standard has no default."""


_SEQUENCE: Final = int(SegmentType.AS_SEQUENCE)
_SET: Final = int(SegmentType.AS_SET)


class PathPeer:
    """The peer a path came from, as far as decision and export care; one per session and configuration."""

    __slots__ = ("client", "draining", "external", "identifier", "leaving", "peer", "remote_as", "selected")

    def __init__(
        self,
        peer: PeerId,
        *,
        external: bool,
        identifier: bytes,
        remote_as: int,
        client: bool = False,
        draining: bool = False,
        counted: bool = False,
        leaving: bool = False,
    ) -> None:
        self.peer = peer
        self.external = external
        self.identifier = identifier
        self.remote_as = remote_as
        self.client = client
        self.draining = draining
        """Whether its paths are used only where there are no others."""
        self.leaving = leaving or draining
        """Whether they are told to others as a last resort, which they are here, or will be."""
        is_counted = counted or self.leaving
        self.selected: dict[Family, dict[Nlri, None]] | None = {} if is_counted else None
        """Which prefixes have a path of this one selected, if it is leaving or counted."""

    @property
    def selected_count(self) -> int:
        """How many prefixes these are; 0 where nobody counts."""
        return 0 if self.selected is None else sum(map(len, self.selected.values()))

    def first_selected(self, limit: int) -> tuple[Prefix, ...]:
        """Those of them that have been selected for the longest."""
        each = (Prefix(family, nlri) for family, nlris in (self.selected or {}).items() for nlri in nlris)
        return tuple(islice(each, limit))

    def as_leaving(self, *, draining: bool, counted: bool, leaving: bool = False) -> "PathPeer":
        """The same peer, about to leave, or not any more."""
        return PathPeer(
            self.peer,
            external=self.external,
            identifier=self.identifier,
            remote_as=self.remote_as,
            client=self.client,
            draining=draining,
            counted=counted,
            leaving=leaving,
        )


class Path:
    """Attributes and their origin. Equal only to itself; `peer` is None for a route of our own."""

    __slots__ = (
        "as_path_length",
        "attributes",
        "excused",
        "identifier",
        "ineligible",
        "interface",
        "local_pref",
        "long_lived_stale",
        "neighbour_as",
        "octets",
        "outlived",
        "path_id",
        "peer",
        "precedence",
        "received",
        "selected",
        "source",
        "uses",
    )

    def __init__(
        self,
        attributes: PathAttributes,
        peer: PathPeer | None,
        *,
        source: RouteSource = RouteSource.BGP,
        interface: str = "",
        ineligible: str = "",
        received: PathAttributes | None = None,
        path_id: bytes = b"",
        outlived: bool = False,
        excused: bool = False,
        precedence: Precedence = Precedence.BESIDE,
    ) -> None:
        self.attributes = attributes
        self.received = attributes if received is None else received
        """What the peer sent, before the standards and the import policy changed it."""
        self.path_id = path_id
        """The peer's identifier of the path (RFC 7911 §3), 4 octets; b"" where it sends none."""
        self.peer = peer
        self.source = source
        self.interface = interface
        self.precedence = precedence
        """How it stands to learned paths, which are all `BESIDE`."""
        self.ineligible = ineligible
        """Why the decision process must not see the path; "" when it may."""
        self.excused = excused
        """Whether it would be a loop if it was told now, and stays because it is stale."""
        self.octets = octets_of(attributes)
        """About how much memory it takes."""
        self.selected: Selected | None = None
        """What the outside sees where it is a prefix's only path, once somebody wants to know."""
        self.uses = 0
        """How many routes of its Adj-RIB-In have it: when the last one goes, so does the path."""
        self.long_lived_stale = LLGR_STALE in attributes.communities
        self.outlived = outlived
        """Whether we keep it beyond the restart time of its peer (RFC 9494)."""
        local_pref = attributes.local_pref
        self.local_pref = DEFAULT_LOCAL_PREF if local_pref is None else local_pref
        self.as_path_length = as_path_length(attributes.as_path)
        self.neighbour_as = 0 if peer is None else neighbour_as(attributes.as_path, peer)
        self.identifier = attributes.originator_id or (b"" if peer is None else peer.identifier)
        """What stands for the BGP Identifier in the decision (RFC 4456 §9)."""


def changed_path(path: Path, attributes: PathAttributes) -> Path:
    """The path that a policy made of another one by changing its attributes."""
    return Path(
        attributes,
        path.peer,
        source=path.source,
        interface=path.interface,
        received=path.received,
        path_id=path.path_id,
        outlived=path.outlived,
        excused=path.excused,
        precedence=path.precedence,
    )


def local_path(route: LocalRoute) -> Path:
    """The path of a route we originate."""
    attributes = PathAttributes(next_hop=bytes(route.next_hop or b""), local_pref=route.local_pref)
    return Path(attributes, None, source=route.source, interface=route.interface, precedence=route.precedence)


def as_path_length(as_path: tuple[Segment, ...]) -> int:
    """The number of AS numbers (RFC 4271 §9.1.2.2 a).

    An AS_SET counts 1, confederation segments 0 (RFC 5065 §5.3).
    """
    length = 0
    for segment in as_path:
        if segment.type == _SEQUENCE:
            length += segment.count
        elif segment.type == _SET:
            length += 1
    return length


def neighbour_as(as_path: tuple[Segment, ...], peer: PathPeer) -> int:
    """neighborAS() of RFC 4271 §9.1.2.2 c: the AS that the route entered our AS from.

    An AS_PATH that is empty or begins with an AS_SET belongs to the AS of the peer itself.
    """
    if as_path and as_path[0].type == _SEQUENCE:
        return number_of(as_path[0].octets)
    return peer.remote_as
