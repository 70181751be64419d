"""A gRPC server on the other end of a stream in memory, driven by hand, frame by frame."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
import trio
import trio.testing

from felixbgp.runtime.etcd.channel import Channel, ChannelLimits
from felixbgp.runtime.etcd.framing import pack_message

Event = TypeVar("Event", bound=h2.events.Event)

Settings = dict[h2.settings.SettingCodes, int]

ANSWER_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]


class Peer:
    """Each method does one thing on the wire; `expect` waits for what the client did."""

    def __init__(self, stream: trio.abc.Stream, *, settings: Settings | None = None) -> None:
        self.stream = stream
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self._events: list[h2.events.Event] = []

    async def start(self) -> None:
        """Send SETTINGS."""
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        await self.stream.send_all(self.h2.data_to_send())

    async def expect(self, kind: type[Event]) -> Event:
        """The next event of a kind; others before it are dropped."""
        while True:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, kind):
                    return event
            data = await self.stream.receive_some()
            assert data, f"the client closed the connection, no {kind.__name__} came"
            self._events += self.h2.receive_data(bytes(data))
            await self.flush()

    async def headers(self, stream_id: int, *extra: tuple[str, str], end: bool = False) -> None:
        self.h2.send_headers(stream_id, [*ANSWER_HEADERS, *extra], end_stream=end)
        await self.flush()

    async def data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream_id, data, end_stream=end)
        await self.flush()

    async def trailers(self, stream_id: int, status: str = "0", message: str = "") -> None:
        self.h2.send_headers(stream_id, [("grpc-status", status), ("grpc-message", message)], end_stream=True)
        await self.flush()

    async def answer(self, stream_id: int, *messages: bytes) -> None:
        await self.headers(stream_id)
        for message in messages:
            await self.data(stream_id, pack_message(message))
        await self.trailers(stream_id)

    async def reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        self.h2.reset_stream(stream_id, code)
        await self.flush()

    async def goaway(self, last_stream_id: int, debug: bytes = b"") -> None:
        """Write GOAWAY by hand: h2 would close our own state with it."""
        payload = last_stream_id.to_bytes(4, "big") + bytes(4) + debug
        await self.stream.send_all(len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload)

    async def request(self) -> tuple[int, bytes]:
        """Wait for a whole unary request; its stream and its bytes."""
        stream_id = (await self.expect(h2.events.RequestReceived)).stream_id
        body = b""
        while True:
            event = await self.expect(h2.events.DataReceived)
            body += event.data
            if event.stream_ended is not None:
                return stream_id, body


Connect = Callable[..., Awaitable[tuple[Channel, Peer]]]


@pytest.fixture
def connect(nursery: trio.Nursery) -> Connect:
    """Make a channel that is served, and the peer on its other end."""

    async def make(
        limits: ChannelLimits | None = None, settings: Settings | None = None
    ) -> tuple[Channel, Peer]:
        ours, theirs = trio.testing.memory_stream_pair()
        channel = Channel(ours, "http://etcd-1:2379", limits=limits)
        peer = Peer(theirs, settings=settings)
        await peer.start()
        await nursery.start(channel.run)
        assert channel.failure is None
        return channel, peer

    return make
