"""Clusters whose nodes tell that all is well, but for what a test breaks: for whoever draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.cli.node_report import NodeReport
from felixbgp.cli.topology_model import pretend
from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import FOLLOWED_KINDS, ClusterState
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Problem
from felixbgp.net import Address
from felixbgp.resources.keys import prefix_of
from felixbgp.status.document import AgentAlive
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, PeerStatus
from tests.support.stored import Item, resource, without_mesh

ALIVE = AgentAlive("0.1.0", 1, 77)
RACKS = 2


def member(number: int, **more: object) -> Item:
    """A node with both addresses in one of two racks."""
    high, low = divmod(number, 250)
    bgp: dict[str, object] = {
        "ipv4Address": f"172.30.{high}.{low + 1}/16",
        "ipv6Address": f"fd30::{number:x}/64",
        **more,
    }
    labels = {"rack": f"rack-{number % RACKS + 1}", "reflects": str("routeReflectorClusterID" in bgp).lower()}
    return resource("Node", f"node-{number}", {"bgp": bgp}, labels=labels)


def meshed(size: int) -> list[Item]:
    return [member(number) for number in range(1, size + 1)]


def reflected(size: int, reflectors: int = 2) -> list[Item]:
    """The first ones reflect, for all others and among themselves; the first rack has a router, too."""
    items = [member(number, routeReflectorClusterID="244.0.0.1") for number in range(1, reflectors + 1)]
    items += [member(number) for number in range(reflectors + 1, size + 1)]
    to_reflectors: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "reflects == 'true'"}
    tor: dict[str, object] = {"nodeSelector": "rack == 'rack-1'", "peerIP": "172.31.0.1", "asNumber": 64567}
    peers = [resource("BGPPeer", "to-reflectors", to_reflectors), resource("BGPPeer", "tor", tor)]
    return [*items, without_mesh(), *peers]


def state_of(items: Iterable[Item]) -> ClusterState:
    """A view of every node."""
    state, listed = ClusterState(), list(items)
    for kind in FOLLOWED_KINDS:
        values = tuple(StoredValue(key, value, 1) for key, value in listed if key.startswith(prefix_of(kind)))
        state.feed(SnapshotReceived(prefix_of(kind), 1, values))
    return state


@dataclass
class Cluster:
    """What is stored, and what the nodes tell."""

    items: Sequence[Item]
    reports: dict[str, NodeReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Every session that is wanted is Established."""
        state = self.state()
        pretend(state)
        for name in state.nodes:
            intent = derive(state, name)
            peers = tuple(
                PeerStatus(
                    peer=peer,
                    name=config.name,
                    scope=intent.origins[peer].scope,
                    resource=intent.origins[peer].resource,
                    families=config.families,
                    local_as=config.local_as,
                    remote_as=config.remote_as,
                    state="Established",
                    since=1,
                )
                for peer, config in intent.peers.items()
            )
            datastore = DatastoreState(DatastoreCondition.IN_SYNC, 1)
            status = NodeStatus(node=name, version="0.1.0", datastore=datastore, peers=peers)
            self.reports[name] = NodeReport(name, ALIVE, status)

    def state(self) -> ClusterState:
        return state_of(self.items)

    def stop(self, name: str) -> None:
        """Its agent runs no more, and its last status stays."""
        self.reports[name] = replace(self.reports[name], alive=None)

    def lose(self, name: str, address: str, state: str, error: str, cause: Cause | None = None) -> None:
        """One end of a session says so."""
        status = self.reports[name].status
        assert status is not None
        lost = PeerId(Address.parse(address))
        peers = tuple(
            replace(one, state=state, last_error=error, cause=cause) if one.peer == lost else one
            for one in status.peers
        )
        self.reports[name] = replace(self.reports[name], status=replace(status, peers=peers))

    def refuse(self, name: str, address: str, problem: Problem) -> None:
        """One end has no such peer, and says why."""
        status = self.reports[name].status
        assert status is not None
        peers = tuple(one for one in status.peers if str(one.peer) != address)
        told = replace(status, peers=peers, problems=(problem,))
        self.reports[name] = replace(self.reports[name], status=told)
