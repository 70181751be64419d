"""What the guard counts: routes through the speaker and through the fib, always the same ones.

It is run by `bench/guard.py`. `os.getppid()` divides the phases: callgrind writes down what it counted at
each call of it. In between nothing is done for the guard's sake; messages are made before. With `memory` it
prints instead, as JSON, what a route takes while it is there.
"""

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from os import getppid

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpAccepted
from felixbgp.bgp.speaker import Speaker
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import Origin, PathAttributes, Segment
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_withdrawals
from felixbgp.fib.fib import Fib
from felixbgp.fib.types import KernelSnapshot, NextHop, Route, RouteKind, RoutesApplied
from felixbgp.net import IPV4, IPV6, Address, Prefix

ROUTES = 12_000
SESSIONS = 200
"""At rest, to see what one of them takes."""
SHAPES = (1, 10, 1000)
"""Routes per set of attributes."""
BUDGET = 1024
CHUNK = 65536
"""Octets that a read from a socket gives."""
LOCAL = Endpoint(Address.parse("192.0.2.1"), 179)
NLRIS = [b"\x18" + (0x0A0000 + number).to_bytes(3, "big") for number in range(ROUTES)]


class Router:
    """A speaker between peers that take everything at once: the first one sends, the others receive."""

    def __init__(self, count: int = 2) -> None:
        peers = [Address(bytes((192, 0, 2, 2 + number))) for number in range(count)]
        config = SpeakerConfig(bgp_identifier=LOCAL.address, local_as=64512)
        self.speaker = Speaker(config, lambda: 0.5)
        configs = {
            PeerId(at): PeerConfig(
                peer=PeerId(at),
                name=str(at),
                families=(IPV4,),
                local_as=64512,
                remote_as=64513 + number,
                passive=True,
            )
            for number, at in enumerate(peers)
        }
        self.speaker.configure(config, configs, 1)
        self.sent = 0
        for number, at in enumerate(peers):
            hello = make_open(
                local_as=64513 + number, hold_time_s=90, bgp_identifier=at, families=(IPV4,), extra=()
            )
            self.speaker.feed(TcpAccepted(-1 - number, LOCAL, Endpoint(at, 40000)), 1)
            self.hear((encode_open(hello) + encode_keepalive(),), -1 - number)

    def hear(self, chunks: tuple[bytes, ...] | list[bytes], connection: int = -1) -> None:
        """Take octets from a peer, and do all that follows."""
        speaker = self.speaker
        for chunk in chunks:
            speaker.feed(BytesReceived(connection, chunk), 1)
            self._drain()
        while (deadline := speaker.next_deadline()) is not None and deadline <= 1:
            self._drain()

    def _drain(self) -> None:
        speaker = self.speaker
        effects = speaker.control(1)
        speaker.take_in(1, BUDGET)
        speaker.decide(1, BUDGET)
        effects += speaker.withdrawals(1, BUDGET)
        effects += speaker.announcements(1, BUDGET, {})
        for effect in effects:
            if isinstance(effect, SendBytes):
                octets = sum(map(len, effect.chunks))
                self.sent += octets
                speaker.feed(BytesWritten(effect.connection, octets), 1)


def announcements(per_set: int) -> list[bytes]:
    messages: list[bytes] = []
    for first in range(0, ROUTES, per_set):
        path = (Segment(2, (64513, 100_000 + first)),)
        attributes = PathAttributes(origin=Origin.IGP, as_path=path, next_hop=bytes((192, 0, 2, 2)))
        messages += encode_announcements(IPV4, attributes, NLRIS[first : first + per_set])
    return chunked(messages)


def chunked(messages: list[bytes]) -> list[bytes]:
    stream = b"".join(messages)
    return [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]


def speaker_phases(per_set: int) -> Iterator[tuple[str, Callable[[], None]]]:
    name, router = f"speaker, {per_set} per set", Router()
    said, unsaid = announcements(per_set), chunked(list(encode_withdrawals(IPV4, NLRIS)))
    before = router.sent
    yield f"{name}: announce", lambda: router.hear(said)
    assert router.sent - before > 4 * ROUTES
    before = router.sent
    yield f"{name}: withdraw", lambda: router.hear(unsaid)
    assert router.sent - before >= 4 * ROUTES


def fib_phases() -> Iterator[tuple[str, Callable[[], None]]]:
    fib, prefixes = Fib(186), [Prefix(IPV4, nlri) for nlri in NLRIS]
    for family in (IPV4, IPV6):
        fib.feed(KernelSnapshot(family, ()), 1)
    fib.start()
    route = Route(RouteKind.UNICAST, (NextHop(Address.parse("192.0.2.2"), "eth0"),))

    def write() -> None:
        for prefix in prefixes:
            fib.want(prefix, route)
        for batch in fib.replacements(1, ROUTES):
            fib.feed(RoutesApplied(tuple(entry[0] for entry in batch.routes), present=True), 1)

    def remove() -> None:
        for prefix in prefixes:
            fib.want(prefix, None)
        for batch in fib.deletions(1, ROUTES):
            fib.feed(RoutesApplied(tuple(key.prefix for key in batch.routes), present=False), 1)

    yield "fib: write", write
    yield "fib: remove", remove


def phases() -> Iterator[tuple[str, Callable[[], None]]]:
    for per_set in SHAPES:
        yield from speaker_phases(per_set)
    yield from fib_phases()


def session_octets() -> float:
    """What an Established session takes of which nobody has routes."""
    tracemalloc.start()
    octets = []
    for count in (2, 2 + SESSIONS):
        router = Router(count)
        gc.collect()
        octets.append(tracemalloc.get_traced_memory()[0])
        del router
        gc.collect()
    tracemalloc.stop()
    return (octets[1] - octets[0]) / SESSIONS


def main() -> None:
    """Run all phases; with `memory`, tell what a route takes after each that adds some."""
    gc.disable()  # When it collects depends on all that was allocated before; what it costs is for the soak.
    memory: dict[str, float] = {}
    is_memory = "memory" in sys.argv
    names = []
    for name, phase in phases():
        names.append(name)
        if not is_memory:
            getppid()
            phase()
            getppid()
        elif name.endswith(("announce", "write")):
            gc.collect()
            tracemalloc.start()
            blocks, (octets, _) = sys.getallocatedblocks(), tracemalloc.get_traced_memory()
            phase()
            gc.collect()
            memory[f"{name}, octets"] = (tracemalloc.get_traced_memory()[0] - octets) / ROUTES
            memory[f"{name}, blocks"] = (sys.getallocatedblocks() - blocks) / ROUTES
            tracemalloc.stop()
        else:
            phase()
    if is_memory:
        memory["speaker: session, octets"] = session_octets()
    json.dump(memory if is_memory else names, sys.stdout)


if __name__ == "__main__":
    main()
