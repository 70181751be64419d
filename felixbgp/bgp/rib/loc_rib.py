"""Loc-RIB of one family (RFC 4271 §3.2): the candidates of every prefix and the one selected.

Adj-RIB-In (peer 1) ──┐
Adj-RIB-In (peer 2) ──┼─ replace(nlri, old, new) ─▶ candidates ─ dirty ─▶ decide() ─▶ selected
routes of our own  ───┘                                         ▲           │
                                   reconsider(next hops) ───────┘  RouteChange, and prefixes to export again

A path whose NEXT_HOP is not resolvable stays a candidate and takes no part in the decision (RFC 4271 §9.1.2).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from felixbgp.bgp.rib.decision import Best, best_path
from felixbgp.bgp.rib.next_hops import NextHops
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.net import Address, Family, Nlri, Prefix

CHOICES_MAX: Final = 8192
"""Prefixes are decided in the order they arrived, so those with the same candidates come together; more sets
of candidates than one batch holds would only keep dead paths in memory."""
CHOICES_OCTETS_MAX: Final = 64 << 20
"""The same for the memory they keep: 8 KiB for each, which are several paths."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Multipath(NamedTuple):
    """How many equally good paths carry traffic together; 1 means one."""

    external: int = 1
    internal: int = 1


class Decided(NamedTuple):
    """The prefixes whose path is another one now, and all whose paths changed in any way."""

    moved: list[Nlri]
    touched: list[Nlri]


class Choice:
    """The outcome for one set of candidates: the path to use, and what the outside sees of it."""

    __slots__ = ("path", "selected")

    def __init__(self, best: Best, multipath: Multipath) -> None:
        path = best.path
        peer = None if path.peer is None else path.peer.peer
        self.path = path
        self.selected = Selected(
            path.source, peer, _next_hops(best, multipath), path.attributes, best.reason.value
        )


def _next_hops(best: Best, multipath: Multipath) -> tuple[Address, ...]:
    """The gateways to use, ascending; none for a route of our own."""
    peer = best.path.peer
    if peer is None:
        return ()
    # Two reflectors may tell of one and the same next hop.
    gateways = dict.fromkeys(path.attributes.next_hop for path in best.equal)
    count = multipath.external if peer.external else multipath.internal
    return tuple(sorted(map(Address, islice(gateways, count))))


class LocRib:
    """Candidates, selected routes, and the prefixes whose decision is due."""

    __slots__ = (
        "_barred",
        "_candidates",
        "_choices",
        "_choices_octets",
        "_dirty",
        "_multipath",
        "_path_count",
        "_selected",
        "family",
        "next_hops",
    )

    def __init__(self, family: Family, next_hops: NextHops | None = None) -> None:
        self.family = family
        self.next_hops = NextHops() if next_hops is None else next_hops
        """Those of the whole speaker."""
        self._multipath = Multipath()
        self._candidates: dict[Nlri, tuple[Path, ...]] = {}
        self._selected: dict[Nlri, Choice] = {}
        self._dirty: dict[Nlri, None] = {}
        self._choices: dict[tuple[Path, ...], Choice] = {}
        self._choices_octets = 0
        """About how much memory the candidates of all choices take."""
        self._path_count = 0
        self._barred: dict[Nlri, tuple[bytes, ...]] = {}
        """The next hops of the paths that were not to be used, as of the last decision on each prefix."""

    def __len__(self) -> int:
        return len(self._selected)

    @property
    def path_count(self) -> int:
        """Eligible paths, selected or not."""
        return self._path_count

    @property
    def dirty_count(self) -> int:
        """Prefixes waiting for their decision."""
        return len(self._dirty)

    # ---- next hops

    def reconsider(self, next_hops: Mapping[bytes, None]) -> None:
        """Decide again what has a path by one of these next hops.

        This looks at every candidate: next hops change rarely, and an index would cost every route.
        """
        # Prefixes with the same paths have the same tuple of them.
        concerned: dict[tuple[Path, ...], bool] = {}
        for nlri, paths in self._candidates.items():
            if paths not in concerned:
                concerned[paths] = any(path.attributes.next_hop in next_hops for path in paths)
            if concerned[paths]:
                self._dirty[nlri] = None

    def next_hops_in_use(self) -> set[bytes]:
        """Those of all candidates."""
        return {path.attributes.next_hop for paths in self._candidates.values() for path in paths}

    def unresolved(self) -> Counter[bytes]:
        """By next hop, how many prefixes have a path that is not used for want of a way to it."""
        return Counter(next_hop for next_hops in self._barred.values() for next_hop in next_hops)

    def _usable(self, nlri: Nlri, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """The paths that may be selected; those of our own always may."""
        barred = [path for path in paths if self._is_barred(nlri, path)]
        if not barred:
            self._barred.pop(nlri, None)
            return paths
        self._barred[nlri] = tuple(dict.fromkeys(path.attributes.next_hop for path in barred))
        usable = tuple(path for path in paths if path not in barred)
        return usable[0].alone if len(usable) == 1 else usable

    def _is_barred(self, nlri: Nlri, path: Path) -> bool:
        prefix = Prefix(self.family, nlri)
        return path.peer is not None and self.next_hops.is_barred(path.attributes.next_hop, prefix)

    # ---- routes

    def configure(self, multipath: Multipath) -> None:
        """Say how many paths may be used together; another number has everything decided again."""
        if multipath != self._multipath:
            self._multipath = multipath
            self._forget_choices()
            self._dirty.update(dict.fromkeys(self._candidates))

    def replace(self, nlri: Nlri, old: Path | None, new: Path | None) -> None:
        """One source's eligible path to a prefix changed; None means it has none."""
        if old is new:
            return
        self._path_count += (new is not None) - (old is not None)
        candidates = self._candidates
        present = candidates.get(nlri)
        if present is not None and not (len(present) == 1 and present[0] is old):
            others = tuple(path for path in present if path is not old)
            if new is not None:
                candidates[nlri] = (*others, new)
            else:
                candidates[nlri] = others if len(others) > 1 else others[0].alone
        elif new is not None:
            candidates[nlri] = new.alone
        else:
            del candidates[nlri]
        self._dirty[nlri] = None

    def path(self, nlri: Nlri) -> Path | None:
        """The selected path of a prefix as of its last decision."""
        choice = self._selected.get(nlri)
        return None if choice is None else choice.path

    def selected(self, nlri: Nlri) -> Selected | None:
        """The selected route of a prefix as of its last decision."""
        choice = self._selected.get(nlri)
        return None if choice is None else choice.selected

    def candidates(self, nlri: Nlri) -> tuple[Path, ...]:
        """The paths of a prefix that may be used, in no particular order."""
        paths = self._candidates.get(nlri, ())
        if nlri not in self._barred:
            return paths
        return tuple(path for path in paths if not self._is_barred(nlri, path))

    def paths(self) -> Iterator[tuple[Nlri, Path, bool]]:
        """Every eligible path, and whether it is the selected one, in the order in which prefixes came."""
        for nlri, paths in self._candidates.items():
            selected = self.path(nlri)
            for path in paths:
                yield nlri, path, path is selected

    def prefixes(self) -> dict[Nlri, None]:
        """Every prefix with a selected route, as an ordered set of its own."""
        return dict.fromkeys(self._selected)

    def decide(self, budget: int, changes: list[RouteChange] | None) -> Decided:
        """Decide for up to `budget` prefixes; appends what the outside sees and returns what to export again.

        A prefix is exported again when its path is another object, for that may differ in what the export
        rules look at; `changes` gets it only when the route itself differs. None: nobody wants them.
        """
        moved: list[Nlri] = []
        selected = self._selected
        touched = [nlri for nlri, _ in take_first(self._dirty, budget)]
        for nlri in touched:
            old = selected.get(nlri)
            before = self._barred.get(nlri, ())
            choice = self._choice(nlri)
            if choice is None:
                unresolved = self._barred.get(nlri, ())
                if changes is not None and (old is not None or unresolved != before):
                    changes.append(RouteChange(self.family, nlri, None, tuple(map(Address, unresolved))))
                if old is not None:
                    del selected[nlri]
                    moved.append(nlri)
            elif choice is not old:
                selected[nlri] = choice
                if old is None or old.path is not choice.path:
                    moved.append(nlri)
                if changes is None:
                    continue
                if old is None or not _same_route(old.selected, choice.selected):
                    changes.append(RouteChange(self.family, nlri, choice.selected))
        return Decided(moved, touched)

    def _choice(self, nlri: Nlri) -> Choice | None:
        paths = self._candidates.get(nlri)
        if self.next_hops.bars_any or self._barred:
            if paths is None:
                self._barred.pop(nlri, None)
                return None
            paths = self._usable(nlri, paths)
        if not paths:
            return None
        choice = self._choices.get(paths)
        if choice is None:
            if len(self._choices) >= CHOICES_MAX or self._choices_octets >= CHOICES_OCTETS_MAX:
                self._forget_choices()
            self._choices_octets += sum(path.octets for path in paths)
            choice = self._choices[paths] = Choice(best_path(paths), self._multipath)
        return choice

    def _forget_choices(self) -> None:
        self._choices.clear()
        self._choices_octets = 0


def take_first(waiting: dict[Key, Value], count: int) -> list[tuple[Key, Value]]:
    """Remove and return the first `count` entries, oldest first."""
    if count >= len(waiting):
        everything = list(waiting.items())
        waiting.clear()
        return everything
    taken = list(islice(waiting.items(), max(count, 0)))
    for nlri, _ in taken:
        del waiting[nlri]
    return taken


def _same_route(one: Selected, other: Selected) -> bool:
    """Whether two selections lead to the same place with the same attributes, whatever decided for them."""
    return (
        one.source is other.source
        and one.peer == other.peer
        and one.next_hops == other.next_hops
        and one.attributes == other.attributes
    )
