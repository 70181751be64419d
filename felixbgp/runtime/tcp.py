"""The transport: carries out what the speaker asks of TCP and tells it what happened.

Per connection one reader and one writer task; only the writer sends, so a message is never cut in two.
The speaker bounds what it hands over by the credit that `BytesWritten` returns.
"""

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import trio

from felixbgp.agent.effects import Listen
from felixbgp.agent.inputs import Input, ListenFailed, Listening
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

RECEIVE_OCTETS = 65536
CLOSE_GRACE_S = 2.0
"""How long the last bytes, usually a NOTIFICATION, may take to leave."""
ACCEPT_PAUSE_S = 0.1
"""After the system refuses to accept, for want of descriptors: it will not be better at once."""


@dataclass(slots=True)
class _Connection:
    """One open connection; `closing` ends its writer once everything is sent."""

    stream: trio.SocketStream
    scope: trio.CancelScope
    chunks: list[bytes] = field(default_factory=list)
    wake: trio.Event = field(default_factory=trio.Event)
    closing: bool = False
    used: bool = False
    """Whether anything was ever to be sent."""


class _Listener:
    """One listening socket, and its TCP MD5 keys."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
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
        self._accepted = 0

    def perform(self, effect: TransportEffect) -> None:
        """Start one effect; its answer is delivered later."""
        if isinstance(effect, Connect):
            scope = self._connecting[effect.connection] = trio.CancelScope()
            self._nursery.start_soon(self._connect, effect, scope)
        elif isinstance(effect, SendBytes):
            if (connection := self._connections.get(effect.connection)) is not None:
                connection.used = True
                connection.chunks.extend(effect.chunks)
                connection.wake.set()
        elif isinstance(effect, SetOptions):
            self._set_options(effect)
        else:
            self._close(effect)

    def listen(self, effect: Listen) -> None:
        """Listen at exactly these endpoints, with these keys."""
        for endpoint in [e for e in self._listeners if e not in effect.endpoints]:
            self._listeners.pop(endpoint).scope.cancel()
        for endpoint in effect.endpoints:
            family = endpoint.address.family
            keys = {prefix: password for prefix, password in effect.keys if prefix.family == family}
            try:
                answer = self._listen(endpoint, keys)
            except OSError as error:
                answer = ListenFailed(endpoint, sockets.reason_of(error))
            if answer is not None:
                self._deliver([answer])

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
            sockets.set_ttls(connection.stream.socket, effect.options)
        except OSError as error:
            # Without the protection that was asked for there shall be no session.
            self._close(CloseConnection(effect.connection))
            self._deliver([TcpClosed(effect.connection, sockets.reason_of(error))])

    def _close(self, effect: CloseConnection) -> None:
        if (connecting := self._connecting.pop(effect.connection, None)) is not None:
            connecting.cancel()
        if (connection := self._connections.pop(effect.connection, None)) is not None:
            connection.closing = True
            connection.wake.set()
            # A flood of strangers is not answered, and shall not hold on to descriptors.
            grace_s = CLOSE_GRACE_S if connection.used else 0.0
            connection.scope.deadline = trio.current_time() + grace_s

    async def _connect(self, effect: Connect, scope: trio.CancelScope) -> None:
        """Dial, tell the result, and go on as the connection's reader."""
        number = effect.connection
        reason = "timed out"
        sock = None
        with scope, trio.move_on_after(effect.timeout_ns / 1e9):
            try:
                sock = await sockets.connect(effect.remote, effect.options)
            except OSError as error:
                reason = sockets.reason_of(error)
        if self._connecting.pop(number, None) is None:
            if sock is not None:
                sock.close()
            return  # cancelled by a CloseConnection, which is not answered
        if sock is None:
            self._deliver([TcpConnectFailed(number, reason)])
            return
        local, remote = sockets.endpoint_of(sock.getsockname()), sockets.endpoint_of(sock.getpeername())
        await self._serve(number, sock, TcpConnected(number, local, remote))

    async def _accept(self, listener: _Listener) -> None:
        with listener.sock, listener.scope:
            while True:
                try:
                    sock, name = await listener.sock.accept()
                    local, remote = sockets.endpoint_of(sock.getsockname()), sockets.endpoint_of(name)
                except OSError:
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                if listener.is_unguarded(remote.address):
                    sock.close()
                    continue
                self._accepted -= 1
                opened = TcpAccepted(self._accepted, local, remote)
                self._nursery.start_soon(self._serve, self._accepted, sock, opened)

    async def _serve(self, number: int, sock: trio.socket.SocketType, opened: Input) -> None:
        """Tell that a connection is open, then carry its bytes both ways until one side ends it."""
        with trio.CancelScope(deadline=math.inf) as scope:
            connection = _Connection(trio.SocketStream(sock), scope)
            self._connections[number] = connection
            self._deliver([opened])
            async with connection.stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write, number, connection)
                reason = await self._read(number, connection)
                if self._connections.get(number) is connection:
                    del self._connections[number]
                    self._deliver([TcpClosed(number, reason)])
                    nursery.cancel_scope.cancel()

    async def _read(self, number: int, connection: _Connection) -> str:
        """Deliver what arrives until the stream ends; why it did."""
        try:
            while data := await connection.stream.receive_some(RECEIVE_OCTETS):
                if not connection.closing:
                    self._deliver([BytesReceived(number, bytes(data))])
                    await self._wait_room(number)
        except trio.BrokenResourceError as error:
            cause = error.__cause__
            return sockets.reason_of(cause) if isinstance(cause, OSError) else str(error)
        return ""

    async def _write(self, number: int, connection: _Connection) -> None:
        while connection.chunks or not connection.closing:
            if not connection.chunks:
                connection.wake = trio.Event()
                await connection.wake.wait()
                continue
            data = b"".join(connection.chunks)
            connection.chunks.clear()
            try:
                await connection.stream.send_all(data)
            except trio.BrokenResourceError:
                return  # the reader hears of it too, with the reason
            if not connection.closing:
                self._deliver([BytesWritten(number, len(data))])
        # Everything left: end our direction, then let the reader see the other end's, within the grace,
        # so that a NOTIFICATION is not overtaken by a reset for bytes that we have not read.
        try:
            await connection.stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
