"""Evaluation of policies: the first rule that matches decides.

A rule looks at the prefix, the source and the interface of a route. Source and interface are the same for
thousands of prefixes (everything learned from a peer has source BGP and no interface), so a policy is first
narrowed to one pair of them; what is left is a short list of prefix tests, often none.
"""

import re
from fnmatch import translate
from typing import Final, NamedTuple

from felixbgp.bgp.policy.types import Action, Policy, PrefixMatch, RouteSource, Rule
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Family, Nlri, Prefix

DEFAULT_RULE: Final = "default"
"""The rule name reported when no rule decided."""


class Verdict(NamedTuple):
    """What a policy said of one route: taken or not, its attributes from here on, the rule that decided."""

    accepted: bool
    attributes: PathAttributes
    rule: str


class Decided(NamedTuple):
    """A verdict without the attributes, which no rule changes yet."""

    accepted: bool
    rule: str


class _PrefixTest(NamedTuple):
    """A `PrefixMatch` laid out for comparison with NLRI octets, and what follows when it holds."""

    min_length: int
    max_length: int
    octets: bytes
    """The octets that the pattern's length covers completely."""
    mask: int
    """Significant bits of the octet after them; 0 when there is none."""
    rest: int
    """The value of that octet under the mask."""
    family_differs: bool
    negated: bool
    decided: Decided

    def holds(self, nlri: Nlri) -> bool:
        """Whether the prefix lies inside the pattern, turned round when negated."""
        return self.inside(nlri) is not self.negated

    def inside(self, nlri: Nlri) -> bool:
        """Whether the prefix lies inside the pattern and its length within the pattern's bounds."""
        if self.family_differs or not self.min_length <= nlri[0] <= self.max_length:
            return False
        end = 1 + len(self.octets)
        return nlri[1:end] == self.octets and (not self.mask or nlri[end] & self.mask == self.rest)


class PolicyView:
    """A policy narrowed to one family, source and interface: a function of the prefix alone."""

    __slots__ = ("_otherwise", "_tests")

    def __init__(self, policy: Policy, family: Family, source: RouteSource, interface: str) -> None:
        tests: list[_PrefixTest] = []
        # A policy whose default is NEXT says nothing about the route; what nobody accepts is rejected.
        self._otherwise = Decided(policy.default is Action.ACCEPT, DEFAULT_RULE)
        for rule in policy.rules:
            if rule.action is Action.NEXT or not _concerns(rule, source, interface):
                continue
            decided = Decided(rule.action is Action.ACCEPT, rule.name)
            if rule.match.prefix is None:
                self._otherwise = decided
                break
            tests.append(_compiled(rule.match.prefix, family, decided))
        self._tests = tuple(tests)

    @property
    def constant(self) -> Decided | None:
        """The one answer for every prefix, or None when it depends on the prefix."""
        return None if self._tests else self._otherwise

    def decide(self, nlri: Nlri) -> Decided:
        """Accept or reject one prefix, with the name of the rule that did."""
        for test in self._tests:
            if test.holds(nlri):
                return test.decided
        return self._otherwise


def evaluate(
    policy: Policy,
    family: Family,
    nlri: Nlri,
    *,
    source: RouteSource,
    interface: str,
    attributes: PathAttributes,
) -> Verdict:
    """Run one route through a policy. For many routes, keep a `PolicyView`."""
    accepted, rule = PolicyView(policy, family, source, interface).decide(nlri)
    return Verdict(accepted, attributes, rule)


def _concerns(rule: Rule, source: RouteSource, interface: str) -> bool:
    """Whether the rule's conditions other than the prefix hold."""
    match = rule.match
    if match.sources is not None and source not in match.sources:
        return False
    if match.interface is None:
        return True
    return bool(interface) and re.fullmatch(translate(match.interface), interface) is not None


def _compiled(match: PrefixMatch, family: Family, decided: Decided) -> _PrefixTest:
    pattern: Prefix = match.prefix
    length = pattern.length
    whole, partial = divmod(length, 8)
    mask = 0xFF00 >> partial & 0xFF
    return _PrefixTest(
        # A shorter prefix than the pattern is never inside it, whatever min_length says; this also keeps
        # the comparison from reading beyond the end of the NLRI.
        min_length=max(match.min_length, length),
        max_length=match.max_length,
        octets=pattern.nlri[1 : 1 + whole],
        mask=mask,
        rest=pattern.nlri[1 + whole] & mask if mask else 0,
        family_differs=pattern.family != family,
        negated=match.negated,
        decided=decided,
    )
