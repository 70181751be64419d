"""An etcd client for trio: gRPC over `h2`, without threads.

Takes `EtcdSettings`; gives requests with deadlines (`EtcdClient`), the contents of key prefixes as
`felixbgp.cluster.inputs` (`watch_prefixes`), and keys that live as long as we do (`LeasedKey`).
Every failure is an `EtcdError` whose kind says what a caller may do; nothing here retries for ever but
`watch_prefixes` and `LeasedKey.run`, and neither spins. Decides nothing about what the keys mean.

    client        requests with a deadline each; several endpoints, full-jitter backoff; users, tokens
    watch         pages at a pinned revision, then events; progress, `hasleader`, list again when compacted
    lease         confirm each third of the time to live; a key that is put again when its lease is lost
    transactions  etcd3's words for `EtcdClient.txn`, on any protobuf (`compat`)
    settings      endpoints, certificates, patience, limits of memory
    dial          TCP and TLS
    channel       an HTTP/2 connection with PING and windows; `call`: one gRPC call on it; `framing`: bytes
"""

from felixbgp.runtime.etcd.client import EtcdClient, Stream, open_client
from felixbgp.runtime.etcd.errors import (
    Compacted,
    DeadlineExceeded,
    EtcdError,
    LeaseLost,
    LeaseNotFound,
    MessageTooLarge,
    PermissionDenied,
    ProtocolError,
    RequestRefused,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from felixbgp.runtime.etcd.lease import LeasedKey, keep_alive
from felixbgp.runtime.etcd.settings import Endpoint, EtcdSettings, SettingsError, parse_endpoints
from felixbgp.runtime.etcd.values import (
    DeleteResult,
    KeyValue,
    Lease,
    Listing,
    MemberStatus,
    PutResult,
    TransactionResult,
)
from felixbgp.runtime.etcd.watch import Batch, watch_prefixes

__all__ = [
    "Batch",
    "Compacted",
    "DeadlineExceeded",
    "DeleteResult",
    "Endpoint",
    "EtcdClient",
    "EtcdError",
    "EtcdSettings",
    "KeyValue",
    "Lease",
    "LeaseLost",
    "LeaseNotFound",
    "LeasedKey",
    "Listing",
    "MemberStatus",
    "MessageTooLarge",
    "PermissionDenied",
    "ProtocolError",
    "PutResult",
    "RequestRefused",
    "ResourceExhausted",
    "SettingsError",
    "Stream",
    "TransactionResult",
    "Unauthenticated",
    "Unavailable",
    "keep_alive",
    "open_client",
    "parse_endpoints",
    "watch_prefixes",
]
