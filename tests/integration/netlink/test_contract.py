"""The contract of kernels, kept by the real one; sim's keeps it in tests/unit/sim/test_kernel.py."""

import json
from errno import EEXIST, ENOENT

import pytest
import trio

from felixbgp.fib.types import (
    AddressChanged,
    AddressSnapshot,
    KernelEffect,
    KernelInput,
    KernelRoute,
    KernelSnapshot,
    NextHop,
    RouteFailed,
    RouteKey,
    RouteKind,
)
from felixbgp.net import IPV4, Family, Prefix
from felixbgp.runtime.netlink import nexthops
from felixbgp.runtime.netlink.kernel import Kernel
from tests.integration.netlink.conftest import Inbox, all_heard, ip, ip_batch, running
from tests.support.kernel_contract import CASES, SCENARIOS, WITH_GROUPS, WITHOUT_GROUPS, Case, Scenario

pytestmark = pytest.mark.trio


class RealBench:
    """A real kernel in a namespace, with `ip` for somebody else."""

    def __init__(self, kernel: Kernel, inbox: Inbox) -> None:
        self._kernel = kernel
        self._inbox = inbox
        self._in_doubt = False

    async def apply(self, effect: KernelEffect) -> list[KernelInput]:
        answers = await self._kernel.apply(effect)
        self._in_doubt |= any(isinstance(a, RouteFailed) and a.errno in (EEXIST, ENOENT) for a in answers)
        return answers

    async def heard(self) -> list[KernelInput]:
        events: list[KernelInput] = []
        if self._in_doubt:
            # The table is read again beside us, and that takes its time.
            events += await self._inbox.until(lambda event: isinstance(event, KernelSnapshot))
            self._in_doubt = False
        events += await all_heard(self._inbox)
        return [event for event in events if not isinstance(event, AddressChanged | AddressSnapshot)]

    async def table(self, family: Family) -> dict[RouteKey, KernelRoute]:
        async with running() as (_, inbox):
            (found,) = (
                each for each in inbox.waiting if isinstance(each, KernelSnapshot) and each.family == family
            )
            return {RouteKey(route.prefix, route.metric): route for route in found.routes}

    async def somebody_writes(self, route: KernelRoute) -> None:
        ip(f"{_family(route.prefix)} route replace {_in_words(route)}")

    async def somebody_removes(self, route: KernelRoute) -> None:
        ip(f"{_family(route.prefix)} route del {_in_words(route)}")

    async def set_link(self, name: str, *, up: bool) -> None:
        ip(f"link set {name} {'up' if up else 'down'}")
        with trio.fail_after(30):
            # Up is what the administrator says; when the kernel uses it is the kernel's to say.
            while up and json.loads(ip(f"-json link show {name}"))[0]["operstate"] != "UP":
                await trio.lowlevel.checkpoint()

    async def remove_link(self, name: str) -> None:
        ip(f"link del {name}")

    async def disconnect(self, network: Prefix, name: str) -> None:
        own = "192.0.2.2/24" if network.family == IPV4 else "2001:db8::2/64"
        ip(f"addr del {own} dev {name}")


def _family(prefix: Prefix) -> str:
    return "-4" if prefix.family == IPV4 else "-6"


def _in_words(route: KernelRoute) -> str:
    kind = "" if route.route.kind is RouteKind.UNICAST else route.route.kind.name.lower()
    hops = " ".join(map(_hop_in_words, route.route.next_hops))
    return f"{kind} {route.prefix} {hops} proto {route.protocol} metric {route.metric}"


def _hop_in_words(hop: NextHop) -> str:
    return f"via {hop.gateway} dev {hop.interface}"


@pytest.fixture(autouse=True)
def links(namespace: None) -> None:  # noqa: ARG001 - comes after it
    """The two links, each with an other end of its own: what happens to one leaves the other alone."""
    ip_batch(
        [
            "link del eth0",
            "link add eth0 type veth peer name far0",
            "link add eth1 type veth peer name far1",
            *(f"link set {name} up" for name in ("far0", "far1", "eth0", "eth1")),
            "addr add 192.0.2.2/24 dev eth0",
            "addr add 2001:db8::2/64 dev eth0 nodad",
            "addr add 198.51.100.2/24 dev eth1",
            "addr add 2001:db8:1::2/64 dev eth1 nodad",
        ]
    )


@pytest.mark.parametrize("scenario", [*SCENARIOS, *WITH_GROUPS], ids=lambda each: each.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_real_kernel(case: Case, scenario: Scenario) -> None:
    async with running() as (kernel, inbox):
        await scenario(RealBench(kernel, inbox), case)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *WITHOUT_GROUPS], ids=lambda each: each.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_real_kernel_without_groups(
    case: Case, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A number that no kernel knows yet, as this one was to those before 5.13.
    monkeypatch.setattr(nexthops, "RTM_GETNEXTHOPBUCKET", 1022)
    async with running() as (kernel, inbox):
        await scenario(RealBench(kernel, inbox), case)
