"""What an agent follows in a real etcd: fixed prefixes, and others that come, go, and may be forbidden."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
import trio
import trio.testing

from felixbgp._pb.etcd import auth_pb2, rpc_pb2
from felixbgp.agent.effects import Follow, PutNodeStatusResource
from felixbgp.agent.inputs import (
    AuditWriteFailed,
    AuditWritten,
    Input,
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceInput,
    NodeStatusResourceWritten,
)
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    PrefixRefused,
    RevisionReached,
    SnapshotReceived,
    StoreInput,
)
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.cluster.secrets import SECRETS
from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import EtcdClient, EtcdSettings, open_client
from felixbgp.runtime.store import NodeStore, open_node_store
from felixbgp.status import audit_document
from felixbgp.status.audit import AuditAnswer
from felixbgp.status.keys import audit_key
from felixbgp.status.report import PeerTable, Report
from tests.integration.etcd.conftest import is_put, is_stored
from tests.integration.etcd.test_security import READ_WRITE, administer, agent_and_root
from tests.support.documents import document

pytestmark = pytest.mark.trio

REQUIRED = ("/calico/a/", "/calico/b/")


class Heard:
    """All that was delivered, and a way to wait for more."""

    def __init__(self) -> None:
        self.events: list[StoreInput] = []
        self.answers: list[NodeStatusResourceInput] = []
        self.audits: list[AuditWritten | AuditWriteFailed] = []
        self._more = trio.Event()

    def deliver(self, events: Iterable[Input]) -> None:
        heard = list(events)
        self.events += (event for event in heard if isinstance(event, StoreInput))
        self.answers += (event for event in heard if isinstance(event, NodeStatusResourceInput))
        self.audits += (event for event in heard if isinstance(event, AuditWritten | AuditWriteFailed))
        self._more.set()
        self._more = trio.Event()

    async def until(self, wanted: Callable[[StoreInput], bool]) -> StoreInput:
        """The first that is wanted, heard already or yet to come."""
        seen = 0
        with trio.fail_after(30):
            while True:
                for event in self.events[seen:]:
                    if wanted(event):
                        return event
                seen = len(self.events)
                await self._more.wait()

    def snapshots(self, prefix: str) -> int:
        return sum(isinstance(event, SnapshotReceived) and event.prefix == prefix for event in self.events)

    def of(self, kind: type[StoreInput]) -> list[StoreInput]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def node_store(settings: EtcdSettings) -> AsyncIterator[tuple[NodeStore, Heard]]:
    heard = Heard()
    async with open_node_store(settings, "node-1", heard.deliver, trio.lowlevel.checkpoint) as store:
        yield store, heard


def is_snapshot(prefix: str) -> Callable[[StoreInput], bool]:
    return lambda event: isinstance(event, SnapshotReceived) and event.prefix == prefix


def is_refused(event: StoreInput) -> bool:
    return isinstance(event, PrefixRefused)


async def test_a_prefix_comes_and_goes_and_the_others_do_not_notice(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, node_store(settings) as (store, heard):
        await client.put("/calico/a/1", "x")
        await client.put(f"{SECRETS}tor/password", "one")
        store.follow(Follow(REQUIRED))
        for prefix in REQUIRED:
            await heard.until(is_snapshot(prefix))
        store.follow(Follow(REQUIRED, (SECRETS,)))
        await heard.until(is_stored(f"{SECRETS}tor/password", b"one"))
        await client.put(f"{SECRETS}tor/password", "two")
        await heard.until(is_put(f"{SECRETS}tor/password", b"two"))
        store.follow(Follow(REQUIRED))
        await client.put(f"{SECRETS}tor/password", "three")
        await client.put("/calico/b/1", "y")
        await heard.until(is_put("/calico/b/1", b"y"))
        store.follow(Follow(REQUIRED, (SECRETS,)))
        await heard.until(is_stored(f"{SECRETS}tor/password", b"three"))
        assert [heard.snapshots(prefix) for prefix in (*REQUIRED, SECRETS)] == [1, 1, 2]
        assert not any(is_put(f"{SECRETS}tor/password", b"three")(event) for event in heard.events)


async def test_only_the_required_prefixes_tell_how_far_the_store_is(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, node_store(settings) as (store, heard):
        store.follow(Follow(REQUIRED, (SECRETS,)))
        for prefix in (*REQUIRED, SECRETS):
            await heard.until(is_snapshot(prefix))
        written = (await client.put(f"{SECRETS}tor/password", "one")).revision
        await heard.until(is_put(f"{SECRETS}tor/password", b"one"))
        await client.delete(f"{SECRETS}tor/password")
        await heard.until(lambda event: isinstance(event, KeyDeleted))
        assert all(isinstance(e, RevisionReached) and e.revision < written for e in heard.of(RevisionReached))


async def test_an_outage_is_told_once_and_what_changed_meanwhile_is_followed(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with node_store(settings) as (store, heard):
        store.follow(Follow(REQUIRED, (SECRETS, "/calico/c/")))
        await heard.until(is_snapshot(SECRETS))
        await trio.to_thread.run_sync(server.stop)
        await heard.until(lambda event: isinstance(event, DatastoreLost))
        await trio.to_thread.run_sync(server.start)
        async with open_client(settings) as client:
            await client.put(f"{SECRETS}tor/password", "one")
            await heard.until(is_stored(f"{SECRETS}tor/password", b"one"))
            await heard.until(lambda event: isinstance(event, DatastoreRestored))
        assert len(heard.of(DatastoreLost)) == 1
        assert heard.of(PrefixRefused) == []


async def grant_secrets(root: EtcdClient) -> None:
    permission = auth_pb2.Permission(
        permType=READ_WRITE, key=SECRETS.encode(), range_end=b"/felixbgp/v1/secrets0"
    )
    request = rpc_pb2.AuthRoleGrantPermissionRequest(name="agent", perm=permission)
    await administer(root, "RoleGrantPermission", request)


async def test_forbidden_secrets_disturb_nothing_and_come_when_they_are_allowed(
    settings: EtcdSettings,
) -> None:
    async with agent_and_root(settings) as (_, root):
        await root.put(f"{SECRETS}tor/password", "one")
        user = EtcdSettings(endpoints=settings.endpoints, username="agent", password="secret")
        async with node_store(user) as (store, heard):
            store.follow(Follow(REQUIRED, (SECRETS,)))
            refused = await heard.until(is_refused)
            assert isinstance(refused, PrefixRefused)
            assert refused.prefix == SECRETS
            assert "permission denied" in refused.reason
            await root.put("/calico/a/1", "x")
            await heard.until(is_stored("/calico/a/1", b"x"))
            assert heard.of(DatastoreLost) == []
            await grant_secrets(root)
            await heard.until(is_stored(f"{SECRETS}tor/password", b"one"))
            await root.put(f"{SECRETS}tor/password", "two")
            await heard.until(is_put(f"{SECRETS}tor/password", b"two"))
            assert len(heard.of(PrefixRefused)) == 1
            assert [heard.snapshots(prefix) for prefix in REQUIRED] == [1, 1]


async def test_an_audit_s_answer_is_written_or_it_is_told_why_not(settings: EtcdSettings) -> None:
    answer = AuditAnswer(requests=("one",), node="node-1", version="0.1.0", began=0, ended=0, compared=7)
    async with agent_and_root(settings) as (_, root):
        for user, password, outcome in (
            ("agent", "secret", AuditWriteFailed),
            ("root", "root", AuditWritten),
        ):
            credentials = EtcdSettings(endpoints=settings.endpoints, username=user, password=password)
            async with node_store(credentials) as (store, heard):
                await store.answer_audit(answer)
            assert [type(told) for told in heard.audits] == [outcome]
        stored = await root.get(audit_key("node-1"))
        assert stored is not None
        found = audit_document.decode(stored.value)
        assert (found.requests, found.compared) == (("one",), 7)


STATUS_KEY = f"{NODE_STATUSES}my-status"
STORED = document(
    "CalicoNodeStatus", {"node": "node-1", "classes": ["BGP"], "updatePeriodSeconds": 10}, "my-status"
)
REPORT = Report(bgp=(PeerTable(1, 0, ()), PeerTable(0, 2, ())))


async def test_a_report_is_written_only_into_the_object_that_it_was_made_for(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, node_store(settings) as (store, heard):
        first = (await client.put(STATUS_KEY, json.dumps(STORED))).revision
        await store.report(PutNodeStatusResource("my-status", first, REPORT, STORED))
        [written] = heard.answers
        assert isinstance(written, NodeStatusResourceWritten)
        found = await client.get(STATUS_KEY)
        assert found is not None
        assert found.mod_revision == written.revision > first
        status = json.loads(found.value)["status"]
        assert json.loads(found.value) == STORED | {"status": status}
        assert status["bgp"]["numberNotEstablishedV6"] == 2
        assert abs(datetime.fromisoformat(status["lastUpdated"]).timestamp() - time.time()) < 60
        # The revision of before, and then an object that is gone: nothing is written.
        await store.report(PutNodeStatusResource("my-status", first, REPORT, STORED))
        await client.delete(STATUS_KEY)
        await store.report(PutNodeStatusResource("my-status", written.revision, REPORT, STORED))
        assert heard.answers[1:] == [NodeStatusResourceConflicted("my-status")] * 2
        assert await client.get(STATUS_KEY) is None


async def test_a_report_that_etcd_refuses_is_answered_with_its_words(settings: EtcdSettings) -> None:
    async with open_client(settings) as client, node_store(settings) as (store, heard):
        revision = (await client.put(STATUS_KEY, "{}")).revision
        await store.report(PutNodeStatusResource("my-status", revision, REPORT, {"a": "x" * 1_700_000}))
        [failed] = heard.answers
        assert isinstance(failed, NodeStatusResourceFailed)
        assert "too large" in failed.reason
