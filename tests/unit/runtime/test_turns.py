"""How many turns of telling the driver makes, by what they cost: simulated, with no clock of the machine."""

from math import ceil, log2
from typing import cast

import pytest
import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Effect
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.pace import MOST, TOLD_FEWEST, TOLD_START

MICROSECOND, MILLISECOND = 1_000, 1_000_000
OUTLETS_AT_ONCE, OUTLETS_TOGETHER = 128, 16


class Reflector:
    """Peers send so many prefixes; each takes so long to take in, to work out, and a message to hand out."""

    def __init__(self, prefixes: int, peers: int, *, take: int, work_out: int, hand_out: int) -> None:
        self.to_come, self.peers = prefixes, peers
        self.take_ns, self.work_out_ns, self.hand_out_ns = take, work_out, hand_out
        self.untold_count = self.backlog = self.now = self.longest = self.turns = 0
        self._left = 0

    def clock(self) -> int:
        return self.now

    def _pass(self, took: int) -> list[Effect]:
        self.now += took
        self.longest = max(self.longest, took)
        return []

    def take(self, _now: int, budget: int) -> list[Effect]:
        count = min(budget, self.to_come)
        self.to_come -= count
        self.untold_count += count
        return self._pass(count * self.take_ns)

    def tell(self, _now: int, budget: int) -> list[Effect]:
        if self._left == 0:
            count = min(budget, self.untold_count)
            self.untold_count -= count
            self._left = self.peers if count else 0
            self.turns += count > 0
            took = count * self.work_out_ns
            if self._left > OUTLETS_TOGETHER:
                return self._pass(took)
        else:
            took = 0
        served = min(self._left, OUTLETS_AT_ONCE)
        self._left -= served
        return self._pass(took + served * self.hand_out_ns)

    def publish(self, _now: int) -> list[Effect]:
        return []

    def feed(self, event: object, now: int) -> None:
        """The driver tells of long steps."""

    def next_deadline(self) -> int | None:
        return 0 if self.to_come or self.untold_count or self._left else None

    @property
    def is_selecting(self) -> bool:
        return self.to_come > 0

    @property
    def is_telling(self) -> bool:
        return self.untold_count > 0

    @property
    def is_handing_out(self) -> bool:
        return self._left > 0


def doublings(budget: int) -> int:
    """How many it takes to the largest budget."""
    return ceil(log2(MOST / budget))


async def work_off(reflector: Reflector, told_start: int) -> None:
    driver = Driver(cast(Agent, reflector), clock=reflector.clock, work_clock=reflector.clock)
    driver.telling.budget = told_start
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run, lambda _: None)
        while reflector.next_deadline() == 0:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


@pytest.mark.trio
@pytest.mark.parametrize("told_start", [TOLD_FEWEST, TOLD_START, MOST])
@pytest.mark.parametrize("hand_out", [5, 10, 25])
@pytest.mark.parametrize(
    ("peers", "prefixes"), [(100, 5_000), (300, 30_000), (1_000, 10_000), (1_000, 100_000)]
)
async def test_from_wherever_it_begins_repetition_soon_costs_less_than_half(
    peers: int, prefixes: int, hand_out: int, told_start: int
) -> None:
    costs = {"take": 2 * MICROSECOND, "work_out": 700, "hand_out": hand_out * MICROSECOND}
    reflector = Reflector(prefixes, peers, **costs)
    await work_off(reflector, told_start)
    assert reflector.longest <= 5 * MILLISECOND
    # As few turns as the largest budget allows, and those in which it grew: from here, and after one rest.
    assert reflector.turns <= prefixes // MOST + doublings(told_start) + doublings(TOLD_START) + 1


@pytest.mark.trio
async def test_to_a_few_peers_turns_are_made_while_more_comes() -> None:
    reflector = Reflector(1_000_000, 1, take=2 * MICROSECOND, work_out=700, hand_out=25 * MICROSECOND)
    await work_off(reflector, TOLD_START)
    assert reflector.turns > 100
    assert reflector.longest <= 5 * MILLISECOND
