"""AS_PATH and AS4_PATH: octets to segments and back, and how the two join (RFC 4271 §4.3, RFC 6793 §4.2)."""

from collections.abc import Sequence
from struct import unpack_from
from typing import Final

from felixbgp.bgp.wire.messages import Segment, SegmentType, asn_octets
from felixbgp.bgp.wire.open import AS_TRANS, AS_TWO_OCTETS_MAX

_SEGMENT_ASNS_MAX: Final = 255
"""The count of AS numbers in a segment is one octet (RFC 4271 §4.3)."""
_PATH_OCTETS_MAX: Final = 4016
"""As we write it to a new speaker, so 1000 AS numbers; no path of the Internet comes near. A message of 4096
octets has room for these beside ORIGIN, an IPv6 route and our AS in front, so that what is accepted from an
old speaker, or in an extended message, can be told to every peer."""
_SEQUENCE: Final = int(SegmentType.AS_SEQUENCE)
_SEGMENT_OCTETS_MAX: Final = 4 * _SEGMENT_ASNS_MAX
_OCTETS: Final = [bytes((one,)) for one in range(256)]
_ZERO: Final = bytes(4)
_AS_TRANS_OCTETS: Final = AS_TRANS.to_bytes(2, "big")
_CONFEDERATION: Final = (SegmentType.AS_CONFED_SEQUENCE, SegmentType.AS_CONFED_SET)

Path = tuple[Segment, ...]


class AsPathError(ValueError):
    """Octets that are no AS_PATH; the text says why."""


def decode_as_path(value: bytes, *, four_octets: bool) -> Path:
    """Read segments as they stand; raises `AsPathError` by the rules of RFC 7606 §7.2 and RFC 7607 §2.

    Confederation segments are refused too: we are in no confederation, so RFC 5065 §5 calls them an error.
    """
    return _decode_segments(value, four_octets, SegmentType.AS_SEQUENCE)


def decode_as4_path(value: bytes) -> Path:
    """Read an AS4_PATH; confederation segments in it have to be left out. Raises `AsPathError`."""
    return _decode_segments(value, four_octets=True, highest_type=SegmentType.AS_CONFED_SET)


def without_confederations(path: Path) -> Path:
    """The path as an AS4_PATH may have it (RFC 6793 §3, §6)."""
    for segment in path:
        if segment.type > _SEQUENCE:
            return tuple([one for one in path if one.type not in _CONFEDERATION])
    return path


def _decode_segments(value: bytes, four_octets: bool, highest_type: int) -> Path:
    segments: list[Segment] = []
    position, size, octets = 0, len(value), 0
    width = 4 if four_octets else 2
    while position < size:
        kind = value[position]
        if kind < 1 or kind > highest_type:
            raise AsPathError(f"segment type {kind} has no place in it")
        count = value[position + 1] if position + 1 < size else 0
        end = position + 2 + count * width
        if count == 0 or end > size:
            raise AsPathError(f"a segment of {count} AS numbers is empty or does not fit the attribute")
        octets += _octets(count)
        if octets > _PATH_OCTETS_MAX:
            raise AsPathError(f"it would take more than {_PATH_OCTETS_MAX} octets to pass it on")
        if four_octets:
            segment = Segment(kind, (), value[position + 2 : end])
        else:
            segment = Segment(kind, unpack_from(f">{count}H", value, position + 2))
        if segment.times(_ZERO):
            raise AsPathError("AS number 0 is reserved")
        segments.append(segment)
        position = end
    return tuple(segments)


def _octets(count: int) -> int:
    """How many octets a segment of `count` AS numbers takes, four for each."""
    return 2 + 4 * count


def can_be_passed_on(path: Path) -> bool:
    """Whether a path is within the bound that received ones are held to."""
    return sum(_octets(segment.count) for segment in path) <= _PATH_OCTETS_MAX


def prepended(asns: Sequence[int], path: Path) -> Path:
    """The path with more AS numbers in front (RFC 4271 §5.1.2), without confederation segments.

    A segment that has no room for all of them is left as it is, with a new one before it.
    """
    return prepended_octets(asn_octets(asns), path)


def prepended_octets(octets: bytes, path: Path) -> Path:
    """The same for AS numbers that have become octets already, four for each."""
    outside = without_confederations(path)
    if outside:
        first = outside[0]
        if first.type == _SEQUENCE and len(octets) + len(first.octets) <= _SEGMENT_OCTETS_MAX:
            joined = (Segment(_SEQUENCE, (), octets + first.octets),)
            return joined if len(outside) == 1 else joined + outside[1:]
    return (Segment(_SEQUENCE, (), octets), *outside)


def path_length(path: Path) -> int:
    """How many AS numbers a path counts: an AS_SET is one (RFC 4271 §9.1.2.2), confederations none."""
    return sum(
        segment.count if segment.type == SegmentType.AS_SEQUENCE else segment.type == SegmentType.AS_SET
        for segment in path
    )


def merge_as4_path(as_path: Path, as4_path: Path) -> Path:
    """The path that an AS_PATH of two octets per AS number and an AS4_PATH tell (RFC 6793 §4.2.3).

    The leading part of `as_path` is put before `as4_path` until the lengths agree; an AS4_PATH that is
    longer, or empty, is not believed; neither is one that makes a path too long to be passed on, as one of
    large sets does.
    """
    surplus = path_length(as_path) - path_length(as4_path)
    if surplus < 0 or not as4_path:
        return as_path
    leading: list[Segment] = []
    for segment in as_path:
        if surplus <= 0:
            break
        if segment.type == SegmentType.AS_SET:
            leading.append(segment)
            surplus -= 1
        else:
            leading.append(Segment(segment.type, segment.asns[:surplus]))
            surplus -= segment.count
    joined = _join(leading, as4_path)
    return joined if can_be_passed_on(joined) else as_path


def _join(leading: list[Segment], as4_path: Path) -> Path:
    """Concatenate; two sequences that meet become one, as the old speaker in between had split them."""
    if not leading:
        return as4_path
    last, first = leading[-1], as4_path[0]
    asns = last.asns + first.asns
    if last.type == first.type == _SEQUENCE and len(asns) <= _SEGMENT_ASNS_MAX:
        return (*leading[:-1], Segment(SegmentType.AS_SEQUENCE, asns), *as4_path[1:])
    return (*leading, *as4_path)


def encode_as_path(path: Path, *, four_octets: bool) -> bytes:
    """The value of AS_PATH; segments of more than 255 AS numbers are split, empty ones left out.

    With two octets per number, AS_TRANS stands for those that do not fit (RFC 6793 §4.2.2).
    """
    if len(path) == 1 and four_octets and 0 < len(path[0].octets) <= _SEGMENT_OCTETS_MAX:
        only = path[0]
        return _OCTETS[only.type] + _OCTETS[only.count] + only.octets
    parts: list[bytes] = []
    for segment in path:
        octets, kind = segment.octets, _OCTETS[segment.type]
        for start in range(0, len(octets), _SEGMENT_OCTETS_MAX):
            whole = len(octets) <= _SEGMENT_OCTETS_MAX
            piece = octets if whole else octets[start : start + _SEGMENT_OCTETS_MAX]
            parts.append(kind)
            parts.append(_OCTETS[len(piece) >> 2])
            parts.append(piece if four_octets else _shortened(piece))
    return b"".join(parts)


def _shortened(octets: bytes) -> bytes:
    """AS numbers of four octets each as such of two."""
    short = [
        octets[at + 2 : at + 4] if octets[at : at + 2] == b"\0\0" else _AS_TRANS_OCTETS
        for at in range(0, len(octets), 4)
    ]
    return b"".join(short)


def encode_as4_path(path: Path) -> bytes:
    """The value of the AS4_PATH that goes with a two-octet AS_PATH; b"" when none is needed."""
    kept = without_confederations(path)
    if all(one <= AS_TWO_OCTETS_MAX for segment in kept for one in segment.asns):
        return b""
    return encode_as_path(kept, four_octets=True)
