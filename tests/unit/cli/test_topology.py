"""`felixbgp topology`: what is wanted, how it stands and why; nothing hostile gets out of its text."""

import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.cli.topology_graphviz import PROBLEM, as_dot, quoted
from felixbgp.cli.topology_model import Kind, Place, Reason, Session, Topology, natural, topology_of
from felixbgp.cli.topology_svg import as_svg, laid_out
from felixbgp.cli.topology_text import rendered
from felixbgp.intent.types import Problem
from felixbgp.net import IPV4
from tests.support.stored import resource
from tests.support.topologies import Cluster, member, meshed, reflected

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\x1b[31m\x00\ud800\"];\n}<&'\\"
Golden = Callable[[str, str], None]


def drawn(cluster: Cluster) -> Topology:
    return topology_of(cluster.state(), cluster.reports.values(), "rack")


def ten() -> Cluster:
    """Two reflectors, eight clients, a router; an agent that is away, a refused dial, a missing password."""
    items = reflected(10)
    secret = {"secretKeyRef": {"name": "bgp", "key": "x"}}
    guarded = {"node": "node-4", "peerIP": "172.31.0.9", "asNumber": 64999, "password": secret}
    cluster = Cluster([*items, resource("BGPPeer", "guarded", guarded)])
    cluster.stop("node-10")
    cluster.lose("node-4", "172.31.0.1", "Active", "Connection refused", Cause.REFUSED)
    cluster.refuse("node-4", "172.31.0.9", Problem("BGPPeer guarded", "spec.password", "there is no secret"))
    # The other change of the status of node-4 is kept, as `refuse` works on what it tells by then.
    return cluster


def found(topology: Topology, first: str, second: str) -> list[Session]:
    return [one for one in topology.sessions if {place.name for place in one.ends} == {first, second}]


def test_a_mesh_that_is_well() -> None:
    topology = drawn(Cluster(meshed(4)))
    assert len(topology.sessions) == 12
    assert {session.kind for session in topology.sessions} == {Kind.MESH}
    assert topology.problems == []
    assert rendered(topology, coloured=True) == rendered(topology, coloured=False)


def test_reflectors_clients_and_routers_are_told_apart() -> None:
    topology = drawn(Cluster(reflected(6)))
    reflector, client = Place(is_node=True, name="node-1"), Place(is_node=True, name="node-5")
    first, second = found(topology, "node-1", "node-5")
    assert first.ends == second.ends == (reflector, client)
    assert first.kind is Kind.CLIENT
    assert {one.kind for one in found(topology, "node-1", "node-2")} == {Kind.REFLECTORS}
    (external,) = found(topology, "node-2", "172.31.0.1")
    assert (external.kind, external.resource) == (Kind.EXTERNAL, "tor")
    assert topology.speakers[reflector].cluster_id == "244.0.0.1"
    assert [one.label for one in topology.others] == ["172.31.0.1 (AS 64567, tor)"]


def test_why_a_session_is_not_established() -> None:
    topology = drawn(ten())
    (guarded,) = found(topology, "node-4", "172.31.0.9")
    assert guarded.reasons == (Reason("node-4", "there is no secret"),)
    (refused,) = found(topology, "node-4", "172.31.0.1")
    assert refused.reasons == (Reason("node-4", "Active (Refused), Connection refused", Cause.REFUSED),)
    for session in found(topology, "node-1", "node-10"):
        assert session.reasons == (Reason("node-10", "its agent is not running"),)
    # Those two, and five of node-10: with both reflectors in both families, and with the router of its rack.
    assert len(topology.problems) == 7
    assert {session.resource for session in topology.problems} == {"guarded", "tor", "to-reflectors"}


def test_what_one_end_alone_wants_names_the_other() -> None:
    # node-3 has the address of node-2, by mistake: node-1 takes the peer there for node-2.
    cluster = Cluster([*meshed(2), member(3, ipv4Address="172.30.0.3/16")])
    cluster.lose("node-3", "172.30.0.2", "Active", "")
    (session,) = drawn(cluster).problems
    assert session.reasons == (Reason("node-3", "Active"), Reason("node-1", "it wants no such session"))


def test_nodes_that_do_not_tell() -> None:
    cluster = Cluster([*meshed(3), resource("Node", "bare", {})])
    whole = cluster.reports["node-2"]
    del cluster.reports["node-1"]
    cluster.reports["node-2"] = replace(whole, status=None)
    cluster.reports["node-3"] = replace(cluster.reports["node-3"], faults=("it cannot be read",))
    topology = drawn(cluster)
    assert [node.fault for node in topology.nodes] == [
        "its agent is not running",
        "it has published no status",
        "it cannot be read",
    ]
    assert topology.apart == ("bare",)
    assert len(topology.problems) == len(topology.sessions) == 6
    assert whole.status is not None
    cluster.reports["node-2"] = replace(whole, status=replace(whole.status, peers=()))
    reasons = {reason for session in drawn(cluster).problems for reason in session.reasons}
    assert Reason("node-2", "its agent knows of no such peer yet") in reasons


def test_a_filter_that_is_missing_is_no_reason_not_to_be_wanted() -> None:
    spec = {"peerIP": "172.31.0.1", "asNumber": 64567, "filters": ["none"]}
    cluster = Cluster([*meshed(1), resource("BGPPeer", "tor", spec)])
    missing = Problem("BGPPeer tor", "spec.filters[0]", "BGPFilter none does not exist")
    cluster.refuse("node-1", "172.31.0.1", missing)
    (session,) = drawn(cluster).problems
    assert session.reasons == (Reason("node-1", "BGPFilter none does not exist"),)


@pytest.mark.parametrize(("name", "key"), [("nosuch", "pw"), ("../x", "a/b")], ids=["missing", "impossible"])
def test_a_secret_that_is_missing_is_no_reason_not_to_be_wanted(name: str, key: str) -> None:
    secret = {"secretKeyRef": {"name": name, "key": key}}
    spec = {"peerIP": "172.31.0.1", "asNumber": 64567, "password": secret}
    mesh = resource("BGPConfiguration", "default", {"nodeMeshPassword": secret})
    cluster = Cluster([*meshed(2), resource("BGPPeer", "tor", spec), mesh])
    cluster.refuse("node-1", "172.31.0.1", Problem("BGPPeer tor", "spec.password", "there is no secret"))
    topology = drawn(cluster)
    assert len(topology.sessions) == 4
    (session,) = topology.problems
    assert session.reasons == (Reason("node-1", "there is no secret"),)
    assert [one.label for one in topology.others] == ["172.31.0.1 (AS 64567, tor)"]


def test_text_of_ten_nodes(golden: Golden) -> None:
    text = rendered(drawn(ten()), coloured=False)
    golden("golden/topology-10.txt", text)
    red = rendered(drawn(ten()), coloured=True)
    assert re.sub(r"\x1b\[\d*m", "", red) == text
    assert "\x1b[31mnode-4: Active (Refused), Connection refused\x1b[0m" in red


def test_text_of_a_mesh_of_ten(golden: Golden) -> None:
    cluster = Cluster(meshed(10))
    cluster.lose("node-3", "fd30::7", "Idle", "hold timer expired")
    golden("golden/topology-mesh-10.txt", rendered(drawn(cluster), coloured=False))


def test_text_of_many_nodes_is_a_summary(golden: Golden) -> None:
    cluster = Cluster(reflected(60))
    for number in range(11, 31):
        cluster.stop(f"node-{number}")
    cluster.lose("node-40", "172.30.0.2", "Active", "No route to host")
    text = rendered(drawn(cluster), coloured=False)
    assert len(text.splitlines()) < 30
    golden("golden/topology-60.txt", text)


def test_names_are_sorted_as_people_count() -> None:
    assert sorted(["node-10", "node-2", "a", "10", "9x", "node", ""], key=natural) == [
        "", "9x", "10", "a", "node", "node-2", "node-10",
    ]  # fmt: skip


# ---- pictures


def elements(svg: str, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(SVG + tag))  # noqa: S314 - we made it ourselves


def test_a_picture_has_everybody_and_what_is_wrong_in_red() -> None:
    topology = drawn(ten())
    svg = as_svg(topology)
    shown = {"".join(one.itertext()) for one in elements(svg, "text")}
    assert {node.label for node in topology.nodes} <= shown
    assert {"rack-1", "rack-2"} <= shown
    lines = elements(svg, "line")
    assert len(lines) == len(topology.sessions)
    red = ["".join(line.itertext()) for line in lines if line.get("stroke") == PROBLEM]
    assert len(red) == len(topology.problems)
    assert (
        "node-4 — 172.31.0.1 (AS 64567, tor) (IPv4, external, BGPPeer tor): "
        "node-4: Active (Refused), Connection refused" in [text.strip() for text in red]
    )
    boxes = {box[0].text: box.get("stroke") for box in elements(svg, "rect") if len(box)}
    assert boxes["node-10, AS 64512: its agent is not running"] == PROBLEM
    assert boxes["node-5, AS 64512"] != PROBLEM


def test_a_picture_of_a_large_mesh_has_lines_for_what_is_wrong_alone() -> None:
    cluster = Cluster(meshed(41))
    cluster.lose("node-3", "172.30.0.8", "Idle", "hold timer expired")
    svg = as_svg(drawn(cluster))
    (line,) = elements(svg, "line")
    assert "node-3 — node-7" in "".join(line.itertext())
    (disc,) = elements(svg, "circle")
    assert "mesh: 1640 sessions" in "".join(disc.itertext())


@pytest.mark.parametrize(
    "cluster",
    [
        Cluster([]),
        Cluster(meshed(1)),
        Cluster(reflected(1, 1)),
        Cluster(reflected(3, 3)),
        Cluster(reflected(40)),
    ],
    ids=["nobody", "one", "a reflector", "reflectors", "many"],
)
def test_nobody_stands_on_another(cluster: Cluster) -> None:
    topology = drawn(cluster)
    places, _, radius = laid_out(topology)
    assert places.keys() == topology.speakers.keys()
    # On one circle no box covers another: those that are near each other are beside or below each other.
    boxes = [
        (box[0].text, float(box.get("x", "0")), float(box.get("y", "0")), float(box.get("width", "0")))
        for box in elements(as_svg(topology), "rect")
        if len(box)
    ]
    for one, x, y, width in boxes:
        for other, x2, y2, width2 in boxes:
            apart = x >= x2 + width2 or x2 >= x + width or abs(y - y2) >= 12
            assert one == other or apart, (one, other)
    assert all(abs(complex(*point)) <= radius + 1 for point in places.values())
    ET.fromstring(as_svg(topology))  # noqa: S314 - we made it ourselves


def hostile() -> Topology:
    """Everything that somebody else has written is of bad will."""
    topology = drawn(ten())
    speakers = {
        place: replace(one, label=one.label + HOSTILE, group=HOSTILE, fault=HOSTILE)
        for place, one in topology.speakers.items()
    }
    sessions = tuple(
        replace(one, resource=HOSTILE, reasons=(Reason(HOSTILE, HOSTILE),)) for one in topology.sessions
    )
    return Topology(speakers, sessions, (HOSTILE,))


def test_a_picture_of_hostile_names_is_a_picture() -> None:
    svg = as_svg(hostile())
    root = ET.fromstring(svg)  # noqa: S314 - we made it ourselves
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "rect", "line", "text", "title"}
    assert "<script>" not in svg
    svg.encode()
    allowed = {name for one in elements(as_svg(drawn(ten())), "rect") for name in one.attrib}
    assert {name for one in root.iter(SVG + "rect") for name in one.attrib} <= allowed


def test_text_of_hostile_names_cannot_steer_a_terminal() -> None:
    text = rendered(hostile(), coloured=False)
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_graph_quotes_what_others_have_written() -> None:
    assert quoted('a"b\\c\nd') == '"a\\"b\\\\c d"'
    assert quoted("\\") == '"\\\\"'
    dot = as_dot(hostile())
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert "script" not in outside
    assert outside.count("{") == outside.count("}")


def test_a_graph_has_what_is_wrong_in_red(golden: Golden) -> None:
    dot = as_dot(drawn(ten()))
    golden("golden/topology-10.dot", dot)
    assert dot.count("style=dashed") == len(drawn(ten()).problems)


def test_a_session_that_one_end_calls_established_is_not_as_long_as_the_other_does_not() -> None:
    cluster = Cluster(meshed(2))
    cluster.lose("node-2", "172.30.0.2", "OpenSent", "")
    (session,) = drawn(cluster).problems
    assert (session.family, session.reasons) == (IPV4, (Reason("node-2", "OpenSent"),))
