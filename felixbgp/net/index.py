"""A dictionary kept in parts, for keys of any kind: as one it would hold everything up while it grows.

A dictionary of 170,000 entries takes 6 ms to double, most of which the system takes to give it new memory.
Here a small one is one dictionary, and a larger one is `PARTS` of them: each takes a 64th of the time, and as
hashes are spread by chance, hardly two are full in one and the same moment.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

WHOLE_MAX: int = 4096
"""Entries that are kept in one dictionary. No `Final`: mypyc would build its value in, and no test could set
a smaller one."""
PARTS: Final = 64
"""Empty ones take 4 KiB together. Of four million entries one has 60,000, and doubles in 2 ms."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Index(Generic[Key, Value]):
    """What a dictionary is to who looks up, sets and removes single entries, with every operation short.

    Nobody can go through one: its order would be that of hashes.
    """

    __slots__ = ("_count", "_parts", "_whole")

    def __init__(self) -> None:
        self._whole: dict[Key, Value] = {}
        """All entries while they are few, of which a peer mostly has."""
        self._parts: list[dict[Key, Value]] | None = None
        """All of them once they are many."""
        self._count = 0
        """Of the entries of all parts."""

    def __len__(self) -> int:
        return len(self._whole) if self._parts is None else self._count

    def get(self, key: Key) -> Value | None:
        """The value of a key; None: it has none."""
        parts = self._parts
        return self._whole.get(key) if parts is None else parts[hash(key) & (PARTS - 1)].get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of a key."""
        parts = self._parts
        if parts is None:
            self._whole[key] = value
            if len(self._whole) > WHOLE_MAX:
                self._divide()
            return
        part = parts[hash(key) & (PARTS - 1)]
        before = len(part)
        part[key] = value
        if len(part) != before:
            self._count += 1

    def pop(self, key: Key) -> Value | None:
        """Remove a key; its value, None: it had none."""
        parts = self._parts
        part = self._whole if parts is None else parts[hash(key) & (PARTS - 1)]
        if key not in part:
            return None
        value = part[key]
        del part[key]
        if parts is not None:
            self._count -= 1
            if not self._count:
                self._parts = None
        return value

    def _divide(self) -> None:
        whole, self._whole = self._whole, {}
        parts: list[dict[Key, Value]] = [{} for _ in range(PARTS)]
        for key, value in whole.items():
            parts[hash(key) & (PARTS - 1)][key] = value
        self._parts, self._count = parts, len(whole)
