"""Loc-RIB: what changes outside, what changes only inside, and in what portions."""

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.loc_rib import CHOICES_MAX, CHOICES_OCTETS_MAX, FRESH_MAX, LocRib, Multipath
from felixbgp.bgp.routes import Reachability, RouteChange, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Address, Prefix
from tests.support.paths import own_path, path, path_peer

ONE = Prefix.parse("10.1.0.0/16").nlri
TWO = Prefix.parse("10.2.0.0/16").nlri
FAR = Address.parse("10.9.9.9")


@pytest.fixture
def rib() -> LocRib:
    return LocRib(IPV4)


def decide(rib: LocRib) -> tuple[list[bytes], list[RouteChange]]:
    changes: list[RouteChange] = []
    return list(rib.decide(100, changes).moved), changes


def test_a_route_comes_changes_and_goes(rib: LocRib) -> None:
    first, second = path(), path(med=1)
    rib.replace(ONE, None, first)
    selected = Selected(
        RouteSource.BGP, PeerId(Address.parse("10.0.0.1")), (FAR,), first.attributes, "only path"
    )
    assert decide(rib) == ([ONE], [RouteChange(IPV4, ONE, selected)])
    rib.replace(ONE, first, second)
    moved, changes = decide(rib)
    assert moved == [ONE]
    assert changes[0].selected is rib.selected(ONE)
    assert rib.path(ONE) is second
    rib.replace(ONE, second, None)
    assert decide(rib) == ([ONE], [RouteChange(IPV4, ONE, None)])
    assert (len(rib), rib.path_count, rib.selected(ONE)) == (0, 0, None)


def test_a_route_of_our_own_has_no_gateway(rib: LocRib) -> None:
    rib.replace(ONE, None, own_path(next_hop="10.9.9.9"))
    _, changes = decide(rib)
    assert changes[0].selected == Selected(
        RouteSource.AGGREGATE, None, (), PathAttributes(next_hop=FAR), "only path"
    )


def test_a_worse_path_changes_nothing_outside(rib: LocRib) -> None:
    best, worse = path(local_pref=200), path(path_peer("10.0.0.2"))
    rib.replace(ONE, None, best)
    decide(rib)
    rib.replace(ONE, None, worse)
    assert decide(rib) == ([], [])
    selected = rib.selected(ONE)
    assert selected is not None
    assert selected.reason == "higher LOCAL_PREF"
    assert rib.candidates(ONE) == (best, worse)
    rib.replace(ONE, best, None)
    moved, changes = decide(rib)
    assert (moved, len(changes)) == ([ONE], 1)
    assert rib.path(ONE) is worse


def test_an_equal_route_under_another_path_is_only_exported_again(rib: LocRib) -> None:
    """As when the peer becomes a reflector's client: where it leads is the same, who may be told is not."""
    before, after = path(), path(path_peer(client=True))
    rib.replace(ONE, None, before)
    decide(rib)
    rib.replace(ONE, before, after)
    assert decide(rib) == ([ONE], [])


def test_what_came_and_went_in_between_is_nothing(rib: LocRib) -> None:
    one = path()
    rib.replace(ONE, None, one)
    rib.replace(ONE, one, None)
    assert decide(rib) == ([], [])


def test_replacing_a_path_by_itself_is_no_work(rib: LocRib) -> None:
    rib.replace(ONE, None, None)
    assert rib.dirty_count == 0


def test_the_budget_cuts_the_work_oldest_first(rib: LocRib) -> None:
    one = path()
    for nlri in (TWO, ONE):
        rib.replace(nlri, None, one)
    assert rib.decide(1, []) == ({TWO: one}, [(TWO, (one,))], [], [])
    assert rib.dirty_count == 1
    assert rib.decide(1, []).touched == [(ONE, (one,))]
    assert list(rib.prefixes()) == [TWO, ONE]


def test_where_the_decision_is_deferred_no_more_than_some_batches_wait(rib: LocRib) -> None:
    """Lists of all prefixes would be looked through by the garbage collector."""
    only = path()
    nlris = [bytes([24, 10, number >> 8 & 255, number & 255]) for number in range(3 * FRESH_MAX)]
    for first in range(0, len(nlris), 512):
        rib.add(nlris[first : first + 512], only)
        assert sum(len(batch) for _, batch in rib._fresh) <= FRESH_MAX
    assert rib.dirty_count == rib.path_count == len(nlris)
    rib.decide(len(nlris), [])
    assert (len(rib), rib.dirty_count) == (len(nlris), 0)


def test_what_is_left_of_the_same_candidates_is_decided_once_for_all(rib: LocRib) -> None:
    paths = [path(path_peer(f"10.0.0.{number}"), med=number) for number in range(1, 4)]
    for one in paths:
        rib.add([ONE, TWO], one)
        decide(rib)
    assert rib.remove([ONE, TWO], paths[0]) == 2
    (_, first), (_, second) = rib._dirty.items()
    assert first is second
    assert set(first) == set(paths[1:])
    assert rib.remove([ONE], paths[1]) == 1
    decide(rib)
    assert (rib.path(ONE), rib.path(TWO)) == (paths[2], paths[1])


def test_memory_of_choices_is_bounded(rib: LocRib) -> None:
    for med in range(CHOICES_MAX + 10):
        old = rib.candidates(ONE)
        rib.replace(ONE, old[0] if old else None, path(med=med))
        decide(rib)
    assert len(rib._choices) <= CHOICES_MAX


def test_choices_between_large_paths_are_fewer(rib: LocRib) -> None:
    communities = tuple(range(16_000))
    fit = CHOICES_OCTETS_MAX // (36 * len(communities))
    for med in range(2 * fit):
        old = rib.candidates(ONE)
        rib.replace(ONE, old[0] if old else None, path(med=med, communities=communities))
        decide(rib)
        assert len(rib._choices) <= fit + 1


def octets(address: str) -> bytes:
    return bytes(Address.parse(address))


def gateways(rib: LocRib) -> list[str]:
    selected = rib.selected(ONE)
    return [] if selected is None else [str(gateway) for gateway in selected.next_hops]


def test_equally_good_paths_share_the_traffic_as_far_as_allowed(rib: LocRib) -> None:
    ways = {
        number: path(path_peer(f"10.0.0.{number}"), next_hop=octets(f"10.9.9.{number}"))
        for number in (3, 1, 2)
    }
    for way in ways.values():
        rib.replace(ONE, None, way)
    decide(rib)
    assert gateways(rib) == ["10.9.9.1"]
    for count, expected in ((2, ["10.9.9.1", "10.9.9.2"]), (16, ["10.9.9.1", "10.9.9.2", "10.9.9.3"])):
        rib.configure(Multipath(external=1, internal=count))
        moved, changes = decide(rib)
        assert gateways(rib) == expected
        assert len(changes) == 1
        assert moved == []  # What peers are told is the best path alone, which is the same.
    rib.replace(ONE, ways[3], None)
    moved, changes = decide(rib)
    assert (moved, len(changes), gateways(rib)) == ([], 1, ["10.9.9.1", "10.9.9.2"])
    rib.replace(ONE, ways[1], None)
    assert decide(rib)[0] == [ONE]
    assert gateways(rib) == ["10.9.9.2"]


def test_two_paths_to_one_gateway_are_one_way(rib: LocRib) -> None:
    rib.configure(Multipath(internal=2))
    for number in (1, 2):
        rib.replace(ONE, None, path(path_peer(f"10.0.0.{number}"), next_hop=octets("10.9.9.1")))
    rib.replace(ONE, None, path(path_peer("10.0.0.3"), next_hop=octets("10.9.9.3")))
    decide(rib)
    assert gateways(rib) == ["10.9.9.1", "10.9.9.3"]


def test_external_and_internal_ways_are_counted_apart(rib: LocRib) -> None:
    rib.configure(Multipath(external=1, internal=2))
    for number in (1, 2):
        peer = path_peer(f"10.0.0.{number}", asn=65001)
        rib.replace(ONE, None, path(peer, next_hop=octets(f"10.9.9.{number}")))
    decide(rib)
    assert gateways(rib) == ["10.9.9.1"]


def test_the_same_configuration_decides_nothing_again(rib: LocRib) -> None:
    rib.replace(ONE, None, path())
    decide(rib)
    rib.configure(Multipath())
    assert rib.dirty_count == 0


def test_every_eligible_path_is_told_and_which_is_selected(rib: LocRib) -> None:
    best, worse, waiting = path(local_pref=200), path(path_peer("10.0.0.2")), path()
    rib.replace(ONE, None, worse)
    rib.replace(ONE, None, best)
    decide(rib)
    rib.replace(TWO, None, waiting)
    assert list(rib.paths()) == [(ONE, worse, False), (ONE, best, True), (TWO, waiting, False)]


def judge(rib: LocRib, *, resolvable: bool, through: frozenset[Prefix] = frozenset()) -> None:
    rib.reconsider(rib.next_hops.judge({FAR: Reachability(resolvable=resolvable, through=through)}))


def test_an_unresolvable_path_waits_until_its_next_hop_is_reached(rib: LocRib) -> None:
    only = path()
    judge(rib, resolvable=False)
    rib.replace(ONE, None, only)
    assert decide(rib) == ([], [RouteChange(IPV4, ONE, None, (FAR,))])
    assert (rib.candidates(ONE), rib.unresolved()) == ((), {FAR: 1})
    judge(rib, resolvable=True)
    moved, changes = decide(rib)
    assert (moved, [change.selected for change in changes]) == ([ONE], [rib.selected(ONE)])
    assert (rib.path(ONE), rib.candidates(ONE), rib.unresolved()) == (only, (only,), {})


def test_a_selected_path_whose_next_hop_is_lost_gives_way(rib: LocRib) -> None:
    best, other = path(local_pref=200), path(path_peer("10.0.0.2"), next_hop=bytes(Address.parse("10.8.8.8")))
    rib.replace(ONE, None, best)
    rib.replace(ONE, None, other)
    rib.replace(TWO, None, best)
    decide(rib)
    judge(rib, resolvable=False)
    moved, changes = decide(rib)
    assert moved == [ONE, TWO]
    assert [change.unresolved for change in changes] == [(), (FAR,)]
    assert (rib.path(ONE), rib.path(TWO), rib.candidates(ONE)) == (other, None, (other,))
    rib.replace(TWO, best, None)
    assert decide(rib) == ([], [RouteChange(IPV4, TWO, None)])
    assert rib.unresolved() == {FAR: 1}


def test_a_way_through_a_prefix_is_none_to_that_prefix_alone(rib: LocRib) -> None:
    only = path()
    rib.replace(ONE, None, only)
    rib.replace(TWO, None, only)
    judge(rib, resolvable=True, through=frozenset({Prefix(IPV4, ONE)}))
    assert decide(rib)[0] == [TWO]
    assert (rib.path(ONE), rib.path(TWO)) == (None, only)


def test_our_own_routes_need_no_way(rib: LocRib) -> None:
    judge(rib, resolvable=False)
    own = own_path(next_hop=str(FAR))
    rib.replace(ONE, None, own)
    decide(rib)
    assert (rib.path(ONE), rib.unresolved()) == (own, {})
