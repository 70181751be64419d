"""UPDATE: octets to `UpdateMessage`, and routes to as few messages as hold them.

RFC 4271 §4.3 and §6.3, RFC 4760 (IPv6 travels in MP_REACH_NLRI and MP_UNREACH_NLRI), RFC 8950 (so does IPv4
with an IPv6 next hop), RFC 7911 (path identifiers before prefixes), RFC 4724 §2 (End-of-RIB), and RFC 7606
for everything that is malformed, without its AFI/SAFI disable approach.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from felixbgp.bgp.wire.attribute_encoding import encode_attribute, encode_attributes
from felixbgp.bgp.wire.attributes import (
    OPTIONAL,
    TRANSITIVE,
    AttributeSet,
    AttributeType,
    Fault,
    Multiprotocol,
    Verdict,
    decode_attributes,
    split_multiprotocol,
)
from felixbgp.bgp.wire.errors import ErrorCode, UpdateSubcode, WireError
from felixbgp.bgp.wire.framer import HEADER_OCTETS, MARKER, MESSAGE_OCTETS_MAX, bad_message_length
from felixbgp.bgp.wire.messages import MessageType, Negotiated, PathAttributes, UpdateMessage
from felixbgp.bgp.wire.nlri import NlriError, parse_nlri
from felixbgp.net import IPV4, IPV6, Family, Nlri

_MULTIPROTOCOL_MANDATORY: Final = 1 << AttributeType.ORIGIN | 1 << AttributeType.AS_PATH
_CLASSIC_MANDATORY: Final = _MULTIPROTOCOL_MANDATORY | 1 << AttributeType.NEXT_HOP

_IPV6_NEXT_HOP_OCTETS: Final = (16, 32)
"""RFC 2545 §3: 32 are a global address and a link-local one."""
_NEXT_HOP_OCTETS: Final[dict[Family, tuple[int, ...]]] = {IPV4: (4,), IPV6: _IPV6_NEXT_HOP_OCTETS}
"""RFC 4760 §3; where RFC 8950 was negotiated, a family may have those of IPv6 as well."""

_UPDATE_TYPE: Final = int(MessageType.UPDATE)
_FIELDS_OCTETS: Final = 4
"""Of the two length fields of UPDATE."""


def decode_update(body: bytes, negotiated: Negotiated, ebgp: bool) -> UpdateMessage:
    """Read the body of an UPDATE; `ebgp` says that the peer is an external one.

    A prefix that is withdrawn and announced in one message is to be announced (RFC 4271 §4.3): apply
    `withdrawn` before `announced`. Prefixes of families that were not negotiated are dropped. Raises
    `WireError` where RFC 7606 leaves nothing but a session reset.
    """
    withdrawn_field, octets, nlri_field = _split_body(body)
    draft = _Draft(negotiated, ebgp)
    if withdrawn_field:
        draft.take_withdrawn(withdrawn_field)
    rest, reach, unreach = split_multiprotocol(octets)
    unreach_family = draft.take_unreach(unreach) if unreach is not None else None
    reached = draft.read_reach(reach) if reach is not None else None
    if reached is not None and reached.empty:
        # RFC 7606 §5.2: what counts is whether reachable NLRI are there, not their attribute.
        reach = reached = None
    if nlri_field:
        draft.take_routes(rest, nlri_field)
    if reach is not None:
        draft.take_reached(rest, reached)
    if rest and not nlri_field and reach is None:
        draft.take_no_routes(rest)
    return draft.finish(_end_of_rib(body, negotiated, unreach, unreach_family))


def _split_body(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Withdrawn routes, path attributes, NLRI (RFC 4271 §4.3)."""
    if len(body) < _FIELDS_OCTETS:
        raise bad_message_length(HEADER_OCTETS + len(body), "an UPDATE has at least 23 octets")
    withdrawn_end = 2 + (body[0] << 8 | body[1])
    attributes_start = withdrawn_end + 2
    attributes_end = attributes_start
    if attributes_start <= len(body):
        attributes_end += body[withdrawn_end] << 8 | body[withdrawn_end + 1]
    if attributes_start > len(body) or attributes_end > len(body):
        raise WireError(
            ErrorCode.UPDATE_MESSAGE,
            UpdateSubcode.MALFORMED_ATTRIBUTE_LIST,
            text="the withdrawn routes and attributes are longer than the message",
        )
    return body[2:withdrawn_end], body[attributes_start:attributes_end], body[attributes_end:]


def _end_of_rib(
    body: bytes, negotiated: Negotiated, unreach: Multiprotocol | None, family: Family | None
) -> Family | None:
    """RFC 4724 §2: an empty UPDATE for IPv4, one with nothing but an empty MP_UNREACH_NLRI for the others."""
    if len(body) == _FIELDS_OCTETS:
        return IPV4 if IPV4 in negotiated.families else None
    if unreach is None or len(unreach.value) > 3 or len(body) > _FIELDS_OCTETS + len(unreach.raw):
        return None
    return family


class _Reached(NamedTuple):
    """An MP_REACH_NLRI of a family of this session, taken apart."""

    family: Family
    next_hop: bytes
    nlris: tuple[Nlri, ...]
    empty: bool
    """There was not even a prefix that had to be left out."""


class _Draft:
    """`UpdateMessage` in the making."""

    __slots__ = ("_announced", "_ebgp", "_errors", "_negotiated", "_withdrawn")

    def __init__(self, negotiated: Negotiated, ebgp: bool) -> None:
        self._negotiated = negotiated
        self._ebgp = ebgp
        # One entry for each family at most.
        self._withdrawn: tuple[tuple[Family, tuple[Nlri, ...]], ...] = ()
        self._announced: tuple[tuple[Family, PathAttributes, tuple[Nlri, ...]], ...] = ()
        self._errors: list[str] = []

    def finish(self, end_of_rib: Family | None) -> UpdateMessage:
        """The value."""
        return UpdateMessage(
            withdrawn=self._withdrawn,
            announced=self._announced,
            end_of_rib=end_of_rib,
            # Attributes of a message with routes of two families were read twice.
            errors=tuple(dict.fromkeys(self._errors)) if self._errors else (),
        )

    def take_withdrawn(self, field: bytes) -> None:
        """The withdrawn routes field."""
        nlris = self._classic_nlris(field)
        if nlris:
            self._withdrawn += ((IPV4, nlris),)

    def take_routes(self, rest: bytes, field: bytes) -> None:
        """The NLRI field, whose next hop is NEXT_HOP."""
        nlris = self._classic_nlris(field)
        found = self._attributes(rest, b"")
        self._place(IPV4, nlris, found, self._fault_of(found, _CLASSIC_MANDATORY))

    def take_reached(self, rest: bytes, reached: _Reached | None) -> None:
        """MP_REACH_NLRI; None for a family that is not ours, whose attributes are judged all the same."""
        found = self._attributes(rest, reached.next_hop if reached is not None else b"")
        if reached is not None:
            self._place(reached.family, reached.nlris, found, self._fault_of(found, _MULTIPROTOCOL_MANDATORY))

    def take_no_routes(self, rest: bytes) -> None:
        """Attributes of no routes: RFC 7606 §5.2, there may have been some that we could not find."""
        found = self._attributes(rest, b"")
        if found.fault is not None:
            raise found.fault.reset()

    def take_unreach(self, unreach: Multiprotocol) -> Family | None:
        """MP_UNREACH_NLRI; gives its family, None when that is not ours."""
        _check_flags(unreach, "MP_UNREACH_NLRI")
        value = unreach.value
        if len(value) < 3:
            raise _multiprotocol_error(unreach, "MP_UNREACH_NLRI is too short")
        family = self._family_of(value)
        if family is None:
            return None
        nlris = self._multiprotocol_nlris(family, value[3:], unreach)
        if nlris:
            self._withdrawn += ((family, nlris),)
        return family

    def read_reach(self, reach: Multiprotocol) -> _Reached | None:
        """MP_REACH_NLRI: AFI, SAFI, length of next hop, next hop, a reserved octet, NLRI (RFC 4760 §3)."""
        _check_flags(reach, "MP_REACH_NLRI")
        value = reach.value
        if len(value) < 5:
            raise _multiprotocol_error(reach, "MP_REACH_NLRI is too short")
        family = self._family_of(value)
        if family is None:
            return None
        size = value[3]
        if not self._may_have_next_hop(family, size) or len(value) < 5 + size:
            # RFC 7606 §7.11: the NLRI cannot be found reliably then.
            raise _multiprotocol_error(reach, f"a next hop of {size} octets does not fit {family.label}")
        next_hop = value[4 : 4 + size]
        if size == 32:
            # The link-local address matters only where there is no global one (some routers send ::).
            next_hop = next_hop[:16] if any(next_hop[:16]) else next_hop[16:]
        nlris = self._multiprotocol_nlris(family, value[5 + size :], reach)
        return _Reached(family, next_hop, nlris, empty=len(value) == 5 + size)

    def _may_have_next_hop(self, family: Family, octets: int) -> bool:
        """RFC 8950 §3: the length tells which protocol the next hop is of."""
        if octets in _NEXT_HOP_OCTETS[family]:
            return True
        return family in self._negotiated.extended_next_hop and octets in _IPV6_NEXT_HOP_OCTETS

    def _family_of(self, value: bytes) -> Family | None:
        family = Family(int.from_bytes(value[:2], "big"), value[2])
        if family in self._negotiated.families and family in _NEXT_HOP_OCTETS:
            return family
        self._errors.append(f"ignored: family {family.label} was not negotiated")
        return None

    def _classic_nlris(self, field: bytes) -> tuple[Nlri, ...]:
        try:
            nlris = self._parse(IPV4, field)
        except NlriError as error:
            raise WireError(
                ErrorCode.UPDATE_MESSAGE, UpdateSubcode.INVALID_NETWORK_FIELD, text=str(error)
            ) from error
        if IPV4 in self._negotiated.families:
            return nlris
        self._errors.append(f"ignored: family {IPV4.label} was not negotiated")
        return ()

    def _multiprotocol_nlris(self, family: Family, field: bytes, found: Multiprotocol) -> tuple[Nlri, ...]:
        try:
            return self._parse(family, field)
        except NlriError as error:
            raise _multiprotocol_error(found, str(error)) from error

    def _parse(self, family: Family, field: bytes) -> tuple[Nlri, ...]:
        add_path = family in self._negotiated.add_path_receive
        return parse_nlri(family, field, self._errors, add_path=add_path)

    def _attributes(self, rest: bytes, next_hop: bytes) -> AttributeSet:
        found = decode_attributes(
            rest, four_octet_as=self._negotiated.four_octet_as, ebgp=self._ebgp, next_hop=next_hop
        )
        if found.errors:
            self._errors.extend(found.errors)
        return found

    def _fault_of(self, found: AttributeSet, mandatory: int) -> Fault | None:
        """Why these routes must be withdrawn, or None; `mandatory` has a bit for each type."""
        if found.fault is not None:
            return found.fault
        if found.seen & mandatory != mandatory:
            missing = next(one for one in AttributeType if mandatory & ~found.seen & 1 << one)
            text = f"{missing.name} is missing"
            fault = Fault(UpdateSubcode.MISSING_WELL_KNOWN_ATTRIBUTE, bytes((missing,)), text)
        elif not _is_host(found.attributes.next_hop):
            # RFC 4271 §6.3: the route is ignored, without a NOTIFICATION.
            fault = Fault(UpdateSubcode.INVALID_NEXT_HOP_ATTRIBUTE, b"", "the next hop is no host address")
        else:
            return None
        self._errors.append(f"{Verdict.TREAT_AS_WITHDRAW.label}: {fault.text}")
        return fault

    def _place(
        self, family: Family, nlris: tuple[Nlri, ...], found: AttributeSet, fault: Fault | None
    ) -> None:
        """Announce the prefixes, or withdraw them when something is wrong (RFC 7606 §2)."""
        if nlris and fault is None:
            self._announced += ((family, found.attributes, nlris),)
        elif nlris:
            self._withdrawn += ((family, nlris),)


def _check_flags(found: Multiprotocol, name: str) -> None:
    """RFC 7606 §5.3: wrong flags make the attribute incorrect, and its routes cannot be relied on (§3.j)."""
    if found.flags & (OPTIONAL | TRANSITIVE) != OPTIONAL:
        text = f"{name} has flags {found.flags:#04x}"
        raise WireError(ErrorCode.UPDATE_MESSAGE, UpdateSubcode.ATTRIBUTE_FLAGS_ERROR, found.raw, text)


def _multiprotocol_error(found: Multiprotocol, text: str) -> WireError:
    """RFC 4760 §7: Optional Attribute Error, with the attribute as data (RFC 4271 §6.3)."""
    return WireError(ErrorCode.UPDATE_MESSAGE, UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR, found.raw, text)


def _is_host(next_hop: bytes) -> bool:
    """Whether an address can be that of a host: neither unspecified nor multicast nor reserved for ever.

    Loopback passes: sessions over it are a way to test, and a bad one is no worse than any unreachable one.
    """
    if len(next_hop) == 4:
        return 0 < next_hop[0] < 0xE0
    return next_hop[0] != 0xFF and any(next_hop)


def encode_end_of_rib(family: Family) -> bytes:
    """RFC 4724 §2."""
    if family == IPV4:
        return _update(b"", b"", b"")
    return _update(b"", _unreach(family, b""), b"")


def encode_withdrawals(
    family: Family, nlris: Sequence[bytes], max_length: int = MESSAGE_OCTETS_MAX
) -> list[bytes]:
    """Whole UPDATE messages of at most `max_length` octets that withdraw the prefixes, in their order."""
    room = max_length - HEADER_OCTETS - _FIELDS_OCTETS
    if family == IPV4:
        return [_update(field, b"", b"") for field in _pack(nlris, room)]
    return [_update(b"", _unreach(family, field), b"") for field in _pack(nlris, room - _UNREACH_OCTETS)]


class EncodedSet:
    """Path attributes as they stand in UPDATEs of one family to peers of one kind; encoded once for all."""

    __slots__ = ("octets", "reach", "room")

    def __init__(self, octets: bytes, reach: bytes, room: int) -> None:
        self.octets = octets
        """All attributes but MP_REACH_NLRI."""
        self.reach = reach
        """What MP_REACH_NLRI has before its routes; b"" where these go into the NLRI field instead."""
        self.room = room
        """How many octets of NLRI one UPDATE holds beside these. 0 or less where the attributes alone are
        too long. A route that finds no room cannot be announced, and what the peer has of it must be
        withdrawn (RFC 8654 §4)."""

    def same(self, other: "EncodedSet") -> bool:
        """Whether a peer sees no difference between the two."""
        return self.octets == other.octets and self.reach == other.reach


def encode_set(
    family: Family,
    attributes: PathAttributes,
    *,
    four_octet_as: bool = True,
    max_length: int = MESSAGE_OCTETS_MAX,
) -> EncodedSet:
    """Encode attributes for UPDATEs of at most `max_length` octets.

    IPv6 routes, and IPv4 routes with an IPv6 next hop (RFC 8950), have MP_REACH_NLRI as their first
    attribute (RFC 7606 §5.1).
    """
    classic = _is_classic(family, attributes)
    octets = encode_attributes(attributes, four_octet_as=four_octet_as, with_next_hop=classic)
    room = max_length - HEADER_OCTETS - _FIELDS_OCTETS - len(octets)
    if classic:
        return EncodedSet(octets, b"", room)
    next_hop = attributes.next_hop
    reach = b"%b%c%c%b\0" % (family.afi.to_bytes(2, "big"), family.safi, len(next_hop), next_hop)
    return EncodedSet(octets, reach, room - _ATTRIBUTE_HEADER_OCTETS - len(reach))


def encode_routes(encoded: EncodedSet, nlris: Sequence[Nlri]) -> list[bytes]:
    """Whole UPDATE messages that announce the prefixes with these attributes, in their order.

    An empty list for prefixes means that the attributes leave no room for one of them.
    """
    fields = _pack(nlris, encoded.room)
    octets, reach = encoded.octets, encoded.reach
    if not reach:
        return [_update(b"", octets, field) for field in fields]
    return [
        _update(b"", encode_attribute(OPTIONAL, AttributeType.MP_REACH_NLRI, reach + field) + octets, b"")
        for field in fields
    ]


def encode_announcements(
    family: Family,
    attributes: PathAttributes,
    nlris: Sequence[Nlri],
    *,
    four_octet_as: bool = True,
    max_length: int = MESSAGE_OCTETS_MAX,
) -> list[bytes]:
    """`encode_set` and `encode_routes` in one, for routes that come alone."""
    encoded = encode_set(family, attributes, four_octet_as=four_octet_as, max_length=max_length)
    return encode_routes(encoded, nlris)


def _is_classic(family: Family, attributes: PathAttributes) -> bool:
    """Whether the routes go into the NLRI field of UPDATE instead of MP_REACH_NLRI."""
    return family == IPV4 and len(attributes.next_hop) == 4


_ATTRIBUTE_HEADER_OCTETS: Final = 4
"""With a length of two octets, the longer form."""
_UNREACH_OCTETS: Final = _ATTRIBUTE_HEADER_OCTETS + 3


def _unreach(family: Family, field: bytes) -> bytes:
    head = b"%b%c" % (family.afi.to_bytes(2, "big"), family.safi)
    return encode_attribute(OPTIONAL, AttributeType.MP_UNREACH_NLRI, head + field)


def _update(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    # Length, type and the length of withdrawn routes follow each other, and mostly that of attributes, too.
    length = HEADER_OCTETS + _FIELDS_OCTETS + len(withdrawn) + len(attributes) + len(nlri)
    head = length << 24 | _UPDATE_TYPE << 16 | len(withdrawn)
    if not withdrawn:
        return b"".join((MARKER, (head << 16 | len(attributes)).to_bytes(7, "big"), attributes, nlri))
    size = len(attributes).to_bytes(2, "big")
    return b"".join((MARKER, head.to_bytes(5, "big"), withdrawn, size, attributes, nlri))


def _pack(nlris: Sequence[bytes], room: int) -> list[bytes]:
    """Join as many NLRI as fit into `room` octets, and so on; [] when there is no room for the longest."""
    if not nlris:
        return []
    whole = b"".join(nlris)
    if len(whole) <= room:
        return [whole]
    if max(map(len, nlris)) > room:
        return []
    ends = list(accumulate(map(len, nlris)))
    fields: list[bytes] = []
    start = 0
    while start < len(whole):
        # The last prefix border at or before the room's end; there is one, as every prefix fits.
        end = ends[bisect_right(ends, start + room) - 1]
        fields.append(whole[start:end])
        start = end
    return fields
