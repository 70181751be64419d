"""Links and TCP between simulated nodes: everything arrives in order, later, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field

from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, TransportEffect
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
    TransportInput,
)
from felixbgp.net import Address, Prefix
from felixbgp.sim.clock import Clock

EPHEMERAL_PORT_FIRST = 32768


@dataclass(slots=True)
class Host:
    """One end of the network: its addresses, where it listens, and what hears of its connections."""

    name: str
    addresses: tuple[Address, ...]
    deliver: Callable[[TransportInput], None]
    listening: frozenset[Endpoint] = frozenset()
    keys: dict[Prefix, bytes] = field(default_factory=dict, repr=False)
    """TCP MD5 passwords of those who may connect."""
    accepted: int = 0
    pipes: dict[int, "Pipe"] = field(default_factory=dict)
    abandoned: set[int] = field(default_factory=set)
    """Connects that were cancelled before their answer."""
    alive: bool = True


@dataclass(slots=True)
class Pipe:
    """One direction of a TCP connection, as its sender holds it."""

    to: Host
    to_connection: int


class Network:
    """All hosts on one segment. Between two of them the link may be cut: bytes then wait, as TCP's do."""

    def __init__(self, clock: Clock, latency_ns: int) -> None:
        self._clock = clock
        self._latency_ns = latency_ns
        self._hosts: dict[Address, Host] = {}
        self._cut: set[frozenset[str]] = set()
        self._waiting: list[tuple[frozenset[str], Callable[[], None]]] = []
        self._next_port = EPHEMERAL_PORT_FIRST

    def attach(self, host: Host) -> None:
        """Make a host reachable by all its addresses."""
        self._hosts.update(dict.fromkeys(host.addresses, host))

    def detach(self, host: Host) -> None:
        """The host's process dies: its connections end at the other side."""
        host.alive = False
        host.listening = frozenset()
        for connection in list(host.pipes):
            self._close(host, connection)

    def cut(self, first: str, second: str) -> None:
        """Let nothing pass between two hosts; nobody is told."""
        self._cut.add(frozenset((first, second)))

    def mend(self, first: str, second: str) -> None:
        """Let everything pass again, first what was sent meanwhile."""
        link = frozenset((first, second))
        self._cut.discard(link)
        waiting, self._waiting = self._waiting, []
        for held, action in waiting:
            if held == link:
                self._clock.call_after(self._latency_ns, action)
            else:
                self._waiting.append((held, action))

    def perform(self, host: Host, effect: TransportEffect) -> None:
        """Carry out a transport effect of the host's agent."""
        if isinstance(effect, Connect):
            self._connect(host, effect)
        elif isinstance(effect, SendBytes):
            self._send(host, effect)
        elif isinstance(effect, CloseConnection):
            self._abandon(host, effect)
        # SetOptions: there is no TTL here.

    def _connect(self, host: Host, effect: Connect) -> None:
        remote = effect.remote
        target = self._hosts.get(remote.address)
        if target is None or frozenset((host.name, target.name)) in self._cut:
            self._clock.call_after(effect.timeout_ns, lambda: self._refuse(host, effect, "timed out"))
            return
        family = len(remote.address)
        source = effect.options.local_address or next(a for a in host.addresses if len(a) == family)
        self._next_port += 1
        local = Endpoint(source, self._next_port)
        self._clock.call_after(self._latency_ns, lambda: self._arrive(host, target, effect, local))

    def _arrive(self, host: Host, target: Host, effect: Connect, local: Endpoint) -> None:
        if not host.alive or effect.connection in host.abandoned:
            return
        wildcard = Endpoint(Address(bytes(len(effect.remote.address))), effect.remote.port)
        if target.listening.isdisjoint((effect.remote, wildcard)):
            self._refuse(host, effect, "connection refused")
            return
        if _key_for(target, local.address) != effect.options.password:
            # As with TCP MD5: a segment without the right digest is dropped without a word.
            self._clock.call_after(effect.timeout_ns, lambda: self._refuse(host, effect, "timed out"))
            return
        target.accepted -= 1
        accepted = target.accepted
        host.pipes[effect.connection] = Pipe(target, accepted)
        target.pipes[accepted] = Pipe(host, effect.connection)
        target.deliver(TcpAccepted(accepted, effect.remote, local))
        host.deliver(TcpConnected(effect.connection, local, effect.remote))

    def _refuse(self, host: Host, effect: Connect, reason: str) -> None:
        if host.alive and effect.connection not in host.abandoned:
            host.deliver(TcpConnectFailed(effect.connection, reason))

    def _send(self, host: Host, effect: SendBytes) -> None:
        pipe = host.pipes.get(effect.connection)
        if pipe is None:
            return
        data = b"".join(effect.chunks)
        written = BytesWritten(effect.connection, len(data))
        self._clock.call_after(0, lambda: host.deliver(written))
        self._pass(host, pipe.to, lambda: self._receive(pipe, data))

    def _receive(self, pipe: Pipe, data: bytes) -> None:
        if pipe.to_connection in pipe.to.pipes:
            pipe.to.deliver(BytesReceived(pipe.to_connection, data))

    def _abandon(self, host: Host, effect: CloseConnection) -> None:
        if effect.connection in host.pipes:
            self._close(host, effect.connection)
        elif effect.connection > 0:
            host.abandoned.add(effect.connection)

    def _close(self, host: Host, connection: int) -> None:
        pipe = host.pipes.pop(connection)
        self._pass(host, pipe.to, lambda: self._ended(pipe))

    def _ended(self, pipe: Pipe) -> None:
        if pipe.to.pipes.pop(pipe.to_connection, None) is not None:
            pipe.to.deliver(TcpClosed(pipe.to_connection, ""))

    def _pass(self, sender: Host, receiver: Host, action: Callable[[], None]) -> None:
        link = frozenset((sender.name, receiver.name))
        if link in self._cut:
            self._waiting.append((link, action))
        else:
            self._clock.call_after(self._latency_ns, action)


def _key_for(host: Host, remote: Address) -> bytes | None:
    """The password that somebody at this address must have to connect to the host."""
    return next((key for prefix, key in host.keys.items() if prefix.contains(remote)), None)
