"""Watching prefixes through all that happens to a real etcd."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import trio

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
from felixbgp.lab.etcd import EtcdServer, free_ports
from felixbgp.runtime.etcd import EtcdClient, EtcdSettings, open_client, watch_prefixes
from felixbgp.runtime.etcd.transactions import Put
from tests.integration.etcd.conftest import QUICK, Cable, inputs_until, is_lost, is_put, is_reached

pytestmark = pytest.mark.trio


async def test_snapshots_of_one_revision_then_events(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        await client.put("/a/1", "one")
        await client.put("/b/1", "two")
        async with watch_prefixes(client, ["/a/", "/b/", "/c/"]) as batches:
            assert await inputs_until(batches, is_reached(3)) == [
                SnapshotReceived("/a/", 3, (StoredValue("/a/1", b"one", 2),)),
                SnapshotReceived("/b/", 3, (StoredValue("/b/1", b"two", 3),)),
                SnapshotReceived("/c/", 3, ()),
                RevisionReached(3),
            ]
            await client.put("/a/2", "new")
            await client.put("/aa", "not ours")
            await client.delete("/a/1")
            events = await inputs_until(batches, lambda each: isinstance(each, KeyDeleted))
            assert [each for each in events if not isinstance(each, RevisionReached)] == [
                KeyPut(StoredValue("/a/2", b"new", 4)),
                KeyDeleted("/a/1", 6),
            ]


async def test_one_transaction_is_one_batch(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        await client.txn(success=[Put(f"/a/{number}", "x") for number in range(100)])
        batch = await batches.receive()
        assert [type(each) for each in batch] == [KeyPut] * 100 + [RevisionReached]


async def test_key_that_is_no_text(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        await client.put(b"/a/\xff", b"\x00")
        async with watch_prefixes(client, ["/a/"]) as batches:
            snapshot, _ = await batches.receive()
            assert isinstance(snapshot, SnapshotReceived)
            assert snapshot.values[0][:2] == ("/a/\\xff", b"\x00")


async def test_killed_and_restarted(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        await client.put("/a/1", "before")
        await inputs_until(batches, is_put("/a/1", b"before"))
        server.kill()
        assert is_lost((await inputs_until(batches, is_lost))[-1])
        await trio.to_thread.run_sync(server.start)
        await client.put("/a/1", "after")
        seen = await inputs_until(batches, is_put("/a/1", b"after"))
        assert [each for each in seen if not isinstance(each, RevisionReached)] == [
            DatastoreRestored(),
            KeyPut(StoredValue("/a/1", b"after", 3)),
        ]


async def test_not_there_at_the_start(server: EtcdServer, settings: EtcdSettings) -> None:
    server.kill()
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        (lost,) = await batches.receive()
        assert isinstance(lost, DatastoreLost)
        assert server.endpoint in lost.reason
        await trio.to_thread.run_sync(server.start)
        assert await inputs_until(batches, is_reached(1)) == [
            DatastoreRestored(),
            SnapshotReceived("/a/", 1, ()),
            RevisionReached(1),
        ]


async def test_stopped_in_order_says_goodbye(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        await trio.to_thread.run_sync(server.stop)
        await inputs_until(batches, is_lost)
        await trio.to_thread.run_sync(server.start)
        await client.put("/a/1", "after")
        await inputs_until(batches, is_put("/a/1", b"after"))


class TestImpatientPings:
    @pytest.fixture
    def extra_flags(self) -> tuple[str, ...]:
        return ("--grpc-keepalive-min-time=100ms",)

    async def test_paused_longer_than_a_ping_may_take(
        self, server: EtcdServer, settings: EtcdSettings
    ) -> None:
        impatient = replace(
            settings, ping_interval_seconds=0.3, ping_timeout_seconds=0.3, connect_timeout_seconds=0.5
        )
        async with open_client(impatient) as client, watch_prefixes(client, ["/a/"]) as batches:
            await inputs_until(batches, is_reached(1))
            server.pause()
            lost = (await inputs_until(batches, is_lost))[-1]
            assert isinstance(lost, DatastoreLost)
            assert "PING" in lost.reason
            server.resume()
            await inputs_until(batches, lambda each: isinstance(each, DatastoreRestored))
            async with open_client(settings) as writer:
                await writer.put("/a/1", "after")
            await inputs_until(batches, is_put("/a/1", b"after"))


async def test_history_compacted_while_disconnected(settings: EtcdSettings, cable: Cable) -> None:
    async with open_client(settings) as writer, open_client(settings, dialer=cable.dial) as client:
        await writer.put("/a/deleted", "x")
        await writer.put("/a/kept", "x")
        async with watch_prefixes(client, ["/a/"]) as batches:
            await inputs_until(batches, is_reached(3))
            await cable.cut()
            await writer.delete("/a/deleted")
            last = (await writer.put("/a/new", "x")).revision
            await writer.compact(last)
            cable.mend()
            seen = await inputs_until(batches, is_reached(last))
            snapshot = next(each for each in seen if isinstance(each, SnapshotReceived))
            assert [stored.key for stored in snapshot.values] == ["/a/kept", "/a/new"]
            assert sum(map(is_lost, seen)) == 1
            await writer.put("/a/kept", "y")
            await inputs_until(batches, is_put("/a/kept", b"y"))


async def test_cut_again_while_catching_up_loses_nothing(settings: EtcdSettings, cable: Cable) -> None:
    """etcd sends 1,000 revisions at a time under a header that is far ahead of them."""
    # Not all of them are here when it is cut.
    narrow = replace(settings, stream_window_bytes=1 << 16)
    async with open_client(settings) as writer, open_client(narrow, dialer=cable.dial) as client:
        async with watch_prefixes(client, ["/a/"], batches_max=0) as batches:
            await inputs_until(batches, is_reached(1))
            await cable.cut()
            await inputs_until(batches, is_lost)
            async with trio.open_nursery() as nursery:
                for lane in range(10):
                    nursery.start_soon(write_revisions, writer, lane, 350)
            cable.mend()
            seen: list[StoreInput] = []
            while KeyPut not in map(type, seen):
                seen += await batches.receive()
            await cable.cut()
            cable.mend()
            seen += await inputs_until(batches, is_reached(3_501))
        revisions = [each.stored.revision for each in seen if isinstance(each, KeyPut)]
        assert set(revisions) == set(range(2, 3_502))
        assert sum(map(is_lost, seen)) == 1


async def write_revisions(writer: EtcdClient, lane: int, count: int) -> None:
    for number in range(count):
        await writer.put(f"/a/{lane}", str(number))


async def test_answer_in_fragments(settings: EtcdSettings, cable: Cable) -> None:
    """Events of more than 1.5 MiB at once come in several answers; the revision is reached with the last."""
    async with (
        open_client(settings) as writer,
        open_client(settings, dialer=cable.dial) as client,
        watch_prefixes(client, ["/a/"]) as batches,
    ):
        await inputs_until(batches, is_reached(1))
        await cable.cut()
        for number in range(10):
            await writer.put(f"/a/{number}", bytes(1_000_000))
        cable.mend()
        while KeyPut not in map(type, first := await batches.receive()):
            pass
        assert {type(each) for each in first} == {KeyPut}
        seen = first + await inputs_until(batches, is_reached(2))
        assert [type(each) for each in seen] == [KeyPut] * 10 + [RevisionReached]
        assert seen[-1] == RevisionReached(11)


async def test_slow_consumer_stops_etcd_from_sending(settings: EtcdSettings) -> None:
    window, size, count = 1 << 20, 500_000, 80
    small = replace(settings, stream_window_bytes=window)
    async with (
        open_client(settings) as writer,
        open_client(small) as client,
        watch_prefixes(client, ["/a/"], batches_max=1) as batches,
    ):
        await inputs_until(batches, is_reached(1))
        session = client._session
        assert session is not None
        for number in range(count):
            await writer.put(f"/a/{number:03}", bytes(size))
            calls = session.channel._calls.values()
            assert sum(call._queued_bytes + call._withheld_bytes for call in calls) <= 2 * (window + size)
        assert await client.get("/a/000") is not None
        seen = await inputs_until(batches, is_reached(count + 1))
    keys = [each.stored.key for each in seen if isinstance(each, KeyPut)]
    assert keys == [f"/a/{number:03}" for number in range(count)]


class TestFrequentProgress:
    @pytest.fixture
    def extra_flags(self) -> tuple[str, ...]:
        return ("--experimental-watch-progress-notify-interval=100ms",)

    async def test_silent_prefixes_are_carried_forward(self, settings: EtcdSettings) -> None:
        async with open_client(settings) as client, watch_prefixes(client, ["/a/", "/silent/"]) as batches:
            await inputs_until(batches, is_reached(1))
            last = (await client.put("/a/1", "x")).revision
            await inputs_until(batches, is_reached(last))
            elsewhere = (await client.put("/elsewhere", "x")).revision
            assert set(map(type, await inputs_until(batches, is_reached(elsewhere)))) == {RevisionReached}


@pytest.mark.parametrize("token", ["etcd-cluster", "another"])
async def test_store_made_anew_at_the_same_address_is_listed_anew(
    server: EtcdServer, settings: EtcdSettings, binary: Path, tmp_path: Path, token: str
) -> None:
    """Its revisions count from the start. With the same token it has even the same cluster id."""
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        last = max([(await client.put("/a/old", "x")).revision for _ in range(5)])
        await inputs_until(batches, is_reached(last))
        await trio.to_thread.run_sync(server.stop)
        other = EtcdServer(
            tmp_path / "other", server.client_port, server.peer_port, binary=binary, name="other",
            extra_flags=(*QUICK, f"--initial-cluster-token={token}"),
        )  # fmt: skip
        await trio.to_thread.run_sync(other.start)
        try:
            seen = await inputs_until(batches, lambda each: isinstance(each, SnapshotReceived))
            assert seen[-1] == SnapshotReceived("/a/", 1, ())
            await client.put("/a/new", "x")
            await inputs_until(batches, is_put("/a/new", b"x"))
        finally:
            await trio.to_thread.run_sync(other.stop)


async def test_store_restored_from_a_backup_is_listed_anew_though_it_is_ahead_of_what_we_know(
    server: EtcdServer, settings: EtcdSettings, tmp_path: Path
) -> None:
    """Those that are connected first write into it, statuses mostly, and so bring its revision past ours."""
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        await client.put("/a/1", "old")
        await inputs_until(batches, is_put("/a/1", b"old"))
        backup = await trio.to_thread.run_sync(take_backup, server, tmp_path)
        last = max([(await client.put(f"/a/{number}", "new")).revision for number in (1, 2)])
        await inputs_until(batches, is_reached(last))
        await trio.to_thread.run_sync(server.kill)
        await trio.to_thread.run_sync(restore, server, backup)
        elsewhere = replace_ports(server)
        await trio.to_thread.run_sync(elsewhere.start)
        async with open_client(EtcdSettings(endpoints=(elsewhere.endpoint,))) as other:
            for number in range(20):
                await other.put(f"/status/{number}", "x")
        await trio.to_thread.run_sync(elsewhere.stop)
        await trio.to_thread.run_sync(server.start)
        seen = await inputs_until(batches, lambda each: isinstance(each, SnapshotReceived))
        assert seen[-1] == SnapshotReceived("/a/", 22, (StoredValue("/a/1", b"old", 2),))
        assert last < 22


def take_backup(server: EtcdServer, place: Path) -> Path:
    """The data as of now."""
    backup = place / "backup.db"
    run_etcdctl("--endpoints", server.endpoint, "snapshot", "save", str(backup))
    return backup


def restore(server: EtcdServer, backup: Path) -> None:
    """Put a backup in the place of the data of a member that does not run."""
    data = server.data_dir / "member-data"
    shutil.rmtree(data)
    run_etcdctl(
        "snapshot", "restore", str(backup), f"--data-dir={data}", f"--name={server.name}",
        f"--initial-cluster={server.name}={server.peer_url}",
        f"--initial-advertise-peer-urls={server.peer_url}",
    )  # fmt: skip


def replace_ports(server: EtcdServer) -> EtcdServer:
    """The same data behind a port of which nobody knows."""
    client_port, _ = free_ports(2)
    return replace(server, client_port=client_port)


def run_etcdctl(*arguments: str) -> None:
    done = subprocess.run(
        ["etcdctl", *arguments], env={**os.environ, "ETCDCTL_API": "3"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def test_closed_receiver_ends_the_watch(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        await batches.aclose()
        await client.put("/a/1", "x")
        assert await client.get("/a/1") is not None
