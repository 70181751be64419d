"""The store as the verbs use it: a few requests, and errors for people."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from time import time_ns
from typing import Any, NamedTuple, Protocol, TypeVar

import click
import trio

from felixbgp.runtime.etcd.client import EtcdClient, open_client
from felixbgp.runtime.etcd.errors import (
    DeadlineExceeded,
    EtcdError,
    PermissionDenied,
    ProtocolError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.etcd.values import KeyValue, MemberStatus, range_end_of
from felixbgp.runtime.etcd.watch import Batch, watch_prefixes
from felixbgp.runtime.telemetry_writes import Told, writes_told

Result = TypeVar("Result")

REHEARSAL = "felixbgp.rehearsal"
"""By what name a `Rehearsal` stands in the `meta` of click's context."""
REVOKE_SECONDS = 2
"""For tidying up before we leave; what is not tidied goes with its lease."""


class StoreError(click.ClickException):
    """Why a command could not do its work; printed as it is.

    Of no kind below, it is a refusal of this request alone.
    """


class NoAnswerError(StoreError):
    """The request was sent and not answered: a write may have happened or not."""


class NoStoreError(StoreError):
    """The store takes no request of ours: it cannot be reached, does not know us, or is full."""


class Stored(NamedTuple):
    """A key, its value, and the revision that wrote it."""

    key: str
    value: bytes
    revision: int


class Put(NamedTuple):
    """A value for a key that was last written at `revision`; 0: that does not exist."""

    key: str
    value: bytes
    revision: int


class Store:
    """etcd. Every request ends within its deadline; failures are `StoreError`s."""

    def __init__(self, client: EtcdClient, told: Told | None = None) -> None:
        self._client = client
        self._told = told

    async def get(self, key: str) -> Stored | None:
        """One key, or None."""
        found = await self._answer(self._client.get(key))
        return None if found is None else _stored(found)

    async def list(self, prefix: str) -> list[Stored]:
        """Every key that begins with `prefix`, in order."""
        return [*(await self.listing(prefix))[1]]

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys alone, where the values would be much."""
        return await self._answer(self._client.get_keys(prefix))

    async def listing(self, prefix: str) -> tuple[int, Sequence[Stored]]:
        """The same, and the revision of the store at which it was so."""
        listing = await self._answer(self._client.get_prefix(prefix))
        return listing.revision, [_stored(found) for found in listing.values]

    async def member(self) -> MemberStatus:
        """What the member of etcd says of itself that answers us."""
        return await self._answer(self._client.status())

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        """Write all, or none: False when one of the keys changed, or one of `existing` is not there.

        At most 128 keys (etcd's --max-txn-ops), and as many `existing`.
        """
        from felixbgp.runtime.etcd import transactions  # noqa: PLC0415 - imports grpc: 0.1 s

        compare = [transactions.Mod(put.key) == put.revision for put in puts]
        compare += [transactions.Version(key) > 0 for key in existing]
        success = [transactions.Put(put.key, put.value) for put in puts]
        return await self._write(compare, success, [put.key for put in puts])

    async def delete(
        self,
        keys: Collection[str],
        *,
        revisions: Mapping[str, int] | None = None,
        unchanged_since: int = 0,
        below: Collection[str] = (),
    ) -> bool:
        """Delete keys, or none: False when one of them was not last written at its revision in `revisions`.

        Nor when of the keys that begin with one of `below` any was written after `unchanged_since`.
        """
        from felixbgp.runtime.etcd import transactions  # noqa: PLC0415 - imports grpc: 0.1 s

        compare = [transactions.Mod(key) == revision for key, revision in (revisions or {}).items()]
        for prefix in below:
            end = range_end_of(prefix.encode())
            compare.append(transactions.Mod(prefix, end) < unchanged_since + 1)
        success = [transactions.Delete(key) for key in keys]
        return await self._write(compare, success, [*keys])

    @asynccontextmanager
    async def following(self, keys: Sequence[str]) -> AsyncIterator[trio.MemoryReceiveChannel[Batch]]:
        """What the keys that begin with these have, and then every change; for the time of the block."""
        async with watch_prefixes(self._client, keys) as batches:
            yield batches

    @asynccontextmanager
    async def leased(self, values: Mapping[str, bytes], ttl_seconds: int) -> AsyncIterator[None]:
        """Keys that are gone after the block, or when we are."""
        lease = await self._answer(self._client.grant_lease(ttl_seconds))
        try:
            for key, value in values.items():
                await self._answer(self._client.put(key, value, lease=lease))
            yield
        finally:
            with trio.move_on_after(REVOKE_SECONDS) as scope:
                scope.shield = True
                with suppress(EtcdError):
                    await self._client.revoke_lease(lease)

    async def _write(self, compare: Sequence[Any], success: Sequence[Any], keys: Sequence[str]) -> bool:
        began = time_ns()
        result = await self._answer(self._client.txn(compare=compare, success=success))
        if result.succeeded and self._told is not None:
            self._told(self._client.cluster_id, result.revision, keys, began)
        return result.succeeded

    async def _answer(self, request: Awaitable[Result]) -> Result:
        try:
            return await request
        except EtcdError as error:
            raise _kind_of(error)(explained(error, self._client.settings)) from error


class Rehearsal(Protocol):
    """Where a verb is to do its work instead; looked for in click's context (`felixbgp plan`)."""

    async def run(self, client: EtcdClient, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Run the work of a verb. Raises `StoreError`."""


def run_with_store(settings: EtcdSettings, work: Callable[[Store], Awaitable[Result]]) -> Result:
    """Run `work` with a connection to etcd, and give its result. Raises `StoreError`."""
    return trio.run(_run, settings, work)


async def _run(settings: EtcdSettings, work: Callable[[Store], Awaitable[Result]]) -> Result:
    context = click.get_current_context(silent=True)
    rehearsal = None if context is None else context.meta.get(REHEARSAL)
    async with open_client(settings) as client:
        if rehearsal is not None:
            instead: Rehearsal = rehearsal
            return await instead.run(client, work)
        async with writes_told(os.environ, _complain) as told:
            return await work(Store(client, told))


def _complain(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)


def _kind_of(error: EtcdError) -> type[StoreError]:
    match error:
        case Unavailable(unsent=True) | Unauthenticated() | ResourceExhausted():
            return NoStoreError
        case Unavailable() | DeadlineExceeded() | ProtocolError():
            return NoAnswerError
        case _:
            return StoreError


def explained(error: EtcdError, settings: EtcdSettings) -> str:
    """The failure of a request in words for the person who typed the command."""
    where = error.endpoint or ", ".join(settings.endpoints)
    match error:
        case Unavailable() if not error.endpoint:
            # No connection at all: the message lists every endpoint with its reason.
            return f"etcd cannot be reached: {error.message}"
        case Unavailable() | DeadlineExceeded():
            return f"etcd at {where} does not answer: {error.message}"
        case Unauthenticated() | PermissionDenied():
            who = f"user {settings.username!r}" if settings.username else "us without a user (ETCD_USERNAME)"
            return f"etcd at {where} refuses {who}: {error.message}"
        case _:
            return f"etcd at {where}: {error.message}"


def _stored(found: KeyValue) -> Stored:
    return Stored(found.text_key, found.value, found.mod_revision)
