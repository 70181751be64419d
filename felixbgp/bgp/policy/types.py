"""The vocabulary of policies. Evaluation is in `evaluate`."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from felixbgp.net import Family, Prefix

DEFAULT: Final = -1
"""Where the number of the deciding rule is asked for: none did, so the policy's default applies."""
DEFAULT_RULE: Final = "default"
"""The name that goes with it."""

LargeCommunity = tuple[int, int, int]
"""RFC 8092 §3: three numbers of 32 bits."""
Community = int | LargeCommunity
"""A standard community (RFC 1997, 32 bits) or a large one."""


class Action(Enum):
    """What a matching rule does. `NEXT` carries out its operations and goes on."""

    ACCEPT = "accept"
    REJECT = "reject"
    NEXT = "next"


class RouteSource(Enum):
    """Where a route came from (what BIRD calls its source)."""

    BGP = "bgp"
    """Learned from a peer."""
    AGGREGATE = "aggregate"
    """One of our own blocks, or another range we originate as a blackhole."""
    KERNEL = "kernel"
    """Found in the kernel, written by somebody else: workloads and foreign routes."""
    STATIC = "static"
    """A route to one of our own peers by way of a gateway that the operator named."""
    DIRECT = "direct"
    """A connected network."""

    __hash__ = object.__hash__
    """That of `Enum` is Python's own, and every path asks for it."""


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """True for prefixes inside `prefix` whose length lies within [min_length, max_length].

    `negated` turns the result round.
    """

    prefix: Prefix
    min_length: int
    max_length: int
    negated: bool = False

    @classmethod
    def equal(cls, prefix: Prefix) -> "PrefixMatch":
        """Exactly this prefix."""
        return cls(prefix, prefix.length, prefix.length)

    @classmethod
    def inside(cls, prefix: Prefix) -> "PrefixMatch":
        """This prefix and everything in it."""
        return cls(prefix, prefix.length, prefix.family.bits)

    @classmethod
    def nothing(cls, family: Family, *, negated: bool = False) -> "PrefixMatch":
        """No prefix at all, or negated every prefix."""
        return cls(Prefix(family, b"\0"), 1, 0, negated)


@dataclass(frozen=True, slots=True)
class Match:
    """All conditions must hold; an empty one always holds."""

    prefix: PrefixMatch | None = None
    sources: frozenset[RouteSource] | None = None
    interface: str | None = None
    """Shell-like pattern on the route's interface; a route without an interface never matches."""
    community: Community | None = None
    """A community that the route must carry."""
    as_path_start: tuple[int, ...] = ()
    """AS numbers that the AS_PATH must begin with; a set has no order, so none of its numbers counts."""
    local_pref: int | None = None
    """What LOCAL_PREF must be; a route without one never matches."""
    local_pref_above: int | None = None
    """What LOCAL_PREF must be greater than; likewise."""
    has_next_hop: bool = False
    """Whether the route must lead to a next hop; one of our own may end here, or on a link."""

    @property
    def looks_at_attributes(self) -> bool:
        """Whether the answer depends on the route's attributes."""
        return (
            self.community is not None
            or bool(self.as_path_start)
            or self.local_pref is not None
            or self.local_pref_above is not None
            or self.has_next_hop
        )

    @property
    def on_attributes(self) -> "Match":
        """The conditions on attributes alone."""
        return replace(self, prefix=None, sources=None, interface=None)


@dataclass(frozen=True, slots=True)
class AddCommunity:
    """Put a community among those of its kind; nothing changes if it is there already."""

    community: Community


@dataclass(frozen=True, slots=True)
class PrependAsPath:
    """Put AS numbers in front of the AS_PATH, in this order."""

    asns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetLocalPref:
    """Give the route this LOCAL_PREF (32 bits)."""

    value: int


Operation = AddCommunity | PrependAsPath | SetLocalPref
"""A change to a route's attributes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of a policy.

    `name` is what `explain` prints, e.g. `filter my-filter rule 2`. It is no part of the value: rules that do
    the same are equal, so that a renamed filter is no change.
    """

    name: str = field(compare=False)
    match: Match
    action: Action
    operations: tuple[Operation, ...] = ()
    """Carried out in order when the rule matches, unless it rejects."""
    origin: str = field(default="", compare=False)
    """Whose statement it is, in the words of whoever wrote the policy; "" for nobody's. No part of the value,
    as the name."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order, and what happens when none decides. The default policy accepts everything."""

    rules: tuple[Rule, ...] = ()
    default: Action = Action.ACCEPT

    @property
    def accepts_any(self) -> bool:
        """Whether there may be a route that it accepts."""
        return self.default is Action.ACCEPT or any(rule.action is Action.ACCEPT for rule in self.rules)

    def rule_name(self, number: int) -> str:
        """The name of the rule at a place in `rules`, or of `DEFAULT`."""
        return DEFAULT_RULE if number == DEFAULT else self.rules[number].name
