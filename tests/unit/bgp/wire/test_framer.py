"""A stream is cut where its messages end, whatever its chunks."""

import pytest

from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, MARKER, Framer, frame
from felixbgp.bgp.wire.messages import MessageType

KEEPALIVE = frame(MessageType.KEEPALIVE, b"")
UPDATE = frame(MessageType.UPDATE, bytes(4))
EXPECTED = [(MessageType.KEEPALIVE, b""), (MessageType.UPDATE, bytes(4)), (MessageType.KEEPALIVE, b"")]


def header(length: int, number: int) -> bytes:
    return MARKER + length.to_bytes(2, "big") + bytes((number,))


@pytest.mark.parametrize("size", [1, 7, 18, 19, 20, 61, 100])
def test_chunks_of_any_size_give_the_same_messages(size: int) -> None:
    stream = KEEPALIVE + UPDATE + KEEPALIVE
    framer = Framer()
    found = []
    for start in range(0, len(stream), size):
        framer.feed(stream[start : start + size])
        found += list(framer.messages())
    assert found == EXPECTED
    assert framer.buffered == 0


def test_the_consumer_may_stop_and_go_on() -> None:
    framer = Framer()
    framer.feed(KEEPALIVE + UPDATE)
    assert framer.next_message() == EXPECTED[0]
    framer.feed(KEEPALIVE)
    assert framer.buffered == len(UPDATE + KEEPALIVE)
    assert list(framer.messages()) == EXPECTED[1:]
    assert framer.next_message() is None


def test_the_tail_of_a_large_chunk_does_not_keep_the_chunk() -> None:
    framer = Framer()
    framer.feed(UPDATE * 1000 + UPDATE[:20])
    assert len(list(framer.messages())) == 1000
    assert framer.buffered == 20 == len(framer._data)
    framer.feed(UPDATE[20:] + KEEPALIVE[:5])
    assert list(framer.messages()) == [EXPECTED[1]]
    assert framer.buffered == 5 == len(framer._data)


def test_pieces_are_joined_once_a_message_is_whole() -> None:
    """Linear cost: an octet waits in its chunk until the message around it is there."""
    framer = Framer()
    body = bytes(4077)
    for octet in frame(MessageType.UPDATE, body)[:-1]:
        framer.feed(bytes((octet,)))
        assert framer.next_message() is None
    assert len(framer._chunks) == 4095 - 19
    framer.feed(b"\0")
    assert framer.next_message() == (MessageType.UPDATE, body)


def test_nothing_fed_is_nothing_found() -> None:
    framer = Framer()
    framer.feed(b"")
    assert list(framer.messages()) == []


@pytest.mark.parametrize("message_type", [MessageType.UPDATE, MessageType.NOTIFICATION])
def test_extended_messages_are_taken_once_allowed(message_type: MessageType) -> None:
    message = frame(message_type, bytes(65516))
    framer = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
    framer.feed(message)
    assert framer.next_message() == (message_type, bytes(65516))
    framer.messages_octets_max = 4096
    framer.feed(message)
    with pytest.raises(WireError) as caught:
        framer.next_message()
    assert caught.value.data == b"\xff\xff"


def test_messages_before_an_error_come_out_first_and_the_error_stays() -> None:
    framer = Framer()
    framer.feed(KEEPALIVE + UPDATE + bytes(19))
    messages = framer.messages()
    assert [next(messages), next(messages)] == EXPECTED[:2]
    with pytest.raises(WireError, match="marker"):
        next(messages)
    framer.feed(KEEPALIVE)
    assert framer.buffered == 0
    with pytest.raises(WireError, match="marker"):
        framer.next_message()


def test_updates_taken_together_end_before_one_with_a_broken_marker() -> None:
    framer = Framer()
    framer.feed(UPDATE + UPDATE + b"\0" + UPDATE[1:])
    assert framer.take_updates() == [bytes(4), bytes(4)]
    assert framer.take_updates() == []
    with pytest.raises(WireError):
        framer.next_message()


def test_an_error_shows_in_the_header_before_the_body_came() -> None:
    framer = Framer()
    framer.feed(header(4097, MessageType.UPDATE))
    with pytest.raises(WireError, match="Bad Message Length"):
        framer.next_message()


def test_a_message_too_long_for_any_peer_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="65536"):
        frame(MessageType.UPDATE, bytes(65517))


def test_a_type_that_nobody_knows() -> None:
    framer = Framer()
    framer.feed(header(19, 6))
    with pytest.raises(WireError) as caught:
        framer.next_message()
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (1, 3, b"\x06")
