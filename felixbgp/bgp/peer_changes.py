"""Peers that are to become others, and are not yet: a thousand sessions do not change in one step."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from felixbgp.bgp.changes import Affects
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.peering import peer_order

PEERS_AT_ONCE: Final = 32
"""One takes up to 50 µs where its session ends, with the system calls of that."""


class PeerChange(NamedTuple):
    """What a peer shall be, None for none, and what the speaker's own changes affect of its session."""

    config: PeerConfig | None
    for_all: Affects


class PeerChanges:
    """The last word on each peer. Those that go are first, then by address."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[PeerId, PeerChange] = {}

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, changes: Mapping[PeerId, PeerConfig | None], for_all: Affects) -> None:
        """Want these; a change that still waits for one of them is outdated, though not what it affects."""
        waiting = self._waiting
        for peer in sorted(changes, key=lambda peer: (changes[peer] is not None, peer_order(peer))):
            earlier = waiting.pop(peer, None)
            affects = for_all if earlier is None else for_all | earlier.for_all
            waiting[peer] = PeerChange(changes[peer], affects)

    def take(self) -> list[tuple[PeerId, PeerChange]]:
        """The next ones, as many as a step may carry out."""
        peers = list(islice(self._waiting, PEERS_AT_ONCE))
        return [(peer, self._waiting.pop(peer)) for peer in peers]
