"""The watch against endpoints in memory: every way a stream can end, in virtual time."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from felixbgp._pb.etcd import kv_pb2, rpc_pb2
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
)
from felixbgp.runtime.etcd import Batch, EtcdSettings, open_client, watch_prefixes
from felixbgp.runtime.etcd.framing import pack_message
from tests.unit.runtime.etcd.conftest import PATIENCE_SECONDS, Network, Peer

pytestmark = pytest.mark.trio

ONE = EtcdSettings(endpoints=("http://a:2379",))
CLUSTER_ID = 77
Batches = trio.MemoryReceiveChannel[Batch]


@asynccontextmanager
async def watched(
    network: Network, *prefixes: str, settings: EtcdSettings = ONE, batches_max: int = 8
) -> AsyncIterator[Batches]:
    async with (
        open_client(settings, dialer=network.dial, jitter=lambda: 1.0) as client,
        watch_prefixes(client, prefixes, batches_max=batches_max) as batches,
    ):
        yield batches


def header(revision: int, cluster_id: int = CLUSTER_ID) -> rpc_pb2.ResponseHeader:
    return rpc_pb2.ResponseHeader(revision=revision, cluster_id=cluster_id)


def put(key: str, revision: int) -> kv_pb2.Event:
    return kv_pb2.Event(kv=kv_pb2.KeyValue(key=key.encode(), value=b"x", mod_revision=revision))


def deleted(key: str, revision: int) -> kv_pb2.Event:
    return kv_pb2.Event(type=kv_pb2.Event.DELETE, kv=kv_pb2.KeyValue(key=key.encode(), mod_revision=revision))


def key_put(key: str, revision: int) -> KeyPut:
    return KeyPut(StoredValue(key, b"x", revision))


class Watching:
    """One watch stream of a peer."""

    def __init__(self, peer: Peer, stream_id: int) -> None:
        self.stream_id = stream_id
        self._peer = peer

    async def send(self, **fields: Any) -> None:
        fields.setdefault("header", header(7))
        message = rpc_pb2.WatchResponse(**fields)
        await self._peer.data(self.stream_id, pack_message(message.SerializeToString()))

    async def end(self, status: str, text: str) -> None:
        await self._peer.trailers(self.stream_id, status, text)


async def take_watch(peer: Peer, count: int) -> tuple[Watching, list[rpc_pb2.WatchCreateRequest]]:
    """Wait for the stream of a watch and its `count` watchers; nothing is answered yet."""
    stream_id = await peer.call()
    creations = [(await peer.message(rpc_pb2.WatchRequest)).create_request for _ in range(count)]
    await peer.headers(stream_id)
    return Watching(peer, stream_id), creations


async def come_back(
    network: Network, count: int, known: Mapping[bytes, int] | None = None
) -> tuple[Peer, Watching, list[rpc_pb2.WatchCreateRequest]]:
    """Another connection, on which the history is what it was: keys and the revisions that wrote them."""
    peer = await network.accept()
    stream_id = await peer.call()
    for _ in range(count):
        await tell_check(peer, known or {})
    creations = [(await peer.message(rpc_pb2.WatchRequest)).create_request for _ in range(count)]
    await peer.headers(stream_id)
    return peer, Watching(peer, stream_id), creations


async def tell_check(peer: Peer, known: Mapping[bytes, int]) -> Any:
    """Answer the question what there was at a revision, with what of that is asked for."""
    stream_id, request = await peer.ask(rpc_pb2.RangeRequest)
    assert request.keys_only
    stored = [
        kv_pb2.KeyValue(key=key, mod_revision=revision)
        for key, revision in known.items()
        if request.key <= key < request.range_end
    ]
    await peer.tell(stream_id, rpc_pb2.RangeResponse(header=header(request.revision), kvs=stored))
    return request


async def tell_list(peer: Peer, *keys: str, revision: int = 7) -> Any:
    """Answer one list request."""
    stream_id, request = await peer.ask(rpc_pb2.RangeRequest)
    stored = [kv_pb2.KeyValue(key=key.encode(), value=b"x", mod_revision=revision) for key in keys]
    await peer.tell(stream_id, rpc_pb2.RangeResponse(header=header(revision), kvs=stored))
    return request


async def inputs(batches: Batches, count: int) -> Batch:
    """So many inputs; they must end with a batch."""
    seen: Batch = []
    with trio.fail_after(PATIENCE_SECONDS):
        while len(seen) < count:
            seen += await batches.receive()
    assert len(seen) == count, seen
    return seen


async def begin(network: Network, batches: Batches, *, prefixes: int = 1) -> tuple[Peer, Watching]:
    """Snapshots at revision 7, then watchers that are there."""
    peer = await network.accept()
    for _ in range(prefixes):
        await tell_list(peer)
    watching, _ = await take_watch(peer, prefixes)
    for number in range(1, prefixes + 1):
        await watching.send(watch_id=number, created=True)
    seen = await inputs(batches, prefixes + 1)
    assert seen[-1] == RevisionReached(7)
    return peer, watching


async def test_what_is_listed_together_is_delivered_together_or_not_at_all(network: Network) -> None:
    async with watched(network, "/a/", "/b/") as batches:
        peer = await network.accept()
        await tell_list(peer, "/a/1")
        # A request that failed is made once more.
        await peer.stream.aclose()
        await (await network.accept()).stream.aclose()
        with trio.fail_after(PATIENCE_SECONDS):
            [lost] = await batches.receive()
        assert isinstance(lost, DatastoreLost)
        peer = await network.accept()
        await tell_list(peer, "/a/2", revision=9)
        await tell_list(peer, revision=9)
        with trio.fail_after(PATIENCE_SECONDS):
            assert await batches.receive() == [DatastoreRestored()]
            assert await batches.receive() == [
                SnapshotReceived("/a/", 9, (StoredValue("/a/2", b"x", 9),)),
                SnapshotReceived("/b/", 9, ()),
                RevisionReached(9),
            ]


async def test_lists_at_one_revision_then_watches_all_prefixes_on_one_stream(network: Network) -> None:
    async with watched(network, "/a/", "/b/") as batches:
        peer = await network.accept()
        assert (await tell_list(peer, "/a/1")).revision == 0
        assert (await tell_list(peer, revision=9)).revision == 7
        watching, creations = await take_watch(peer, 2)
        assert peer.fields[b"hasleader"] == b"true"
        assert [
            (
                each.watch_id,
                each.key,
                each.range_end,
                each.start_revision,
                each.progress_notify,
                each.fragment,
            )
            for each in creations
        ] == [(1, b"/a/", b"/a0", 8, True, True), (2, b"/b/", b"/b0", 8, True, True)]
        assert await inputs(batches, 3) == [
            SnapshotReceived("/a/", 7, (StoredValue("/a/1", b"x", 7),)),
            SnapshotReceived("/b/", 7, ()),
            RevisionReached(7),
        ]
        for number in (1, 2):
            await watching.send(watch_id=number, created=True)
        await watching.send(watch_id=1, header=header(9), events=[put("/a/2", 8), deleted("/a/1", 9)])
        assert await inputs(batches, 2) == [key_put("/a/2", 8), KeyDeleted("/a/1", 9)]
        await watching.send(watch_id=2, header=header(10), events=[put("/b/1", 10)])
        assert await inputs(batches, 2) == [key_put("/b/1", 10), RevisionReached(9)]


class TestResuming:
    """From which revision does the next stream watch?"""

    async def resumed_from(
        self, network: Network, peer: Peer, known: Mapping[bytes, int] | None = None, *, count: int = 1
    ) -> list[int]:
        await peer.stream.aclose()
        _, _, creations = await come_back(network, count, known)
        return [each.start_revision for each in creations]

    async def test_goes_on_after_the_last_event(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.send(watch_id=1, header=header(9), events=[put("/a/1", 9)])
            await inputs(batches, 2)
            assert await self.resumed_from(network, peer, {b"/a/1": 9}) == [10]

    async def test_catching_up_is_not_carried_forward_by_the_header(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.send(watch_id=1, header=header(5_000), events=[put("/a/1", 1_000)])
            assert (await inputs(batches, 2))[-1] == RevisionReached(1_000)
            assert await self.resumed_from(network, peer, {b"/a/1": 1_000}) == [1_001]

    async def test_notification_of_progress_carries_its_own_watcher_forward(self, network: Network) -> None:
        async with watched(network, "/a/", "/b/") as batches:
            peer, watching = await begin(network, batches, prefixes=2)
            await watching.send(watch_id=2, header=header(50))
            await watching.send(watch_id=1, header=header(40))
            assert await inputs(batches, 1) == [RevisionReached(40)]
            assert await self.resumed_from(network, peer, count=2) == [41, 51]

    async def test_parts_of_an_answer_go_out_as_they_come_and_count_with_the_last(
        self, network: Network
    ) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.send(watch_id=1, header=header(9), events=[put("/a/1", 8)], fragment=True)
            assert await inputs(batches, 1) == [key_put("/a/1", 8)]
            assert await self.resumed_from(network, peer) == [8]

    async def test_last_part_of_an_answer_counts(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.send(watch_id=1, header=header(9), events=[put("/a/1", 8)], fragment=True)
            await watching.send(watch_id=1, header=header(9), events=[put("/a/2", 9)])
            assert await inputs(batches, 3) == [key_put("/a/1", 8), key_put("/a/2", 9), RevisionReached(9)]
            assert await self.resumed_from(network, peer, {b"/a/1": 8, b"/a/2": 9}) == [10]


class TestListingAgain:
    async def test_compacted_prefix_is_listed_and_the_other_goes_on(self, network: Network) -> None:
        async with watched(network, "/a/", "/b/") as batches:
            peer, watching = await begin(network, batches, prefixes=2)
            await watching.send(watch_id=1, header=header(20), events=[put("/a/1", 20)])
            await inputs(batches, 1)
            await watching.send(watch_id=2, canceled=True, compact_revision=15)
            request = await tell_list(peer, "/b/1", revision=30)
            assert (request.key, request.revision) == (b"/b/", 0)
            assert await inputs(batches, 2) == [
                SnapshotReceived("/b/", 30, (StoredValue("/b/1", b"x", 30),)),
                RevisionReached(20),
            ]
            _, creations = await take_watch(peer, 2)
            assert [each.start_revision for each in creations] == [21, 31]

    async def test_compaction_between_two_pages_is_no_outage(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 11, "etcdserver: mvcc: required revision has been compacted")
            await tell_list(peer)
            assert await inputs(batches, 2) == [SnapshotReceived("/a/", 7, ()), RevisionReached(7)]

    @pytest.mark.parametrize("watch_id", [1, -1])
    async def test_refused_watch_is_listed_which_renews_the_token(
        self, network: Network, watch_id: int
    ) -> None:
        settings = EtcdSettings(endpoints=("http://a:2379",), username="agent", password="secret")
        async with watched(network, "/a/", settings=settings) as batches:
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.AuthenticateRequest)
            await peer.tell(stream_id, rpc_pb2.AuthenticateResponse(token="one"))
            await tell_list(peer)
            watching, _ = await take_watch(peer, 1)
            await watching.send(
                watch_id=watch_id,
                created=True,
                canceled=True,
                cancel_reason="rpc error: code = PermissionDenied desc = etcdserver: permission denied",
            )
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 16, "etcdserver: invalid auth token")
            stream_id, _ = await peer.ask(rpc_pb2.AuthenticateRequest)
            await peer.tell(stream_id, rpc_pb2.AuthenticateResponse(token="two"))
            await tell_list(peer)
            await take_watch(peer, 1)
            assert peer.fields[b"token"] == b"two"
            assert await inputs(batches, 4) == [SnapshotReceived("/a/", 7, ()), RevisionReached(7)] * 2

    async def test_list_that_is_refused_is_an_outage_until_it_is_allowed(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer = await network.accept()
            for _ in range(3):
                stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
                await peer.refuse(stream_id, 7, "etcdserver: permission denied")
            await tell_list(peer)
            lost, *seen = await inputs(batches, 4)
            assert isinstance(lost, DatastoreLost)
            assert "permission denied" in lost.reason
            assert seen == [DatastoreRestored(), SnapshotReceived("/a/", 7, ()), RevisionReached(7)]

    @pytest.mark.parametrize(
        "now", [header(8, cluster_id=78), header(6)], ids=["another cluster", "an older revision"]
    )
    async def test_store_that_is_not_the_one_before_is_listed(
        self, network: Network, now: rpc_pb2.ResponseHeader
    ) -> None:
        async with watched(network, "/a/", "/b/") as batches:
            peer, _ = await begin(network, batches, prefixes=2)
            await peer.stream.aclose()
            peer, watching, _ = await come_back(network, 2)
            await watching.send(watch_id=1, created=True, header=now)
            for _ in range(2):
                await tell_list(peer, revision=3)
            lost, *seen = await inputs(batches, 5)
            assert isinstance(lost, DatastoreLost)
            assert seen == [
                DatastoreRestored(),
                SnapshotReceived("/a/", 3, ()),
                SnapshotReceived("/b/", 3, ()),
                RevisionReached(3),
            ]
            watching, creations = await take_watch(peer, 2)
            assert [each.start_revision for each in creations] == [4, 4]
            now.revision = 3
            for number in (1, 2):
                await watching.send(watch_id=number, created=True, header=now)
            now.revision = 4
            await watching.send(watch_id=1, header=now, events=[put("/a/1", 4)])
            assert await inputs(batches, 1) == [key_put("/a/1", 4)]

    @pytest.mark.parametrize("known", [{}, {b"/a/1": 6}, {b"/a/1": 7, b"/a/2": 7}])
    async def test_store_whose_history_is_another_is_listed_though_it_is_ahead(
        self, network: Network, known: Mapping[bytes, int]
    ) -> None:
        """It was restored from a backup, and others have written into it since."""
        async with watched(network, "/a/", "/b/") as batches:
            peer = await network.accept()
            await tell_list(peer, "/a/1")
            await tell_list(peer)
            await take_watch(peer, 2)
            await inputs(batches, 3)
            await peer.stream.aclose()
            peer = await network.accept()
            await peer.call()
            assert (await tell_check(peer, known)).revision == 7
            await tell_list(peer, "/a/3", revision=9)
            await tell_list(peer, revision=9)
            _, restored, *seen = await inputs(batches, 5)
            assert restored == DatastoreRestored()
            assert seen == [
                SnapshotReceived("/a/", 9, (StoredValue("/a/3", b"x", 9),)),
                SnapshotReceived("/b/", 9, ()),
                RevisionReached(9),
            ]
            await take_watch(peer, 2)

    @pytest.mark.parametrize(
        ("text", "listed"),
        [("required revision is a future revision", 2), ("required revision has been compacted", 1)],
    )
    async def test_revision_that_the_store_has_not_is_listed(
        self, network: Network, text: str, listed: int
    ) -> None:
        async with watched(network, "/a/", "/b/") as batches:
            peer, _ = await begin(network, batches, prefixes=2)
            await peer.stream.aclose()
            peer = await network.accept()
            await peer.call()
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 11, f"etcdserver: mvcc: {text}")
            for _ in range(listed):
                await tell_list(peer, revision=9)
            seen = (await inputs(batches, 2 + listed + (listed - 1)))[2:]
            assert seen[:listed] == [SnapshotReceived(prefix, 9, ()) for prefix in ("/a/", "/b/")[:listed]]

    async def test_event_of_another_prefix_before_a_watcher_is_there_means_nothing(
        self, network: Network
    ) -> None:
        """etcd may send the events of the first watcher before it confirms the second, of an older header."""
        async with watched(network, "/a/", "/b/") as batches:
            peer = await network.accept()
            for _ in range(2):
                await tell_list(peer)
            watching, _ = await take_watch(peer, 2)
            await inputs(batches, 3)
            await watching.send(watch_id=1, created=True)
            await watching.send(watch_id=1, header=header(8), events=[put("/a/1", 8)])
            await watching.send(watch_id=2, created=True, header=header(7))
            await watching.send(watch_id=2, header=header(9), events=[put("/b/1", 9)])
            assert await inputs(batches, 3) == [key_put("/a/1", 8), key_put("/b/1", 9), RevisionReached(8)]


class TestOutages:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"watch_id": 9, "created": True}, "did not make"),
            ({"watch_id": 1, "canceled": True}, "without a reason"),
            ({"watch_id": -1, "canceled": True, "compact_revision": 5}, None),
        ],
    )
    async def test_answer_that_makes_no_sense_ends_the_stream_only(
        self, network: Network, answer: dict[str, Any], reason: str | None
    ) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.send(**answer)
            watching, creations = await take_watch(peer, 1)
            assert creations[0].start_revision == 8
            await watching.send(watch_id=1, created=True)
            await watching.send(watch_id=1, header=header(8), events=[put("/a/1", 8)])
            seen = await inputs(batches, 2 if reason is None else 4)
            assert seen[-2:] == [key_put("/a/1", 8), RevisionReached(8)]
            if reason is not None:
                assert isinstance(seen[0], DatastoreLost)
                assert reason in seen[0].reason

    async def test_member_without_a_leader_is_an_outage(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            await watching.end("14", "etcdserver: no leader")
            watching, _ = await take_watch(peer, 1)
            await watching.send(watch_id=1, created=True)
            lost, restored = await inputs(batches, 2)
            assert isinstance(lost, DatastoreLost)
            assert "no leader" in lost.reason
            assert restored == DatastoreRestored()

    async def test_goodbye_moves_the_watch_without_an_outage(self, network: Network) -> None:
        async with watched(network, "/a/") as batches:
            peer, _ = await begin(network, batches)
            await peer.goaway(2**31 - 1)
            _, watching, _ = await come_back(network, 1)
            await watching.send(watch_id=1, created=True)
            await watching.send(watch_id=1, header=header(8), events=[put("/a/1", 8)])
            assert await inputs(batches, 2) == [key_put("/a/1", 8), RevisionReached(8)]

    async def test_peer_that_says_goodbye_to_each_stream_does_not_make_it_spin(
        self, network: Network, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with watched(network, "/a/") as batches:
            peer, _ = await begin(network, batches)
            with trio.move_on_after(60):
                while True:
                    await peer.goaway(2**31 - 1)
                    peer, _, _ = await come_back(network, 1)
            assert autojump_clock.current_time() >= 60
            assert 10 <= len(network.dialled) <= 22

    async def test_long_outage_is_reported_once_and_asked_after_each_five_seconds(
        self, network: Network, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with watched(network, "/a/") as batches:
            await begin(network, batches)
            await network.cut()
            (lost,) = await inputs(batches, 1)
            assert isinstance(lost, DatastoreLost)
            with trio.move_on_after(3_600) as patience:
                await batches.receive()
            assert patience.cancelled_caught
            assert 3_600 / 10 <= len(network.dialled) <= 3_600 / 5 + 10
            network.is_down = False
            _, watching, creations = await come_back(network, 1)
            assert creations[0].start_revision == 8
            await watching.send(watch_id=1, created=True)
            assert await inputs(batches, 1) == [DatastoreRestored()]
            assert autojump_clock.current_time() <= 3_600 + 10

    async def test_short_life_does_not_reset_the_patience_and_a_long_one_does(
        self, network: Network, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with watched(network, "/a/") as batches:
            peer, watching = await begin(network, batches)
            waits = []
            for life in (0, 0, 0, 6, 0):
                await trio.sleep(life)
                await watching.end("14", "etcdserver: no leader")
                ended_at = autojump_clock.current_time()
                watching, _ = await take_watch(peer, 1)
                waits.append(autojump_clock.current_time() - ended_at)
                await watching.send(watch_id=1, created=True)
                await inputs(batches, 2)
            assert waits == pytest.approx([0.05, 0.1, 0.2, 0.05, 0.1])


async def test_consumer_that_takes_nothing_leaves_the_rest_with_etcd(
    network: Network, nursery: trio.Nursery
) -> None:
    window, size = 16_384, 1_000
    settings = EtcdSettings(endpoints=("http://a:2379",), stream_window_bytes=window)
    async with watched(network, "/a/", settings=settings, batches_max=2) as batches:
        peer, watching = await begin(network, batches)
        nursery.start_soon(peer.listen)
        sent = 0
        while peer.h2.local_flow_control_window(watching.stream_id) >= size + 100:
            sent += 1
            value = kv_pb2.KeyValue(key=b"/a/1", value=bytes(size), mod_revision=7 + sent)
            await watching.send(watch_id=1, header=header(7 + sent), events=[kv_pb2.Event(kv=value)])
            await trio.testing.wait_all_tasks_blocked()
        assert window // (size + 100) <= sent <= window // size + 5
        assert (await inputs(batches, 2 * sent))[-1] == RevisionReached(7 + sent)
        await trio.testing.wait_all_tasks_blocked()
        assert peer.h2.local_flow_control_window(watching.stream_id) > window * 7 // 8
        nursery.cancel_scope.cancel()


async def test_at_least_one_prefix_is_needed(network: Network) -> None:
    with pytest.raises(ValueError, match="at least one prefix"):
        async with watched(network):
            pass


async def test_end_of_the_block_ends_the_watch_on_etcd(network: Network) -> None:
    async with open_client(ONE, dialer=network.dial) as client:
        async with watch_prefixes(client, ["/a/"]) as batches:
            peer, _ = await begin(network, batches)
        await trio.testing.wait_all_tasks_blocked()
        assert client._session is not None
        assert client._session.channel._calls == {}
        assert client._session.channel.is_usable
        assert peer.stream is not None
