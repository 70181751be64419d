"""Intent, Loc-RIB and kernel side by side, prefix by prefix: pure rules, and a walk over all prefixes.

    intent ──originates──► Loc-RIB ──programs──► wanted ──is──► kernel, as it was read
           NOT_ORIGINATED        NOT_PROGRAMMED        MISSING, DIFFERENT, UNWANTED, CONFLICT
           NOT_INTENDED          NOT_SELECTED

What the kernel has is compared with what was wanted at the moment of reading, so that no write in between
looks like a difference. The rest has no such moment: it is as it is when the walk passes.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final, NamedTuple, Protocol

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Precedence, Selected
from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import KernelRoute, Route
from felixbgp.net import Family, Nlri, Prefix
from felixbgp.status.audit import Kind

PROGRAMMED: Final = (RouteSource.BGP, RouteSource.AGGREGATE)
"""What goes into the kernel; routes of the other sources are there already: that is where they come from."""
OF_THE_KERNEL: Final = (Kind.MISSING, Kind.DIFFERENT, Kind.UNWANTED, Kind.CONFLICT)
"""Differences between what was wanted and what was read."""


class Reading(NamedTuple):
    """One family of the kernel as it was read, and what was known and wanted at that moment."""

    family: Family
    routes: tuple[KernelRoute, ...]
    protocol: int
    """Of our routes."""
    wanted: Mapping[Nlri, Route]
    in_work: Mapping[Nlri, None]
    """Prefixes that were known not to be as wanted: a write is due, under way, or refused."""


class Tables(Protocol):
    """What the rooms have now; each question costs a look into a dict."""

    def intended(self, prefix: Prefix) -> LocalRoute | None:
        """What is to be originated."""

    def selected(self, prefix: Prefix) -> Selected | None:
        """The Loc-RIB's entry."""

    def wanted(self, prefix: Prefix) -> Route | None:
        """What the kernel is to have."""

    def excluded(self, prefix: Prefix) -> str:
        """What keeps a prefix out of the kernel; "" when nothing does."""

    def prefixes(self, family: Family) -> Iterator[Nlri | None]:
        """All that is selected, wanted, or to be originated, each once; None for one that came before."""


class Finding(NamedTuple):
    """A difference. `kernel` is what was read at the prefix, where that is compared."""

    prefix: Prefix
    kind: Kind
    wanted: Route | None
    kernel: tuple[KernelRoute, ...] = ()
    expected: bool = False
    """Whether it was known already and in work, and so is none if it ends well."""


def compare_kernel(
    wanted: Route | None, own: Iterable[KernelRoute], foreign: Iterable[KernelRoute]
) -> Kind | None:
    """What is wrong with the kernel's routes of one prefix."""
    there = [found.route for found in own]
    if wanted is None:
        return Kind.UNWANTED if there else None
    if any(satisfies(route, wanted) for route in there):
        return Kind.UNWANTED if len(there) > 1 else None
    if any(found.metric == wanted.metric for found in foreign):
        return Kind.CONFLICT
    return Kind.DIFFERENT if there else Kind.MISSING


def compare_tables(
    intended: LocalRoute | None, selected: Selected | None, wanted: Route | None, excluded: str
) -> Kind | None:
    """What is wrong between intent, Loc-RIB and what is asked of the kernel, of one prefix."""
    originated = selected is not None and selected.peer is None
    if intended is not None:
        may_lose = selected is not None and not originated and intended.precedence is not Precedence.FIRST
        if not may_lose and (selected is None or selected.source is not intended.source):
            return Kind.NOT_ORIGINATED
    elif originated:
        return Kind.NOT_INTENDED
    elif wanted is not None and selected is None:
        return Kind.NOT_SELECTED
    if wanted is None and not excluded and selected is not None and selected.source in PROGRAMMED:
        return Kind.NOT_PROGRAMMED
    return None


def look(prefix: Prefix, tables: Tables) -> Kind | None:
    """`compare_tables` of a prefix as it is now."""
    selected, wanted = tables.selected(prefix), tables.wanted(prefix)
    is_excludable = wanted is None and selected is not None and selected.source in PROGRAMMED
    excluded = tables.excluded(prefix) if is_excludable else ""
    return compare_tables(tables.intended(prefix), selected, wanted, excluded)


class Walk:
    """The comparison of one reading with everything, as far as each call allows."""

    def __init__(self, reading: Reading, tables: Tables) -> None:
        self.family = reading.family
        self.findings: list[Finding] = []
        self.compared = 0
        """Prefixes so far."""
        self.is_over = False
        # A list for each of 200,000 routes would have the garbage collector look at everything there is.
        self._own: dict[Nlri, KernelRoute] = {}
        self._more: dict[Nlri, list[KernelRoute]] = {}
        """The second and further ones of ours at a prefix."""
        self._foreign: dict[Nlri, list[KernelRoute]] = {}
        self._steps = chain(self._index(reading), self._kernel_steps(reading), self._table_steps(tables))

    def advance(self, budget: int) -> None:
        """Take up to `budget` steps of a microsecond or less."""
        taken = 0
        for finding in islice(self._steps, budget):
            taken += 1
            if finding is not None:
                self.findings.append(finding)
        self.is_over = taken < budget

    def _index(self, reading: Reading) -> Iterator[None]:
        """Routes by prefix; of others only those beside ours, for theirs may be very many."""
        for route in reading.routes:
            nlri = route.prefix.nlri
            if route.protocol == reading.protocol:
                if self._own.setdefault(nlri, route) is not route:
                    self._more.setdefault(nlri, []).append(route)
            elif nlri in reading.wanted:
                self._foreign.setdefault(nlri, []).append(route)
            yield None

    def _kernel_steps(self, reading: Reading) -> Iterator[Finding | None]:
        for nlri, wanted in reading.wanted.items():
            yield self._compared(reading, nlri, wanted)
        for nlri in self._own:
            if nlri not in reading.wanted:
                self.compared += 1
                yield self._compared(reading, nlri, None)

    def _compared(self, reading: Reading, nlri: Nlri, wanted: Route | None) -> Finding | None:
        first = self._own.get(nlri)
        own = () if first is None else (first, *self._more.get(nlri, ()))
        foreign = self._foreign.get(nlri, ())
        kind = compare_kernel(wanted, own, foreign)
        if kind is None:
            return None
        prefix, expected = Prefix(self.family, nlri), nlri in reading.in_work
        return Finding(prefix, kind, wanted, (*own, *foreign), expected)

    def _table_steps(self, tables: Tables) -> Iterator[Finding | None]:
        """What these find may only not have been decided yet, so it is expected until it lasts."""
        for nlri in tables.prefixes(self.family):
            if nlri is None:
                yield None
                continue
            self.compared += 1
            prefix = Prefix(self.family, nlri)
            kind = look(prefix, tables)
            yield None if kind is None else Finding(prefix, kind, tables.wanted(prefix), (), expected=True)
