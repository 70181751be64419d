"""Requests to rtnetlink. pyroute2 encodes one message per kind of route; the rest is put in its place.

0        4     6      8         12    16      17       18 …          28      32
+--------+-----+------+---------+-----+-------+--------+-------------+-------+-------------+----
| length |type |flags |sequence |port |family |dst_len |rest of rtmsg|DST hdr|destination  |other
+--------+-----+------+---------+-----+-------+--------+-------------+-------+-------------+----
 `-- as it is ---'      varies   `-- as it is-'  varies  `-- as it is ------'      varies    as it is
"""

import struct
from collections.abc import Callable, Sequence

from felixbgp.fib.types import NextHop, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, Family, Nlri, Prefix
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

_FLAGS = struct.Struct("=H")
_LENGTH = struct.Struct("=I")
_OBJECT = struct.Struct("=HHI")
_FLAGS_OFFSET, _PORT_OFFSET = 6, 12
_LENGTH_OFFSET, _DESTINATION_OFFSET = 17, 32

_CREATE, _REPLACE = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, NLM_F_REQUEST | NLM_F_REPLACE

InterfaceIndex = Callable[[str], int | None]


class UnknownInterfaceError(LookupError):
    """A next hop names an interface that is not there."""


class _Form:
    """A request but for its sequence number and its destination."""

    __slots__ = ("_head", "_middle", "_pack", "_start", "_tail")

    def __init__(self, message: bytes, flags: int, octets: int) -> None:
        """`octets` are those of the destination."""
        end = _DESTINATION_OFFSET + octets
        self._head = message[:_FLAGS_OFFSET] + _FLAGS.pack(flags)
        self._start = message[_PORT_OFFSET:_LENGTH_OFFSET]
        self._middle = message[_LENGTH_OFFSET + 1 : _DESTINATION_OFFSET]
        self._tail = message[end:]
        # A destination that is shorter is filled up with zeros.
        form = f"=8sI5sB14s{octets}s{len(self._tail)}s"
        self._pack = struct.Struct(form).pack

    def message(self, nlri: Nlri, sequence: int) -> bytes:
        """The request for one destination."""
        return self._pack(self._head, sequence, self._start, nlri[0], self._middle, nlri[1:], self._tail)


class RouteEncoder:
    """Encodes writes of one protocol and table."""

    def __init__(self, protocol: int, table: int, index_of: InterfaceIndex) -> None:
        self._protocol = protocol
        self._table = table
        self._index_of = index_of
        self._forms: dict[tuple[Family, Route | int, tuple[int, ...] | int, int], _Form] = {}

    def replacements(
        self, entries: Sequence[tuple[Prefix, Route]], sequence: int, *, exclusive: bool
    ) -> list[bytes]:
        """RTM_NEWROUTE for each route, with ascending sequence numbers from this one; see `replace`.

        Raises:
            UnknownInterfaceError: a next hop names an interface that is not there.
        """
        flags = _CREATE if exclusive else _REPLACE
        messages: list[bytes] = []
        last: Route | None = None
        family: Family | None = None
        form: _Form | None = None
        for prefix, route in entries:
            # Routes that came together mostly lead to the same next hops, and share them.
            if form is None or route is not last or prefix[0] is not family:
                last, family = route, prefix[0]
                form = self._form(family, route, 0, flags)
            messages.append(form.message(prefix[1], sequence))
            sequence += 1
        return messages

    def deletions(self, keys: Sequence[RouteKey], sequence: int) -> list[bytes]:
        """RTM_DELROUTE for each key, with ascending sequence numbers from this one; see `delete`."""
        messages: list[bytes] = []
        last = -1
        family: Family | None = None
        form: _Form | None = None
        for prefix, metric in keys:
            if form is None or metric != last or prefix[0] is not family:
                last, family = metric, prefix[0]
                form = self._form(family, metric, 0, NLM_F_REQUEST)
            messages.append(form.message(prefix[1], sequence))
            sequence += 1
        return messages

    def replace(
        self, prefix: Prefix, route: Route, sequence: int, *, exclusive: bool, group: int = 0
    ) -> bytes:
        """RTM_NEWROUTE: create a route (`exclusive`), or put it in the place of one that is there.

        With `group` it leads to that nexthop object, which stands for its next hops.

        Raises:
            UnknownInterfaceError: a next hop names an interface that is not there.
        """
        flags = _CREATE if exclusive else _REPLACE
        return self._form(prefix.family, route, group, flags).message(prefix.nlri, sequence)

    def delete(self, key: RouteKey, sequence: int) -> bytes:
        """RTM_DELROUTE of the route with our protocol and this metric, whatever its next hops.

        Metric 0 names no metric: of our routes to the prefix, the kernel takes the one it lists first.
        """
        form = self._form(key.prefix.family, key.metric, 0, NLM_F_REQUEST)
        return form.message(key.prefix.nlri, sequence)

    def _form(self, family: Family, route: Route | int, group: int, flags: int) -> _Form:
        """What requests with a route, or of which only the metric matters, have in common."""
        # Interfaces come and go under one name, hence the indices in the key.
        via = group or (() if isinstance(route, int) else tuple(map(self._index, route.next_hops)))
        key = (family, route, via, flags)
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= TEMPLATES_MAX:
                self._forms.clear()
            form = self._forms[key] = _Form(self._template(family, route, via), flags, family.octets)
        return form

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


def ask_for_answer(message: bytes) -> bytes:
    """A request that the kernel acknowledges; a refusal it always answers."""
    flags = _FLAGS.unpack_from(message, _FLAGS_OFFSET)[0] | NLM_F_ACK
    return message[:_FLAGS_OFFSET] + _FLAGS.pack(flags) + message[_FLAGS_OFFSET + _FLAGS.size :]


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
