"""The cluster as seen from one node, with every default resolved: who is who, and with which AS and port."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from felixbgp.cluster.state import ClusterState
from felixbgp.intent.passwords import Lookup
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.resources import AffinityState, BgpFilter, BgpPeer, IpPool, Node, WorkloadEndpoint
from felixbgp.resources.bgp_configuration import DEFAULT_NAME, NODE_NAME_PREFIX, BgpConfigurationSpec
from felixbgp.resources.values import InterfaceAddress

DEFAULT_AS_NUMBER = 64512
"""Calico's, when neither the node nor the default BGPConfiguration says otherwise."""

FAMILIES = (IPV4, IPV6)


@dataclass(frozen=True, slots=True)
class Member:
    """A node that takes part in BGP."""

    name: str
    labels: Mapping[str, str]
    as_number: int
    cluster_id: Address | None
    """Set on route reflectors."""
    addresses: Mapping[Family, InterfaceAddress]
    port: int | None
    """The configured listening port, the node's own or the cluster's; None when nobody configured one."""

    def address(self, family: Family) -> Address | None:
        """The node's BGP address in a family, or None."""
        found = self.addresses.get(family)
        return None if found is None else found.address

    def has_address(self, address: Address) -> bool:
        """Whether this is the node's BGP address."""
        return self.address(address.family) == address


@dataclass(frozen=True, slots=True)
class Site:
    """Everything `derive` looks at, resolved for the node `local`. Sequences are sorted by name."""

    local: Member
    local_node: Node
    members: tuple[Member, ...]
    defaults: BgpConfigurationSpec
    own: BgpConfigurationSpec
    """The BGPConfiguration `node.<name>` of the local node."""
    bgp_peers: tuple[BgpPeer, ...]
    filters: Mapping[str, BgpFilter]
    pools: tuple[IpPool, ...]
    """One per CIDR: of two with the same, the name that sorts first."""
    blocks: Mapping[Prefix, AffinityState]
    endpoints: tuple[WorkloadEndpoint, ...]
    """The workloads of the local node, as far as a BGPPeer calls for them."""
    endpoints_obstacle: str
    """Why they are not known; "" when they are."""
    secret: Lookup

    @classmethod
    def of(cls, state: ClusterState, name: str) -> Self | None:
        """The site as node `name` sees it; None while there is no such Node, or none with a BGP address."""
        local_node = state.nodes.get(name)
        defaults = configuration(state, DEFAULT_NAME)
        members = tuple(
            member
            for node_name in sorted(state.nodes)
            if (member := _member(state, state.nodes[node_name], defaults)) is not None
        )
        local = next((member for member in members if member.name == name), None)
        if local_node is None or local is None:
            return None
        return cls(
            local=local,
            local_node=local_node,
            members=members,
            defaults=defaults,
            own=configuration(state, NODE_NAME_PREFIX + name),
            bgp_peers=tuple(state.bgp_peers[peer] for peer in sorted(state.bgp_peers)),
            filters=state.bgp_filters,
            pools=_pools(state),
            blocks=state.affinities_of(name),
            endpoints=_endpoints(state, name),
            endpoints_obstacle=state.workload_endpoints_obstacle,
            secret=state.secret,
        )

    def member_at(self, address: Address) -> Member | None:
        """The node with this BGP address; of several, the one whose name sorts first."""
        return next((member for member in self.members if member.has_address(address)), None)


def configuration(state: ClusterState, name: str) -> BgpConfigurationSpec:
    """The spec of a BGPConfiguration; an empty one when there is none of that name."""
    found = state.bgp_configurations.get(name)
    return BgpConfigurationSpec() if found is None else found.spec


def _member(state: ClusterState, node: Node, defaults: BgpConfigurationSpec) -> Member | None:
    bgp = node.spec.bgp
    if bgp is None:
        return None
    written = {IPV4: bgp.ipv4_address, IPV6: bgp.ipv6_address}
    addresses = {family: address for family, address in written.items() if address is not None}
    if not addresses:
        return None
    own = configuration(state, NODE_NAME_PREFIX + node.name)
    return Member(
        name=node.name,
        labels=node.labels,
        as_number=bgp.as_number or defaults.as_number or DEFAULT_AS_NUMBER,
        cluster_id=node.cluster_id,
        addresses=addresses,
        port=own.listen_port or defaults.listen_port,
    )


def _endpoints(state: ClusterState, name: str) -> tuple[WorkloadEndpoint, ...]:
    found = state.workload_endpoints
    return tuple(found[place] for place in sorted(found) if found[place].spec.node == name)


def _pools(state: ClusterState) -> tuple[IpPool, ...]:
    by_cidr: dict[Prefix, IpPool] = {}
    for name in sorted(state.ip_pools):
        pool = state.ip_pools[name]
        by_cidr.setdefault(pool.spec.cidr, pool)
    return tuple(by_cidr[cidr] for cidr in sorted(by_cidr))
