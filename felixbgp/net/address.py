"""One IPv4 or IPv6 address."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from felixbgp.net.family import IPV4, IPV6, Family


class AddressError(ValueError):
    """A text or byte string that is no IP address."""


class Address(bytes):
    """An address as its 4 or 16 octets in network order.

    It is `bytes`, so it goes onto the wire and into dictionaries as it is, and sorts in numeric order
    within a family. `str()` gives the canonical text (RFC 5952 for IPv6).
    """

    __slots__ = ()

    def __new__(cls, octets: bytes) -> Self:
        """Wrap 4 or 16 octets; raises `AddressError` for any other length."""
        if len(octets) not in (4, 16):
            raise AddressError(f"an address has 4 or 16 octets, not {len(octets)}")
        return bytes.__new__(cls, octets)  # Which `super()` would find with twice the work.

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `192.0.2.1` or `2001:db8::1`; a zone (`%eth0`) is refused. Raises `AddressError`."""
        try:
            parsed = ip_address(text)
        except ValueError as error:
            raise AddressError(f"{text!r} is not an IPv4 or IPv6 address") from error
        if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
            raise AddressError(f"{text!r} has a zone, which has no meaning outside its host")
        return cls(parsed.packed)

    @property
    def family(self) -> Family:
        """`IPV4` or `IPV6`."""
        return IPV4 if len(self) == 4 else IPV6

    @property
    def is_link_local(self) -> bool:
        """Whether the address is in 169.254.0.0/16 or fe80::/10."""
        if len(self) == 4:
            return self[:2] == b"\xa9\xfe"
        return self[0] == 0xFE and self[1] & 0xC0 == 0x80

    @property
    def is_of_one_host(self) -> bool:
        """Whether a host can have the address: it is not unspecified, multicast or limited broadcast."""
        if len(self) == 4:
            return self[0] >> 4 != 0xE and self not in (_UNSPECIFIED_V4, _BROADCAST_V4)
        return self[0] != 0xFF and self != _UNSPECIFIED_V6

    @property
    def is_routable(self) -> bool:
        """Whether others may have a route to it: it is no loopback, link-local or multicast address."""
        if self.is_link_local:
            return False
        if len(self) == 4:
            return self[0] != 127 and self[0] < 224
        return self[0] != 0xFF and self != _LOOPBACK_V6

    def __str__(self) -> str:
        return str(IPv4Address(bytes(self)) if len(self) == 4 else IPv6Address(bytes(self)))

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


_LOOPBACK_V6 = Address(bytes(15) + b"\1")
_UNSPECIFIED_V4 = Address(bytes(4))
_UNSPECIFIED_V6 = Address(bytes(16))
_BROADCAST_V4 = Address(b"\xff" * 4)
