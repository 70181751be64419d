from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Alive(_message.Message):
    __slots__ = ("version", "started", "pid", "endpoint")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    version: str
    started: _timestamp_pb2.Timestamp
    pid: int
    endpoint: str
    def __init__(self, version: _Optional[str] = ..., started: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., pid: _Optional[int] = ..., endpoint: _Optional[str] = ...) -> None: ...

class NodeStatus(_message.Message):
    __slots__ = ("node", "version", "datastore", "speaker", "peers", "blocks", "routes", "problems", "audit", "longest_step", "drained", "causes")
    NODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATASTORE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    LONGEST_STEP_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    node: str
    version: str
    datastore: Datastore
    speaker: Speaker
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    blocks: _containers.RepeatedScalarFieldContainer[str]
    routes: Routes
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    audit: Audit
    longest_step: LongestStep
    drained: Drained
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    def __init__(self, node: _Optional[str] = ..., version: _Optional[str] = ..., datastore: _Optional[_Union[Datastore, _Mapping]] = ..., speaker: _Optional[_Union[Speaker, _Mapping]] = ..., peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ..., blocks: _Optional[_Iterable[str]] = ..., routes: _Optional[_Union[Routes, _Mapping]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., audit: _Optional[_Union[Audit, _Mapping]] = ..., longest_step: _Optional[_Union[LongestStep, _Mapping]] = ..., drained: _Optional[_Union[Drained, _Mapping]] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("cause", "text", "remedy")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    cause: str
    text: str
    remedy: str
    def __init__(self, cause: _Optional[str] = ..., text: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class Drained(_message.Message):
    __slots__ = ("id", "phase", "since", "origin", "blocks_in_use", "untold")
    ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_IN_USE_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_FIELD_NUMBER: _ClassVar[int]
    id: str
    phase: str
    since: _timestamp_pb2.Timestamp
    origin: str
    blocks_in_use: _containers.RepeatedScalarFieldContainer[str]
    untold: int
    def __init__(self, id: _Optional[str] = ..., phase: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., origin: _Optional[str] = ..., blocks_in_use: _Optional[_Iterable[str]] = ..., untold: _Optional[int] = ...) -> None: ...

class Datastore(_message.Message):
    __slots__ = ("state", "since", "reason", "recovered")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    state: str
    since: _timestamp_pb2.Timestamp
    reason: str
    recovered: Recovered
    def __init__(self, state: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., recovered: _Optional[_Union[Recovered, _Mapping]] = ...) -> None: ...

class Recovered(_message.Message):
    __slots__ = ("revision", "written")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    revision: int
    written: _timestamp_pb2.Timestamp
    def __init__(self, revision: _Optional[int] = ..., written: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Speaker(_message.Message):
    __slots__ = ("identifier", "as_number", "listen", "listen_port", "cluster_id")
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    AS_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    LISTEN_PORT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    as_number: int
    listen: _containers.RepeatedScalarFieldContainer[str]
    listen_port: int
    cluster_id: str
    def __init__(self, identifier: _Optional[str] = ..., as_number: _Optional[int] = ..., listen: _Optional[_Iterable[str]] = ..., listen_port: _Optional[int] = ..., cluster_id: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("address", "port", "name", "scope", "resource", "families", "local_as", "remote_as", "state", "since", "last_error", "remote_identifier", "hold_time", "prefixes", "warning", "malformed_updates", "draining", "cause")
    class MalformedUpdatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    LOCAL_AS_FIELD_NUMBER: _ClassVar[int]
    REMOTE_AS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    REMOTE_IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    HOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    MALFORMED_UPDATES_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    name: str
    scope: str
    resource: str
    families: _containers.RepeatedScalarFieldContainer[str]
    local_as: int
    remote_as: int
    state: str
    since: _timestamp_pb2.Timestamp
    last_error: str
    remote_identifier: str
    hold_time: int
    prefixes: Prefixes
    warning: str
    malformed_updates: _containers.ScalarMap[str, int]
    draining: Draining
    cause: str
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., name: _Optional[str] = ..., scope: _Optional[str] = ..., resource: _Optional[str] = ..., families: _Optional[_Iterable[str]] = ..., local_as: _Optional[int] = ..., remote_as: _Optional[int] = ..., state: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_error: _Optional[str] = ..., remote_identifier: _Optional[str] = ..., hold_time: _Optional[int] = ..., prefixes: _Optional[_Union[Prefixes, _Mapping]] = ..., warning: _Optional[str] = ..., malformed_updates: _Optional[_Mapping[str, int]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., cause: _Optional[str] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("since", "deadline", "drain", "unreplaced", "prefixes")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    UNREPLACED_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    deadline: _timestamp_pb2.Timestamp
    drain: str
    unreplaced: int
    prefixes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., deadline: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., drain: _Optional[str] = ..., unreplaced: _Optional[int] = ..., prefixes: _Optional[_Iterable[str]] = ...) -> None: ...

class Prefixes(_message.Message):
    __slots__ = ("received", "accepted", "advertised", "stale")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    received: int
    accepted: int
    advertised: int
    stale: int
    def __init__(self, received: _Optional[int] = ..., accepted: _Optional[int] = ..., advertised: _Optional[int] = ..., stale: _Optional[int] = ...) -> None: ...

class Routes(_message.Message):
    __slots__ = ("wanted", "installed", "failed")
    WANTED_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    wanted: int
    installed: int
    failed: int
    def __init__(self, wanted: _Optional[int] = ..., installed: _Optional[int] = ..., failed: _Optional[int] = ...) -> None: ...

class Audit(_message.Message):
    __slots__ = ("since", "compared", "differing", "healed", "last_healed")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    HEALED_FIELD_NUMBER: _ClassVar[int]
    LAST_HEALED_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    compared: int
    differing: int
    healed: int
    last_healed: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., compared: _Optional[int] = ..., differing: _Optional[int] = ..., healed: _Optional[int] = ..., last_healed: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LongestStep(_message.Message):
    __slots__ = ("ever_ms", "lately_ms", "ever_kind", "lately_kind")
    EVER_MS_FIELD_NUMBER: _ClassVar[int]
    LATELY_MS_FIELD_NUMBER: _ClassVar[int]
    EVER_KIND_FIELD_NUMBER: _ClassVar[int]
    LATELY_KIND_FIELD_NUMBER: _ClassVar[int]
    ever_ms: int
    lately_ms: int
    ever_kind: str
    lately_kind: str
    def __init__(self, ever_ms: _Optional[int] = ..., lately_ms: _Optional[int] = ..., ever_kind: _Optional[str] = ..., lately_kind: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("subject", "field", "reason")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject: str
    field: str
    reason: str
    def __init__(self, subject: _Optional[str] = ..., field: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
