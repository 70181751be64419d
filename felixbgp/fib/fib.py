"""The forwarding table of the node: wanted routes in, kernel writes out, kernel events back in.

```
   want(prefix, route) ──► FamilyTable (IPv4) ──► replacements, deletions ──► kernel
   start()                 FamilyTable (IPv6)                                    |
   feed(event, now)  ◄───────────────────────────────────────────────────────────┘
```

It never reads a clock and never raises about what the kernel says.
"""

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, assert_never

from felixbgp.fib.hops import is_connected
from felixbgp.fib.table import FamilyTable, Standing
from felixbgp.fib.types import (
    MAIN_TABLE,
    AddressChanged,
    AddressSnapshot,
    DeleteRoutes,
    FibFact,
    KernelInput,
    KernelLost,
    KernelRead,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    KernelUnheard,
    LinkChanged,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Family, Nlri, Prefix

Entry = TypeVar("Entry")

BATCH = 1000
"""Routes per effect: a millisecond of our own work, before and after. The shell asks the kernel for more
together."""

# No `Final`, so that a test can set a smaller one.
READ_AT_ONCE: int = 2000
"""Routes of a snapshot, or prefixes of it, that are looked at in one step: up to 4 ms, interpreted."""


@dataclass(frozen=True, slots=True)
class FibStatistics:
    """Counts of prefixes now (both families), and of writes since the start."""

    wanted: int
    installed: int
    foreign: int
    held: int
    waiting: int
    problems: int
    written: int
    removed: int
    refused: int
    losses: int


class Fib:
    """What the kernel should have against what it has. What carries `protocol` in `table` is ours."""

    def __init__(self, protocol: int, table: int = MAIN_TABLE) -> None:
        self._tables: dict[Family, FamilyTable] = {
            family: FamilyTable(family, protocol, table) for family in (IPV4, IPV6)
        }
        self._protocol = protocol
        self._table = table
        self._inbox: deque[tuple[KernelInput, int]] = deque()
        self.is_reading = False
        """Whether facts about the kernel wait for `read_on`. Meanwhile nothing is written."""
        self._links_up: dict[int, LinkChanged] = {}
        self._ipv4_on: Counter[str] = Counter()
        self._unheard = ""
        self._facts: list[FibFact] = []
        self._written = self._removed = self._refused = self._losses = 0

    def want(self, prefix: Prefix, route: Route | None) -> None:
        """Make `route` the wanted one for `prefix`; None withdraws it. The last call wins."""
        self._tables[prefix.family].want(prefix.nlri, route)

    def want_each(self, routes: Iterable[tuple[Prefix, Route | None]]) -> None:
        """The same for many."""
        table = self._tables[IPV4]
        for prefix, route in routes:
            if prefix[0] is not table.family:
                table = self._tables[prefix[0]]
            table.want(prefix[1], route)

    def start(self) -> None:
        """Everything wanted was said: from now on, what is ours and was never wanted goes too."""
        for table in self._tables.values():
            table.start()

    def feed(self, event: KernelInput, now: int) -> None:
        """Take one fact about the kernel; `now` in nanoseconds.

        What follows a large snapshot waits until all of that is believed, which is for `read_on`.
        """
        if self.is_reading:
            self._inbox.append((event, now))
            return
        self._take(event, now)
        if isinstance(event, KernelSnapshot):
            self.read_on()

    @property
    def is_known(self) -> bool:
        """Whether the routes of both families were read, and nothing was lost since."""
        return all(table.ready for table in self._tables.values())

    def has_own(self) -> bool:
        """Whether the kernel has routes of ours, as far as was fed."""
        return any(table.has_own() for table in self._tables.values()) or any(
            route.protocol == self._protocol and route.table == self._table
            for event, _ in self._inbox
            if isinstance(event, KernelSnapshot)
            for route in event.routes
        )

    def read_on(self) -> None:
        """Believe what was fed, in its order, as far as one step goes."""
        budget = READ_AT_ONCE
        while self.is_reading and budget > 0:
            reading = [table for table in self._tables.values() if table.is_reading]
            if reading:
                budget -= reading[0].read_on(budget)
                if all(table.ready for table in self._tables.values()):
                    self._unheard = ""
            elif self._inbox:
                event, at = self._inbox.popleft()
                budget -= len(event.prefixes) if isinstance(event, RoutesApplied) else 1
                self._take(event, at)
            else:
                self.is_reading = False

    def _take(self, event: KernelInput, now: int) -> None:
        match event:
            case KernelSnapshot(family, routes):
                self._tables[family].begin_reading(routes)
                self.is_reading = True
            case KernelRouteChanged(route, present, alone):
                self._route_changed(route, present=present, alone=alone)
            case RoutesApplied(prefixes, present):
                self._applied(prefixes, present=present)
            case RouteFailed():
                self._refused += 1
                self._tables[event.prefix.family].failed(event, now)
            case LinkChanged():
                self._link_changed(event)
            case AddressSnapshot(addresses):
                self._ipv4_on = Counter(a.interface for a in addresses if a.address.family == IPV4)
            case AddressChanged():
                self._address_changed(event)
            case KernelLost(reason):
                self._lost(reason)
            case KernelRead():
                pass
            case _:
                assert_never(event)

    def replacements(self, now: int, budget: int) -> list[ReplaceRoutes]:
        """Routes to create and to replace, `budget` prefixes at most, in batches of up to 1,000."""
        effects: list[ReplaceRoutes] = []
        if self.is_reading:
            return effects
        for table in self._tables.values():
            table.take_retries(now)
            for take, exclusive in ((table.take_additions, True), (table.take_replacements, False)):
                batches = _batches(take, budget)
                budget -= sum(map(len, batches))
                effects += [ReplaceRoutes(tuple(batch), exclusive) for batch in batches]
        return effects

    def deletions(self, now: int, budget: int) -> list[DeleteRoutes]:
        """Routes of ours to remove, `budget` prefixes at most, in batches of up to 1,000."""
        effects: list[DeleteRoutes] = []
        if self.is_reading:
            return effects
        for table in self._tables.values():
            table.take_retries(now)
            batches = _batches(table.take_deletions, budget)
            budget -= sum(map(len, batches))
            effects += [DeleteRoutes(tuple(batch)) for batch in batches]
        return effects

    def next_deadline(self) -> int | None:
        """When to ask again: 0 when a write could be taken now, else the earliest retry, else None."""
        if self.is_reading:
            return 0
        deadlines = (table.next_deadline() for table in self._tables.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def held(self) -> Mapping[Family, Container[bytes]]:
        """NLRI that are wanted and not yet in the kernel as wanted; a live view."""
        return {family: table.held for family, table in self._tables.items()}

    def take_released(self) -> dict[Family, list[Nlri]]:
        """NLRI that stopped being held since the last call: taken by the kernel, or no longer wanted."""
        taken = {family: table.take_released() for family, table in self._tables.items()}
        return {family: released for family, released in taken.items() if released}

    def has_foreign_changes(self) -> bool:
        """Whether `take_foreign_changes` may have something to tell."""
        return any(table.foreign.has_changes() for table in self._tables.values())

    def take_foreign_changes(self, budget: int) -> list[tuple[Prefix, KernelRoute | None]]:
        """Prefixes whose best route of others (lowest metric) changed, with it; None when it left.

        Looks at up to `budget` prefixes of each family.
        """
        return [
            (Prefix(family, nlri), best)
            for family, table in self._tables.items()
            for nlri, best in table.foreign.take_changes(budget)
        ]

    def has_used_changes(self) -> bool:
        """Whether `take_used_changes` may have something to tell."""
        return any(table.foreign.has_used_changes() for table in self._tables.values())

    def take_used_changes(self, budget: int) -> list[tuple[Prefix, KernelRoute | None]]:
        """The same for the best of all foreign routes: where packets would go if we had none."""
        return [
            (Prefix(family, nlri), best)
            for family, table in self._tables.items()
            for nlri, best in table.foreign.take_used_changes(budget)
        ]

    def foreign(self, family: Family, limit: int) -> list[KernelRoute]:
        """The routes of everybody else, `limit` of them at most; the same ones while nothing changes."""
        return list(islice(self._tables[family].foreign, limit))

    def own(self, family: Family, limit: int) -> list[tuple[Prefix, Route]]:
        """Our routes as the kernel is believed to have them, `limit` of them at most."""
        return [(Prefix(family, nlri), route) for nlri, route in islice(self._tables[family].own, limit)]

    def wanted(self, prefix: Prefix) -> Route | None:
        """The route of ours that a prefix shall have in the kernel; None for none."""
        return self._tables[prefix.family].wanted.get(prefix.nlri)

    def former(self, prefix: Prefix) -> Route | None:
        """Before `start`: the route of ours that was found where one is wanted; None for none."""
        return self._tables[prefix.family].former(prefix.nlri)

    def all_wanted(self, family: Family) -> dict[Nlri, Route]:
        """Everything that is wanted in a family, at this moment; a copy."""
        return dict(self._tables[family].wanted.items())

    def in_work(self, family: Family) -> dict[Nlri, None]:
        """The prefixes that are known not to be as wanted, or to have more than that; a copy."""
        return self._tables[family].in_work()

    def routes(self, prefix: Prefix) -> tuple[KernelRoute, ...]:
        """All routes of a prefix in the kernel, as far as is known, ours first."""
        return self._tables[prefix.family].routes(prefix.nlri)

    def standing(self, prefix: Prefix) -> Standing:
        """How far one prefix is."""
        return self._tables[prefix.family].standing(prefix.nlri)

    def take_facts(self) -> list[FibFact]:
        """What is worth telling an operator since the last call."""
        facts, self._facts = self._facts, []
        return facts + [fact for table in self._tables.values() for fact in table.take_facts()]

    def unheard(self) -> str:
        """Why the kernel is not heard at the moment, so that nothing is written; "" when it is."""
        return self._unheard

    def problems(self) -> dict[Prefix, str]:
        """The prefixes that are not as wanted although tried, and why."""
        return {
            Prefix(family, nlri): reason
            for family, table in self._tables.items()
            for nlri, reason in table.problems.items()
        }

    def statistics(self) -> FibStatistics:
        """Counts, made now."""
        tables = self._tables.values()
        return FibStatistics(
            wanted=sum(len(table.wanted) for table in tables),
            installed=sum(len(table.own) for table in tables),
            foreign=sum(len(table.foreign) for table in tables),
            held=sum(len(table.held) for table in tables),
            waiting=sum(table.waiting for table in tables),
            problems=sum(len(table.problems) for table in tables),
            written=self._written,
            removed=self._removed,
            refused=self._refused,
            losses=self._losses,
        )

    def counts_by_family(self) -> dict[Family, tuple[int, int]]:
        """How many prefixes are wanted, and how many of ours are there."""
        return {family: (len(table.wanted), len(table.own)) for family, table in self._tables.items()}

    def _lost(self, reason: str) -> None:
        self._losses += 1
        for table in self._tables.values():
            table.ready = False
        if reason != self._unheard:
            self._unheard = reason
            self._facts.append(KernelUnheard(reason))

    def _applied(self, prefixes: tuple[Prefix, ...], *, present: bool) -> None:
        if present:
            self._written += len(prefixes)
        else:
            self._removed += len(prefixes)
        table = self._tables[IPV4]
        for prefix in prefixes:
            if prefix[0] is not table.family:
                table = self._tables[prefix[0]]
            table.applied(prefix[1])

    def _route_changed(self, route: KernelRoute, *, present: bool, alone: bool) -> None:
        self._tables[route.prefix.family].route_changed(route, present=present, alone=alone)
        if not is_connected(route.route):
            return
        # An IPv4 route may have an IPv6 gateway (RFC 9229), hence both tables.
        for table in self._tables.values():
            interface = route.route.next_hops[0].interface
            if present:
                table.mended_by_route(route.prefix, interface)
            else:
                table.learn_interface(route.prefix, interface)

    def _link_changed(self, link: LinkChanged) -> None:
        known = self._links_up.pop(link.index, None)
        name = None if known is None else known.name
        if not (link.present and link.up):
            for lost in dict.fromkeys((name, link.name)):
                if lost is not None:
                    self._lose_interface(lost, (IPV4, IPV6), is_removed=not link.present)
            return
        self._links_up[link.index] = link
        # A next hop without carrier is refused to a route with several, if the kernel has groups for these.
        has_carrier_again = link.carrier and known is not None and not known.carrier
        for table in self._tables.values():
            if name is not None and name != link.name:
                table.rename_interface(name, link.name)
            if name != link.name or has_carrier_again:
                table.mended_by_link(link.name)

    def _lose_interface(self, name: str, families: Iterable[Family], *, is_removed: bool = False) -> None:
        # First of all tables which gateways are reached through it: RFC 9229, as above.
        for prefix in [link for table in self._tables.values() for link in table.links_through(name)]:
            for table in self._tables.values():
                table.learn_interface(prefix, name)
        for family in families:
            self._tables[family].lose_interface(name, is_removed=is_removed)

    def _address_changed(self, change: AddressChanged) -> None:
        """The kernel tells of the routes that come and go with an address, but for those with the last one.

        An interface that loses its last IPv4 address loses all of its IPv4 routes, as if it went down.
        """
        interface = change.address.interface
        if change.address.address.family != IPV4:
            return
        self._ipv4_on[interface] += 1 if change.present else -1
        if self._ipv4_on[interface] <= 0:
            del self._ipv4_on[interface]
            self._lose_interface(interface, (IPV4,))


def _batches(take: Callable[[int], list[Entry]], budget: int) -> list[list[Entry]]:
    """Call `take(limit)` until it has no more or the budget is used up."""
    batches: list[list[Entry]] = []
    while budget > 0 and (batch := take(min(budget, BATCH))):
        batches.append(batch)
        budget -= len(batch)
    return batches
