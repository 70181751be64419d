"""A change that is over, as spans.

    felixbgp.write                   who wrote it; its parent is made up by everybody alike
    └─ felixbgp.change               one node; from etcd's event to the last that followed
       ├─ felixbgp.derive            until the intent was derived
       ├─ felixbgp.policy            until every peer had what it says
       ├─ bgp.update.send            to one peer: the first UPDATE to the last
       ├─ bgp.update.receive ┄┄┄▶    from one peer, linked to that peer's bgp.update.send
       └─ felixbgp.kernel            from the first write asked for to the last answer

Spans are made when all is known, with the times of then: what was going on costs nothing but its notes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from felixbgp.runtime import telemetry_ids
from felixbgp.runtime.telemetry_changes import Change, Ends, Stretch

Attributes = Mapping[str, str | int | bool | Sequence[str] | Sequence[int]]
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class SpanDoc(NamedTuple):
    """A span for docs/telemetry.md."""

    name: str
    text: str
    attributes: str


SPANS: Final = (
    SpanDoc(
        "felixbgp.write",
        "A write of a `felixbgp` command, from request to etcd's answer; the root of what follows from it",
        "`felixbgp.etcd.revision`, `felixbgp.etcd.keys`",
    ),
    SpanDoc(
        "felixbgp.change",
        "What one node made of a revision: from etcd's event until nothing followed any more",
        "`felixbgp.node`, `felixbgp.etcd.revision`, `felixbgp.etcd.keys`, `felixbgp.etcd.key_count`, "
        "`felixbgp.peers.changed`, `felixbgp.omitted`",
    ),
    SpanDoc(
        "felixbgp.routing",
        "The same where nobody wrote anything: peers, links or the kernel changed",
        "`felixbgp.node`, `felixbgp.omitted`",
    ),
    SpanDoc(
        "felixbgp.sync",
        "The same where the store told everything anew: at the start, after an outage",
        "`felixbgp.node`, `felixbgp.omitted`",
    ),
    SpanDoc("felixbgp.derive", "From etcd's event until the intent was derived from it", ""),
    SpanDoc(
        "felixbgp.policy",
        "Until every peer that it concerns had its new configuration and policies",
        "`felixbgp.peers.changed`",
    ),
    SpanDoc(
        "bgp.update.send",
        "UPDATEs to one peer, the first to the last; its identifier is known to the peer",
        "`network.local.address`, `network.peer.address`, `felixbgp.updates`",
    ),
    SpanDoc(
        "bgp.update.receive",
        "UPDATEs from one peer; linked to that peer's `bgp.update.send` of the same revision",
        "`network.local.address`, `network.peer.address`, `felixbgp.updates`",
    ),
    SpanDoc(
        "felixbgp.kernel",
        "From the first kernel write that was asked for to the kernel's last answer",
        "`felixbgp.kernel.writes`, `felixbgp.kernel.refused`",
    ),
)


class Identifiers(IdGenerator):
    """Gives the identifiers that the next span shall have, or random ones."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._trace: int | None = None
        self._span: int | None = None

    @contextmanager
    def chosen(self, trace: int, span: int) -> Iterator[None]:
        """The one span that is started within has these."""
        self._trace, self._span = trace, span
        yield
        self._trace = self._span = None

    def generate_trace_id(self) -> int:
        """See `IdGenerator`."""
        return self._random.generate_trace_id() if self._trace is None else self._trace

    def generate_span_id(self) -> int:
        """See `IdGenerator`."""
        return self._random.generate_span_id() if self._span is None else self._span


class SpanWriter:
    """Makes spans of changes. `wall_offset_ns` is what makes nanoseconds since 1970 of the agent's."""

    def __init__(self, tracer: Tracer, identifiers: Identifiers, node: str, wall_offset_ns: int) -> None:
        self._tracer = tracer
        self._identifiers = identifiers
        self._node = node
        self._offset = wall_offset_ns

    def write(self, change: Change) -> None:
        """All spans of one change."""
        earlier = [revision for revision in (*change.joined, change.before) if revision]
        with self._identifiers.chosen(change.trace_id, change.span_id):
            span = self._tracer.start_span(
                _name_of(change),
                write_context(change.cluster, change.revision) if change.revision else Context(),
                SpanKind.CONSUMER if change.revision else SpanKind.INTERNAL,
                _attributes_of(change, self._node),
                [Link(_of_write(change.cluster, revision)) for revision in earlier],
                self._offset + change.opened_at,
            )
        for at, peer, state in change.sessions:
            known: Attributes = {"felixbgp.peer": peer, "felixbgp.session.state": state}
            span.add_event("session", known, self._offset + at)
        if change.refused:
            span.set_status(Status(StatusCode.ERROR, "the kernel refused a route"))
        within = set_span_in_context(span, Context())
        self._write_stages(change, within)
        self._write_updates(change, within)
        span.end(self._offset + change.ended_at)

    def _write_stages(self, change: Change, within: Context) -> None:
        derived, in_force = change.derived_at, change.in_force_at
        if derived is not None:
            stretch = Stretch(change.heard_at, derived)
            self._stretch("felixbgp.derive", SpanKind.INTERNAL, within, stretch, {})
            if in_force is not None and change.peers is not None:
                known: Attributes = {"felixbgp.peers.changed": change.peers}
                self._stretch("felixbgp.policy", SpanKind.INTERNAL, within, Stretch(derived, in_force), known)
        if change.kernel is not None:
            counts: Attributes = {
                "felixbgp.kernel.writes": change.kernel.count,
                "felixbgp.kernel.refused": change.refused,
            }
            self._stretch("felixbgp.kernel", SpanKind.CLIENT, within, change.kernel, counts)

    def _write_updates(self, change: Change, within: Context) -> None:
        for ends, stretch in change.sent.items():
            known = _session(*ends, stretch)
            if not change.revision:
                self._stretch("bgp.update.send", SpanKind.PRODUCER, within, stretch, known)
                continue
            with self._identifiers.chosen(change.trace_id, _update_id(change, ends)):
                self._stretch("bgp.update.send", SpanKind.PRODUCER, within, stretch, known)
        for ends, stretch in change.received.items():
            sender, receiver = ends
            known = _session(receiver, sender, stretch)
            links = [Link(_remote(change.trace_id, _update_id(change, ends)))] if change.revision else []
            self._stretch("bgp.update.receive", SpanKind.CONSUMER, within, stretch, known, links=links)

    def _stretch(
        self,
        name: str,
        kind: SpanKind,
        within: Context,
        stretch: Stretch,
        attributes: Attributes,
        *,
        links: Sequence[Link] = (),
    ) -> None:
        began, ended = self._offset + stretch.began, self._offset + stretch.ended
        self._tracer.start_span(name, within, kind, attributes, links, began).end(ended)


def write_span(
    tracer: Tracer,
    identifiers: Identifiers,
    cluster: int,
    revision: int,
    keys: Sequence[str],
    *,
    times: tuple[int, int],
) -> None:
    """The span of a write of ours, which began and ended at these times since 1970 (nanoseconds)."""
    began, ended = times
    trace, span = telemetry_ids.trace_id(cluster, revision), telemetry_ids.write_id(cluster, revision)
    known: Attributes = {"felixbgp.etcd.revision": revision, "felixbgp.etcd.keys": keys}
    with identifiers.chosen(trace, span):
        made = tracer.start_span("felixbgp.write", Context(), SpanKind.PRODUCER, known, start_time=began)
    made.end(ended)


def write_context(cluster: int, revision: int) -> Context:
    """A context in which the span of whoever wrote this revision is the parent."""
    return set_span_in_context(NonRecordingSpan(_of_write(cluster, revision)), Context())


def _of_write(cluster: int, revision: int) -> SpanContext:
    trace = telemetry_ids.trace_id(cluster, revision)
    return _remote(trace, telemetry_ids.write_id(cluster, revision))


def _remote(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=True, trace_flags=SAMPLED)


def _update_id(change: Change, ends: Ends) -> int:
    return telemetry_ids.update_id(change.cluster, change.revision, *ends)


def _session(local: str, remote: str, stretch: Stretch) -> Attributes:
    return {
        "network.local.address": local,
        "network.peer.address": remote,
        "felixbgp.updates": stretch.count,
    }


def _name_of(change: Change) -> str:
    if change.revision:
        return "felixbgp.change"
    return "felixbgp.sync" if change.is_sync else "felixbgp.routing"


def _attributes_of(change: Change, node: str) -> Attributes:
    known: dict[str, str | int | bool | Sequence[str] | Sequence[int]] = {"felixbgp.node": node}
    if change.revision:
        known["felixbgp.etcd.revision"] = change.revision
        known["felixbgp.etcd.keys"] = change.keys
        known["felixbgp.etcd.key_count"] = change.keys_count
    if change.peers is not None:
        known["felixbgp.peers.changed"] = change.peers
    if change.omitted:
        known["felixbgp.omitted"] = change.omitted
    return known
