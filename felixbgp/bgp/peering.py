"""One configured peer as the speaker holds it: its session, and what stands and falls with the session.

configured ─────────────────────────────────────────────▶ removed
    Peer (the FSM) lives as long as its configuration
         Established ──────────────▶ down
             Exchange: Adj-RIBs-In, export views, queue of what came in
"""

from collections.abc import Iterable
from typing import Final

from felixbgp.bgp import views
from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import GracefulRestart, LimitAction, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.facts import UpdateMalformed
from felixbgp.bgp.inbound import Inbound
from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.prefix_limit import LimitWatch
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.retention import BRIDGE_NS, Resumed, Retention
from felixbgp.bgp.rib.adj_rib_in import ROUTES_MAX, AdjRibIn
from felixbgp.bgp.rib.adj_rib_out import Outlet
from felixbgp.bgp.rib.export import ExportView
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import PathPeer
from felixbgp.bgp.session.actions import DownKind
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.snapshot import PeerSnapshot, PeerStanding
from felixbgp.bgp.wire.messages import Negotiated, UpdateMessage
from felixbgp.net import Address, Family

SEND_HOLD_TIME_MIN_NS: Final = 480_000_000_000
"""RFC 9687 §3: eight minutes, or twice the hold time if that is longer."""

MALFORMED_FACTS_PER_MINUTE: Final = 64
"""Of one peer: a broken one sends thousands of malformed UPDATEs, all alike, and would fill the disk."""

UNREPLACED_SHOWN: Final = 64
"""Prefixes of a peer that leaves, which have no other path: a person looks at some, to find out why."""


class Exchange:
    """An Established session's routes, both ways."""

    __slots__ = (
        "inbound", "limits", "local", "negotiated", "outlet", "progress_at", "renewed_by",
        "ribs", "views",
    )  # fmt: skip

    def __init__(self, outlet: Outlet, local: Address, negotiated: Negotiated) -> None:
        self.outlet = outlet
        self.local = local
        self.negotiated = negotiated
        self.inbound = Inbound()
        self.ribs: dict[Family, AdjRibIn] = {}
        self.limits: dict[Family, LimitWatch] = {}
        self.views: dict[Family, ExportView] = {}
        self.renewed_by: int | None = None
        """When what is stale from the session before goes, announced again or not; None: nothing is."""
        self.progress_at = 0
        """When the peer's side last took octets from us, or we began to have some for it."""

    @property
    def send_hold_time_ns(self) -> int:
        """How long octets may lie here before the session is given up (RFC 9687 §3)."""
        return max(SEND_HOLD_TIME_MIN_NS, 2 * self.negotiated.hold_time_ns)

    def take_in(self, update: UpdateMessage) -> int:
        """Put an UPDATE into the Adj-RIBs-In, withdrawals first (RFC 4271 §4.3); returns its size."""
        cost = 1
        for family, nlris in update.withdrawn:
            cost += self.ribs[family].withdraw(nlris)
        for family, attributes, nlris in update.announced:
            cost += self.ribs[family].announce(attributes, nlris)
        if update.end_of_rib is not None:
            self.ribs[update.end_of_rib].end_of_rib = True
            self.ribs[update.end_of_rib].end_refresh()
        return cost


class Peering:
    """Configuration, session and, while Established, the exchange of routes."""

    __slots__ = (
        "complaints", "config", "established_count", "exchange", "is_begun_anew", "malformed", "notice",
        "number", "path_peer", "presence", "retention", "session", "updates_received",
    )  # fmt: skip

    def __init__(self, number: int, config: PeerConfig, session: Peer, established_count: int = 0) -> None:
        self.number = number
        """Tells apart the peerings of a speaker, also successive ones with the same peer."""
        self.config = config
        self.session = session
        self.exchange: Exchange | None = None
        self.path_peer: PathPeer | None = None
        """What its paths have of it: None before its first session."""
        self.retention = Retention()
        self.is_begun_anew = False
        """Whether we end its session to have another, with other parameters."""
        self.presence = Presence.EXPECTED
        self.notice = ""
        """What is to be said of it in the status, in words."""
        self.malformed: dict[str, int] = {}
        """Malformed UPDATEs by verdict, of all sessions: one that ends a session is of interest after it."""
        self.complaints = Allowance(MALFORMED_FACTS_PER_MINUTE, 60 * SECOND_NS)
        """Of malformed UPDATEs: how many are told."""
        self.established_count = established_count
        self.updates_received = 0

    def establish(
        self,
        outlet: Outlet,
        local: Address,
        negotiated: Negotiated,
        speaker: SpeakerConfig,
        loc_ribs: dict[Family, LocRib],
        *,
        due: dict[AdjRibIn, None],
        now: int,
    ) -> None:
        """Begin to exchange routes, for the negotiated families that we have a table for."""
        exchange = self.exchange = Exchange(outlet, local, negotiated)
        self.presence, self.notice = Presence.EXPECTED, ""
        self.established_count += 1
        self.updates_received = 0
        exchange.progress_at = now
        peer = self._make_path_peer(negotiated)
        kept = self.retention.resume(negotiated)
        policy = self._import_policy
        restart = self.config.graceful_restart
        for family in negotiated.families:
            if family not in loc_ribs:
                continue
            acceptance = views.acceptance(self.config, speaker, family, exchange.local, exchange.negotiated)
            identified = family in negotiated.add_path_receive
            resumed = kept.get(family)
            if resumed is not None and self._goes_on(resumed, identified=identified):
                rib = resumed.rib
                rib.reconfigure(peer, acceptance, policy)
                exchange.renewed_by = now + _renewal_ns(restart, resumed)
            else:
                if resumed is not None:
                    resumed.rib.give_up()
                    self.retention.whole -= {family}
                rib = AdjRibIn(
                    loc_ribs[family],
                    peer,
                    acceptance,
                    policy,
                    due=due,
                    identified=identified,
                    capacity=self._capacity,
                    octets_max=self.config.attributes_octets_max,
                )
            exchange.ribs[family] = rib
            if self.config.prefix_limit is not None:
                exchange.limits[family] = LimitWatch(self.config.prefix_limit)
            exchange.views[family] = self.export_view(family, speaker, exchange)

    def _goes_on(self, resumed: Resumed, *, identified: bool) -> bool:
        """Whether what was kept can be the table of a new session."""
        is_allowed = resumed.is_bridged or self.config.graceful_restart is not None
        return is_allowed and resumed.rib.identified is identified

    def lose(self, exchange: Exchange, kind: DownKind, now: int) -> None:
        """The session is over: its tables are kept, or given up."""
        self.exchange = None
        restart = self.config.graceful_restart
        if self.config.draining:
            self.retention.hold(exchange.ribs)
            return
        if (kind is DownKind.HARD or restart is None) and self.is_begun_anew:
            self.retention.bridge(exchange.ribs, now)
            return
        if kind is DownKind.HARD or restart is None:
            for rib in exchange.ribs.values():
                rib.give_up()
            self.retention.give_up()
            return
        # RFC 9494 §4: without a time of our own we have not offered it, and nobody counts on it.
        long_lived = restart.long_lived_stale_time_s > 0
        self.retention.keep(
            exchange.ribs, exchange.negotiated, now, long_lived=long_lived, bridged=self.is_begun_anew
        )

    def expire(self, now: int) -> None:
        """`stale_deadline` is there, and the time for stale routes over."""
        exchange = self.exchange
        if exchange is None:
            self.retention.expire(now)
            return
        exchange.renewed_by = None
        for rib in exchange.ribs.values():
            rib.end_refresh()

    @property
    def stale_deadline(self) -> int | None:
        """When `expire` has something to do."""
        return self.retention.next_deadline() if self.exchange is None else self.exchange.renewed_by

    def import_again(self, exchange: Exchange, speaker: SpeakerConfig) -> None:
        """Judge everything received again, under the configuration of now."""
        peer = self._make_path_peer(exchange.negotiated)
        for family, rib in exchange.ribs.items():
            acceptance = views.acceptance(self.config, speaker, family, exchange.local, exchange.negotiated)
            rib.reconfigure(peer, acceptance, self._import_policy)

    def leave(self, now: int) -> None:
        """It may be draining, or counted, from now on though it has no session: so is what is kept.

        Of a draining one nothing goes by itself; of one that is wanted again, after the restart time.
        """
        before, config = self.path_peer, self.config
        if before is None:
            return
        if config.draining:
            self.retention.hold_on()
        elif before.leaving:
            restart = config.graceful_restart
            self.retention.hold_until(now + (0 if restart is None else restart.restart_time_s * SECOND_NS))
        known = (before.draining, before.leaving, before.selected is not None)
        if known != (config.is_last_resort, config.draining, self._is_counted):
            self.path_peer = before.as_leaving(
                draining=config.is_last_resort, counted=config.counted, leaving=config.draining
            )
            self.retention.set_peer(self.path_peer, self._import_policy)

    @property
    def _is_counted(self) -> bool:
        return self.config.draining or self.config.counted

    @property
    def ribs(self) -> list[AdjRibIn]:
        """What it announced: in its session, or kept from the last one."""
        return self.retention.ribs if self.exchange is None else list(self.exchange.ribs.values())

    @property
    def unreplaced_count(self) -> int:
        """For how many prefixes a peer that leaves is still needed; at least one while not all is decided."""
        exchange = self.exchange
        is_settled = all(rib.is_settled for rib in self.ribs) and not (exchange and exchange.inbound)
        count = 0 if self.path_peer is None else self.path_peer.selected_count
        return count or (0 if is_settled else 1)

    def rename_rules(self, exchange: Exchange) -> None:
        """An equal import policy may have other names, for those who ask what became of a route."""
        for rib in exchange.ribs.values():
            rib.rename_rules(self._import_policy)

    def export_view(self, family: Family, speaker: SpeakerConfig, exchange: Exchange) -> ExportView:
        """What decides on what the peer is told."""
        return views.export_view(self.config, speaker, family, exchange.local, exchange.negotiated)

    def note_malformed(self, errors: Iterable[str], now: int) -> list[UpdateMalformed]:
        """Count what was wrong with one UPDATE, each beginning with its verdict; what is to be told of it."""
        parted = [error.partition(": ") for error in errors]
        for verdict in dict.fromkeys(verdict for verdict, _, _ in parted):
            self.malformed[verdict] = self.malformed.get(verdict, 0) + 1
        peer = self.config.peer
        return [
            UpdateMalformed(peer, verdict, reason)
            for verdict, _, reason in parted
            if self.complaints.take(now)
        ]

    def note_presence(self, presence: Presence, reason: str) -> None:
        """What was found out about it from elsewhere; a session knows better."""
        if self.exchange is None:
            self.presence, self.notice = presence, reason
            if presence is Presence.DEAD:
                self.retention.give_up()

    @property
    def loses_by_reset(self) -> bool:
        """Whether there is a session, and its end takes routes along, here or at the peer (RFC 8538 §4)."""
        exchange = self.exchange
        return exchange is not None and views.loses_by_reset(exchange.negotiated, exchange.ribs)

    @property
    def has_whole_table(self) -> bool:
        """Whether the peer has said of every family that its initial table is complete."""
        ribs = () if self.exchange is None else self.exchange.ribs.values()
        return bool(ribs) and all(rib.end_of_rib for rib in ribs)

    @property
    def owes_table(self) -> bool:
        """Whether the peer is to say so still; a dead one cannot, one that is draining need not come back.

        While its session stands it can, and may be the only one who has what our kernel forwards by.
        """
        is_due = self.exchange is not None or not self.config.draining
        return is_due and self.presence is not Presence.DEAD and not self.has_whole_table

    def snapshot(self, advertised: int) -> PeerSnapshot:
        """The picture of now; `advertised` is the number of prefixes the peer was told."""
        config, session, exchange, ribs = self.config, self.session, self.exchange, self.ribs
        negotiated = None if exchange is None else exchange.negotiated
        return PeerSnapshot(
            peer=config.peer,
            name=config.name,
            families=config.families,
            local_as=config.local_as,
            remote_as=config.remote_as,
            state=session.state,
            since=session.since,
            last_error=session.last_error,
            cause=self.cause,
            remote_identifier=None if negotiated is None else negotiated.peer_identifier,
            hold_time_s=None if negotiated is None else negotiated.hold_time_ns // SECOND_NS,
            established_count=self.established_count,
            end_of_rib_received=self.has_whole_table,
            prefixes_received=sum(map(len, ribs)),
            prefixes_accepted=sum(rib.accepted_count for rib in ribs),
            unreplaced=self.unreplaced_count if self._is_counted else None,
            unreplaced_first=()
            if self.path_peer is None
            else self.path_peer.first_selected(UNREPLACED_SHOWN),
            warning=self.notice or _warning(exchange),
            prefixes_stale=sum(rib.stale_count for rib in ribs),
            prefixes_advertised=advertised,
            malformed_updates=tuple(sorted(self.malformed.items())),
            updates_received=self.updates_received,
            updates_sent=0 if exchange is None else exchange.outlet.updates_sent,
        )

    @property
    def standing(self) -> PeerStanding:
        """How far it is, if it is to be up."""
        why = self.notice or self.session.last_error
        return PeerStanding(self.config.peer, self.session.state, self.has_whole_table, self.cause, why)

    @property
    def cause(self) -> Cause | None:
        """Why there is no session: what is wanted comes first, then what is known from elsewhere."""
        if self.exchange is not None:
            return None
        if self.config.shutdown is not None:
            return Cause.SHUT_DOWN
        if self.config.draining:
            return Cause.DRAINING
        if self.presence is Presence.DEAD:
            return Cause.UNREACHABLE
        if self._is_restarting:
            return Cause.RESTARTING
        return self.session.cause

    @property
    def export_policy(self) -> Policy:
        """The one in force."""
        return views.effective_policy(self.config, self.config.export_policy)

    @property
    def _is_restarting(self) -> bool:
        """Whether the peer's routes are kept for it (RFC 4724 §4.2), and all looks as while it restarts.

        Its host refuses connections then, or does not answer those that are signed: it has lost the key too.
        """
        if not self.retention.ribs:
            return False
        is_away = self.presence is Presence.AWAY
        return is_away or self.session.cause in (Cause.REFUSED, Cause.CONNECTION_CLOSED)

    @property
    def _capacity(self) -> int:
        """How many routes of a family are taken in at most."""
        limit = self.config.prefix_limit
        return limit.maximum if limit is not None and limit.action is LimitAction.DROP else ROUTES_MAX

    @property
    def _import_policy(self) -> Policy:
        return views.effective_policy(self.config, self.config.import_policy)

    def _make_path_peer(self, negotiated: Negotiated) -> PathPeer:
        peer = self.path_peer = views.path_peer(self.config, negotiated)
        return peer


def _renewal_ns(restart: GracefulRestart | None, resumed: Resumed) -> int:
    """How long what is stale may stay in the session that has followed."""
    return BRIDGE_NS if resumed.is_bridged or restart is None else restart.renewal_time_s * SECOND_NS


def _warning(exchange: Exchange | None) -> str:
    """What an operator should know of a session that is up."""
    if exchange is None:
        return ""
    texts = (
        watch.describe(family, len(exchange.ribs[family]), exchange.ribs[family].excess_count)
        for family, watch in exchange.limits.items()
    )
    return "; ".join(filter(None, texts))


def peer_order(peer: PeerId) -> tuple[int, bytes, int]:
    """By what peers are sorted: IPv4 before IPv6, by address and port."""
    return (len(peer.address), bytes(peer.address), peer.port)
