"""A run of `felixbgp delete`: look for users of what is to go, then delete it in order.

    wanted ─▶ who uses it? ─▶ nobody, or forced ─▶ what uses others ─▶ what others may use ─▶ report
                                                           └─ conditional transactions ─┘

Users go first, and what they used only when they are gone: whatever ends the command, nothing is left that
names what does not exist. Nor when somebody begins to use it meanwhile: the transaction is bound to that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from felixbgp.cli.drafting import conflict, missing
from felixbgp.cli.kinds import described
from felixbgp.cli.progress import progress
from felixbgp.cli.report import Report
from felixbgp.cli.store import NoAnswerError, NoStoreError, Store, StoreError
from felixbgp.cli.usage import KINDS_USED, Usage, read_surroundings, watched
from felixbgp.cli.writing import ATTEMPTS_MAX, OPERATIONS_MAX, read_all, refuse
from felixbgp.resources import ResourceKey


class _Going(NamedTuple):
    """An object that is there to be deleted."""

    key: ResourceKey
    revision: int | None
    """Only when it was last written at this one."""
    along: tuple[ResourceKey, ...] = ()
    """What is deleted with it."""
    published: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    """Only when nothing was written meanwhile whose key begins with one of these."""
    remains: str = ""

    @property
    def keys(self) -> list[str]:
        """All that goes, the object last."""
        return [*map(str, self.along), *self.published, str(self.key)]


class Deletion:
    """A run of `delete`: what to delete, each with the resourceVersion that it must have, if any."""

    def __init__(
        self,
        wanted: Mapping[ResourceKey, str | None],
        *,
        skip_not_exists: bool = False,
        force: bool = False,
        dry_run: bool = False,
    ) -> None:
        self.report = Report()
        self.notes: list[str] = []
        """What was deleted along with something, and what stays behind of it."""
        self._wanted = wanted
        self._skip_not_exists = skip_not_exists
        self._force = force
        self._dry_run = dry_run

    async def run(self, store: Store) -> Report:
        """Delete all; `click.ClickException` when something is in use, and nothing was deleted then."""
        used = [key for key in self._wanted if key.kind in KINDS_USED]
        surroundings = await read_surroundings(store, {key.kind for key in used})
        usages = [surroundings.usage_of(key, self._wanted) for key in used]
        if not self._force:
            refuse(_in_use(usages))
        if self._dry_run:
            await self._show(store, {usage.key: usage for usage in usages})
            return self.report
        try:
            with progress(len(self._wanted), "deleting") as advance:
                for keys in ([key for key in self._wanted if key.kind not in KINDS_USED], used):
                    await self._delete(store, keys)
                    advance(len(keys))
        except StoreError as error:
            self.report.broken_off = error.message
        return self.report

    async def _show(self, store: Store, usages: Mapping[ResourceKey, Usage]) -> None:
        """What would be deleted, into the report."""
        for going in await self._present(store, list(self._wanted)):
            usage = usages.get(going.key, Usage(going.key))
            self.report.settle([going.key], self.report.done)
            self.report.dry.append(f"# {described(going.key)}: would be deleted\n")
            for own in usage.belongings if self._force else ():
                self.report.dry.append(f"# {described(own)}: would be deleted with it\n")

    async def _delete(self, store: Store, keys: Sequence[ResourceKey]) -> None:
        """Delete these, again where somebody comes in between. Raises `StoreError`."""
        for _ in range(ATTEMPTS_MAX):
            if not keys:
                return
            keys = await self._delete_once(store, keys)
        for key in keys:
            if key not in self.report.unknown:
                self.report.fail(key, conflict(key))

    async def _delete_once(self, store: Store, keys: Sequence[ResourceKey]) -> list[ResourceKey]:
        """Delete these; gives those that somebody came in between. Raises `StoreError`."""
        present = await self._present(store, keys)
        revision = 0
        if keys[0].kind in KINDS_USED:
            surroundings = await read_surroundings(store, {key.kind for key in keys})
            revision = surroundings.revision
            present = list(self._unused(present, {key: surroundings.usage_of(key) for key in keys}))
        return [key for batch in _batches(present) for key in await self._send(store, batch, revision)]

    async def _present(self, store: Store, keys: Sequence[ResourceKey]) -> list[_Going]:
        """Those that are there; the report has the others. Raises `StoreError`."""
        stored = await read_all(store, keys)
        present = []
        for key in keys:
            found, version = stored.get(str(key)), self._wanted[key]
            if found is None and key in self.report.unknown:
                self.report.settle([key], self.report.done)
            elif found is None and self._skip_not_exists:
                self.report.settle([key], self.report.skipped)
            elif found is None:
                self.report.fail(key, missing(key))
            elif version not in (None, str(found.revision)):
                self.report.fail(key, conflict(key))
            else:
                present.append(_Going(key, None if version is None else found.revision))
        return present

    def _unused(self, present: Iterable[_Going], usages: Mapping[ResourceKey, Usage]) -> Iterator[_Going]:
        """Those that nobody uses, or that go all the same; the report has the others."""
        for each in present:
            usage = usages[each.key]
            if self._force:
                yield each._replace(along=usage.belongings, published=usage.published, remains=usage.remains)
            elif usage.users:
                self.report.fail(each.key, _in_use([usage])[0])
            else:
                left = ", ".join(map(described, usage.belongings))
                remains = f"{left}, which means nothing without it" if left else ""
                below = watched(each.key)
                yield each._replace(published=usage.published, below=below, remains=remains)

    async def _send(self, store: Store, batch: Sequence[_Going], revision: int) -> list[ResourceKey]:
        """Delete these at once; gives them when somebody came in between. Raises `StoreError`."""
        objects = [each.key for each in batch]
        keys = [key for each in batch for key in each.keys]
        try:
            while len(keys) > OPERATIONS_MAX:
                # One that has this much along: the object itself is last.
                await store.delete(keys[:OPERATIONS_MAX])
                keys = keys[OPERATIONS_MAX:]
            deletion = store.delete(
                keys,
                revisions={str(each.key): each.revision for each in batch if each.revision is not None},
                unchanged_since=revision,
                below=sorted({prefix for each in batch for prefix in each.below}),
            )
            if not await self.report.send(objects, deletion):
                return objects
        except NoStoreError:
            raise
        except NoAnswerError:
            return objects
        except StoreError as error:
            if len(batch) > 1:
                return [key for each in batch for key in await self._send(store, [each], revision)]
            self.report.fail(objects[0], error.message)
            return []
        for each in batch:
            self._note(each)
        return []

    def _note(self, gone: _Going) -> None:
        if gone.along:
            self.notes.append(
                f"{described(gone.key)}: deleted with it: {', '.join(map(described, gone.along))}"
            )
        if gone.remains:
            self.notes.append(f"{described(gone.key)}: left behind: {gone.remains}")


def _in_use(usages: Iterable[Usage]) -> list[str]:
    """A line for each that is in use, and what can be done."""
    lines = [
        f"{described(usage.key)} is in use by {', '.join(usage.users)}" for usage in usages if usage.users
    ]
    return [*lines, "nothing was deleted; --force deletes it all the same"] if lines else []


def _batches(objects: Iterable[_Going]) -> Iterator[list[_Going]]:
    """As many at once as fit into a transaction, in order."""
    batch: list[_Going] = []
    writes = conditions = 0
    for each in objects:
        own = len(each.keys), len(each.below) + 1
        if batch and max(writes + own[0], conditions + own[1]) > OPERATIONS_MAX:
            yield batch
            batch, writes, conditions = [], 0, 0
        batch.append(each)
        writes, conditions = writes + own[0], conditions + own[1]
    if batch:
        yield batch
