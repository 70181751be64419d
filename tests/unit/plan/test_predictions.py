"""What is predicted is what happens: clusters and changes drawn from seeds, in the simulator.

A prediction looks at the store alone, and at what the routers beside the cluster announce. Compared are, node
by node, the sessions that stand, began anew, came and went, by the transitions of each, with the parameters
that differ; and of every prefix that is originated the next hops and the AS_PATH, before and after.
"""

import pytest

from felixbgp.sim.operators import Delete, Patch
from tests.support.predictions import Drawn, drawn, predicted_and_observed

SEEDS = range(1, 51)
BEGINNING = 8
"""How many of them `make check` runs."""
LONG = [pytest.param(seed, marks=pytest.mark.long) for seed in SEEDS[BEGINNING:]]


@pytest.mark.parametrize("seed", [*SEEDS[:BEGINNING], *LONG])
def test_what_is_predicted_of_a_change_happens(seed: int) -> None:
    case = drawn(seed)
    predicted, observed = predicted_and_observed(case)
    assert predicted == observed, str(case)


def test_the_changes_are_not_all_of_one_kind() -> None:
    """Fifty seeds have every shape, and most things that operators do."""
    cases = [drawn(seed) for seed in SEEDS]
    assert {case.run.shape.split(",")[1].strip() for case in cases} == {
        *("mesh", "reflectors", "racks", "mixed", "routers")
    }
    actions = {type(action).__name__ for case in cases for action in case.actions}
    assert {"Put", "Patch", "Delete", "Block", "AddNode", "RemoveNode"} <= actions


def test_a_prediction_of_another_change_is_told_from_what_happens() -> None:
    """The comparison can fail: what happens is another change than the one that is predicted."""
    case = drawn(3)
    other = Drawn(case.run, (Patch("Node", "node-1", {"spec": {"bgp": {"asNumber": 64600}}}),))
    gone = Drawn(case.run, (Delete("Node", "node-1"),))
    assert predicted_and_observed(other)[0] != predicted_and_observed(gone)[1]
