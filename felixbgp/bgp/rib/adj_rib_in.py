"""Adj-RIB-In of one peer and family (RFC 4271 §3.2): what the peer announced, and what became of it.

Routes are keyed as they come: by NLRI, or where the peer sends several paths per prefix (RFC 7911) by the
four octets of the path's identifier and the NLRI.

Everything is kept as it was received, also what is not eligible or was rejected, so that a change of policy
takes effect on what is here and needs no session reset and no ROUTE-REFRESH. What a policy changes is changed
on the way to the Loc-RIB.

    announce ─▶ routes ─ session lost, or BoRR ─▶ stale ─ End-of-RIB, or EoRR ─▶ expired ─ work_off ─▶ gone
                  ▲                                 │                               │
                  └────────── announced again ──────┴───────────────────────────────┘

A route is in one of the tables, and a table changes its part in one step. Mostly there is one of each kind,
but who begins again before the end has some stale ones. What has to be done route by route, for what expired,
under another policy, or to make one table of several, is done by `work_off`, in so many calls as it takes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from felixbgp.bgp.policy.evaluate import AttributeView, Decided, PolicyView, PrefixView
from felixbgp.bgp.policy.types import Policy, RouteSource
from felixbgp.bgp.rib.acceptance import Acceptance
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import Path, PathPeer, changed_path
from felixbgp.bgp.rib.trace import ReceivedTrace, rule_of
from felixbgp.bgp.wire.communities import NO_LLGR
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Family, Nlri
from felixbgp.net.index import Index
from felixbgp.net.table import Table, Walk

ROUTES_MAX: Final = 4_000_000
"""Of one peer and family, where nobody set a limit: three times the Internet's table in 2026."""


RIVAL_COST: Final = 2
"""To decide which of several paths takes the place of one, and to tell of it, beside what each costs."""
NEW_SET_COST: Final = 16
"""To look into a new set of attributes, judge it and encode it again takes as long as that many prefixes."""

MOVED_AT_ONCE: int = 1000
"""Routes of a table that go into another one when it changes its part; one with more stays as it is. To
announce as many takes as long as a call of `work_off` may, so that the large tables never become many.
No `Final`, as in `table`."""

TO_BE_JUDGED: Final = "about to be judged again"
"""What is said of a route while another policy is applied."""

_Key = PathAttributes | tuple[PathAttributes, bytes, bool, bool]

_shared_view = lru_cache(maxsize=64)(PolicyView)
"""Peers mostly have the same policy."""


class AdjRibIn:
    """Routes as received. Feeds the eligible and accepted ones into `loc_rib`."""

    __slots__ = (
        "_acceptance",
        "_capacity",
        "_changed",
        "_due",
        "_expired",
        "_filtered",
        "_identifier_octets",
        "_ineligible_count",
        "_loc_rib",
        "_octets",
        "_octets_max",
        "_outliving",
        "_paths",
        "_paths_made",
        "_peer",
        "_plain",
        "_policy",
        "_reviews",
        "_routes",
        "_stale",
        "_variants",
        "_view",
        "_views",
        "end_of_rib",
        "excess_count",
    )

    def __init__(
        self,
        loc_rib: LocRib,
        peer: PathPeer,
        acceptance: Acceptance,
        policy: Policy,
        *,
        due: "dict[AdjRibIn, None]",
        identified: bool = False,
        capacity: int = ROUTES_MAX,
        octets_max: int = 1 << 30,
    ) -> None:
        """`identified`: every NLRI of this peer comes behind a path identifier.

        `due` gets every Adj-RIB-In that has something for `work_off`.
        `capacity`: how many routes are taken in; `octets_max`: what their attributes may take, about.
        """
        self._due = due
        self._capacity = capacity
        self.excess_count = 0
        """Announcements that were not taken in."""
        self._loc_rib = loc_rib
        self._identifier_octets = 4 if identified else 0
        self._peer = peer
        self._acceptance = acceptance
        self._apply(policy)
        self._routes: Table[Path] = Table()
        self._stale: list[Table[Path]] = []
        """What the peer did not say again so far."""
        self._expired: list[Table[Path]] = []
        """What it did not say again in time."""
        self._outliving = False
        """Whether what is stale outlives its time (RFC 9494)."""
        self._reviews: list[tuple[Table[Path], Walk[Path]]] = []
        """Of which tables the rest is to be judged again."""
        self._filtered: Table[int] = Table()
        """By which rule of the policy."""
        self._changed: Table[Path] = Table()
        """What the Loc-RIB has where the policy changed attributes."""
        self._ineligible_count = 0
        self._paths: Index[_Key, Path] = Index()
        """By what `_key` gives, those that routes have and that were judged as all are now."""
        self._paths_made = 0
        self._octets = 0
        """About how much memory these take."""
        self._octets_max = octets_max
        self.end_of_rib = False
        """Whether the peer said that its initial table is complete (RFC 4724 §2)."""

    def __len__(self) -> int:
        return len(self._routes) + _count(self._stale) + _count(self._expired)

    @property
    def family(self) -> Family:
        """Of its prefixes."""
        return self._loc_rib.family

    @property
    def identified(self) -> bool:
        """Whether the peer sends path identifiers."""
        return self._identifier_octets > 0

    @property
    def accepted_count(self) -> int:
        """Routes that take part in the decision."""
        return len(self) - len(self._filtered) - self._ineligible_count

    @property
    def stale_count(self) -> int:
        """Routes of a session that is over, which the peer did not announce again so far."""
        return _count(self._stale) + _count(self._expired)

    @property
    def expired_count(self) -> int:
        """Routes that are about to be removed."""
        return _count(self._expired)

    @property
    def attributes_count(self) -> int:
        """Distinct sets of attributes."""
        return len(self._paths)

    @property
    def is_exhausting(self) -> bool:
        """Whether the peer's attributes take more memory than one peer may have."""
        return self._octets > self._octets_max

    def announce(self, attributes: PathAttributes, nlris: Sequence[Nlri]) -> int:
        """The peer announced these prefixes; what it announced for them before is replaced.

        Returns what it cost, in prefixes.
        """
        cost, made_before = len(nlris), self._paths_made
        if len(self) + len(nlris) > self._capacity:
            nlris = self._within_capacity(nlris)
        if self._identifier_octets:
            for nlri in nlris:
                self._set(nlri, self._path(attributes, nlri[:4]))
        else:
            path = self._path(attributes, b"")
            self._set_all(nlris, path)
            if not path.uses:
                self._drop(path)
        return cost + NEW_SET_COST * (self._paths_made - made_before)

    def withdraw(self, nlris: Sequence[Nlri]) -> int:
        """The peer withdrew these prefixes; those it never announced are ignored.

        Returns what it cost, in prefixes.
        """
        routes, kept, rivals = self._routes, self._stale or self._expired, 0
        before: Path | None = None
        alike: list[Nlri] = []
        for nlri in nlris:
            path = routes.pop(nlri)
            if path is None:
                path = self._take_kept(nlri) if kept else None
                if path is None:
                    continue
            if path is not before:
                if before is not None:
                    rivals += self._forget_all(before, alike)
                before, alike = path, []
            alike.append(nlri)
        if before is not None:
            rivals += self._forget_all(before, alike)
        return len(nlris) + RIVAL_COST * rivals

    def attributes(self, nlri: Nlri) -> PathAttributes | None:
        """What the peer last announced for a prefix."""
        path = self._find(nlri)
        return None if path is None else path.received

    def refusal(self, nlri: Nlri) -> str:
        """Why a received route takes no part in the decision: a loop, or a rule's name; "" if it does."""
        path = self._find(nlri)
        if path is None:
            return "not received"
        rule = self._filtered.get(nlri)
        if path.ineligible or rule is None:
            return path.ineligible
        if self._paths.get(_key_of(path)) is not path:
            return TO_BE_JUDGED
        return self._policy.rule_name(rule)

    def trace(self, nlri: Nlri) -> list[ReceivedTrace]:
        """The routes of a prefix, each with what import made of it; `nlri` is without an identifier."""
        traces: list[ReceivedTrace] = []
        for table in (self._routes, *self._stale, *self._expired):
            keys = [nlri]
            if self._identifier_octets:
                keys = [key for key in table.keys() if key[self._identifier_octets :] == nlri]  # noqa: SIM118
            for key in keys:
                path = table.get(key)
                if path is not None:
                    traces.append(self._trace(key, path, is_stale=table is not self._routes))
        return traces

    def _trace(self, key: Nlri, path: Path, *, is_stale: bool) -> ReceivedTrace:
        if path.ineligible:
            return ReceivedTrace(path, path.ineligible, is_accepted=False, rule=None, is_stale=is_stale)
        if self._paths.get(_key_of(path)) is not path:
            return ReceivedTrace(path, TO_BE_JUDGED, is_accepted=False, rule=None, is_stale=is_stale)
        decided = self._view.of(path.attributes).decide(key[self._identifier_octets :])
        rule = rule_of(self._policy, decided.rule)
        return ReceivedTrace(self._changed.get(key) or path, "", decided.accepted, rule, is_stale)

    def prefixes(self) -> list[Nlri]:
        """Every prefix received."""
        return [nlri for table in (self._routes, *self._stale, *self._expired) for nlri, _ in table.items()]

    # ---- work for later

    def reconfigure(self, peer: PathPeer, acceptance: Acceptance, policy: Policy) -> None:
        """Have everything received judged again under changed configuration, as what comes is from now on."""
        self._peer = peer
        self._acceptance = acceptance
        self._apply(policy)
        self._paths = Index()
        self._octets = 0
        self._reviews = [(table, Walk(table)) for table in (*self._stale, self._routes) if len(table)]
        self._note_due()

    def set_peer(self, peer: PathPeer, policy: Policy) -> None:
        """Have everything judged again as that of this peer, under this policy."""
        self.reconfigure(peer, self._acceptance, policy)

    def rename_rules(self, policy: Policy) -> None:
        """Take over the names of an equal policy; nothing is judged again."""
        self._policy = policy

    def mark_stale(self) -> None:
        """The session is lost and the peer may be back: keep what it said (RFC 4724 §4.2).

        What was stale already was not said again in a whole session, and goes.
        """
        self.end_refresh()
        self.mark_stale_too()

    def mark_stale_too(self) -> None:
        """The same after too short a session: what was stale already stays, unless it outlives its time."""
        if self._outliving:
            self.end_refresh()
        self._set_aside(self._routes, self._stale)
        self._routes = Table()
        self.end_of_rib = False
        self._note_due()

    def outlive(self) -> None:
        """The peer is not back in time: keep what is stale as the last resort (RFC 9494 §4.2)."""
        self._outliving = True
        self._reviews = [review for review in self._reviews if review[0] not in self._stale]
        self._reviews += [(table, Walk(table)) for table in self._stale]
        self._note_due()

    def begin_refresh(self) -> None:
        """BoRR: what is not announced again before EoRR is gone (RFC 7313 §4)."""
        if not _count(self._stale):
            self._outliving = False
        self._set_aside(self._routes, self._stale)
        self._routes = Table()
        self._note_due()

    def end_refresh(self) -> None:
        """EoRR: have removed what was not announced again."""
        for table in self._stale:
            self._set_aside(table, self._expired)
        self._stale = []
        self._outliving = False
        self._note_due()

    def _set_aside(self, table: Table[Path], tables: list[Table[Path]]) -> None:
        """The routes of a table, which may be none, are among those of others from now on."""
        if not len(table):
            return
        if not tables or len(table) > MOVED_AT_ONCE:
            tables.append(table)
            return
        target = tables[-1]
        for nlri, path in table.take(len(table)):
            target.put(nlri, path)
        if self._reviews:
            self._reviews = [one for one in self._reviews if one[0] is not table and one[0] is not target]
            self._reviews.append((target, Walk(target)))

    @property
    def has_work(self) -> bool:
        """Whether `work_off` has something to do."""
        return bool(self._expired or self._reviews) or len(self._stale) > 1

    @property
    def is_settled(self) -> bool:
        """Whether all that the peer said so far is judged, and decided on."""
        return not (self.has_work or self._loc_rib.has_work)

    def work_off(self, budget: int) -> int:
        """Remove what expired, judge again what is to be, for about `budget` routes; returns the cost."""
        done = 0
        # The newest first: so they never become many.
        while self._expired and done < budget:
            done += self._remove_first(self._expired[-1], budget - done)
            if not len(self._expired[-1]):
                self._expired.pop()
        while self._reviews and done < budget:
            table, walk = self._reviews[-1]
            part = None if table in self._expired else walk.next()
            if part is None:
                self._reviews.pop()
                continue
            done += len(part)
            self._judge_again(table, part)
        while len(self._stale) > 1 and done < budget:
            done += self._join_stale(budget - done)
        return done

    def _join_stale(self, count: int) -> int:
        """Make one table of those that are stale, for up to `count` routes; returns how many."""
        self._stale.sort(key=len)
        moved = self._stale[0].take(count)
        for nlri, path in moved:
            self._stale[-1].put(nlri, path)
        if not len(self._stale[0]):
            del self._stale[0]
        return len(moved)

    def give_up(self) -> None:
        """The session is gone for good: have everything removed."""
        self._reviews = []
        self.mark_stale()
        self.end_refresh()

    def _note_due(self) -> None:
        if self.has_work:
            self._due[self] = None

    def _judge_again(self, table: Table[Path], part: list[tuple[Nlri, Path]]) -> None:
        """Give routes of a table the paths that they have under the configuration of now."""
        outliving = self._outliving and table in self._stale
        for nlri, path in part:
            if outliving and NO_LLGR in path.received.communities:
                table.pop(nlri)
                self._forget_all(path, [nlri])
                continue
            renewed = self._renewed(path, outlived=outliving or path.outlived, stale=table in self._stale)
            if renewed is not path:
                self._enter(table, nlri, path, renewed)

    def _renewed(self, path: Path, *, outlived: bool, stale: bool) -> Path:
        """The path that a route has under the configuration of now."""
        renewed = self._path(path.received, path.path_id, outlived=outlived)
        if stale and renewed.ineligible and not path.ineligible:
            if not renewed.uses:
                self._drop(renewed)
            renewed = self._path(path.received, path.path_id, outlived=outlived, excused=True)
        return renewed

    def _remove_first(self, table: Table[Path], count: int) -> int:
        entries = table.take(count)
        by_path: dict[Path, list[Nlri]] = {}
        for nlri, path in entries:
            by_path.setdefault(path, []).append(nlri)
        cost = len(entries)
        for path, nlris in by_path.items():
            cost += RIVAL_COST * self._forget_all(path, nlris)
        return cost

    # ---- one route, or some with one path

    def _find(self, nlri: Nlri) -> Path | None:
        for table in (self._routes, *self._stale, *self._expired):
            path = table.get(nlri)
            if path is not None:
                return path
        return None

    def _take_kept(self, nlri: Nlri) -> Path | None:
        """Remove a route that the peer did not say again so far."""
        for tables in (self._stale, self._expired):
            for table in tables:
                path = table.pop(nlri)
                if path is not None:
                    if not len(table):
                        tables.remove(table)
                    return path
        return None

    def _within_capacity(self, nlris: Sequence[Nlri]) -> list[Nlri]:
        """Those that are here already, and as many others as there is room for."""
        room = self._capacity - len(self)
        kept = []
        for nlri in nlris:
            if self._find(nlri) is None:
                room -= 1
                if room < 0:
                    self.excess_count += 1
                    continue
            kept.append(nlri)
        return kept

    def _set_all(self, nlris: Sequence[Nlri], path: Path) -> None:
        """Many prefixes, one path: most of them are new, and of these all fare alike."""
        view = self._plain or self._view_of(path)
        decided = view.constant
        if decided is None or not decided.accepted or path.ineligible or self._stale or self._expired:
            for nlri in nlris:
                self._set(nlri, path)
            return
        others: list[Nlri] = []
        fresh = self._routes.add(nlris, path, others)
        path.uses += len(fresh)
        accepted = path
        if decided.attributes is not None:
            accepted = self._variant(path, decided, decided.attributes)
            self._changed.put_all(fresh, accepted)
        self._loc_rib.add(fresh, accepted)
        for nlri in others:
            self._set(nlri, path)

    def _set(self, nlri: Nlri, path: Path) -> None:
        old = self._routes.get(nlri)
        if old is None and (self._stale or self._expired):
            old = self._take_kept(nlri)
            if old is path:
                self._routes.put(nlri, path)
        if old is not path:
            self._enter(self._routes, nlri, old, path)

    def _enter(self, table: Table[Path], nlri: Nlri, old: Path | None, path: Path) -> None:
        """A route has another path than before, if it had any."""
        path.uses += 1
        before = None if old is None else self._forget(nlri, old)
        table.put(nlri, path)
        after: Path | None = path
        if path.ineligible:
            self._ineligible_count += 1
            after = None
        else:
            view = self._plain or self._view_of(path)
            decided = view.constant or view.decide(nlri[self._identifier_octets :])
            if not decided.accepted:
                self._filtered.put(nlri, decided.rule)
                after = None
            elif decided.attributes is not None:
                after = self._variant(path, decided, decided.attributes)
                self._changed.put(nlri, after)
        self._loc_rib.replace(nlri[self._identifier_octets :], before, after)

    def _forget_all(self, path: Path, nlris: list[Nlri]) -> int:
        """Take back the verdict on routes that are gone, and have the Loc-RIB forget them.

        Returns to how many prefixes there are other paths.
        """
        octets, rivals = self._identifier_octets, 0
        if path.ineligible or len(self._filtered) or len(self._changed):
            known: dict[Path, list[Nlri]] = {}
            for nlri in nlris:
                before = self._forget(nlri, path)
                if before is not None:
                    known.setdefault(before, []).append(nlri[octets:])
            for before, from_before in known.items():
                rivals += self._loc_rib.remove(from_before, before)
            return rivals
        path.uses -= len(nlris)
        rivals = self._loc_rib.remove([nlri[octets:] for nlri in nlris] if octets else nlris, path)
        if not path.uses:
            self._drop(path)
        return rivals

    def _forget(self, nlri: Nlri, path: Path) -> Path | None:
        """Take back the verdict on a route that goes; returns its path if the Loc-RIB has it."""
        path.uses -= 1
        before = self._take_back(nlri, path)
        if not path.uses:
            self._drop(path)
        return before

    def _take_back(self, nlri: Nlri, path: Path) -> Path | None:
        if path.ineligible:
            self._ineligible_count -= 1
            return None
        if len(self._filtered) and self._filtered.pop(nlri) is not None:
            return None
        changed = self._changed.pop(nlri) if len(self._changed) else None
        return path if changed is None else changed

    def _apply(self, policy: Policy) -> None:
        """Judge by this policy from now on."""
        self._policy = policy
        self._view = _shared_view(policy, self._loc_rib.family, RouteSource.BGP, "")
        self._plain = self._view.plain
        self._views: Index[Path, PrefixView | AttributeView] | None = None
        self._variants: Index[Path, dict[Decided, Path]] | None = None

    def _view_of(self, path: Path) -> PrefixView | AttributeView:
        if self._views is None:
            self._views = Index()
        view = self._views.get(path)
        if view is None:
            view = self._view.of(path.attributes)
            self._views.put(path, view)
        return view

    def _variant(self, path: Path, decided: Decided, attributes: PathAttributes) -> Path:
        if self._variants is None:
            self._variants = Index()
        variants = self._variants.get(path)
        if variants is None:
            variants = {}
            self._variants.put(path, variants)
        variant = variants.get(decided)
        if variant is None:
            variant = variants[decided] = changed_path(path, attributes)
        return variant

    def _path(
        self, attributes: PathAttributes, path_id: bytes, *, outlived: bool = False, excused: bool = False
    ) -> Path:
        key = _key(attributes, path_id, outlived=outlived, excused=excused)
        path = self._paths.get(key)
        if path is None:
            path = self._new_path(attributes, path_id, outlived=outlived, excused=excused)
            self._paths.put(key, path)
            self._paths_made += 1
            self._octets += path.octets
        return path

    def _new_path(self, attributes: PathAttributes, path_id: bytes, *, outlived: bool, excused: bool) -> Path:
        amended = self._acceptance.amended(attributes, outlived=outlived)
        self._loc_rib.next_hops.meet(amended.next_hop)
        return Path(
            amended,
            self._peer,
            ineligible=self._acceptance.refusal(attributes, stale=excused),
            received=attributes,
            path_id=path_id,
            outlived=outlived,
            excused=excused,
        )

    def _drop(self, path: Path) -> None:
        """Forget a path that no route has any more."""
        key = _key_of(path)
        if self._paths.get(key) is path:
            self._paths.pop(key)
            self._octets -= path.octets
        self._loc_rib.next_hops.part(path.attributes.next_hop)
        if self._views is not None:
            self._views.pop(path)
        if self._variants is not None:
            self._variants.pop(path)


def _count(tables: list[Table[Path]]) -> int:
    """How many routes these have."""
    return 0 if not tables else sum([len(table) for table in tables])


def _key(attributes: PathAttributes, path_id: bytes, *, outlived: bool, excused: bool) -> _Key:
    """Two paths of one prefix are two, also where they say the same."""
    return (attributes, path_id, outlived, excused) if path_id or outlived or excused else attributes


def _key_of(path: Path) -> _Key:
    return _key(path.received, path.path_id, outlived=path.outlived, excused=path.excused)
