"""Loc-RIB of one family (RFC 4271 §3.2): the candidates of every prefix and the one selected.

Adj-RIB-In (peer 1) ──┐ add(nlris, path), remove(nlris, path)
Adj-RIB-In (peer 2) ──┼─ replace(nlri, old, new) ─▶ candidates, dirty ─▶ decide() ─▶ Choice
routes of our own  ───┘                                    ▲                │
                              reconsider(next hops) ───────┘  RouteChange, and prefixes to export again

A path whose NEXT_HOP is not resolvable stays a candidate and takes no part in the decision (RFC 4271 §9.1.2).

There is one entry per prefix: its path where it has one, else the choice among several. Most prefixes are new
when they are announced, or have no other path when they are withdrawn, and many share theirs; such batches
stay what they are from `add` and `remove` to the peers.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from felixbgp.bgp.rib.decision import Best, Lost, SelectionReason, best_path
from felixbgp.bgp.rib.next_hops import NextHops
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.trace import Contest
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.net import Address, Family, Nlri, Prefix
from felixbgp.net.table import Table, Walk

_ONLY_PATH: Final[str] = SelectionReason.ONLY_PATH.value
FRESH_MAX: Final = 4096
"""Prefixes in batches that wait for their decision: several times as many as come in one step. Where it is
deferred more wait, as single ones, in a table in parts and no list."""
CHOICES_MAX: Final = 8192
"""Prefixes are decided in the order they arrived, so those with the same candidates come together; more sets
of candidates than one batch holds would only keep dead paths in memory."""
CHOICES_OCTETS_MAX: Final = 64 << 20
"""The same for the memory they keep: 8 KiB for each, which are several paths."""


class Multipath(NamedTuple):
    """How many equally good paths carry traffic together; 1 means one."""

    external: int = 1
    internal: int = 1


class Decided(NamedTuple):
    """What a call of `LocRib.decide` changed."""

    moved: dict[Nlri, Path | None]
    """The prefixes whose path is another one now, and which; None: they have none."""
    touched: Sequence[tuple[Nlri, tuple[Path, ...]]]
    """All whose candidates changed in any way, but for those of `fresh`."""
    fresh: Sequence[tuple[Path, list[Nlri]]]
    """Paths of prefixes that had none before; some may have moved since."""
    gone: Sequence[tuple[Path, list[Nlri]]] = ()
    """Paths of prefixes that have none any more; this was before all else, they may have one of `fresh`."""


class Choice:
    """The outcome for a set of candidates: the path to use, and what the outside sees of it."""

    __slots__ = ("_best", "_multipath", "_selected", "path", "paths")

    def __init__(self, paths: tuple[Path, ...], best: Best | None, multipath: Multipath) -> None:
        """`paths` are all candidates; `best` was chosen among the usable ones, None if there is none."""
        self.paths = paths
        self.path: Path | None = None if best is None else best.path
        self._best = best
        self._multipath = multipath
        self._selected: Selected | None = None

    def selected(self) -> Selected | None:
        """What the outside sees of it; None where no path may be used."""
        best = self._best
        if self._selected is None and best is not None:
            next_hops = _next_hops(best, self._multipath)
            self._selected = _selected(best.path, next_hops, best.reason.value)
        return self._selected


Entry = Path | Choice
"""Of a prefix: its only candidate, which may be used; or the choice among several."""


def _paths_of(entry: Entry | None) -> tuple[Path, ...]:
    if entry is None:
        return ()
    return (entry,) if isinstance(entry, Path) else entry.paths


def _count(path: Path, family: Family, nlris: list[Nlri], *, more: bool) -> None:
    """A path is selected for these prefixes too, or no longer."""
    if path.peer is not None and path.peer.selected is not None:
        for nlri in nlris:
            _count_one(path, family, nlri, more=more)


def _count_one(path: Path, family: Family, nlri: Nlri, *, more: bool) -> None:
    peer = path.peer
    if peer is None or peer.selected is None:
        return
    selected = peer.selected.setdefault(family, {})
    if more:
        selected[nlri] = None
    else:
        selected.pop(nlri, None)


def path_of(entry: Entry | None) -> Path | None:
    """The selected path of a prefix with this entry."""
    return entry.path if isinstance(entry, Choice) else entry


def _selected_of(entry: Entry | None) -> Selected | None:
    if entry is None:
        return None
    if isinstance(entry, Choice):
        return entry.selected()
    if entry.selected is None:
        next_hops = () if entry.peer is None else (Address(entry.attributes.next_hop),)
        entry.selected = _selected(entry, next_hops, _ONLY_PATH)
    return entry.selected


def _selected(path: Path, next_hops: tuple[Address, ...], reason: str) -> Selected:
    return Selected(
        path.source, None if path.peer is None else path.peer.peer, next_hops, path.attributes, reason
    )


def _next_hops(best: Best, multipath: Multipath) -> tuple[Address, ...]:
    """The gateways to use, ascending; none for a route of our own."""
    peer = best.path.peer
    if peer is None:
        return ()
    # Two reflectors may tell of one and the same next hop.
    gateways = dict.fromkeys([path.attributes.next_hop for path in best.equal])
    count = multipath.external if peer.external else multipath.internal
    return tuple(sorted(map(Address, islice(gateways, count))))


class LocRib:
    """Candidates, selected routes, and the prefixes whose decision is due."""

    __slots__ = (
        "_barred",
        "_choices",
        "_choices_octets",
        "_concerned",
        "_dirty",
        "_entries",
        "_fresh",
        "_fresh_count",
        "_gone",
        "_multipath",
        "_partial",
        "_path_count",
        "_review",
        "_selected_count",
        "family",
        "next_hops",
    )

    def __init__(self, family: Family, next_hops: NextHops | None = None) -> None:
        self.family = family
        self.next_hops = NextHops() if next_hops is None else next_hops
        """Those of the whole speaker."""
        self._multipath = Multipath()
        self._entries: Table[Entry] = Table(1)
        """Every prefix that has candidates, as of its last decision."""
        self._fresh: list[tuple[Path, list[Nlri]]] = []
        """What was added last, as long as nothing else happened."""
        self._fresh_count = 0
        """Prefixes in these batches."""
        self._gone: list[tuple[Path, list[Nlri]]] = []
        """What lost its only path since the last decision, and its entry with it."""
        self._dirty: Table[tuple[Path, ...]] = Table()
        """The candidates of now, where the decision on them is due."""
        self._review: Walk[Entry] | None = None
        """Which prefixes are still to be looked at because something about next hops or multipath changed."""
        self._concerned: dict[bytes, None] | None = {}
        """For which next hops; None: for all."""
        self._choices: dict[tuple[Path, ...], Choice] = {}
        """By candidates, where all of them may be used."""
        self._partial: dict[tuple[tuple[Path, ...], tuple[Path, ...]], Choice] = {}
        """By all candidates and those that may be used."""
        self._choices_octets = 0
        """About how much memory the candidates of all choices take."""
        self._path_count = 0
        self._selected_count = 0
        self._barred: Table[tuple[bytes, ...]] = Table()
        """The next hops of the paths that were not to be used, as of the last decision on each prefix."""

    def __len__(self) -> int:
        return self._selected_count

    @property
    def path_count(self) -> int:
        """Eligible paths, selected or not."""
        return self._path_count

    @property
    def dirty_count(self) -> int:
        """Prefixes waiting for their decision."""
        return len(self._dirty) + self._fresh_count

    @property
    def has_work(self) -> bool:
        """Whether `decide` would get something done."""
        return bool(self._fresh or self._gone) or len(self._dirty) > 0 or self._review is not None

    # ---- next hops

    def reconsider(self, next_hops: Mapping[bytes, None]) -> None:
        """Decide again what has a path by one of these next hops, in so many calls of `decide` as it takes.

        This looks at every candidate: next hops change rarely, and an index would cost every route.
        """
        if self._review is None:
            self._concerned = {}
        if self._concerned is not None:
            self._concerned = {**self._concerned, **next_hops}
        self._review = Walk(self._entries)

    def _look_through(self, budget: int) -> None:
        """Find out for at least `budget` more prefixes whether the decision on them is due again."""
        concerned, seen = self._concerned, 0
        # Prefixes with the same paths have the same entry.
        before: Entry | None = None
        due = False
        while self._review is not None and seen < budget:
            part = self._review.next()
            if part is None:
                self._review = None
                return
            seen += len(part)
            for nlri, entry in part:
                if entry is not before:
                    before = entry
                    paths = _paths_of(entry)
                    due = concerned is None or any(path.attributes.next_hop in concerned for path in paths)
                if due and nlri not in self._dirty:
                    self._dirty.put(nlri, paths)

    def unresolved(self) -> Counter[bytes]:
        """By next hop, how many prefixes have a path that is not used for want of a way to it."""
        counts: Counter[bytes] = Counter()
        for next_hops in self._barred.values():
            counts.update(next_hops)
        return counts

    def _usable(self, nlri: Nlri, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """The paths that may be selected; those of our own always may."""
        barred = [path for path in paths if self._is_barred(nlri, path)]
        if not barred:
            self._barred.pop(nlri)
            return paths
        self._barred.put(nlri, tuple(dict.fromkeys([path.attributes.next_hop for path in barred])))
        return tuple([path for path in paths if path not in barred])

    def _is_barred(self, nlri: Nlri, path: Path) -> bool:
        prefix = Prefix(self.family, nlri)
        return path.peer is not None and self.next_hops.is_barred(path.attributes.next_hop, prefix)

    # ---- routes

    def configure(self, multipath: Multipath) -> None:
        """Say how many paths may be used together; another number has everything decided again."""
        if multipath != self._multipath:
            self._multipath = multipath
            self._forget_choices()
            self._concerned = None
            self._review = Walk(self._entries)

    def add(self, nlris: list[Nlri], path: Path) -> None:
        """A source that had no eligible path to these prefixes has this one now. The list is kept."""
        if nlris:
            self._path_count += len(nlris)
            self._fresh.append((path, nlris))
            self._fresh_count += len(nlris)
            if self._fresh_count > FRESH_MAX:
                self._spread()

    def replace(self, nlri: Nlri, old: Path | None, new: Path | None) -> None:
        """One source's eligible path to a prefix changed; None means it has none."""
        if old is new:
            return
        if self._fresh:
            self._spread()
        if old is not None:
            self._path_count -= 1
        if new is not None:
            self._path_count += 1
        present = self._present(nlri)
        if len(present) == 1 and present[0] is old:
            present = ()
        elif old is not None:
            present = tuple([path for path in present if path is not old])
        self._dirty.put(nlri, present if new is None else (*present, new))

    def remove(self, nlris: list[Nlri], path: Path) -> int:
        """A source has no eligible path to these prefixes any more: mostly it was the only one.

        Returns how many have others, among which is to be decided.
        """
        if self._fresh:
            self._spread()
        others: list[Nlri] = []
        if len(self._dirty):
            undecided, nlris = nlris, []
            for nlri in undecided:
                (others if nlri in self._dirty else nlris).append(nlri)
        gone = self._entries.remove(nlris, path, others)
        if gone:
            self._path_count -= len(gone)
            self._selected_count -= len(gone)
            _count(path, self.family, gone, more=False)
            self._gone.append((path, gone))
        self._remove_one_of_several(others, path)
        return len(others)

    def _remove_one_of_several(self, nlris: list[Nlri], path: Path) -> None:
        """Prefixes that have the same candidates get the same again, which are decided on once for all."""
        before: tuple[Path, ...] = ()
        left: tuple[Path, ...] = ()
        for nlri in nlris:
            present = self._present(nlri)
            if present != before:
                before = present
                left = tuple([one for one in present if one is not path])
            self._path_count -= 1
            self._dirty.put(nlri, left)

    def _present(self, nlri: Nlri) -> tuple[Path, ...]:
        """The candidates of now, but for those that were added last."""
        present = self._dirty.get(nlri)
        return _paths_of(self._entries.get(nlri)) if present is None else present

    def _spread(self) -> None:
        """Make of the batches what they are short for."""
        batches, self._fresh, self._fresh_count = self._fresh, [], 0
        for path, nlris in batches:
            self._add_one_more(nlris, path)

    def _add_one_more(self, nlris: list[Nlri], path: Path) -> None:
        """The same for a path that these prefixes have now, beside what they had."""
        before: tuple[Path, ...] = ()
        after: tuple[Path, ...] = (path,)
        for nlri in nlris:
            present = self._present(nlri)
            if present != before:
                before = present
                after = (*present, path)
            self._dirty.put(nlri, after)

    def path(self, nlri: Nlri) -> Path | None:
        """The selected path of a prefix as of its last decision."""
        return path_of(self._entries.get(nlri))

    def selected(self, nlri: Nlri) -> Selected | None:
        """The selected route of a prefix as of its last decision."""
        return _selected_of(self._entries.get(nlri))

    def candidates(self, nlri: Nlri) -> tuple[Path, ...]:
        """The paths of a prefix that may be used, in no particular order."""
        self._spread()
        paths = self._present(nlri)
        if nlri not in self._barred:
            return paths
        return tuple([path for path in paths if not self._is_barred(nlri, path)])

    def contest(self, nlri: Nlri) -> Contest:
        """The candidates of a prefix as they are, and the decision on them; nothing is changed by asking."""
        added = tuple([path for path, nlris in self._fresh if nlri in nlris])
        paths = (*self._present(nlri), *added)
        barred = tuple([path for path in paths if self._is_barred(nlri, path)])
        usable = [path for path in paths if path not in barred]
        lost: Lost = {}
        best = best_path(usable, lost) if usable else None
        is_due = bool(added) or nlri in self._dirty or self._review is not None
        return Contest(paths, barred, best, lost, is_due)

    def paths(self) -> Iterator[tuple[Nlri, Path, bool]]:
        """Every eligible path, and whether it is the selected one, prefix by prefix."""
        self._spread()
        for nlri, entry in self._entries.items():
            selected = path_of(entry)
            present = self._dirty.get(nlri)
            for path in _paths_of(entry) if present is None else present:
                yield nlri, path, path is selected
        for nlri, paths in self._dirty.items():
            if nlri not in self._entries:
                for path in paths:
                    yield nlri, path, False

    def walk(self) -> Walk[Entry]:
        """Through every prefix that has candidates, as of its last decision; see `path_of`."""
        return Walk(self._entries)

    def prefixes(self) -> list[Nlri]:
        """Every prefix with a selected route."""
        return [nlri for nlri, entry in self._entries.items() if path_of(entry) is not None]

    def decide(self, budget: int, changes: list[RouteChange] | None) -> Decided:
        """Decide for up to `budget` prefixes; appends what the outside sees and returns what to export again.

        A prefix is exported again when its path is another object, for that may differ in what the export
        rules look at; `changes` gets it only when the route itself differs. None: nobody wants them.
        """
        gone, self._gone = self._gone, []
        if changes is not None:
            for _, nlris in gone:
                changes += [RouteChange(self.family, nlri, None) for nlri in nlris]
        if self._review is not None:
            self._spread()
            self._look_through(budget)
        if self.next_hops.bars_any or len(self._barred):
            self._spread()
            batch = self._dirty.take(budget)
            return Decided(self._decide_among_usable(batch, changes), batch, (), gone)
        if len(self._dirty):
            self._spread()
        fresh = self._decide_fresh(budget, changes)
        for _, nlris in fresh:
            budget -= len(nlris)
        batch = self._dirty.take(budget)
        moved: dict[Nlri, Path | None] = {}
        before: tuple[Path, ...] | None = None
        entry: Entry | None = None
        for nlri, paths in batch:
            if paths is not before:
                before = paths
                entry = self._entry(paths)
            self._enter(nlri, entry, moved, changes)
        return Decided(moved, batch, fresh, gone)

    def _decide_fresh(self, budget: int, changes: list[RouteChange] | None) -> list[tuple[Path, list[Nlri]]]:
        """Decide for batches of what was added; gives the prefixes that had no candidate before."""
        fresh: list[tuple[Path, list[Nlri]]] = []
        taken = 0
        for path, nlris in self._fresh:
            if budget <= 0:
                break
            taken += 1
            budget -= len(nlris)
            self._fresh_count -= len(nlris)
            others: list[Nlri] = []
            alone = self._entries.add(nlris, path, others)
            self._add_one_more(others, path)
            self._selected_count += len(alone)
            _count(path, self.family, alone, more=True)
            fresh.append((path, alone))
            if changes is not None:
                selected = _selected_of(path)
                changes += [RouteChange(self.family, nlri, selected) for nlri in alone]
        del self._fresh[:taken]
        return fresh

    def _decide_among_usable(
        self, batch: Sequence[tuple[Nlri, tuple[Path, ...]]], changes: list[RouteChange] | None
    ) -> dict[Nlri, Path | None]:
        """The same while some next hops are not resolvable, which depends on the prefix."""
        moved: dict[Nlri, Path | None] = {}
        for nlri, paths in batch:
            barred_before = self._barred.get(nlri) or ()
            entry = self._entry_among_usable(nlri, paths)
            heard: list[RouteChange] | None = None if changes is None else []
            self._enter(nlri, entry, moved, heard)
            if changes is None or heard is None:
                continue
            unused = path_of(entry) is None
            unresolved = (self._barred.get(nlri) or ()) if unused else ()
            if heard or (unused and unresolved != barred_before):
                selected = _selected_of(entry)
                changes.append(RouteChange(self.family, nlri, selected, tuple(map(Address, unresolved))))
        return moved

    def _enter(
        self,
        nlri: Nlri,
        entry: Entry | None,
        moved: dict[Nlri, Path | None],
        changes: list[RouteChange] | None,
    ) -> None:
        """Keep what was decided for a prefix."""
        entries = self._entries
        old = entries.pop(nlri) if entry is None else entries.get(nlri)
        if entry is old:
            return
        if entry is not None:
            entries.put(nlri, entry)
        path_before, path = path_of(old), path_of(entry)
        if path is not path_before:
            moved[nlri] = path
            if path_before is None:
                self._selected_count += 1
            else:
                _count_one(path_before, self.family, nlri, more=False)
            if path is None:
                self._selected_count -= 1
            else:
                _count_one(path, self.family, nlri, more=True)
        if changes is not None and not _is_same_route(old, entry):
            changes.append(RouteChange(self.family, nlri, _selected_of(entry)))

    def _entry(self, paths: tuple[Path, ...]) -> Entry | None:
        """What to keep of these candidates where all of them may be used."""
        if len(paths) < 2:
            return paths[0] if paths else None
        choice = self._choices.get(paths)
        if choice is None:
            self._make_room(paths)
            choice = self._choices[paths] = Choice(paths, best_path(paths), self._multipath)
        return choice

    def _entry_among_usable(self, nlri: Nlri, paths: tuple[Path, ...]) -> Entry | None:
        if not paths:
            self._barred.pop(nlri)
            return None
        usable = self._usable(nlri, paths)
        if usable is paths:
            return self._entry(paths)
        choice = self._partial.get((paths, usable))
        if choice is None:
            self._make_room(paths)
            choice = Choice(paths, best_path(usable) if usable else None, self._multipath)
            self._partial[paths, usable] = choice
        return choice

    def _make_room(self, paths: tuple[Path, ...]) -> None:
        """Forget choices once they are too many; one more will be kept."""
        count = len(self._choices) + len(self._partial)
        if count >= CHOICES_MAX or self._choices_octets >= CHOICES_OCTETS_MAX:
            self._forget_choices()
        for path in paths:
            self._choices_octets += path.octets

    def _forget_choices(self) -> None:
        self._choices.clear()
        self._partial.clear()
        self._choices_octets = 0


def _is_same_route(old: Entry | None, new: Entry | None) -> bool:
    """Whether two entries lead to the same place with the same attributes, whatever decided for them."""
    if old is new:
        return True
    one, other = _selected_of(old), _selected_of(new)
    if one is None or other is None:
        return one is other
    return (
        one.source is other.source
        and one.peer == other.peer
        and one.next_hops == other.next_hops
        and one.attributes == other.attributes
    )
