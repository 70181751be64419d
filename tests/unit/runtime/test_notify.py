"""What the service manager hears of the agent (sd_notify(3))."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from felixbgp.intent.types import Problem
from felixbgp.runtime.notify import ServiceManager, line_of
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, RouteCounts

pytestmark = pytest.mark.trio


class Listener:
    """Systemd's end."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0)

    def heard(self) -> list[str]:
        lines = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.close()


def manager(tmp_path: Path, **more: str) -> ServiceManager:
    return ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}, 77)


def status(condition: DatastoreCondition, problems: tuple[Problem, ...] = ()) -> NodeStatus:
    state = DatastoreState(condition, 0)
    return NodeStatus(
        node="node-1", version="1.0", datastore=state, routes=RouteCounts(3, 2), problems=problems
    )


@pytest.mark.parametrize("condition", [DatastoreCondition.IN_SYNC, DatastoreCondition.RECOVERED])
async def test_ready_when_the_store_or_the_disk_was_read(
    tmp_path: Path, listener: Listener, condition: DatastoreCondition
) -> None:
    agent = manager(tmp_path)
    agent.hear(status(DatastoreCondition.SYNCING))
    assert not any(line.startswith("READY") for line in listener.heard())
    agent.hear(status(condition))
    assert "READY=1" in listener.heard()
    agent.hear(status(DatastoreCondition.LOST))
    assert listener.heard() == ["STATUS=etcd Lost, 0 of 0 sessions Established, 2 of 3 routes installed"]


async def test_a_line_is_said_once(tmp_path: Path, listener: Listener) -> None:
    agent = manager(tmp_path)
    agent.hear(status(DatastoreCondition.IN_SYNC))
    listener.heard()
    agent.hear(status(DatastoreCondition.IN_SYNC))
    assert listener.heard() == []


async def test_the_watchdog_hears_twice_in_its_time_and_the_start_is_extended_until_ready(
    tmp_path: Path, listener: Listener, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    agent = manager(tmp_path, WATCHDOG_USEC="20000000", WATCHDOG_PID="77")
    nursery.start_soon(agent.run)
    await trio.sleep(15)
    assert listener.heard() == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=40000000"] * 2
    agent.hear(status(DatastoreCondition.IN_SYNC))
    listener.heard()
    await trio.sleep(10)
    assert listener.heard() == ["WATCHDOG=1"]
    assert autojump_clock.current_time() == pytest.approx(25)


async def test_without_a_watchdog_a_start_is_extended_until_ready(
    tmp_path: Path, listener: Listener, autojump_clock: trio.testing.MockClock
) -> None:
    agent = manager(tmp_path, WATCHDOG_USEC="20000000", WATCHDOG_PID="78")
    agent.hear(status(DatastoreCondition.SYNCING))
    listener.heard()
    with trio.move_on_after(7):
        await agent.run()
    assert listener.heard() == ["EXTEND_TIMEOUT_USEC=20000000"] * 2
    assert autojump_clock.current_time() == pytest.approx(7)
    agent.hear(status(DatastoreCondition.IN_SYNC))
    await agent.run()


async def test_an_abstract_name() -> None:
    name = f"felixbgp-test-{id(object())}"
    listener = Listener(f"\0{name}")
    ServiceManager.of({"NOTIFY_SOCKET": f"@{name}"}, 77).stop()
    assert listener.heard() == ["STOPPING=1"]
    listener.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
async def test_without_a_manager_nothing_is_said(environ: dict[str, str]) -> None:
    agent = ServiceManager.of(environ, 77)
    agent.hear(status(DatastoreCondition.IN_SYNC))
    await agent.run()


async def test_a_manager_that_is_gone_is_nobody(tmp_path: Path) -> None:
    manager(tmp_path).stop()


async def test_the_line_counts_problems() -> None:
    line = line_of(status(DatastoreCondition.IN_SYNC, (Problem("a", "b", "c"), Problem("d", "e", "f"))))
    assert line.endswith("2 problems")
