"""Turns to reset sessions, by leased keys of etcd: who stands longest in line has it.

    grant a lease ─▶ put our key ─▶ is there an older one? ── no ─▶ ours, until released or the lease is lost
                                      ▲       │ yes
                                      └── it is gone ◀─ watch the youngest of those alone

So every key that goes wakes one node, however many stand in line. Ours keeps its place if a former life of
the agent left it: the put is a new version of it, under the new lease.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, NoReturn

import trio

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.agent.inputs import Input, TurnAwaited, TurnGranted, TurnLost, TurnRefused
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    SnapshotReceived,
    StoreInput,
)
from felixbgp.runtime.etcd import EtcdClient, EtcdError, LeaseLost, keep_alive, methods, watch_prefixes
from felixbgp.runtime.etcd.lease import REVOKE_SECONDS_MAX
from felixbgp.runtime.etcd.values import range_end_of, text_of_key, to_bytes
from felixbgp.status import keys

TTL_SECONDS: Final = 15
"""How long a dead agent holds up the others: that of its `alive` key."""


class Turn:
    """One node's place in line, while there is somebody who wants it."""

    def __init__(
        self,
        client: EtcdClient,
        node: str,
        nursery: trio.Nursery,
        deliver: Callable[[Iterable[Input]], None],
    ) -> None:
        self._client = client
        self._node = node
        self._nursery = nursery
        self._deliver = deliver
        self._scope: trio.CancelScope | None = None

    def acquire(self) -> None:
        """Stand in line; `deliver` hears how that goes."""
        self.release()
        self._scope = trio.CancelScope()
        self._nursery.start_soon(self._run, self._scope)

    def release(self) -> None:
        """Leave the line, or give the turn to the next."""
        if self._scope is not None:
            self._scope.cancel()
        self._scope = None

    async def _run(self, scope: trio.CancelScope) -> None:
        backoff = self._client.new_backoff()
        with scope:
            while True:
                try:
                    await self._stand_in_line()
                except LeaseLost as error:
                    self._deliver([TurnLost(str(error))])
                    return
                except EtcdError as error:
                    self._deliver([TurnRefused(str(error))])
                    await trio.sleep(backoff.next_delay())

    async def _stand_in_line(self) -> NoReturn:
        """Have a place in line, and in the end the turn, until something fails. Raises `EtcdError`."""
        lease = await self._client.grant_lease(TTL_SECONDS)
        try:
            await self._client.put(keys.resets_key(self._node), "", lease=lease)
            raise await _first_failure(lambda: keep_alive(self._client, lease), self._wait_and_hold)
        finally:
            with trio.move_on_after(REVOKE_SECONDS_MAX, shield=True), suppress(EtcdError):
                await self._client.revoke_lease(lease)

    async def _wait_and_hold(self) -> NoReturn:
        while (before := await self._next_before()) is not None:
            self._deliver([TurnAwaited(before.removeprefix(keys.RESETS))])
            await self._wait_gone(before)
        self._deliver([TurnGranted()])
        await trio.sleep_forever()

    async def _next_before(self) -> str | None:
        """The key of who has its turn right before us; None when that is nobody."""
        ours = await self._client.get(keys.resets_key(self._node))
        if ours is None:
            raise LeaseLost("our place in line is gone", method=methods.RANGE.path)
        start = to_bytes(keys.RESETS)
        request = rpc_pb2.RangeRequest(key=start, range_end=range_end_of(start), limit=1, keys_only=True)
        request.max_create_revision = ours.create_revision - 1
        request.sort_order = rpc_pb2.RangeRequest.DESCEND
        request.sort_target = rpc_pb2.RangeRequest.CREATE
        answer = await self._client.request(methods.RANGE, request)
        return text_of_key(answer.kvs[0].key) if answer.kvs else None

    async def _wait_gone(self, key: str) -> None:
        """Wait until a key is gone; what keeps us from hearing of it is delivered."""
        async with watch_prefixes(self._client, (key,)) as batches:
            async for batch in batches:
                if any(_says_gone(key, event) for event in batch):
                    return
                for event in batch:
                    if isinstance(event, DatastoreLost):
                        self._deliver([TurnRefused(event.reason)])
                    elif isinstance(event, DatastoreRestored):
                        self._deliver([TurnAwaited(key.removeprefix(keys.RESETS))])


def _says_gone(key: str, event: StoreInput) -> bool:
    if isinstance(event, SnapshotReceived):
        return all(value.key != key for value in event.values)
    return isinstance(event, KeyDeleted) and event.key == key


async def _first_failure(*tasks: Callable[[], Awaitable[NoReturn]]) -> EtcdError:
    """Run tasks side by side until one fails, and cancel the others."""
    failures: list[EtcdError] = []
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(_run_into, failures, task, nursery.cancel_scope)
    return failures[0]


async def _run_into(
    failures: list[EtcdError], task: Callable[[], Awaitable[NoReturn]], scope: trio.CancelScope
) -> None:
    try:
        await task()
    except EtcdError as error:
        failures.append(error)
        scope.cancel()
