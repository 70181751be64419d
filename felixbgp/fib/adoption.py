"""A complete view of a family is believed part by part: a large table would hold everybody up for long.

    the view ─ group: ours, others' ─▶ gone, ours ─▶ there, ours ─▶ gone, others' ─▶ there, others' ─▶ settle
                                       └────── prefixes that differ from what was believed ──────┘

Nothing is concluded from what is missing before all of the view was grouped.
"""

from felixbgp.fib.foreign import ForeignRoutes
from felixbgp.fib.hops import alive
from felixbgp.fib.own import OwnRoutes
from felixbgp.fib.types import KernelRoute, Route
from felixbgp.net import Nlri
from felixbgp.net.table import Table

PHASES = 4


class Adoption:
    """One view on its way into what is believed of our own and of foreign routes."""

    __slots__ = (
        "_alone", "_changed", "_foreign", "_foreign_there", "_nlris", "_own", "_own_there", "_phase",
        "_position", "_protocol", "_routes", "_table",
    )  # fmt: skip

    def __init__(
        self,
        routes: tuple[KernelRoute, ...],
        own: OwnRoutes,
        foreign: ForeignRoutes,
        protocol: int,
        table: int,
    ) -> None:
        self._routes = routes
        self._own = own
        self._foreign = foreign
        self._protocol = protocol
        self._table = table
        self._own_there: Table[tuple[Route, ...]] = Table()
        self._foreign_there: Table[tuple[KernelRoute, ...]] = Table()
        self._alone: tuple[Route, ...] = ()
        self._phase = -1
        self._nlris: list[Nlri] = []
        self._position = 0
        self._changed: dict[Nlri, None] = {}

    def has_own(self) -> bool:
        """Whether there is a route of ours in it."""
        return any(self._is_own(route) for route in self._routes)

    def go_on(self, budget: int) -> int:
        """Look at up to `budget` routes or prefixes; gives how many were looked at, 0 at the end."""
        if self._phase < 0:
            return self._group(budget)
        while self._position == len(self._nlris):
            if self._phase == PHASES:
                return 0
            self._begin_phase(self._phase + 1)
        if self._phase == PHASES:
            return 0
        part = self._nlris[self._position : self._position + budget]
        self._position += len(part)
        if self._phase < 2:
            changed = self._own.replace(part, self._own_there)
        else:
            changed = self._foreign.replace(part, self._foreign_there)
        self._changed.update(dict.fromkeys(changed))
        return len(part)

    def take_changed(self, budget: int) -> list[Nlri]:
        """At the end: the next prefixes at which something differs from what was believed."""
        part = self._nlris[self._position : self._position + budget]
        self._position += len(part)
        return part

    def _group(self, budget: int) -> int:
        part = self._routes[self._position : self._position + budget]
        self._position += len(part)
        for route in part:
            if self._is_own(route):
                self._add_own(route)
            else:
                nlri = route.prefix.nlri
                used = route._replace(route=alive(route.route))
                self._foreign_there.put(nlri, (*(self._foreign_there.get(nlri) or ()), used))
        if self._position == len(self._routes):
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

    def _begin_phase(self, phase: int) -> None:
        self._phase = phase
        self._position = 0
        if phase == 0:
            self._nlris = self._own.nlris()
        elif phase == 1:
            self._nlris = list(self._own_there.keys())
        elif phase == 2:
            self._nlris = self._foreign.nlris()
        elif phase == 3:
            self._nlris = list(self._foreign_there.keys())
        else:
            self._nlris = list(self._changed)

    def _is_own(self, route: KernelRoute) -> bool:
        return route.protocol == self._protocol and route.table == self._table
