"""WorkloadEndpoint: an interface of a workload on a node, and the addresses behind it.

Fields of Calico's libcalico-go/lib/apis/v3/workloadendpoint.go, its validator's rules for those that BGP
reads, and the rule for the name (libcalico-go/lib/names/workloadendpoint.go). The fields that only policy and
the data plane read are known and kept, and not looked at.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, JsonValue, StrictStr

from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import NOTHING, Fault
from felixbgp.resources.keys import prefix_of
from felixbgp.resources.values import HostPrefix, InterfaceName, NodeName

_WORKLOAD_FIELDS = {"k8s": "pod", "cni": "container_id", "libnetwork": "orchestrator"}
"""Which field is the third part of the name, by orchestrator; `workload` for all others."""

_ENDPOINTS = prefix_of("WorkloadEndpoint")


class WorkloadEndpointSpec(Value):
    """WorkloadEndpoint.spec."""

    orchestrator: StrictStr | None = None
    """What made the workload, such as `k8s` or `openstack`."""
    workload: StrictStr | None = None
    """Its name, for most orchestrators."""
    node: NodeName | None = None
    """The node on which it is."""
    container_id: StrictStr | None = None
    """Its name, for `cni`."""
    pod: StrictStr | None = None
    """Its name, for `k8s`."""
    endpoint: StrictStr | None = None
    """The interface's name inside the workload."""
    service_account_name: StrictStr | None = None
    """Kept for Felix."""
    ip_networks: tuple[HostPrefix, ...] = ()
    """The workload's addresses, each a /32 or /128."""
    ip_nats: JsonValue = Field(default=None, alias="ipNATs")
    """Kept for Felix."""
    ipv4_gateway: JsonValue = None
    """Kept for Felix."""
    ipv6_gateway: JsonValue = None
    """Kept for Felix."""
    profiles: JsonValue = None
    """Kept for Felix."""
    interface_name: InterfaceName | None = None
    """The host's end of the workload's interface."""
    mac: JsonValue = None
    """Kept for Felix."""
    ports: JsonValue = None
    """Kept for Felix."""
    allow_spoofed_source_prefixes: JsonValue = None
    """Kept for Felix."""
    qos_controls: JsonValue = None
    """Kept for Felix."""


class WorkloadEndpoint(Resource):
    """An interface of a workload."""

    kind: Literal["WorkloadEndpoint"]
    spec: WorkloadEndpointSpec = Field(default_factory=WorkloadEndpointSpec)

    def faults(self) -> Iterator[Fault]:
        """The name is made of the identifying fields; `is_endpoint_of` relies on it."""
        parts: list[str] = []
        for field in _identifying(self.spec):
            value = getattr(self.spec, field)
            location = ("spec", WorkloadEndpointSpec.spelling(field))
            if value is None:
                yield Fault(location, NOTHING, "is missing")
            elif value.startswith("-") or value.endswith("-"):
                yield Fault(location, value, "begins or ends with a dash")
            else:
                parts.append(_escaped(value))
        name = "-".join(parts)
        if len(parts) == 4 and self.name != name:
            yield Fault(("metadata", "name"), self.name, f'is not the name its spec makes, "{name}"')


def _identifying(spec: WorkloadEndpointSpec) -> tuple[str, str, str, str]:
    """The fields whose values the name is made of."""
    return "node", "orchestrator", _WORKLOAD_FIELDS.get(spec.orchestrator or "", "workload"), "endpoint"


def is_endpoint_of(key: str, node: str) -> bool:
    """Whether a key can be that of a WorkloadEndpoint on `node`, by the key alone.

    A valid WorkloadEndpoint under such a key is on that node, one under another key is not: a node need not
    decode, of all the cluster's endpoints, more than its own.
    """
    if not key.startswith(_ENDPOINTS):
        return False
    start = key.find("/", len(_ENDPOINTS)) + 1
    own = f"{_escaped(node)}-"
    # A second dash would belong to the name of another node: a--b is the node a-b.
    return start > 0 and key.startswith(own, start) and not key.startswith("-", start + len(own))


def _escaped(part: str) -> str:
    return part.replace("-", "--")
