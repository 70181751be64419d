"""A run told as it goes: what happens to the cluster, what its agents say, what its kernels are given."""

from collections.abc import Callable
from dataclasses import fields

from felixbgp.agent.effects import Fact
from felixbgp.bgp.facts import ConnectionRefused, SessionStateChanged
from felixbgp.fib.types import Route, RouteKind
from felixbgp.net import Prefix
from felixbgp.sim.safety import Safety

ESTABLISHED = "Established"
Tell = Callable[[int, str], None]


class Story(Safety):
    """Watches as `Safety` does, and tells what it sees; `tell` has the time in nanoseconds."""

    tell: Tell = staticmethod(lambda _now, _text: None)

    def fact_told(self, node: str, fact: Fact) -> None:
        """Tell what an agent says, but for the steps of sessions that are not up."""
        if isinstance(fact, SessionStateChanged) and ESTABLISHED not in (fact.old, fact.new):
            return
        if not isinstance(fact, ConnectionRefused):
            told = " ".join(f"{field.name}={getattr(fact, field.name)}" for field in fields(fact))
            self.tell(self._now, f"    {node}: {type(fact).__name__} {told}")

    def route_changed(self, node: str, prefix: Prefix, metric: int, route: Route | None) -> None:
        """Tell of a route, and judge it."""
        self.tell(self._now, f"    {node}: {prefix} {_text(route)}")
        super().route_changed(node, prefix, metric, route)


def _text(route: Route | None) -> str:
    if route is None:
        return "deleted"
    if route.kind is not RouteKind.UNICAST:
        return f"{route.kind.name.lower()} metric {route.metric}"
    gateways = " ".join(str(hop.gateway) for hop in route.next_hops)
    return f"via {gateways} metric {route.metric}"
