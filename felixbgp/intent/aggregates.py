"""What a node originates, and what it keeps out of the kernel."""

from collections.abc import Iterable

from felixbgp.intent.site import Site
from felixbgp.intent.types import Tunnel
from felixbgp.net import IPV4, Prefix
from felixbgp.resources import AffinityState
from felixbgp.resources.bgp_configuration import ProgramClusterRoutes, ServiceBlock
from felixbgp.resources.ip_pool import EncapsulationMode, IpPoolSpec

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with this label set to `true` advertises no service ranges."""

IPIP_INTERFACE = "tunl0"


def own_aggregates(site: Site) -> tuple[Prefix, ...]:
    """The blocks to originate: all claimed ones but those still pending.

    A claim being given up counts until it is gone, as in Calico, so that addresses in use stay reachable.
    A block of one address needs no blackhole: its address is there or not.
    """
    return tuple(
        sorted(
            block
            for block, state in site.blocks.items()
            if state is not AffinityState.PENDING and not block.is_host
        )
    )


def confirmed_blocks(site: Site) -> tuple[Prefix, ...]:
    """The blocks whose aggregate stands for the addresses in it; a block of one address is among them."""
    confirmed = AffinityState.CONFIRMED
    return tuple(sorted(block for block, state in site.blocks.items() if state is confirmed))


def service_ranges(site: Site) -> tuple[Prefix, ...]:
    """The service ranges this node advertises as wholes.

    A load balancer entry of a single address belongs to one service, which only the Kubernetes API knows.
    """
    if site.local.labels.get(EXCLUDE_LABEL) == "true":
        return ()
    defaults = site.defaults
    balanced = load_balancer_ranges(site)
    ranges = {
        *_cidrs(defaults.service_cluster_ips),
        *_cidrs(defaults.service_external_ips),
        *(range_ for range_ in balanced if not range_.is_host),
    }
    return tuple(sorted(ranges))


def load_balancer_ranges(site: Site) -> tuple[Prefix, ...]:
    """The ranges of `serviceLoadBalancerIPs`."""
    return tuple(sorted(set(_cidrs(site.defaults.service_load_balancer_ips))))


def kernel_exclusions(site: Site) -> tuple[Prefix, ...]:
    """Ranges whose routes BGP does not put into the kernel.

    VXLAN pools are Felix's, and other pools too as far as `programClusterRoutes` says; a route to a service
    range would take packets to a service past the node's own load balancing.
    """
    defaults = site.defaults
    services = (
        *_cidrs(defaults.service_cluster_ips),
        *_cidrs(defaults.service_external_ips),
        *_cidrs(defaults.service_load_balancer_ips),
    )
    pools = (pool.spec.cidr for pool in site.pools if not _programs(site, pool.spec))
    return tuple(sorted({*services, *pools}))


def tunnels(site: Site) -> tuple[Tunnel, ...]:
    """The IPIP pools whose routes this node puts into the kernel, and which of their routes stay plain."""
    found = []
    subnet = site.local.addresses[IPV4].subnet if IPV4 in site.local.addresses else None
    for pool in site.pools:
        mode = pool.spec.effective_ipip_mode
        if mode is EncapsulationMode.NEVER or not _programs(site, pool.spec):
            continue
        direct = subnet if mode is EncapsulationMode.CROSS_SUBNET else None
        found.append(Tunnel(pool.spec.cidr, IPIP_INTERFACE, direct))
    return tuple(found)


def _programs(site: Site, pool: IpPoolSpec) -> bool:
    """Whether BGP, and not Felix, writes the routes of a pool (BGPConfiguration's programClusterRoutes)."""
    never = EncapsulationMode.NEVER
    if pool.vxlan_mode is not never:
        return False
    match site.defaults.program_cluster_routes:
        case ProgramClusterRoutes.DISABLED:
            return False
        case ProgramClusterRoutes.ENABLED_IPIP_ONLY:
            return pool.effective_ipip_mode is not never
        case ProgramClusterRoutes.ENABLED_NO_ENCAP_ONLY:
            return pool.effective_ipip_mode is never
        case _:
            return True


def _cidrs(blocks: Iterable[ServiceBlock]) -> list[Prefix]:
    return [block.cidr for block in blocks if block.cidr is not None]
