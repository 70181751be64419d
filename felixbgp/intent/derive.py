"""From the cluster's state to what one node must do."""

from collections.abc import Iterable

from felixbgp.bgp.config import BGP_PORT, PeerId, SpeakerConfig
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.aggregates import kernel_exclusions, own_aggregates, service_ranges, tunnels
from felixbgp.intent.findings import Findings
from felixbgp.intent.mesh import mesh_claims
from felixbgp.intent.peers import Claim, PeerClaims
from felixbgp.intent.policies import Policies
from felixbgp.intent.site import Site
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Address
from felixbgp.resources.bgp_configuration import (
    DEFAULT_NAME,
    NODE_NAME_PREFIX,
    BgpConfigurationSpec,
    BindMode,
)

MULTIPATH_MAX = 16
"""Equally good routes become one route with several next hops; 16 is the limit that BIRD has in Calico."""


def derive(state: ClusterState, node: str, *, router_id: Address | None = None) -> Intent:
    """Everything node `node` must do. Depends on the current keys only, never on how they came about.

    `router_id` is the BGP identifier to use instead of the node's IPv4 address (four octets). Never raises:
    what cannot be done is in `problems`, and the intent is without it. Invalid values are not among them: the
    state names those itself, by key.
    """
    findings = Findings()
    _report_configurations(state, node, findings)
    site = Site.of(state, node)
    if site is None:
        _report_absent(state, node, findings)
        return Intent(problems=findings.problems())
    identifier = router_id or site.local.address(IPV4)
    if identifier is None:
        reason = "is absent, and no router ID is set: an IPv6-only node needs one"
        findings.add(f"Node {node}", "spec.bgp.ipv4Address", reason)
        return Intent(problems=findings.problems())
    return _intent(site, identifier, findings)


def _intent(site: Site, identifier: Address, findings: Findings) -> Intent:
    policies = Policies(site)
    claims = [*PeerClaims(site, policies, findings).all(), *mesh_claims(site, policies, findings)]
    kept = _settle(claims, findings)
    return Intent(
        speaker=SpeakerConfig(
            bgp_identifier=identifier,
            local_as=site.local.as_number,
            cluster_id=site.local.cluster_id,
            multipath_external=MULTIPATH_MAX,
            multipath_internal=MULTIPATH_MAX,
        ),
        listen=_listen(site),
        listen_port=site.local.port or BGP_PORT,
        peers={claim.peer: claim.config for claim in kept if claim.config is not None},
        origins={claim.peer: claim.origin for claim in kept if claim.config is not None},
        aggregates=own_aggregates(site),
        service_ranges=service_ranges(site),
        kernel_exclusions=kernel_exclusions(site),
        tunnels=tunnels(site),
        problems=findings.problems(),
    )


def _settle(claims: Iterable[Claim], findings: Findings) -> list[Claim]:
    """One claim per peer, the first; sorted by peer. An explicit one that loses is a problem."""
    first: dict[PeerId, Claim] = {}
    for claim in claims:
        winner = first.setdefault(claim.peer, claim)
        if (
            claim.explicit
            and winner.origin.resource != claim.origin.resource
            and winner.config != claim.config
        ):
            reason = f"{claim.peer} is already a peer by BGPPeer {winner.origin.resource}, which comes first"
            findings.add(f"BGPPeer {claim.origin.resource}", "", reason)
    return [first[peer] for peer in sorted(first)]


def _listen(site: Site) -> tuple[Address, ...]:
    """The node's own addresses, or the unspecified address of each family it has."""
    own = [site.local.addresses[family].address for family in sorted(site.local.addresses)]
    if site.defaults.bind_mode is BindMode.NODE_IP:
        return tuple(own)
    return tuple(Address(bytes(len(address))) for address in own)


def _report_absent(state: ClusterState, node: str, findings: Findings) -> None:
    subject = f"Node {node}"
    found = state.nodes.get(node)
    if found is None:
        findings.add(subject, "", "does not exist or is invalid; the node takes no part in BGP")
    else:
        findings.add(subject, "spec.bgp", "has no address; the node takes no part in BGP")


def _report_configurations(state: ClusterState, node: str, findings: Findings) -> None:
    own = NODE_NAME_PREFIX + node
    for name, found in state.bgp_configurations.items():
        if name != DEFAULT_NAME and not name.startswith(NODE_NAME_PREFIX):
            reason = "is ignored: only the names default and node.<name> mean something"
            findings.add(f"BGPConfiguration {name}", "", reason)
        elif name in (DEFAULT_NAME, own):
            _report_ignored(f"BGPConfiguration {name}", found.spec, findings)


def _report_ignored(subject: str, spec: BgpConfigurationSpec, findings: Findings) -> None:
    ignored = {
        "logSeverityScreen": (spec.log_severity_screen, "the agent's own settings say what is logged"),
        "ignoredInterfaces": (spec.ignored_interfaces, "connected networks are not originated"),
        "localWorkloadPeeringIPV4": (spec.local_workload_peering_ipv4, "workloads are not peered with"),
        "localWorkloadPeeringIPV6": (spec.local_workload_peering_ipv6, "workloads are not peered with"),
        "ipv4NormalRoutePriority": (spec.ipv4_normal_route_priority, "the metric is the agent's setting"),
        "ipv6NormalRoutePriority": (spec.ipv6_normal_route_priority, "the metric is the agent's setting"),
        "serviceLoadBalancerAggregation": (
            spec.service_load_balancer_aggregation,
            "single services are not advertised",
        ),
    }
    for field, (value, reason) in ignored.items():
        if value:
            findings.add(subject, f"spec.{field}", f"is ignored: {reason}")
