"""What an agent is told at its start; everything else comes from the store."""

from dataclasses import dataclass

from felixbgp.fib.types import MAIN_TABLE
from felixbgp.net import Address

ROUTE_PROTOCOL = 179
"""rtm_protocol of our routes, and nobody else's: 186, `bgp` for iproute2, is what FRR's zebra writes."""
ROUTE_METRIC = 1024
ROUTE_TABLE = MAIN_TABLE
DRAINING_SECONDS = 120
"""For as long a wanted replacement may still come when somebody writes in the wrong order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """The node's name and the few things that must be known before the store is.

    `router_id` overrides the BGP identifier (Calico's CALICO_ROUTER_ID); None means the node's IPv4 address.
    An agent that does not `forward` writes no route into the kernel and hears nothing of it (`--no-kernel`).
    `draining_seconds`: how long the session with a peer that is wanted no more may stay; 0 for not at all.
    """

    node: str
    router_id: Address | None = None
    route_protocol: int = ROUTE_PROTOCOL
    route_metric: int = ROUTE_METRIC
    route_table: int = ROUTE_TABLE
    forwards: bool = True
    draining_seconds: int = DRAINING_SECONDS
