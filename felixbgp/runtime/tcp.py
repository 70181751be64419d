"""The transport: carries out what the speaker asks of TCP and tells it what happened.

What is to be sent goes to the system at once, all of it in one call. Only what that does not take waits, for
a task that a connection has no longer than that; meanwhile nobody else sends, so no message is cut in two.
The speaker bounds what it hands over by the credit that `BytesWritten` returns.

Messages are put together rather than given to `sendmsg` one by one, which costs twice as much for messages of
60 to 500 octets and no less for those of 4,096.
"""

import contextlib
import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import trio

from felixbgp.agent.effects import Listen
from felixbgp.agent.inputs import Input, ListenFailed, Listening
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, SetOptions, TransportEffect
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
)
from felixbgp.net import Address, Prefix
from felixbgp.runtime import sockets
from felixbgp.runtime.settings import authority
from felixbgp.runtime.telemetry import LOGGER

RECEIVE_OCTETS = 65536
CLOSE_GRACE_S = 2.0
"""How long the last bytes, usually a NOTIFICATION, may take to leave."""
ACCEPT_PAUSE_S = 0.1
"""After the system refuses to accept, for want of descriptors: it will not be better at once."""


@dataclass(slots=True)
class _Connection:
    """One open connection."""

    number: int
    sock: socket.socket
    scope: trio.CancelScope
    waiting: list[bytes] = field(default_factory=list)
    """What the system did not take yet."""
    is_sending: bool = False
    """Whether a task waits to send the rest."""
    closing: bool = False
    used: bool = False
    """Whether anything was ever to be sent."""
    failure: str = ""
    """Why sending failed: the system says so once, to whoever asks first."""


class _Listener:
    """One listening socket, and its TCP MD5 keys."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.scope = trio.CancelScope()
        self.keys: dict[Prefix, bytes] = {}
        self._unguarded: list[Prefix] = []

    def change_keys(self, keys: dict[Prefix, bytes]) -> list[str]:
        """Have exactly these keys; gives what went wrong. A key that failed is tried again next time."""
        failures = []
        self._unguarded.clear()
        for prefix in [prefix for prefix in self.keys if prefix not in keys]:
            sockets.set_md5_key(self.sock, prefix, None)
            del self.keys[prefix]
        for prefix, password in keys.items():
            if self.keys.get(prefix) == password:
                continue
            try:
                sockets.set_md5_key(self.sock, prefix, password)
                self.keys[prefix] = password
            except OSError as error:
                self._unguarded.append(prefix)
                failures.append(f"no TCP MD5 key for {prefix}: {sockets.reason_of(error)}")
        return failures

    def is_unguarded(self, remote: Address) -> bool:
        """Whether somebody at this address should have shown a key that we could not ask for."""
        return any(prefix.contains(remote) for prefix in self._unguarded)


class Tcp:
    """All connections and listening sockets of one agent."""

    def __init__(
        self,
        nursery: trio.Nursery,
        deliver: Callable[[Iterable[Input]], None],
        wait_room: Callable[[int], Awaitable[None]],
    ) -> None:
        self._nursery = nursery
        self._deliver = deliver
        self._wait_room = wait_room
        self._connections: dict[int, _Connection] = {}
        self._connecting: dict[int, trio.CancelScope] = {}
        self._listeners: dict[Endpoint, _Listener] = {}
        self._not_listening: dict[Endpoint, str] = {}
        """Where we cannot listen, and the reason that was told."""
        self._accepted = 0

    def perform(self, effect: TransportEffect) -> None:
        """Start one effect; its answer is delivered later."""
        if isinstance(effect, Connect):
            scope = self._connecting[effect.connection] = trio.CancelScope()
            self._nursery.start_soon(self._connect, effect, scope)
        elif isinstance(effect, SendBytes):
            if (connection := self._connections.get(effect.connection)) is not None:
                connection.used = True
                connection.waiting += effect.chunks
                if not connection.is_sending and not self._send(connection):
                    connection.is_sending = True
                    self._nursery.start_soon(self._send_rest, connection)
        elif isinstance(effect, SetOptions):
            self._set_options(effect)
        else:
            self._close(effect)

    def listen(self, effect: Listen) -> None:
        """Listen at exactly these endpoints, with these keys."""
        for endpoint in [e for e in self._listeners if e not in effect.endpoints]:
            self._listeners.pop(endpoint).scope.cancel()
        self._not_listening = {
            each: why for each, why in self._not_listening.items() if each in effect.endpoints
        }
        for endpoint in effect.endpoints:
            family = endpoint.address.family
            keys = {prefix: password for prefix, password in effect.keys if prefix.family == family}
            try:
                answer = self._listen(endpoint, keys)
            except OSError as error:
                answer = ListenFailed(endpoint, sockets.reason_of(error))
            if answer is not None:
                self._tell(answer)
                self._deliver([answer])

    def _tell(self, answer: Listening | ListenFailed) -> None:
        """Log what keeps peers from connecting to us, once; it is tried every few seconds."""
        reason = answer.reason if isinstance(answer, ListenFailed) else ""
        before = self._not_listening.pop(answer.endpoint, "")
        if reason:
            self._not_listening[answer.endpoint] = reason
        if reason and reason != before:
            LOGGER.warning("cannot listen at %s: %s", authority(answer.endpoint), reason)
        elif before and not reason:
            LOGGER.info("listens at %s", authority(answer.endpoint))

    def _listen(self, endpoint: Endpoint, keys: dict[Prefix, bytes]) -> Listening | ListenFailed | None:
        """Open one endpoint, or give it other keys; the answer, or None when it was so already."""
        listener = self._listeners.get(endpoint)
        if listener is not None and listener.keys == keys:
            return None
        if listener is None:
            listener = self._listeners[endpoint] = _Listener(sockets.open_listener(endpoint))
            self._nursery.start_soon(self._accept, listener)
        failures = listener.change_keys(keys)
        if failures:
            return ListenFailed(endpoint, "; ".join(failures))
        return Listening(endpoint)

    def _set_options(self, effect: SetOptions) -> None:
        connection = self._connections.get(effect.connection)
        if connection is None:
            return
        try:
            sockets.set_ttls(connection.sock, effect.options)
        except OSError as error:
            # Without the protection that was asked for there shall be no session.
            self._close(CloseConnection(effect.connection))
            self._deliver([TcpClosed(effect.connection, sockets.reason_of(error))])

    def _close(self, effect: CloseConnection) -> None:
        if (connecting := self._connecting.pop(effect.connection, None)) is not None:
            connecting.cancel()
        if (connection := self._connections.pop(effect.connection, None)) is not None:
            connection.closing = True
            if not connection.is_sending:
                _end(connection)
            # A flood of strangers is not answered, and shall not hold on to descriptors.
            grace_s = CLOSE_GRACE_S if connection.used else 0.0
            connection.scope.deadline = trio.current_time() + grace_s

    async def _connect(self, effect: Connect, scope: trio.CancelScope) -> None:
        """Dial, tell the result, and go on as the connection's reader."""
        number = effect.connection
        reason, cause = "timed out", Cause.TIMED_OUT
        sock = None
        with scope, trio.move_on_after(effect.timeout_ns / 1e9):
            try:
                sock = await sockets.connect(effect.remote, effect.options)
            except OSError as error:
                reason, cause = sockets.reason_of(error), sockets.cause_of(error)
        if self._connecting.pop(number, None) is None:
            if sock is not None:
                sock.close()
            return  # cancelled by a CloseConnection, which is not answered
        if sock is None:
            self._deliver([TcpConnectFailed(number, reason, cause)])
            return
        local, remote = sockets.endpoint_of(sock.getsockname()), sockets.endpoint_of(sock.getpeername())
        await self._serve(number, sock, TcpConnected(number, local, remote))

    async def _accept(self, listener: _Listener) -> None:
        with listener.sock, listener.scope:
            while True:
                try:
                    await trio.lowlevel.wait_readable(listener.sock)
                    sock, name = listener.sock.accept()
                    sock.settimeout(0)
                    local, remote = sockets.endpoint_of(sock.getsockname()), sockets.endpoint_of(name)
                except BlockingIOError:
                    continue
                except OSError:
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                if listener.is_unguarded(remote.address):
                    sock.close()
                    continue
                self._accepted -= 1
                opened = TcpAccepted(self._accepted, local, remote)
                self._nursery.start_soon(self._serve, self._accepted, sock, opened)

    async def _serve(self, number: int, sock: socket.socket, opened: Input) -> None:
        """Tell that a connection is open, then read it until one side ends it."""
        with trio.CancelScope(deadline=math.inf) as scope, sock:
            connection = _Connection(number, sock, scope)
            self._connections[number] = connection
            self._deliver([opened])
            try:
                reason = await self._read(connection)
            finally:
                # Whoever waits to send hears of it, rather than of the file that gets this number next.
                trio.lowlevel.notify_closing(sock)
            if self._connections.get(number) is connection:
                del self._connections[number]
                self._deliver([TcpClosed(number, reason)])

    async def _read(self, connection: _Connection) -> str:
        """Deliver what arrives until the stream ends; why it did."""
        number, sock = connection.number, connection.sock
        while True:
            try:
                data = sock.recv(RECEIVE_OCTETS)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(sock)
                continue
            except OSError as error:
                return sockets.reason_of(error)
            if not data:
                return connection.failure
            if not connection.closing:
                self._deliver([BytesReceived(number, data)])
                await self._wait_room(number)
            if len(data) == RECEIVE_OCTETS:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(sock)

    def _send(self, connection: _Connection) -> bool:
        """Give the system what it takes; whether that was all there is."""
        chunks = connection.waiting
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            connection.failure = sockets.reason_of(error)
            return True  # the reader hears of it too
        if sent < len(data):
            chunks.append(data[sent:])
        if sent and not connection.closing:
            self._deliver([BytesWritten(connection.number, sent)])
        return not chunks

    async def _send_rest(self, connection: _Connection) -> None:
        """Send what the system did not take at once."""
        try:
            while connection.waiting:
                await trio.lowlevel.wait_writable(connection.sock)
                self._send(connection)
        except (trio.ClosedResourceError, ValueError, OSError):
            return  # closed meanwhile; ValueError where that came before we waited
        connection.is_sending = False
        if connection.closing:
            _end(connection)


def _end(connection: _Connection) -> None:
    """End our direction, then let the reader see the other end's, within the grace.

    So a NOTIFICATION is not overtaken by a reset for bytes that we have not read.
    """
    with contextlib.suppress(OSError):
        connection.sock.shutdown(socket.SHUT_WR)
