import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from felixbgp.lab import forwarder
from felixbgp.lab.etcd import free_ports
from felixbgp.lab.forwarder import Endpoint

pytestmark = pytest.mark.trio


async def echo(stream: trio.SocketStream) -> None:
    async for chunk in stream:
        await stream.send_all(chunk)


@asynccontextmanager
async def forwarding(*endpoints: Endpoint) -> AsyncIterator[int]:
    """The forwarder on a port of ours, in our own namespace."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(forwarder.serve, [listener], endpoints)
        yield listener.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def server() -> AsyncIterator[Endpoint]:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
        yield "127.0.0.1", listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def nobody() -> Endpoint:
    return "127.0.0.1", free_ports(1)[0]


async def test_bytes_go_there_and_back_also_large_ones() -> None:
    sent = bytes(range(256)) * 4096
    async with server() as endpoint, forwarding(endpoint) as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        received = bytearray()
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, sent)
            while len(received) < len(sent):
                received += await stream.receive_some()
        assert received == sent


async def test_when_nobody_answers_the_client_is_told_at_once() -> None:
    async with forwarding(nobody()) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        assert await stream.receive_some() == b""


async def test_the_next_endpoint_is_tried() -> None:
    async with (
        server() as endpoint,
        forwarding(nobody(), endpoint) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"


async def test_the_end_of_the_server_is_the_end_of_the_client() -> None:
    async def one_word(stream: trio.SocketStream) -> None:
        await stream.send_all(b"bye")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, one_word, 0, host="127.0.0.1"))
        endpoint = "127.0.0.1", listeners[0].socket.getsockname()[1]
        async with forwarding(endpoint) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
            assert await stream.receive_some() == b"bye"
            assert await stream.receive_some() == b""
        nursery.cancel_scope.cancel()
