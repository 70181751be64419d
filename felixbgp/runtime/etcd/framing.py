"""The byte formats of gRPC over HTTP/2 that `h2` leaves to us: message framing, status, and GOAWAY.

Pure functions and small feeders without input or output; `channel` wires them to a connection.
Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and RFC 9113.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from felixbgp.runtime.etcd import errors

MESSAGE_HEADER = struct.Struct("!BI")
FRAME_HEADER_BYTES = 9
FRAME_BYTES_MAX = 16_384
"""SETTINGS_MAX_FRAME_SIZE as we leave it (RFC 9113 §6.5.2): a larger frame is the peer's error."""
GOAWAY_TYPE = 0x7
GOAWAY_FIELDS = struct.Struct("!II")
STREAM_ID_MASK = 0x7FFF_FFFF

Headers = Sequence[tuple[bytes, bytes]]


class FramingError(Exception):
    """Bytes that no gRPC peer may send; the text says which rule they break."""


class TooLargeError(FramingError):
    """A message over our limit."""


def pack_message(message: bytes) -> bytes:
    """A message with its prefix: not compressed, then the length."""
    return MESSAGE_HEADER.pack(0, len(message)) + message


class MessageReader:
    """Cuts the bytes of one stream into messages, however they were split into frames."""

    def __init__(self, message_bytes_max: int) -> None:
        self._limit = message_bytes_max
        self._buffer = bytearray()

    @property
    def is_inside_message(self) -> bool:
        """Whether a part of a message waits for its rest."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises `FramingError`."""
        buffer = self._buffer
        buffer += data
        messages = []
        start = 0
        while len(buffer) - start >= MESSAGE_HEADER.size:
            compressed, length = MESSAGE_HEADER.unpack_from(buffer, start)
            self._check(compressed, length)
            end = start + MESSAGE_HEADER.size + length
            if len(buffer) < end:
                break
            messages.append(bytes(memoryview(buffer)[start + MESSAGE_HEADER.size : end]))
            start = end
        del buffer[:start]
        return messages

    def _check(self, compressed: int, length: int) -> None:
        if compressed:
            # We never offer an encoding in grpc-accept-encoding, so no peer may use one.
            raise FramingError("a compressed message, though we offered no compression")
        if length > self._limit:
            raise TooLargeError(f"a message of {length} bytes; the limit is {self._limit}")


class Status(NamedTuple):
    """How a call ended: gRPC's number and the server's words."""

    code: int
    message: str


def status_of(headers: Headers) -> Status | None:
    """The gRPC status in a header block, if it holds one.

    It may stand in the trailers, or in the first and only block of a reply that has nothing else.
    """
    fields = dict(headers)
    code = fields.get(b"grpc-status")
    if code is None:
        return None
    message = unquote(fields.get(b"grpc-message", b"").decode("latin-1"), errors="replace")
    if not code.isdigit() or len(code) > 2:
        return Status(errors.UNKNOWN, f"grpc-status {code!r} is no number: {message}")
    return Status(int(code), message)


_STATUS_OF_HTTP = {
    # From gRPC's http-grpc-status-mapping.md: a proxy answers in HTTP.
    b"400": errors.INTERNAL,
    b"401": errors.UNAUTHENTICATED,
    b"403": errors.PERMISSION_DENIED,
    b"404": errors.UNIMPLEMENTED,
    b"429": errors.UNAVAILABLE,
    b"502": errors.UNAVAILABLE,
    b"503": errors.UNAVAILABLE,
    b"504": errors.UNAVAILABLE,
}


def refusal_of(headers: Headers) -> Status | None:
    """Why the first header block of a reply is not the start of a gRPC answer; None when it is one."""
    fields = dict(headers)
    http_status = fields.get(b":status", b"")
    if http_status != b"200":
        code = _STATUS_OF_HTTP.get(http_status, errors.UNKNOWN)
        return Status(code, f"HTTP status {http_status.decode('latin-1')!r} instead of a gRPC answer")
    content_type = fields.get(b"content-type", b"")
    if not content_type.startswith(b"application/grpc"):
        return Status(errors.UNKNOWN, f"content-type {content_type.decode('latin-1')!r} instead of gRPC")
    encoding = fields.get(b"grpc-encoding", b"identity")
    if encoding != b"identity":
        return Status(
            errors.INTERNAL, f"grpc-encoding {encoding.decode('latin-1')!r}, though we offered none"
        )
    return None


def timeout_text(seconds: float) -> str:
    """The value of `grpc-timeout`: at most eight digits and a unit, here milliseconds."""
    return f"{min(max(1, int(seconds * 1_000)), 99_999_999)}m"


class GoAway(NamedTuple):
    """The peer takes no new streams; those up to `last_stream_id` go on (RFC 9113 §6.8)."""

    last_stream_id: int
    error_code: int
    debug: str


class GoAwayFilter:
    """Takes GOAWAY frames out of the received bytes.

    `h2` closes its whole state on GOAWAY and then refuses the frames of the streams that may still end well,
    so it must not see one: an etcd that shuts down in order would look like one that breaks the rules.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterable[bytes | GoAway]:
        """Whole frames as bytes for `h2`, and the GOAWAYs between them, in order. Raises `FramingError`."""
        buffer = self._buffer
        buffer += data
        pieces: list[bytes | GoAway] = []
        kept_from = position = 0
        while len(buffer) - position >= FRAME_HEADER_BYTES:
            end = position + FRAME_HEADER_BYTES + self._payload_length(position)
            if end > len(buffer):
                break
            if buffer[position + 3] == GOAWAY_TYPE:
                pieces += [bytes(buffer[kept_from:position])] if kept_from < position else []
                pieces.append(parse_goaway(bytes(buffer[position + FRAME_HEADER_BYTES : end])))
                kept_from = end
            position = end
        pieces += [bytes(buffer[kept_from:position])] if kept_from < position else []
        del buffer[:position]
        return pieces

    def _payload_length(self, position: int) -> int:
        length = int.from_bytes(self._buffer[position : position + 3], "big")
        if length > FRAME_BYTES_MAX:
            raise FramingError(f"an HTTP/2 frame of {length} bytes; is this a plain HTTP or a TLS port?")
        return length


def parse_goaway(payload: bytes) -> GoAway:
    """The fields of a GOAWAY frame. Raises `FramingError`."""
    if len(payload) < GOAWAY_FIELDS.size:
        raise FramingError(f"a GOAWAY of {len(payload)} bytes")
    last_stream_id, error_code = GOAWAY_FIELDS.unpack_from(payload)
    debug = payload[GOAWAY_FIELDS.size :].decode("utf-8", "backslashreplace")
    return GoAway(last_stream_id & STREAM_ID_MASK, error_code, debug)
