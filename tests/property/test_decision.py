"""The decision: one winner out of the candidates, the same in every order, and as the rules have it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.rib.decision import Lost, SelectionReason, best_path
from felixbgp.bgp.rib.path import Path
from tests.support.paths import own_path, path, path_peer, sequence

peers = st.builds(
    path_peer,
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    asn=st.sampled_from([64512, 65001]),
    identifier=st.sampled_from(["1.1.1.1", "2.2.2.2"]),
    port=st.sampled_from([179, 1179]),
)
learned = st.builds(
    path,
    peers,
    local_pref=st.sampled_from([None, 100, 200]),
    as_path=st.sampled_from([(), sequence(65001), sequence(65002), sequence(65001, 65002)]),
    origin=st.integers(0, 1),
    med=st.sampled_from([None, 0, 1, 2]),
    originator_id=st.sampled_from([None, b"\1\1\1\1"]),
    cluster_list=st.sampled_from([(), (b"abcd",)]),
)


def one_per_peer(paths: list[Path]) -> list[Path]:
    """A peer has one path to a prefix; more could not be told apart."""
    return list({path.peer.peer if path.peer else None: path for path in paths}.values())


candidates = st.lists(learned | st.builds(own_path), min_size=1, max_size=6).map(one_per_peer)


@given(candidates, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(paths: list[Path], random: Random) -> None:
    best = best_path(paths)
    shuffled = list(paths)
    random.shuffle(shuffled)
    assert best_path(shuffled) == best
    assert best.path in paths


@given(candidates)
def test_what_lost_can_be_removed_unless_it_removed_others(paths: list[Path]) -> None:
    """Dropping a loser of another neighbouring AS changes nothing; only MED looks at the company."""
    winner = best_path(paths).path
    for loser in paths:
        if loser is winner or any(
            other.neighbour_as == loser.neighbour_as for other in paths if other is not loser
        ):
            continue
        assert best_path([one for one in paths if one is not loser]).path is winner


@given(candidates)
def test_without_med_the_decision_is_a_total_order(paths: list[Path]) -> None:
    """Every pair has a winner, and beating everybody else in pairs is the same as winning."""
    plain = [one for one in paths if not one.attributes.med]
    if plain:
        winner = best_path(plain).path
        assert all(best_path((winner, one)).path is winner for one in plain if one is not winner)


@given(candidates)
def test_nobody_left_is_better_by_an_earlier_step(paths: list[Path]) -> None:
    """The first steps of §9.1.2.2 by brute force."""
    winner, reason, _ = best_path(paths)
    ranks = {one: rank(one) for one in paths}
    assert ranks[winner] == min(ranks.values())
    if len(paths) > 1 and list(ranks.values()).count(ranks[winner]) == 1:
        assert reason in (
            SelectionReason.LOCAL,
            SelectionReason.LOCAL_PREF,
            SelectionReason.AS_PATH,
            SelectionReason.ORIGIN,
        )


def rank(one: Path) -> tuple[bool, int, int, int]:
    """The steps before MED, for the paths made here."""
    local_pref = one.attributes.local_pref
    asns = sum(len(segment.asns) for segment in one.attributes.as_path)
    return (one.peer is not None, -(100 if local_pref is None else local_pref), asns, one.attributes.origin)


@given(candidates)
def test_whoever_asks_what_became_of_the_others_gets_the_same_decision(paths: list[Path]) -> None:
    """All but the winner lost, each once; and in the order of the ladder nobody outlived the last step."""
    lost: Lost = {}
    best = best_path(paths, lost)
    assert best == best_path(paths)
    assert lost.keys() == set(paths) - {best.path}
    if lost:
        steps = list(SelectionReason)
        # Equal ones are told apart by the last steps, each by its own.
        assert best.reason in lost.values() or best.reason is SelectionReason.LEARNED
        assert max(steps.index(step) for step in lost.values()) >= steps.index(best.reason)


@given(candidates)
def test_in_a_pair_the_loser_lost_by_what_the_winner_won_by(paths: list[Path]) -> None:
    for one in paths:
        for other in paths:
            if one is not other:
                lost: Lost = {}
                best = best_path((one, other), lost)
                assert list(lost.values()) == [best.reason]
