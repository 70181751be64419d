"""The agent's endpoint: what is answered to whom, and what is not taken."""

import json
import ssl
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, cast

import h11
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.inputs import IntentGiven
from felixbgp.cli.explain_report import decode
from felixbgp.intent.types import Intent
from felixbgp.net import Prefix
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.endpoint import (
    CONNECTIONS_MAX,
    HEAD_OCTETS_MAX,
    SECONDS_MAX,
    TURN_SECONDS_MAX,
    Answers,
    Server,
)
from felixbgp.runtime.endpoint_client import EndpointError, ask
from felixbgp.runtime.settings import TlsFiles
from felixbgp.status.explanation import ExplainedPath, Explanation, PathOutcome
from tests.support.authority import CertificateAuthority


@pytest.fixture
def answers() -> Answers:
    agent = Agent(AgentConfig(node="router", forwards=False), lambda: 0.0)
    return Answers("router", Driver(agent), lambda: b'{"node":"router"}')


async def talk(server: Server, octets: bytes) -> tuple[int, str, bytes]:
    """Say this on a connection of its own; the status, media type and body of the answer, 0 for none."""
    client, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, theirs)
        await client.send_all(octets)
        return await read(client)


async def read(client: trio.abc.ReceiveStream, method: str = "GET") -> tuple[int, str, bytes]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    status, media_type, body = 0, "", b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = bytes(await client.receive_some(4096))
            if not received and not status:
                return 0, "", b""
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            status = event.status_code
            media_type = dict(event.headers)[b"content-type"].decode()
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            return status, media_type, body


def get(target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.trio
async def test_readiness_is_a_line_or_json_and_says_what_is_missing(answers: Answers) -> None:
    server = Server(None, answers)
    assert await talk(server, get("/readiness")) == (
        503,
        "text/plain; charset=utf-8",
        b"not ready: not in sync with etcd yet\n",
    )
    for asked in (get("/readiness?format=json"), get("/readiness", "Accept: application/json")):
        status, media_type, body = await talk(server, asked)
        told = json.loads(body)
        assert (status, media_type, told["node"], told["ready"]) == (503, "application/json", "router", False)
        assert told["causes"] == [{"cause": "NotInSync", "text": "not in sync with etcd yet"}]


@pytest.mark.trio
async def test_a_node_that_is_ready_says_so() -> None:
    agent = Agent(AgentConfig(node="router", forwards=False), lambda: 0.0)
    agent.feed(IntentGiven(Intent()), 0)
    agent.drain(0, 100)
    server = Server(None, Answers("router", Driver(agent), lambda: None))
    assert (await talk(server, get("/readiness")))[::2] == (200, b"ready\n")


@pytest.mark.trio
async def test_alive_is_whose_loop_turns(answers: Answers, autojump_clock: MockClock) -> None:
    server = Server(None, answers)
    status, _, body = await talk(server, get("/liveness"))
    assert autojump_clock.current_time() == pytest.approx(TURN_SECONDS_MAX)
    assert (status, body) == (
        503,
        f"not live: the agent's loop has not turned for {TURN_SECONDS_MAX:g} s\n".encode(),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answers._driver.run, lambda _: None)
        assert (await talk(server, get("/liveness")))[::2] == (200, b"live\n")
        told = json.loads((await talk(server, get("/liveness?format=json")))[2])
        assert told["live"] is True
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (get("/explain?prefix=10.0.0.0/8"), 403),
        (get("/status"), 403),
        (get("/metrics"), 404),
        (b"POST /readiness HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"POST /readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", 413),
        (b"GET /readiness HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (get("/readiness", "X: " + "x" * (2 * HEAD_OCTETS_MAX)), 431),
        (b"nonsense\r\n\r\n", 400),
        (get("/readiness?" + "&".join(f"a{n}=1" for n in range(20))), 400),
    ],
    ids=["explain", "status", "unknown", "method", "body", "chunked", "head", "nonsense", "query"],
)
@pytest.mark.trio
async def test_what_is_refused(answers: Answers, octets: bytes, status: int) -> None:
    assert (await talk(Server(None, answers), octets))[0] == status


@pytest.mark.trio
async def test_head_has_no_body(answers: Answers) -> None:
    client, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Server(None, answers).serve, theirs)
        await client.send_all(b"HEAD /readiness HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read(client, "HEAD"))[::2] == (503, b"")


@pytest.mark.trio
async def test_who_says_nothing_is_hung_up_on_and_the_next_one_more_is_not_served(
    answers: Answers, autojump_clock: MockClock
) -> None:
    server = Server(None, answers)
    async with trio.open_nursery() as nursery:
        silent = []
        for _ in range(CONNECTIONS_MAX):
            client, theirs = trio.testing.memory_stream_pair()
            silent.append(client)
            nursery.start_soon(server.serve, theirs)
        await trio.testing.wait_all_tasks_blocked()
        client, theirs = trio.testing.memory_stream_pair()
        await server.serve(theirs)
        assert await client.receive_some(1) == b""
        began = autojump_clock.current_time()
        for one in silent:
            assert await one.receive_some(1) == b""
        assert autojump_clock.current_time() - began == pytest.approx(SECONDS_MAX)
    assert (await talk(server, get("/readiness")))[0] == 503


# ---- with certificates


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def files(authority: CertificateAuthority, name: str) -> TlsFiles:
    certificate, key = authority.issue(name)
    return TlsFiles(certificate, key, authority.certificate)


async def listening(nursery: trio.Nursery, tls: TlsFiles, answers: Answers) -> str:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, Server(tls, answers).serve, [listener])
    return f"127.0.0.1:{listener.socket.getsockname()[1]}"


@pytest.mark.trio
async def test_who_has_a_certificate_is_answered(answers: Answers, authority: CertificateAuthority) -> None:
    async with trio.open_nursery() as nursery:
        where = await listening(nursery, files(authority, "router"), answers)
        client = files(authority, "operator")
        found = decode(await ask(where, "router", client, "/explain?prefix=10.0.0.0/8", 10))
        assert (found.node, found.prefix, found.kernel.outcome) == ("router", "10.0.0.0/8", "NoKernel")
        assert await ask(where, "router", client, "/status", 10) == b'{"node":"router"}'
        with pytest.raises(EndpointError, match="400: prefix: "):
            await ask(where, "router", client, "/explain?prefix=nowhere", 10)
        nursery.cancel_scope.cancel()


def test_explanations_have_the_names_that_their_reader_knows(answers: Answers) -> None:
    path = ExplainedPath(outcome=PathOutcome.SELECTED, next_hop="192.0.2.1", as_path="1 2", local_pref=7)
    agent = answers._driver.agent
    found = replace(agent.explain(Prefix.parse("10.0.0.0/8")), paths=(path,))
    told = Answers("router", cast("Driver", SimpleNamespace(agent=Told(found))), lambda: None)
    assert decode(told._explain("10.0.0.0/8").body) == found


class Told(NamedTuple):
    """An agent that says this of every prefix."""

    found: Explanation

    def explain(self, _prefix: Prefix) -> Explanation:
        return self.found


@pytest.mark.trio
async def test_who_has_none_or_another_authoritys_is_refused_and_so_is_another_node(
    answers: Answers, authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other")
    stranger = files(other, "operator")
    async with trio.open_nursery() as nursery:
        where = await listening(nursery, files(authority, "router"), answers)
        trusting = TlsFiles(stranger.cert_file, stranger.key_file, authority.certificate)
        with pytest.raises(EndpointError, match="takes no certificate like ours"):
            await ask(where, "router", trusting, "/status", 10)
        with pytest.raises(EndpointError, match="ostname mismatch"):
            await ask(where, "another", files(authority, "operator"), "/status", 10)
        await check_refused(where, authority)
        # And it answers on.
        assert await ask(where, "router", files(authority, "operator"), "/status", 10)
        nursery.cancel_scope.cancel()


async def check_refused(where: str, authority: CertificateAuthority) -> None:
    """Who shows no certificate hears nothing, not even whether the node is ready."""
    context = ssl.create_default_context(cafile=authority.certificate)
    tcp = await trio.open_tcp_stream("127.0.0.1", int(where.rpartition(":")[2]))
    async with trio.SSLStream(tcp, context, server_hostname="router", https_compatible=True) as stream:
        await stream.send_all(get("/readiness"))
        assert await stream.receive_some(4096) == b""
