"""After a restart: say nothing of a family before the peers have said everything of it (RFC 4724 §4.1).

Routes of a former life still forward. A selection made from half of the peers' routes would replace good
ones, and an End-of-RIB sent too early would have peers let go of what we have not learned again yet: of what
a route reflector has not heard again, its clients would lose their only route.
"""

from collections.abc import Iterable
from typing import Final

from felixbgp.bgp.peering import Peering
from felixbgp.bgp.presence import Presence
from felixbgp.net import IPV4, IPV6, Family

SELECTION_DEFERRAL_NS: Final = 60_000_000_000
"""The Selection_Deferral_Timer: no table takes longer to arrive, and nobody is worth more patience."""
ESTABLISH_NS: Final = 10_000_000_000
"""A peer that is there is back in session by then, also one that first has to notice that we are (BIRD dials
after five seconds). One that is not looks like one that is down, and shall not hold up the others."""


class Deferral:
    """The families whose route selection still waits, and until when at most."""

    __slots__ = ("_establish_by", "_now", "_over_at", "families")

    def __init__(self, now: int, longest_ns: int = SELECTION_DEFERRAL_NS) -> None:
        self.families: tuple[Family, ...] = (IPV4, IPV6)
        """As of the last `update`; one that is no longer among them never is again."""
        self._now = now
        self._establish_by = now + ESTABLISH_NS
        self._over_at = now + longest_ns

    def update(self, peerings: Iterable[Peering], now: int) -> None:
        """Let go of the families of which everybody worth waiting for has sent End-of-RIB."""
        self._now = now
        peers = list(peerings)
        self.families = tuple(one for one in self.families if self._is_waited_for(one, peers))

    def next_deadline(self, peerings: Iterable[Peering]) -> int:
        """When to `update` again; 0 when that would change something already."""
        peers = list(peerings)
        if not all(self._is_waited_for(family, peers) for family in self.families):
            return 0
        return self._establish_by if self._now < self._establish_by else self._over_at

    def _is_waited_for(self, family: Family, peerings: Iterable[Peering]) -> bool:
        return self._now < self._over_at and any(self._waits_for(peering, family) for peering in peerings)

    def _waits_for(self, peering: Peering, family: Family) -> bool:
        if peering.config.graceful_restart is None or family not in peering.config.families:
            return False
        exchange = peering.exchange
        if exchange is None:
            return self._now < self._establish_by and peering.presence is Presence.EXPECTED
        restart, rib = exchange.negotiated.graceful_restart, exchange.ribs.get(family)
        # A peer that has restarted too waits for us: to wait for each other would help nobody.
        if restart is None or restart.restarting or rib is None:
            return False
        return not rib.end_of_rib
