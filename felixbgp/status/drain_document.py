"""A drain in etcd: proto3 JSON by protos/felixbgp/v1/drain.proto. Agents read it in `cluster/drains.py`."""

from felixbgp._pb.felixbgp.v1 import drain_pb2
from felixbgp.cluster.drains import ORIGIN_MAX, Drain
from felixbgp.status.proto_json import text_of, timestamp_of, to_json


def encode(drain: Drain) -> bytes:
    """The value of a drain's key, in whole milliseconds."""
    return to_json(
        drain_pb2.Drain(
            id=text_of(drain.id),
            phase=drain.phase.value,
            since=timestamp_of(drain.since),
            origin=text_of(drain.origin)[:ORIGIN_MAX],
        )
    )
