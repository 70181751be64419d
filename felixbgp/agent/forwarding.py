"""From the Loc-RIB's entries to wanted kernel routes."""

from collections.abc import Iterable, Iterator, Sequence

from felixbgp.agent.origination import BLACKHOLE
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Prefix


class Forwarding:
    """Keeps the selected routes, so that a change of the excluded ranges needs no new decision."""

    def __init__(self) -> None:
        self._selected: dict[Prefix, Selected] = {}
        self._excluded: tuple[Prefix, ...] = ()

    def exclude(self, ranges: Sequence[Prefix]) -> Iterator[tuple[Prefix, Route | None]]:
        """Keep BGP routes inside these ranges out of the kernel; gives the routes that this changes."""
        if tuple(ranges) == self._excluded:
            return
        before = {prefix: self._route(prefix) for prefix in self._selected}
        self._excluded = tuple(ranges)
        for prefix, route in before.items():
            if (wanted := self._route(prefix)) != route:
                yield prefix, wanted

    def select(self, changes: Iterable[RouteChange]) -> Iterator[tuple[Prefix, Route | None]]:
        """Take changes of the Loc-RIB; gives the kernel route each prefix shall have, None for none."""
        for family, nlri, selected in changes:
            prefix = Prefix(family, nlri)
            if selected is None:
                self._selected.pop(prefix, None)
            else:
                self._selected[prefix] = selected
            yield prefix, self._route(prefix)

    def _route(self, prefix: Prefix) -> Route | None:
        selected = self._selected.get(prefix)
        if selected is None:
            return None
        if selected.source is RouteSource.AGGREGATE:
            return BLACKHOLE
        if selected.source is not RouteSource.BGP:
            return None  # it is in the kernel already: that is where we found it
        if any(excluded.covers(prefix) for excluded in self._excluded):
            return None
        return Route(RouteKind.UNICAST, tuple(NextHop(gateway) for gateway in selected.next_hops))
