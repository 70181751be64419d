"""Address families as BGP names them (RFC 4760 §3): AFI and SAFI."""

from typing import Final, NamedTuple


class Family(NamedTuple):
    """An (AFI, SAFI) pair. Two of them carry routes here: `IPV4` and `IPV6` unicast."""

    afi: int
    safi: int

    @property
    def bits(self) -> int:
        """Length of an address of this family in bits: 32 or 128."""
        return 32 if self.afi == 1 else 128

    @property
    def octets(self) -> int:
        """Length of an address of this family in octets: 4 or 16."""
        return address_octets(self)

    @property
    def label(self) -> str:
        """The name operators read: `ipv4`, `ipv6`, or `afi/safi` for any other pair."""
        if self == IPV4:
            return "ipv4"
        return "ipv6" if self == IPV6 else f"{self.afi}/{self.safi}"


def address_octets(family: Family) -> int:
    """`Family.octets` for hot paths: mypyc compiles the properties of a `NamedTuple` to slow ones."""
    return 4 if family.afi == 1 else 16


IPV4: Final = Family(1, 1)
IPV6: Final = Family(2, 1)
