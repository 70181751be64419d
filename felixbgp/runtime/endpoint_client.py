"""Ask an agent over its status endpoint."""

import ssl
from typing import Final

import h11
import trio

from felixbgp.runtime.endpoint_tls import client_context
from felixbgp.runtime.etcd.dial import plain_reason
from felixbgp.runtime.settings import TlsFiles

ANSWER_OCTETS_MAX: Final = 64 << 20
"""An explanation has some 300 octets for each peer."""
READ_OCTETS: Final = 1 << 16
OK: Final = 200


class EndpointError(Exception):
    """An agent did not answer, or refused; the text says why."""


async def ask(where: str, node: str, tls: TlsFiles, target: str, seconds_max: float) -> bytes:
    """The body of an agent's answer to a GET. Raises `EndpointError`.

    `where` is address and port as the agent tells them in etcd; its certificate must be for the name `node`.
    """
    host, _, port = where.rpartition(":")
    if not port.isdecimal():
        raise EndpointError(f"{where!r} is no address of an endpoint")
    try:
        with trio.fail_after(seconds_max):
            return await _ask(host.strip("[]"), int(port), node, tls, target)
    except trio.TooSlowError as error:
        raise EndpointError(f"no answer from {where} within {seconds_max:g} s") from error
    except h11.RemoteProtocolError as error:
        raise EndpointError(f"{where} does not speak HTTP: {error}") from error
    except (OSError, ExceptionGroup, trio.BrokenResourceError, ssl.CertificateError) as error:
        raise EndpointError(f"{where}: {plain_reason(error, 'the agent')}") from error


async def _ask(host: str, port: int, node: str, tls: TlsFiles, target: str) -> bytes:
    context = client_context(tls)
    async with await trio.open_tcp_stream(host, port) as tcp:
        stream = trio.SSLStream(tcp, context, server_hostname=node, https_compatible=True)
        connection = h11.Connection(h11.CLIENT)
        request = h11.Request(
            method="GET", target=target, headers=[("Host", node), ("Accept", "application/json")]
        )
        octets = (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
        await stream.send_all(octets)
        return await _read(connection, stream)


async def _read(connection: h11.Connection, stream: trio.abc.ReceiveStream) -> bytes:
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = bytes(await stream.receive_some(READ_OCTETS))
            if not received and not status:
                # With TLS 1.3 our end of the handshake is over before theirs looks at our certificate.
                raise EndpointError("it hung up; it takes no certificate like ours, or no more connections")
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > ANSWER_OCTETS_MAX:
                raise EndpointError(f"more than {ANSWER_OCTETS_MAX} octets")
        elif isinstance(event, h11.EndOfMessage):
            break
    if status != OK:
        raise EndpointError(f"{status}: {body[:200].decode(errors='replace').strip()}")
    return bytes(body)
