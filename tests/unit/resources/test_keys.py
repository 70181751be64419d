"""Keys in Calico's layout, both ways."""

import pytest

from felixbgp.net import Prefix
from felixbgp.resources.keys import AffinityKey, Key, ResourceKey, parse_key, prefix_of, prefix_of_host

R = "/calico/resources/v3/projectcalico.org/"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{R}nodes/node-1", ResourceKey("Node", "node-1")),
        (f"{R}bgppeers/rack1-tor", ResourceKey("BGPPeer", "rack1-tor")),
        (f"{R}bgpconfigurations/node.node-1", ResourceKey("BGPConfiguration", "node.node-1")),
        (f"{R}bgpfilters/f", ResourceKey("BGPFilter", "f")),
        (f"{R}ippools/p", ResourceKey("IPPool", "p")),
        (f"{R}caliconodestatuses/s", ResourceKey("CalicoNodeStatus", "s")),
        (
            f"{R}workloadendpoints/default/a-k8s-p-eth0",
            ResourceKey("WorkloadEndpoint", "a-k8s-p-eth0", "default"),
        ),
        (
            "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-26",
            AffinityKey("node-1", Prefix.parse("10.65.0.0/26")),
        ),
        (
            "/calico/ipam/v2/host/node-1/ipv6/block/fd00:1::40-122",
            AffinityKey("node-1", Prefix.parse("fd00:1::40/122")),
        ),
    ],
)
def test_keys_both_ways(text: str, key: Key) -> None:
    assert parse_key(text) == key
    assert str(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/calico",
        R,
        f"{R}nodes",
        f"{R}nodes/",
        f"{R}nodes/a/b",
        f"{R}nodes//b",
        f"{R}workloadendpoints/a",
        f"{R}workloadendpoints//a",
        f"{R}workloadendpoints/default/",
        f"{R}workloadendpoints/default/a/b",
        f"{R}profiles/p",
        "/calico/ipam/v2/host/node-1",
        "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0",
        "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.1-26",
        "/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-33",
        "/calico/ipam/v2/host/node-1/ipv6/block/10.65.0.0-26",
        "/calico/ipam/v2/host/node-1/ipv5/block/10.65.0.0-26",
        "/calico/ipam/v2/host/node-1/ipv4/handle/10.65.0.0-26",
        "/calico/ipam/v2/host//ipv4/block/10.65.0.0-26",
        "/calico/ipam/v2/assignment/ipv4/block/10.65.0.0-26",
    ],
)
def test_keys_of_others(text: str) -> None:
    assert parse_key(text) is None


def test_prefixes_end_where_the_name_begins() -> None:
    assert prefix_of("Node") == f"{R}nodes/"
    assert prefix_of("WorkloadEndpoint") == f"{R}workloadendpoints/"
    assert prefix_of("WorkloadEndpoint", "default") == f"{R}workloadendpoints/default/"
    assert prefix_of_host("node-1") == "/calico/ipam/v2/host/node-1/"
