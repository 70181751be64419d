"""Opening a byte stream on loopback."""

import socket
import ssl
import struct
from pathlib import Path

import pytest
import trio
import trio.testing

from felixbgp.runtime.etcd import Endpoint, EtcdSettings, Unavailable
from felixbgp.runtime.etcd.dial import dial, plain_reason, tls_context


async def listen(nursery: trio.Nursery) -> Endpoint:
    async def swallow(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, swallow, [listener])
    return Endpoint("127.0.0.1", listener.socket.getsockname()[1])


@pytest.mark.trio
async def test_kernel_gives_up_on_a_dead_network_when_pings_would(nursery: trio.Nursery) -> None:
    settings = EtcdSettings(ping_interval_seconds=7, ping_timeout_seconds=2)
    stream = await dial(await listen(nursery), settings)
    assert isinstance(stream, trio.SocketStream)
    assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 9_000
    await stream.aclose()
    nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_peer_that_answers_no_handshake_costs_the_time_for_connecting(nursery: trio.Nursery) -> None:
    silent = await listen(nursery)
    settings = EtcdSettings(connect_timeout_seconds=0.05)
    with pytest.raises(Unavailable, match=r"no connection within 0\.05 s") as refused:
        await dial(Endpoint(silent.host, silent.port, tls=True), settings)
    assert refused.value.unsent
    nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_peer_that_resets_the_handshake_may_not_speak_tls() -> None:
    async def reset_one() -> None:
        stream = await listener.accept()
        await stream.receive_some(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    endpoint = Endpoint("127.0.0.1", listener.socket.getsockname()[1], tls=True)
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(reset_one)
        with pytest.raises(Unavailable, match="does it speak TLS"):
            await dial(endpoint, EtcdSettings())


@pytest.mark.trio
async def test_refused_connection_names_the_endpoint() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: nobody else can take the port.
        endpoint = Endpoint("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(Unavailable) as refused:
            await dial(endpoint, EtcdSettings())
    assert str(refused.value) == f"{endpoint}: Connection refused"
    assert refused.value.unsent


def test_files_are_read_at_each_connection(tmp_path: Path) -> None:
    """So a renewed certificate is taken up, and a broken one is named."""
    endpoint = Endpoint("a", tls=True)
    settings = EtcdSettings(ca_file=tmp_path / "ca.pem")
    with pytest.raises(Unavailable, match=r"ca\.pem.*No such file"):
        tls_context(endpoint, settings)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Unavailable, match=r"TLS files \(.*ca\.pem\)"):
        tls_context(endpoint, settings)


@pytest.mark.parametrize(
    "settings",
    [
        EtcdSettings(ca_pem="no certificate"),
        EtcdSettings(ca_pem="é"),
        EtcdSettings(cert_pem="no certificate", key_pem="no key"),
    ],
    ids=["authority", "no ASCII", "certificate"],
)
def test_certificates_given_as_they_are_may_be_wrong_too(settings: EtcdSettings) -> None:
    with pytest.raises(Unavailable, match=r"TLS files \(inline\): "):
        tls_context(Endpoint("a", tls=True), settings)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(111, "Connection refused"), "Connection refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "http:// rather than https://"),
        (ssl.SSLError(1, "tlsv13 alert certificate required"), "etcd wants a client certificate"),
        (ssl.SSLError(1, "sslv3 alert bad certificate"), "refuses our client certificate"),
        (ssl.SSLError(1, "tlsv1 alert unknown ca"), "does not know the issuer"),
        (ssl.SSLError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF"), "does it speak TLS?"),
        (trio.BrokenResourceError(), "BrokenResourceError"),
    ],
)
def test_reason_is_plain(error: Exception, text: str) -> None:
    assert text in plain_reason(error)


def test_reason_of_a_name_with_several_addresses_tells_each_once() -> None:
    outer = OSError("all attempts failed")
    outer.__cause__ = ExceptionGroup("", [OSError("refused"), OSError("refused"), OSError("no route")])
    assert plain_reason(outer) == "refused; no route"
