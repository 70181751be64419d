"""What a speaker says, read from the octets that it sends: as little of BGP as the checks need.

A reader of its own, and a short one: the wire format is checked by what others make of it elsewhere.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from felixbgp.net import IPV4, Address, Family, Prefix

HEADER_OCTETS: Final = 19
UPDATE: Final = 2
_EMPTY: Final = bytes(4)
"""The body of an UPDATE that says nothing: End-of-RIB for IPv4 (RFC 4724 §2)."""
_NEXT_HOP: Final = 3
_MP_REACH: Final = 14
_MP_UNREACH: Final = 15
_EXTENDED: Final = 0x10


class Said(NamedTuple):
    """One message."""

    kind: int
    withdrawn: tuple[Prefix, ...] = ()
    announced: tuple[Prefix, ...] = ()
    next_hop: Address | None = None
    ends_table: bool = False
    """Whether it is End-of-RIB."""


@lru_cache(maxsize=4096)
def read(data: bytes) -> tuple[Said, ...]:
    """The messages of whole ones in a row. What is sent to many peers is read once."""
    found = []
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position + 16 : position + 18], "big")
        body = data[position + HEADER_OCTETS : position + length]
        kind = data[position + 18]
        found.append(_update(body) if kind == UPDATE else Said(kind))
        position += length
    return tuple(found)


def _update(body: bytes) -> Said:
    """RFC 4271 §4.3, RFC 4760."""
    if body == _EMPTY:
        return Said(UPDATE, ends_table=True)
    withdrawn_octets = int.from_bytes(body[:2], "big")
    start = 2 + withdrawn_octets
    end = start + 2 + int.from_bytes(body[start : start + 2], "big")
    withdrawn = _prefixes(IPV4, body[2:start])
    announced = _prefixes(IPV4, body[end:])
    next_hop: Address | None = None
    ends_table = False
    for kind, value in _attributes(body[start + 2 : end]):
        if kind == _NEXT_HOP:
            next_hop = Address(value)
        elif kind == _MP_REACH:
            family = Family(int.from_bytes(value[:2], "big"), value[2])
            # Of a global and a link-local address, the global one comes first (RFC 2545 §3).
            next_hop = Address(value[4 : 4 + min(value[3], 16)])
            announced += _prefixes(family, value[5 + value[3] :])
        elif kind == _MP_UNREACH:
            ends_table = len(value) == 3
            withdrawn += _prefixes(Family(int.from_bytes(value[:2], "big"), value[2]), value[3:])
    return Said(UPDATE, withdrawn, announced, next_hop, ends_table)


def _attributes(octets: bytes) -> list[tuple[int, bytes]]:
    found = []
    position = 0
    while position < len(octets):
        size = 2 if octets[position] & _EXTENDED else 1
        value = position + 2 + size
        length = int.from_bytes(octets[position + 2 : value], "big")
        found.append((octets[position + 1], octets[value : value + length]))
        position = value + length
    return found


def _prefixes(family: Family, octets: bytes) -> tuple[Prefix, ...]:
    found = []
    position = 0
    while position < len(octets):
        end = position + 1 + (octets[position] + 7) // 8
        found.append(Prefix(family, octets[position:end]))
        position = end
    return tuple(found)
