"""Our own routes as the kernel is believed to have them."""

from collections.abc import Iterator

from felixbgp.fib.hops import HopIndex, without_interface
from felixbgp.fib.types import Route
from felixbgp.net import Nlri, Prefix


class OwnRoutes:
    """The routes of one family that carry our protocol and metric."""

    __slots__ = ("_index", "_routes")

    def __init__(self) -> None:
        self._routes: dict[Nlri, Route] = {}
        self._index = HopIndex()

    def __len__(self) -> int:
        return len(self._routes)

    def get(self, nlri: Nlri) -> Route | None:
        """The route at a prefix, or None."""
        return self._routes.get(nlri)

    def set(self, nlri: Nlri, route: Route | None) -> None:
        """Believe this route to be there; None: no route."""
        known = self._routes.pop(nlri, None)
        if known is not None:
            self._index.discard(nlri, known)
        if route is not None:
            self._routes[nlri] = route
            self._index.add(nlri, route)

    def replace_all(self, routes: dict[Nlri, Route]) -> list[Nlri]:
        """Take a complete view; gives the prefixes where anything differs."""
        changed = [nlri for nlri in self._routes if nlri not in routes]
        changed += [nlri for nlri, route in routes.items() if self._routes.get(nlri) != route]
        for nlri in changed:
            self.set(nlri, routes.get(nlri))
        return changed

    def lose_interface(self, interface: str) -> Iterator[Nlri]:
        """Cut what named a lost interface; gives the prefixes that were cut."""
        for nlri in self._index.through_interface(interface):
            self.set(nlri, without_interface(self._routes[nlri], interface))
            yield nlri

    def lose_link(self, link: Prefix) -> Iterator[Nlri]:
        """Cut what reached a gateway inside a prefix whose link is lost; gives the prefixes that were cut."""
        for nlri in dict.fromkeys(self._index.through_gateways(link)):
            route = self._routes[nlri]
            left = tuple(
                hop
                for hop in route.next_hops
                if hop.interface or hop.gateway is None or not link.contains(hop.gateway)
            )
            self.set(nlri, route._replace(next_hops=left) if left else None)
            yield nlri
