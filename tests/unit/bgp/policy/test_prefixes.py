"""Prefix conditions: which prefixes they hold for."""

import pytest

from felixbgp.bgp.policy.prefixes import PrefixTest
from felixbgp.bgp.policy.types import PrefixMatch
from felixbgp.net import IPV4, Prefix


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
        pytest.param(
            PrefixMatch(Prefix.parse("10.0.0.0/8"), 24, 16), "10.1.0.0/24", False, id="lengths: none at all"
        ),
        pytest.param(PrefixMatch.nothing(IPV4), "0.0.0.0/0", False, id="nothing: the default route"),
        pytest.param(PrefixMatch.nothing(IPV4), "10.0.0.0/32", False, id="nothing: a host"),
        pytest.param(PrefixMatch.nothing(IPV4, negated=True), "0.0.0.0/0", True, id="nothing, negated"),
    ],
)
def test_prefix(match: PrefixMatch, prefix: str, holds: bool) -> None:
    parsed = Prefix.parse(prefix)
    assert PrefixTest.of(match, parsed.family).holds(parsed.nlri) is holds
