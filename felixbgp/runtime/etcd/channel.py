"""gRPC over one HTTP/2 connection, on trio. It knows nothing of etcd: methods are paths, messages are bytes.

    call.send() ────▶ outbox ──▶ h2 state ──▶ writer task ──▶ stream ──▶ peer
    call.receive() ◀─ messages ◀─ h2 state ◀─ reader task ◀── stream ◀── peer

Standing rules:

* Callers only change the state of `h2` and wake the writer; no caller ever writes to the stream. So a
  cancelled caller never leaves half a frame behind; its call is reset by RST_STREAM(CANCEL).
* The connection's window is opened as bytes arrive, a stream's window as its consumer takes messages: a
  consumer that stands still stops its own stream and no other, and costs at most one window of memory.
* No error leaves `run`: what ended the connection is kept in `failure`, and every call on it raises it.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from felixbgp.runtime.etcd import framing
from felixbgp.runtime.etcd.call import Call, FailureFactory
from felixbgp.runtime.etcd.dial import plain_reason
from felixbgp.runtime.etcd.errors import EtcdError, MessageTooLarge, ProtocolError, Unavailable
from felixbgp.runtime.etcd.framing import FramingError, GoAway, GoAwayFilter

RECEIVE_BYTES: Final = 65_536
CONNECTION_WINDOW_BYTES: Final = 16 << 20
"""What may be on the way over all streams at once: the product of 10 Gbit/s and 13 ms."""
HTTP2_DEFAULT_WINDOW_BYTES: Final = 65_535
HEADER_LIST_BYTES_MAX: Final = 65_536
"""etcd's headers take less than 1 KiB, but the text of an error travels in them."""
PING_PAYLOAD: Final = b"felixbgp"

Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of memory and patience; `felixbgp.runtime.etcd.settings` gives the reasons."""

    stream_window_bytes: int = 16 << 20
    message_bytes_max: int = 128 << 20
    ping_interval_seconds: float = 10.0
    ping_timeout_seconds: float = 5.0


class Channel:
    """One connection. `await nursery.start(channel.run)` serves it; then look at `failure`."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        endpoint: str,
        *,
        authority: str = "etcd",
        tls: bool = False,
        limits: ChannelLimits | None = None,
    ) -> None:
        self.failure: EtcdError | None = None
        self.draining = trio.Event()
        self._endpoint = endpoint
        self._limits = limits or ChannelLimits()
        self._stream = stream
        self._target = [(":scheme", "https" if tls else "http"), (":authority", authority)]
        self._h2 = _client_connection(self._limits)
        self._filter = GoAwayFilter()
        self._calls: dict[int, Call] = {}
        self._scope = trio.CancelScope()
        self._ready = trio.Event()
        self._write_wanted = trio.Event()
        self._ping_wanted = trio.Event()
        self._heard = trio.Event()
        self._slot_freed = trio.lowlevel.ParkingLot()
        self._goaway: GoAway | None = None

    @property
    def endpoint(self) -> str:
        """The name of the peer, for error texts."""
        return self._endpoint

    @property
    def is_usable(self) -> bool:
        """Whether new calls may be made."""
        return self.failure is None and not self.draining.is_set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the connection until it ends or `close` is called; started when the peer sent its SETTINGS.

        A connection that fails, before or after the start, ends this without an error: see `failure`.
        """
        is_started = False
        try:
            with self._scope:
                self._begin()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    nursery.start_soon(self._write)
                    await self._ready.wait()
                    is_started = True
                    task_status.started()
                    await self._keep_pinging()
        finally:
            self._fail("the connection was closed")
            await trio.aclose_forcefully(self._stream)
        if not is_started:
            task_status.started()

    def close(self) -> None:
        """End the connection and all its calls now."""
        self._fail("the connection was closed by this side")

    def drain(self) -> None:
        """Take no new calls, and close when the last one ends."""
        self.draining.set()
        self._slot_freed.unpark_all()
        if not self._calls:
            self.close()

    def probe(self) -> None:
        """Find out soon whether the peer still lives: PING it now rather than at the next interval."""
        self._ping_wanted.set()

    @asynccontextmanager
    async def call(
        self, method: str, metadata: Metadata = (), *, timeout_seconds: float | None = None
    ) -> AsyncIterator[Call]:
        """Open a call of `method` ("/package.Service/Method"); if still open at the end it is reset.

        `timeout_seconds` is told to the peer; our own waiting is bounded by the caller's cancel scope.
        Raises `Unavailable` (unsent) when the channel takes no new calls.
        """
        call = await self._open(method, metadata, timeout_seconds)
        try:
            yield call
        finally:
            self._finish(call)

    async def unary(
        self, method: str, request: bytes, metadata: Metadata = (), *, timeout_seconds: float | None = None
    ) -> bytes:
        """One request, one answer. Raises `EtcdError`."""
        async with self.call(method, metadata, timeout_seconds=timeout_seconds) as call:
            await call.send(request, last=True)
            answer = await call.receive()
            if answer is None:
                raise ProtocolError("status OK without an answer", method=method, endpoint=self.endpoint)
            if await call.receive() is not None:
                raise ProtocolError("two answers to one request", method=method, endpoint=self.endpoint)
            return answer

    # What calls ask of us (`felixbgp.runtime.etcd.call.Carrier`).

    def flush(self, call: Call) -> None:
        """Hand on as much of the call's outbox as the peer's windows take."""
        if self.failure is not None or call.is_over:
            return
        with suppress(
            h2.exceptions.ProtocolError
        ):  # The stream is closed: its event is on the way to the call.
            while call.outbox:
                window = self._h2.local_flow_control_window(call.stream_id)
                size = min(len(call.outbox), window, self._h2.max_outbound_frame_size)
                if size <= 0:
                    break
                chunk = bytes(memoryview(call.outbox)[:size])
                del call.outbox[:size]
                self._h2.send_data(call.stream_id, chunk, end_stream=call.is_ending and not call.outbox)
            if not call.outbox:
                call.on_sent()
        self._write_wanted.set()

    def open_window(self, stream_id: int, increment: int) -> None:
        """Let the peer send `increment` more bytes on a stream."""
        with suppress(h2.exceptions.ProtocolError, KeyError):  # Closed meanwhile: nothing to open.
            self._h2.increment_flow_control_window(increment, stream_id)
        self._write_wanted.set()

    # Opening and ending calls.

    async def _open(self, method: str, metadata: Metadata, timeout_seconds: float | None) -> Call:
        while self._h2.open_outbound_streams >= self._h2.remote_settings.max_concurrent_streams:
            self._raise_unless_usable(method)
            await self._slot_freed.park()
        self._raise_unless_usable(method)
        try:
            stream_id = self._h2.get_next_available_stream_id()
        except h2.exceptions.NoAvailableStreamIDError as error:
            # 2**30 calls on one connection (RFC 9113 §5.1.1): the next ones need a new connection.
            self.drain()
            raise Unavailable("stream ids are used up", endpoint=self.endpoint, unsent=True) from error
        call = Call(
            self,
            stream_id,
            method,
            window_bytes=self._limits.stream_window_bytes,
            message_bytes_max=self._limits.message_bytes_max,
        )
        self._h2.send_headers(stream_id, self._request_headers(method, metadata, timeout_seconds))
        self._calls[stream_id] = call
        self._write_wanted.set()
        return call

    def _request_headers(
        self, method: str, metadata: Metadata, timeout_seconds: float | None
    ) -> list[tuple[str, str]]:
        headers = [(":method", "POST"), *self._target, (":path", method), ("te", "trailers")]
        if timeout_seconds is not None:
            headers.append(("grpc-timeout", framing.timeout_text(timeout_seconds)))
        return [*headers, ("content-type", "application/grpc"), ("user-agent", "felixbgp"), *metadata]

    def _raise_unless_usable(self, method: str) -> None:
        if self.failure is not None:
            raise Unavailable(self.failure.message, method=method, endpoint=self.endpoint, unsent=True)
        if self.draining.is_set():
            raise Unavailable("the connection takes no new calls", endpoint=self.endpoint, unsent=True)

    def _finish(self, call: Call) -> None:
        del self._calls[call.stream_id]
        if self.failure is not None:
            return
        with suppress(h2.exceptions.ProtocolError):  # It ended on both sides.
            self._h2.reset_stream(call.stream_id, h2.errors.ErrorCodes.CANCEL)
        self._write_wanted.set()
        self._slot_freed.unpark()
        if self.draining.is_set() and not self._calls:
            self.close()

    # The tasks.

    def _begin(self) -> None:
        self._h2.initiate_connection()
        if CONNECTION_WINDOW_BYTES > HTTP2_DEFAULT_WINDOW_BYTES:
            self._h2.increment_flow_control_window(CONNECTION_WINDOW_BYTES - HTTP2_DEFAULT_WINDOW_BYTES)
        self._write_wanted.set()

    async def _write(self) -> None:
        while True:
            await self._write_wanted.wait()
            self._write_wanted = trio.Event()
            with self._failing():
                await self._stream.send_all(self._h2.data_to_send())

    async def _read(self) -> None:
        while self.failure is None:
            with self._failing():
                data = await self._stream.receive_some(RECEIVE_BYTES)
                self._heard.set()
                if not data:
                    self._fail("etcd closed the connection")
                self._take(bytes(data))

    async def _keep_pinging(self) -> None:
        """PING while calls are open; any byte from the peer counts as an answer.

        Without calls there is nothing to lose, and etcd takes PINGs on an idle connection for abuse.
        """
        while True:
            with trio.move_on_after(self._limits.ping_interval_seconds):
                await self._ping_wanted.wait()
            is_wanted = self._ping_wanted.is_set()
            self._ping_wanted = trio.Event()
            if not (self._calls or is_wanted):
                continue
            self._heard = trio.Event()
            self._h2.ping(PING_PAYLOAD)
            self._write_wanted.set()
            with trio.move_on_after(self._limits.ping_timeout_seconds):
                await self._heard.wait()
            if not self._heard.is_set():
                self._fail(f"no answer to a PING within {self._limits.ping_timeout_seconds:g} s")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn what a stream and `h2` raise into our failure."""
        try:
            yield
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._fail(f"the connection broke: {plain_reason(error)}")
        except (h2.exceptions.H2Error, FramingError) as error:
            self._fail(f"the peer broke the rules of HTTP/2: {error}")

    def _fail(self, reason: str) -> None:
        """End everything, once: the first reason stays."""
        if self.failure is not None:
            return
        if self._goaway is not None and self._goaway.debug:
            reason = f"{reason} (GOAWAY: {self._goaway.debug})"
        self.failure = Unavailable(reason, endpoint=self.endpoint)
        for call in self._calls.values():
            call.fail(lambda method: Unavailable(reason, method=method, endpoint=self.endpoint))
        self._slot_freed.unpark_all()
        self._scope.cancel()

    # What arrives.

    def _take(self, data: bytes) -> None:
        received = 0
        for piece in self._filter.feed(data):
            if isinstance(piece, GoAway):
                self._on_goaway(piece)
                continue
            for event in self._h2.receive_data(piece):
                received += self._on_event(event)
        if received:
            self._h2.increment_flow_control_window(received)
        self._write_wanted.set()

    def _on_event(self, event: h2.events.Event) -> int:
        """Bring an event to its call; return the bytes it took of the connection's window."""
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._ready.set()
            self._slot_freed.unpark_all()
            self._flush_all()
        elif isinstance(event, h2.events.WindowUpdated):
            self._flush_all()
        elif isinstance(event, h2.events.DataReceived):
            return self._on_data(event)
        elif (call := self._calls.get(getattr(event, "stream_id", None) or 0)) is not None:
            self._on_call_event(call, event)
        return 0

    def _on_call_event(self, call: Call, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            call.on_headers(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            call.on_end()
        elif isinstance(event, h2.events.StreamReset):
            # With NO_ERROR after the end it only says that the peer read enough; `fail` then does nothing.
            call.fail(self._failure_of_reset(event))

    def _on_data(self, event: h2.events.DataReceived) -> int:
        length = event.flow_controlled_length
        call = self._calls.get(event.stream_id)
        if call is not None:
            call.on_data(event.data, length)
        return length

    def _flush_all(self) -> None:
        for call in list(self._calls.values()):
            if call.outbox:
                self.flush(call)

    def _failure_of_reset(self, event: h2.events.StreamReset) -> FailureFactory:
        """What RST_STREAM means for the call (gRPC over HTTP2, section "Errors")."""
        code, endpoint = event.error_code, self.endpoint
        name = code.name if isinstance(code, h2.errors.ErrorCodes) else str(code)
        text = f"the peer reset the stream: {name}"
        match code:
            case h2.errors.ErrorCodes.REFUSED_STREAM:
                return lambda method: Unavailable(text, method=method, endpoint=endpoint, unsent=True)
            case h2.errors.ErrorCodes.NO_ERROR | h2.errors.ErrorCodes.CANCEL:
                return lambda method: Unavailable(text, method=method, endpoint=endpoint)
            case h2.errors.ErrorCodes.ENHANCE_YOUR_CALM:
                return lambda method: MessageTooLarge(text, method=method, endpoint=endpoint)
            case _:
                return lambda method: ProtocolError(text, method=method, endpoint=endpoint)

    def _on_goaway(self, goaway: GoAway) -> None:
        self._goaway = goaway
        text = f"etcd goes away ({goaway.debug or goaway.error_code}) and did not take the call"
        for stream_id, call in self._calls.items():
            if stream_id > goaway.last_stream_id:
                call.fail(
                    lambda method: Unavailable(text, method=method, endpoint=self.endpoint, unsent=True)
                )
        self.drain()


def _client_connection(limits: ChannelLimits) -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(client_side=True, header_encoding=None)
    connection = h2.connection.H2Connection(config)
    codes = h2.settings.SettingCodes
    connection.local_settings = h2.settings.Settings(
        client=True,
        initial_values={
            codes.ENABLE_PUSH: 0,
            codes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
            codes.MAX_HEADER_LIST_SIZE: HEADER_LIST_BYTES_MAX,
        },
    )
    return connection
