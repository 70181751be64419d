"""What `node status` shows."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import click
import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.cli.node_report import NodeReport, as_object, read_reports, render, since
from felixbgp.cli.store import Stored
from felixbgp.intent.types import Problem
from felixbgp.net import Address, Prefix
from felixbgp.status.audit import AuditStatus
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.keys import NODES, alive_key, status_key
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    NodeStatus,
    PeerDraining,
    PeerStatus,
    RouteCounts,
    SpeakerStatus,
)

HOUR_NS = 3600 * 10**9
NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z
ALIVE = AgentAlive("0.1.0", NOW_NS - HOUR_NS, 77)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def peer(
    address: str, *, port: int = 179, scope: str = "mesh", resource: str = "", **more: str
) -> PeerStatus:
    parsed = Address.parse(address)
    return PeerStatus(
        peer=PeerId(parsed, port),
        name=f"peer-{address}",
        scope=scope,
        resource=resource,
        families=(parsed.family,),
        local_as=64512,
        remote_as=64567,
        state=more.get("state", "Established"),
        since=NOW_NS - HOUR_NS,
        last_error=more.get("last_error"),
    )


STATUS = NodeStatus(
    node="node-1",
    version="0.1.0",
    datastore=DatastoreState(DatastoreCondition.IN_SYNC, NOW_NS - HOUR_NS),
    speaker=SpeakerStatus(identifier=Address.parse("10.0.0.1"), as_number=64512, listen_port=179),
    peers=(
        peer("10.0.0.2"),
        peer("10.0.0.3", scope="global", resource="tor", state="Active", last_error="Connection refused"),
        peer("fd00::3", port=1179, scope="node", resource="tor-v6", state="Idle"),
    ),
    blocks=(Prefix.parse("10.65.0.0/26"),),
    routes=RouteCounts(3, 3, 0),
)


def test_a_running_node_is_shown_as_calicoctl_shows_it() -> None:
    assert (
        render(NodeReport("node-1", ALIVE, STATUS), NOW_NS, wide=False)
        == """\
Node node-1: the agent (0.1.0) is running since 21:13:20.
  AS 64512, BGP identifier 10.0.0.1
  Routes in the kernel: 3 of 3
  Blocks: 10.65.0.0/26

IPv4 BGP status
+--------------+-------------------+-------+----------+-----------------------------------+
| PEER ADDRESS |     PEER TYPE     | STATE |  SINCE   |               INFO                |
+--------------+-------------------+-------+----------+-----------------------------------+
| 10.0.0.2     | node-to-node mesh | up    | 21:13:20 | Established                       |
| 10.0.0.3     | global            | start | 21:13:20 | Active Socket: Connection refused |
+--------------+-------------------+-------+----------+-----------------------------------+

IPv6 BGP status
+----------------+---------------+-------+----------+------+
|  PEER ADDRESS  |   PEER TYPE   | STATE |  SINCE   | INFO |
+----------------+---------------+-------+----------+------+
| [fd00::3]:1179 | node specific | start | 21:13:20 | Idle |
+----------------+---------------+-------+----------+------+

"""
    )


def test_an_agent_without_a_kernel_says_so() -> None:
    shown = render(NodeReport("node-1", ALIVE, replace(STATUS, routes=None)), NOW_NS, wide=False)
    assert "  Routes in the kernel: none, the agent writes no routes (--no-kernel)\n" in shown


def test_a_node_without_peers_and_with_problems() -> None:
    status = replace(
        STATUS,
        peers=(),
        speaker=None,
        blocks=(),
        datastore=DatastoreState(DatastoreCondition.SYNCING, NOW_NS - HOUR_NS),
        routes=RouteCounts(3, 1, 2),
        problems=(
            Problem("/calico/x", "spec.asNumber", "0 is not between 1 and 9"),
            Problem("route r", "", "no"),
        ),
    )
    assert (
        render(NodeReport("node-1", ALIVE, status), NOW_NS, wide=False)
        == """\
Node node-1: the agent (0.1.0) is running since 21:13:20.
  It has no BGP address.
  Datastore: Syncing since 21:13:20
  Routes in the kernel: 1 of 3, 2 failed

IPv4 BGP status
No IPv4 peers found.

IPv6 BGP status
No IPv6 peers found.

Problems
+-----------+---------------+--------------------------+
|  SUBJECT  |     FIELD     |          REASON          |
+-----------+---------------+--------------------------+
| /calico/x | spec.asNumber | 0 is not between 1 and 9 |
| route r   | -             | no                       |
+-----------+---------------+--------------------------+

"""
    )


@pytest.mark.parametrize(
    ("audit", "line"),
    [
        (
            AuditStatus(NOW_NS - HOUR_NS, compared=12, differing=0),
            "intent, Loc-RIB and kernel agree on 12 prefixes since 21:13:20",
        ),
        (
            AuditStatus(NOW_NS - HOUR_NS, compared=12, differing=2, healed=3, last_healed=NOW_NS),
            "2 of 12 prefixes differ in intent, Loc-RIB and kernel since 21:13:20; 3 put right, the last at",
        ),
    ],
    ids=["all agree", "some differ, others did"],
)
def test_the_result_of_the_audits(audit: AuditStatus, line: str) -> None:
    text = render(NodeReport("node-1", ALIVE, replace(STATUS, audit=audit)), NOW_NS, wide=False)
    assert f"\n  Audit: {line}" in text


def test_a_dead_agent_is_said_first() -> None:
    text = render(NodeReport("node-1", None, STATUS), NOW_NS, wide=False)
    assert text.startswith("Node node-1: THE AGENT IS NOT RUNNING. This is the last it told:\n  AS 64512")
    assert "| 10.0.0.2 " in text


def test_a_young_agent_has_not_told_anything() -> None:
    text = render(NodeReport("node-1", ALIVE, None), NOW_NS, wide=False)
    assert text == (
        "Node node-1: the agent (0.1.0) is running since 21:13:20. It has not published a status yet.\n\n"
    )


def test_wide_adds_what_a_session_carries() -> None:
    lines = render(NodeReport("node-1", ALIVE, STATUS), NOW_NS, wide=True).splitlines()
    (header,) = {
        line for line in lines if "PEER ADDRESS" in line and "Active" not in line and "INFO  " in line
    }
    assert header.split("|")[6:9] == [" RESOURCE ", " LOCAL AS ", " REMOTE AS "]
    (row,) = [line for line in lines if "10.0.0.3" in line]
    assert [cell.strip() for cell in row.split("|")[6:-1]] == [
        "tor",
        "64512",
        "64567",
        "-",
        "-",
        "0",
        "0",
        "0",
        "-",
    ]


def test_why_sessions_are_not_established_is_told_cause_by_cause_and_what_to_do() -> None:
    refused = [
        replace(peer(f"10.0.1.{number}", state="Active"), cause=Cause.REFUSED) for number in range(1, 11)
    ]
    missing = replace(
        peer(
            "fd00::3",
            port=1179,
            state="Idle",
            last_error="BGPFilter x does not exist; the session stays down",
        ),
        cause=Cause.CONFIGURATION_MISSING,
        remote_as=0,
    )
    status = replace(STATUS, peers=(peer("10.0.0.2"), *refused, missing))
    text = render(NodeReport("node-1", ALIVE, status), NOW_NS, wide=True)
    assert (
        """
Not Established, and what to do
  Refused: the peer's host refuses the connection: nothing listens there
    Peers: 10.0.1.1, 10.0.1.2, 10.0.1.3, 10.0.1.4, 10.0.1.5, 10.0.1.6, 10.0.1.7, 10.0.1.8 and 2 more
    To do: start the peer's BGP speaker; compare its port with the one here; look for a firewall
  FilterOrSecretMissing: a BGPFilter or a secret is missing without which the session must stay down
    Peers: [fd00::3]:1179
    To do: write what is missing, or take its name out of the BGPPeer or the BGPConfiguration
"""
        in text
    )
    (row,) = [line for line in text.splitlines() if line.startswith("| [fd00::3]:1179")]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert (cells[2], cells[7], cells[-1]) == ("down", "-", "FilterOrSecretMissing")
    assert cells[4] == "Idle Error: BGPFilter x does not exist; the session stays down"


def test_a_peer_that_is_no_longer_wanted_says_so() -> None:
    status = replace(STATUS, peers=(peer("10.0.0.2", scope=""),))
    assert "| no longer wanted |" in render(NodeReport("node-1", ALIVE, status), NOW_NS, wide=False)


@pytest.mark.parametrize(
    ("more", "info"),
    [
        ({"state": "Established"}, "Established"),
        ({"state": "Established", "warning": "prefix limit"}, "Established Warning: prefix limit"),
        ({"state": "Idle"}, "Idle"),
        ({"state": "Active", "last_error": "No route to host"}, "Active Socket: No route to host"),
        (
            {"state": "Connect", "last_error": "received NOTIFICATION Cease: Peer De-configured"},
            "Connect Received: Cease: Peer De-configured",
        ),
        (
            {"state": "OpenSent", "last_error": "sent NOTIFICATION Hold Timer Expired"},
            "OpenSent BGP Error: Hold Timer Expired",
        ),
        (
            {"state": "Idle", "last_error": "bad peer AS: 64513, expected 64512"},
            "Idle Error: bad peer AS: 64513, expected 64512",
        ),
    ],
)
def test_the_info_is_the_state_and_the_cause_behind_birds_word_for_its_kind(
    more: dict[str, str], info: str
) -> None:
    of_this = replace(peer("10.0.0.2"), **more)  # type: ignore[arg-type]
    status = replace(STATUS, peers=(of_this,))
    text = render(NodeReport("node-1", ALIVE, status), NOW_NS, wide=False)
    assert f"| {info} |" in text


def test_peers_of_every_kind_have_their_word() -> None:
    scopes = {
        "mesh": "node-to-node mesh",
        "global": "global",
        "node": "node specific",
        "workload": "local workload",
        "": "no longer wanted",
        "of the future": "of the future",
    }
    peers = tuple(peer(f"10.0.0.{number}", scope=scope) for number, scope in enumerate(scopes, start=1))
    text = render(NodeReport("node-1", ALIVE, replace(STATUS, peers=peers)), NOW_NS, wide=False)
    rows = [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| 10.")]
    assert rows == list(scopes.values())


def test_on_a_terminal_states_are_coloured() -> None:
    problem = Problem("subject", "", "wrong")
    report = NodeReport("node-1", None, replace(STATUS, problems=(problem,)))
    plain = render(report, NOW_NS, wide=False)
    coloured = render(report, NOW_NS, wide=False, coloured=True)
    assert click.unstyle(coloured) == plain
    for text, colour in (
        ("Established                      ", "green"),
        ("up   ", "green"),
        ("Active Socket: Connection refused", "red"),
        ("start", "red"),
        ("wrong ", "red"),
        ("THE AGENT IS NOT RUNNING. This is the last it told:", "red"),
    ):
        assert click.style(text, fg=colour) in coloured
    assert "\x1b" not in plain


def test_many_blocks_are_counted() -> None:
    status = replace(STATUS, blocks=tuple(Prefix.parse(f"10.65.{number}.0/26") for number in range(10)))
    assert "10.65.7.0/26 and 2 more\n" in render(NodeReport("node-1", ALIVE, status), NOW_NS, wide=False)


def test_text_of_others_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\x9b\n"
    status = replace(
        STATUS,
        peers=(peer("10.0.0.2", scope=evil, resource=evil, state="Idle", last_error=evil),),
        problems=(Problem(evil, evil, evil),),
        datastore=DatastoreState(DatastoreCondition.LOST, NOW_NS, evil),
    )
    text = render(
        NodeReport(evil, AgentAlive(evil, NOW_NS), status, faults=(evil,)), NOW_NS, wide=True
    )  # fmt: skip
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("age_ns", "shown"),
    [(0, "22:13:20"), (20 * HOUR_NS - 1, "02:13:20"), (20 * HOUR_NS, "2023-11-14"), (NOW_NS, "-")],
)
def test_times_have_a_date_after_twenty_hours(age_ns: int, shown: str) -> None:
    assert since(NOW_NS - age_ns, NOW_NS) == shown


def test_documents_are_gathered_per_node() -> None:
    reports = read_reports(
        [
            Stored(NODES + "node-2/" + "status", encode(replace(STATUS, node="node-2"), 0), 1),
            Stored(alive_key("node-1"), encode_alive(ALIVE), 2),
            Stored(status_key("node-1"), encode(STATUS, 0), 3),
            Stored(NODES + "node-1/other", b"x", 4),
        ]
    )
    assert [(report.node, report.alive is not None, report.is_well) for report in reports] == [
        ("node-1", True, True),
        ("node-2", False, False),
    ]
    assert reports[0].status == STATUS


def test_a_broken_document_hides_nothing_else() -> None:
    (report,) = read_reports(
        [Stored(alive_key("n"), encode_alive(ALIVE), 1), Stored(status_key("n"), b"\xff", 2)]
    )
    assert report.alive == ALIVE
    assert not report.is_well
    text = render(report, NOW_NS, wide=False)
    assert "  the value of its key 'status' cannot be read: not JSON" in text


def test_for_programs_there_is_the_object_that_stands_in_etcd() -> None:
    found = as_object(NodeReport("node-1", ALIVE, STATUS))
    assert found["running"] is True
    assert found["agent"] == {
        "version": "0.1.0",
        "started": "2023-11-14T21:13:20Z",
        "pid": 77,
        "endpoint": "",
    }
    assert isinstance(found["status"], dict)
    assert found["status"]["peers"][1]["lastError"] == "Connection refused"
    assert as_object(NodeReport("node-1"))["status"] is None


@pytest.mark.parametrize(
    ("phase", "does"),
    [
        ("Announce", "it announces all as a last resort"),
        ("Withdraw", "it announces nothing"),
        ("Sleep", "Sleep"),
    ],
)
def test_a_drained_node_says_so(phase: str, does: str) -> None:
    drained = Drained(id="1", phase=phase, since=NOW_NS, origin="me\x1b@admin")
    text = render(NodeReport("node-1", ALIVE, replace(STATUS, drained=drained)), NOW_NS, wide=False)
    assert re.search(rf"^  DRAINED since \d\d:\d\d:\d\d by me @admin: {does}$", text, re.MULTILINE)
    unknown = replace(STATUS, drained=Drained(id="1", phase=phase))
    assert f"  DRAINED since -: {does}\n" in render(NodeReport("n", ALIVE, unknown), NOW_NS, wide=False)


@pytest.mark.parametrize(
    ("draining", "told"),
    [
        (PeerDraining(since=1, drain="d"), "(its node is drained: all prefixes have other paths)"),
        (
            PeerDraining(since=1, drain="d", unreplaced=2, prefixes=(Prefix.parse("10.0.0.0/26"),) * 2),
            "(its node is drained: 2 prefixes have no other path (10.0.0.0/26, 10.0.0.0/26))",
        ),
        (
            PeerDraining(since=1, unreplaced=9, prefixes=(Prefix.parse("10.0.0.0/26"),) * 9),
            "(draining: 9 prefixes have no other path (10.0.0.0/26, 10.0.0.0/26, 10.0.0.0/26, …))",
        ),
        (PeerDraining(since=1, unreplaced=1), "(draining: 1 prefixes have no other path)"),
    ],
)
def test_what_a_peer_that_leaves_is_still_needed_for(draining: PeerDraining, told: str) -> None:
    status = replace(STATUS, peers=(replace(peer("10.0.0.2"), draining=draining),))
    assert f"| Established {told} |" in render(NodeReport("n", ALIVE, status), NOW_NS, wide=False)


def test_until_when_a_peer_drains() -> None:
    draining = PeerDraining(since=1, deadline=NOW_NS)
    status = replace(STATUS, peers=(replace(peer("10.0.0.2"), draining=draining),))
    shown = render(NodeReport("n", ALIVE, status), NOW_NS, wide=False)
    assert re.search(r"\(draining until \d\d:\d\d:\d\d at the latest: all prefixes have other paths\)", shown)
