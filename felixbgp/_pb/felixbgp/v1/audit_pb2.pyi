from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditRequest(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: str
    def __init__(self, origin: _Optional[str] = ...) -> None: ...

class AuditAnswer(_message.Message):
    __slots__ = ("requests", "node", "version", "began", "ended", "totals", "compared", "differing", "healed", "differences", "repaired", "repairs", "failure")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BEGAN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    HEALED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    REPAIRS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedScalarFieldContainer[str]
    node: str
    version: str
    began: _timestamp_pb2.Timestamp
    ended: _timestamp_pb2.Timestamp
    totals: AuditTotals
    compared: int
    differing: int
    healed: int
    differences: _containers.RepeatedCompositeFieldContainer[AuditDifference]
    repaired: _containers.RepeatedCompositeFieldContainer[AuditRepair]
    repairs: int
    failure: str
    def __init__(self, requests: _Optional[_Iterable[str]] = ..., node: _Optional[str] = ..., version: _Optional[str] = ..., began: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., ended: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., totals: _Optional[_Union[AuditTotals, _Mapping]] = ..., compared: _Optional[int] = ..., differing: _Optional[int] = ..., healed: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[AuditDifference, _Mapping]]] = ..., repaired: _Optional[_Iterable[_Union[AuditRepair, _Mapping]]] = ..., repairs: _Optional[int] = ..., failure: _Optional[str] = ...) -> None: ...

class AuditTotals(_message.Message):
    __slots__ = ("originated", "selected", "wanted", "installed", "foreign")
    ORIGINATED_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    FOREIGN_FIELD_NUMBER: _ClassVar[int]
    originated: int
    selected: int
    wanted: int
    installed: int
    foreign: int
    def __init__(self, originated: _Optional[int] = ..., selected: _Optional[int] = ..., wanted: _Optional[int] = ..., installed: _Optional[int] = ..., foreign: _Optional[int] = ...) -> None: ...

class AuditDifference(_message.Message):
    __slots__ = ("prefix", "kind", "intent", "loc_rib", "wanted", "kernel", "outcome", "reason")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    LOC_RIB_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    kind: str
    intent: str
    loc_rib: str
    wanted: str
    kernel: str
    outcome: str
    reason: str
    def __init__(self, prefix: _Optional[str] = ..., kind: _Optional[str] = ..., intent: _Optional[str] = ..., loc_rib: _Optional[str] = ..., wanted: _Optional[str] = ..., kernel: _Optional[str] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AuditRepair(_message.Message):
    __slots__ = ("prefix", "time", "found", "wanted")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    time: _timestamp_pb2.Timestamp
    found: str
    wanted: str
    def __init__(self, prefix: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., found: _Optional[str] = ..., wanted: _Optional[str] = ...) -> None: ...
