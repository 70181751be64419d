"""A route reflector whose part changes plays the old one until others can do without it.

    another cluster ID ─▶ the former ── no peer owes its table for SETTLING_NS, or `longest_ns` ─▶ the new
    a client is none   ─▶ a client ──── `longest_ns` ─────────────────────────────────────────────▶ none

A new cluster ID makes void whatever the other reflectors of that cluster have told us (RFC 4456 §8), and that
may be all we have of the nodes which only now become our clients. A client that hears no more of others from
us may have no session with them yet, which we cannot know: they may not even have read what has changed. Both
can wait, for routes that are reflected a little longer, or with the ID of before, are as good as ever, and no
loop outlives either ID.
"""

from collections.abc import Mapping
from dataclasses import replace

from felixbgp.agent.draining import SETTLING_NS
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig


class Reflecting:
    """Stands between what the intent says of reflection and what the speaker does."""

    def __init__(self, longest_ns: int) -> None:
        """With `longest_ns` 0 nothing waits."""
        self._longest_ns = longest_ns
        self._held: SpeakerConfig | None = None
        """The speaker of before, whose cluster ID counts; None when none waits."""
        self._held_until = 0
        self._complete_since: int | None = None
        """Since when no peer owes its table."""
        self._clients: dict[PeerId, int] = {}
        """Peers that are no clients any more, and until when they are treated as such."""

    def follow(
        self,
        before: SpeakerConfig | None,
        wanted: SpeakerConfig | None,
        former: Mapping[PeerId, PeerConfig],
        peers: Mapping[PeerId, PeerConfig | None],
        now: int,
    ) -> None:
        """The intent has changed: its speaker, and these peers of it; `former` were in force."""
        if before is None or wanted is None:
            self._held = None
            self._clients.clear()
            return
        self._hold_cluster_id(before, wanted, now)
        for peer, config in peers.items():
            if config is None or config.route_reflector_client or config.external:
                self._clients.pop(peer, None)
            elif self._longest_ns and peer in former and former[peer].route_reflector_client:
                self._clients[peer] = now + self._longest_ns

    def speaker(self, wanted: SpeakerConfig) -> SpeakerConfig:
        """The speaker for now."""
        return wanted if self._held is None else replace(wanted, cluster_id=self._held.cluster_id)

    def clients(self, peers: Mapping[PeerId, PeerConfig | None]) -> dict[PeerId, PeerConfig]:
        """Those of these peers that are clients for now against what the intent says, as such."""
        found: dict[PeerId, PeerConfig] = {}
        for peer in self._clients:
            config = peers.get(peer)
            if config is not None:
                found[peer] = replace(config, route_reflector_client=True)
        return found

    def in_force(self, peers: dict[PeerId, PeerConfig]) -> dict[PeerId, PeerConfig]:
        """All peers of an intent as they are for now."""
        clients = self.clients(peers)
        return peers | clients if clients else peers

    def take_over(self, *, has_all_tables: bool, now: int) -> bool:
        """Let what has waited long enough come into force; whether there was such."""
        over = [peer for peer, until in self._clients.items() if until <= now]
        for peer in over:
            del self._clients[peer]
        if self._held is None:
            return bool(over)
        if not has_all_tables:
            self._complete_since = None
        elif self._complete_since is None:
            self._complete_since = now
        if now < self._id_ends_at():
            return bool(over)
        self._held = None
        return True

    def next_deadline(self) -> int | None:
        """When `take_over` has something, if nothing else happens."""
        deadlines = list(self._clients.values())
        if self._held is not None:
            deadlines.append(self._id_ends_at())
        return min(deadlines, default=None)

    @property
    def is_waiting(self) -> bool:
        """Whether something does, so that `take_over` is to be called."""
        return self._held is not None or bool(self._clients)

    def _hold_cluster_id(self, before: SpeakerConfig, wanted: SpeakerConfig, now: int) -> None:
        in_force = self._held or before
        if wanted.cluster_id == in_force.cluster_id or not self._longest_ns:
            self._held = None
        elif self._held is None:
            self._held, self._held_until = before, now + self._longest_ns
        if wanted.cluster_id != before.cluster_id:
            self._complete_since = None

    def _id_ends_at(self) -> int:
        if self._complete_since is None:
            return self._held_until
        return min(self._held_until, self._complete_since + SETTLING_NS)
