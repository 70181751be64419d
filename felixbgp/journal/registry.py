"""Which classes may stand in a journal: those of inputs, effects and an agent's configuration, by name.

A class that is missing here is missed by `tests/unit/journal/test_registry.py`, which walks the unions. In a
journal it is called by its room and its own name: `bgp.BytesReceived`.
"""

from types import ModuleType
from typing import Final

from felixbgp.agent import config as agent_config
from felixbgp.agent import draining as agent_draining
from felixbgp.agent import effects as agent_effects
from felixbgp.agent import forwarding as agent_forwarding
from felixbgp.agent import inputs as agent_inputs
from felixbgp.agent import liveness as agent_liveness
from felixbgp.agent import resets as agent_resets
from felixbgp.bgp import cause as bgp_cause
from felixbgp.bgp import config as bgp_config
from felixbgp.bgp import effects as bgp_effects
from felixbgp.bgp import facts as bgp_facts
from felixbgp.bgp import inputs as bgp_inputs
from felixbgp.bgp.policy import types as bgp_policy_types
from felixbgp.bgp.wire import capabilities as bgp_wire_capabilities
from felixbgp.cluster import drains as cluster_drains
from felixbgp.cluster import facts as cluster_facts
from felixbgp.cluster import inputs as cluster_inputs
from felixbgp.cluster import secrets as cluster_secrets
from felixbgp.fib import types as fib_types
from felixbgp.intent import priorities as intent_priorities
from felixbgp.intent import types as intent_types
from felixbgp.net import address as net_address
from felixbgp.net import family as net_family
from felixbgp.net import prefix as net_prefix
from felixbgp.resources import calico_node_status as resources_calico_node_status
from felixbgp.resources import errors as resources_errors
from felixbgp.status import audit as status_audit
from felixbgp.status import node_status as status_node_status
from felixbgp.status import report as status_report
from felixbgp.status import report_routes as status_report_routes

_NAMES: Final[dict[ModuleType, str]] = {
    agent_config: "AgentConfig",
    agent_draining: "Drained",
    agent_effects: (
        "AuditDiffered AuditEnded AuditNotWritten Follow IntentProblem Listen NodeStatusNotWritten "
        "Observe PutAudit PutNodeStatusResource PutStatus ReadSecretFiles SetLogLevel"
    ),
    agent_forwarding: "NextHopResolved NextHopUnresolvable",
    agent_inputs: (
        "AliveRead AliveUnread AuditWriteFailed AuditWritten HostProbed IntentGiven ListenFailed "
        "Listening NodeStatusResourceConflicted NodeStatusResourceFailed NodeStatusResourceWritten "
        "ProbeOutcome StatusWriteFailed StatusWritten StepsMeasured TurnAwaited TurnGranted TurnLost "
        "TurnRefused"
    ),
    agent_liveness: "AskAlive NodeDead ProbeHost",
    agent_resets: "AcquireTurn ReleaseTurn ResetUnfinished TurnSkipped",
    bgp_cause: "Cause",
    bgp_config: "GracefulRestart LimitAction NextHopMode PeerConfig PeerId PrefixLimit SpeakerConfig",
    bgp_effects: "CloseConnection Connect SendBytes SetOptions TransportOptions",
    bgp_facts: (
        "ConnectionRefused NotificationReceived NotificationSent PrefixLimitReached SessionStateChanged "
        "UpdateMalformed"
    ),
    bgp_inputs: "BytesReceived BytesWritten Endpoint TcpAccepted TcpClosed TcpConnectFailed TcpConnected",
    bgp_policy_types: (
        "Action AddCommunity Match Policy PrefixMatch PrependAsPath RouteSource Rule SetLocalPref"
    ),
    bgp_wire_capabilities: "Role",
    cluster_drains: "Drain DrainPhase",
    cluster_facts: (
        "ClusterInSync FieldsIgnored InvalidValue LastKnownStateReplaced LastKnownStateUnusable "
        "LastKnownStateUsed ReadRefused StaleEventIgnored StoreLost StoreRestored ValueCorrected"
    ),
    cluster_inputs: (
        "DatastoreLost DatastoreRestored KeyDeleted KeyPut PrefixRefused RevisionReached SecretFilesRead "
        "SnapshotReceived StateRecovered StoredValue"
    ),
    cluster_secrets: "SecretFile SecretId",
    fib_types: (
        "AddressChanged AddressSnapshot DeleteRoutes InterfaceAddress KernelLost KernelRead KernelRoute "
        "KernelRouteChanged KernelSnapshot KernelUnheard LinkChanged NextHop ReadKernel ReplaceRoutes "
        "Route RouteFailed RouteKey RouteKind RouteProblem RoutesApplied"
    ),
    intent_priorities: "NormalPriority",
    intent_types: "Intent PeerOrigin Problem StaticRoute Tunnel",
    net_address: "Address",
    net_family: "Family",
    net_prefix: "Prefix",
    resources_calico_node_status: "PeerKind RouteKind RouteSourceType SessionState",
    resources_errors: "FieldError",
    status_audit: "AuditAnswer AuditStatus Difference Kind Outcome Repair Totals Views",
    status_node_status: (
        "DatastoreCondition DatastoreState Drained LongestStep NodeStatus PeerDraining PeerStatus "
        "Recovered RouteCounts SpeakerStatus"
    ),
    status_report: "DaemonReport PeerReport PeerTable Report",
    status_report_routes: "RouteReport RouteTables",
}


def tag_of(kind: type) -> str:
    """What a class is called in a journal."""
    return f"{kind.__module__.split('.')[1]}.{kind.__name__}"


REGISTERED: Final[tuple[type, ...]] = tuple(
    getattr(module, name) for module, names in _NAMES.items() for name in names.split()
)
