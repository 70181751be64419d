"""Metrics for Prometheus over HTTP: one page, served as everything else is that an agent answers."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import trio

from felixbgp.bgp.inputs import Endpoint
from felixbgp.runtime.endpoint import TEXT, Question, Reply, Server

PATH: Final = "/metrics"
MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Serves what `render` gives, which may take its time; limits are those of `Server`."""

    def __init__(self, render: Callable[[], Awaitable[bytes]]) -> None:
        self._render = render
        self._listeners: list[trio.SocketListener] = []
        self.port = 0
        """Where it listens, once it does."""

    @property
    def is_listening(self) -> bool:
        """Whether the port is taken."""
        return bool(self._listeners)

    async def listen(self, where: Endpoint) -> None:
        """Take the port. Raises `OSError` when that cannot be."""
        self._listeners = await trio.open_tcp_listeners(where.port, host=str(where.address))
        self.port = self._listeners[0].socket.getsockname()[1]

    async def run(self) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(Server(None, self).serve, self._listeners)

    async def reply(self, question: Question) -> Reply:
        """The page, whatever is asked of it."""
        if question.method not in ("GET", "HEAD"):
            return Reply(405, TEXT, b"only GET and HEAD are answered\n")
        try:
            path = urlsplit(question.target).path
        except ValueError:
            path = ""
        if path != PATH:
            return Reply(404, TEXT, f"there is {PATH}\n".encode())
        return Reply(200, MEDIA_TYPE, await self._render())
