"""IP prefixes and their canonical NLRI bytes (RFC 4271 §4.3)."""

from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple, Self

from felixbgp.net.address import Address, AddressError
from felixbgp.net.family import Family
from felixbgp.net.named import named

Nlri = bytes
"""A prefix as it travels: the length octet, then ceil(length / 8) octets, host bits zero."""


class PrefixError(ValueError):
    """A text that is no prefix, or a prefix with host bits set where they must be zero."""


class Prefix(NamedTuple):
    """A family and the canonical NLRI bytes of a prefix in it."""

    family: Family
    nlri: Nlri

    @classmethod
    def parse(cls, text: str, *, strict: bool = True) -> Self:
        """Read `10.0.0.0/8`, `2001:db8::/32`, or a bare address as its host prefix.

        With `strict`, host bits must be zero; without it they are masked off. Raises `PrefixError`.
        """
        host, slash, length_text = text.partition("/")
        try:
            address = Address.parse(host)
        except AddressError as error:
            raise PrefixError(f"{text!r} is not a CIDR: {error}") from error
        bits = address.family.bits
        if not slash:
            return cls.of(address, bits)
        if not (length_text.isascii() and length_text.isdigit() and int(length_text) <= bits):
            raise PrefixError(f"{text!r} is not a CIDR: the prefix length must be 0 to {bits}")
        prefix = cls.of(address, int(length_text))
        if strict and prefix.address != address:
            raise PrefixError(f"{text!r} has host bits set; the network is {prefix}")
        return prefix

    @classmethod
    def of(cls, address: Address, length: int) -> Self:
        """The prefix of `length` bits that holds `address`; host bits are masked off."""
        octets = (length + 7) // 8
        body = bytearray(address[:octets])
        if length % 8:
            body[-1] &= 0xFF00 >> length % 8
        return cls(address.family, bytes((length,)) + bytes(body))

    @property
    def length(self) -> int:
        """Number of significant bits."""
        return self.nlri[0]

    @property
    def address(self) -> Address:
        """The first address of the prefix."""
        return Address(self.nlri[1:].ljust(self.family.octets, b"\0"))

    @property
    def is_host(self) -> bool:
        """Whether the prefix is a /32 or /128."""
        return self.nlri[0] == self.family.bits

    def covers(self, other: "Prefix") -> bool:
        """Whether `other` equals this prefix or lies inside it."""
        return self.family == other.family and self.nlri[0] <= other.nlri[0] and self._begins(other.nlri, 1)

    def contains(self, address: Address) -> bool:
        """Whether `address` lies inside this prefix."""
        return self.family == address.family and self._begins(address, 0)

    def _begins(self, octets: bytes, start: int) -> bool:
        """Whether what `octets` have from `start` on begins with the bits of this prefix."""
        nlri = self.nlri
        whole, bits = nlri[0] >> 3, nlri[0] & 7
        if not octets.startswith(nlri[1 : whole + 1], start):
            return False
        return not bits or (octets[start + whole] ^ nlri[whole + 1]) >> (8 - bits) == 0

    def __str__(self) -> str:
        return f"{self.address}/{self.nlri[0]}"


def prefixes(family: Family, nlris: Iterable[Nlri]) -> list[Prefix]:
    """The prefixes of one family with these NLRI, in their order."""
    return named(Prefix, zip(repeat(family), nlris))
