"""The routes that another daemon left become ours, each in its place; nothing is deleted on the way."""

import socket
from contextlib import closing

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import KernelRouteChanged
from felixbgp.net import Prefix
from felixbgp.runtime.netlink.takeover import DaemonStillRunsError, require_nobody_listens
from tests.integration.netlink.conftest import METRIC, PROTOCOL, all_heard, ip, ip_batch, running, settle
from tests.integration.netlink.test_ownership import BLACKHOLE

BIRD = 12
LEFT = [
    "route add 10.1.0.0/26 via 192.0.2.9 proto bird",
    "route add 10.1.0.64/26 via 192.0.2.9 proto bird metric 32",
    "route add 10.1.0.128/26 proto bird metric 32 nexthop via 192.0.2.8 weight 2 nexthop via 192.0.2.9",
    "route add blackhole 10.1.0.192/26 proto bird metric 32",
    "route add 10.1.1.0/26 via 203.0.113.9 dev eth0 onlink proto bird metric 32",
    "route add fd00:1::/122 via 2001:db8::9 proto bird metric 32",
    "route add fd00:2::/122 proto bird metric 32 nexthop via 2001:db8::8 nexthop via 2001:db8::9",
    "route add blackhole fd00:3::/122 proto bird metric 32",
]
OTHERS = ["route add 10.2.0.0/24 via 192.0.2.9 proto static", "route add 10.3.0.0/24 via 192.0.2.9 proto 186"]


def of(protocol: str) -> list[str]:
    """The routes of a protocol without their mark, and without the numbers of groups."""
    lines = ip(f"-d route show proto {protocol}") + ip(f"-d -6 route show proto {protocol}")
    return [" ".join(words_of(line)) for line in lines.splitlines() if "nh_info" not in line]


def words_of(line: str) -> list[str]:
    words = line.split()
    for name in ("nhid", "proto"):
        if name in words:
            place = words.index(name)
            del words[place : place + 2]
    return words


@pytest.mark.trio
async def test_what_bird_left_is_ours_and_as_it_was() -> None:
    ip_batch([*LEFT, *OTHERS])
    before = of("bird"), of("static"), of("186")
    async with running() as (_, witness), running(taken_over=[BIRD]):
        assert (of(str(PROTOCOL)), of("static"), of("186")) == before
        assert of("bird") == []
        heard = [event for event in await all_heard(witness) if isinstance(event, KernelRouteChanged)]
    assert {str(event.route.prefix) for event in heard if event.present} >= {"10.1.0.0/26", "fd00:3::/122"}
    assert [event for event in heard if not event.present] == []


@pytest.mark.trio
async def test_what_is_wanted_replaces_it_and_the_rest_is_swept() -> None:
    ip_batch(LEFT)
    fib = Fib(PROTOCOL)
    fib.want(Prefix.parse("10.1.0.192/26"), BLACKHOLE)
    async with running(taken_over=[BIRD]) as (kernel, inbox):
        await settle(fib, kernel, inbox)
        assert len(of(str(PROTOCOL))) >= len(LEFT)
        fib.start()
        await settle(fib, kernel, inbox)
        assert of(str(PROTOCOL)) == [f"blackhole 10.1.0.192/26 scope global metric {METRIC}"]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.2", "::", "2001:db8::2"])
def test_a_daemon_that_still_listens_is_not_robbed(address: str) -> None:
    require_nobody_listens()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    told = pytest.raises(DaemonStillRunsError, match="take_over: somebody still listens on TCP port 179")
    with closing(socket.create_server((address, 179), family=family)), told:
        require_nobody_listens()
    require_nobody_listens()
