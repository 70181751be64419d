"""Values as octets, and octets of bad will."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

import msgpack
import pytest

from felixbgp.bgp.inputs import BytesReceived, Endpoint
from felixbgp.fib.types import RouteKind
from felixbgp.journal.codec import DEPTH_MAX, CodecError, decode, encode
from felixbgp.net import Address


class Word(StrEnum):
    ONE = "one"


class Number(IntEnum):
    TWO = 2


@dataclass(frozen=True)
class Stranger:
    value: int


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        2**64,
        -(2**70),
        1.5,
        "\ud800",
        b"\x00",
        (1, (2, [3, {"a": None, 4: ()}])),
        frozenset({(1, 2), (3,)}),
        Address.parse("10.0.0.1"),
        RouteKind.UNICAST,
        BytesReceived(1, b"x"),
        Endpoint(Address.parse("fd00::1"), 179),
    ],
    ids=repr,
)
def test_a_value_comes_back_with_its_class(value: object) -> None:
    found = decode(encode(value))
    assert found == value
    assert type(found) is type(value)


def test_a_text_or_number_of_an_enum_that_is_not_registered_is_a_text_or_number() -> None:
    assert decode(encode((Word.ONE, Number.TWO))) == ("one", 2)
    assert encode(Word.ONE) == encode("one")


def test_a_view_of_a_mapping_is_the_mapping() -> None:
    assert encode(MappingProxyType({"a": 1})) == encode({"a": 1})


def test_the_order_of_a_set_is_none() -> None:
    names = [f"{number}" for number in range(50)]
    assert encode(frozenset(names)) == encode(frozenset(reversed(names)))


def test_a_class_that_is_not_registered_has_no_form() -> None:
    with pytest.raises(CodecError, match=r"test_codec\.Stranger has no form in a journal"):
        encode((1, Stranger(2)))


def nested(depth: int) -> object:
    tree: list[object] = [0]
    for _ in range(depth):
        tree = [0, tree]
    return tree


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ([], "nothing stands for nothing"),
        ({}, "a map of MessagePack stands for nothing"),
        ([9, 1], "9 stands for nothing"),
        ([None], "None stands for nothing"),
        ([2, 1], "2 stands for nothing"),
        ([2, [1], 1], "unhashable type: 'list'"),
        ([3, [1]], "unhashable type: 'list'"),
        ([4, "x"], "a large number is not one"),
        ([4, "9" * 5000], "a large number is not one"),
        (["os.system", "id"], "'os.system' is not known here"),
        (["bgp.BytesReceived", 1], "bgp.BytesReceived has 2 fields, not 1"),
        (["net.Address", b"12345"], "net.Address: "),
        (["net.Address", "x"], "net.Address: "),
        (["fib.RouteKind", "ELSE"], "fib.RouteKind: 'ELSE'"),
        (["fib.RouteKind", [1]], "fib.RouteKind: "),
        (nested(DEPTH_MAX), f"nested deeper than {DEPTH_MAX} times"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_of_bad_will_is_refused_with_a_reason(tree: object, reason: str) -> None:
    with pytest.raises(CodecError) as error:
        decode(msgpack.packb(tree))
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xc1",
        b"\x93\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x01\x01",
    ],
    ids=["empty", "unused", "cut off", "a long array", "long bytes", "nested", "two"],
)
def test_what_is_no_messagepack_is_refused(octets: bytes) -> None:
    with pytest.raises(CodecError, match="no MessagePack"):
        decode(octets)


def test_secrets_are_replaced_wherever_they_are() -> None:
    class Replacing:
        def fields(self, value: object, fields: Sequence[object]) -> Sequence[object]:
            return (7, b"replaced") if isinstance(value, BytesReceived) else fields

    assert decode(encode((BytesReceived(1, b"x"),), Replacing())) == (BytesReceived(7, b"replaced"),)
