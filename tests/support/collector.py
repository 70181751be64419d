"""An OpenTelemetry collector for tests: takes what comes by gRPC or HTTP, and decodes it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


@dataclass(frozen=True)
class Span:
    """A span as it came over the wire; identifiers in hexadecimal."""

    service: str
    instance: str
    trace: str
    id: str
    parent: str
    name: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    """Trace and span of each."""
    events: tuple[str, ...] = ()
    is_error: bool = False


@dataclass
class Collector:
    """What was received so far."""

    endpoint: str = ""
    octets: bytearray = field(default_factory=bytearray)
    """Everything that came, as it came."""
    _spans: list[Span] = field(default_factory=list)
    _metrics: set[str] = field(default_factory=set)
    _more: Condition = field(default_factory=Condition)

    @property
    def spans(self) -> list[Span]:
        with self._more:
            return list(self._spans)

    @property
    def metrics(self) -> set[str]:
        with self._more:
            return set(self._metrics)

    def take_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        found = [
            _span(resource.resource.attributes, span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._more:
            self.octets += request.SerializeToString()
            self._spans += found
            self._more.notify_all()

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        names = {
            metric.name
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        with self._more:
            self.octets += request.SerializeToString()
            self._metrics |= names
            self._more.notify_all()


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def _attributes(pairs: Sequence[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _span(resource: Sequence[KeyValue], span: Any) -> Span:
    known = _attributes(resource)
    return Span(
        service=str(known["service.name"]),
        instance=str(known.get("service.instance.id", "")),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        events=tuple(event.name for event in span.events),
        is_error=span.status.code == span.status.STATUS_CODE_ERROR,
    )


class _Traces:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(  # noqa: N802 - the protocol's name
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        del context
        self._collector.take_spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(  # noqa: N802 - the protocol's name
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, context: object
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        del context
        self._collector.take_metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@contextmanager
def grpc_collector(address: str = "127.0.0.1:0") -> Iterator[Collector]:
    """By gRPC; `address` may be `unix:/path`, which reaches into every network namespace."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(collector), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(collector), server)
    port = server.add_insecure_port(address)
    collector.endpoint = address if address.startswith("unix:") else f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


@contextmanager
def http_collector() -> Iterator[Collector]:
    """By HTTP, as protobuf."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.take_spans(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            else:
                assert self.path == "/v1/metrics"
                collector.take_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_tree(spans: Sequence[Span]) -> str:
    """One trace for people: children below their parents, by time; links by the span that they lead to."""
    known = {span.id: span for span in spans}
    first = min(span.began for span in spans)
    lines: list[str] = []

    def show(span: Span, depth: int) -> None:
        where = span.instance if span.service == "felixbgp" else span.service
        times = f"+{(span.began - first) / 1e6:.1f} ms, {(span.ended - span.began) / 1e6:.1f} ms long"
        shown = {
            name.removeprefix("felixbgp."): value
            for name, value in span.attributes.items()
            if name != "felixbgp.node"
        }
        facts = " ".join(f"{name}={value}" for name, value in shown.items())
        lines.append(f"{'   ' * depth}{span.name} [{where}] {times}  {facts}".rstrip())
        for _, target in span.links:
            other = known.get(target)
            text = f"{other.name} [{other.instance}]" if other is not None else "a span of another trace"
            lines.append(f"{'   ' * depth}   ┄▶ {text} {target}")
        for child in sorted((one for one in spans if one.parent == span.id), key=lambda one: one.began):
            show(child, depth + 1)

    for root in sorted((one for one in spans if one.parent not in known), key=lambda one: one.began):
        show(root, 0)
    return "\n".join(lines)
