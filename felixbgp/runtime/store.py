"""The agent's end of etcd: follow the cluster, keep `alive`, write status and reports."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from time import time_ns

import trio

from felixbgp import __version__
from felixbgp.agent.effects import Follow, PutNodeStatusResource
from felixbgp.agent.inputs import (
    AuditWriteFailed,
    AuditWritten,
    Input,
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceWritten,
    StatusWriteFailed,
    StatusWritten,
)
from felixbgp.agent.liveness import AskAlive
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    PrefixRefused,
    RevisionReached,
    StoreInput,
)
from felixbgp.cluster.parts import Work
from felixbgp.cluster.secrets import SecretId
from felixbgp.resources import ResourceKey
from felixbgp.runtime import liveness, state_directory
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.etcd import EtcdClient, EtcdError, EtcdSettings, LeasedKey, open_client, watch_prefixes
from felixbgp.runtime.state_directory import StateDirectory
from felixbgp.runtime.state_keeper import StateKeeper
from felixbgp.runtime.turns import Turn
from felixbgp.status import audit_document, document, keys, report_document
from felixbgp.status.audit import AuditAnswer
from felixbgp.status.node_status import NodeStatus

ALIVE_TTL_SECONDS = 15
"""How long a dead agent looks alive; short for people, long against a store that pauses for an election."""


PEERS_AT_ONCE = 50
"""Whose lines are made before sessions get their turn: some 2 ms."""
ENCODED_AT_ONCE = 200
"""Parts of a report (`cluster/parts.py`): the same."""


class NodeStore:
    """What one node reads and writes in etcd."""

    def __init__(
        self,
        client: EtcdClient,
        node: str,
        nursery: trio.Nursery,
        deliver: Callable[[Iterable[Input]], None],
        wait_room: Callable[[], Awaitable[None]],
        *,
        state: StateDirectory | None = None,
        endpoint: str = "",
    ) -> None:
        """With a `state` directory, what is followed is kept there, and given back when etcd is away.

        `endpoint` is where others can ask the agent, which the `alive` key tells.
        """
        self._client = client
        self._nursery = nursery
        self._required: tuple[str, ...] = ()
        self._optional: dict[str, trio.CancelScope] = {}
        self._node = node
        self._endpoint = endpoint
        self.document: bytes | None = None
        """The status as it was written last, or tried to; None before the first."""
        self._deliver = deliver
        self._wait_room = wait_room
        self.turn = Turn(client, node, nursery, deliver)
        # Fixed, so that a moment keeps its wall time in every document, whatever happens to the clock.
        self._wall_offset_ns = time_ns() - now_ns()
        self._documents = document.Encoder(self._wall_offset_ns)
        self._keeper: StateKeeper | None = None
        if state is not None:
            endpoints = client.settings.endpoints
            self._keeper = StateKeeper(state, node, endpoints, deliver, lambda: client.cluster_id)

    @property
    def cluster_id(self) -> int:
        """Which etcd cluster this is; 0 before anything was read."""
        return self._client.cluster_id

    def follow(self, effect: Follow) -> None:
        """Begin to deliver what is under these prefixes and every change of it, and end with all others.

        The required ones share one stream, so that they are of one revision. Each optional one has its own:
        it comes and goes, or is refused, and the others do not notice.
        """
        if self._keeper is not None:
            self._keeper.follow(effect)
        if not self._required:
            self._required = effect.required
            self._nursery.start_soon(self._deliver_all, effect.required)
        for prefix in [prefix for prefix in self._optional if prefix not in effect.optional]:
            self._optional.pop(prefix).cancel()
        for prefix in effect.optional:
            if prefix not in self._optional:
                scope = self._optional[prefix] = trio.CancelScope()
                self._nursery.start_soon(self._deliver_optional, prefix, scope)

    def want_secrets(self, secrets: Iterable[SecretId]) -> None:
        """These are the ones that resources refer to."""
        if self._keeper is not None:
            self._keeper.want_secrets(secrets)

    async def keep(self) -> None:
        """Keep on disk what is followed, while the agent runs."""
        if self._keeper is not None:
            await self._keeper.run()

    def _hear(self, batch: Sequence[StoreInput]) -> None:
        if self._keeper is not None:
            self._keeper.heard(batch)
        self._deliver(batch)

    async def _deliver_all(self, prefixes: tuple[str, ...]) -> None:
        async with watch_prefixes(self._client, prefixes) as batches:
            async for batch in batches:
                self._hear(batch)
                await self._wait_room()

    async def _deliver_optional(self, prefix: str, scope: trio.CancelScope) -> None:
        with scope:
            async with watch_prefixes(self._client, (prefix,)) as batches:
                async for batch in batches:
                    self._hear([*_of_one_prefix(prefix, batch)])
                    await self._wait_room()

    async def stay_alive(self) -> None:
        """Keep the leased key while the agent runs."""
        alive = document.AgentAlive(__version__, time_ns(), os.getpid(), self._endpoint)
        value = document.encode_alive(alive)
        if self._keeper is not None:
            await self._keeper.keep_documents({state_directory.ALIVE: value})
        key = LeasedKey(
            self._client,
            keys.alive_key(self._node),
            value,
            ttl_seconds=ALIVE_TTL_SECONDS,
        )
        await key.run()

    async def publish(self, status: NodeStatus) -> None:
        """Write the status document and deliver how that went."""
        for first in range(0, len(status.peers), PEERS_AT_ONCE):
            self._documents.prepare(status.peers[first : first + PEERS_AT_ONCE])
            await trio.lowlevel.checkpoint()
        value = self.document = self._documents.encode(status)
        if self._keeper is not None:
            await self._keeper.keep_documents({state_directory.STATUS: value})
        answer: Input
        try:
            await self._client.put(keys.status_key(self._node), value)
        except EtcdError as error:
            answer = StatusWriteFailed(str(error))
        else:
            answer = StatusWritten()
        self._deliver([answer])

    async def ask_alive(self, effect: AskAlive) -> None:
        """Read whether a node's agent runs, and deliver the answer."""
        self._deliver([await liveness.ask_alive(self._client, effect)])

    async def answer_audit(self, answer: AuditAnswer) -> None:
        """Write the answer to who asked for an audit, and deliver how that went."""
        outcome: Input = AuditWritten()
        try:
            value = audit_document.encode(answer, self._wall_offset_ns)
            await self._client.put(keys.audit_key(self._node), value)
        except EtcdError as error:
            outcome = AuditWriteFailed(str(error))
        self._deliver([outcome])

    async def report(self, effect: PutNodeStatusResource) -> None:
        """Write a report into its CalicoNodeStatus, if that is as the agent knows it; deliver the answer."""
        from felixbgp.runtime.etcd.transactions import Mod, Put  # noqa: PLC0415 - imports grpc: 0.1 s

        key = str(ResourceKey("CalicoNodeStatus", effect.name))
        offset = self._wall_offset_ns
        encoding = Work(report_document.encode(effect.document, effect.report, offset, time_ns()))
        while (value := encoding.result) is None:
            encoding.go_on(ENCODED_AT_ONCE)
            await trio.lowlevel.checkpoint()
        answer: Input
        try:
            result = await self._client.txn(compare=[Mod(key) == effect.revision], success=[Put(key, value)])
        except EtcdError as error:
            answer = NodeStatusResourceFailed(effect.name, str(error))
        else:
            written = NodeStatusResourceWritten(effect.name, result.revision)
            answer = written if result.succeeded else NodeStatusResourceConflicted(effect.name)
        self._deliver([answer])


def _of_one_prefix(prefix: str, batch: Iterable[StoreInput]) -> Iterator[StoreInput]:
    """What a batch says of a prefix; how the store as a whole does is told by the required ones' stream."""
    for event in batch:
        if isinstance(event, DatastoreLost):
            if event.refused:
                yield PrefixRefused(prefix, event.reason)
        elif not isinstance(event, DatastoreRestored | RevisionReached):
            yield event


@asynccontextmanager
async def open_node_store(
    settings: EtcdSettings,
    node: str,
    deliver: Callable[[Iterable[Input]], None],
    wait_room: Callable[[], Awaitable[None]],
    *,
    state: StateDirectory | None = None,
    endpoint: str = "",
) -> AsyncIterator[NodeStore]:
    """A store that keeps the node's `alive` key, and its state on disk, for the time of the block."""
    async with open_client(settings) as client, trio.open_nursery() as nursery:
        store = NodeStore(client, node, nursery, deliver, wait_room, state=state, endpoint=endpoint)
        nursery.start_soon(store.stay_alive)
        nursery.start_soon(store.keep)
        yield store
        nursery.cancel_scope.cancel()
