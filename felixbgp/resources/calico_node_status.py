"""CalicoNodeStatus: what somebody wants a node to report, and what it reported.

Fields of Calico's api/pkg/apis/projectcalico/v3/nodestatus.go.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import StrictStr

from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import NOTHING, Fault
from felixbgp.resources.values import Count, IpAddress, NodeName, UpdatePeriod


class StatusClass(Enum):
    """A part of the report."""

    AGENT = "Agent"
    BGP = "BGP"
    ROUTES = "Routes"


class DaemonState(Enum):
    """Whether the speaker of a family works."""

    READY = "Ready"
    NOT_READY = "NotReady"


class PeerKind(Enum):
    """What made a peer one."""

    NODE_MESH = "NodeMesh"
    NODE_PEER = "NodePeer"
    GLOBAL_PEER = "GlobalPeer"


class SessionState(Enum):
    """State of a session; a peer that is in none of these has none."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"
    CLOSE = "Close"


class RouteKind(Enum):
    """Whether a route is the one in use."""

    FIB = "FIB"
    RIB = "RIB"


class RouteSourceType(Enum):
    """Where a route comes from."""

    KERNEL = "Kernel"
    STATIC = "Static"
    DIRECT = "Direct"
    NODE_MESH = "NodeMesh"
    BGP_PEER = "BGPPeer"


class CalicoNodeStatusSpec(Value):
    """CalicoNodeStatus.spec. A period of 0 is one report only."""

    node: NodeName
    """The node that reports."""
    classes: tuple[StatusClass, ...]
    """Parts of the report: `Agent`, `BGP`, `Routes`."""
    update_period_seconds: UpdatePeriod
    """Time between reports; 0 is one report only."""

    def faults(self) -> Iterator[Fault]:
        """At least one class, and none twice."""
        if not self.classes:
            yield Fault(("classes",), NOTHING, "is empty; give one or more of Agent, BGP and Routes")
        for index, each in enumerate(self.classes):
            if each in self.classes[:index]:
                yield Fault(("classes", index), each.value, "is there twice")


class DaemonStatus(Value):
    """The speaker of one family; times as `YYYY-MM-DD HH:MM:SS`."""

    state: DaemonState | None = None
    """Whether it works."""
    version: StrictStr | None = None
    """Of felixbgp."""
    router_id: StrictStr | None = None
    """BGP identifier."""
    last_boot_time: StrictStr | None = None
    """When the agent started."""
    last_reconfiguration_time: StrictStr | None = None
    """When its configuration changed last."""


class AgentStatus(Value):
    """The class Agent."""

    bird_v4: DaemonStatus | None = None
    """IPv4; the name is Calico's."""
    bird_v6: DaemonStatus | None = None
    """IPv6."""


class ReportedPeer(Value):
    """A peer and its session; `since` is `HH:MM:SS`, or `YYYY-MM-DD` once that is long ago."""

    peer_ip: IpAddress | None = None
    """Its address."""
    type: PeerKind | None = None
    """What made it a peer."""
    state: SessionState | None = None
    """State of the session."""
    since: StrictStr | None = None
    """Since when, `HH:MM:SS`, or `YYYY-MM-DD` after 20 hours."""


class BgpStatus(Value):
    """The class BGP."""

    number_established_v4: Count = 0
    """Sessions that are Established, IPv4."""
    number_not_established_v4: Count = 0
    """Sessions that are not, IPv4."""
    number_established_v6: Count = 0
    """The same, IPv6."""
    number_not_established_v6: Count = 0
    """The same, IPv6."""
    peers_v4: tuple[ReportedPeer, ...] = ()
    """All peers, IPv4."""
    peers_v6: tuple[ReportedPeer, ...] = ()
    """All peers, IPv6."""


class LearnedFrom(Value):
    """Where a route comes from; the peer's address when that is a peer."""

    source_type: RouteSourceType | None = None
    """Kind of the source."""
    peer_ip: IpAddress | None = None
    """The peer's address, where it is a peer."""


class ReportedRoute(Value):
    """A route; `gateway` is N/A when it has none."""

    type: RouteKind | None = None
    """`FIB`: the route in use; `RIB`: another one."""
    destination: StrictStr | None = None
    """Its prefix."""
    gateway: StrictStr | None = None
    """Its next hop, or `N/A`."""
    interface: StrictStr | None = None
    """Its interface, or `blackhole` or `unreachable`."""
    learned_from: LearnedFrom | None = None
    """Where it comes from."""


class RoutesStatus(Value):
    """The class Routes."""

    routes_v4: tuple[ReportedRoute, ...] = ()
    """IPv4."""
    routes_v6: tuple[ReportedRoute, ...] = ()
    """IPv6."""


class CalicoNodeStatusStatus(Value):
    """CalicoNodeStatus.status; `last_updated` is RFC 3339 in UTC. What was not asked for is absent."""

    last_updated: StrictStr | None = None
    """When the report was made, RFC 3339."""
    agent: AgentStatus | None = None
    """The class `Agent`."""
    bgp: BgpStatus | None = None
    """The class `BGP`."""
    routes: RoutesStatus | None = None
    """The class `Routes`."""


class CalicoNodeStatus(Resource):
    """A report on a node."""

    kind: Literal["CalicoNodeStatus"]
    spec: CalicoNodeStatusSpec
    status: CalicoNodeStatusStatus | None = None
