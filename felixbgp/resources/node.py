"""Node: a host, its BGP addresses, and whether it is a route reflector.

Fields of Calico's libcalico-go/lib/apis/v3/node.go.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import Field, StrictStr

from felixbgp.net import Address
from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import NOTHING, Fault
from felixbgp.resources.values import (
    AsNumber,
    Cidr,
    Ipv4Address,
    Ipv4InterfaceAddress,
    Ipv6Address,
    Ipv6InterfaceAddress,
    MacAddress,
    parse_address,
)

CLUSTER_ID_ANNOTATION = "projectcalico.org/RouteReflectorClusterID"
"""The other way to make a node a reflector (`felixbgp annotate node`); the spec's field comes first."""


class NodeBgp(Value):
    """Node.spec.bgp; without it the node takes no part in BGP."""

    as_number: AsNumber | None = None
    ipv4_address: Ipv4InterfaceAddress | None = None
    ipv6_address: Ipv6InterfaceAddress | None = None
    ipv4_ipip_tunnel_addr: Ipv4Address | None = None
    route_reflector_cluster_id: Ipv4Address | None = None

    def faults(self) -> Iterator[Fault]:
        """An object without any field is refused, as Calico's validator does."""
        if not self.model_fields_set:
            yield Fault((), NOTHING, "is empty; leave it out, or give the node an address")


class OrchRef(Value):
    """The node's name in an orchestrator."""

    node_name: StrictStr | None = None
    orchestrator: StrictStr


class NodeWireguard(Value):
    """Addresses of the wireguard interfaces."""

    interface_ipv4_address: Ipv4Address | None = None
    interface_ipv6_address: Ipv6Address | None = None


class AddressType(Enum):
    """Who says that the node has an address."""

    CALICO_NODE_IP = "CalicoNodeIP"
    INTERNAL_IP = "InternalIP"
    EXTERNAL_IP = "ExternalIP"


class NodeAddress(Value):
    """An address a client reaches the node at; text, since Calico takes a CIDR or an address here."""

    address: StrictStr
    type: AddressType | None = None


class NodeInterface(Value):
    """An interface of the node and its addresses."""

    name: StrictStr | None = None
    addresses: tuple[StrictStr, ...] = ()


class NodeSpec(Value):
    """Node.spec."""

    bgp: NodeBgp | None = None
    ipv4_vxlan_tunnel_addr: Ipv4Address | None = None
    vxlan_tunnel_mac_addr: MacAddress | None = None
    ipv6_vxlan_tunnel_addr: Ipv6Address | None = None
    vxlan_tunnel_mac_addr_v6: MacAddress | None = None
    orch_refs: tuple[OrchRef, ...] = ()
    wireguard: NodeWireguard | None = None
    addresses: tuple[NodeAddress, ...] = ()
    interfaces: tuple[NodeInterface, ...] = ()


class NodeStatus(Value):
    """Node.status."""

    wireguard_public_key: StrictStr | None = None
    wireguard_public_key_v6: StrictStr | None = None
    pod_cidrs: tuple[Cidr, ...] = ()


class Node(Resource):
    """A host of the cluster."""

    kind: Literal["Node"]
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus | None = None

    @property
    def cluster_id(self) -> Address | None:
        """The route reflector cluster ID, from the spec or else the annotation; None for other nodes."""
        if self.spec.bgp is not None and self.spec.bgp.route_reflector_cluster_id is not None:
            return self.spec.bgp.route_reflector_cluster_id
        text = self.metadata.annotations.get(CLUSTER_ID_ANNOTATION)
        return parse_address(text) if text else None

    def faults(self) -> Iterator[Fault]:
        """The annotation is read like the field it stands for."""
        text = self.metadata.annotations.get(CLUSTER_ID_ANNOTATION)
        if not text:
            return
        try:
            valid = len(parse_address(text)) == 4
        except ValueError:
            valid = False
        if not valid:
            yield Fault(("metadata", "annotations", CLUSTER_ID_ANNOTATION), text, "is not an IPv4 address")
