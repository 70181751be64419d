"""What must not happen to the rest of the agent while it writes very many routes."""

import os
import threading

import pytest
import trio.testing

from felixbgp.fib.types import KernelLost, KernelRouteChanged, ReplaceRoutes, Route, RouteKind
from felixbgp.net import Prefix
from felixbgp.runtime.netlink import kernel as kernel_module
from tests.integration.netlink.conftest import ip, running

pytestmark = pytest.mark.trio

BLACKHOLE = Route(RouteKind.BLACKHOLE)


async def test_what_we_write_takes_no_room_from_what_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for a handful of notices, we write thousands while nobody reads any."""
    monkeypatch.setattr(kernel_module, "EVENTS_OCTETS", 4096)
    prefixes = [Prefix.parse(f"10.{number >> 8}.{number & 255}.0/24") for number in range(5_000)]
    async with running() as (kernel, inbox):
        inbox.waiting.clear()
        for start in range(0, len(prefixes), 500):
            batch = tuple((prefix, BLACKHOLE) for prefix in prefixes[start : start + 500])
            await kernel.apply(ReplaceRoutes(batch, exclusive=True))
        ip("route add 203.0.113.77/32 dev eth0")
        heard = await inbox.until(lambda event: isinstance(event, KernelRouteChanged))
        assert not any(isinstance(event, KernelLost) for event in heard)
        assert [event.route.prefix for event in heard if isinstance(event, KernelRouteChanged)] == [
            Prefix.parse("203.0.113.77/32")
        ]


async def test_all_else_goes_on_while_the_kernel_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some writes take it half a second. This one takes until something else has gone on."""
    gone_on, write = threading.Event(), os.write

    def slow_write(descriptor: int, octets: bytes) -> int:
        assert gone_on.wait(timeout=20), "nothing goes on"
        return write(descriptor, octets)

    async with running() as (kernel, _), trio.open_nursery() as nursery:
        monkeypatch.setattr(os, "write", slow_write)
        nursery.start_soon(
            kernel.apply, ReplaceRoutes(((Prefix.parse("10.1.0.0/16"), BLACKHOLE),), exclusive=True)
        )
        await trio.testing.wait_all_tasks_blocked()
        gone_on.set()
    assert "blackhole 10.1.0.0/16" in ip("route show")
