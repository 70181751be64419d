"""What a node originates, and what it keeps out of the kernel."""

from collections.abc import Iterable, Iterator

from felixbgp.intent.site import Site
from felixbgp.intent.types import WORKLOAD_INTERFACES, Tunnel
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.resources import AffinityState, IpPool
from felixbgp.resources.bgp_configuration import ProgramClusterRoutes, ServiceBlock, Switch
from felixbgp.resources.ip_pool import EncapsulationMode, IpPoolSpec

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with this label set to `true` advertises no service ranges."""

IPIP_INTERFACE = "tunl0"

SERVICE_INTERFACES = "kube-ipvs*"
"""kube-proxy gives such an interface the address of every service, on every node."""


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

    An external or load balancer entry of a single address belongs to one service, which only the Kubernetes
    API knows; so do all load balancer addresses when they are not to be aggregated.
    """
    if site.local.labels.get(EXCLUDE_LABEL) == "true":
        return ()
    defaults = site.defaults
    aggregated = defaults.service_load_balancer_aggregation is not Switch.DISABLED
    ranges = {
        *_cidrs(defaults.service_cluster_ips),
        *_ranges(defaults.service_external_ips),
        *(_ranges(defaults.service_load_balancer_ips) if aggregated else ()),
    }
    return tuple(sorted(ranges))


def reflected_ranges(site: Site) -> tuple[Prefix, ...]:
    """The service ranges whose addresses a route reflector passes on, whoever has them."""
    defaults = site.defaults
    return tuple(
        sorted({*_cidrs(defaults.service_load_balancer_ips), *_cidrs(defaults.service_external_ips)})
    )


def kernel_exclusions(site: Site) -> tuple[Prefix, ...]:
    """Ranges whose routes BGP does not put into the kernel.

    VXLAN pools are Felix's, and other pools too as far as `programClusterRoutes` says; a route to a service
    range would take packets to a service past the node's own load balancing. Entries that are one service's
    address are no ranges, as in Calico.
    """
    defaults = site.defaults
    services = (
        *_cidrs(defaults.service_cluster_ips),
        *_ranges(defaults.service_external_ips),
        *_ranges(defaults.service_load_balancer_ips),
    )
    pools = (pool.spec.cidr for pool in pools_of_felix(site))
    return tuple(sorted({*services, *pools}))


def pools_of_felix(site: Site) -> Iterator[IpPool]:
    """The pools whose routes Felix writes."""
    return (pool for pool in site.pools if not _programs(site, pool.spec))


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


def programs_ipip(site: Site) -> bool:
    """Whether BGP, and not Felix, writes the routes of IPIP pools."""
    return site.defaults.program_cluster_routes not in (
        ProgramClusterRoutes.DISABLED,
        ProgramClusterRoutes.ENABLED_NO_ENCAP_ONLY,
    )


def encrypted_next_hops(site: Site) -> tuple[Address, ...]:
    """The nodes to which packets go through wireguard: Felix has the routes to what is behind them.

    That is so in a family in which both nodes have a wireguard interface (Calico v3.32).
    """
    local = site.local
    found = (
        member.address(family)
        for member in (site.members.with_wireguard() if local.wireguard else ())
        for family in member.wireguard & local.wireguard
        if member.name != local.name
    )
    return tuple(sorted({address for address in found if address is not None}))


def _programs(site: Site, pool: IpPoolSpec) -> bool:
    """Whether BGP, and not Felix, writes the routes of a pool (BGPConfiguration's programClusterRoutes)."""
    never = EncapsulationMode.NEVER
    if pool.vxlan_mode is not never:
        return False
    if pool.effective_ipip_mode is not never:
        return programs_ipip(site)
    return site.defaults.program_cluster_routes not in (
        ProgramClusterRoutes.DISABLED,
        ProgramClusterRoutes.ENABLED_IPIP_ONLY,
    )


def ignored_interfaces(site: Site) -> tuple[str, ...]:
    """Patterns of the interfaces whose networks are not this node's to originate."""
    return (*WORKLOAD_INTERFACES, SERVICE_INTERFACES, *site.defaults.ignored_interfaces)


def _cidrs(blocks: Iterable[ServiceBlock]) -> list[Prefix]:
    return [block.cidr for block in blocks if block.cidr is not None]


def _ranges(blocks: Iterable[ServiceBlock]) -> list[Prefix]:
    return [cidr for cidr in _cidrs(blocks) if not cidr.is_host]
