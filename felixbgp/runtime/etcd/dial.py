"""Open a byte stream to an endpoint: TCP with a user timeout, and TLS where the endpoint wants it."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from felixbgp.runtime.etcd.errors import Unavailable
from felixbgp.runtime.etcd.settings import Endpoint, EtcdSettings

HTTP2_ALPN = "h2"


async def dial(endpoint: Endpoint, settings: EtcdSettings) -> trio.abc.Stream:
    """Connect within `settings.connect_timeout_seconds`. Raises `Unavailable`."""
    where = str(endpoint)
    try:
        with trio.fail_after(settings.connect_timeout_seconds):
            tcp = await trio.open_tcp_stream(endpoint.host, endpoint.port)
            try:
                set_user_timeout(tcp, settings)
                return await wrap_tls(tcp, endpoint, settings) if endpoint.tls else tcp
            except BaseException:
                await trio.aclose_forcefully(tcp)
                raise
    except trio.TooSlowError as error:
        waited = f"no connection within {settings.connect_timeout_seconds:g} s"
        raise Unavailable(waited, endpoint=where, unsent=True) from error
    except (OSError, trio.BrokenResourceError, ssl.CertificateError) as error:
        raise Unavailable(plain_reason(error), endpoint=where, unsent=True) from error


def set_user_timeout(tcp: trio.SocketStream, settings: EtcdSettings) -> None:
    """Let the kernel give up on unacknowledged bytes: the second line behind PING, for a dead network."""
    patience = settings.ping_interval_seconds + settings.ping_timeout_seconds
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1_000))


async def wrap_tls(
    tcp: trio.SocketStream, endpoint: Endpoint, settings: EtcdSettings
) -> trio.SSLStream[trio.SocketStream]:
    """Do the TLS handshake and insist on HTTP/2. Raises `Unavailable`, or what the handshake raises."""
    stream = trio.SSLStream(
        tcp, tls_context(endpoint, settings), server_hostname=endpoint.host, https_compatible=False
    )
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as error:
        if not isinstance(error.__cause__, ConnectionResetError):
            raise
        # A peer that takes our handshake for a bad request may close before it has read all of it.
        raise Unavailable(
            f"{_HUNG_UP} ({plain_reason(error)})", endpoint=str(endpoint), unsent=True
        ) from error
    if stream.selected_alpn_protocol() != HTTP2_ALPN:
        raise Unavailable("the peer does not speak HTTP/2 over TLS", endpoint=str(endpoint), unsent=True)
    return stream


def tls_context(endpoint: Endpoint, settings: EtcdSettings) -> ssl.SSLContext:
    """Trust our CA (else the system's roots), show our certificate. Raises `Unavailable` for bad files."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file, cadata=settings.ca_pem or None)
        context.set_alpn_protocols([HTTP2_ALPN])
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        elif settings.cert_pem:
            with _in_memory(settings.cert_pem) as cert, _in_memory(settings.key_pem) as key:
                context.load_cert_chain(cert, key)
    except (OSError, ValueError, TypeError) as error:
        files = ", ".join(
            str(name) for name in (settings.ca_file, settings.cert_file, settings.key_file) if name
        )
        raise Unavailable(
            f"TLS files ({files or 'inline'}): {error}", endpoint=str(endpoint), unsent=True
        ) from error
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file that holds `text` and is on no disk: the ssl module reads a key from files alone."""
    descriptor = os.memfd_create("pem")
    try:
        with os.fdopen(os.dup(descriptor), "w") as file:
            file.write(text)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


_HUNG_UP = "the peer hung up in the midst of TLS; does it speak TLS?"

_PLAIN_TEXTS = (
    ("certificate required", "{peer} wants a client certificate"),
    ("bad certificate", "{peer} refuses our client certificate, or wants one"),
    ("unknown ca", "{peer} does not know the issuer of our client certificate"),
    ("UNEXPECTED_EOF_WHILE_READING", _HUNG_UP),
    ("WRONG_VERSION_NUMBER", "the peer does not speak TLS; is the endpoint http:// rather than https://?"),
)


def plain_reason(error: BaseException, peer: str = "etcd") -> str:
    """One line for a person: what trio and ssl wrapped, most specific part first; `peer` is the other end."""
    while isinstance(error.__cause__, OSError | ExceptionGroup):
        error = error.__cause__
    if isinstance(error, ExceptionGroup):
        # open_tcp_stream tries every address of a name and reports all of their failures.
        return "; ".join(dict.fromkeys(plain_reason(each, peer) for each in error.exceptions))
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror) and error.errno:
        # Without what Python puts around the system's words.
        return os.strerror(error.errno)
    text = str(error) or type(error).__name__
    for mark, plain in _PLAIN_TEXTS:
        if mark.lower() in text.lower():
            return f"{plain.format(peer=peer)} ({text})"
    return text
