"""Path attributes to octets, in the one order and form that we send: ascending by type (RFC 4271 §5)."""

from typing import Final

from felixbgp.bgp.wire.as_path import encode_as4_path, encode_as_path
from felixbgp.bgp.wire.attributes import (
    EXTENDED_LENGTH,
    OPTIONAL,
    PARTIAL,
    TRANSITIVE,
    AttributeType,
)
from felixbgp.bgp.wire.messages import Origin, PathAttributes
from felixbgp.bgp.wire.open import AS_TRANS, AS_TWO_OCTETS_MAX

_ORIGINS: Final = tuple(bytes((TRANSITIVE, AttributeType.ORIGIN, 1, origin)) for origin in Origin)
_OCTETS: Final = [bytes((one,)) for one in range(256)]
_AS_PATH_HEADS: Final = [bytes((TRANSITIVE, AttributeType.AS_PATH, size)) for size in range(256)]
"""By the length of the value."""


def encode_attribute(flags: int, number: int, value: bytes) -> bytes:
    """One attribute; the length has two octets only where one is too small."""
    size = len(value)
    if size > 255:
        return bytes((flags | EXTENDED_LENGTH, number, size >> 8, size & 0xFF)) + value
    return _OCTETS[flags] + _OCTETS[number] + _OCTETS[size] + value


def encode_attributes(attributes: PathAttributes, *, four_octet_as: bool, with_next_hop: bool) -> bytes:
    """All attributes but those of RFC 4760.

    `with_next_hop` is for routes in the NLRI field of UPDATE; MP_REACH_NLRI carries its own next hop.
    Without `four_octet_as` the AS4 attributes are added where numbers do not fit (RFC 6793 §4.2.2).
    """
    as_path = encode_as_path(attributes.as_path, four_octets=four_octet_as)
    size = len(as_path)
    parts = [
        _ORIGINS[attributes.origin],
        _AS_PATH_HEADS[size] if size <= 255 else b"\x50\x02" + size.to_bytes(2, "big"),
        as_path,
        b"\x40\x03\x04" if with_next_hop else b"",
        attributes.next_hop if with_next_hop else b"",
    ]
    if attributes.med is not None:
        parts.append(b"\x80\x04\x04" + attributes.med.to_bytes(4, "big"))
    if attributes.local_pref is not None:
        parts.append(b"\x40\x05\x04" + attributes.local_pref.to_bytes(4, "big"))
    if attributes.atomic_aggregate:
        parts.append(b"\x40\x06\x00")
    optional = _encode_optional(attributes, four_octet_as)
    if attributes.unknown:
        # All that follows LOCAL_PREF and ATOMIC_AGGREGATE may have unknown types in between.
        optional += [encode_attribute(*one) for one in attributes.unknown]
        optional.sort(key=_type_of_encoded)
    if optional:
        parts += optional
    return b"".join(parts)


def _type_of_encoded(octets: bytes) -> int:
    return octets[1]


def _encode_optional(attributes: PathAttributes, four_octet_as: bool) -> list[bytes]:
    found: list[tuple[AttributeType, bytes]] = []
    if attributes.aggregator is not None:
        value = _aggregator_value(attributes.aggregator, four_octet_as=four_octet_as)
        found.append((AttributeType.AGGREGATOR, value))
    if attributes.communities:
        value = b"".join([one.to_bytes(4, "big") for one in attributes.communities])
        found.append((AttributeType.COMMUNITIES, value))
    if attributes.originator_id is not None:
        found.append((AttributeType.ORIGINATOR_ID, attributes.originator_id))
    if attributes.cluster_list:
        found.append((AttributeType.CLUSTER_LIST, b"".join(attributes.cluster_list)))
    if attributes.extended_communities:
        found.append((AttributeType.EXTENDED_COMMUNITIES, b"".join(attributes.extended_communities)))
    if not four_octet_as:
        found += _as4_values(attributes)
    if attributes.large_communities:
        value = b"".join(
            [one.to_bytes(4, "big") for community in attributes.large_communities for one in community]
        )
        found.append((AttributeType.LARGE_COMMUNITIES, value))
    if attributes.only_to_customer is not None:
        found.append((AttributeType.ONLY_TO_CUSTOMER, attributes.only_to_customer.to_bytes(4, "big")))
    return [encode_attribute(_flags(number, attributes), number, value) for number, value in found]


def _flags(number: AttributeType, attributes: PathAttributes) -> int:
    if number in (AttributeType.ORIGINATOR_ID, AttributeType.CLUSTER_LIST):
        return OPTIONAL
    if number in attributes.partial:
        return OPTIONAL | TRANSITIVE | PARTIAL
    return OPTIONAL | TRANSITIVE


def _aggregator_value(aggregator: tuple[int, bytes], *, four_octet_as: bool) -> bytes:
    number, identifier = aggregator
    if four_octet_as:
        return number.to_bytes(4, "big") + identifier
    return (number if number <= AS_TWO_OCTETS_MAX else AS_TRANS).to_bytes(2, "big") + identifier


def _as4_values(attributes: PathAttributes) -> list[tuple[AttributeType, bytes]]:
    found: list[tuple[AttributeType, bytes]] = []
    as4_path = encode_as4_path(attributes.as_path)
    if as4_path:
        found.append((AttributeType.AS4_PATH, as4_path))
    if attributes.aggregator is not None and attributes.aggregator[0] > AS_TWO_OCTETS_MAX:
        found.append(
            (AttributeType.AS4_AGGREGATOR, _aggregator_value(attributes.aggregator, four_octet_as=True))
        )
    return found
