"""Keeps on disk what the agent follows in the store, and gives it back when the store is away at a start.

    batches of the store ─▶ heard ─▶ LastKnown ─▶ at most every WRITE_SECONDS, and at the end ─▶ file
    nothing heard of a required prefix for PATIENCE_SECONDS ─▶ file ─▶ StateRecovered ─▶ Agent

Standing rules:

* Nothing is written before it is whole (`cluster/last_known.py`): it would take the place of a whole one.
* The file is written by a thread, and put together in parts: nobody waits for a disk.
* Whatever is wrong with the directory or the file is a line in the log. The agent runs without.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import trio

from felixbgp.agent.effects import Follow
from felixbgp.agent.inputs import Input
from felixbgp.cluster.inputs import StateRecovered, StoreInput
from felixbgp.cluster.last_known import LastKnown
from felixbgp.cluster.parts import Work
from felixbgp.cluster.secrets import SecretId
from felixbgp.runtime import state_directory, state_format
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.state_directory import StateDirectory, StateDirectoryError
from felixbgp.runtime.state_format import KeptState, StateFormatError
from felixbgp.runtime.telemetry import LOGGER

PATIENCE_SECONDS: Final = 3.0
"""How long etcd has at a start. Electing a leader takes it one second or two, and our own requests end after
three. After a reboot the kernel has no routes, so that every second more loses packets."""
WRITE_SECONDS: Final = 5.0
"""Between two writes at least: of 1,000 nodes one always changes, and a write costs a disk 2 MB."""
LAST_WRITE_SECONDS: Final = 2.0
"""For the write at the end; who stops us may be in a hurry."""
PARTS_AT_ONCE: Final = 50
"""Lines of the file that are made before sessions get their turn: a millisecond."""


class StateError(Exception):
    """Why what is on the disk cannot stand in for the store."""


class StateKeeper:
    """Of one agent. `endpoints` are its etcd's, `cluster` gives that one's id, 0 while it is not known."""

    def __init__(
        self,
        directory: StateDirectory,
        node: str,
        endpoints: tuple[str, ...],
        deliver: Callable[[Iterable[Input]], None],
        cluster: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._node = node
        self._endpoints = endpoints
        self._deliver = deliver
        self._cluster = cluster
        self._known = LastKnown(node)
        self._answered = trio.Event()
        """All required prefixes were heard."""
        self._changed = trio.Event()
        self._recovered_cluster = 0
        self._complaints: dict[str, str] = {}

    # ---- what the store holds

    def follow(self, effect: Follow) -> None:
        """Keep what is under these prefixes, as far as it is kept, and forget all others."""
        self._known.follow(effect.required, effect.optional)
        self._changed.set()

    def want_secrets(self, secrets: Iterable[SecretId]) -> None:
        """Of the passwords in the store, keep those alone that some resource refers to."""
        self._known.want_secrets(secrets)
        self._changed.set()

    def heard(self, batch: Iterable[StoreInput]) -> None:
        """Take what the store said."""
        for event in batch:
            if self._known.hear(event):
                self._changed.set()
        if not self._answered.is_set() and self._known.is_answered:
            self._answered.set()
            self._compare_clusters()

    def _compare_clusters(self) -> None:
        cluster, recovered = self._cluster(), self._recovered_cluster
        if recovered and cluster and cluster != recovered:
            LOGGER.warning(
                "etcd answers, and is another cluster (%x) than the one of which the state was kept (%x); "
                "it is believed",
                cluster,
                recovered,
            )

    # ---- onto the disk

    async def run(self) -> None:
        """Recover if need be, and write what changed, until cancelled; and then once more."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._recover)
                while True:
                    await self._changed.wait()
                    if await self._write():
                        await trio.sleep(WRITE_SECONDS)
        finally:
            with trio.move_on_after(LAST_WRITE_SECONDS) as scope:
                scope.shield = True
                if self._changed.is_set():
                    await self._write()

    async def _write(self) -> bool:
        """Write what there is; False if not all of it was heard yet."""
        self._changed = trio.Event()
        if not self._known.is_whole:
            return False
        try:
            encoding = Work(state_format.encode(self._state()))
            while (pieces := encoding.result) is None:
                encoding.go_on(PARTS_AT_ONCE)
                await trio.lowlevel.checkpoint()
            await self._write_file(state_directory.STORE, pieces, state_directory.PRIVATE, lasting=True)
        except (StateFormatError, StateDirectoryError) as error:
            self._changed.set()
            self._complain("the state of the store is not kept: %s", str(error))
        except trio.Cancelled:
            self._changed.set()
            raise
        else:
            self._complaints.clear()
        return True

    async def _write_file(self, name: str, pieces: list[bytes], mode: int, *, lasting: bool) -> None:
        """Raises `StateDirectoryError`. A write that has begun is finished, also when we are cancelled."""
        await trio.to_thread.run_sync(lambda: self._directory.write(name, pieces, mode=mode, lasting=lasting))

    def _state(self) -> KeptState:
        return KeptState(
            node=self._node,
            cluster=self._cluster(),
            endpoints=self._endpoints,
            revision=self._known.revision,
            written=time.time_ns(),
            snapshots=self._known.snapshots(),
        )

    async def keep_documents(self, documents: Mapping[str, bytes]) -> None:
        """Write what `felixbgp node status` shows on this host while etcd is away."""
        try:
            for name, content in documents.items():
                await self._write_file(name, [content], state_directory.PUBLIC, lasting=False)
        except StateDirectoryError as error:
            self._complain("the status is not kept: %s", str(error))

    def _complain(self, text: str, reason: str) -> None:
        """Once for a reason, not every five seconds."""
        if self._complaints.get(text) != reason:
            self._complaints[text] = reason
            LOGGER.warning(text, reason)

    # ---- and back

    async def _recover(self) -> None:
        """If the store does not answer in time, give the agent what was kept of it."""
        with trio.move_on_after(PATIENCE_SECONDS):
            await self._answered.wait()
            return
        path = self._directory.path / state_directory.STORE
        try:
            state = await trio.to_thread.run_sync(read_state, path, self._node, self._endpoints)
        except StateError as error:
            LOGGER.warning("etcd does not answer, and its last known state cannot be used: %s", error)
            return
        if self._answered.is_set():
            return
        self._recovered_cluster = state.cluster
        written_at = state.written - time.time_ns() + now_ns()
        self._deliver([StateRecovered(state.snapshots, state.revision, written_at)])


def read_state(path: Path, node: str, endpoints: tuple[str, ...]) -> KeptState:
    """What was kept for this node of this etcd. Raises `StateError`."""
    try:
        content = state_directory.read(path, state_format.FILE_OCTETS_MAX)
        if content is None:
            raise StateError(f"{path}: there is no such file")
        state = state_format.decode(content)
    except StateDirectoryError as error:
        raise StateError(str(error)) from error
    except StateFormatError as error:
        raise StateError(f"{path}: {error}") from error
    if state.node != node:
        raise StateError(f"{path}: it is of node {state.node!r:.80}, and this is {node!r}")
    if not set(state.endpoints) & set(endpoints):
        others = ", ".join(state.endpoints)
        raise StateError(
            f"{path}: it is of another etcd ({others!r:.200}), and ours is {', '.join(endpoints)}"
        )
    return state


def open_directory(path: Path | None) -> StateDirectory | None:
    """The directory, held; None without one, or where it is of no use, which the log says."""
    if path is None:
        return None
    try:
        return StateDirectory.hold(path)
    except StateDirectoryError as error:
        LOGGER.warning(
            "the state of the store is not kept (state_directory), so that an agent that starts without "
            "etcd has nothing to begin with: %s",
            error,
        )
        return None
