"""One whole agent as a plain router, on a kernel in memory, with peers that the test plays."""

from collections.abc import Iterable
from itertools import count

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import ROUTE_PROTOCOL, AgentConfig
from felixbgp.agent.effects import Effect, Fact, Listen, Observe
from felixbgp.agent.inputs import Input, IntentGiven, Listening
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpAccepted
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_withdrawals
from felixbgp.fib.types import DeleteRoutes, KernelRoute, ReplaceRoutes, Route
from felixbgp.intent.types import Intent, Problem
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.sim.kernel import Kernel

OWN = Address.parse("10.0.0.1")
AS_NUMBER = 64512
OTHER_AS_NUMBER = 65001
TURNS_MAX = 200
"""More drains than anything takes here: whoever needs more never comes to rest."""


class Router:
    """An agent that was told its intent, and its kernel. Time stands still."""

    def __init__(
        self,
        *peers: str,
        external: Iterable[str] = (),
        connected: Iterable[str] = ("10.0.0.0/24",),
        beside: Iterable[str] = (),
        **intent: object,
    ) -> None:
        """All peers are iBGP ones but for the external ones, of both families; `intent` has more of it.

        The networks are on eth0, and `beside` on eth1, the third link.
        """
        self.kernel = Kernel(ROUTE_PROTOCOL, map(Prefix.parse, connected))
        self.kernel.add_link("eth1", map(Prefix.parse, beside))
        self.kernel.add_link("tunl0")
        self.agent = Agent(AgentConfig(node="router"), lambda: 0.0)
        self.facts: list[Fact] = []
        self.written: list[tuple[tuple[Prefix, Route], ...]] = []
        """What was asked of the kernel."""
        self._connections: dict[str, int] = {}
        self._as_numbers = dict.fromkeys(peers, AS_NUMBER) | dict.fromkeys(external, OTHER_AS_NUMBER)
        self._numbers = count(-1, -1)
        speaker = SpeakerConfig(
            bgp_identifier=OWN, local_as=AS_NUMBER, multipath_internal=16, multipath_external=16
        )
        self._feed(*self.kernel.snapshots())
        configs = dict(map(self._peer, self._as_numbers))
        given = Intent(speaker=speaker, listen=(OWN,), peers=configs, **intent)  # type: ignore[arg-type]
        self._feed(IntentGiven(given))
        self.settle()
        for peer in self._as_numbers:
            self._connect(peer)

    def announce(self, peer: str, prefix: str, next_hop: str | None = None, local_pref: int = 100) -> None:
        """A peer announces a prefix, by default with itself as next hop."""
        self.tell(peer, [prefix], PathAttributes(next_hop=_octets(next_hop or peer), local_pref=local_pref))

    def tell(self, peer: str, prefixes: Iterable[str], attributes: PathAttributes) -> None:
        """A peer announces prefixes of one family with these attributes."""
        parsed = list(map(Prefix.parse, prefixes))
        nlris = [prefix.nlri for prefix in parsed]
        self._say(peer, *encode_announcements(parsed[0].family, attributes, nlris, four_octet_as=True))

    def withdraw(self, peer: str, *prefixes: str) -> None:
        """A peer withdraws prefixes of one family."""
        parsed = list(map(Prefix.parse, prefixes))
        self._say(peer, *encode_withdrawals(parsed[0].family, [prefix.nlri for prefix in parsed]))

    def kernel_changed(self, route: KernelRoute, *, present: bool) -> None:
        """Somebody else adds a route, or removes it."""
        self.feed(self.kernel.change(route, present=present))

    def feed(self, *events: Input) -> None:
        """Feed the agent, and let it work until it rests."""
        self._feed(*events)
        self.settle()

    def routes(self) -> dict[str, Route]:
        """Our own routes in the kernel."""
        return {str(prefix): route for prefix, route in sorted(self.kernel.routes().items())}

    def ways(self) -> dict[str, str]:
        """The same as words: `10.0.0.2 eth0`, several joined by commas, or the kind of route."""
        return {
            prefix: ", ".join(f"{hop.gateway} {hop.interface}" for hop in route.next_hops)
            or route.kind.name.lower()
            for prefix, route in self.routes().items()
        }

    def problems(self) -> tuple[Problem, ...]:
        """Those of the status."""
        return self.agent.status(0).problems

    def settle(self) -> None:
        """Drain until nothing more is to be done at this moment."""
        for _ in range(TURNS_MAX):
            effects = self.agent.drain(0, 100)
            for effect in effects:
                self.perform(effect)
            deadline = self.agent.next_deadline()
            if not effects and (deadline is None or deadline > 0):
                return
        raise AssertionError("the agent never comes to rest")

    def perform(self, effect: Effect) -> None:
        """Carry out one effect."""
        if isinstance(effect, ReplaceRoutes):
            self.written.append(effect.routes)
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            self._feed(*self.kernel.apply(effect))
        elif isinstance(effect, Listen):
            self._feed(*map(Listening, effect.endpoints))
        elif isinstance(effect, SendBytes):
            self._feed(BytesWritten(effect.connection, sum(map(len, effect.chunks))))
        elif isinstance(effect, Observe):
            self.facts.append(effect.fact)

    def connection_of(self, peer: str) -> int:
        """The number of the connection of a peer; 0 before it has one."""
        return self._connections.get(peer, 0)

    def _feed(self, *events: Input) -> None:
        for event in events:
            self.agent.feed(event, 0)

    def _connect(self, peer: str) -> None:
        connection = self._connections[peer] = next(self._numbers)
        address = Address.parse(peer)
        self.feed(TcpAccepted(connection, Endpoint(OWN, 179), Endpoint(address, 40000)))
        offer = make_open(
            local_as=self._as_numbers[peer],
            hold_time_s=90,
            bgp_identifier=Address(address[-4:]),
            families=(IPV4, IPV6),
            extra=(),
        )
        self._say(peer, encode_open(offer), encode_keepalive())

    def _peer(self, text: str) -> tuple[PeerId, PeerConfig]:
        peer = PeerId(Address.parse(text))
        config = PeerConfig(
            peer=peer,
            name=text,
            families=(IPV4, IPV6),
            local_as=AS_NUMBER,
            remote_as=self._as_numbers[text],
            passive=True,
        )
        return peer, config

    def _say(self, peer: str, *messages: bytes) -> None:
        self.feed(BytesReceived(self._connections[peer], b"".join(messages)))


def _octets(text: str) -> bytes:
    return bytes(Address.parse(text))
