"""Which kind of error an answer of etcd becomes."""

import pytest

from felixbgp.runtime.etcd.errors import (
    Compacted,
    DeadlineExceeded,
    EtcdError,
    LeaseNotFound,
    PermissionDenied,
    ProtocolError,
    RequestRefused,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    error_of_status,
)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        # What etcd 3.4 and 3.5 say, `etcdserver/api/v3rpc/rpctypes/error.go`.
        (11, "etcdserver: mvcc: required revision has been compacted", Compacted),
        (5, "etcdserver: requested lease not found", LeaseNotFound),
        (8, "etcdserver: mvcc: database space exceeded", ResourceExhausted),
        (8, "etcdserver: too many requests", ResourceExhausted),
        (3, "etcdserver: duplicate key given in txn request", RequestRefused),
        (3, "etcdserver: request is too large", RequestRefused),
        (3, "etcdserver: user name is empty", Unauthenticated),
        (3, "etcdserver: authentication failed, invalid user ID or password", Unauthenticated),
        (3, "etcdserver: revision of auth store is old", Unauthenticated),
        (2, "auth: revision in header is old", Unauthenticated),
        (16, "etcdserver: invalid auth token", Unauthenticated),
        (7, "etcdserver: permission denied", PermissionDenied),
        (14, "etcdserver: no leader", Unavailable),
        (14, "etcdserver: leader changed", Unavailable),
        (14, "etcdserver: request timed out", Unavailable),
        (4, "context deadline exceeded", DeadlineExceeded),
        (2, "context deadline exceeded", DeadlineExceeded),
        (1, "context canceled", Unavailable),
        (13, "stream error", ProtocolError),
        (99, "", RequestRefused),
    ],
)
def test_kind(code: int, text: str, kind: type[EtcdError]) -> None:
    error = error_of_status(code, text, method="/Put", endpoint="http://a:2379")
    assert type(error) is kind
    assert str(error).startswith("/Put at http://a:2379: ")
    assert text in str(error)
    assert error.code == code or isinstance(error, Unavailable)


def test_text_is_bounded() -> None:
    assert len(str(EtcdError("x" * 1_000_000))) <= 1_000
