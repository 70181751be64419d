"""Who is told of traces and metrics, and how: OpenTelemetry's own exporters, each in a thread of its own.

    agent ─▶ WatchedAgent ─▶ Changes ─┬─▶ SpanWriter ─▶ BatchSpanProcessor ─▶ OTLP
                                      └─▶ Metrics ◀── readers: OTLP, Prometheus

Nothing here is global: providers are made and passed on, so that two agents in one process do not meet.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import time_ns
from typing import Final, cast

import trio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from felixbgp import __version__
from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Fact
from felixbgp.runtime import telemetry
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.metrics import Metrics
from felixbgp.runtime.settings import TelemetrySettings, authority
from felixbgp.runtime.settings_file import SettingsError
from felixbgp.runtime.telemetry_agent import WatchedAgent
from felixbgp.runtime.telemetry_changes import Change, Changes
from felixbgp.runtime.telemetry_prometheus import MetricsServer
from felixbgp.runtime.telemetry_spans import Identifiers, SpanWriter

SCOPE: Final = "felixbgp"
SHUTDOWN_SECONDS: Final = 3.0
"""How long the end of an agent waits for a collector that does not answer."""


class Exporting:
    """What is exported of one agent. Raises `SettingsError` where an exporter is not installed.

    With exporters given, those are used in place of what the settings name.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        node: str,
        *,
        spans: SpanExporter | None = None,
        readers: list[MetricReader] | None = None,
    ) -> None:
        self._settings = settings
        resource = Resource.create(
            {"service.name": "felixbgp", "service.version": __version__, "service.instance.id": node}
        )
        metrics: list[MetricReader] = [] if readers is None else readers
        if settings.otlp_endpoint is not None:
            otlp_spans, otlp_metrics = otlp_exporters(settings)
            spans = spans or otlp_spans
            metrics = [*metrics, PeriodicExportingMetricReader(otlp_metrics)]
        if settings.prometheus is not None:
            metrics = [*metrics, self._prometheus_reader()]
        self._meters = MeterProvider(metrics, resource, shutdown_on_exit=False)
        self._writer: SpanWriter | None = None
        self._tracers: TracerProvider | None = None
        if spans is not None:
            identifiers = Identifiers()
            tracers = TracerProvider(resource=resource, id_generator=identifiers, shutdown_on_exit=False)
            tracers.add_span_processor(BatchSpanProcessor(spans))
            offset = time_ns() - now_ns()
            self._writer = SpanWriter(tracers.get_tracer(SCOPE, __version__), identifiers, node, offset)
            self._tracers = tracers
        self._metrics: Metrics | None = None
        self.server = MetricsServer(self._render)
        self.changes = Changes(node, self._over, self._told)

    def watch(self, agent: Agent) -> Agent:
        """The agent, for whoever drives it."""
        return cast("Agent", WatchedAgent(agent, self.changes))

    def identify(self, cluster: Callable[[], int]) -> None:
        """Say of which etcd cluster the revisions are."""
        self.changes.cluster = cluster

    async def listen(self) -> None:
        """Take Prometheus' port now, if there is to be one. Raises `SettingsError` where it is taken."""
        where = self._settings.prometheus
        if where is None or self.server.is_listening:
            return
        try:
            await self.server.listen(where)
        except OSError as error:
            raise SettingsError(f"telemetry.prometheus: {authority(where)}: {error.strerror}") from error

    @asynccontextmanager
    async def running(self, driver: Driver) -> AsyncIterator[None]:
        """Export for the time of the block. Raises `SettingsError` where Prometheus' port is taken."""
        self._metrics = Metrics(driver, self.changes, self._meters.get_meter(SCOPE, __version__))
        telemetry.correlate(self._current)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self.listen()
            nursery = await stack.enter_async_context(trio.open_nursery())
            if self.server.is_listening:
                nursery.start_soon(self.server.run)
            yield
            nursery.cancel_scope.cancel()

    def _current(self) -> tuple[int, int] | None:
        """The trace and the span of what is going on."""
        change = self.changes.open
        return None if change is None or self._writer is None else (change.trace_id, change.span_id)

    def _over(self, change: Change) -> None:
        if self._metrics is not None:
            self._metrics.measure(change)
        if self._writer is not None:
            self._writer.write(change)

    def _told(self, fact: Fact) -> None:
        if self._metrics is not None:
            self._metrics.observe(fact)

    async def _close(self) -> None:
        """Send what is left, if the collector takes it in time."""
        self.changes.finish(now_ns())
        with trio.move_on_after(SHUTDOWN_SECONDS) as scope:
            scope.shield = True
            if self._tracers is not None:
                await trio.to_thread.run_sync(self._tracers.shutdown, abandon_on_cancel=True)
            await trio.to_thread.run_sync(self._meters.shutdown, abandon_on_cancel=True)

    # ---- Prometheus

    def _prometheus_reader(self) -> MetricReader:
        try:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _missing("telemetry.prometheus", "prometheus") from error
        return PrometheusMetricReader()

    async def _render(self) -> bytes:
        from prometheus_client import generate_latest  # noqa: PLC0415 - an extra; loaded with the reader

        # One registry for all of the process: its memory and processor time are worth a line, too.
        return await trio.to_thread.run_sync(generate_latest)


def otlp_exporters(settings: TelemetrySettings) -> tuple[SpanExporter, MetricExporter]:
    """What sends to the collector of the settings. Raises `SettingsError` where that is not installed."""
    endpoint = settings.otlp_endpoint or ""
    try:
        if settings.otlp_protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc import metric_exporter, trace_exporter  # noqa: PLC0415

            insecure = None if endpoint.startswith("https:") else True
            return (
                trace_exporter.OTLPSpanExporter(endpoint=endpoint, insecure=insecure),
                metric_exporter.OTLPMetricExporter(endpoint=endpoint, insecure=insecure),
            )
        from opentelemetry.exporter.otlp.proto.http import (  # noqa: PLC0415 - an extra
            metric_exporter as http_metrics,
        )
        from opentelemetry.exporter.otlp.proto.http import (  # noqa: PLC0415 - an extra
            trace_exporter as http_traces,
        )
    except ImportError as error:
        raise _missing("telemetry.otlp_endpoint", "otlp") from error
    base = endpoint.rstrip("/")
    return (
        http_traces.OTLPSpanExporter(endpoint=f"{base}/v1/traces"),
        http_metrics.OTLPMetricExporter(endpoint=f"{base}/v1/metrics"),
    )


def _missing(setting: str, extra: str) -> SettingsError:
    return SettingsError(f"{setting}: its exporter is not installed; felixbgp's extra {extra!r} has it")
