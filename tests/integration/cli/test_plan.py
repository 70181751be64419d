"""`felixbgp plan` against a real etcd: nothing is written, and what it says is of the verb that it plans."""

import json
from pathlib import Path

import pytest

from felixbgp.lab.store import Store
from tests.support.command import run_command as run

pytestmark = pytest.mark.etcd

RESOURCES = "/calico/resources/v3/projectcalico.org/"
MESH_OFF = '{"spec": {"nodeToNodeMeshEnabled": false}}'
TOR = """
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 172.30.200.1, asNumber: 65001}
"""


def put(store: Store, plural: str, kind: str, name: str, spec: dict[str, object]) -> None:
    value = {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name, "labels": {"rack": "a"}},
        "spec": spec,
    }
    store.put(f"{RESOURCES}{plural}/{name}", json.dumps(value))


@pytest.fixture
def cluster(empty_store: Store) -> Store:
    """Three nodes in a mesh, a block each."""
    put(empty_store, "bgpconfigurations", "BGPConfiguration", "default", {"nodeToNodeMeshEnabled": True})
    put(empty_store, "ippools", "IPPool", "v4", {"cidr": "10.0.0.0/8", "ipipMode": "Never"})
    for number in (1, 2, 3):
        bgp = {"ipv4Address": f"172.30.0.{number}/16"}
        put(empty_store, "nodes", "Node", f"node-{number}", {"bgp": bgp})
        key = f"/calico/ipam/v2/host/node-{number}/ipv4/block/10.0.{number}.0-26"
        empty_store.put(key, '{"state":"confirmed"}')
    return empty_store


def test_what_loses_routes_is_told_and_nothing_is_written(cluster: Store) -> None:
    before = cluster.get_prefix("/")
    ran = run("plan", "patch", "bgpconfiguration", "default", "-p", MESH_OFF)
    assert ran.exit_code == 3, ran.output
    assert "node-1: 10.0.2.0/26 is left without a path, by 172.30.0.2 now" in ran.stdout
    assert "session with 172.30.0.2 (node-2) is removed: nobody wants it any more" in ran.stdout
    assert "3 of 3 nodes are affected; routes are lost" in ran.stdout
    assert "Successfully" not in ran.output
    assert "note: no agent runs on node-1, node-2, node-3: predicted as if one did" in ran.stdout
    assert cluster.get_prefix("/") == before


def test_a_file_without_a_verb_is_applied(cluster: Store, tmp_path: Path) -> None:
    given = tmp_path / "tor.yaml"
    given.write_text(TOR)
    ran = run("plan", "-f", str(given), "-o", "json", "--announces", "172.30.200.1=192.0.2.0/24")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["written"] == [f"{RESOURCES}bgppeers/tor"]
    assert (told["affected"], told["loses"]) == (3, False)
    node = told["nodes"]["node-2"]
    assert node["sessionsKept"] == 2
    assert node["sessions"] == [{"peer": "172.30.200.1", "name": "172.30.200.1", "change": "added"}]
    route = {"nextHops": ["172.30.200.1"], "asPath": [65001]}
    assert node["gained"] == [{"prefix": "192.0.2.0/24", "to": route}]
    assert any("172.30.200.1 is no node" in note for note in told["notes"])
    assert cluster.get_prefix(f"{RESOURCES}bgppeers/") == {}


@pytest.mark.usefixtures("cluster")
def test_more_nodes_than_allowed_are_refused() -> None:
    ran = run("plan", "patch", "bgpconfiguration", "default", "-p", MESH_OFF, "--max-affected", "2")
    assert ran.exit_code == 4
    assert ran.stderr == "error: 3 nodes are affected, more than 2\n"
    ran = run("plan", "label", "node", "node-1", "rack=b", "--overwrite", "--max-affected", "0")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "0 of 3 nodes are affected; nothing is lost" in ran.stdout


def test_what_the_verb_refuses_is_refused(cluster: Store) -> None:
    cluster.put("/felixbgp/v1/nodes/node-3/alive", "{}")
    ran = run("plan", "delete", "node", "node-3")
    assert ran.exit_code == 1
    assert "Node(node-3) is in use by its running agent" in ran.stderr
    ran = run("plan", "delete", "node", "node-3", "--force", "-o", "json")
    assert ran.exit_code == 3
    told = json.loads(ran.stdout)
    assert told["nodes"]["node-3"]["presence"] == "leaves"
    assert [one["prefix"] for one in told["nodes"]["node-1"]["lost"]] == ["10.0.3.0/26"]
    assert f"{RESOURCES}nodes/node-3" in told["deleted"]
    assert f"{RESOURCES}nodes/node-3" in cluster.get_prefix(RESOURCES)
    ran = run("plan", "label", "node", "node-9", "a=b")
    assert ran.exit_code == 1
    assert "resource does not exist: Node(node-9)" in ran.stderr


def test_objects_of_one_file_see_each_other(cluster: Store, tmp_path: Path) -> None:
    given = tmp_path / "both.yaml"
    rules = "{exportV4: [{action: Reject, matchOperator: In, cidr: 10.0.1.0/26}]}"
    kind = "apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\n"
    peer = TOR.replace("asNumber: 65001", "asNumber: 65001, filters: [f]")
    given.write_text(f"{peer}---\n{kind}spec: {rules}\n")
    ran = run("plan", "apply", "-f", str(given), "-o", "yaml")
    assert ran.exit_code == 0, ran.output
    assert cluster.get_prefix(f"{RESOURCES}bgpfilters/") == {}
    assert "asPath" in ran.stdout


@pytest.mark.parametrize("text", ["172.30.0.1", "172.30.0.1=x", "a=10.0.0.0/8"])
def test_what_a_router_announces_must_be_said_right(text: str) -> None:
    ran = run("plan", "-f", "-", "--announces", text)
    assert ran.exit_code == 2
    assert text in ran.stderr


def test_what_somebody_announces_who_is_not_in_the_plan_is_refused(cluster: Store, tmp_path: Path) -> None:
    given = tmp_path / "tor.yaml"
    given.write_text(TOR)
    ran = run("plan", "-f", str(given), "--announces", "172.30.2.9=10.0.0.0/8")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "--announces: 172.30.2.9: not among the peers that are no nodes (172.30.200.1)" in ran.stderr
    ran = run("plan", "label", "node", "node-1", "a=b", "--announces", "172.30.0.1=10.0.0.0/8")
    assert ran.exit_code == 2
    assert "--announces: 172.30.0.1: not among the peers that are no nodes (there are none)" in ran.stderr
    assert cluster.get_prefix(f"{RESOURCES}bgppeers/") == {}


def test_why_a_session_goes_that_is_wanted_still(cluster: Store) -> None:
    put(cluster, "bgpfilters", "BGPFilter", "f", {})
    spec: dict[str, object] = {"peerIP": "172.30.200.1", "asNumber": 65001, "filters": ["f"]}
    put(cluster, "bgppeers", "BGPPeer", "tor", spec)
    ran = run("plan", "delete", "bgpfilter", "f", "--force")
    reason = "BGPFilter f does not exist or is invalid; the session stays down"
    assert f"node-1: session with 172.30.200.1 is removed: {reason}\n" in ran.stdout
    assert ran.stdout.count(f"note: BGPPeer tor: spec.filters[0]: {reason}\n") == 1


def test_notes_of_one_kind_are_limited(cluster: Store, tmp_path: Path) -> None:
    for number in range(12):
        cluster.put(f"{RESOURCES}bgppeers/broken-{number:02}", "{")
        put(cluster, "bgppeers", "BGPPeer", f"double-{number:02}", {"peerIP": f"172.30.200.{number}"})
        put(
            cluster,
            "bgppeers",
            "BGPPeer",
            f"peer-{number:02}",
            {"peerIP": f"172.30.201.{number + 1}", "asNumber": 65001},
        )
    given = tmp_path / "peers.yaml"
    documents = [
        TOR.replace("name: tor", f"name: x-{number:02}").replace("172.30.200.1", f"172.30.201.{number + 1}")
        for number in range(12)
    ]
    given.write_text("---".join(documents).replace("65001", "65002"))
    ran = run("plan", "-f", str(given), "-o", "json")
    assert ran.exit_code == 0, ran.output
    notes = json.loads(ran.stdout)["notes"]
    assert sum("counts as absent" in note for note in notes) == 10
    assert "BGPPeer x-00: 172.30.201.1 is already a peer by BGPPeer peer-00, which comes first" in notes
    assert sum("is already a peer" in note for note in notes) == 10
    assert [note for note in notes if note.startswith("and ")] == [
        "and 14 more of this kind", "and 2 more of this kind",
    ]  # fmt: skip
