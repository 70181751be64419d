"""The vocabulary of transactions, which is etcd3's, and its translation into a request.

    from felixbgp.runtime.etcd.transactions import Put, Version
    await client.txn(compare=[Version("/a") == 0], success=[Put("/a", "1")], failure=[])

Importing this module imports etcd3 (and grpc, about 0.1 s), by way of `compat`.
"""

from collections.abc import Sequence
from typing import Any

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.runtime.etcd import compat
from felixbgp.runtime.etcd.values import to_bytes

_etcd3 = compat.load_etcd3("etcd3.transactions")

Value = _etcd3.Value
Version = _etcd3.Version
Create = _etcd3.Create
Mod = _etcd3.Mod
Put = _etcd3.Put
Get = _etcd3.Get
Delete = _etcd3.Delete
Txn = _etcd3.Txn


def transaction_request(
    compare: Sequence[Any], success: Sequence[Any], failure: Sequence[Any]
) -> rpc_pb2.TxnRequest:
    """A `TxnRequest` from etcd3's compares and operations.

    Raises `TypeError` for what is neither, `ValueError` for a compare without an operator.
    """
    return rpc_pb2.TxnRequest(
        compare=[_compare(each) for each in compare],
        success=[_operation(each) for each in success],
        failure=[_operation(each) for each in failure],
    )


def _compare(compare: Any) -> Any:
    if not isinstance(compare, _etcd3.BaseCompare):
        raise TypeError(f"{compare!r} is no compare: use Value, Version, Create or Mod and ==, !=, < or >")
    return compare.build_message()


def _operation(operation: Any) -> rpc_pb2.RequestOp:
    if isinstance(operation, Put):
        return rpc_pb2.RequestOp(
            request_put=rpc_pb2.PutRequest(
                key=to_bytes(operation.key),
                value=to_bytes(operation.value),
                # Our own Lease, etcd3's Lease and the plain number are all taken.
                lease=getattr(operation.lease, "id", operation.lease) or 0,
                prev_kv=operation.prev_kv,
            )
        )
    if isinstance(operation, Get):
        key, end = _range(operation)
        return rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=key, range_end=end))
    if isinstance(operation, Delete):
        key, end = _range(operation)
        return rpc_pb2.RequestOp(
            request_delete_range=rpc_pb2.DeleteRangeRequest(key=key, range_end=end, prev_kv=operation.prev_kv)
        )
    if isinstance(operation, Txn):
        nested = transaction_request(operation.compare, operation.success or (), operation.failure or ())
        return rpc_pb2.RequestOp(request_txn=nested)
    raise TypeError(f"{operation!r} is no operation: use Put, Get, Delete or Txn")


def _range(operation: Any) -> tuple[bytes, bytes]:
    end = b"" if operation.range_end is None else to_bytes(operation.range_end)
    return to_bytes(operation.key), end
