"""A model kernel with a will of its own: at rest it is as wanted, and nobody else's route was touched."""

from collections import deque
from collections.abc import Iterable
from errno import EBUSY, EEXIST, ENETDOWN, ENOENT

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from felixbgp.fib import fib as fib_module
from felixbgp.fib.fib import READ_AT_ONCE, Fib
from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import (
    DeleteRoutes,
    KernelInput,
    KernelLost,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    LinkChanged,
    NextHop,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

SECOND = 1_000_000_000
OURS = 179
LINKS = {"eth0": 2, "eth1": 3}
KEYS = st.builds(
    RouteKey,
    st.sampled_from([Prefix.parse(text) for text in ("10.1.0.0/16", "10.2.0.0/16", "fd00:1::/64")]),
    st.sampled_from([1024, 20]),
)
GATEWAYS = [Address.parse("192.0.2.1"), Address.parse("fe80::1")]


def routes(family: Family, metric: int) -> list[Route]:
    gateway = GATEWAYS[family == IPV6]
    hops = [NextHop(gateway, name) for name in LINKS]
    return [
        Route(RouteKind.BLACKHOLE, (), metric),
        *(Route(RouteKind.UNICAST, (hop,), metric) for hop in hops),
        Route(RouteKind.UNICAST, tuple(hops), metric),
    ]


CHOICES = st.integers(0, 3)


class ModelKernel:
    """A routing table keyed as Linux keys it, executing one effect at a time."""

    def __init__(self) -> None:
        self.table: dict[RouteKey, KernelRoute] = {}
        self.up = dict.fromkeys(LINKS, True)
        # The monitor socket; a family stands for a dump, which is newer than what waits behind it.
        self.events: deque[KernelInput | Family] = deque()
        self.answers: deque[KernelInput] = deque()  # the write socket
        self.refusing = False

    def snapshot(self, family: Family) -> KernelSnapshot:
        return KernelSnapshot(family, tuple(r for r in self.table.values() if r.prefix.family == family))

    def execute(self, effect: ReplaceRoutes | DeleteRoutes) -> None:
        if isinstance(effect, DeleteRoutes):
            for key in effect.routes:
                there = self.table.get(key)
                if self.refusing:
                    self.answers.append(RouteFailed(key.prefix, EBUSY, "errno 16", present=False))
                    continue
                if there is not None and there.protocol == OURS:
                    del self.table[key]
                self.answers.append(RoutesApplied((key.prefix,), present=False))
            return
        for prefix, route in effect.routes:
            errno = self._refusal(prefix, route, exclusive=effect.exclusive)
            if errno:
                self.answers.append(RouteFailed(prefix, errno, f"errno {errno}", present=True))
                if errno in (EEXIST, ENOENT):
                    self.events.append(prefix.family)
            else:
                self.table[RouteKey(prefix, route.metric)] = KernelRoute(prefix, route, OURS)
                self.answers.append(RoutesApplied((prefix,), present=True))

    def _refusal(self, prefix: Prefix, route: Route, *, exclusive: bool) -> int:
        there = self.table.get(RouteKey(prefix, route.metric))
        if exclusive and there is not None:
            return EEXIST
        if not exclusive and there is None:
            return ENOENT
        assert exclusive or (there is not None and there.protocol == OURS), "a foreign route was replaced"
        down = any(not self.up[hop.interface] for hop in route.next_hops)
        return ENETDOWN if down or self.refusing else 0

    def set_link(self, name: str, *, up: bool) -> None:
        """Without a word about routes, next hops die and come back; with its last one a route goes."""
        self.up[name] = up
        self.events.append(LinkChanged(LINKS[name], name, up=up))
        for key, there in list(self.table.items()):
            hops = tuple(
                hop._replace(weight=abs(hop.weight) if up else -abs(hop.weight))
                if hop.interface == name
                else hop
                for hop in there.route.next_hops
            )
            if not hops or any(hop.weight > 0 for hop in hops):
                self.table[key] = there._replace(route=there.route._replace(next_hops=hops))
            else:
                del self.table[key]

    def remove_link(self, name: str) -> None:
        """An IPv4 route with a next hop through it goes as a whole, an IPv6 route loses the next hop."""
        self.set_link(name, up=False)
        for key, there in list(self.table.items()):
            gone = tuple(hop for hop in there.route.next_hops if hop.interface == name)
            if not gone:
                continue
            left = tuple(hop for hop in there.route.next_hops if hop.interface != name)
            if key.prefix.family == IPV4:
                del self.table[key]
                continue
            self.table[key] = there._replace(route=there.route._replace(next_hops=left))
            event = there._replace(route=there.route._replace(next_hops=gone))
            self.events.append(KernelRouteChanged(event, present=False))
        self.events.append(LinkChanged(LINKS[name], name, up=False, present=False))


class FibAgainstKernel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = ModelKernel()
        self.fib = Fib(OURS)
        self.wanted: dict[Prefix, Route] = {}
        self.once_wanted: set[RouteKey] = set()
        self.reported: dict[Prefix, KernelRoute] = {}
        self.inflight: deque[ReplaceRoutes | DeleteRoutes] = deque()
        self.started = False
        self.now = 0

    @rule(key=KEYS, choice=st.none() | CHOICES)
    def want(self, key: RouteKey, choice: int | None) -> None:
        prefix, metric = key
        route = None if choice is None else routes(prefix.family, metric)[choice]
        self.fib.want(prefix, route)
        if route is None:
            self.wanted.pop(prefix, None)
        else:
            self.wanted[prefix] = route
            self.once_wanted.add(key)

    @rule()
    def start(self) -> None:
        self.fib.start()
        self.started = True

    @rule(budget=st.integers(0, 3))
    def drain(self, budget: int) -> None:
        effects: list[ReplaceRoutes | DeleteRoutes] = [*self.fib.replacements(self.now, budget)]
        deletions = self.fib.deletions(self.now, budget)
        keys = [key for effect in deletions for key in effect.routes]
        assert self.started or set(keys) <= self.once_wanted, "swept before start"
        if not (self.kernel.events or self.kernel.answers or self.inflight):
            # Nothing is under way that the fib does not know of yet.
            for prefix, metric in keys:
                wanted = self.wanted.get(prefix)
                if wanted is not None:
                    assert metric != wanted.metric
                    assert RouteKey(prefix, wanted.metric) in self.kernel.table, "absent for a moment"
        self._check_outstanding([*effects, *deletions])
        self.inflight += [*effects, *deletions]

    def _check_outstanding(self, effects: Iterable[ReplaceRoutes | DeleteRoutes]) -> None:
        outstanding = [*_prefixes(self.inflight), *(_answered(a) for a in self.kernel.answers)]
        new = _prefixes(effects)
        assert len(set(new)) == len(new)
        assert not set(new) & set(outstanding), "two writes of one prefix at a time"

    @precondition(lambda self: self.inflight)
    @rule()
    def execute(self) -> None:
        self.kernel.execute(self.inflight.popleft())

    @precondition(lambda self: self.kernel.events)
    @rule()
    def deliver_event(self) -> None:
        event = self.kernel.events.popleft()
        if isinstance(event, Family):
            # A dump waits for the writes under way, so that their answers come before it.
            while self.kernel.answers:
                self.deliver_answer()
            event = self.kernel.snapshot(event)
        self._feed(event)

    @precondition(lambda self: self.kernel.answers)
    @rule()
    def deliver_answer(self) -> None:
        self._feed(self.kernel.answers.popleft())

    @rule(seconds=st.integers(1, 61))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @precondition(lambda self: not self.inflight)
    @rule(key=KEYS, choice=CHOICES, protocol=st.sampled_from([4, 12, OURS]))
    def somebody_replaces(self, key: RouteKey, choice: int, protocol: int) -> None:
        prefix, metric = key
        route = routes(prefix.family, metric)[choice]
        if any(not self.kernel.up[hop.interface] for hop in route.next_hops):
            return
        there = KernelRoute(prefix, route, protocol)
        self.kernel.table[key] = there
        self.kernel.events.append(KernelRouteChanged(there, present=True))
        # Linux has no "replace if still mine": a takeover that we were not told of yet cannot be respected.
        self._deliver_everything()

    @rule(key=KEYS)
    def somebody_removes(self, key: RouteKey) -> None:
        route = self.kernel.table.pop(key, None)
        if route is not None:
            self.kernel.events.append(KernelRouteChanged(route, present=False))

    @rule(name=st.sampled_from(list(LINKS)), up=st.booleans())
    def link(self, name: str, up: bool) -> None:
        self.kernel.set_link(name, up=up)

    @rule(name=st.sampled_from(list(LINKS)))
    def remove_link(self, name: str) -> None:
        self.kernel.remove_link(name)

    @rule(refusing=st.booleans())
    def refuse(self, refusing: bool) -> None:
        self.kernel.refusing = refusing

    @rule()
    def lose_events(self) -> None:
        self.kernel.events.clear()
        self.kernel.events.append(KernelLost("ENOBUFS"))
        self.resync()

    @rule()
    def resync(self) -> None:
        for name, index in LINKS.items():
            self.kernel.events.append(LinkChanged(index, name, up=self.kernel.up[name]))
        self.kernel.events += [IPV4, IPV6]

    @rule()
    def come_to_rest(self) -> None:
        """No more faults: whatever can be as wanted is so, after the periodic resync at the latest."""
        self.kernel.refusing = False
        for name in LINKS:
            self.kernel.set_link(name, up=True)
        self.resync()
        foreign = {key: route for key, route in self.kernel.table.items() if not _is_own(route)}
        for _ in range(20):
            self._deliver_everything()
            while self.fib.is_reading:
                self.read_on()
            self.drain(100)
            while self.inflight:
                self.execute()
            deadline = self.fib.next_deadline()
            if not self.kernel.events and not self.kernel.answers and deadline is None:
                break
            self.now = max(self.now, deadline or 0)
        else:
            raise AssertionError("no rest after 20 rounds")
        assert {key: route for key, route in self.kernel.table.items() if not _is_own(route)} == foreign
        self._check_own(foreign)
        self._check_reports(foreign)

    def _check_own(self, foreign: dict[RouteKey, KernelRoute]) -> None:
        own = {key: route.route for key, route in self.kernel.table.items() if _is_own(route)}
        wanted = {RouteKey(prefix, route.metric): route for prefix, route in self.wanted.items()}
        left = own.keys() - wanted.keys()
        assert not left if self.started else not left & self.once_wanted
        expected = {key: route for key, route in wanted.items() if key not in foreign}
        assert {key: route for key, route in own.items() if key not in left} == expected
        conflicts = {key.prefix for key in wanted if key in foreign}
        assert set(self.fib.problems()) == conflicts
        held = self.fib.held()
        assert [p for p in self.wanted if p.nlri in held[p.family]] == [
            p for p in self.wanted if p in conflicts
        ]
        assert self.fib.statistics().held == len(conflicts)

    def _check_reports(self, foreign: dict[RouteKey, KernelRoute]) -> None:
        best: dict[Prefix, KernelRoute] = {}
        for _, route in sorted(foreign.items(), key=lambda item: -item[0][1]):
            best[route.prefix] = route
        assert self.reported == best

    def _deliver_everything(self) -> None:
        while self.kernel.events:
            self.deliver_event()
        while self.kernel.answers:
            self.deliver_answer()

    def read_on(self) -> None:
        self.fib.read_on()
        self._take_reports()

    def _feed(self, event: KernelInput) -> None:
        self.fib.feed(event, self.now)
        self._take_reports()

    def _take_reports(self) -> None:
        for prefix, route in self.fib.take_foreign_changes(100):
            assert self.reported.get(prefix) != route
            if route is None:
                del self.reported[prefix]
            else:
                self.reported[prefix] = route

    @invariant()
    def what_is_held_is_wanted(self) -> None:
        held = self.fib.held()
        for prefix in (Prefix.parse(text) for text in ("10.1.0.0/16", "10.2.0.0/16", "fd00:1::/64")):
            assert prefix.nlri not in held[prefix.family] or prefix in self.wanted

    def teardown(self) -> None:
        self.come_to_rest()


class FibReadsByParts(FibAgainstKernel):
    """The same where a view is believed one route at a time, and anything may happen in between."""

    def __init__(self) -> None:
        super().__init__()
        fib_module.READ_AT_ONCE = 1

    @precondition(lambda self: self.fib.is_reading)
    @rule(steps=st.integers(1, 20))
    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.read_on()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            fib_module.READ_AT_ONCE = READ_AT_ONCE


def _is_own(route: KernelRoute) -> bool:
    return route.protocol == OURS


def _prefixes(effects: Iterable[ReplaceRoutes | DeleteRoutes]) -> list[Prefix]:
    prefixes: list[Prefix] = []
    for effect in effects:
        prefixes += [prefix for prefix, _ in effect.routes]
    return prefixes


def _answered(answer: KernelInput) -> Prefix:
    if isinstance(answer, RoutesApplied):
        return answer.prefixes[0]
    assert isinstance(answer, RouteFailed)
    return answer.prefix


TestFibAgainstKernel = FibAgainstKernel.TestCase
TestFibAgainstKernel.settings = settings(stateful_step_count=40)
TestFibReadsByParts = FibReadsByParts.TestCase
TestFibReadsByParts.settings = settings(stateful_step_count=40)


def test_the_model_compares_as_the_fib_does() -> None:
    # The machine compares own routes with ==, so no value of its domain may rely on `satisfies`.
    for family in (IPV4, IPV6):
        values = [*routes(family, 1024), *routes(family, 20)]
        assert [[satisfies(a, b) for a in values] for b in values] == [
            [a == b for a in values] for b in values
        ]
