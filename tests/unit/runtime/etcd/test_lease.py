"""Leases against an endpoint in memory: when they are confirmed, lost and taken again, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.runtime.etcd import (
    EtcdSettings,
    Lease,
    LeasedKey,
    LeaseLost,
    keep_alive,
    open_client,
)
from felixbgp.runtime.etcd.framing import pack_message
from tests.unit.runtime.etcd.conftest import Network, Peer, Pending

pytestmark = pytest.mark.trio

ONE = EtcdSettings(endpoints=("http://a:2379",))
TTL = 15


class Keeping:
    """One stream of confirmations."""

    def __init__(self, peer: Peer, stream_id: int) -> None:
        self._peer = peer
        self._stream_id = stream_id

    @classmethod
    async def begin(cls, peer: Peer) -> "Keeping":
        keeping = cls(peer, await peer.call())
        await peer.headers(keeping._stream_id)
        return keeping

    async def asked(self) -> int:
        """Wait for a request; the lease it is for."""
        lease_id: int = (await self._peer.message(rpc_pb2.LeaseKeepAliveRequest)).ID
        return lease_id

    async def confirm(self, ttl: int = TTL) -> None:
        message = rpc_pb2.LeaseKeepAliveResponse(TTL=ttl)
        await self._peer.data(self._stream_id, pack_message(message.SerializeToString()))

    async def end(self) -> None:
        await self._peer.trailers(self._stream_id, "14", "etcdserver: no leader")


class TestKeeping:
    async def test_is_confirmed_each_third_of_its_time(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with open_client(ONE, dialer=network.dial) as client:
            Pending(nursery, keep_alive, client, Lease(42, TTL))
            keeping = await Keeping.begin(await network.accept())
            for number in range(10):
                assert await keeping.asked() == 42
                assert autojump_clock.current_time() == pytest.approx(number * TTL / 3)
                await keeping.confirm()
            nursery.cancel_scope.cancel()

    async def test_is_lost_when_etcd_says_that_it_ended(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with open_client(ONE, dialer=network.dial) as client:
            pending = Pending(nursery, keep_alive, client, Lease(42, TTL))
            keeping = await Keeping.begin(await network.accept())
            await keeping.asked()
            await keeping.confirm(ttl=0)
            error = await pending.error()
            assert isinstance(error, LeaseLost)
            assert "lease 2a expired or was revoked" in str(error)
            assert autojump_clock.current_time() == 0

    async def test_is_lost_after_two_thirds_of_silence_since_the_last_confirmed_request(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with open_client(ONE, dialer=network.dial) as client:
            pending = Pending(nursery, keep_alive, client, Lease(42, TTL))
            keeping = await Keeping.begin(await network.accept())
            await keeping.asked()
            await keeping.confirm()
            await keeping.asked()
            await trio.sleep(1)
            await keeping.confirm()
            await keeping.asked()
            error = await pending.error()
            assert isinstance(error, LeaseLost)
            assert "not confirmed for 10 s" in str(error)
            assert autojump_clock.current_time() == pytest.approx(TTL / 3 + TTL * 2 / 3)

    async def test_is_lost_after_two_thirds_without_a_connection_for_a_reason(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        network.is_down = True
        async with open_client(ONE, dialer=network.dial) as client:
            error = await Pending(nursery, keep_alive, client, Lease(42, TTL)).error()
            assert isinstance(error, LeaseLost)
            assert "connection refused" in str(error)
            assert autojump_clock.current_time() == pytest.approx(TTL * 2 / 3)

    async def test_goes_on_over_another_stream_and_another_connection(
        self, network: Network, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with open_client(ONE, dialer=network.dial, jitter=lambda: 1.0) as client:
            Pending(nursery, keep_alive, client, Lease(42, TTL))
            peer = await network.accept()
            keeping = await Keeping.begin(peer)
            await keeping.asked()
            await keeping.end()
            keeping = await Keeping.begin(peer)
            await keeping.asked()
            await keeping.confirm()
            await keeping.asked()
            await peer.stream.aclose()
            keeping = await Keeping.begin(await network.accept())
            assert await keeping.asked() == 42
            assert autojump_clock.current_time() == pytest.approx(TTL / 3 + 0.05 + 0.05)
            nursery.cancel_scope.cancel()


class TestLeasedKey:
    @staticmethod
    @asynccontextmanager
    async def running(network: Network) -> AsyncIterator[LeasedKey]:
        async with open_client(ONE, dialer=network.dial) as client, trio.open_nursery() as nursery:
            key = LeasedKey(client, "/alive", "node-1", ttl_seconds=TTL)
            assert not key.is_held
            nursery.start_soon(key.run)
            yield key
            nursery.cancel_scope.cancel()

    @staticmethod
    async def grant(peer: Peer, lease_id: int) -> None:
        stream_id, request = await peer.ask(rpc_pb2.LeaseGrantRequest)
        assert request.TTL == TTL
        await peer.tell(stream_id, rpc_pb2.LeaseGrantResponse(ID=lease_id, TTL=TTL))

    @staticmethod
    async def take_put(peer: Peer, lease_id: int) -> None:
        stream_id, request = await peer.ask(rpc_pb2.PutRequest)
        assert (request.key, request.value, request.lease) == (b"/alive", b"node-1", lease_id)
        await peer.tell(stream_id, rpc_pb2.PutResponse())

    async def hold(self, network: Network) -> tuple[Peer, Keeping]:
        """The key is there, under lease 1."""
        peer = await network.accept()
        await self.grant(peer, 1)
        await self.take_put(peer, 1)
        keeping = await Keeping.begin(peer)
        assert await keeping.asked() == 1
        return peer, keeping

    async def test_lost_lease_is_granted_again_and_the_key_put_under_it(self, network: Network) -> None:
        async with self.running(network) as key:
            peer, keeping = await self.hold(network)
            await key.held.wait()
            assert key.is_held
            await keeping.confirm(ttl=0)
            stream_id, _ = await peer.ask(rpc_pb2.LeaseGrantRequest)
            assert (key.is_held, "expired or was revoked" in key.last_error) == (False, True)
            await peer.tell(stream_id, rpc_pb2.LeaseGrantResponse(ID=2, TTL=TTL))
            await self.take_put(peer, 2)
            assert await (await Keeping.begin(peer)).asked() == 2
            assert (key.is_held, key.last_error) == (True, "")
            await network.cut()

    async def test_lease_that_ends_before_the_put_is_granted_again(self, network: Network) -> None:
        async with self.running(network):
            peer = await network.accept()
            await self.grant(peer, 1)
            stream_id, _ = await peer.ask(rpc_pb2.PutRequest)
            await peer.refuse(stream_id, 5, "etcdserver: requested lease not found")
            await self.grant(peer, 2)
            await self.take_put(peer, 2)
            await network.cut()

    async def test_put_that_fails_is_repeated_under_the_same_lease(self, network: Network) -> None:
        async with self.running(network):
            peer = await network.accept()
            await self.grant(peer, 1)
            stream_id, _ = await peer.ask(rpc_pb2.PutRequest)
            await peer.refuse(stream_id, 14, "etcdserver: request timed out")
            await self.take_put(peer, 1)
            await network.cut()

    async def test_end_takes_the_key_away(self, network: Network, nursery: trio.Nursery) -> None:
        async def answer() -> None:
            stream_id, request = await peer.ask(rpc_pb2.LeaseRevokeRequest)
            assert request.ID == 1
            await peer.tell(stream_id, rpc_pb2.LeaseRevokeResponse())
            is_revoked.set()

        is_revoked = trio.Event()
        async with self.running(network) as key:
            peer, _ = await self.hold(network)
            nursery.start_soon(answer)
        assert is_revoked.is_set()
        assert not key.is_held

    async def test_end_waits_for_a_silent_etcd_one_second(
        self, network: Network, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with self.running(network):
            await self.hold(network)
        assert autojump_clock.current_time() == pytest.approx(1)
