"""From the Loc-RIB's entries to wanted kernel routes.

A block of our own is a blackhole: what is in it and not running here ends here. A route of a peer leads to
its next hop, inside an IPIP pool through the tunnel. Some ranges stay out of the kernel altogether. A static
route to a peer is there in any case, and before anything is selected: the session needs it.
"""

from collections.abc import Iterable, Iterator, Sequence

from felixbgp.agent.config import ROUTE_METRIC
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.intent.types import StaticRoute, Tunnel
from felixbgp.net import Address, Prefix


class Forwarding:
    """Keeps the selected routes, so that another set of ranges needs no new decision."""

    def __init__(self, metric: int = ROUTE_METRIC) -> None:
        """Give every route this metric."""
        self._metric = metric
        self._selected: dict[Prefix, Selected] = {}
        self._excluded: tuple[Prefix, ...] = ()
        self._tunnels: tuple[Tunnel, ...] = ()
        self._static: dict[Prefix, Route] = {}

    def configure(
        self, excluded: Sequence[Prefix], tunnels: Sequence[Tunnel], static: Sequence[StaticRoute] = ()
    ) -> Iterator[tuple[Prefix, Route | None]]:
        """State the ranges to keep out of the kernel, the IPIP pools, and the static routes.

        Gives the routes this changes.
        """
        routes = {prefix: self._unicast(NextHop(gateway)) for prefix, gateway in static}
        if (tuple(excluded), tuple(tunnels), routes) == (self._excluded, self._tunnels, self._static):
            return
        before = {prefix: self._route(prefix) for prefix in (*self._selected, *self._static, *routes)}
        self._excluded, self._tunnels, self._static = tuple(excluded), tuple(tunnels), routes
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
        if (static := self._static.get(prefix)) is not None:
            return static
        selected = self._selected.get(prefix)
        if selected is None or any(excluded.covers(prefix) for excluded in self._excluded):
            return None
        if selected.source is RouteSource.AGGREGATE:
            return Route(RouteKind.BLACKHOLE, (), self._metric)
        if selected.source is not RouteSource.BGP:
            return None  # it is in the kernel already: that is where we found it
        tunnel = next((tunnel for tunnel in self._tunnels if tunnel.pool.covers(prefix)), None)
        hops = (_next_hop(gateway, tunnel) for gateway in selected.next_hops)
        return self._unicast(*sorted(hops))

    def _unicast(self, *hops: NextHop) -> Route:
        return Route(RouteKind.UNICAST, hops, self._metric)


def _next_hop(gateway: Address, tunnel: Tunnel | None) -> NextHop:
    if tunnel is None or (tunnel.direct is not None and tunnel.direct.contains(gateway)):
        return NextHop(gateway)
    return NextHop(gateway, tunnel.interface, onlink=True)
