"""The way to peers that are not on a link of this node (BGPPeer's reachableBy)."""

from collections.abc import Iterable
from typing import NamedTuple

from felixbgp.cluster.parts import Parts
from felixbgp.intent.findings import Findings
from felixbgp.intent.types import StaticRoute
from felixbgp.net import Address, Prefix


class Reachable(NamedTuple):
    """Peers of this node by one BGPPeer, in a reverse peering too, and the gateway to them."""

    resource: str
    gateway: Address
    peers: frozenset[Address]


def static_routes(reachable: Iterable[Reachable], findings: Findings) -> Parts[tuple[StaticRoute, ...]]:
    """One per peer, sorted. Of two gateways to one peer that of the BGPPeer counts whose name sorts first."""
    found: dict[Address, tuple[Address, str]] = {}
    for resource, gateway, peers in sorted(reachable, key=lambda one: one.resource):
        for address in peers:
            chosen, first = found.setdefault(address, (gateway, resource))
            if chosen != gateway:
                reason = f"{address} is already reached by {chosen}, by BGPPeer {first}, which comes first"
                findings.add(f"BGPPeer {resource}", "spec.reachableBy", reason)
        yield 1
    hosts = {Prefix.of(address, address.family.bits): gateway for address, (gateway, _) in found.items()}
    return tuple(StaticRoute(prefix, hosts[prefix]) for prefix in sorted(hosts))
