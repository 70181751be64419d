# ruff: noqa: N818 - the kinds bear the names of the gRPC statuses, which say what happened
"""What can go wrong between us and etcd, by kind: what a caller may do about it differs by kind.

Every text names the method and the endpoint. Status numbers are gRPC's (https://grpc.io/docs/guides/status-codes).
"""

from typing import Final

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
OUT_OF_RANGE: Final = 11
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

MESSAGE_CHARACTERS_MAX: Final = 1_000
"""A server's words go into logs and status: enough for every text etcd has."""


class EtcdError(Exception):
    """Any failure of a request to etcd. `code` is the gRPC status, ours where etcd did not answer."""

    code: int = UNKNOWN

    def __init__(
        self, message: str, *, method: str = "", endpoint: str = "", code: int | None = None
    ) -> None:
        self.message = message[:MESSAGE_CHARACTERS_MAX]
        self.method = method
        self.endpoint = endpoint
        if code is not None:
            self.code = code
        super().__init__(message, method, endpoint)

    def __str__(self) -> str:
        where = " at ".join(part for part in (self.method, self.endpoint) if part)
        return f"{where}: {self.message}" if where else self.message


class Unavailable(EtcdError):
    """No connection, a connection that broke, or a member without a leader. Another endpoint may do.

    `unsent` says that etcd surely did not act on the request, so that even a write may be repeated.
    """

    code = UNAVAILABLE

    def __init__(self, message: str, *, method: str = "", endpoint: str = "", unsent: bool = False) -> None:
        super().__init__(message, method=method, endpoint=endpoint)
        self.unsent = unsent


class DeadlineExceeded(EtcdError):
    """No answer in time. A write may have happened or not."""

    code = DEADLINE_EXCEEDED


class Unauthenticated(EtcdError):
    """The user name, the password or the token is not accepted, or none was given and etcd wants one."""

    code = UNAUTHENTICATED


class PermissionDenied(EtcdError):
    """The user may not touch these keys."""

    code = PERMISSION_DENIED


class Compacted(EtcdError):
    """The revision asked for is gone from etcd's history: list again."""

    code = OUT_OF_RANGE


class FutureRevision(EtcdError):
    """The store has not got as far as the revision asked for: it went back to a backup."""

    code = OUT_OF_RANGE


class LeaseNotFound(EtcdError):
    """The lease expired, was revoked, or never was."""

    code = NOT_FOUND


class LeaseLost(EtcdError):
    """A lease that was kept alive is gone, or etcd did not confirm it for two thirds of its time to live."""

    code = NOT_FOUND


class RequestRefused(EtcdError):
    """etcd understood the request and refuses it; the same request will be refused again."""


class ResourceExhausted(EtcdError):
    """etcd has too many requests to do, or no space left."""

    code = RESOURCE_EXHAUSTED


class MessageTooLarge(EtcdError):
    """A message over the limit of one of the two sides."""

    code = RESOURCE_EXHAUSTED


class ProtocolError(EtcdError):
    """The peer broke the rules of HTTP/2 or gRPC: probably it is no etcd."""

    code = INTERNAL


_KINDS: Final[dict[int, type[EtcdError]]] = {
    DEADLINE_EXCEEDED: DeadlineExceeded,
    PERMISSION_DENIED: PermissionDenied,
    RESOURCE_EXHAUSTED: ResourceExhausted,
    UNAUTHENTICATED: Unauthenticated,
    INTERNAL: ProtocolError,
}

_TEXTS: Final[tuple[tuple[str, type[EtcdError]], ...]] = (
    # etcd gives several conditions the same number (3 for most of authentication); its words tell them apart.
    ("invalid auth token", Unauthenticated),
    ("revision of auth store is old", Unauthenticated),
    ("revision in header is old", Unauthenticated),  # The same by etcd 3.5, with number 2.
    ("user name is empty", Unauthenticated),
    ("authentication failed", Unauthenticated),
    ("permission denied", PermissionDenied),
    ("has been compacted", Compacted),
    ("is a future revision", FutureRevision),
    ("lease not found", LeaseNotFound),
    ("message larger than max", MessageTooLarge),
    ("context deadline exceeded", DeadlineExceeded),  # Ours, passed on to etcd; it says so with number 2.
)


def error_of_status(code: int, message: str, *, method: str, endpoint: str) -> EtcdError:
    """The typed error for a gRPC status other than OK."""
    for text, kind in _TEXTS:
        if text in message:
            return kind(message, method=method, endpoint=endpoint, code=code)
    if code in {UNAVAILABLE, CANCELLED}:
        return Unavailable(message or "unavailable", method=method, endpoint=endpoint)
    named = message or f"gRPC status {code}"
    return _KINDS.get(code, RequestRefused)(named, method=method, endpoint=endpoint, code=code)
