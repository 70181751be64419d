"""Nexthop objects: what is written is read back, what `ip` writes is read, and octets of every kind."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.net import IPV4, IPV6, Address
from felixbgp.runtime.netlink.messages import (
    HEADER,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    Message,
    read_attributes,
    split_messages,
)
from felixbgp.runtime.netlink.nexthops import (
    BUCKETS,
    RTM_DELNEXTHOP,
    RTM_NEWNEXTHOP,
    Hop,
    NexthopObject,
    decode_object,
    encode_object,
    encode_removal,
)

CREATE = NLM_F_CREATE | NLM_F_EXCL
V4, V6 = Address.parse("192.0.2.1"), Address.parse("2001:db8::1")


def message(octets: bytes) -> Message:
    (found,) = split_messages(bytes(octets))
    return found


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def test_a_gateway_is_one_object() -> None:
    octets = encode_object(NexthopObject(7, 179, Hop(IPV4, V4, 3, onlink=True)), CREATE, 9)
    assert octets == (
        HEADER.pack(48, RTM_NEWNEXTHOP, NLM_F_REQUEST | CREATE, 9, 0)
        + bytes((2, 0, 179, 0)) + struct.pack("=I", 4)
        + attribute(1, struct.pack("=I", 7)) + attribute(5, struct.pack("=I", 3)) + attribute(6, bytes(V4))
    )  # fmt: skip


def test_a_group_is_resilient_and_its_weights_are_one_less_on_the_wire() -> None:
    body = message(encode_object(NexthopObject(9, 179, None, ((7, 1), (8, 256))), CREATE, 1)).body
    assert bytes(body[:8]) == bytes((0, 0, 179, 0, 0, 0, 0, 0))
    found = read_attributes(body[8:])
    assert bytes(found[2]) == struct.pack("=IBBHIBBH", 7, 0, 0, 0, 8, 255, 0, 0)
    assert bytes(found[3]) == struct.pack("=H", 1)
    timers = read_attributes(found[12])
    assert {kind: int.from_bytes(value, "little") for kind, value in timers.items()} == {
        1: BUCKETS, 2: 60 * 100, 3: 300 * 100,
    }  # fmt: skip
    # The kernel looks for this bit where it reads strictly.
    assert attribute(12 | 0x8000, b"")[2:4] in bytes(body)


def test_a_removal_names_the_number_alone() -> None:
    assert message(encode_removal(7, 5)) == Message(
        RTM_DELNEXTHOP,
        NLM_F_REQUEST,
        5,
        0,
        memoryview(bytes(8) + attribute(1, struct.pack("=I", 7))),
    )


HOPS = st.one_of(
    st.builds(Hop, st.just(IPV4), st.just(V4), st.integers(1, 9), st.booleans()),
    st.builds(Hop, st.just(IPV6), st.just(V6), st.integers(1, 9), st.booleans()),
    st.builds(Hop, st.sampled_from([IPV4, IPV6]), st.none(), st.integers(1, 9)),
)
MEMBERS = st.lists(st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 256)), min_size=1, max_size=5)
OBJECTS = st.one_of(
    st.builds(NexthopObject, st.integers(1, 2**32 - 1), st.integers(0, 255), HOPS, st.just(()), st.just(0)),
    st.builds(
        NexthopObject,
        st.integers(1, 2**32 - 1),
        st.integers(0, 255),
        st.none(),
        MEMBERS.map(tuple),
        st.just(BUCKETS),
    ),
)


@given(OBJECTS)
def test_what_is_written_is_read_back(known: NexthopObject) -> None:
    assert decode_object(message(encode_object(known, CREATE, 1)).body) == known


HEADER_OF_NONE = bytes((0, 0, 11, 0, 0, 0, 0, 0))
NUMBER = attribute(1, struct.pack("=I", 7))


@pytest.mark.parametrize(
    ("body", "known"),
    [
        pytest.param(bytes(7), None, id="header cut short"),
        pytest.param(HEADER_OF_NONE, None, id="no number"),
        pytest.param(HEADER_OF_NONE + attribute(1, bytes(2)), None, id="number of two octets"),
        pytest.param(HEADER_OF_NONE + NUMBER + attribute(4, b""), NexthopObject(7, 11), id="blackhole"),
        pytest.param(
            HEADER_OF_NONE + NUMBER + attribute(5, struct.pack("=I", 3)) + attribute(6, b"abc"),
            NexthopObject(7, 11),
            id="gateway of three octets",
        ),
        pytest.param(
            HEADER_OF_NONE + NUMBER + attribute(2, struct.pack("=IBBHH", 5, 0, 1, 0, 9)),
            NexthopObject(7, 11, None, ((5, 257),)),
            id="a plain group, a member cut short, a weight beyond an octet",
        ),
    ],
)
def test_what_others_write(body: bytes, known: NexthopObject | None) -> None:
    assert decode_object(memoryview(body)) == known


@given(st.binary(max_size=80))
def test_octets_of_every_kind_do_not_raise(octets: bytes) -> None:
    decode_object(memoryview(octets))
    decode_object(memoryview(HEADER_OF_NONE + NUMBER + octets))
