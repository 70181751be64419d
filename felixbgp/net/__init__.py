"""Values of the network layer: `Family`, `Address`, `Prefix`, and a longest-prefix trie.

Everything here is immutable (the trie excepted), hashable, and ordered; text is read and written only at
the edges. A prefix on the hot path is its canonical NLRI bytes (RFC 4271 §4.3): one length octet, then
the octets that the length covers, host bits zero.
"""

from felixbgp.net.address import Address, AddressError
from felixbgp.net.family import IPV4, IPV6, Family
from felixbgp.net.prefix import Nlri, Prefix, PrefixError
from felixbgp.net.trie import PrefixTrie

__all__ = [
    "IPV4",
    "IPV6",
    "Address",
    "AddressError",
    "Family",
    "Nlri",
    "Prefix",
    "PrefixError",
    "PrefixTrie",
]
