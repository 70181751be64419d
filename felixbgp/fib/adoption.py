"""A complete view of a family is believed part by part: a large table would hold everybody up for long.

    the view ─ group: ours, others' ─▶ gone, ours ─▶ there, ours ─▶ gone, others' ─▶ there, others' ─▶ settle
                                       └────── prefixes that differ from what was believed ──────┘

Nothing is concluded from what is missing before all of the view was grouped. What is not needed any more goes
part by part, too: to free half a million routes at once takes 50 ms.
"""

from collections import deque

from felixbgp.fib.foreign import ForeignRoutes
from felixbgp.fib.hops import alive
from felixbgp.fib.own import OwnRoutes
from felixbgp.fib.types import KernelRoute, Route
from felixbgp.net import Nlri
from felixbgp.net.table import Table, Walk

PHASES = 4


class Adoption:
    """One view on its way into what is believed of our own and of foreign routes."""

    __slots__ = (
        "_alone", "_changed", "_foreign", "_foreign_there", "_nlris", "_own", "_own_there", "_phase",
        "_protocol", "_routes", "_table", "_walk",
    )  # fmt: skip

    def __init__(
        self,
        routes: tuple[KernelRoute, ...],
        own: OwnRoutes,
        foreign: ForeignRoutes,
        protocol: int,
        table: int,
    ) -> None:
        self._routes = list(reversed(routes))
        """Those that are not grouped yet, the next one last."""
        self._own = own
        self._foreign = foreign
        self._protocol = protocol
        self._table = table
        self._own_there: Table[tuple[Route, ...]] = Table()
        self._foreign_there: Table[tuple[KernelRoute, ...]] = Table()
        self._alone: tuple[Route, ...] = ()
        self._phase = -1
        self._walk: Walk[tuple[Route, ...]] | Walk[tuple[KernelRoute, ...]] = own.walk()
        self._nlris: list[Nlri] = []
        """The rest of the part of it that was met last."""
        self._changed: deque[list[Nlri]] = deque()

    def has_own(self) -> bool:
        """Whether there is a route of ours in it."""
        return len(self._own_there) > 0 or any(self._is_own(route) for route in self._routes)

    def go_on(self, budget: int) -> int:
        """Look at up to `budget` routes or prefixes; gives how many were looked at, 0 at the end."""
        if self._phase < 0:
            return self._group(budget)
        part = self._next(budget)
        if not part:
            return 0
        if self._phase < 2:
            changed = self._own.replace(part, self._own_there)
        else:
            changed = self._foreign.replace(part, self._foreign_there)
        if changed:
            self._changed.append(changed)
        return len(part)

    def take_changed(self) -> list[Nlri]:
        """At the end: the next prefixes at which something differs from what was believed, one step's."""
        return self._changed.popleft() if self._changed else []

    def forget(self, budget: int) -> int:
        """After that: let go of up to `budget` prefixes of the view; gives of how many."""
        return len(self._own_there.take(budget)) or len(self._foreign_there.take(budget))

    def _group(self, budget: int) -> int:
        part = self._routes[-budget:]
        del self._routes[-budget:]
        for route in reversed(part):
            if self._is_own(route):
                self._add_own(route)
            else:
                nlri = route.prefix.nlri
                used = route._replace(route=alive(route.route))
                self._foreign_there.put(nlri, (*(self._foreign_there.get(nlri) or ()), used))
        if not self._routes:
            self._begin_phase(0)
        return max(1, len(part))

    def _add_own(self, route: KernelRoute) -> None:
        nlri = route.prefix.nlri
        before = self._own_there.get(nlri)
        if before is None:
            alone = self._alone
            if not alone or alone[0] is not route.route:
                alone = self._alone = (route.route,)
            self._own_there.put(nlri, alone)
        elif all(other.metric != route.metric for other in before):
            # Of two that were appended to one metric, the kernel lists the one it uses first.
            self._own_there.put(nlri, (*before, route.route))

    def _next(self, budget: int) -> list[Nlri]:
        """Up to `budget` prefixes of this phase, or of the next one that has some; none: that was all."""
        while not self._nlris:
            if self._phase == PHASES:
                return []
            part = self._walk.part()
            if part is None:
                self._begin_phase(self._phase + 1)
            else:
                self._nlris = list(part.entries)
        nlris, self._nlris = self._nlris[:budget], self._nlris[budget:]
        return nlris

    def _begin_phase(self, phase: int) -> None:
        self._phase = phase
        if phase == 0:
            self._walk = self._own.walk()
        elif phase == 1:
            self._walk = Walk(self._own_there)
        elif phase == 2:
            self._walk = self._foreign.walk()
        elif phase == 3:
            self._walk = Walk(self._foreign_there)

    def _is_own(self, route: KernelRoute) -> bool:
        return route.protocol == self._protocol and route.table == self._table
