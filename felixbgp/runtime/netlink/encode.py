"""Requests to rtnetlink. pyroute2 encodes one message per kind of route; the rest is patched in.

0        4     6      8         12    16      17       18 …          28      32
+--------+-----+------+---------+-----+-------+--------+-------------+-------+-------------+----
| length |type |flags |sequence |port |family |dst_len |rest of rtmsg|DST hdr|destination  |other
+--------+-----+------+---------+-----+-------+--------+-------------+-------+-------------+----
                patched patched                patched                         patched
"""

import struct
from collections.abc import Callable

from felixbgp.fib.types import NextHop, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, Family, Prefix
from felixbgp.runtime.netlink.messages import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    RTM_DELROUTE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWROUTE,
)
from felixbgp.runtime.netlink.pyroute2_messages import ifaddrmsg, ifinfmsg, rtmsg

AF_INET, AF_INET6 = 2, 10
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE = 0, 253, 255
RT_TABLE_COMPAT = 252
"""What stands in the header for a table whose number does not fit there."""
RTNH_F_ONLINK = 4
RTA_NH_ID = 30
RTEXT_FILTER_SKIP_STATS = 8
WEIGHT_MAX = 256
TEMPLATES_MAX = 4096
"""Templates kept. More different next-hop sets than this are encoded anew, which is slower and no error."""

_FLAGS_AND_SEQUENCE = struct.Struct("=HI")
_LENGTH = struct.Struct("=I")
_OBJECT = struct.Struct("=HHI")
_FLAGS_OFFSET, _LENGTH_OFFSET, _DESTINATION_OFFSET = 6, 17, 32

InterfaceIndex = Callable[[str], int | None]


class UnknownInterfaceError(LookupError):
    """A next hop names an interface that is not there."""


class RouteEncoder:
    """Encodes writes of one protocol and table."""

    def __init__(self, protocol: int, table: int, index_of: InterfaceIndex) -> None:
        self._protocol = protocol
        self._table = table
        self._index_of = index_of
        self._templates: dict[tuple[Family, Route | int, tuple[int, ...] | int], bytes] = {}

    def replace(
        self, prefix: Prefix, route: Route, sequence: int, *, exclusive: bool, group: int = 0
    ) -> bytearray:
        """RTM_NEWROUTE: create a route (`exclusive`), or put it in the place of one that is there.

        With `group` it leads to that nexthop object, which stands for its next hops.

        Raises:
            UnknownInterfaceError: a next hop names an interface that is not there.
        """
        flags = NLM_F_CREATE | NLM_F_EXCL if exclusive else NLM_F_REPLACE
        return self._message(prefix, route, sequence, flags, group)

    def delete(self, key: RouteKey, sequence: int) -> bytearray:
        """RTM_DELROUTE of the route with our protocol and this metric, whatever its next hops.

        Metric 0 names no metric: of our routes to the prefix, the kernel takes the one it lists first.
        """
        return self._message(key.prefix, key.metric, sequence, 0)

    def _message(
        self, prefix: Prefix, route: Route | int, sequence: int, flags: int, group: int = 0
    ) -> bytearray:
        """A request with a route, or of which only the metric matters."""
        # Interfaces come and go under one name, hence the indices in the key.
        via = group or (() if isinstance(route, int) else tuple(map(self._index, route.next_hops)))
        key = (prefix.family, route, via)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= TEMPLATES_MAX:
                self._templates.clear()
            template = self._templates[key] = self._template(prefix.family, route, via)
        message = bytearray(template)
        _FLAGS_AND_SEQUENCE.pack_into(message, _FLAGS_OFFSET, NLM_F_REQUEST | flags, sequence)
        nlri = prefix.nlri
        message[_LENGTH_OFFSET] = nlri[0]
        message[_DESTINATION_OFFSET : _DESTINATION_OFFSET + len(nlri) - 1] = nlri[1:]
        return message

    def _index(self, hop: NextHop) -> int:
        if not hop.interface:
            return 0
        index = self._index_of(hop.interface)
        if index is None:
            raise UnknownInterfaceError(f"there is no interface {hop.interface}")
        return index

    def _template(self, family: Family, route: Route | int, via: tuple[int, ...] | int) -> bytes:
        message = rtmsg()
        message["header"]["type"] = RTM_DELROUTE if isinstance(route, int) else RTM_NEWROUTE
        message["family"], any_address = (AF_INET, "0.0.0.0") if family is IPV4 else (AF_INET6, "::")  # noqa: S104
        message["table"] = self._table if self._table < 256 else RT_TABLE_COMPAT
        message["proto"] = self._protocol
        metric = route if isinstance(route, int) else route.metric
        message["attrs"] = [("RTA_DST", any_address), ("RTA_PRIORITY", metric)]
        if self._table >= 256:
            message["attrs"].append(("RTA_TABLE", self._table))
        if isinstance(route, int):
            message["scope"] = RT_SCOPE_NOWHERE
        else:
            message["type"] = route.kind.value
            message["scope"] = _scope(route)
            if isinstance(via, int):
                return _leading_to(via, _encoded(message))
            hops = [_hop(hop, index, family) for hop, index in zip(route.next_hops, via, strict=True)]
            if len(hops) == 1:
                message["flags"] = hops[0]["flags"]
                message["attrs"] += hops[0]["attrs"]
                if hops[0]["oif"]:
                    message["attrs"].append(("RTA_OIF", hops[0]["oif"]))
            elif hops:
                message["attrs"].append(("RTA_MULTIPATH", hops))
        return _encoded(message)


def ask_for_answer(message: bytearray) -> None:
    """Have the kernel acknowledge a request; a refusal it always answers."""
    flags, sequence = _FLAGS_AND_SEQUENCE.unpack_from(message, _FLAGS_OFFSET)
    _FLAGS_AND_SEQUENCE.pack_into(message, _FLAGS_OFFSET, flags | NLM_F_ACK, sequence)


def dump_routes(family: Family, table: int) -> bytes:
    """RTM_GETROUTE of one table; a strict socket has the kernel leave out all others."""
    message = rtmsg()
    message["header"]["type"] = RTM_GETROUTE
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    message["family"] = AF_INET if family is IPV4 else AF_INET6
    message["attrs"] = [("RTA_TABLE", table)]
    return _encoded(message)


def dump_links() -> bytes:
    """RTM_GETLINK of all links, without their counters."""
    message = ifinfmsg()
    message["header"]["type"] = RTM_GETLINK
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    message["attrs"] = [("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
    return _encoded(message)


def dump_addresses() -> bytes:
    """RTM_GETADDR of both families, on all links."""
    message = ifaddrmsg()
    message["header"]["type"] = RTM_GETADDR
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    return _encoded(message)


def _scope(route: Route) -> int:
    """A destination on the link itself has link scope, anything else is somewhere."""
    on_link = route.kind is RouteKind.UNICAST and all(hop.gateway is None for hop in route.next_hops)
    return RT_SCOPE_LINK if on_link else RT_SCOPE_UNIVERSE


def _hop(hop: NextHop, index: int, family: Family) -> dict[str, object]:
    attributes: list[tuple[str, object]] = []
    if hop.gateway is not None and hop.gateway.family is family:
        attributes.append(("RTA_GATEWAY", str(hop.gateway)))
    elif hop.gateway is not None:
        # RFC 9229: an IPv4 route through an IPv6 gateway.
        via = AF_INET if hop.gateway.family is IPV4 else AF_INET6
        attributes.append(("RTA_VIA", {"family": via, "addr": str(hop.gateway)}))
    return {
        "hops": min(max(hop.weight, 1), WEIGHT_MAX) - 1,
        "oif": index,
        "flags": RTNH_F_ONLINK if hop.onlink else 0,
        "attrs": attributes,
    }


def _leading_to(group: int, message: bytes) -> bytes:
    """Add RTA_NH_ID, which pyroute2 does not know."""
    length = _LENGTH.unpack_from(message)[0] + _OBJECT.size
    return _LENGTH.pack(length) + message[_LENGTH.size :] + _OBJECT.pack(_OBJECT.size, RTA_NH_ID, group)


def _encoded(message: rtmsg | ifinfmsg | ifaddrmsg) -> bytes:
    message.encode()
    return bytes(message.data)
