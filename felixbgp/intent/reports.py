"""What the operator should mend in the resources about a node as a whole."""

from felixbgp.cluster.state import ClusterState
from felixbgp.intent.findings import Findings
from felixbgp.resources.bgp_configuration import (
    DEFAULT_NAME,
    NODE_NAME_PREFIX,
    BgpConfigurationSpec,
    Switch,
)


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
    """Name the BGPConfigurations that mean nothing, and the fields that this agent does not act on."""
    own = NODE_NAME_PREFIX + node
    for name, found in state.bgp_configurations.items():
        if name != DEFAULT_NAME and not name.startswith(NODE_NAME_PREFIX):
            reason = "is ignored: only the names default and node.<name> mean something"
            findings.add(f"BGPConfiguration {name}", "", reason)
        elif name in (DEFAULT_NAME, own):
            _report_ignored(f"BGPConfiguration {name}", found.spec, findings)


def _report_ignored(subject: str, spec: BgpConfigurationSpec, findings: Findings) -> None:
    ignored = {
        "ignoredInterfaces": (spec.ignored_interfaces, "connected networks are not originated"),
        "ipv4NormalRoutePriority": (spec.ipv4_normal_route_priority, "the metric is the agent's setting"),
        "ipv6NormalRoutePriority": (spec.ipv6_normal_route_priority, "the metric is the agent's setting"),
        "serviceLoadBalancerAggregation": (
            spec.service_load_balancer_aggregation is Switch.DISABLED,
            "single services are not advertised",
        ),
    }
    for field, (value, reason) in ignored.items():
        if value:
            findings.add(subject, f"spec.{field}", f"is ignored: {reason}")
