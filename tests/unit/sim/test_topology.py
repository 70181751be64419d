"""Which resources the oracle takes, and who it says peers with whom."""

import pytest

from felixbgp.net import Address
from felixbgp.resources.bgp_peer import NextHopMode
from felixbgp.sim.topology import NotUnderstoodError, read, sessions
from tests.support.stored import Item, cluster_of, node, resource, without_mesh


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            resource("BGPPeer", "one", {"localWorkloadSelector": "all()", "asNumber": 1}),
            "local_workload_selector",
        ),
        (resource("BGPConfiguration", "default", {"listenPort": 1790}), "listen_port"),
        (resource("BGPConfiguration", "node.node-1", {"listenPort": 1790}), "BGPConfiguration node.node-1"),
        (
            resource("BGPFilter", "one", {"exportV4": [{"action": "Accept", "interface": "eth*"}]}),
            "interface",
        ),
        (resource("IPPool", "one", {"cidr": "10.0.0.0/16", "vxlanMode": "Always"}), "vxlanMode"),
    ],
)
def test_what_the_oracle_does_not_know_it_refuses(item: Item, message: str) -> None:
    with pytest.raises(NotUnderstoodError, match=message):
        read([item])


def test_what_cannot_be_decoded_is_not_there() -> None:
    values = dict(cluster_of(2)) | {node(2)[0]: b"{", "/felixbgp/v1/nodes/node-1/alive": b"{}"}
    cluster = read(values.items())
    assert list(cluster.speakers) == ["node-1"]


def test_a_global_statement_goes_before_one_for_a_node_and_that_before_the_mesh() -> None:
    to_two: dict[str, object] = {"peerIP": "172.30.0.2", "asNumber": 64512}
    items = [
        *cluster_of(2),
        resource("BGPPeer", "a-for-node", {**to_two, "node": "node-1", "nextHopMode": "Keep"}),
        resource("BGPPeer", "b-for-all", {**to_two, "nextHopMode": "Self"}),
    ]
    modes = {one.sender: one.out.next_hop for one in sessions(read(items))}
    # node-2 is the other end of both, so that there the names decide.
    assert modes == {"node-1": NextHopMode.SELF, "node-2": NextHopMode.KEEP}


def test_a_peering_that_is_manual_needs_the_other_end_too() -> None:
    spec: dict[str, object] = {
        "node": "node-1",
        "peerIP": "172.30.0.2",
        "asNumber": 64512,
        "reversePeering": "Manual",
    }
    items = [*cluster_of(2), without_mesh(), resource("BGPPeer", "one", spec)]
    assert sessions(read(items)) == []
    back: dict[str, object] = {**spec, "node": "node-2", "peerIP": "172.30.0.1"}
    found = sessions(read([*items, resource("BGPPeer", "two", back)]))
    assert [one.out.remote for one in found] == [Address.parse("172.30.0.2"), Address.parse("172.30.0.1")]
