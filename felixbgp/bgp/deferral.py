"""After a restart: say nothing before the peers have said everything (RFC 4724 §4.1).

Routes of a former life still forward. A selection made from half of the peers' routes would replace good
ones, and an End-of-RIB sent too early would have peers let go of what we have not learned again yet.
"""

from collections.abc import Iterable
from typing import Final

from felixbgp.bgp.peering import Peering

SELECTION_DEFERRAL_NS: Final = 60_000_000_000
"""The Selection_Deferral_Timer: no table takes longer to arrive, and nobody is worth more patience."""
ESTABLISH_NS: Final = 10_000_000_000
"""A peer that is there is back in session by then; one that is not shall not hold up all the others."""


class Deferral:
    """Whether route selection still waits, and until when at most."""

    __slots__ = ("_establish_by", "_now", "_over_at")

    def __init__(self, now: int, longest_ns: int = SELECTION_DEFERRAL_NS) -> None:
        self._now = now
        self._establish_by = now + ESTABLISH_NS
        self._over_at = now + longest_ns

    def is_over(self, peerings: Iterable[Peering], now: int) -> bool:
        """Whether everybody worth waiting for has sent End-of-RIB."""
        self._now = now
        return now >= self._over_at or not any(self._waits_for(peering, now) for peering in peerings)

    def next_deadline(self, peerings: Iterable[Peering]) -> int:
        """When to ask again; 0 when the answer is another one already."""
        if self.is_over(peerings, self._now):
            return 0
        return self._establish_by if self._now < self._establish_by else self._over_at

    def _waits_for(self, peering: Peering, now: int) -> bool:
        if peering.config.graceful_restart is None:
            return False
        exchange = peering.exchange
        if exchange is None:
            return now < self._establish_by
        restart = exchange.negotiated.graceful_restart
        # A peer that has restarted too waits for us: to wait for each other would help nobody.
        if restart is None or restart.restarting:
            return False
        return not all(rib.end_of_rib for rib in exchange.ribs.values())
