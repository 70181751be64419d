"""What a route has to be before a policy sees it, and what is changed on it by standard, not by policy."""

from functools import lru_cache
from typing import Final

from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.communities import BLACKHOLE, GRACEFUL_SHUTDOWN, LLGR_STALE, NO_EXPORT
from felixbgp.bgp.wire.messages import PathAttributes, Segment
from felixbgp.net import Address, Family
from felixbgp.net.family import address_octets

UP_OR_ACROSS: Final = (Role.PROVIDER, Role.ROUTE_SERVER, Role.PEER)
"""Neighbours from whom a route may only go down, to customers (RFC 9234 §5)."""
DOWN: Final = (Role.CUSTOMER, Role.ROUTE_SERVER_CLIENT)
"""Neighbours who must not bring a route that may only go down."""


class Acceptance:
    """The rules of one peer and family for what is received, before any policy."""

    __slots__ = (
        "_allowed_local_as",
        "_cluster_id",
        "_extended_next_hop",
        "_external",
        "_family",
        "_goes_down",
        "_identifier",
        "_local_as_octets",
        "_own_addresses",
        "_peer_role",
        "_remote_as",
    )

    def __init__(
        self,
        family: Family,
        *,
        local_as: frozenset[int],
        allowed_local_as: int,
        identifier: bytes,
        cluster_id: bytes,
        own_addresses: frozenset[bytes],
        external: bool = False,
        remote_as: int = 0,
        peer_role: Role | None = None,
        extended_next_hop: bool = False,
    ) -> None:
        """`peer_role` is what an external peer is to us, None when nobody said (RFC 9234)."""
        self._family = family
        self._local_as_octets = [asn.to_bytes(4, "big") for asn in local_as]
        self._allowed_local_as = allowed_local_as
        self._identifier = identifier
        self._cluster_id = cluster_id
        self._own_addresses = own_addresses
        self._external = external
        self._remote_as = remote_as
        self._peer_role = peer_role
        self._goes_down = peer_role in UP_OR_ACROSS
        self._extended_next_hop = extended_next_hop

    def refusal(self, attributes: PathAttributes, *, stale: bool = False) -> str:
        """Why the path is not eligible (RFC 4271 §9.1.2, RFC 4456 §8), in words; "" when it is.

        A `stale` one was no loop when it was told. That it would be one to who we are now, after another AS
        number or cluster ID, says nothing of where packets go; what the peer tells next will.
        """
        loop = "" if stale else self._loop(attributes)
        if loop:
            return loop
        if attributes.next_hop in self._own_addresses:
            return "NEXT_HOP is ourselves"
        if not usable_next_hop(attributes.next_hop, self._family, extended=self._extended_next_hop):
            return "NEXT_HOP is not the address of a host"
        if self._is_leak(attributes.only_to_customer):
            return f"route leak: ONLY_TO_CUSTOMER {attributes.only_to_customer} came from below or beside"
        return ""

    def _loop(self, attributes: PathAttributes) -> str:
        """Where we have been on the way already, in words."""
        own = self._own_count(attributes.as_path)
        if own > self._allowed_local_as:
            return f"AS loop: our own AS stands {own} times in the AS_PATH"
        if attributes.originator_id == self._identifier:
            return "reflection loop: ORIGINATOR_ID is our identifier"
        if self._cluster_id in attributes.cluster_list:
            return "reflection loop: CLUSTER_LIST holds our cluster"
        return ""

    def amended(self, attributes: PathAttributes, *, outlived: bool = False) -> PathAttributes:
        """The attributes to go on with; usually the same. `outlived` ones are marked (RFC 9494 §4.3)."""
        if outlived:
            attributes = _with_community(attributes, LLGR_STALE)
        if self._external and GRACEFUL_SHUTDOWN in attributes.communities:
            # RFC 8326 §4.1: everybody in our AS shall prefer any other way.
            attributes = attributes.replace(local_pref=0)
        if self._external and BLACKHOLE in attributes.communities:
            # RFC 7999 §3.2: such a prefix had better not leave our AS.
            attributes = _with_community(attributes, NO_EXPORT)
        if self._goes_down and attributes.only_to_customer is None:
            # RFC 9234 §5: a neighbour that does not know the attribute is helped out.
            attributes = attributes.replace(only_to_customer=self._remote_as)
        return attributes

    def _own_count(self, as_path: tuple[Segment, ...]) -> int:
        """How many AS numbers of a path are ours."""
        own = 0
        for segment in as_path:
            for octets in self._local_as_octets:
                own += segment.times(octets)
        return own

    def _is_leak(self, only_to_customer: int | None) -> bool:
        """RFC 9234 §5, on receipt."""
        if only_to_customer is None:
            return False
        return self._peer_role in DOWN or (
            self._peer_role is Role.PEER and only_to_customer != self._remote_as
        )


shared_acceptance = lru_cache(maxsize=256)(Acceptance)
"""An `Acceptance`, which peers that are alike share."""


def _with_community(attributes: PathAttributes, community: int) -> PathAttributes:
    return attributes.replace(communities=tuple(sorted({*attributes.communities, community})))


def usable_next_hop(next_hop: bytes, family: Family, *, extended: bool = False) -> bool:
    """Whether a gateway can be programmed from the address alone.

    It is of the family, or with `extended` an IPv6 one for IPv4 routes (RFC 8950).
    Unspecified, loopback, multicast and reserved ones name no neighbour (RFC 4271 §6.3); a link-local IPv6
    address would need an interface, which the attribute does not carry.
    """
    if len(next_hop) != address_octets(family) and not (extended and len(next_hop) == 16):
        return False
    if len(next_hop) == 4:
        return next_hop[0] not in (0, 127) and next_hop[0] < 224
    address = Address(next_hop)
    unspecified_or_loopback = address[:15] == bytes(15) and address[15] < 2
    return not (address.is_link_local or address[0] == 0xFF or unspecified_or_loopback)
