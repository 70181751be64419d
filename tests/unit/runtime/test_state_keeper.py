"""What is followed in the store is kept on disk, and given back when the store does not answer at a start."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from felixbgp.agent.effects import Follow
from felixbgp.agent.inputs import Input
from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS
from felixbgp.cluster.inputs import (
    KeyPut,
    PrefixRefused,
    SnapshotReceived,
    StateRecovered,
    StoredValue,
)
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.cluster.secrets import SECRETS, SecretId
from felixbgp.runtime import state_keeper
from felixbgp.runtime.state_directory import STORE, StateDirectory, StateDirectoryError
from felixbgp.runtime.state_format import KeptState, decode
from felixbgp.runtime.state_keeper import (
    PATIENCE_SECONDS,
    WRITE_SECONDS,
    StateError,
    StateKeeper,
    open_directory,
    read_state,
)
from felixbgp.runtime.telemetry import LOGGER

pytestmark = pytest.mark.trio

A, B = "/calico/a/", "/calico/b/"
ENDPOINTS = ("http://10.0.0.5:2379",)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.WARNING)
    return caplog


class FailingDirectory(StateDirectory):
    """A disk that may be full."""

    failure = ""

    def write(self, name: str, pieces: Iterable[bytes], *, mode: int, lasting: bool) -> None:
        if self.failure:
            raise StateDirectoryError(self.failure)
        super().write(name, pieces, mode=mode, lasting=lasting)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[FailingDirectory]:
    held = FailingDirectory.hold(tmp_path)
    yield held
    held.close()


class Kept(StateKeeper):
    """A keeper that counts its writes; what it delivered and has written."""

    def __init__(self, directory: StateDirectory, node: str = "node-1", cluster: int = 7) -> None:
        self.path = directory.path / STORE
        self.told: list[Input] = []
        self.writes = 0
        self._over = trio.Event()
        super().__init__(directory, node, ENDPOINTS, self.told.extend, lambda: cluster)

    async def _write_file(self, name: str, pieces: list[bytes], mode: int, *, lasting: bool) -> None:
        try:
            await super()._write_file(name, pieces, mode, lasting=lasting)
        finally:
            self.writes += 1
            self._over.set()
            self._over = trio.Event()

    async def until(self, writes: int) -> None:
        """Wait until so many writes are over, and what follows from that has happened."""
        while self.writes < writes:
            await self._over.wait()
        await trio.testing.wait_all_tasks_blocked()

    def state(self) -> KeptState:
        return decode(self.path.read_bytes())

    def values(self) -> dict[str, bytes]:
        return {one.key: one.value for snapshot in self.state().snapshots for one in snapshot.values}


def snapshot(prefix: str, revision: int, **values: str) -> SnapshotReceived:
    stored = (StoredValue(f"{prefix}{name}", value.encode(), revision) for name, value in values.items())
    return SnapshotReceived(prefix, revision, tuple(stored))


def put(key: str, value: str, revision: int) -> KeyPut:
    return KeyPut(StoredValue(key, value.encode(), revision))


async def test_it_is_written_when_all_is_heard_and_then_rarely(
    directory: FailingDirectory, nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    kept = Kept(directory)
    kept.follow(Follow((A, B), (NODE_STATUSES,)))
    nursery.start_soon(kept.run)
    kept.heard([snapshot(A, 5, x="1")])
    await trio.testing.wait_all_tasks_blocked()
    assert not kept.path.exists()
    kept.heard([snapshot(B, 5, y="2")])
    await kept.until(1)
    assert kept.values() == {f"{A}x": b"1", f"{B}y": b"2"}
    state = kept.state()
    assert (state.node, state.cluster, state.endpoints, state.revision) == ("node-1", 7, ENDPOINTS, 5)
    for revision in range(6, 1000):
        kept.heard([put(f"{A}x", str(revision), revision)])
    await trio.testing.wait_all_tasks_blocked()
    assert kept.writes == 1
    mock_clock.jump(WRITE_SECONDS)
    await kept.until(2)
    assert kept.values()[f"{A}x"] == b"999"
    mock_clock.jump(10 * WRITE_SECONDS)
    await trio.testing.wait_all_tasks_blocked()
    assert kept.writes == 2


async def test_at_the_end_it_is_written_once_more(directory: FailingDirectory) -> None:
    kept = Kept(directory)
    kept.follow(Follow((A,)))
    kept.heard([snapshot(A, 5, x="1")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.run)
        await kept.until(1)
        kept.heard([put(f"{A}x", "last words", 6)])
        nursery.cancel_scope.cancel()
    assert kept.values() == {f"{A}x": b"last words"}


async def last_written(kept: Kept) -> dict[str, bytes]:
    """What is in the file when the keeper ended."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return kept.values()


async def test_of_secrets_and_endpoints_only_what_this_node_needs_is_kept(
    directory: FailingDirectory,
) -> None:
    kept = Kept(directory)
    kept.follow(Follow((A,), (SECRETS, WORKLOAD_ENDPOINTS)))
    kept.want_secrets([SecretId("bgp", "wanted")])
    own, other = (f"{WORKLOAD_ENDPOINTS}default/{name}-k8s-pod-eth0" for name in ("node--1", "node--2"))
    endpoints = tuple(StoredValue(key, b"{}", 5) for key in (own, other))
    kept.heard(
        [
            snapshot(A, 5),
            snapshot(SECRETS, 5, **{"bgp/wanted": "one", "bgp/other": "two"}),
            SnapshotReceived(WORKLOAD_ENDPOINTS, 5, endpoints),
            put(other, "{}", 6),
        ]
    )
    assert await last_written(kept) == {f"{SECRETS}bgp/wanted": b"one", own: b"{}"}
    assert kept.path.stat().st_mode & 0o777 == 0o600


async def test_an_optional_prefix_is_waited_for_until_it_is_heard_or_refused(
    directory: FailingDirectory,
) -> None:
    kept = Kept(directory)
    kept.follow(Follow((A,), (SECRETS,)))
    kept.heard([snapshot(A, 5, x="1")])
    with pytest.raises(FileNotFoundError):
        await last_written(kept)
    kept.heard([PrefixRefused(SECRETS, "permission denied"), put(f"{A}x", "2", 6)])
    assert await last_written(kept) == {f"{A}x": b"2"}


async def test_a_disk_that_is_full_is_complained_of_once_and_tried_again(
    directory: FailingDirectory,
    nursery: trio.Nursery,
    mock_clock: trio.testing.MockClock,
    log: pytest.LogCaptureFixture,
) -> None:
    kept = Kept(directory)
    directory.failure = "No space left on device"
    kept.follow(Follow((A,)))
    kept.heard([snapshot(A, 5, x="1")])
    nursery.start_soon(kept.run)
    for writes in (1, 2, 3):
        await kept.until(writes)
        mock_clock.jump(WRITE_SECONDS)
    complaints = [record.message for record in log.records if "kept" in record.message]
    assert complaints == ["the state of the store is not kept: No space left on device"]
    await kept.until(4)
    directory.failure = ""
    mock_clock.jump(WRITE_SECONDS)
    await kept.until(5)
    assert kept.values() == {f"{A}x": b"1"}


async def keep_something(directory: StateDirectory, node: str = "node-1") -> None:
    kept = Kept(directory, node)
    kept.follow(Follow((A,)))
    kept.heard([snapshot(A, 5, x="1")])
    await last_written(kept)


async def start_without_store(directory: StateDirectory, clock: trio.testing.MockClock) -> Kept:
    """An agent has started, and heard nothing for as long as it is patient."""
    kept = Kept(directory, cluster=8)
    kept.follow(Follow((A,)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept._recover)
        for _ in range(2):
            await trio.testing.wait_all_tasks_blocked()
            assert kept.told == []
            clock.jump(PATIENCE_SECONDS / 2)
    return kept


async def test_what_was_kept_is_given_to_an_agent_whose_store_does_not_answer(
    directory: FailingDirectory, mock_clock: trio.testing.MockClock, log: pytest.LogCaptureFixture
) -> None:
    await keep_something(directory)
    kept = await start_without_store(directory, mock_clock)
    [recovered] = kept.told
    assert isinstance(recovered, StateRecovered)
    assert recovered.snapshots == (snapshot(A, 5, x="1"),)
    assert recovered.revision == 5
    # It was kept in real time, a moment ago; the agent's clock says when that was.
    assert abs(recovered.written_at - trio.current_time() * 1e9) < 3600e9
    # The store that answers in the end is another one, as after a new installation: it is believed, and said.
    kept.heard([snapshot(A, 2, x="new")])
    [warning] = [record.message for record in log.records]
    assert warning == (
        "etcd answers, and is another cluster (8) than the one of which the state was kept (7); "
        "it is believed"
    )


async def test_a_store_that_answers_in_time_needs_no_file(
    directory: FailingDirectory, nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    await keep_something(directory)
    kept = Kept(directory)
    kept.follow(Follow((A,)))
    nursery.start_soon(kept.run)
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(PATIENCE_SECONDS / 2)
    kept.heard([snapshot(A, 6, x="2")])
    await kept.until(1)
    assert kept.values() == {f"{A}x": b"2"}
    mock_clock.jump(PATIENCE_SECONDS * 10)
    await trio.testing.wait_all_tasks_blocked()
    assert kept.told == []


async def test_a_store_that_answers_while_the_file_is_read_is_believed(
    directory: FailingDirectory, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_something(directory)
    kept = Kept(directory)
    kept.follow(Follow((A,)))

    def read_slowly(path: Path, node: str, endpoints: tuple[str, ...]) -> KeptState:
        trio.from_thread.run_sync(kept.heard, [snapshot(A, 6, x="2")])
        return read_state(path, node, endpoints)

    monkeypatch.setattr(state_keeper, "read_state", read_slowly)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept._recover)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(PATIENCE_SECONDS)
    assert kept.told == []


async def test_an_end_in_the_midst_of_a_write_is_followed_by_a_whole_one(directory: FailingDirectory) -> None:
    kept = Kept(directory)
    kept.follow(Follow((A,)))
    kept.heard([snapshot(A, 5, **{str(number): "1" for number in range(1000)})])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.run)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        assert kept.writes == 0
        nursery.cancel_scope.cancel()
    assert len(kept.values()) == 1000


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "there is no such file"), (b"{}\n", "its format is None"), (b"\xff", "line 1: not JSON")],
    ids=["none", "another form", "garbage"],
)
async def test_a_file_of_no_use_is_a_line_in_the_log_and_nothing_more(
    directory: FailingDirectory,
    mock_clock: trio.testing.MockClock,
    log: pytest.LogCaptureFixture,
    content: bytes | None,
    reason: str,
) -> None:
    if content is not None:
        (directory.path / STORE).write_bytes(content)
    kept = await start_without_store(directory, mock_clock)
    assert kept.told == []
    [warning] = [record.message for record in log.records]
    assert "etcd does not answer, and its last known state cannot be used: " in warning
    assert reason in warning


async def test_the_file_of_another_node_or_of_another_etcd_is_not_used(directory: FailingDirectory) -> None:
    await keep_something(directory, "node-2")
    path = directory.path / STORE
    with pytest.raises(StateError, match="it is of node 'node-2', and this is 'node-1'"):
        read_state(path, "node-1", ENDPOINTS)
    with pytest.raises(StateError, match="it is of another etcd"):
        read_state(path, "node-2", ("http://10.9.9.9:2379",))
    moved = ("http://10.9.9.9:2379", *ENDPOINTS)
    assert read_state(path, "node-2", moved).revision == 5
    path.chmod(0o666)
    with pytest.raises(StateError, match="others may write it"):
        read_state(path, "node-2", ENDPOINTS)


async def test_documents_for_this_host_are_written_and_a_fault_is_told_once(
    directory: FailingDirectory, log: pytest.LogCaptureFixture
) -> None:
    kept = Kept(directory)
    await kept.keep_documents({"status.json": b"{}"})
    assert (directory.path / "status.json").read_bytes() == b"{}"
    directory.failure = "No space left on device"
    for _ in range(3):
        await kept.keep_documents({"status.json": b"{}"})
    assert [record.message for record in log.records] == ["the status is not kept: No space left on device"]


async def test_an_agent_without_a_directory_says_so_and_runs(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    assert open_directory(None) is None
    assert log.records == []
    (tmp_path / "file").write_text("")
    assert open_directory(tmp_path / "file" / "state") is None
    [warning] = [record.message for record in log.records]
    assert "the state of the store is not kept (state_directory)" in warning
    assert "Not a directory" in warning
    held = open_directory(tmp_path / "state")
    assert held is not None
    held.close()
