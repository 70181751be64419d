"""The store as the verbs use it: a few requests, and errors for people."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

import click
import trio

from felixbgp.runtime.etcd.client import EtcdClient, open_client
from felixbgp.runtime.etcd.errors import (
    DeadlineExceeded,
    EtcdError,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.etcd.values import KeyValue

Result = TypeVar("Result")


class StoreError(click.ClickException):
    """Why a command could not do its work; printed as it is."""


class Stored(NamedTuple):
    """A key, its value, and the revision that wrote it."""

    key: str
    value: bytes
    revision: int


class Store:
    """etcd. Every request ends within its deadline; failures are `StoreError`s."""

    def __init__(self, client: EtcdClient) -> None:
        self._client = client

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

    async def put_if_unchanged(self, key: str, value: bytes, revision: int) -> bool:
        """Write a key that was last written at `revision` (0: that does not exist); False if that changed."""
        from felixbgp.runtime.etcd.transactions import Mod, Put  # noqa: PLC0415 - imports grpc: 0.1 s

        request = self._client.txn(compare=[Mod(key) == revision], success=[Put(key, value)])
        return (await self._answer(request)).succeeded

    async def delete(self, key: str, revision: int | None = None) -> bool:
        """Delete a key; False when there was none, or none that was last written at `revision`."""
        if revision is None:
            return (await self._answer(self._client.delete(key))).deleted > 0
        from felixbgp.runtime.etcd.transactions import Delete, Mod  # noqa: PLC0415 - imports grpc: 0.1 s

        request = self._client.txn(compare=[Mod(key) == revision], success=[Delete(key)])
        return (await self._answer(request)).succeeded

    async def _answer(self, request: Awaitable[Result]) -> Result:
        try:
            return await request
        except EtcdError as error:
            raise StoreError(explained(error, self._client.settings)) from error


def run_with_store(settings: EtcdSettings, work: Callable[[Store], Awaitable[Result]]) -> Result:
    """Run `work` with a connection to etcd, and give its result. Raises `StoreError`."""
    return trio.run(_run, settings, work)


async def _run(settings: EtcdSettings, work: Callable[[Store], Awaitable[Result]]) -> Result:
    async with open_client(settings) as client:
        return await work(Store(client))


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
