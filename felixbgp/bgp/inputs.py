"""What the transport tells the speaker, in the past tense.

A connection is an integer. The speaker numbers the ones it asks for (positive, see `effects.Connect`); the
shell numbers the ones it accepts (negative). A number is never used twice.
"""

from dataclasses import dataclass
from typing import NamedTuple

from felixbgp.bgp.cause import Cause
from felixbgp.net import Address


class Endpoint(NamedTuple):
    """An address and a TCP port."""

    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class TcpAccepted:
    """A peer opened a connection to us; `connection` is negative and new."""

    connection: int
    local: Endpoint
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class TcpConnected:
    """The answer to `Connect`: the connection is open."""

    connection: int
    local: Endpoint
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class TcpConnectFailed:
    """The other answer to `Connect`; `reason` is the system's own words, `cause` what they come to."""

    connection: int
    reason: str
    cause: Cause = Cause.DIAL_FAILED


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Octets in stream order; message borders may lie anywhere."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class BytesWritten:
    """`count` octets of earlier `SendBytes` left for the kernel: that much credit is back."""

    connection: int
    count: int


@dataclass(frozen=True, slots=True)
class TcpClosed:
    """The connection ended other than by our `CloseConnection`; "" as reason means end of stream."""

    connection: int
    reason: str


TransportInput = TcpAccepted | TcpConnected | TcpConnectFailed | BytesReceived | BytesWritten | TcpClosed
