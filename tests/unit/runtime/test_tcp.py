"""The transport on loopback: every effect, every answer."""

import logging
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

import pytest
import trio
import trio.testing

from felixbgp.agent.effects import Listen
from felixbgp.agent.inputs import Input, ListenFailed, Listening
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, SetOptions, TransportOptions
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
)
from felixbgp.net import Address, Prefix
from felixbgp.runtime.sockets import IP_MINTTL, IPV6_MINHOPCOUNT, family_of
from felixbgp.runtime.tcp import Tcp

LOOPBACK = Address.parse("127.0.0.1")
LOOPBACK6 = Address.parse("::1")
SECOND = 1_000_000_000
Event = TypeVar("Event")


class Inbox:
    """Collects what the transport delivers and lets a test wait for the next of a kind."""

    def __init__(self) -> None:
        self.send, self._receive = trio.open_memory_channel[Input](100)

    def deliver(self, events: Iterable[Input]) -> None:
        for event in events:
            self.send.send_nowait(event)

    async def next(self, kind: type[Event]) -> Event:
        with trio.fail_after(5):
            event = await self._receive.receive()
        assert isinstance(event, kind), event
        return event

    def is_empty(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


async def room(_: int) -> None:
    await trio.lowlevel.checkpoint()


@asynccontextmanager
async def transport() -> AsyncIterator[tuple[Tcp, Inbox]]:
    async with trio.open_nursery() as nursery:
        inbox = Inbox()
        yield Tcp(nursery, inbox.deliver, room), inbox
        nursery.cancel_scope.cancel()


def free_endpoint(address: Address) -> Endpoint:
    with socket.socket(family_of(address)) as probe:
        probe.bind((str(address), 0))
        return Endpoint(address, probe.getsockname()[1])


async def pair(address: Address, a: tuple[Tcp, Inbox], b: tuple[Tcp, Inbox]) -> int:
    """Let `a` connect to `b` as connection 1; the number that `b` gave."""
    endpoint = free_endpoint(address)
    b[0].listen(Listen((endpoint,)))
    await b[1].next(Listening)
    a[0].perform(Connect(1, endpoint, TransportOptions(local_address=address), 5 * SECOND))
    connected = await a[1].next(TcpConnected)
    accepted = await b[1].next(TcpAccepted)
    assert connected.remote == endpoint == accepted.local
    assert connected.local == accepted.remote
    assert accepted.connection < 0
    return accepted.connection


@pytest.mark.trio
@pytest.mark.parametrize("address", [LOOPBACK, LOOPBACK6], ids=["IPv4", "IPv6"])
async def test_bytes_pass_both_ways_and_give_their_credit_back(address: Address) -> None:
    async with transport() as a, transport() as b:
        number = await pair(address, a, b)
        a[0].perform(SendBytes(1, (b"hello ", b"world")))
        assert (await a[1].next(BytesWritten)).count == 11
        assert await b[1].next(BytesReceived) == BytesReceived(number, b"hello world")
        b[0].perform(SendBytes(number, (b"back",)))
        assert (await b[1].next(BytesWritten)).count == 4
        assert await a[1].next(BytesReceived) == BytesReceived(1, b"back")


@pytest.mark.trio
async def test_the_last_bytes_arrive_before_the_end() -> None:
    async with transport() as a, transport() as b:
        number = await pair(LOOPBACK, a, b)
        b[0].perform(SendBytes(number, (b"unread",)))
        await b[1].next(BytesWritten)
        a[0].perform(SendBytes(1, (b"notification",)))
        a[0].perform(CloseConnection(1))
        assert await b[1].next(BytesReceived) == BytesReceived(number, b"notification")
        assert await b[1].next(TcpClosed) == TcpClosed(number, "")


@pytest.mark.trio
async def test_our_own_close_is_not_answered() -> None:
    async with transport() as a, transport() as b:
        number = await pair(LOOPBACK, a, b)
        a[0].perform(CloseConnection(1))
        await b[1].next(TcpClosed)
        b[0].perform(CloseConnection(number))
        a[0].perform(SendBytes(1, (b"too late",)))
        await trio.testing.wait_all_tasks_blocked()
        assert a[1].is_empty()
        assert b[1].is_empty()


@pytest.mark.trio
@pytest.mark.parametrize(("last_words", "lingers"), [((b"notification",), True), ((), False)])
async def test_who_is_closed_without_a_word_is_gone_at_once(
    last_words: tuple[bytes, ...], lingers: bool
) -> None:
    """A peer that does not close its end keeps a connection for the sake of last words only."""
    async with transport() as b:
        endpoint = free_endpoint(LOOPBACK)
        b[0].listen(Listen((endpoint,)))
        await b[1].next(Listening)
        with socket.create_connection((str(LOOPBACK), endpoint.port)):
            number = (await b[1].next(TcpAccepted)).connection
            if last_words:
                b[0].perform(SendBytes(number, last_words))
            b[0].perform(CloseConnection(number))
            await trio.testing.wait_all_tasks_blocked()
            assert len(b[0]._nursery.child_tasks) == 1 + lingers  # The listener, and who lingers.


@pytest.mark.trio
async def test_how_long_octets_may_lie_here_is_for_the_speaker_to_say() -> None:
    """RFC 9687 §3 gives a peer that reads nothing eight minutes at least; the system would be quicker."""
    async with transport() as a, transport() as b:
        number = await pair(LOOPBACK, a, b)
        for tcp, connection in ((a[0], 1), (b[0], number)):
            sock = tcp._connections[connection].sock
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0


@pytest.mark.trio
async def test_a_refused_connection_says_so() -> None:
    async with transport() as (tcp, inbox):
        tcp.perform(Connect(1, free_endpoint(LOOPBACK), TransportOptions(), 5 * SECOND))
        assert await inbox.next(TcpConnectFailed) == TcpConnectFailed(1, "Connection refused", Cause.REFUSED)


@pytest.mark.trio
async def test_an_address_that_is_not_ours_fails_the_connect() -> None:
    async with transport() as (tcp, inbox):
        options = TransportOptions(local_address=Address.parse("192.0.2.1"))
        tcp.perform(Connect(1, free_endpoint(LOOPBACK), options, 5 * SECOND))
        reason = "Cannot assign requested address"
        assert await inbox.next(TcpConnectFailed) == TcpConnectFailed(1, reason, Cause.ADDRESS_NOT_LOCAL)


@pytest.mark.trio
async def test_a_key_that_is_too_long_fails_the_connect() -> None:
    async with transport() as (tcp, inbox):
        options = TransportOptions(password=b"x" * 81)
        tcp.perform(Connect(1, free_endpoint(LOOPBACK), options, 5 * SECOND))
        assert (await inbox.next(TcpConnectFailed)).cause is Cause.DIAL_FAILED


@pytest.mark.trio
async def test_a_connect_that_is_closed_meanwhile_is_not_answered() -> None:
    async with transport() as (tcp, inbox), transport() as (other, other_inbox):
        endpoint = free_endpoint(LOOPBACK)
        other.listen(Listen((endpoint,)))
        await other_inbox.next(Listening)
        tcp.perform(Connect(1, endpoint, TransportOptions(), 5 * SECOND))
        tcp.perform(CloseConnection(1))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert inbox.is_empty()


@pytest.mark.trio
async def test_listening_follows_the_wanted_set(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first, second = free_endpoint(LOOPBACK), free_endpoint(LOOPBACK6)
    async with transport() as (tcp, inbox), transport() as (other, other_inbox):
        tcp.listen(Listen((first,)))
        assert await inbox.next(Listening) == Listening(first)
        other.listen(Listen((first,)))
        assert await other_inbox.next(ListenFailed) == ListenFailed(first, "Address already in use")
        other.listen(Listen((first,)))
        await other_inbox.next(ListenFailed)
        tcp.listen(Listen((first, second)))
        assert await inbox.next(Listening) == Listening(second)
        tcp.listen(Listen((second,)))
        await trio.testing.wait_all_tasks_blocked()
        other.listen(Listen((first,)))
        assert await other_inbox.next(Listening) == Listening(first)
    where = f"127.0.0.1:{first.port}"
    assert caplog.messages == [f"cannot listen at {where}: Address already in use", f"listens at {where}"]


def host(address: Address) -> Prefix:
    return Prefix.of(address, address.family.bits)


async def dial(a: tuple[Tcp, Inbox], endpoint: Endpoint, password: bytes | None, seconds: float = 5) -> Input:
    """One attempt with a password; the answer to it."""
    options = TransportOptions(local_address=endpoint.address, password=password)
    number = next(CONNECTIONS)
    a[0].perform(Connect(number, endpoint, options, int(seconds * SECOND)))
    return await a[1].next(TcpConnected | TcpConnectFailed)  # type: ignore[arg-type]


CONNECTIONS = count(1)


@pytest.mark.trio
@pytest.mark.parametrize("address", [LOOPBACK, LOOPBACK6], ids=["IPv4", "IPv6"])
async def test_a_listener_asks_for_the_password_of_the_day(address: Address) -> None:
    endpoint = free_endpoint(address)
    async with transport() as a, transport() as b:
        b[0].listen(Listen((endpoint,), ((host(address), b"old"),)))
        await b[1].next(Listening)
        assert isinstance(await dial(a, endpoint, b"old"), TcpConnected)
        await b[1].next(TcpAccepted)
        b[0].listen(Listen((endpoint,), ((host(address), b"new"),)))
        await b[1].next(Listening)
        for wrong in (b"old", None):
            failed = await dial(a, endpoint, wrong, 0.2)
            assert isinstance(failed, TcpConnectFailed)
            assert failed.cause is Cause.TIMED_OUT
        assert isinstance(await dial(a, endpoint, b"new"), TcpConnected)
        await b[1].next(TcpAccepted)
        b[0].listen(Listen((endpoint,)))
        await b[1].next(Listening)
        assert isinstance(await dial(a, endpoint, None), TcpConnected)
        await b[1].next(TcpAccepted)
        assert b[1].is_empty()


@pytest.mark.trio
@pytest.mark.parametrize(("address", "length"), [(LOOPBACK, 8), (LOOPBACK6, 64)], ids=["IPv4", "IPv6"])
async def test_a_password_can_be_that_of_a_whole_prefix(address: Address, length: int) -> None:
    endpoint = free_endpoint(address)
    async with transport() as a, transport() as b:
        b[0].listen(Listen((endpoint,), ((Prefix.of(address, length), b"shared"),)))
        await b[1].next(Listening)
        assert isinstance(await dial(a, endpoint, None, 0.2), TcpConnectFailed)
        assert isinstance(await dial(a, endpoint, b"shared"), TcpConnected)
        await b[1].next(TcpAccepted)


@pytest.mark.trio
async def test_who_should_have_a_key_that_cannot_be_set_stays_outside() -> None:
    endpoint = free_endpoint(LOOPBACK)
    async with transport() as a, transport() as b:
        b[0].listen(Listen((endpoint,), ((host(LOOPBACK), b"x" * 81),)))
        failed = await b[1].next(ListenFailed)
        assert failed.reason == "no TCP MD5 key for 127.0.0.1/32: Invalid argument"
        assert isinstance(await dial(a, endpoint, None), TcpConnected)
        await a[1].next(TcpClosed)
        assert b[1].is_empty()
        b[0].listen(Listen((endpoint,), ((host(LOOPBACK), b"short"),)))
        await b[1].next(Listening)
        assert isinstance(await dial(a, endpoint, b"short"), TcpConnected)
        await b[1].next(TcpAccepted)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("address", "level", "ttl", "lowest"),
    [
        (LOOPBACK, socket.IPPROTO_IP, socket.IP_TTL, IP_MINTTL),
        (LOOPBACK6, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT),
    ],
    ids=["IPv4", "IPv6"],
)
async def test_an_accepted_connection_gets_the_ttls_of_its_peer(
    address: Address, level: int, ttl: int, lowest: int
) -> None:
    async with transport() as a, transport() as b:
        number = await pair(address, a, b)
        b[0].perform(SetOptions(number, TransportOptions(ttl=255, min_ttl=254)))
        sock = b[0]._connections[number].sock
        assert (sock.getsockopt(level, ttl), sock.getsockopt(level, lowest)) == (255, 254)
        b[0].perform(SetOptions(number, TransportOptions(min_ttl=1000)))
        assert (await b[1].next(TcpClosed)).reason == "Invalid argument"
        await a[1].next(TcpClosed)
        b[0].perform(SetOptions(number, TransportOptions(min_ttl=1)))
        assert b[1].is_empty()


@pytest.mark.trio
@pytest.mark.parametrize("address", [LOOPBACK, LOOPBACK6], ids=["IPv4", "IPv6"])
async def test_a_listener_answers_those_who_take_nothing_from_afar(address: Address) -> None:
    endpoint = free_endpoint(address)
    options = TransportOptions(local_address=address, ttl=255, min_ttl=255)
    async with transport() as a, transport() as b:
        b[0].listen(Listen((endpoint,)))
        await b[1].next(Listening)
        a[0].perform(Connect(1, endpoint, options, 3 * SECOND))
        await a[1].next(TcpConnected)
        await b[1].next(TcpAccepted)
