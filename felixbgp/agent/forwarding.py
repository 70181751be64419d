"""From the Loc-RIB's entries to wanted kernel routes.

A block of our own is a blackhole: what is in it and not running here ends here. A route of a peer leads to
its next hop by whatever way that is reached, inside an IPIP pool through the tunnel. Some ranges stay out of
the kernel altogether. A static route to a peer is there in any case, and before anything is selected: the
session needs it.

    RouteChange ──▶ select ──▶ ┌──────────────┐ ◀── NextHopTable ◀── kernel_changed, feed
                               │ route by way │            │
    (prefix, Route | None) ◀── └──────────────┘            └──▶ take_verdicts ──▶ the decision process
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from felixbgp.agent.next_hops import NextHopTable, Resolution
from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import Reachability, RouteChange, Selected
from felixbgp.fib.hops import ordered
from felixbgp.fib.types import KernelInput, KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.priorities import NORMAL_PRIORITIES, priority_of
from felixbgp.intent.types import Intent, Tunnel
from felixbgp.net import IPV4, IPV6, Address, Family, Nlri, Prefix
from felixbgp.net.named import named
from felixbgp.net.prefix import prefixes
from felixbgp.net.table import Table, Walk

SETTLING_ROUNDS_MAX: Final = 16
"""One for each BGP route on a way, and some; what is left then is settled with the next drain."""
WAYS_MAX: Final = 4096
"""Sets of next hops whose route is kept ready; with more than this, routes are made one by one."""
FACTS_PER_MINUTE: Final = 64
"""A peer can name as many next hops as it likes; the status has the others."""


@dataclass(frozen=True, slots=True)
class NextHopUnresolvable:
    """A fact: routes by this next hop cannot be used."""

    next_hop: Address
    reason: str


@dataclass(frozen=True, slots=True)
class NextHopResolved:
    """A fact: there is a way to this next hop again."""

    next_hop: Address


NextHopFact = NextHopUnresolvable | NextHopResolved


class _Learned:
    """What was selected in one family, and by what it can be found again."""

    __slots__ = ("lengths", "rest", "selected", "several", "unresolved", "via")

    def __init__(self) -> None:
        self.selected: Table[Selected] = Table(5)
        self.unresolved: dict[Nlri, tuple[Address, ...]] = {}
        """Prefixes with paths of which none can be used, and the next hops of those."""
        self.via: dict[tuple[Address, ...], Table[None]] = {}
        """The prefixes that were selected with these next hops."""
        self.several: dict[tuple[Address, ...], None] = {}
        """Those of `via` that are more than one, so that who looks for one address need not look at all."""
        self.rest: Table[None] = Table()
        """The prefixes that were selected without any: those of our own."""
        self.lengths: list[int] = []
        """The prefix lengths that ever were, longest first: where a longest match is looked for."""

    def put(self, nlri: Nlri, selected: Selected | None, unresolved: tuple[Address, ...]) -> None:
        """This is selected for a prefix now."""
        old = self.selected.get(nlri)
        if old is not None and (selected is None or old.next_hops != selected.next_hops):
            self._leave(nlri, old.next_hops)
            old = None
        if selected is None:
            self.selected.pop(nlri)
        else:
            self.selected.put(nlri, selected)
            if old is None:
                self._enter(nlri, selected.next_hops)
        if unresolved:
            self.unresolved[nlri] = unresolved
        elif self.unresolved:
            self.unresolved.pop(nlri, None)

    def note_length(self, length: int) -> None:
        """There is, or was, a prefix of this length."""
        if length not in self.lengths:
            self.lengths.append(length)
            self.lengths.sort(reverse=True)

    def _enter(self, nlri: Nlri, next_hops: tuple[Address, ...]) -> None:
        if not next_hops:
            self.rest.put(nlri, None)
            return
        nlris = self.via.get(next_hops)
        if nlris is None:
            nlris = self.via[next_hops] = Table(6)
            if len(next_hops) > 1:
                self.several[next_hops] = None
        nlris.put(nlri, None)

    def _leave(self, nlri: Nlri, next_hops: tuple[Address, ...]) -> None:
        nlris = self.via[next_hops] if next_hops else self.rest
        nlris.pop(nlri)
        if next_hops and not len(nlris):
            del self.via[next_hops]
            self.several.pop(next_hops, None)


class _Due:
    """Prefixes to look at again, by what they have in common, of which parts are taken."""

    __slots__ = ("_family", "_nlris", "_position", "_waiting", "_walk")

    def __init__(self) -> None:
        self._waiting: dict[tuple[Family, tuple[Address, ...] | Nlri], Walk[None] | None] = {}
        self._family = IPV4
        self._walk: Walk[None] | None = None
        """The way through those that are looked at now."""
        self._nlris: list[Nlri] = []
        self._position = 0
        """How many of this part of it were taken."""

    def __bool__(self) -> bool:
        return self._position < len(self._nlris) or self._walk is not None or bool(self._waiting)

    def add(self, family: Family, next_hops: tuple[Address, ...], nlris: Table[None]) -> None:
        """All there are with these next hops are due.

        They take the place of those that wait, whose turn comes none the later.
        """
        if len(nlris):
            self._waiting[family, next_hops] = Walk(nlris)

    def add_one(self, prefix: Prefix) -> None:
        """This one alone is due."""
        self._waiting[prefix.family, prefix.nlri] = None

    def take(self, count: int) -> tuple[Family, list[Nlri]]:
        """Up to `count` of one family; mostly some, while this is true."""
        if self._position == len(self._nlris):
            self._next_part()
        taken = self._nlris[self._position : self._position + count]
        self._position += len(taken)
        return self._family, taken

    def _next_part(self) -> None:
        self._nlris, self._position = [], 0
        if self._walk is None:
            (self._family, common), self._walk = next(iter(self._waiting.items()))
            del self._waiting[self._family, common]
            if isinstance(common, bytes):
                self._nlris = [common]
                return
        part = None if self._walk is None else self._walk.part()
        if part is None:
            self._walk = None
        else:
            self._nlris = list(part.entries)


class Forwarding:
    """Keeps the selected routes, so that another set of ranges or another way needs no new decision."""

    def __init__(self) -> None:
        self._normal = NORMAL_PRIORITIES
        self._next_hops = NextHopTable()
        self._tables = {IPV4: _Learned(), IPV6: _Learned()}
        self._excluded: tuple[Prefix, ...] = ()
        self._encrypted: frozenset[Address] = frozenset()
        self._tunnels: tuple[Tunnel, ...] = ()
        self._static: dict[Prefix, Address] = {}
        self._ways: dict[tuple[tuple[Address, ...], Tunnel | None, int], Route | None] = {}
        """What routes with the same next hops have in common, until a next hop is reached another way."""
        self._due = _Due()
        """Prefixes whose kernel route may be another one now."""
        self._verdicts: dict[Address, Reachability] = {}
        self._unresolvable: dict[Address, None] = {}
        self._complaints = Allowance(FACTS_PER_MINUTE, 60_000_000_000)
        self._facts: list[NextHopFact] = []

    # ---- what is wanted

    def configure(self, intent: Intent) -> None:
        """Take the ranges to keep out of the kernel, the IPIP pools, the static routes and the metrics."""
        gateways = {route.prefix: route.gateway for route in intent.static_routes}
        encrypted = frozenset(intent.encrypted_next_hops)
        wanted = (intent.kernel_exclusions, intent.tunnels, gateways, intent.normal_priority, encrypted)
        if wanted == (self._excluded, self._tunnels, self._static, self._normal, self._encrypted):
            return
        static = dict.fromkeys((*self._static, *gateways))
        self._excluded, self._tunnels, self._static, self._normal, self._encrypted = wanted
        self._ways.clear()
        self._next_hops.track(gateways.values())
        for prefix in static:
            table = self._tables[prefix.family]
            table.note_length(prefix.length)
            if prefix.nlri not in table.selected:
                self._due.add_one(prefix)
        for family, table in self._tables.items():
            for next_hops, nlris in table.via.items():
                self._due.add(family, next_hops, nlris)
            self._due.add(family, (), table.rest)
        self._next_hops.touch_all()

    def select(self, changes: Iterable[RouteChange]) -> list[tuple[Prefix, Route | None]]:
        """Take changes of the Loc-RIB; gives the kernel route each prefix shall have, None for none."""
        routes: list[tuple[Prefix, Route | None]] = []
        # Where nothing depends on the prefix, what was selected together leads to the same.
        alike = not (self._static or self._excluded or self._tunnels)
        last: Selected | None = None
        of: Family | None = None
        route: Route | None = None
        is_known = False
        changed = list(changes)
        where = named(Prefix, [(change.family, change.nlri) for change in changed])
        for change, prefix in zip(changed, where, strict=True):
            family, nlri, selected = change.family, change.nlri, change.selected
            table = self._tables[family]
            table.put(nlri, selected, change.unresolved)
            table.note_length(nlri[0])
            self._next_hops.touch(family, nlri)
            if not (alike and selected is not None and selected is last and family is of):
                last, of = selected, family
                is_known, route = self._route(prefix, selected)
            if is_known:
                routes.append((prefix, route))
        return routes

    # ---- next hops

    def feed(self, event: KernelInput) -> None:
        """Hear of links and addresses."""
        self._next_hops.feed(event)

    def kernel_changed(self, changes: Iterable[tuple[Prefix, KernelRoute | None]]) -> None:
        """The best route that others wrote for these prefixes is now this; None when none is left."""
        self._next_hops.kernel_changed(changes)

    def track(self, next_hops: Iterable[Address]) -> None:
        """Resolve these next hops from now on; `settle` does it."""
        self._next_hops.track(next_hops)

    def forget(self, next_hops: Iterable[Address]) -> None:
        """The decision process does not know these any more."""
        gateways = self._static.values()
        for next_hop in next_hops:
            self._unresolvable.pop(next_hop, None)
            if next_hop not in gateways:
                self._next_hops.forget(next_hop)

    def settle(self, now: int) -> None:
        """Resolve again what may be reached another way now."""
        for _ in range(SETTLING_ROUNDS_MAX):
            if self._next_hops.is_settled:
                return
            for address, resolution in self._next_hops.settle(self):
                self._ways.clear()
                self._verdicts[address] = resolution.reachability
                self._note(address, resolution, now)
                self._make_due(address, resolution)

    def take_routes(self, budget: int) -> list[tuple[Prefix, Route | None]]:
        """The kernel routes of up to `budget` prefixes that may have another one now.

        One that is left without any hop stays as it is: the decision process is told, and finds another path
        or withdraws the route before it leaves the kernel.
        """
        routes: list[tuple[Prefix, Route | None]] = []
        while budget > 0 and self._due:
            family, nlris = self._due.take(budget)
            budget -= len(nlris)
            selected = self._tables[family].selected
            for nlri, prefix in zip(nlris, prefixes(family, nlris), strict=True):
                is_known, route = self._route(prefix, selected.get(nlri))
                if is_known:
                    routes.append((prefix, route))
        return routes

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits for `settle` and `take_routes`."""
        return self._next_hops.is_settled and not self._due

    def take_verdicts(self) -> dict[Address, Reachability]:
        """The next hops that became resolvable, or are not any more, since the last call."""
        verdicts, self._verdicts = self._verdicts, {}
        return verdicts

    def reason(self, next_hop: Address) -> str:
        """Why a next hop is not resolvable, or is not for every route that has it."""
        resolution = self._next_hops.get(next_hop)
        through = ", ".join(map(str, sorted(resolution.through)))
        return resolution.reason or f"the way to it leads through {through}, to which it would be the way"

    def take_facts(self) -> list[NextHopFact]:
        """What is worth telling an operator since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _note(self, address: Address, resolution: Resolution, now: int) -> None:
        """Tell of a next hop that is not resolvable, and of one that is again."""
        if resolution.hops and address in self._unresolvable:
            del self._unresolvable[address]
            self._facts.append(NextHopResolved(address))
        elif not resolution.hops and self._complaints.take(now):
            self._unresolvable[address] = None
            self._facts.append(NextHopUnresolvable(address, resolution.reason))

    def _make_due(self, address: Address, resolution: Resolution) -> None:
        """Have the routes by a next hop written again, which is reached another way now."""
        for family, table in self._tables.items():
            alone = table.via.get((address,))
            if alone is not None and resolution.hops:
                self._due.add(family, (address,), alone)
            for next_hops in table.several:
                if address in next_hops:
                    self._due.add(family, next_hops, table.via[next_hops])
        for prefix, gateway in self._static.items():
            if gateway == address:
                self._due.add_one(prefix)

    # ---- our own routes, as ways to a next hop (next_hops.OwnRoutes)

    def longest_match(self, address: Address) -> tuple[Prefix, int] | None:
        """The most specific route of ours that is in the kernel, or would be if it could, and its metric."""
        table = self._tables[address.family]
        for length in table.lengths:
            prefix = Prefix.of(address, length)
            if self._leads_on(prefix, address):
                selected = None if prefix in self._static else table.selected.get(prefix.nlri)
                return prefix, self._metric(prefix.family, selected)
        return None

    def _leads_on(self, prefix: Prefix, address: Address) -> bool:
        """Whether there is something of ours that says how to reach an address in this prefix.

        What was found in the kernel is not ours. A host route by way of the host itself says nothing.
        """
        if prefix in self._static:
            return True
        table = self._tables[prefix.family]
        selected = table.selected.get(prefix.nlri)
        next_hops = table.unresolved.get(prefix.nlri, ())
        if selected is not None:
            if selected.source not in (RouteSource.BGP, RouteSource.AGGREGATE):
                return False
            next_hops = selected.next_hops
            if self._is_left_to_felix(selected):
                return False
        elif not next_hops:
            return False
        return not (prefix.is_host and next_hops == (address,)) and not self._is_excluded(prefix)

    def resolution(self, prefix: Prefix, passed: tuple[Prefix, ...]) -> Resolution:
        """Where a route of ours leads."""
        gateway = self._static.get(prefix)
        if gateway is not None:
            found_way = self._next_hops.resolve(gateway, self, passed)
            return found_way._replace(by=found_way.by | {gateway})
        selected = self._tables[prefix.family].selected.get(prefix.nlri)
        if selected is None:
            return Resolution((), reason=f"the route to {prefix}, which leads to it, cannot be used itself")
        if selected.source is RouteSource.AGGREGATE:
            return Resolution((), reason=f"it would be in our own block {prefix} and is not there")
        found = [(one, self._next_hops.resolve(one, self, passed)) for one in selected.next_hops]
        by = frozenset(selected.next_hops).union(*(resolution.by for _, resolution in found))
        hops = self._hops(found, self._tunnel(prefix))
        if not hops:
            return Resolution((), reason=found[0][1].reason, by=by)
        through = frozenset((prefix,)).union(*(resolution.through for _, resolution in found))
        return Resolution(hops, through, by=by)

    # ---- kernel routes

    def _route(self, prefix: Prefix, selected: Selected | None) -> tuple[bool, Route | None]:
        """The route of a prefix; False while it is not known where it leads, and it stays as it is."""
        gateway = self._static.get(prefix) if self._static else None
        if gateway is not None:
            hops = self._next_hops.get(gateway).hops
            # While there is no way to the gateway, the kernel shall say what is wrong with it.
            metric = self._normal.of(prefix.family)
            return True, Route(RouteKind.UNICAST, hops or (NextHop(gateway),), metric)
        if selected is None or self._is_left_to_felix(selected) or self._is_excluded(prefix):
            return True, None
        if selected.source is RouteSource.AGGREGATE:
            return True, Route(RouteKind.BLACKHOLE, (), self._normal.of(prefix.family))
        if selected.source is not RouteSource.BGP:
            return True, None  # it is in the kernel already: that is where we found it
        route = self._way(selected.next_hops, self._tunnel(prefix), self._metric(prefix.family, selected))
        return route is not None, route

    def _way(self, next_hops: tuple[Address, ...], tunnel: Tunnel | None, metric: int) -> Route | None:
        """The route by these next hops; None while none of them is reached."""
        key = (next_hops, tunnel, metric)
        if key not in self._ways:
            if len(self._ways) >= WAYS_MAX:
                self._ways.clear()
            hops = self._hops([(one, self._next_hops.get(one)) for one in next_hops], tunnel)
            self._ways[key] = Route(RouteKind.UNICAST, hops, metric) if hops else None
        return self._ways[key]

    def _metric(self, family: Family, selected: Selected | None) -> int:
        """A learned route's priority where LOCAL_PREF tells one (Calico v3.32), else the normal one."""
        if selected is None or selected.source is not RouteSource.BGP:
            return self._normal.of(family)
        local_pref = selected.attributes.local_pref
        return self._normal.of(family) if local_pref is None else priority_of(local_pref)

    def _hops(
        self, found: Iterable[tuple[Address, Resolution]], tunnel: Tunnel | None
    ) -> tuple[NextHop, ...]:
        """The hops of all next hops that are resolvable, each once."""
        hops: dict[tuple[Address | None, str], NextHop] = {}
        for gateway, resolution in found:
            if not resolution.hops or gateway in self._encrypted:
                continue
            if tunnel is None or (tunnel.direct is not None and tunnel.direct.contains(gateway)):
                for hop in resolution.hops:
                    hops.setdefault((hop.gateway, hop.interface), hop)
            else:
                hops.setdefault((gateway, tunnel.interface), NextHop(gateway, tunnel.interface, onlink=True))
        if len(hops) == 1:
            return tuple(hop._replace(weight=1) for hop in hops.values())
        return ordered(tuple(hops.values()))

    def _tunnel(self, prefix: Prefix) -> Tunnel | None:
        return next((tunnel for tunnel in self._tunnels if tunnel.pool.covers(prefix)), None)

    def _is_left_to_felix(self, selected: Selected) -> bool:
        """Whether all its next hops are nodes to which packets go through wireguard."""
        return bool(selected.next_hops) and self._encrypted.issuperset(selected.next_hops)

    def _is_excluded(self, prefix: Prefix) -> bool:
        return any(excluded.covers(prefix) for excluded in self._excluded)
