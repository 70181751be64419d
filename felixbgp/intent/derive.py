"""From the cluster's state to what one node must do, at once."""

from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.priorities import NORMAL_PRIORITY
from felixbgp.intent.types import Intent
from felixbgp.net import Address


def derive(
    state: ClusterState,
    node: str,
    *,
    router_id: Address | None = None,
    route_metric: int = NORMAL_PRIORITY,
) -> Intent:
    """Everything node `node` must do. Depends on the current keys only, never on how they came about.

    `router_id` is the BGP identifier to use instead of the node's IPv4 address (four octets), `route_metric`
    the normal priority of routes where no BGPConfiguration gives one. Never raises: what cannot be done is in
    `problems`, and the intent is without it. Invalid values are not among them: the state names those itself,
    by key. Whoever follows a state keeps a `Derivation` instead.
    """
    return Derivation(node, router_id=router_id, route_metric=route_metric).update(state).intent
