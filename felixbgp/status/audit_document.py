"""Requests for an audit and their answers in etcd: proto3 JSON by protos/felixbgp/v1/audit.proto."""

import json
from dataclasses import asdict

from felixbgp._pb.felixbgp.v1 import audit_pb2
from felixbgp.status.audit import AuditAnswer, Difference, Kind, Outcome, Repair, Totals, Views
from felixbgp.status.proto_json import DocumentError, from_json, prefix_of, text_of, timestamp_of, to_json

REQUEST_BYTES_MAX = 1024
"""A name is in it; more is a mistake or an attack."""
ORIGIN_MAX = 200
"""Characters; it goes into the log."""


def encode_request(origin: str) -> bytes:
    """The value of a request's key: who asks."""
    return to_json(audit_pb2.AuditRequest(origin=text_of(origin)[:ORIGIN_MAX]))


def decode_request(value: bytes) -> str:
    """Who asks. Raises `DocumentError`."""
    if len(value) > REQUEST_BYTES_MAX:
        raise DocumentError(f"{len(value)} bytes are more than a request may have")
    return from_json(value, audit_pb2.AuditRequest()).origin[:ORIGIN_MAX]


def encode(answer: AuditAnswer, wall_offset_ns: int) -> bytes:
    """The answer as JSON. `wall_offset_ns` turns its times into nanoseconds since 1970 (UTC)."""
    message = audit_pb2.AuditAnswer(
        requests=answer.requests,
        node=text_of(answer.node),
        version=text_of(answer.version),
        began=timestamp_of(answer.began + wall_offset_ns),
        ended=timestamp_of(answer.ended + wall_offset_ns),
        totals=audit_pb2.AuditTotals(**asdict(answer.totals)),
        compared=answer.compared,
        differing=answer.differing,
        healed=answer.healed,
        differences=map(_encode_difference, answer.differences),
        repaired=[_encode_repair(repair, wall_offset_ns) for repair in answer.repaired],
        repairs=answer.repairs,
        failure=text_of(answer.failure),
    )
    return to_json(message)


def decode(value: bytes) -> AuditAnswer:
    """Read a stored answer; its times are nanoseconds since 1970. Raises `DocumentError`."""
    message = from_json(value, audit_pb2.AuditAnswer())
    totals = message.totals
    return AuditAnswer(
        requests=tuple(message.requests),
        node=message.node,
        version=message.version,
        began=message.began.ToNanoseconds(),
        ended=message.ended.ToNanoseconds(),
        totals=Totals(totals.originated, totals.selected, totals.wanted, totals.installed, totals.foreign),
        compared=message.compared,
        differing=message.differing,
        healed=message.healed,
        differences=tuple(
            _decode_difference(f"differences[{index}]", entry)
            for index, entry in enumerate(message.differences)
        ),
        repaired=tuple(
            Repair(
                prefix_of(f"repaired[{index}].prefix", entry.prefix),
                entry.time.ToNanoseconds(),
                entry.found,
                entry.wanted,
            )
            for index, entry in enumerate(message.repaired)
        ),
        repairs=message.repairs,
        failure=message.failure,
    )


def to_object(answer: AuditAnswer) -> dict[str, object]:
    """The decoded answer (times since 1970) as the JSON object that stands in etcd, for printing."""
    loaded: dict[str, object] = json.loads(encode(answer, 0))
    return loaded


def _encode_difference(difference: Difference) -> audit_pb2.AuditDifference:
    views = difference.views
    return audit_pb2.AuditDifference(
        prefix=str(difference.prefix),
        kind=difference.kind.value,
        intent=text_of(views.intent),
        loc_rib=text_of(views.loc_rib),
        wanted=text_of(views.wanted),
        kernel=text_of(views.kernel),
        outcome=difference.outcome.value,
        reason=text_of(difference.reason),
    )


def _encode_repair(repair: Repair, wall_offset_ns: int) -> audit_pb2.AuditRepair:
    return audit_pb2.AuditRepair(
        prefix=str(repair.prefix),
        time=timestamp_of(repair.time + wall_offset_ns),
        found=text_of(repair.found),
        wanted=text_of(repair.wanted),
    )


def _decode_difference(path: str, message: audit_pb2.AuditDifference) -> Difference:
    try:
        kind = Kind(message.kind)
    except ValueError as error:
        raise DocumentError(f"{path}.kind: {message.kind!r} is not known") from error
    try:
        outcome = Outcome(message.outcome)
    except ValueError as error:
        raise DocumentError(f"{path}.outcome: {message.outcome!r} is not known") from error
    views = Views(message.intent, message.loc_rib, message.wanted, message.kernel)
    return Difference(prefix_of(f"{path}.prefix", message.prefix), kind, views, outcome, message.reason)
