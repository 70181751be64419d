"""From the Loc-RIB's entries to wanted kernel routes.

A block of our own is a blackhole: what is in it and not running here ends here. A route of a peer leads to
its next hop by whatever way that is reached, inside an IPIP pool through the tunnel. Some ranges stay out of
the kernel altogether. A static route to a peer is there in any case, and before anything is selected: the
session needs it.

    RouteChange ──▶ select ──▶ ┌──────────────┐ ◀── NextHopTable ◀── kernel_changed, feed
                               │ route by way │            │
    (prefix, Route | None) ◀── └──────────────┘            └──▶ take_verdicts ──▶ the decision process
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from felixbgp.agent.next_hops import NextHopTable, Resolution
from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.loc_rib import take_first
from felixbgp.bgp.routes import Reachability, RouteChange, Selected
from felixbgp.fib.hops import ordered
from felixbgp.fib.types import KernelInput, KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.priorities import NORMAL_PRIORITIES, priority_of
from felixbgp.intent.types import Intent, Tunnel
from felixbgp.net import Address, Family, Prefix

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


class Forwarding:
    """Keeps the selected routes, so that another set of ranges or another way needs no new decision."""

    def __init__(self) -> None:
        self._normal = NORMAL_PRIORITIES
        self._next_hops = NextHopTable()
        self._selected: dict[Prefix, Selected] = {}
        self._unresolved: dict[Prefix, tuple[Address, ...]] = {}
        """Prefixes with paths of which none can be used, and the next hops of those."""
        self._via: dict[tuple[Address, ...], dict[Prefix, None]] = {}
        """The prefixes that were selected with these next hops."""
        self._lengths: dict[Family, list[int]] = {}
        """The prefix lengths that ever were, longest first: where a longest match is looked for."""
        self._excluded: tuple[Prefix, ...] = ()
        self._encrypted: frozenset[Address] = frozenset()
        self._tunnels: tuple[Tunnel, ...] = ()
        self._static: dict[Prefix, Address] = {}
        self._ways: dict[tuple[tuple[Address, ...], Tunnel | None, int], Route | None] = {}
        """What routes with the same next hops have in common, until a next hop is reached another way."""
        self._due: dict[Prefix, None] = {}
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
        concerned = dict.fromkeys((*self._selected, *self._unresolved, *self._static, *gateways))
        self._excluded, self._tunnels, self._static, self._normal, self._encrypted = wanted
        self._ways.clear()
        self._next_hops.track(gateways.values())
        for prefix in concerned:
            self._note_length(prefix)
            self._next_hops.touch(prefix)
        self._due.update(concerned)

    def select(self, changes: Iterable[RouteChange]) -> Iterator[tuple[Prefix, Route | None]]:
        """Take changes of the Loc-RIB; gives the kernel route each prefix shall have, None for none."""
        changed: dict[Prefix, None] = {}
        for family, nlri, selected, unresolved in changes:
            prefix = Prefix(family, nlri)
            self._deselect(prefix)
            if selected is not None:
                self._selected[prefix] = selected
                if selected.next_hops:
                    self._via.setdefault(selected.next_hops, {})[prefix] = None
            if unresolved:
                self._unresolved[prefix] = unresolved
            self._note_length(prefix)
            self._next_hops.touch(prefix)
            changed[prefix] = None
        return self._routes(changed)

    def _deselect(self, prefix: Prefix) -> None:
        self._unresolved.pop(prefix, None)
        old = self._selected.pop(prefix, None)
        if old is not None and old.next_hops:
            prefixes = self._via[old.next_hops]
            del prefixes[prefix]
            if not prefixes:
                del self._via[old.next_hops]

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

    def take_routes(self, budget: int) -> Iterator[tuple[Prefix, Route | None]]:
        """The kernel routes of up to `budget` prefixes that may have another one now.

        One that is left without any hop stays as it is: the decision process is told, and finds another path
        or withdraws the route before it leaves the kernel.
        """
        return self._routes([prefix for prefix, _ in take_first(self._due, budget)])

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
        for next_hops, prefixes in self._via.items():
            if address in next_hops and (resolution.hops or len(next_hops) > 1):
                self._due.update(prefixes)
        self._due.update({prefix: None for prefix, gateway in self._static.items() if gateway == address})

    # ---- our own routes, as ways to a next hop (next_hops.OwnRoutes)

    def longest_match(self, address: Address) -> tuple[Prefix, int] | None:
        """The most specific route of ours that is in the kernel, or would be if it could, and its metric."""
        for length in self._lengths.get(address.family, ()):
            prefix = Prefix.of(address, length)
            if self._leads_on(prefix, address):
                return prefix, self._metric(prefix)
        return None

    def _leads_on(self, prefix: Prefix, address: Address) -> bool:
        """Whether there is something of ours that says how to reach an address in this prefix.

        What was found in the kernel is not ours. A host route by way of the host itself says nothing.
        """
        if prefix in self._static:
            return True
        selected = self._selected.get(prefix)
        next_hops = self._unresolved.get(prefix, ())
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
        selected = self._selected.get(prefix)
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

    def _routes(self, prefixes: Iterable[Prefix]) -> Iterator[tuple[Prefix, Route | None]]:
        for prefix in prefixes:
            if prefix in self._static:
                hops = self._next_hops.get(gateway := self._static[prefix]).hops
                # While there is no way to the gateway, the kernel shall say what is wrong with it.
                yield prefix, Route(RouteKind.UNICAST, hops or (NextHop(gateway),), self._metric(prefix))
                continue
            selected = self._selected.get(prefix)
            if selected is None or self._is_left_to_felix(selected) or self._is_excluded(prefix):
                yield prefix, None
            elif selected.source is RouteSource.AGGREGATE:
                yield prefix, Route(RouteKind.BLACKHOLE, (), self._normal.of(prefix.family))
            elif selected.source is not RouteSource.BGP:
                yield prefix, None  # it is in the kernel already: that is where we found it
            else:
                route = self._way(selected.next_hops, self._tunnel(prefix), self._metric(prefix))
                if route is not None:
                    yield prefix, route

    def _way(self, next_hops: tuple[Address, ...], tunnel: Tunnel | None, metric: int) -> Route | None:
        """The route by these next hops; None while none of them is reached."""
        key = (next_hops, tunnel, metric)
        if key not in self._ways:
            if len(self._ways) >= WAYS_MAX:
                self._ways.clear()
            hops = self._hops([(one, self._next_hops.get(one)) for one in next_hops], tunnel)
            self._ways[key] = Route(RouteKind.UNICAST, hops, metric) if hops else None
        return self._ways[key]

    def _metric(self, prefix: Prefix) -> int:
        """A learned route's priority where LOCAL_PREF tells one (Calico v3.32), else the normal one."""
        selected = self._selected.get(prefix)
        local_pref = None if selected is None or prefix in self._static else selected.attributes.local_pref
        if local_pref is None or selected is None or selected.source is not RouteSource.BGP:
            return self._normal.of(prefix.family)
        return priority_of(local_pref)

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

    def _note_length(self, prefix: Prefix) -> None:
        lengths = self._lengths.setdefault(prefix.family, [])
        if prefix.length not in lengths:
            lengths.append(prefix.length)
            lengths.sort(reverse=True)
