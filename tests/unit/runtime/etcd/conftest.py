"""A gRPC server on the other end of a stream in memory, driven by hand, frame by frame."""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
import trio
import trio.testing

from felixbgp.runtime.etcd import Endpoint, EtcdError, EtcdSettings, Unavailable
from felixbgp.runtime.etcd.channel import Channel, ChannelLimits
from felixbgp.runtime.etcd.framing import MessageReader, pack_message

Event = TypeVar("Event", bound=h2.events.Event)

Settings = dict[h2.settings.SettingCodes, int]

PATIENCE_SECONDS = 20
"""A test that waits for what never comes fails by itself, and in virtual time at once."""

ANSWER_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]


class Peer:
    """Each method does one thing on the wire; `expect` waits for what the client did."""

    def __init__(
        self, stream: trio.abc.Stream, *, settings: Settings | None = None, endpoint: str = ""
    ) -> None:
        self.stream = stream
        self.endpoint = endpoint
        self.fields: dict[bytes, bytes] = {}
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self._events: list[h2.events.Event] = []
        self._readers: dict[int, MessageReader] = {}
        self._messages: deque[bytes] = deque()

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

    async def listen(self) -> None:
        """Take in all that comes, for ever: for a test that looks at windows."""
        while data := await self.stream.receive_some():
            self.h2.receive_data(bytes(data))

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

    async def call(self) -> int:
        """Wait for a new call; its stream. Its headers are in `fields`."""
        with trio.fail_after(PATIENCE_SECONDS):
            request = await self.expect(h2.events.RequestReceived)
        self.fields = dict(request.headers)
        return request.stream_id

    async def message(self, kind: Any) -> Any:
        """The next message of any call, which is a `kind`."""
        while not self._messages:
            with trio.fail_after(PATIENCE_SECONDS):
                event = await self.expect(h2.events.DataReceived)
            reader = self._readers.setdefault(event.stream_id, MessageReader(1 << 20))
            self._messages += reader.feed(event.data)
        return kind.FromString(self._messages.popleft())

    async def ask(self, kind: Any) -> tuple[int, Any]:
        """Wait for a new call and its first message."""
        return await self.call(), await self.message(kind)

    async def tell(self, stream_id: int, message: Any) -> None:
        """Answer a unary call."""
        await self.answer(stream_id, message.SerializeToString())

    async def refuse(self, stream_id: int, status: int, text: str) -> None:
        await self.headers(stream_id, ("grpc-status", str(status)), ("grpc-message", text), end=True)

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


class Network:
    """Endpoints whose other ends are in the hands of the test; `dial` is for `open_client`."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.is_down = False
        self._peers: list[Peer] = []
        self._arrive, self._arrived = trio.open_memory_channel[Peer](math.inf)

    async def dial(self, endpoint: Endpoint, settings: EtcdSettings) -> trio.abc.Stream:
        assert settings.endpoints
        self.dialled.append(str(endpoint))
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise Unavailable("connection refused", endpoint=str(endpoint), unsent=True)
        ours, theirs = trio.testing.memory_stream_pair()
        peer = Peer(theirs, endpoint=str(endpoint))
        await peer.start()
        self._peers.append(peer)
        self._arrive.send_nowait(peer)
        return ours

    async def cut(self) -> None:
        """End every connection and take no new ones."""
        self.is_down = True
        for peer in self._peers:
            await peer.stream.aclose()

    async def accept(self) -> Peer:
        """The peer of the next connection."""
        with trio.fail_after(PATIENCE_SECONDS):
            return await self._arrived.receive()


@pytest.fixture
def network() -> Network:
    return Network()


class Pending:
    """A request in a task of its own, and what came of it."""

    def __init__(self, nursery: trio.Nursery, ask: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        self._answer: Any = None
        self._error: EtcdError | None = None
        self._done = trio.Event()
        nursery.start_soon(self._run, ask, arguments)

    async def _run(self, ask: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> None:
        try:
            self._answer = await ask(*arguments)
        except EtcdError as error:
            self._error = error
        self._done.set()

    async def answer(self) -> Any:
        with trio.fail_after(PATIENCE_SECONDS):
            await self._done.wait()
        assert self._error is None
        return self._answer

    async def error(self) -> EtcdError:
        with trio.fail_after(PATIENCE_SECONDS):
            await self._done.wait()
        assert self._error is not None
        return self._error
