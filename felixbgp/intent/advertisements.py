"""Communities for what a node announces (BGPConfiguration's prefixAdvertisements)."""

from collections.abc import Iterator
from typing import NamedTuple

from felixbgp.bgp.policy.types import Community
from felixbgp.intent.site import Site
from felixbgp.net import Prefix


class Advertisement(NamedTuple):
    """Routes inside `cidr`, and it itself, are announced with these communities."""

    cidr: Prefix
    communities: tuple[Community, ...]


def advertisements(site: Site) -> Iterator[Advertisement]:
    """Those of the node's own BGPConfiguration; only when it has none at all, those of the cluster's.

    So a node with advertisements for one family alone has none for the other, as in Calico. Names are those
    that `communities` of the same BGPConfiguration gives.
    """
    spec = site.own if site.own.prefix_advertisements else site.defaults
    values = {community.name: community.value for community in spec.communities}
    for wanted in spec.prefix_advertisements:
        # Sorted, so that another order is no other policy.
        texts = sorted({values.get(text, text) for text in wanted.communities})
        yield Advertisement(wanted.cidr, tuple(map(community_of, texts)))


def community_of(text: str) -> Community:
    """A valid `aa:nn` or `aa:nn:mm` as BGP has it."""
    numbers = tuple(map(int, text.split(":")))
    if len(numbers) == 2:
        return numbers[0] << 16 | numbers[1]
    first, second, third = numbers
    return first, second, third
