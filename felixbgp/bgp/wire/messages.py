"""The five messages of BGP-4 as values (RFC 4271 §4, RFC 2918) and the path attributes they carry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from struct import pack, unpack
from typing import Any, Final, NamedTuple

from felixbgp.net import Address, Family, Nlri


class MessageType(IntEnum):
    """RFC 4271 §4.1; RFC 2918 §3."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


class Origin(IntEnum):
    """RFC 4271 §4.3, ORIGIN; lower is preferred."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class SegmentType(IntEnum):
    """AS_PATH segment types, RFC 4271 §4.3 and RFC 5065 §3."""

    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4


class Segment:
    """One AS_PATH segment: its type (a `SegmentType` value) and AS numbers; a value.

    The numbers are kept as octets, which is how they come and mostly go: few paths are ever looked into.
    """

    __slots__ = ("octets", "type")

    def __init__(self, type: int, asns: Sequence[int], octets: bytes = b"") -> None:  # noqa: A002 - the standard's word
        """Where `octets` are given, they stand for `asns`."""
        self.type = type
        self.octets = octets or octets_of_numbers(asns)
        """The AS numbers, four octets each."""

    @property
    def asns(self) -> tuple[int, ...]:
        """The AS numbers; worked out anew every time."""
        octets = self.octets
        return unpack(f">{len(octets) >> 2}I", octets)

    @property
    def count(self) -> int:
        """How many AS numbers there are."""
        return len(self.octets) >> 2

    def times(self, asn: bytes) -> int:
        """How often an AS number of four octets stands in it."""
        octets, last = self.octets, asn[3]
        found = 0
        # Mostly the last octet tells; `in` and `count` of bytes cost compiled code several times as much.
        for at in range(3, len(octets), 4):
            if octets[at] == last and octets[at - 3 : at + 1] == asn:
                found += 1
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segment) and self.type == other.type and self.octets == other.octets

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        return f"Segment({self.type}, {self.asns})"


def octets_of_numbers(numbers: Sequence[int]) -> bytes:
    """AS numbers, or communities, as four octets each."""
    return pack(f">{len(numbers)}I", *numbers)


def number_of(octets: bytes) -> int:
    """The number that the first four octets are; `int.from_bytes` is slow in compiled code."""
    return octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3]


class UnknownAttribute(NamedTuple):
    """An attribute we do not interpret, kept octet for octet, with the flags to send (RFC 4271 §5)."""

    flags: int
    type: int
    value: bytes


_HASH_MAX: Final = (1 << 61) - 1
"""What a compiled integer holds without an object of its own."""


class PathAttributes:
    """The attributes that a set of prefixes shares; a value: nothing of it is ever changed.

    NEXT_HOP is that of the family they belong to, or an IPv6 one for IPv4 prefixes (RFC 8950).
    Compared and hashed by value; the wire layer interns them, so equal ones are usually the same object.
    A class of its own instead of a frozen dataclass, which costs several times as much to make and to hash;
    a table may have a set per prefix.
    """

    __slots__ = (
        "_hash",
        "aggregator",
        "as_path",
        "atomic_aggregate",
        "cluster_list",
        "communities",
        "extended_communities",
        "large_communities",
        "local_pref",
        "med",
        "next_hop",
        "only_to_customer",
        "origin",
        "originator_id",
        "partial",
        "unknown",
    )

    def __init__(
        self,
        *,
        origin: int = 0,
        as_path: tuple[Segment, ...] = (),
        next_hop: bytes = b"",
        med: int | None = None,
        local_pref: int | None = None,
        atomic_aggregate: bool = False,
        aggregator: tuple[int, bytes] | None = None,
        communities: tuple[int, ...] = (),
        originator_id: bytes | None = None,
        cluster_list: tuple[bytes, ...] = (),
        extended_communities: tuple[bytes, ...] = (),
        large_communities: tuple[tuple[int, int, int], ...] = (),
        only_to_customer: int | None = None,
        unknown: tuple[UnknownAttribute, ...] = (),
        partial: tuple[int, ...] = (),
    ) -> None:
        self.origin = origin
        """An `Origin`."""
        self.as_path = as_path
        self.next_hop = next_hop
        """4 or 16 octets; b"" only while none is known."""
        self.med = med
        """None when absent, as is LOCAL_PREF."""
        self.local_pref = local_pref
        self.atomic_aggregate = atomic_aggregate
        self.aggregator = aggregator
        """(AS number, identifier of 4 octets)."""
        self.communities = communities
        """RFC 1997, each 32 bits, ascending."""
        self.originator_id = originator_id
        self.cluster_list = cluster_list
        self.extended_communities = extended_communities
        self.large_communities = large_communities
        self.only_to_customer = only_to_customer
        """RFC 9234 §5: the AS number of whoever began to restrict the route; None when absent."""
        self.unknown = unknown
        """Optional transitive ones only, ascending by type; others are dropped on receipt."""
        self.partial = partial
        """Types of the interpreted attributes that came with the Partial bit, which none may take away
        (RFC 4271 §5); ascending."""
        self._hash = 0
        """0 until somebody asks for it."""

    def replace(self, **changes: Any) -> "PathAttributes":
        """The same attributes but for these."""
        fields: dict[str, Any] = dict(zip(_FIELDS, self._values(), strict=True))
        fields.update(changes)
        return PathAttributes(**fields)

    def _values(self) -> tuple[object, ...]:
        """In the order of `_FIELDS`, those that differ most often first."""
        return (
            self.as_path,
            self.next_hop,
            self.origin,
            self.med,
            self.local_pref,
            self.communities,
            self.atomic_aggregate,
            self.aggregator,
            self.originator_id,
            self.cluster_list,
            self.extended_communities,
            self.large_communities,
            self.only_to_customer,
            self.unknown,
            self.partial,
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, PathAttributes) and self._values() == other._values()

    def __hash__(self) -> int:
        if not self._hash:
            # What hardly ever differs alone is left to the comparison.
            told = hash((self.as_path, self.next_hop, self.med, self.local_pref, self.communities))
            self._hash = told & _HASH_MAX or 1
        return self._hash

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={value!r}" for name, value in zip(_FIELDS, self._values(), strict=True)])
        return f"PathAttributes({fields})"


_FIELDS: Final = (
    "as_path",
    "next_hop",
    "origin",
    "med",
    "local_pref",
    "communities",
    "atomic_aggregate",
    "aggregator",
    "originator_id",
    "cluster_list",
    "extended_communities",
    "large_communities",
    "only_to_customer",
    "unknown",
    "partial",
)


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability as it stands in OPEN: code and value (RFC 5492 §4)."""

    code: int
    value: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMessage:
    """RFC 4271 §4.2. `my_as` is the two-octet field as sent; four-octet AS numbers are a capability."""

    version: int = 4
    my_as: int
    hold_time_s: int
    bgp_identifier: bytes
    capabilities: tuple[Capability, ...] = ()


class UpdateMessage:
    """RFC 4271 §4.3 with RFC 4760 folded in: per family, canonical NLRI bytes.

    Where the peer sends path identifiers, each NLRI is the four octets of the identifier and then the
    canonical bytes, as on the wire (RFC 7911 §3).
    Announcements with an attribute error arrive as withdrawals (RFC 7606 §2, treat-as-withdraw).
    """

    __slots__ = ("announced", "end_of_rib", "errors", "withdrawn")

    def __init__(
        self,
        *,
        withdrawn: tuple[tuple[Family, tuple[Nlri, ...]], ...] = (),
        announced: tuple[tuple[Family, PathAttributes, tuple[Nlri, ...]], ...] = (),
        end_of_rib: Family | None = None,
        errors: tuple[str, ...] = (),
    ) -> None:
        self.withdrawn = withdrawn
        self.announced = announced
        self.end_of_rib = end_of_rib
        self.errors = errors
        """What was malformed and tolerated, in words, with RFC 7606's verdict first."""

    def _values(self) -> tuple[object, ...]:
        return (self.withdrawn, self.announced, self.end_of_rib, self.errors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UpdateMessage) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"UpdateMessage{self._values()!r}"


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """RFC 4271 §4.5."""

    code: int
    subcode: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class KeepaliveMessage:
    """RFC 4271 §4.4."""


@dataclass(frozen=True, slots=True)
class RouteRefreshMessage:
    """RFC 2918 §3; `subtype` is RFC 7313's: 0 request, 1 BoRR, 2 EoRR."""

    family: Family
    subtype: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRestart:
    """A peer's graceful restart capability (RFC 4724 §3, RFC 8538 §2)."""

    restarting: bool
    """It has restarted, and End-of-RIB must not be waited for."""
    notification: bool
    """NOTIFICATION and an expired hold timer leave routes to be kept, unless it is a Hard Reset."""
    restart_time_s: int
    families: tuple[tuple[Family, bool], ...]
    """Each with whether the peer has preserved its forwarding state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """What both OPENs agreed on; fixed for the life of a session."""

    families: tuple[Family, ...]
    peer_as: int
    peer_identifier: Address
    hold_time_ns: int
    """0: neither KEEPALIVE nor hold timer."""
    keepalive_ns: int
    four_octet_as: bool = True
    route_refresh: bool = False
    enhanced_route_refresh: bool = False
    extended_message: bool = False
    """Messages of up to 65535 octets (RFC 8654) both ways."""
    add_path_receive: tuple[Family, ...] = ()
    """Families in which the peer puts a path identifier before each prefix (RFC 7911)."""
    add_path_send: tuple[Family, ...] = ()
    """Families in which we do."""
    extended_next_hop: tuple[Family, ...] = ()
    """IPv4 families whose routes may have an IPv6 next hop (RFC 8950)."""
    graceful_restart: PeerRestart | None = None
    """The peer's capability; its `notification` counts only when both sides have it."""
    long_lived: tuple[tuple[Family, bool, int], ...] = ()
    """The peer's RFC 9494: family, whether forwarding state was preserved, stale time in seconds."""
    peer_role: int | None = None
    """What the peer says it is, a `Role` (RFC 9234)."""
    capabilities: tuple[Capability, ...] = field(default=())
    """The peer's, as received."""
