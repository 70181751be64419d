"""The documents' form in etcd: proto3 JSON by the schema in protos/felixbgp/v1/status.proto.

Encoding is deterministic, and readable as `etcdctl get` prints it: one line per peer and per problem.
Decoding is for readers of any version: unknown fields are ignored, and whatever else is wrong ends in
`DocumentError` with its reason.
"""

import json
from dataclasses import dataclass
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from felixbgp._pb.felixbgp.v1 import status_pb2
from felixbgp.bgp.config import PeerId
from felixbgp.intent.types import Problem
from felixbgp.net import IPV4, IPV6, Address, AddressError, Family, Prefix, PrefixError
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    NodeStatus,
    PeerStatus,
    RouteCounts,
    SpeakerStatus,
)

DOCUMENT_BYTES_MAX = 4 << 20
"""What is read at most: etcd takes requests of 1.5 MiB by default, some operators allow more."""
_MILLISECOND_NS = 1_000_000
_FAMILIES = {family.label: family for family in (IPV4, IPV6)}

_AnyMessage = TypeVar("_AnyMessage", bound=Message)


class DocumentError(ValueError):
    """A stored value that is no document of ours; the text names the field, if one is to blame, and why."""


@dataclass(frozen=True, slots=True)
class AgentAlive:
    """What stands under the leased key: one running agent. `started` is in nanoseconds since 1970."""

    version: str
    started: int
    pid: int = 0


def encode(status: NodeStatus, wall_offset_ns: int) -> bytes:
    """The status as JSON. `wall_offset_ns` turns its times into nanoseconds since 1970 (UTC)."""
    message = status_pb2.NodeStatus(
        node=_text(status.node),
        version=_text(status.version),
        datastore=status_pb2.Datastore(
            state=status.datastore.condition.value,
            since=_timestamp(status.datastore.since + wall_offset_ns),
            reason=_text(status.datastore.reason),
        ),
        speaker=None if status.speaker is None else _encode_speaker(status.speaker),
        peers=[_encode_peer(peer, wall_offset_ns) for peer in status.peers],
        blocks=[str(block) for block in status.blocks],
        routes=status_pb2.Routes(
            wanted=status.routes.wanted, installed=status.routes.installed, failed=status.routes.failed
        ),
        problems=[
            status_pb2.Problem(
                subject=_text(problem.subject), field=_text(problem.field), reason=_text(problem.reason)
            )
            for problem in status.problems
        ],
    )
    return _to_json(message)


def decode(value: bytes) -> NodeStatus:
    """Read a stored status; its times are nanoseconds since 1970. Raises `DocumentError`."""
    message = _from_json(value, status_pb2.NodeStatus())
    return NodeStatus(
        node=message.node,
        version=message.version,
        datastore=_decode_datastore(message.datastore),
        speaker=_decode_speaker(message.speaker) if message.HasField("speaker") else None,
        peers=tuple(_decode_peer(f"peers[{index}]", peer) for index, peer in enumerate(message.peers)),
        blocks=tuple(_prefix(f"blocks[{index}]", text) for index, text in enumerate(message.blocks)),
        routes=RouteCounts(message.routes.wanted, message.routes.installed, message.routes.failed),
        problems=tuple(Problem(entry.subject, entry.field, entry.reason) for entry in message.problems),
    )


def encode_alive(alive: AgentAlive) -> bytes:
    """The value of the leased key as JSON."""
    return _to_json(
        status_pb2.Alive(version=_text(alive.version), started=_timestamp(alive.started), pid=alive.pid)
    )


def decode_alive(value: bytes) -> AgentAlive:
    """Read the value of a leased key. Raises `DocumentError`."""
    message = _from_json(value, status_pb2.Alive())
    return AgentAlive(message.version, message.started.ToNanoseconds(), message.pid)


def to_object(status: NodeStatus) -> dict[str, object]:
    """The decoded status (times since 1970) as the JSON object that stands in etcd, for printing."""
    loaded: dict[str, object] = json.loads(encode(status, 0))
    return loaded


def alive_to_object(alive: AgentAlive) -> dict[str, object]:
    """The value of the leased key as the JSON object that it is, for printing."""
    loaded: dict[str, object] = json.loads(encode_alive(alive))
    return loaded


def _encode_speaker(speaker: SpeakerStatus) -> status_pb2.Speaker:
    return status_pb2.Speaker(
        identifier=str(speaker.identifier),
        as_number=speaker.as_number,
        listen=[str(address) for address in speaker.listen],
        listen_port=speaker.listen_port,
        cluster_id=None if speaker.cluster_id is None else str(speaker.cluster_id),
    )


def _encode_peer(peer: PeerStatus, wall_offset_ns: int) -> status_pb2.Peer:
    return status_pb2.Peer(
        address=str(peer.peer.address),
        port=peer.peer.port,
        name=_text(peer.name),
        scope=_text(peer.scope),
        resource=_text(peer.resource),
        families=[family.label for family in peer.families],
        local_as=peer.local_as,
        remote_as=peer.remote_as,
        state=_text(peer.state),
        since=_timestamp(peer.since + wall_offset_ns),
        last_error=None if peer.last_error is None else _text(peer.last_error),
        remote_identifier=None if peer.remote_identifier is None else str(peer.remote_identifier),
        hold_time=peer.hold_time_s,
        prefixes=status_pb2.Prefixes(
            received=peer.prefixes_received,
            accepted=peer.prefixes_accepted,
            advertised=peer.prefixes_advertised,
            stale=peer.prefixes_stale,
        ),
        warning=None if peer.warning is None else _text(peer.warning),
        malformed_updates=dict(peer.malformed_updates),
    )


def _decode_datastore(message: status_pb2.Datastore) -> DatastoreState:
    try:
        condition = DatastoreCondition(message.state)
    except ValueError as error:
        raise DocumentError(f"datastore.state: {message.state!r} is not known") from error
    return DatastoreState(condition, message.since.ToNanoseconds(), message.reason)


def _decode_speaker(message: status_pb2.Speaker) -> SpeakerStatus:
    return SpeakerStatus(
        identifier=_address("speaker.identifier", message.identifier),
        as_number=message.as_number,
        listen=tuple(_address("speaker.listen", text) for text in message.listen),
        listen_port=message.listen_port,
        cluster_id=(
            _address("speaker.clusterId", message.cluster_id) if message.HasField("cluster_id") else None
        ),
    )


def _decode_peer(path: str, message: status_pb2.Peer) -> PeerStatus:
    return PeerStatus(
        peer=PeerId(_address(f"{path}.address", message.address), message.port),
        name=message.name,
        scope=message.scope,
        resource=message.resource,
        families=tuple(_family(f"{path}.families", label) for label in message.families),
        local_as=message.local_as,
        remote_as=message.remote_as,
        state=message.state,
        since=message.since.ToNanoseconds(),
        last_error=message.last_error if message.HasField("last_error") else None,
        remote_identifier=(
            _address(f"{path}.remoteIdentifier", message.remote_identifier)
            if message.HasField("remote_identifier")
            else None
        ),
        hold_time_s=message.hold_time if message.HasField("hold_time") else None,
        prefixes_received=message.prefixes.received,
        prefixes_accepted=message.prefixes.accepted,
        prefixes_advertised=message.prefixes.advertised,
        prefixes_stale=message.prefixes.stale,
        warning=message.warning if message.HasField("warning") else None,
        malformed_updates=tuple(sorted(message.malformed_updates.items())),
    )


def _address(path: str, text: str) -> Address:
    try:
        return Address.parse(text)
    except AddressError as error:
        raise DocumentError(f"{path}: {error}") from error


def _prefix(path: str, text: str) -> Prefix:
    try:
        return Prefix.parse(text)
    except PrefixError as error:
        raise DocumentError(f"{path}: {error}") from error


def _family(path: str, label: str) -> Family:
    if label not in _FAMILIES:
        raise DocumentError(f"{path}: {label!r} is not a family known here")
    return _FAMILIES[label]


def _timestamp(wall_ns: int) -> Timestamp:
    """In whole milliseconds: finer says nothing to a reader and makes long lines."""
    timestamp = Timestamp()
    timestamp.FromNanoseconds(wall_ns - wall_ns % _MILLISECOND_NS)
    return timestamp


def _text(text: str) -> str:
    """The text with what UTF-8 cannot carry (lone surrogates) replaced; protobuf refuses it."""
    return text.encode(errors="replace").decode()


def _to_json(message: Message) -> bytes:
    tree = _in_schema_order(
        MessageToDict(message, always_print_fields_with_no_presence=True),
        cast("Descriptor", message.DESCRIPTOR),
    )
    fields = ",\n".join(f" {json.dumps(name)}: {_value_json(value)}" for name, value in tree.items())
    return f"{{\n{fields}\n}}\n".encode()


def _in_schema_order(tree: dict[str, object], descriptor: Descriptor) -> dict[str, object]:
    """The same object with its fields as the schema lists them; protobuf puts empty ones last."""
    ordered: dict[str, object] = {}
    for field in descriptor.fields:
        if field.json_name in tree:
            ordered[field.json_name] = _field_in_schema_order(tree[field.json_name], field.message_type)
    return ordered


def _field_in_schema_order(value: object, descriptor: Descriptor | None) -> object:
    if isinstance(value, dict) and descriptor is not None:
        if descriptor.GetOptions().map_entry:
            return dict(sorted(value.items()))
        return _in_schema_order(value, descriptor)
    if isinstance(value, list):
        return [_field_in_schema_order(entry, descriptor) for entry in value]
    return value


def _value_json(value: object) -> str:
    """One line, but for lists of objects: those get a line per object."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n  " + ",\n  ".join(_line(entry) for entry in value) + "\n ]"
    return _line(value)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _from_json(value: bytes, message: _AnyMessage) -> _AnyMessage:
    if len(value) > DOCUMENT_BYTES_MAX:
        raise DocumentError(f"{len(value)} bytes are more than a document may have")
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise DocumentError("not a JSON object")
    try:
        return ParseDict(tree, message, ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise DocumentError(str(error)) from error
