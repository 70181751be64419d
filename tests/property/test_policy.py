"""Policies over a tiny world of prefixes and attributes, against an evaluator that knows no views."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.policy.evaluate import PolicyView, Verdict, evaluate
from felixbgp.bgp.policy.shadowing import unreachable
from felixbgp.bgp.policy.types import (
    Action,
    AddCommunity,
    Match,
    Operation,
    Policy,
    PrefixMatch,
    PrependAsPath,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType
from felixbgp.net import IPV4, Address, Prefix
from tests.support.paths import as_set, sequence

HIGHEST = 2
"""No prefix of this world is longer, but for the hosts: a pattern may end at 32 and no pattern at less."""
PREFIXES = [
    Prefix.of(Address(bytes((top, 0, 0, 0))), length)
    for length, tops in ((0, [0]), (1, [0, 128]), (2, [0, 64, 128, 192]), (32, [0, 64, 128, 192]))
    for top in tops
]
INTERFACES = ("", "a", "b", "ab", "aa")
LARGE = (1, 2, 3)
SOURCES = (RouteSource.BGP, RouteSource.KERNEL)

prefix_matches = st.builds(
    PrefixMatch,
    st.sampled_from([prefix for prefix in PREFIXES if prefix.length <= HIGHEST]),
    st.sampled_from((0, 1, 2, 32)),
    st.sampled_from((0, 1, 2, 32)),
    st.booleans(),
)
matches = st.builds(
    Match,
    prefix=st.none() | prefix_matches,
    sources=st.none() | st.frozensets(st.sampled_from(SOURCES), max_size=2),
    interface=st.none() | st.sampled_from(("*", "a", "a*", "*b", "?", "[ab]", "aa")),
    community=st.none() | st.sampled_from((0, 1, LARGE)),
    as_path_start=st.lists(st.sampled_from((1, 2)), max_size=2).map(tuple),
    local_pref=st.none() | st.sampled_from((0, 1)),
    local_pref_above=st.none() | st.sampled_from((0, 1)),
    has_next_hop=st.booleans(),
)
operations = st.one_of(
    st.builds(AddCommunity, st.sampled_from((0, 1, LARGE))),
    st.builds(PrependAsPath, st.sampled_from(((1,), (1, 2)))),
    st.builds(SetLocalPref, st.sampled_from((0, 1))),
)
policies = st.builds(
    Policy,
    st.lists(
        st.builds(
            Rule,
            st.uuids().map(str),
            matches,
            st.sampled_from(Action),
            st.lists(operations, max_size=2).map(tuple),
        ),
        max_size=5,
    ).map(tuple),
    st.sampled_from(Action),
)
attribute_sets = st.builds(
    PathAttributes,
    as_path=st.sampled_from(((), sequence(1), sequence(1, 2), sequence(2, 1), (*sequence(1), as_set(2)))),
    communities=st.sets(st.sampled_from((0, 1))).map(sorted).map(tuple),
    large_communities=st.sampled_from(((), (LARGE,))),
    local_pref=st.none() | st.sampled_from((0, 1)),
    next_hop=st.sampled_from((b"", b"\1\2\3\4")),
)


def naive_match(
    match: Match, prefix: Prefix, source: RouteSource, interface: str, of: PathAttributes
) -> bool:
    """The conditions as their documentation reads."""
    if match.prefix is not None:
        wanted = match.prefix
        inside = wanted.prefix.covers(prefix) and wanted.min_length <= prefix.length <= wanted.max_length
        if inside is wanted.negated:
            return False
    first = [asn for segment in of.as_path[:1] for asn in segment.asns]
    return (
        (match.sources is None or source in match.sources)
        and (match.interface is None or (interface != "" and fnmatchcase(interface, match.interface)))
        and (match.community is None or match.community in (*of.communities, *of.large_communities))
        and tuple(first[: len(match.as_path_start)]) == match.as_path_start
        and (match.local_pref is None or of.local_pref == match.local_pref)
        and (of.next_hop != b"" or not match.has_next_hop)
        and (match.local_pref_above is None or (of.local_pref or 0) > match.local_pref_above)
    )


def naive_operation(operation: Operation, of: PathAttributes) -> PathAttributes:
    if isinstance(operation, SetLocalPref):
        return of.replace(local_pref=operation.value)
    if isinstance(operation, PrependAsPath):
        asns = (*operation.asns, *(asn for segment in of.as_path[:1] for asn in segment.asns))
        return of.replace(as_path=(Segment(SegmentType.AS_SEQUENCE, asns), *of.as_path[1:]))
    if isinstance(operation.community, int):
        return of.replace(communities=tuple(sorted({*of.communities, operation.community})))
    return of.replace(large_communities=(operation.community,))


def naive(
    policy: Policy, prefix: Prefix, source: RouteSource, interface: str, attributes: PathAttributes
) -> Verdict:
    """Rule by rule."""
    for rule in policy.rules:
        if not naive_match(rule.match, prefix, source, interface, attributes):
            continue
        if rule.action is Action.REJECT:
            return Verdict(accepted=False, attributes=attributes, rule=rule.name)
        for operation in rule.operations:
            attributes = naive_operation(operation, attributes)
        if rule.action is Action.ACCEPT:
            return Verdict(accepted=True, attributes=attributes, rule=rule.name)
    return Verdict(policy.default is Action.ACCEPT, attributes, "default")


@given(policies, st.sampled_from(RouteSource), st.sampled_from(INTERFACES), attribute_sets)
def test_a_view_decides_as_rule_by_rule(
    policy: Policy, source: RouteSource, interface: str, attributes: PathAttributes
) -> None:
    view = PolicyView(policy, IPV4, source, interface).of(attributes)
    # Twice, as the second time everything is remembered.
    for prefix in PREFIXES * 2:
        expected = naive(policy, prefix, source, interface, attributes)
        decided = view.decide(prefix.nlri)
        if view.constant is not None:
            assert decided is view.constant
        assert (decided.accepted, policy.rule_name(decided.rule)) == (expected.accepted, expected.rule)
        if expected.accepted:
            assert (decided.attributes or attributes) == expected.attributes
            assert decided.attributes != attributes


@given(policies, st.sampled_from(PREFIXES), st.sampled_from(RouteSource), attribute_sets)
def test_a_single_route_is_decided_as_rule_by_rule(
    policy: Policy, prefix: Prefix, source: RouteSource, attributes: PathAttributes
) -> None:
    verdict = evaluate(policy, IPV4, prefix.nlri, source=source, interface="a", attributes=attributes)
    expected = naive(policy, prefix, source, "a", attributes)
    assert (verdict.accepted, verdict.rule) == (expected.accepted, expected.rule)
    if verdict.accepted:
        assert verdict.attributes == expected.attributes


ATTRIBUTES = [
    PathAttributes(as_path=path, communities=communities, large_communities=large, local_pref=local_pref)
    for path in ((), sequence(1), sequence(1, 2), sequence(2, 1), sequence(2, 2))
    for communities in ((), (0,), (0, 1))
    for large in ((), (LARGE,))
    for local_pref in (None, 0, 1)
]


def routes(*, received: bool) -> Iterator[tuple[Prefix, RouteSource, str, PathAttributes]]:
    """Every route of this world."""
    sources, interfaces = (SOURCES[:1], INTERFACES[:1]) if received else (SOURCES, INTERFACES)
    return product(PREFIXES, sources, interfaces, ATTRIBUTES)


def reached(policy: Policy, *, received: bool) -> set[int]:
    """The places of the rules that match some route."""
    found: set[int] = set()
    for prefix, source, interface, before in routes(received=received):
        attributes = before
        for number, rule in enumerate(policy.rules):
            if naive_match(rule.match, prefix, source, interface, attributes):
                found.add(number)
                if rule.action is not Action.NEXT:
                    break
                for operation in rule.operations:
                    attributes = naive_operation(operation, attributes)
    return found


@given(policies, st.booleans())
def test_no_rule_that_matches_a_route_is_called_unreachable(policy: Policy, received: bool) -> None:
    found = unreachable(policy.rules, IPV4, received=received)
    assert not found or {one.rule for one in found}.isdisjoint(reached(policy, received=received))
    for one in found:
        assert (one.by is None) is bool(one.reason)
        assert one.by is None or one.by < one.rule


@given(prefix_matches, prefix_matches)
def test_of_two_rules_with_prefixes_alone_the_covered_one_is_found(
    earlier: PrefixMatch, later: PrefixMatch
) -> None:
    """Here the finding is complete as well."""
    policy = Policy(tuple(Rule("", Match(one), Action.REJECT) for one in (earlier, later)))
    found = {one.rule for one in unreachable(policy.rules, IPV4, received=True)}
    assert found == {0, 1} - reached(policy, received=True)
