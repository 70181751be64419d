"""A bug of each class that the checks are there for is found, and what finds it is the bug.

How many seeds each takes from the first on, `python -m bench planted` says.
"""

import pytest

from felixbgp.sim.draw import draw
from felixbgp.sim.plan import Plan
from felixbgp.sim.swarm import run
from tests.support.planted import BUGS, maker

pytestmark = pytest.mark.long
SEEDS_MAX = 200
SIZE_MAX = 8
"""Larger clusters find no more, and take longer."""

FOUND_BY = {
    "early sweep": {"early sweep", "lost route"},
    "lost withdrawal": {"loop", "liveness"},
    "announcement before kernel": {"not ready"},
    "wrong stale timer": {"lost route"},
    "two sessions": {"two sessions"},
    "filter change not heard": {"policy", "liveness"},
}
"""By bug, the rules that may be the first to say so."""
FIRST = {"filter change not heard": 13}
"""From which seed to look, where it is not from 1 on: operators change no filter in all of the plans."""


def found(bug: str) -> tuple[Plan, str]:
    """The first plan under which a bug violates a rule, and which."""
    first = FIRST.get(bug, 1)
    for seed in range(first, first + SEEDS_MAX):
        plan = draw(seed)
        if len(plan.machines) <= SIZE_MAX:
            verdict = run(plan, None, maker(BUGS[bug]))
            if not verdict.is_well:
                return plan, verdict.rule
    pytest.fail(f"{SEEDS_MAX} seeds do not find it")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    plan, rule = found(bug)
    assert rule in FOUND_BY[bug]
    assert run(plan).is_well


def test_an_agent_without_a_bug_is_let_pass_in_the_same_wrapping() -> None:
    plan = draw(1)
    assert run(plan, None, maker(BUGS["early sweep"].__base__)).is_well  # type: ignore[arg-type]
