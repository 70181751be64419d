"""The peerings of a speaker, by peer, by number, and by whose connection is accepted."""

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.inputs import TcpAccepted
from felixbgp.bgp.peering import Peering
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.session.state import SessionState
from felixbgp.net import Address

_COMING = (SessionState.OPEN_SENT, SessionState.OPEN_CONFIRM, SessionState.ESTABLISHED)


class Peerings:
    """One for each configured peer."""

    __slots__ = ("_by_address", "_count", "_missed", "by_number", "by_peer")

    def __init__(self) -> None:
        self.by_peer: dict[PeerId, Peering] = {}
        self.by_number: dict[int, Peering] = {}
        self._by_address: dict[Address, list[Peering]] = {}
        self._count = 0
        self._missed: dict[PeerId, None] = {}

    def add(self, config: PeerConfig, session: Peer, established_count: int) -> Peering:
        """Begin with a peer, which had so many sessions before."""
        self._count += 1
        peering = Peering(self._count, config, session, established_count)
        self.by_peer[config.peer] = self.by_number[peering.number] = peering
        same_address = self._by_address.setdefault(config.peer.address, [])
        same_address.append(peering)
        same_address.sort(key=lambda one: one.config.peer.port)
        return peering

    def remove(self, peering: Peering) -> None:
        """It is no peer any more."""
        peer = peering.config.peer
        del self.by_peer[peer], self.by_number[peering.number]
        self._by_address[peer.address].remove(peering)
        if not self._by_address[peer.address]:
            del self._by_address[peer.address]

    def of_connection(self, accepted: TcpAccepted) -> Peering | None:
        """Whose it is: by address, and among several peers at one address by port or by need."""
        candidates = self._by_address.get(accepted.remote.address, [])
        for peering in candidates:
            if peering.config.peer.port == accepted.remote.port:
                return peering
        idle = [peering for peering in candidates if peering.exchange is None]
        return next(iter(idle or candidates), None)

    def has_routes_of(self, peer: PeerId) -> bool:
        """Whether there are routes of a peer here, be it that its session is over and it may be back."""
        peering = self.by_peer.get(peer)
        return peering is not None and (peering.exchange is not None or bool(peering.retention.ribs))

    def miss(self, peering: Peering) -> None:
        """Its session is over, or silent; whoever asks for such peers hears of it if we have routes of it."""
        if self.has_routes_of(peering.config.peer):
            self._missed[peering.config.peer] = None

    def take_missed(self) -> list[PeerId]:
        """Those that were missed first since the last call."""
        missed, self._missed = list(self._missed), {}
        return missed

    def is_missed(self, peer: PeerId) -> bool:
        """Whether a peer has no session and none that is coming, or one that is silent."""
        peering = self.by_peer.get(peer)
        if peering is None:
            return False
        return peering.session.is_silent or peering.session.state not in _COMING
