"""Does a host answer? Dialled on loopback, where all that can happen does."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from felixbgp.agent.inputs import HostProbed, ProbeOutcome
from felixbgp.agent.liveness import ProbeHost
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Address
from felixbgp.runtime.liveness import probe

pytestmark = pytest.mark.trio

LOOPBACK = Address.parse("127.0.0.1")
SOON_NS = 200_000_000
PLAIN = TransportOptions()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with closing(socket.socket()) as bound:
        bound.bind((str(LOOPBACK), 0))
        yield bound


def at(sock: socket.socket) -> Endpoint:
    return Endpoint(LOOPBACK, sock.getsockname()[1])


async def test_a_host_that_refuses_has_answered(sock: socket.socket) -> None:
    answer = await probe(ProbeHost(at(sock), PLAIN, SOON_NS))
    assert answer == HostProbed(at(sock), ProbeOutcome.ANSWERED, "Connection refused")


async def test_one_that_accepts_has_answered_and_is_hung_up_on(sock: socket.socket) -> None:
    sock.listen()
    answer = await probe(ProbeHost(at(sock), TransportOptions(local_address=LOOPBACK), SOON_NS))
    assert answer == HostProbed(at(sock), ProbeOutcome.ANSWERED, "connected")
    with closing(sock.accept()[0]) as accepted:
        assert accepted.recv(1) == b""


async def test_one_that_says_nothing_is_silent(sock: socket.socket) -> None:
    """Linux drops what comes for a listener whose queue is full, as if nobody were there."""
    sock.listen(0)
    with closing(socket.socket()) as first:
        first.connect(sock.getsockname())
        answer = await probe(ProbeHost(at(sock), PLAIN, SOON_NS))
    assert answer == HostProbed(at(sock), ProbeOutcome.SILENT, "timed out")


async def test_what_we_cannot_do_says_nothing_of_the_host(sock: socket.socket) -> None:
    elsewhere = TransportOptions(local_address=Address.parse("192.0.2.1"))
    answer = await probe(ProbeHost(at(sock), elsewhere, SOON_NS))
    assert answer == HostProbed(at(sock), ProbeOutcome.FAILED, "Cannot assign requested address")
