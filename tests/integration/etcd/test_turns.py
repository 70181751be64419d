"""Turns to reset sessions, of a real etcd: one at a time, in the order in which they were asked for."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import trio

from felixbgp._pb.etcd import auth_pb2, rpc_pb2
from felixbgp.agent.inputs import Input, TurnAwaited, TurnGranted, TurnLost, TurnRefused
from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import EtcdClient, EtcdSettings, open_client
from felixbgp.runtime.turns import Turn
from felixbgp.status.keys import RESETS, resets_key
from tests.integration.etcd.test_security import READ_WRITE, administer, agent_and_root

pytestmark = pytest.mark.trio


class Standing:
    """A node in line, and what it has heard."""

    def __init__(self, client: EtcdClient, node: str, nursery: trio.Nursery) -> None:
        self.heard: list[Input] = []
        self._more = trio.Event()
        self.turn = Turn(client, node, nursery, self._deliver)

    def _deliver(self, events: Iterable[Input]) -> None:
        self.heard += events
        self._more.set()
        self._more = trio.Event()

    async def until(self, wanted: type[Input]) -> Input:
        """The first of a kind that was not asked for yet."""
        with trio.fail_after(30):
            while True:
                for place, event in enumerate(self.heard):
                    if isinstance(event, wanted):
                        del self.heard[: place + 1]
                        return event
                await self._more.wait()


@asynccontextmanager
async def line(client: EtcdClient) -> AsyncIterator[list[Standing]]:
    """Three nodes, nobody of whom has asked yet."""
    async with trio.open_nursery() as nursery:
        yield [Standing(client, f"node-{number}", nursery) for number in (1, 2, 3)]
        nursery.cancel_scope.cancel()


async def gone(client: EtcdClient, key: str) -> None:
    with trio.fail_after(30):
        while await client.get(key) is not None:
            await trio.lowlevel.checkpoint()


async def test_who_came_first_has_it_until_it_is_given_back(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, line(client) as (first, second, third):
        first.turn.acquire()
        await first.until(TurnGranted)
        third.turn.acquire()
        assert await third.until(TurnAwaited) == TurnAwaited("node-1")
        second.turn.acquire()
        assert await second.until(TurnAwaited) == TurnAwaited("node-3")
        first.turn.release()
        await third.until(TurnGranted)
        assert second.heard == []
        third.turn.release()
        await second.until(TurnGranted)
        second.turn.release()
        await gone(client, resets_key("node-2"))
        assert await client.get_keys(RESETS) == []


async def test_who_leaves_the_line_lets_the_next_wait_for_the_one_before(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, line(client) as (first, second, third):
        first.turn.acquire()
        await first.until(TurnGranted)
        second.turn.acquire()
        await second.until(TurnAwaited)
        third.turn.acquire()
        assert await third.until(TurnAwaited) == TurnAwaited("node-2")
        second.turn.release()
        assert await third.until(TurnAwaited) == TurnAwaited("node-1")


async def test_a_node_whose_name_begins_the_same_is_another(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, trio.open_nursery() as nursery:
        tenth, first, other = (Standing(client, f"node-{number}", nursery) for number in (10, 1, 2))
        first.turn.acquire()
        await first.until(TurnGranted)
        tenth.turn.acquire()
        await tenth.until(TurnAwaited)
        other.turn.acquire()
        await other.until(TurnAwaited)
        first.turn.release()
        await tenth.until(TurnGranted)
        tenth.turn.release()
        await other.until(TurnGranted)
        nursery.cancel_scope.cancel()


async def test_a_new_life_of_an_agent_keeps_the_place_of_the_former(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, line(client) as (first, second, _):
        await client.put(resets_key("node-1"), "", lease=await client.grant_lease(60))
        second.turn.acquire()
        assert await second.until(TurnAwaited) == TurnAwaited("node-1")
        first.turn.acquire()
        await first.until(TurnGranted)


async def test_a_turn_whose_lease_is_gone_is_lost(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, line(client) as (first, _, _):
        first.turn.acquire()
        await first.until(TurnGranted)
        kept = await client.get(resets_key("node-1"))
        assert kept is not None
        await client.revoke_lease(kept.lease)
        await first.until(TurnLost)
        first.turn.acquire()
        await first.until(TurnGranted)


async def test_an_outage_is_told_to_who_waits_and_when_it_is_over(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with open_client(settings) as client, line(client) as (first, second, third):
        first.turn.acquire()
        await first.until(TurnGranted)
        second.turn.acquire()
        await second.until(TurnAwaited)
        await trio.to_thread.run_sync(server.stop)
        await second.until(TurnRefused)
        third.turn.acquire()
        await third.until(TurnRefused)
        await trio.to_thread.run_sync(server.start)
        assert await second.until(TurnAwaited) == TurnAwaited("node-1")
        assert await third.until(TurnAwaited) == TurnAwaited("node-2")


async def test_without_the_permission_it_is_refused_until_it_is_given(settings: EtcdSettings) -> None:
    async with agent_and_root(settings) as (agent, root), line(agent) as (first, _, _):
        first.turn.acquire()
        refused = await first.until(TurnRefused)
        assert isinstance(refused, TurnRefused)
        assert "permission denied" in refused.reason
        permission = auth_pb2.Permission(
            permType=READ_WRITE, key=RESETS.encode(), range_end=b"/felixbgp/v1/resets0"
        )
        await administer(
            root, "RoleGrantPermission", rpc_pb2.AuthRoleGrantPermissionRequest(name="agent", perm=permission)
        )
        await first.until(TurnGranted)
