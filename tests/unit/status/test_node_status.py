"""What `build` makes of snapshots, intent and problems."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from felixbgp.bgp.config import PeerId, SpeakerConfig
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.cluster.drains import Drain, DrainPhase
from felixbgp.cluster.parts import whole
from felixbgp.intent.types import Intent, PeerOrigin, Problem
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.resources import FieldError
from felixbgp.status import node_status
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    Leave,
    NodeStatus,
    PeerDraining,
    RouteCounts,
    SpeakerStatus,
    build,
)

IN_SYNC = DatastoreState(DatastoreCondition.IN_SYNC, since=5)


def snapshot(address: str, *, port: int = 179, since: int = 7, last_error: str = "") -> PeerSnapshot:
    parsed = Address.parse(address)
    return PeerSnapshot(
        peer=PeerId(parsed, port),
        name=f"peer-{address}",
        families=(parsed.family,),
        local_as=64512,
        remote_as=64513,
        state="Established",
        since=since,
        last_error=last_error,
        remote_identifier=Address.parse("10.0.0.9"),
        hold_time_s=90,
        prefixes_received=3,
        prefixes_accepted=2,
        prefixes_advertised=1,
        updates_received=99,
    )


def built(
    *,
    intent: Intent | None = None,
    peers: tuple[PeerSnapshot, ...] = (),
    invalid: Mapping[str, tuple[FieldError, ...]] | None = None,
    ignored: Mapping[str, tuple[FieldError, ...]] | None = None,
    route_problems: Mapping[Prefix, str] | None = None,
    listen_problems: Mapping[str, str] | None = None,
    next_hop_problems: Mapping[Address, tuple[int, str]] | None = None,
    kernel_unheard: str = "",
    leaving: Mapping[PeerId, Leave] | None = None,
    blocks_in_use: tuple[Prefix, ...] = (),
    untold: int = 0,
    now: int = 1000,
) -> NodeStatus:
    return whole(
        build(
            node="node-1",
            version="0.1.0",
            intent=intent,
            peers=peers,
            routes=RouteCounts(wanted=4, installed=3, failed=1),
            invalid=invalid or {},
            ignored=ignored or {},
            route_problems=route_problems or {},
            listen_problems=listen_problems or {},
            next_hop_problems=next_hop_problems or {},
            kernel_unheard=kernel_unheard,
            datastore=IN_SYNC,
            leaving=leaving or {},
            blocks_in_use=blocks_in_use,
            untold=untold,
            now=now,
        )
    )


def test_a_kernel_that_is_not_heard_is_named() -> None:
    (problem,) = built(kernel_unheard="No buffer space available").problems
    assert problem.subject == "kernel"
    assert problem.reason.startswith("No buffer space available; no route is written")


def test_a_node_that_knows_nothing_yet_still_has_a_status() -> None:
    status = built()
    assert (status.node, status.version, status.datastore) == ("node-1", "0.1.0", IN_SYNC)
    assert (status.speaker, status.peers, status.blocks, status.problems) == (None, (), (), ())
    assert status.routes == RouteCounts(4, 3, 1)


def test_a_peer_carries_its_snapshot_and_where_it_comes_from() -> None:
    peer = snapshot("10.0.0.2", last_error="hold timer expired")
    status = built(
        intent=Intent(origins={peer.peer: PeerOrigin(scope="global", resource="tor")}), peers=(peer,)
    )
    (shown,) = status.peers
    assert (shown.scope, shown.resource, shown.name) == ("global", "tor", "peer-10.0.0.2")
    assert (shown.state, shown.since, shown.last_error) == ("Established", 7, "hold timer expired")
    assert (shown.local_as, shown.remote_as, shown.hold_time_s) == (64512, 64513, 90)
    assert shown.remote_identifier == Address.parse("10.0.0.9")
    assert (shown.prefixes_received, shown.prefixes_accepted, shown.prefixes_advertised) == (3, 2, 1)


def test_a_peer_without_an_error_and_without_an_origin_says_so() -> None:
    (shown,) = built(peers=(snapshot("10.0.0.2"),)).peers
    assert shown.last_error is None
    assert (shown.scope, shown.resource) == ("", "")


def test_peers_are_in_numeric_order_ipv4_first_whatever_order_they_came_in() -> None:
    peers = (
        snapshot("fd00::2"),
        snapshot("10.0.0.10"),
        snapshot("10.0.0.9", port=1179),
        snapshot("10.0.0.9"),
    )
    expected = ["10.0.0.9", "10.0.0.9:1179", "10.0.0.10", "fd00::2"]
    assert [str(peer.peer) for peer in built(peers=peers).peers] == expected
    assert built(peers=peers) == built(peers=peers[::-1])


def test_counting_messages_does_not_change_the_status() -> None:
    peer = snapshot("10.0.0.2")
    assert built(peers=(peer,)) == built(peers=(replace(peer, updates_received=100, updates_sent=7),))
    assert built(peers=(peer,), now=1000) == built(peers=(peer,), now=2000)


def test_a_prefix_count_changes_the_status() -> None:
    peer = snapshot("10.0.0.2")
    assert built(peers=(peer,)) != built(peers=(replace(peer, prefixes_accepted=1),))


def test_a_time_after_now_is_cut_to_now() -> None:
    assert built(peers=(snapshot("10.0.0.2", since=1001),), now=1000).peers[0].since == 1000


def test_the_speaker_is_the_intents() -> None:
    any_v4, any_v6 = Address.parse("0.0.0.0"), Address.parse("::")
    identifier, cluster = Address.parse("10.0.0.1"), Address.parse("1.0.0.1")
    intent = Intent(
        speaker=SpeakerConfig(bgp_identifier=identifier, local_as=64512, cluster_id=cluster),
        listen=(any_v6, any_v4),
        listen_port=1790,
    )
    assert built(intent=intent).speaker == SpeakerStatus(
        identifier=identifier,
        as_number=64512,
        listen=(any_v4, any_v6),
        listen_port=1790,
        cluster_id=cluster,
    )


def test_blocks_are_in_the_order_of_their_addresses() -> None:
    texts = ["fd00::/122", "10.0.1.0/24", "10.0.0.128/26"]
    status = built(intent=Intent(aggregates=tuple(Prefix.parse(text) for text in texts)))
    assert [str(block) for block in status.blocks] == ["10.0.0.128/26", "10.0.1.0/24", "fd00::/122"]


def test_problems_name_subject_field_and_reason_and_their_maps_order_does_not_show() -> None:
    invalid = {
        "/calico/b": (FieldError("", "", "is not JSON"),),
        "/calico/a": (
            FieldError("spec.asNumber", "0", "is not between 1 and 9"),
            FieldError("spec.peerIP", '"x"', "is not an IP address"),
        ),
    }
    ignored = {"/calico/c": (FieldError("spec.new", "", "is not known to this version and is ignored"),)}
    route_problems = {Prefix.parse("10.2.0.0/16"): "File exists", Prefix.parse("10.1.0.0/16"): "conflict"}
    listen_problems = {"0.0.0.0:179": "Permission denied"}
    intent = Intent(problems=(Problem("BGPPeer(x)", "spec.filters", "filter y does not exist"),))
    status = built(
        intent=intent,
        invalid=invalid,
        ignored=ignored,
        route_problems=route_problems,
        listen_problems=listen_problems,
    )
    assert status.problems == (
        Problem("/calico/a", "spec.asNumber", "0 is not between 1 and 9"),
        Problem("/calico/a", "spec.peerIP", '"x" is not an IP address'),
        Problem("/calico/b", "", "is not JSON"),
        Problem("BGPPeer(x)", "spec.filters", "filter y does not exist"),
        Problem("listen 0.0.0.0:179", "", "Permission denied"),
        Problem("route 10.1.0.0/16", "", "conflict"),
        Problem("route 10.2.0.0/16", "", "File exists"),
        Problem("/calico/c", "spec.new", "is not known to this version and is ignored"),
    )
    assert status == built(
        intent=intent,
        invalid=dict(reversed(invalid.items())),
        ignored=ignored,
        route_problems=dict(reversed(route_problems.items())),
        listen_problems=listen_problems,
    )


def test_more_failing_routes_than_there_is_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_status, "PROBLEMS_MAX", 3)
    routes = {Prefix.parse(f"10.0.{number}.0/24"): "no" for number in range(5)}
    problems = built(route_problems=routes).problems
    assert [problem.subject for problem in problems] == [
        "route 10.0.0.0/24",
        "route 10.0.1.0/24",
        "route 10.0.2.0/24",
        "status",
    ]
    assert "1 more problems" in problems[-1].reason  # the line that counts the two routes left out


def test_more_peers_and_blocks_than_there_is_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_status, "PEERS_MAX", 1)
    monkeypatch.setattr(node_status, "BLOCKS_MAX", 2)
    blocks = tuple(Prefix.parse(f"10.0.{number}.0/24") for number in range(5))
    status = built(
        intent=Intent(aggregates=blocks), peers=tuple(snapshot(f"10.0.0.{host}") for host in range(1, 4))
    )
    assert len(status.peers) == 1
    assert len(status.blocks) == 2
    assert [problem.reason for problem in status.problems] == [
        "2 more peers than the status document has room for",
        "3 more blocks than the status document has room for",
    ]


def test_texts_of_others_are_bounded() -> None:
    long = "x" * 100_000
    status = built(
        peers=(snapshot("10.0.0.2", last_error=long),), invalid={"/calico/a": (FieldError(long, long, long),)}
    )
    (problem,) = status.problems
    assert status.peers[0].last_error is not None
    lengths = [len(text) for text in (status.peers[0].last_error, problem.field, problem.reason)]
    assert lengths == [node_status.TEXT_MAX] * 3


def test_families_are_kept() -> None:
    peer = replace(snapshot("10.0.0.2"), families=(IPV4, IPV6))
    assert built(peers=(peer,)).peers[0].families == (IPV4, IPV6)


def test_of_a_peer_that_leaves_it_says_why_until_when_and_who_needs_it() -> None:
    prefixes = (Prefix.parse("10.2.0.0/16"), Prefix.parse("10.1.0.0/16"))
    unwanted = replace(snapshot("10.0.0.2"), unreplaced=2, unreplaced_first=prefixes)
    of_drained = replace(snapshot("10.0.0.3"), unreplaced=0)
    intent = Intent(origins={of_drained.peer: PeerOrigin("mesh", "", "d-1")})
    leaving = {unwanted.peer: Leave(5, 125), of_drained.peer: Leave(2000, None)}
    status = built(intent=intent, peers=(unwanted, of_drained, snapshot("10.0.0.4")), leaving=leaving)
    assert [peer.draining for peer in status.peers] == [
        PeerDraining(since=5, deadline=125, unreplaced=2, prefixes=prefixes[::-1]),
        PeerDraining(since=1000, drain="d-1"),
        None,
    ]


def test_of_prefixes_without_another_path_some_are_shown_and_all_are_counted() -> None:
    many = tuple(Prefix.parse(f"10.0.{number}.0/24") for number in range(64))
    peers = tuple(
        replace(snapshot(f"10.0.0.{number}"), unreplaced=64, unreplaced_first=many) for number in range(1, 10)
    )
    found = [peer.draining for peer in built(peers=peers).peers]
    assert [one.unreplaced for one in found if one is not None] == [64] * 9
    assert [len(one.prefixes) for one in found if one is not None] == [64] * 7 + [52, 0]


def test_a_drained_node_tells_of_which_drain_it_is() -> None:
    drain = Drain("d-1", DrainPhase.WITHDRAW, 77, "me")
    blocks = (Prefix.parse("10.2.0.0/26"), Prefix.parse("10.1.0.0/26"))
    assert built(intent=Intent(drain=drain), blocks_in_use=blocks, untold=3).drained == Drained(
        id="d-1", phase="Withdraw", since=77, origin="me", blocks_in_use=blocks[::-1], untold=3
    )
    assert built(intent=Intent()).drained is None
