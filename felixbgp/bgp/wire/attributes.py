"""Path attributes: one table of what each must look like, and the decoder that obeys it.

    octets ── split_multiprotocol ──┬─ MP_REACH_NLRI, MP_UNREACH_NLRI   (read in `update`)
                                    └─ the rest ── decode_attributes ── AttributeSet

Malformed input ends in a verdict of RFC 7606 §2. "Attribute discard" is noted and forgotten here,
"treat-as-withdraw" is a `Fault` for the caller, "session reset" a `WireError`. AFI/SAFI disable is not used.
"""

from collections.abc import Callable
from enum import IntEnum
from struct import iter_unpack, unpack
from typing import Final, NamedTuple

from felixbgp.bgp.wire.as_path import (
    AsPathError,
    Path,
    decode_as4_path,
    decode_as_path,
    merge_as4_path,
    without_confederations,
)
from felixbgp.bgp.wire.errors import ErrorCode, UpdateSubcode, WireError
from felixbgp.bgp.wire.messages import Origin, PathAttributes, UnknownAttribute, number_of
from felixbgp.bgp.wire.open import AS_TRANS


class AttributeType(IntEnum):
    """RFC 4271 §5, 1997, 4456, 4760, 4360, 6793, 5701, 8092, 9234."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    IPV6_EXTENDED_COMMUNITIES = 25
    LARGE_COMMUNITIES = 32
    ONLY_TO_CUSTOMER = 35


OPTIONAL: Final = 0x80
TRANSITIVE: Final = 0x40
PARTIAL: Final = 0x20
EXTENDED_LENGTH: Final = 0x10

_OPTIONAL_TRANSITIVE: Final = OPTIONAL | TRANSITIVE
_MP_REACH_NLRI: Final = int(AttributeType.MP_REACH_NLRI)
_MP_UNREACH_NLRI: Final = int(AttributeType.MP_UNREACH_NLRI)

_ATTRIBUTES_MAX: Final = 256
"""There are as many types; an UPDATE with more repeats itself, and an extended one could 20,000 times."""
_ERRORS_NOTED_MAX: Final = 8
"""A peer can put over a thousand bad attributes into one message; the first few tell the story."""


class Verdict(IntEnum):
    """RFC 7606 §2, the stronger the higher."""

    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    SESSION_RESET = 3

    @property
    def label(self) -> str:
        """The RFC's words."""
        return _VERDICT_LABELS[self]


_VERDICT_LABELS: Final = {
    Verdict.ATTRIBUTE_DISCARD: "attribute discard",
    Verdict.TREAT_AS_WITHDRAW: "treat-as-withdraw",
    Verdict.SESSION_RESET: "session reset",
}


class Fault(NamedTuple):
    """Why the routes of an UPDATE must be withdrawn, and the NOTIFICATION if there are none to withdraw."""

    subcode: int
    data: bytes
    text: str

    def reset(self) -> WireError:
        """RFC 7606 §5.2: without reachable NLRI the session must be reset instead."""
        return WireError(ErrorCode.UPDATE_MESSAGE, self.subcode, self.data, self.text)


class AttributeSet:
    """All that the attributes of an UPDATE say, those of RFC 4760 excepted."""

    __slots__ = ("attributes", "errors", "fault", "seen")

    def __init__(
        self, attributes: PathAttributes, seen: int, fault: Fault | None, errors: tuple[str, ...]
    ) -> None:
        self.attributes = attributes
        self.seen = seen
        """Types that were there, malformed ones too: bit n stands for type n."""
        self.fault = fault
        self.errors = errors
        """What was malformed, in words, RFC 7606's verdict first."""


class Multiprotocol(NamedTuple):
    """An MP_REACH_NLRI or MP_UNREACH_NLRI as it was found."""

    flags: int
    value: bytes
    raw: bytes


class _Malformed(Exception):  # noqa: N818 - it is a finding, turned into a verdict before anybody sees it
    """A value that breaks its attribute's rule."""

    def __init__(self, subcode: int, text: str) -> None:
        super().__init__(subcode, text)
        self.subcode = subcode
        self.text = text


class _Draft:
    """`PathAttributes` in the making."""

    __slots__ = (
        "aggregator",
        "as4_aggregator",
        "as4_path",
        "as_path",
        "atomic_aggregate",
        "cluster_list",
        "communities",
        "ebgp",
        "errors",
        "extended_communities",
        "fault",
        "four_octet_as",
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

    def __init__(self, four_octet_as: bool, ebgp: bool) -> None:
        self.four_octet_as = four_octet_as
        self.ebgp = ebgp
        self.origin: int = Origin.IGP
        self.as_path: Path = ()
        self.as4_path: Path = ()
        self.next_hop = b""
        self.med: int | None = None
        self.local_pref: int | None = None
        self.atomic_aggregate = False
        self.aggregator: tuple[int, bytes] | None = None
        self.as4_aggregator: tuple[int, bytes] | None = None
        self.communities: tuple[int, ...] = ()
        self.originator_id: bytes | None = None
        self.cluster_list: tuple[bytes, ...] = ()
        self.extended_communities: tuple[bytes, ...] = ()
        self.large_communities: tuple[tuple[int, int, int], ...] = ()
        self.only_to_customer: int | None = None
        # Mostly there are none, and there cannot be many.
        self.unknown: tuple[UnknownAttribute, ...] = ()
        self.partial: tuple[int, ...] = ()
        self.fault: Fault | None = None
        self.errors: tuple[str, ...] = ()

    def note(self, verdict: Verdict, text: str) -> None:
        """Remember what was wrong, in words."""
        if len(self.errors) < _ERRORS_NOTED_MAX:
            self.errors += (f"{verdict.label}: {text}",)

    def condemn(self, fault: Fault) -> None:
        """Treat as withdraw; the first fault is the one told, however much was noted before."""
        if self.fault is None:
            self.fault = fault
            self.errors += (f"{Verdict.TREAT_AS_WITHDRAW.label}: {fault.text}",)
        else:
            self.note(Verdict.TREAT_AS_WITHDRAW, fault.text)

    def finish(self, next_hop: bytes) -> PathAttributes:
        """The value; `next_hop` is that of MP_REACH_NLRI, b"" for the one of NEXT_HOP."""
        self._believe_as4()
        return PathAttributes(
            origin=self.origin,
            as_path=self.as_path,
            next_hop=next_hop or self.next_hop,
            med=self.med,
            local_pref=self.local_pref,
            atomic_aggregate=self.atomic_aggregate,
            aggregator=self.aggregator,
            communities=self.communities,
            originator_id=self.originator_id,
            cluster_list=self.cluster_list,
            extended_communities=self.extended_communities,
            large_communities=self.large_communities,
            only_to_customer=self.only_to_customer,
            unknown=tuple(sorted(self.unknown, key=_type_of_unknown)) if self.unknown else (),
            partial=tuple(sorted(self.partial)) if self.partial else (),
        )

    def _believe_as4(self) -> None:
        """RFC 6793 §4.2.3: both AS4 attributes are stale if somebody aggregated without knowing them."""
        if self.aggregator is not None and self.as4_aggregator is not None:
            if self.aggregator[0] != AS_TRANS:
                return
            self.aggregator = self.as4_aggregator
        if self.as4_path:
            self.as_path = merge_as4_path(self.as_path, self.as4_path)


def _type_of_unknown(attribute: UnknownAttribute) -> int:
    return attribute.type


def _decode_origin(value: bytes, draft: _Draft) -> None:
    if value[0] > Origin.INCOMPLETE:
        raise _Malformed(UpdateSubcode.INVALID_ORIGIN_ATTRIBUTE, f"there is no origin {value[0]}")
    draft.origin = value[0]


def _decode_as_path(value: bytes, draft: _Draft) -> None:
    try:
        draft.as_path = decode_as_path(value, four_octets=draft.four_octet_as)
    except AsPathError as error:
        raise _Malformed(UpdateSubcode.MALFORMED_AS_PATH, str(error)) from error


def _decode_next_hop(value: bytes, draft: _Draft) -> None:
    draft.next_hop = value


def _decode_med(value: bytes, draft: _Draft) -> None:
    draft.med = number_of(value)


def _decode_local_pref(value: bytes, draft: _Draft) -> None:
    draft.local_pref = number_of(value)


def _decode_atomic_aggregate(_value: bytes, draft: _Draft) -> None:
    draft.atomic_aggregate = True


def _decode_aggregator(value: bytes, draft: _Draft) -> None:
    if len(value) != (8 if draft.four_octet_as else 6):
        raise _Malformed(
            UpdateSubcode.ATTRIBUTE_LENGTH_ERROR, f"it cannot have {len(value)} octets in this session"
        )
    draft.aggregator = _aggregator(value)


def _aggregator(value: bytes) -> tuple[int, bytes]:
    number = int.from_bytes(value[:-4], "big")
    if number == 0:
        raise _Malformed(UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR, "AS number 0 is reserved")
    return number, value[-4:]


def _decode_communities(value: bytes, draft: _Draft) -> None:
    # A community list is a set (RFC 1997); one order for it lets equal ones compare equal.
    draft.communities = tuple(sorted(set(unpack(f">{len(value) // 4}I", value))))


def _decode_originator_id(value: bytes, draft: _Draft) -> None:
    draft.originator_id = value


def _decode_cluster_list(value: bytes, draft: _Draft) -> None:
    draft.cluster_list = tuple(_cut(value, 4))


def _decode_extended_communities(value: bytes, draft: _Draft) -> None:
    draft.extended_communities = tuple(sorted(set(_cut(value, 8))))


def _decode_large_communities(value: bytes, draft: _Draft) -> None:
    draft.large_communities = tuple(sorted(set(iter_unpack(">III", value))))


def _decode_as4_path(value: bytes, draft: _Draft) -> None:
    _refuse_between_new_speakers(draft)
    try:
        path = decode_as4_path(value)
    except AsPathError as error:
        raise _Malformed(UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR, str(error)) from error
    draft.as4_path = without_confederations(path)
    if draft.as4_path != path:
        draft.note(Verdict.ATTRIBUTE_DISCARD, "AS4_PATH: confederation segments have no place in it")


def _decode_as4_aggregator(value: bytes, draft: _Draft) -> None:
    _refuse_between_new_speakers(draft)
    draft.as4_aggregator = _aggregator(value)


def _refuse_between_new_speakers(draft: _Draft) -> None:
    """RFC 6793 §4.1."""
    if draft.four_octet_as:
        raise _Malformed(UpdateSubcode.OPTIONAL_ATTRIBUTE_ERROR, "AS numbers have four octets anyway")


def _decode_only_to_customer(value: bytes, draft: _Draft) -> None:
    draft.only_to_customer = number_of(value)


def _decode_elsewhere(_value: bytes, _draft: _Draft) -> None:
    raise ValueError("`split_multiprotocol` comes before `decode_attributes`")


def _cut(value: bytes, size: int) -> list[bytes]:
    return [value[start : start + size] for start in range(0, len(value), size)]


class Length(NamedTuple):
    """How long a value is: `octets`, or any non-zero multiple of it when it is a list."""

    octets: int
    is_list: bool = False


class Rule:
    """A row of the table: what an attribute must be, and what happens when it is not."""

    __slots__ = ("decode", "flags", "internal_only", "is_list", "name", "octets", "verdict")

    def __init__(
        self,
        name: str,
        flags: int,
        length: Length | None,
        verdict: Verdict,
        decode: Callable[[bytes, _Draft], None] | None,
        *,
        internal_only: bool = False,
    ) -> None:
        self.name = name
        self.flags = flags
        """The Optional and Transitive bits it must have."""
        self.octets = -1 if length is None else length.octets
        """Of the value, or of an entry of a list; -1: the decoder knows."""
        self.is_list = length is not None and length.is_list
        self.verdict = verdict
        """Of a malformed value; wrong flags are always treat-as-withdraw (RFC 7606 §3.c)."""
        self.decode = decode
        """None: it is passed on as it is, in `PathAttributes.unknown`."""
        self.internal_only = internal_only
        """Discarded when it comes from an external peer."""


_WELL_KNOWN: Final = TRANSITIVE
_NON_TRANSITIVE: Final = OPTIONAL


def _list_of(octets: int) -> Length:
    return Length(octets, is_list=True)


_DISCARD: Final = Verdict.ATTRIBUTE_DISCARD
_WITHDRAW: Final = Verdict.TREAT_AS_WITHDRAW

# RFC 7606 §7 in the order of its subsections; RFC 8092 §6 for large communities; RFC 6793 §6 for AS4;
# RFC 9234 §5 for ONLY_TO_CUSTOMER.
RULES: Final[dict[int, Rule]] = {
    AttributeType.ORIGIN: Rule("ORIGIN", _WELL_KNOWN, Length(1), _WITHDRAW, _decode_origin),
    AttributeType.AS_PATH: Rule("AS_PATH", _WELL_KNOWN, None, _WITHDRAW, _decode_as_path),
    AttributeType.NEXT_HOP: Rule("NEXT_HOP", _WELL_KNOWN, Length(4), _WITHDRAW, _decode_next_hop),
    AttributeType.MULTI_EXIT_DISC: Rule(
        "MULTI_EXIT_DISC", _NON_TRANSITIVE, Length(4), _WITHDRAW, _decode_med
    ),
    AttributeType.LOCAL_PREF: Rule(
        "LOCAL_PREF", _WELL_KNOWN, Length(4), _WITHDRAW, _decode_local_pref, internal_only=True
    ),
    AttributeType.ATOMIC_AGGREGATE: Rule(
        "ATOMIC_AGGREGATE", _WELL_KNOWN, Length(0), _DISCARD, _decode_atomic_aggregate
    ),
    AttributeType.AGGREGATOR: Rule("AGGREGATOR", _OPTIONAL_TRANSITIVE, None, _DISCARD, _decode_aggregator),
    AttributeType.COMMUNITIES: Rule(
        "COMMUNITIES", _OPTIONAL_TRANSITIVE, _list_of(4), _WITHDRAW, _decode_communities
    ),
    AttributeType.ORIGINATOR_ID: Rule(
        "ORIGINATOR_ID", _NON_TRANSITIVE, Length(4), _WITHDRAW, _decode_originator_id, internal_only=True
    ),
    AttributeType.CLUSTER_LIST: Rule(
        "CLUSTER_LIST", _NON_TRANSITIVE, _list_of(4), _WITHDRAW, _decode_cluster_list, internal_only=True
    ),
    AttributeType.EXTENDED_COMMUNITIES: Rule(
        "EXTENDED_COMMUNITIES", _OPTIONAL_TRANSITIVE, _list_of(8), _WITHDRAW, _decode_extended_communities
    ),
    AttributeType.AS4_PATH: Rule("AS4_PATH", _OPTIONAL_TRANSITIVE, None, _DISCARD, _decode_as4_path),
    AttributeType.AS4_AGGREGATOR: Rule(
        "AS4_AGGREGATOR", _OPTIONAL_TRANSITIVE, Length(8), _DISCARD, _decode_as4_aggregator
    ),
    AttributeType.LARGE_COMMUNITIES: Rule(
        "LARGE_COMMUNITIES", _OPTIONAL_TRANSITIVE, _list_of(12), _WITHDRAW, _decode_large_communities
    ),
    AttributeType.IPV6_EXTENDED_COMMUNITIES: Rule(
        "IPV6_EXTENDED_COMMUNITIES", _OPTIONAL_TRANSITIVE, _list_of(20), _WITHDRAW, None
    ),
    AttributeType.ONLY_TO_CUSTOMER: Rule(
        "ONLY_TO_CUSTOMER", _OPTIONAL_TRANSITIVE, Length(4), _WITHDRAW, _decode_only_to_customer
    ),
    AttributeType.MP_REACH_NLRI: Rule(
        "MP_REACH_NLRI", _NON_TRANSITIVE, None, Verdict.SESSION_RESET, _decode_elsewhere
    ),
    AttributeType.MP_UNREACH_NLRI: Rule(
        "MP_UNREACH_NLRI", _NON_TRANSITIVE, None, Verdict.SESSION_RESET, _decode_elsewhere
    ),
}
"""By type."""
_RULES: Final = [RULES.get(number) for number in range(256)]
"""The same, where to look is cheap."""

_FORGETS_PARTIAL: Final = (AttributeType.AS4_PATH, AttributeType.AS4_AGGREGATOR)
"""Folded into other attributes, so there is nothing left that could be partial."""


class _Memo:
    """Sets already decoded, by their octets: most UPDATEs repeat a set that came before.

    Two generations: when the young one is full it becomes the old one, and what is still asked for moves
    back. That bounds memory whatever a peer sends, and keeps what is in use.
    """

    __slots__ = ("_octets", "_old", "_young")

    def __init__(self) -> None:
        self._young: dict[bytes | tuple[bytes, bytes], AttributeSet] = {}
        self._old: dict[bytes | tuple[bytes, bytes], AttributeSet] = {}
        self._octets = 0

    def get(self, key: bytes | tuple[bytes, bytes]) -> AttributeSet | None:
        """The set remembered for octets, or for (next hop of MP_REACH_NLRI, octets); or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: bytes | tuple[bytes, bytes], value: AttributeSet) -> None:
        """Remember."""
        size = _MEMO_ENTRY_OCTETS + (len(key) if isinstance(key, bytes) else len(key[1]))
        self._octets += size
        if self._octets > _MEMO_OCTETS_MAX:
            self._old, self._young = self._young, {}
            self._octets = size
        self._young[key] = value


_MEMO_ENTRY_OCTETS: Final = 64
_MEMO_OCTETS_MAX: int = 2 * 1024 * 1024
"""Per generation, counting keys; decoded values are about ten times that, so 40 MB at the very worst."""

# A memo of a pure function, so sharing it between peers and speakers changes nothing but time and memory.
# What attributes mean depends on two properties of the session, four_octet_as and ebgp: they tell which memo.
_MEMOS: Final = [_Memo(), _Memo(), _Memo(), _Memo()]


def decode_attributes(
    octets: bytes, *, four_octet_as: bool, ebgp: bool, next_hop: bytes = b""
) -> AttributeSet:
    """Decode the path attributes of an UPDATE without those of RFC 4760; `next_hop` replaces NEXT_HOP's.

    Equal octets usually give the same object. Raises `WireError` where the session must be reset.
    """
    memo = _MEMOS[(2 if four_octet_as else 0) + (1 if ebgp else 0)]
    key = (next_hop, octets) if next_hop else octets
    found = memo.get(key)
    if found is None:
        found = _decode(octets, four_octet_as, ebgp, next_hop)
        memo.put(key, found)
    return found


def _decode(octets: bytes, four_octet_as: bool, ebgp: bool, next_hop: bytes) -> AttributeSet:
    draft = _Draft(four_octet_as, ebgp)
    seen = 0
    position, size, count = 0, len(octets), 0
    while position < size:
        if octets[position] & EXTENDED_LENGTH or size - position < 3:
            value_start, end = _bounds(octets, position)
        else:
            value_start = position + 3
            end = value_start + octets[position + 2]
        count += 1
        if end > size or count > _ATTRIBUTES_MAX:
            text = "the attributes do not fill their total length" if end > size else "too many attributes"
            draft.condemn(Fault(UpdateSubcode.MALFORMED_ATTRIBUTE_LIST, b"", text))
            break
        number = octets[position + 1]
        if seen >> number & 1:
            # RFC 7606 §3.g: the first one counts.
            draft.note(Verdict.ATTRIBUTE_DISCARD, f"attribute {number} appears more than once")
        else:
            seen |= 1 << number
            _decode_one(octets, position, value_start, end, draft)
        position = end
    return AttributeSet(draft.finish(next_hop), seen, draft.fault, draft.errors)


def _bounds(octets: bytes, position: int) -> tuple[int, int]:
    """Where the value of the attribute at `position` starts and ends; the end may lie beyond the octets."""
    if octets[position] & EXTENDED_LENGTH:
        start = position + 4
        length = int.from_bytes(octets[position + 2 : start], "big")
    else:
        start = position + 3
        length = octets[position + 2] if start <= len(octets) else 0
    return start, start + length


def _decode_one(octets: bytes, start: int, value_start: int, end: int, draft: _Draft) -> None:
    """The attribute from `start` to `end`."""
    flags, number = octets[start], octets[start + 1]
    rule = _RULES[number]
    value = octets[value_start:end]
    if rule is None:
        _keep_unknown(octets[start:end], value, draft)
        return
    if flags & _OPTIONAL_TRANSITIVE != rule.flags:
        text = f"{rule.name} has flags {flags:#04x}"
        draft.condemn(Fault(UpdateSubcode.ATTRIBUTE_FLAGS_ERROR, octets[start:end], text))
        return
    if rule.internal_only and draft.ebgp:
        draft.note(Verdict.ATTRIBUTE_DISCARD, f"{rule.name} came from an external peer")
        return
    try:
        _check_length(rule, len(value))
        if rule.decode is None:
            kept = UnknownAttribute(flags & (_OPTIONAL_TRANSITIVE | PARTIAL), number, value)
            draft.unknown += (kept,)
            return
        rule.decode(value, draft)
    except _Malformed as malformed:
        text = f"{rule.name}: {malformed.text}"
        if rule.verdict is Verdict.ATTRIBUTE_DISCARD:
            draft.note(rule.verdict, text)
        else:
            # RFC 4271 §6.3: a malformed AS_PATH is reported without data, any other attribute whole.
            data = b"" if malformed.subcode == UpdateSubcode.MALFORMED_AS_PATH else octets[start:end]
            draft.condemn(Fault(malformed.subcode, data, text))
        return
    if flags & PARTIAL and rule.flags == _OPTIONAL_TRANSITIVE and number not in _FORGETS_PARTIAL:
        draft.partial += (number,)


def _check_length(rule: Rule, length: int) -> None:
    if rule.octets < 0 or length == rule.octets:
        return
    if not rule.is_list or length == 0 or length % rule.octets:
        raise _Malformed(UpdateSubcode.ATTRIBUTE_LENGTH_ERROR, f"it cannot have {length} octets")


def _keep_unknown(raw: bytes, value: bytes, draft: _Draft) -> None:
    """RFC 4271 §5 and §6.3: refuse unknown well-known ones, pass on transitive ones as partial."""
    if not raw[0] & OPTIONAL:
        raise WireError(
            ErrorCode.UPDATE_MESSAGE,
            UpdateSubcode.UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE,
            raw,
            f"attribute {raw[1]} is said to be well-known",
        )
    if raw[0] & TRANSITIVE:
        draft.unknown += (UnknownAttribute(_OPTIONAL_TRANSITIVE | PARTIAL, raw[1], value),)


def split_multiprotocol(octets: bytes) -> tuple[bytes, Multiprotocol | None, Multiprotocol | None]:
    """Take MP_REACH_NLRI and MP_UNREACH_NLRI out of the attributes; gives (the rest, reach, unreach).

    Raises `WireError` when one of them appears twice (RFC 7606 §3.g) or is cut off, as then nobody can know
    which routes it was about (§3.j).
    """
    reach: Multiprotocol | None = None
    unreach: Multiprotocol | None = None
    rest = b""
    kept_from = position = 0
    size = len(octets)
    while position + 1 < size:
        value_start, end = _bounds(octets, position)
        number = octets[position + 1]
        if number in (_MP_REACH_NLRI, _MP_UNREACH_NLRI):
            if (reach if number == _MP_REACH_NLRI else unreach) is not None or end > size:
                text = f"attribute {number} appears twice or is cut off"
                raise WireError(ErrorCode.UPDATE_MESSAGE, UpdateSubcode.MALFORMED_ATTRIBUTE_LIST, text=text)
            found = Multiprotocol(octets[position], octets[value_start:end], octets[position:end])
            if number == _MP_REACH_NLRI:
                reach = found
            else:
                unreach = found
            rest += octets[kept_from:position]
            kept_from = end
        position = end
    return rest + octets[kept_from:] if kept_from else octets, reach, unreach
