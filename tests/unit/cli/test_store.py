"""What is said when etcd does not do what was asked."""

import pytest

from felixbgp.cli.store import explained
from felixbgp.runtime.etcd.errors import (
    DeadlineExceeded,
    EtcdError,
    PermissionDenied,
    RequestRefused,
    Unauthenticated,
    Unavailable,
)
from felixbgp.runtime.etcd.settings import EtcdSettings

NOBODY = EtcdSettings(endpoints=("http://a:1", "http://b:2"))
SOMEBODY = EtcdSettings(endpoints=("http://a:1",), username="ann", password="secret")


@pytest.mark.parametrize(
    ("error", "settings", "sentence"),
    [
        (
            Unavailable("http://a:1: refused; http://b:2: refused"),
            NOBODY,
            "etcd cannot be reached: http://a:1: refused; http://b:2: refused",
        ),
        (Unavailable("gone", endpoint="http://a:1"), NOBODY, "etcd at http://a:1 does not answer: gone"),
        (
            DeadlineExceeded("no answer within 3 s", endpoint="http://a:1"),
            NOBODY,
            "etcd at http://a:1 does not answer: no answer within 3 s",
        ),
        (
            Unauthenticated("user name is empty", endpoint="http://a:1"),
            NOBODY,
            "etcd at http://a:1 refuses us without a user (ETCD_USERNAME): user name is empty",
        ),
        (
            PermissionDenied("permission denied", method="/etcdserverpb.KV/Put", endpoint="http://a:1"),
            SOMEBODY,
            "etcd at http://a:1 refuses user 'ann': permission denied",
        ),
        (RequestRefused("too large"), NOBODY, "etcd at http://a:1, http://b:2: too large"),
    ],
)
def test_a_failure_names_endpoint_and_reason(error: EtcdError, settings: EtcdSettings, sentence: str) -> None:
    assert explained(error, settings) == sentence
