"""After a restart: End-of-RIB says "that is all", so it waits for what others are still to say.

             announce at once          End-of-RIB when C has said everything
    A ◀───────────────────────── us ◀───────────────────────────────────── C, restarting too, or not back yet

With End-of-RIB A lets go of what we announced in our former life and have not said again, and where it has
restarted as well it sweeps its kernel. What C has not told us yet would be among that: of several that
restart together the first would say that it is done before it has heard anything. Selection does not wait
for those who restart as we do, since they may wait for us (`deferral`); End-of-RIB can, as only the end of
what is stale depends on it.

Who has said everything since our start and restarts after that is not waited for: what it said is kept, and
told. Who restarts before we have heard everything is told in our OPEN that we have restarted, too, and shall
not wait for us (the R bit). Else two that restart after us would wait for each other by way of us, since
neither selects before we have sent it End-of-RIB.
"""

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.peering import Peering
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.rib.export import ExportView
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.net import Family

TABLE_NS: Final = 60_000_000_000
"""How long a peer that is back may take to say everything: no table takes longer to arrive. Two who wait for
each other, by way of several AS, do so for as long."""


class Completeness:
    """Whether all has come that the peers of a view would be told of."""

    __slots__ = ("_awaited", "_began", "_is_over", "_peerings")

    def __init__(self, peerings: Mapping[PeerId, Peering], now: int) -> None:
        self._peerings = peerings
        self._began = now
        self._is_over = False
        """Whether everybody has said everything, or need not."""
        self._awaited: dict[ExportView, Peering] = {}
        """By view a peer that was waited for when somebody asked last: mostly it still is."""

    def is_complete(self, view: ExportView, members: Collection[PeerId], now: int) -> bool:
        """Whether these peers of a view can be sent End-of-RIB.

        If not, it is to be asked again by `next_deadline`, or when something has come.
        """
        last = self._awaited.get(view)
        for peering in chain(() if last is None else (last,), self._peerings.values()):
            if not _reaches(peering, view) or now >= self._awaited_until(peering, view.family):
                continue
            if len(members) > 1 or peering.config.peer not in members:
                self._awaited[view] = peering
                return False
        return True

    def expire(self, now: int) -> None:
        """Wait no longer for those whose time is over, also where nobody asks any more."""
        for view, peering in list(self._awaited.items()):
            if self._awaited_until(peering, view.family) <= now:
                del self._awaited[view]

    def next_deadline(self) -> int | None:
        """When somebody is waited for no longer."""
        return min(
            (self._awaited_until(one, view.family) for view, one in self._awaited.items()), default=None
        )

    def awaits_others(self, than: Peering, now: int) -> bool:
        """Whether somebody else than this peer is still to say everything: it had better not wait for us."""
        if self._is_over:
            return False
        is_over = True
        for peering in self._peerings.values():
            if any(now < self._awaited_until(peering, family) for family in peering.config.families):
                if peering is not than:
                    return True
                is_over = False
        self._is_over = is_over
        return False

    def _awaited_until(self, peering: Peering, family: Family) -> int:
        """Until when a peer has time to say everything of a family; 0 if it has, or need not."""
        config, exchange = peering.config, peering.exchange
        restart, is_wanted = config.graceful_restart, config.shutdown is None and not config.draining
        if restart is None or not is_wanted or self._peerings.get(config.peer) is not peering:
            return 0
        if family in peering.retention.whole:
            return 0  # What it has said since we are here is told, stale or not.
        back_by = self._began + restart.restart_time_s * SECOND_NS
        if exchange is None:
            return 0 if peering.presence is Presence.DEAD else back_by
        rib = exchange.ribs.get(family)
        if exchange.negotiated.graceful_restart is None or rib is None or rib.end_of_rib:
            return 0
        since = peering.session.since
        return since + TABLE_NS if since < back_by else 0


def _reaches(peering: Peering, view: ExportView) -> bool:
    """Whether what a peer says may be told to the peers of a view (RFC 4456 §6)."""
    config = peering.config
    if view.family not in config.families:
        return False
    return config.external or view.external or config.route_reflector_client or view.client
