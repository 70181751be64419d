"""What the speaker asks of the transport, in the imperative. Each fallible one has an answering input."""

from dataclasses import dataclass, field

from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Address


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Socket options of one peer; None leaves the system's default.

    `ttl` is the outgoing TTL; `min_ttl` drops packets with a lower one (RFC 5082); `password` is the
    TCP MD5 key of RFC 2385, left out of the repr.
    """

    local_address: Address | None = None
    ttl: int | None = None
    min_ttl: int | None = None
    password: bytes | None = field(default=None, repr=False)
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; answered by `TcpConnected` or `TcpConnectFailed`. `connection` is positive."""

    connection: int
    remote: Endpoint
    options: TransportOptions
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class SendBytes:
    """Send the chunks in order; answered by `BytesWritten` as they leave, or `TcpClosed`."""

    connection: int
    chunks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Send what was handed over, then close; not answered. Also cancels a `Connect` under way."""

    connection: int


@dataclass(frozen=True, slots=True)
class SetOptions:
    """An accepted connection is this peer's: give it the TTLs that `Connect` would have given.

    Not answered; where it fails the connection ends with `TcpClosed`. The password is the listener's.
    """

    connection: int
    options: TransportOptions


TransportEffect = Connect | SetOptions | SendBytes | CloseConnection
