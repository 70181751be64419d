"""What rtnetlink reports, as the fib's own types. Bytes that make no sense give None, never an exception."""

import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from felixbgp.fib.hops import ordered
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.runtime.netlink.encode import AF_INET, AF_INET6, RTA_NH_ID, RTNH_F_ONLINK
from felixbgp.runtime.netlink.messages import read_attributes

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE, RTA_VIA = 1, 4, 5, 6, 9, 15, 18
IFLA_IFNAME = 3
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_OPTIMISTIC, IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x04, 0x08, 0x40
RTNH_F_DEAD = 1
RTM_F_CLONED = 0x200
IFF_UP, IFF_LOWER_UP = 1, 1 << 16

_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBi")
_IFINFOMSG = struct.Struct("=BxHiII")
_IFADDRMSG = struct.Struct("=BBBBI")
_UINT = struct.Struct("=I")
_ATTRIBUTE = struct.Struct("=HH")
_DESTINATION_HEADER = 20
"""Where the kernel puts RTA_DST: after the header and the number of the table."""
_DESTINATION_ENDS = {
    _ATTRIBUTE.pack(_ATTRIBUTE.size + octets, RTA_DST): _DESTINATION_HEADER + _ATTRIBUTE.size + octets
    for octets in (IPV4.octets, IPV6.octets)
}
SHARED_MAX = 4096
"""Ways that are kept while a table is read; beyond these, routes are read one by one."""
_FAMILIES = {AF_INET: IPV4, AF_INET6: IPV6}
_KINDS = {kind.value: kind for kind in RouteKind if kind is not RouteKind.OTHER}

InterfaceName = Callable[[int], str]
HopsOf = Callable[[int], tuple[NextHop, ...] | None]
"""The next hops behind a nexthop object; None when it is not known."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the kernel reports it; `up` is IFF_UP, `carrier` is IFF_LOWER_UP."""

    index: int
    name: str
    up: bool
    carrier: bool


class HeldAddress(NamedTuple):
    """An address on a link, by its index; `usable` unless it waits for, or failed, its detection."""

    link: int
    address: Address
    length: int
    usable: bool = True


def decode_route(body: memoryview, tables: Container[int], name_of: InterfaceName) -> KernelRoute | None:
    """A route of these tables, where nothing is known of nexthop objects."""
    found = decode_route_by_object(body, tables, name_of, lambda _: None)
    return None if found is None else found[0]


def decode_route_by_object(
    body: memoryview, tables: Container[int], name_of: InterfaceName, hops_of: HopsOf
) -> tuple[KernelRoute, int] | None:
    """A route of these tables, and the number of the nexthop object that it leads to (0 = to none).

    None for other tables, for routes that look at more than the destination (TOS, source), and for what
    the kernel keeps as a cache. Of an object the kernel tells the next hops too, unless it was told
    otherwise (nexthop_compat_mode); what is known of the object goes before.
    """
    if len(body) < _RTMSG.size:
        return None
    family_code, length, source_length, tos, table_octet, protocol, _, kind, flags = _RTMSG.unpack_from(body)
    family = _FAMILIES.get(family_code)
    if family is None or length > family.bits or source_length or tos or flags & RTM_F_CLONED:
        return None
    attributes = read_attributes(body[_RTMSG.size :])
    table = _uint(attributes, RTA_TABLE, table_octet)
    if table not in tables:
        return None
    destination = attributes.get(RTA_DST, bytes(family.octets))
    if len(destination) != family.octets:
        return None
    metric = _uint(attributes, RTA_PRIORITY, 0)
    number = _uint(attributes, RTA_NH_ID, 0)
    route = Route(_KINDS.get(kind, RouteKind.OTHER), (), metric)
    if route.kind is RouteKind.UNICAST:
        hops = hops_of(number) if number else None
        if hops is None:
            hops = ordered(tuple(_next_hops(family, flags, attributes, name_of)))
        route = route._replace(next_hops=hops)
    prefix = Prefix.of(Address(bytes(destination)), length)
    return KernelRoute(prefix, route, protocol, table), number


class RouteReader:
    """Reads the routes of one moment; what they share, which is all but their prefixes, is read once."""

    def __init__(self, tables: Container[int], name_of: InterfaceName, hops_of: HopsOf) -> None:
        self._tables = tables
        self._name_of = name_of
        self._hops_of = hops_of
        self._shared: dict[bytes, tuple[Family, KernelRoute, int]] = {}

    def read(self, body: memoryview) -> tuple[KernelRoute, int] | None:
        """As `decode_route_by_object`."""
        octets = bytes(body)
        end = _DESTINATION_ENDS.get(octets[_DESTINATION_HEADER : _DESTINATION_HEADER + _ATTRIBUTE.size], 0)
        if not end:
            return self._decode(body)
        # Octet 1 is the length of the prefix; the destination comes right after the table's number.
        key = octets[:1] + octets[2:_DESTINATION_HEADER] + octets[end:]
        shared = self._shared.get(key)
        if shared is None:
            found = self._decode(body)
            if found is not None and len(self._shared) < SHARED_MAX:
                family = found[0].prefix.family
                # Of two destinations the last one counts; no kernel sends two.
                is_only = RTA_DST not in read_attributes(body[end:])
                if is_only and found[0].prefix == _prefix(family, octets, end):
                    self._shared[key] = (family, *found)
            return found
        family, route, number = shared
        prefix = _prefix(family, octets, end)
        if prefix is None:
            return self._decode(body)
        return KernelRoute(prefix, route[1], route[2], route[3]), number

    def _decode(self, body: memoryview) -> tuple[KernelRoute, int] | None:
        return decode_route_by_object(body, self._tables, self._name_of, self._hops_of)


def _prefix(family: Family, octets: bytes, end: int) -> Prefix | None:
    """The prefix of a route whose destination ends at `end`; None where it must be looked at closely."""
    length = octets[1]
    start = end - family.octets
    last = start + (length + 7 >> 3)
    if start != _DESTINATION_HEADER + _ATTRIBUTE.size or last > end:
        return None
    if length & 7 and octets[last - 1] & 0xFF >> (length & 7):
        return None
    return Prefix(family, octets[1:2] + octets[start:last])


def decode_link(body: memoryview) -> Link | None:
    """An interface; None for what a bridge says about its ports, and for nonsense."""
    if len(body) < _IFINFOMSG.size:
        return None
    family, _, index, flags, _ = _IFINFOMSG.unpack_from(body)
    name = bytes(read_attributes(body[_IFINFOMSG.size :]).get(IFLA_IFNAME, b"")).rstrip(b"\0")
    if family or index <= 0 or not name:
        return None
    text = name.decode(errors="surrogateescape")
    return Link(index, text, bool(flags & IFF_UP), bool(flags & IFF_LOWER_UP))


def decode_address(body: memoryview) -> HeldAddress | None:
    """An address; None for nonsense. Of one with a peer the network is the peer's, so its own is one host."""
    if len(body) < _IFADDRMSG.size:
        return None
    family_code, length, flags, _, index = _IFADDRMSG.unpack_from(body)
    family = _FAMILIES.get(family_code)
    if family is None or length > family.bits or index <= 0:
        return None
    attributes = read_attributes(body[_IFADDRMSG.size :])
    there = bytes(attributes.get(IFA_ADDRESS, b""))
    here = bytes(attributes.get(IFA_LOCAL, there))
    if len(here) != family.octets:
        return None
    flags = _uint(attributes, IFA_FLAGS, flags)
    waits = bool(flags & IFA_F_TENTATIVE) and not flags & IFA_F_OPTIMISTIC
    usable = not waits and not flags & IFA_F_DADFAILED
    return HeldAddress(index, Address(here), length if there in (b"", here) else family.bits, usable)


def _next_hops(
    family: Family, flags: int, attributes: dict[int, memoryview], name_of: InterfaceName
) -> Iterator[NextHop]:
    multipath = attributes.get(RTA_MULTIPATH)
    if multipath is None:
        if not attributes.keys() & {RTA_OIF, RTA_GATEWAY, RTA_VIA}:
            return
        index = _uint(attributes, RTA_OIF, 0)
        interface = name_of(index) if index > 0 else ""
        yield NextHop(_gateway(family, attributes), interface, bool(flags & RTNH_F_ONLINK))
        return
    while len(multipath) >= _RTNEXTHOP.size:
        length, hop_flags, weight, index = _RTNEXTHOP.unpack_from(multipath)
        if not _RTNEXTHOP.size <= length <= len(multipath):
            return
        gateway = _gateway(family, read_attributes(multipath[_RTNEXTHOP.size : length]))
        interface = name_of(index) if index > 0 else ""
        sign = -1 if hop_flags & RTNH_F_DEAD else 1
        yield NextHop(gateway, interface, bool(hop_flags & RTNH_F_ONLINK), sign * (weight + 1))
        multipath = multipath[(length + 3) & ~3 :]


def _gateway(family: Family, attributes: dict[int, memoryview]) -> Address | None:
    gateway = attributes.get(RTA_GATEWAY, b"")
    if len(gateway) == family.octets:
        return Address(bytes(gateway))
    via = attributes.get(RTA_VIA, b"")
    # struct rtvia: the address family in two octets, then the address.
    return Address(bytes(via[2:])) if len(via) in (6, 18) else None


def _uint(attributes: dict[int, memoryview], kind: int, otherwise: int) -> int:
    value = attributes.get(kind, b"")
    return int(_UINT.unpack(value)[0]) if len(value) == _UINT.size else otherwise
