"""What a path becomes on its way to a kind of peer (RFC 4271 §5, §9.2; RFC 4456 §8), as pure functions.

    path ─ may_advertise ─▶ policy, which may change attributes ─▶ export, by this table


                         to an eBGP peer               to an iBGP peer
    AS_PATH              our AS in front, some edited  as it is
    NEXT_HOP             ourselves, or kept by wish    own routes: theirs or ourselves; learned: as it is
    MULTI_EXIT_DISC      dropped                       as it is
    LOCAL_PREF           dropped                       as it is, 100 when absent
    ORIGINATOR_ID        dropped                       set when reflecting
    CLUSTER_LIST         dropped                       ours in front when reflecting
    ONLY_TO_CUSTOMER     set towards customers, peers  as it is
    extended communities those that are transitive     as they are
    others               as they are

A route learned over iBGP goes to an iBGP peer only by reflection: the sender or the receiver is a client.
What comes over a session that is about to end is told as a last resort (RFC 8326), or those who could tell of
another way would go by this one, and say nothing.
What forbids an advertisement is asked of the path before the policy changes it, as in BIRD: a NO_EXPORT that
an export policy adds is for the peer to heed.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from felixbgp.bgp.config import NextHopMode, PeerId
from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.rib.acceptance import DOWN, UP_OR_ACROSS
from felixbgp.bgp.rib.path import DEFAULT_LOCAL_PREF, Path
from felixbgp.bgp.wire.as_path import prepended, prepended_octets
from felixbgp.bgp.wire.attributes import AttributeType
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.communities import (
    GRACEFUL_SHUTDOWN,
    LLGR_STALE,
    NO_ADVERTISE,
    NO_EXPORT,
    NO_EXPORT_SUBCONFED,
    crosses_borders,
)
from felixbgp.bgp.wire.framer import MESSAGE_OCTETS_MAX
from felixbgp.bgp.wire.messages import PathAttributes, Segment, UnknownAttribute
from felixbgp.bgp.wire.update import EncodedSet, encode_set
from felixbgp.net import Address, Family
from felixbgp.net.family import address_octets

DOWN_OR_ACROSS: Final = (*DOWN, Role.PEER)
LAST_RESORT_PREPENDED: Final = 2
"""How many more times our AS is put in front of what is told as a last resort."""
"""Neighbours to whom what goes there must go no further than down (RFC 9234 §5)."""


class ExportView(NamedTuple):
    """Everything that makes two peers be told the same: the key of their update group."""

    family: Family
    external: bool
    client: bool
    local_as: int
    local_address: Address
    """Our end of the session: what "ourselves" means as NEXT_HOP."""
    next_hop: NextHopMode
    cluster_id: bytes
    policy: Policy
    four_octet_as: bool = True
    as_path_edits: "AsPathEdits | None" = None
    extended_next_hop: bool = False
    """Whether the peers take an IPv6 next hop for IPv4 routes (RFC 8950)."""
    add_path: bool = False
    """Tell every path, each with an identifier (RFC 7911), instead of the best one."""
    message_octets_max: int = MESSAGE_OCTETS_MAX
    peer_role: Role | None = None
    """What an external peer is to us (RFC 9234)."""
    long_lived: bool = True
    """Whether the peers know of routes kept beyond their session (RFC 9494)."""

    @property
    def identifier_octets(self) -> int:
        """How many octets of path identifier come before every NLRI."""
        return 4 if self.add_path else 0


class AsPathEdits(NamedTuple):
    """What an external peer is shown of the AS_PATH, beside our own AS in front of it."""

    overridden: int | None = None
    """The AS in whose place ours is written: the peer's own, which would take the route for a loop."""
    without_private: bool = False
    prepended: int = 0
    """How many more times our AS stands in front."""


class Export:
    """One set of attributes to advertise, from one source; equal only to itself, shared by its prefixes."""

    __slots__ = ("encoded", "room", "source", "via_us")

    def __init__(self, source: PeerId | None, encoded: EncodedSet, *, via_us: bool) -> None:
        self.source = source
        """The peer it was learned from or, being our own, leads to, which is never told of it; or None."""
        self.encoded = encoded
        self.via_us = via_us
        """Whether the receiver will send its traffic here, so that our kernel must be ready for it."""
        self.room = encoded.room
        """How many octets of NLRI one message has room for; a prefix that needs more cannot be told."""

    def same(self, other: "Export | None") -> bool:
        """Whether a peer that was told `other` knows this already."""
        return self is other or (
            other is not None and self.encoded.same(other.encoded) and self.source == other.source
        )


_NO_SET: Final = EncodedSet(b"", b"", 0)


def outdated(known: Export) -> Export:
    """What peers that ask for a route again are taken to know: something of its source, never as it is."""
    return Export(known.source, _NO_SET, via_us=False)


def export(view: ExportView, path: Path, attributes: PathAttributes | None = None) -> Export | None:
    """What to tell the peers of this view about a path; None means nothing.

    The policy is not asked; `attributes` are those that it made of the path's own, None if it left them.
    """
    told = told_attributes(view, path, attributes)
    if told is None:
        return None
    via_us = told.next_hop == view.local_address
    source = source_of(path, told, via_us=via_us)
    encoded = encode_set(
        view.family, told, four_octet_as=view.four_octet_as, max_length=view.message_octets_max
    )
    return Export(source, encoded, via_us=via_us)


def source_of(path: Path, told: PathAttributes, *, via_us: bool) -> PeerId | None:
    """The peer that is not told of a path by these attributes; None: all are."""
    if path.peer is not None:
        return path.peer.peer
    # RFC 4271 §5.1.3: a route of our own is not told to a peer whose address is its next hop.
    return None if via_us else PeerId(Address(told.next_hop))


def told_attributes(
    view: ExportView, path: Path, attributes: PathAttributes | None = None
) -> PathAttributes | None:
    """The attributes that the peers of this view are told; None: they are told nothing."""
    if prohibition(view, path):
        return None
    next_hop = _next_hop(view, path)
    if not _fits(view, next_hop):
        return None  # Our end of the session has no address of this family to offer.
    if attributes is None:
        attributes = path.attributes
    is_last_resort = path.peer is not None and path.peer.leaving
    if is_last_resort:
        attributes = _as_last_resort(attributes)
    if view.external:
        if is_last_resort:
            # LOCAL_PREF does not leave the AS, and not everybody heeds the community.
            attributes = attributes.replace(
                as_path=prepended((view.local_as,) * LAST_RESORT_PREPENDED, attributes.as_path)
            )
        return PathAttributes(
            origin=attributes.origin,
            as_path=_as_path(view, attributes.as_path),
            next_hop=next_hop,
            atomic_aggregate=attributes.atomic_aggregate,
            aggregator=attributes.aggregator,
            communities=attributes.communities,
            extended_communities=_extended_communities(attributes.extended_communities),
            large_communities=attributes.large_communities,
            only_to_customer=_only_to_customer(view, attributes),
            unknown=_unknown(attributes.unknown) if attributes.unknown else (),
            partial=attributes.partial,
        )
    reflected = _learned_over_ibgp(path)
    cluster_list = attributes.cluster_list
    return PathAttributes(
        origin=attributes.origin,
        as_path=attributes.as_path,
        next_hop=next_hop,
        med=attributes.med,
        # RFC 4271 §5.1.5: always present towards iBGP peers.
        local_pref=DEFAULT_LOCAL_PREF if attributes.local_pref is None else attributes.local_pref,
        atomic_aggregate=attributes.atomic_aggregate,
        aggregator=attributes.aggregator,
        communities=attributes.communities,
        # RFC 4456 §8: name the originator once, and ourselves in front of the reflectors passed.
        originator_id=path.identifier if reflected else attributes.originator_id,
        cluster_list=(view.cluster_id, *cluster_list) if reflected else cluster_list,
        extended_communities=attributes.extended_communities,
        large_communities=attributes.large_communities,
        only_to_customer=attributes.only_to_customer,
        unknown=attributes.unknown,
        partial=attributes.partial,
    )


def may_advertise(view: ExportView, path: Path) -> bool:
    """The rules that forbid an advertisement whatever the policy says."""
    return not prohibition(view, path)


def prohibition(view: ExportView, path: Path) -> str:
    """The rule that forbids an advertisement whatever the policy says, in words; "" where none does."""
    communities = path.attributes.communities
    if NO_ADVERTISE in communities:
        return "it carries NO_ADVERTISE (RFC 1997)"
    if LLGR_STALE in communities and not view.long_lived:
        return "it is kept beyond its session, of which the peer knows nothing (RFC 9494)"
    if view.external:
        if path.attributes.only_to_customer is not None and view.peer_role in UP_OR_ACROSS:
            return "ONLY_TO_CUSTOMER: it may only go down (RFC 9234)"
        if NO_EXPORT in communities or NO_EXPORT_SUBCONFED in communities:
            return "it carries NO_EXPORT, and the peer is external (RFC 1997)"
        return ""
    # RFC 4271 §9.2 forbids iBGP to iBGP; RFC 4456 §6 allows it from and to clients.
    if not _learned_over_ibgp(path) or view.client or (path.peer is not None and path.peer.client):
        return ""
    return "learned over iBGP; only a route reflector passes it on, from or to clients (RFC 4271 §9.2, 4456)"


def _as_last_resort(attributes: PathAttributes) -> PathAttributes:
    """RFC 8326: of what is about to go, everybody else shall find another way, which may become ours, too."""
    communities = tuple(sorted({*attributes.communities, GRACEFUL_SHUTDOWN}))
    return attributes.replace(communities=communities, local_pref=0)


def _only_to_customer(view: ExportView, attributes: PathAttributes) -> int | None:
    """RFC 9234 §5: what goes down or across is marked by the first who sends it there."""
    known = attributes.only_to_customer
    if known is not None or view.peer_role is None:
        return known
    return view.local_as if view.peer_role in DOWN_OR_ACROSS else None


def _extended_communities(communities: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those that may leave our AS (RFC 4360 §6)."""
    return tuple([one for one in communities if crosses_borders(one)]) if communities else communities


def _unknown(attributes: tuple[UnknownAttribute, ...]) -> tuple[UnknownAttribute, ...]:
    """Without the IPv6 extended communities that stay within our AS (RFC 5701 §2, RFC 4360 §6)."""
    kept: list[UnknownAttribute] = []
    for one in attributes:
        if one.type == AttributeType.IPV6_EXTENDED_COMMUNITIES:
            cut = [one.value[start : start + 20] for start in range(0, len(one.value), 20)]
            value = b"".join([community for community in cut if crosses_borders(community)])
            kept += [one._replace(value=value)] if value else []
        else:
            kept.append(one)
    return tuple(kept)


def _as_path(view: ExportView, as_path: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """The AS_PATH towards an external peer."""
    edits = view.as_path_edits
    if edits is None:
        return prepended_octets(view.local_as.to_bytes(4, "big"), as_path)
    for_peer = as_path
    if edits.without_private:
        for_peer = _edited(for_peer, lambda asn: () if is_private(asn) else (asn,))
    if edits.overridden is not None:
        for_peer = _edited(for_peer, lambda asn: (view.local_as if asn == edits.overridden else asn,))
    return prepended((view.local_as,) * (1 + edits.prepended), for_peer)


def _edited(as_path: tuple[Segment, ...], edit: Callable[[int], tuple[int, ...]]) -> tuple[Segment, ...]:
    """The path with every AS number replaced by what `edit` gives; segments left empty go."""
    segments = [Segment(one.type, tuple([new for asn in one.asns for new in edit(asn)])) for one in as_path]
    return tuple([segment for segment in segments if segment.asns])


def is_private(asn: int) -> bool:
    """RFC 6996 §5."""
    return 64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294


def _learned_over_ibgp(path: Path) -> bool:
    return path.peer is not None and not path.peer.external


def _next_hop(view: ExportView, path: Path) -> bytes:
    """RFC 4271 §5.1.3, with Calico's nextHopMode on top.

    To eBGP peers always ourselves unless told otherwise: they may be several hops away, and a third party's
    address need not be reachable from there.
    """
    offered = path.attributes.next_hop
    if not _fits(view, offered):
        keep = False
    elif path.peer is None:
        # A gateway that its receiver could not use on its own link stands for ourselves.
        usable = not Address(offered).is_link_local
        keep = usable and not view.external and view.next_hop is not NextHopMode.SELF
    elif view.next_hop is NextHopMode.AUTO:
        keep = not view.external
    else:
        keep = view.next_hop is NextHopMode.KEEP
    return offered if keep else view.local_address


def _fits(view: ExportView, next_hop: bytes) -> bool:
    """Whether the peers can be told this next hop: one of the family, or an IPv6 one by RFC 8950."""
    octets = len(next_hop)
    return octets == address_octets(view.family) or (view.extended_next_hop and octets == 16)
