"""Leases that are kept, lost and taken again."""

import pytest
import trio

from felixbgp.cluster.inputs import KeyDeleted
from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import EtcdSettings, LeasedKey, LeaseLost, keep_alive, open_client, watch_prefixes
from felixbgp.runtime.etcd.client import EtcdClient
from felixbgp.runtime.etcd.errors import EtcdError
from felixbgp.runtime.etcd.lease import LeaseKeeper
from tests.integration.etcd.conftest import inputs_until, is_put, is_stored

pytestmark = pytest.mark.trio

TTL_SECONDS = 3
"""Short, and long enough to be confirmed in time on a busy machine."""


async def test_lease_is_kept_beyond_its_time(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, trio.open_nursery() as nursery:
        lease = await client.grant_lease(TTL_SECONDS)
        await client.put("/alive", "x", lease=lease)
        nursery.start_soon(keep_alive, client, lease)
        async with watch_prefixes(client, ["/alive"]) as batches:
            with trio.move_on_after(2 * TTL_SECONDS) as time:
                await inputs_until(batches, lambda each: isinstance(each, KeyDeleted))
            assert time.cancelled_caught
            assert await client.get("/alive") is not None
        nursery.cancel_scope.cancel()


async def test_lease_that_nobody_keeps_takes_its_key_away(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, watch_prefixes(client, ["/alive"]) as batches:
        lease = await client.grant_lease(TTL_SECONDS)
        await client.put("/alive", "x", lease=lease)
        await inputs_until(batches, lambda each: isinstance(each, KeyDeleted))


async def test_revoked_lease_is_lost(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        lease = await client.grant_lease(TTL_SECONDS)
        await client.revoke_lease(lease)
        with pytest.raises(LeaseLost, match="expired or was revoked"):
            await keep_alive(client, lease)


async def test_silent_etcd_loses_the_lease_after_two_thirds(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with open_client(settings) as client:
        lease = await client.grant_lease(TTL_SECONDS)
        keeper = LeaseKeeper(client, lease)
        server.pause()
        with pytest.raises(LeaseLost, match="not confirmed for"):
            await keeper.run()
        assert trio.current_time() - keeper.confirmed_at >= TTL_SECONDS * 2 / 3
        server.resume()


async def test_leased_key_comes_back_and_goes_with_us(
    settings: EtcdSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("felixbgp.runtime.etcd.lease.REVOKE_SECONDS_MAX", 30.0)
    async with open_client(settings) as client, watch_prefixes(client, ["/alive"]) as batches:
        key = LeasedKey(client, "/alive", "node-1", ttl_seconds=TTL_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(key.run)
            await inputs_until(batches, is_stored("/alive", b"node-1"))
            first = await lease_of(client)
            assert first
            await client.revoke_lease(first)
            seen = await inputs_until(batches, is_put("/alive", b"node-1"))
            assert KeyDeleted in map(type, seen)
            assert await lease_of(client) not in {0, first}
            nursery.cancel_scope.cancel()
        assert await client.get("/alive") is None
        assert not key.is_held


class Observed(LeasedKey):
    """Tells of its failures."""

    def __init__(self, client: EtcdClient) -> None:
        super().__init__(client, "/alive", "node-1", ttl_seconds=TTL_SECONDS)
        self.lost = trio.Event()

    def _on_failure(self, error: EtcdError) -> None:
        super()._on_failure(error)
        if isinstance(error, LeaseLost):
            self.lost.set()
            self.held = trio.Event()


async def test_leased_key_survives_a_restart_of_etcd(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as client, trio.open_nursery() as nursery:
        key = Observed(client)
        nursery.start_soon(key.run)
        await key.held.wait()
        server.kill()
        await key.lost.wait()
        assert not key.is_held
        assert "not confirmed for" in key.last_error
        await trio.to_thread.run_sync(server.start)
        await key.held.wait()
        assert await lease_of(client)
        nursery.cancel_scope.cancel()


async def lease_of(client: EtcdClient) -> int:
    """The lease that holds /alive; 0 when there is none."""
    stored = await client.get("/alive")
    return 0 if stored is None else stored.lease
