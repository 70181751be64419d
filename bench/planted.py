"""How many seeds the checks of the simulator need to find a bug, of each class one planted in every agent."""

from felixbgp.sim.draw import draw
from felixbgp.sim.swarm import run as run_plan
from tests.support.planted import BUGS, maker

SEEDS = 200


def run(count: int) -> list[str]:
    """Print a line for each bug; gives those that so many seeds do not find."""
    missed = []
    for bug, planted in BUGS.items():
        for seed in range(1, count + 1):
            verdict = run_plan(draw(seed), None, maker(planted))
            if not verdict.is_well:
                print(f"{bug:28} {seed:4} seeds  {verdict.rule}: {verdict.where[0]}", flush=True)
                break
        else:
            missed.append(bug)
            print(f"{bug:28} not found by {count} seeds", flush=True)
    return missed
