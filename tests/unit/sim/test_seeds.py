"""Seeds that found something, each of which must be well now: `docs/simulation.md` tells of them.

A seed means the same plan only as long as nobody changes what is drawn from it; what it found has a test of
its own besides, by the name that is given here.
"""

import pytest

from felixbgp.sim.draw import draw
from felixbgp.sim.plan import Plan
from felixbgp.sim.swarm import run, run_seed

pytestmark = pytest.mark.long
FOUND = [
    pytest.param(6, id="an agent span while an End-of-RIB was withheld: test_update_groups"),
    pytest.param(27, id="a living node behind a cut link was taken for dead: test_liveness"),
    pytest.param(54, id="a router had no way to tell of another way: test_export"),
    pytest.param(73, id="an agent span after two restarts: test_update_groups"),
    pytest.param(83, id="a node that changed its AS lost what it had kept: test_adj_rib_in"),
    pytest.param(141, id="two who drained one peer went by each other, for ever: test_decision"),
    pytest.param(158, id="two routers went by each other to a drained node: test_node_drain"),
    pytest.param(170, id="who left while it was drained was waited for: test_draining"),
    pytest.param(365, id="what was held of a drained peer had no end: test_held_routes"),
    pytest.param(493, id="who had restarted twice waited for one who waited for others: test_completeness"),
    pytest.param(1314, id="an agent started between two writes that changed its peers: test_restarts"),
    pytest.param(1449, id="a Node was deleted and created again: test_nothing_is_lost"),
    pytest.param(1475, id="who was drained had not said what it has, and was not waited for"),
    pytest.param(2176, id="a withdrawal that a cut link kept was taken for heard: test_safety"),
    pytest.param(2395, id="others withdrew what a peer had still to tell again: test_former"),
    pytest.param(2570, id="a session was back for a second alone: test_possible"),
    pytest.param(3278, id="a backup brought back a place in line that nobody had: test_resets"),
    pytest.param(3623, id="a reflector withdrew what another had still to tell again: test_former"),
    pytest.param(4265, id="who was away behind a cut link was found dead: test_safety"),
    pytest.param(4705, id="what was told after a link fell silent was taken for heard: test_possible"),
    pytest.param(6831, id="a drained node told on while a session waited for its turn: test_changes"),
    pytest.param(6876, id="who had no power was found dead: test_safety"),
    pytest.param(7378, id="who had joined was looked for in the store of before: test_possible"),
    pytest.param(9863, id="two who restarted waited for each other by way of a third: test_completeness"),
]


@pytest.mark.parametrize("seed", FOUND)
def test_what_a_seed_found_is_mended(seed: int) -> None:
    verdict = run_seed(seed)
    assert verdict.is_well, (verdict.rule, verdict.where)


@pytest.mark.parametrize("seed", range(1_000_000, 1_000_012))
def test_seeds_that_nobody_looked_at_are_well(seed: int) -> None:
    verdict = run_seed(seed)
    assert verdict.is_well, (verdict.rule, verdict.where)


def traced(plan: Plan) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []
    run(plan, lambda now, text: told.append((now, text)))
    return told


def test_a_plan_goes_the_same_way_each_time() -> None:
    plan = draw(54)
    first = traced(plan)
    assert len(first) > 100
    assert traced(plan) == first
