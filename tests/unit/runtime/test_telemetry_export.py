"""What leaves the process: to real receivers, which decode it."""

import logging
from contextlib import AbstractContextManager

import pytest
import trio
import trio.testing
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from felixbgp.agent.agent import Agent, Progress
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Observe
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import BytesReceived, Endpoint, TcpConnected
from felixbgp.bgp.wire.update import encode_withdrawals
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.fib.types import DeleteRoutes, RouteFailed, RouteKey
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.runtime import telemetry, telemetry_catalogue, telemetry_export, telemetry_ids
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.endpoint import SECONDS_MAX
from felixbgp.runtime.settings import TelemetrySettings, authority
from felixbgp.runtime.settings_file import SettingsError
from felixbgp.runtime.telemetry_export import Exporting
from felixbgp.runtime.telemetry_spans import SPANS
from felixbgp.runtime.telemetry_writes import writes_told
from tests.support.collector import Collector, as_tree, grpc_collector, http_collector

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("own_handlers")]

HERE, THERE = "192.0.2.1", "192.0.2.2"
KEY = "/calico/resources/v3/projectcalico.org/bgppeers/tor"
PASSWORD = b"correct horse"
PREFIX = Prefix.parse("10.0.0.0/24")
WITHDRAWAL = encode_withdrawals(IPV4, (b"\x18\x0a\x00\x00",))[0]
LOOPBACK = Address.parse("127.0.0.1")
PROTOCOLS = [
    pytest.param(grpc_collector, "grpc", id="grpc"),
    pytest.param(http_collector, "http/protobuf", id="http"),
]


def an_agent() -> Agent:
    return Agent(AgentConfig(node="node-1"), lambda: 0.5)


def a_change(exporting: Exporting, revision: int = 7) -> None:
    """A node hears of a write, sends and receives an UPDATE, and its kernel refuses a route."""
    changes = exporting.changes
    ends = Endpoint(Address.parse(HERE), 50_000), Endpoint(Address.parse(THERE), 179)
    now, standing = 1_000_000, Progress(revision, 1, 2, is_in_force=True)
    changes.heard(TcpConnected(1, *ends), now, lambda: standing)
    changes.heard(KeyPut(StoredValue(KEY, PASSWORD, revision)), now, lambda: standing._replace(changes=0))
    changes.stands(standing, now + 1000)
    changes.asked([SendBytes(1, (WITHDRAWAL,)), DeleteRoutes((RouteKey(PREFIX, 1),))], now + 2000)
    changes.heard(BytesReceived(1, WITHDRAWAL), now + 3000, lambda: standing)
    changes.heard(RouteFailed(PREFIX, 1, "", present=False), now + 4000, lambda: standing)
    fact = SessionStateChanged(PeerId(Address.parse(THERE)), "tor", "Established", "Idle", "")
    changes.asked([Observe(fact)], now + 5000)


async def exported(settings: TelemetrySettings, spans: SpanExporter | None = None) -> None:
    exporting = Exporting(settings, "node-1", spans=spans)
    exporting.identify(lambda: 0xC1)
    async with exporting.running(Driver(exporting.watch(an_agent()))):
        a_change(exporting)


@pytest.mark.parametrize(("collector", "protocol"), PROTOCOLS)
async def test_a_change_is_spans_at_the_collector(
    collector: "type[AbstractContextManager[Collector]]", protocol: str
) -> None:
    with collector() as received:
        await exported(TelemetrySettings(otlp_endpoint=received.endpoint, otlp_protocol=protocol))
        spans = {one.name: one for one in received.spans}
        change, sent, heard = spans["felixbgp.change"], spans["bgp.update.send"], spans["bgp.update.receive"]
        below = {
            "felixbgp.derive",
            "felixbgp.policy",
            "bgp.update.send",
            "bgp.update.receive",
            "felixbgp.kernel",
        }
        assert {name for name, one in spans.items() if one.parent == change.id} == below
        assert change.parent == f"{telemetry_ids.write_id(0xC1, 7):016x}"
        assert {one.trace for one in received.spans} == {f"{telemetry_ids.trace_id(0xC1, 7):032x}"}
        assert change.attributes == {
            "felixbgp.node": "node-1",
            "felixbgp.etcd.revision": 7,
            "felixbgp.etcd.keys": [KEY],
            "felixbgp.etcd.key_count": 1,
            "felixbgp.peers.changed": 2,
        }
        assert (change.instance, change.is_error, change.events) == ("node-1", True, ("session",))
        assert sent.id == f"{telemetry_ids.update_id(0xC1, 7, HERE, THERE):016x}"
        assert heard.links == ((change.trace, f"{telemetry_ids.update_id(0xC1, 7, THERE, HERE):016x}"),)
        assert spans["felixbgp.kernel"].attributes["felixbgp.kernel.refused"] == 1
        assert (change.began, heard.began - sent.began, change.ended - change.began) == (
            change.began,
            1000,
            5000,
        )
        assert as_tree(received.spans).count("\n") == len(received.spans)
        assert {one.name for one in telemetry_catalogue.METRICS} - received.metrics <= {
            # Of what never happened there is nothing to tell.
            "felixbgp.bgp.notifications",
            "felixbgp.bgp.update.errors",
        }
        assert received.metrics <= {one.name for one in telemetry_catalogue.METRICS}
        assert PASSWORD not in received.octets


async def test_both_ends_of_a_session_mean_the_same_span() -> None:
    exporter = InMemorySpanExporter()
    await exported(TelemetrySettings(), exporter)
    (heard,) = [one for one in exporter.get_finished_spans() if one.name == "bgp.update.receive"]
    assert heard.links[0].context.span_id == telemetry_ids.update_id(0xC1, 7, THERE, HERE)


async def test_every_span_is_documented_with_its_attributes() -> None:
    exporter = InMemorySpanExporter()
    await exported(TelemetrySettings(), exporter)
    known = {one.name: one.attributes for one in SPANS}
    for span in exporter.get_finished_spans():
        assert all(f"`{name}`" in known[span.name] for name in span.attributes or {})


async def test_a_collector_that_is_not_there_keeps_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    monkeypatch.setattr(telemetry_export, "SHUTDOWN_SECONDS", 0.5)
    with http_collector() as gone:
        endpoint = gone.endpoint
    with caplog.at_level(logging.CRITICAL), trio.fail_after(30):
        await exported(TelemetrySettings(otlp_endpoint=endpoint))
        # What nobody waits for goes on in a thread. It takes numbers of `random` for its next attempt, and a
        # strategy of another test may not see them go.
        threads = trio.to_thread.current_default_thread_limiter()
        for number in range(int(threads.total_tokens)):
            await threads.acquire_on_behalf_of(number)


async def test_lines_of_the_log_name_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.start_logging("info")
    exporting = Exporting(TelemetrySettings(), "node-1", spans=InMemorySpanExporter())
    exporting.identify(lambda: 0xC1)
    async with exporting.running(Driver(exporting.watch(an_agent()))):
        telemetry.LOGGER.info("before")
        a_change(exporting)
        telemetry.LOGGER.info("meanwhile")
    before, meanwhile = capsys.readouterr().err.splitlines()
    trace, span = telemetry_ids.trace_id(0xC1, 7), telemetry_ids.change_id(0xC1, 7, "node-1")
    assert "trace_id" not in before
    assert meanwhile.endswith(f" INFO meanwhile trace_id={trace:032x} span_id={span:016x}")


@pytest.mark.parametrize(("collector", "protocol"), PROTOCOLS)
async def test_a_write_of_a_command_is_the_root(
    collector: "type[AbstractContextManager[Collector]]", protocol: str
) -> None:
    with collector() as received:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        async with writes_told(environ, pytest.fail) as told:
            assert told is not None
            told(0xC1, 7, [KEY], 1)
        (span,) = received.spans
        assert (span.name, span.parent, span.began) == ("felixbgp.write", "", 1)
        assert span.trace == f"{telemetry_ids.trace_id(0xC1, 7):032x}"
        assert span.id == f"{telemetry_ids.write_id(0xC1, 7):016x}"
        assert span.attributes == {"felixbgp.etcd.revision": 7, "felixbgp.etcd.keys": [KEY]}


async def test_a_command_goes_on_without_traces_where_they_cannot_be() -> None:
    said: list[str] = []
    async with writes_told({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://a"}, said.append) as told:
        assert told is None
    assert said == [
        "no traces: environment OTEL_EXPORTER_OTLP_ENDPOINT: not a URL that begins with http, https, unix"
    ]
    async with writes_told({}, said.append) as told:
        assert told is None
    assert len(said) == 1


# ---- Prometheus


async def asked(port: int, request: bytes) -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(request)
        return b"".join([chunk async for chunk in stream])


async def test_prometheus_reads_metrics_and_nothing_else() -> None:
    exporting = Exporting(TelemetrySettings(prometheus=Endpoint(LOOPBACK, 0)), "node-1")
    async with exporting.running(Driver(exporting.watch(an_agent()))):
        port = exporting.server.port
        page = await asked(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert page.startswith(b"HTTP/1.1 200 ")
        assert b"felixbgp_bgp_sessions{" in page
        head = await asked(port, b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert head.endswith(b"\r\n\r\n")
        assert (await asked(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await asked(port, b"GET /" + b"a" * 10_000)).startswith(b"HTTP/1.1 431 ")
        assert (await asked(port, b"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_who_is_slow_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    exporting = Exporting(TelemetrySettings(prometheus=Endpoint(LOOPBACK, 0)), "node-1")
    async with exporting.running(Driver(exporting.watch(an_agent()))):
        port = exporting.server.port
        async with await trio.open_tcp_stream("127.0.0.1", port) as slow:
            await slow.send_all(b"GET /met")
            assert await slow.receive_some() == b""
        assert autojump_clock.current_time() == pytest.approx(SECONDS_MAX)


async def test_a_port_that_is_taken_is_told_as_a_setting() -> None:
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = Endpoint(LOOPBACK, taken.getsockname()[1])
        exporting = Exporting(TelemetrySettings(prometheus=where), "node-1")
        with pytest.raises(SettingsError, match=f"telemetry.prometheus: {authority(where)}: "):
            async with exporting.running(Driver(exporting.watch(an_agent()))):
                pass
