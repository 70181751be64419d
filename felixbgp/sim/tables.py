"""What all kernels of a world have of ours, followed change by change; and where packets go by them."""

from collections.abc import Iterator, Mapping

from felixbgp.fib.types import Route
from felixbgp.net import Address, Family, Prefix
from felixbgp.sim.world import World


class Tables:
    """A copy of every kernel's routes of ours, by prefix and metric."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tables: dict[str, dict[Prefix, dict[int, Route]]] = {}
        self._unread: dict[str, None] = dict.fromkeys(world.nodes)
        self._lengths: dict[Family, dict[int, None]] = {}
        """The prefix lengths that ever were."""

    def reread(self, node: str) -> None:
        """Something else than the agent changes a kernel: nothing is known of it until `settle`."""
        self._tables.pop(node, None)
        self._unread[node] = None

    def settle(self) -> None:
        """All that happened has happened: read what is to be read again."""
        unread, self._unread = self._unread, {}
        for node in unread:
            if node in self._world.nodes:
                self._read(node)

    def is_known(self, node: str) -> bool:
        """Whether a kernel was read since it was changed by something else."""
        return node in self._tables

    def put(self, node: str, prefix: Prefix, metric: int, route: Route | None) -> None:
        """The agent wrote a route of a prefix and metric; None: it deleted it."""
        table = self._tables.get(node)
        if table is None:
            return
        routes = table.setdefault(prefix, {})
        routes.pop(metric, None)
        if route is not None:
            routes[metric] = route
            self._note(prefix)
        elif not routes:
            del table[prefix]

    def route(self, node: str, prefix: Prefix) -> Route | None:
        """The route that a kernel uses for a prefix, if there is one of ours."""
        routes = self._tables.get(node, {}).get(prefix)
        return routes[min(routes)] if routes else None

    def loop(self, start: str, prefix: Prefix, names: Mapping[Address, str]) -> tuple[str, ...]:
        """Where packets from a node to the first address of a prefix go round; () where they do not."""
        return next(self._walk((start,), prefix, names), ())

    def _walk(
        self, passed: tuple[str, ...], prefix: Prefix, names: Mapping[Address, str]
    ) -> Iterator[tuple[str, ...]]:
        route = self._longest_match(passed[-1], prefix)
        for hop in () if route is None else route.next_hops:
            following = "" if hop.gateway is None else names.get(hop.gateway, "")
            if following in passed:
                yield passed[passed.index(following) :]
            elif following in self._world.nodes and not self._world.nodes[following].is_off:
                yield from self._walk((*passed, following), prefix, names)

    def _longest_match(self, node: str, prefix: Prefix) -> Route | None:
        address = prefix.address
        for length in sorted(self._lengths.get(prefix.family, ()), reverse=True):
            route = self.route(node, Prefix.of(address, length))
            if route is not None:
                return route
        return None

    def _read(self, node: str) -> None:
        table = self._tables[node] = {}
        kernel = self._world.nodes[node].kernel
        for one in (one for snapshot in kernel.snapshots() for one in snapshot.routes):
            if one.protocol == kernel.protocol:
                table.setdefault(one.prefix, {})[one.metric] = one.route
                self._note(one.prefix)

    def _note(self, prefix: Prefix) -> None:
        self._lengths.setdefault(prefix.family, {})[prefix.length] = None
