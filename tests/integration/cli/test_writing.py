"""The verbs that write, against a real etcd that others write to as well."""

import json
from pathlib import Path

import pytest

from felixbgp.lab.store import Store
from tests.integration.cli.test_cli_etcd import run

pytestmark = pytest.mark.etcd

RESOURCES = "/calico/resources/v3/projectcalico.org/"

# As Calico's own tools and a version to come would have filled it: unset times as null, fields and a kind
# that we do not know, an order of our reading not.
FILLED = {
    "bgppeers/tor": {
        "kind": "BGPPeer",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {
            "name": "tor",
            "uid": "6f1c9d7e-0d0c-4c39-8f6c-2f2b6b1f5a10",
            "creationTimestamp": None,
            "generation": 3,
            "labels": {"team": "net"},
            "annotations": {"example.org/a": "b"},
            "finalizers": ["example.org/keep"],
            "managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {}}}],
            "later": {"deep": [1, {"er": None}]},
        },
        "spec": {
            "asNumber": 64567,
            "peerIP": "192.20.30.40",
            "failureDetectionMode": "BFDIfDirectlyConnected",
            "password": {"secretKeyRef": {"name": "s", "key": "k", "later": 1}},
        },
    },
    "bgpconfigurations/default": {
        "kind": "BGPConfiguration",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "default", "uid": "1", "creationTimestamp": None},
        "spec": {
            "asNumber": 64512,
            "communities": [{"name": "a", "value": "64512:1", "later": True}],
            "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["a"]}],
            "later": {"x": [1, 2]},
        },
        "status": {"conditions": [{"type": "Ready"}]},
    },
    "nodes/node-1": {
        "kind": "Node",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "node-1", "uid": "2", "creationTimestamp": "2024-05-01T10:00:00Z"},
        "spec": {"bgp": {"ipv4Address": "10.0.0.1/24", "later": "x"}, "orchRefs": [{"orchestrator": "k8s"}]},
        "status": {"podCIDRs": ["10.1.0.0/24"], "later": 1},
    },
    "felixconfigurations/default": {"kind": "FelixConfiguration", "spec": {"logSeverityScreen": "Info"}},
    "globalnetworkpolicies/p": {"kind": "GlobalNetworkPolicy", "spec": {"order": 1.5}},
}


@pytest.fixture
def store(empty_store: Store) -> Store:
    """What Calico left."""
    empty_store.put_all({RESOURCES + key: json.dumps(value) for key, value in FILLED.items()})
    return empty_store


def document(store: Store, key: str) -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = json.loads(store.get(RESOURCES + key) or b"{}")
    return loaded


def succeeds(*words: str, given: str | None = None) -> str:
    result = run(*words, given=given)
    assert result.exit_code == 0, result.output
    return result.output


def with_changes(key: str, **spec: object) -> dict[str, object]:
    before = FILLED[key]
    return {**before, "spec": {**before["spec"], **spec}}  # type: ignore[dict-item]


def test_a_patch_loses_nothing(store: Store) -> None:
    succeeds("patch", "bgppeer", "tor", "-p", '{"spec": {"asNumber": "64568"}}')
    assert document(store, "bgppeers/tor") == with_changes("bgppeers/tor", asNumber=64568)
    succeeds("patch", "bgpconfiguration", "default", "-p", "spec: {nodeToNodeMeshEnabled: false}")
    wanted = with_changes("bgpconfigurations/default", nodeToNodeMeshEnabled=False)
    assert document(store, "bgpconfigurations/default") == wanted


def test_labels_and_annotations_lose_nothing(store: Store) -> None:
    succeeds("label", "node", "node-1", "rack=1")
    succeeds("annotate", "node", "node-1", "projectcalico.org/RouteReflectorClusterID=244.0.0.1")
    found = document(store, "nodes/node-1")
    assert found["metadata"].pop("labels") == {"rack": "1"}
    assert found["metadata"].pop("annotations") == {"projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}
    assert found == FILLED["nodes/node-1"]
    succeeds("label", "node", "node-1", "rack", "--remove")
    assert "rack" not in document(store, "nodes/node-1")["metadata"].get("labels", {})  # type: ignore[operator]


@pytest.mark.parametrize("verb", ["apply", "replace"])
def test_a_file_that_does_not_know_of_it_loses_nothing(store: Store, verb: str) -> None:
    text = """
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: tor
  labels: {team: net}
  annotations: {example.org/a: b}
spec:
  asNumber: 64569
  peerIP: 192.20.30.40
  password: {secretKeyRef: {name: s, key: k}}
"""
    succeeds(verb, "-f", "-", given=text)
    assert document(store, "bgppeers/tor") == with_changes("bgppeers/tor", asNumber=64569)


@pytest.mark.parametrize("verb", ["apply", "replace"])
@pytest.mark.parametrize("kind", ["bgppeer/tor", "bgpconfiguration/default", "node/node-1"])
def test_what_get_prints_comes_back_as_it_was(store: Store, verb: str, kind: str) -> None:
    before = store.get_prefix("/")
    printed = succeeds("get", *kind.split("/"), "-o", "yaml").splitlines(keepends=True)
    # On standard error, which this way of running a command puts in between.
    object_alone = "".join(line for line in printed if not line.startswith("warning: "))
    succeeds(verb, "-f", "-", given=object_alone)
    assert {key: json.loads(value) for key, value in store.get_prefix("/").items()} == {
        key: json.loads(value) for key, value in before.items()
    }


def test_kinds_that_we_do_not_know_are_left_alone(store: Store) -> None:
    before = {
        key: value for key, value in store.get_prefix(RESOURCES).items() if "felix" in key or "global" in key
    }
    succeeds("apply", "-f", "-", given=peers(3))
    succeeds("delete", "bgppeer", "tor", "p-0", "p-1", "p-2")
    assert before.items() <= store.get_prefix(RESOURCES).items()
    refused = run("delete", "felixconfiguration", "default")
    assert refused.exit_code == 2
    assert "'felixconfiguration' is not supported" in refused.output


def peers(count: int) -> str:
    return "---\n".join(
        f"""apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {{name: p-{number}}}
spec: {{peerIP: 10.{number // 65536}.{number // 256 % 256}.{number % 256}, asNumber: 64567}}
"""
        for number in range(count)
    )


def test_a_half_applied_file_says_exactly_what_was_written(store: Store) -> None:
    succeeds("create", "-f", "-", given=peers(1))
    result = run("create", "-f", "-", given=peers(3))
    assert result.exit_code == 1
    assert result.output == (
        "Partial success: created 2 out of 3 'BGPPeer' resources:\n"
        "  BGPPeer(p-1)\n"
        "  BGPPeer(p-2)\n"
        "error: Hit error(s): [resource already exists: BGPPeer(p-0)]\n"
    )
    assert store.get(f"{RESOURCES}bgppeers/p-2") is not None


def test_one_fault_anywhere_and_nothing_is_written(store: Store) -> None:
    before = store.revision()
    result = run("apply", "-f", "-", given=peers(2) + "---\n" + peers(1).replace("64567", "0"))
    assert result.exit_code == 1
    assert "document 3 (line 11): BGPPeer(p-0): spec.asNumber: 0 is not between" in result.output
    assert store.revision() == before


def test_a_password_in_a_secret_that_cannot_be_is_refused_by_every_verb(store: Store) -> None:
    """One that is stored already is who writes it next told of; agents take it as before."""
    password = '"password": {"secretKeyRef": {"name": "../x", "key": "k"}}'
    sentence = 'spec.password.secretKeyRef.name: "../x" is no name of a secret'
    peer = peers(1).replace("asNumber: 64567", f"asNumber: 64567, {password}")
    before = store.revision()
    for words in (["create", "-f", "-"], ["apply", "-f", "-"], ["plan", "apply", "-f", "-"]):
        refused = run(*words, given=peer)
        assert (refused.exit_code, sentence in refused.output) == (1, True), refused.output
    for words in (
        ["replace", "-f", "-"],
        ["patch", "bgppeer", "tor", "-p", f'{{"spec": {{{password}}}}}'],
        [
            "patch",
            "bgpconfiguration",
            "default",
            "-p",
            f'{{"spec": {{{password.replace("p", "nodeMeshP", 1)}}}}}',
        ],
    ):
        refused = run(*words, given=peer.replace("p-0", "tor"))
        assert refused.exit_code == 1
        assert "assword.secretKeyRef.name" in refused.output
        assert '"../x" is no name of a secret' in refused.output
    assert store.revision() == before


def test_filters_must_exist_or_come_in_the_same_file(store: Store) -> None:
    peer = peers(1).replace("asNumber: 64567", "asNumber: 64567, filters: [f]")
    filter_ = "apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\nspec: {}\n"
    refused = run("apply", "-f", "-", given=peer)
    assert refused.exit_code == 1
    assert "BGPPeer(p-0): spec.filters" in refused.output
    assert "BGPFilter(s) not found: f" in refused.output
    succeeds("apply", "-f", "-", given=f"{peer}---\n{filter_}")
    in_use = run("delete", "bgpfilter", "f")
    assert in_use.exit_code == 1
    assert "BGPFilter(f) is in use by BGPPeer(p-0)" in in_use.output
    succeeds("delete", "bgpfilter", "f", "--force")
    assert store.get(f"{RESOURCES}bgpfilters/f") is None


def test_a_node_in_use_stays_and_by_force_goes_with_what_is_about_it_alone(store: Store) -> None:
    block = "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-26"
    endpoint = f"{RESOURCES}workloadendpoints/default/node--1-k8s-w-eth0"
    alive = "/felixbgp/v1/nodes/node-1/alive"
    store.put_all({block: "{}", endpoint: "{}", alive: "{}"})
    succeeds("apply", "-f", "-", given=peers(1).replace("asNumber: 64567", "asNumber: 64567, node: node-1"))
    own = (
        "apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: node.node-1}\nspec: {}\n"
    )
    succeeds("apply", "-f", "-", given=own)

    refused = run("delete", "node", "node-1")
    assert refused.exit_code == 1
    assert refused.output.splitlines()[0] == (
        "error: Node(node-1) is in use by BGPPeer(p-0) (spec.node), its running agent, "
        "1 address block(s), 1 workload endpoint(s)"
    )
    forced = succeeds("delete", "node", "node-1", "--force")
    assert "left behind: 1 address block(s), 1 workload endpoint(s), which are Calico's" in forced
    left = store.get_prefix("/")
    assert block in left
    assert endpoint in left
    gone = ("nodes/node-1", "bgppeers/p-0", "bgpconfigurations/node.node-1")
    assert not left.keys() & {alive, *(RESOURCES + key for key in gone)}


def test_a_pool_with_blocks_in_it_stays_unless_forced(store: Store) -> None:
    text = "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: x}\nspec: {cidr: 10.65.0.0/16}\n"
    succeeds("create", "-f", "-", given=text)
    store.put("/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-26", "{}")
    refused = run("delete", "pool", "x")
    assert "IPPool(x) is in use by block 10.65.0.0/26 of node-1" in refused.output
    assert refused.exit_code == 1
    succeeds("delete", "pool", "x", "--force")


@pytest.mark.usefixtures("store")
def test_pools_do_not_overlap_and_keep_their_cidr() -> None:
    text = "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {{name: {}}}\nspec: {{cidr: {}}}\n"
    succeeds("create", "-f", "-", given=text.format("x", "10.65.0.0/16"))
    overlapping = run("create", "-f", "-", given=text.format("y", "10.65.128.0/17"))
    assert overlapping.exit_code == 1
    assert "IPPool(y): spec.cidr:" in overlapping.output
    moved = run("apply", "-f", "-", given=text.format("x", "10.66.0.0/16"))
    assert moved.exit_code == 1
    assert "IPPool(x): spec.cidr:" in moved.output


def test_a_dry_run_writes_nothing(store: Store) -> None:
    before = store.get_prefix("/")
    shown = succeeds("apply", "-f", "-", "--dry-run", given=peers(1))
    assert "# BGPPeer(p-0): would be created" in shown
    assert "asNumber: 64567" in shown
    assert "# Node(node-1): would be changed" in succeeds("label", "node", "node-1", "a=b", "--dry-run")
    assert "would be deleted" in succeeds("delete", "bgppeer", "tor", "--dry-run")
    assert "routeReflector" in succeeds(
        "patch", "node", "node-1", "-p", "spec: {bgp: {routeReflectorClusterID: 1.1.1.1}}", "--dry-run"
    )
    assert store.get_prefix("/") == before


@pytest.mark.timeout(180)
def test_ten_thousand_objects_in_one_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text(peers(10_000))
    assert succeeds("apply", "-f", str(file)) == "Successfully applied 10000 'BGPPeer' resource(s)\n"
    assert len(store.get_prefix(f"{RESOURCES}bgppeers/p-")) == 10_000
    revision = store.revision()
    succeeds("apply", "-f", str(file))
    assert store.revision() == revision, "what is as it was is not written again"
    changed = file.read_text().replace("64567", "64568")
    told = succeeds("replace", "-f", "-", given=changed)
    assert told == "Successfully replaced 10000 'BGPPeer' resource(s)\n"
    assert b"64568" in (store.get(f"{RESOURCES}bgppeers/p-9999") or b"")
    assert succeeds("delete", "-f", str(file)) == "Successfully deleted 10000 'BGPPeer' resource(s)\n"
    assert not store.get_prefix(f"{RESOURCES}bgppeers/p-")
