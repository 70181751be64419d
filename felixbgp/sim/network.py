"""TCP between simulated nodes: octets arrive in order, later, or not at all.

    host A                                                                       host B
    End ── unsent, while clogged ── held, while cut ── under way, `delay` ──▶ End.host.deliver
      ◀─────────────────────────────────── the same ─────────────────────────────┘

Standing rules:

* What one end sent before arrives before, whatever happens to the link: TCP repeats.
* A host that is there answers whatever comes for a connection that it does not have with a reset; one that is
  not there answers nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from felixbgp.agent.inputs import HostProbed, ProbeOutcome
from felixbgp.agent.liveness import ProbeHost
from felixbgp.bgp.cause import Cause
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
from felixbgp.sim.links import Links, Trouble
from felixbgp.sim.observer import NOBODY, Observer
from felixbgp.sim.randomness import Randomness

EPHEMERAL_PORT_FIRST: Final = 32768
RESET: Final = "Connection reset by peer"
REFUSED: Final = "Connection refused"
NO_ROUTE: Final = "No route to host"
TIMED_OUT: Final = "timed out"
_CAUSES: Final = {
    "": Cause.CONNECTION_CLOSED,
    RESET: Cause.CONNECTION_CLOSED,
    REFUSED: Cause.REFUSED,
    NO_ROUTE: Cause.UNREACHABLE,
    TIMED_OUT: Cause.TIMED_OUT,
}
PIECE_NS: Final = 50_000
"""Between two pieces of what a link has chopped."""
FIRST_REPEAT_NS: Final = 1_000_000_000
"""RFC 6298 §2.1."""
REPEAT_NS_MAX: Final = 3_000_000_000
"""How long after a link is whole again TCP may take to try once more."""


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
    ends: dict[int, "End"] = field(default_factory=dict)
    """Of its connections, those that are being opened among them."""
    alive: bool = True


@dataclass(slots=True, eq=False)
class End:
    """One end of a TCP connection, and all that it has sent and has not arrived."""

    host: Host
    number: int
    other: "End | None" = None
    """None until the other side has heard of the connection."""
    remote: str = ""
    """The name of the host at the other end."""
    unsent: list[bytes] = field(default_factory=list)
    held: list[Callable[[], None]] = field(default_factory=list)
    arrives_at: int = 0
    """When the last of what is under way arrives."""
    is_ending: bool = False
    """Whether the end of the stream follows what is unsent."""
    local_address: Address | None = None
    remote_address: Address = Address(bytes(4))  # noqa: RUF009 - it is immutable

    @property
    def is_open(self) -> bool:
        """Whether its host still has it."""
        return self.host.ends.get(self.number) is self


class Network:
    """All hosts on one segment."""

    def __init__(self, clock: Clock, latency_ns: int, randomness: Randomness) -> None:
        self.links = Links(latency_ns, randomness)
        self._clock = clock
        self._hosts: dict[Address, Host] = {}
        self._by_name: dict[str, Host] = {}
        self._stuck: dict[End, None] = {}
        """Ends of which something is held or unsent; their hosts may have given them up."""
        self._next_port = EPHEMERAL_PORT_FIRST
        self.observer: Observer = NOBODY

    def attach(self, host: Host) -> None:
        """Make a host reachable by all its addresses."""
        self._by_name[host.name] = host
        self._hosts.update(dict.fromkeys(host.addresses, host))
        self.observer.host_changed(host.name)

    def detach(self, host: Host) -> None:
        """The host's process dies: its connections end at the other side."""
        host.listening = frozenset()
        for end in list(host.ends.values()):
            self._close(end)
        host.alive = False
        self.observer.host_changed(host.name)

    def vanish(self, host: Host) -> None:
        """The host is turned off: nobody is told, and nothing answers at its addresses."""
        host.alive = False
        host.listening = frozenset()
        for end in host.ends.values():
            self.observer.connection_ended(end, host.name)
        host.ends.clear()
        self.observer.host_changed(host.name)
        self._stuck = {end: None for end in self._stuck if end.host is not host}
        if self._by_name.get(host.name) is host:
            del self._by_name[host.name]
            for address in host.addresses:
                self._hosts.pop(address, None)

    # -- what happens to links ------------------------------------------------------------------------

    def cut(self, first: str, second: str) -> None:
        """Let nothing pass between two hosts; nobody is told."""
        self.links.begin(Trouble.CUT, first, second)

    def mend(self, first: str, second: str) -> None:
        """Let everything pass again, first what was sent meanwhile."""
        if not self.links.end(Trouble.CUT, first, second):
            return
        for end in self._stuck_between(first, second):
            held, end.held = end.held, []
            repeat_ns = int(self.links.randomness() * REPEAT_NS_MAX) if held else 0
            for action in held:
                self._arrive_later(end, action, repeat_ns)
                repeat_ns = 0
        self._forget_loose()

    def clog(self, first: str, second: str) -> None:
        """Have nobody read between two hosts: what is sent stays with who sends it."""
        self.links.begin(Trouble.CLOGGED, first, second)

    def unclog(self, first: str, second: str) -> None:
        """Have everything read again."""
        if not self.links.end(Trouble.CLOGGED, first, second):
            return
        for end in self._stuck_between(first, second):
            unsent, end.unsent = end.unsent, []
            for data in unsent:
                self._send_now(end, data)
            if end.is_ending:
                self._end_stream(end)
        self._forget_loose()

    def reset(self, first: str, second: str) -> None:
        """End all connections between two hosts, as a box between them can; both are told at once."""
        self.observer.link_changed(first, second)
        for end in self._between(first, second):
            self._break(end, RESET)

    def forget(self, first: str, second: str) -> None:
        """The first host loses its ends of all connections to the second, which hears nothing of it."""
        self.observer.link_changed(first, second)
        for end in self._between(first, second):
            if end.host.name == first:
                self._break(end, RESET)

    def _between(self, first: str, second: str) -> list[End]:
        """The ends of all connections between two hosts."""
        pairs = ((first, second), (second, first)) if first != second else ((first, second),)
        hosts = [(self._by_name[here], there) for here, there in pairs if here in self._by_name]
        return [end for host, there in hosts for end in host.ends.values() if end.remote == there]

    def _stuck_between(self, first: str, second: str) -> list[End]:
        """Those of which something is held or unsent on this link."""
        link = frozenset((first, second))
        return [end for end in self._stuck if frozenset((end.host.name, end.remote)) == link]

    def _forget_loose(self) -> None:
        self._stuck = {end: None for end in self._stuck if end.held or end.unsent}

    # -- what agents do -------------------------------------------------------------------------------

    def perform(self, host: Host, effect: TransportEffect) -> None:
        """Carry out a transport effect of the host's agent."""
        if isinstance(effect, Connect):
            self._connect(host, effect)
        elif isinstance(effect, SendBytes):
            self._send(host, effect)
        elif isinstance(effect, CloseConnection):
            end = host.ends.get(effect.connection)
            if end is not None:
                self._close(end)
        # SetOptions: there is no TTL here.

    def probe(self, host: Host, effect: ProbeHost, answer: Callable[[HostProbed], None]) -> None:
        """Dial and hang up at once; `answer` is told what came of it."""
        self._probe(host, effect, answer, self._clock.now)

    def _probe(self, host: Host, effect: ProbeHost, answer: Callable[[HostProbed], None], began: int) -> None:
        remote = effect.remote
        target = self._hosts.get(remote.address)
        if target is None or self.links.has(Trouble.CUT, host.name, target.name):
            self._probe_again(host, effect, answer, began)
            return
        delay = 2 * self.links.delay(host.name, target.name)
        probed = HostProbed(remote, ProbeOutcome.ANSWERED, REFUSED)
        if self.links.has(Trouble.UNREACHABLE, host.name, target.name):
            probed = HostProbed(remote, ProbeOutcome.SILENT, NO_ROUTE)
        self._clock.call_after(delay, lambda: answer(probed))

    def _probe_again(
        self, host: Host, effect: ProbeHost, answer: Callable[[HostProbed], None], began: int
    ) -> None:
        """TCP repeats its first segment after a second, and then after twice as long each time."""
        over_at = began + effect.timeout_ns
        again_at = self._clock.now + max(self._clock.now - began, 0) + FIRST_REPEAT_NS
        if again_at < over_at:
            self._clock.call_at(again_at, lambda: self._probe(host, effect, answer, began))
        else:
            probed = HostProbed(effect.remote, ProbeOutcome.SILENT, TIMED_OUT)
            self._clock.call_at(over_at, lambda: answer(probed))

    def _connect(self, host: Host, effect: Connect) -> None:
        remote = effect.remote
        target = self._hosts.get(remote.address)
        end = host.ends[effect.connection] = End(host, effect.connection)
        end.local_address, end.remote_address = effect.options.local_address, remote.address
        if target is None:
            self._refuse_later(end, TIMED_OUT, effect.timeout_ns)
            return
        end.remote = target.name
        for trouble, reason in (
            (Trouble.REFUSING, REFUSED),
            (Trouble.UNREACHABLE, NO_ROUTE),
        ):
            if self.links.has(trouble, host.name, target.name):
                self._refuse_later(end, reason, self.links.delay(host.name, target.name))
                return
        self._refuse_later(end, TIMED_OUT, effect.timeout_ns)
        family = len(remote.address)
        source = effect.options.local_address or next(a for a in host.addresses if len(a) == family)
        self._next_port += 1
        local = Endpoint(source, self._next_port)
        self._pass(end, lambda: self._knock(end, effect, local))

    def _knock(self, end: End, effect: Connect, local: Endpoint) -> None:
        """The first segment of a connection arrives."""
        target = self._hosts.get(effect.remote.address)
        if target is None or not end.is_open:
            return
        wildcard = Endpoint(Address(bytes(len(effect.remote.address))), effect.remote.port)
        if target.listening.isdisjoint((effect.remote, wildcard)):
            self._refuse_later(end, REFUSED, self.links.delay(end.host.name, target.name))
            return
        if _key_for(target, local.address) != effect.options.password:
            return  # As with TCP MD5: a segment without the right digest is dropped without a word.
        target.accepted -= 1
        other = End(target, target.accepted, end, end.host.name)
        other.local_address, other.remote_address = effect.remote.address, local.address
        target.ends[other.number] = other
        target.deliver(TcpAccepted(other.number, effect.remote, local))
        self._pass(other, lambda: self._connected(end, other, effect, local))

    def _connected(self, end: End, other: End, effect: Connect, local: Endpoint) -> None:
        """The answer to the first segment arrives."""
        if not end.is_open:
            self._reset_later(other)
            return
        end.other = other
        end.host.deliver(TcpConnected(end.number, local, effect.remote))

    def _refuse_later(self, end: End, reason: str, delay_ns: int) -> None:
        self._clock.call_after(delay_ns, lambda: self._refuse(end, reason))

    def _refuse(self, end: End, reason: str) -> None:
        if end.is_open and end.other is None:
            del end.host.ends[end.number]
            end.host.deliver(TcpConnectFailed(end.number, reason, _CAUSES[reason]))

    def _send(self, host: Host, effect: SendBytes) -> None:
        end = host.ends.get(effect.connection)
        if end is None:
            return
        data = b"".join(effect.chunks)
        self.observer.sent(end, host.name, end.local_address, end.remote_address, data)
        if self.links.has(Trouble.CLOGGED, host.name, end.remote):
            end.unsent.append(data)
            self._stuck[end] = None
        else:
            self._send_now(end, data)

    def _send_now(self, end: End, data: bytes) -> None:
        written = BytesWritten(end.number, len(data))
        self._clock.call_after(0, lambda: self._deliver(end, written))
        pieces = self.links.pieces(data) if self._is_chopped(end) else [data]
        for place, piece in enumerate(pieces):
            self._pass(end, lambda piece=piece: self._receive(end, piece), PIECE_NS if place else 0)  # type: ignore[misc]

    def _is_chopped(self, end: End) -> bool:
        return self.links.has(Trouble.CHOPPED, end.host.name, end.remote)

    def _deliver(self, end: End, event: TransportInput) -> None:
        if end.is_open:
            end.host.deliver(event)

    def _receive(self, sender: End, data: bytes) -> None:
        other = sender.other
        if other is None:
            return
        if other.is_open:
            other.host.deliver(BytesReceived(other.number, data))
        else:
            self._reset_later(sender)

    def _close(self, end: End) -> None:
        """The host gives up its end; what it sent is sent still, and after that the stream's end."""
        del end.host.ends[end.number]
        self.observer.connection_ended(end, end.host.name)
        if end.unsent:
            end.is_ending = True
        elif end.other is not None:
            self._end_stream(end)

    def _end_stream(self, end: End) -> None:
        other = end.other
        if other is not None:
            self._pass(end, lambda: self._break(other, ""))

    def _break(self, end: End, reason: str) -> None:
        """An end is lost; its host is told."""
        if not end.is_open:
            return
        del end.host.ends[end.number]
        self.observer.connection_ended(end, end.host.name)
        if end.number > 0 and end.other is None:
            end.host.deliver(TcpConnectFailed(end.number, reason, _CAUSES[reason]))
        else:
            end.host.deliver(TcpClosed(end.number, reason))

    def _reset_later(self, sender: End) -> None:
        """Something came for a connection that the other end does not have: it says so, if it is there."""
        other = sender.other
        if other is None or sender.remote not in self._by_name:
            return
        self._pass(other, lambda: self._break(sender, RESET))

    def _pass(self, end: End, action: Callable[[], None], later_ns: int = 0) -> None:
        """Have something from an end arrive at the other."""
        if self.links.has(Trouble.CUT, end.host.name, end.remote):
            end.held.append(action)
            self._stuck[end] = None
        else:
            self._arrive_later(end, action, later_ns)

    def _arrive_later(self, end: End, action: Callable[[], None], later_ns: int = 0) -> None:
        delay = self.links.delay(end.host.name, end.remote)
        end.arrives_at = max(end.arrives_at, self._clock.now + delay) + later_ns
        self._clock.call_at(end.arrives_at, action)


def _key_for(host: Host, remote: Address) -> bytes | None:
    """The password that somebody at this address must have to connect to the host."""
    return next((key for prefix, key in host.keys.items() if prefix.contains(remote)), None)
