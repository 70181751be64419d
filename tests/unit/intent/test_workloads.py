"""Sessions with the workloads of a node."""

import json

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Address
from tests.unit.intent.test_derive import Cluster, by_name, names, problems

V4, V6 = Address.parse("10.0.1.7"), Address.parse("fd10::107")


def put_endpoint(cluster: Cluster, node: str, workload: str, *networks: str, **labels: str) -> Cluster:
    name = "-".join(part.replace("-", "--") for part in (node, "openstack", workload, "eth0"))
    document = {
        "kind": "WorkloadEndpoint",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "orchestrator": "openstack",
            "node": node,
            "workload": workload,
            "endpoint": "eth0",
            "ipNetworks": networks,
        },
    }
    key = f"/calico/resources/v3/projectcalico.org/workloadendpoints/default/{name}"
    return cluster.store(key, json.dumps(document).encode())


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster().node("master", "10.192.0.2", "fd30::2").node("other", "10.192.0.3")
    put_endpoint(cluster, "master", "vm", "10.0.1.7/32", "fd10::107/128", bgp="yes")
    put_endpoint(cluster, "master", "silent", "10.0.1.8/32")
    put_endpoint(cluster, "other", "vm", "10.0.2.7/32", "fd10::207/128", bgp="yes")
    return cluster.defaults(nodeToNodeMeshEnabled=False)


def of_workloads(cluster: Cluster, **more: object) -> Cluster:
    return cluster.peer("vms", localWorkloadSelector="bgp == 'yes'", asNumber=65001, **more)


def test_a_session_per_address_of_the_nodes_own_endpoints_that_match(cluster: Cluster) -> None:
    intent = of_workloads(cluster).derive()
    assert names(intent) == ["Local_Workload_10_0_1_7", "Local_Workload_fd10__107"]
    assert intent.origins == dict.fromkeys((PeerId(V4), PeerId(V6)), PeerOrigin("workload", "vms"))
    assert problems(intent) == []


def test_only_families_that_the_node_speaks(cluster: Cluster) -> None:
    assert names(of_workloads(cluster).derive("other")) == ["Local_Workload_10_0_2_7"]


def test_what_such_a_session_is_like(cluster: Cluster) -> None:
    peer = by_name(of_workloads(cluster).derive())["Local_Workload_10_0_1_7"]
    assert (peer.peer, peer.passive, peer.local_as, peer.remote_as) == (PeerId(V4), True, 64512, 65001)
    assert peer.transport == TransportOptions(ttl=64)
    assert not peer.route_reflector_client


def test_the_fields_of_the_bgp_peer_count(cluster: Cluster) -> None:
    cluster.put("BGPFilter", "f", {"importV4": [{"action": "Reject"}]})
    of_workloads(cluster, localASNumber=7, numAllowedLocalASNumbers=2, filters=["f"], ttlSecurity=1)
    peer = by_name(cluster.derive())["Local_Workload_10_0_1_7"]
    assert (peer.local_as, peer.allowed_local_as) == (7, 2)
    assert peer.transport == TransportOptions(ttl=255, min_ttl=255)
    assert [rule.name for rule in peer.import_policy.rules] == ["filter f import rule 1"]


def test_a_missing_filter_or_password_keeps_them_down(cluster: Cluster) -> None:
    assert of_workloads(cluster, filters=["gone"]).derive().peers == {}
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}
    intent = of_workloads(cluster, password=reference).derive()
    assert intent.peers == {}
    assert intent.problems[0].field == "spec.password.secretKeyRef"


@pytest.mark.parametrize(
    ("node", "there"), [("master", True), ("other", False)], ids=["this node", "another node"]
)
def test_a_bgp_peer_is_for_the_nodes_it_says(cluster: Cluster, node: str, *, there: bool) -> None:
    assert bool(of_workloads(cluster, node=node).derive().peers) is there


def test_nobody_peers_back(cluster: Cluster) -> None:
    of_workloads(cluster, node="master")
    assert cluster.derive("other").peers == {}


PEERING = {"localWorkloadPeeringIPV4": "169.254.0.179", "localWorkloadPeeringIPV6": "fd30::179"}


@pytest.mark.parametrize(
    ("node", "bind_mode", "listened"),
    [
        ("master", "NodeIP", ["10.192.0.2", "fd30::2", "169.254.0.179", "fd30::179"]),
        ("other", "NodeIP", ["10.192.0.3", "169.254.0.179"]),
        ("master", "None", ["0.0.0.0", "::"]),
    ],
    ids=["node address only", "only of its families", "every address"],
)
def test_the_address_that_workloads_peer_with_is_listened_on(
    cluster: Cluster, node: str, bind_mode: str, listened: list[str]
) -> None:
    of_workloads(cluster.defaults(bindMode=bind_mode, **PEERING))
    assert [str(address) for address in cluster.derive(node).listen] == listened


def test_it_is_not_where_no_workload_peers(cluster: Cluster) -> None:
    of_workloads(cluster.defaults(bindMode="NodeIP", **PEERING), node="other")
    assert [str(address) for address in cluster.derive().listen] == ["10.192.0.2", "fd30::2"]
