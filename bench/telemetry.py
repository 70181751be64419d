"""What traces and metrics cost: an agent that is watched beside one that is not, in turns, in one process.

Of each the best of three rounds counts, in processor time of all threads. The collector is in memory: what
leaves for a real one is made in a thread, and counted too.
"""

import gc
from collections.abc import Callable
from functools import partial
from time import process_time

import trio
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from felixbgp.agent.agent import Progress
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.inputs import BytesReceived, Endpoint, TcpAccepted
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.fib.types import DeleteRoutes, RouteKey, RoutesApplied
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.settings import TelemetrySettings
from felixbgp.runtime.telemetry_export import Exporting
from tests.support.paths import sequence
from tests.support.routers import OWN, Router

CHUNK = 65536
ROUNDS = 3
ROUTES = 20_000
PER_ATTRIBUTES = 10
KEEPALIVES = 5_000
CHANGES = 500
PEERS = [f"10.0.0.{number}" for number in range(2, 12)]
"""Of a rack: the first one sends, all others are told."""
KEY = "/calico/resources/v3/projectcalico.org/bgppeers/tor"
PREFIX = Prefix.parse("10.9.0.0/24")


def an_exporting() -> Exporting:
    """Everything on; nothing leaves."""
    return Exporting(
        TelemetrySettings(), "node", spans=InMemorySpanExporter(), readers=[InMemoryMetricReader()]
    )


def a_router(exporting: Exporting | None) -> Router:
    """One with sessions with all peers, one of which is external."""
    router = Router(*PEERS[1:], external=PEERS[:1])
    if exporting is not None:
        for peer in PEERS:
            ends = Endpoint(OWN, 179), Endpoint(Address.parse(peer), 40_000)
            accepted = TcpAccepted(router.connection_of(peer), *ends)
            exporting.changes.heard(accepted, 0, router.agent.progress)
        router.agent = exporting.watch(router.agent)
    return router


def a_table() -> list[bytes]:
    """UPDATEs of one peer as a socket gives them: 64 KiB at a time."""
    stream = b"".join(
        message
        for first in range(0, ROUTES, PER_ATTRIBUTES)
        for message in encode_announcements(
            IPV4,
            PathAttributes(next_hop=Address.parse(PEERS[0]), as_path=sequence(65001), med=first),
            [
                b"\x18" + (0x140000 + number).to_bytes(3, "big")
                for number in range(first, first + PER_ATTRIBUTES)
            ],
            four_octet_as=True,
        )
    )
    return [stream[first : first + CHUNK] for first in range(0, len(stream), CHUNK)]


def load(router: Router, table: list[bytes]) -> None:
    """A table comes from one peer and goes to all others, and to the kernel."""
    connection = router.connection_of(PEERS[0])
    for chunk in table:
        router.feed(BytesReceived(connection, chunk))
    assert len(router.kernel.routes()) >= ROUTES


def rest(router: Router) -> None:
    """Nothing but KEEPALIVEs."""
    connection, message = router.connection_of(PEERS[0]), encode_keepalive()
    for _ in range(KEEPALIVES):
        router.feed(BytesReceived(connection, message))


def changes(exporting: Exporting) -> None:
    """Changes that each reach two peers and the kernel: notes and spans alone, not the agent's work."""
    followed, standing = exporting.changes, Progress(1, 0, 0, is_in_force=True)
    for number, peer in enumerate(PEERS[:2], start=1):
        ends = Endpoint(OWN, 179), Endpoint(Address.parse(peer), 40_000)
        followed.heard(TcpAccepted(-number, *ends), 0, lambda: standing)
    update = encode_announcements(IPV4, PathAttributes(next_hop=OWN), [b"\x18\x14\0\0"], four_octet_as=True)[
        0
    ]
    for revision in range(1, CHANGES + 1):
        # One each second: more than 600 a minute would not become spans.
        now = revision * 1_000_000_000
        followed.heard(KeyPut(StoredValue(KEY, b"{}", revision)), now, lambda: standing)
        followed.stands(Progress(revision, revision, 2, is_in_force=True), now)
        followed.asked(
            [SendBytes(-1, (update,)), SendBytes(-2, (update,)), DeleteRoutes((RouteKey(PREFIX, 1),))], now
        )
        followed.heard(RoutesApplied((PREFIX,), present=False), now, lambda: standing)


def took(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    gc.collect()
    began = process_time()
    work()
    return process_time() - began


async def compared(work: Callable[[Router], object]) -> tuple[float, float]:
    """The same without and with telemetry, in turns: the best of each, in seconds."""
    off, on = [], []
    for _ in range(ROUNDS):
        off.append(took(partial(work, a_router(None))))
        exporting = an_exporting()
        watched = a_router(exporting)
        async with exporting.running(Driver(watched.agent)):
            on.append(took(partial(work, watched)))
    return min(off), min(on)


async def measured() -> None:
    """Print all of it."""
    table = a_table()
    print(f"{'':44} {'off, s':>8} {'on, s':>8} {'ratio':>7}")
    named: dict[str, Callable[[Router], object]] = {
        f"{ROUTES} routes to {len(PEERS) - 1} peers and the kernel": lambda router: load(router, table),
        f"{KEEPALIVES} KEEPALIVEs": rest,
    }
    for name, work in named.items():
        off, on = await compared(work)
        print(f"{name:44} {off:8.3f} {on:8.3f} {on / off:7.3f}")
    exporting = an_exporting()
    watched = a_router(exporting)
    driver = Driver(watched.agent)
    async with exporting.running(driver):
        each = took(partial(changes, exporting)) / CHANGES
        print(f"one change as spans: {each * 1e6:.0f} us")
        began = process_time()
        for _ in range(CHANGES):
            driver.agent.tallies(), driver.agent.statistics()
        print(
            f"counting for one reading, {len(PEERS)} peers: {(process_time() - began) / CHANGES * 1e6:.0f} us"
        )


def run() -> None:
    """Measure, and print."""
    trio.run(measured)
