"""Tables of routes: which prefixes share which path attributes, the same every time.

An NLRI is as on the wire: a length octet and as many octets as that needs. Messages are made before any clock
runs.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

MESSAGE_OCTETS_MAX = 4096
MARKER = b"\xff" * 16
UPDATE = 2
ORIGIN_IGP = b"\x40\x01\x01\x00"
LOCAL_PREF = b"\x40\x05\x04\x00\x00\x00\x64"
IPV6_UNICAST = b"\x00\x02\x01"
SEED = 6
TRANSIT_AS = 64999
SET_SIZE_MAX = 2000

LENGTHS = {
    24: 60.0, 23: 10.2, 22: 11.4, 21: 5.1, 20: 4.6, 19: 2.7, 18: 1.5, 17: 0.9, 16: 1.5, 15: 0.22, 14: 0.13,
    13: 0.07, 12: 0.03, 11: 0.01, 10: 0.004, 9: 0.002, 8: 0.0016,
}  # fmt: skip
"""Parts in a hundred, about as in the Internet's table of IPv4."""
PATH_LENGTHS = {1: 2, 2: 12, 3: 30, 4: 28, 5: 15, 6: 7, 7: 4, 8: 2}
"""AS numbers behind the sender's own, in parts of a hundred."""
COMMUNITIES = {0: 30, 1: 8, 2: 10, 3: 10, 5: 12, 8: 10, 12: 10, 20: 10}
FIRST_OCTETS_NOT_USED = (10, 127)
"""The link's own network is in the first, and the other is of no use to a router."""


@dataclass(frozen=True, slots=True)
class Group:
    """Prefixes that share their attributes. `path` has the AS numbers behind the sender's own."""

    path: tuple[int, ...]
    nlris: tuple[bytes, ...]
    communities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who announces: its AS number, None for an internal peer; and its address, which is the next hop."""

    as_number: int | None
    next_hop: bytes

    def as_path(self, path: tuple[int, ...]) -> bytes:
        """The value of AS_PATH it sends with a path."""
        return as_sequence(path if self.as_number is None else (self.as_number, *path))


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table is made: `groups(count, first)`, `first` being the number of its first prefix."""

    groups: Callable[[int, int], list[Group]]
    nlri_octets: int = 0
    """Of every NLRI, where all are of one length."""


def uniform(length: int, per_set: int, *, first_octet: int = 20) -> Shape:
    """Prefixes of one length, one after the other, so many to a set of attributes."""
    octets = 1 + (length + 7) // 8
    # An IPv6 prefix begins with 2a00 and has its number in its last octets.
    base = first_octet << (length - 8) if length <= 32 else 0x2A00 << (length - 16)
    return Shape(partial(_uniform_groups, length, per_set, base), octets)


def _uniform_groups(length: int, per_set: int, base: int, count: int, first: int) -> list[Group]:
    octets = (length + 7) // 8
    shift = octets * 8 - length
    lead = bytes((length,))
    return [
        Group(
            (TRANSIT_AS, 1_000_000 + start // per_set),
            tuple(
                lead + ((base + number) << shift).to_bytes(octets, "big")
                for number in range(start, min(start + per_set, first + count))
            ),
        )
        for start in range(first, first + count, per_set)
    ]


def full_table() -> Shape:
    """The shape of the Internet's table: lengths 8 to 24, sets of 1 to 2,000, paths of all sizes."""
    return Shape(_full_table_groups)


def _full_table_groups(count: int, first: int) -> list[Group]:
    chance = random.Random(SEED + first)  # noqa: S311 - to be the same every time
    nlris = _mixed_prefixes(count, chance)
    found, at = [], 0
    while at < count:
        size = min(SET_SIZE_MAX, int(chance.paretovariate(0.9)))
        path = tuple(chance.randrange(1, 400_000) for _ in range(_drawn(PATH_LENGTHS, chance)))
        communities = sorted(chance.sample(range(1 << 30), _drawn(COMMUNITIES, chance)))
        found.append(Group(path, tuple(nlris[at : at + size]), tuple(communities)))
        at += size
    return found


def prefixes(groups: Iterable[Group]) -> list[bytes]:
    """All prefixes of a table."""
    return [nlri for group in groups for nlri in group.nlris]


def announcements(groups: Iterable[Group], sender: Sender) -> bytes:
    """The UPDATEs that announce a table, in its order."""
    return b"".join(message for group in groups for message in _announce(group, sender))


def withdrawals(nlris: Iterable[bytes], *, is_ipv6: bool) -> bytes:
    """The UPDATEs that withdraw prefixes, as many in each as it holds."""
    messages = []
    for field in _packed(nlris, MESSAGE_OCTETS_MAX - 30):
        if is_ipv6:
            attribute = _extended(0x90, 15, IPV6_UNICAST + field)
            messages.append(_update(b"", attribute, b""))
        else:
            messages.append(_update(field, b"", b""))
    return b"".join(messages)


def as_sequence(numbers: tuple[int, ...]) -> bytes:
    """One AS_SEQUENCE of four-octet numbers; nothing for none."""
    if not numbers:
        return b""
    return bytes((2, len(numbers))) + b"".join(number.to_bytes(4, "big") for number in numbers)


def _announce(group: Group, sender: Sender) -> Iterator[bytes]:
    path = sender.as_path(group.path)
    head = ORIGIN_IGP + bytes((0x40, 2, len(path))) + path
    tail = LOCAL_PREF if sender.as_number is None else b""
    if group.communities:
        value = b"".join(number.to_bytes(4, "big") for number in group.communities)
        tail += bytes((0xC0, 8, len(value))) + value
    room = MESSAGE_OCTETS_MAX - 64 - len(head) - len(tail)
    for field in _packed(group.nlris, room):
        if len(sender.next_hop) == 4:
            yield _update(b"", head + b"\x40\x03\x04" + sender.next_hop + tail, field)
        else:
            reached = IPV6_UNICAST + b"\x10" + sender.next_hop + b"\x00" + field
            yield _update(b"", head + tail + _extended(0x90, 14, reached), b"")


def _packed(nlris: Iterable[bytes], room: int) -> Iterator[bytes]:
    """Fields of at most so many octets."""
    field: list[bytes] = []
    octets = 0
    for nlri in nlris:
        if octets + len(nlri) > room:
            yield b"".join(field)
            field, octets = [], 0
        field.append(nlri)
        octets += len(nlri)
    if field:
        yield b"".join(field)


def _extended(flags: int, kind: int, value: bytes) -> bytes:
    return bytes((flags, kind)) + len(value).to_bytes(2, "big") + value


def _update(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    body = (
        len(withdrawn).to_bytes(2, "big") + withdrawn + len(attributes).to_bytes(2, "big") + attributes + nlri
    )
    return MARKER + (19 + len(body)).to_bytes(2, "big") + bytes((UPDATE,)) + body


def _mixed_prefixes(count: int, chance: random.Random) -> list[bytes]:
    """Distinct ones, with the lengths of `LENGTHS`, in no order."""
    found: list[bytes] = []
    whole = sum(LENGTHS.values())
    bounds = [round(count * part / whole) for part in accumulate(LENGTHS.values())]
    for length, low, high in zip(LENGTHS, [0, *bounds], bounds, strict=False):
        octets = (length + 7) // 8
        shift = octets * 8 - length
        drawn = chance.sample(
            range(1 << (length - 8), 224 << (length - 8)), min(2 * (high - low) + 8, 200 << (length - 8))
        )
        usable = [number for number in drawn if number >> (length - 8) not in FIRST_OCTETS_NOT_USED]
        found += [
            bytes((length,)) + (number << shift).to_bytes(octets, "big") for number in usable[: high - low]
        ]
    assert len(found) == count
    chance.shuffle(found)
    return found


def _drawn(parts: dict[int, int], chance: random.Random) -> int:
    return chance.choices(list(parts), list(parts.values()))[0]
