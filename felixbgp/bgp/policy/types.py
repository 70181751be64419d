"""The vocabulary of policies. Evaluation is in `evaluate`."""

from dataclasses import dataclass
from enum import Enum

from felixbgp.net import Prefix


class Action(Enum):
    """What a matching rule does. `NEXT` applies its changes and goes on."""

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


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """True for prefixes inside `prefix` whose length lies within [min_length, max_length].

    `negated` turns the result round (Calico's NotEqual and NotIn).
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


@dataclass(frozen=True, slots=True)
class Match:
    """All conditions must hold; an empty one always holds."""

    prefix: PrefixMatch | None = None
    sources: frozenset[RouteSource] | None = None
    interface: str | None = None
    """Shell-like pattern on the route's interface; a route without an interface never matches."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of a policy; `name` is what `explain` prints, e.g. `filter my-filter rule 2`."""

    name: str
    match: Match
    action: Action


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order, and what happens when none decides. The default policy accepts everything."""

    rules: tuple[Rule, ...] = ()
    default: Action = Action.ACCEPT
