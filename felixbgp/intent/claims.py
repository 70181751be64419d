"""Who says that a session shall be: claims to peers, of which the one with the least source holds.

    source: rank (global, node, reverse, mesh), BGPPeer, member ──claims──▶ peer ──the first──▶ its session

A claim without a session stands for one that must stay down, so that no weaker claim opens it.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.cluster.parts import Parts
from felixbgp.intent.types import PeerOrigin, Problem
from felixbgp.net import Address


class Rank(IntEnum):
    """Which of two claims to one peer holds: that of the lower rank (confd's updatePeersV1, in its order)."""

    GLOBAL = 0
    NODE = 1
    REVERSE = 2
    MESH = 3


class Source(NamedTuple):
    """Where claims come from: a BGPPeer's name, a node's, an address of it; empty where there is none."""

    rank: Rank
    resource: str = ""
    member: str = ""
    address: bytes = b""


class Claim(NamedTuple):
    """A statement about one peer; `config` is None when the session must stay down."""

    peer: PeerId
    origin: PeerOrigin
    config: PeerConfig | None
    explicit: bool = False
    """Whether a BGPPeer names this direction; two different explicit claims to a peer are a conflict."""


class Claims:
    """All claims, and what they come to. After `put` and `drop`, `settle` tells what is different."""

    def __init__(self) -> None:
        self._by_source: dict[Source, dict[PeerId, Claim]] = {}
        self._by_peer: dict[PeerId, dict[Source, Claim]] = {}
        self._of_resource: dict[str, dict[Source, None]] = {}
        self._touched: dict[PeerId, None] = {}
        self._touched_resources: dict[str, None] = {}
        self._conflicts: dict[PeerId, tuple[Problem, ...]] = {}

    def put(self, source: Source, claims: Iterable[Claim]) -> None:
        """These are the claims of a source now."""
        self._touched_resources[source.resource] = None
        wanted = {claim.peer: claim for claim in claims}
        before = self._by_source.pop(source, {})
        for peer in before:
            if peer not in wanted:
                del self._by_peer[peer][source]
                self._touched[peer] = None
        for peer, claim in wanted.items():
            self._by_peer.setdefault(peer, {})[source] = claim
            self._touched[peer] = None
        if wanted:
            self._by_source[source] = wanted
            self._of_resource.setdefault(source.resource, {})[source] = None
        elif before:
            self._forget_source(source)

    def drop(self, resource: str) -> Parts[None]:
        """Every claim of a BGPPeer is gone."""
        self._touched_resources[resource] = None
        for source in list(self._of_resource.get(resource, ())):
            self.put(source, ())
            yield 1

    def touch(self, peers: Iterable[PeerId]) -> None:
        """Let `settle` tell of these peers whatever happens."""
        self._touched.update(dict.fromkeys(peers))

    def at(self, address: Address) -> list[PeerId]:
        """The peers at an address that somebody claims."""
        return [peer for peer in self._by_peer if peer.address == address]

    def take_touched_resources(self) -> list[str]:
        """The BGPPeers that were put or dropped since the last call ("" for what belongs to none)."""
        touched, self._touched_resources = self._touched_resources, {}
        return list(touched)

    def of(self, resource: str) -> Iterator[Claim]:
        """The claims of a BGPPeer."""
        for source in self._of_resource.get(resource, ()):
            yield from self._by_source[source].values()

    def of_sources(self, resource: str) -> list[tuple[Source, list[Claim]]]:
        """The sources that belong to a BGPPeer ("" for those that belong to none), each with its claims."""
        sources = self._of_resource.get(resource, ())
        return [(source, list(self._by_source[source].values())) for source in sources]

    def settle(self) -> Iterator[tuple[PeerId, Claim | None]]:
        """The claim that holds, for every peer that was touched; None for a peer that nobody claims."""
        touched, self._touched = self._touched, {}
        for peer in touched:
            self._conflicts.pop(peer, None)
            claims = self._by_peer.get(peer)
            if not claims:
                self._by_peer.pop(peer, None)
                yield peer, None
                continue
            ordered = [claims[source] for source in sorted(claims)]
            if conflicts := tuple(_conflicts(ordered)):
                self._conflicts[peer] = conflicts
            yield peer, ordered[0]

    def conflicts(self) -> Iterator[Problem]:
        """Explicit claims that lose against another BGPPeer's, where that makes a difference."""
        for problems in self._conflicts.values():
            yield from problems

    def _forget_source(self, source: Source) -> None:
        sources = self._of_resource[source.resource]
        del sources[source]
        if not sources:
            del self._of_resource[source.resource]


def _conflicts(ordered: list[Claim]) -> Iterator[Problem]:
    winner = ordered[0]
    for claim in ordered[1:]:
        if (
            claim.explicit
            and winner.origin.resource != claim.origin.resource
            and winner.config != claim.config
        ):
            reason = already_a_peer(claim.peer, winner.origin.resource)
            yield Problem(f"BGPPeer {claim.origin.resource}", "", reason)


def already_a_peer(peer: PeerId, winner: str) -> str:
    """Why an explicit claim to a peer does not count."""
    return f"{peer} is already a peer by BGPPeer {winner}, which comes first"
