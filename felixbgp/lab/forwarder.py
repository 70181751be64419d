"""One process that lends every node a way to etcd: TCP from 127.0.0.1:2379 inside it to the endpoint.

    node-1: agent -> 127.0.0.1:2379 --.
    node-2: agent -> 127.0.0.1:2379 ---+-- this process -- 127.0.0.1:41257 of the host
    node-3: agent -> 127.0.0.1:2379 --'

A socket belongs to the namespace it was made in, so the listening ones are made inside the nodes, and the
outgoing ones outside. Nothing is kept when one side ends: what etcd does, the agent feels at once.

    python -m felixbgp.lab.forwarder ENDPOINT[,ENDPOINT…] NAMESPACE…
"""

import socket
import sys
from collections.abc import Sequence

import trio

from felixbgp.lab import netns
from felixbgp.lab.store import parse_endpoint

LISTEN_ADDRESS = "127.0.0.1"
LISTEN_PORT = 2379
FORWARDING = "forwarding from"
"""How its first line of output begins, once it listens everywhere."""
CHUNK_BYTES = 64 * 1024
BACKLOG = 64
CONNECT_SECONDS_MAX = 2.0

Endpoint = tuple[str, int]


def listen_inside(namespace: str, port: int = LISTEN_PORT) -> socket.socket:
    """A socket listening on the loopback of a namespace."""
    with netns.inside(namespace):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LISTEN_ADDRESS, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(listeners: Sequence[socket.socket], endpoints: Sequence[Endpoint]) -> None:
    """Forward until cancelled."""
    streams = [trio.SocketListener(trio.socket.from_stdlib_socket(listener)) for listener in listeners]

    async def forward(client: trio.SocketStream) -> None:
        await relay(client, endpoints)

    await trio.serve_listeners(forward, streams)


async def relay(client: trio.SocketStream, endpoints: Sequence[Endpoint]) -> None:
    """Join one client with the first endpoint that accepts; ends when either side does."""
    async with client:
        server = await _connect(endpoints)
        if server is None:
            return
        async with server, trio.open_nursery() as nursery:
            nursery.start_soon(_copy, client, server, nursery.cancel_scope)
            nursery.start_soon(_copy, server, client, nursery.cancel_scope)


async def _connect(endpoints: Sequence[Endpoint]) -> trio.SocketStream | None:
    for host, port in endpoints:
        with trio.move_on_after(CONNECT_SECONDS_MAX):
            try:
                return await trio.open_tcp_stream(host, port)
            except OSError:
                continue
    return None


async def _copy(source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
    # gRPC has no use for half-open connections, so the end of one direction is the end of both.
    try:
        while chunk := await source.receive_some(CHUNK_BYTES):
            await sink.send_all(chunk)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    finally:
        both.cancel()


def main(arguments: Sequence[str]) -> None:
    """Listen in every namespace named, then forward until killed."""
    endpoints = [parse_endpoint(endpoint) for endpoint in arguments[0].split(",")]
    listeners = [listen_inside(namespace) for namespace in arguments[1:]]
    sys.stdout.write(f"{FORWARDING} {len(listeners)} namespaces to {arguments[0]}\n")
    sys.stdout.flush()
    trio.run(serve, listeners, endpoints)


if __name__ == "__main__":
    main(sys.argv[1:])
