"""A cluster of three members that die."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from felixbgp.cluster.inputs import DatastoreLost, DatastoreRestored, KeyPut, SnapshotReceived, StoreInput
from felixbgp.lab.etcd import EtcdServer, free_ports
from felixbgp.runtime.etcd import (
    DeadlineExceeded,
    EtcdClient,
    EtcdSettings,
    Unavailable,
    open_client,
    watch_prefixes,
)
from tests.integration.etcd.conftest import inputs_until, is_lost, is_put, is_reached

pytestmark = pytest.mark.trio

QUICK_ELECTIONS = ("--heartbeat-interval=50", "--election-timeout=500")


@pytest.fixture
def members(tmp_path: Path, binary: Path) -> Iterator[list[EtcdServer]]:
    ports = free_ports(6)
    made = [
        EtcdServer(tmp_path / name, client_port, peer_port, binary, name=name, extra_flags=QUICK_ELECTIONS)
        for name, client_port, peer_port in zip(("m0", "m1", "m2"), ports[:3], ports[3:], strict=True)
    ]
    try:
        for member in made:
            member.initial_cluster = ",".join(f"{each.name}={each.peer_url}" for each in made)
            member.start(wait=False)
        for member in made:
            member.wait_until_ready()
        yield made
    finally:
        for member in made:
            member.kill()


async def leader_first(members: list[EtcdServer]) -> list[EtcdServer]:
    leads = {}
    for member in members:
        async with open_client(EtcdSettings(endpoints=(member.endpoint,))) as client:
            status = await client.status()
            leads[member.name] = status.leader == status.member_id
    return sorted(members, key=lambda member: not leads[member.name])


async def caught_up(members: list[EtcdServer], revision: int) -> None:
    """Wait until all of them have applied it."""
    with trio.fail_after(30):
        for member in members:
            async with open_client(EtcdSettings(endpoints=(member.endpoint,))) as client:
                while (await client.status()).revision < revision:  # noqa: ASYNC110 - etcd has no event for it
                    await trio.sleep(0.01)


def keys_of(inputs: list[StoreInput]) -> list[str]:
    """The keys there are after all of them, in the order they came in."""
    keys: dict[str, None] = {}
    for each in inputs:
        if isinstance(each, SnapshotReceived):
            keys = dict.fromkeys(stored.key for stored in each.values)
        elif isinstance(each, KeyPut):
            keys[each.stored.key] = None
    return list(keys)


async def put_until_done(client: EtcdClient, key: str) -> None:
    """A write that fails in an election may have happened or not; the same write again does no harm."""
    with trio.fail_after(30):
        while True:
            try:
                await client.put(key, "x")
            except (Unavailable, DeadlineExceeded):
                continue
            return


async def test_writes_and_watches_go_on_at_another_member_when_the_leader_is_killed(
    members: list[EtcdServer],
) -> None:
    leader, *others = await leader_first(members)
    settings = EtcdSettings(
        endpoints=tuple(member.endpoint for member in (leader, *others)),
        backoff_max_seconds=0.5,
    )
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await inputs_until(batches, is_reached(1))
        written = await client.put("/a/0", "x")
        await inputs_until(batches, is_put("/a/0", b"x"))
        assert (await client.status()).endpoint == leader.endpoint
        # One that lags behind for a moment, as it may under load, looks like a store that was put back, and
        # be listed again.
        await caught_up(others, written.revision)
        leader.kill()
        for number in range(1, 10):
            await put_until_done(client, f"/a/{number}")
        seen = await inputs_until(batches, is_put("/a/9", b"x"))
        assert keys_of(seen) == [f"/a/{number}" for number in range(1, 10)]
        assert not any(isinstance(each, SnapshotReceived) for each in seen)
        assert (await client.status()).endpoint in {member.endpoint for member in others}


async def test_member_without_a_leader_is_an_outage_and_reads_what_it_has(members: list[EtcdServer]) -> None:
    """The member we are connected to lives on: only `hasleader` makes that heard."""
    settings = EtcdSettings(endpoints=(members[0].endpoint,), backoff_max_seconds=0.5)
    async with open_client(settings) as client, watch_prefixes(client, ["/a/"]) as batches:
        await client.put("/a/1", "x")
        await inputs_until(batches, is_reached(2))
        for member in members[1:]:
            member.kill()
        lost = (await inputs_until(batches, is_lost))[-1]
        assert isinstance(lost, DatastoreLost)
        assert "no leader" in lost.reason
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await client.get("/a/1")
        assert await client.get("/a/1", serializable=True) is not None
        for member in members[1:]:
            member.start(wait=False)
        await inputs_until(batches, lambda each: isinstance(each, DatastoreRestored))
        await put_until_done(client, "/a/2")
        await inputs_until(batches, is_put("/a/2", b"x"))
