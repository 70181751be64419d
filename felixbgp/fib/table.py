"""One family: what is wanted, what the kernel is believed to have, and the writes between the two.

Standing rules:

1.  A prefix has at most one write outstanding; the last wanted value is sent after its answer.
2.  Nothing is written before the first snapshot, nor between `KernelLost` and the next one. Before
    `start()` only that is deleted which was wanted once and no longer is: nothing of a former life.
3.  A route of ours is what carries our protocol in our table, whatever its metric. A foreign route there, at
    the metric that we want, is a conflict: it is reported, and waited for.
4.  A route believed absent is created exclusively, so that a foreign route that appeared meanwhile makes
    the write fail; only a route believed ours is replaced.
5.  What an event says while a write is outstanding is newer than the write, as far as we can know. If
    that is wrong, the next write fails with EEXIST or ENOENT and a snapshot tells the truth. Where no
    write would follow, the route is deleted, or what is wanted is written once more.
6.  A prefix that changes its metric is never absent: the new route is created first, and the surplus of
    other metrics is removed when it is there, or when a foreign route is in its place.

```
   want ──┐                       ┌── held ──► take_released
   event ─┼─► _settle(one prefix) ┼── additions, replacements ──► sent ──► answer ─► _settle
   answer ┘                       ├── deletions ────────────────► sent
                                  ├── leftovers ─► start(): deletions
                                  └── problems, retry (deadline) ─► _settle
```
"""

from errno import ENOENT
from typing import NamedTuple

from felixbgp.fib.adoption import Adoption
from felixbgp.fib.foreign import ForeignRoutes, protocol_name
from felixbgp.fib.hops import alive, names_interface, satisfies
from felixbgp.fib.own import OwnRoutes
from felixbgp.fib.retry import RetryQueue
from felixbgp.fib.types import KernelRoute, Route, RouteFailed, RouteKey, RouteProblem
from felixbgp.fib.waiting import Waiting
from felixbgp.net import IPV4, Family, Nlri, Prefix
from felixbgp.net.named import named
from felixbgp.net.prefix import prefixes
from felixbgp.net.table import Table


class Standing(NamedTuple):
    """A prefix that is `settled` is as wanted, one that is `waiting` has a write due or under way."""

    settled: bool
    waiting: bool
    problem: str
    """Why it is not as wanted although tried; "" when it is, or was not tried yet."""


class _Write:
    """A write without an answer: its metric, its route (None for a deletion), what was wanted then.

    Prefixes that are written with the same route share one.
    """

    __slots__ = ("metric", "route", "wanted")

    def __init__(self, metric: int, route: Route | None, wanted: Route | None) -> None:
        self.metric = metric
        self.route = route
        self.wanted = wanted


class FamilyTable:
    """The delta of one family; see the module's standing rules."""

    __slots__ = (
        "_additions", "_adoption", "_deletions", "_facts", "_leftovers", "_overtaken", "_protocol",
        "_released", "_replaced", "_replacements", "_retry", "_started", "_table", "_withdrawn", "family",
        "foreign", "held", "own", "problems", "ready", "sent", "wanted",
    )  # fmt: skip

    def __init__(self, family: Family, protocol: int, table: int) -> None:
        self.family = family
        self.wanted: Table[Route] = Table(3)
        self.own = OwnRoutes()
        self.foreign = ForeignRoutes()
        self._replaced: dict[Nlri, Route] = {}
        """Before `start`: what there was of ours where another route was wanted first."""
        self.sent: dict[Nlri, _Write] = {}
        self._overtaken: dict[Nlri, None] = {}
        """Of those that were sent, where an event of the same metric came meanwhile."""
        self.held: dict[Nlri, None] = {}
        self.problems: dict[Nlri, str] = {}
        self.ready = False
        self._protocol = protocol
        self._table = table
        self._started = False
        self._withdrawn: dict[tuple[Nlri, int], None] = {}
        self._additions = Waiting()
        self._replacements = Waiting()
        self._deletions = Waiting()
        self._leftovers: dict[Nlri, None] = {}
        self._released: dict[Nlri, None] = {}
        self._retry = RetryQueue()
        self._facts: list[RouteProblem] = []
        self._adoption: Adoption | None = None

    # -- what is wanted ---------------------------------------------------------------------------------

    def start(self) -> None:
        """From now on, what is ours and not wanted is removed."""
        self._started = True
        self._deletions.add_all(self._leftovers)
        self._leftovers = {}
        self._withdrawn.clear()
        self._replaced.clear()

    def want(self, nlri: Nlri, route: Route | None) -> None:
        """Make `route` the wanted one; None: none of ours is wanted. Cheap when nothing changes."""
        before = self.wanted.get(nlri)
        if before is route or before == route:
            return
        if before is not None and not self._started:
            self._withdrawn[nlri, before.metric] = None
        if route is None:
            self.wanted.pop(nlri)
        else:
            self.wanted.put(nlri, route)
        # Another value may succeed where the last one failed.
        self._retry.forget(nlri)
        if before is None and self._is_untouched(nlri):
            # The common case of `_settle`: nothing there, nothing of it under way, nothing in its place.
            if self._released:
                self._released.pop(nlri, None)
            self.held[nlri] = None
            self._additions.add(nlri)
        elif before is not None and route is None and self._is_done(nlri, before.metric):
            self._deletions.add(nlri)
        else:
            if before is None and route is not None and not self._started:
                self._note_former(nlri, route)
            self._settle(nlri)

    def _note_former(self, nlri: Nlri, route: Route) -> None:
        """Remember what a former life left, where it is replaced; what this one has let go of is no such."""
        there = self.own.of(nlri)
        if there and (nlri, there[0].metric) not in self._withdrawn and not satisfies(there[0], route):
            self._replaced[nlri] = there[0]

    def former(self, nlri: Nlri) -> Route | None:
        """Before `start`: the route that a former life left for a prefix that is wanted; None for none."""
        replaced, wanted = self._replaced.get(nlri), self.wanted.get(nlri)
        if replaced is not None or wanted is None:
            return replaced
        if (nlri, wanted.metric) in self._withdrawn:
            return None  # It is wanted for the second time: written or not, this life has let go of it.
        there = self.own.find(nlri, wanted.metric)
        # What was written in this life is the wanted route itself; what was found is equal to it at most.
        return None if there is wanted else there

    def _is_done(self, nlri: Nlri, metric: int) -> bool:
        """Whether there is one route of ours, at this metric, as it was wanted, and nothing under way."""
        if nlri in self.held or nlri in self.sent:
            return False
        there = self.own.of(nlri)
        return len(there) == 1 and there[0].metric == metric

    def _is_untouched(self, nlri: Nlri) -> bool:
        """Whether there is no route of a prefix, as far as is known, and none under way."""
        return not (self.own.of(nlri) or nlri in self.sent or self.foreign.of(nlri))

    # -- what the kernel says ---------------------------------------------------------------------------

    def begin_reading(self, routes: tuple[KernelRoute, ...]) -> None:
        """Begin to replace all beliefs; events and writes wait for that, what is wanted may change."""
        self._adoption = Adoption(routes, self.own, self.foreign, self._protocol, self._table)

    @property
    def is_reading(self) -> bool:
        """Whether there is a view that is not all believed yet."""
        return self._adoption is not None

    def has_own(self) -> bool:
        """Whether the kernel has a route of ours, be it that this is not believed yet."""
        return len(self.own) > 0 or (self._adoption is not None and self._adoption.has_own())

    def read_on(self, budget: int) -> int:
        """Go on, for about `budget` routes; gives how many. Only prefixes that differ are settled again."""
        adoption = self._adoption
        if adoption is None:
            return 0
        count = adoption.go_on(budget)
        if count:
            return count
        changed = adoption.take_changed()
        for nlri in changed:
            self._settle(nlri)
        count = len(changed) or adoption.forget(budget)
        if not count:
            self._adoption = None
            self.ready = True
        return max(1, count)

    def route_changed(self, route: KernelRoute, *, present: bool, alone: bool) -> None:
        """Somebody else moved a route, of ours or of theirs."""
        nlri = route.prefix.nlri
        before = self.own.of(nlri)
        if not self._is_own(route):
            self._foreign_changed(route, present=present, alone=alone)
        elif present:
            self.own.put(nlri, route.route)
            if alone:
                self.foreign.remove_metric(nlri, route.metric, self._table)
        else:
            self.own.lose_hops(nlri, route.route)
        write = self.sent.get(nlri)
        is_here = route.table == self._table
        if is_here and write is not None and write.metric == route.metric:
            self._overtaken[nlri] = None
        wanted = self.wanted.get(nlri)
        is_at_wanted = is_here and wanted is not None and wanted.metric == route.metric
        if is_at_wanted or self.own.of(nlri) != before:
            self._settle(nlri)

    def _foreign_changed(self, route: KernelRoute, *, present: bool, alone: bool) -> None:
        used = route._replace(route=alive(route.route))
        if not present:
            self.foreign.remove(used)
            return
        self.foreign.add(used, alone=alone)
        if alone and route.table == self._table:
            self.own.remove(route.prefix.nlri, route.metric)

    def applied(self, nlri: Nlri) -> None:
        """The kernel took the outstanding write."""
        write = self.sent.pop(nlri, None)
        if write is None:
            return
        self._retry.forget(nlri)
        overtaken = self._was_overtaken(nlri)
        wanted = self.wanted.get(nlri)
        there = self.own.of(nlri)
        alone = not there or (len(there) == 1 and there[0].metric == write.metric)
        if overtaken or wanted is not write.route or not alone:
            self._believe(nlri, write, overtaken=overtaken)
            self._settle(nlri)
            return
        # The common case of `_settle`: as wanted, and nothing else there.
        if there:
            self.own.clear(nlri)
        if wanted is not None:
            self.own.add(nlri, wanted)
            self._release(nlri)
        if self.problems:
            self.problems.pop(nlri, None)

    def _believe(self, nlri: Nlri, write: _Write, *, overtaken: bool) -> None:
        """What is there after a write that the kernel took."""
        wanted = self.wanted.get(nlri)
        if write.route is None:
            if not overtaken:
                self.own.remove(nlri, write.metric)
        elif not overtaken or wanted is None or wanted.metric != write.metric or self._is_there(nlri, wanted):
            # Overtaken, and no longer wanted: no next write would show the event to have been the older
            # one. To believe the route is there costs at most a deletion of nothing, or one more write.
            self.own.put(nlri, write.route)

    def _is_there(self, nlri: Nlri, wanted: Route) -> bool:
        """Whether what is wanted is believed to be there."""
        there = self.own.find(nlri, wanted.metric)
        return there is not None and satisfies(there, wanted)

    def _was_overtaken(self, nlri: Nlri) -> bool:
        """Whether an event came before the answer to a write; with the answer that is over."""
        if not self._overtaken or nlri not in self._overtaken:
            return False
        del self._overtaken[nlri]
        return True

    def failed(self, failure: RouteFailed, now: int) -> None:
        """The kernel refused the outstanding write: wait and try again, or at once when more is known."""
        nlri = failure.prefix.nlri
        write = self.sent.pop(nlri, None)
        if write is None:
            return
        overtaken = self._was_overtaken(nlri)
        believed = self.own.find(nlri, write.metric)
        vanished = failure.errno == ENOENT and write.route is not None and believed is not None
        if vanished:
            # Nothing there to replace: the next write creates, so this cannot go round in a circle.
            self.own.remove(nlri, write.metric)
        if vanished or overtaken or self.wanted.get(nlri) != write.wanted:
            self._settle(nlri)
            return
        self._retry.failed(nlri, write.route, now)
        if write.route is not None or nlri not in self.held:
            # A conflict at the wanted metric is worse news than surplus that stays.
            self._report(nlri, failure.reason)

    def learn_interface(self, link: Prefix, interface: str) -> None:
        """A prefix is, or was until now, reached through an interface."""
        self.own.learn_interface(link, interface)

    def links_through(self, interface: str) -> list[Prefix]:
        """The prefixes that are connected through an interface."""
        return self.foreign.links_through(interface)

    def lose_interface(self, interface: str, *, is_removed: bool) -> None:
        """An interface is down, or removed: IPv4 routes through it leave without an event of their own.

        With an interface that is removed, an IPv4 route with several next hops goes as a whole.
        """
        if is_removed and self.family == IPV4:
            cut = list(self.own.lose_through(interface))
        else:
            cut = list(self.own.lose_interface(interface))
        self._overtake(interface)
        # Where a foreign route was in our place, there is room now.
        cut += self.foreign.lose_interface(interface)
        for nlri in dict.fromkeys(cut):
            self._settle(nlri)

    def rename_interface(self, name: str, new_name: str) -> None:
        """An interface that stays up is called otherwise: the kernel's routes through it stay, too."""
        renamed = list(self.own.rename_interface(name, new_name))
        self._overtake(name)
        self._overtake(new_name)
        self.foreign.rename_interface(name, new_name)
        for nlri in renamed:
            self._settle(nlri)

    def _overtake(self, interface: str) -> None:
        """Whether a write through the interface came before or after its change is not known; see rule 5."""
        for nlri, write in self.sent.items():
            if write.route is not None and names_interface(write.route, interface):
                self._overtaken[nlri] = None

    def mended_by_link(self, interface: str) -> None:
        """An interface came up: what failed because of it is tried now."""
        self._try_again(self._retry.mended_by_link(interface))

    def mended_by_route(self, link: Prefix, interface: str) -> None:
        """A prefix is reached through an interface: what failed for want of that is tried now."""
        self._try_again(self._retry.mended_by_route(link, interface))

    # -- what is to be done -----------------------------------------------------------------------------

    def take_retries(self, now: int) -> None:
        """Queue the prefixes whose wait is over."""
        for nlri in self._retry.take_due(now):
            self._settle(nlri)

    def take_additions(self, budget: int) -> list[tuple[Prefix, Route]]:
        """Up to `budget` routes to create; they are outstanding until answered."""
        return self._send(self._additions, budget)

    def take_replacements(self, budget: int) -> list[tuple[Prefix, Route]]:
        """Up to `budget` routes to put in the place of ours; they are outstanding until answered."""
        return self._send(self._replacements, budget)

    def take_deletions(self, budget: int) -> list[RouteKey]:
        """Up to `budget` routes to remove; they are outstanding until answered."""
        nlris = self._deletions.take(max(budget, 0)) if self.ready else []
        metrics: list[int] = []
        write = _Write(0, None, None)
        for nlri in nlris:
            metric = self._first_removable(nlri)
            wanted = self.wanted.get(nlri)
            if write.metric != metric or write.wanted is not wanted:
                write = _Write(metric, None, wanted)
            self.sent[nlri] = write
            metrics.append(metric)
        return named(RouteKey, zip(prefixes(self.family, nlris), metrics, strict=True))

    def next_deadline(self) -> int | None:
        """0 when a write could be taken now, else when the next wait is over."""
        if self.ready and (self._additions or self._replacements or self._deletions):
            return 0
        return self._retry.next_deadline() if self.ready else None

    def take_released(self) -> list[Nlri]:
        """The prefixes that stopped being held since the last call."""
        released = list(self._released)
        self._released.clear()
        return released

    def take_facts(self) -> list[RouteProblem]:
        """The problems that are new since the last call."""
        facts, self._facts = self._facts, []
        return facts

    @property
    def waiting(self) -> int:
        """How many prefixes have a write queued or outstanding."""
        return len(self._additions) + len(self._replacements) + len(self._deletions) + len(self.sent)

    def in_work(self) -> dict[Nlri, None]:
        """The prefixes that are known not to be as wanted, or to have more than that; a copy."""
        return self.held | self._deletions.copy() | self._leftovers | dict.fromkeys(self.sent)

    def routes(self, nlri: Nlri) -> tuple[KernelRoute, ...]:
        """All routes of a prefix in the kernel, as far as is known, ours first."""
        prefix = Prefix(self.family, nlri)
        own = (KernelRoute(prefix, route, self._protocol) for route in self.own.of(nlri))
        return (*own, *self.foreign.of(nlri))

    def standing(self, nlri: Nlri) -> Standing:
        """How far one prefix is."""
        written = nlri in self.sent or nlri in self._deletions
        return Standing(
            settled=not (written or nlri in self.held or nlri in self._leftovers),
            waiting=written or nlri in self._additions or nlri in self._replacements,
            problem=self.problems.get(nlri, ""),
        )

    def _send(self, queue: Waiting, budget: int) -> list[tuple[Prefix, Route]]:
        if not self.ready:
            return []
        nlris = queue.take(max(budget, 0))
        routes: list[Route] = []
        write = _Write(0, None, None)
        for nlri in nlris:
            wanted = self.wanted.get(nlri)
            assert wanted is not None  # noqa: S101 - what is not wanted any more left the queue
            if write.route is not wanted:
                write = _Write(wanted.metric, wanted, wanted)
            self.sent[nlri] = write
            routes.append(wanted)
        return list(zip(prefixes(self.family, nlris), routes, strict=True))

    # -- one prefix -------------------------------------------------------------------------------------

    def _settle(self, nlri: Nlri) -> None:
        """Put one prefix into the one state that follows from what is wanted and what is believed."""
        self._additions.discard(nlri)
        self._replacements.discard(nlri)
        self._deletions.discard(nlri)
        self._leftovers.pop(nlri, None)
        wanted = self.wanted.get(nlri)
        there = None if wanted is None else self.own.find(nlri, wanted.metric)
        if wanted is None or (there is not None and satisfies(there, wanted)):
            self._release(nlri)
        else:
            self._released.pop(nlri, None)
            self.held[nlri] = None
        if nlri in self.sent:
            return
        rival = None
        if wanted is not None and nlri in self.held:
            rival = self.foreign.rival(nlri, wanted.metric, self._table)
            if rival is None:
                self._retry.resume(nlri)
                (self._additions if there is None else self._replacements).add(nlri)
                return
            self._report(nlri, _conflict(rival))
        self._trim(nlri, in_conflict=rival is not None)

    def _trim(self, nlri: Nlri, *, in_conflict: bool) -> None:
        """What is wanted is there, or cannot be: queue what is too much."""
        if self._surplus(nlri):
            if self._removable(nlri):
                self._retry.resume(nlri)
                self._deletions.add(nlri)
                return
            self._leftovers[nlri] = None
        self._retry.forget(nlri)
        if not in_conflict:
            self.problems.pop(nlri, None)

    def _surplus(self, nlri: Nlri) -> list[int]:
        """The metrics at which a prefix has a route of ours that is not wanted there, lowest first."""
        wanted = self.wanted.get(nlri)
        return [r.metric for r in self.own.of(nlri) if wanted is None or r.metric != wanted.metric]

    def _removable(self, nlri: Nlri) -> list[int]:
        """The part of the surplus that may go now."""
        surplus = self._surplus(nlri)
        return [metric for metric in surplus if self._started or (nlri, metric) in self._withdrawn]

    def _first_removable(self, nlri: Nlri) -> int:
        """The lowest metric of a prefix that waits for a deletion."""
        there = self.own.of(nlri)
        return there[0].metric if len(there) == 1 else self._removable(nlri)[0]

    def _release(self, nlri: Nlri) -> None:
        if nlri in self.held:
            del self.held[nlri]
            self._released[nlri] = None

    def _report(self, nlri: Nlri, reason: str) -> None:
        """Name a problem; the same one again is no news."""
        if self.problems.get(nlri) != reason:
            self.problems[nlri] = reason
            self._facts.append(RouteProblem(Prefix(self.family, nlri), reason))

    def _try_again(self, nlris: list[Nlri]) -> None:
        for nlri in nlris:
            self._settle(nlri)

    def _is_own(self, route: KernelRoute) -> bool:
        return route.protocol == self._protocol and route.table == self._table


def _conflict(rival: KernelRoute) -> str:
    return (
        f"protocol {protocol_name(rival.protocol)} has a route of the same metric {rival.metric} here; "
        "it is not ours to replace"
    )
