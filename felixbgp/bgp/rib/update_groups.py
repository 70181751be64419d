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

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.evaluate import AttributeView, Decided, PolicyView, PrefixView
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.adj_rib_out import AdjRibOut, Completion, Member
from felixbgp.bgp.rib.export import Export, ExportView, Tally, export
from felixbgp.bgp.rib.loc_rib import Decided as LocRibDecided
from felixbgp.bgp.rib.loc_rib import LocRib, take_first
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.wire.update import EncodedSet, encode_end_of_rib, encode_routes, encode_withdrawals
from felixbgp.net import Nlri

BATCH: Final = 1024
"""Prefixes encoded between two looks at the credit: at one attribute set each, about 100 KiB of messages."""
# Bounds of memory are no `Final`: mypyc would build their values in, and no test could set smaller ones.
EXPORTS_MAX: int = 8192
"""Remembered results per path. When full all are forgotten, as finding the dead ones would cost as much.
Prefixes of one path mostly come together; a drain settles few more paths than these."""
EXPORTS_OCTETS_MAX: int = 64 << 20
"""The same for the memory they keep: 1 KiB for each, as much as the paths of the Internet take."""
POLICIES_MAX: int = 4096
"""Interfaces for which the policy is kept in narrowed form, which workloads come and go with; likewise."""
NUMBERS_SWEEP_FIRST: Final = 4096
"""Path identifiers before unused ones are looked for; from then on, twice the number in use."""
COMPLETION_WAIT_NS: Final = 5_000_000_000
"""How long End-of-RIB waits for the kernel: batches of routes take milliseconds, a refused one forever."""
NLRI_OCTETS_MAX: Final = 17
"""Of a /128."""
JOIN_PENDING_MAX: Final = 1024
"""Tables with more pending prefixes are not compared, as that would cost more than it saves."""

OUTDATED: Final = Export(None, EncodedSet(b"", b"", 0), via_us=False)
"""What a peer that asks for its routes again is taken to know: something, and never the right thing."""


class PathNumbers:
    """The path identifiers that we send: one per source of paths, so a path keeps its own (RFC 7911 §5).

    A peer may use any identifiers, ever new ones, so those whose paths are gone have to be given up.
    """

    __slots__ = ("_free", "_identifiers", "_sweep_at")

    def __init__(self) -> None:
        self._identifiers: dict[tuple[PeerId | None, bytes], bytes] = {}
        self._free: list[bytes] = []
        """Those given up; with those in use they are the numbers from 1 on."""
        self._sweep_at = NUMBERS_SWEEP_FIRST

    def identifier(self, path: Path) -> bytes:
        """Four octets; no two paths of one prefix have the same."""
        source = (None if path.peer is None else path.peer.peer, path.path_id)
        known = self._identifiers.get(source)
        if known is None:
            new = self._free.pop() if self._free else (len(self._identifiers) + 1).to_bytes(4, "big")
            known = self._identifiers[source] = new
        return known

    @property
    def are_many(self) -> bool:
        """Whether it is time for `sweep`."""
        return len(self._identifiers) >= self._sweep_at

    def sweep(self, used: Container[bytes]) -> None:
        """Give up those that nobody uses."""
        kept = {source: number for source, number in self._identifiers.items() if number in used}
        self._free += [number for source, number in self._identifiers.items() if source not in kept]
        self._identifiers = kept
        self._sweep_at = max(NUMBERS_SWEEP_FIRST, 2 * len(kept))


class UpdateGroup:
    """The peers of one export view: what they should know, and their tables."""

    __slots__ = (
        "_changed",
        "_exports",
        "_identifier_octets",
        "_interned",
        "_keys",
        "_loc_rib",
        "_numbers",
        "_octets",
        "_policies",
        "_tables",
        "_tallies",
        "_views",
        "_wanted",
        "view",
    )

    def __init__(self, view: ExportView, loc_rib: LocRib, numbers: PathNumbers) -> None:
        self.view = view
        self._loc_rib = loc_rib
        self._numbers = numbers
        self._keys: dict[Nlri, tuple[Nlri, ...]] = {}
        self._wanted: dict[Nlri, Export] = {}
        self._identifier_octets = view.identifier_octets
        self._changed: dict[Nlri, Path | None] = loc_rib.selected_paths()
        """Prefixes to settle, each with its selected path, None if there is none any more."""
        self._tallies: dict[PeerId | None, Tally] = {}
        self._tables: list[AdjRibOut] = []
        self._exports: dict[Path | Decided, Export | None] = {}
        """By path, or by verdict where the policy changed the path's attributes."""
        self._interned: dict[tuple[PeerId | None, bytes, bytes], Export] = {}
        self._policies: dict[tuple[RouteSource, str], PolicyView] = {}
        self._views: dict[Path, PrefixView | AttributeView] = {}
        self._octets = 0
        """About how much memory these results keep."""

    # ---- members

    @property
    def empty(self) -> bool:
        """Whether nobody is left."""
        return not self._tables

    def join(self, member: Member, now: int) -> None:
        """A session was established: its peer knows nothing, and gets everything and then End-of-RIB."""
        for table in self._tables:
            if table.fresh:
                table.members[member.peer] = member
                return
        table = AdjRibOut((member,))
        table.announcing = dict.fromkeys(self._wanted)
        end_of_rib = encode_end_of_rib(self.view.family)
        table.completion = Completion((end_of_rib,), now + COMPLETION_WAIT_NS)
        self._tables.append(table)

    def leave(self, peer: PeerId) -> None:
        """A peer goes, and what it was told is forgotten."""
        table = self._table_of(peer)
        del table.members[peer]
        if not table.members:
            self._tables.remove(table)

    def leave_together(self, peers: Sequence[PeerId]) -> list[AdjRibOut]:
        """Peers go; returns their tables, for `told` and another group."""
        left: list[AdjRibOut] = []
        for table in list(self._tables):
            members = [table.members[peer] for peer in peers if peer in table.members]
            if members:
                left.append(table.split(members))
            if not table.members:
                self._tables.remove(table)
        return left

    def told(self, table: AdjRibOut) -> dict[Nlri, Export]:
        """What the members of a table were told, their own routes included."""
        return table.known(self._wanted)

    def adopt(self, table: AdjRibOut, told: dict[Nlri, Export]) -> None:
        """Peers come over from another view: tell them the difference, and nothing else."""
        self.settle(len(self._changed))
        differing = {
            nlri: told.get(nlri) for nlri, wanted in self._wanted.items() if not wanted.same(told.get(nlri))
        }
        table.announcing = differing
        table.waiting = {}
        table.withdrawing = {nlri: known for nlri, known in told.items() if nlri not in self._wanted}
        table.fresh = False
        self._tables.append(table)

    def refresh(self, peer: PeerId, opening: tuple[bytes, ...], closing: tuple[bytes, ...], now: int) -> None:
        """A peer asks for everything again (RFC 2918 §4), between two marks if it knows RFC 7313's."""
        table = self._table_of(peer)
        if len(table.members) > 1:
            table = table.split((table.members[peer],))
            self._tables.append(table)
        for nlri, wanted in self._wanted.items():
            if wanted.source != peer and nlri not in table.waiting:
                table.announcing.setdefault(nlri, OUTDATED)
        table.fresh = False
        if table.completion is not None:
            return  # RFC 7313 §4: no marks before End-of-RIB, which ends this table too.
        _send(table.members.values(), opening)
        if closing:
            table.completion = Completion(closing, now + COMPLETION_WAIT_NS)

    def advertised_counts(self) -> Iterator[tuple[PeerId, int]]:
        """For every member how many prefixes it was told; worked out once for those of one table."""
        for table in self._tables:
            changed = self._told_otherwise(table)
            total = len(self._wanted) + sum(changed.values())
            for peer in table.members:
                tally = self._tallies.get(peer)
                yield peer, total - changed[peer] - (0 if tally is None else tally.count)

    def _told_otherwise(self, table: AdjRibOut) -> Counter[PeerId | None]:
        """By source, how many prefixes more its members were told than they should know."""
        counts: Counter[PeerId | None] = Counter()
        for pending in (table.announcing, table.waiting):
            for nlri, known in pending.items():
                counts[self._wanted[nlri].source] -= 1
                if known is not None:
                    counts[known.source] += 1
        for known in table.withdrawing.values():
            if known is not None:
                counts[known.source] += 1
        return counts

    def path_identifiers(self) -> set[bytes]:
        """Those in use."""
        octets = self._identifier_octets
        return {key[:octets] for keys in self._keys.values() for key in keys}

    # ---- changes

    def mark(self, decided: LocRibDecided) -> None:
        """Paths of prefixes changed: for most peers only the selected one counts."""
        for _, nlris in decided.gone:
            self._changed.update(dict.fromkeys(nlris))
        settled = not self._changed
        for path, nlris in decided.fresh:
            if not settled or not self._settle_fresh(path, nlris):
                self._changed.update(dict.fromkeys(nlris, path))
        if self.view.add_path:
            for nlri, _ in decided.touched:
                self._changed[nlri] = None
        else:
            self._changed.update(decided.moved)

    def _settle_fresh(self, path: Path, nlris: list[Nlri]) -> bool:
        """Settle prefixes that had no path before, at once if they all fare alike; whether they do."""
        decided = None if self.view.add_path else self._view(path).constant
        if decided is None:
            return False
        export = self._export_decided(path, decided)
        if export is None:
            return True
        if export.room < NLRI_OCTETS_MAX:
            return False
        self._wanted.update(dict.fromkeys(nlris, export))
        export.tally.count += len(nlris)
        for table in self._tables:
            table.note_fresh(nlris, export)
        return True

    def release(self, nlris: Iterable[Nlri]) -> None:
        """The kernel is ready for these prefixes."""
        for table in self._tables:
            if table.waiting:
                for nlri in nlris:
                    for key in self._keys.get(nlri, (nlri,)):
                        table.release(key)

    def settle(self, budget: int) -> int:
        """Work out for up to `budget` changed prefixes what the peers should know; returns how many."""
        batch = take_first(self._changed, budget)
        if self.view.add_path:
            for nlri, _ in batch:
                self._settle_paths(nlri)
        else:
            self._settle_best(batch)
        return len(batch)

    def _settle_best(self, batch: Sequence[tuple[Nlri, Path | None]]) -> None:
        """Prefixes of one path come together, and unless the policy looks at prefixes they fare alike."""
        wanted = self._wanted
        before: Path | None = None
        alike: Export | None = None
        depends = False
        for nlri, path in batch:
            new: Export | None = None
            if path is not None:
                if path is not before:
                    before = path
                    decided = self._view(path).constant
                    depends = decided is None
                    alike = None if decided is None else self._export_decided(path, decided)
                new = self._export(nlri, path) if depends else alike
                if new is not None and len(nlri) > new.room:
                    new = None
            old = wanted.pop(nlri, None) if new is None else wanted.get(nlri)
            if new is not old:
                self._want(nlri, old, new)

    def _settle_paths(self, nlri: Nlri) -> None:
        """The same where peers are told every path that may be used, each under a key of its own."""
        exports: dict[Nlri, Export] = {}
        for path in self._loc_rib.candidates(nlri):
            export = self._export(nlri, path)
            if export is not None and len(nlri) + self._identifier_octets <= export.room:
                exports[self._numbers.identifier(path) + nlri] = export
        before = self._keys.pop(nlri, ())
        if exports:
            self._keys[nlri] = tuple(exports)
        for key in dict.fromkeys((*before, *exports)):
            new = exports.get(key)
            self._want(key, self._wanted.pop(key, None) if new is None else self._wanted.get(key), new)

    def _want(self, key: Nlri, old: Export | None, new: Export | None) -> None:
        """The peers should know `new` from now on; None: nothing, and the old one is gone already."""
        if new is not None:
            if new.same(old):
                return
            self._wanted[key] = new
            new.tally.count += 1
        elif old is None:
            return
        if old is not None:
            old.tally.count -= 1
        for table in self._tables:
            table.note(key, old, new)

    def _export(self, nlri: Nlri, path: Path) -> Export | None:
        view = self._view(path)
        return self._export_decided(path, view.constant or view.decide(nlri))

    def _view(self, path: Path) -> PrefixView | AttributeView:
        """The policy, narrowed to a path."""
        policy = self._policies.get((path.source, path.interface)) or self._policy_of(path)
        return policy.plain or self._views.get(path) or self._view_of(path, policy)

    def _export_decided(self, path: Path, decided: Decided) -> Export | None:
        if not decided.accepted:
            return None
        key = path if decided.attributes is None else decided
        return self._exports[key] if key in self._exports else self._export_path(path, decided, key)

    def _policy_of(self, path: Path) -> PolicyView:
        if len(self._policies) >= POLICIES_MAX:
            self._policies.clear()
        narrowed = PolicyView(self.view.policy, self.view.family, path.source, path.interface)
        self._policies[path.source, path.interface] = narrowed
        return narrowed

    def _view_of(self, path: Path, policy: PolicyView) -> PrefixView | AttributeView:
        self._make_room(len(self._views), path)
        view = self._views[path] = policy.of(path.attributes)
        return view

    def _export_path(self, path: Path, decided: Decided, key: Path | Decided) -> Export | None:
        self._make_room(len(self._exports), path)
        result = export(self.view, path, decided.attributes)
        if result is not None:
            # Paths that differ in what is not exported become one, and share their messages.
            encoded = result.encoded
            result = self._interned.setdefault((result.source, encoded.octets, encoded.reach), result)
            tally = self._tallies.get(result.source)
            if tally is None:
                tally = self._tallies[result.source] = Tally()
            result.tally = tally
        self._exports[key] = result
        return result

    def _make_room(self, count: int, path: Path) -> None:
        """Forget what was worked out once it is too much; one more result of a path will be kept."""
        if count >= EXPORTS_MAX or self._octets >= EXPORTS_OCTETS_MAX:
            self._exports.clear()
            self._interned.clear()
            self._views.clear()
            self._octets = 0
        self._octets += path.octets

    # ---- sending

    def send_withdrawals(self, budget: int) -> int:
        """Tell of up to `budget` prefixes that are gone; returns how many."""
        done = 0
        for table in list(self._tables):
            while done < budget and table.withdrawing and self._proceed(table):
                batch = take_first(table.withdrawing, min(BATCH, budget - done))
                done += len(batch)
                self._withdraw(table, batch)
        return done

    def send_announcements(self, budget: int, held: Container[Nlri], now: int) -> int:
        """Tell of up to `budget` prefixes, those that the kernel holds up excepted; returns how many."""
        done = 0
        for table in list(self._tables):
            while done < budget and table.announcing and self._proceed(table):
                batch = take_first(table.announcing, min(BATCH, budget - done))
                done += len(batch)
                self._announce(table, batch, held)
            self._complete(table, now)
        self._join_tables()
        return done

    def _withdraw(self, table: AdjRibOut, batch: Sequence[tuple[Nlri, Export | None]]) -> None:
        family = self.view.family
        by_source: dict[PeerId | None, list[Nlri]] = {}
        before: Tally | None = None
        nlris: list[Nlri] = []
        for nlri, known in batch:
            if known is None:
                continue  # Never so: what nobody knows need not be withdrawn.
            if known.tally is not before:
                before = known.tally
                nlris = by_source.setdefault(known.source if known.source in table.members else None, [])
            nlris.append(nlri)
        for source, nlris in by_source.items():
            _send(_others(table, source), encode_withdrawals(family, nlris, self.view.message_octets_max))

    def _announce(
        self, table: AdjRibOut, batch: Sequence[tuple[Nlri, Export | None]], held: Container[Nlri]
    ) -> None:
        by_export: dict[Export, list[Nlri]] = {}
        told_before: dict[Nlri, Export] = {}
        octets, by_members = self._identifier_octets, table.members
        before: Export | None = None
        nlris: list[Nlri] = []
        for nlri, known in batch:
            wanted = self._wanted[nlri]
            if wanted.via_us and (nlri[octets:] if octets else nlri) in held:
                table.waiting[nlri] = known
                continue
            if wanted is not before:
                before = wanted
                nlris = by_export.setdefault(wanted, [])
            nlris.append(nlri)
            if known is not None and wanted.source in by_members:
                told_before[nlri] = known
        messages: dict[PeerId | None, list[bytes]] = {}
        for wanted, nlris in by_export.items():
            source = wanted.source if wanted.source in table.members else None
            messages.setdefault(source, []).extend(encode_routes(wanted.encoded, nlris))
        for source, from_source in messages.items():
            _send(_others(table, source), from_source)
        if told_before:
            self._retract(table, told_before)

    def _retract(self, table: AdjRibOut, told_before: dict[Nlri, Export]) -> None:
        """Take back from a peer what now comes from it: it knew another source's route until now."""
        gone: dict[PeerId | None, list[Nlri]] = {}
        for nlri, known in told_before.items():
            source = self._wanted[nlri].source
            if known.source != source:
                gone.setdefault(source, []).append(nlri)
        for source, nlris in gone.items():
            member = None if source is None else table.members.get(source)
            if member is not None:
                _send((member,), encode_withdrawals(self.view.family, nlris, self.view.message_octets_max))

    def _complete(self, table: AdjRibOut, now: int) -> None:
        """Say that the table is complete, once it is, or as far as it will be in time."""
        completion = table.completion
        if completion is None or self._changed or table.announcing or table.withdrawing:
            return
        if table.waiting and now < completion.deadline:
            return
        _send(table.members.values(), completion.messages)
        table.completion = None
        table.fresh = False

    def _proceed(self, table: AdjRibOut) -> bool:
        """Whether the table's members can take more; those who cannot get a table of their own."""
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
        return bool(self._changed) or any(_has_work(table) for table in self._tables)

    def next_deadline(self) -> int | None:
        """When a completion stops waiting for the kernel."""
        deadlines = [
            table.completion.deadline
            for table in self._tables
            if table.completion is not None and not table.announcing and not table.withdrawing
        ]
        return min(deadlines, default=None)

    def untold_count(self) -> int:
        """How many prefixes a member with credit is still to be told of, at least."""
        pending = [
            len(table.announcing) + len(table.withdrawing) for table in self._tables if _has_work(table)
        ]
        return len(self._changed) + max(pending, default=0)

    def pending_count(self) -> int:
        """Prefixes to tell, summed over the peers."""
        changed = len(self._changed)
        return sum((table.pending_count + changed) * len(table.members) for table in self._tables)

    def _table_of(self, peer: PeerId) -> AdjRibOut:
        return next(table for table in self._tables if peer in table.members)


def _others(table: AdjRibOut, source: PeerId | None) -> Iterable[Member]:
    """The members who are told of routes of this source."""
    if source is None or source not in table.members:
        return table.members.values()
    return [member for member in table.members.values() if member.peer != source]


def _has_work(table: AdjRibOut) -> bool:
    if table.announcing or table.withdrawing:
        return any(member.outlet.has_credit for member in table.members.values())
    return table.completion is not None and not table.waiting


def _send(members: Iterable[Member], messages: Sequence[bytes]) -> None:
    octets = sum(map(len, messages))
    for member in members:
        member.outlet.put(messages, octets)
