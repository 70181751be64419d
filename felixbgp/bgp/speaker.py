"""The BGP speaker: sessions, tables and policies of one router, without I/O.

    TransportInput ─ feed ─▶ events
                               │ control: sessions first, then timers that are due
                 ┌─────────────┼──────────────────┐
                 ▼             ▼                  ▼
           TransportEffect   UPDATEs waiting   session up, down
                               │ take_in           │
                               ▼                   │
                        Adj-RIB-In (per peer) ◀────┘         originate
                               │ import policy                   │
                               ▼                                 ▼
                            Loc-RIB ◀── our own routes ──────────┘
          next_hops, new ones ◀┤ ◀── judge: which of them are resolvable
                               │ decide ─▶ RouteChange
                               ▼
                     Advertising: update groups, Adj-RIB-Out
                               │ withdrawals, announcements: as far as there is credit
                               ▼
                           SendBytes

Standing rules
  1. What a method cannot return (a NOTIFICATION found necessary while decoding, the Connect of a new peer)
     waits for the next `control`; `next_deadline` is then 0.
  2. Inputs before timers, so that a KEEPALIVE that is already here beats the hold timer (see `backlog`).
  3. Everything shown or emitted is ordered by peer or by arrival, never by a set.
  4. `release` must be called whenever a prefix leaves `held`, also when it is no longer wanted there.
  5. Next hops are judged between `take_in` and `decide`; without that all of them count as resolvable.
  6. Whoever feeds octets stops reading a connection while it `is_behind`: nothing else bounds a fast peer.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, assert_never

from felixbgp.bgp.advertising import Advertising
from felixbgp.bgp.backlog import Backlog
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.changes import Affects, peer_change, speaker_change
from felixbgp.bgp.completeness import Completeness
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.deadlines import Deadlines, Timer, key_of, number_and_timer
from felixbgp.bgp.deferral import SELECTION_DEFERRAL_NS, Deferral
from felixbgp.bgp.effects import (
    CloseConnection,
    Connect,
    SendBytes,
    SetOptions,
    TransportEffect,
    TransportOptions,
)
from felixbgp.bgp.facts import BgpFact
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
    TransportInput,
)
from felixbgp.bgp.link import Link
from felixbgp.bgp.outbound import Outbound
from felixbgp.bgp.peer_changes import PeerChange, PeerChanges
from felixbgp.bgp.peering import Peering, peer_order
from felixbgp.bgp.peerings import Peerings
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.receiving import Failing, Receiving
from felixbgp.bgp.rib.adj_rib_out import Outlet
from felixbgp.bgp.rib.loc_rib import LocRib, Multipath
from felixbgp.bgp.rib.local_routes import LocalRoutes
from felixbgp.bgp.rib.next_hops import NextHops
from felixbgp.bgp.rib.trace import SpeakerTrace
from felixbgp.bgp.routes import LocalRoute, Reachability, RouteChange, Selected
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    PeerSilent,
    RefreshRequested,
    SessionAction,
    SessionDown,
    SessionEstablished,
    UpdatesArrived,
)
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.snapshot import (
    FamilyCounts,
    PeerSnapshot,
    PeerStanding,
    RouteSnapshot,
    SpeakerStatistics,
)
from felixbgp.bgp.statistics import counts_by_family, sessions_by_state, statistics_of
from felixbgp.bgp.strangers import Strangers
from felixbgp.bgp.tracing import peer_trace
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode
from felixbgp.net import IPV4, IPV6, Address, Family, Nlri

DRAINED_TEXT: Final = "no longer a peer of ours"
"""What a peer is told at the end of a session that was drained (RFC 9003)."""


class Speaker:
    """A BGP-4 speaker for IPv4 and IPv6 unicast; `now` is monotonic nanoseconds, `jitter` in [0, 1)."""

    __slots__ = (
        "_advertising", "_backlog", "_changes", "_completeness", "_config", "_connection_count", "_deadlines",
        "_deferral", "_effects", "_facts", "_jitter", "_links", "_loc_ribs", "_local", "_outbound",
        "_peerings", "_receiving", "_strangers", "_taken_in", "next_hops",
    )  # fmt: skip

    def __init__(self, config: SpeakerConfig, jitter: Callable[[], float], *, forwards: bool = True) -> None:
        self._config = config
        self._jitter = jitter
        self._backlog = Backlog()
        self._changes = PeerChanges()
        self._effects: list[TransportEffect] = []
        self._facts: list[BgpFact] = []
        self._peerings = Peerings()
        self._connection_count = 0
        self._links: dict[int, Link] = {}
        self._strangers = Strangers()
        self._deadlines = Deadlines()
        self.next_hops = NextHops(are_judged=forwards)
        self._loc_ribs = {family: LocRib(family, self.next_hops) for family in (IPV4, IPV6)}
        self._local = {family: LocalRoutes(loc_rib) for family, loc_rib in self._loc_ribs.items()}
        self._advertising = Advertising(self._loc_ribs)
        self._receiving = Receiving(self._advertising, self._deadlines)
        self._taken_in = 0
        self._outbound = Outbound()
        self._deferral: Deferral | None = None
        self._completeness: Completeness | None = None

    def begin_restart(self, now: int, longest_ns: int = SELECTION_DEFERRAL_NS) -> None:
        """Say that routes of a former life still forward here; to be called before the first `configure`.

        Peers with graceful restart are told so, and no route is selected before they have told all of theirs,
        or for `longest_ns`, the Selection_DeferralTimer (RFC 4724 §4.1).
        """
        self._deferral = Deferral(now, longest_ns)
        self._completeness = Completeness(self._peerings.by_peer, now)

    def configure(self, config: SpeakerConfig, peers: Mapping[PeerId, PeerConfig], now: int) -> None:
        """Become this speaker with exactly these peers; sessions that need not end stay (see `changes`)."""
        for_all = speaker_change(self._config, config)
        self._config = config
        for loc_rib in self._loc_ribs.values():
            loc_rib.configure(Multipath(config.multipath_external, config.multipath_internal))
        gone = {peer: None for peer in (*self._peerings.by_peer, *self._changes) if peer not in peers}
        self._changes.put(gone | dict(peers), for_all)
        self._change_peers(now)

    def change_peers(self, changes: Mapping[PeerId, PeerConfig | None], now: int) -> None:
        """Take these peers as they are now, None for one that is no peer any more; all others stay.

        Of many some are taken at once, and more of them with every `control`.
        """
        self._changes.put(changes, Affects.NOTHING)
        self._change_peers(now)

    def _change_peers(self, now: int) -> None:
        """Carry out some of the changes, and when the last one is, have all be told what follows at once."""
        for peer, change in self._changes.take():
            self._change(peer, change, now)
        if not self._changes:
            self._advertising.carry_out_moves()

    def _change(self, peer: PeerId, change: PeerChange, now: int) -> None:
        config, peering = change.config, self._peerings.by_peer.get(peer)
        if config is None:
            if peering is not None:
                self._remove(peering, now)
            return
        if peering is None:
            self._add(config, None, now)
            return
        affects = change.for_all | peer_change(peering.config, config)
        if Affects.SESSION not in affects:
            self._adapt(peering, config, affects, now)
            return
        peering.is_begun_anew = True
        self._act(peering, peering.session.stop(now, CeaseSubcode.OTHER_CONFIGURATION_CHANGE), now)
        self._forget(peering)
        self._add(config, peering, now)

    def originate(self, family: Family, nlri: Nlri, route: LocalRoute | None) -> None:
        """Make a prefix ours, or with None no longer ours."""
        self._local[family].originate(nlri, route)

    def release(self, family: Family, nlris: Iterable[Nlri]) -> None:
        """The kernel is ready for these prefixes: announcements that waited for it may go."""
        self._advertising.release(family, nlris)

    # ---- sessions

    def feed(self, event: TransportInput, now: int) -> None:
        """Take one input; nothing happens before `control`."""
        self._backlog.put(event, now)

    def control(self, now: int) -> list[TransportEffect]:
        """Run the sessions: changes of peers, then inputs in their order, then the timers that are due.

        Of many only some have their turn, for about a millisecond. Whoever connects may be a peer that is
        only coming, so that no input is looked at before all are here.
        """
        if self._changes:
            self._change_peers(now)
        if not self._changes:
            for event, at in self._backlog.take():
                self._dispatch(event, at)
            until = self._backlog.timers_until(now)
            for key in () if until is None else self._deadlines.take_due(until):
                self._run_timer(key, now)
        effects, self._effects = self._effects, []
        return effects

    def _dispatch(self, event: TransportInput, now: int) -> None:
        if isinstance(event, TcpAccepted):
            self._accept(event, now)
            return
        link = self._links.get(event.connection)
        if link is None:
            return  # The connection, or its peer, was given up before the shell heard of it.
        session = link.peering.session
        match event:
            case BytesReceived():
                actions = session.received(event.connection, event.data, now)
            case BytesWritten():
                link.credit(event.count, now)
                return
            case TcpConnected():
                link.local = event.local.address
                self._note_restart(link.peering, now)
                actions = session.connected(event, now)
            case TcpConnectFailed():
                del self._links[event.connection]
                actions = session.connect_failed(event, now)
            case TcpClosed():
                del self._links[event.connection]
                actions = session.closed(event, now)
            case _:
                assert_never(event)
        self._act(link.peering, actions, now)

    def _accept(self, event: TcpAccepted, now: int) -> None:
        peering = self._peerings.of_connection(event)
        if peering is None:
            effects, facts = self._strangers.turn_away(event, now)
            self._effects += effects
            self._facts += facts
            return
        outlet = Outlet(event.connection, self._outbound.outlets)
        self._links[event.connection] = Link(peering, outlet, event.local.address)
        options = peering.config.transport
        if options.ttl is not None or options.min_ttl is not None:
            self._effects.append(SetOptions(event.connection, options))
        self._note_restart(peering, now)
        self._act(peering, peering.session.accepted(event, now), now)

    def _note_restart(self, peering: Peering, now: int) -> None:
        """Before an OPEN is made: whether its peer shall not wait for us."""
        completeness = self._completeness
        peering.session.awaits_others = completeness is not None and completeness.awaits_others(peering, now)

    def _act(self, peering: Peering, actions: list[SessionAction], now: int) -> None:
        """Do what a session asks for, in its order."""
        for action in actions:
            match action:
                case UpdatesArrived():
                    self._receiving.queue_updates(peering, action.bodies)
                case Connect():
                    outlet = Outlet(action.connection, self._outbound.outlets)
                    self._links[action.connection] = Link(peering, outlet, None)
                    self._effects.append(action)
                case SendBytes():
                    link, octets = self._links[action.connection], sum(map(len, action.chunks))
                    link.outlet.in_flight += octets
                    link.watch_sending(octets, self._deadlines, now)
                    self._effects.append(action)
                case CloseConnection():
                    self._links.pop(action.connection, None)
                    self._effects.append(action)
                case SessionEstablished():
                    self._establish(peering, action, now)
                case SessionDown():
                    self._lose(peering, action.kind, now)
                case RefreshRequested():
                    self._receiving.queue(peering, action)
                case PeerSilent():
                    self._peerings.miss(peering)
                case Observed():
                    self._facts.append(action.fact)
                case _:
                    assert_never(action)
        self._deadlines.set(key_of(peering.number, Timer.SESSION), peering.session.next_deadline())

    def _run_timer(self, key: int, now: int) -> None:
        number, timer = number_and_timer(key)
        peering = self._peerings.by_number[number]
        if timer == Timer.SESSION:
            self._act(peering, peering.session.run_timers(now), now)
        elif timer == Timer.STALE:
            peering.expire(now)
            self._deadlines.set(key, peering.stale_deadline)
        elif peering.exchange is not None and peering.exchange.outlet.in_flight:
            at = peering.exchange.progress_at + peering.exchange.send_hold_time_ns
            if at > now:
                self._deadlines.set(key, at)
            else:
                # RFC 9687 §3: a peer that takes nothing from us for so long must not keep its routes.
                self._act(peering, peering.session.fail(ErrorCode.SEND_HOLD_TIMER_EXPIRED, 0, b"", now), now)

    # ---- peers

    def _add(self, config: PeerConfig, before: Peering | None, now: int) -> None:
        """`before` is the same peer in another configuration: what it brought stays while it may be back."""
        session = Peer(config, self._config, self._jitter, self._new_connection)
        peering = self._peerings.add(config, session, 0 if before is None else before.established_count)
        if before is not None:
            peering.retention, peering.path_peer = before.retention, before.path_peer
            peering.leave(now)  # It may have been draining: what is held of it has an end again.
            self._deadlines.set(key_of(peering.number, Timer.STALE), peering.stale_deadline)
        self._administer(peering, now)

    def _administer(self, peering: Peering, now: int) -> None:
        """Start the session, or keep it down or have none follow it if that is wanted."""
        session, text = peering.session, peering.config.shutdown
        if text is not None:
            self._act(peering, session.stop(now, CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, text), now)
        elif peering.config.draining:
            self._act(peering, session.wind_down(now), now)
        else:
            restarting, returning = self._deferral is not None, peering.established_count > 0
            self._act(peering, session.start(now, restarting=restarting, returning=returning), now)

    def _remove(self, peering: Peering, now: int) -> None:
        """The peer is none any more. One that was drained shall not miss our routes before it is, too."""
        if peering.config.draining:
            actions = peering.session.stop(now, CeaseSubcode.ADMINISTRATIVE_RESET, DRAINED_TEXT)
        else:
            actions = peering.session.stop(now, CeaseSubcode.PEER_DE_CONFIGURED)
        self._act(peering, actions, now)
        peering.retention.give_up()
        self._forget(peering)

    def _forget(self, peering: Peering) -> None:
        self._peerings.remove(peering)
        for timer in Timer:
            self._deadlines.set(key_of(peering.number, timer), None)

    def _adapt(self, peering: Peering, config: PeerConfig, affects: Affects, now: int) -> None:
        """Change in place what can be changed in place."""
        peering.config = config
        peering.session.update_config(config, now)
        self._deadlines.set(key_of(peering.number, Timer.SESSION), peering.session.next_deadline())
        if Affects.ADMINISTRATION in affects:
            self._administer(peering, now)
        exchange = peering.exchange
        if exchange is None:
            peering.leave(now)
            self._deadlines.set(key_of(peering.number, Timer.STALE), peering.stale_deadline)
            return
        if Affects.IMPORT in affects:
            # What is still queued came under the old judgement or the new one; the new one is as right.
            peering.import_again(exchange, self._config)
        else:
            peering.rename_rules(exchange)
        if Affects.EXPORT in affects:
            for family, old in list(exchange.views.items()):
                new = exchange.views[family] = peering.export_view(family, self._config, exchange)
                self._advertising.move(config.peer, old, new)

    def _new_connection(self) -> int:
        self._connection_count += 1
        return self._connection_count

    def _establish(self, peering: Peering, action: SessionEstablished, now: int) -> None:
        link = self._links[action.connection]
        local = link.local or peering.config.peer.address
        tables, due = self._loc_ribs, self._receiving.due
        peering.establish(link.outlet, local, action.negotiated, self._config, tables, due=due, now=now)
        self._deadlines.set(key_of(peering.number, Timer.STALE), peering.stale_deadline)
        for view in peering.exchange.views.values() if peering.exchange is not None else ():
            self._advertising.join(view, peering.config.peer, link.outlet)

    def _lose(self, peering: Peering, kind: DownKind, now: int) -> None:
        """RFC 4271 §8.2.2: the session is over, and the routes learned over it go, now or later."""
        exchange = peering.exchange
        if exchange is None:
            return  # Never so: a session is up before it is down.
        peering.lose(exchange, kind, now)
        self._peerings.miss(peering)
        for view in exchange.views.values():
            self._advertising.leave(view, peering.config.peer)
        exchange.outlet.outbox.clear()
        self._receiving.forget(peering)
        self._deadlines.set(key_of(peering.number, Timer.SEND_HOLD), None)
        self._deadlines.set(key_of(peering.number, Timer.STALE), peering.stale_deadline)

    # ---- routes in

    def take_in(self, now: int, budget: int) -> int:
        """Work off what peers sent, for about `budget` prefixes; what is left of that, 0 if more waits."""
        left, receiving = budget, self._receiving
        while left > 0 and receiving.has_work:
            left -= receiving.work(left, now)
            if receiving.failing is not None:
                self._fail(receiving.failing, now)
        self._facts += receiving.take_facts()
        self._taken_in = budget - left
        return 0 if receiving.has_work else left

    def _fail(self, failing: Failing, now: int) -> None:
        """End a session that what its peer sent has made impossible."""
        self._receiving.failing = None
        self._facts += self._receiving.take_facts()
        peering, code, subcode, data, hold_ns, forgotten = failing
        self._act(peering, peering.session.fail(code, subcode, data, now, hold_ns), now)
        if forgotten:
            peering.retention.give_up()

    def judge(self, verdicts: Mapping[Address, Reachability]) -> None:
        """Say which next hops are resolvable (RFC 4271 §9.1.2); the next `decide` heeds it."""
        changed = self.next_hops.judge(verdicts)
        for loc_rib in self._loc_ribs.values() if changed else ():
            loc_rib.reconsider(changed)

    def take_unused_next_hops(self) -> list[Address]:
        """Next hops that need not be judged any more; looked for only now and then."""
        return self.next_hops.sweep() if self.next_hops.are_many else []

    def decide(self, now: int, budget: int) -> list[RouteChange]:
        """Select the routes of up to `budget` prefixes in each family; gives what changed, if we forward.

        What was taken in last is decided at once, also where that was more: decided later it would cost more.
        """
        budget = max(budget, self._taken_in)
        if self._deferral is not None and not self._changes:
            self._deferral.update(self._peerings.by_peer.values(), now)
            if not self._deferral.families:
                self._deferral = None
        changes: list[RouteChange] = []
        heard = changes if self.next_hops.are_judged else None
        for family, loc_rib in self._loc_ribs.items():
            if family not in self._deferred:
                self._advertising.mark(family, loc_rib.decide(budget, heard))
        return changes

    def is_behind(self, connection: int) -> bool:
        """Whether so much of a peer waits here that its connection had better not be read for a while."""
        link = self._links.get(connection)
        exchange = None if link is None else link.peering.exchange
        return exchange is not None and exchange.outlet.connection == connection and exchange.inbound.is_full

    # ---- routes out

    def withdrawals(self, now: int, budget: int) -> list[SendBytes]:
        """Work out what peers should know now; tell of up to `budget` prefixes per group that are gone."""
        if self._outbound.is_unfinished:
            return self._hand_out(self._outbound.go_on(), now)
        self._advertising.withdraw(budget, self._deferred)
        return self._hand_out(self._outbound.begin(), now)

    def announcements(self, now: int, budget: int, held: Mapping[Family, Container[Nlri]]) -> list[SendBytes]:
        """Tell of up to `budget` prefixes per group.

        A prefix in `held` whose next hop would be ourselves waits for `release`: no peer shall send traffic
        here before the kernel knows where it goes. While `is_handing_out` nothing is worked out.
        """
        sent: list[SendBytes] = []
        if not self._outbound.is_unfinished:
            is_complete = None
            if self._completeness is not None:
                self._completeness.expire(now)
                is_complete = self._completeness.is_complete
            self._advertising.announce(budget, held, now, self._deferred, is_complete)
            sent = self._hand_out(self._outbound.begin(), now)
        self._outbound.look()
        return sent

    @property
    def _deferred(self) -> tuple[Family, ...]:
        """Families of which nothing is selected yet, and nothing told."""
        return () if self._deferral is None else self._deferral.families

    def _hand_out(self, outlets: list[Outlet], now: int) -> list[SendBytes]:
        sent: list[SendBytes] = []
        for outlet in outlets:
            link = self._links.get(outlet.connection)
            if link is None or not outlet.outbox:
                continue
            chunks = tuple(outlet.outbox)
            outlet.outbox.clear()
            sent.append(SendBytes(outlet.connection, chunks))
            peering = link.peering
            link.watch_sending(sum(map(len, chunks)), self._deadlines, now)
            peering.session.sent(now)
            self._deadlines.set(key_of(peering.number, Timer.SESSION), peering.session.next_deadline())
        return sent

    # ---- what is seen from outside

    @property
    def backlog(self) -> int:
        """What waits for `control`: inputs, by what they cost, and changes of peers."""
        return self._backlog.cost + len(self._changes)

    @property
    def is_changing(self) -> bool:
        """Whether some peers are not yet what they shall be: there may be more of them, or fewer."""
        return bool(self._changes)

    @property
    def is_handing_out(self) -> bool:
        """Whether messages are made that some peers were not given yet, for there are many peers."""
        return self._outbound.is_unfinished

    def has_more_to_tell(self) -> bool:
        """Whether peers could be told of something now that they do not know."""
        return self._advertising.next_deadline(self._deferred) == 0

    def untold_count(self) -> int:
        """How many prefixes some peer could be told of now, at least."""
        return self._advertising.untold_count()

    def next_deadline(self) -> int | None:
        """The earliest timer; 0 when something waits that could be done now; None when only inputs help."""
        waits = self.backlog or self._effects or self._receiving.has_work
        if waits or self._outbound.is_unfinished:
            return 0
        deferred = self._deferred
        if any(one.has_work for family, one in self._loc_ribs.items() if family not in deferred):
            return 0
        deadlines = (
            self._deadlines.earliest(),
            self._advertising.next_deadline(deferred),
            None if self._deferral is None else self._deferral.next_deadline(self._peerings.by_peer.values()),
            None if self._completeness is None else self._completeness.next_deadline(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def take_facts(self) -> list[BgpFact]:
        """What was observed since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def selected(self, family: Family, nlri: Nlri) -> Selected | None:
        """The Loc-RIB's entry of a prefix."""
        return self._loc_ribs[family].selected(nlri)

    def trace(self, family: Family, nlri: Nlri) -> SpeakerTrace:
        """What became of a prefix, in all tables, and what decided; nothing is changed by asking."""
        contest, peerings = self._loc_ribs[family].contest(nlri), self._peerings.by_peer
        told = self._advertising.traces(family, nlri)
        peers = [
            peer_trace(peerings[peer], told.get(peer), family, nlri)
            for peer in sorted(peerings, key=peer_order)
        ]
        return SpeakerTrace(contest, peers, is_deferred=family in self._deferred)

    def standings(self) -> list[PeerStanding]:
        """How far those peers are that are to be up; neither one that is shut down nor one that may go."""
        return [
            one.standing
            for _, one in sorted(self._peerings.by_peer.items(), key=lambda item: peer_order(item[0]))
            if one.config.shutdown is None and not one.config.draining
        ]

    def cause(self, peer: PeerId) -> Cause | None:
        """Why a peer has no session; None for one that has, and for one that is none of ours."""
        peering = self._peerings.by_peer.get(peer)
        return None if peering is None else peering.cause

    @property
    def is_deferring(self) -> bool:
        """Whether nothing is selected yet, for after a restart peers are still to tell all they have."""
        return bool(self._deferred)

    def prefixes(self, family: Family) -> Iterable[Nlri]:
        """Every prefix with a selected route as it is now; a copy."""
        return self._loc_ribs[family].prefixes()

    def has_all_tables(self) -> bool:
        """Whether every peer has told its initial table (End-of-RIB, RFC 4724 §2)."""
        return not (self._changes or any(one.owes_table for one in self._peerings.by_peer.values()))

    def owing(self) -> dict[Address, bool]:
        """By the addresses of the peers, whether they are still to do so."""
        return {peer.address: one.owes_table for peer, one in self._peerings.by_peer.items()}

    def peers(self) -> list[PeerSnapshot]:
        """The peers as they are now, IPv4 before IPv6, by address."""
        return list(self.pictures())

    def pictures(self) -> Iterator[PeerSnapshot]:
        """The same one by one, each as it is in its turn; how much they were told is counted once, first."""
        known, advertised = self._peerings.by_peer, self._advertising.advertised_counts()
        for peer in sorted(known, key=peer_order):
            if peer in known:
                yield known[peer].snapshot(advertised[peer])

    def routes(
        self, family: Family, limit: int, *, without: RouteSource | None = None
    ) -> list[RouteSnapshot]:
        """The eligible paths of a family, `limit` of them at most; the same ones while nothing changes."""
        wanted = (found for found in self._loc_ribs[family].paths() if found[1].source is not without)
        return [RouteSnapshot.of(nlri, path, best=best) for nlri, path, best in islice(wanted, limit)]

    def unresolved(self) -> dict[Address, int]:
        """By next hop, how many prefixes have a path that is not used for want of a way to it."""
        counts = sum((loc_rib.unresolved() for loc_rib in self._loc_ribs.values()), Counter[bytes]())
        return {Address(next_hop): counts[next_hop] for next_hop in sorted(counts)}

    def statistics(self) -> SpeakerStatistics:
        """Sizes and queues."""
        peerings, tables = self._peerings.by_peer.values(), self._loc_ribs.values()
        return statistics_of(peerings, tables, self._receiving.due, self._advertising.pending_count())

    def sessions_by_state(self) -> Counter[str]:
        """How many peers are in which state."""
        return sessions_by_state(self._peerings.by_peer.values())

    def counts_by_family(self) -> dict[Family, FamilyCounts]:
        """How many routes there are at each stage."""
        advertised = self._advertising.advertised_by_family()
        return counts_by_family(self._peerings.by_peer.values(), self._loc_ribs, advertised)

    def has_routes_of(self, peer: PeerId) -> bool:
        """Whether there are routes of a peer here, be it that its session is over and it may be back."""
        return self._peerings.has_routes_of(peer)

    def take_missed(self) -> list[PeerId]:
        """Peers whose sessions ended or fell silent since the last call, and of which there are routes."""
        return self._peerings.take_missed()

    def is_missed(self, peer: PeerId) -> bool:
        """Whether a peer has no session and none that is coming, or one that is silent."""
        return self._peerings.is_missed(peer)

    def transport_of(self, peer: PeerId) -> TransportOptions | None:
        """How a peer is dialled."""
        peering = self._peerings.by_peer.get(peer)
        return None if peering is None else peering.config.transport

    def config_of(self, peer: PeerId) -> PeerConfig | None:
        """What a peer is at present; None for one that is none."""
        peering = self._peerings.by_peer.get(peer)
        return None if peering is None else peering.config

    def session_count(self, peer: PeerId) -> int:
        """How many sessions with a peer there were so far."""
        peering = self._peerings.by_peer.get(peer)
        return 0 if peering is None else peering.established_count

    def is_up(self, peer: PeerId) -> bool:
        """Whether there is a session with a peer."""
        peering = self._peerings.by_peer.get(peer)
        return peering is not None and peering.exchange is not None

    def has_table_of(self, peer: PeerId) -> bool:
        """Whether a peer has told its initial table (End-of-RIB, RFC 4724 §2)."""
        peering = self._peerings.by_peer.get(peer)
        return peering is not None and peering.has_whole_table

    def loses_by_reset(self, peer: PeerId) -> bool:
        """Whether the end of the session with a peer takes routes along, here or there."""
        peering = self._peerings.by_peer.get(peer)
        return peering is not None and peering.loses_by_reset

    def note(self, peer: PeerId, notice: str) -> None:
        """Have the status say this of a peer, until the next session or note."""
        peering = self._peerings.by_peer.get(peer)
        if peering is not None:
            peering.notice = notice

    def note_presence(self, peer: PeerId, presence: Presence, reason: str, now: int) -> None:
        """What was found out about a peer that is missed; of a dead one nothing is kept any longer."""
        peering = self._peerings.by_peer.get(peer)
        if peering is None:
            return
        if presence is Presence.DEAD and peering.session.is_silent:
            actions = peering.session.fail(ErrorCode.HOLD_TIMER_EXPIRED, 0, b"", now)
            self._act(peering, actions, now)
        peering.note_presence(presence, reason)

    def unreplaced_count(self, peer: PeerId) -> int:
        """For how many prefixes a draining peer is still needed, at least one while that is not known."""
        peering = self._peerings.by_peer.get(peer)
        if peering is None:
            return 0
        return peering.unreplaced_count or (1 if self._changes else 0)
