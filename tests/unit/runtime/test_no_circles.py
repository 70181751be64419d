"""Nothing that comes and goes with a session refers to itself: the garbage collector has nothing to find.

`runtime/garbage.py` never looks again at what has lived for a while, so a circle that ends then would stay
for ever.
"""

import gc
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Effect, Listen
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportEffect
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, Address
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.tcp import Tcp
from tests.support.paths import sequence

HERE = Address.parse("127.0.0.1")
PEERS = tuple(Address.parse(f"127.0.0.{host}") for host in range(2, 7))
NEXT_HOP = Address.parse("192.0.2.9")
ROUTES = 20


@pytest.fixture
def kept_garbage() -> Iterator[list[object]]:
    """What the collector finds is kept from now on; the test calls it."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def routes(peer: Address) -> bytes:
    """Each peer's, every one with attributes of its own."""
    messages = [
        message
        for number in range(ROUTES)
        for message in encode_announcements(
            IPV4,
            PathAttributes(next_hop=NEXT_HOP, as_path=sequence(65002), med=number),
            (bytes((24, 10, peer[3], number)),),
        )
    ]
    return b"".join(messages)


@pytest.mark.trio
async def test_sessions_that_end_leave_no_circle(kept_garbage: list[object]) -> None:
    agent = Agent(AgentConfig(node="node", forwards=False), lambda: 0.5)
    driver = Driver(agent)
    with socket.socket() as probe:
        probe.bind((str(HERE), 0))
        port = probe.getsockname()[1]
    peers = {
        PeerId(address): PeerConfig(
            peer=PeerId(address),
            name=str(address),
            families=(IPV4,),
            local_as=65001,
            remote_as=65002,
            passive=True,
        )
        for address in PEERS
    }
    speaker = SpeakerConfig(bgp_identifier=Address.parse("192.0.2.1"), local_as=65001)
    intent = Intent(speaker=speaker, listen=(HERE,), listen_port=port, peers=peers)
    listening, leaving = trio.Event(), trio.Event()

    async def come_and_go(address: Address) -> None:
        sock = trio.socket.socket()
        async with trio.SocketStream(sock) as stream:
            await sock.bind((str(address), 0))
            await sock.connect((str(HERE), port))
            ours = make_open(local_as=65002, hold_time_s=90, bgp_identifier=address, families=(IPV4,))
            await stream.send_all(encode_open(ours) + encode_keepalive() + routes(address))
            await leaving.wait()

    async with trio.open_nursery() as nursery:
        tcp = Tcp(nursery, driver.deliver, driver.wait_room)

        def perform(effect: Effect) -> None:
            if isinstance(effect, Listen):
                tcp.listen(effect)
                listening.set()
            elif isinstance(effect, TransportEffect):
                tcp.perform(effect)

        driver.deliver([IntentGiven(intent)])
        nursery.start_soon(driver.run, perform)
        await listening.wait()
        gc.collect()
        kept_garbage.clear()
        with trio.fail_after(50):
            async with trio.open_nursery() as going:
                for address in PEERS:
                    going.start_soon(come_and_go, address)
                while agent.statistics().speaker.paths < ROUTES * len(PEERS):
                    await trio.lowlevel.checkpoint()
                leaving.set()
            while agent.statistics().speaker.paths or agent.statistics().speaker.peers_established:
                await trio.lowlevel.checkpoint()
        gc.collect()
        found = Counter(type(one).__qualname__ for one in kept_garbage)
        nursery.cancel_scope.cancel()
    assert found == {}
