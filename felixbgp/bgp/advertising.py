"""The way out: which update group a peer is in, and the bytes that are due."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.adj_rib_out import Member, Outlet
from felixbgp.bgp.rib.export import ExportView
from felixbgp.bgp.rib.loc_rib import Decided, LocRib
from felixbgp.bgp.rib.path_numbers import PathNumbers
from felixbgp.bgp.rib.trace import ToldTrace
from felixbgp.bgp.rib.update_groups import IsComplete, UpdateGroup
from felixbgp.net import Family, Nlri


class Advertising:
    """All update groups of a speaker, by export view; a group lives as long as it has members."""

    __slots__ = ("_groups", "_left", "_loc_ribs", "_moves", "_numbers")

    def __init__(self, loc_ribs: Mapping[Family, LocRib]) -> None:
        self._loc_ribs = loc_ribs
        self._groups: dict[ExportView, UpdateGroup] = {}
        self._left: list[UpdateGroup] = []
        """Those without members, until what they have is forgotten."""
        self._moves: dict[tuple[ExportView, ExportView], dict[PeerId, None]] = {}
        self._numbers = PathNumbers()

    def join(self, view: ExportView, peer: PeerId, outlet: Outlet) -> None:
        """A session was established."""
        self._group(view).join(Member(peer, outlet))

    def leave(self, view: ExportView, peer: PeerId) -> None:
        """A session is down: what its peer was told is forgotten."""
        self.carry_out_moves()
        self._groups[view].leave(peer)
        self._tidy(view)

    def move(self, peer: PeerId, old: ExportView, new: ExportView) -> None:
        """A peer is to be told something else from now on; `carry_out_moves` sees to it."""
        if any(before == old and peer in peers for (_, before), peers in self._moves.items()):
            self.carry_out_moves()
        if old != new:
            self._moves.setdefault((old, new), {})[peer] = None

    def carry_out_moves(self) -> None:
        """Let the peers that move be told the difference, worked out once for all who know the same."""
        moves, self._moves = self._moves, {}
        for (old, new), peers in moves.items():
            group = self._groups[old]
            for table, told in group.leave_together(list(peers)):
                self._group(new).adopt(table, told)
            self._tidy(old)

    def refresh(
        self,
        view: ExportView,
        peer: PeerId,
        marks: tuple[tuple[bytes, ...], tuple[bytes, ...]],
    ) -> None:
        """A peer asks for everything again; `marks` are the messages before and after."""
        self.carry_out_moves()
        self._groups[view].refresh(peer, *marks)

    def mark(self, family: Family, decided: Decided) -> None:
        """Paths of these prefixes changed."""
        if decided.touched or decided.fresh or decided.gone:
            for view, group in self._groups.items():
                if view.family == family:
                    group.mark(decided)

    def release(self, family: Family, nlris: Iterable[Nlri]) -> None:
        """The kernel is ready for these prefixes."""
        released = list(nlris)
        for view, group in self._groups.items():
            if view.family == family:
                group.release(released)

    def withdraw(self, budget: int, deferred: Container[Family] = ()) -> None:
        """Work out up to `budget` changes per group, and put the withdrawals among them into the outboxes.

        Of `deferred` families nothing is told yet; the other methods have them likewise.
        """
        if self._numbers.are_many:
            self._numbers.begin_sweep([group.walk_keys() for group in self._groups.values()])
        self._numbers.sweep(budget)
        if self._left:
            self._left = [group for group in self._left if group.is_needed or not group.give_up(budget)]
        for group in self._telling(deferred):
            group.settle(budget)
            group.send_withdrawals(budget)

    def announce(
        self,
        budget: int,
        held: Mapping[Family, Container[Nlri]],
        now: int,
        deferred: Container[Family] = (),
        is_complete: IsComplete | None = None,
    ) -> None:
        """Put up to `budget` announcements per group into the outboxes.

        End-of-RIB follows when `is_complete` says so, of which `next_deadline` knows nothing.
        """
        for group in self._telling(deferred):
            group.send_announcements(budget, held.get(group.view.family, ()), now, is_complete)

    def advertised_counts(self) -> Counter[PeerId]:
        """How many prefixes every peer was told, in all its views."""
        counts: Counter[PeerId] = Counter()
        for group in self._groups.values():
            for peer, count in group.advertised_counts():
                counts[peer] += count
        return counts

    def advertised_by_family(self) -> Counter[Family]:
        """How many prefixes peers were told, summed over the peers."""
        counts: Counter[Family] = Counter()
        for view, group in self._groups.items():
            counts[view.family] += sum(count for _, count in group.advertised_counts())
        return counts

    def traces(self, family: Family, nlri: Nlri) -> dict[PeerId, tuple[ExportView, list[ToldTrace]]]:
        """What becomes of a prefix towards every peer of a family, and the view that it is told by.

        Nothing is changed by asking.
        """
        return {
            peer: (view, told)
            for view, group in self._groups.items()
            if view.family == family
            for peer, told in group.traces(nlri).items()
        }

    def pending_count(self) -> int:
        """Prefixes to tell, summed over the peers."""
        return sum(group.pending_count() for group in self._groups.values())

    def untold_count(self) -> int:
        """How many prefixes some peer could be told of now, at least."""
        return max([group.untold_count() for group in self._groups.values()], default=0)

    def next_deadline(self, deferred: Container[Family] = ()) -> int | None:
        """0 when something could be sent now, else the next time at which that changes by itself."""
        telling = self._telling(deferred)
        if any(group.has_work() for group in telling) or not all(group.is_needed for group in self._left):
            return 0
        if self._numbers.is_sweeping:
            return 0
        return min((at for group in telling if (at := group.next_deadline()) is not None), default=None)

    def _telling(self, deferred: Container[Family]) -> list[UpdateGroup]:
        return [group for view, group in self._groups.items() if view.family not in deferred]

    def _group(self, view: ExportView) -> UpdateGroup:
        group = self._groups.get(view)
        if group is None:
            group = self._groups[view] = UpdateGroup(view, self._loc_ribs[view.family], self._numbers)
        return group

    def _tidy(self, view: ExportView) -> None:
        if self._groups[view].empty:
            self._left.append(self._groups.pop(view))
