"""A dictionary kept in parts, for keys of any kind: as one it would hold everything up while it grows.

A dictionary of 170,000 entries takes 6 ms to double, most of which the system takes to give it new memory.
Here one part of several is made two whenever there are `PART_MAX` entries more, in turn (linear hashing:
W. Litwin, 1980), so that a small one is one dictionary and no step of a large one's growth is long.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

PART_MAX: int = 4096
"""Entries of a part, on average, before there is one more. No `Final`: mypyc would build its value in, and
no test could set a smaller one."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Index(Generic[Key, Value]):
    """What a dictionary is to who looks up, sets and removes single entries, with every operation short."""

    __slots__ = ("_count", "_mask", "_parts")

    def __init__(self) -> None:
        self._parts: list[dict[Key, Value]] = [{}]
        self._mask = 0
        """Which bits of a hash say the part; without the highest one where there is no such part yet."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: Key) -> Value | None:
        """The value of a key; None: it has none."""
        return self._part(key).get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of a key."""
        part = self._part(key)
        before = len(part)
        part[key] = value
        if len(part) != before:
            self._count += 1
            if self._count > PART_MAX * len(self._parts):
                self._grow()

    def pop(self, key: Key) -> Value | None:
        """Remove a key; its value, None: it had none."""
        part = self._part(key)
        before = len(part)
        value = part.pop(key, None)
        if len(part) != before:
            self._count -= 1
            if not self._count:
                self._parts, self._mask = [{}], 0
        return value

    def _part(self, key: Key) -> dict[Key, Value]:
        if not self._mask:
            return self._parts[0]
        number = hash(key) & self._mask
        if number >= len(self._parts):
            number &= self._mask >> 1
        return self._parts[number]

    def _grow(self) -> None:
        """Make two of the next part."""
        parts = self._parts
        added = len(parts)
        if added > self._mask:
            self._mask = 2 * self._mask + 1
        whole = parts[added & (self._mask >> 1)]
        stays: dict[Key, Value] = {}
        moves: dict[Key, Value] = {}
        for key, value in whole.items():
            (moves if hash(key) & self._mask == added else stays)[key] = value
        parts[added & (self._mask >> 1)] = stays
        parts.append(moves)
