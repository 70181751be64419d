"""The cluster on one screen."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import click
import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.cli.cluster_view import screen, troubles
from felixbgp.cli.node_report import NodeReport
from felixbgp.intent.types import Problem
from felixbgp.net import Address
from felixbgp.status.document import AgentAlive
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    NodeStatus,
    PeerStatus,
    RouteCounts,
    SpeakerStatus,
)

NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z
HOUR_NS = 3600 * 10**9
ALIVE = AgentAlive("0.1.0", NOW_NS - HOUR_NS, 77)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def peer(address: str, cause: Cause | None = None, last_error: str | None = None) -> PeerStatus:
    return PeerStatus(
        peer=PeerId(Address.parse(address)),
        name="",
        scope="mesh",
        resource="",
        families=(Address.parse(address).family,),
        local_as=64512,
        remote_as=64512,
        state="Established" if cause is None else "Active",
        since=NOW_NS - HOUR_NS,
        last_error=last_error,
        prefixes_received=2 if cause is None else 0,
        prefixes_accepted=1 if cause is None else 0,
        prefixes_advertised=3 if cause is None else 0,
        cause=cause,
    )


def report(
    number: int, *peers: PeerStatus, problems: tuple[Problem, ...] = (), alive: bool = True
) -> NodeReport:
    status = NodeStatus(
        node=f"node-{number}",
        version="0.1.0",
        datastore=DatastoreState(DatastoreCondition.IN_SYNC, NOW_NS),
        speaker=SpeakerStatus(identifier=Address.parse(f"10.0.0.{number}"), as_number=64512, listen_port=179),
        peers=peers,
        routes=RouteCounts(4, 4),
        problems=problems,
    )
    return NodeReport(f"node-{number}", ALIVE if alive else None, status)


CLUSTER = [
    report(1, peer("10.0.0.2"), peer("fd00::2")),
    report(2, peer("10.0.0.1"), peer("10.0.0.3", Cause.REFUSED, "Connection refused")),
    report(3, alive=False),
]


def shown(reports: list[NodeReport], columns: int = 160, lines: int = 60, **more: str) -> str:
    return "\n".join(screen(reports, NOW_NS, size=(columns, lines), coloured=False, **more))


def test_problems_come_first_then_nodes_then_sessions() -> None:
    assert (
        shown(CLUSTER)
        == """\
22:13:20  3 nodes, 2 agents running, 3 of 4 sessions Established, 2 problems

PROBLEMS
node-2  peer 10.0.0.3: Refused: the peer's host refuses the connection: nothing listens there \
(Connection refused)
    start the peer's BGP speaker; compare its port with the one here; look for a firewall
node-3  agent: is not running
    start it; the log of its unit says why it ended

NODE    AGENT  AS     IPV4  IPV6  RECEIVED  ADVERTISED  KERNEL  PROBLEMS
node-2  0.1.0  64512  1/2   0/0   2         3           4/4     1
node-3  -      64512  0/0   0/0   0         0           4/4     1
node-1  0.1.0  64512  1/1   1/1   4         6           4/4     0

NODE    PEER ADDRESS  PEER TYPE          STATE           SINCE     RECEIVED  ACCEPTED  ADVERTISED
node-2  10.0.0.3      node-to-node mesh  Active Refused  21:13:20  0         0         0
node-2  10.0.0.1      node-to-node mesh  Established     21:13:20  2         1         3
node-1  10.0.0.2      node-to-node mesh  Established     21:13:20  2         1         3
node-1  fd00::2       node-to-node mesh  Established     21:13:20  2         1         3"""
    )


@pytest.mark.parametrize("size", [(20, 6), (40, 10), (80, 24), (200, 100), (1, 1)])
def test_it_never_is_larger_than_the_screen(size: tuple[int, int]) -> None:
    many = [
        report(number, *(peer(f"10.0.1.{other}", Cause.TIMED_OUT) for other in range(50)))
        for number in range(40)
    ]
    lines = screen(many, NOW_NS, size=size)
    assert len(lines) <= size[1]
    assert all(len(click.unstyle(line)) <= size[0] for line in lines)


def test_what_there_is_no_room_for_is_counted() -> None:
    many = [report(1, *(peer(f"10.0.1.{other}", Cause.TIMED_OUT) for other in range(50)))]
    assert re.search(r"\.\.\. and \d+ more lines", shown(many, lines=24))


def test_a_healthy_cluster_has_no_problems_to_show() -> None:
    assert "PROBLEMS\n" not in shown([CLUSTER[0]]).replace("KERNEL  PROBLEMS\n", "")


def test_what_is_followed_no_more_is_said() -> None:
    assert "etcd does not answer, this is what it told last: gone\n" in shown(CLUSTER, lost="gone")


def test_what_anybody_wrote_moves_no_cursor() -> None:
    evil = "x\x1b[2J\n\ry"
    one = report(
        1, replace(peer("10.0.0.2", Cause.REFUSED, evil), scope=evil), problems=(Problem(evil, "", evil),)
    )
    lines = screen([replace(one, node=evil)], NOW_NS, size=(200, 50), coloured=False)
    assert all(line.isprintable() for line in lines)


def test_troubles_of_an_older_agent_have_no_cause() -> None:
    old = report(1, replace(peer("10.0.0.2", Cause.REFUSED, "gone"), cause=None))
    assert [trouble.text for trouble in troubles(old)] == ["Active (gone)"]


def test_a_store_that_is_not_followed_is_a_trouble_of_the_node() -> None:
    one = report(1)
    assert one.status is not None
    lost = replace(one.status, datastore=DatastoreState(DatastoreCondition.LOST, NOW_NS, "refused"))
    assert [trouble.text for trouble in troubles(replace(one, status=lost))] == ["Lost refused"]
    assert [trouble.subject for trouble in troubles(NodeReport("n", None, None, ("unreadable",)))] == [
        "document",
        "agent",
    ]
