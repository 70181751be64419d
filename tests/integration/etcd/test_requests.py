"""Unary requests against a real etcd."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from operator import eq, gt, lt, ne
from pathlib import Path
from typing import Any

import pytest
import trio

from felixbgp.lab.etcd import EtcdServer, free_ports
from felixbgp.runtime.etcd import (
    Compacted,
    DeadlineExceeded,
    DeleteResult,
    EtcdClient,
    EtcdSettings,
    LeaseNotFound,
    Listing,
    PutResult,
    RequestRefused,
    TransactionResult,
    Unavailable,
    open_client,
)
from felixbgp.runtime.etcd.transactions import Create, Delete, Get, Mod, Put, Txn, Value, Version
from tests.integration.etcd.conftest import QUICK

pytestmark = pytest.mark.trio


async def fill(client: EtcdClient, prefix: str, count: int, value: str = "x") -> None:
    """Write `count` keys, a hundred in one transaction (etcd takes 128 operations)."""
    for start in range(0, count, 100):
        keys = range(start, min(start + 100, count))
        await client.txn(success=[Put(f"{prefix}{number:06}", value) for number in keys])


async def test_put_get_delete(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        assert await client.get("/a") is None
        written = await client.put("/a", "1")
        stored = await client.get("/a")
        assert stored is not None
        assert (stored.key, stored.value, stored.mod_revision, stored.version) == (
            b"/a",
            b"1",
            written.revision,
            1,
        )
        again = await client.put("/a", b"2", with_previous=True)
        assert again.previous is not None
        assert again.previous.value == b"1"
        old = await client.get("/a", revision=written.revision)
        assert old is not None
        assert old.value == b"1"
        assert (await client.delete("/a")).deleted == 1
        assert (await client.delete("/a")).deleted == 0


async def test_prefix_of_ten_thousand_keys_is_read_in_pages_of_one_revision(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        await fill(client, "/k/", 10_000)
        await client.put("/k0", "after the prefix")
        await client.put("/k", "before the prefix")
        listing = await client.get_prefix("/k/")
        assert [value.text_key for value in listing.values] == [f"/k/{number:06}" for number in range(10_000)]
        assert await client.get_keys("/k/") == [value.text_key for value in listing.values]
        deleted = await client.delete_prefix("/k/")
        assert deleted.deleted == 10_000
        assert (await client.get_prefix("/k/")).values == ()
        assert len((await client.get_prefix("/k/", revision=listing.revision)).values) == 10_000
        assert len((await client.get_prefix("")).values) == 2
        with pytest.raises(ValueError, match="whole store"):
            await client.delete_prefix("")


async def test_pages_shrink_until_their_answers_fit(server: EtcdServer) -> None:
    settings = EtcdSettings(endpoints=(server.endpoint,), message_bytes_max=300_000)
    async with open_client(settings) as client:
        for number in range(5):
            await client.put(f"/big/{number}", bytes(200_000))
        assert len((await client.get_prefix("/big/")).values) == 5


async def test_answer_of_many_megabytes(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        for number in range(20):
            await client.put(f"/big/{number:02}", bytes((number,)) * 1_000_000)
        listing = await client.get_prefix("/big/")
        assert [value.value[0] for value in listing.values] == list(range(20))
        assert all(len(value.value) == 1_000_000 for value in listing.values)


async def test_request_too_large_for_etcd(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        with pytest.raises(RequestRefused, match="too large"):
            await client.put("/a", bytes(1_800_000))
        await client.put("/a", "the connection lives")


@pytest.mark.parametrize(
    ("subject", "operator", "operand", "holds"),
    [
        (Version, "==", "2", True),
        (Version, "!=", "2", False),
        (Version, ">", "1", True),
        (Version, "<", "2", False),
        (Value, "==", "two", True),
        (Value, "!=", "two", False),
        (Value, ">", "one", True),
        (Value, "<", "one", False),
        (Mod, "==", "3", True),
        (Mod, "<", "3", False),
        (Create, "==", "2", True),
        (Create, ">", "2", False),
    ],
)
async def test_transaction_takes_the_branch_of_its_compare(
    settings: EtcdSettings, subject: Callable[[str], Any], operator: str, operand: str, holds: bool
) -> None:
    apply = {"==": eq, "!=": ne, ">": gt, "<": lt}[operator]
    async with open_client(settings) as client:
        await client.put("/a", "one")
        assert (await client.put("/a", "two")).revision == 3
        compare = apply(subject("/a"), operand)
        result = await client.txn(compare=[compare], success=[Put("/yes", "")], failure=[Put("/no", "")])
        assert result.succeeded is holds
        assert (await client.get("/yes") is not None) is holds
        assert (await client.get("/no") is not None) is not holds


async def test_compare_of_a_key_that_is_not_there_and_of_a_range(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        assert (await client.txn(compare=[Version("/a") == 0], success=[Put("/a", "1")])).succeeded
        assert not (await client.txn(compare=[Version("/a") == 0])).succeeded
        await client.put("/b", "1")
        assert (await client.txn(compare=[Version("/", "0") == 1])).succeeded
        await client.put("/b", "2")
        assert not (await client.txn(compare=[Version("/", "0") == 1])).succeeded


async def test_transaction_results_in_order(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        await client.put("/a", "1")
        result = await client.txn(
            success=[
                Put("/b", "2"),
                Get("/a"),
                Delete("/a", prev_kv=True),
                # etcd takes all decisions before it writes anything: /b is not there yet.
                Txn([Version("/b") == 0], [Get("/b")], [Put("/never", "")]),
            ]
        )
        put, got, deleted, nested = result.results
        assert put == PutResult(result.revision, None)
        assert isinstance(got, Listing)
        assert [value.value for value in got.values] == [b"1"]
        assert isinstance(deleted, DeleteResult)
        assert [value.key for value in deleted.previous] == [b"/a"]
        assert isinstance(nested, TransactionResult)
        assert (nested.succeeded, nested.revision) == (True, result.revision)
        with pytest.raises(TypeError, match="no operation"):
            await client.txn(success=["/a"])
        with pytest.raises(TypeError, match="no compare"):
            await client.txn(compare=[True])


async def test_transaction_with_a_duplicate_key_is_refused(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        with pytest.raises(RequestRefused, match="duplicate key"):
            await client.txn(success=[Put("/a", "1"), Put("/a", "2")])


async def test_status_and_typed_refusals(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        status = await client.status()
        assert status.endpoint == server.endpoint
        assert status.version.startswith(("3.4", "3.5"))
        assert status.leader == status.member_id
        revision = (await client.put("/a", "1")).revision
        await client.put("/a", "2")
        await client.compact(revision + 1)
        with pytest.raises(Compacted):
            await client.get_prefix("/", revision=revision)
        with pytest.raises(Compacted):
            await client.compact(revision)
        with pytest.raises(LeaseNotFound) as refused:
            await client.put("/a", "3", lease=12345)
        assert str(refused.value).startswith(f"/etcdserverpb.KV/Put at {server.endpoint}: ")
        await client.revoke_lease(12345)


async def test_paused_etcd_costs_one_deadline(server: EtcdServer, settings: EtcdSettings) -> None:
    async with open_client(settings) as patient:
        await patient.put("/a", "1")
    async with open_client(replace(settings, request_timeout_seconds=0.3)) as client:
        await _in_time(client)
        server.pause()
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.3 s"):
            await client.get("/a")
        server.resume()
        await _in_time(client)


async def _in_time(client: EtcdClient) -> None:
    """Ask until there is an answer within the deadline of this client."""
    with trio.fail_after(30):
        while True:
            with suppress(DeadlineExceeded, Unavailable):
                assert await client.get("/a") is not None
                return


async def test_paused_etcd_does_not_hold_up_a_connection_attempt(server: EtcdServer) -> None:
    """The kernel still accepts; only SETTINGS show that somebody is there."""
    server.pause()
    settings = EtcdSettings(endpoints=(server.endpoint,), connect_timeout_seconds=0.2)
    async with open_client(settings) as client:
        with pytest.raises(Unavailable, match=r"no gRPC answer within 0\.2 s"):
            await client.get("/a")
    server.resume()


async def test_first_endpoint_is_dead(server: EtcdServer) -> None:
    (dead_port,) = free_ports(1)
    dead = f"http://127.0.0.1:{dead_port}"
    settings = EtcdSettings(endpoints=(dead, server.endpoint))
    async with open_client(settings) as client:
        await client.put("/a", "1")
        assert (await client.status()).endpoint == server.endpoint
    async with open_client(EtcdSettings(endpoints=(dead,))) as client:
        with pytest.raises(Unavailable, match="refused") as failure:
            await client.get("/a")
        assert dead in str(failure.value)


async def test_second_endpoint_takes_over_when_the_first_is_killed(
    server: EtcdServer, binary: Path, tmp_path: Path
) -> None:
    with EtcdServer.on_free_ports(tmp_path / "other", binary=binary, extra_flags=QUICK) as other:
        settings = EtcdSettings(endpoints=(other.endpoint, server.endpoint))
        async with open_client(settings) as client:
            await client.put("/a", "1")
            assert (await client.status()).endpoint == other.endpoint
            other.kill()
            assert await client.get("/a") is None
            assert (await client.status()).endpoint == server.endpoint


async def test_write_after_a_restart_makes_a_new_connection(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with open_client(settings) as client:
        await client.put("/a", "1")
        server.kill()
        with pytest.raises(Unavailable):
            await client.put("/a", "2")
        await trio.to_thread.run_sync(server.start)
        stored = await client.get("/a")
        assert stored is not None
        assert stored.value == b"1"
