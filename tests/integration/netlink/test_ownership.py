"""Ours and theirs on a real kernel: what is touched, what is put back, what is swept, and when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import KernelRouteChanged, Route, RouteKind
from felixbgp.net import IPV4, Prefix
from felixbgp.runtime.netlink.kernel import Kernel
from tests.integration.netlink.conftest import METRIC, PROTOCOL, Inbox, all_heard, ip, running, settle

pytestmark = pytest.mark.trio

BLACKHOLE = Route(RouteKind.BLACKHOLE, (), METRIC)
PREFIXES = [Prefix.parse(text) for text in ("10.1.2.0/24", "fd00:1::/64")]
BOTH_FAMILIES = pytest.mark.parametrize("prefix", PREFIXES, ids=["IPv4", "IPv6"])


def family(prefix: Prefix) -> str:
    return "-4" if prefix.family == IPV4 else "-6"


def route(prefix: Prefix, does: str, what: str) -> None:
    """Somebody else adds, replaces or deletes a route."""
    ip(f"{family(prefix)} route {does} {what}")


def shown(prefix: Prefix) -> list[str]:
    """What `ip route` prints of a prefix, each route as kind, protocol and metric."""
    lines = ip(f"-N -d {family(prefix)} route show {prefix}").splitlines()
    words = [line.split() for line in lines]
    return [f"{w[0]} {w[w.index('proto') + 1]} {w[w.index('metric') + 1]}" for w in words]


OURS = f"6 {PROTOCOL} {METRIC}"
THEIRS = f"7 4 {METRIC}"
"""An unreachable route of protocol static."""


class Loop:
    """A fib and a kernel: what is heard leads to what is written, as in the agent."""

    def __init__(self, fib: Fib, kernel: Kernel, inbox: Inbox) -> None:
        self.fib = fib
        self.kernel = kernel
        self.inbox = inbox

    async def turn(self) -> int:
        """Hear everything, and write what follows from it; gives how many routes that were."""
        self.inbox.deliver(await all_heard(self.inbox))
        return await settle(self.fib, self.kernel, self.inbox)


@asynccontextmanager
async def loop(*wanted: Prefix, start: bool = True) -> AsyncIterator[Loop]:
    fib = Fib(PROTOCOL)
    async with running() as (kernel, inbox):
        for prefix in wanted:
            fib.want(prefix, BLACKHOLE)
        if start:
            fib.start()
        running_loop = Loop(fib, kernel, inbox)
        await settle(fib, kernel, inbox)
        yield running_loop


@BOTH_FAMILIES
async def test_ours_that_somebody_removes_or_alters_is_put_back_at_once(prefix: Prefix) -> None:
    async with loop(prefix) as us:
        assert shown(prefix) == [OURS]
        route(prefix, "del", f"blackhole {prefix} metric {METRIC} proto {PROTOCOL}")
        assert await us.turn() == 1
        assert shown(prefix) == [OURS]
        route(prefix, "replace", f"prohibit {prefix} metric {METRIC} proto {PROTOCOL}")
        assert await us.turn() == 1
        assert shown(prefix) == [OURS]
        ip(f"{family(prefix)} route flush proto {PROTOCOL}")
        assert await us.turn() == 1
        assert shown(prefix) == [OURS]


@BOTH_FAMILIES
async def test_a_foreign_route_in_our_place_stays_and_the_conflict_names_its_protocol(prefix: Prefix) -> None:
    theirs = f"unreachable {prefix} metric {METRIC} proto static"
    route(prefix, "add", theirs)
    async with loop(prefix) as us:
        assert shown(prefix) == [THEIRS]
        assert us.fib.problems()[prefix].startswith(
            "protocol static has a route of the same metric 1024 here"
        )
        us.fib.want(prefix, None)
        assert await us.turn() == 0
        assert shown(prefix) == [THEIRS]
        us.fib.want(prefix, BLACKHOLE)
        route(prefix, "del", theirs)
        assert await us.turn() == 1
        assert (shown(prefix), us.fib.problems()) == ([OURS], {})


@BOTH_FAMILIES
async def test_a_foreign_route_that_takes_our_place_keeps_it(prefix: Prefix) -> None:
    async with loop(prefix) as us:
        route(prefix, "replace", f"unreachable {prefix} metric {METRIC} proto static")
        assert await us.turn() == 0
        assert shown(prefix) == [THEIRS]
        assert "static" in us.fib.problems()[prefix]
        assert us.fib.statistics().problems == 1


@BOTH_FAMILIES
async def test_a_foreign_route_of_another_metric_is_no_conflict(prefix: Prefix) -> None:
    route(prefix, "add", f"unreachable {prefix} metric 7 proto static")
    async with loop(prefix) as us:
        assert shown(prefix) == ["7 4 7", OURS]
        us.fib.want(prefix, None)
        assert await us.turn() == 1
        assert shown(prefix) == ["7 4 7"]


@BOTH_FAMILIES
async def test_a_foreign_route_that_was_quicker_is_found_out_by_the_kernels_refusal(prefix: Prefix) -> None:
    async with loop() as us:
        us.fib.want(prefix, BLACKHOLE)
        # Before we heard of it.
        route(prefix, "add", f"unreachable {prefix} metric {METRIC} proto static")
        await settle(us.fib, us.kernel, us.inbox)
        assert shown(prefix) == [THEIRS]
        assert await us.turn() == 0
        assert "static" in us.fib.problems()[prefix]


@BOTH_FAMILIES
async def test_what_a_former_life_left_is_swept_after_the_first_sync_and_never_before(prefix: Prefix) -> None:
    other = Prefix.parse("10.9.0.0/16" if prefix.family == IPV4 else "fd00:9::/64")
    for metric in (7, METRIC, 4000):
        route(prefix, "add", f"blackhole {prefix} metric {metric} proto {PROTOCOL}")
    route(other, "add", f"blackhole {other} metric 9 proto {PROTOCOL}")
    async with loop(prefix, start=False) as us:
        assert await us.turn() == 0
        assert len(shown(prefix)) == 3
        assert shown(other) == [f"6 {PROTOCOL} 9"]
        us.fib.start()
        assert await us.turn() == 3
        assert (shown(prefix), shown(other)) == ([OURS], [])


@BOTH_FAMILIES
async def test_a_prefix_that_changes_its_metric_is_never_absent(prefix: Prefix) -> None:
    async with loop(prefix) as us, running() as (_, watcher):
        await all_heard(watcher)
        for metric in (20, 4000, METRIC):
            us.fib.want(prefix, BLACKHOLE._replace(metric=metric))
            assert await us.turn() == 2
            assert shown(prefix) == [f"6 {PROTOCOL} {metric}"]
        changes = [each for each in await all_heard(watcher) if isinstance(each, KernelRouteChanged)]
        ours = [(e.route.metric, e.present) for e in changes if e.route.prefix == prefix]
        assert ours == [
            (20, True), (METRIC, False), (4000, True), (20, False), (METRIC, True), (4000, False),
        ]  # fmt: skip
