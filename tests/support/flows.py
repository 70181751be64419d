"""Which way flows go: the kernel is asked, flow by flow, for the next hop of a five-tuple.

Ask while nothing is written: an IPv6 route that is replaced under the answer is answered with ENETUNREACH,
though no packet misses it (`rt->from` of a cached entry is gone before the entry is).
"""

import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from felixbgp.net import IPV4, Address, Family, Prefix
from felixbgp.runtime.netlink.messages import (
    HEADER,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    RTM_GETROUTE,
    read_answer,
    read_attributes,
    split_messages,
)

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_IP_PROTO, RTA_SPORT, RTA_DPORT = 1, 4, 5, 18, 27, 28, 29
UDP = 17
Way = tuple[int, bytes]
"""The interface and the gateway of a next hop; (0, b"") when there is no route."""


class Flow(NamedTuple):
    """What ECMP looks at, but for the source address, which follows from the next hop."""

    destination: Address
    source_port: int


def flows_to(prefix: Prefix, count: int) -> list[Flow]:
    """Flows to 16 addresses of a prefix, from a port each."""
    network = prefix.nlri[1:].ljust(prefix.family.octets, b"\0")
    return [Flow(Address(network[:-1] + bytes((1 + n % 16,))), 1024 + n * 13 % 60_000) for n in range(count)]


def hash_ports() -> None:
    """Have this namespace spread flows by ports too (layer 4), as routers in front of services do."""
    for family in ("ipv4", "ipv6"):
        Path(f"/proc/sys/net/{family}/fib_multipath_hash_policy").write_text("1", encoding="ascii")


class Lookups:
    """One socket that asks; closes with its context."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ways(self, flows: Sequence[Flow]) -> list[Way]:
        """The next hop of each flow."""
        return [self.way(flow) for flow in flows]

    def way(self, flow: Flow) -> Way:
        """The next hop of one flow."""
        self._socket.send(_request(flow))
        (message,) = split_messages(self._socket.recv(1 << 16))
        if message.type == NLMSG_ERROR:
            assert read_answer(message).errno
            return 0, b""
        attributes = read_attributes(message.body[12:])
        gateway = bytes(attributes.get(RTA_GATEWAY) or attributes.get(RTA_VIA, b"")[2:])
        return int.from_bytes(attributes[RTA_OIF], "little"), gateway


def _request(flow: Flow) -> bytes:
    family: Family = flow.destination.family
    code = socket.AF_INET if family is IPV4 else socket.AF_INET6
    body = struct.pack("=BBBBBBBBI", code, family.bits, 0, 0, 0, 0, 0, 0, 0)
    body += _attribute(RTA_DST, bytes(flow.destination)) + _attribute(RTA_IP_PROTO, bytes((UDP,)))
    body += _attribute(RTA_SPORT, flow.source_port.to_bytes(2, "big"))
    body += _attribute(RTA_DPORT, (443).to_bytes(2, "big"))
    return HEADER.pack(HEADER.size + len(body), RTM_GETROUTE, NLM_F_REQUEST, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
