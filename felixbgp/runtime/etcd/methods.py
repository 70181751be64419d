"""The methods of etcd's API that we call."""

from typing import Any, Final, NamedTuple

from felixbgp._pb.etcd import rpc_pb2


class Method(NamedTuple):
    """A gRPC path, the type of its answers, and whether doing it twice is the same as doing it once."""

    path: str
    answer: Any
    is_repeatable: bool


RANGE: Final = Method("/etcdserverpb.KV/Range", rpc_pb2.RangeResponse, is_repeatable=True)
PUT: Final = Method("/etcdserverpb.KV/Put", rpc_pb2.PutResponse, is_repeatable=False)
DELETE_RANGE: Final = Method("/etcdserverpb.KV/DeleteRange", rpc_pb2.DeleteRangeResponse, is_repeatable=False)
TXN: Final = Method("/etcdserverpb.KV/Txn", rpc_pb2.TxnResponse, is_repeatable=False)
COMPACT: Final = Method("/etcdserverpb.KV/Compact", rpc_pb2.CompactionResponse, is_repeatable=False)
WATCH: Final = Method("/etcdserverpb.Watch/Watch", rpc_pb2.WatchResponse, is_repeatable=True)
LEASE_GRANT: Final = Method("/etcdserverpb.Lease/LeaseGrant", rpc_pb2.LeaseGrantResponse, is_repeatable=True)
LEASE_REVOKE: Final = Method(
    "/etcdserverpb.Lease/LeaseRevoke", rpc_pb2.LeaseRevokeResponse, is_repeatable=True
)
LEASE_KEEP_ALIVE: Final = Method(
    "/etcdserverpb.Lease/LeaseKeepAlive", rpc_pb2.LeaseKeepAliveResponse, is_repeatable=True
)
STATUS: Final = Method("/etcdserverpb.Maintenance/Status", rpc_pb2.StatusResponse, is_repeatable=True)
AUTHENTICATE: Final = Method(
    "/etcdserverpb.Auth/Authenticate", rpc_pb2.AuthenticateResponse, is_repeatable=True
)
