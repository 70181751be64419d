"""The NLRI encoding of prefixes: a field of many to canonical NLRI bytes (RFC 4271 §4.3, RFC 4760 §5).

Identified NLRI have the four octets of a path identifier in front (RFC 7911 §3); they stay as on the wire.

Neighbours in a field mostly have the same length. Such a run is cut as one, if all of it is canonical, which
is what peers send; octets of one meaning in all its prefixes are judged by a single operation on `bytes`.
"""

from typing import Final

from felixbgp.net import Family, Nlri
from felixbgp.net.family import address_octets

_IDENTIFIER_OCTETS: Final = 4
"""Of a path identifier, RFC 7911 §3."""
_RUN_MIN: Final = 4
"""Prefixes from which on a run is worth its own way."""
_RUN_MAX: Final = 256
"""Prefixes of a run. To look for its end costs as much as the longest may have, also where it is short."""
_OCTETS: Final = [bytes((one,)) for one in range(256)]
_CANONICAL: Final = [bytes(range(0, 256, 256 >> bits if bits else 1)) for bits in range(8)]
"""What the last octet may be, by how many bits of it belong to the prefix; 0: all do."""
_MULTICAST: Final = (0xE0, 0xF0, 4, bytes(range(0xE0, 0xF0)))
"""The first octet of multicast addresses, after a mask; from which prefix length it tells one; all such."""
_MULTICAST_IPV6: Final = (0xFF, 0xFF, 8, b"\xff")


class NlriError(ValueError):
    """A field that is no sequence of prefixes (RFC 7606 §5.3); the text says why."""


def parse_nlri(
    family: Family, field: bytes, errors: list[str], *, add_path: bool = False
) -> tuple[Nlri, ...]:
    """Cut a field of IPv4 or IPv6 prefixes into canonical NLRI bytes, in its order.

    With `add_path` each has its path identifier in front, and keeps it (RFC 7911 §3). Host bits are masked
    off (RFC 4271 §4.3 calls them irrelevant). Multicast prefixes are left out and noted in `errors`
    (RFC 4271 §6.3, semantically incorrect). Raises `NlriError`.
    """
    identifier_octets = _IDENTIFIER_OCTETS if add_path else 0
    found: list[bytes] = []
    ignored = 0
    position, size, bits = 0, len(field), 8 * address_octets(family)
    multicast = _MULTICAST if bits == 32 else _MULTICAST_IPV6
    multicast_octet, mask, multicast_length, _ = multicast
    run_end = 0  # Of the last run; one that is not plain is looked at once.
    while position < size:
        start = position + identifier_octets
        if start >= size:
            raise NlriError("a path identifier is longer than the rest of its field")
        length = field[start]
        end = start + 1 + (length + 7 >> 3)
        if length > bits:
            raise NlriError(f"a prefix of {length} bits is longer than an address")
        if end > size:
            raise NlriError(f"a prefix of {length} bits is longer than the rest of its field")
        width = end - position
        probe = start + width * (_RUN_MIN - 1)
        if probe < size and field[probe] == length == field[end + identifier_octets] and position >= run_end:
            run_end = _end_of_run(field, position, width, identifier_octets)
            if _is_plain(field[position:run_end], width, identifier_octets, multicast):
                found += [field[at : at + width] for at in range(position, run_end, width)]
                position = run_end
                continue
        nlri = field[start:end]
        if length & 7 and nlri[-1] & (0xFF >> (length & 7)):
            nlri = nlri[:-1] + _OCTETS[nlri[-1] & (0xFF00 >> (length & 7)) & 0xFF]
        if length >= multicast_length and nlri[1] & mask == multicast_octet:
            ignored += 1
        else:
            found.append(field[position:start] + nlri if identifier_octets else nlri)
        position = end
    if ignored:
        errors.append(f"ignored: {ignored} multicast prefixes")
    return tuple(found)


def _end_of_run(field: bytes, position: int, width: int, identifier_octets: int) -> int:
    """Where the whole prefixes end that follow each other with the length of the first."""
    start = position + identifier_octets
    lengths = field[start : start + _RUN_MAX * width : width]
    alike = len(lengths) - len(lengths.lstrip(_OCTETS[field[start]]))
    return position + width * min(alike, (len(field) - position) // width)


def _is_plain(run: bytes, width: int, identifier_octets: int, multicast: tuple[int, int, int, bytes]) -> bool:
    """Whether prefixes of one length are canonical, and none of them is multicast."""
    length = run[identifier_octets]
    if length & 7 and run[width - 1 :: width].translate(None, _CANONICAL[length & 7]):
        return False
    if length < multicast[2]:
        return True
    first = run[identifier_octets + 1 :: width]
    return len(first.translate(None, multicast[3])) == len(first)
