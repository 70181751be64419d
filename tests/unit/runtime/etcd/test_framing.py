"""The byte formats, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.runtime.etcd.framing import (
    FramingError,
    GoAway,
    GoAwayFilter,
    MessageReader,
    Status,
    TooLargeError,
    pack_message,
    parse_goaway,
    refusal_of,
    status_of,
    timeout_text,
)

GRPC = (b":status", b"200"), (b"content-type", b"application/grpc")


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def http2_frame(kind: int, payload: bytes, stream_id: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, 0)) + stream_id.to_bytes(4, "big") + payload


@given(st.lists(st.binary(max_size=9), max_size=5), st.lists(st.integers(0, 60), max_size=6))
def test_messages_come_whole_wherever_they_are_cut(messages: list[bytes], places: list[int]) -> None:
    reader = MessageReader(9)
    pieces = cut(b"".join(map(pack_message, messages)), places)
    assert [message for piece in pieces for message in reader.feed(piece)] == messages
    assert not reader.is_inside_message


def test_message_over_the_limit_is_refused_by_its_header() -> None:
    reader = MessageReader(9)
    assert reader.feed(pack_message(bytes(9))) == [bytes(9)]
    with pytest.raises(TooLargeError, match="10 bytes; the limit is 9"):
        reader.feed(pack_message(bytes(10))[:5])


goaways = st.builds(
    GoAway, st.integers(0, 2**31 - 1), st.integers(0, 13), st.text(st.characters(codec="ascii"), max_size=5)
)
frames = st.builds(http2_frame, st.sampled_from([0, 1, 3, 4, 6, 8, 9]), st.binary(max_size=9))


def bytes_of(piece: bytes | GoAway) -> bytes:
    if isinstance(piece, bytes):
        return piece
    fields = piece.last_stream_id.to_bytes(4, "big") + piece.error_code.to_bytes(4, "big")
    return http2_frame(7, fields + piece.debug.encode(), stream_id=0)


@given(st.lists(frames | goaways, max_size=6), st.lists(st.integers(0, 150), max_size=6))
def test_goaways_are_taken_out_and_all_other_frames_stay_in_order(
    pieces: list[bytes | GoAway], places: list[int]
) -> None:
    stream = b"".join(map(bytes_of, pieces))
    goaway_filter = GoAwayFilter()
    got = [each for part in cut(stream, places) for each in goaway_filter.feed(part)]
    assert [each for each in got if isinstance(each, GoAway)] == [
        each for each in pieces if isinstance(each, GoAway)
    ]
    assert b"".join(map(bytes_of, got)) == stream


def test_goaway_hides_its_reserved_bit_and_shows_any_debug_data() -> None:
    assert parse_goaway(b"\x80\x00\x00\x05\x00\x00\x00\x0b\xffcalm") == GoAway(5, 11, "\\xffcalm")
    with pytest.raises(FramingError, match="GOAWAY of 7 bytes"):
        parse_goaway(bytes(7))


def test_frame_that_no_http2_peer_sends_gives_a_hint() -> None:
    with pytest.raises(FramingError, match="TLS port"):
        list(GoAwayFilter().feed(b"\x15\x03\x01\x00\x02\x02\x16\x00\x00"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"grpc-status", b"0")], Status(0, "")),
        ([(b"grpc-status", b"7"), (b"grpc-message", b"no%3A %zz")], Status(7, "no: %zz")),
        ([(b"grpc-status", b"x")], Status(2, "grpc-status b'x' is no number: ")),
        ([(b"grpc-status", b"100")], Status(2, "grpc-status b'100' is no number: ")),
        ([*GRPC], None),
    ],
)
def test_status(headers: list[tuple[bytes, bytes]], status: Status | None) -> None:
    assert status_of(headers) == status


@pytest.mark.parametrize(
    ("headers", "code", "text"),
    [
        ([(b":status", b"401")], 16, "HTTP status '401'"),
        ([(b":status", b"404")], 12, "HTTP status '404'"),
        ([(b":status", b"503")], 14, "HTTP status '503'"),
        ([(b":status", b"301")], 2, "HTTP status '301'"),
        ([(b":status", b"200"), (b"content-type", b"text/html")], 2, "'text/html' instead of gRPC"),
        ([*GRPC, (b"grpc-encoding", b"gzip")], 13, "'gzip', though we offered none"),
    ],
)
def test_first_headers_that_are_no_grpc(headers: list[tuple[bytes, bytes]], code: int, text: str) -> None:
    refusal = refusal_of(headers)
    assert refusal is not None
    assert refusal.code == code
    assert text in refusal.message


def test_first_headers_of_grpc() -> None:
    assert refusal_of([*GRPC]) is None
    assert refusal_of([GRPC[0], (b"content-type", b"application/grpc+proto")]) is None


@pytest.mark.parametrize(("seconds", "text"), [(1.5, "1500m"), (0, "1m"), (-1, "1m"), (1e9, "99999999m")])
def test_timeout_has_at_most_eight_digits(seconds: float, text: str) -> None:
    assert timeout_text(seconds) == text
