"""Node: a host, its BGP addresses, and whether it is a route reflector.

Fields of Calico's libcalico-go/lib/apis/v3/node.go, and the annotations that stand for fields
(libcalico-go/lib/backend/k8s/resources/node.go).
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field, StrictStr, ValidationError

from felixbgp.net import Address
from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import NOTHING, Fault, FieldError, field_errors, path, quote
from felixbgp.resources.values import (
    AsNumber,
    Cidr,
    Ipv4Address,
    Ipv4InterfaceAddress,
    Ipv6Address,
    Ipv6InterfaceAddress,
    MacAddress,
)


class NodeBgp(Value):
    """Node.spec.bgp; without it the node takes no part in BGP."""

    as_number: AsNumber | None = None
    """AS number of the node; that of the BGPConfiguration `default` unless set."""
    ipv4_address: Ipv4InterfaceAddress | None = None
    """BGP address, with the length of its subnet: `10.0.0.1/24`. Without one the node has no IPv4 sessions.
    """
    ipv6_address: Ipv6InterfaceAddress | None = None
    """The same, IPv6."""
    ipv4_ipip_tunnel_addr: Ipv4Address | None = None
    """Address of `tunl0`; kept for Felix."""
    route_reflector_cluster_id: Ipv4Address | None = None
    """Makes the node a route reflector of this cluster (RFC 4456). It takes no part in the mesh."""

    def faults(self) -> Iterator[Fault]:
        """An object without any field is refused, as Calico's validator does."""
        if not self.model_fields_set:
            yield Fault((), NOTHING, "is empty; leave it out, or give the node an address")


ANNOTATION_PREFIX = "projectcalico.org/"

_ANNOTATED_FIELDS = {
    f"{ANNOTATION_PREFIX}ASNumber": "as_number",
    f"{ANNOTATION_PREFIX}IPv4Address": "ipv4_address",
    f"{ANNOTATION_PREFIX}IPv6Address": "ipv6_address",
    f"{ANNOTATION_PREFIX}IPv4IPIPTunnelAddr": "ipv4_ipip_tunnel_addr",
    f"{ANNOTATION_PREFIX}RouteReflectorClusterID": "route_reflector_cluster_id",
}
"""The annotations that are read, and the field of `NodeBgp` each stands for.

Those of VXLAN and wireguard, and kube-labels, are not BGP's: they are kept like any other annotation.
"""


class _Annotated(NamedTuple):
    """What a node's annotations say."""

    bgp: NodeBgp | None
    malformed: Mapping[str, FieldError]
    contradicted: Mapping[str, FieldError]


class OrchRef(Value):
    """The node's name in an orchestrator."""

    node_name: StrictStr | None = None
    """The name there."""
    orchestrator: StrictStr
    """Such as `k8s`."""


class NodeWireguard(Value):
    """Addresses of the wireguard interfaces."""

    interface_ipv4_address: Ipv4Address | None = None
    """Kept for Felix."""
    interface_ipv6_address: Ipv6Address | None = None
    """Kept for Felix."""


class AddressType(Enum):
    """Who says that the node has an address."""

    CALICO_NODE_IP = "CalicoNodeIP"
    INTERNAL_IP = "InternalIP"
    EXTERNAL_IP = "ExternalIP"


class NodeAddress(Value):
    """An address a client reaches the node at; text, since Calico takes a CIDR or an address here."""

    address: StrictStr
    """Address, or CIDR."""
    type: AddressType | None = None
    """Who says so."""


class NodeInterface(Value):
    """An interface of the node and its addresses."""

    name: StrictStr | None = None
    """Its name."""
    addresses: tuple[StrictStr, ...] = ()
    """Its addresses."""


class NodeSpec(Value):
    """Node.spec."""

    bgp: NodeBgp | None = None
    """Without it the node takes no part in BGP."""
    ipv4_vxlan_tunnel_addr: Ipv4Address | None = None
    """Kept for Felix."""
    vxlan_tunnel_mac_addr: MacAddress | None = None
    """Kept for Felix."""
    ipv6_vxlan_tunnel_addr: Ipv6Address | None = None
    """Kept for Felix."""
    vxlan_tunnel_mac_addr_v6: MacAddress | None = None
    """Kept for Felix."""
    orch_refs: tuple[OrchRef, ...] = ()
    """Names of the node in orchestrators."""
    wireguard: NodeWireguard | None = None
    """Kept for Felix."""
    addresses: tuple[NodeAddress, ...] = ()
    """Addresses of the node; not those of BGP."""
    interfaces: tuple[NodeInterface, ...] = ()
    """Interfaces of the node."""


class NodeStatus(Value):
    """Node.status."""

    wireguard_public_key: StrictStr | None = None
    """Felix's."""
    wireguard_public_key_v6: StrictStr | None = None
    """Felix's."""
    pod_cidrs: tuple[Cidr, ...] = ()
    """Kubernetes' ranges of the node."""


class Node(Resource):
    """A host of the cluster."""

    kind: Literal["Node"]
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus | None = None

    @property
    def effective_bgp(self) -> NodeBgp | None:
        """`spec.bgp`, filled up from annotations; None when neither gives anything."""
        return self._annotated.bgp

    @property
    def annotation_errors(self) -> tuple[FieldError, ...]:
        """The annotations that do not count: those that cannot be read, and those the spec contradicts."""
        return (*self._annotated.malformed.values(), *self._annotated.contradicted.values())

    @property
    def malformed_annotations(self) -> Mapping[str, FieldError]:
        """What is wrong with the annotations that cannot be read, by their names."""
        return self._annotated.malformed

    @property
    def cluster_id(self) -> Address | None:
        """The route reflector cluster ID, from the spec or else the annotation; None for other nodes."""
        bgp = self.effective_bgp
        return None if bgp is None else bgp.route_reflector_cluster_id

    @cached_property
    def _annotated(self) -> _Annotated:
        """Worked out once for each value: with thousands of nodes every derivation asks for all of them."""
        found: dict[str, object] = {}
        malformed: dict[str, FieldError] = {}
        contradicted: dict[str, FieldError] = {}
        for annotation, field in _ANNOTATED_FIELDS.items():
            text = self.metadata.annotations.get(annotation)
            if not text:
                continue
            where = path(("metadata", "annotations", annotation))
            alias = NodeBgp.spelling(field)
            try:
                value = getattr(NodeBgp.model_validate({alias: text}), field)
            except ValidationError as error:
                malformed[annotation] = field_errors(error)[0]._replace(field=where)
                continue
            stated = None if self.spec.bgp is None else getattr(self.spec.bgp, field)
            if stated is None:
                found[field] = value
            elif stated != value:
                reason = f"is ignored: spec.bgp.{alias} is {stated}"
                contradicted[annotation] = FieldError(where, quote(text), reason)
        bgp = self.spec.bgp
        if found:
            bgp = (bgp or NodeBgp.model_construct()).model_copy(update=found)
        return _Annotated(bgp, MappingProxyType(malformed), MappingProxyType(contradicted))
