"""Bad days: each is counted, tried again, told in the kernel's own words, and harms no other route."""

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import KernelSnapshot, NextHop, Route, RouteKind
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.runtime.netlink import writer as writer_module
from felixbgp.runtime.netlink.kernel import Kernel
from tests.integration.netlink.conftest import (
    METRIC,
    PROTOCOL,
    Inbox,
    all_heard,
    ip,
    ip_batch,
    read_all,
    running,
    settle,
)

pytestmark = pytest.mark.trio

SECOND = 1_000_000_000
GATEWAYS = {IPV4: Address.parse("192.0.2.1"), IPV6: Address.parse("2001:db8::1")}
OFF_LINK = {IPV4: Address.parse("203.0.113.1"), IPV6: Address.parse("2001:db8:ffff::1")}
WORDS = {
    IPV4: "Network is unreachable: Nexthop has invalid gateway",
    IPV6: "No route to host",
}
BOTH_FAMILIES = pytest.mark.parametrize("family", [IPV4, IPV6], ids=["IPv4", "IPv6"])


def via(gateway: Address) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(gateway),), METRIC)


def prefixes(family: Family, count: int) -> list[Prefix]:
    if family == IPV4:
        return [Prefix.of(Address(bytes((10, n >> 8, n & 255, 0))), 24) for n in range(count)]
    return [Prefix.of(Address(b"\xfd\0" + n.to_bytes(6) + bytes(8)), 64) for n in range(count)]


def number(family: Family) -> int:
    """How many routes of ours the kernel has."""
    return len(ip(f"{'-4' if family == IPV4 else '-6'} route show proto {PROTOCOL}").splitlines())


async def turn(fib: Fib, kernel: Kernel, inbox: Inbox) -> None:
    inbox.deliver(await all_heard(inbox))
    await settle(fib, kernel, inbox)


@BOTH_FAMILIES
async def test_a_next_hop_off_link_waits_alone_and_comes_with_its_network(family: Family) -> None:
    fib = Fib(PROTOCOL)
    bad, *good = prefixes(family, 600)
    fib.start()
    async with running() as (kernel, inbox):
        fib.want(bad, via(OFF_LINK[family]))
        for prefix in good:
            fib.want(prefix, via(GATEWAYS[family]))
        await settle(fib, kernel, inbox)
        assert number(family) == len(good)
        assert fib.problems() == {bad: WORDS[family]}
        assert (fib.statistics().refused, fib.statistics().held) == (1, 1)
        assert fib.next_deadline() == SECOND
        ip(
            "addr add 203.0.113.9/24 dev eth0"
            if family == IPV4
            else "addr add 2001:db8:ffff::9/64 dev eth0 nodad"
        )
        await turn(fib, kernel, inbox)
        assert number(family) == len(good) + 1
        assert fib.problems() == {}


@BOTH_FAMILIES
async def test_an_address_that_vanishes_in_the_middle_of_a_batch(family: Family) -> None:
    fib = Fib(PROTOCOL)
    wanted = prefixes(family, 1500)
    fib.start()
    for prefix in wanted:
        fib.want(prefix, via(GATEWAYS[family]))
    address = "192.0.2.2/24" if family == IPV4 else "2001:db8::2/64"
    async with running() as (kernel, inbox):
        for event in await all_heard(inbox):
            fib.feed(event, 0)
        first, second, third = (batch for _ in range(3) for batch in fib.replacements(0, 500))
        inbox.deliver(await kernel.apply(first))
        ip(f"addr del {address} dev eth0")
        # What we are told of it waits behind the answers to what was sent.
        inbox.deliver(await kernel.apply(second))
        inbox.deliver(await kernel.apply(third))
        await turn(fib, kernel, inbox)
        there = number(family)
        assert there == (0 if family == IPV4 else 500)
        assert fib.statistics().installed == there
        assert len(fib.problems()) == fib.statistics().held == 1500 - there
        assert set(fib.problems().values()) == {WORDS[family]}
        ip(f"addr add {address} dev eth0 {'' if family == IPV4 else 'nodad'}")
        await turn(fib, kernel, inbox)
        assert number(family) == fib.statistics().installed == 1500
        assert fib.problems() == {}


@BOTH_FAMILIES
async def test_answers_that_are_lost(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of a batch is refused with words, and there is room for a few of the answers only."""
    monkeypatch.setattr(writer_module, "ANSWERS_OCTETS", 1 << 12)
    fib = Fib(PROTOCOL)
    bad, good = prefixes(family, 800)[:400], prefixes(family, 800)[400:]
    fib.start()
    for prefix in bad:
        fib.want(prefix, via(OFF_LINK[family]))
    for prefix in good:
        fib.want(prefix, via(GATEWAYS[family]))
    async with running() as (kernel, inbox):
        await settle(fib, kernel, inbox)
        assert "No buffer space available" in fib.problems().values()
        # What became of the batch is not known: the table is read again, and tells.
        for event in await inbox.until(lambda event: isinstance(event, KernelSnapshot)):
            fib.feed(event, 0)
        await turn(fib, kernel, inbox)
        assert number(family) == fib.statistics().installed == len(good)
        assert fib.problems().keys() == set(bad)
        deadline = fib.next_deadline()
        assert deadline is not None
        assert deadline >= SECOND


@BOTH_FAMILIES
async def test_events_of_a_hundred_thousand_routes_are_lost(family: Family) -> None:
    """Somebody writes them, and removes some of ours, while our loop stands still as it would under load."""
    fib = Fib(PROTOCOL)
    wanted = prefixes(family, 300)
    for prefix in wanted:
        fib.want(prefix, via(GATEWAYS[family]))
    fib.start()
    flag = "-4" if family == IPV4 else "-6"
    start = int.from_bytes(bytes((172, 16, 0, 0)))
    batch = [f"route del {prefix} metric {METRIC} proto {PROTOCOL}" for prefix in wanted[:100]]
    if family == IPV4:
        batch += [
            f"route add blackhole {Address((start + n).to_bytes(4))}/32 metric 9" for n in range(100_000)
        ]
    else:
        batch += [
            f"route add blackhole fd01:{n >> 16:x}:{n & 0xFFFF:x}::/64 metric 9" for n in range(100_000)
        ]
    async with running() as (kernel, inbox):
        await settle(fib, kernel, inbox)
        assert number(family) == 300
        ip_batch(batch, flag)
        assert number(family) == 200
        for _ in range(2):
            for event in await inbox.until(lambda event: isinstance(event, KernelSnapshot)):
                fib.feed(event, 0)
        read_all(fib)
        await turn(fib, kernel, inbox)
        assert number(family) == fib.statistics().installed == 300
        assert fib.statistics().losses >= 1
        assert fib.statistics().foreign > 100_000
        assert fib.problems() == {}
