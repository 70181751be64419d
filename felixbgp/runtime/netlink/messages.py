"""The framing of rtnetlink(7): message headers, attributes, acknowledgements."""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
NLMSG_ERROR, NLMSG_DONE = 2, 3

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR = 0x1, 0x4, 0x10
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_DUMP = 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200

HEADER = struct.Struct("=IHHII")
"""Length of the whole message, type, flags, sequence number, port."""
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_NESTED_AND_ORDER_BITS = 0xC000
_NLMSGERR_ATTR_MSG = 1


class Message(NamedTuple):
    """One message; `body` is what follows its header."""

    type: int
    flags: int
    sequence: int
    port: int
    body: memoryview


class Answer(NamedTuple):
    """An acknowledgement: errno (0 = done) and the kernel's own words about it ("" = none)."""

    errno: int
    words: str

    @property
    def reason(self) -> str:
        """The system's name of the error and, where there are, the kernel's own words."""
        name = os.strerror(self.errno)
        return f"{name}: {self.words}" if self.words else name


def split_messages(datagram: bytes) -> Iterator[Message]:
    """The messages of one datagram; stops at the first length that does not fit."""
    view = memoryview(datagram)
    while len(view) >= HEADER.size:
        length, kind, flags, sequence, port = HEADER.unpack_from(view)
        if not HEADER.size <= length <= len(view):
            return
        yield Message(kind, flags, sequence, port, view[HEADER.size : length])
        view = view[_aligned(length) :]


def read_attributes(body: memoryview) -> dict[int, memoryview]:
    """Attributes by type (of equal ones the last); stops at the first length that does not fit."""
    found: dict[int, memoryview] = {}
    while len(body) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body)
        if not _ATTRIBUTE.size <= length <= len(body):
            break
        found[kind & ~_NESTED_AND_ORDER_BITS] = body[_ATTRIBUTE.size : length]
        body = body[_aligned(length) :]
    return found


def read_answer(message: Message) -> Answer:
    """Read an NLMSG_ERROR (also an acknowledgement, with 0) or the NLMSG_DONE of a dump."""
    if len(message.body) < _ERROR.size:
        return Answer(0, "")
    errno = -_ERROR.unpack_from(message.body)[0]
    if not message.flags & NLM_F_ACK_TLVS:
        return Answer(max(errno, 0), "")
    rest = message.body[_ERROR.size :]
    if message.type == NLMSG_ERROR:
        # First comes what was asked; only its header if capped (NETLINK_CAP_ACK).
        asked = HEADER.unpack_from(rest)[0] if len(rest) >= HEADER.size else 0
        rest = rest[HEADER.size if message.flags & NLM_F_CAPPED else _aligned(asked) :]
    words = bytes(read_attributes(rest).get(_NLMSGERR_ATTR_MSG, b"")).rstrip(b"\0")
    return Answer(max(errno, 0), words.decode(errors="replace"))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
