"""A table by NLRI, kept in parts: as one dictionary it would hold everything up while it grows.

A dictionary of half a million entries takes 50 ms to double, and a look into it misses every cache of the
processor. Here a part that is full is split by the next four bits in which its prefixes differ, so that none
has more than `PART_MAX`, and prefixes that come one after the other lie in the same part, mostly.

    node: by bits 0-3 ─┬─ 0 ─▶ node: by bits 4-7 ─┬─ 10 ─▶ part {10.0.0.0/24, 10.0.1.0/24 …}
                       ├─ 1 ─▶ part {16.0.0.0/8, 31.1.0.0/16 …}
                       ⋮                          ⋮

What needs all of a large table goes through it part by part: a `Walk`, which bears every change meanwhile.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from felixbgp.net.prefix import Nlri

PART_MAX: int = 8000
"""Entries of a part, which take half a millisecond to move. Prefixes in order cost a third of what they do in
one dictionary then, those in no order a third more; parts that are much smaller are so many that each look
misses caches again. No `Final`: mypyc would build its value in, and no test could set a smaller one."""
STAGGER: Final = 40_503
"""In 65,536ths, the golden section: its multiples, the whole ones taken away, lie as far apart as can be."""
OCTETS_MAX: Final = 21
"""Of a key: a path identifier, and the length and address of a /128."""

_HIGH: Final = bytes(octet >> 4 for octet in range(256))
_LOW: Final = bytes(octet & 15 for octet in range(256))

Value = TypeVar("Value")


class Node(Generic[Value]):
    """A part, or where it was split: then it is empty, and its entries are those of its children."""

    __slots__ = ("at", "children", "entries", "half", "most", "stagger")

    def __init__(self, stagger: int) -> None:
        self.stagger = stagger
        self.most = PART_MAX - (PART_MAX // 2 * (stagger * STAGGER & 0xFFFF) >> 16)
        """How many entries it may have before it is split: from half of them to all, so that parts which grow
        alike, of one table or of several, are not split in one and the same moment."""
        self.entries: dict[Nlri, Value] = {}
        self.at = 0
        """The octet by which it was split; a key that has no such octet counts as if it were 0."""
        self.half = _HIGH
        """By which four bits of it."""
        self.children: list[Node[Value] | None] | None = None

    def child(self, key: Nlri, children: "list[Node[Value] | None]") -> "Node[Value]":
        """Which of its children a key belongs to, made if need be."""
        at = self.at
        number = self.half[key[at] if at < len(key) else 0]
        child = children[number]
        if child is None:
            child = children[number] = Node((16 * self.stagger + number + 1) & 0xFFFF)
        return child


_NOTHING: Final[Node[Any]] = Node(0)
"""The part of every table that has not had an entry yet, of which a peer has some: it never gets one."""


class Table(Generic[Value]):
    """What a dictionary by NLRI is, with every operation short. Its order is that of the parts."""

    __slots__ = ("_count", "_stagger", "_taking", "root")

    def __init__(self, stagger: int = 0) -> None:
        """Tables that get the same keys have different small numbers for `stagger`."""
        self._stagger = stagger
        self.root: Node[Value] = _NOTHING
        """Where every way to a part begins."""
        self._count = 0
        self._taking: Walk[Value] | None = None

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: Nlri) -> bool:
        return key in self._part(key).entries

    def get(self, key: Nlri) -> Value | None:
        """The value of a key; None: it has none."""
        return self._part(key).entries.get(key)

    def put(self, key: Nlri, value: Value) -> None:
        """Set the value of a key."""
        part = self._part(key)
        if part is _NOTHING:
            part = self.begin()
        entries = part.entries
        before = len(entries)
        entries[key] = value
        if len(entries) != before:
            self._count += 1
            if before >= part.most:
                _split(part)

    def pop(self, key: Nlri) -> Value | None:
        """Remove a key; its value, None: it had none."""
        entries = self._part(key).entries
        value = entries.get(key)
        if value is None and key not in entries:
            return None
        del entries[key]
        self._count -= 1
        if not entries:
            entries.clear()  # Gives back its memory.
        return value

    def put_all(self, keys: Sequence[Nlri], value: Value) -> None:
        """Set one value for many keys."""
        root = self.begin()
        grown = 0
        for key in keys:
            part = root
            if root.children is not None:
                part = self._part(key)
            entries = part.entries
            before = len(entries)
            entries[key] = value
            if len(entries) != before:
                grown += 1
                if before >= part.most:
                    _split(part)
        self._count += grown

    def add(self, keys: Sequence[Nlri], value: Value, present: list[Nlri]) -> list[Nlri]:
        """Set one value for those keys that have none, and give these; the others go to `present`."""
        added: list[Nlri] = []
        root = self.begin()
        for key in keys:
            part = root
            if root.children is not None:
                part = self._part(key)
            entries = part.entries
            before = len(entries)
            entries.setdefault(key, value)
            if len(entries) == before:
                present.append(key)
                continue
            added.append(key)
            if before >= part.most:
                _split(part)
        self._count += len(added)
        return added

    def remove(self, keys: Sequence[Nlri], value: Value, others: list[Nlri]) -> list[Nlri]:
        """Remove those keys that have this very value, and give these; the others go to `others`."""
        removed: list[Nlri] = []
        for key in keys:
            entries = self._part(key).entries
            if entries.get(key) is value:
                del entries[key]
                removed.append(key)
                if not entries:
                    entries.clear()
            else:
                others.append(key)
        self._count -= len(removed)
        return removed

    def take(self, count: int) -> list[tuple[Nlri, Value]]:
        """Remove up to `count` entries and give them; part by part in turn, so that none is left behind."""
        taken: list[tuple[Nlri, Value]] = []
        if count >= self._count:
            for node in _parts(self.root):
                taken += node.entries.items()
            self.clear()
            return taken
        while len(taken) < count:
            if self._taking is None:
                self._taking = Walk(self)
            part = self._taking.part()
            if part is None:
                self._taking = None
                continue
            entries = part.entries
            some = list(islice(entries.items(), count - len(taken)))
            for key, _ in some:
                del entries[key]
            if entries:
                self._taking.return_to(part)
            else:
                entries.clear()
            taken += some
        self._count -= len(taken)
        return taken

    def clear(self) -> None:
        """Remove everything; a `Walk` that is under way has nothing before it."""
        self.root = _NOTHING
        self._count = 0
        self._taking = None

    def copy(self) -> "Table[Value]":
        """One with the same entries, which are copied part by part."""
        other: Table[Value] = Table(self._stagger)
        if self._count:
            other.root = _copied(self.root)
            other._count = self._count
        return other

    def items(self) -> Iterator[tuple[Nlri, Value]]:
        """Every entry; the table must not change meanwhile."""
        for node in _parts(self.root):
            yield from node.entries.items()

    def keys(self) -> Iterator[Nlri]:
        """Every key; the table must not change meanwhile."""
        for node in _parts(self.root):
            yield from node.entries

    def values(self) -> Iterator[Value]:
        """Every value; the table must not change meanwhile."""
        for node in _parts(self.root):
            yield from node.entries.values()

    def begin(self) -> Node[Value]:
        """The root, which takes entries from now on."""
        if self.root is _NOTHING:
            self.root = Node(self._stagger)
        return self.root

    def _part(self, key: Nlri) -> Node[Value]:
        """Where a key belongs, made if need be."""
        node = self.root
        while True:
            children = node.children
            if children is None:
                return node
            node = node.child(key, children)


class Walk(Generic[Value]):
    """A way through all of a table, part by part, while the table changes.

    Every entry that is in the table all the time is met once. Of one that comes or changes meanwhile,
    `is_ahead` says whether it will be met.
    """

    __slots__ = ("_ahead", "_root", "_table")

    def __init__(self, table: Table[Value]) -> None:
        self._table = table
        # Also of an empty table: what comes into it is ahead.
        self._root = table.begin()
        self._ahead: dict[Node[Value], None] = {self._root: None}
        """What is still to be met, the next one last."""

    def copy(self) -> "Walk[Value]":
        """Another one that has as much before it."""
        other = Walk(self._table)
        other._root = self._root
        other._ahead = dict(self._ahead)
        return other

    def next(self) -> list[tuple[Nlri, Value]] | None:
        """The entries of the next part that has some; None: that was all."""
        part = self.part()
        return None if part is None else list(part.entries.items())

    def part(self) -> Node[Value] | None:
        """The next part that has entries; None: that was all."""
        if self._table.root is not self._root:
            self._ahead.clear()
        while self._ahead:
            node, _ = self._ahead.popitem()
            if node.entries:
                return node
            if node.children is not None:
                for child in reversed(node.children):
                    if child is not None:
                        self._ahead[child] = None
        return None

    def return_to(self, part: Node[Value]) -> None:
        """Meet a part once more, next."""
        self._ahead[part] = None

    def is_ahead(self, key: Nlri) -> bool:
        """Whether a key lies in a part that is still to be met."""
        node = self._table.root
        while True:
            if node in self._ahead:
                return True
            children = node.children
            if children is None:
                return False
            node = node.child(key, children)


def _parts(root: Node[Value]) -> Iterator[Node[Value]]:
    """Those that were not split, in order."""
    if root.children is None:
        yield root
        return
    for child in root.children:
        if child is not None:
            yield from _parts(child)


def _copied(node: Node[Value]) -> Node[Value]:
    other: Node[Value] = Node(node.stagger)
    other.entries = node.entries.copy()
    other.at, other.half = node.at, node.half
    if node.children is not None:
        other.children = [None if child is None else _copied(child) for child in node.children]
    return other


def _split(part: Node[Value]) -> None:
    """Give the entries of a full part to children; those that differ nowhere stay: they are few."""
    entries = part.entries
    at = _first_difference(entries)
    if at is None:
        return
    first = next(iter(entries))[at : at + 1] or b"\0"
    half = (
        _HIGH if any(_HIGH[key[at] if at < len(key) else 0] != _HIGH[first[0]] for key in entries) else _LOW
    )
    part.at, part.half, part.entries = at, half, {}
    children: list[Node[Value] | None] = [None] * 16
    part.children = children
    # Mostly in order, so that those of one child come one after the other.
    number, child = -1, part
    for key, value in entries.items():
        digit = half[key[at] if at < len(key) else 0]
        if digit != number:
            number, child = digit, part.child(key, children)
        child.entries[key] = value


def _first_difference(keys: Iterable[Nlri]) -> int | None:
    """The first octet in which not all are alike, the very first one (mostly a length) excepted."""
    some = next(iter(keys))
    for at in range(1, OCTETS_MAX):
        octet = some[at] if at < len(some) else 0
        for key in keys:
            if (key[at] if at < len(key) else 0) != octet:
                return at
    return None
