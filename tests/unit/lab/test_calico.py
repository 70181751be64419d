import json

import pytest

from felixbgp.lab import calico, demo
from felixbgp.lab.plan import LabPlan
from felixbgp.resources import BgpPeer
from felixbgp.resources.documents import load_yaml_documents
from tests.support.documents import read

BOTH, FOUR = LabPlan(), LabPlan(ipv6=False)


@pytest.mark.parametrize("plan", [BOTH, FOUR])
def test_everything_written_is_valid_by_our_own_rules(plan: LabPlan) -> None:
    values = calico.cluster_resources(plan)
    assert len([read(key, value.encode()) for key, value in values.items()]) == len(values)


def test_what_a_cluster_of_three_has() -> None:
    keys = set(calico.cluster_resources(BOTH))
    assert "/calico/resources/v3/projectcalico.org/nodes/node-3" in keys
    assert "/calico/resources/v3/projectcalico.org/ippools/default-ipv6-ippool" in keys
    assert "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.64-26" in keys
    assert "/calico/ipam/v2/host/node-3/ipv6/block/fd00:10:65::c0-122" in keys
    assert len(keys) == 3 + 2 + 6


def test_a_value_is_one_line_in_calicos_order() -> None:
    value = calico.cluster_resources(BOTH)[f"{calico.NODES}node-1"]
    assert "\n" not in value
    assert list(json.loads(value)) == ["kind", "apiVersion", "metadata", "spec"]
    assert '"ipv4Address":"172.30.1.1/16"' in value


def test_a_peer_as_calico_stores_it() -> None:
    ((key, value),) = calico.peer_resource("tor", {"peerIP": "172.30.2.1", "asNumber": 64567}).items()
    assert key == "/calico/resources/v3/projectcalico.org/bgppeers/tor"
    assert isinstance(read(key, value.encode()), BgpPeer)


def test_the_demos_files_hold_valid_peers() -> None:
    text = demo.global_peer(BOTH.tors[0]) + "---\n" + demo.node_peers(BOTH, BOTH.tors[0])
    documents = load_yaml_documents(text)
    assert [document.errors for document in documents] == [()] * 4
    assert all(isinstance(document.resource, BgpPeer) for document in documents)
