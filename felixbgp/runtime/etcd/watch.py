"""Follow key prefixes for ever: a snapshot of each, then every change, across all that can happen to etcd.

    ┌─ is its history still the one that we know? ─ no ─▶ forget all revisions
    │  list what has no revision, all prefixes at one pinned revision ─▶ SnapshotReceived …
    │  one stream, one watcher a prefix, from the revision after the last one seen
    │      ─▶ KeyPut, KeyDeleted …, RevisionReached
    └─ stream ends: broken ─▶ DatastoreLost; compacted, refused ─▶ list again; draining ─▶ move; then wait

Standing rules:

* The revision to resume a prefix from moves on with delivered events and with notifications of progress for
  that watcher, not with the header of other answers: to a watcher that catches up etcd sends at most 1,000
  revisions at a time, under a header that is far ahead of them.
* An event may be delivered again after a disconnect, never lost. Events carry their revision.
* A store that was restored from a backup goes back to an earlier revision and on from there, and those that
  are connected first bring it past what others know. So who comes back asks for the keys as of the revision
  that it knows, without values: are they other ones, or of other revisions, its history is another.
* A consumer that does not take batches stops etcd from sending, by way of HTTP/2 flow control. So we hold at
  most a window and `BATCHES_MAX` answers, each of about 1.5 MiB (`fragment`) or one event.
* To a watcher with an expired token etcd says that it has no permission. Listing tells the one from the
  other: as a unary request it renews the token.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn

import trio

from felixbgp._pb.etcd import kv_pb2, rpc_pb2
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.runtime.etcd import errors, methods, values
from felixbgp.runtime.etcd.client import EtcdClient, Stream
from felixbgp.runtime.etcd.errors import (
    Compacted,
    EtcdError,
    FutureRevision,
    PermissionDenied,
    ProtocolError,
    Unauthenticated,
)
from felixbgp.runtime.etcd.nursery import background_nursery

Batch = list[StoreInput]

BATCHES_MAX: Final = 8
"""Batches that wait for the consumer. One holds one answer of etcd; 8 hide the latency."""
HAS_LEADER: Final = (("hasleader", "true"),)
"""Ask etcd to end the stream when its member loses the leader; else the watch would be silent for ever."""


@asynccontextmanager
async def watch_prefixes(
    client: EtcdClient, prefixes: Sequence[str], *, batches_max: int = BATCHES_MAX
) -> AsyncIterator[trio.MemoryReceiveChannel[Batch]]:
    """Follow `prefixes` for the time of the block; the channel gives batches and never ends by itself.

        async with watch_prefixes(client, ("/calico/resources/",)) as batches:
            async for batch in batches:
                for store_input in batch: …

    First comes one `SnapshotReceived` per prefix, all of one revision and in one batch (after `DatastoreLost`
    and `DatastoreRestored` if etcd was not there). A later one replaces all that was known under its prefix.
    `RevisionReached` follows when all prefixes have got so far. Nothing that etcd does raises here: failures
    are `DatastoreLost`, once an outage and once a refusal, and each is retried with backoff. Compaction, and
    a store that was restored from a backup or made anew, show as another snapshot.
    """
    if not prefixes:
        raise ValueError("at least one prefix is needed")
    send, receive = trio.open_memory_channel[Batch](batches_max)
    async with send, receive, background_nursery() as nursery:
        nursery.start_soon(Watcher(client, prefixes, send).run)
        yield receive


@dataclass(slots=True)
class Followed:
    """A prefix, and how far its events have been delivered; None when it must be listed first."""

    prefix: str
    revision: int | None = None
    is_created: bool = False
    known: dict[str, int] = field(default_factory=dict)
    """By key the revision that wrote it, as of `revision`."""
    partial: Batch = field(default_factory=list)
    """Events of a later one, which has not come as a whole."""

    def list_anew(self, revision: int, stored: Iterable[StoredValue]) -> None:
        """This is all that there is."""
        self.revision = revision
        self.known = {value.key: value.revision for value in stored}

    def take(self, batch: Batch, revision: int | None) -> None:
        """More events came; up to `revision` that is all, None if the last one is not whole."""
        self.partial += batch
        if revision is None:
            return
        for event in self.partial:
            if isinstance(event, KeyPut):
                self.known[event.stored.key] = event.stored.revision
            elif isinstance(event, KeyDeleted):
                self.known.pop(event.key, None)
        self.partial = []
        self.revision = max(self.revision or 0, revision)


class ListAgain(Exception):  # noqa: N818 - not an error: the text says why what we know is of no use
    """A prefix lost its revision."""


class Watcher:
    """Does the work of `watch_prefixes`."""

    def __init__(
        self, client: EtcdClient, prefixes: Sequence[str], send: trio.MemorySendChannel[Batch]
    ) -> None:
        self._client = client
        self._send = send
        # Watch ids are ours to choose (etcd 3.4); 0 would let the server choose.
        self._followed = {number: Followed(prefix) for number, prefix in enumerate(prefixes, start=1)}
        self._backoff = client.new_backoff()
        self._cluster_id: int | None = None
        self._reached = 0
        self._lost: DatastoreLost | None = None
        self._healthy_since: float | None = None
        self._checked = 0
        """On which connection the store's history was looked at last; all that was listed first is right."""

    async def run(self) -> None:
        """Follow until cancelled, or until the consumer closes its channel."""
        try:
            while True:
                await self._attempt()
        except trio.BrokenResourceError:
            return

    async def _attempt(self) -> None:
        """Follow once, until something ends it; then wait, so that no end of any kind makes us spin."""
        self._healthy_since = None
        try:
            await self._list_missing()
            await self._follow()
        except (Compacted, ListAgain):
            pass
        except EtcdError as error:
            await self._report_lost(DatastoreLost(str(error), isinstance(error, PermissionDenied)))
        await self._wait()

    async def _wait(self) -> None:
        patience = self._client.settings.backoff_max_seconds
        if self._healthy_since is not None and trio.current_time() - self._healthy_since >= patience:
            self._backoff.reset()
        await trio.sleep(self._backoff.next_delay())

    async def _report_lost(self, lost: DatastoreLost) -> None:
        if self._lost is None or self._lost.refused != lost.refused:
            self._lost = lost
            await self._send.send([lost])

    async def _report_restored(self) -> None:
        if self._lost is not None:
            self._lost = None
            await self._send.send([DatastoreRestored()])

    # Snapshots.

    async def _check_history(self) -> None:
        """After another connection: is the store, at a revision that we have seen, what it was?"""
        connection = self._client.connections_made
        if connection == self._checked:
            return
        for followed in self._followed.values():
            try:
                _, stored = await self._client.list_prefix(
                    followed.prefix, _written_at, revision=followed.revision or 0, keys_only=True
                )
            except Compacted as error:
                followed.revision = None
                raise ListAgain(error.message) from error
            except FutureRevision as error:
                self._forget_all(error.message)
            if dict(stored) != followed.known:
                self._forget_all(f"the store's history up to revision {followed.revision} is another one")
        self._checked = connection

    async def _list_missing(self) -> None:
        """Deliver a snapshot of every prefix without a revision, all of the same revision and together.

        Whoever gets half of a cluster as it is and half as it was would act on what never was so.
        """
        revision = 0
        missing = [followed for followed in self._followed.values() if followed.revision is None]
        connection = 0
        snapshots: list[SnapshotReceived] = []
        for followed in missing:
            prefix = followed.prefix
            revision, stored = await self._client.list_prefix(prefix, stored_value_of, revision=revision)
            snapshots.append(SnapshotReceived(prefix, revision, tuple(stored)))
            connection = connection or self._client.connections_made
        for followed, snapshot in zip(missing, snapshots, strict=True):
            followed.list_anew(revision, snapshot.values)
        if len(missing) == len(self._followed):
            self._checked = connection
        if missing:
            await self._report_restored()
            await self._send.send([*snapshots, *self._progress()])

    def _progress(self) -> Batch:
        """`RevisionReached` when the slowest prefix got further."""
        reached = min(followed.revision or 0 for followed in self._followed.values())
        if reached <= self._reached:
            return []
        self._reached = reached
        return [RevisionReached(reached)]

    # Events.

    async def _follow(self) -> None:
        """Watch on one stream until it fails, or until the connection wants to be left."""
        async with (
            self._client.open_stream(methods.WATCH, HAS_LEADER) as stream,
            background_nursery() as nursery,
        ):
            nursery.start_soon(_cancel_when_draining, stream, nursery.cancel_scope)
            await self._check_history()
            for number, followed in self._followed.items():
                followed.is_created, followed.partial = False, []
                await stream.send(_create_request(number, followed))
            while True:
                await self._on_answer(await stream.receive())

    async def _on_answer(self, answer: rpc_pb2.WatchResponse) -> None:
        followed = self._followed.get(answer.watch_id)
        if answer.canceled:
            self._on_canceled(followed, answer)
        if followed is None:
            text = f"an answer for a watch that we did not make: watch id {answer.watch_id}"
            raise ProtocolError(text, method=methods.WATCH.path)
        if answer.created:
            self._check_store(followed, answer)
            followed.is_created = True
            await self._on_created()
        elif batch := self._on_events(followed, answer):
            await self._send.send(batch)

    def _on_canceled(self, followed: Followed | None, answer: rpc_pb2.WatchResponse) -> NoReturn:
        """Raise why; a watch that was refused at its creation may have lost its id (-1)."""
        refusal = _refusal(answer)
        if isinstance(refusal, Compacted) and followed is not None:
            followed.revision = None
            raise ListAgain(refusal.message)
        if isinstance(refusal, PermissionDenied | Unauthenticated):
            self._forget_all(refusal.message)
        raise refusal

    def _forget_all(self, reason: str) -> NoReturn:
        for followed in self._followed.values():
            followed.revision = None
        self._reached, self._cluster_id = 0, None
        raise ListAgain(reason)

    async def _on_created(self) -> None:
        await self._report_restored()
        if all(followed.is_created for followed in self._followed.values()):
            self._healthy_since = trio.current_time()

    def _on_events(self, followed: Followed, answer: rpc_pb2.WatchResponse) -> Batch:
        batch: Batch = [input_of(event) for event in answer.events]
        if answer.fragment:
            # More of the last revision may come: after a disconnect it must be sent again as a whole.
            followed.take(batch, None)
            return batch
        # An answer without events is a notification of progress for this watcher.
        revision = answer.events[-1].kv.mod_revision if answer.events else answer.header.revision
        followed.take(batch, revision)
        return batch + self._progress()

    def _check_store(self, followed: Followed, created: rpc_pb2.WatchResponse) -> None:
        """Is it the store that we know? One made anew, or from a backup, counts its revisions differently.

        A member that lags behind looks the same; listing makes it wait until it has caught up.
        """
        cluster_id, revision = created.header.cluster_id, created.header.revision
        if self._cluster_id not in {None, cluster_id}:
            self._forget_all("this is another etcd cluster than before")
        self._cluster_id = cluster_id
        if revision < (followed.revision or 0):
            self._forget_all(f"the store went back to revision {revision}")


async def _cancel_when_draining(stream: Stream, scope: trio.CancelScope) -> None:
    await stream.draining.wait()
    scope.cancel()


def _create_request(number: int, followed: Followed) -> rpc_pb2.WatchRequest:
    start = followed.prefix.encode()
    create = rpc_pb2.WatchCreateRequest(
        watch_id=number,
        key=start or b"\0",
        range_end=values.range_end_of(start),
        start_revision=(followed.revision or 0) + 1,
        progress_notify=True,
        fragment=True,
    )
    return rpc_pb2.WatchRequest(create_request=create)


def _refusal(answer: rpc_pb2.WatchResponse) -> EtcdError:
    """Why etcd canceled a watch."""
    path = methods.WATCH.path
    if answer.compact_revision:
        return Compacted(f"history begins at revision {answer.compact_revision}", method=path)
    reason = answer.cancel_reason or "canceled without a reason"
    return errors.error_of_status(errors.UNAVAILABLE, reason, method=path, endpoint="")


def _written_at(message: kv_pb2.KeyValue) -> tuple[str, int]:
    """A key, and the revision that wrote it."""
    return values.text_of_key(message.key), message.mod_revision


def stored_value_of(message: kv_pb2.KeyValue) -> StoredValue:
    """A stored key for the core."""
    return StoredValue(values.text_of_key(message.key), message.value, message.mod_revision)


def input_of(event: kv_pb2.Event) -> StoreInput:
    """A change for the core."""
    if event.type == kv_pb2.Event.DELETE:
        return KeyDeleted(values.text_of_key(event.kv.key), event.kv.mod_revision)
    return KeyPut(stored_value_of(event.kv))
