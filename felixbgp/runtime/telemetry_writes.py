"""A command's writes as spans: the roots of what the agents tell of the same revisions.

A command is told by OpenTelemetry's own variables whether to, OTEL_EXPORTER_OTLP_ENDPOINT above all.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time_ns
from typing import Final

import trio

from felixbgp.runtime.settings import OTLP_ENDPOINT, Sources, telemetry_from
from felixbgp.runtime.settings_file import SettingsError

NAMES_MAX: Final = 16
SHUTDOWN_SECONDS: Final = 10.0
"""How long a command waits for its collector when all is written: as long as an exporter does by default."""
Told = Callable[[int, int, Sequence[str], int], None]
"""Of a write: the cluster, the revision, the keys, and when it began in nanoseconds since 1970."""


@asynccontextmanager
async def writes_told(
    environ: Mapping[str, str], complain: Callable[[str], None]
) -> AsyncIterator[Told | None]:
    """What is to be called with each write; None where nobody asks for it.

    No write fails for want of a collector: `complain` is called with why there are no traces.
    """
    if not environ.get(OTLP_ENDPOINT.variable):
        yield None
        return
    try:
        # Loaded late: most commands are typed without a collector.
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        from felixbgp.runtime.telemetry_export import otlp_exporters  # noqa: PLC0415
        from felixbgp.runtime.telemetry_spans import Identifiers, write_span  # noqa: PLC0415

        exporter, _ = otlp_exporters(telemetry_from(Sources({}, environ, {}, Path())))
    except SettingsError as error:
        complain(f"no traces: {error}")
        yield None
        return
    identifiers = Identifiers()
    resource = Resource.create({"service.name": "felixbgp-command"})
    provider = TracerProvider(resource=resource, id_generator=identifiers, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("felixbgp")

    def told(cluster: int, revision: int, keys: Sequence[str], began: int) -> None:
        write_span(tracer, identifiers, cluster, revision, keys[:NAMES_MAX], times=(began, time_ns()))

    try:
        yield told
    finally:
        with trio.move_on_after(SHUTDOWN_SECONDS) as scope:
            scope.shield = True
            await trio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)
