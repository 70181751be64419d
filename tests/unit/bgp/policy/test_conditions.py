"""Conditions on attributes, one by one."""

import pytest

from felixbgp.bgp.policy.conditions import attributes_match
from felixbgp.bgp.policy.types import Match
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType
from tests.support.paths import as_set, sequence

STANDARD, LARGE = 65001 << 16 | 7, (65001, 7, 4_000_000_000)


@pytest.mark.parametrize(
    ("match", "attributes", "holds"),
    [
        pytest.param(Match(), PathAttributes(), True, id="none"),
        pytest.param(Match(has_next_hop=True), PathAttributes(), False, id="next hop: none"),
        pytest.param(Match(has_next_hop=True), PathAttributes(next_hop=b"1234"), True, id="next hop: one"),
        pytest.param(Match(local_pref_above=5), PathAttributes(local_pref=6), True, id="LOCAL_PREF above"),
        pytest.param(
            Match(local_pref_above=5), PathAttributes(local_pref=5), False, id="LOCAL_PREF: just not"
        ),
        pytest.param(Match(local_pref_above=5), PathAttributes(), False, id="LOCAL_PREF above: absent"),
        pytest.param(
            Match(community=STANDARD), PathAttributes(communities=(1, STANDARD)), True, id="standard: carried"
        ),
        pytest.param(
            Match(community=STANDARD), PathAttributes(communities=(1,)), False, id="standard: another"
        ),
        pytest.param(Match(community=STANDARD), PathAttributes(), False, id="standard: none at all"),
        pytest.param(
            Match(community=0), PathAttributes(communities=(0,)), True, id="standard: 0:0 is a community"
        ),
        pytest.param(Match(community=0), PathAttributes(), False, id="standard: 0:0 is not no community"),
        pytest.param(
            Match(community=LARGE), PathAttributes(large_communities=(LARGE,)), True, id="large: carried"
        ),
        pytest.param(
            Match(community=(0, 65001, 7)),
            PathAttributes(communities=(STANDARD,)),
            False,
            id="large: standard",
        ),
        pytest.param(
            Match(as_path_start=(1,)), PathAttributes(as_path=sequence(1)), True, id="AS_PATH: the whole"
        ),
        pytest.param(
            Match(as_path_start=(1, 2)), PathAttributes(as_path=sequence(1, 2, 3)), True, id="AS_PATH: begins"
        ),
        pytest.param(
            Match(as_path_start=(2, 3)),
            PathAttributes(as_path=sequence(1, 2, 3)),
            False,
            id="AS_PATH: inside",
        ),
        pytest.param(
            Match(as_path_start=(1, 3)), PathAttributes(as_path=sequence(1, 2, 3)), False, id="AS_PATH: gap"
        ),
        pytest.param(
            Match(as_path_start=(1, 2)), PathAttributes(as_path=sequence(1)), False, id="AS_PATH: shorter"
        ),
        pytest.param(Match(as_path_start=(1,)), PathAttributes(), False, id="AS_PATH: empty"),
        pytest.param(
            Match(as_path_start=(1, 2, 3)),
            PathAttributes(as_path=(*sequence(1, 2), *sequence(3, 4))),
            True,
            id="AS_PATH: over two segments",
        ),
        pytest.param(
            Match(as_path_start=(1, 2)),
            PathAttributes(as_path=(*sequence(1), as_set(2))),
            False,
            id="AS_PATH: a set is no sequence",
        ),
        pytest.param(
            Match(as_path_start=(1,)),
            PathAttributes(as_path=(*sequence(1), as_set(2))),
            True,
            id="AS_PATH: before a set",
        ),
        pytest.param(
            Match(as_path_start=(1,)),
            PathAttributes(as_path=(Segment(SegmentType.AS_SEQUENCE, ()), *sequence(1))),
            True,
            id="AS_PATH: an empty segment counts nothing",
        ),
        pytest.param(Match(local_pref=100), PathAttributes(local_pref=100), True, id="LOCAL_PREF: equal"),
        pytest.param(Match(local_pref=100), PathAttributes(local_pref=101), False, id="LOCAL_PREF: another"),
        pytest.param(Match(local_pref=100), PathAttributes(), False, id="LOCAL_PREF: absent is not 100"),
        pytest.param(Match(local_pref=0), PathAttributes(), False, id="LOCAL_PREF: absent is not 0"),
        pytest.param(
            Match(community=STANDARD, local_pref=5),
            PathAttributes(communities=(STANDARD,), local_pref=5),
            True,
            id="both",
        ),
        pytest.param(
            Match(community=STANDARD, local_pref=5),
            PathAttributes(communities=(STANDARD,)),
            False,
            id="one of both",
        ),
    ],
)
def test_holds(match: Match, attributes: PathAttributes, holds: bool) -> None:
    assert attributes_match(match, attributes) is holds


@pytest.mark.parametrize(
    ("match", "looks"),
    [
        (Match(), False),
        (Match(interface="eth0"), False),
        (Match(community=0), True),
        (Match(as_path_start=(1,)), True),
        (Match(local_pref=0), True),
    ],
)
def test_what_looks_at_attributes(match: Match, looks: bool) -> None:
    assert match.looks_at_attributes is looks
