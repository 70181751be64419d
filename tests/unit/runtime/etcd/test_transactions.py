"""etcd3's words for transactions, and the request they become."""

from typing import Any

import pytest

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.runtime.etcd import Lease, compat
from felixbgp.runtime.etcd.transactions import (
    Create,
    Delete,
    Get,
    Mod,
    Put,
    Txn,
    Value,
    Version,
    transaction_request,
)

Compare = rpc_pb2.Compare


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        (
            Version("/a") == 2,
            Compare(key=b"/a", target=Compare.VERSION, result=Compare.EQUAL, version=2),
        ),
        (
            Create("/a") > 3,
            Compare(key=b"/a", target=Compare.CREATE, result=Compare.GREATER, create_revision=3),
        ),
        (
            Mod("/a") != 4,
            Compare(key=b"/a", target=Compare.MOD, result=Compare.NOT_EQUAL, mod_revision=4),
        ),
        (
            Value("/a", "/b") < "x",
            Compare(key=b"/a", range_end=b"/b", target=Compare.VALUE, result=Compare.LESS, value=b"x"),
        ),
    ],
)
def test_compare(compare: Any, message: Any) -> None:
    assert list(transaction_request([compare], [], []).compare) == [message]


@pytest.mark.parametrize("lease", [Lease(5, 10), 5])
def test_operations_in_order(lease: Any) -> None:
    request = transaction_request(
        [],
        [Put("/a", "1", lease=lease, prev_kv=True), Get("/b"), Delete("/c", "/d", prev_kv=True)],
        [Txn([Version("/a") == 0], [Put(b"\xff", b"\x00")], None)],
    )
    put, get, delete = request.success
    assert put.request_put == rpc_pb2.PutRequest(key=b"/a", value=b"1", lease=5, prev_kv=True)
    assert get.request_range == rpc_pb2.RangeRequest(key=b"/b")
    assert delete.request_delete_range == rpc_pb2.DeleteRangeRequest(key=b"/c", range_end=b"/d", prev_kv=True)
    nested = request.failure[0].request_txn
    assert nested.compare[0].target == Compare.VERSION
    assert nested.success[0].request_put == rpc_pb2.PutRequest(key=b"\xff", value=b"\x00")
    assert not nested.failure


@pytest.mark.parametrize(
    ("compare", "success", "text"),
    [([True], [], "no compare"), ([], ["/a"], "no operation")],
)
def test_what_is_neither_is_refused(compare: list[Any], success: list[Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        transaction_request(compare, success, [])


def test_compare_without_an_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="op must be one of"):
        transaction_request([Version("/a")], [], [])


def test_etcd3_is_loaded_with_our_messages() -> None:
    etcd3 = compat.load_etcd3("etcd3.etcdrpc")
    assert etcd3.PutRequest is rpc_pb2.PutRequest
