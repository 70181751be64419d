"""Rules that can never match: no route meets their conditions, or an earlier rule leaves them none.

What is said of a rule here is certain. The reverse does not hold: that several earlier rules together leave a
later one nothing is not looked for.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from itertools import islice
from typing import Final, NamedTuple

from felixbgp.bgp.policy.types import Action, Match, PrefixMatch, RouteSource, Rule
from felixbgp.net import Family, Prefix, PrefixTrie

COMPARED_MAX: Final = 256
"""Earlier rules that one is compared with. Those for other prefixes do not count, so a list that people write
stays below it; one that was made to take time does not get it."""


class Unreachable(NamedTuple):
    """A rule that can never match."""

    rule: int
    """Its place among the rules."""
    by: int | None
    """The place of an earlier rule that decides on every route that this one matches."""
    reason: str
    """Without such a rule: why no route meets its conditions, in words."""


class _Area(NamedTuple):
    """The prefixes inside `prefix` with a length from `low` to `high`; at least one."""

    prefix: Prefix
    low: int
    high: int

    def within(self, other: "_Area") -> bool:
        return other.prefix.covers(self.prefix) and other.low <= self.low and self.high <= other.high

    def meets(self, other: "_Area") -> bool:
        related = self.prefix.covers(other.prefix) or other.prefix.covers(self.prefix)
        return related and max(self.low, other.low) <= min(self.high, other.high)

    @property
    def is_everything(self) -> bool:
        return (self.prefix.length, self.low, self.high) == (0, 0, self.prefix.family.bits)


class _Prefixes(NamedTuple):
    """A set of prefixes of one family: those of an area (None: an empty one), or all others."""

    area: _Area | None
    negated: bool

    @classmethod
    def of(cls, match: PrefixMatch | None, family: Family) -> "_Prefixes":
        if match is None:
            return cls(None, negated=True)
        if match.prefix.family != family:
            return cls(None, match.negated)
        low = max(match.min_length, match.prefix.length)
        high = min(match.max_length, family.bits)
        return cls(_Area(match.prefix, low, high) if low <= high else None, match.negated)

    @property
    def is_empty(self) -> bool:
        if self.negated:
            return self.area is not None and self.area.is_everything
        return self.area is None

    def within(self, other: "_Prefixes") -> bool:
        """Whether `other` has all of these; this set is not empty."""
        if other.area is None:
            return other.negated
        if not other.negated:
            return self._within_area(other.area)
        # All others: the ones left out there must be left out here too.
        if self.area is None:
            return False
        return other.area.within(self.area) if self.negated else not other.area.meets(self.area)

    def _within_area(self, area: _Area) -> bool:
        if self.area is None or area.is_everything:
            return area.is_everything
        if not self.negated:
            return self.area.within(area)
        # All but an area: that leaves prefixes of every length everywhere, or some lengths completely.
        if self.area.prefix.length or area.prefix.length:
            return False
        shorter = self.area.low == 0 or (area.low == 0 and self.area.low - 1 <= area.high)
        longer = self.area.high == self.area.prefix.family.bits or (
            area.high == self.area.prefix.family.bits and area.low <= self.area.high + 1
        )
        return shorter and longer


def unreachable(rules: Sequence[Rule], family: Family, *, received: bool) -> list[Unreachable]:
    """The rules of a list for one family that can never match, in their order.

    `received`: the routes come from peers, so that their source is BGP and none has an interface.
    """
    found = []
    earlier = _Earlier(family)
    possible = frozenset((RouteSource.BGP,)) if received else frozenset(RouteSource)
    for number, rule in enumerate(rules):
        reason = _contradiction(rule.match, family, possible, received=received)
        by = None if reason else earlier.covering(rule.match, possible)
        if reason or by is not None:
            found.append(Unreachable(number, by, reason))
        elif rule.action is not Action.NEXT:
            earlier.add(number, rule.match)
        elif rule.operations:
            earlier.attributes_change()
    return found


class _Earlier:
    """The rules before one that decide, by prefix: a rule is covered by few of many."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._inside: PrefixTrie[list[tuple[int, Match]]] = PrefixTrie()
        self._anywhere: list[tuple[int, Match]] = []
        self._comparable_from = 0
        self._count = 0

    def add(self, number: int, match: Match) -> None:
        """A rule that decides on what it matches."""
        self._count = number + 1
        if match.prefix is None or match.prefix.negated:
            self._anywhere.append((number, match))
            return
        there = self._inside.get(match.prefix.prefix)
        if there is None:
            there = self._inside[match.prefix.prefix] = []
        there.append((number, match))

    def attributes_change(self) -> None:
        """What earlier rules said of attributes does not hold for those that later rules see."""
        self._comparable_from = self._count

    def covering(self, match: Match, possible: frozenset[RouteSource]) -> int | None:
        """The first rule that matches whatever `match` does."""
        for number, other in sorted(islice(self._candidates(match), COMPARED_MAX), key=_number):
            comparable = number >= self._comparable_from or not other.looks_at_attributes
            if comparable and _covers(other, match, self._family, possible):
                return number
        return None

    def _candidates(self, match: Match) -> Iterator[tuple[int, Match]]:
        yield from self._anywhere
        whole = Prefix(self._family, b"\0")
        inside = whole if match.prefix is None or match.prefix.negated else match.prefix.prefix
        for _, there in self._inside.covering(inside):
            yield from there


def _number(candidate: tuple[int, Match]) -> int:
    return candidate[0]


def _contradiction(match: Match, family: Family, possible: frozenset[RouteSource], *, received: bool) -> str:
    """Why no route meets the conditions, in words; "" when one may."""
    if _Prefixes.of(match.prefix, family).is_empty:
        return "no prefix meets its conditions"
    if match.sources is not None and not match.sources & possible:
        return "no route has such a source"
    if received and match.interface is not None:
        return "a received route has no interface"
    return ""


def _covers(outer: Match, inner: Match, family: Family, possible: frozenset[RouteSource]) -> bool:
    """Whether every route that `inner` matches is one that `outer` matches; there may be none."""
    sources = possible if inner.sources is None else inner.sources & possible
    return (
        (outer.sources is None or sources <= outer.sources)
        and _covers_interface(outer.interface, inner.interface)
        and outer.community in (None, inner.community)
        and inner.as_path_start[: len(outer.as_path_start)] == outer.as_path_start
        and outer.local_pref in (None, inner.local_pref)
        and outer.has_next_hop <= inner.has_next_hop
        and _covers_local_pref(outer.local_pref_above, inner)
        and _Prefixes.of(inner.prefix, family).within(_Prefixes.of(outer.prefix, family))
    )


def _covers_local_pref(above: int | None, inner: Match) -> bool:
    """The same for a LOCAL_PREF that must be greater than something."""
    if above is None:
        return True
    if inner.local_pref is not None:
        return inner.local_pref > above
    return inner.local_pref_above is not None and inner.local_pref_above >= above


def _covers_interface(outer: str | None, inner: str | None) -> bool:
    """The same for patterns, where both have no wildcard but `*`; otherwise only for equal ones.

    The `*` of one pattern, read as if it were a character, can only be matched by a `*` of the other.
    """
    if outer is None or outer == inner:
        return True
    if inner is None or _has_other_wildcards((outer, inner)):
        return False
    return re.fullmatch(translate(outer), inner) is not None


def _has_other_wildcards(patterns: Iterable[str]) -> bool:
    return any(wildcard in pattern for pattern in patterns for wildcard in "?[")
