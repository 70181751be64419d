"""What an agent answers over HTTP: whether it is ready, to this host; all else to who has a certificate.

    kubelet, systemd ── 127.0.0.1:9178 ──▶ /readiness, /liveness            plain, loopback alone
    felixbgp explain ── 10.0.0.1:9179 ───▶ the same, /explain, /status      TLS 1.3, both ends certified

A connection carries one request without a body, and ends with its answer. Everything has a limit; whoever
passes one is hung up on. Nothing that is wrong here ends the agent.
"""

import json
import ssl
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import h11
import trio
from pydantic import TypeAdapter

from felixbgp import __version__
from felixbgp.agent.readiness import Readiness
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Prefix, PrefixError
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.endpoint_tls import server_context
from felixbgp.runtime.settings import StatusSettings, TlsFiles, authority
from felixbgp.runtime.telemetry import LOGGER
from felixbgp.status.explanation import Explanation

HEAD_OCTETS_MAX: Final = 8192
"""Of a request: its line and headers. A browser's are 2 KiB."""
READ_OCTETS: Final = 4096
SECONDS_MAX: Final = 10.0
"""For a connection from the handshake to the last octet of its answer; a probe has given up by then."""
CONNECTIONS_MAX: Final = 16
"""At a time and listener, some 100 KiB each with TLS; one who asks all nodes has one with each."""
TURN_SECONDS_MAX: Final = 5.0
"""Within which the agent's loop must begin a turn: a step is to take milliseconds."""
RETRY_SECONDS: Final = 5.0
"""Until an address is tried again that cannot be listened at: it may come with an interface."""

TEXT, JSON = "text/plain; charset=utf-8", "application/json"


class Reply(NamedTuple):
    """Status, media type and body of an answer."""

    status: int
    media_type: str
    body: bytes


class Question(NamedTuple):
    """A request as far as it counts. `is_certified`: whether there is a certificate behind it."""

    method: str
    target: str
    accept: str
    is_certified: bool


class Replying(Protocol):
    """Whoever knows the answers to what a `Server` is asked."""

    async def reply(self, question: Question) -> Reply:
        """The answer to one request."""


class Answers:
    """What is said to which question."""

    def __init__(self, node: str, driver: Driver, document: Callable[[], bytes | None]) -> None:
        """`document` gives the status as it stands in etcd, or would; None while there is none."""
        self._node = node
        self._driver = driver
        self._document = document

    async def reply(self, question: Question) -> Reply:
        """The answer to one request."""
        if question.method not in ("GET", "HEAD"):
            return _text(405, "only GET and HEAD are answered")
        try:
            parts = urlsplit(question.target)
            query = parse_qs(parts.query, max_num_fields=8)
        except ValueError:
            return _text(400, "the address cannot be read")
        as_json = "json" in query.get("format", ()) or JSON in question.accept
        if parts.path == "/readiness":
            return self._readiness(as_json=as_json)
        if parts.path == "/liveness":
            return await self._liveness(as_json=as_json)
        if parts.path not in ("/explain", "/status"):
            return _text(404, "there are /readiness, /liveness, /explain?prefix=… and /status")
        if not question.is_certified:
            return _text(403, f"{parts.path} is answered over TLS, to who has a certificate")
        if parts.path == "/status":
            value = self._document()
            return _text(503, "no status was published yet") if value is None else Reply(200, JSON, value)
        return self._explain(query.get("prefix", [""])[0])

    def _readiness(self, *, as_json: bool) -> Reply:
        readiness = self._driver.agent.readiness(now_ns())
        status = 200 if readiness.is_ready else 503
        if not as_json:
            return _text(status, _line(readiness))
        causes = [{"cause": one.cause.value, "text": one.text} for one in readiness.causes]
        told = {"ready": readiness.is_ready, "causes": causes, "notes": list(readiness.notes)}
        return self._json(status, told)

    async def _liveness(self, *, as_json: bool) -> Reply:
        """Alive is whose loop turns: that this is answered says no more than that some task runs."""
        with trio.move_on_after(TURN_SECONDS_MAX) as scope:
            await self._driver.turn()
        is_live = not scope.cancelled_caught
        why = "" if is_live else f"the agent's loop has not turned for {TURN_SECONDS_MAX:g} s"
        if as_json:
            return self._json(200 if is_live else 503, {"live": is_live, "reason": why})
        return _text(200, "live") if is_live else _text(503, f"not live: {why}")

    def _explain(self, text: str) -> Reply:
        try:
            prefix = Prefix.parse(text)
        except PrefixError as error:
            return _text(400, f"prefix: {error}")
        return Reply(200, JSON, _explanations().dump_json(self._driver.agent.explain(prefix), by_alias=True))

    def _json(self, status: int, told: dict[str, object]) -> Reply:
        value = {"node": self._node, "version": __version__, **told}
        return Reply(status, JSON, json.dumps(value).encode() + b"\n")


async def serve(health: Endpoint | None, status: StatusSettings | None, answers: Answers) -> None:
    """Answer for ever, where the settings say."""
    async with trio.open_nursery() as nursery:
        if health is not None:
            nursery.start_soon(_listen, health, None, answers)
        if status is not None:
            nursery.start_soon(_listen, status.endpoint, status.tls, answers)


async def _listen(endpoint: Endpoint, tls: TlsFiles | None, answers: Answers) -> None:
    """Listen at an address, as soon as that can be done."""
    is_told = False
    while True:
        try:
            listeners = await trio.open_tcp_listeners(endpoint.port, host=str(endpoint.address))
        except OSError as error:
            if not is_told:
                LOGGER.warning("nobody is answered at %s: %s", authority(endpoint), error.strerror or error)
                is_told = True
            await trio.sleep(RETRY_SECONDS)
            continue
        await trio.serve_listeners(Server(tls, answers).serve, listeners)


class Server:
    """One listener: how many are served, and whether with certificates."""

    def __init__(self, tls: TlsFiles | None, answers: Replying) -> None:
        self._tls = tls
        self._answers = answers
        self._count = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, which never raises."""
        self._count += 1
        try:
            if self._count <= CONNECTIONS_MAX:
                with trio.move_on_after(SECONDS_MAX):
                    await self._answer(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
            pass  # Who hangs up, has no certificate or speaks something else: the other end knows it.
        except (OSError, ssl.SSLError) as error:
            LOGGER.warning("our certificate cannot be used: %s", error)
        except Exception:  # noqa: BLE001 - an agent does not end because somebody asked it something
            LOGGER.exception("a request ends by a fault of ours")
        finally:
            self._count -= 1
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        if self._tls is not None:
            # Like HTTP clients, we do not wait for the other end's close_notify.
            stream = trio.SSLStream(
                stream, server_context(self._tls), server_side=True, https_compatible=True
            )
            await stream.do_handshake()
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_OCTETS_MAX)
        is_head = False
        try:
            request = await _next_event(connection, stream)
            if not isinstance(request, h11.Request):
                return
            is_head = request.method == b"HEAD"
            reply = await self._reply(connection, stream, request)
        except h11.RemoteProtocolError as error:
            if connection.our_state is not h11.IDLE and connection.our_state is not h11.SEND_RESPONSE:
                raise
            reply = _text(error.error_status_hint, str(error))
        await _send(connection, stream, reply, is_head=is_head)
        await stream.aclose()

    async def _reply(
        self, connection: h11.Connection, stream: trio.abc.Stream, request: h11.Request
    ) -> Reply:
        """What comes with a body is refused before it is read."""
        headers = dict(request.headers)
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
            return _text(413, "no body is taken")
        await _next_event(connection, stream)
        question = Question(
            request.method.decode("latin-1"),
            request.target.decode("latin-1"),
            headers.get(b"accept", b"").decode("latin-1"),
            is_certified=self._tls is not None,
        )
        return await self._answers.reply(question)


async def _next_event(connection: h11.Connection, stream: trio.abc.Stream) -> h11.Event | None:
    """What the other end says next; None where it may say no more."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(READ_OCTETS)))
        else:
            return event if isinstance(event, h11.Event) else None


async def _send(connection: h11.Connection, stream: trio.abc.Stream, reply: Reply, *, is_head: bool) -> None:
    head = h11.Response(
        status_code=reply.status,
        headers=[
            ("Content-Type", reply.media_type),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ],
    )
    octets = [connection.send(head) or b""]
    if not is_head:
        octets.append(connection.send(h11.Data(data=reply.body)) or b"")
    octets.append(connection.send(h11.EndOfMessage()) or b"")
    await stream.send_all(b"".join(octets))


@cache
def _explanations() -> TypeAdapter[Explanation]:
    """Made when somebody asks for the first time: most agents never are."""
    return TypeAdapter(Explanation)


def _line(readiness: Readiness) -> str:
    """All in one line."""
    if readiness.is_ready:
        return "; ".join(("ready", *readiness.notes))
    return "not ready: " + "; ".join((*(cause.text for cause in readiness.causes), *readiness.notes))


def _text(status: int, line: str) -> Reply:
    """One line, whatever is in it."""
    return Reply(status, TEXT, " ".join(line.split()).encode() + b"\n")
