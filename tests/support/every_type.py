"""Every class that inputs, effects and an agent's configuration consist of, and values of each."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

INPUTS: tuple[type, ...] = typing.get_args(Input)
EFFECTS: tuple[type, ...] = typing.get_args(Effect)
ROOTS = (*INPUTS, *EFFECTS, AgentConfig)
_SIMPLE = (type(None), bool, int, float, str, bytes, object)
"""`object` stands for what JSON has."""

JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def is_record(kind: type) -> bool:
    """Whether a class has fields with hints."""
    return dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def classes(*hints: object) -> dict[type, None]:
    """All classes that are reached from these by the hints of their fields."""
    found: dict[type, None] = {}
    for hint in hints:
        _collect(hint, found)
    return found


def _collect(hint: object, found: dict[type, None]) -> None:
    if typing.get_origin(hint) is not None or isinstance(hint, types.UnionType):
        for part in typing.get_args(hint):
            if part is not Ellipsis:
                _collect(part, found)
        return
    assert isinstance(hint, type), f"{hint} is no class"
    if hint in _SIMPLE or hint in found:
        return
    found[hint] = None
    if is_record(hint):
        for field in typing.get_type_hints(hint).values():
            _collect(field, found)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Small values of a hint."""
    simple: dict[object, st.SearchStrategy[Any]] = {
        type(None): st.none(),
        bool: st.booleans(),
        int: st.integers(-(2**70), 2**70),
        float: st.floats(allow_nan=False),
        str: st.text(st.characters(), max_size=3),
        bytes: st.binary(max_size=3),
        object: JSON,
        Address: st.sampled_from([Address.parse("10.0.0.1"), Address.parse("fd00::1")]),
        Family: st.sampled_from([IPV4, IPV6]),
        Prefix: st.sampled_from([Prefix.parse("10.0.0.0/8"), Prefix.parse("fd00::/64")]),
    }
    if hint in simple:
        return simple[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType) or isinstance(hint, types.UnionType):
        return st.one_of([values(part) for part in parts])
    if origin is tuple and parts[-1:] == (Ellipsis,):
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, parts))
    if origin is frozenset:
        return st.frozensets(values(parts[0]), max_size=3)
    if origin in (dict, Mapping):
        return st.dictionaries(values(parts[0]), values(parts[1]), max_size=2)
    if origin is list:
        return st.lists(values(parts[0]), max_size=2)
    assert isinstance(hint, type), f"no values of {hint}"
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    assert is_record(hint), f"no values of {hint}"
    fields = dict(_fields(hint))
    return st.deferred(lambda: st.builds(hint, **{name: values(kind) for name, kind in fields.items()}))


def _fields(kind: type) -> Iterator[tuple[str, Any]]:
    yield from typing.get_type_hints(kind).items()
