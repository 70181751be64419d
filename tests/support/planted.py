"""Agents with one bug each, planted where they meet the simulated world: the checks must find every one."""

from collections.abc import Callable, Iterator
from typing import Final, cast

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.inputs import TcpAccepted
from felixbgp.cluster.inputs import KeyPut
from felixbgp.fib.types import DeleteRoutes, KernelSnapshot, ReplaceRoutes, RouteKey, RouteKind, RoutesApplied
from felixbgp.net import Address
from felixbgp.resources.keys import prefix_of
from felixbgp.sim.node import AgentMaker
from felixbgp.sim.said import UPDATE, read

OPEN, NOTIFICATION = 1, 3
GRACEFUL_RESTART: Final = b"\x40\x06"
"""The capability for one family (RFC 4724 §3): its code, and six octets."""
COLLISION: Final = b"\x06\x07"
"""Cease, Connection Collision Resolution (RFC 4486)."""


class Planted:
    """An agent as it is; what a bug changes of it is in the classes below."""

    def __init__(self, config: AgentConfig, jitter: Callable[[], float]) -> None:
        self._agent = Agent(config, jitter)
        self._config = config
        self.now = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._agent, name)

    def feed(self, event: Input, now: int) -> None:
        self._agent.feed(event, now)

    def drain(self, now: int, budget: int) -> list[Effect]:
        self.now = now
        return list(self.changed(self._agent.drain(now, budget)))

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        """What the world gets of the effects of one drain."""
        yield from effects


class EarlySweep(Planted):
    """Lets go of a former life's routes when it begins."""

    def __init__(self, config: AgentConfig, jitter: Callable[[], float]) -> None:
        super().__init__(config, jitter)
        self._former: list[RouteKey] = []

    def feed(self, event: Input, now: int) -> None:
        if isinstance(event, KernelSnapshot):
            self._former += (
                RouteKey(one.prefix, one.metric)
                for one in event.routes
                if one.protocol == self._config.route_protocol and one.route.kind is RouteKind.UNICAST
            )
        super().feed(event, now)

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        former, self._former = self._former, []
        if former:
            yield DeleteRoutes(tuple(former))
        yield from effects


class LostWithdrawal(Planted):
    """Never says that a route is gone."""

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, SendBytes):
                kept = tuple(
                    part for chunk in effect.chunks for part in messages(chunk) if not withdraws(part)
                )
                yield SendBytes(effect.connection, kept)
            else:
                yield effect


class AnnouncedBeforeKernel(Planted):
    """Takes every write for done in the instant in which it asks for it."""

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, ReplaceRoutes):
                self._agent.feed(
                    RoutesApplied(tuple(prefix for prefix, _ in effect.routes), present=True), self.now
                )
            yield effect
        if any(isinstance(effect, ReplaceRoutes) for effect in effects):
            yield from self._agent.drain(self.now, 1000)


class WrongStaleTimer(Planted):
    """Asks to be waited for for two seconds, whatever it was told."""

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, SendBytes):
                chunks = (part for chunk in effect.chunks for part in messages(chunk))
                yield SendBytes(effect.connection, tuple(map(impatient, chunks)))
            else:
                yield effect


class TwoSessions(Planted):
    """Keeps the connection that a collision should have ended, and says everything on both."""

    def __init__(self, config: AgentConfig, jitter: Callable[[], float]) -> None:
        super().__init__(config, jitter)
        self._peers: dict[int, Address] = {}
        self._spare: dict[Address, int] = {}

    def feed(self, event: Input, now: int) -> None:
        if isinstance(event, TcpAccepted):
            self._peers[event.connection] = event.remote.address
        super().feed(event, now)

    def changed(self, effects: list[Effect]) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, Connect):
                self._peers[effect.connection] = effect.remote.address
            if isinstance(effect, SendBytes):
                peer, data = self._peers[effect.connection], b"".join(effect.chunks)
                if any(kind(part) == NOTIFICATION and part[19:21] == COLLISION for part in messages(data)):
                    self._spare[peer] = effect.connection
                    continue
                updates = tuple(part for part in messages(data) if kind(part) == UPDATE)
                if updates and self._spare.get(peer, effect.connection) != effect.connection:
                    yield SendBytes(self._spare[peer], updates)
            if isinstance(effect, CloseConnection) and effect.connection in self._spare.values():
                continue
            yield effect


class DeafToFilters(Planted):
    """Does not hear that a filter was changed."""

    def __init__(self, config: AgentConfig, jitter: Callable[[], float]) -> None:
        super().__init__(config, jitter)
        self._known: dict[str, None] = {}

    def feed(self, event: Input, now: int) -> None:
        if isinstance(event, KeyPut) and event.stored.key.startswith(prefix_of("BGPFilter")):
            if event.stored.key in self._known:
                return
            self._known[event.stored.key] = None
        super().feed(event, now)


BUGS: Final[dict[str, type[Planted]]] = {
    "early sweep": EarlySweep,
    "lost withdrawal": LostWithdrawal,
    "announcement before kernel": AnnouncedBeforeKernel,
    "wrong stale timer": WrongStaleTimer,
    "two sessions": TwoSessions,
    "filter change not heard": DeafToFilters,
}


def maker(bug: type[Planted]) -> AgentMaker:
    """What begins the lives of such agents."""
    return cast("AgentMaker", bug)


def kind(message: bytes) -> int:
    return message[18]


def messages(data: bytes) -> Iterator[bytes]:
    """Whole messages in a row, one by one."""
    while data:
        length = int.from_bytes(data[16:18], "big")
        yield data[:length]
        data = data[length:]


def withdraws(message: bytes) -> bool:
    """Whether it says that routes are gone, and nothing else."""
    (said,) = read(message)
    return bool(said.withdrawn) and not said.announced


def impatient(message: bytes) -> bytes:
    """The message, with a restart time of two seconds where it is an OPEN."""
    place = message.find(GRACEFUL_RESTART) if kind(message) == OPEN else -1
    if place < 0:
        return message
    flags = message[place + 2] & 0xF0
    return message[: place + 2] + bytes((flags, 2)) + message[place + 4 :]
