"""The NLRI encoding of prefixes: a field of many to canonical NLRI bytes (RFC 4271 §4.3, RFC 4760 §5).

Identified NLRI have the four octets of a path identifier in front (RFC 7911 §3); they stay as on the wire.
"""

import re
from typing import Final

from felixbgp.net import Family, Nlri

_COMMON_LENGTHS: Final = {1: (24, 26, 32, 22, 16), 2: (64, 48, 128, 122)}
"""Tried first: what the world, Calico's blocks and hosts use most."""
_MULTICAST: Final = {1: (rb"[\xe0-\xef]", 4), 2: (rb"\xff", 8)}
"""By AFI: the first octet of multicast addresses, and from which prefix length on it tells them."""
_SHORT_FIELD_OCTETS: Final = 24
"""Up to which starting the engine costs more than it saves."""
_IDENTIFIER_OCTETS: Final = 4
"""Of a path identifier, RFC 7911 §3."""


class NlriError(ValueError):
    """A field that is no sequence of prefixes (RFC 7606 §5.3); the text says why."""


def _pattern_of_length(length: int, multicast: bytes, multicast_length: int) -> bytes:
    """A regular expression for the canonical NLRI of one prefix length, multicast ones left out."""
    octets = [b"."] * ((length + 7) // 8)
    if length % 8:
        network = range(0, 256, 256 >> length % 8)
        octets[-1] = b"[%b]" % b"".join(b"\\x%02x" % one for one in network)
    if length >= multicast_length:
        octets[0] = b"(?!%b)%b" % (multicast, octets[0])
    return b"\\x%02x%b" % (length, b"".join(octets))


# The regular expression engine cuts a field at C speed, and takes only what is canonical already, which is
# what peers send. Everything else is for `_parse_slowly`. Compiling takes tens of milliseconds, so it waits
# until somebody has a field of this kind.
_patterns: Final[dict[int, re.Pattern[bytes]]] = {}
"""By the bits of an address and the octets of an identifier, which is at most 4."""


def _pattern(family: Family, identifier_octets: int) -> re.Pattern[bytes]:
    key = family.bits + identifier_octets
    found = _patterns.get(key)
    if found is None:
        common = _COMMON_LENGTHS[family.afi]
        lengths = (*common, *(length for length in range(family.bits + 1) if length not in common))
        alternatives = b"|".join([_pattern_of_length(one, *_MULTICAST[family.afi]) for one in lengths])
        found = re.compile(b".{%d}(?:%b)" % (identifier_octets, alternatives), re.DOTALL)
        _patterns[key] = found
    return found


def parse_nlri(
    family: Family, field: bytes, errors: list[str], *, add_path: bool = False
) -> tuple[Nlri, ...]:
    """Cut a field of IPv4 or IPv6 prefixes into canonical NLRI bytes, in its order.

    With `add_path` each has its path identifier in front, and keeps it (RFC 7911 §3). Host bits are masked
    off (RFC 4271 §4.3 calls them irrelevant). Multicast prefixes are left out and noted in `errors`
    (RFC 4271 §6.3, semantically incorrect). Raises `NlriError`.
    """
    identifier_octets = _IDENTIFIER_OCTETS if add_path else 0
    if len(field) <= _SHORT_FIELD_OCTETS:
        return _parse_slowly(family, field, errors, identifier_octets)
    found: list[bytes] = _pattern(family, identifier_octets).findall(field)
    # `findall` steps over what does not match, so the pieces are all there is only if they make the field.
    if b"".join(found) == field:
        return tuple(found)
    return _parse_slowly(family, field, errors, identifier_octets)


def _parse_slowly(
    family: Family, field: bytes, errors: list[str], identifier_octets: int
) -> tuple[Nlri, ...]:
    found: list[bytes] = []
    ignored = 0
    position, size, bits = 0, len(field), family.bits
    while position < size:
        start = position + identifier_octets
        if start >= size:
            raise NlriError("a path identifier is longer than the rest of its field")
        length = field[start]
        end = start + 1 + (length + 7) // 8
        if length > bits:
            raise NlriError(f"a prefix of {length} bits is longer than an address")
        if end > size:
            raise NlriError(f"a prefix of {length} bits is longer than the rest of its field")
        nlri = field[start:end]
        if length % 8:
            nlri = nlri[:-1] + bytes((nlri[-1] & 0xFF00 >> length % 8,))
        if _is_multicast(nlri, bits):
            ignored += 1
        else:
            found.append(field[position:start] + nlri if identifier_octets else nlri)
        position = end
    if ignored:
        errors.append(f"ignored: {ignored} multicast prefixes")
    return tuple(found)


def _is_multicast(nlri: bytes, bits: int) -> bool:
    if bits == 32:
        return nlri[0] >= 4 and nlri[1] & 0xF0 == 0xE0
    return nlri[0] >= 8 and nlri[1] == 0xFF
