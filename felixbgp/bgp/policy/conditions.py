"""Conditions on a route's attributes."""

from collections.abc import Sequence

from felixbgp.bgp.policy.types import Community, Match
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType


def attributes_match(match: Match, attributes: PathAttributes) -> bool:
    """Whether all conditions on attributes hold; those on prefix, source and interface are not asked."""
    if match.community is not None and not carries(attributes, match.community):
        return False
    if match.as_path_start and not begins_with(attributes.as_path, match.as_path_start):
        return False
    if match.has_next_hop and not attributes.next_hop:
        return False
    if match.local_pref is not None and attributes.local_pref != match.local_pref:
        return False
    above = match.local_pref_above
    return above is None or (attributes.local_pref is not None and attributes.local_pref > above)


def carries(attributes: PathAttributes, community: Community) -> bool:
    """Whether a community, standard or large, is among those of the route."""
    if isinstance(community, int):
        return community in attributes.communities
    return community in attributes.large_communities


def begins_with(as_path: Sequence[Segment], asns: Sequence[int]) -> bool:
    """Whether the AS_PATH's first numbers are these. They may span segments, up to the first AS_SET."""
    position = 0
    for segment in as_path:
        if segment.type != SegmentType.AS_SEQUENCE:
            return False
        part = segment.asns[: len(asns) - position]
        if part != tuple(asns[position : position + len(part)]):
            return False
        position += len(part)
        if position == len(asns):
            return True
    return not asns
