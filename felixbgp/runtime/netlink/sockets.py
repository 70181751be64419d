"""Netlink sockets on trio."""

import errno
import socket
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
SO_RCVBUFFORCE = 33
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


def port_of(sock: trio.socket.SocketType) -> int:
    """The port number by which the kernel names this socket."""
    return int(sock.getsockname()[0])


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
