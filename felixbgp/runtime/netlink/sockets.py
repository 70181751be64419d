"""Netlink sockets on trio."""

import ctypes
import errno
import os
import select
import socket
import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

import trio

from felixbgp.runtime.netlink.messages import (
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    read_answer,
    split_messages,
)

Entry = TypeVar("Entry")

SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 1, 10, 11, 12
_INSTRUCTION = struct.Struct("=HBBI")
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE = 1, 5, 7
RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE = 9, 11
DATAGRAM_OCTETS_MAX = 1 << 18
"""No datagram of rtnetlink is longer: a dump fills pages, a batch of answers less."""


DUMP_OCTETS = 1 << 20
"""A dump waits for its reader, so its buffer need not be large."""


DUMPS_MAX = 5
"""How often a table that changes while it is read is read again at once."""


def open_netlink(receive_octets: int, groups: Iterable[int] = ()) -> trio.socket.SocketType:
    """A bound NETLINK_ROUTE socket with short acknowledgements, the kernel's own words, and strict dumps.

    The buffer of `receive_octets` is the kernel's to refuse to a process without CAP_NET_ADMIN; such a
    process gets the system's largest.

    Raises:
        OSError: no netlink here.
    """
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_octets)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            sock.setsockopt(SOL_NETLINK, option, 1)
        # In this order: to bind is to leave the groups that were joined before.
        sock.bind((0, 0))
        for group in groups:
            sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    except BaseException:
        sock.close()
        raise
    return trio.socket.from_stdlib_socket(sock)


def is_readable(sock: trio.socket.SocketType) -> bool:
    """Whether something can be read without waiting."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def keep_away(sock: trio.socket.SocketType, port: int) -> None:
    """Have the kernel keep from a socket what was brought about by the requests of a port.

    Every route that we write is a notice to all listeners, of a KiB or so each, which would fill our own
    buffer faster than they are read and thrown away.
    """
    # Classic BPF, linux/filter.h. It loads in network order what netlink has in the machine's.
    sender = int.from_bytes(struct.pack("=I", port), "big")
    program = (
        _INSTRUCTION.pack(0x20, 0, 0, 12)  # load the word at octet 12: nlmsg_pid
        + _INSTRUCTION.pack(0x15, 0, 1, sender)  # unless it is the port, skip one
        + _INSTRUCTION.pack(0x06, 0, 0, 0)  # return 0: not for us
        + _INSTRUCTION.pack(0x06, 0, 0, 0xFFFFFFFF)  # return all of it
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    count = len(program) // _INSTRUCTION.size
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", count, ctypes.addressof(instructions))
    )


def port_of(sock: trio.socket.SocketType) -> int:
    """The port number by which the kernel names this socket."""
    return int(sock.getsockname()[0])


async def send(sock: trio.socket.SocketType, datagram: bytes) -> None:
    """Send requests. The kernel works through all of them before it returns.

    For 500 routes that is a few milliseconds, and half a second when its table just then outgrows its own
    index; so a thread waits for it, and everybody else goes on.

    Raises:
        OSError: the kernel did not take the datagram.
    """
    await trio.to_thread.run_sync(os.write, sock.fileno(), datagram)


async def dump(request: bytes, decode: Callable[[Message], Entry | None]) -> list[Entry]:
    """Send one dump request over a socket of its own; gives what `decode` makes of it, without None.

    Raises:
        OSError: the kernel refused, in its own words, or the table changed whenever it was read.
    """
    for _ in range(DUMPS_MAX):
        entries = await _dump_once(request, decode)
        if entries is not None:
            return entries
    raise OSError(errno.EAGAIN, f"the table changed each of the {DUMPS_MAX} times it was read")


async def _dump_once(request: bytes, decode: Callable[[Message], Entry | None]) -> list[Entry] | None:
    entries: list[Entry] = []
    interrupted = False
    with open_netlink(DUMP_OCTETS) as sock:
        await sock.send(request)
        while True:
            for message in split_messages(await sock.recv(DATAGRAM_OCTETS_MAX)):
                interrupted |= bool(message.flags & NLM_F_DUMP_INTR)
                if message.type in (NLMSG_DONE, NLMSG_ERROR):
                    answer = read_answer(message)
                    if answer.errno:
                        raise OSError(answer.errno, answer.reason)
                    return None if interrupted else entries
                entry = decode(message)
                if entry is not None:
                    entries.append(entry)
