"""Whether a node's agent runs, asked of a real etcd."""

from dataclasses import replace

import pytest
import trio

from felixbgp.agent.inputs import AliveRead, AliveUnread
from felixbgp.agent.liveness import AskAlive
from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import EtcdSettings, open_client
from felixbgp.runtime.liveness import ask_alive
from felixbgp.runtime.store import open_node_store
from felixbgp.status.keys import alive_key, audit_request_key, status_key
from tests.integration.etcd.test_security import agent_and_root

pytestmark = pytest.mark.trio


async def test_a_key_that_is_there_and_one_that_is_not(settings: EtcdSettings) -> None:
    async with open_client(settings) as client:
        assert await ask_alive(client, AskAlive("node-1")) == AliveRead(
            "node-1", is_present=False, is_known=False
        )
        await client.put(status_key("node-1"), "{}")
        # Neither a node whose name begins the same nor what somebody asks of it is the node.
        await client.put(alive_key("node-10"), "{}")
        await client.put(audit_request_key("node-1", "alive"), "{}")
        assert await ask_alive(client, AskAlive("node-1")) == AliveRead(
            "node-1", is_present=False, is_known=True
        )
        await client.put(alive_key("node-1"), "{}")
        assert await ask_alive(client, AskAlive("node-1")) == AliveRead(
            "node-1", is_present=True, is_known=True
        )


async def test_a_node_asks_for_another_which_stops(
    settings: EtcdSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("felixbgp.runtime.etcd.lease.REVOKE_SECONDS_MAX", 30.0)
    heard: list[object] = []
    async with open_client(settings) as client:
        await client.put(status_key("node-2"), "{}")
        async with open_node_store(settings, "node-1", heard.extend, trio.lowlevel.checkpoint) as store:
            async with open_node_store(settings, "node-2", heard.extend, trio.lowlevel.checkpoint):
                with trio.fail_after(30):
                    while await client.get(alive_key("node-2")) is None:
                        await trio.lowlevel.checkpoint()
                await store.ask_alive(AskAlive("node-2"))
            await store.ask_alive(AskAlive("node-2"))
    assert heard == [AliveRead("node-2", present, is_known=True) for present in (True, False)]


async def test_without_the_permission_it_is_told_so(settings: EtcdSettings) -> None:
    async with agent_and_root(settings) as (agent, _):
        answer = await ask_alive(agent, AskAlive("node-1"))
    assert isinstance(answer, AliveUnread)
    assert "permission denied" in answer.reason


async def test_of_a_store_that_does_not_answer_it_is_told_too(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with open_client(replace(settings, request_timeout_seconds=2.0)) as client:
        await client.put(alive_key("node-1"), "{}")
        await trio.to_thread.run_sync(server.stop)
        answer = await ask_alive(client, AskAlive("node-1"))
    assert isinstance(answer, AliveUnread)
