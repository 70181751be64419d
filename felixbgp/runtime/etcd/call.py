"""One gRPC call on a channel: messages in both directions, flow control, and how it ended."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import trio

from felixbgp.runtime.etcd import errors, framing
from felixbgp.runtime.etcd.errors import EtcdError, MessageTooLarge, ProtocolError
from felixbgp.runtime.etcd.framing import FramingError, Headers, MessageReader, Status

FailureFactory = Callable[[str], EtcdError]
"""Makes the error for a method. Each raise needs an exception of its own: tracebacks grow on it."""

WINDOW_UPDATES_PER_WINDOW: Final = 8
"""Open the window in steps of an eighth: few frames, and the peer never has to stop for us."""


class Carrier(Protocol):
    """What a call needs from its channel."""

    @property
    def endpoint(self) -> str:
        """The name of the peer."""

    def flush(self, call: "Call") -> None:
        """Hand on as much of the call's outbox as the peer's windows take."""

    def open_window(self, stream_id: int, increment: int) -> None:
        """Let the peer send `increment` more bytes on a stream."""


class Call:
    """One call, open until the `async with channel.call(…)` that made it ends. For one task at a time.

    `outbox` and `is_ending` are for the channel: bytes not yet handed on, and whether they are the last ones.
    """

    def __init__(
        self, carrier: Carrier, stream_id: int, method: str, *, window_bytes: int, message_bytes_max: int
    ) -> None:
        self.stream_id = stream_id
        self.method = method
        self.outbox = bytearray()
        self.is_ending = False
        self._carrier = carrier
        self._reader = MessageReader(message_bytes_max)
        self._messages: deque[bytes] = deque()
        self._queued_bytes = 0
        self._withheld_bytes = 0
        self._window_step = max(1, window_bytes // WINDOW_UPDATES_PER_WINDOW)
        self._headers_seen = False
        self._status: Status | None = None
        self._failure: FailureFactory | None = None
        self._ended = False
        self._wakeup = trio.lowlevel.ParkingLot()

    @property
    def is_over(self) -> bool:
        """Whether the peer has ended the call, or it failed."""
        return self._ended or self._failure is not None

    async def send(self, message: bytes, *, last: bool = False) -> None:
        """Send one message, with `last` the final one; returns when the peer's windows took it.

        Raises `EtcdError` when the call failed. A peer that ended it well wants no more: that is no error.
        """
        self.outbox += framing.pack_message(message)
        self.is_ending = self.is_ending or last
        self._carrier.flush(self)
        await trio.lowlevel.checkpoint()
        while self.outbox and not self._ended:
            self._raise_failure()
            await self._wakeup.park()

    async def receive(self) -> bytes | None:
        """The next message, or None when the call ended with status OK. Raises `EtcdError`."""
        await trio.lowlevel.checkpoint()
        while not self._messages:
            self._raise_failure()
            if self._ended:
                return None
            await self._wakeup.park()
        message = self._messages.popleft()
        self._queued_bytes -= framing.MESSAGE_HEADER.size + len(message)
        self._open_window()
        return message

    # What the channel reports.

    def on_sent(self) -> None:
        """The outbox is empty."""
        self._wakeup.unpark_all()

    def on_headers(self, headers: Headers) -> None:
        """A block of headers or trailers came."""
        self._status = framing.status_of(headers)
        if self._status is None and not self._headers_seen:
            self._status = framing.refusal_of(headers)
        self._headers_seen = True

    def on_data(self, data: bytes, flow_controlled_bytes: int) -> None:
        """Bytes of messages came; with padding they took `flow_controlled_bytes` of the window."""
        self._withheld_bytes += flow_controlled_bytes
        try:
            messages = self._reader.feed(data)
        except FramingError as error:
            self._refuse(error)
            return
        if messages:
            self._messages.extend(messages)
            self._queued_bytes += sum(framing.MESSAGE_HEADER.size + len(message) for message in messages)
            self._wakeup.unpark_all()
        self._open_window()

    def on_end(self) -> None:
        """The peer sent its last byte."""
        if self._reader.is_inside_message:
            self._refuse(FramingError("the answer ended inside a message"))
        self._ended = self._failure is None
        self._wakeup.unpark_all()

    def fail(self, failure: FailureFactory) -> None:
        """The call is over by an error; messages that arrived before are still delivered."""
        if not self.is_over:
            self._failure = failure
        self._wakeup.unpark_all()

    def _open_window(self) -> None:
        """Give back to the peer what the consumer took.

        The part of a message that is not complete counts as taken, or a message larger than the window could
        never arrive; the limit for messages bounds it.
        """
        increment = self._withheld_bytes - self._queued_bytes
        if increment > 0 and not self.is_over and (increment >= self._window_step or not self._messages):
            self._withheld_bytes -= increment
            self._carrier.open_window(self.stream_id, increment)

    def _refuse(self, error: FramingError) -> None:
        kind = MessageTooLarge if isinstance(error, framing.TooLargeError) else ProtocolError
        text, endpoint = str(error), self._carrier.endpoint
        self.fail(lambda method: kind(text, method=method, endpoint=endpoint))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure(self.method)
        if not self._ended:
            return
        status = self._status or Status(errors.UNKNOWN, "the answer ended without a status")
        if status.code != errors.OK:
            raise errors.error_of_status(
                status.code, status.message, method=self.method, endpoint=self._carrier.endpoint
            )
