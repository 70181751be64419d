"""The store as it was at one revision, and what a verb would write into it: for `felixbgp plan`.

    verb ─▶ RehearsedStore ─┬─ reads ─▶ what it wrote before, or etcd at one revision
                            └─ writes ─▶ kept here

The verbs do here what they do in earnest, with the same conditions: what they would refuse is refused.
"""

from collections.abc import Collection, Mapping, Sequence

from felixbgp.cli.store import Put, Store, Stored
from felixbgp.resources.keys import prefix_of
from felixbgp.runtime.etcd.client import EtcdClient


class RehearsedStore(Store):
    """Reads as of one revision; what is written is seen by later reads of this store, and by nobody else."""

    def __init__(self, client: EtcdClient) -> None:
        super().__init__(client)
        self.revision = 0
        """At which everything is read; 0 before `pin`."""
        self.changed: dict[str, bytes | None] = {}
        """What was written, None for what was deleted."""
        self._writes = 0
        self._revisions: dict[str, int] = {}

    async def pin(self) -> None:
        """Fix the revision: that of now. Raises `StoreError`."""
        first = await self._answer(self._client.get_prefix(prefix_of("BGPConfiguration")))
        self.revision = first.revision

    async def before(self, prefix: str) -> list[Stored]:
        """Every key that begins with `prefix` in etcd itself. Raises `StoreError`."""
        listing = await self._answer(self._client.get_prefix(prefix, revision=self.revision))
        return [Stored(one.text_key, one.value, one.mod_revision) for one in listing.values]

    async def get(self, key: str) -> Stored | None:
        """One key, or None."""
        if key in self.changed:
            value = self.changed[key]
            return None if value is None else Stored(key, value, self._revisions[key])
        found = await self._answer(self._client.get(key, revision=self.revision))
        return None if found is None else Stored(found.text_key, found.value, found.mod_revision)

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys alone, where the values would be much."""
        there = await self._answer(self._client.get_keys(prefix, revision=self.revision))
        kept = [key for key in there if key not in self.changed]
        return sorted([*kept, *(one.key for one in self._written(prefix))])

    async def listing(self, prefix: str) -> tuple[int, Sequence[Stored]]:
        """Every key that begins with `prefix`, in order, and the revision at which it was so."""
        kept = [one for one in await self.before(prefix) if one.key not in self.changed]
        return self.revision + self._writes, sorted([*kept, *self._written(prefix)])

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        """Write all, or none: False when one of the keys changed, or one of `existing` is not there."""
        for put in puts:
            if await self._revision_of(put.key) != put.revision:
                return False
        for key in existing:
            if not await self._revision_of(key):
                return False
        for put in puts:
            self._keep(put.key, put.value)
        return True

    async def delete(
        self,
        keys: Collection[str],
        *,
        revisions: Mapping[str, int] | None = None,
        unchanged_since: int = 0,  # noqa: ARG002 - nobody else writes here
        below: Collection[str] = (),  # noqa: ARG002
    ) -> bool:
        """Delete keys, or none: False when one was not last written at its revision in `revisions`."""
        for key, revision in (revisions or {}).items():
            if await self._revision_of(key) != revision:
                return False
        for key in keys:
            self._keep(key, None)
        return True

    async def _revision_of(self, key: str) -> int:
        found = await self.get(key)
        return 0 if found is None else found.revision

    def _keep(self, key: str, value: bytes | None) -> None:
        self._writes += 1
        self.changed[key] = value
        self._revisions[key] = self.revision + self._writes

    def _written(self, prefix: str) -> list[Stored]:
        return [
            Stored(key, value, self._revisions[key])
            for key, value in self.changed.items()
            if value is not None and key.startswith(prefix)
        ]
