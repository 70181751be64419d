"""The values of inputs and effects as MessagePack: explicit, and the same octets for the same value.

    None, bool, int, float, str, bytes     as they are; an int beyond 64 bits  [4, "…"]
    tuple, list, dict, frozenset           [0, …]  [1, …]  [2, key, value, …]  [3, …], the last sorted
    a class of the registry                ["room.Name", field, …]
    a member of an enum                    ["room.Name", "MEMBER"]
    a member of another, that is a text or a number as well: as that

Only classes that are registered are made, and by their names; nothing of a journal is executed. What is
secret is replaced on the way out, if wanted: see `pseudonyms`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import msgpack

from felixbgp.journal.registry import REGISTERED, tag_of
from felixbgp.net import Address

TUPLE: Final = 0
LIST: Final = 1
DICT: Final = 2
FROZENSET: Final = 3
LARGE: Final = 4
DEPTH_MAX: Final = 60
"""Of what is nested: an intent has some ten levels, and a stored object those that pydantic lets it have."""
DIGITS_MAX: Final = 100
_NATURAL: Final = frozenset((type(None), bool, float, str, bytes))
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class CodecError(ValueError):
    """A value that has no form in a journal, or octets that are none; the text says which and why."""


class Replacing(Protocol):
    """What stands for secrets; it is given an object that holds one, and its fields."""

    def fields(self, value: object, fields: Sequence[Any]) -> Sequence[Any]:
        """The fields to write instead."""
        ...


class _Shape(NamedTuple):
    """How a class is taken apart and put together."""

    tag: str
    fields: Callable[[Any], Sequence[Any]]
    make: Callable[[Sequence[Any]], object]
    size: int
    """Number of fields."""


def encode(value: object, secrets: Replacing | None = None) -> bytes:
    """The value's octets. Raises `CodecError` for one of a class that is not registered."""
    return pack(plain(value, secrets))


def decode(octets: bytes) -> object:
    """The value that octets stand for. Raises `CodecError`."""
    return value_of(unpack(octets))


def pack(tree: object) -> bytes:
    """Plain data as octets."""
    packed: bytes = msgpack.packb(tree, use_bin_type=True, unicode_errors="surrogatepass")
    return packed


def unpack(octets: bytes) -> object:
    """Plain data of octets. Raises `CodecError`."""
    try:
        return msgpack.unpackb(octets, raw=False, unicode_errors="surrogatepass", strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise CodecError(f"no MessagePack: {str(error) or type(error).__name__}") from error


def plain(value: object, secrets: Replacing | None = None) -> object:
    """A value as plain data. Raises `CodecError`."""
    kind = type(value)
    if kind in _NATURAL:
        return value
    if kind is int and _INT_MIN <= value <= _INT_MAX:  # type: ignore[operator]
        return value
    shape = _SHAPES.get(kind)
    if shape is not None:
        fields = shape.fields(value)
        if secrets is not None:
            fields = secrets.fields(value, fields)
        return [shape.tag, *[plain(field, secrets) for field in fields]]
    if isinstance(value, tuple) and kind is tuple:
        return [TUPLE, *[plain(entry, secrets) for entry in value]]
    if isinstance(value, list):
        return [LIST, *[plain(entry, secrets) for entry in value]]
    if isinstance(value, dict | MappingProxyType):
        return [DICT, *[plain(one, secrets) for entry in value.items() for one in entry]]
    if isinstance(value, frozenset):
        return [FROZENSET, *sorted((plain(entry, secrets) for entry in value), key=pack)]
    if isinstance(value, int):
        number = int(value)
        return number if _INT_MIN <= number <= _INT_MAX else [LARGE, str(number)]
    if isinstance(value, str):
        return str(value)
    raise CodecError(f"{kind.__module__}.{kind.__qualname__} has no form in a journal")


def value_of(tree: object, depth: int = DEPTH_MAX) -> Any:
    """The value of plain data. Raises `CodecError`."""
    if not isinstance(tree, list):
        if isinstance(tree, dict):
            raise CodecError("a map of MessagePack stands for nothing")
        return tree
    if not depth or not tree:
        raise CodecError("nothing stands for nothing" if depth else f"nested deeper than {DEPTH_MAX} times")
    tag, rest = tree[0], tree[1:]
    if isinstance(tag, str):
        return _object_of(tag, [value_of(entry, depth - 1) for entry in rest])
    if tag == LARGE:
        return _large(rest)
    try:
        return _container_of(tag, [value_of(entry, depth - 1) for entry in rest])
    except TypeError as error:
        raise CodecError(str(error)) from error


def _container_of(tag: object, entries: list[Any]) -> object:
    """Raises `TypeError` for keys and members that cannot be some."""
    if tag == TUPLE:
        return tuple(entries)
    if tag == LIST:
        return entries
    if tag == DICT and not len(entries) % 2:
        return dict(zip(entries[::2], entries[1::2], strict=True))
    if tag == FROZENSET:
        return frozenset(entries)
    raise CodecError(f"{tag!r:.40} stands for nothing")


def _large(rest: list[object]) -> int:
    match rest:
        case [str(digits)] if len(digits) <= DIGITS_MAX and digits.removeprefix("-").isdecimal():
            return int(digits)
        case _:
            raise CodecError("a large number is not one")


def _object_of(tag: str, fields: list[Any]) -> object:
    shape = _BY_TAG.get(tag)
    if shape is None:
        raise CodecError(f"{tag!r:.80} is not known here")
    if len(fields) != shape.size:
        raise CodecError(f"{tag} has {shape.size} fields, not {len(fields)}")
    try:
        return shape.make(fields)
    except (TypeError, ValueError, KeyError) as error:
        raise CodecError(f"{tag}: {str(error) or type(error).__name__}") from error


def _shape_of(kind: type[Any]) -> _Shape:
    tag = tag_of(kind)
    if kind is Address:
        return _Shape(tag, lambda value: (bytes(value),), lambda fields: Address(fields[0]), 1)
    if issubclass(kind, Enum):
        members = kind.__members__
        return _Shape(tag, lambda value: (value.name,), lambda fields: members[fields[0]], 1)
    if issubclass(kind, tuple):
        names = list(getattr(kind, "_fields"))  # noqa: B009 - every NamedTuple has them, and mypy knows of none
        return _Shape(tag, tuple, lambda fields: kind(*fields), len(names))
    names = [field.name for field in dataclasses.fields(kind)]
    return _Shape(
        tag,
        _getter(names),
        lambda fields: kind(**dict(zip(names, fields, strict=True))),
        len(names),
    )


def _getter(names: list[str]) -> Callable[[Any], Sequence[Any]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


_SHAPES: Final = {kind: _shape_of(kind) for kind in REGISTERED}
_BY_TAG: Final = {shape.tag: shape for shape in _SHAPES.values()}
