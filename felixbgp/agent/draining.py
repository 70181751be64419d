"""Peers that nobody wants any more, whose sessions stay until others have taken over.

    wanted ── gone from the intent ─▶ draining ── nothing is selected from it for SETTLING_NS ─▶ none
      ▲                                  │  ├──── `longest_ns` is over ──────────────────────────▶ none
      └──────── wanted again ────────────┘  └──── its node left the cluster, DEPARTED_NS ───────▶ none

What such a peer brought is used only where there is nothing else (`PeerConfig.draining`), after LEAD_NS in
which others are told so (`PeerConfig.leading`). When the other end closes first, what it brought stays all
the same, up to the same deadline. A node that left the cluster stays as long as its session does, and for
DEPARTED_NS at most: its Node may be written again, and a reflector that ends its sessions with all others at
once costs them their ways. Without a session it goes at once: no packet should be sent there.

A peer whose node an operator drains (`PeerConfig.counted`) is wanted, and only watched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from felixbgp.agent.reprieve import REPRIEVE_NS
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.intent.derivation import Derived
from felixbgp.status.node_status import Leave

LEAD_NS: Final = 1_000_000_000
"""How long others are told of the last resort before it is one here (RFC 8333 delays likewise): a router that
has several ways shall not send us any more what we are about to send to it."""
SETTLING_NS: Final = 5_000_000_000
"""How long nothing has to be selected of it: others are to hear of our routes by another way, too."""
DEPARTED_NS: Final = REPRIEVE_NS
"""Twice what others need to go by other ways. The node itself goes on for as long (`agent/reprieve.py`)."""


@dataclass(frozen=True, slots=True)
class Drained:
    """A fact: a session that nobody wanted any more is over; `lost` prefixes have no other path."""

    peer: PeerId
    lost: int


class _Leaving:
    """A peer on its way out: its last configuration, and until when it stays."""

    __slots__ = ("config", "has_departed", "led_at", "since", "unneeded_at", "until")

    def __init__(self, config: PeerConfig, since: int, until: int) -> None:
        self.config = config
        self.has_departed = False
        """Whether its node left the cluster, so that it goes with its session."""
        self.since = since
        self.led_at: int | None = since + LEAD_NS
        """When what it brings becomes the last resort; None afterwards."""
        self.until = until
        self.unneeded_at: int | None = None
        """Since when nothing is selected of it."""


class Draining:
    """Stands between the peers of the intent and those of the speaker."""

    def __init__(self, longest_ns: int) -> None:
        """With `longest_ns` 0 nobody is drained."""
        self._longest_ns = longest_ns
        self._leaving: dict[PeerId, _Leaving] = {}
        self._counted: dict[PeerId, int] = {}
        """Peers whose node is drained, and since when."""
        self._facts: list[Drained] = []

    def configs(self) -> dict[PeerId, PeerConfig]:
        """The peers that are draining."""
        return {peer: leaving.config for peer, leaving in self._leaving.items()}

    def leaves(self) -> dict[PeerId, Leave]:
        """The peers that are about to leave, or whose node is."""
        watched = {peer: Leave(since, None) for peer, since in self._counted.items()}
        return watched | {peer: Leave(one.since, one.until) for peer, one in self._leaving.items()}

    def follow(
        self,
        derived: Derived,
        former: Mapping[PeerId, PeerConfig],
        has_routes: Callable[[PeerId], bool],
        now: int,
    ) -> dict[PeerId, PeerConfig | None]:
        """What the speaker shall have where the intent has changed.

        `former` are the intent's peers before; `has_routes`: whether the speaker has, or keeps, what a peer
        brought. Peers whose session must stay down go at once; for those that left the cluster `take_over` is
        to be asked next.
        """
        wanted: dict[PeerId, PeerConfig | None] = {}
        for peer, config in derived.peers.items():
            wanted[peer] = config
            if config is None or not config.counted:
                self._counted.pop(peer, None)
            else:
                self._counted.setdefault(peer, now)
            if config is not None or peer in derived.held_down:
                self._leaving.pop(peer, None)
                continue
            if peer in self._leaving:
                del wanted[peer]
                continue
            before = former.get(peer)
            if before is not None and before.shutdown is None and self._longest_ns and has_routes(peer):
                leaving = _Leaving(replace(before, draining=True, leading=True), now, now + self._longest_ns)
                self._leaving[peer] = leaving
                wanted[peer] = leaving.config
        for peer, leaving in self._leaving.items():
            if peer.address in derived.departed:
                leaving.has_departed = True
                leaving.until = min(leaving.until, now + DEPARTED_NS)
        return wanted

    def give_up(self) -> None:
        """Drain nobody any longer: this node takes no part in BGP."""
        self._leaving.clear()

    def take_led(self, now: int) -> dict[PeerId, PeerConfig]:
        """Those of which everybody has heard: what they bring is the last resort from now on."""
        led: dict[PeerId, PeerConfig] = {}
        for peer, leaving in self._leaving.items():
            if leaving.led_at is not None and now >= leaving.led_at:
                leaving.led_at = None
                led[peer] = leaving.config = replace(leaving.config, leading=False)
        return led

    def take_over(
        self, unreplaced_count: Callable[[PeerId], int], is_up: Callable[[PeerId], bool], now: int
    ) -> dict[PeerId, None]:
        """Those that are to go now.

        `unreplaced_count`: for how many prefixes a peer is still needed; `is_up`: whether it has a session.
        """
        over: dict[PeerId, None] = {}
        for peer, leaving in list(self._leaving.items()):
            count = unreplaced_count(peer)
            if count:
                leaving.unneeded_at = None
            elif leaving.unneeded_at is None:
                leaving.unneeded_at = now
            since = leaving.unneeded_at
            is_gone = leaving.has_departed and not is_up(peer)
            if is_gone or now >= leaving.until or (since is not None and now - since >= SETTLING_NS):
                del self._leaving[peer]
                over[peer] = None
                if not is_gone:
                    self._facts.append(Drained(peer, count))
        return over

    def take_facts(self) -> list[Drained]:
        """What is worth telling since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def next_deadline(self) -> int | None:
        """When `take_over` has somebody, if nothing else happens."""
        return min((self._ends_at(leaving) for leaving in self._leaving.values()), default=None)

    def _ends_at(self, leaving: _Leaving) -> int:
        if leaving.led_at is not None:
            return min(leaving.led_at, leaving.until)
        if leaving.unneeded_at is None:
            return leaving.until
        return min(leaving.until, leaving.unneeded_at + SETTLING_NS)
