"""RFC 4271 §9.1.2.2, breaking ties, and RFC 4456 §9: each step decides, and only when those before it tie.

A row is a step: the path that must win, the one that must lose by it and would win by every later step.
"""

from itertools import permutations

import pytest

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.decision import SelectionReason, best_path
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.routes import Precedence
from felixbgp.bgp.wire.communities import GRACEFUL_SHUTDOWN, LLGR_STALE
from felixbgp.bgp.wire.messages import Origin
from tests.support.paths import OUR_AS, as_set, own_path, path, path_peer, sequence

EXTERNAL = path_peer("10.0.0.1", asn=65001, identifier="10.0.0.1")
SAME_AS_EXTERNAL = path_peer("10.0.0.9", asn=65001, identifier="10.0.0.9")
INTERNAL_LOW = path_peer("10.0.0.1")
INTERNAL = path_peer("10.0.0.9")

STEPS: list[tuple[str, Path, Path, SelectionReason]] = [
    (
        "1: our own before learned, whatever its LOCAL_PREF",
        own_path(),
        path(EXTERNAL, as_path=(), local_pref=1000),
        SelectionReason.LOCAL,
    ),
    (
        "1: learned before what only the kernel has, whatever its LOCAL_PREF",
        path(INTERNAL, local_pref=1, as_path=sequence(1, 2)),
        own_path(RouteSource.KERNEL, local_pref=1000, precedence=Precedence.LAST),
        SelectionReason.LEARNED,
    ),
    (
        "9.1.1: a workload of ours beside learned routes, by LOCAL_PREF",
        own_path(RouteSource.KERNEL, local_pref=200, precedence=Precedence.BESIDE),
        path(EXTERNAL, as_path=(), local_pref=199),
        SelectionReason.LOCAL_PREF,
    ),
    (
        "9.1.1: and it gives way to a better one",
        path(INTERNAL, local_pref=201, as_path=sequence(1)),
        own_path(RouteSource.KERNEL, local_pref=200, precedence=Precedence.BESIDE),
        SelectionReason.LOCAL_PREF,
    ),
    (
        "9.1.1: of the same LOCAL_PREF, ours",
        own_path(RouteSource.KERNEL, local_pref=200, precedence=Precedence.BESIDE),
        path(EXTERNAL, as_path=(), local_pref=200),
        SelectionReason.LOCAL,
    ),
    (
        "RFC 9494 4.3: what its peer still stands for, whatever else is better",
        path(INTERNAL, local_pref=1),
        path(EXTERNAL, as_path=(), communities=(LLGR_STALE,)),
        SelectionReason.LONG_LIVED_STALE,
    ),
    (
        "a session that stays, whatever else is better",
        path(INTERNAL, local_pref=1),
        path(EXTERNAL.as_leaving(draining=True, counted=False), as_path=()),
        SelectionReason.DRAINING,
    ),
    (
        "RFC 8326: nor is better what others tell as a last resort, who may go by us",
        path(INTERNAL.as_leaving(draining=True, counted=False), local_pref=2),
        path(INTERNAL_LOW, local_pref=1, communities=(GRACEFUL_SHUTDOWN,)),
        SelectionReason.LOCAL_PREF,
    ),
    (
        "RFC 9494 4.3: even one that is about to end",
        path(INTERNAL.as_leaving(draining=True, counted=False), local_pref=1),
        path(EXTERNAL, as_path=(), communities=(LLGR_STALE,)),
        SelectionReason.LONG_LIVED_STALE,
    ),
    (
        "9.1.1: highest LOCAL_PREF",
        path(INTERNAL, local_pref=200, as_path=sequence(1, 2, 3), origin=Origin.INCOMPLETE),
        path(INTERNAL_LOW, local_pref=150),
        SelectionReason.LOCAL_PREF,
    ),
    (
        "9.1.1: absent LOCAL_PREF is 100",
        path(INTERNAL, as_path=sequence(1)),
        path(INTERNAL_LOW, local_pref=99),
        SelectionReason.LOCAL_PREF,
    ),
    (
        "a: fewest AS numbers",
        path(INTERNAL, as_path=sequence(1), origin=Origin.INCOMPLETE),
        path(EXTERNAL, as_path=sequence(65001, 2)),
        SelectionReason.AS_PATH,
    ),
    (
        "a: an AS_SET counts as one",
        path(INTERNAL, as_path=(*sequence(1), as_set(2, 3, 4)), origin=Origin.EGP),
        path(EXTERNAL, as_path=sequence(1, 2, 3)),
        SelectionReason.AS_PATH,
    ),
    (
        "b: lowest ORIGIN",
        path(INTERNAL, as_path=sequence(65001), origin=Origin.IGP, med=9),
        path(EXTERNAL, as_path=sequence(65001), origin=Origin.EGP),
        SelectionReason.ORIGIN,
    ),
    (
        "c: lowest MED of one neighbouring AS",
        path(INTERNAL, as_path=sequence(65001), med=1),
        path(EXTERNAL, as_path=sequence(65001), med=2),
        SelectionReason.MED,
    ),
    (
        "c: absent MED is the lowest",
        path(SAME_AS_EXTERNAL, as_path=sequence(65001)),
        path(EXTERNAL, as_path=sequence(65001), med=1),
        SelectionReason.MED,
    ),
    (
        "d: external before internal",
        path(SAME_AS_EXTERNAL, as_path=sequence(65001)),
        path(INTERNAL_LOW, as_path=sequence(65001)),
        SelectionReason.EXTERNAL,
    ),
    (
        "c, d: MED is not compared between neighbouring ASes",
        path(SAME_AS_EXTERNAL, as_path=sequence(65001), med=5),
        path(INTERNAL_LOW, as_path=sequence(65002), med=1),
        SelectionReason.EXTERNAL,
    ),
    (
        "f: lowest BGP Identifier",
        path(path_peer("10.0.0.9", identifier="1.1.1.1"), cluster_list=(b"abcd",)),
        path(path_peer("10.0.0.1", identifier="2.2.2.2")),
        SelectionReason.IDENTIFIER,
    ),
    (
        "f: ORIGINATOR_ID stands for the BGP Identifier (RFC 4456)",
        path(INTERNAL, originator_id=b"\1\1\1\1", cluster_list=(b"abcd",)),
        path(path_peer("10.0.0.1", identifier="1.1.1.2")),
        SelectionReason.IDENTIFIER,
    ),
    (
        "RFC 4456: shortest CLUSTER_LIST",
        path(INTERNAL, originator_id=b"\1\1\1\1", cluster_list=(b"abcd",)),
        path(INTERNAL_LOW, originator_id=b"\1\1\1\1", cluster_list=(b"abcd", b"efgh")),
        SelectionReason.CLUSTER_LIST,
    ),
    (
        "g: lowest peer address",
        path(path_peer("10.0.0.1", identifier="1.1.1.1", port=1179)),
        path(path_peer("10.0.0.2", identifier="1.1.1.1")),
        SelectionReason.PEER_ADDRESS,
    ),
    (
        "g: at one address, the lowest port",
        path(path_peer("10.0.0.1", identifier="1.1.1.1", port=179)),
        path(path_peer("10.0.0.1", identifier="1.1.1.1", port=1179)),
        SelectionReason.PEER_ADDRESS,
    ),
]


@pytest.mark.parametrize(
    ("winner", "loser", "reason"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS]
)
def test_step_decides(winner: Path, loser: Path, reason: SelectionReason) -> None:
    assert best_path((winner, loser))[:2] == (winner, reason)
    assert best_path((loser, winner))[:2] == (winner, reason)


def test_one_path_needs_no_step() -> None:
    only = path()
    assert best_path((only,)) == (only, SelectionReason.ONLY_PATH, (only,))


def test_med_removes_within_groups_and_so_has_no_order_of_pairs() -> None:
    """§9.1.2.2 c: pairwise comparison would go in a circle here; removal by group does not."""
    low_med = path(path_peer("10.0.0.3", asn=65001), as_path=sequence(65001), med=1)
    high_med = path(path_peer("10.0.0.1", asn=65001), as_path=sequence(65001), med=2)
    other_as = path(path_peer("10.0.0.2", asn=65002), as_path=sequence(65002), med=9)
    for order in permutations((low_med, high_med, other_as)):
        assert best_path(order)[:2] == (other_as, SelectionReason.IDENTIFIER)


@pytest.mark.parametrize(
    ("as_path", "neighbour"),
    [
        pytest.param((), OUR_AS, id="originated in our own AS"),
        pytest.param(sequence(65001, 7), 65001, id="leftmost of the sequence"),
        pytest.param((as_set(65001),), OUR_AS, id="aggregated in our own AS"),
    ],
)
def test_neighbouring_as_of_an_internal_path(as_path: tuple, neighbour: int) -> None:  # type: ignore[type-arg]
    assert path(as_path=as_path).neighbour_as == neighbour


def test_neighbouring_as_of_an_external_path_that_begins_with_a_set() -> None:
    assert path(EXTERNAL, as_path=(as_set(7),)).neighbour_as == 65001


def test_paths_that_only_tie_breakers_tell_apart_are_equal() -> None:
    first, second = path(EXTERNAL, as_path=sequence(65001)), path(SAME_AS_EXTERNAL, as_path=sequence(65001))
    worse = [path(INTERNAL_LOW, as_path=sequence(65001)), path(EXTERNAL, as_path=sequence(65001, 1))]
    for order in permutations([first, second, *worse]):
        assert best_path(order).equal == (first, second)


def test_several_paths_of_one_peer_are_told_apart_by_their_identifiers() -> None:
    """RFC 7911 leaves the choice open; it must only be the same for everybody."""
    one, two = (
        Path(path().attributes, INTERNAL, path_id=identifier) for identifier in (b"\0\0\0\1", b"\0\0\0\2")
    )
    for order in permutations([one, two]):
        assert best_path(order) == (one, SelectionReason.PATH_IDENTIFIER, (one, two))
