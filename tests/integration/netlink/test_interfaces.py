"""What interfaces and addresses do to routes: the fib believes what the kernel has, whatever happens.

Each scenario is a list of `ip` commands. After each command the fib is told what the kernel reports, and
its view is compared with a dump; then it writes what it must, and at the end everything is as wanted.
"""

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import (
    KernelRoute,
    KernelSnapshot,
    NextHop,
    Route,
    RouteKind,
)
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.runtime.netlink.kernel import Kernel
from tests.integration.netlink.conftest import (
    METRIC,
    PROTOCOL,
    Inbox,
    all_heard,
    ip,
    ip_batch,
    running,
    settle,
)

pytestmark = pytest.mark.trio

MANY = 1000
ROUNDS_MAX = 20
"""Link-local IPv6 routes come some milliseconds after their link; what is lost comes back by no waiting."""


def via(gateway: str, interface: str = "", *, onlink: bool = False) -> NextHop:
    return NextHop(Address.parse(gateway), interface, onlink)


def unicast(*hops: NextHop) -> Route:
    return Route(RouteKind.UNICAST, hops, METRIC)


# wan0 is the interface that things happen to, wan1 its other end; eth0 is left in peace.
WANTED = {
    "10.1.0.0/24": unicast(via("203.0.113.1")),
    "10.2.0.0/24": unicast(via("203.0.113.1", "wan0")),
    "10.3.0.0/24": unicast(via("192.0.2.1", "eth0"), via("203.0.113.1", "wan0")),
    "10.4.0.0/24": unicast(via("172.16.0.1", "wan0", onlink=True)),
    "10.5.0.0/24": unicast(NextHop(None, "wan0")),
    "10.6.0.0/24": Route(RouteKind.BLACKHOLE),
    "10.7.0.0/24": unicast(via("192.0.2.1")),
    "10.8.0.0/24": unicast(via("fd00:9::1", "wan0")),
    "fd00:1::/64": unicast(via("fd00:9::1")),
    "fd00:2::/64": unicast(via("fd00:9::1", "wan0")),
    "fd00:3::/64": unicast(via("2001:db8::1", "eth0"), via("fd00:9::1", "wan0")),
    "fd00:5::/64": unicast(NextHop(None, "wan0")),
    "fd00:6::/64": Route(RouteKind.BLACKHOLE),
    "fd00:7::/64": unicast(via("2001:db8::1")),
}
WAN_4, WAN_6 = "203.0.113.2/24 dev wan0", "fd00:9::2/64 dev wan0"
COME_BACK = [f"addr replace {WAN_4}", f"addr replace {WAN_6} nodad"]
SCENARIOS = {
    "down and up": ["link set wan0 down", "link set wan0 up", *COME_BACK],
    "carrier lost and back": ["link set wan1 down", "link set wan1 up"],
    "renamed while down": [
        "link set wan0 down", "link set wan0 name lan0", "link set lan0 up",
        "link set lan0 down", "link set lan0 name wan0", "link set wan0 up", *COME_BACK,
    ],
    "renamed while up": ["link set wan0 name lan0", "link set lan0 name wan0"],
    "renamed in turn": [
        "link set wan0 name spare", "link set wan1 name wan0",
        "link set wan0 name wan1", "link set spare name wan0",
    ],
    "only address removed and put back": [f"addr del {WAN_4}", f"addr del {WAN_6}", *COME_BACK],
    "one of two addresses removed and put back": [
        "addr add 203.0.114.2/24 dev wan0", f"addr del {WAN_4}",
        "addr del 203.0.114.2/24 dev wan0", *COME_BACK,
    ],
    "first of two addresses in one network removed": [
        "addr add 203.0.113.3/24 dev wan0", f"addr del {WAN_4}", *COME_BACK,
    ],
    "all addresses flushed": ["addr flush dev wan0", *COME_BACK],
    "bridged, moved to another bridge, and let go": [
        "link set wan0 master br0", "link set wan0 master br1", "link set wan0 nomaster",
    ],
    "its other end moved between bridges": [
        "link set wan1 master br0", "link set wan1 master br1", "link set wan1 nomaster",
    ],
    "smaller and larger packets": [
        "link set wan0 mtu 1400", "link set wan0 mtu 9000", "link set wan0 mtu 1500",
    ],
    "packets too small for IPv6": ["link set wan0 mtu 1200", "link set wan0 mtu 1500", *COME_BACK],
    "deleted and made anew": [
        "link del wan0", "link add wan0 type veth peer name wan1",
        "link set wan1 up", "link set wan0 up", *COME_BACK,
    ],
}  # fmt: skip
KEPT = {
    "carrier lost and back": 2, "renamed while up": 0, "smaller and larger packets": 0,
    "bridged, moved to another bridge, and let go": 0, "its other end moved between bridges": 0,
}  # fmt: skip
"""Where no route of ours is lost for a moment, and how many are written again all the same: the kernel takes
a next hop without carrier out of the groups of routes with several, and does not put it back."""


@pytest.fixture(autouse=True)
def wan(namespace: None) -> None:  # noqa: ARG001 - the namespace must be there first
    ip_batch(
        [
            "link add wan0 type veth peer name wan1",
            "link set wan1 up",
            "link set wan0 up",
            "link add br0 type bridge",
            "link add br1 type bridge",
            *COME_BACK,
        ]
    )


def in_words(route: KernelRoute) -> str:
    hops = ", ".join(
        f"{hop.gateway} {hop.interface} {hop.onlink} {hop.weight}" for hop in route.route.next_hops
    )
    return f"{route.prefix} {route.route.kind.name} [{hops}] metric {route.metric} protocol {route.protocol}"


async def table(family: Family) -> list[KernelRoute]:
    async with running() as (_, inbox):
        (found,) = (
            each for each in inbox.waiting if isinstance(each, KernelSnapshot) and each.family == family
        )
        return list(found.routes)


async def differences(fib: Fib) -> list[str]:
    """Where the fib's view is not what the kernel says now."""
    found: list[str] = []
    for family in (IPV4, IPV6):
        there = await table(family)
        foreign = {in_words(route) for route in there if route.protocol != PROTOCOL}
        seen = set(map(in_words, fib.foreign(family, MANY)))
        found += [f"not seen: {route}" for route in sorted(foreign - seen)]
        found += [f"not there: {route}" for route in sorted(seen - foreign)]
        own = {route.prefix: route.route for route in there if route.protocol == PROTOCOL}
        believed = dict(fib.own(family, MANY))
        found += [f"ours: {prefix}" for prefix in sorted(own.keys() ^ believed.keys())]
        for prefix in sorted(own.keys() & believed.keys()):
            # The kernel revives a next hop without a word; what is believed without it is written anew.
            if not satisfies(own[prefix], believed[prefix]) and prefix.nlri not in fib.held()[family]:
                found.append(f"ours: {prefix}: {own[prefix]}, believed {believed[prefix]}")
    return found


async def check_view(fib: Fib, inbox: Inbox, what: str) -> None:
    """The fib's view is what the kernel says, once that has found its rest after a change of links."""
    for _ in range(ROUNDS_MAX):
        await hear(fib, inbox)
        found = await differences(fib)
        if not found:
            return
    raise AssertionError(f"{what}: {found}")


async def hear(fib: Fib, inbox: Inbox) -> None:
    for event in await all_heard(inbox):
        fib.feed(event, 0)


async def write(fib: Fib, kernel: Kernel, inbox: Inbox) -> None:
    """Carry out what the fib asks for, refusals included, with all that is heard meanwhile."""
    await settle(fib, kernel, inbox)
    await hear(fib, inbox)
    await settle(fib, kernel, inbox)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_fib_believes_what_the_kernel_has(scenario: str) -> None:
    fib = Fib(PROTOCOL)
    for prefix, route in WANTED.items():
        fib.want(Prefix.parse(prefix), route)
    fib.start()
    async with running() as (kernel, inbox):
        await write(fib, kernel, inbox)
        assert fib.statistics().installed == len(WANTED)
        for command in SCENARIOS[scenario]:
            ip(command)
            await check_view(fib, inbox, f"after {command}")
            await write(fib, kernel, inbox)
            await check_view(fib, inbox, f"after {command} and the writes after it")
        await write(fib, kernel, inbox)
        assert fib.problems() == {}
        assert fib.statistics().installed == len(WANTED)
        if scenario in KEPT:
            assert fib.statistics().written == len(WANTED) + KEPT[scenario]
