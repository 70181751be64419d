"""What a session has received, counted while it comes and looked at closely afterwards.

While the clock runs an UPDATE costs a look at its header and at the lengths of its fields, and nothing is
made of an NLRI. All octets are kept, and `fold` says later which prefixes they leave the receiver with, and
by which path.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from struct import Struct

from bench.load.tables import MARKER, UPDATE

HEADER_OCTETS = 19
NOTIFICATION = 3
KEEPALIVE = 4
AS_PATH, MP_REACH, MP_UNREACH = 2, 14, 15
EXTENDED_LENGTH = 0x10
PATH_ID_OCTETS = 4
_HEAD = Struct(">16xHBHH")
"""Behind the marker: length, kind, of an UPDATE the octets of withdrawn routes, and if none of attributes."""
WIDTHS = bytes(1 + (length + 7) // 8 for length in range(129))
"""Octets of an NLRI, by its first one."""


class ContentError(Exception):
    """A daemon sent what is no BGP; the text says where."""


class Tally:
    """One session's. `nlri_octets` is of every NLRI (without path identifier), or 0 where they differ."""

    __slots__ = (
        "_kept",
        "_lead",
        "_rest",
        "_unit",
        "announced",
        "notification",
        "octets",
        "updates",
        "withdrawn",
    )

    def __init__(self, nlri_octets: int, *, has_path_ids: bool = False) -> None:
        self.announced = 0
        self.withdrawn = 0
        self.updates = 0
        self.octets = 0
        self.notification = b""
        """The code and subcode that ended the session."""
        self._lead = PATH_ID_OCTETS if has_path_ids else 0
        self._unit = nlri_octets + self._lead if nlri_octets else 0
        self._rest = b""
        self._kept: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """Count what came. Raises `ContentError`."""
        data = self._rest + chunk if self._rest else chunk
        at, size = 0, len(data)
        read, unit = _HEAD.unpack_from, self._unit
        updates = announced_octets = 0
        while size - at >= HEADER_OCTETS + 4:
            length, kind, withdrawn_octets, attribute_octets = read(data, at)
            end = at + length
            if end > size:
                break
            # The second is the number of octets of attributes only where nothing is withdrawn.
            if kind == UPDATE and not withdrawn_octets and unit and attribute_octets < length - 23:
                updates += 1
                announced_octets += length - 23 - attribute_octets
            else:
                self._take_one(data, at, end, kind)
            at = end
        # The last may be a KEEPALIVE, which is shorter.
        if size - at == HEADER_OCTETS and data[at + 17] == HEADER_OCTETS:
            at = size
        if updates:
            self.updates += updates
            self.announced += announced_octets // unit
        self._rest = data[at:]
        self.octets += len(chunk)
        if at:
            self._kept.append(data[:at])

    def fold(self, held: MutableMapping[bytes, bytes], shared: Mapping[bytes, bytes]) -> None:
        """Bring `held`, the AS_PATH by NLRI, up to date with all that came since the last time.

        `shared` has one object for each NLRI, so that a thousand receivers do not keep a thousand.
        """
        kept, self._kept = self._kept, []
        for data in kept:
            for at, end in _updates(data):
                withdrawn, announced, attributes = _fields(data, at, end)
                for nlri in self._nlris(data, *withdrawn):
                    held.pop(nlri, None)
                if announced[0] < announced[1]:
                    path = _as_path(data, *attributes)
                    for nlri in self._nlris(data, *announced):
                        held[shared.get(nlri, nlri)] = path

    def _take_one(self, data: bytes, at: int, end: int, kind: int) -> None:
        """A message that is not the one of which most come."""
        if end - at < HEADER_OCTETS:
            raise ContentError(f"a message of {end - at} octets")
        if kind == UPDATE:
            self._count(data, at, end)
        elif kind == NOTIFICATION:
            self.notification = data[at + 19 : at + 21]

    def _count(self, data: bytes, at: int, end: int) -> None:
        self.updates += 1
        (first, beyond), (start, stop), _ = _fields(data, at, end)
        if first < beyond:
            self.withdrawn += self._number(data, first, beyond)
        if start < stop:
            self.announced += self._number(data, start, stop)

    def _number(self, data: bytes, at: int, end: int) -> int:
        """Of NLRIs in a field."""
        if self._unit:
            return (end - at) // self._unit
        number, lead, widths = 0, self._lead, WIDTHS
        while at < end:
            at += lead + widths[data[at + lead]]
            number += 1
        return number

    def _nlris(self, data: bytes, at: int, end: int) -> Iterator[bytes]:
        lead, widths = self._lead, WIDTHS
        while at < end:
            stop = at + lead + widths[data[at + lead]]
            yield data[at:stop]
            at = stop
        if at > end:
            raise ContentError("an NLRI is cut off")


def _updates(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the UPDATEs among whole messages are."""
    at = 0
    while at < len(data):
        end = at + (data[at + 16] << 8 | data[at + 17])
        if data[at + 18] == UPDATE:
            if data[at : at + 16] != MARKER:
                raise ContentError("a message without marker")
            yield at, end
        at = end


Span = tuple[int, int]


def _fields(data: bytes, at: int, end: int) -> tuple[Span, Span, Span]:
    """Withdrawn routes, announced ones, attributes: of either family, one a message."""
    withdrawn = at + 21
    attributes = withdrawn + (data[at + 19] << 8 | data[at + 20]) + 2
    nlri = attributes + (data[attributes - 2] << 8 | data[attributes - 1])
    if nlri == end and attributes < nlri and withdrawn + 2 == attributes:
        return _multiprotocol(data, attributes, nlri)
    return (withdrawn, attributes - 2), (nlri, end), (attributes, nlri)


def _multiprotocol(data: bytes, at: int, end: int) -> tuple[Span, Span, Span]:
    withdrawn = announced = (end, end)
    for kind, start, stop in _attributes(data, at, end):
        if kind == MP_REACH:
            # Family, next hop with its length, one reserved octet.
            announced = (start + 3 + 1 + data[start + 3] + 1, stop)
        elif kind == MP_UNREACH:
            withdrawn = (start + 3, stop)
    return withdrawn, announced, (at, end)


def _attributes(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    while at < end:
        if data[at] & EXTENDED_LENGTH:
            start = at + 4
            stop = start + (data[at + 2] << 8 | data[at + 3])
        else:
            start = at + 3
            stop = start + data[at + 2]
        yield data[at + 1], start, stop
        at = stop


def _as_path(data: bytes, at: int, end: int) -> bytes:
    for kind, start, stop in _attributes(data, at, end):
        if kind == AS_PATH:
            return data[start:stop]
    return b""
