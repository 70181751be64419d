"""What the verbs that write have in common: read what is stored, check everything, then write in order.

    given ─▶ read what is stored ─▶ drafts ─▶ rules between objects ─▶ all right?
                                                                           │
                    report ◀─ as many as could be written ◀─ conditional transactions

No write overwrites somebody else's: each is bound to the revision that was read. If that has changed, the
object is read and drafted again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import click

from felixbgp.cli.drafting import (
    Draft,
    InvalidError,
    RefusedError,
    Skipped,
    Write,
    conflict,
    draft,
    resource_of,
)
from felixbgp.cli.kinds import described
from felixbgp.cli.printing import as_yaml
from felixbgp.cli.progress import progress
from felixbgp.cli.report import Report
from felixbgp.cli.store import NoAnswerError, NoStoreError, Store, Stored, StoreError
from felixbgp.cli.table import printable
from felixbgp.resources import (
    AnyResource,
    BgpConfiguration,
    BgpPeer,
    BlockAffinity,
    Decoded,
    IpPool,
    ResourceKey,
    decode,
)
from felixbgp.resources.keys import HOSTS, prefix_of
from felixbgp.resources.write_rules import broken_write_rules

ATTEMPTS_MAX = 5
"""Somebody else may write between our read and our write, but hardly this often."""
LIST_FROM = 8
"""From so many objects of one kind on they are read in one request instead of one each."""
OPERATIONS_MAX = 128
"""In one transaction, conditions and writes each: etcd's --max-txn-ops unless it is told otherwise."""
BATCH_BYTES_MAX = 1_000_000
"""In one transaction of several objects; etcd takes 1.5 MiB (--max-request-bytes) in all."""


class Plan:
    """A run over several objects. Its report is true at any time, whatever ends the run."""

    def __init__(self, writes: Sequence[Write], *, dry_run: bool = False) -> None:
        self.report = Report()
        self._writes = writes
        self._dry_run = dry_run

    async def run(self, store: Store) -> Report:
        """Check everything, then write; nothing is written when a check fails (`click.ClickException`)."""
        stored = await read_all(store, [write.key for write in self._writes])
        drafts = self._drafted(stored)
        refuse(broken_rules(drafts, await read_others(store, drafts)))
        if self._dry_run:
            self._show(drafts)
            return self.report
        try:
            await self._write_all(store, drafts)
        except StoreError as error:
            self.report.broken_off = error.message
        return self.report

    def _drafted(self, stored: Mapping[str, Stored]) -> list[Draft]:
        """What is to be written; the report has what is not. Raises `click.ClickException`."""
        drafts: list[Draft] = []
        faults: list[str] = []
        for write in self._writes:
            try:
                drafts.append(draft(write, stored.get(str(write.key))))
            except InvalidError as error:
                faults += error.faults
            except RefusedError as error:
                self.report.errors.append((write.key, str(error)))
            except Skipped:
                self.report.skipped.append(write.key)
        refuse(faults)
        return drafts

    def _show(self, drafts: Iterable[Draft]) -> None:
        """The drafts into the report; an object that comes twice is drafted over what it became before."""
        shown: dict[ResourceKey, Stored] = {}
        for each in drafts:
            try:
                after = draft(each.write, shown[each.key]) if each.key in shown else each
            except RefusedError as error:
                self.report.errors.append((each.key, str(error)))
            except Skipped:
                self.report.skipped.append(each.key)
            else:
                shown[each.key] = Stored(after.put.key, after.value, after.put.revision)
                self.report.dry.append(_shown(after))
                self.report.done.append(each.key)

    async def _write_all(self, store: Store, drafts: Sequence[Draft]) -> None:
        once, again = _once_and_again(drafts)
        with progress(len(drafts), "writing") as advance:
            for batch in _batches(sorted(once, key=_rank)):
                await self._write_batch(store, batch)
                advance(len(batch))
            for each in again:
                # What the object is by now tells what becomes of it.
                await self._write_again(store, each)
                advance(1)

    async def _write_batch(self, store: Store, batch: Sequence[Draft]) -> None:
        """Write all at once; each by itself where that does not work. Raises `StoreError`."""
        self.report.done += [each.key for each in batch if each.is_stored]
        changed = [each for each in batch if not each.is_stored]
        try:
            if not changed or await self._put(store, changed):
                return
        except NoStoreError:
            raise
        except StoreError as error:
            if len(changed) == 1 and not isinstance(error, NoAnswerError):
                self.report.errors.append((changed[0].key, error.message))
                return
        for each in changed:
            await self._write_again(store, each)

    async def _write_again(self, store: Store, each: Draft) -> None:
        """Read, draft and write one object until nobody comes in between. Raises `StoreError`."""
        ours = {each.value}
        unanswered: NoAnswerError | None = None
        for _ in range(ATTEMPTS_MAX):
            stored = await store.get(str(each.key))
            try:
                if stored is None or stored.value not in ours:
                    each = await _drafted_again(store, each.write, stored)
                    ours.add(each.value)
                if stored is not None and stored.value in ours:
                    self.report.settle([each.key], self.report.done)
                    return
                if await self._put(store, [each]):
                    return
            except Skipped:
                self.report.settle([each.key], self.report.skipped)
                return
            except NoStoreError:
                raise
            except NoAnswerError as error:
                unanswered = error
            except (RefusedError, StoreError) as error:
                self.report.fail(each.key, str(error))
                return
        if unanswered is not None:
            raise unanswered
        self.report.fail(
            each.key, f"{conflict(each.key)}: somebody else wrote it {ATTEMPTS_MAX} times meanwhile"
        )

    async def _put(self, store: Store, drafts: Sequence[Draft]) -> bool:
        """Whether all were written. Raises `StoreError`."""
        write = store.put_unchanged([each.put for each in drafts], sorted(_needed(drafts)))
        return await self.report.send([each.key for each in drafts], write)


async def read_all(store: Store, keys: Sequence[ResourceKey]) -> dict[str, Stored]:
    """What is stored at these keys, as far as there is something."""
    found: dict[str, Stored] = {}
    by_kind: dict[str, list[ResourceKey]] = {}
    for key in keys:
        by_kind.setdefault(key.kind, []).append(key)
    for kind, wanted in by_kind.items():
        if len(wanted) >= LIST_FROM:
            found |= {stored.key: stored for stored in await store.list(prefix_of(kind))}
            continue
        for key in wanted:
            stored = await store.get(str(key))
            if stored is not None:
                found[stored.key] = stored
    return found


class Others(NamedTuple):
    """What is stored that the rules between objects look at; what is invalid counts as absent."""

    filters: dict[ResourceKey, AnyResource]
    pools: dict[ResourceKey, AnyResource]
    blocks: Sequence[BlockAffinity]

    def beside(self, each: Draft) -> Iterable[AnyResource | BlockAffinity]:
        """What a draft is held against; not all of it: every one of ten thousand objects asks."""
        match each.resource:
            case BgpPeer():
                keys = (ResourceKey("BGPFilter", name) for name in each.resource.spec.filters)
                return [self.filters[key] for key in keys if key in self.filters]
            case IpPool():
                return [*self.pools.values(), *self.blocks]
            case _:
                return ()


async def read_others(store: Store, drafts: Sequence[Draft]) -> Others:
    """What the rules between objects look at for these drafts. Raises `StoreError`."""
    others = Others({}, {}, [])
    if any(_filters_of(each) for each in drafts):
        others.filters.update(await _resources(store, "BGPFilter"))
    if any(isinstance(each.resource, IpPool) for each in drafts):
        others.pools.update(await _resources(store, "IPPool"))
        claims = [decode(stored.key, stored.value) for stored in await store.list(HOSTS)]
        blocks = [claim.value for claim in claims if isinstance(claim, Decoded)]
        return others._replace(blocks=[block for block in blocks if isinstance(block, BlockAffinity)])
    return others


async def _resources(store: Store, kind: str) -> dict[ResourceKey, AnyResource]:
    found = [resource_of(stored) for stored in await store.list(prefix_of(kind))]
    return {resource.key: resource for resource in found if resource is not None}


def broken_rules(drafts: Sequence[Draft], others: Others) -> list[str]:
    """What is wrong with the drafts beside each other and all others."""
    drafted = {each.key: each.resource for each in drafts}
    filters = {key: resource for key, resource in drafted.items() if key.kind == "BGPFilter"}
    pools = {key: resource for key, resource in drafted.items() if key.kind == "IPPool"}
    others = Others({**others.filters, **filters}, {**others.pools, **pools}, others.blocks)
    return [
        f"{each.write.subject}: {error}"
        for each in drafts
        # No other kind has such rules; ten thousand may come.
        if isinstance(each.resource, BgpPeer | BgpConfiguration | IpPool)
        for error in broken_write_rules(each.resource, resource_of(each.stored), others.beside(each))
    ]


async def _drafted_again(store: Store, write: Write, stored: Stored | None) -> Draft:
    """The object as it would be stored now. Raises `RefusedError`, `Skipped` and `StoreError`."""
    again = draft(write, stored)
    faults = broken_rules([again], await read_others(store, [again]))
    if faults:
        raise InvalidError(faults)
    return again


def _once_and_again(drafts: Iterable[Draft]) -> tuple[list[Draft], list[Draft]]:
    """The drafts of objects for the first time, and those of objects that were drafted before."""
    once: dict[ResourceKey, Draft] = {}
    again = [each for each in drafts if once.setdefault(each.key, each) is not each]
    return list(once.values()), again


def _rank(each: Draft) -> int:
    """BGPFilters come first: a BGPPeer without its filters would be down meanwhile."""
    return 0 if each.key.kind == "BGPFilter" else 1


def _filters_of(each: Draft) -> set[str]:
    """The keys of the filters that a BGPPeer names."""
    names = each.resource.spec.filters if isinstance(each.resource, BgpPeer) else ()
    return {str(ResourceKey("BGPFilter", name)) for name in names}


def _needed(drafts: Sequence[Draft]) -> set[str]:
    """The keys that must be there, so that nobody takes away meanwhile what the rules rely on."""
    needed = {key for each in drafts for key in _filters_of(each)} - {each.put.key for each in drafts}
    return set(sorted(needed)[: OPERATIONS_MAX - len(drafts)])


def _batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """As many at once as fit into a transaction, in order."""
    batch: list[Draft] = []
    size = 0
    needed: set[str] = set()
    for each in drafts:
        more = needed | _filters_of(each)
        if batch and (len(batch) + len(more) >= OPERATIONS_MAX or size + len(each.value) > BATCH_BYTES_MAX):
            yield batch
            batch, size, more = [], 0, _filters_of(each)
        batch.append(each)
        size += len(each.value)
        needed = more
    if batch:
        yield batch


def _shown(each: Draft) -> str:
    if each.is_stored:
        return f"# {described(each.key)}: unchanged\n"
    done = "created" if each.stored is None else "changed"
    return f"# {described(each.key)}: would be {done}\n{as_yaml(json.loads(each.value))}"


def refuse(faults: Iterable[str]) -> None:
    """End the command when there are faults, with a line for each."""
    if lines := [printable(fault) for fault in faults]:
        raise click.ClickException("\n".join(lines))
