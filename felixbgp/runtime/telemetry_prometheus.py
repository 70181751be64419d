"""Metrics for Prometheus over HTTP: one page, few readers at a time, and nobody is waited for long."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from felixbgp.bgp.inputs import Endpoint

PATH: Final = "/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
READERS_MAX: Final = 8
"""At once; Prometheus is one or two. Each is a socket, and a page of some 30 kB."""
HEAD_OCTETS_MAX: Final = 8192
"""What web servers allow commonly."""
REQUEST_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
"""As long as Prometheus itself waits for a page by default."""
CHUNK: Final = 4096


class MetricsServer:
    """Serves what `render` gives, which may take its time."""

    def __init__(self, render: Callable[[], Awaitable[bytes]]) -> None:
        self._render = render
        self._readers = 0
        self._listeners: list[trio.SocketListener] = []
        self.port = 0
        """Where it listens, once it does."""

    async def listen(self, where: Endpoint) -> None:
        """Take the port. Raises `OSError` when that cannot be."""
        self._listeners = await trio.open_tcp_listeners(where.port, host=str(where.address))
        self.port = self._listeners[0].socket.getsockname()[1]

    async def run(self) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._serve, self._listeners)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """One request; whoever is too many, too slow or gone is let go."""
        async with stream:
            if self._readers >= READERS_MAX:
                return
            self._readers += 1
            try:
                head = b""
                with trio.move_on_after(REQUEST_SECONDS):
                    head = await _read_head(stream)
                if head:
                    with trio.move_on_after(ANSWER_SECONDS):
                        await stream.send_all(await self._answer(head))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                self._readers -= 1

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _page("405 Method Not Allowed", b"only GET\n")
        if path != PATH:
            return _page("404 Not Found", f"see {PATH}\n".encode())
        page = _page("200 OK", await self._render())
        return page if method == "GET" else page.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


async def _read_head(stream: trio.SocketStream) -> bytes:
    """Up to the empty line; b"" for one that has none, or is too long."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = await stream.receive_some(CHUNK)
        head += chunk
        if not chunk or len(head) > HEAD_OCTETS_MAX:
            return b""
    return head


def _page(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
