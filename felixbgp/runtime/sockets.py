"""TCP sockets with the options BGP wants, set before the first packet leaves."""

import contextlib
import errno
import os
import socket
import struct

import trio

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Address, Prefix

TCP_MD5SIG, TCP_MD5SIG_EXT = 14, 32
TCP_NOTSENT_LOWAT = 25
TCP_MD5SIG_FLAG_PREFIX = 1
TCP_MD5SIG_KEY_OCTETS_MAX = 80
IP_MINTTL = 21
IPV6_MINHOPCOUNT = 73
INTERNETWORK_CONTROL = 0xC0
"""DSCP CS6, as RFC 4271's implementations mark their packets."""
ACCEPT_QUEUE = 128
_CAUSES = {
    errno.ECONNREFUSED: Cause.REFUSED,
    errno.ECONNRESET: Cause.CONNECTION_CLOSED,
    errno.ETIMEDOUT: Cause.TIMED_OUT,
    errno.EHOSTUNREACH: Cause.UNREACHABLE,
    errno.EHOSTDOWN: Cause.UNREACHABLE,
    errno.ENETUNREACH: Cause.UNREACHABLE,
    errno.ENETDOWN: Cause.UNREACHABLE,
    errno.EADDRNOTAVAIL: Cause.ADDRESS_NOT_LOCAL,
}
UNSENT_OCTETS = 1 << 17
"""What may wait in the system, unsent, before it takes no more: enough to fill a fast link until our next
turn, and little that a newer route would have to wait behind."""


def family_of(address: Address) -> socket.AddressFamily:
    """The socket family of an address."""
    return socket.AF_INET if len(address) == 4 else socket.AF_INET6


def endpoint_of(name: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    """An endpoint from what `getpeername` gives; the scope of a link-local address is left out."""
    return Endpoint(Address.parse(name[0].partition("%")[0]), name[1])


def open_listener(endpoint: Endpoint) -> socket.socket:
    """Listen there, for this family alone; no call on it blocks.

    Raises:
        OSError: the address is not ours, the port is taken, or not for us to open.
    """
    family = family_of(endpoint.address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _mark(sock)
        # RFC 5082 §3: who asks for 255 asks for it of our SYN-ACK too; `set_ttls` gives the peer its own.
        set_ttls(sock, TransportOptions(ttl=255))
        sock.bind((str(endpoint.address), endpoint.port))
        sock.listen(ACCEPT_QUEUE)
        sock.settimeout(0)
    except BaseException:
        sock.close()
        raise
    return sock


async def connect(remote: Endpoint, options: TransportOptions) -> socket.socket:
    """Open a connection, no call on which blocks; the caller bounds how long that may take.

    Raises:
        OSError: refused, unreachable, or an option that the system does not take.
    """
    sock = socket.socket(family_of(remote.address), socket.SOCK_STREAM)
    try:
        _mark(sock)
        _apply(sock, remote, options)
        # Trio makes it non-blocking, and leaves it so.
        await trio.socket.from_stdlib_socket(sock).connect((str(remote.address), remote.port))
    except BaseException:
        sock.close()
        raise
    return sock


def set_ttls(sock: socket.socket, options: TransportOptions) -> None:
    """Set the outgoing TTL, and the lowest one that is let in (RFC 5082).

    Raises:
        OSError: an option that the system does not take.
    """
    v4 = sock.family == socket.AF_INET
    level = socket.IPPROTO_IP if v4 else socket.IPPROTO_IPV6
    if options.ttl is not None:
        sock.setsockopt(level, socket.IP_TTL if v4 else socket.IPV6_UNICAST_HOPS, options.ttl)
    if options.min_ttl is not None:
        sock.setsockopt(level, IP_MINTTL if v4 else IPV6_MINHOPCOUNT, options.min_ttl)


def set_md5_key(listener: socket.socket, prefix: Prefix, password: bytes | None) -> None:
    """Let nobody inside `prefix` connect to a listener without this password; None takes the key away.

    Raises:
        OSError: the system has no TCP MD5, or the password is too long for it.
    """
    key = md5_key(prefix.address, password or b"", prefix.length)
    option = TCP_MD5SIG if prefix.is_host else TCP_MD5SIG_EXT
    with contextlib.suppress(FileNotFoundError) if password is None else contextlib.nullcontext():
        listener.setsockopt(socket.IPPROTO_TCP, option, key)


def reason_of(error: OSError) -> str:
    """The system's words for an error, without Python's decoration."""
    if error.errno is None:
        return str(error)
    return os.strerror(error.errno)


def cause_of(error: OSError) -> Cause:
    """What the error of a dial comes to."""
    return Cause.DIAL_FAILED if error.errno is None else _CAUSES.get(error.errno, Cause.DIAL_FAILED)


def _mark(sock: socket.socket) -> None:
    # Messages are put together by us. The connections of a listener have what it has.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_OCTETS)
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, INTERNETWORK_CONTROL)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, INTERNETWORK_CONTROL)


def _apply(sock: socket.socket, remote: Endpoint, options: TransportOptions) -> None:
    if options.password is not None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, md5_key(remote.address, options.password))
    set_ttls(sock, options)
    if options.interface is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options.interface.encode() + b"\0")
    if options.local_address is not None:
        sock.bind((str(options.local_address), 0))


def md5_key(remote: Address, password: bytes, prefix_length: int | None = None) -> bytes:
    """`struct tcp_md5sig` of linux/tcp.h for one peer, or for all in a prefix (RFC 2385).

    Raises:
        OSError: the key is longer than the 80 octets that Linux takes.
    """
    if len(password) > TCP_MD5SIG_KEY_OCTETS_MAX:
        raise OSError(errno.EINVAL, "a TCP MD5 key has at most 80 octets")
    if len(remote) == 4:
        storage = struct.pack("=HH4s", socket.AF_INET, 0, bytes(remote))
    else:
        storage = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, bytes(remote), 0)
    whole = prefix_length is None or prefix_length == 8 * len(remote)
    flags, length = (0, 0) if whole else (TCP_MD5SIG_FLAG_PREFIX, prefix_length)
    return struct.pack("=128sBBHi80s", storage, flags, length, len(password), 0, password)
