"""The way in: what peers sent and nobody has looked into yet, worked off peer by peer.

    bodies of UPDATEs, refreshes ─▶ Inbound (per session) ─ work ─▶ Adj-RIBs-In
                                                             └────▶ Failing: a session that cannot go on

Standing rules
  1. A turn is some messages of one peer, so that a full table of one delays nobody.
  2. What ends a session ends the turn too: whoever called `work` ends the session before it calls again.
"""

from typing import Final, NamedTuple

from felixbgp.bgp.advertising import Advertising
from felixbgp.bgp.config import LimitAction
from felixbgp.bgp.deadlines import Deadlines, Timer, key_of
from felixbgp.bgp.facts import BgpFact, PrefixLimitReached
from felixbgp.bgp.peering import Exchange, Peering
from felixbgp.bgp.prefix_limit import LimitStep
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.session.actions import RefreshRequested
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.wire.codec import encode_route_refresh
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode, WireError
from felixbgp.bgp.wire.messages import RouteRefreshMessage
from felixbgp.bgp.wire.update import decode_update

MESSAGES_PER_TURN: Final = 64
"""Messages of one peer worked off before the next one has its turn: a full table of one delays nobody."""
EXHAUSTED_HOLD_NS: Final = 60 * SECOND_NS
"""How long a peer stays down that took too much memory, before it may try again."""


class Failing(NamedTuple):
    """A session that must end with this NOTIFICATION, and stay down for `hold_ns` (see `Peer.fail`)."""

    peering: Peering
    code: int
    subcode: int
    data: bytes
    hold_ns: int | None = 0
    forgotten: bool = False
    """Whether nothing that it brought is kept, whatever was agreed on."""


class Receiving:
    """The sessions with something to work off, the one whose turn is next first.

    `advertising` hears of refreshes; `deadlines` has the sessions' timers.
    """

    __slots__ = ("_advertising", "_deadlines", "_facts", "_waiting", "due", "failing")

    def __init__(self, advertising: Advertising, deadlines: Deadlines) -> None:
        self._advertising = advertising
        self._deadlines = deadlines
        self._facts: list[BgpFact] = []
        self._waiting: dict[int, Peering] = {}
        self.due: dict[AdjRibIn, None] = {}
        """Adj-RIBs-In with work of their own, the oldest first."""
        self.failing: Failing | None = None
        """What the last `work` found; whoever ends the session takes it away."""

    @property
    def has_work(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self.due or self._waiting)

    def queue_updates(self, peering: Peering, bodies: list[bytes]) -> None:
        """Bodies of successive UPDATEs, framed and not yet decoded."""
        peering.updates_received += len(bodies)
        if peering.exchange is not None:  # Always so: only an Established session has any.
            peering.exchange.inbound.put_updates(bodies)
            self._waiting[peering.number] = peering

    def queue(self, peering: Peering, entry: RefreshRequested) -> None:
        """A ROUTE-REFRESH: in its place among the UPDATEs."""
        if peering.exchange is not None:  # Always so: only an Established session has any.
            peering.exchange.inbound.put(entry)
            self._waiting[peering.number] = peering

    def forget(self, peering: Peering) -> None:
        """Its session is over: what it sent and waits is of no use."""
        self._waiting.pop(peering.number, None)

    def work(self, budget: int, now: int) -> int:
        """Do the next turn, of about `budget` prefixes at most; how many it was. There must be work."""
        if not self.due:
            return self._work_turn(next(iter(self._waiting.values())), budget, now)
        rib = next(iter(self.due))
        cost = rib.work_off(budget)
        if not rib.has_work:
            del self.due[rib]
        return cost

    def take_facts(self) -> list[BgpFact]:
        """What was observed since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _work_turn(self, peering: Peering, budget: int, now: int) -> int:
        """Work off some of what one peer sent, then let the others go first; returns what it cost."""
        del self._waiting[peering.number]
        exchange = peering.exchange
        if exchange is None:
            return 1  # Never so: `forget` comes with the end of a session.
        if exchange.inbound.is_full:
            # Its connection is not read meanwhile, so that a KEEPALIVE may lie there: it is not silent.
            peering.session.heard(now)
            self._deadlines.set(key_of(peering.number, Timer.SESSION), peering.session.next_deadline())
        cost = 0
        for _ in range(MESSAGES_PER_TURN):
            if not exchange.inbound or cost >= budget:
                break
            entry = exchange.inbound.take()
            if isinstance(entry, bytes):
                cost += self._decode(peering, exchange, entry, now)
                if self.failing is not None:
                    return max(cost, 1)
            else:
                cost += 1
                self._refresh(peering, exchange, entry)
        if exchange.inbound:
            self._waiting[peering.number] = peering
        return max(cost, 1)

    def _decode(self, peering: Peering, exchange: Exchange, body: bytes, now: int) -> int:
        """Take in one UPDATE; returns its number of prefixes, at least 1."""
        try:
            update = decode_update(body, exchange.negotiated, peering.config.external)
        except WireError as error:
            self._facts += peering.note_malformed([f"session reset: {error}"], now)
            self.failing = Failing(peering, error.code, error.subcode, error.data)
            return 1
        if update.errors:
            self._facts += peering.note_malformed(update.errors, now)
        cost = exchange.take_in(update)
        if update.announced:
            if any(rib.is_exhausting for rib in exchange.ribs.values()):
                # RFC 4486 §4: one peer shall not take the memory of all.
                code, subcode = ErrorCode.CEASE, CeaseSubcode.OUT_OF_RESOURCES
                self.failing = Failing(peering, code, subcode, b"", EXHAUSTED_HOLD_NS, forgotten=True)
            elif exchange.limits:
                self._check_limits(peering, exchange)
        return cost

    def _refresh(self, peering: Peering, exchange: Exchange, wanted: RefreshRequested) -> None:
        """Have everything sent again, or begin or end the peer's doing so."""
        rib = exchange.ribs.get(wanted.family)
        if rib is None:
            return
        if not wanted.subtype:
            view, marked = exchange.views[wanted.family], exchange.negotiated.enhanced_route_refresh
            begin, end = (encode_route_refresh(RouteRefreshMessage(wanted.family, mark)) for mark in (1, 2))
            marks = ((begin,), (end,)) if marked else ((), ())
            self._advertising.refresh(view, peering.config.peer, marks)
        elif exchange.negotiated.graceful_restart is not None and not rib.end_of_rib:
            return  # RFC 7313 §4: before End-of-RIB these marks mean nothing.
        elif wanted.subtype == 1:
            rib.begin_refresh()
        else:
            rib.end_refresh()

    def _check_limits(self, peering: Peering, exchange: Exchange) -> None:
        """Tell when a peer announces too many prefixes, and end its session if that was asked for."""
        for family, watch in exchange.limits.items():
            rib = exchange.ribs[family]
            count = len(rib) + rib.excess_count
            step = watch.passed(count)
            if step is None:
                continue
            limit = watch.limit
            action = limit.action if step is LimitStep.BEYOND else LimitAction.WARN
            peer = peering.config.peer
            self._facts.append(PrefixLimitReached(peer, family, count, limit.maximum, action.value))
            if action is LimitAction.SHUTDOWN:
                seconds = limit.restart_after_s
                hold_ns = None if seconds is None else seconds * SECOND_NS
                code, subcode = ErrorCode.CEASE, CeaseSubcode.MAXIMUM_PREFIXES_REACHED
                self.failing = Failing(peering, code, subcode, watch.data(family), hold_ns)
                return
