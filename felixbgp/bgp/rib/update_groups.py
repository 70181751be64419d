"""Update groups: peers with the same export view are told the same, encoded once.

    Loc-RIB ─ changed prefixes ─▶ UpdateGroup ─ settle: policy, attributes ─▶ wanted (per prefix)
                                       │
                       ┌───────────────┼───────────────────┐
                   AdjRibOut       AdjRibOut           AdjRibOut          who knows what (`adj_rib_out`)
                   peers 1, 2, 3   peer 4 (just joined)   peer 5 (slow)
                       │ one encoding
                 outbox of each peer's connection

Where peers are sent several paths per prefix (RFC 7911), everything here is keyed by path identifier and NLRI
instead of by NLRI; the octets of such a key are those that go onto the wire.

A table that cannot go on as one is split, and tables that have come to say the same are joined again.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.adj_rib_out import AdjRibOut, Batch, Completion, Member
from felixbgp.bgp.rib.comparison import Pending, Told
from felixbgp.bgp.rib.export import Export, ExportView
from felixbgp.bgp.rib.exports import Exports
from felixbgp.bgp.rib.loc_rib import Decided, Entry, LocRib, path_of
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.path_numbers import PathNumbers
from felixbgp.bgp.rib.trace import Telling, ToldTrace, back_to_its_source
from felixbgp.bgp.wire.update import encode_end_of_rib, encode_routes, encode_withdrawals
from felixbgp.net import Nlri
from felixbgp.net.table import Table, Walk

BATCH: Final = 1000
"""Prefixes encoded between two looks at the credit: at one attribute set each, about 100 KiB of messages. As
many /24 fit into one."""
COMPLETION_WAIT_NS: Final = 5_000_000_000
"""How long End-of-RIB waits for the kernel: batches of routes take milliseconds, a refused one forever."""
NLRI_OCTETS_MAX: Final = 17
"""Of a /128."""
JOIN_PENDING_MAX: Final = 1024
"""Tables with more pending prefixes are not compared, as that would cost more than it saves."""

_TOO_LONG: Final = "its attributes leave no room for it in a message"

IsComplete = Callable[[ExportView, Collection[PeerId], int], bool]
"""Whether all has come by now that these peers of a view are to be told."""


class UpdateGroup:
    """The peers of one export view: what they should know, and their tables."""

    __slots__ = (
        "_changed",
        "_departed",
        "_discarded",
        "_exports",
        "_identifier_octets",
        "_keys",
        "_loc_rib",
        "_numbers",
        "_reading",
        "_tables",
        "_wanted",
        "view",
    )

    def __init__(self, view: ExportView, loc_rib: LocRib, numbers: PathNumbers) -> None:
        self.view = view
        self._loc_rib = loc_rib
        self._numbers = numbers
        self._identifier_octets = view.identifier_octets
        self._exports = Exports(view)
        self._keys: Table[tuple[Nlri, ...]] = Table()
        """Where paths have identifiers: by NLRI, the keys of what is wanted."""
        self._wanted: Table[Export] = Table(2)
        self._changed: Table[Path | None] = Table()
        """Prefixes to settle, each with its selected path, None if there is none any more."""
        self._reading: Walk[Entry] | None = loc_rib.walk()
        """What is still to be settled for the first time."""
        self._tables: list[AdjRibOut] = []
        self._departed: list[Told] = []
        """What those know who left, as far as they still look here."""
        self._discarded: list[Pending] = []
        """What nobody needs any more: to free a million entries at once would take 20 ms."""

    # ---- members

    @property
    def empty(self) -> bool:
        """Whether nobody is left."""
        return not self._tables

    def join(self, member: Member) -> None:
        """A session was established: its peer knows nothing, and gets everything and then End-of-RIB."""
        for table in self._tables:
            if table.fresh:
                table.members[member.peer] = member
                return
        table = AdjRibOut((member,))
        if len(self._wanted):
            table.joining = Walk(self._wanted)
        end_of_rib = encode_end_of_rib(self.view.family)
        table.completion = Completion((end_of_rib,))
        self._tables.append(table)

    def leave(self, peer: PeerId) -> None:
        """A peer goes, and what it was told is forgotten."""
        table = self._table_of(peer)
        del table.members[peer]
        if not table.members:
            table.stop_comparing()
            self._discard(table)
            self._tables.remove(table)

    def leave_together(self, peers: Sequence[PeerId]) -> list[tuple[AdjRibOut, Told]]:
        """Peers go; returns their tables and what they were told, for another group."""
        left: list[tuple[AdjRibOut, Told]] = []
        for table in list(self._tables):
            members = [table.members[peer] for peer in peers if peer in table.members]
            if not members:
                continue
            leaves = table if len(members) == len(table.members) else table.split(members)
            if leaves is table:
                self._tables.remove(table)
            if leaves.comparison is None:
                told = leaves.leave(self._wanted)
                self._departed.append(told)
            else:
                self._discard(leaves)
                told = leaves.leave(self._wanted)
            left.append((leaves, told))
        return left

    def adopt(self, table: AdjRibOut, told: Told) -> None:
        """Peers come over from another view: tell them the difference, and nothing else."""
        table.enter(self._wanted, told)
        self._tables.append(table)

    def refresh(self, peer: PeerId, opening: tuple[bytes, ...], closing: tuple[bytes, ...]) -> None:
        """A peer asks for everything again (RFC 2918 §4), between two marks if it knows RFC 7313's."""
        table = self._table_of(peer)
        if len(table.members) > 1:
            table = table.split((table.members[peer],))
            self._tables.append(table)
        table.refreshing = Walk(self._wanted)
        table.again = True
        table.fresh = False
        if table.completion is not None:
            return  # RFC 7313 §4: no marks before End-of-RIB, which ends this table too.
        _send(table.members.values(), opening)
        if closing:
            table.completion = Completion(closing)

    def advertised_counts(self) -> Iterator[tuple[PeerId, int]]:
        """For every member how many prefixes it was told."""
        for table in self._tables:
            for peer in table.members:
                yield peer, table.advertised_count(peer)

    def traces(self, nlri: Nlri) -> dict[PeerId, list[ToldTrace]]:
        """What becomes of a prefix towards each member, by path; nothing is changed by asking."""
        is_open = nlri in self._changed or (self._reading is not None and self._reading.is_ahead(nlri))
        traced = [self._exports.trace(nlri, path) for path in _traced_paths(self.view, self._loc_rib, nlri)]
        known: dict[PeerId, list[ToldTrace]] = {}
        for table in self._tables:
            told = [
                (self._told_by(table, nlri, trace, export, is_open=is_open), _source(trace.path, export))
                for trace, export in traced
            ]
            for peer in table.members:
                known[peer] = [back_to_its_source(one) if source == peer else one for one, source in told]
        return known

    def _told_by(
        self, table: AdjRibOut, nlri: Nlri, trace: ToldTrace, export: Export | None, *, is_open: bool
    ) -> ToldTrace:
        """How far the members of a table are told of a path, unless it is their own."""
        if export is None:
            return trace
        if len(nlri) + self._identifier_octets > export.room:
            return trace._replace(telling=Telling.WITHHELD, attributes=None, reason=_TOO_LONG)
        identifier = self._numbers.known(trace.path) if self.view.add_path else b""
        key = (identifier or b"") + nlri
        if key in table.waiting:
            return trace._replace(telling=Telling.WAITS_FOR_KERNEL)
        is_owed = is_open or identifier is None or table.is_owed(key)
        return trace._replace(telling=Telling.PENDING) if is_owed else trace

    def walk_keys(self) -> Walk[tuple[Nlri, ...]]:
        """A way through the keys of what is wanted, all that begin with a path identifier."""
        return Walk(self._keys)

    def _discard(self, table: AdjRibOut) -> None:
        pending = (table.announcing, table.waiting, table.withdrawing)
        self._discarded += [one for one in pending if len(one)]

    @property
    def is_needed(self) -> bool:
        """Whether somebody who left still looks here."""
        return any(told.users for told in self._departed)

    def give_up(self, budget: int) -> bool:
        """Forget about up to `budget` entries of a group that nobody needs; whether that was all."""
        for told in self._departed:
            self._discarded += told.pending
        self._departed.clear()
        left = self._empty_discarded(budget)
        left -= len(self._wanted.take(left))
        left -= len(self._changed.take(left))
        self._keys.take(left)
        return not (self._discarded or len(self._wanted) or len(self._changed) or len(self._keys))

    def _empty_discarded(self, budget: int) -> int:
        """Returns what is left of a budget of entries."""
        while self._discarded and budget > 0:
            budget -= len(self._discarded[-1].take(budget))
            if not len(self._discarded[-1]):
                self._discarded.pop()
        return budget

    # ---- changes

    def mark(self, decided: Decided) -> None:
        """Paths of prefixes changed: for most peers only the selected one counts."""
        for _, nlris in decided.gone:
            if self.view.add_path or len(self._changed):
                self._changed.put_all(nlris, None)
            else:
                self._settle_gone(nlris)
        settled = not len(self._changed)
        for path, nlris in decided.fresh:
            if not settled or not self._settle_fresh(path, nlris):
                self._changed.put_all(nlris, path)
        if self.view.add_path:
            for nlri, _ in decided.touched:
                self._changed.put(nlri, None)
        else:
            for nlri, moved in decided.moved.items():
                self._changed.put(nlri, moved)

    def _settle_fresh(self, path: Path, nlris: list[Nlri]) -> bool:
        """Settle prefixes that had no path before, at once if they all fare alike; whether they do."""
        decided = None if self.view.add_path else self._exports.view_of(path).constant
        if decided is None:
            return False
        export = self._exports.of_decided(path, decided)
        if export is None:
            return True
        if export.room < NLRI_OCTETS_MAX:
            return False
        self._wanted.put_all(nlris, export)
        for told in self._departed:
            for nlri in nlris:
                told.keep(nlri, None)
        for table in self._tables:
            table.note_fresh(nlris, export)
        return True

    def _settle_gone(self, nlris: list[Nlri]) -> None:
        """Settle prefixes whose only path went: mostly all of them were told alike."""
        wanted = self._wanted
        export = wanted.get(nlris[0])
        others: list[Nlri] = []
        if export is not None:
            alike = wanted.remove(nlris, export, others)
            for told in self._departed:
                for nlri in alike:
                    told.keep(nlri, export)
            for table in self._tables:
                table.note_gone(alike, export)
            nlris = others
        for nlri in nlris:
            self._want(nlri, wanted.pop(nlri), None)

    def release(self, nlris: Iterable[Nlri]) -> None:
        """The kernel is ready for these prefixes."""
        for table in self._tables:
            if len(table.waiting):
                for nlri in nlris:
                    for key in self._keys.get(nlri) or (nlri,):
                        table.release(key)

    def settle(self, budget: int) -> None:
        """Work out for about `budget` prefixes what the peers should know, or are to be told of it."""
        left = budget - self._settle_changed(budget)
        while left > 0 and self._reading is not None:
            self._read(self._reading)
            left -= self._settle_changed(left)
        if self._departed:
            self._forget_departed()
        left = self._empty_discarded(left)
        for table in self._tables if self._reading is None else ():
            while left > 0 and table.looks_ahead:
                left -= table.look_ahead(self._wanted, left)

    def _forget_departed(self) -> None:
        """Give up what nobody is compared with any more."""
        for told in self._departed:
            if not told.users:
                self._discarded += [one for one in told.pending if len(one)]
        self._departed = [told for told in self._departed if told.users]

    def _read(self, reading: Walk[Entry]) -> None:
        """Have the next part of the Loc-RIB settled, but for what changed there and will be anyway."""
        part = reading.next()
        if part is None:
            self._reading = None
            return
        changed = self._changed
        for nlri, entry in part:
            path = path_of(entry)
            if path is not None and nlri not in changed:
                changed.put(nlri, path)

    def _settle_changed(self, budget: int) -> int:
        """Work out for up to `budget` changed prefixes what the peers should know; returns how many."""
        batch = self._changed.take(budget)
        if self.view.add_path:
            for nlri, _ in batch:
                self._settle_paths(nlri)
        else:
            self._settle_best(batch)
        return len(batch)

    def _settle_best(self, batch: Sequence[tuple[Nlri, Path | None]]) -> None:
        """Prefixes of one path come together, and unless the policy looks at prefixes they fare alike."""
        wanted, exports = self._wanted, self._exports
        before: Path | None = None
        alike: Export | None = None
        depends = False
        for nlri, path in batch:
            new: Export | None = None
            if path is not None:
                if path is not before:
                    before = path
                    decided = exports.view_of(path).constant
                    depends = decided is None
                    alike = None if decided is None else exports.of_decided(path, decided)
                new = exports.of(nlri, path) if depends else alike
                if new is not None and len(nlri) > new.room:
                    new = None
            old = wanted.pop(nlri) if new is None else wanted.get(nlri)
            if new is not old:
                self._want(nlri, old, new)

    def _settle_paths(self, nlri: Nlri) -> None:
        """The same where peers are told every path that may be used, each under a key of its own."""
        exports: dict[Nlri, Export] = {}
        for path in self._loc_rib.candidates(nlri):
            export = self._exports.of(nlri, path)
            if export is not None and len(nlri) + self._identifier_octets <= export.room:
                exports[self._numbers.identifier(path) + nlri] = export
        before = self._keys.pop(nlri) or ()
        if exports:
            self._keys.put(nlri, tuple(exports))
        for key in dict.fromkeys((*before, *exports)):
            new = exports.get(key)
            self._want(key, self._wanted.pop(key) if new is None else self._wanted.get(key), new)

    def _want(self, key: Nlri, old: Export | None, new: Export | None) -> None:
        """The peers should know `new` from now on; None: nothing, and the old one is gone already."""
        if new is not None:
            if new.same(old):
                return
            self._wanted.put(key, new)
        elif old is None:
            return
        for told in self._departed:
            told.keep(key, old)
        for table in self._tables:
            table.note(key, old, new)

    # ---- sending

    def send_withdrawals(self, budget: int) -> int:
        """Tell of up to `budget` prefixes that are gone, or a batch more; returns how many."""
        done = 0
        for table in list(self._tables):
            while done < budget and table.is_to_withdraw and self._proceed(table):
                count = min(BATCH, budget - done)
                if table.withdrawing_batches:
                    batches = table.take_batches(table.withdrawing_batches, count)
                else:
                    batches = _in_batches(table.withdrawing.take(count))
                done += self._withdraw(table, batches)
        return done

    def send_announcements(
        self, budget: int, held: Container[Nlri], now: int, is_complete: IsComplete | None = None
    ) -> int:
        """Tell of up to `budget` prefixes or a batch more, those that the kernel holds up excepted.

        `is_complete` is asked before it is said that this is all. Returns how many were told.
        """
        done = 0
        for table in list(self._tables):
            while done < budget and table.is_to_announce and self._proceed(table):
                count = min(BATCH, budget - done)
                if len(table.announcing):
                    pending = table.announcing.take(count)
                    done += len(pending)
                    self._announce(table, pending, held)
                else:
                    batches = table.take_batches(table.announcing_batches, count)
                    done += self._announce_batches(table, batches, held)
            self._complete(table, now, is_complete)
        self._join_tables()
        return done

    def _withdraw(self, table: AdjRibOut, batches: Iterable[Batch]) -> int:
        """Tell of prefixes that are gone, by what was told of them; returns of how many."""
        done = 0
        by_source: dict[PeerId | None, list[Nlri]] = {}
        before: Export | None = None
        gone: list[Nlri] = []
        for known, nlris in batches:
            if before is None or known.source is not before.source:
                before = known
                gone = by_source.setdefault(known.source if known.source in table.members else None, [])
            table.count(known.source, -len(nlris))
            done += len(nlris)
            gone += nlris
        for source, gone in by_source.items():
            messages = encode_withdrawals(self.view.family, gone, self.view.message_octets_max)
            _send(_others(table, source), messages)
        return done

    def _announce(
        self, table: AdjRibOut, pending: Sequence[tuple[Nlri, Export | None]], held: Container[Nlri]
    ) -> None:
        """Tell of prefixes, each with what the members know of it until now."""
        by_export: dict[Export, list[Nlri]] = {}
        told_before: dict[Nlri, Export] = {}
        octets, by_members = self._identifier_octets, table.members
        before: Export | None = None
        nlris: list[Nlri] = []
        for nlri, known in pending:
            wanted = self._wanted.get(nlri)
            if wanted is None:
                continue  # Never so: what is not wanted is not to be announced.
            if wanted.via_us and (nlri[octets:] if octets else nlri) in held:
                table.waiting.put(nlri, known)
                continue
            if wanted is not before:
                before = wanted
                nlris = by_export.setdefault(wanted, [])
            nlris.append(nlri)
            if known is not None:
                table.count(known.source, -1)
                if wanted.source in by_members:
                    told_before[nlri] = known
        self._tell(table, by_export.items())
        if told_before:
            self._retract(table, told_before)

    def _announce_batches(self, table: AdjRibOut, batches: list[Batch], held: Container[Nlri]) -> int:
        """Tell of prefixes of which the members know nothing; returns of how many."""
        done = 0
        alike: dict[Export, list[list[Nlri]]] = {}
        for export, nlris in batches:
            done += len(nlris)
            waiting = [nlri for nlri in nlris if nlri in held] if export.via_us else []
            if waiting:
                table.waiting.put_all(waiting, None)
            ready = [nlri for nlri in nlris if nlri not in held] if waiting else nlris
            alike.setdefault(export, []).append(ready)
        self._tell(
            table,
            [
                (export, lists[0] if len(lists) == 1 else list(chain.from_iterable(lists)))
                for export, lists in alike.items()
            ],
        )
        return done

    def _tell(self, table: AdjRibOut, batches: Iterable[Batch]) -> None:
        """Have the members know of these prefixes."""
        messages: dict[PeerId | None, list[bytes]] = {}
        before: Export | None = None
        alike: list[bytes] = []
        for export, nlris in batches:
            if before is None or export.source is not before.source:
                before = export
                alike = messages.setdefault(export.source if export.source in table.members else None, [])
            table.count(export.source, len(nlris))
            alike += encode_routes(export.encoded, nlris)
        for source, from_source in messages.items():
            _send(_others(table, source), from_source)

    def _retract(self, table: AdjRibOut, told_before: dict[Nlri, Export]) -> None:
        """Take back from a peer what now comes from it: it knew another source's route until now."""
        gone: dict[PeerId | None, list[Nlri]] = {}
        for nlri, known in told_before.items():
            wanted = self._wanted.get(nlri)
            if wanted is not None and known.source != wanted.source:
                gone.setdefault(wanted.source, []).append(nlri)
        for source, nlris in gone.items():
            member = None if source is None else table.members.get(source)
            if member is not None:
                _send((member,), encode_withdrawals(self.view.family, nlris, self.view.message_octets_max))

    def _complete(self, table: AdjRibOut, now: int, is_complete: IsComplete | None) -> None:
        """Say that the table is complete, once it is, or as far as it will be in time."""
        completion = table.completion
        if not self._has_all(table):
            return
        table.again = table.again and len(table.waiting) > 0
        if completion is None:
            return
        if len(table.waiting):
            if completion.deadline is None:
                completion.deadline = now + COMPLETION_WAIT_NS
            if now < completion.deadline:
                return
        completion.is_withheld = is_complete is not None and not is_complete(self.view, table.members, now)
        if completion.is_withheld:
            return
        _send(table.members.values(), completion.messages)
        table.completion = None
        table.fresh = False

    def _has_all(self, table: AdjRibOut) -> bool:
        """Whether the members were told everything that the kernel does not hold up."""
        if self._reading is not None or len(self._changed) or table.is_behind:
            return False
        return not table.is_to_announce and not table.is_to_withdraw

    def _proceed(self, table: AdjRibOut) -> bool:
        """Whether the table's members can take more; those who cannot get a table of their own."""
        if table.comparison is not None:
            return False
        ready = [member for member in table.members.values() if member.outlet.has_credit]
        if not ready:
            return False
        if len(ready) < len(table.members):
            blocked = [member for member in table.members.values() if not member.outlet.has_credit]
            self._tables.append(table.split(blocked))
        table.fresh = False
        return True

    def _join_tables(self) -> None:
        """Put together the tables that have come to say the same."""
        if len(self._tables) < 2:
            return
        kept: list[AdjRibOut] = []
        by_size: dict[tuple[int, int, int], AdjRibOut] = {}
        for table in self._tables:
            other = by_size.setdefault(table.sizes, table)
            if other is not table and table.pending_count <= JOIN_PENDING_MAX and other.equals(table):
                other.members.update(table.members)
            else:
                kept.append(table)
        self._tables = kept

    # ---- sizes

    def has_work(self) -> bool:
        """Whether a call now would get something done."""
        if len(self._changed) or self._reading is not None or self._discarded:
            return True
        if not all(told.users for told in self._departed):
            return True
        return any(table.looks_ahead or _has_work(table) for table in self._tables)

    def next_deadline(self) -> int | None:
        """When a completion stops waiting for the kernel; one that is withheld waits for others."""
        deadlines = [
            table.completion.deadline
            for table in self._tables
            if table.completion is not None
            and table.completion.deadline is not None
            and not table.completion.is_withheld
            and len(table.waiting)
            and self._has_all(table)
        ]
        return min(deadlines, default=None)

    def untold_count(self) -> int:
        """How many prefixes a member with credit is still to be told of, at least."""
        pending = [
            table.announcing_count + table.withdrawing_count for table in self._tables if _has_work(table)
        ]
        return len(self._changed) + max(pending, default=0)

    def pending_count(self) -> int:
        """Prefixes to tell, summed over the peers; those to be told again count when they are due."""
        changed = len(self._changed)
        if self._reading is not None:
            changed = max(changed, len(self._loc_rib) - len(self._wanted))
        return sum([(self._pending_of(table) + changed) * len(table.members) for table in self._tables])

    def _pending_of(self, table: AdjRibOut) -> int:
        if table.joining is None:
            return table.pending_count
        return max(table.pending_count, len(self._wanted) - table.told_count)

    def _table_of(self, peer: PeerId) -> AdjRibOut:
        return next(table for table in self._tables if peer in table.members)


def _source(path: Path, export: Export | None) -> PeerId | None:
    """The peer that a path is never told to."""
    if export is not None:
        return export.source
    return None if path.peer is None else path.peer.peer


def _traced_paths(view: ExportView, loc_rib: LocRib, nlri: Nlri) -> list[Path]:
    """The paths that peers of a view are told of: the selected one, or all that may be used (RFC 7911)."""
    if view.add_path:
        contest = loc_rib.contest(nlri)
        return [path for path in contest.paths if path not in contest.barred]
    best = loc_rib.path(nlri)
    return [] if best is None else [best]


def _others(table: AdjRibOut, source: PeerId | None) -> Iterable[Member]:
    """The members who are told of routes of this source."""
    if source is None or source not in table.members:
        return table.members.values()
    return [member for member in table.members.values() if member.peer != source]


def _in_batches(pending: Sequence[tuple[Nlri, Export | None]]) -> list[Batch]:
    """Prefixes to withdraw, by what was told of them."""
    batches: dict[Export, list[Nlri]] = {}
    for nlri, known in pending:
        if known is None:
            continue  # Never so: what nobody knows need not be withdrawn.
        batches.setdefault(known, []).append(nlri)
    return list(batches.items())


def _has_work(table: AdjRibOut) -> bool:
    if table.comparison is not None:
        return False
    if table.is_to_announce or table.is_to_withdraw:
        return any(member.outlet.has_credit for member in table.members.values())
    completion = table.completion
    if completion is None or completion.is_withheld:
        return False
    return not len(table.waiting) and not table.is_behind


def _send(members: Iterable[Member], messages: Sequence[bytes]) -> None:
    octets = sum(map(len, messages))
    for member in members:
        member.outlet.put(messages, octets)
