"""One node's agent as it is, following a store, on a kernel in memory, with peers that the test plays.

Time stands still: whatever is to be done at this moment is done by `settle`.
"""

from collections.abc import Iterable
from itertools import count

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import ROUTE_PROTOCOL, AgentConfig
from felixbgp.agent.effects import Effect, Follow, Listen, ReadSecretFiles
from felixbgp.agent.inputs import Input, Listening
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpAccepted
from felixbgp.bgp.peering import Exchange
from felixbgp.bgp.policy.evaluate import evaluate
from felixbgp.bgp.rib.export import may_advertise
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, Framer
from felixbgp.bgp.wire.messages import MessageType, OpenMessage, PathAttributes
from felixbgp.bgp.wire.open import decode_open, encode_open, make_open, negotiate
from felixbgp.bgp.wire.update import decode_update, encode_announcements
from felixbgp.cluster.inputs import SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.state import watched_prefixes
from felixbgp.fib.types import (
    AddressSnapshot,
    DeleteRoutes,
    InterfaceAddress,
    KernelRoute,
    LinkChanged,
    ReplaceRoutes,
    Route,
)
from felixbgp.net import Address, Prefix
from felixbgp.sim.kernel import Kernel
from tests.support.derivation import LOCAL, Object
from tests.support.paths import sequence

TURNS_MAX = 200
"""More drains than anything takes here: whoever needs more never comes to rest."""


class Session:
    """A session with one peer, which was accepted from it and is Established."""

    def __init__(self, connection: int, address: Address, asn: int, *, external: bool) -> None:
        self.connection = connection
        self.address = address
        self.asn = asn
        self.external = external
        self.octets: list[bytes] = []
        self.offer: OpenMessage = make_open(
            local_as=asn,
            hold_time_s=90,
            bgp_identifier=address if len(address) == 4 else Address(bytes((10, *address[-3:]))),
            families=(address.family,),
            extra=(),
        )

    def heard(self) -> dict[str, PathAttributes]:
        """What the peer knows from the node: announcements less withdrawals."""
        framer = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
        framer.feed(b"".join(self.octets))
        messages = list(framer.messages())
        theirs = next(decode_open(body) for kind, body in messages if kind is MessageType.OPEN)
        negotiated = negotiate(self.offer, theirs)
        known: dict[str, PathAttributes] = {}
        for kind, body in messages:
            if kind is not MessageType.UPDATE:
                continue
            update = decode_update(body, negotiated, self.external)
            assert update.errors == ()
            for family, nlris in update.withdrawn:
                for nlri in nlris:
                    known.pop(str(Prefix(family, nlri)), None)
            for family, attributes, nlris in update.announced:
                known |= {str(Prefix(family, nlri)): attributes for nlri in nlris}
        return known


class ClusterNode:
    """The node `LOCAL` of a cluster of these objects; `networks` are on the one link of its kernel."""

    def __init__(self, objects: Iterable[Object], networks: Iterable[str]) -> None:
        values = {one.key: one for one in objects}  # the last of a key counts
        self._stored = [StoredValue(*one, number) for number, one in enumerate(values.values(), 2)]
        self.kernel = Kernel(ROUTE_PROTOCOL, map(Prefix.parse, networks))
        self.kernel.add_link("tunl0")
        self.agent = Agent(AgentConfig(node=LOCAL), lambda: 0.0)
        self._sessions: dict[str, Session] = {}
        self._by_connection: dict[int, Session] = {}
        self._numbers = count(-1, -1)
        self._snapshots(watched_prefixes(LOCAL))
        self.feed(*self.kernel.snapshots())

    # ---- what the node hears

    def feed(self, *events: Input) -> None:
        """Feed the agent, and let it work until it rests."""
        for event in events:
            self.agent.feed(event, 0)
        self.settle()

    def addresses(self, addresses: dict[str, str]) -> None:
        """These interfaces are up, each with an address, `10.0.0.1/24`."""
        links = (LinkChanged(index, name, up=True) for index, name in enumerate(addresses, 1))
        parsed = ((name, *text.split("/")) for name, text in addresses.items())
        there = (InterfaceAddress(name, Address.parse(host), int(length)) for name, host, length in parsed)
        self.feed(*links, AddressSnapshot(tuple(there)))

    def kernel_has(self, route: KernelRoute) -> None:
        """Somebody else adds a route."""
        self.feed(self.kernel.change(route, present=True))

    def connect(self, peer: str, asn: int, *, external: bool) -> None:
        """A peer opens a session."""
        session = Session(next(self._numbers), Address.parse(peer), asn, external=external)
        self._sessions[peer] = self._by_connection[session.connection] = session
        local = next(one for one in self._own() if one.family == session.address.family)
        self.feed(TcpAccepted(session.connection, Endpoint(local, 179), Endpoint(session.address, 40000)))
        self._say(session, encode_open(session.offer), encode_keepalive())
        assert self._exchange(session) is not None, "the session did not come up"

    def announce(self, peer: str, prefix: str, **attributes: object) -> None:
        """A peer announces a prefix; next hop, AS_PATH and LOCAL_PREF are what goes without saying."""
        session = self._sessions[peer]
        as_path = {"as_path": sequence(session.asn)} if session.external else {"local_pref": 100}
        known = {"next_hop": bytes(session.address), **as_path, **attributes}
        parsed = Prefix.parse(prefix)
        sent = PathAttributes(**known)  # type: ignore[arg-type]
        self._say(session, *encode_announcements(parsed.family, sent, [parsed.nlri], four_octet_as=True))

    # ---- what comes of it

    def heard(self, peer: str) -> dict[str, PathAttributes]:
        """What a peer knows from the node."""
        return self._sessions[peer].heard()

    def programmed(self) -> dict[str, Route]:
        """The node's own routes in the kernel."""
        return {str(prefix): route for prefix, route in self.kernel.routes().items()}

    def rule(self, peer: str, prefix: str) -> str:
        """What decided about telling a peer of a prefix: the name of a rule, or what came before it."""
        session, parsed = self._sessions[peer], Prefix.parse(prefix)
        path = self.agent._speaker._loc_ribs[parsed.family].path(parsed.nlri)
        exchange = self._exchange(session)
        if path is None or exchange is None:
            return "no route"
        view = exchange.views[parsed.family]
        if not may_advertise(view, path):
            return "iBGP to iBGP"
        route = {"source": path.source, "interface": path.interface, "attributes": path.attributes}
        return evaluate(view.policy, parsed.family, parsed.nlri, **route).rule  # type: ignore[arg-type]

    def settle(self) -> None:
        """Drain until nothing more is to be done at this moment."""
        for _ in range(TURNS_MAX):
            effects = self.agent.drain(0, 100)
            for effect in effects:
                self._carry_out(effect)
            deadline = self.agent.next_deadline()
            if not effects and (deadline is None or deadline > 0):
                return
        raise AssertionError("the agent never comes to rest")

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            for answer in self.kernel.apply(effect):
                self.agent.feed(answer, 0)
        elif isinstance(effect, Listen):
            for endpoint in effect.endpoints:
                self.agent.feed(Listening(endpoint), 0)
        elif isinstance(effect, SendBytes):
            self._by_connection[effect.connection].octets += effect.chunks
            self.agent.feed(BytesWritten(effect.connection, sum(map(len, effect.chunks))), 0)
        elif isinstance(effect, Follow):
            self._snapshots(effect.optional)
        elif isinstance(effect, ReadSecretFiles):
            self.agent.feed(SecretFilesRead("/secrets", ()), 0)

    def _snapshots(self, prefixes: Iterable[str]) -> None:
        for prefix in prefixes:
            listed = tuple(value for value in self._stored if value.key.startswith(prefix))
            self.agent.feed(SnapshotReceived(prefix, len(self._stored) + 2, listed), 0)

    def _say(self, session: Session, *messages: bytes) -> None:
        self.feed(BytesReceived(session.connection, b"".join(messages)))

    def _own(self) -> tuple[Address, ...]:
        intent = self.agent._intent
        assert intent is not None
        options = (peer.transport for peer in intent.peers.values())
        return tuple(one.local_address for one in options if one.local_address is not None)

    def _exchange(self, session: Session) -> Exchange | None:
        return self.agent._speaker._peerings.by_peer[PeerId(session.address)].exchange
