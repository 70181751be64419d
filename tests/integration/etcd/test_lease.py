"""Leases that are kept, lost and taken again."""

import pytest
import trio

from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import EtcdSettings, LeasedKey, LeaseLost, keep_alive, open_client
from felixbgp.runtime.etcd.client import EtcdClient
from felixbgp.runtime.etcd.lease import LeaseKeeper

pytestmark = pytest.mark.trio

TTL_SECONDS = 2
"""The shortest that etcd grants with its default election timeout."""


async def test_lease_is_kept_beyond_its_time(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        lease = await client.grant_lease(TTL_SECONDS)
        await client.put("/alive", "x", lease=lease)
        keeper = LeaseKeeper(client, lease)
        started_at = keeper.confirmed_at
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            with trio.fail_after(30):
                while keeper.confirmed_at < started_at + 1.5 * TTL_SECONDS:  # noqa: ASYNC110 - time is the subject
                    await trio.sleep(0.05)
            assert await client.get("/alive") is not None
            nursery.cancel_scope.cancel()


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


async def test_leased_key_comes_back_and_goes_with_us(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        key = LeasedKey(client, "/alive", "node-1", ttl_seconds=TTL_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(key.run)
            await key.held.wait()
            first = await lease_of(client)
            await client.revoke_lease(first)
            with trio.fail_after(30):
                while (second := await lease_of(client)) in {0, first}:
                    pass
            assert second
            nursery.cancel_scope.cancel()
        assert await client.get("/alive") is None
        assert not key.is_held


async def test_leased_key_survives_a_restart_of_etcd(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        key = LeasedKey(client, "/alive", "node-1", ttl_seconds=TTL_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(key.run)
            await key.held.wait()
            server.kill()
            await held_becomes(key, wanted=False)
            assert key.last_error
            await trio.to_thread.run_sync(server.start)
            await held_becomes(key, wanted=True)
            assert await lease_of(client)
            nursery.cancel_scope.cancel()


async def held_becomes(key: LeasedKey, *, wanted: bool) -> None:
    with trio.fail_after(30):
        while key.is_held is not wanted:  # noqa: ASYNC110 - time is the subject: two thirds of the TTL
            await trio.sleep(0.05)


async def lease_of(client: EtcdClient) -> int:
    """The lease that holds /alive; 0 when there is none."""
    stored = await client.get("/alive")
    return 0 if stored is None else stored.lease
