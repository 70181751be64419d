"""The documents as they stand in etcd."""

import json
import re
from dataclasses import replace

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.intent.types import Problem
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.status.audit import AuditStatus
from felixbgp.status.document import (
    AgentAlive,
    Encoder,
    decode,
    decode_alive,
    encode,
    encode_alive,
    to_object,
)
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    NodeStatus,
    PeerDraining,
    PeerStatus,
    Recovered,
    RouteCounts,
    SpeakerStatus,
)
from felixbgp.status.proto_json import DOCUMENT_BYTES_MAX, DocumentError

SECOND_NS = 1_000_000_000
WALL_OFFSET_NS = 1_700_000_000 * SECOND_NS  # 2023-11-14T22:13:20Z

FULL = NodeStatus(
    node="node-1",
    version="0.1.0",
    datastore=DatastoreState(DatastoreCondition.LOST, since=SECOND_NS, reason="connection refused"),
    speaker=SpeakerStatus(
        identifier=Address.parse("10.0.0.1"),
        as_number=4_294_967_295,
        listen=(Address.parse("0.0.0.0"), Address.parse("::")),
        listen_port=179,
        cluster_id=Address.parse("1.0.0.1"),
    ),
    peers=(
        PeerStatus(
            peer=PeerId(Address.parse("10.0.0.2")),
            name="Mesh_10_0_0_2",
            scope="mesh",
            resource="",
            families=(IPV4,),
            local_as=64512,
            remote_as=64512,
            state="Established",
            since=2 * SECOND_NS,
            remote_identifier=Address.parse("10.0.0.2"),
            hold_time_s=0,
            prefixes_received=3,
            prefixes_accepted=2,
            prefixes_advertised=1,
            prefixes_stale=2,
            warning="80 of at most 100 ipv4 prefixes",
            malformed_updates=(("attribute discard", 1), ("treat-as-withdraw", 2)),
        ),
        PeerStatus(
            peer=PeerId(Address.parse("fd00::9"), 1179),
            name="Global_tor",
            scope="global",
            resource="tor",
            families=(IPV6,),
            local_as=64512,
            remote_as=64567,
            state="Active",
            since=0,
            last_error="connection refused (it's “closed”)",
            cause=Cause.REFUSED,
        ),
    ),
    blocks=(Prefix.parse("10.65.0.0/26"), Prefix.parse("fd01::/122")),
    routes=RouteCounts(10, 9, 1),
    problems=(Problem("/calico/x", "spec.asNumber", "out of range"),),
    audit=AuditStatus(SECOND_NS, compared=10, differing=1, healed=2, last_healed=2 * SECOND_NS),
)

FULL_TEXT = """\
{
 "node": "node-1",
 "version": "0.1.0",
 "datastore": {"state": "Lost", "since": "2023-11-14T22:13:21Z", "reason": "connection refused"},
 "speaker": {"identifier": "10.0.0.1", "asNumber": 4294967295, "listen": ["0.0.0.0", "::"], \
"listenPort": 179, "clusterId": "1.0.0.1"},
 "peers": [
  {"address": "10.0.0.2", "port": 179, "name": "Mesh_10_0_0_2", "scope": "mesh", "resource": "", \
"families": ["ipv4"], "localAs": 64512, "remoteAs": 64512, "state": "Established", \
"since": "2023-11-14T22:13:22Z", \
"remoteIdentifier": "10.0.0.2", "holdTime": 0, \
"prefixes": {"received": 3, "accepted": 2, "advertised": 1, "stale": 2}, \
"warning": "80 of at most 100 ipv4 prefixes", \
"malformedUpdates": {"attribute discard": 1, "treat-as-withdraw": 2}},
  {"address": "fd00::9", "port": 1179, "name": "Global_tor", "scope": "global", "resource": "tor", \
"families": ["ipv6"], "localAs": 64512, "remoteAs": 64567, "state": "Active", \
"since": "2023-11-14T22:13:20Z", "lastError": "connection refused (it's “closed”)", \
"prefixes": {"received": 0, "accepted": 0, "advertised": 0, "stale": 0}, "malformedUpdates": {}, \
"cause": "Refused"}
 ],
 "blocks": ["10.65.0.0/26", "fd01::/122"],
 "routes": {"wanted": 10, "installed": 9, "failed": 1},
 "problems": [
  {"subject": "/calico/x", "field": "spec.asNumber", "reason": "out of range"}
 ],
 "audit": {"since": "2023-11-14T22:13:21Z", "compared": 10, "differing": 1, "healed": 2, \
"lastHealed": "2023-11-14T22:13:22Z"},
 "causes": [
  {"cause": "Refused", "text": "the peer's host refuses the connection: nothing listens there", \
"remedy": "start the peer's BGP speaker; compare its port with the one here; look for a firewall"}
 ]
}
"""


def shifted(status: NodeStatus, offset_ns: int) -> NodeStatus:
    return replace(
        status,
        datastore=replace(status.datastore, since=status.datastore.since + offset_ns),
        peers=tuple(replace(peer, since=peer.since + offset_ns) for peer in status.peers),
        audit=status.audit
        and status.audit._replace(
            since=status.audit.since + offset_ns, last_healed=status.audit.last_healed + offset_ns
        ),
    )


def with_field(path: str, value: object) -> bytes:
    """FULL as JSON with one field (dotted, numbers index lists) set to something else."""
    tree = json.loads(encode(FULL, WALL_OFFSET_NS))
    *parents, last = path.split(".")
    owner = tree
    for step in parents:
        owner = owner[int(step)] if step.isdigit() else owner[step]
    owner[last] = value
    return json.dumps(tree).encode()


def test_the_document_is_readable_text() -> None:
    assert encode(FULL, WALL_OFFSET_NS).decode() == FULL_TEXT


def test_what_is_read_back_is_what_was_written_in_wall_time() -> None:
    assert decode(encode(FULL, WALL_OFFSET_NS)) == shifted(FULL, WALL_OFFSET_NS)


def test_an_audit_that_never_healed_anything_has_no_time_of_that() -> None:
    status = replace(FULL, audit=AuditStatus(0, compared=10, differing=0))
    assert b"lastHealed" not in encode(status, WALL_OFFSET_NS)
    assert decode(encode(status, WALL_OFFSET_NS)).audit == AuditStatus(WALL_OFFSET_NS, 10, 0)


def test_what_stands_in_for_the_store_is_told_in_wall_time() -> None:
    recovered = DatastoreState(DatastoreCondition.RECOVERED, 5 * SECOND_NS, "gone", Recovered(7, -SECOND_NS))
    found = decode(encode(replace(FULL, datastore=recovered), WALL_OFFSET_NS)).datastore
    assert found.condition is DatastoreCondition.RECOVERED
    assert found.recovered == Recovered(7, WALL_OFFSET_NS - SECOND_NS)
    text = encode(replace(FULL, datastore=recovered), WALL_OFFSET_NS)
    assert b'"recovered": {"revision": "7", "written": "2023-11-14T22:13:19Z"}' in text


def test_an_almost_empty_status_is_read_back() -> None:
    status = NodeStatus(
        node="n", version="", datastore=DatastoreState(DatastoreCondition.SYNCING, since=WALL_OFFSET_NS)
    )
    assert decode(encode(status, 0)) == status
    assert b'"peers": [],\n' in encode(status, 0)
    assert b'"speaker"' not in encode(status, 0)


def test_times_are_whole_milliseconds() -> None:
    status = replace(FULL, datastore=replace(FULL.datastore, since=1_234_567_899))
    assert b'"since": "2023-11-14T22:13:21.234Z"' in encode(status, WALL_OFFSET_NS)


def test_text_that_utf8_cannot_carry_does_not_stop_the_rest() -> None:
    status = replace(FULL, problems=(Problem("/calico/\ud800", "a\nb\x1b[31m", "\0"),))
    (problem,) = decode(encode(status, 0)).problems
    assert problem == Problem("/calico/?", "a\nb\x1b[31m", "\0")


def test_an_agent_that_writes_no_routes_has_no_count_of_them() -> None:
    value = encode(replace(FULL, routes=None), 0)
    assert "routes" not in json.loads(value)
    assert decode(value).routes is None


def test_fields_of_a_later_version_are_ignored() -> None:
    value = with_field("peers.0.bfd", {"state": "Up"})
    assert decode(value) == shifted(FULL, WALL_OFFSET_NS)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"1" * 5000, "not JSON"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "more than a document may have"),
        (b"{}", "datastore.state"),
        (with_field("peers.1.address", "no"), r"peers\[1\]\.address: 'no' is not"),
        (with_field("peers.0.address", "10.0.0.2%eth0"), r"peers\[0\]\.address"),
        (with_field("peers.0.localAs", -1), "localAs"),
        (with_field("peers.0.localAs", "x"), "localAs"),
        (with_field("peers.0.port", 2**32), "port"),
        (with_field("peers.0.since", "yesterday"), "since"),
        (with_field("peers.0.families", ["evpn"]), r"peers\[0\]\.families: 'evpn'"),
        (with_field("peers.0.name", "\ud800"), "name"),
        (with_field("peers", {}), "peers"),
        (with_field("blocks", ["10.0.0.1/8"]), r"blocks\[0\]: .*host bits"),
        (with_field("speaker.identifier", "x"), r"speaker\.identifier"),
        (with_field("datastore.state", "Fine"), r"datastore\.state: 'Fine'"),
    ],
)
def test_hostile_values_are_refused_with_the_reason(value: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        decode(value)


def test_alive_is_read_back() -> None:
    alive = AgentAlive(version="0.1.0", started=WALL_OFFSET_NS, pid=77, endpoint="10.0.0.1:9179")
    assert json.loads(encode_alive(alive)) == {
        "version": "0.1.0",
        "started": "2023-11-14T22:13:20Z",
        "pid": 77,
        "endpoint": "10.0.0.1:9179",
    }
    assert decode_alive(encode_alive(alive)) == alive


def test_hostile_alive_is_refused() -> None:
    with pytest.raises(DocumentError, match="pid"):
        decode_alive(b'{"pid": -1}')


def test_the_printed_object_is_what_stands_in_etcd() -> None:
    value = encode(FULL, WALL_OFFSET_NS)
    assert to_object(decode(value)) == json.loads(value)


def test_a_document_with_lines_of_the_one_before_is_what_it_would_be_without() -> None:
    encoder = Encoder(WALL_OFFSET_NS)
    first, *others = FULL.peers
    changed = replace(first, state="Idle", last_error="gone")
    for peers in (FULL.peers, (changed, *others), tuple(others), (first, *others), ()):
        status = replace(FULL, peers=peers)
        encoder.prepare(peers)
        assert encoder.encode(status) == encode(status, WALL_OFFSET_NS)
        assert decode(encoder.encode(status)).peers == decode(encode(status, WALL_OFFSET_NS)).peers


def test_who_is_about_to_leave_is_told_and_read_back() -> None:
    prefixes = (Prefix.parse("10.65.0.0/26"), Prefix.parse("fd01::/122"))
    unwanted = PeerDraining(since=SECOND_NS, deadline=3 * SECOND_NS, unreplaced=2, prefixes=prefixes)
    drained = Drained(
        id="a-1", phase="Announce", since=WALL_OFFSET_NS, origin="me", blocks_in_use=prefixes, untold=4
    )
    first, second = FULL.peers
    peers = (replace(first, draining=unwanted), replace(second, draining=PeerDraining(since=0, drain="a-1")))
    status = replace(FULL, peers=peers, drained=drained)
    written = encode(status, WALL_OFFSET_NS)
    loaded = json.loads(written)
    assert loaded["drained"] == {
        "id": "a-1",
        "phase": "Announce",
        "since": "2023-11-14T22:13:20Z",
        "origin": "me",
        "blocksInUse": ["10.65.0.0/26", "fd01::/122"],
        "untold": 4,
    }
    assert [peer["draining"] for peer in loaded["peers"]] == [
        {
            "since": "2023-11-14T22:13:21Z",
            "deadline": "2023-11-14T22:13:23Z",
            "drain": "",
            "unreplaced": 2,
            "prefixes": ["10.65.0.0/26", "fd01::/122"],
        },
        {"since": "2023-11-14T22:13:20Z", "drain": "a-1", "unreplaced": 0, "prefixes": []},
    ]
    read = decode(written)
    assert read.drained == drained
    assert read.peers[0].draining == replace(
        unwanted, since=WALL_OFFSET_NS + SECOND_NS, deadline=WALL_OFFSET_NS + 3 * SECOND_NS
    )
    assert read.peers[1].draining == PeerDraining(since=WALL_OFFSET_NS, drain="a-1")


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"drained": {"blocksInUse": ["10.0.0.0/8", "x"]}}, "drained.blocksInUse[1]"),
        (
            {"peers": [{"address": "10.0.0.1", "draining": {"prefixes": ["x"]}}]},
            "peers[0].draining.prefixes[0]",
        ),
    ],
)
def test_a_prefix_that_is_none_is_named(part: dict[str, object], field: str) -> None:
    value = json.dumps({"datastore": {"state": "InSync"}, **part}).encode()
    with pytest.raises(DocumentError, match=f"^{re.escape(field)}: "):
        decode(value)


def test_a_cause_that_only_a_newer_agent_knows_is_none_to_us() -> None:
    value = encode(FULL, 0).replace(b'"cause": "Refused"', b'"cause": "Eclipsed"')
    assert [peer.cause for peer in decode(value).peers] == [None, None]


def test_causes_are_explained_once_however_many_peers_have_them() -> None:
    down = replace(FULL.peers[1], cause=Cause.HOLD_TIMER)
    also = replace(down, peer=PeerId(Address.parse("10.0.0.3")))
    status = replace(FULL, peers=(*FULL.peers, down, also))
    causes = json.loads(encode(status, 0))["causes"]
    assert [each["cause"] for each in causes] == ["Refused", "HoldTimer"]
    assert all(each["text"] and each["remedy"] for each in causes)
