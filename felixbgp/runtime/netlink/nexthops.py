"""Nexthop objects on the wire: one gateway, or a resilient group of some (pyroute2 0.9 knows neither).

```
0        4     6      8         12    16      17     18        19   20    24
+--------+-----+------+---------+-----+-------+------+---------+----+-----+------------
| length |type |flags |sequence |port |family |scope |protocol |  0 |flags| attributes
+--------+-----+------+---------+-----+-------+------+---------+----+-----+------------
```

A route names its group by number (RTA_NH_ID). A resilient group has a table of buckets, into one of which
every flow falls; when its members change, a bucket moves only if it must. ADR 0019 has the measurements.
"""

import struct
from typing import NamedTuple

from felixbgp.net import IPV4, IPV6, Address, Family
from felixbgp.runtime.netlink.messages import HEADER, NLM_F_DUMP, NLM_F_REQUEST, read_attributes

RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP, RTM_GETNEXTHOPBUCKET = 104, 105, 106, 118
RTNLGRP_NEXTHOP = 32

BUCKETS = 256
"""Of every group, 32 octets each. Sixteen next hops, which is the most that we select, have 16 each, so that
their shares differ by a sixteenth at most. The kernel cannot change it in a group that is there."""
IDLE_SECONDS = 60
"""A bucket without a packet for so long may be given to a next hop that came."""
UNBALANCED_SECONDS = 300
"""After so long a next hop that came gets its share though no bucket was idle, or under load it got nothing
for ever; then exactly its share of the flows moves, once, and to it alone."""

AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
RTNH_F_ONLINK = 4
NHA_ID, NHA_GROUP, NHA_GROUP_TYPE, NHA_OIF, NHA_GATEWAY, NHA_RES_GROUP = 1, 2, 3, 5, 6, 12
NHA_RES_GROUP_BUCKETS, NHA_RES_GROUP_IDLE_TIMER, NHA_RES_GROUP_UNBALANCED_TIMER = 1, 2, 3
NEXTHOP_GRP_TYPE_RES = 1
NLA_F_NESTED = 0x8000
TICKS_PER_SECOND = 100
"""USER_HZ, in which the kernel takes timers."""

_NHMSG = struct.Struct("=BBBxI")
_MEMBER = struct.Struct("=IBBH")
_ATTRIBUTE = struct.Struct("=HH")
_U16, _U32 = struct.Struct("=H"), struct.Struct("=I")


class Hop(NamedTuple):
    """What one object stands for: a gateway on an interface, or the interface itself.

    `interface` is an index. `family` is the gateway's; without a gateway, that of the routes that may use it.
    """

    family: Family
    gateway: Address | None
    interface: int
    onlink: bool = False


class NexthopObject(NamedTuple):
    """An object: a `hop`, or a group of `members` (number and weight), or neither (a blackhole)."""

    number: int
    protocol: int
    hop: Hop | None = None
    members: tuple[tuple[int, int], ...] = ()
    buckets: int = 0
    """Of a resilient group; 0 for what is none."""


def encode_object(wanted: NexthopObject, flags: int, sequence: int) -> bytes:
    """RTM_NEWNEXTHOP with these flags: a hop, or a group, which is resilient whatever `buckets` says."""
    attributes = _attribute(NHA_ID, _U32.pack(wanted.number))
    hop = wanted.hop
    if hop is not None:
        family = AF_INET if hop.family is IPV4 else AF_INET6
        attributes += _attribute(NHA_OIF, _U32.pack(hop.interface))
        if hop.gateway is not None:
            attributes += _attribute(NHA_GATEWAY, bytes(hop.gateway))
        header = _NHMSG.pack(family, 0, wanted.protocol, RTNH_F_ONLINK if hop.onlink else 0)
    else:
        members = b"".join(_MEMBER.pack(number, weight - 1, 0, 0) for number, weight in wanted.members)
        attributes += _attribute(NHA_GROUP, members)
        attributes += _attribute(NHA_GROUP_TYPE, _U16.pack(NEXTHOP_GRP_TYPE_RES))
        attributes += _attribute(NHA_RES_GROUP | NLA_F_NESTED, _RESILIENCE)
        header = _NHMSG.pack(AF_UNSPEC, 0, wanted.protocol, 0)
    return _message(RTM_NEWNEXTHOP, flags, sequence, header + attributes)


def encode_removal(number: int, sequence: int) -> bytes:
    """RTM_DELNEXTHOP: with a group the kernel removes its routes, from a group it takes a removed hop."""
    body = _NHMSG.pack(AF_UNSPEC, 0, 0, 0) + _attribute(NHA_ID, _U32.pack(number))
    return _message(RTM_DELNEXTHOP, 0, sequence, body)


def dump_objects() -> bytes:
    """RTM_GETNEXTHOP of all objects of the namespace."""
    return _message(RTM_GETNEXTHOP, NLM_F_DUMP, 0, _NHMSG.pack(AF_UNSPEC, 0, 0, 0))


def ask_for_resilience(sequence: int) -> bytes:
    """RTM_GETNEXTHOPBUCKET of nothing: a kernel that has resilient groups (5.13) misses the number."""
    return _message(RTM_GETNEXTHOPBUCKET, 0, sequence, _NHMSG.pack(AF_UNSPEC, 0, 0, 0))


def decode_object(body: memoryview) -> NexthopObject | None:
    """An object; None for octets that make no sense."""
    if len(body) < _NHMSG.size:
        return None
    family, _, protocol, flags = _NHMSG.unpack_from(body)
    attributes = read_attributes(body[_NHMSG.size :])
    number = _number(attributes.get(NHA_ID), _U32)
    if not number:
        return None
    if NHA_GROUP in attributes:
        resilience = read_attributes(attributes.get(NHA_RES_GROUP, body[:0]))
        buckets = _number(resilience.get(NHA_RES_GROUP_BUCKETS), _U16)
        return NexthopObject(number, protocol, None, _members(attributes[NHA_GROUP]), buckets)
    index = _number(attributes.get(NHA_OIF), _U32)
    gateway = attributes.get(NHA_GATEWAY)
    if not index or (gateway is not None and len(gateway) not in (IPV4.octets, IPV6.octets)):
        return NexthopObject(number, protocol)
    address = None if gateway is None else Address(bytes(gateway))
    hop = Hop(IPV4 if family == AF_INET else IPV6, address, index, bool(flags & RTNH_F_ONLINK))
    return NexthopObject(number, protocol, hop)


def _members(group: memoryview) -> tuple[tuple[int, int], ...]:
    whole = group[: len(group) - len(group) % _MEMBER.size]
    return tuple((number, 1 + low + (high << 8)) for number, low, high, _ in _MEMBER.iter_unpack(whole))


def _number(value: memoryview | None, form: struct.Struct) -> int:
    return int(form.unpack(value)[0]) if value is not None and len(value) == form.size else 0


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, NLM_F_REQUEST | flags, sequence, 0) + body


_RESILIENCE = (
    _attribute(NHA_RES_GROUP_BUCKETS, _U16.pack(BUCKETS))
    + _attribute(NHA_RES_GROUP_IDLE_TIMER, _U32.pack(IDLE_SECONDS * TICKS_PER_SECOND))
    + _attribute(NHA_RES_GROUP_UNBALANCED_TIMER, _U32.pack(UNBALANCED_SECONDS * TICKS_PER_SECOND))
)
