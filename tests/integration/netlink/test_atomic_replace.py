"""A prefix that changes what it leads to is never absent: a reader looks it up all the while.

With `-s` each test prints what the reader counted, and how often the route was changed meanwhile.

Other prefixes lead everywhere that this one ever leads to. What an IPv4 route leads to, the kernel keeps once
for all routes that share it, and marks it dead when the last of them is replaced: a lookup that has come to
the route and not yet to the mark passes the route over (`fib_dead`). `ip route replace` has that gap, too;
how seldom it is met is in docs/measurements.md.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import count, cycle, permutations

import pytest

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import (
    DeleteRoutes,
    NextHop,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import Prefix
from tests.integration.netlink.conftest import METRIC, PROTOCOL, ip, ip_batch, running, settle
from tests.integration.netlink.test_kernel import unicast, via
from tests.support.lookups import Counted, reading

pytestmark = pytest.mark.trio

LOOKUPS = 60_000
"""A second or more of a process, and every change of form once or several times."""

P4, P6 = Prefix.parse("10.1.2.0/24"), Prefix.parse("fd00:1::/64")
MORE_LINKS = """\
link add eth2 type veth peer name eth3
link set eth2 up
link set eth3 up
addr add 203.0.113.2/25 dev eth2
addr add 203.0.113.130/25 dev eth3
addr add 2001:db8:2::2/64 dev eth2 nodad
addr add 2001:db8:3::2/64 dev eth3 nodad""".splitlines()

A4, B4, C4 = via("192.0.2.1"), via("198.51.100.1", "eth1"), via("203.0.113.1", "eth2")
A6, B6, C6 = via("2001:db8::1"), via("2001:db8:1::1", "eth1"), via("2001:db8:2::1", "eth2")
FORMS = {
    P4: {
        "single": unicast(A4),
        "other single": unicast(B4),
        "third single": unicast(C4),
        "multipath": unicast(A4, B4),
        "other multipath": unicast(B4._replace(weight=3), C4),
        "three next hops": unicast(A4, B4, C4),
        "onlink": unicast(via("10.9.9.9", "eth3", onlink=True)),
        "interface": unicast(NextHop(None, "eth3")),
        "gateway of the other family": unicast(via("2001:db8:3::1", "eth3")),
        "blackhole": Route(RouteKind.BLACKHOLE),
        "unreachable": Route(RouteKind.UNREACHABLE),
    },
    P6: {
        "single": unicast(A6),
        "other single": unicast(B6),
        "third single": unicast(C6),
        "multipath": unicast(A6, B6),
        "other multipath": unicast(B6._replace(weight=3), C6),
        "three next hops": unicast(A6, B6, C6),
        "onlink": unicast(via("fd00:9::9", "eth3", onlink=True)),
        "interface": unicast(NextHop(None, "eth3")),
        "link-local gateway": unicast(via("fe80::1", "eth3")),
        "blackhole": Route(RouteKind.BLACKHOLE),
        "unreachable": Route(RouteKind.UNREACHABLE),
    },
}
"""Each is changed into each other one, and back."""
ANSWERS = {
    P4: {"192.0.2.2", "198.51.100.2", "203.0.113.2", "203.0.113.130", "EINVAL", "EHOSTUNREACH"},
    P6: {"2001:db8::2", "2001:db8:1::2", "2001:db8:2::2", "2001:db8:3::2", "EINVAL", "EHOSTUNREACH"},
}
"""Our own addresses on the four links, and what a blackhole and an unreachable route answer."""
REFUSED = {
    P4: (unicast(via("10.9.9.9")), unicast(A4, via("10.9.9.9")), unicast(via("10.9.9.9"), A4, B4)),
    P6: (unicast(via("fd00:9::9")), unicast(A6, via("fd00:9::9")), unicast(A6, A6._replace(weight=3))),
}
"""What the kernel does not take: a gateway on no link, and for IPv6 two next hops that are one."""
FAMILIES = pytest.mark.parametrize("prefix", [P4, P6], ids=["IPv4", "IPv6"])


@pytest.fixture(autouse=True)
def _links(namespace: None) -> None:  # noqa: ARG001 - made before
    ip_batch(MORE_LINKS)


def others(prefix: Prefix) -> Iterator[Prefix]:
    """Prefixes that nobody looks up."""
    return map(
        Prefix.parse,
        (f"10.9.{number}.0/24" if prefix == P4 else f"fd00:9:{number}::/64" for number in count(1)),
    )


def changes(forms: Iterable[Route]) -> Iterator[Route]:
    """For ever, every form after every other one."""
    for pair in cycle(permutations(forms, 2)):
        yield from pair


async def watched(
    prefix: Prefix, write: Callable[[Prefix, Route], Awaitable[object]], *more_forms: Route
) -> Counted:
    """Change the route until a reader has ended; the first form is there before it begins.

    Each form stays until the reader has looked up every address once.
    """
    all_forms = (*FORMS[prefix].values(), *more_forms)
    for other, form in zip(others(prefix), all_forms, strict=False):
        await write(other, form)
    forms, written = changes(all_forms), 0
    await write(prefix, next(forms))
    with reading(str(prefix.address), LOOKUPS) as reader:
        while await reader.whole_round():
            await write(prefix, next(forms))
            written += 1
        counted = reader.counted()
    print(f"\n{prefix} changed {written} times; {counted}")  # noqa: T201 - for who wants the counts
    return counted


@FAMILIES
async def test_a_route_that_is_replaced_is_never_absent(prefix: Prefix) -> None:
    async with running() as (kernel, _):
        await kernel.apply(ReplaceRoutes(((prefix, Route(RouteKind.PROHIBIT)),), exclusive=True))

        async def write(which: Prefix, route: Route) -> None:
            done = [RoutesApplied((which,), present=True)]
            assert await kernel.apply(ReplaceRoutes(((which, route),), exclusive=which != prefix)) == done

        counted = await watched(prefix, write)
    assert counted.failures == 0, str(counted)
    assert counted.answers.keys() == ANSWERS[prefix], str(counted)


@FAMILIES
async def test_a_route_that_is_wanted_otherwise_is_never_absent(prefix: Prefix) -> None:
    """The same by way of the fib, which decides whether to create, to replace or to delete.

    With other metrics as well, which to the kernel are other routes.
    """
    fib = Fib(PROTOCOL)
    fib.start()
    async with running() as (kernel, inbox):

        async def write(which: Prefix, route: Route) -> None:
            fib.want(which, route)
            await settle(fib, kernel, inbox)
            assert fib.problems() == {}

        forms = FORMS[prefix]
        better, worse = (forms["single"]._replace(metric=METRIC + change) for change in (-1, 1))
        counted = await watched(prefix, write, better, worse, forms["multipath"]._replace(metric=METRIC + 1))
    assert counted.failures == 0, str(counted)
    assert counted.answers.keys() == ANSWERS[prefix], str(counted)


@FAMILIES
async def test_a_change_that_the_kernel_refuses_leaves_the_route_as_it_was(prefix: Prefix) -> None:
    refused = cycle(REFUSED[prefix])
    async with running() as (kernel, _):
        await kernel.apply(ReplaceRoutes(((prefix, FORMS[prefix]["single"]),), exclusive=True))

        async def write(which: Prefix, route: Route) -> None:
            before = ip(f"route show {prefix}")
            (answer,) = await kernel.apply(ReplaceRoutes(((prefix, next(refused)),)))
            assert isinstance(answer, RouteFailed), answer
            assert ip(f"route show {prefix}") == before
            await kernel.apply(ReplaceRoutes(((which, route),), exclusive=which != prefix))

        counted = await watched(prefix, write)
    assert counted.failures == 0, str(counted)


@FAMILIES
async def test_the_reader_notices_a_route_that_is_deleted_and_added(prefix: Prefix) -> None:
    """What the tests above say of a writer that does as BIRD does."""
    async with running() as (kernel, _):

        async def write(which: Prefix, route: Route) -> None:
            await kernel.apply(DeleteRoutes((RouteKey(which, METRIC),)))
            await kernel.apply(ReplaceRoutes(((which, route),), exclusive=True))

        counted = await watched(prefix, write)
    assert counted.failures > 0, str(counted)
