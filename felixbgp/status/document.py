"""The documents' form in etcd: proto3 JSON by the schema in protos/felixbgp/v1/status.proto.

One line per peer and per problem. Decoding is for readers of any version: unknown fields are ignored, and
whatever else is wrong ends in `DocumentError` with its reason.
"""

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass

from felixbgp._pb.felixbgp.v1 import status_pb2
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.intent.types import Problem
from felixbgp.net import IPV4, IPV6, Address, AddressError, Family, Prefix
from felixbgp.status.audit import AuditStatus
from felixbgp.status.cause import EXPLANATIONS
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    LongestStep,
    NodeStatus,
    PeerDraining,
    PeerStatus,
    Recovered,
    RouteCounts,
    SpeakerStatus,
)
from felixbgp.status.proto_json import (
    DocumentError,
    from_json,
    line_of,
    prefix_of,
    text_of,
    timestamp_of,
    to_json,
)

_FAMILIES = {family.label: family for family in (IPV4, IPV6)}
_CAUSES = {cause.value: cause for cause in Cause}


@dataclass(frozen=True, slots=True)
class AgentAlive:
    """What stands under the leased key: one running agent. `started` is in nanoseconds since 1970."""

    version: str
    started: int
    pid: int = 0
    endpoint: str = ""
    """Where it answers to who has a certificate, address and port; "" for nowhere."""


class Encoder:
    """Makes one node's documents, each with the lines of the last one for peers that are as they were.

    A line costs 40 µs; with 1,000 peers that is 40 ms, and mostly one of them has changed. `wall_offset_ns`
    turns times into nanoseconds since 1970 (UTC).
    """

    def __init__(self, wall_offset_ns: int) -> None:
        self._wall_offset_ns = wall_offset_ns
        self._lines: dict[PeerId, tuple[PeerStatus, str]] = {}

    def prepare(self, peers: Iterable[PeerStatus]) -> None:
        """Make lines ahead of `encode`, so that whoever has something else to do can do it in between."""
        for peer in peers:
            self._line(peer)

    def encode(self, status: NodeStatus) -> bytes:
        """The status as JSON."""
        lines = [self._line(peer) for peer in status.peers]
        if len(self._lines) > len(lines):
            self._lines = {peer.peer: self._lines[peer.peer] for peer in status.peers}
        return to_json(_without_peers(status, self._wall_offset_ns), {"peers": lines})

    def _line(self, peer: PeerStatus) -> str:
        known = self._lines.get(peer.peer)
        if known is not None and known[0] == peer:
            return known[1]
        line = line_of(_encode_peer(peer, self._wall_offset_ns))
        self._lines[peer.peer] = peer, line
        return line


def encode(status: NodeStatus, wall_offset_ns: int) -> bytes:
    """The status as JSON. `wall_offset_ns` turns its times into nanoseconds since 1970 (UTC)."""
    return Encoder(wall_offset_ns).encode(status)


def _without_peers(status: NodeStatus, wall_offset_ns: int) -> status_pb2.NodeStatus:
    return status_pb2.NodeStatus(
        node=text_of(status.node),
        version=text_of(status.version),
        datastore=_encode_datastore(status.datastore, wall_offset_ns),
        speaker=None if status.speaker is None else _encode_speaker(status.speaker),
        blocks=[str(block) for block in status.blocks],
        routes=None if status.routes is None else _encode_routes(status.routes),
        problems=[
            status_pb2.Problem(
                subject=text_of(problem.subject), field=text_of(problem.field), reason=text_of(problem.reason)
            )
            for problem in status.problems
        ],
        audit=None if status.audit is None else _encode_audit(status.audit, wall_offset_ns),
        longest_step=None if status.longest_step is None else _encode_step(status.longest_step),
        drained=None if status.drained is None else _encode_drained(status.drained),
        causes=_explained({peer.cause for peer in status.peers}),
    )


def _explained(causes: Container[Cause | None]) -> list[status_pb2.Cause]:
    """What these mean, once for all peers: each has two lines."""
    return [
        status_pb2.Cause(cause=cause.value, text=EXPLANATIONS[cause].text, remedy=EXPLANATIONS[cause].remedy)
        for cause in Cause
        if cause in causes
    ]


def decode(value: bytes) -> NodeStatus:
    """Read a stored status; its times are nanoseconds since 1970. Raises `DocumentError`."""
    message = from_json(value, status_pb2.NodeStatus())
    return NodeStatus(
        node=message.node,
        version=message.version,
        datastore=_decode_datastore(message.datastore),
        speaker=_decode_speaker(message.speaker) if message.HasField("speaker") else None,
        peers=tuple(_decode_peer(f"peers[{index}]", peer) for index, peer in enumerate(message.peers)),
        blocks=_prefixes("blocks", message.blocks),
        routes=_decode_routes(message.routes) if message.HasField("routes") else None,
        problems=tuple(Problem(entry.subject, entry.field, entry.reason) for entry in message.problems),
        audit=_decode_audit(message.audit) if message.HasField("audit") else None,
        longest_step=_decode_step(message.longest_step) if message.HasField("longest_step") else None,
        drained=_decode_drained(message.drained) if message.HasField("drained") else None,
    )


def encode_alive(alive: AgentAlive) -> bytes:
    """The value of the leased key as JSON."""
    return to_json(
        status_pb2.Alive(
            version=text_of(alive.version),
            started=timestamp_of(alive.started),
            pid=alive.pid,
            endpoint=text_of(alive.endpoint),
        )
    )


def decode_alive(value: bytes) -> AgentAlive:
    """Read the value of a leased key. Raises `DocumentError`."""
    message = from_json(value, status_pb2.Alive())
    return AgentAlive(message.version, message.started.ToNanoseconds(), message.pid, message.endpoint)


def to_object(status: NodeStatus) -> dict[str, object]:
    """The decoded status (times since 1970) as the JSON object that stands in etcd, for printing."""
    loaded: dict[str, object] = json.loads(encode(status, 0))
    return loaded


def alive_to_object(alive: AgentAlive) -> dict[str, object]:
    """The value of the leased key as the JSON object that it is, for printing."""
    loaded: dict[str, object] = json.loads(encode_alive(alive))
    return loaded


def _encode_datastore(state: DatastoreState, wall_offset_ns: int) -> status_pb2.Datastore:
    recovered = state.recovered
    return status_pb2.Datastore(
        state=state.condition.value,
        since=timestamp_of(state.since + wall_offset_ns),
        reason=text_of(state.reason),
        recovered=None
        if recovered is None
        else status_pb2.Recovered(
            revision=recovered.revision, written=timestamp_of(recovered.written_at + wall_offset_ns)
        ),
    )


def _encode_speaker(speaker: SpeakerStatus) -> status_pb2.Speaker:
    return status_pb2.Speaker(
        identifier=str(speaker.identifier),
        as_number=speaker.as_number,
        listen=[str(address) for address in speaker.listen],
        listen_port=speaker.listen_port,
        cluster_id=None if speaker.cluster_id is None else str(speaker.cluster_id),
    )


def _encode_routes(routes: RouteCounts) -> status_pb2.Routes:
    return status_pb2.Routes(wanted=routes.wanted, installed=routes.installed, failed=routes.failed)


def _encode_step(step: LongestStep) -> status_pb2.LongestStep:
    return status_pb2.LongestStep(
        ever_ms=step.ever_ms,
        lately_ms=step.lately_ms,
        ever_kind=text_of(step.ever_kind),
        lately_kind=text_of(step.lately_kind),
    )


def _decode_step(message: status_pb2.LongestStep) -> LongestStep:
    return LongestStep(message.ever_ms, message.lately_ms, message.ever_kind, message.lately_kind)


def _encode_drained(drained: Drained) -> status_pb2.Drained:
    return status_pb2.Drained(
        id=text_of(drained.id),
        phase=text_of(drained.phase),
        since=timestamp_of(drained.since),
        origin=text_of(drained.origin),
        blocks_in_use=[str(block) for block in drained.blocks_in_use],
        untold=drained.untold,
    )


def _decode_drained(message: status_pb2.Drained) -> Drained:
    return Drained(
        id=message.id,
        phase=message.phase,
        since=message.since.ToNanoseconds(),
        origin=message.origin,
        blocks_in_use=_prefixes("drained.blocksInUse", message.blocks_in_use),
        untold=message.untold,
    )


def _encode_draining(draining: PeerDraining, wall_offset_ns: int) -> status_pb2.Draining:
    deadline = draining.deadline
    return status_pb2.Draining(
        since=timestamp_of(draining.since + wall_offset_ns),
        deadline=None if deadline is None else timestamp_of(deadline + wall_offset_ns),
        drain=text_of(draining.drain),
        unreplaced=draining.unreplaced,
        prefixes=[str(prefix) for prefix in draining.prefixes],
    )


def _decode_draining(path: str, message: status_pb2.Draining) -> PeerDraining:
    return PeerDraining(
        since=message.since.ToNanoseconds(),
        deadline=message.deadline.ToNanoseconds() if message.HasField("deadline") else None,
        drain=message.drain,
        unreplaced=message.unreplaced,
        prefixes=_prefixes(f"{path}.prefixes", message.prefixes),
    )


def _prefixes(path: str, texts: Iterable[str]) -> tuple[Prefix, ...]:
    return tuple(prefix_of(f"{path}[{index}]", text) for index, text in enumerate(texts))


def _encode_peer(peer: PeerStatus, wall_offset_ns: int) -> status_pb2.Peer:
    return status_pb2.Peer(
        address=str(peer.peer.address),
        port=peer.peer.port,
        name=text_of(peer.name),
        scope=text_of(peer.scope),
        resource=text_of(peer.resource),
        families=[family.label for family in peer.families],
        local_as=peer.local_as,
        remote_as=peer.remote_as,
        state=text_of(peer.state),
        since=timestamp_of(peer.since + wall_offset_ns),
        last_error=None if peer.last_error is None else text_of(peer.last_error),
        remote_identifier=None if peer.remote_identifier is None else str(peer.remote_identifier),
        hold_time=peer.hold_time_s,
        prefixes=status_pb2.Prefixes(
            received=peer.prefixes_received,
            accepted=peer.prefixes_accepted,
            advertised=peer.prefixes_advertised,
            stale=peer.prefixes_stale,
        ),
        warning=None if peer.warning is None else text_of(peer.warning),
        malformed_updates=dict(peer.malformed_updates),
        draining=None if peer.draining is None else _encode_draining(peer.draining, wall_offset_ns),
        cause=None if peer.cause is None else peer.cause.value,
    )


def _encode_audit(audit: AuditStatus, wall_offset_ns: int) -> status_pb2.Audit:
    healed_at = timestamp_of(audit.last_healed + wall_offset_ns) if audit.healed else None
    return status_pb2.Audit(
        since=timestamp_of(audit.since + wall_offset_ns),
        compared=audit.compared,
        differing=audit.differing,
        healed=audit.healed,
        last_healed=healed_at,
    )


def _decode_audit(message: status_pb2.Audit) -> AuditStatus:
    return AuditStatus(
        since=message.since.ToNanoseconds(),
        compared=message.compared,
        differing=message.differing,
        healed=message.healed,
        last_healed=message.last_healed.ToNanoseconds(),
    )


def _decode_datastore(message: status_pb2.Datastore) -> DatastoreState:
    try:
        condition = DatastoreCondition(message.state)
    except ValueError as error:
        raise DocumentError(f"datastore.state: {message.state!r} is not known") from error
    recovered: Recovered | None = None
    if message.HasField("recovered"):
        recovered = Recovered(message.recovered.revision, message.recovered.written.ToNanoseconds())
    return DatastoreState(condition, message.since.ToNanoseconds(), message.reason, recovered)


def _decode_routes(message: status_pb2.Routes) -> RouteCounts:
    return RouteCounts(message.wanted, message.installed, message.failed)


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
        draining=(
            _decode_draining(f"{path}.draining", message.draining) if message.HasField("draining") else None
        ),
        cause=_CAUSES.get(message.cause),
    )


def _address(path: str, text: str) -> Address:
    try:
        return Address.parse(text)
    except AddressError as error:
        raise DocumentError(f"{path}: {error}") from error


def _family(path: str, label: str) -> Family:
    if label not in _FAMILIES:
        raise DocumentError(f"{path}: {label!r} is not a family known here")
    return _FAMILIES[label]
