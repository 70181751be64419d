"""Adj-RIB-In: everything received is kept, only what is acceptable goes on to the Loc-RIB."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from felixbgp.bgp.policy.types import Action, AddCommunity, Match, Policy, PrefixMatch, Rule
from felixbgp.bgp.rib.acceptance import Acceptance
from felixbgp.bgp.rib.adj_rib_in import MOVED_AT_ONCE, NEW_SET_COST, RIVAL_COST, AdjRibIn
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import PathPeer
from felixbgp.bgp.wire.communities import LLGR_STALE, NO_LLGR
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Prefix
from tests.support.paths import path_peer, sequence

ONE, TWO, THREE = (Prefix.parse(text).nlri for text in ("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"))
GOOD = PathAttributes(next_hop=b"\12\0\0\2", as_path=sequence(65001))
OTHER = PathAttributes(next_hop=b"\12\0\0\2", as_path=sequence(65001), med=1)
LOOP = PathAttributes(next_hop=b"\12\0\0\2", as_path=sequence(64512))
NOT_ONE = Policy((Rule("not one", Match(PrefixMatch.equal(Prefix.parse("10.1.0.0/16"))), Action.REJECT),))


def acceptance(allowed_local_as: int = 0) -> Acceptance:
    return Acceptance(
        IPV4,
        local_as=frozenset((64512,)),
        allowed_local_as=allowed_local_as,
        identifier=b"\1\1\1\1",
        cluster_id=b"\1\1\1\1",
        own_addresses=frozenset(),
    )


def peer() -> PathPeer:
    return path_peer("10.0.0.2", asn=65001)


@pytest.fixture
def loc_rib() -> LocRib:
    return LocRib(IPV4)


@pytest.fixture
def rib(loc_rib: LocRib) -> AdjRibIn:
    return AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={})


def work_off(rib: AdjRibIn) -> None:
    """All that was left for later."""
    while rib.has_work:
        rib.work_off(1)


def reconfigure(rib: AdjRibIn, peer: PathPeer, acceptance: Acceptance, policy: Policy) -> None:
    rib.reconfigure(peer, acceptance, policy)
    work_off(rib)


def mark_stale(rib: AdjRibIn) -> None:
    rib.mark_stale()
    work_off(rib)


def outlive(rib: AdjRibIn) -> None:
    rib.outlive()
    work_off(rib)


def end_refresh(rib: AdjRibIn) -> None:
    rib.end_refresh()
    work_off(rib)


def attributes(loc_rib: LocRib, nlri: bytes) -> list[PathAttributes]:
    return [path.attributes for path in loc_rib.candidates(nlri)]


def counts(rib: AdjRibIn) -> tuple[int, int]:
    return len(rib), rib.accepted_count


def test_announce_replace_withdraw(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(GOOD, (ONE, TWO))
    assert attributes(loc_rib, ONE) == attributes(loc_rib, TWO) == [GOOD]
    rib.announce(OTHER, (ONE,))
    assert attributes(loc_rib, ONE) == [OTHER]
    rib.withdraw((ONE, THREE))
    assert attributes(loc_rib, ONE) == []
    assert rib.prefixes() == [TWO]
    assert counts(rib) == (1, 1)


def test_a_repeated_announcement_gives_no_work(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(GOOD, (ONE,))
    loc_rib.decide(10, [])
    rib.announce(GOOD, (ONE,))
    assert loc_rib.dirty_count == 0


def test_a_loop_is_kept_and_not_used(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(LOOP, (ONE,))
    assert rib.attributes(ONE) == LOOP
    assert rib.refusal(ONE).startswith("AS loop")
    assert counts(rib) == (1, 0)
    assert attributes(loc_rib, ONE) == []
    rib.announce(GOOD, (ONE,))
    assert rib.refusal(ONE) == ""
    assert counts(rib) == (1, 1)


def test_policies_are_applied_again_to_what_is_here(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(GOOD, (ONE, TWO))
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    assert rib.refusal(ONE) == "not one"
    assert (attributes(loc_rib, ONE), attributes(loc_rib, TWO)) == ([], [GOOD])
    assert counts(rib) == (2, 1)
    reconfigure(rib, peer(), acceptance(), Policy())
    assert (attributes(loc_rib, ONE), attributes(loc_rib, TWO)) == ([GOOD], [GOOD])
    assert counts(rib) == (2, 2)


def test_loops_are_judged_again_too(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(LOOP, (ONE,))
    reconfigure(rib, peer(), acceptance(allowed_local_as=1), Policy())
    assert attributes(loc_rib, ONE) == [LOOP]
    assert counts(rib) == (1, 1)


def test_a_stale_route_is_no_loop_to_who_we_are_now(rib: AdjRibIn, loc_rib: LocRib) -> None:
    # We were in another AS; where its packets go the peer has yet to say anew.
    reconfigure(rib, peer(), acceptance(allowed_local_as=1), Policy())
    rib.announce(LOOP, (ONE, TWO))
    mark_stale(rib)
    reconfigure(rib, peer(), acceptance(), Policy())
    assert (attributes(loc_rib, ONE), attributes(loc_rib, TWO)) == ([LOOP], [LOOP])
    rib.announce(LOOP, (ONE,))
    assert (attributes(loc_rib, ONE), attributes(loc_rib, TWO)) == ([], [LOOP])
    assert rib.refusal(ONE) == "AS loop: our own AS stands 1 times in the AS_PATH"
    # A policy is about what is used, whenever it was told.
    reconfigure(rib, peer(), acceptance(), Policy((), Action.REJECT))
    assert attributes(loc_rib, TWO) == []
    reconfigure(rib, peer(), acceptance(), Policy())
    end_refresh(rib)
    assert (len(rib), rib.attributes_count) == (1, 1)
    assert counts(rib) == (1, 0)


def test_a_stale_route_by_ourselves_is_of_no_use(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(GOOD, (ONE,))
    mark_stale(rib)
    ours = Acceptance(
        IPV4,
        local_as=frozenset((64512,)),
        allowed_local_as=0,
        identifier=b"\1\1\1\1",
        cluster_id=b"\1\1\1\1",
        own_addresses=frozenset((GOOD.next_hop,)),
    )
    reconfigure(rib, peer(), ours, Policy())
    assert attributes(loc_rib, ONE) == []
    assert counts(rib) == (1, 0)


def test_a_rejected_route_that_is_withdrawn_was_never_there(rib: AdjRibIn, loc_rib: LocRib) -> None:
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    rib.announce(GOOD, (ONE,))
    rib.withdraw((ONE,))
    assert counts(rib) == (0, 0)
    assert loc_rib.path_count == 0
    assert rib.refusal(ONE) == "not received"
    assert rib.attributes(ONE) is None


def test_removal_in_portions(rib: AdjRibIn, loc_rib: LocRib) -> None:
    rib.announce(GOOD, (ONE, TWO, THREE))
    rib.give_up()
    assert rib.expired_count == 3
    assert rib.work_off(2) >= 2
    assert (len(rib), loc_rib.path_count) == (1, 1)
    assert rib.work_off(2) >= 1
    assert (len(rib), loc_rib.path_count) == (0, 0)


def test_a_withdrawal_costs_more_where_others_have_the_prefix(rib: AdjRibIn, loc_rib: LocRib) -> None:
    other = AdjRibIn(loc_rib, path_peer("10.0.0.3", asn=65001), acceptance(), Policy(), due={})
    rib.announce(GOOD, (ONE, TWO, THREE))
    other.announce(OTHER, (TWO,))
    loc_rib.decide(10, [])
    assert rib.withdraw((ONE, TWO)) == 2 + RIVAL_COST
    loc_rib.decide(10, [])
    rib.give_up()
    assert rib.work_off(10) == 1


def test_an_enhanced_refresh_removes_what_was_not_repeated(rib: AdjRibIn) -> None:
    """RFC 7313 §4."""
    rib.announce(GOOD, (ONE, TWO))
    rib.begin_refresh()
    rib.announce(GOOD, (TWO,))
    rib.announce(OTHER, (THREE,))
    end_refresh(rib)
    assert rib.prefixes() == [TWO, THREE]


def test_a_withdrawal_and_a_change_of_policy_during_a_refresh(rib: AdjRibIn) -> None:
    rib.announce(GOOD, (ONE, TWO))
    rib.begin_refresh()
    rib.withdraw((ONE,))
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    end_refresh(rib)
    assert rib.prefixes() == []


def test_what_is_about_to_be_judged_again_stays_so_when_a_refresh_begins(
    rib: AdjRibIn, loc_rib: LocRib
) -> None:
    rib.announce(GOOD, (ONE,))
    rib.begin_refresh()
    rib.announce(GOOD, (TWO, THREE))
    rib.reconfigure(peer(), acceptance(), NOT_ONE)
    assert rib.work_off(1) == 2
    rib.begin_refresh()
    work_off(rib)
    assert rib.refusal(ONE) == "not one"
    assert attributes(loc_rib, ONE) == []


def test_a_refusal_waits_for_the_judgement(rib: AdjRibIn) -> None:
    rib.announce(GOOD, (ONE,))
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    rib.reconfigure(peer(), acceptance(), Policy())
    assert rib.refusal(ONE) == "about to be judged again"
    work_off(rib)
    assert rib.refusal(ONE) == ""


@pytest.mark.parametrize("identifier", [b"", b"\0\0\0\7"], ids=["plain", "identified"])
def test_a_set_that_is_new_costs_more_than_one_that_is_known(loc_rib: LocRib, identifier: bytes) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={}, identified=bool(identifier))
    one, two = (identifier + nlri for nlri in (ONE, TWO))
    assert rib.announce(GOOD, (one,)) == 1 + NEW_SET_COST
    assert rib.announce(GOOD, (two,)) == 1
    assert rib.announce(OTHER, (one, two)) == 2 + NEW_SET_COST


def test_attribute_sets_out_of_use_are_forgotten(rib: AdjRibIn) -> None:
    for med in range(5):
        rib.announce(PathAttributes(next_hop=b"\12\0\0\2", med=med), (ONE, TWO))
        assert rib.attributes_count == 1
    rib.announce(GOOD, (ONE,))
    assert rib.attributes_count == 2
    rib.withdraw((ONE,))
    rib.withdraw((TWO,))
    assert rib.attributes_count == 0


def test_attribute_sets_of_nothing_that_was_taken_in_are_not_kept(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={}, capacity=1)
    rib.announce(GOOD, (ONE,))
    rib.announce(OTHER, (TWO,))
    assert (rib.attributes_count, rib.excess_count) == (1, 1)


def large_sets(count: int) -> Iterator[PathAttributes]:
    """Each as large as an extended message can make them, and all different."""
    for number in range(count):
        communities = tuple(range(16_000 * number, 16_000 * (number + 1)))
        yield PathAttributes(next_hop=b"\12\0\0\2", communities=communities)


def test_sets_in_use_that_take_too_much_memory_are_noticed(loc_rib: LocRib) -> None:
    octets = 36 * 16_000
    rib = AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={}, octets_max=3 * octets + octets // 2)
    noticed = []
    for number, attributes in enumerate(large_sets(4)):
        rib.announce(attributes, (bytes((32, 10, 1, 0, number)),))
        noticed.append(rib.is_exhausting)
    assert noticed == [False, False, False, True]
    rib.withdraw((bytes((32, 10, 1, 0, 0)),))
    assert not rib.is_exhausting


def test_large_sets_out_of_use_count_no_more(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={}, octets_max=36 * 16_000 * 3 // 2)
    for attributes in large_sets(4):
        rib.announce(attributes, (ONE,))
        assert not rib.is_exhausting


# ---- beyond the end of a session (RFC 4724, RFC 9494)


def test_stale_routes_are_used_until_the_peer_has_said_everything_again(
    rib: AdjRibIn, loc_rib: LocRib
) -> None:
    rib.announce(GOOD, (ONE, TWO, THREE))
    rib.end_of_rib = True
    mark_stale(rib)
    assert (rib.stale_count, rib.end_of_rib, counts(rib)) == (3, False, (3, 3))
    assert attributes(loc_rib, ONE) == [GOOD]
    rib.announce(OTHER, (ONE,))
    rib.announce(GOOD, (TWO,))
    assert rib.stale_count == 1
    end_refresh(rib)
    assert (rib.stale_count, rib.prefixes()) == (0, [ONE, TWO])
    assert attributes(loc_rib, THREE) == []


def test_what_a_whole_session_did_not_renew_goes_with_the_second_loss(rib: AdjRibIn) -> None:
    rib.announce(GOOD, (ONE, TWO))
    mark_stale(rib)
    rib.announce(GOOD, (ONE,))
    mark_stale(rib)
    assert (rib.prefixes(), rib.stale_count) == ([ONE], 1)


def test_after_a_session_that_was_too_short_both_are_stale(rib: AdjRibIn) -> None:
    rib.announce(GOOD, (ONE, TWO))
    mark_stale(rib)
    rib.announce(GOOD, (ONE,))
    rib.end_of_rib = True
    rib.mark_stale_too()
    assert (sorted(rib.prefixes()), rib.stale_count, rib.expired_count) == ([ONE, TWO], 2, 0)
    assert not rib.end_of_rib


def test_what_outlives_the_restart_time_is_marked_and_what_must_not_goes(
    rib: AdjRibIn, loc_rib: LocRib
) -> None:
    forbidden = GOOD.replace(communities=(NO_LLGR,))
    rib.announce(GOOD, (ONE, TWO))
    rib.announce(forbidden, (THREE,))
    mark_stale(rib)
    outlive(rib)
    marked = GOOD.replace(communities=(LLGR_STALE,))
    assert attributes(loc_rib, ONE) == attributes(loc_rib, TWO) == [marked]
    assert loc_rib.candidates(ONE) == loc_rib.candidates(TWO)
    assert attributes(loc_rib, THREE) == []
    assert rib.attributes(ONE) == GOOD  # What the peer said, not what we made of it.
    outlive(rib)
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    assert attributes(loc_rib, ONE) == []
    assert attributes(loc_rib, TWO) == [marked]
    rib.announce(GOOD, (TWO,))
    assert attributes(loc_rib, TWO) == [GOOD]
    end_refresh(rib)
    assert rib.prefixes() == [TWO]


def test_what_a_refresh_makes_stale_does_not_outlive_its_session(rib: AdjRibIn) -> None:
    """Nor where the session before had left nothing to outlive it."""
    mark_stale(rib)
    outlive(rib)
    forbidden = GOOD.replace(communities=(NO_LLGR,))
    rib.announce(forbidden, (ONE,))
    rib.begin_refresh()
    reconfigure(rib, peer(), acceptance(), Policy())
    assert rib.prefixes() == [ONE]


# ---- several paths per prefix (RFC 7911)


def identified(number: int, nlri: bytes) -> bytes:
    return number.to_bytes(4, "big") + nlri


def test_paths_of_one_prefix_come_and_go_by_their_identifiers(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), NOT_ONE, due={}, identified=True)
    rib.announce(GOOD, (identified(1, TWO), identified(2, TWO), identified(1, ONE)))
    assert counts(rib) == (3, 2)
    assert [path.path_id for path in loc_rib.candidates(TWO)] == [b"\0\0\0\1", b"\0\0\0\2"]
    assert loc_rib.candidates(ONE) == ()
    assert rib.refusal(identified(1, ONE)) == "not one"
    rib.announce(OTHER, (identified(1, TWO),))
    assert sorted(path.attributes.med or 0 for path in loc_rib.candidates(TWO)) == [0, 1]
    rib.withdraw((identified(2, TWO), identified(9, TWO)))
    assert attributes(loc_rib, TWO) == [OTHER]
    reconfigure(rib, peer(), acceptance(), Policy())
    assert attributes(loc_rib, ONE) == [GOOD]
    rib.give_up()
    assert rib.work_off(10) == 2 + 2 * RIVAL_COST
    assert loc_rib.path_count == 0


def test_what_is_beyond_the_capacity_is_not_taken_in(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), Policy(), due={}, capacity=2)
    rib.announce(GOOD, (ONE, TWO, THREE))
    assert (rib.prefixes(), rib.excess_count) == ([ONE, TWO], 1)
    rib.announce(OTHER, (THREE, TWO))  # What is here may change.
    assert attributes(loc_rib, TWO) == [OTHER]
    assert rib.excess_count == 2
    rib.withdraw((ONE,))
    rib.announce(GOOD, (THREE,))
    assert (rib.prefixes(), rib.excess_count) == ([TWO, THREE], 2)


# ---- policies that look at attributes or change them

COLOUR_ONE = Policy(
    (
        Rule(
            "colour", Match(PrefixMatch.equal(Prefix.parse("10.1.0.0/16"))), Action.ACCEPT, (AddCommunity(7),)
        ),
    )
)
COLOURED = GOOD.replace(communities=(7,))


def test_what_a_policy_changes_is_changed_on_the_way_to_the_loc_rib(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), COLOUR_ONE, due={})
    rib.announce(GOOD, (ONE, TWO))
    assert (attributes(loc_rib, ONE), attributes(loc_rib, TWO)) == ([COLOURED], [GOOD])
    assert rib.attributes(ONE) == GOOD
    assert counts(rib) == (2, 2)
    rib.announce(OTHER, (ONE,))
    assert attributes(loc_rib, ONE) == [OTHER.replace(communities=(7,))]
    rib.withdraw((ONE, TWO))
    assert (counts(rib), loc_rib.path_count) == ((0, 0), 0)


def test_another_policy_takes_changes_back(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), COLOUR_ONE, due={})
    rib.announce(GOOD, (ONE, TWO))
    for policy, expected in (
        (Policy(), [GOOD]),
        (COLOUR_ONE, [COLOURED]),
        (NOT_ONE, []),
        (COLOUR_ONE, [COLOURED]),
    ):
        reconfigure(rib, peer(), acceptance(), policy)
        assert attributes(loc_rib, ONE) == expected
        assert loc_rib.path_count == 1 + len(expected)


def test_conditions_see_what_the_standard_made_of_a_route(rib: AdjRibIn, loc_rib: LocRib) -> None:
    """RFC 9494 §4.3: what is kept beyond the restart time is marked, and can be told by that."""
    policy = Policy((Rule("no stale", Match(community=LLGR_STALE), Action.REJECT),))
    reconfigure(rib, peer(), acceptance(), policy)
    rib.announce(GOOD, (ONE,))
    assert rib.refusal(ONE) == ""
    mark_stale(rib)
    outlive(rib)
    assert rib.refusal(ONE) == "no stale"
    assert attributes(loc_rib, ONE) == []


def test_a_refusal_is_told_by_the_names_of_now(rib: AdjRibIn, loc_rib: LocRib) -> None:
    reconfigure(rib, peer(), acceptance(), NOT_ONE)
    rib.announce(GOOD, (ONE, TWO))
    loc_rib.decide(10, [])
    rib.rename_rules(Policy((replace(NOT_ONE.rules[0], name="new"),)))
    assert (rib.refusal(ONE), rib.refusal(TWO)) == ("new", "")
    assert loc_rib.dirty_count == 0


def test_what_is_worked_out_per_attribute_set_is_forgotten_with_it(loc_rib: LocRib) -> None:
    rib = AdjRibIn(loc_rib, peer(), acceptance(), COLOUR_ONE, due={})
    for med in range(3):
        rib.announce(PathAttributes(next_hop=b"\12\0\0\2", med=med), (ONE,))
    assert rib._views is not None
    assert rib._variants is not None
    assert (len(rib._views), len(rib._variants)) == (1, 1)
    assert attributes(loc_rib, ONE)[0].communities == (7,)


def test_a_next_hop_is_in_use_as_long_as_a_path_has_it(rib: AdjRibIn, loc_rib: LocRib) -> None:
    """Whoever judges next hops must hear of one that comes again, and forget none that is in use."""
    rib.announce(GOOD, (ONE,))
    assert loc_rib.next_hops.take_unjudged() == [GOOD.next_hop]
    rib.announce(OTHER, (ONE,))
    reconfigure(rib, peer(), acceptance(), COLOUR_ONE)
    assert loc_rib.next_hops.sweep() == []
    rib.withdraw((ONE,))
    assert loc_rib.next_hops.sweep() == [GOOD.next_hop]
    rib.announce(GOOD, (ONE,))
    assert loc_rib.next_hops.take_unjudged() == [GOOD.next_hop]


def test_a_refresh_that_begins_again_moves_no_large_table_at_once(rib: AdjRibIn) -> None:
    nlris = [b"\x18\x0a" + number.to_bytes(2, "big") for number in range(3 * MOVED_AT_ONCE)]
    rib.announce(GOOD, nlris)
    rib.begin_refresh()
    again = nlris[: MOVED_AT_ONCE + 1]
    rib.announce(OTHER, again)
    rib.begin_refresh()
    # Both are stale, and they become one table by and by.
    assert (rib.stale_count, rib.expired_count) == (len(nlris), 0)
    steps = 0
    while rib.has_work:
        assert rib.work_off(100) <= 100
        steps += 1
    assert steps > MOVED_AT_ONCE // 100
    assert (rib.attributes(again[0]), rib.attributes(nlris[-1])) == (OTHER, GOOD)
    rib.announce(OTHER, again)
    rib.end_refresh()
    work_off(rib)
    assert sorted(rib.prefixes()) == again
