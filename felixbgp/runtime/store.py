"""The agent's end of etcd: follow the cluster, keep the node's `alive` key, write its status."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from time import time_ns

import trio

from felixbgp import __version__
from felixbgp.agent.inputs import Input, StatusWriteFailed, StatusWritten
from felixbgp.cluster.state import watched_prefixes
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.etcd import EtcdClient, EtcdError, EtcdSettings, LeasedKey, open_client, watch_prefixes
from felixbgp.status import document, keys
from felixbgp.status.node_status import NodeStatus

ALIVE_TTL_SECONDS = 15
"""How long a dead agent looks alive; short for people, long against a store that pauses for an election."""


class NodeStore:
    """What one node reads and writes in etcd."""

    def __init__(
        self,
        client: EtcdClient,
        node: str,
        deliver: Callable[[Iterable[Input]], None],
        wait_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._node = node
        self._deliver = deliver
        self._wait_room = wait_room
        # Fixed, so that a moment keeps its wall time in every document, whatever happens to the clock.
        self._wall_offset_ns = time_ns() - now_ns()

    async def follow(self) -> None:
        """Deliver every change of the cluster, for ever."""
        async with watch_prefixes(self._client, watched_prefixes(self._node)) as batches:
            async for batch in batches:
                self._deliver(batch)
                await self._wait_room()

    async def stay_alive(self) -> None:
        """Keep the leased key while the agent runs."""
        alive = document.AgentAlive(__version__, time_ns(), os.getpid())
        key = LeasedKey(
            self._client,
            keys.alive_key(self._node),
            document.encode_alive(alive),
            ttl_seconds=ALIVE_TTL_SECONDS,
        )
        await key.run()

    async def publish(self, status: NodeStatus) -> None:
        """Write the status document and deliver how that went."""
        value = document.encode(status, self._wall_offset_ns)
        answer: Input
        try:
            await self._client.put(keys.status_key(self._node), value)
        except EtcdError as error:
            answer = StatusWriteFailed(str(error))
        else:
            answer = StatusWritten()
        self._deliver([answer])


@asynccontextmanager
async def open_node_store(
    settings: EtcdSettings,
    node: str,
    deliver: Callable[[Iterable[Input]], None],
    wait_room: Callable[[], Awaitable[None]],
) -> AsyncIterator[NodeStore]:
    """A store whose `follow` and `stay_alive` run for the time of the block."""
    async with open_client(settings) as client, trio.open_nursery() as nursery:
        store = NodeStore(client, node, deliver, wait_room)
        nursery.start_soon(store.follow)
        nursery.start_soon(store.stay_alive)
        yield store
        nursery.cancel_scope.cancel()
