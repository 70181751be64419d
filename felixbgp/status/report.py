"""What a CalicoNodeStatus tells of a node, and how it is put together: Calico's words, our state.

Follows Calico's node/pkg/status/populators. Only the classes that were asked for are there. The value changes
only when what is written of it changes; the routes are in `report_routes`, the JSON in `report_document`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.cluster.parts import Parts
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import IPV4, IPV6, Address
from felixbgp.resources.calico_node_status import PeerKind, SessionState
from felixbgp.status.node_status import PEERS_MAX, TOGETHER, UNWANTED
from felixbgp.status.report_routes import RouteTables

FAMILIES: Final = (IPV4, IPV6)
"""The order of every pair here."""
RECENT_NS: Final = 20 * 3600 * 1_000_000_000
"""How long ago a change is told by its time of day; then by its date (BIRD's `timeformat`, ISO short)."""

_KINDS: Final = {"mesh": PeerKind.NODE_MESH, "global": PeerKind.GLOBAL_PEER}
"""By scope; every other peer, a workload too, is one of this node."""


class DaemonReport(NamedTuple):
    """The speaker of a family that the node speaks. Times are nanoseconds of the agent's clock."""

    version: str
    identifier: Address
    started: int
    reconfigured: int


class PeerReport(NamedTuple):
    """A peer and its session; `kind` is None for one on its way out."""

    address: Address
    kind: PeerKind | None
    state: SessionState
    since: int
    recent: bool


class PeerTable(NamedTuple):
    """The peers of a family, as far as there is room, and the counts of all of them."""

    established: int
    not_established: int
    peers: tuple[PeerReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report; a class that was not asked for is None. The pairs are IPv4 and IPv6.

    Of the agent, None stands for a family that the node does not speak.
    """

    agent: tuple[DaemonReport | None, DaemonReport | None] | None = None
    bgp: tuple[PeerTable, PeerTable] | None = None
    routes: RouteTables | None = None

    def omissions(self) -> tuple[str, ...]:
        """What is left out because an object in etcd has no room for it, in words."""
        omitted: list[str] = []
        for family, table in zip(FAMILIES, self.bgp or (), strict=False):
            count = table.established + table.not_established - len(table.peers)
            if count:
                omitted.append(f"{count} more {family.label} peers than the object has room for")
        if self.routes is not None and self.routes.cut:
            shown = len(self.routes.v4) + len(self.routes.v6)
            omitted.append(f"more routes than the object has room for; {shown} of them are told")
        return tuple(omitted)


def agent_of(
    intent: Intent, version: str, started: int, reconfigured: int
) -> tuple[DaemonReport | None, DaemonReport | None]:
    """The class Agent: to Calico each family has a daemon of its own, to us it is one speaker."""
    if intent.speaker is None:
        return None, None
    spoken = {address.family for address in (*intent.listen, *(peer.address for peer in intent.peers))}
    daemon = DaemonReport(version, intent.speaker.bgp_identifier, started, reconfigured)
    return daemon if IPV4 in spoken else None, daemon if IPV6 in spoken else None


def bgp_of(intent: Intent, peers: Sequence[PeerSnapshot], now: int) -> Parts[tuple[PeerTable, PeerTable]]:
    """The class BGP; one family never takes the other's room."""
    v4, v6 = ([peer for peer in peers if peer.peer.address.family == family] for family in FAMILIES)
    room_v4, room_v6 = shares(len(v4), len(v6), PEERS_MAX)
    table_v4 = yield from _table(intent, v4, room_v4, now)
    table_v6 = yield from _table(intent, v6, room_v6, now)
    return table_v4, table_v6


def shares(first: int, second: int, room: int) -> tuple[int, int]:
    """How many of two sets there is room for: half for each, and what one leaves is the other's."""
    half = room // 2
    return min(first, room - min(second, half)), min(second, room - min(first, half))


def _table(intent: Intent, peers: Sequence[PeerSnapshot], room: int, now: int) -> Parts[PeerTable]:
    established = sum(peer.state == SessionState.ESTABLISHED.value for peer in peers)
    first = sorted(peers, key=_peer_id)[:room]
    reports: list[PeerReport] = []
    for peer in first:
        reports.append(_peer(peer, intent.origins.get(peer.peer, UNWANTED), now))
        if len(reports) % TOGETHER == 0:
            yield TOGETHER // 4
    return PeerTable(established, len(peers) - established, tuple(reports))


def _peer(peer: PeerSnapshot, origin: PeerOrigin, now: int) -> PeerReport:
    kind = _KINDS.get(origin.scope, PeerKind.NODE_PEER) if origin.scope else None
    since = min(peer.since, now)
    return PeerReport(peer.peer.address, kind, SessionState(peer.state), since, now - since < RECENT_NS)


def _peer_id(peer: PeerSnapshot) -> PeerId:
    return peer.peer
