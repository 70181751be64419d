"""The way to peers that are not on a link of this node (BGPPeer's reachableBy)."""

from collections.abc import Iterator

from felixbgp.intent.findings import Findings
from felixbgp.intent.remotes import forward_remotes, reverse_remotes, selects
from felixbgp.intent.site import Site
from felixbgp.intent.types import StaticRoute
from felixbgp.net import Address, Prefix
from felixbgp.resources.bgp_peer import BgpPeerSpec


def static_routes(site: Site, findings: Findings) -> tuple[StaticRoute, ...]:
    """One per address that a BGPPeer with reachableBy makes a peer of this node, in a reverse peering too.

    Of two gateways to one address that of the BGPPeer counts whose name sorts first.
    """
    found: dict[Address, tuple[Address, str]] = {}
    for bgp_peer in site.bgp_peers:
        gateway = bgp_peer.spec.reachable_by
        if gateway is None:
            continue
        for address in _peers(site, bgp_peer.spec):
            chosen, first = found.setdefault(address, (gateway, bgp_peer.name))
            if chosen != gateway:
                reason = f"{address} is already reached by {chosen}, by BGPPeer {first}, which comes first"
                findings.add(f"BGPPeer {bgp_peer.name}", "spec.reachableBy", reason)
    hosts = {Prefix.of(address, address.family.bits): gateway for address, (gateway, _) in found.items()}
    return tuple(StaticRoute(prefix, hosts[prefix]) for prefix in sorted(hosts))


def _peers(site: Site, spec: BgpPeerSpec) -> Iterator[Address]:
    if selects(spec, site.local):
        yield from (remote.address for remote in forward_remotes(site, spec))
    yield from (remote.address for remote in reverse_remotes(site, spec))
