"""Reading rtnetlink: rows for what is left out, and octets of every kind, none of which may raise."""

import struct
from errno import ENETUNREACH, ENOENT

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from felixbgp.fib.types import (
    AddressChanged,
    AddressSnapshot,
    InterfaceAddress,
    LinkChanged,
    NextHop,
    RouteKind,
)
from felixbgp.net import Address
from felixbgp.runtime.netlink.addresses import Addresses
from felixbgp.runtime.netlink.decode import (
    HeldAddress,
    Link,
    RouteReader,
    decode_address,
    decode_link,
    decode_route,
    decode_route_by_object,
)
from felixbgp.runtime.netlink.links import Links
from felixbgp.runtime.netlink.messages import (
    HEADER,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    read_answer,
    read_attributes,
    split_messages,
)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def route(
    *attributes: bytes, family: int = 2, length: int = 24, source: int = 0, tos: int = 0, kind: int = 1,
    flags: int = 0,
) -> memoryview:  # fmt: skip
    header = struct.pack("=BBBBBBBBI", family, length, source, tos, 254, 12, 0, kind, flags)
    return memoryview(header + b"".join(attributes))


DESTINATION = attribute(1, bytes((10, 1, 2, 0)))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(route(DESTINATION)[:11], id="header cut short"),
        pytest.param(route(DESTINATION, family=7), id="neither IPv4 nor IPv6"),
        pytest.param(route(DESTINATION, length=33), id="prefix longer than its family"),
        pytest.param(route(DESTINATION, source=8), id="looks at the source"),
        pytest.param(route(DESTINATION, tos=4), id="looks at the type of service"),
        pytest.param(route(DESTINATION, flags=0x200), id="cloned"),
        pytest.param(route(DESTINATION, attribute(15, struct.pack("=I", 1000))), id="another table"),
        pytest.param(route(attribute(1, b"abc")), id="destination of three octets"),
    ],
)
def test_not_a_route_of_the_table(body: memoryview) -> None:
    assert decode_route(body, (254,), str) is None


def test_what_the_kernel_does_not_use_is_a_next_hop_of_negative_weight() -> None:
    dead, alive = (struct.pack("=HBBi", 16, flag, 4, 2 + flag) + attribute(5, bytes(4)) for flag in (1, 0))
    found = decode_route(route(DESTINATION, attribute(9, dead + alive)), (254,), str)
    assert found is not None
    gateway = Address(bytes(4))
    assert found.route.next_hops == (NextHop(gateway, "2", weight=5), NextHop(gateway, "3", weight=-5))


@pytest.mark.parametrize("kind", [2, 3, 9, 200])
def test_kinds_that_we_never_write(kind: int) -> None:
    found = decode_route(route(DESTINATION, kind=kind), (254,), str)
    assert found is not None
    assert found.route.kind is RouteKind.OTHER


def link(index: int = 3, flags: int = 1, family: int = 0, name: bytes = b"eth0\0") -> memoryview:
    return memoryview(struct.pack("=BxHiII", family, 1, index, flags, 0) + attribute(3, name))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(link(), Link(3, "eth0", up=True, carrier=False), id="up"),
        pytest.param(link(flags=0x1002), Link(3, "eth0", up=False, carrier=False), id="down"),
        pytest.param(link(flags=0x10043), Link(3, "eth0", up=True, carrier=True), id="with a carrier"),
        pytest.param(link(family=7), None, id="a bridge speaks of its port"),
        pytest.param(link(name=b""), None, id="no name"),
        pytest.param(link(index=0), None, id="no index"),
        pytest.param(link()[:15], None, id="header cut short"),
    ],
)
def test_links(body: memoryview, expected: Link | None) -> None:
    assert decode_link(body) == expected


BODIES = st.binary(max_size=80)
ATTRIBUTES = st.lists(st.builds(attribute, st.integers(0, 20), st.binary(max_size=20)), max_size=6)


@given(st.one_of(BODIES, ATTRIBUTES.map(lambda each: bytes(route(*each)))), st.integers(0, 300))
def test_no_route_octets_raise(body: bytes, table: int) -> None:
    decode_route(memoryview(body), (table,), str)


@given(st.one_of(BODIES, ATTRIBUTES.map(lambda each: bytes(link()) + b"".join(each))))
def test_no_link_octets_raise(body: bytes) -> None:
    decode_link(memoryview(body))


@given(BODIES)
def test_no_octets_stop_the_framing(datagram: bytes) -> None:
    for message in split_messages(datagram):
        read_answer(message)
        read_attributes(message.body)


def test_a_length_that_does_not_fit_ends_the_datagram() -> None:
    good = HEADER.pack(20, 24, 0, 1, 0) + b"abcd"
    for length in (0, 15, 21):
        assert [bytes(each.body) for each in split_messages(good + HEADER.pack(length, 24, 0, 2, 0))] == [
            b"abcd"
        ]


WORDS = attribute(1, b"Nexthop has invalid gateway\0")
UNREACHABLE = struct.pack("=i", -ENETUNREACH)


@pytest.mark.parametrize(
    ("kind", "flags", "body", "reason"),
    [
        (NLMSG_ERROR, 0, UNREACHABLE + HEADER.pack(60, 24, 5, 1, 0), "Network is unreachable"),
        (
            NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, UNREACHABLE + HEADER.pack(60, 24, 5, 1, 0) + WORDS,
            "Network is unreachable: Nexthop has invalid gateway",
        ),
        (
            NLMSG_ERROR, NLM_F_ACK_TLVS, UNREACHABLE + HEADER.pack(18, 24, 5, 1, 0) + b"xy\0\0" + WORDS,
            "Network is unreachable: Nexthop has invalid gateway",
        ),
        (
            NLMSG_DONE, NLM_F_ACK_TLVS, struct.pack("=i", -ENOENT) + attribute(1, b"no such table\0"),
            "No such file or directory: no such table",
        ),
        (NLMSG_ERROR, 0, struct.pack("=i", 0), "Success"),
        (NLMSG_DONE, 0, b"", "Success"),
    ],
)  # fmt: skip
def test_answers(kind: int, flags: int, body: bytes, reason: str) -> None:
    assert read_answer(Message(kind, flags, 1, 0, memoryview(body))).reason == reason


def link_up(index: int, name: str, *, carrier: bool = True) -> Link:
    return Link(index, name, up=True, carrier=carrier)


def test_links_tell_only_what_is_news() -> None:
    links = Links()
    assert list(links.replace_all([link_up(1, "lo"), link_up(2, "eth0")])) == [
        LinkChanged(1, "lo", up=True),
        LinkChanged(2, "eth0", up=True),
    ]
    assert links.changed(link_up(2, "eth0")) is None
    assert links.changed(link_up(2, "eth0", carrier=False)) == LinkChanged(2, "eth0", up=True, carrier=False)
    assert links.changed(link_up(2, "wan0")) == LinkChanged(2, "wan0", up=True)
    assert (links.index_of("eth0"), links.index_of("wan0"), links.name_of(9)) == (None, 2, "if9")
    # While nobody listened: wan0 made way for another of the same name.
    assert list(links.replace_all([link_up(1, "lo"), link_up(5, "wan0")])) == [
        LinkChanged(2, "wan0", up=False, present=False, carrier=False),
        LinkChanged(5, "wan0", up=True),
    ]
    assert links.index_of("wan0") == 5
    assert links.removed(2) is None


def address(
    *attributes: bytes, family: int = 2, length: int = 24, flags: int = 0x80, index: int = 3
) -> memoryview:
    return memoryview(struct.pack("=BBBBI", family, length, flags, 0, index) + b"".join(attributes))


HERE, THERE, SIXTH = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 9)), bytes(15) + b"\1"


def long_flags(flags: int) -> bytes:
    return attribute(8, struct.pack("=I", flags))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            address(attribute(1, HERE), attribute(2, HERE)), HeldAddress(3, Address(HERE), 24), id="IPv4"
        ),
        pytest.param(
            address(attribute(1, SIXTH), family=10, length=64), HeldAddress(3, Address(SIXTH), 64), id="IPv6"
        ),
        pytest.param(
            address(attribute(1, THERE), attribute(2, HERE)),
            HeldAddress(3, Address(HERE), 32),
            id="with a peer",
        ),
        pytest.param(
            address(attribute(1, SIXTH), family=10, length=64, flags=0x20),
            HeldAddress(3, Address(SIXTH), 64),
            id="deprecated",
        ),
        pytest.param(
            address(attribute(1, SIXTH), family=10, length=64, flags=0x40),
            HeldAddress(3, Address(SIXTH), 64, usable=False),
            id="tentative",
        ),
        pytest.param(
            address(attribute(1, SIXTH), long_flags(0x444), family=10, length=64, flags=0x40),
            HeldAddress(3, Address(SIXTH), 64),
            id="tentative and used nevertheless",
        ),
        pytest.param(
            address(attribute(1, SIXTH), long_flags(0x88), family=10, length=64),
            HeldAddress(3, Address(SIXTH), 64, usable=False),
            id="somebody else has it",
        ),
        pytest.param(address(attribute(1, HERE), family=7), None, id="neither IPv4 nor IPv6"),
        pytest.param(address(attribute(1, HERE), length=33), None, id="longer than its family"),
        pytest.param(address(attribute(1, HERE), index=0), None, id="no link"),
        pytest.param(address(attribute(1, SIXTH)), None, id="of sixteen octets"),
        pytest.param(address(), None, id="without one"),
        pytest.param(address(attribute(1, HERE))[:7], None, id="header cut short"),
    ],
)
def test_addresses(body: memoryview, expected: HeldAddress | None) -> None:
    assert decode_address(body) == expected


@given(st.one_of(BODIES, ATTRIBUTES.map(lambda each: bytes(address()) + b"".join(each))))
def test_no_address_octets_raise(body: bytes) -> None:
    decode_address(memoryview(body))


def test_addresses_tell_only_what_is_news() -> None:
    names = {2: "eth0", 3: "eth1"}
    addresses = Addresses(names.__getitem__)
    first = HeldAddress(2, Address(HERE), 24)
    waiting = HeldAddress(3, Address(SIXTH), 64, usable=False)
    told = InterfaceAddress("eth0", Address(HERE), 24)
    assert addresses.replace_all([first, waiting]) == AddressSnapshot((told,))
    assert addresses.changed(first, present=True) is None
    assert addresses.changed(waiting, present=True) is None
    assert not addresses.are_on(3)
    usable = waiting._replace(usable=True)
    ready = InterfaceAddress("eth1", Address(SIXTH), 64)
    assert addresses.changed(usable, present=True) == AddressChanged(ready, present=True)
    # Somebody else has it, as the kernel found out late.
    assert addresses.changed(waiting, present=True) == AddressChanged(ready, present=False)
    assert addresses.changed(waiting, present=False) is None
    names[2] = "wan0"
    assert addresses.are_on(2)
    assert addresses.snapshot() == AddressSnapshot((told._replace(interface="wan0"),))
    gone = told._replace(interface="wan0")
    assert addresses.changed(first, present=False) == AddressChanged(gone, present=False)


TABLE = attribute(15, struct.pack("=I", 254))
TAILS = [
    b"",
    attribute(5, bytes((192, 0, 2, 1))) + attribute(4, struct.pack("=I", 2)),
    attribute(6, struct.pack("=I", 20)),
    DESTINATION,
]


@given(
    st.lists(
        st.builds(
            lambda family, length, where, tail, table: bytes(
                route(table, attribute(1, where), tail, family=family, length=length)
            ),
            st.sampled_from([2, 10]),
            st.integers(0, 33),
            st.sampled_from(
                [bytes(4), bytes((10, 1, 2, 0)), bytes((10, 1, 2, 3)), bytes(16), b"\xfd" + bytes(15)]
            ),
            st.sampled_from(TAILS),
            st.sampled_from([TABLE, b""]),
        )
    )
)
@example([bytes(route(TABLE, attribute(1, bytes(4)), DESTINATION, length=length)) for length in (0, 5)])
def test_many_routes_are_read_as_each_by_itself(bodies: list[bytes]) -> None:
    reader = RouteReader((254,), "if{}".format, lambda _: None)
    for body in bodies:
        alone = decode_route_by_object(memoryview(body), (254,), "if{}".format, lambda _: None)
        assert reader.read(memoryview(body)) == alone


def test_routes_of_one_way_share_it() -> None:
    reader = RouteReader((254,), "if{}".format, lambda _: None)
    read = [
        reader.read(route(TABLE, attribute(1, bytes((10, 1, number, 0))), TAILS[1])) for number in range(3)
    ]
    (_, *shared), *others = [each[0] for each in read if each is not None]
    assert len(others) == 2
    assert all(one is other for each in others for one, other in zip(each[1:3], shared[:2], strict=True))
