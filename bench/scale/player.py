"""All other nodes of a cluster in one process: they answer who dials them, and keep their sessions alive.

Run in a network namespace of its own, in which every address of the cluster is local (AnyIP): one socket
accepts for all of them. Prints the number of Established sessions whenever it was asked with a line.
"""

import select
import socket
import sys
from time import monotonic

from felixbgp.bgp.config import BGP_PORT
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import MessageType
from felixbgp.net import Address
from tests.support.large_cluster import greeting

HOLD_SECONDS = 90
KEEPALIVE_SECONDS = 30.0
BACKLOG = 4096


class Player:
    """The sockets, and when each session was last kept alive."""

    def __init__(self) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("0.0.0.0", BGP_PORT))  # noqa: S104 - in a namespace of its own
        self._listener.listen(BACKLOG)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._sessions: dict[int, tuple[socket.socket, Framer]] = {}
        self._established: dict[int, float] = {}
        self._last_established = 0.0

    def run(self) -> None:
        """Until standard input ends."""
        while True:
            for descriptor, _ in self._poll.poll(1.0):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == sys.stdin.fileno():
                    if not sys.stdin.readline():
                        return
                    print(len(self._established), self._last_established, flush=True)
                else:
                    self._read(descriptor)
            self._keep_alive()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        address = Address.parse(connection.getsockname()[0])
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(greeting(address, HOLD_SECONDS))
        self._sessions[connection.fileno()] = connection, Framer()
        self._poll.register(connection, select.EPOLLIN)

    def _read(self, descriptor: int) -> None:
        connection, framer = self._sessions[descriptor]
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._poll.unregister(descriptor)
            del self._sessions[descriptor]
            self._established.pop(descriptor, None)
            connection.close()
            return
        framer.feed(data)
        for kind, _ in framer.messages():
            if kind is MessageType.KEEPALIVE and descriptor not in self._established:
                self._last_established = self._established[descriptor] = monotonic()

    def _keep_alive(self) -> None:
        now = monotonic()
        for descriptor, at in self._established.items():
            if now - at >= KEEPALIVE_SECONDS:
                self._sessions[descriptor][0].sendall(encode_keepalive())
                self._established[descriptor] = now


if __name__ == "__main__":
    Player().run()
