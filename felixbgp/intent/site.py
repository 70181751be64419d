"""The cluster as seen from one node: everything that says what it must do, but for the BGPPeers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from felixbgp.cluster.state import ClusterState
from felixbgp.intent.members import Member, Members, configuration, member_of
from felixbgp.intent.passwords import Lookup
from felixbgp.intent.priorities import NORMAL_PRIORITY, NormalPriority
from felixbgp.net import Prefix
from felixbgp.resources import AffinityState, BgpFilter, IpPool, Node, WorkloadEndpoint
from felixbgp.resources.bgp_configuration import DEFAULT_NAME, NODE_NAME_PREFIX, BgpConfigurationSpec


@dataclass(slots=True)
class Site:
    """What derivation looks at, resolved for the node `local`.

    `filters` and `secret` follow the state by themselves; the others are brought up to date by derivation.
    """

    local: Member
    local_node: Node
    members: Members
    defaults: BgpConfigurationSpec
    own: BgpConfigurationSpec
    """The BGPConfiguration `node.<name>` of the local node."""
    filters: Mapping[str, BgpFilter]
    pools: tuple[IpPool, ...]
    """One per CIDR, sorted: of two with the same, the name that sorts first."""
    blocks: Mapping[Prefix, AffinityState]
    endpoints: tuple[WorkloadEndpoint, ...]
    """The workloads of the local node, as far as a BGPPeer calls for them."""
    endpoints_obstacle: str
    """Why they are not known; "" when they are."""
    secret: Lookup
    normal_priority: NormalPriority

    @classmethod
    def of(cls, state: ClusterState, name: str, route_metric: int = NORMAL_PRIORITY) -> Self | None:
        """The site as node `name` sees it; None while there is no such Node, or none with a BGP address.

        `route_metric` is the normal priority where the BGPConfiguration has none. The members are still to be
        read.
        """
        local, local_node = member_of(state, name), state.nodes.get(name)
        if local is None or local_node is None:
            return None
        defaults = configuration(state, DEFAULT_NAME)
        return cls(
            local=local,
            local_node=local_node,
            members=Members(),
            defaults=defaults,
            own=configuration(state, NODE_NAME_PREFIX + name),
            filters=state.bgp_filters,
            pools=_pools(state),
            blocks=state.affinities_of(name),
            endpoints=_endpoints(state, name),
            endpoints_obstacle=state.workload_endpoints_obstacle,
            secret=state.secret,
            normal_priority=NormalPriority(
                defaults.ipv4_normal_route_priority or route_metric,
                defaults.ipv6_normal_route_priority or route_metric,
            ),
        )

    def read_ranges(self, state: ClusterState) -> None:
        """Take over the pools and own blocks of now."""
        self.pools = _pools(state)
        self.blocks = state.affinities_of(self.local.name)

    def read_endpoints(self, state: ClusterState) -> None:
        """Take over the workloads of now."""
        self.endpoints = _endpoints(state, self.local.name)
        self.endpoints_obstacle = state.workload_endpoints_obstacle


def _endpoints(state: ClusterState, name: str) -> tuple[WorkloadEndpoint, ...]:
    found = state.workload_endpoints
    return tuple(found[place] for place in sorted(found) if found[place].spec.node == name)


def _pools(state: ClusterState) -> tuple[IpPool, ...]:
    by_cidr: dict[Prefix, IpPool] = {}
    for name in sorted(state.ip_pools):
        pool = state.ip_pools[name]
        by_cidr.setdefault(pool.spec.cidr, pool)
    return tuple(by_cidr[cidr] for cidr in sorted(by_cidr))
