"""Make a plan smaller while the same rule is violated: fewer events, then fewer machines.

Delta debugging as by Zeller and Hildebrandt (Simplifying and isolating failure-inducing input, 2002): leave
out halves, then quarters, and so on, down to single ones, for as long as that helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from felixbgp.sim.operators import Block, Put
from felixbgp.sim.plan import Plan

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, tell: Callable[[Plan], None] = lambda _plan: None) -> Plan:
    """The smallest plan found for which `fails` holds still, as it does for `plan`; `tell` hears of each."""

    def is_enough(numbers: Sequence[int]) -> bool:
        smaller = plan.only(numbers)
        if not fails(smaller):
            return False
        tell(smaller)
        return True

    smallest = plan.only(minimal(range(len(plan.events)), is_enough))
    for machine in plan.machines:
        smaller = without_machine(smallest, machine.name)
        if fails(smaller):
            smallest = smaller
            tell(smallest)
    return smallest


def minimal(numbers: Sequence[int], is_enough: Callable[[Sequence[int]], bool]) -> list[int]:
    """A part of the numbers that is enough, of which nothing can be left out."""
    left, parts = list(numbers), 2
    while left:
        size = max(1, len(left) // parts)
        chunks = [left[first : first + size] for first in range(0, len(left), size)]
        for chunk in reversed(chunks):
            rest = [number for number in left if number not in chunk]
            if is_enough(rest):
                left, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(left), parts * 2)
    return left


def without_machine(plan: Plan, name: str) -> Plan:
    """The plan without one machine and what is stored of it; events that name it do less."""
    return replace(
        plan,
        machines=tuple(machine for machine in plan.machines if machine.name != name),
        objects=tuple(one for one in plan.objects if not _is_of(one, name)),
    )


def _is_of(stored: Put | Block, name: str) -> bool:
    if isinstance(stored, Block):
        return f"node-{stored.node}" == name
    return stored.kind == "Node" and stored.name == name
