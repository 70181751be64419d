"""What requests answer: values of our own, so that etcd's generated messages stop here."""

from typing import NamedTuple

from felixbgp._pb.etcd import kv_pb2, rpc_pb2


class KeyValue(NamedTuple):
    """A key as it is stored. Revisions are those of the whole store; `lease` is 0 for none."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int

    @property
    def text_key(self) -> str:
        """The key as text, see `text_of_key`."""
        return text_of_key(self.key)


class Listing(NamedTuple):
    """All keys of a range as of one revision, in order of their keys."""

    revision: int
    values: tuple[KeyValue, ...]


class PutResult(NamedTuple):
    """A write happened at `revision`; `previous` only when it was asked for."""

    revision: int
    previous: KeyValue | None


class DeleteResult(NamedTuple):
    """`deleted` keys went away at `revision`; `previous` only when it was asked for."""

    revision: int
    deleted: int
    previous: tuple[KeyValue, ...]


class TransactionResult(NamedTuple):
    """Which branch ran (`succeeded`: the compares held), and one result per operation of it, in order."""

    succeeded: bool
    revision: int
    results: "tuple[PutResult | Listing | DeleteResult | TransactionResult, ...]"


class MemberStatus(NamedTuple):
    """What one member says of itself. Sizes are bytes; `leader` is a member id, 0 for none."""

    endpoint: str
    version: str
    cluster_id: int
    member_id: int
    leader: int
    is_learner: bool
    revision: int
    raft_term: int
    raft_index: int
    database_bytes: int
    errors: tuple[str, ...]


class Lease(NamedTuple):
    """A lease and the seconds it lives without being kept alive."""

    id: int
    ttl_seconds: int


def text_of_key(key: bytes) -> str:
    """A key as text. Bytes that are no UTF-8 appear as escapes: printable, and equal to no valid name."""
    return key.decode("utf-8", "backslashreplace")


def to_bytes(text: str | bytes) -> bytes:
    """Keys and values may be given as text."""
    return text.encode() if isinstance(text, str) else text


def range_end_of(prefix: bytes) -> bytes:
    """The first key after all keys that begin with `prefix`; a zero byte means the end of the key space."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else b"\0"


def key_value_of(message: kv_pb2.KeyValue) -> KeyValue:
    """A `mvccpb.KeyValue`."""
    return KeyValue(
        message.key,
        message.value,
        message.create_revision,
        message.mod_revision,
        message.version,
        message.lease,
    )


def put_result_of(answer: rpc_pb2.PutResponse) -> PutResult:
    """A `PutResponse`."""
    previous = key_value_of(answer.prev_kv) if answer.HasField("prev_kv") else None
    return PutResult(answer.header.revision, previous)


def delete_result_of(answer: rpc_pb2.DeleteRangeResponse) -> DeleteResult:
    """A `DeleteRangeResponse`."""
    return DeleteResult(answer.header.revision, answer.deleted, tuple(map(key_value_of, answer.prev_kvs)))


def listing_of(answer: rpc_pb2.RangeResponse) -> Listing:
    """A `RangeResponse`."""
    return Listing(answer.header.revision, tuple(map(key_value_of, answer.kvs)))


def transaction_result_of(answer: rpc_pb2.TxnResponse) -> TransactionResult:
    """A `TxnResponse`. Raises `ValueError` for an operation we do not know."""
    return _transaction_result(answer, answer.header.revision)


def _transaction_result(answer: rpc_pb2.TxnResponse, revision: int) -> TransactionResult:
    """A transaction, or one inside another, which etcd answers without a header of its own."""
    results = tuple(_operation_result_of(each, revision) for each in answer.responses)
    return TransactionResult(answer.succeeded, revision, results)


def _operation_result_of(
    message: rpc_pb2.ResponseOp, revision: int
) -> PutResult | Listing | DeleteResult | TransactionResult:
    match message.WhichOneof("response"):
        case "response_put":
            return put_result_of(message.response_put)
        case "response_range":
            return listing_of(message.response_range)
        case "response_delete_range":
            return delete_result_of(message.response_delete_range)
        case "response_txn":
            return _transaction_result(message.response_txn, revision)
        case other:
            raise ValueError(f"an answer of a transaction of kind {other!r}")


def member_status_of(answer: rpc_pb2.StatusResponse, endpoint: str) -> MemberStatus:
    """A `StatusResponse`."""
    return MemberStatus(
        endpoint=endpoint,
        version=answer.version,
        cluster_id=answer.header.cluster_id,
        member_id=answer.header.member_id,
        leader=answer.leader,
        is_learner=answer.isLearner,
        revision=answer.header.revision,
        raft_term=answer.raftTerm,
        raft_index=answer.raftIndex,
        database_bytes=answer.dbSize,
        errors=tuple(answer.errors),
    )
