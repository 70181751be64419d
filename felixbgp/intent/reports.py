"""What the operator should mend in the resources about a node as a whole."""

from typing import Final

from felixbgp.cluster.state import ClusterState
from felixbgp.intent.findings import Findings
from felixbgp.resources.bgp_configuration import (
    DEFAULT_NAME,
    NODE_NAME_PREFIX,
    BgpConfigurationSpec,
    Switch,
)

IGNORED_NAME: Final = "is ignored: only the names default and node.<name> mean something"


def report_absent(state: ClusterState, node: str, findings: Findings) -> None:
    """Say why the node takes no part in BGP."""
    subject = f"Node {node}"
    found = state.nodes.get(node)
    if found is None:
        findings.add(subject, "", "does not exist or is invalid; the node takes no part in BGP")
    else:
        findings.add(subject, "spec.bgp", "has no address; the node takes no part in BGP")


def report_annotations(state: ClusterState, node: str, findings: Findings) -> None:
    """Name the annotations of the node that do not count, and why."""
    found = state.nodes.get(node)
    for error in () if found is None else found.annotation_errors:
        findings.add(f"Node {node}", error.field, f"{error.value} {error.reason}".lstrip())


def report_configurations(state: ClusterState, node: str, findings: Findings) -> None:
    """Name the BGPConfigurations that mean nothing, and the fields without effect, or with half of it."""
    own = NODE_NAME_PREFIX + node
    for name, found in state.bgp_configurations.items():
        if is_ignored(name):
            findings.add(f"BGPConfiguration {name}", "", IGNORED_NAME)
        elif name in (DEFAULT_NAME, own):
            report_unused(name, found.spec, findings)


def is_ignored(name: str) -> bool:
    """Whether a BGPConfiguration of this name means nothing to anybody."""
    return name != DEFAULT_NAME and not name.startswith(NODE_NAME_PREFIX)


def report_unused(name: str, spec: BgpConfigurationSpec, findings: Findings) -> None:
    """Name the fields of a BGPConfiguration that are without effect, or have half of it."""
    subject = f"BGPConfiguration {name}"
    if name != DEFAULT_NAME:
        for field, value in (
            ("bindMode", spec.bind_mode),
            ("ignoredInterfaces", spec.ignored_interfaces),
            ("ipv4NormalRoutePriority", spec.ipv4_normal_route_priority),
            ("ipv6NormalRoutePriority", spec.ipv6_normal_route_priority),
            ("localWorkloadPeeringIPV4", spec.local_workload_peering_ipv4),
            ("localWorkloadPeeringIPV6", spec.local_workload_peering_ipv6),
            ("programClusterRoutes", spec.program_cluster_routes),
            ("serviceLoadBalancerAggregation", spec.service_load_balancer_aggregation),
        ):
            if value:
                findings.add(
                    subject, f"spec.{field}", "is ignored: only that of the BGPConfiguration default counts"
                )
    elif spec.service_load_balancer_aggregation is Switch.DISABLED:
        reason = (
            "no load balancer address is advertised: the ranges are not to be, "
            "and single services are known to the Kubernetes API alone"
        )
        findings.add(subject, "spec.serviceLoadBalancerAggregation", reason)
