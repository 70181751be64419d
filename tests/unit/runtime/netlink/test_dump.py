"""Dumps that are interrupted, refused, or cut into datagrams, from a kernel that is a pair of sockets."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from errno import EAGAIN, EPERM

import pytest
import trio

from felixbgp.runtime.netlink import sockets
from felixbgp.runtime.netlink.messages import HEADER, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, Message
from felixbgp.runtime.netlink.sockets import DUMPS_MAX, dump

pytestmark = pytest.mark.trio

Serve = Callable[[list[list[bytes]]], None]


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body


DONE = message(NLMSG_DONE, struct.pack("=i", 0))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Have each dump read the datagrams of its turn."""
    with ExitStack() as stack:

        def start(turns: list[list[bytes]]) -> None:
            opened = []
            for datagrams in turns:
                near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                stack.enter_context(far)
                for datagram in datagrams:
                    far.send(datagram)
                opened.append(near)
            taken = iter(opened)
            monkeypatch.setattr(
                sockets, "open_netlink", lambda _: trio.socket.from_stdlib_socket(next(taken))
            )

        yield start


def body_of(message: Message) -> bytes | None:
    return bytes(message.body) or None


async def test_entries_of_several_datagrams(serve: Serve) -> None:
    serve([[message(24, b"aaaa") + message(24, b""), message(24, b"bbbb") + DONE]])
    assert await dump(b"?", body_of) == [b"aaaa", b"bbbb"]


async def test_a_table_that_changed_meanwhile_is_read_again(serve: Serve) -> None:
    serve([[message(24, b"torn", NLM_F_DUMP_INTR), DONE], [message(24, b"good"), DONE]])
    assert await dump(b"?", body_of) == [b"good"]


async def test_a_table_that_never_rests_is_given_up(serve: Serve) -> None:
    serve([[message(24, b"torn", NLM_F_DUMP_INTR), DONE]] * DUMPS_MAX)
    with pytest.raises(OSError, match="changed each of the 5 times") as caught:
        await dump(b"?", body_of)
    assert caught.value.errno == EAGAIN


async def test_a_refusal_is_told_in_the_kernels_words(serve: Serve) -> None:
    serve([[message(NLMSG_ERROR, struct.pack("=i", -EPERM) + HEADER.pack(16, 26, 5, 1, 0))]])
    with pytest.raises(PermissionError, match="Operation not permitted"):
        await dump(b"?", body_of)
