"""What holds the loop outside of the driver."""

import pytest
import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.observer import LoopObserver, kind_of
from felixbgp.runtime.steps import StepKind
from felixbgp.status.node_status import LongestStep

MS = 1_000_000


class Clock:
    """It stands unless somebody moves it."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_kinds_follow_from_the_names_of_tasks() -> None:
    assert kind_of("felixbgp.runtime.etcd.watch.Watcher.run") is StepKind.STORE
    assert kind_of("felixbgp.runtime.store.NodeStore.publish") is StepKind.STORE
    assert kind_of("felixbgp.runtime.netlink.kernel.Kernel.run") is StepKind.KERNEL
    assert kind_of("felixbgp.runtime.tcp.Tcp._read") is StepKind.OTHER


@pytest.mark.trio
async def test_a_task_that_holds_the_loop_is_named_in_the_status_without_what_the_driver_timed() -> None:
    clock = Clock()
    agent = Agent(AgentConfig(node="node"), lambda: 0.5)
    driver = Driver(agent, clock=clock)

    async def encode() -> None:
        clock.now += 40 * MS
        began = clock.now
        clock.now += 15 * MS
        driver.record(StepKind.FEED, began)

    observer = LoopObserver(driver, clock)
    trio.lowlevel.add_instrument(observer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(encode, name="felixbgp.runtime.store.NodeStore.publish")
    trio.lowlevel.remove_instrument(observer)
    assert driver.steps[StepKind.FEED].longest_ns == 15 * MS
    assert driver.steps[StepKind.STORE].longest_ns == 40 * MS
    assert agent.status(0).longest_step == LongestStep(50, 50, "store", "store")


@pytest.mark.trio
async def test_short_steps_of_other_tasks_are_not_worth_noting() -> None:
    clock = Clock()
    driver = Driver(Agent(AgentConfig(node="node"), lambda: 0.5), clock=clock)

    async def read() -> None:
        clock.now += MS

    observer = LoopObserver(driver, clock)
    trio.lowlevel.add_instrument(observer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
    trio.lowlevel.remove_instrument(observer)
    assert all(steps.counts == [0] * len(steps.counts) for steps in driver.steps.values())


@pytest.mark.trio
async def test_of_the_step_that_begins_to_observe_only_the_rest_counts() -> None:
    clock = Clock()
    clock.now = 50_000 * MS
    driver = Driver(Agent(AgentConfig(node="node"), lambda: 0.5), clock=clock)
    observer = LoopObserver(driver, clock)
    trio.lowlevel.add_instrument(observer)
    clock.now += 7 * MS
    await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(observer)
    assert driver.steps[StepKind.OTHER].longest_ns == 7 * MS
