"""Keys, ranges, and what transactions answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp._pb.etcd import kv_pb2, rpc_pb2
from felixbgp.runtime.etcd import DeleteResult, Listing, PutResult, TransactionResult
from felixbgp.runtime.etcd.values import range_end_of, text_of_key, transaction_result_of

octets = st.sampled_from([0, 1, 0xFE, 0xFF])
keys = st.lists(octets, max_size=4).map(bytes)


@given(keys, keys)
def test_range_holds_exactly_the_keys_with_the_prefix(prefix: bytes, key: bytes) -> None:
    """etcd takes an end of one zero byte for the end of the key space, and has no empty key."""
    end = range_end_of(prefix)
    is_inside = key >= prefix and (end == b"\0" or key < end)
    assert is_inside == key.startswith(prefix)


def test_key_that_is_no_text_is_shown_escaped() -> None:
    assert text_of_key(b"/a/\xff\xc3\xa9") == "/a/\\xffé"


def test_results_of_a_transaction_in_order() -> None:
    stored = kv_pb2.KeyValue(key=b"/a", value=b"1", mod_revision=3)
    answer = rpc_pb2.TxnResponse(
        header=rpc_pb2.ResponseHeader(revision=9),
        succeeded=True,
        responses=[
            rpc_pb2.ResponseOp(response_put=rpc_pb2.PutResponse(header=rpc_pb2.ResponseHeader(revision=9))),
            rpc_pb2.ResponseOp(response_range=rpc_pb2.RangeResponse(kvs=[stored])),
            rpc_pb2.ResponseOp(response_delete_range=rpc_pb2.DeleteRangeResponse(deleted=2)),
            rpc_pb2.ResponseOp(response_txn=rpc_pb2.TxnResponse()),
        ],
    )
    result = transaction_result_of(answer)
    put, listing, deleted, nested = result.results
    assert put == PutResult(9, None)
    assert isinstance(listing, Listing)
    assert listing.values[0].text_key == "/a"
    assert deleted == DeleteResult(0, 2, ())
    assert nested == TransactionResult(succeeded=False, revision=9, results=())


def test_result_of_a_kind_we_do_not_know() -> None:
    with pytest.raises(ValueError, match="of kind None"):
        transaction_result_of(rpc_pb2.TxnResponse(responses=[rpc_pb2.ResponseOp()]))
