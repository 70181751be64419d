"""Which routes of its own a node originates: blocks, workload routes of the kernel, static routes."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.fib.types import KernelRoute, Route, RouteKind
from felixbgp.intent.types import StaticRoute
from felixbgp.net import Address, Prefix

BLACKHOLE = Route(RouteKind.BLACKHOLE)


class Origination:
    """Local routes by prefix; of one prefix a static route is preferred to a workload's, and that to a block.

    So it is in Calico, by BIRD's preferences and because a block of one address has no blackhole.

    Routes of the kernel that leave by no workload interface are kept, since the patterns may change, and
    originate nothing.
    """

    def __init__(self) -> None:
        self._aggregates: dict[Prefix, None] = {}
        self._static: dict[Prefix, Address] = {}
        self._patterns: tuple[str, ...] = ()
        self._kernel: dict[Prefix, KernelRoute] = {}
        self._originated: dict[Prefix, LocalRoute] = {}
        self._dirty: dict[Prefix, None] = {}

    def configure(
        self,
        aggregates: Sequence[Prefix],
        workload_interfaces: tuple[str, ...],
        static: Sequence[StaticRoute] = (),
    ) -> None:
        """State the wanted blocks and static routes, and the patterns that tell a workload's interface."""
        gateways = {route.prefix: route.gateway for route in static}
        self._dirty.update(dict.fromkeys((*self._static, *gateways)))
        self._static = gateways
        wanted = dict.fromkeys(aggregates)
        self._dirty.update(dict.fromkeys(p for p in self._aggregates if p not in wanted))
        self._dirty.update(dict.fromkeys(p for p in wanted if p not in self._aggregates))
        self._aggregates = wanted
        if workload_interfaces != self._patterns:
            self._patterns = workload_interfaces
            self._dirty.update(dict.fromkeys(self._kernel))

    def kernel_changed(self, changes: Iterable[tuple[Prefix, KernelRoute | None]]) -> None:
        """The best route that others wrote for these prefixes is now this; None when none is left."""
        for prefix, route in changes:
            if route is None:
                self._kernel.pop(prefix, None)
            else:
                self._kernel[prefix] = route
            self._dirty[prefix] = None

    def take_changes(self) -> list[tuple[Prefix, LocalRoute | None]]:
        """The prefixes whose local route differs from what the last call said."""
        changes = []
        for prefix in self._dirty:
            route = self._local_route(prefix)
            if route == self._originated.get(prefix):
                continue
            if route is None:
                del self._originated[prefix]
            else:
                self._originated[prefix] = route
            changes.append((prefix, route))
        self._dirty.clear()
        return changes

    def originated(self, prefix: Prefix) -> LocalRoute | None:
        """The local route of a prefix as the last `take_changes` left it."""
        return self._originated.get(prefix)

    def prefixes(self) -> list[Prefix]:
        """The prefixes that have one."""
        return list(self._originated)

    def _local_route(self, prefix: Prefix) -> LocalRoute | None:
        if (gateway := self._static.get(prefix)) is not None:
            return LocalRoute(RouteSource.STATIC, next_hop=gateway)
        found = self._kernel.get(prefix)
        if found is not None and (interface := self._workload_interface(found)):
            return LocalRoute(RouteSource.KERNEL, interface)
        return LocalRoute(RouteSource.AGGREGATE) if prefix in self._aggregates else None

    def _workload_interface(self, found: KernelRoute) -> str:
        for hop in found.route.next_hops:
            if any(fnmatchcase(hop.interface, pattern) for pattern in self._patterns):
                return hop.interface
        return ""
