"""Rules that can never match: what is found, and what must not be."""

import pytest

from felixbgp.bgp.policy.shadowing import COMPARED_MAX, Unreachable, unreachable
from felixbgp.bgp.policy.types import Action, AddCommunity, Match, PrefixMatch, RouteSource, Rule
from felixbgp.net import IPV4, Address, Prefix

TEN, DEEP, OTHER, ALL = map(Prefix.parse, ("10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "0.0.0.0/0"))
BGP, KERNEL = frozenset((RouteSource.BGP,)), frozenset((RouteSource.KERNEL,))


def lengths(prefix: Prefix, low: int, high: int, negated: bool = False) -> Match:
    return Match(PrefixMatch(prefix, low, high, negated))


def inside(prefix: Prefix) -> Match:
    return lengths(prefix, 0, 32)


def outside(prefix: Prefix) -> Match:
    return lengths(prefix, 0, 32, negated=True)


def rules(*matches: Match) -> tuple[Rule, ...]:
    return tuple(Rule("", match, Action.REJECT) for match in matches)


@pytest.mark.parametrize(
    ("earlier", "later", "covered"),
    [
        pytest.param(Match(), inside(TEN), True, id="nothing after a rule without conditions"),
        pytest.param(inside(TEN), Match(), False, id="a rule without conditions after another"),
        pytest.param(inside(TEN), inside(TEN), True, id="in: the same"),
        pytest.param(inside(TEN), inside(DEEP), True, id="in: deeper"),
        pytest.param(inside(DEEP), inside(TEN), False, id="in: higher"),
        pytest.param(inside(TEN), inside(OTHER), False, id="in: beside"),
        pytest.param(lengths(TEN, 8, 8), inside(TEN), False, id="in after equal"),
        pytest.param(inside(TEN), lengths(TEN, 8, 8), True, id="equal after in"),
        pytest.param(lengths(TEN, 16, 24), lengths(TEN, 17, 24), True, id="lengths: within"),
        pytest.param(lengths(TEN, 16, 24), lengths(TEN, 15, 24), False, id="lengths: shorter ones too"),
        pytest.param(lengths(TEN, 16, 24), lengths(TEN, 16, 25), False, id="lengths: longer ones too"),
        pytest.param(lengths(TEN, 16, 32), lengths(DEEP, 8, 32), True, id="lengths: never above the CIDR"),
        pytest.param(inside(ALL), Match(), True, id="everything, written as a CIDR"),
        pytest.param(inside(ALL), outside(TEN), True, id="not in, after everything"),
        pytest.param(lengths(ALL, 1, 32), outside(TEN), False, id="not in: the default route is left"),
        pytest.param(lengths(ALL, 0, 31), outside(TEN), False, id="not in: hosts are left"),
        pytest.param(inside(TEN), outside(TEN), False, id="not in, after in"),
        pytest.param(outside(TEN), inside(TEN), False, id="in, after not in"),
        pytest.param(outside(TEN), inside(OTHER), True, id="elsewhere, after not in"),
        pytest.param(outside(DEEP), lengths(TEN, 8, 15), True, id="above, after not in"),
        pytest.param(outside(DEEP), inside(TEN), False, id="above and within, after not in"),
        pytest.param(outside(DEEP), outside(TEN), True, id="not in: less"),
        pytest.param(outside(TEN), outside(DEEP), False, id="not in: more"),
        pytest.param(outside(TEN), Match(), False, id="everything, after not in"),
        pytest.param(
            lengths(ALL, 0, 7), lengths(ALL, 8, 32, negated=True), True, id="not in: only short ones are left"
        ),
        pytest.param(
            lengths(ALL, 1, 7), lengths(ALL, 8, 32, negated=True), False, id="not in: short ones, but not all"
        ),
        pytest.param(
            lengths(ALL, 25, 32),
            lengths(ALL, 0, 24, negated=True),
            True,
            id="not in: only long ones are left",
        ),
        pytest.param(
            lengths(ALL, 26, 32),
            lengths(ALL, 0, 24, negated=True),
            False,
            id="not in: long ones, but not all",
        ),
        pytest.param(
            lengths(TEN, 25, 32), lengths(ALL, 0, 24, negated=True), False, id="not in: long ones elsewhere"
        ),
        pytest.param(
            Match(PrefixMatch.nothing(IPV4, negated=True)), inside(TEN), True, id="everything, written as not"
        ),
        pytest.param(
            inside(TEN), Match(PrefixMatch.nothing(IPV4, negated=True)), False, id="everything, as not, after"
        ),
        pytest.param(
            outside(TEN), Match(PrefixMatch.nothing(IPV4, negated=True)), False, id="everything, after not in"
        ),
        pytest.param(
            Match(PrefixMatch.inside(Prefix.parse("::/0"))), inside(TEN), False, id="another family: nothing"
        ),
        pytest.param(Match(sources=BGP), Match(sources=BGP), True, id="source: the same"),
        pytest.param(Match(sources=BGP), Match(sources=KERNEL), False, id="source: another"),
        pytest.param(Match(sources=BGP), Match(), False, id="source: any"),
        pytest.param(Match(sources=frozenset(RouteSource)), Match(), True, id="source: all there are"),
        pytest.param(Match(interface="*"), Match(interface="eth0"), True, id="interface: any"),
        pytest.param(Match(interface="*"), Match(), False, id="interface: none, after any"),
        pytest.param(Match(interface="cali*"), Match(interface="cali1*"), True, id="interface: narrower"),
        pytest.param(Match(interface="cali1*"), Match(interface="cali*"), False, id="interface: wider"),
        pytest.param(Match(interface="*.cali"), Match(interface="*x*.cali"), True, id="interface: two stars"),
        pytest.param(Match(interface="a*b"), Match(interface="*"), False, id="interface: any, after some"),
        pytest.param(Match(interface="eth?"), Match(interface="eth?"), True, id="interface: equal patterns"),
        pytest.param(
            Match(interface="eth?"), Match(interface="eth*"), False, id="interface: not one character"
        ),
        pytest.param(Match(interface="*a*"), Match(interface="[ab]"), False, id="interface: classes"),
        pytest.param(Match(has_next_hop=True), Match(has_next_hop=True), True, id="next hop: the same"),
        pytest.param(Match(has_next_hop=True), Match(), False, id="next hop: any"),
        pytest.param(Match(), Match(has_next_hop=True), True, id="next hop: after all"),
        pytest.param(Match(local_pref_above=5), Match(local_pref_above=5), True, id="above: the same"),
        pytest.param(Match(local_pref_above=5), Match(local_pref_above=6), True, id="above: narrower"),
        pytest.param(Match(local_pref_above=5), Match(local_pref_above=4), False, id="above: wider"),
        pytest.param(Match(local_pref_above=5), Match(local_pref=6), True, id="above: one that is"),
        pytest.param(Match(local_pref_above=5), Match(local_pref=5), False, id="above: one that is not"),
        pytest.param(Match(local_pref_above=5), Match(), False, id="above: any"),
        pytest.param(Match(community=7), Match(community=7), True, id="community: the same"),
        pytest.param(Match(community=7), Match(community=8), False, id="community: another"),
        pytest.param(Match(community=7), Match(), False, id="community: any"),
        pytest.param(Match(), Match(community=7), True, id="community: after all"),
        pytest.param(Match(community=0), Match(), False, id="community: 0 is one"),
        pytest.param(Match(as_path_start=(1,)), Match(as_path_start=(1, 2)), True, id="AS_PATH: longer"),
        pytest.param(Match(as_path_start=(1, 2)), Match(as_path_start=(1,)), False, id="AS_PATH: shorter"),
        pytest.param(Match(as_path_start=(2,)), Match(as_path_start=(1, 2)), False, id="AS_PATH: another"),
        pytest.param(Match(local_pref=5), Match(local_pref=5, community=7), True, id="LOCAL_PREF and more"),
        pytest.param(Match(local_pref=5, community=7), Match(local_pref=5), False, id="LOCAL_PREF: less"),
        pytest.param(
            Match(PrefixMatch.inside(TEN), sources=BGP),
            Match(PrefixMatch.inside(DEEP), sources=BGP, interface="eth0"),
            True,
            id="several at once",
        ),
    ],
)
def test_covered_by_an_earlier_rule(earlier: Match, later: Match, covered: bool) -> None:
    found = unreachable(rules(earlier, later), IPV4, received=False)
    assert [one for one in found if one.rule == 1] == ([Unreachable(1, 0, "")] if covered else [])


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        pytest.param(lengths(TEN, 24, 16), "no prefix meets its conditions", id="min above max"),
        pytest.param(lengths(TEN, 0, 7), "no prefix meets its conditions", id="max above the CIDR"),
        pytest.param(Match(PrefixMatch.nothing(IPV4)), "no prefix meets its conditions", id="nothing"),
        pytest.param(outside(ALL), "no prefix meets its conditions", id="not in everything"),
        pytest.param(
            Match(PrefixMatch.inside(Prefix.parse("fd00::/8"))),
            "no prefix meets its conditions",
            id="another family",
        ),
        pytest.param(Match(sources=frozenset()), "no route has such a source", id="no source"),
    ],
)
def test_conditions_that_no_route_meets(match: Match, reason: str) -> None:
    assert unreachable(rules(match), IPV4, received=False) == [Unreachable(0, None, reason)]


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        pytest.param(Match(sources=KERNEL), "no route has such a source", id="source"),
        pytest.param(Match(interface="*"), "a received route has no interface", id="interface"),
    ],
)
def test_conditions_that_no_received_route_meets(match: Match, reason: str) -> None:
    assert unreachable(rules(match), IPV4, received=True) == [Unreachable(0, None, reason)]
    assert unreachable(rules(match), IPV4, received=False) == []


def test_every_received_route_is_from_a_peer() -> None:
    both = rules(Match(sources=BGP), Match())
    assert unreachable(both, IPV4, received=True) == [Unreachable(1, 0, "")]
    assert unreachable(both, IPV4, received=False) == []


def test_the_earliest_rule_is_named_and_covered_rules_cover_nothing_new() -> None:
    found = unreachable(rules(inside(OTHER), inside(TEN), inside(DEEP), inside(DEEP)), IPV4, received=False)
    assert found == [Unreachable(2, 1, ""), Unreachable(3, 1, "")]


def test_a_rule_that_goes_on_covers_nothing_and_can_be_covered() -> None:
    going_on = Rule("", Match(), Action.NEXT, (AddCommunity(7),))
    (reject,) = rules(Match())
    assert unreachable((going_on, reject), IPV4, received=False) == []
    assert unreachable((reject, going_on), IPV4, received=False) == [Unreachable(1, 0, "")]


def test_what_a_rule_said_of_attributes_is_void_once_they_may_have_changed() -> None:
    colour = Rule("", Match(), Action.NEXT, (AddCommunity(7),))
    (one, two) = rules(Match(community=7), Match(community=7))
    assert unreachable((one, colour, two), IPV4, received=False) == []
    assert unreachable((one, two, colour), IPV4, received=False) == [Unreachable(1, 0, "")]
    (ten, deep) = rules(inside(TEN), inside(DEEP))
    assert unreachable((ten, colour, deep), IPV4, received=False) == [Unreachable(2, 0, "")]


def test_a_rule_is_compared_with_so_many_and_not_with_those_for_other_prefixes() -> None:
    others = [
        inside(Prefix.of(Address(bytes((11, number >> 8, number & 255, 0))), 24)) for number in range(600)
    ]
    found = unreachable(rules(*others, inside(TEN), inside(DEEP)), IPV4, received=False)
    assert found == [Unreachable(601, 600, "")]
    many = [Match(interface=f"eth{number}") for number in range(COMPARED_MAX)]
    found = unreachable(rules(*many, outside(OTHER), inside(DEEP)), IPV4, received=False)
    assert found == []
    found = unreachable(rules(*many[1:], outside(OTHER), inside(DEEP)), IPV4, received=False)
    assert found == [Unreachable(COMPARED_MAX, COMPARED_MAX - 1, "")]
