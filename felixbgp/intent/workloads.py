"""Peers that are workloads of this node (BGPPeer's localWorkloadSelector).

Calico's Felix writes a file per endpoint that confd reads back; here the endpoints come from the store.
The labels that count are the endpoint's own: those it would inherit from its profiles are not known here.
"""

from collections.abc import Iterator

from felixbgp.intent.remotes import Remote
from felixbgp.intent.site import Site
from felixbgp.net import Address
from felixbgp.resources.bgp_peer import BgpPeerSpec

LOCAL_WORKLOAD = "workload"
"""The scope of such a peer."""


def workload_remotes(site: Site, spec: BgpPeerSpec) -> Iterator[Remote]:
    """The addresses of the endpoints that a BGPPeer selects, in the families that the node speaks."""
    if spec.local_workload_selector is None or spec.as_number is None:
        return
    for endpoint in site.endpoints:
        if spec.local_workload_selector.matches(endpoint.labels):
            for network in endpoint.spec.ip_networks:
                if network.family in site.local.addresses:
                    yield Remote(network.address, None, spec.as_number, None, is_named_node=False)


def peering_addresses(site: Site) -> Iterator[Address]:
    """The host's addresses that workloads peer with, in the node's families."""
    written = (site.defaults.local_workload_peering_ipv4, site.defaults.local_workload_peering_ipv6)
    for address in written:
        if address is not None and address.family in site.local.addresses:
            yield address
