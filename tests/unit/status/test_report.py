"""The classes Agent and BGP of a report, and what is told of what was left out."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import PeerId, SpeakerConfig
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.cluster.parts import whole
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import Address
from felixbgp.resources.calico_node_status import PeerKind, SessionState
from felixbgp.status.node_status import PEERS_MAX
from felixbgp.status.report import RECENT_NS, DaemonReport, Report, agent_of, bgp_of, shares
from felixbgp.status.report_routes import RouteTables

V4, V6 = Address.parse("10.0.0.1"), Address.parse("fd00::1")
SPEAKER = SpeakerConfig(bgp_identifier=V4, local_as=64512)


def peer(address: str, state: str = "Established", since: int = 0, port: int = 179) -> PeerSnapshot:
    parsed = Address.parse(address)
    return PeerSnapshot(
        peer=PeerId(parsed, port), name=address, families=(parsed.family,), local_as=1, remote_as=1,
        state=state, since=since,
    )  # fmt: skip


def intent(**scopes: str) -> Intent:
    origins = {PeerId(Address.parse("10.0.0.2")): PeerOrigin(scope, "p") for scope in scopes.values()}
    return Intent(speaker=SPEAKER, listen=(V4, V6), origins=origins)


def test_a_family_that_the_node_does_not_speak_is_not_there() -> None:
    daemon = DaemonReport("felixbgp 1", V4, 3, 4)
    assert agent_of(intent(), "felixbgp 1", 3, 4) == (daemon, daemon)
    assert agent_of(replace(intent(), listen=(V4,)), "felixbgp 1", 3, 4) == (daemon, None)
    assert agent_of(Intent(listen=(V4,)), "felixbgp 1", 3, 4) == (None, None)


@pytest.mark.parametrize(
    ("scope", "kind"),
    [
        ("mesh", PeerKind.NODE_MESH),
        ("global", PeerKind.GLOBAL_PEER),
        ("node", PeerKind.NODE_PEER),
        ("workload", PeerKind.NODE_PEER),
    ],
)
def test_the_type_of_a_peer(scope: str, kind: PeerKind) -> None:
    v4, _ = whole(bgp_of(intent(scope=scope), [peer("10.0.0.2")], 0))
    assert [entry.kind for entry in v4.peers] == [kind]


def test_a_peer_on_its_way_out_has_no_type() -> None:
    v4, _ = whole(bgp_of(intent(), [peer("10.0.0.2")], 0))
    assert v4.peers[0].kind is None


def test_peers_are_counted_and_told_by_family_in_order() -> None:
    peers = [peer("10.0.0.3", "Active"), peer("10.0.0.2"), peer("fd00::2", "OpenSent")]
    v4, v6 = whole(bgp_of(intent(), peers, 0))
    assert (v4.established, v4.not_established) == (1, 1)
    assert (v6.established, v6.not_established) == (0, 1)
    assert [str(entry.address) for entry in v4.peers] == ["10.0.0.2", "10.0.0.3"]
    assert v6.peers[0].state is SessionState.OPEN_SENT


def test_a_change_is_recent_for_20_hours_and_never_in_the_future() -> None:
    def recent(since: int, now: int) -> tuple[int, bool]:
        entry = whole(bgp_of(intent(), [peer("10.0.0.2", since=since)], now))[0].peers[0]
        return entry.since, entry.recent

    assert recent(5, 5 + RECENT_NS - 1) == (5, True)
    assert recent(5, 5 + RECENT_NS) == (5, False)
    assert recent(9, 7) == (7, True)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [(1, 2, (1, 2)), (9, 9, (5, 5)), (9, 2, (8, 2)), (2, 9, (2, 8)), (20, 0, (10, 0)), (5, 5, (5, 5))],
)
def test_a_family_has_half_of_the_room_and_what_the_other_leaves(
    first: int, second: int, shared: tuple[int, int]
) -> None:
    assert shares(first, second, 10) == shared


def test_peers_beyond_the_room_are_counted_and_named() -> None:
    peers = [peer("10.0.0.2", port=port) for port in range(1, PEERS_MAX + 3)]
    report = Report(bgp=whole(bgp_of(intent(), peers, 0)))
    assert report.bgp is not None
    assert len(report.bgp[0].peers) == PEERS_MAX
    assert report.bgp[0].established == PEERS_MAX + 2
    assert report.omissions() == ("2 more ipv4 peers than the object has room for",)


def test_routes_beyond_the_room_are_named() -> None:
    assert Report(routes=RouteTables((), ())).omissions() == ()
    assert Report(routes=RouteTables((), (), cut=True)).omissions() == (
        "more routes than the object has room for; 0 of them are told",
    )
