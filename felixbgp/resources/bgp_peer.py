"""BGPPeer: whom to peer with, and which nodes do.

Fields and rules of Calico's api/pkg/apis/projectcalico/v3/bgppeer.go and its validator, up to v3.32.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import Field, StrictBool, StrictStr

from felixbgp.resources.base import Password, Resource, Value
from felixbgp.resources.errors import NOTHING, Fault
from felixbgp.resources.values import (
    AsNumber,
    Duration,
    HopCount,
    IpAddress,
    LocalAsCount,
    NodeName,
    PeerIp,
    SelectorText,
)


class NextHopMode(Enum):
    """BGPPeer.spec.nextHopMode."""

    AUTO = "Auto"
    SELF = "Self"
    KEEP = "Keep"


class ReversePeering(Enum):
    """Whether the selected nodes peer back by themselves."""

    AUTO = "Auto"
    MANUAL = "Manual"


class SourceAddress(Enum):
    """Whether sessions are opened from the node's own BGP address."""

    USE_NODE_IP = "UseNodeIP"
    NONE = "None"


class BgpPeerSpec(Value):
    """BGPPeer.spec. Neither `node` nor `node_selector`: every node peers."""

    node: NodeName | None = None
    node_selector: SelectorText | None = None
    peer_ip: PeerIp | None = None
    as_number: AsNumber | None = None
    local_as_number: AsNumber | None = None
    peer_selector: SelectorText | None = None
    local_workload_selector: SelectorText | None = None
    keep_original_next_hop: StrictBool = False
    next_hop_mode: NextHopMode | None = None
    reverse_peering: ReversePeering = ReversePeering.AUTO
    password: Password | None = None
    source_address: SourceAddress = SourceAddress.USE_NODE_IP
    max_restart_time: Duration | None = None
    keepalive_time: Duration | None = None
    num_allowed_local_as_numbers: LocalAsCount | None = None
    ttl_security: HopCount | None = None
    reachable_by: IpAddress | None = None
    filters: tuple[StrictStr, ...] = ()

    def faults(self) -> Iterator[Fault]:
        """The cross-field rules of Calico's validator, and that an address needs an AS number."""
        yield from self._faults_of_scope()
        yield from self._faults_of_as_number()
        if self.keep_original_next_hop and self.next_hop_mode is not None:
            yield Fault(
                ("keepOriginalNextHop",),
                self.keep_original_next_hop,
                "cannot be set together with nextHopMode",
                ("nextHopMode",),
            )
        yield from self._faults_of_gateway()

    def _faults_of_scope(self) -> Iterator[Fault]:
        if self.node is not None and self.node_selector is not None:
            yield Fault(("node",), self.node, "cannot be set together with nodeSelector", ("nodeSelector",))
        if self.peer_ip is not None and self.peer_selector is not None:
            reason = "cannot be set together with peerSelector"
            yield Fault(("peerIP",), str(self.peer_ip), reason, ("peerSelector",))
        if self.local_workload_selector is not None:
            selector = str(self.local_workload_selector)
            for other, value in (("peerIP", self.peer_ip), ("peerSelector", self.peer_selector)):
                if value is not None:
                    reason = f"cannot be set together with {other}"
                    yield Fault(("localWorkloadSelector",), selector, reason, (other,))

    def _faults_of_as_number(self) -> Iterator[Fault]:
        if self.peer_selector is not None and self.as_number is not None:
            reason = "cannot be set together with peerSelector: selected nodes have their own"
            yield Fault(("asNumber",), self.as_number, reason, ("peerSelector",))
        # Calico takes a peerIP without an AS number and renders AS 0, with which no session can come up.
        needs = self.peer_ip is not None or self.local_workload_selector is not None
        if needs and self.as_number is None:
            yield Fault(("asNumber",), NOTHING, "is missing")

    def _faults_of_gateway(self) -> Iterator[Fault]:
        gateway = self.reachable_by
        if gateway is None:
            return
        if self.peer_ip is None:
            reason = "can only be set together with peerIP"
        elif gateway.family != self.peer_ip.address.family:
            reason = "is not of the same family as peerIP"
        else:
            return
        yield Fault(("reachableBy",), str(gateway), reason, ("peerIP",))


class BgpPeer(Resource):
    """One statement of who peers with whom."""

    kind: Literal["BGPPeer"]
    spec: BgpPeerSpec = Field(default_factory=BgpPeerSpec)
