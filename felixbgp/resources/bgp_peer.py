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
    """The one node that peers. With neither this nor `nodeSelector` all nodes do."""
    node_selector: SelectorText | None = None
    """Selector over labels of Nodes: the nodes that peer. Not together with `node`."""
    peer_ip: PeerIp | None = None
    """Address of the peer, with a port if it is not its usual one: `192.0.2.1`, `192.0.2.1:166`,
    `[2001:db8::1]:166`. Not an unspecified, multicast or broadcast one.
    """
    as_number: AsNumber | None = None
    """AS number of the peer. Needed with `peerIP` and `localWorkloadSelector`, not allowed with
    `peerSelector`.
    """
    local_as_number: AsNumber | None = None
    """AS number that the node presents to this peer in place of its own."""
    peer_selector: SelectorText | None = None
    """Selector over labels of Nodes: the peers are these nodes, each with its own address and AS number."""
    local_workload_selector: SelectorText | None = None
    """Selector over labels of WorkloadEndpoints: the peers are workloads of the node itself."""
    keep_original_next_hop: StrictBool = False
    """eBGP: announce routes with the next hop that they have, and not with the node's address."""
    next_hop_mode: NextHopMode | None = None
    """Next hop of what is announced. `Auto`: as RFC 4271 has it; `Self`: the node; `Keep`: as it is. Not
    together with `keepOriginalNextHop`.
    """
    reverse_peering: ReversePeering = ReversePeering.AUTO
    """`Auto`: the selected nodes peer back. `Manual`: only the nodes of `node` or `nodeSelector` peer."""
    password: Password | None = None
    """Where the TCP MD5 password is (RFC 2385). Without the password there is no session."""
    source_address: SourceAddress = SourceAddress.USE_NODE_IP
    """`UseNodeIP`: sessions come from the node's BGP address. `None`: the kernel chooses."""
    max_restart_time: Duration | None = None
    """Restart time of graceful restart that the node announces (RFC 4724); 120 s unless set."""
    keepalive_time: Duration | None = None
    """Time between KEEPALIVEs; a third of the hold time unless set."""
    num_allowed_local_as_numbers: LocalAsCount | None = None
    """How many times the node's own AS number may be in a received AS path."""
    ttl_security: HopCount | None = None
    """GTSM (RFC 5082): packets of the peer must have crossed no more than so many hops. 0 counts as unset."""
    reachable_by: IpAddress | None = None
    """Gateway to the peer: the node adds a static route to `peerIP` through it. Of the same family."""
    filters: tuple[StrictStr, ...] = ()
    """Names of BGPFilters, in the order in which they are applied."""

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
