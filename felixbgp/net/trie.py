"""Longest-prefix match over a changing set of prefixes."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from felixbgp.net.address import Address
from felixbgp.net.family import Family
from felixbgp.net.prefix import Prefix

Value = TypeVar("Value")


class PrefixTrie(Generic[Value]):
    """A mapping from prefixes to values that answers which of them cover an address or prefix.

    One dictionary per family and prefix length: a look-up costs one probe per length in use, which for
    pools, blocks and connected networks is a handful.
    """

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[Family, dict[int, dict[bytes, Value]]] = {}

    def __setitem__(self, prefix: Prefix, value: Value) -> None:
        self._tables.setdefault(prefix.family, {}).setdefault(prefix.length, {})[prefix.nlri] = value

    def __delitem__(self, prefix: Prefix) -> None:
        """Remove an exact prefix; raises `KeyError` when it is not there."""
        lengths = self._tables[prefix.family]
        table = lengths[prefix.length]
        del table[prefix.nlri]
        if not table:
            del lengths[prefix.length]

    def get(self, prefix: Prefix) -> Value | None:
        """The value at exactly this prefix, or None."""
        return self._tables.get(prefix.family, {}).get(prefix.length, {}).get(prefix.nlri)

    def covering(self, prefix: Prefix) -> Iterator[tuple[Prefix, Value]]:
        """Every entry that equals or contains `prefix`, longest first."""
        lengths = self._tables.get(prefix.family, {})
        address = prefix.address
        for length in sorted(lengths, reverse=True):
            if length > prefix.length:
                continue
            candidate = Prefix.of(address, length)
            table = lengths[length]
            if candidate.nlri in table:
                yield candidate, table[candidate.nlri]

    def longest_match(self, address: Address) -> tuple[Prefix, Value] | None:
        """The most specific entry that contains `address`, or None."""
        return next(self.covering(Prefix.of(address, address.family.bits)), None)

    def __len__(self) -> int:
        return sum(len(table) for lengths in self._tables.values() for table in lengths.values())
