"""What a drain makes of what etcd tells of its own write."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

import pytest
import trio
import trio.testing

from felixbgp.cli.drain import _Session, _told_when_broken_off
from felixbgp.cli.drain_watch import Watched
from felixbgp.cli.store import NoAnswerError, Put, Store, Stored, StoreError
from felixbgp.cluster.drains import DRAINS, Drain, DrainPhase, drain_key
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StoredValue
from felixbgp.runtime.etcd.watch import Batch
from felixbgp.status import drain_document
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, Drained, NodeStatus

OURS = Drain("d1", DrainPhase.ANNOUNCE, 1_000_000, "us")
KEY = drain_key("node-1")
WRITTEN = 7


def put(drain: Drain, revision: int) -> KeyPut:
    return KeyPut(StoredValue(KEY, drain_document.encode(drain), revision))


def listed(revision: int, *values: StoredValue) -> SnapshotReceived:
    return SnapshotReceived(DRAINS, revision, values)


class Etcd(Store):
    """One that takes the write at `WRITTEN`."""

    def __init__(self) -> None:
        self._written: Stored | None = None

    async def get(self, key: str) -> Stored | None:
        assert key == KEY
        return self._written

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        assert not existing
        self._written = Stored(puts[0].key, puts[0].value, WRITTEN)
        return True


async def write(*batches: Batch) -> None:
    """Write ours to an etcd that tells this of it, and no more."""
    send, receive = trio.open_memory_channel[Batch](len(batches))
    for batch in batches:
        send.send_nowait(batch)
    with trio.fail_after(5):
        await _Session(Etcd(), Watched("node-1"), receive).write(OURS)


@pytest.mark.trio
@pytest.mark.parametrize(
    "told",
    [
        pytest.param([put(OURS, WRITTEN)], id="an event"),
        pytest.param([listed(WRITTEN, put(OURS, WRITTEN).stored)], id="a listing"),
        pytest.param([listed(9, put(OURS, WRITTEN).stored)], id="a later listing"),
    ],
)
async def test_its_write_is_heard_of(told: Batch) -> None:
    # What was on its way when it wrote says nothing of the write.
    await write([listed(WRITTEN - 1)], told)


@pytest.mark.trio
async def test_what_keeps_it_waiting_is_told_once_a_second_as_it_is_then(
    autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    alive = StoredValue(alive_key("node-1"), encode_alive(AgentAlive("0.1.0", 1)), 8)
    status = NodeStatus(
        node="node-1",
        version="0.1.0",
        datastore=DatastoreState(DatastoreCondition.IN_SYNC, 1),
        drained=Drained(id=OURS.id, phase=OURS.phase.value),
    )
    send, receive = trio.open_memory_channel[Batch](0)
    session = _Session(Etcd(), Watched("node-1"), receive)
    session.watched.take([listed(WRITTEN, put(OURS, WRITTEN).stored)])

    def told() -> list[str]:
        return [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(session.prove, OURS, 10, "proved", restarts=False))
        await trio.sleep(0.5)  # "the agent of node-1 is not running" passes.
        await send.send([KeyPut(alive)])
        await trio.sleep(0.4)
        assert told() == []
        await trio.sleep(0.2)
        assert told() == ["node-1 itself has not seen the drain yet"]
        await send.send([KeyDeleted(alive.key, 9)])
        await trio.sleep(0.2)
        await send.send([KeyPut(alive)])
        await trio.sleep(2)
        await send.send([KeyPut(StoredValue(status_key("node-1"), encode(status, 0), 10))])
        await trio.sleep(0.1)
        assert told() == ["proved"]
    assert autojump_clock.current_time() < 20


@pytest.mark.trio
@pytest.mark.parametrize(
    "told",
    [
        pytest.param([put(OURS, WRITTEN), KeyDeleted(KEY, 8)], id="a deletion"),
        pytest.param([put(OURS, WRITTEN), put(replace(OURS, id="d2"), 9)], id="a drain of somebody else"),
        pytest.param([listed(8)], id="a listing without it"),
    ],
)
async def test_a_write_that_is_heard_of_together_with_its_end_is_not_waited_for(told: Batch) -> None:
    with pytest.raises(StoreError, match="somebody else changed the drain of node-1 meanwhile"):
        await write(told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), "error: it stays\n"),
        (NoAnswerError("lost"), "error: it stays\n"),
        (StoreError(""), ""),
    ],
    ids=repr,
)
def test_what_stays_is_told_unless_the_error_tells_all(
    error: BaseException, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(error)), _told_when_broken_off(lambda: "it stays"):
        raise error
    assert capsys.readouterr().err == told
