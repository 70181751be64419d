"""Evaluation of policies: the first rule that matches decides.

    Policy ─ family, source, interface ─▶ PolicyView ─┬─ nothing depends on attributes ───────▶ PrefixView
                                                      ├─ else, per outcome of all conditions ─▶ PrefixView
                                                      └─ attributes change: per set of them ──▶ AttributeView

A rule looks at the prefix, the source, the interface and the attributes of a route. Source and interface are
the same for thousands of prefixes (everything learned from a peer has source BGP and no interface), so a
policy is first narrowed to one pair of them; what is left is a short list of prefix tests, often none. Only a
policy that looks at attributes or changes them is narrowed once more, to one set of them, which many prefixes
share too: conditions and operations are worked out once per set. Sets for which the same conditions hold
share a view, unless they change.

A rule that accepts or goes on carries out its operations; what comes after it sees the changed attributes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from typing import Final, NamedTuple

from felixbgp.bgp.policy.conditions import attributes_match
from felixbgp.bgp.policy.operations import carry_out
from felixbgp.bgp.policy.prefixes import PrefixTest
from felixbgp.bgp.policy.types import DEFAULT, Action, Match, Operation, Policy, RouteSource, Rule
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Family, Nlri

OUTCOMES_MAX: Final = 1024
"""Outcomes of conditions whose view is kept. A filter of ten communities can have no more; the views of one
that has are made again."""


class Verdict(NamedTuple):
    """What a policy said of one route: taken or not, its attributes from here on, the rule that decided."""

    accepted: bool
    attributes: PathAttributes
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """A verdict; a view gives the same object for all prefixes that fare the same, so it can be a key."""

    accepted: bool
    rule: int
    """The place of the rule that decided in `Policy.rules`, or `DEFAULT`."""
    attributes: PathAttributes | None = None
    """What operations made of the attributes; None where they are as they were."""


class _Step(NamedTuple):
    """A rule as far as it is still to be asked about a route."""

    prefix: PrefixTest | None
    match: Match | None
    """The conditions on attributes; None when there are none."""
    action: Action
    operations: tuple[Operation, ...]
    decided: Decided
    """What follows where the attributes stay as they are."""


class PrefixView:
    """A narrowed policy that leaves attributes alone: a function of the prefix."""

    __slots__ = ("_otherwise", "_tests", "constant")

    def __init__(self, steps: tuple[_Step, ...], otherwise: Decided) -> None:
        self._tests = tuple((step.prefix, step.decided) for step in steps if step.prefix is not None)
        self._otherwise = otherwise
        self.constant = None if self._tests else otherwise
        """The one answer for every prefix, or None when it depends on the prefix."""

    def decide(self, nlri: Nlri) -> Decided:
        """Accept or reject one prefix."""
        for prefix, decided in self._tests:
            if prefix.holds(nlri):
                return decided
        return self._otherwise


class _State:
    """A set of attributes on its way through the steps, and what became of it before."""

    __slots__ = ("after", "attributes", "changed", "decided", "holds")

    def __init__(self, attributes: PathAttributes, *, changed: bool) -> None:
        self.attributes = attributes
        self.changed = changed
        self.holds: dict[int, bool] = {}
        """By step: whether its conditions on attributes hold."""
        self.after: dict[int, _State] = {}
        """By step that goes on: what it makes of the attributes."""
        self.decided: dict[int, Decided] = {}
        """By step that decides, or `DEFAULT`."""


class AttributeView:
    """A narrowed policy on one set of attributes: a function of the prefix, which works out little twice."""

    __slots__ = ("_otherwise", "_start", "_states", "_steps", "constant")

    def __init__(self, steps: tuple[_Step, ...], otherwise: Decided, attributes: PathAttributes) -> None:
        self._steps = steps
        self._otherwise = otherwise
        self._start = _State(attributes, changed=False)
        self._states = {attributes: self._start}
        depends = any(step.prefix is not None for step in steps)
        self.constant = None if depends else self.decide(b"")
        """The one answer for every prefix, or None when it depends on the prefix."""

    def decide(self, nlri: Nlri) -> Decided:
        """Accept or reject one prefix, with the attributes to go on with."""
        state = self._start
        for number, step in enumerate(self._steps):
            if step.prefix is not None and not step.prefix.holds(nlri):
                continue
            if step.match is not None and not _holds(state, number, step.match):
                continue
            if step.action is not Action.NEXT:
                return state.decided.get(number) or self._decide(state, number, step)
            state = state.after.get(number) or self._go_on(state, number, step)
        return state.decided.get(DEFAULT) or self._default(state)

    def _decide(self, state: _State, number: int, step: _Step) -> Decided:
        decided = step.decided
        if decided.accepted:
            decided = _with_attributes(decided, self._changed(state, step.operations))
        state.decided[number] = decided
        return decided

    def _default(self, state: _State) -> Decided:
        decided = self._otherwise
        if decided.accepted:
            decided = _with_attributes(decided, state)
        state.decided[DEFAULT] = decided
        return decided

    def _go_on(self, state: _State, number: int, step: _Step) -> _State:
        following = state.after[number] = self._changed(state, step.operations)
        return following

    def _changed(self, state: _State, operations: tuple[Operation, ...]) -> _State:
        """The state after operations; equal attributes have one state, however they came about."""
        attributes = carry_out(operations, state.attributes)
        if attributes is state.attributes:
            return state
        return self._states.setdefault(attributes, _State(attributes, changed=True))


class PolicyView:
    """A policy narrowed to one family, source and interface."""

    __slots__ = ("_conditions", "_otherwise", "_outcomes", "_steps", "plain")

    def __init__(self, policy: Policy, family: Family, source: RouteSource, interface: str) -> None:
        # A policy whose default is NEXT says nothing about the route; what nobody accepts is rejected.
        otherwise = Decided(policy.default is Action.ACCEPT, DEFAULT)
        steps: list[_Step] = []
        for step in _steps(policy, family, source, interface):
            if _settles_all(step):
                otherwise = step.decided
                break
            steps.append(step)
        self._steps = tuple(steps)
        self._otherwise = otherwise
        changes = any(step.operations for step in steps)
        conditions = dict.fromkeys(step.match for step in steps if step.match is not None)
        self.plain = None if changes or conditions else PrefixView(self._steps, otherwise)
        """The view for all attributes, when it looks at none and changes none."""
        self._conditions = () if changes else tuple(conditions)
        """Those on attributes, each once, when attributes stay as they are."""
        self._outcomes: dict[tuple[bool, ...], PrefixView] = {}
        """The views by which of the conditions hold."""

    def of(self, attributes: PathAttributes) -> PrefixView | AttributeView:
        """The view for one set of attributes; worth keeping for all prefixes that have it."""
        if self.plain is not None:
            return self.plain
        if not self._conditions:
            return AttributeView(self._steps, self._otherwise, attributes)
        outcome = tuple([attributes_match(condition, attributes) for condition in self._conditions])
        view = self._outcomes.get(outcome)
        if view is None:
            if len(self._outcomes) >= OUTCOMES_MAX:
                self._outcomes.clear()
            view = self._outcomes[outcome] = self._view_of(outcome)
        return view

    def _view_of(self, outcome: tuple[bool, ...]) -> PrefixView:
        holding = dict(zip(self._conditions, outcome, strict=True))
        steps: list[_Step] = []
        for step in self._steps:
            if step.match is not None and not holding[step.match]:
                continue
            if step.prefix is None:
                return PrefixView(tuple(steps), step.decided)
            steps.append(step)
        return PrefixView(tuple(steps), self._otherwise)


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
    decided = PolicyView(policy, family, source, interface).of(attributes).decide(nlri)
    return Verdict(decided.accepted, decided.attributes or attributes, policy.rule_name(decided.rule))


def _steps(policy: Policy, family: Family, source: RouteSource, interface: str) -> Iterator[_Step]:
    """The rules that may still have a say."""
    for number, rule in enumerate(policy.rules):
        says_nothing = rule.action is Action.NEXT and not rule.operations
        if says_nothing or not _concerns(rule, source, interface):
            continue
        prefix = rule.match.prefix
        yield _Step(
            prefix=None if prefix is None else PrefixTest.of(prefix, family),
            match=rule.match.on_attributes if rule.match.looks_at_attributes else None,
            action=rule.action,
            operations=() if rule.action is Action.REJECT else rule.operations,
            decided=Decided(rule.action is Action.ACCEPT, number),
        )


def _settles_all(step: _Step) -> bool:
    """Whether every route that comes as far as this ends here, as it is."""
    unconditional = step.prefix is None and step.match is None
    return unconditional and not step.operations and step.action is not Action.NEXT


def _concerns(rule: Rule, source: RouteSource, interface: str) -> bool:
    """Whether the rule's conditions on source and interface hold."""
    match = rule.match
    if match.sources is not None and source not in match.sources:
        return False
    if match.interface is None:
        return True
    return bool(interface) and re.fullmatch(translate(match.interface), interface) is not None


def _holds(state: _State, number: int, match: Match) -> bool:
    known = state.holds.get(number)
    if known is None:
        known = state.holds[number] = attributes_match(match, state.attributes)
    return known


def _with_attributes(decided: Decided, state: _State) -> Decided:
    if not state.changed:
        return decided
    return Decided(decided.accepted, decided.rule, state.attributes)
