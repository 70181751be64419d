"""Sessions that must stay down, and stand: they go on for a while, as what they lack may be on its way.

    wanted ── what its BGPPeer names is missing ─▶ as it was ──── it has come ────▶ wanted
                                                       └──── after REPRIEVE_NS ───▶ none

The store tells of a BGPPeer and of the BGPFilter or secret that it names in either order, also when both were
written together, and an operator may write them so or delete them so. A session that stands goes on as it
was before, to nobody's harm: nothing new is let in or out. One that does not stand is not begun.

In the same way a node goes on whose own Node is gone, or has become invalid: it may be written again, and the
other nodes, who drain it meanwhile, are to find other ways before it ends all of its sessions at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent

REPRIEVE_NS: Final = 10_000_000_000
"""What belongs together is written within seconds, by hand too."""


class Reprieve:
    """Stands between what is derived and what is drained."""

    def __init__(self) -> None:
        self._spared: dict[PeerId, tuple[PeerConfig, int]] = {}
        """Their last configurations, and until when they go on."""

    def configs(self) -> dict[PeerId, PeerConfig]:
        """The peers that are not in the intent and go on as they were."""
        return {peer: config for peer, (config, _) in self._spared.items()}

    def follow(
        self,
        derived: Derived,
        former: Mapping[PeerId, PeerConfig],
        has_routes: Callable[[PeerId], bool],
        now: int,
    ) -> Derived:
        """The same without those that are spared.

        `former` are the intent's peers before; `has_routes`: whether the speaker has, or keeps, what a peer
        brought. Nobody is spared whose node left the cluster.
        """
        peers = dict(derived.peers)
        peers |= {peer: None for peer in self._spared if peer.address in derived.departed}
        for peer, config in list(peers.items()):
            self._spared.pop(peer, None)
            before = former.get(peer)
            if config is not None or before is None or peer.address in derived.departed:
                continue
            if peer in derived.held_down and before.shutdown is None and has_routes(peer):
                self._spared[peer] = before, now + REPRIEVE_NS
                del peers[peer]
        return derived._replace(peers=peers)

    def give_up(self) -> None:
        """Spare nobody any longer: this node takes no part in BGP."""
        self._spared.clear()

    def take_over(self, now: int) -> dict[PeerId, None]:
        """Those whose time is over."""
        over = dict.fromkeys(peer for peer, (_, until) in self._spared.items() if now >= until)
        for peer in over:
            del self._spared[peer]
        return over

    def next_deadline(self) -> int | None:
        """When `take_over` has somebody, if nothing else happens."""
        return min((until for _, until in self._spared.values()), default=None)


class NodeReprieve:
    """Stands between what is derived and the agent, where the node takes no part in BGP any more."""

    def __init__(self, longest_ns: int) -> None:
        """With `longest_ns` 0 it ends at once."""
        self._longest_ns = min(REPRIEVE_NS, longest_ns)
        self._former: Intent | None = None
        """What it does in BGP; None while it does nothing."""
        self._gone = Intent()
        self._until: int | None = None
        """Until when it goes on so, though it should not."""

    def follow(self, derived: Derived, now: int) -> Derived:
        """What is in force now, and in what that differs from before."""
        former = self._former
        if derived.intent.speaker is not None:
            self._former = derived.intent
            if self._until is None or former is None:
                return derived
            self._until = None
            change = Derived.between(former, derived.intent)
            return change._replace(departed=derived.departed, held_down=derived.held_down)
        if former is None or not self._longest_ns:
            self._former = None
            return derived
        self._gone = derived.intent
        if self._until is None:
            self._until = now + self._longest_ns
        return Derived(replace(former, problems=derived.intent.problems), {})

    def take_over(self, now: int) -> Derived | None:
        """The end of it, when the time has come."""
        if self._former is None or self._until is None or now < self._until:
            return None
        change = Derived.between(self._former, self._gone)
        self._former = self._until = None
        return change

    def next_deadline(self) -> int | None:
        """When `take_over` has something, if nothing else happens."""
        return self._until
