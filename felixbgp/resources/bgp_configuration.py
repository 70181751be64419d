"""BGPConfiguration: what holds for the cluster (`default`) or for one node (`node.<name>`).

Fields and rules of Calico's api/pkg/apis/projectcalico/v3/bgpconfig.go and its validator, up to v3.33.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import Field, StrictBool, StrictStr

from felixbgp.resources.base import Password, Resource, Value
from felixbgp.resources.errors import Fault
from felixbgp.resources.values import (
    AsNumber,
    Cidr,
    Duration,
    Identifier,
    InterfacePattern,
    Ipv4Address,
    Ipv6Address,
    Port,
    RoutePriority,
    is_community,
)
from felixbgp.resources.values import Community as CommunityText

DEFAULT_NAME = "default"
NODE_NAME_PREFIX = "node."

ONLY_ON_DEFAULT = (
    "node_to_node_mesh_enabled",
    "as_number",
    "service_load_balancer_ips",
    "service_external_ips",
    "service_cluster_ips",
    "node_mesh_password",
    "node_mesh_max_restart_time",
)
"""Calico refuses these on any other name (libcalico-go/lib/clientv3/bgpconfig.go)."""


class BindMode(Enum):
    """Which addresses to accept sessions on."""

    NONE = "None"
    NODE_IP = "NodeIP"


class Switch(Enum):
    """A setting that is on or off."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class ProgramClusterRoutes(Enum):
    """Which pools' routes BGP puts into the kernel (the rest is Felix's)."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    ENABLED_IPIP_ONLY = "EnabledIPIPOnly"
    ENABLED_NO_ENCAP_ONLY = "EnabledNoEncapOnly"


class ServiceBlock(Value):
    """A range of service addresses; an entry without one means nothing."""

    cidr: Cidr | None = None
    """The range."""


class NamedCommunity(Value):
    """A community and the name it goes by in `prefixAdvertisements`."""

    name: Identifier
    """The name that `prefixAdvertisements` of the same resource uses."""
    value: CommunityText
    """`aa:nn` (standard) or `aa:nn:mm` (large)."""


class PrefixAdvertisement(Value):
    """Communities for routes inside a range: literal, or names from `communities`."""

    cidr: Cidr
    """The range; routes of it and inside it."""
    communities: tuple[StrictStr, ...]
    """Communities, or names from `communities`."""


class BgpConfigurationSpec(Value):
    """BGPConfiguration.spec."""

    log_severity_screen: StrictStr | None = None
    """How much agents log: `Trace`, `Debug`, `Info`, `Warning`, `Error` or `Fatal`; `Info` unless set."""
    node_to_node_mesh_enabled: StrictBool | None = None
    """Whether every node peers with every other; true unless set. On `default` only."""
    as_number: AsNumber | None = None
    """AS number of nodes that have none of their own; 64512 unless set. On `default` only."""
    service_load_balancer_ips: tuple[ServiceBlock, ...] = ()
    """Ranges of load balancer addresses that all nodes announce. On `default` only."""
    service_external_ips: tuple[ServiceBlock, ...] = ()
    """Ranges of external addresses that all nodes announce. On `default` only."""
    service_cluster_ips: tuple[ServiceBlock, ...] = ()
    """Ranges of cluster addresses that all nodes announce. On `default` only."""
    service_load_balancer_aggregation: Switch | None = None
    """`Disabled`, for single addresses, needs the Kubernetes API and is reported as a problem."""
    communities: tuple[NamedCommunity, ...] = ()
    """Names for communities."""
    prefix_advertisements: tuple[PrefixAdvertisement, ...] = ()
    """Communities that are added to announced routes. Those of `node.NAME` take the place of those of
    `default`.
    """
    listen_port: Port | None = None
    """TCP port on which agents listen, and on which they reach each other; 179 unless set."""
    node_mesh_password: Password | None = None
    """Where the TCP MD5 password of the mesh is. On `default` only."""
    node_mesh_max_restart_time: Duration | None = None
    """As `maxRestartTime` of a BGPPeer, for the mesh. On `default` only."""
    bind_mode: BindMode | None = None
    """`None`: listen on all addresses. `NodeIP`: on the node's BGP address only."""
    ignored_interfaces: tuple[InterfacePattern, ...] = ()
    """Names of interfaces whose networks are not originated; `*` stands for any characters."""
    local_workload_peering_ipv4: Ipv4Address | None = Field(default=None, alias="localWorkloadPeeringIPV4")
    """Address of the node with which local workloads peer, IPv4."""
    local_workload_peering_ipv6: Ipv6Address | None = Field(default=None, alias="localWorkloadPeeringIPV6")
    """The same, IPv6."""
    program_cluster_routes: ProgramClusterRoutes | None = None
    """Which routes to other nodes the agent writes into the kernel; Felix writes the rest. `Enabled`: IPIP
    pools and those without encapsulation; `EnabledIPIPOnly`, `EnabledNoEncapOnly`: one of them; `Disabled`:
    none.
    """
    ipv4_normal_route_priority: RoutePriority | None = None
    """Metric of kernel routes without a better priority, IPv4; 1024 unless set."""
    ipv6_normal_route_priority: RoutePriority | None = None
    """The same, IPv6."""

    def faults(self) -> Iterator[Fault]:
        """The cross-field rules of Calico's validator."""
        if self.node_to_node_mesh_enabled is False:
            reason = "cannot be set while nodeToNodeMeshEnabled is false"
            mesh = ("nodeToNodeMeshEnabled",)
            if self.node_mesh_password is not None:
                yield Fault(("nodeMeshPassword",), {}, reason, mesh)
            if self.node_mesh_max_restart_time is not None:
                yield Fault(("nodeMeshMaxRestartTime",), self.node_mesh_max_restart_time, reason, mesh)
        if self.log_severity_screen is not None and self.log_severity_screen.lower() not in _SEVERITIES:
            reason = "is not Trace, Debug, Info, Warning, Error or Fatal"
            yield Fault(("logSeverityScreen",), self.log_severity_screen, reason)
        for place, pattern in enumerate(self.ignored_interfaces):
            if pattern == "*":
                yield Fault(("ignoredInterfaces", place), pattern, "would ignore every interface")
        yield from self._faults_of_communities()

    def _faults_of_communities(self) -> Iterator[Fault]:
        if self.communities and not self.prefix_advertisements:
            reason = "has no use without prefixAdvertisements"
            yield Fault(("communities",), list(self.communities), reason, ("prefixAdvertisements",))
        names = {community.name for community in self.communities}
        for index, advertisement in enumerate(self.prefix_advertisements):
            for place, text in enumerate(advertisement.communities):
                if text not in names and not is_community(text):
                    where = ("prefixAdvertisements", index, "communities", place)
                    yield Fault(where, text, "is no community and no name in communities", ("communities",))


_SEVERITIES = frozenset({"trace", "debug", "info", "warning", "error", "fatal"})


class BgpConfiguration(Resource):
    """Settings of the cluster or of one node."""

    kind: Literal["BGPConfiguration"]
    spec: BgpConfigurationSpec = Field(default_factory=BgpConfigurationSpec)

    def faults(self) -> Iterator[Fault]:
        """What only the cluster as a whole can have stands in `default` only."""
        if self.name == DEFAULT_NAME:
            return
        for field in ONLY_ON_DEFAULT:
            value = getattr(self.spec, field)
            if value not in (None, ()):
                alias = BgpConfigurationSpec.spelling(field)
                yield Fault(("spec", alias), value, "can only be set on the BGPConfiguration named default")
