"""What the shell makes of effects that are its own to carry out."""

import logging
from collections.abc import Iterator
from typing import cast

import pytest
import trio
import trio.testing

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Follow, SetLogLevel
from felixbgp.fib.types import KernelEffect, KernelInput, ReplaceRoutes, Route, RouteKind, RoutesApplied
from felixbgp.net import Prefix
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.etcd import EtcdSettings
from felixbgp.runtime.netlink.kernel import Kernel
from felixbgp.runtime.notify import ServiceManager
from felixbgp.runtime.run import ROUTES_TOGETHER, ROUTES_WAITING_MAX, _Shell
from felixbgp.runtime.settings import AgentSettings
from felixbgp.runtime.telemetry import LOGGER

pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def own_level() -> Iterator[None]:
    """The logger's own, given back."""
    before = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    yield
    LOGGER.setLevel(before)


def shell(nursery: trio.Nursery, log_level: str | None) -> _Shell:
    settings = AgentSettings(node="node-1", etcd=EtcdSettings(), log_level=log_level)
    driver = Driver(Agent(AgentConfig(node="node-1"), lambda: 0.0))
    # Nothing here writes a route, so no kernel is needed.
    return _Shell(settings, nursery, driver, cast("Kernel", None), None, manager=ServiceManager(None, None))


@pytest.mark.parametrize(
    ("given", "level"),
    [(None, logging.DEBUG), ("info", logging.INFO)],
    ids=["left to the cluster", "a setting wins"],
)
async def test_the_log_level_of_the_cluster(nursery: trio.Nursery, given: str | None, level: int) -> None:
    shell(nursery, given).perform(SetLogLevel("debug"))
    assert LOGGER.level == level


async def test_a_plain_router_follows_no_store(nursery: trio.Nursery) -> None:
    shell(nursery, None).perform(Follow(("/calico/",)))
    assert nursery.child_tasks == frozenset()


async def test_it_is_busy_while_many_kernel_writes_wait(nursery: trio.Nursery) -> None:
    some = tuple((Prefix.parse(f"10.0.{number}.0/24"), Route(RouteKind.BLACKHOLE)) for number in range(250))
    waiting = shell(nursery, None)
    for _ in range(ROUTES_WAITING_MAX // 250):
        assert not waiting.is_busy()
        waiting.perform(ReplaceRoutes(some))
    assert waiting.is_busy()


class RecordingKernel:
    """Takes whatever it is asked for, and remembers what came together."""

    def __init__(self) -> None:
        self.together: list[list[KernelEffect]] = []

    async def apply(self, *effects: KernelEffect) -> list[KernelInput]:
        await trio.lowlevel.checkpoint()
        self.together.append(list(effects))
        return [RoutesApplied(tuple(entry[0] for entry in effect.routes), present=True) for effect in effects]


async def test_the_kernel_is_asked_for_what_waits_in_its_order_and_never_for_much_at_once(
    nursery: trio.Nursery,
) -> None:
    kernel = RecordingKernel()
    driver = Driver(Agent(AgentConfig(node="node-1"), lambda: 0.0))
    settings = AgentSettings(node="node-1", etcd=EtcdSettings(), log_level=None)
    busy = _Shell(settings, nursery, driver, None, None, manager=ServiceManager(None, None))
    third = ROUTES_TOGETHER // 3
    sizes = [third, third, third, third, ROUTES_TOGETHER + 1, 1]
    entries = [(Prefix.parse(f"10.0.{number}.0/24"), Route(RouteKind.BLACKHOLE)) for number in range(6)]
    effects = [ReplaceRoutes((entry,) * size) for entry, size in zip(entries, sizes, strict=True)]
    for effect in effects:
        busy.perform(effect)
    nursery.start_soon(busy.write_routes, cast("Kernel", kernel))
    await trio.testing.wait_all_tasks_blocked()
    assert kernel.together == [effects[:3], effects[3:4], effects[4:5], effects[5:]]
    assert not busy.is_busy()
