"""Policies: what each condition matches, and that the first matching rule decides."""

import pytest

from felixbgp.bgp.policy.evaluate import DEFAULT_RULE, PolicyView, evaluate
from felixbgp.bgp.policy.types import Action, Match, Policy, PrefixMatch, RouteSource, Rule
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Prefix

ATTRIBUTES = PathAttributes(next_hop=b"\1\2\3\4")


def accepts(match: Match, prefix: str, source: RouteSource = RouteSource.BGP, interface: str = "") -> bool:
    """Whether a policy that accepts only what matches accepts the route."""
    policy = Policy((Rule("rule", match, Action.ACCEPT),), default=Action.REJECT)
    parsed = Prefix.parse(prefix)
    return evaluate(
        policy, parsed.family, parsed.nlri, source=source, interface=interface, attributes=ATTRIBUTES
    ).accepted


def inside(prefix: str, negated: bool = False) -> PrefixMatch:
    parsed = Prefix.parse(prefix)
    return PrefixMatch(parsed, parsed.length, parsed.family.bits, negated)


def equal(prefix: str, negated: bool = False) -> PrefixMatch:
    parsed = Prefix.parse(prefix)
    return PrefixMatch(parsed, parsed.length, parsed.length, negated)


@pytest.mark.parametrize(
    ("match", "prefix", "holds"),
    [
        pytest.param(equal("10.0.0.0/8"), "10.0.0.0/8", True, id="equal: itself"),
        pytest.param(equal("10.0.0.0/8"), "10.0.0.0/9", False, id="equal: not a longer one"),
        pytest.param(equal("10.0.0.0/8"), "11.0.0.0/8", False, id="equal: not another"),
        pytest.param(equal("10.0.0.0/8", negated=True), "10.0.0.0/8", False, id="not equal: itself"),
        pytest.param(equal("10.0.0.0/8", negated=True), "10.0.0.0/9", True, id="not equal: a longer one"),
        pytest.param(inside("77.0.0.0/16"), "77.0.0.0/16", True, id="in: itself"),
        pytest.param(inside("77.0.0.0/16"), "77.0.255.0/24", True, id="in: longer"),
        pytest.param(inside("77.0.0.0/16"), "77.0.0.0/15", False, id="in: shorter"),
        pytest.param(inside("77.0.0.0/16"), "77.1.0.0/16", False, id="in: neighbour"),
        pytest.param(inside("77.0.0.0/16", negated=True), "77.1.0.0/16", True, id="not in: neighbour"),
        pytest.param(inside("77.0.0.0/16", negated=True), "77.0.1.0/24", False, id="not in: longer"),
        pytest.param(inside("10.64.0.0/10"), "10.127.255.255/32", True, id="bits: last of a /10"),
        pytest.param(inside("10.64.0.0/10"), "10.128.0.0/32", False, id="bits: first after a /10"),
        pytest.param(inside("10.64.0.0/10"), "10.0.0.0/9", False, id="bits: shorter and before"),
        pytest.param(inside("0.0.0.0/0"), "0.0.0.0/0", True, id="everything: the default route"),
        pytest.param(inside("0.0.0.0/0"), "255.255.255.255/32", True, id="everything: a host"),
        pytest.param(inside("fd00::/8"), "fd00:1::/64", True, id="IPv6: longer"),
        pytest.param(inside("::/0"), "10.0.0.0/8", False, id="another family: not inside"),
        pytest.param(
            inside("::/0", negated=True), "10.0.0.0/8", True, id="another family: not inside, negated"
        ),
        pytest.param(
            PrefixMatch(Prefix.parse("10.0.0.0/8"), 24, 26), "10.1.0.0/26", True, id="lengths: upper bound"
        ),
        pytest.param(
            PrefixMatch(Prefix.parse("10.0.0.0/8"), 24, 26), "10.1.0.0/27", False, id="lengths: too long"
        ),
        pytest.param(
            PrefixMatch(Prefix.parse("10.0.0.0/8"), 24, 26), "10.1.0.0/23", False, id="lengths: too short"
        ),
        pytest.param(
            PrefixMatch(Prefix.parse("10.0.0.0/8"), 0, 32),
            "0.0.0.0/0",
            False,
            id="lengths: never above itself",
        ),
    ],
)
def test_prefix(match: PrefixMatch, prefix: str, holds: bool) -> None:
    assert accepts(Match(prefix=match), prefix) is holds


@pytest.mark.parametrize(
    ("pattern", "interface", "holds"),
    [
        pytest.param("*.calico", "vxlan.calico", True, id="star in front"),
        pytest.param("cali*", "cali0123", True, id="star behind"),
        pytest.param("cali*", "eth0", False, id="another"),
        pytest.param("eth?", "eth0", True, id="one character"),
        pytest.param("eth?", "eth10", False, id="not two"),
        pytest.param("eth0", "eth0.1", False, id="the whole name"),
        pytest.param("*", "", False, id="a route without an interface never matches"),
    ],
)
def test_interface(pattern: str, interface: str, holds: bool) -> None:
    assert accepts(Match(interface=pattern), "10.0.0.0/8", RouteSource.KERNEL, interface) is holds


@pytest.mark.parametrize("source", list(RouteSource))
def test_source(source: RouteSource) -> None:
    match = Match(sources=frozenset((RouteSource.BGP, RouteSource.KERNEL)))
    assert accepts(match, "10.0.0.0/8", source) is (source in (RouteSource.BGP, RouteSource.KERNEL))


def test_all_conditions_must_hold() -> None:
    match = Match(inside("10.0.0.0/8"), frozenset((RouteSource.KERNEL,)), "cali*")
    assert accepts(match, "10.1.0.0/16", RouteSource.KERNEL, "cali1")
    assert not accepts(match, "11.1.0.0/16", RouteSource.KERNEL, "cali1")
    assert not accepts(match, "10.1.0.0/16", RouteSource.BGP, "cali1")
    assert not accepts(match, "10.1.0.0/16", RouteSource.KERNEL, "eth0")


RULES = (
    Rule("pass over", Match(), Action.NEXT),
    Rule("first", Match(inside("10.1.0.0/16")), Action.REJECT),
    Rule("second", Match(inside("10.0.0.0/8")), Action.ACCEPT),
    Rule("not for BGP", Match(sources=frozenset((RouteSource.KERNEL,))), Action.ACCEPT),
    Rule("third", Match(), Action.REJECT),
    Rule("never reached", Match(equal("12.0.0.0/8")), Action.ACCEPT),
)


@pytest.mark.parametrize(
    ("prefix", "accepted", "rule"),
    [
        pytest.param("10.1.2.0/24", False, "first", id="the first that matches, though the second would too"),
        pytest.param("10.2.0.0/16", True, "second", id="the second when the first does not"),
        pytest.param("12.0.0.0/8", False, "third", id="nothing after an unconditional one"),
    ],
)
def test_the_first_matching_rule_decides_and_is_named(prefix: str, accepted: bool, rule: str) -> None:
    parsed = Prefix.parse(prefix)
    verdict = evaluate(
        Policy(RULES),
        parsed.family,
        parsed.nlri,
        source=RouteSource.BGP,
        interface="",
        attributes=ATTRIBUTES,
    )
    assert verdict == (accepted, ATTRIBUTES, rule)


@pytest.mark.parametrize(
    ("default", "accepted"),
    [
        pytest.param(Action.ACCEPT, True, id="accept"),
        pytest.param(Action.REJECT, False, id="reject"),
        pytest.param(Action.NEXT, False, id="next: nobody accepts"),
    ],
)
def test_the_default_decides_when_no_rule_does(default: Action, accepted: bool) -> None:
    view = PolicyView(Policy(default=default), IPV4, RouteSource.BGP, "")
    assert view.decide(Prefix.parse("10.0.0.0/8").nlri) == (accepted, DEFAULT_RULE)
    assert view.constant == (accepted, DEFAULT_RULE)


def test_a_view_that_looks_at_prefixes_has_no_constant_answer() -> None:
    assert PolicyView(Policy(RULES), IPV4, RouteSource.BGP, "").constant is None
