"""The kernel's routing table: watched, read again when in doubt, and written.

```
   apply ──► RouteWriter ──► kernel ──► monitor ──► _hear ───┐
                 │                 └──► dumps ──► _keep_fresh ├──► deliver
                 └── answers, EEXIST: ask for a dump ─────────┘
```

One lock puts these in order: a dump is newer than every event that waits behind it and than every write
before it, and nothing is delivered between what it saw and its own delivery.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from errno import EAGAIN, EEXIST, EIO, ENOBUFS, ENOENT

import trio

from felixbgp.fib.types import (
    MAIN_TABLE,
    DeleteRoutes,
    KernelEffect,
    KernelInput,
    KernelLost,
    KernelRead,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    NextHop,
    RouteFailed,
)
from felixbgp.net import IPV4, IPV6, Family
from felixbgp.runtime.netlink.addresses import Addresses
from felixbgp.runtime.netlink.decode import RouteReader, decode_address, decode_link, decode_route_by_object
from felixbgp.runtime.netlink.encode import RouteEncoder, dump_addresses, dump_links, dump_routes
from felixbgp.runtime.netlink.groups import Groups
from felixbgp.runtime.netlink.links import Links
from felixbgp.runtime.netlink.messages import (
    NLM_F_REPLACE,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    Message,
    split_messages,
)
from felixbgp.runtime.netlink.nexthops import (
    RTM_DELNEXTHOP,
    RTM_NEWNEXTHOP,
    RTNLGRP_NEXTHOP,
    decode_object,
    dump_objects,
)
from felixbgp.runtime.netlink.sockets import (
    DATAGRAM_OCTETS_MAX,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_LINK,
    dump,
    is_readable,
    keep_away,
    open_netlink,
)
from felixbgp.runtime.netlink.takeover import take_over
from felixbgp.runtime.netlink.writer import RouteWriter
from felixbgp.runtime.sockets import reason_of
from felixbgp.runtime.telemetry import LOGGER

GROUPS = (
    RTNLGRP_LINK,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
)
EVENTS_OCTETS = 32 << 20
"""Room for the events of some 50,000 routes; with the usual 200 KiB, 10,000 at once were too many."""
RESYNC_SECONDS = 60
"""How often the table is read although no event was lost: what goes wrong unheard lasts no longer."""
DATAGRAMS_MAX = 256
"""Taken at once: some milliseconds of work, as much as the agent does between two looks at its peers."""
PAUSE_SECONDS = 1
"""Between two tries to read a table that changes while it is read, or a socket that fails."""

_BELIEF_WAS_WRONG = (EEXIST, ENOENT, ENOBUFS, EAGAIN, EIO)
"""Errors after which the table is read again: somebody was there before us, or an answer was lost."""

Deliver = Callable[[Iterable[KernelInput]], None]


class Kernel:
    """One routing table of this network namespace; what is written there carries `protocol`.

    The main table is read beside it: whatever the table of ours is, the links are in that one.
    """

    def __init__(self, protocol: int, table: int, taken_over: Sequence[int] = ()) -> None:
        """Open the socket that writes. Routes of the protocols `taken_over` become ours at the start.

        Raises:
            OSError: no netlink here.
        """
        self._table = table
        self._taken_over = taken_over
        self._tables = tuple(dict.fromkeys((table, MAIN_TABLE)))
        self._links = Links()
        self._addresses = Addresses(self._links.name_of)
        self._groups = Groups(protocol, table)
        encoder = RouteEncoder(protocol, table, self._links.index_of)
        self._writer = RouteWriter(encoder, self._groups, self._links)
        self._order = trio.Lock()
        self._doubted: dict[Family, None] = {}
        self._in_doubt = trio.Event()
        self._asked = False

    async def run(
        self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Deliver links, addresses and routes as they are, then (started) as they change, for ever.

        Raises:
            OSError: the kernel did not let us read at the start.
        """
        self._groups.usable = await self._writer.kernel_has_groups()
        if not self._groups.usable:
            LOGGER.warning("this kernel has no resilient next-hop groups: flows move when ECMP changes")
        groups = (*GROUPS, RTNLGRP_NEXTHOP) if self._groups.usable else GROUPS
        # Subscribed before the first look, so that nothing happens between the two.
        with open_netlink(EVENTS_OCTETS, groups) as monitor:
            keep_away(monitor, self._writer.port)
            await self._read_links(deliver)
            await self._read_objects(deliver)
            if self._taken_over:
                await take_over(self._writer, self._links, self._table, self._taken_over)
            for family in (IPV4, IPV6):
                await self._read_routes(family, deliver)
            task_status.started()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_fresh, deliver)
                await self._hear(monitor, deliver)
                while True:
                    with await _subscribe(groups) as another:
                        keep_away(another, self._writer.port)
                        self._doubt(IPV4, IPV6)
                        await self._hear(another, deliver)

    async def apply(self, *effects: KernelEffect) -> list[KernelInput]:
        """Carry out effects, each of other prefixes; the result names every prefix of them once."""
        async with self._order:
            results = await self._writer.write(*effects)
        if self._groups.in_doubt:
            self._doubt()
        if not self._groups.knows_users:
            self._doubt(IPV4, IPV6)
        for result in results:
            if isinstance(result, RouteFailed) and result.errno in _BELIEF_WAS_WRONG:
                self._doubt(result.prefix.family)
        for effect in effects:
            if isinstance(effect, DeleteRoutes) and 0 in [key[1] for key in effect.routes]:
                # Such a request names no metric: was the route gone, the kernel took another one of ours.
                self._doubt(IPV4, IPV6)
        return results

    def read_again(self) -> None:
        """Have everything read and delivered, then a `KernelRead`; it returns at once."""
        self._asked = True
        self._doubt(IPV4, IPV6)

    def close(self) -> None:
        """Close the socket that writes; routes stay."""
        self._writer.close()

    # -- reading everything -----------------------------------------------------------------------------

    async def _keep_fresh(self, deliver: Deliver) -> None:
        while True:
            with trio.move_on_after(RESYNC_SECONDS) as waited:
                await self._in_doubt.wait()
            self._in_doubt = trio.Event()
            families, self._doubted = list(self._doubted), {}
            asked, self._asked = self._asked, False
            try:
                if waited.cancelled_caught or len(families) > 1:
                    families = [IPV4, IPV6]
                    await self._read_links(deliver)
                await self._read_objects(deliver)
                for family in families:
                    await self._read_routes(family, deliver)
                if asked:
                    deliver([KernelRead()])
            except OSError as error:
                deliver([KernelLost(str(error))])
                self._asked = self._asked or asked
                await trio.sleep(PAUSE_SECONDS)
                self._doubt(IPV4, IPV6)

    async def _read_links(self, deliver: Deliver) -> None:
        """Deliver how the links differ from what was known, and all addresses on them."""
        async with self._order:
            links = await dump(dump_links(), lambda message: decode_link(message.body))
            addresses = await dump(dump_addresses(), lambda message: decode_address(message.body))
            deliver([*self._links.replace_all(links), self._addresses.replace_all(addresses)])

    async def _read_objects(self, deliver: Deliver) -> None:
        """Deliver how the routes of ours differ by what their nexthop objects are."""
        if self._groups.usable:
            async with self._order:
                deliver(await self._changes_by_objects())

    async def _changes_by_objects(self) -> list[KernelRouteChanged]:
        objects = await dump(dump_objects(), lambda message: decode_object(message.body))
        return self._groups.read(objects, self._links.name_of)

    async def _read_routes(self, family: Family, deliver: Deliver) -> None:
        async with self._order:
            found: list[tuple[KernelRoute, int]] = []
            reader = RouteReader(self._tables, self._links.name_of, self._hops_of)
            for table in self._tables:
                # A table comes to be with its first route.
                with suppress(FileNotFoundError):
                    found += await dump(dump_routes(family, table), lambda message: reader.read(message.body))
            self._groups.forget_users(family)
            for route, number in found:
                if number:
                    self._groups.found(route, number)
            await self._writer.tidy()
            deliver([KernelSnapshot(family, tuple(route for route, _ in found))])

    def _doubt(self, *families: Family) -> None:
        """Have the tables of these families read again, and the nexthop objects in any case."""
        self._doubted |= dict.fromkeys(families)
        self._in_doubt.set()

    # -- reading what changes ---------------------------------------------------------------------------

    async def _hear(self, monitor: trio.socket.SocketType, deliver: Deliver) -> None:
        """Deliver what happens, until something was lost: from then on this socket is of no use.

        One whose queue overflowed loses everything until it was read to its end, and says so only once.
        """
        try:
            while True:
                await trio.lowlevel.wait_readable(monitor)
                async with self._order:
                    await self._take(monitor, deliver)
        except OSError as error:
            monitor.close()
            self._groups.lose_users()
            deliver([KernelLost(reason_of(error))])
            if error.errno != ENOBUFS:
                await trio.sleep(PAUSE_SECONDS)

    async def _take(self, monitor: trio.socket.SocketType, deliver: Deliver) -> None:
        """Deliver what is there, together: who changes many routes sends a datagram for each."""
        events: list[KernelInput] = []
        try:
            for _ in range(DATAGRAMS_MAX):
                events += self._events(await monitor.recv(DATAGRAM_OCTETS_MAX))
                if not is_readable(monitor):
                    break
            # With the rest: what an interface took along and what groups still have of it is one story.
            if self._groups.in_doubt:
                events += await self._changes_by_objects()
        finally:
            deliver(events)

    def _events(self, datagram: bytes) -> Iterator[KernelInput]:
        for message in split_messages(datagram):
            if message.type in (RTM_NEWLINK, RTM_DELLINK):
                yield from self._link_events(message)
            elif message.type in (RTM_NEWADDR, RTM_DELADDR):
                address = decode_address(message.body)
                if address is not None:
                    change = self._addresses.changed(address, present=message.type == RTM_NEWADDR)
                    if change is not None:
                        self._groups.heard_of_link(address.link, is_news=not change.present)
                        yield change
            elif message.type in (RTM_NEWROUTE, RTM_DELROUTE) and message.port != self._writer.port:
                found = self._route(message)
                present = message.type == RTM_NEWROUTE
                route = None if found is None else self._groups.told(*found, present=present)
                if route is not None:
                    # Only a replacement is known to have nothing beside it; a new route may be one more.
                    alone = bool(message.flags & NLM_F_REPLACE)
                    yield KernelRouteChanged(route, present, alone)
            elif message.type in (RTM_NEWNEXTHOP, RTM_DELNEXTHOP) and message.port != self._writer.port:
                known_object = decode_object(message.body)
                if known_object is not None:
                    self._groups.heard(known_object, present=message.type == RTM_NEWNEXTHOP)

    def _link_events(self, message: Message) -> Iterator[KernelInput]:
        link = decode_link(message.body)
        if link is None:
            return
        links = self._links
        former_name = links.name_of(link.index)
        change = links.removed(link.index) if message.type == RTM_DELLINK else links.changed(link)
        self._groups.heard_of_link(link.index, is_news=change is not None)
        if change is not None:
            yield change
            if change.name != former_name and self._addresses.are_on(change.index):
                # Addresses are known by the name of their interface, which is another now.
                yield self._addresses.snapshot()

    def _route(self, message: Message) -> tuple[KernelRoute, int] | None:
        """The route, and the number of its nexthop object."""
        return decode_route_by_object(message.body, self._tables, self._links.name_of, self._hops_of)

    def _hops_of(self, number: int) -> tuple[NextHop, ...] | None:
        return self._groups.hops_of(number, self._links.name_of)


async def _subscribe(groups: tuple[int, ...]) -> trio.socket.SocketType:
    """Another socket that hears of everything, as soon as there can be one."""
    while True:
        try:
            return open_netlink(EVENTS_OCTETS, groups)
        except OSError:
            await trio.sleep(PAUSE_SECONDS)
