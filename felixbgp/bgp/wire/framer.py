"""A TCP stream cut into messages, and messages put into frames (RFC 4271 §4.1).

    octets in any chunks ─▶ feed ; take_updates ─▶ [body, …], next_message ─▶ (type, body)

The work is linear in the octets, whatever the chunks: pieces are joined only once they complete a header or
a message. Drained after every `feed`, a framer holds less than one message.
"""

from collections.abc import Iterator
from typing import Final

from felixbgp.bgp.wire.errors import ErrorCode, HeaderSubcode, WireError
from felixbgp.bgp.wire.messages import MessageType

MARKER: Final = b"\xff" * 16
HEADER_OCTETS: Final = 19
MESSAGE_OCTETS_MAX: Final = 4096
"""RFC 4271 §4.1."""
EXTENDED_MESSAGE_OCTETS_MAX: Final = 65535
"""RFC 8654 §4, once both sides have the capability; never for OPEN and KEEPALIVE."""

_TYPES: Final[dict[int, MessageType]] = {int(one): one for one in MessageType}

# RFC 4271 §6.1 names these, header included. A ROUTE-REFRESH that is too short has an error of its
# own (RFC 7313 §5), so its decoder judges it.
_OCTETS_MIN: Final[dict[int, int]] = {
    MessageType.OPEN: 29,
    MessageType.UPDATE: 23,
    MessageType.NOTIFICATION: 21,
    MessageType.KEEPALIVE: 19,
    MessageType.ROUTE_REFRESH: 19,
}


_UPDATE: Final = int(MessageType.UPDATE)
_UPDATE_OCTETS_MIN: Final = 23


def frame(message_type: MessageType, body: bytes) -> bytes:
    """A whole message. Raises `ValueError` when the body does not fit even an extended message."""
    length = HEADER_OCTETS + len(body)
    if length > EXTENDED_MESSAGE_OCTETS_MAX:
        raise ValueError(f"a message of {length} octets cannot be sent")
    return b"%b%b%c%b" % (MARKER, length.to_bytes(2, "big"), message_type, body)


class Framer:
    """Finds the messages in a stream of octets.

    `messages_octets_max` is the longest message allowed; set it to `EXTENDED_MESSAGE_OCTETS_MAX` once that
    was negotiated.
    """

    __slots__ = ("_chunks", "_data", "_error", "_needed", "_position", "_size", "messages_octets_max")

    def __init__(self, messages_octets_max: int = MESSAGE_OCTETS_MAX) -> None:
        self.messages_octets_max = messages_octets_max
        self._data = b""
        self._position = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._needed = HEADER_OCTETS
        self._error: WireError | None = None

    @property
    def buffered(self) -> int:
        """How many octets were fed and not yet returned."""
        return self._size

    def feed(self, data: bytes) -> None:
        """Take the next octets of the stream; after an error they are dropped."""
        if data and self._error is None:
            self._chunks.append(data)
            self._size += len(data)

    def messages(self) -> Iterator[tuple[MessageType, bytes]]:
        """Yield each complete message; raises as `next_message` does, after the messages before the error."""
        while (message := self.next_message()) is not None:
            yield message

    def take_updates(self) -> list[bytes]:
        """The bodies of the whole UPDATEs that come next, up to anything else or anything wrong.

        What stops it is for `next_message`, which judges it.
        """
        bodies: list[bytes] = []
        if self._error is not None or self._size < self._needed:
            return bodies
        self._join()
        data, octets_max = self._data, self.messages_octets_max
        position, end = self._position, len(self._data)
        while end - position >= _UPDATE_OCTETS_MIN and data[position + 18] == _UPDATE:
            length = data[position + 16] << 8 | data[position + 17]
            following = position + length
            if not _UPDATE_OCTETS_MIN <= length <= octets_max or following > end:
                break
            if data[position : position + 16] != MARKER:
                break
            bodies.append(data[position + HEADER_OCTETS : following])
            position = following
        self._size -= position - self._position
        self._position = position
        if bodies:
            self._needed = HEADER_OCTETS
        return bodies

    def next_message(self) -> tuple[MessageType, bytes] | None:
        """The type and body of the next message, or None when more octets are needed.

        Raises `WireError` where the stream stops being BGP (RFC 4271 §6.1), and the same again ever after.
        """
        if self._error is not None:
            raise self._error
        if self._size < self._needed:
            self._compact()
            return None
        self._join()
        start = self._position
        try:
            message_type, length = _read_header(self._data, start, self.messages_octets_max)
        except WireError as error:
            self._error = error
            self._data, self._position, self._size = b"", 0, 0
            raise
        if length > self._size:
            self._needed = length
            self._compact()
            return None
        self._needed = HEADER_OCTETS
        self._position = start + length
        self._size -= length
        return message_type, self._data[start + HEADER_OCTETS : start + length]

    def _join(self) -> None:
        if self._chunks:
            self._data = b"".join((self._data[self._position :], *self._chunks))
            self._position = 0
            self._chunks.clear()

    def _compact(self) -> None:
        # An idle session shall not hold on to the last large chunk for the sake of its tail.
        if self._position:
            self._data = self._data[self._position :]
            self._position = 0


def _read_header(data: bytes, start: int, octets_max: int) -> tuple[MessageType, int]:
    """Type and length of the message whose header is at `start`, as RFC 4271 §6.1 wants them checked."""
    if data[start : start + 16] != MARKER:
        raise WireError(
            ErrorCode.MESSAGE_HEADER,
            HeaderSubcode.CONNECTION_NOT_SYNCHRONIZED,
            text="the marker is not all ones",
        )
    length_field = data[start + 16 : start + 18]
    length = int.from_bytes(length_field, "big")
    number = data[start + 18]
    message_type = _TYPES.get(number)
    if message_type is None and HEADER_OCTETS <= length <= octets_max:
        raise WireError(
            ErrorCode.MESSAGE_HEADER,
            HeaderSubcode.BAD_MESSAGE_TYPE,
            bytes((number,)),
            f"there is no message type {number}",
        )
    if message_type is None or not _OCTETS_MIN[message_type] <= length <= _longest(message_type, octets_max):
        raise bad_message_length(length, f"message type {number} cannot have {length} octets")
    return message_type, length


def _longest(message_type: MessageType, octets_max: int) -> int:
    if message_type is MessageType.KEEPALIVE:
        return HEADER_OCTETS
    return MESSAGE_OCTETS_MAX if message_type is MessageType.OPEN else octets_max


def bad_message_length(length: int, text: str) -> WireError:
    """Bad Message Length (RFC 4271 §6.1); `length` counts the header and is what the message said."""
    return WireError(
        ErrorCode.MESSAGE_HEADER, HeaderSubcode.BAD_MESSAGE_LENGTH, length.to_bytes(2, "big"), text
    )
