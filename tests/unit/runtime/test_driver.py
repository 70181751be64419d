"""The loop around an Agent, with a real peer on loopback."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio.testing

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Effect, Listen
from felixbgp.agent.inputs import IntentGiven
from felixbgp.agent.intake import UNREAD_MAX
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportEffect
from felixbgp.bgp.inbound import ENTRY_OCTETS, INBOUND_OCTETS_MAX
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, HEADER_OCTETS, Framer
from felixbgp.bgp.wire.messages import MessageType, PathAttributes
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import watched_prefixes
from felixbgp.fib.types import KernelSnapshot, ReplaceRoutes, RoutesApplied
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.pace import MOST as BUDGET
from felixbgp.runtime.steps import StepKind, StepTookLong
from felixbgp.runtime.tcp import RECEIVE_OCTETS, Tcp
from felixbgp.status.node_status import LongestStep
from tests.support.large_cluster import LOCAL, node_object
from tests.support.paths import sequence

HERE, THERE = Address.parse("127.0.0.1"), Address.parse("127.0.0.2")
QUIET = Address.parse("127.0.0.3")
NEXT_HOP = Address.parse("192.0.2.9")
PREFIX = b"\x20\x0a\x01\x00\x01"
UPDATES = 30_000
KEEPALIVES = 6
"""One confirms a session; of a hold time of three seconds there is another each second."""
CHUNKS_MAX = 4
"""What a reader delivers between two looks into what waits: the driver lets others run three times a turn,
and a reader may come just after the first look and just before the second."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((str(HERE), 0))
        return int(probe.getsockname()[1])


def an_intent(port: int) -> Intent:
    peer = PeerConfig(
        peer=PeerId(THERE), name="flooder", families=(IPV4,), local_as=65001, remote_as=65002, passive=True
    )
    speaker = SpeakerConfig(bgp_identifier=Address.parse("192.0.2.1"), local_as=65001)
    return Intent(speaker=speaker, listen=(HERE,), listen_port=port, peers={peer.peer: peer})


def updates() -> list[bytes]:
    """Of one prefix, each with another MULTI_EXIT_DISC."""
    return [
        message
        for med in range(1, UPDATES + 1)
        for message in encode_announcements(
            IPV4, PathAttributes(next_hop=NEXT_HOP, as_path=sequence(65002), med=med), (PREFIX,)
        )
    ]


@pytest.mark.trio
async def test_a_peer_that_sends_too_fast_is_not_read_meanwhile_and_nothing_of_it_is_lost() -> None:
    messages = updates()
    most_waiting = 0
    agent = Agent(AgentConfig(node="node"), lambda: 0.5)
    driver = Driver(agent)
    port = free_port()

    def is_taken_in() -> bool:
        selected = agent._speaker.selected(IPV4, PREFIX)
        return selected is not None and selected.attributes.med == UPDATES

    async with trio.open_nursery() as nursery:
        tcp = Tcp(nursery, driver.deliver, driver.wait_room)

        def perform(effect: Effect) -> None:
            if isinstance(effect, Listen):
                tcp.listen(effect)
                nursery.start_soon(flood)
            elif isinstance(effect, TransportEffect):
                tcp.perform(effect)

        async def flood() -> None:
            sock = trio.socket.socket()
            async with trio.SocketStream(sock) as stream:
                await sock.bind((str(THERE), 0))
                await sock.connect((str(HERE), port))
                ours = make_open(local_as=65002, hold_time_s=90, bgp_identifier=THERE, families=(IPV4,))
                await stream.send_all(encode_open(ours) + encode_keepalive() + b"".join(messages))
                await trio.sleep_forever()

        driver.deliver([IntentGiven(an_intent(port))])
        nursery.start_soon(driver.run, perform)
        with trio.fail_after(50):
            while not is_taken_in():
                await trio.lowlevel.checkpoint()
                most_waiting = max(most_waiting, agent.statistics().speaker.updates_waiting)
        nursery.cancel_scope.cancel()

    shortest = min(map(len, messages))
    queued = INBOUND_OCTETS_MAX // (shortest - HEADER_OCTETS + ENTRY_OCTETS) + 1
    delivered = CHUNKS_MAX * (RECEIVE_OCTETS // shortest + 1)
    assert 1000 < most_waiting <= queued + delivered < UPDATES


@pytest.mark.trio
async def test_while_the_kernel_is_behind_no_more_is_asked_of_it_and_all_of_it_in_the_end() -> None:
    wanted = [Prefix.parse(f"10.{number >> 8}.{number & 255}.0/24") for number in range(6 * BUDGET)]
    asked: list[ReplaceRoutes] = []
    driver = Driver(Agent(AgentConfig(node="node"), lambda: 0.5))

    def outstanding() -> int:
        return sum(len(effect.routes) for effect in asked)

    def perform(effect: Effect) -> None:
        if isinstance(effect, ReplaceRoutes):
            asked.append(effect)

    async with trio.open_nursery() as nursery:
        driver.deliver([KernelSnapshot(family, ()) for family in (IPV4, IPV6)])
        driver.deliver([IntentGiven(Intent(aggregates=tuple(wanted)))])
        nursery.start_soon(driver.run, perform, lambda: outstanding() >= 2 * BUDGET)
        written: list[Prefix] = []
        with trio.fail_after(50):
            while len(written) < len(wanted):
                await trio.testing.wait_all_tasks_blocked()
                assert 0 < outstanding() < 3.5 * BUDGET
                done = tuple(prefix for prefix, _ in asked.pop(0).routes)
                written += done
                driver.deliver([RoutesApplied(done, present=True)])
        nursery.cancel_scope.cancel()
    assert sorted(written) == sorted(wanted)


@pytest.mark.trio
async def test_a_session_with_a_hold_time_of_three_seconds_stands_beside_a_flood() -> None:
    """The KEEPALIVEs of one peer are heard and answered while another sends all it can."""
    flooding, heard, heard_enough = updates(), 0, trio.Event()
    agent = Agent(AgentConfig(node="node", forwards=False), lambda: 0.5)
    driver = Driver(agent)
    port = free_port()
    intent = an_intent(port)
    quiet = PeerConfig(
        peer=PeerId(QUIET),
        name="quiet",
        families=(IPV4,),
        local_as=65001,
        remote_as=65003,
        passive=True,
        hold_time_s=3,
    )

    async def talk(stream: trio.SocketStream) -> None:
        nonlocal heard
        ours = make_open(local_as=65003, hold_time_s=3, bgp_identifier=QUIET, families=(IPV4,))
        await stream.send_all(encode_open(ours))
        framer = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
        async for data in stream:
            framer.feed(bytes(data))
            for kind, _ in framer.messages():
                assert kind is not MessageType.NOTIFICATION
                if kind is MessageType.KEEPALIVE:
                    heard += 1
                    if heard == KEEPALIVES:
                        heard_enough.set()
                    await stream.send_all(encode_keepalive())

    async def flood(stream: trio.SocketStream) -> None:
        ours = make_open(local_as=65002, hold_time_s=90, bgp_identifier=THERE, families=(IPV4,))
        await stream.send_all(encode_open(ours) + encode_keepalive())
        while True:
            await stream.send_all(b"".join(flooding))

    async def dial(address: Address, speak: Callable[[trio.SocketStream], Awaitable[None]]) -> None:
        sock = trio.socket.socket()
        async with trio.SocketStream(sock) as stream:
            await sock.bind((str(address), 0))
            await sock.connect((str(HERE), port))
            await speak(stream)

    async with trio.open_nursery() as nursery:
        tcp = Tcp(nursery, driver.deliver, driver.wait_room)

        def perform(effect: Effect) -> None:
            if isinstance(effect, Listen):
                tcp.listen(effect)
                nursery.start_soon(dial, QUIET, talk)
                nursery.start_soon(dial, THERE, flood)
            elif isinstance(effect, TransportEffect):
                tcp.perform(effect)

        driver.deliver([IntentGiven(replace(intent, peers={**intent.peers, quiet.peer: quiet}))])
        nursery.start_soon(driver.run, perform)
        with trio.fail_after(50):
            await heard_enough.wait()
        assert agent.statistics().speaker.peers_established == 2
        assert agent.statistics().speaker.updates_waiting > 0
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_the_store_is_held_back_while_much_of_it_is_unread_and_nobody_else_is() -> None:
    driver = Driver(Agent(AgentConfig(node=LOCAL), lambda: 0.0))
    nodes = tuple(StoredValue(*node_object(number), 1) for number in range(2 * UNREAD_MAX))
    driver.deliver(SnapshotReceived(prefix, 1, nodes) for prefix in watched_prefixes(LOCAL))
    with trio.move_on_after(0) as waiting:
        await driver.wait_room()
    assert waiting.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run, lambda _: None)
        with trio.fail_after(50):
            await driver.wait_room(1)
            assert not driver.agent.statistics().in_sync
            await driver.wait_room()
            assert driver.agent.statistics().in_sync
        nursery.cancel_scope.cancel()


class Durations:
    """A clock of which each step takes as long as the test says."""

    def __init__(self, *took_ms: int) -> None:
        self._times = iter([time for took in took_ms for time in (0, took * 1_000_000)])

    def __call__(self) -> int:
        return next(self._times, 0)


@pytest.mark.trio
async def test_a_long_step_is_told_of_and_stands_in_the_status() -> None:
    agent = Agent(AgentConfig(node="node"), lambda: 0.5)
    told: list[StepTookLong] = []
    driver = Driver(agent, clock=Durations(150, 7), observe=told.append)
    assert agent.status(0).longest_step == LongestStep(5, 5)
    driver.deliver([])
    assert told == [StepTookLong("feed", 150, 0)]
    assert agent.status(0).longest_step == LongestStep(200, 200, "feed", "feed")
    driver.deliver([])
    assert told == [StepTookLong("feed", 150, 0)]
    assert driver.steps[StepKind.FEED].longest_ns == 150_000_000
