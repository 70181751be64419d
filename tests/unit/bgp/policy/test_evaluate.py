"""Policies: what each condition matches, and that the first matching rule decides."""

import pytest

from felixbgp.bgp.policy.evaluate import OUTCOMES_MAX, AttributeView, PolicyView, PrefixView, evaluate
from felixbgp.bgp.policy.types import (
    DEFAULT,
    DEFAULT_RULE,
    Action,
    AddCommunity,
    Match,
    Policy,
    PrefixMatch,
    PrependAsPath,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Prefix
from tests.support.paths import sequence

ATTRIBUTES = PathAttributes(next_hop=b"\1\2\3\4")


def accepts(match: Match, prefix: str, source: RouteSource = RouteSource.BGP, interface: str = "") -> bool:
    """Whether a policy that accepts only what matches accepts the route."""
    policy = Policy((Rule("rule", match, Action.ACCEPT),), default=Action.REJECT)
    parsed = Prefix.parse(prefix)
    return evaluate(
        policy, parsed.family, parsed.nlri, source=source, interface=interface, attributes=ATTRIBUTES
    ).accepted


def inside(prefix: str) -> PrefixMatch:
    return PrefixMatch.inside(Prefix.parse(prefix))


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
    Rule("never reached", Match(PrefixMatch.equal(Prefix.parse("12.0.0.0/8"))), Action.ACCEPT),
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


def test_names_are_no_part_of_a_policy() -> None:
    renamed = Policy((Rule("new", Match(inside("10.0.0.0/8")), Action.REJECT),))
    former = Policy((Rule("old", Match(inside("10.0.0.0/8")), Action.REJECT),))
    assert renamed == former
    assert hash(renamed) == hash(former)
    assert renamed != Policy((Rule("new", Match(inside("10.0.0.0/8")), Action.ACCEPT),))


# ---- views


def plain(policy: Policy, source: RouteSource = RouteSource.BGP) -> PrefixView:
    view = PolicyView(policy, IPV4, source, "").plain
    assert view is not None
    return view


@pytest.mark.parametrize(
    ("default", "accepted"),
    [
        pytest.param(Action.ACCEPT, True, id="accept"),
        pytest.param(Action.REJECT, False, id="reject"),
        pytest.param(Action.NEXT, False, id="next: nobody accepts"),
    ],
)
def test_the_default_decides_when_no_rule_does(default: Action, accepted: bool) -> None:
    view = plain(Policy(default=default))
    decided = view.decide(Prefix.parse("10.0.0.0/8").nlri)
    assert (decided.accepted, decided.rule, decided.attributes) == (accepted, DEFAULT, None)
    assert view.constant is decided
    assert Policy().rule_name(decided.rule) == DEFAULT_RULE


def test_a_view_that_looks_at_prefixes_has_no_constant_answer() -> None:
    assert plain(Policy(RULES)).constant is None


C1, C2, C3 = 1 << 16 | 1, 1 << 16 | 2, 1 << 16 | 3
COLOURED = PathAttributes(next_hop=b"\1\2\3\4", communities=(C1,), as_path=sequence(65001), local_pref=100)
TEN, ELEVEN = Prefix.parse("10.0.0.0/8").nlri, Prefix.parse("11.0.0.0/8").nlri


def view(
    *rules: Rule, attributes: PathAttributes = COLOURED, default: Action = Action.ACCEPT
) -> PrefixView | AttributeView:
    """The rules on these attributes; they do look at them."""
    narrowed = PolicyView(Policy(rules, default), IPV4, RouteSource.BGP, "")
    assert narrowed.plain is None
    return narrowed.of(attributes)


@pytest.mark.parametrize(
    "match",
    [
        pytest.param(Match(community=C1), id="community"),
        pytest.param(Match(as_path_start=(65001,)), id="AS_PATH"),
        pytest.param(Match(local_pref=100), id="LOCAL_PREF"),
    ],
)
def test_a_condition_on_attributes_decides_where_it_holds(match: Match) -> None:
    rule = Rule("rule", match, Action.REJECT)
    assert not view(rule).decide(TEN).accepted
    assert view(rule, attributes=ATTRIBUTES).decide(TEN).accepted


def test_without_a_look_at_prefixes_there_is_one_answer_per_set_of_attributes() -> None:
    rule = Rule("rule", Match(community=C1), Action.REJECT)
    for attributes, accepted in ((COLOURED, False), (ATTRIBUTES, True)):
        constant = view(rule, attributes=attributes).constant
        assert constant is not None
        assert constant.accepted is accepted
    other = Rule("other", Match(inside("10.0.0.0/8")), Action.REJECT)
    assert view(rule, other).constant is not None
    assert view(rule, other, attributes=ATTRIBUTES).constant is None


def test_attributes_for_which_the_same_conditions_hold_share_a_view_unless_they_change() -> None:
    rules = (
        Rule("one", Match(inside("10.0.0.0/8"), local_pref_above=50), Action.REJECT),
        Rule("two", Match(inside("11.0.0.0/8"), local_pref_above=50), Action.REJECT),
    )
    narrowed = PolicyView(Policy(rules), IPV4, RouteSource.BGP, "")
    low, high, higher = (PathAttributes(next_hop=b"\1\2\3\4", local_pref=value) for value in (50, 51, 52))
    assert narrowed.of(high) is narrowed.of(higher)
    assert narrowed.of(high) is not narrowed.of(low)
    assert [narrowed.of(high).decide(nlri).rule for nlri in (TEN, ELEVEN)] == [0, 1]
    assert [narrowed.of(low).decide(nlri).rule for nlri in (TEN, ELEVEN)] == [DEFAULT, DEFAULT]
    colouring = (*rules, Rule("colour", Match(), Action.ACCEPT, (AddCommunity(C2),)))
    changing = PolicyView(Policy(colouring), IPV4, RouteSource.BGP, "")
    assert changing.of(high) is not changing.of(higher)


def test_views_of_ever_new_outcomes_are_not_kept_for_good() -> None:
    """Eleven conditions have more outcomes than are kept; each is right whenever it is asked for."""
    rules = tuple(Rule(str(one), Match(community=one), Action.REJECT) for one in range(1, 12))
    narrowed = PolicyView(Policy(rules), IPV4, RouteSource.BGP, "")
    for outcome in range(1 << 11):
        carried = tuple(one for one in range(1, 12) if outcome >> one - 1 & 1)
        constant = narrowed.of(PathAttributes(communities=carried)).constant
        assert constant is not None
        assert constant.rule == (carried[0] - 1 if carried else DEFAULT)
    assert len(narrowed._outcomes) <= OUTCOMES_MAX


def test_operations_are_for_what_the_rule_accepts() -> None:
    rule = Rule("ten", Match(inside("10.0.0.0/8")), Action.ACCEPT, (AddCommunity(C2), SetLocalPref(7)))
    one = view(rule)
    changed = one.decide(TEN).attributes
    assert changed is not None
    assert (changed.communities, changed.local_pref) == ((C1, C2), 7)
    assert one.decide(ELEVEN).attributes is None


def test_a_rule_that_rejects_changes_nothing() -> None:
    rule = Rule("ten", Match(), Action.REJECT, (AddCommunity(C2),))
    assert plain(Policy((rule,))).constant is not None
    rejecting = Rule("c", Match(community=C1), Action.REJECT, (AddCommunity(C2),))
    colouring = Rule("colour", Match(), Action.NEXT, (AddCommunity(C3),))
    for one in (view(rejecting).decide(TEN), view(colouring, rejecting).decide(TEN)):
        assert (one.accepted, one.attributes) == (False, None)


def test_a_rule_that_goes_on_changes_what_later_rules_see() -> None:
    one = view(
        Rule("colour ten", Match(inside("10.0.0.0/8")), Action.NEXT, (AddCommunity(C2),)),
        Rule("accept colour", Match(community=C2), Action.ACCEPT, (AddCommunity(C3),)),
        default=Action.REJECT,
    )
    coloured, other = one.decide(TEN), one.decide(ELEVEN)
    assert (coloured.accepted, coloured.rule) == (True, 1)
    assert coloured.attributes is not None
    assert coloured.attributes.communities == (C1, C2, C3)
    assert (other.accepted, other.rule, other.attributes) == (False, DEFAULT, None)


def test_the_default_goes_on_with_the_changes_of_those_that_went_on() -> None:
    rules = (
        Rule("all", Match(), Action.NEXT, (PrependAsPath((1, 2)),)),
        Rule("ten", Match(inside("10.0.0.0/8")), Action.NEXT, (PrependAsPath((3,)),)),
    )
    one = view(*rules)
    for nlri, path in ((TEN, sequence(3, 1, 2, 65001)), (ELEVEN, sequence(1, 2, 65001))):
        attributes = one.decide(nlri).attributes
        assert attributes is not None
        assert attributes.as_path == path
    rejected = view(*rules, default=Action.REJECT).decide(TEN)
    assert (rejected.accepted, rejected.attributes) == (False, None)


def test_operations_that_change_nothing_leave_the_attributes_as_they_were() -> None:
    one = view(
        Rule("next", Match(), Action.NEXT, (AddCommunity(C1), SetLocalPref(100))),
        Rule("there and back", Match(), Action.ACCEPT, (SetLocalPref(200), SetLocalPref(100))),
    )
    assert one.decide(TEN).attributes is None


def test_prefixes_that_fare_the_same_share_one_verdict() -> None:
    one = view(
        Rule("ten", Match(inside("10.0.0.0/8")), Action.NEXT, (AddCommunity(C2),)),
        Rule("eleven", Match(inside("11.0.0.0/8")), Action.NEXT, (AddCommunity(C2),)),
        Rule("both", Match(community=C2), Action.ACCEPT),
    )
    deep = Prefix.parse("10.1.0.0/16").nlri
    assert one.decide(TEN) is one.decide(deep)
    assert one.decide(TEN) is one.decide(ELEVEN)


def test_a_single_route_gets_its_changed_attributes_and_the_name_of_the_rule() -> None:
    verdict = evaluate(
        Policy((Rule("add", Match(), Action.ACCEPT, (AddCommunity(C2),)),)),
        IPV4,
        TEN,
        source=RouteSource.BGP,
        interface="",
        attributes=COLOURED,
    )
    assert (verdict.accepted, verdict.attributes.communities, verdict.rule) == (True, (C1, C2), "add")
