"""The client against endpoints in memory: deadlines, failover, tokens and pages, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h2.errors
import h2.events
import pytest
import trio
import trio.testing

from felixbgp._pb.etcd import kv_pb2, rpc_pb2
from felixbgp.runtime.etcd import (
    Compacted,
    DeadlineExceeded,
    EtcdClient,
    EtcdSettings,
    MessageTooLarge,
    PermissionDenied,
    ProtocolError,
    Unauthenticated,
    Unavailable,
    methods,
    open_client,
)
from tests.unit.runtime.etcd.conftest import Network, Peer, Pending

pytestmark = pytest.mark.trio

A, B = "http://a:2379", "http://b:2379"
BOTH = EtcdSettings(endpoints=(A, B))
USER = EtcdSettings(endpoints=(A, B), username="agent", password="secret")
TOKEN_ENDED = (16, "etcdserver: invalid auth token")


@asynccontextmanager
async def opened(network: Network, settings: EtcdSettings = BOTH) -> AsyncIterator[EtcdClient]:
    async with open_client(settings, dialer=network.dial, jitter=lambda: 1.0) as client:
        yield client


def found(*keys: str, revision: int = 7, more: bool = False) -> rpc_pb2.RangeResponse:
    stored = [kv_pb2.KeyValue(key=key.encode(), value=b"x", mod_revision=1) for key in keys]
    return rpc_pb2.RangeResponse(
        header=rpc_pb2.ResponseHeader(revision=revision), kvs=stored, more=more, count=len(stored)
    )


async def test_nothing_is_dialled_before_the_first_request_and_callers_share_a_connection(
    network: Network, nursery: trio.Nursery
) -> None:
    async with opened(network) as client:
        await trio.testing.wait_all_tasks_blocked()
        assert network.dialled == []
        pending = [Pending(nursery, client.get, key) for key in ("/a", "/b")]
        peer = await network.accept()
        for _ in pending:
            stream_id, request = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found(request.key.decode()))
        assert {(await each.answer()).text_key for each in pending} == {"/a", "/b"}
        assert network.dialled == [A]


class TestDeadlines:
    async def test_silent_etcd_costs_one_deadline_and_the_next_request_goes_elsewhere(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get, "/a")
            silent = await network.accept()
            await silent.ask(rpc_pb2.RangeRequest)
            assert silent.fields[b"grpc-timeout"] == b"3000m"
            error = await pending.error()
            assert isinstance(error, DeadlineExceeded)
            assert "no answer within 3 s" in str(error)
            assert A in str(error)
            assert autojump_clock.current_time() == pytest.approx(3)
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            assert peer.endpoint == B
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found())
            assert await pending.answer() is None

    async def test_deadline_holds_for_all_attempts_together(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            await peer.ask(rpc_pb2.RangeRequest)
            await trio.sleep(2)
            await peer.stream.aclose()
            await (await network.accept()).ask(rpc_pb2.RangeRequest)
            assert isinstance(await pending.error(), DeadlineExceeded)
            assert autojump_clock.current_time() == pytest.approx(3)

    async def test_silent_peer_is_pinged_at_once_and_kept_when_it_lives(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with opened(network, EtcdSettings(endpoints=(A,))) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            await peer.ask(rpc_pb2.RangeRequest)
            assert isinstance(await pending.error(), DeadlineExceeded)
            await peer.expect(h2.events.PingReceived)
            pending = Pending(nursery, client.get, "/a")
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found())
            await pending.answer()
            assert network.dialled == [A]
            assert autojump_clock.current_time() == pytest.approx(3)

    async def test_endpoint_that_accepts_and_says_nothing_is_passed_over(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async def dial_mute(*arguments: Any) -> trio.abc.Stream:
            if network.dialled:
                return await network.dial(*arguments)
            network.dialled.append("mute")
            await trio.lowlevel.checkpoint()
            ours, _ = trio.testing.memory_stream_pair()
            return ours

        async with open_client(BOTH, dialer=dial_mute) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            assert peer.endpoint == B
            assert autojump_clock.current_time() == pytest.approx(2)
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found())
            await pending.answer()


class TestFailover:
    async def test_read_is_repeated_elsewhere(self, network: Network, nursery: trio.Nursery) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get, "/a")
            broken = await network.accept()
            await broken.ask(rpc_pb2.RangeRequest)
            await broken.stream.aclose()
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found("/a"))
            assert (await pending.answer()).text_key == "/a"
            assert network.dialled == [A, B]

    async def test_write_that_etcd_may_have_done_is_not_repeated(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.put, "/a", "1")
            broken = await network.accept()
            await broken.ask(rpc_pb2.PutRequest)
            await broken.stream.aclose()
            error = await pending.error()
            assert isinstance(error, Unavailable)
            assert not error.unsent
            assert network.dialled == [A]

    async def test_write_that_etcd_surely_did_not_see_is_repeated(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.put, "/a", "1")
            leaving = await network.accept()
            stream_id, _ = await leaving.ask(rpc_pb2.PutRequest)
            await leaving.reset(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.PutRequest)
            await peer.tell(stream_id, rpc_pb2.PutResponse(header=rpc_pb2.ResponseHeader(revision=9)))
            assert (await pending.answer()).revision == 9

    async def test_member_without_a_leader_is_left(self, network: Network, nursery: trio.Nursery) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get, "/a")
            leaderless = await network.accept()
            stream_id, _ = await leaderless.ask(rpc_pb2.RangeRequest)
            await leaderless.refuse(stream_id, 14, "etcdserver: no leader")
            peer = await network.accept()
            assert peer.endpoint == B
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found())
            await pending.answer()

    async def test_failure_names_every_endpoint(self, network: Network) -> None:
        network.is_down = True
        async with opened(network) as client:
            with pytest.raises(Unavailable) as refused:
                await client.get("/a")
            assert f"{A}: connection refused; {B}: connection refused" in str(refused.value)
            assert refused.value.unsent

    async def test_caller_that_asks_in_a_loop_does_not_make_the_client_spin(
        self, network: Network, autojump_clock: trio.testing.MockClock
    ) -> None:
        """Rounds begin after 0, 50, 100 … ms, then each 5 s."""
        network.is_down = True
        async with opened(network) as client:
            while autojump_clock.current_time() < 60:
                with pytest.raises(Unavailable):
                    await client.get("/a")
        rounds = 1 + len([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]) + (60 - 6) // 5 + 1
        assert network.dialled == [A, B] * (len(network.dialled) // 2)
        assert rounds - 1 <= len(network.dialled) // 2 <= rounds


class TestTokens:
    async def authenticate(self, peer: Peer, token: str) -> None:
        stream_id, request = await peer.ask(rpc_pb2.AuthenticateRequest)
        assert (request.name, request.password) == ("agent", "secret")
        assert b"token" not in peer.fields
        await peer.tell(stream_id, rpc_pb2.AuthenticateResponse(token=token))

    async def test_authenticates_once_a_connection(self, network: Network, nursery: trio.Nursery) -> None:
        async with opened(network, USER) as client:
            for number in range(3):
                pending = Pending(nursery, client.get, "/a")
                if number == 0:
                    peer = await network.accept()
                    await self.authenticate(peer, "one")
                stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
                assert peer.fields[b"token"] == b"one"
                await peer.tell(stream_id, found())
                await pending.answer()

    @pytest.mark.parametrize(
        ("status", "text"), [TOKEN_ENDED, (3, "etcdserver: revision of auth store is old")]
    )
    async def test_callers_whose_token_ended_share_one_renewal(
        self, network: Network, nursery: trio.Nursery, status: int, text: str
    ) -> None:
        async with opened(network, USER) as client:
            pending = [Pending(nursery, client.put, key, "1") for key in ("/a", "/b")]
            peer = await network.accept()
            await self.authenticate(peer, "one")
            refused = [(await peer.ask(rpc_pb2.PutRequest))[0] for _ in pending]
            for stream_id in refused:
                await peer.refuse(stream_id, status, text)
            await self.authenticate(peer, "two")
            for _ in pending:
                stream_id, _ = await peer.ask(rpc_pb2.PutRequest)
                assert peer.fields[b"token"] == b"two"
                await peer.tell(stream_id, rpc_pb2.PutResponse())
            for each in pending:
                await each.answer()

    async def test_new_token_that_is_refused_too_is_believed(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, USER) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            await self.authenticate(peer, "one")
            for token in ("two", ""):
                stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
                await peer.refuse(stream_id, *TOKEN_ENDED)
                if token:
                    await self.authenticate(peer, token)
            assert isinstance(await pending.error(), Unauthenticated)

    async def test_connection_that_breaks_at_the_renewal_is_left_like_any_other(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, USER) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            await self.authenticate(peer, "one")
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, *TOKEN_ENDED)
            await peer.ask(rpc_pb2.AuthenticateRequest)
            await peer.stream.aclose()
            peer = await network.accept()
            await self.authenticate(peer, "two")
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            assert (peer.endpoint, peer.fields[b"token"]) == (B, b"two")
            await peer.tell(stream_id, found())
            await pending.answer()

    async def test_without_a_user_there_is_nothing_to_renew(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 3, "etcdserver: user name is empty")
            assert isinstance(await pending.error(), Unauthenticated)

    async def test_wrong_password_is_not_tried_on_every_endpoint_nor_without_a_pause(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        """It costs etcd 70 ms of computing."""
        async with opened(network, USER) as client:
            for _ in range(2):
                pending = Pending(nursery, client.get, "/a")
                peer = await network.accept()
                stream_id, _ = await peer.ask(rpc_pb2.AuthenticateRequest)
                await peer.refuse(
                    stream_id, 3, "etcdserver: authentication failed, invalid user ID or password"
                )
                assert isinstance(await pending.error(), Unauthenticated)
            assert len(network.dialled) == 2
            assert autojump_clock.current_time() == pytest.approx(0.05)

    async def test_user_where_etcd_asks_for_none_goes_without_a_token(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, USER) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.AuthenticateRequest)
            await peer.refuse(stream_id, 9, "etcdserver: authentication is not enabled")
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            assert b"token" not in peer.fields
            await peer.tell(stream_id, found())
            await pending.answer()

    async def test_missing_permission_is_no_matter_of_the_token(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, USER) as client:
            pending = Pending(nursery, client.get, "/a")
            peer = await network.accept()
            await self.authenticate(peer, "one")
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 7, "etcdserver: permission denied")
            assert isinstance(await pending.error(), PermissionDenied)


class TestPages:
    async def test_pages_are_pinned_to_the_revision_of_the_first(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, EtcdSettings(endpoints=(A,), page_keys=2)) as client:
            pending = Pending(nursery, client.get_prefix, "/a/")
            peer = await network.accept()
            stream_id, first = await peer.ask(rpc_pb2.RangeRequest)
            assert (first.key, first.range_end, first.limit, first.revision) == (b"/a/", b"/a0", 2, 0)
            await peer.tell(stream_id, found("/a/1", "/a/2", more=True))
            stream_id, second = await peer.ask(rpc_pb2.RangeRequest)
            assert (second.key, second.range_end, second.revision) == (b"/a/2\0", b"/a0", 7)
            await peer.tell(stream_id, found("/a/3", revision=8))
            listing = await pending.answer()
            assert listing.revision == 7
            assert [each.text_key for each in listing.values] == ["/a/1", "/a/2", "/a/3"]

    async def test_revision_that_is_compacted_between_two_pages_ends_the_listing(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network) as client:
            pending = Pending(nursery, client.get_prefix, "/a/")
            peer = await network.accept()
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.tell(stream_id, found("/a/1", more=True))
            stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
            await peer.refuse(stream_id, 11, "etcdserver: mvcc: required revision has been compacted")
            assert isinstance(await pending.error(), Compacted)

    async def test_pages_shrink_to_one_key_and_a_key_over_the_limit_is_an_error(
        self, network: Network, nursery: trio.Nursery
    ) -> None:
        async with opened(network, EtcdSettings(endpoints=(A,), message_bytes_max=100)) as client:
            pending = Pending(nursery, client.get_prefix, "/a/")
            peer = await network.accept()
            for limit in (2_000, 250, 31, 3, 1):
                stream_id, request = await peer.ask(rpc_pb2.RangeRequest)
                assert request.limit == limit
                await peer.tell(stream_id, found("/a/" + "long" * 30))
            assert isinstance(await pending.error(), MessageTooLarge)


async def test_answer_that_is_no_answer(network: Network, nursery: trio.Nursery) -> None:
    async with opened(network) as client:
        pending = Pending(nursery, client.get, "/a")
        peer = await network.accept()
        stream_id, _ = await peer.ask(rpc_pb2.RangeRequest)
        await peer.answer(stream_id, b"\xff\xff")
        error = await pending.error()
        assert isinstance(error, ProtocolError)
        assert "no RangeResponse" in str(error)


async def test_stream_that_etcd_ends_well_is_over_all_the_same(network: Network) -> None:
    async with opened(network) as client:
        with pytest.raises(Unavailable, match="ended the stream"):  # noqa: PT012 - the block is what raises
            async with client.open_stream(methods.WATCH) as stream:
                await stream.send(rpc_pb2.WatchRequest())
                peer = await network.accept()
                stream_id = await peer.call()
                await peer.headers(stream_id)
                await peer.trailers(stream_id)
                await stream.receive()


async def test_error_of_a_body_comes_out_of_the_block_as_it_is(network: Network) -> None:
    with pytest.raises(KeyError):
        async with opened(network):
            raise KeyError
