"""Our side: speakers of the product with the product's TCP, any number of them in one namespace.

A thread of its own lives in the namespace and runs trio; tests talk to it by plain calls. Only the kernel is
played (all routes are taken), since what is looked at here is what is said between speakers.
"""

import random
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar

import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import ROUTE_PROTOCOL, AgentConfig
from felixbgp.agent.effects import Effect, Listen, Observe
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportEffect
from felixbgp.bgp.facts import BgpFact
from felixbgp.bgp.routes import Selected
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.bgp.wire.messages import Negotiated, PathAttributes
from felixbgp.fib.types import DeleteRoutes, ReplaceRoutes
from felixbgp.intent.types import Intent
from felixbgp.lab import netns
from felixbgp.net import Address, Prefix
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.tcp import Tcp
from felixbgp.sim.kernel import Kernel

EVERYWHERE = (Prefix.parse("0.0.0.0/0"), Prefix.parse("::/0"))
Value = TypeVar("Value")


class Felix:
    """One speaker: what it should do, and what it sees. Methods are for the thread it runs in."""

    def __init__(
        self,
        config: SpeakerConfig,
        address: Address,
        originated: Iterable[Prefix],
        kernel: Kernel | None = None,
    ) -> None:
        """`kernel` is that of a former life, if there was one."""
        self.name = f"felix-{config.bgp_identifier}"
        self.facts: list[BgpFact] = []
        self.listening = trio.Event()
        self._scope = trio.CancelScope()
        self._config = config
        self._address = address
        self._originated = tuple(originated)
        self._peers: dict[PeerId, PeerConfig] = {}
        jitter = random.Random(self.name).random  # noqa: S311 - jitter is no secret
        self._agent = Agent(AgentConfig(node=self.name), jitter)
        self._driver = Driver(self._agent)
        self.kernel = kernel or Kernel(ROUTE_PROTOCOL, EVERYWHERE)
        self._driver.deliver(self.kernel.snapshots())

    def configure(self, *peers: PeerConfig) -> None:
        """Have exactly these peers."""
        self._peers = {peer.peer: peer for peer in peers}
        self._follow()

    def change(self, address: Address, **parameters: object) -> None:
        """Change what the peer at an address is configured to be."""
        known = PeerId(address)
        changed = replace(self._peers[known], **parameters)  # type: ignore[arg-type]
        self.configure(*({**self._peers, known: changed}.values()))

    async def run(self) -> None:
        """Until cancelled, and then as if killed: sockets close without a word."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                tcp = Tcp(nursery, self._driver.deliver, self._driver.wait_room)
                await self._driver.run(lambda effect: self._perform(tcp, effect))

    def kill(self) -> None:
        """End at once."""
        self._scope.cancel()

    def peer(self, address: Address) -> PeerSnapshot:
        """The session with the peer at an address."""
        return next(one for one in self._agent._speaker.peers() if one.peer.address == address)

    def negotiated(self, address: Address) -> Negotiated | None:
        """What the OPENs agreed on; None unless Established."""
        return self._agent._speaker._peerings.by_peer[PeerId(address)].session.negotiated

    def has_dialled(self, address: Address) -> bool:
        """Whether the Established session's connection is one that we opened."""
        established = self._agent._speaker._peerings.by_peer[PeerId(address)].session.established
        assert established is not None
        return established > 0

    def received(self, address: Address, prefix: Prefix) -> dict[bytes, PathAttributes]:
        """What a peer announced for a prefix, before policy, by path identifier (b"" without add-path)."""
        exchange = self._agent._speaker._peerings.by_peer[PeerId(address)].exchange
        rib = None if exchange is None else exchange.ribs.get(prefix.family)
        if rib is None:
            return {}
        found = [nlri for nlri in rib.prefixes() if nlri.endswith(prefix.nlri)]
        paths = {nlri.removesuffix(prefix.nlri): rib.attributes(nlri) for nlri in found}
        return {one: attributes for one, attributes in paths.items() if attributes and len(one) in (0, 4)}

    def selected(self, prefix: Prefix) -> Selected | None:
        """The Loc-RIB's entry."""
        return self._agent._speaker.selected(prefix.family, prefix.nlri)

    def _follow(self) -> None:
        intent = Intent(
            speaker=self._config,
            listen=(self._address,),
            peers=self._peers,
            aggregates=self._originated,
            workload_interfaces=(),
        )
        self._driver.deliver([IntentGiven(intent)])

    def _perform(self, tcp: Tcp, effect: Effect) -> None:
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            self._driver.deliver(self.kernel.apply(effect))
        elif isinstance(effect, Listen):
            tcp.listen(effect)
            self.listening.set()
        elif isinstance(effect, Observe):
            if isinstance(effect.fact, BgpFact):
                self.facts.append(effect.fact)
        elif isinstance(effect, TransportEffect):
            tcp.perform(effect)


@dataclass
class Ours:
    """The thread in the namespace, and everything of ours that runs in it."""

    namespace: str
    _ready: threading.Event = field(default_factory=threading.Event)
    _stack: ExitStack = field(default_factory=ExitStack)
    _nursery: trio.Nursery | None = None
    _token: trio.lowlevel.TrioToken | None = None

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._live, name=self.namespace)
        thread.start()
        self._stack.callback(thread.join)
        self._ready.wait()
        self._stack.callback(self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def call(self, function: Callable[[], Value]) -> Value:
        """Call something in the thread, between two steps of the speakers; gives its value."""
        return trio.from_thread.run_sync(function, trio_token=self._token)

    def start(self, run: Callable[[], object]) -> None:
        """Start a task in the thread."""
        assert self._nursery is not None
        self.call(lambda: self._nursery.start_soon(run))  # type: ignore[union-attr, arg-type]

    def _live(self) -> None:
        # Nothing else uses this thread, so that it may wait inside.
        with netns.inside(self.namespace):
            trio.run(self._main)

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await trio.sleep_forever()

    def _end(self) -> None:
        nursery = self._nursery
        assert nursery is not None
        self.call(nursery.cancel_scope.cancel)
