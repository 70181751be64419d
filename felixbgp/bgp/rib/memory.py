"""Roughly how much memory sets of attributes take, so that what is kept of them can be bounded.

A set is usually small, and thousands of prefixes share it. But a peer may send one of 64 KiB, which takes ten
times that here, with every UPDATE, so a bound on their number alone would bound nothing.
"""

from typing import Final

from felixbgp.bgp.wire.messages import PathAttributes

SET_OCTETS: Final = 700
"""Of a set with next to nothing in it, and the path made of it. These are what CPython 3.11 takes."""
_COMMUNITY_OCTETS: Final = 36
_SEGMENT_OCTETS: Final = 110
_CLUSTER_OCTETS: Final = 45
_EXTENDED_COMMUNITY_OCTETS: Final = 48
_LARGE_COMMUNITY_OCTETS: Final = 153
_UNKNOWN_OCTETS: Final = 80


def octets_of(attributes: PathAttributes) -> int:
    """An estimate from the lengths of all lists."""
    octets = SET_OCTETS + _COMMUNITY_OCTETS * len(attributes.communities)
    for segment in attributes.as_path:
        octets += _SEGMENT_OCTETS + len(segment.octets)
    octets += _CLUSTER_OCTETS * len(attributes.cluster_list)
    octets += _EXTENDED_COMMUNITY_OCTETS * len(attributes.extended_communities)
    octets += _LARGE_COMMUNITY_OCTETS * len(attributes.large_communities)
    for one in attributes.unknown:
        octets += _UNKNOWN_OCTETS + len(one.value)
    return octets
