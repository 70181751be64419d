"""Routes of IPIP pools in a real kernel, through a veth that is named tunl0, as not every kernel has IPIP.

What the kernel makes of our message is what it makes of `ip route`'s: the notices to its listeners are equal,
octet for octet.
"""

import json
import socket
from contextlib import closing
from typing import Any

import pytest

from felixbgp.fib.types import KernelEffect, NextHop, ReplaceRoutes, Route, RouteKind, RoutesApplied
from felixbgp.net import Address, Prefix
from felixbgp.runtime.netlink.messages import RTM_NEWROUTE, split_messages
from tests.integration.netlink.conftest import METRIC, PROTOCOL, ip, ip_batch, running

pytestmark = pytest.mark.trio

RTMGRP_IPV4_ROUTE = 0x40
BLOCK = Prefix.parse("10.65.2.0/26")
HERE, FAR = Address.parse("192.0.2.7"), Address.parse("203.0.113.9")
"""Nodes in our subnet and in another one, to which nothing leads."""
OURS = f"proto {PROTOCOL} metric {METRIC}"


def through_tunnel(node: Address) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(node, "tunl0", onlink=True),))


def plain(node: Address) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(node),))


FORMS = {
    "Always, a node in our subnet": (through_tunnel(HERE), f"via {HERE} dev tunl0 onlink"),
    "Always, a node in another one": (through_tunnel(FAR), f"via {FAR} dev tunl0 onlink"),
    "CrossSubnet, a node in our subnet": (plain(HERE), f"via {HERE}"),
    "no encapsulation, two ways": (
        Route(RouteKind.UNICAST, (NextHop(Address.parse("192.0.2.6")), NextHop(HERE))),
        f"nexthop via 192.0.2.6 nexthop via {HERE}",
    ),
}


@pytest.fixture(autouse=True)
def _tunnel(namespace: None) -> None:  # noqa: ARG001 - made before
    ip_batch(["link add tunl0 type veth peer name other", "link set other up", "link set tunl0 up"])


class Notices:
    """What the kernel tells everybody about IPv4 routes."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(10)
        self._socket.bind((0, RTMGRP_IPV4_ROUTE))

    def next(self) -> bytes:
        """The next new route, without the numbers of the request that made it."""
        while True:
            for message in split_messages(self._socket.recv(65536)):
                if message.type == RTM_NEWROUTE:
                    return bytes(message.body)

    def close(self) -> None:
        self._socket.close()


def shown(*arguments: str) -> dict[str, Any]:
    (route,) = json.loads(ip(f"-json -details route {' '.join(arguments)}"))
    return dict(route)


async def applied(effect: KernelEffect) -> None:
    async with running() as (kernel, _):
        assert await kernel.apply(effect) == [RoutesApplied((BLOCK,), present=True)]


@pytest.mark.parametrize(("route", "words"), FORMS.values(), ids=FORMS)
async def test_the_kernel_hears_the_same_from_us_as_from_ip(route: Route, words: str) -> None:
    add, replace, remove = (f"route {verb} {BLOCK} {OURS} {words}" for verb in ("add", "replace", "del"))
    with closing(Notices()) as notices:
        ip(add)
        added = notices.next()
        ip(remove)
        await applied(ReplaceRoutes(((BLOCK, route),), exclusive=True))
        assert notices.next() == added
        # A notice is of a change only, so something else is there in between.
        other = f"route replace blackhole {BLOCK} {OURS}"
        ip(other)
        notices.next()
        ip(replace)
        assert notices.next() == added
        ip(other)
        notices.next()
        await applied(ReplaceRoutes(((BLOCK, route),)))
        assert notices.next() == added


async def test_a_block_of_another_subnet_goes_through_the_tunnel() -> None:
    await applied(ReplaceRoutes(((BLOCK, through_tunnel(FAR)),), exclusive=True))
    route = shown("show", str(BLOCK))
    assert route.items() >= {
        "type": "unicast", "dst": str(BLOCK), "gateway": str(FAR), "dev": "tunl0", "scope": "global",
        "metric": METRIC, "flags": ["onlink"],
    }.items()  # fmt: skip
    assert shown("get", "10.65.2.9").items() >= {"gateway": str(FAR), "dev": "tunl0"}.items()


async def test_a_node_that_moves_between_subnets_is_reached_otherwise_at_once() -> None:
    await applied(ReplaceRoutes(((BLOCK, through_tunnel(FAR)),), exclusive=True))
    await applied(ReplaceRoutes(((BLOCK, plain(HERE)),)))
    assert shown("show", str(BLOCK)).items() >= {"gateway": str(HERE), "dev": "eth0", "flags": []}.items()
    await applied(ReplaceRoutes(((BLOCK, through_tunnel(FAR)),)))
    assert shown("show", str(BLOCK)).items() >= {"gateway": str(FAR), "dev": "tunl0"}.items()


async def test_without_onlink_the_kernel_would_refuse_a_node_of_another_subnet() -> None:
    async with running() as (kernel, _):
        hop = NextHop(FAR, "tunl0")
        (refused,) = await kernel.apply(
            ReplaceRoutes(((BLOCK, Route(RouteKind.UNICAST, (hop,))),), exclusive=True)
        )
        assert "invalid gateway" in str(refused)
