"""Speakers joined by in-memory TCP on a virtual clock, for tests of what they tell each other.

Octets and their answers arrive at once; time moves only by `run_for`. A node whose `reads` is False takes
nothing, so that its peers run out of credit.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, SetOptions, TransportEffect
from felixbgp.bgp.facts import BgpFact
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
)
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.adj_rib_out import IN_FLIGHT_MAX
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.bgp.speaker import Speaker
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Address, Family, Prefix

SECOND = 1_000_000_000
OWN = LocalRoute(RouteSource.AGGREGATE)


def half() -> float:
    """A jitter that is always the same."""
    return 0.5


@dataclass
class Pipe:
    """One end of a connection: who is at the other, and under which number."""

    other: "Node"
    other_connection: int
    unread: list[bytes] = field(default_factory=list)
    stalled: int = 0
    """Octets that the other side is taken to have not read, beside `unread`."""


class Node:
    """A speaker, its place in the network, and what it has given so far."""

    def __init__(self, network: "Network", address: Address, config: SpeakerConfig) -> None:
        self.network = network
        self.address = address
        self.config = config
        self.speaker = Speaker(config, half)
        self.peers: dict[PeerId, PeerConfig] = {}
        self.loc_rib: dict[Prefix, Selected] = {}
        self.facts: list[BgpFact] = []
        self.changes = 0
        """How often a prefix of the Loc-RIB changed."""
        self.sent: list[SendBytes] = []
        self.pipes: dict[int, Pipe] = {}
        self.held: dict[Family, Container[bytes]] = {}
        self.reads = True
        self.accepts = True
        self.budget = 1000

    def configure(self, *peers: PeerConfig) -> None:
        """Have exactly these peers."""
        self.peers = {peer.peer: peer for peer in peers}
        self.speaker.configure(self.config, self.peers, self.network.now)

    def change(self, other: "Node", **parameters: object) -> None:
        """Change parameters of one peer."""
        peer = PeerId(other.address)
        changed = replace(self.peers[peer], **parameters)  # type: ignore[arg-type]
        self.configure(*({**self.peers, peer: changed}.values()))

    def originate(self, *prefixes: str, route: LocalRoute | None = OWN) -> None:
        """Make prefixes our own, or no longer."""
        for text in prefixes:
            prefix = Prefix.parse(text)
            self.speaker.originate(prefix.family, prefix.nlri, route)

    def withdraw(self, *prefixes: str) -> None:
        """No longer originate prefixes."""
        self.originate(*prefixes, route=None)

    def peer(self, other: "Node") -> PeerSnapshot:
        """How we see another node."""
        return next(one for one in self.speaker.peers() if one.peer.address == other.address)

    def rib_in(self, other: "Node", family: Family = IPV4) -> dict[str, PathAttributes]:
        """What another node has announced to us, before policy; with add-path the key names the path too."""
        rib = self._adj_rib_in(other, family)
        if rib is None:
            return {}
        found: dict[str, PathAttributes] = {}
        for key in rib.prefixes():
            attributes = rib.attributes(key)
            assert attributes is not None
            if rib.identified:
                found[f"{Prefix(family, key[4:])} path {int.from_bytes(key[:4], 'big')}"] = attributes
            else:
                found[str(Prefix(family, key))] = attributes
        return found

    def refusal(self, other: "Node", prefix: str) -> str:
        """Why a route of another node takes no part in the decision."""
        rib = self._adj_rib_in(other, IPV4)
        return "no session" if rib is None else rib.refusal(Prefix.parse(prefix).nlri)

    def routes(self) -> dict[str, str]:
        """The Loc-RIB: prefix to next hop, or to "own"."""
        return {
            str(prefix): ", ".join(map(str, selected.next_hops)) or "own"
            for prefix, selected in sorted(self.loc_rib.items())
        }

    def _adj_rib_in(self, other: "Node", family: Family) -> AdjRibIn | None:
        peering = self.speaker._peerings.by_peer.get(PeerId(other.address))
        return None if peering is None or peering.exchange is None else peering.exchange.ribs.get(family)

    def drain(self) -> list[TransportEffect]:
        """One turn, in the order of the agent."""
        now = self.network.now
        speaker = self.speaker
        effects = speaker.control(now)
        speaker.take_in(now, self.budget)
        for change in speaker.decide(now, self.budget):
            self.changes += 1
            prefix = Prefix(change.family, change.nlri)
            if change.selected is None:
                self.loc_rib.pop(prefix, None)
            else:
                self.loc_rib[prefix] = change.selected
        effects += speaker.withdrawals(now, self.budget)
        effects += speaker.announcements(now, self.budget, self.held)
        self.facts += speaker.take_facts()
        self.sent += [effect for effect in effects if isinstance(effect, SendBytes)]
        return effects


class Network:
    """All nodes, and the clock."""

    def __init__(self) -> None:
        self.now = SECOND
        self.nodes: dict[Address, Node] = {}
        self._ports = 40000
        self._accepted = 0

    def node(self, address: str, *, asn: int, cluster_id: str | None = None) -> Node:
        """A new node; its BGP identifier is its IPv4 address, or made from its IPv6 one."""
        place = Address.parse(address)
        identifier = place if len(place) == 4 else Address(bytes((10, *place[-3:])))
        cluster = None if cluster_id is None else Address.parse(cluster_id)
        config = SpeakerConfig(bgp_identifier=identifier, local_as=asn, cluster_id=cluster)
        node = self.nodes[place] = Node(self, place, config)
        return node

    def silence(self, node: Node) -> None:
        """A node dies without a word: it reads nothing, says nothing and closes nothing."""
        node.reads = False
        del self.nodes[node.address]

    def settle(self) -> None:
        """Go on until nobody has anything to do at this moment."""
        for _ in range(10_000):
            busy = False
            for node in self.nodes.values():
                deadline = node.speaker.next_deadline()
                if deadline is not None and deadline <= self.now:
                    busy = True
                    self.turn(node)
            if not busy:
                return
        raise AssertionError("the speakers never come to rest")

    def turn(self, node: Node) -> None:
        """One drain of one node, and what follows from it."""
        for effect in node.drain():
            self._carry_out(node, effect)

    def run_for(self, seconds: float) -> None:
        """Let time pass, from one deadline to the next."""
        end = self.now + int(seconds * SECOND)
        self.settle()
        while True:
            deadlines = [node.speaker.next_deadline() for node in self.nodes.values()]
            earliest = min((at for at in deadlines if at is not None), default=end)
            if earliest > end:
                break
            self.now = max(self.now, earliest)
            self.settle()
            if earliest == end:
                break
        self.now = end

    def stall(self, node: Node) -> None:
        """A node stops reading, and its peers have as much under way to it as they may."""
        node.reads = False
        for other in self.nodes.values():
            for connection, pipe in other.pipes.items():
                link = other.speaker._links.get(connection)
                if pipe.other is node and link is not None and not pipe.stalled:
                    pipe.stalled = IN_FLIGHT_MAX
                    link.outlet.in_flight += IN_FLIGHT_MAX

    def resume(self, node: Node) -> None:
        """A node that did not read goes on."""
        node.reads = True
        for other in self.nodes.values():
            for connection, pipe in other.pipes.items():
                if pipe.other is node:
                    unread, pipe.unread = pipe.unread, []
                    if pipe.stalled:
                        other.speaker.feed(BytesWritten(connection, pipe.stalled), self.now)
                        pipe.stalled = 0
                    for data in unread:
                        self._deliver(other, connection, pipe, data)

    def cut(self, one: Node, two: Node) -> None:
        """Reset all connections between two nodes."""
        for node, other in ((one, two), (two, one)):
            for connection in [number for number, pipe in node.pipes.items() if pipe.other is other]:
                del node.pipes[connection]
                node.speaker.feed(TcpClosed(connection, "connection reset"), self.now)

    def _carry_out(self, node: Node, effect: TransportEffect) -> None:
        match effect:
            case Connect():
                self._connect(node, effect)
            case SendBytes():
                pipe = node.pipes.get(effect.connection)
                if pipe is not None:
                    self._send(node, effect.connection, pipe, b"".join(effect.chunks))
            case SetOptions():
                pass  # There is no TTL here.
            case CloseConnection():
                pipe = node.pipes.pop(effect.connection, None)
                if pipe is not None and pipe.other.pipes.pop(pipe.other_connection, None) is not None:
                    pipe.other.speaker.feed(TcpClosed(pipe.other_connection, ""), self.now)

    def _connect(self, node: Node, effect: Connect) -> None:
        other = self.nodes.get(effect.remote.address)
        if other is None or not other.accepts:
            node.speaker.feed(TcpConnectFailed(effect.connection, "connection refused"), self.now)
            return
        self._ports += 1
        self._accepted -= 1
        local = Endpoint(node.address, self._ports)
        node.pipes[effect.connection] = Pipe(other, self._accepted)
        other.pipes[self._accepted] = Pipe(node, effect.connection)
        node.speaker.feed(TcpConnected(effect.connection, local, effect.remote), self.now)
        other.speaker.feed(TcpAccepted(self._accepted, effect.remote, local), self.now)

    def _send(self, node: Node, connection: int, pipe: Pipe, data: bytes) -> None:
        if pipe.other.reads:
            self._deliver(node, connection, pipe, data)
        else:
            pipe.unread.append(data)

    def _deliver(self, node: Node, connection: int, pipe: Pipe, data: bytes) -> None:
        node.speaker.feed(BytesWritten(connection, len(data)), self.now)
        pipe.other.speaker.feed(BytesReceived(pipe.other_connection, data), self.now)


def peer_config(of: Node, other: Node, **parameters: object) -> PeerConfig:
    """What `of` needs to know to peer with `other`; the node with the higher address waits for the other."""
    base = PeerConfig(
        peer=PeerId(other.address),
        name=str(other.address),
        families=(other.address.family,),
        local_as=of.config.local_as,
        remote_as=other.config.local_as,
        passive=of.address > other.address,
    )
    return replace(base, **parameters)  # type: ignore[arg-type]


def join(
    pairs: Iterable[tuple[Node, Node]], parameters: Mapping[tuple[Node, Node], dict[str, object]]
) -> None:
    """Configure both ends of every pair; `parameters` are for one node's view of another."""
    wanted: dict[Node, list[PeerConfig]] = {}
    for one, two in pairs:
        for of, other in ((one, two), (two, one)):
            config = peer_config(of, other, **parameters.get((of, other), {}))
            wanted.setdefault(of, []).append(config)
    for node, peers in wanted.items():
        node.configure(*peers)


def record(nodes: Iterable[Node]) -> Callable[[], dict[str, dict[str, str]]]:
    """All Loc-RIBs, by node."""
    listed = list(nodes)
    return lambda: {str(node.address): node.routes() for node in listed}
