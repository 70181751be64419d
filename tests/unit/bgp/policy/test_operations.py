"""Operations, one by one, and in their order."""

import pytest

from felixbgp.bgp.policy.operations import carry_out
from felixbgp.bgp.policy.types import AddCommunity, Operation, PrependAsPath, SetLocalPref
from felixbgp.bgp.wire.as_path import can_be_passed_on, prepended
from felixbgp.bgp.wire.messages import PathAttributes
from tests.support.paths import as_set, sequence

BEFORE = PathAttributes(
    next_hop=b"\1\2\3\4",
    as_path=sequence(65001),
    communities=(5, 7),
    large_communities=((1, 2, 3),),
    med=4,
    local_pref=100,
)


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        pytest.param(AddCommunity(6), {"communities": (5, 6, 7)}, id="standard: in ascending order"),
        pytest.param(
            AddCommunity((1, 2, 2)), {"large_communities": ((1, 2, 2), (1, 2, 3))}, id="large: the same"
        ),
        pytest.param(PrependAsPath((1, 2)), {"as_path": sequence(1, 2, 65001)}, id="prepend: in its order"),
        pytest.param(
            PrependAsPath((65001, 65001)), {"as_path": sequence(65001, 65001, 65001)}, id="prepend: again"
        ),
        pytest.param(SetLocalPref(0), {"local_pref": 0}, id="LOCAL_PREF: 0"),
        pytest.param(SetLocalPref(0xFFFFFFFF), {"local_pref": 0xFFFFFFFF}, id="LOCAL_PREF: the highest"),
    ],
)
def test_one_attribute_changes_and_all_others_stay(operation: Operation, changed: dict[str, object]) -> None:
    assert carry_out((operation,), BEFORE) == BEFORE.replace(**changed)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param((), id="none"),
        pytest.param((AddCommunity(5),), id="standard: there already"),
        pytest.param((AddCommunity((1, 2, 3)),), id="large: there already"),
        pytest.param((SetLocalPref(100),), id="LOCAL_PREF: the same"),
    ],
)
def test_nothing_new_gives_the_very_same_attributes(operations: tuple[Operation, ...]) -> None:
    assert carry_out(operations, BEFORE) is BEFORE


def test_they_run_in_their_order() -> None:
    operations = (PrependAsPath((1,)), SetLocalPref(1), PrependAsPath((2, 3)), SetLocalPref(2))
    after = carry_out(operations, PathAttributes())
    assert (after.as_path, after.local_pref) == (sequence(2, 3, 1), 2)


def test_a_path_that_begins_with_a_set_gets_a_segment_before_it() -> None:
    after = carry_out((PrependAsPath((1,)),), PathAttributes(as_path=(as_set(2, 3),)))
    assert after.as_path == (*sequence(1), as_set(2, 3))


def test_a_path_grows_no_longer_than_can_be_passed_on() -> None:
    attributes = PathAttributes(as_path=sequence(65001))
    for _ in range(200):
        attributes = carry_out((PrependAsPath(tuple(range(1, 11))),), attributes)
    assert can_be_passed_on(attributes.as_path)
    assert not can_be_passed_on(prepended(range(1, 11), attributes.as_path))
