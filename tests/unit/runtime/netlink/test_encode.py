"""The templates against what pyroute2 makes of the whole message, and against our own reading of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from felixbgp.fib.hops import ordered
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.runtime.netlink import encode
from felixbgp.runtime.netlink.decode import decode_route
from felixbgp.runtime.netlink.encode import RouteEncoder, UnknownInterfaceError, ask_for_answer
from felixbgp.runtime.netlink.messages import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    RTM_DELROUTE,
    RTM_NEWROUTE,
    split_messages,
)

INDICES = {"eth0": 2, "eth1": 3}
NAMES = {index: name for name, index in INDICES.items()}
P4 = Prefix.parse("10.1.2.0/23")


def encoder(table: int = 254) -> RouteEncoder:
    return RouteEncoder(179, table, INDICES.get)


def by_pyroute2(kind: int, flags: int, sequence: int, **fields: Any) -> bytes:
    message = rtmsg()
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    message["header"]["sequence_number"] = sequence
    for name, value in fields.items():
        message[name] = value
    message.encode()
    return bytes(message.data)


def test_destination_and_sequence_are_all_that_differs_between_two_routes_of_one_next_hop() -> None:
    own = encoder()
    route = Route(RouteKind.UNICAST, (NextHop(Address.parse("192.0.2.1"), "eth0"),))
    for sequence, text, length in ((1, "10.1.2.0", 23), (4_000_000_000, "0.0.0.0", 0), (7, "10.9.8.7", 32)):
        prefix = Prefix.of(Address.parse(text), length)
        assert own.replace(prefix, route, sequence, exclusive=True) == by_pyroute2(
            RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence,
            family=2, dst_len=length, table=254, proto=179, type=1,
            attrs=[("RTA_DST", text), ("RTA_PRIORITY", 1024), ("RTA_GATEWAY", "192.0.2.1"), ("RTA_OIF", 2)],
        )  # fmt: skip


def test_requests_made_together_are_those_made_one_by_one() -> None:
    own = encoder()
    routes = [
        Route(RouteKind.UNICAST, (NextHop(Address.parse(text), "eth0"),))
        for text in ("192.0.2.1", "192.0.2.2")
    ]
    texts = ("10.0.0.0/8", "10.1.0.0/16", "fd00::/64", "10.2.0.0/16")
    entries = [(Prefix.parse(text), routes[place // 2]) for place, text in enumerate(texts)]
    for exclusive in (True, False):
        assert own.replacements(entries, 7, exclusive=exclusive) == [
            own.replace(*entry, 7 + place, exclusive=exclusive) for place, entry in enumerate(entries)
        ]
    keys = [RouteKey(prefix, 20 + place // 2) for place, (prefix, _) in enumerate(entries)]
    assert own.deletions(keys, 7) == [own.delete(key, 7 + place) for place, key in enumerate(keys)]


def test_a_removal_names_protocol_and_metric_and_no_next_hop() -> None:
    assert encoder().delete(RouteKey(Prefix.parse("fd00:1::/64"), 77), 9) == by_pyroute2(
        RTM_DELROUTE, NLM_F_REQUEST, 9, family=10, dst_len=64, table=254, proto=179, scope=255,
        attrs=[("RTA_DST", "fd00:1::"), ("RTA_PRIORITY", 77)],
    )  # fmt: skip


def test_a_table_beyond_an_octet_stands_in_an_attribute() -> None:
    assert encoder(1000).replace(P4, Route(RouteKind.BLACKHOLE), 9, exclusive=False) == by_pyroute2(
        RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_REPLACE, 9, family=2, dst_len=23, table=252, proto=179, type=6,
        attrs=[("RTA_DST", "10.1.2.0"), ("RTA_PRIORITY", 1024), ("RTA_TABLE", 1000)],
    )  # fmt: skip


def test_an_answer_is_asked_for_by_one_flag() -> None:
    message = encoder().delete(RouteKey(P4, 1024), 9)
    (before,), (after,) = split_messages(message), split_messages(ask_for_answer(message))
    assert after == before._replace(flags=before.flags | NLM_F_ACK)


def test_an_interface_that_comes_back_under_another_index_is_looked_up_anew() -> None:
    indices = {"eth0": 2}
    own = RouteEncoder(179, 254, indices.get)
    route = Route(RouteKind.UNICAST, (NextHop(None, "eth0"),))
    first = own.replace(P4, route, 1, exclusive=True)
    indices["eth0"] = 7
    assert own.replace(P4, route, 1, exclusive=True) != first
    del indices["eth0"]
    with pytest.raises(UnknownInterfaceError, match="there is no interface eth0"):
        own.replace(P4, route, 1, exclusive=True)


def test_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "TEMPLATES_MAX", 3)
    own = encoder()
    for number in range(10):
        hop = NextHop(Address(bytes((192, 0, 2, number))), "eth0")
        own.replace(P4, Route(RouteKind.UNICAST, (hop,)), 1, exclusive=True)
        assert len(own._forms) <= 3


FAMILIES = st.sampled_from([IPV4, IPV6])


def addresses(family: Family) -> st.SearchStrategy[Address]:
    return st.binary(min_size=family.octets, max_size=family.octets).map(Address)


def next_hops(family: Family, *, weighted: bool) -> st.SearchStrategy[NextHop]:
    gateways = st.one_of(st.none(), addresses(family), addresses(IPV6))
    weights = st.integers(1, 256) if weighted else st.just(1)
    return st.builds(NextHop, gateways, st.sampled_from(list(INDICES)), st.booleans(), weights)


def routes(family: Family) -> st.SearchStrategy[Route]:
    single = st.tuples(next_hops(family, weighted=False))
    several = st.lists(next_hops(family, weighted=True), min_size=2, max_size=4, unique=True).map(tuple)
    others = [kind for kind in RouteKind if kind not in {RouteKind.OTHER, RouteKind.UNICAST}]
    hops = st.one_of(single, several)
    unicast = hops.map(lambda each: Route(RouteKind.UNICAST, ordered(each)))
    return st.one_of(st.sampled_from(others).map(Route), unicast).flatmap(
        lambda route: st.builds(lambda metric: route._replace(metric=metric), st.integers(1, 2**32 - 1))
    )


PREFIXED_ROUTES = FAMILIES.flatmap(
    lambda family: st.tuples(
        st.builds(Prefix.of, addresses(family), st.integers(0, family.bits)), routes(family)
    )
)


@given(PREFIXED_ROUTES, st.sampled_from([1, 254, 255, 256, 4_000_000_000]))
def test_what_is_written_is_read_back(entry: tuple[Prefix, Route], table: int) -> None:
    prefix, route = entry
    (message,) = split_messages(encoder(table).replace(prefix, route, 1, exclusive=True))
    name_of = NAMES.__getitem__
    assert decode_route(message.body, (table, 254), name_of) == KernelRoute(prefix, route, 179, table)
    assert decode_route(message.body, (17,), name_of) is None
