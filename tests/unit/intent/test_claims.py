"""Rules about claims to one peer: which holds, and what is said of the others; kube-master is 10.192.0.2."""

from functools import partial

import pytest

from tests.support.derivation import (
    MESH_OFF,
    Row,
    Session,
    bgp_filter,
    bgp_peer,
    check,
    configuration,
    defaults,
    node,
    rule_of,
)

MASTER = node("kube-master", "10.192.0.2", labels={"rack": "1"})
NODE_1 = node("kube-node-1", "10.192.0.3", labels={"rack": "2"})
NODE_2 = node("kube-node-2", "10.192.0.4", labels={"rack": "2"})
THREE = (MESH_OFF, MASTER, NODE_1, NODE_2)

external = partial(Session, internal=False)
mesh_4 = partial(Session, "Mesh_10_192_0_4", "10.192.0.4", passive=True)
node_3 = partial(Session, "Node_10_192_0_3", "10.192.0.3")
node_4 = partial(Session, "Node_10_192_0_4", "10.192.0.4")

ROWS = (
    Row(
        "of two global ones that whose name sorts first",
        [
            *THREE,
            bgp_peer("b", peerIP="192.0.2.1", asNumber=64501),
            bgp_peer("a", peerIP="192.0.2.1", asNumber=64502),
        ],
        [external("Global_192_0_2_1", "192.0.2.1", "a", remote_as=64502)],
        problems=["BGPPeer b"],
    ),
    Row(
        "of two of the node that whose name sorts first, by `node` or by nodeSelector",
        [
            *THREE,
            bgp_peer("b", node="kube-master", peerIP="192.0.2.1", asNumber=64501),
            bgp_peer("a", nodeSelector="has(rack)", peerIP="192.0.2.1", asNumber=64502),
        ],
        [external("Node_192_0_2_1", "192.0.2.1", "a", remote_as=64502)],
        problems=["BGPPeer b"],
    ),
    Row(
        "a global one comes before one of the node, though its name sorts later",
        [
            *THREE,
            bgp_peer("a", node="kube-master", peerIP="192.0.2.1", asNumber=64501),
            bgp_peer("z", peerIP="192.0.2.1", asNumber=64502),
        ],
        [external("Global_192_0_2_1", "192.0.2.1", "z", remote_as=64502)],
        problems=["BGPPeer a"],
    ),
    Row(
        "port 179 and no port are one peer",
        [
            *THREE,
            bgp_peer("a", peerIP="192.0.2.1:179", asNumber=64501),
            bgp_peer("b", peerIP="192.0.2.1", asNumber=64501),
        ],
        [external("Global_192_0_2_1_port_179", "192.0.2.1", "a", remote_as=64501)],
        problems=["BGPPeer b"],
    ),
    Row(
        "another port is another peer",
        [
            *THREE,
            bgp_peer("a", peerIP="192.0.2.1:180", asNumber=64501),
            bgp_peer("b", node="kube-master", peerIP="192.0.2.1", asNumber=64502),
        ],
        [
            external("Global_192_0_2_1_port_180", "192.0.2.1:180", "a", remote_as=64501),
            external("Node_192_0_2_1", "192.0.2.1", "b", remote_as=64502),
        ],
    ),
    Row(
        "the port a node listens on is that of the peer, written or found",
        [
            *(*THREE, configuration("kube-node-1", listenPort=500)),
            bgp_peer(
                "a", node="kube-master", peerIP="10.192.0.3:500", asNumber=64512, numAllowedLocalASNumbers=1
            ),
            bgp_peer("b", node="kube-master", peerIP="10.192.0.3", asNumber=64512),
        ],
        [Session("Node_10_192_0_3_port_500", "10.192.0.3:500", "a", allowed_local_as=1)],
        problems=["BGPPeer b"],
    ),
    Row(
        "what is written forward comes before what follows in reverse, and that is no conflict",
        [
            *THREE,
            bgp_peer("a", node="kube-node-1", peerSelector="rack == '1'", maxRestartTime="5s"),
            bgp_peer("b", node="kube-master", peerIP="10.192.0.3", asNumber=64512, maxRestartTime="7s"),
        ],
        [node_3(by="b", restart_s=7)],
    ),
    Row(
        "a global one comes before what follows in reverse",
        [
            *THREE,
            bgp_peer("a", node="kube-node-1", peerSelector="rack == '1'", maxRestartTime="5s"),
            bgp_peer("b", peerIP="10.192.0.3", asNumber=64512),
        ],
        [Session("Global_10_192_0_3", "10.192.0.3", "b", passive=True)],
    ),
    Row(
        "of two in reverse that whose name sorts first, and that is no conflict",
        [
            *THREE,
            bgp_peer("b", node="kube-node-1", peerSelector="rack == '1'", maxRestartTime="7s"),
            bgp_peer("a", nodeSelector="rack == '2'", peerSelector="rack == '1'", maxRestartTime="5s"),
        ],
        [node_3(by="a", restart_s=5), node_4(by="a", restart_s=5)],
    ),
    Row(
        "one BGPPeer forward and in reverse: the union, each once",
        [*THREE, bgp_peer("p", nodeSelector="has(rack)", peerSelector="has(rack)")],
        [node_3(by="p"), node_4(by="p")],
    ),
    Row(
        "one BGPPeer forward and in reverse to different nodes: the union",
        [
            *THREE,
            bgp_peer("p", nodeSelector="rack == '1'", peerSelector="rack == '2'"),
            bgp_peer("q", node="kube-node-2", peerSelector="rack == '1'"),
        ],
        [node_3(by="p"), node_4(by="p")],
    ),
    Row(
        "any BGPPeer comes before the mesh",
        [
            *(MASTER, NODE_1, NODE_2),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", maxRestartTime="5s"),
        ],
        [node_3(by="p", restart_s=5), mesh_4()],
    ),
    Row(
        "at another port it stands beside the mesh",
        [
            *(MASTER, NODE_2),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.4:500", asNumber=64512),
        ],
        [mesh_4(), Session("Node_10_192_0_4_port_500", "10.192.0.4:500", "p")],
    ),
    Row(
        "two that say the same are no conflict",
        [
            *THREE,
            bgp_peer("a", node="kube-master", peerSelector="rack == '2'"),
            bgp_peer("b", node="kube-master", peerIP="10.192.0.3", asNumber=64512),
        ],
        [node_3(by="a"), node_4(by="a")],
    ),
    Row(
        "one that must stay down is opened by no weaker one, nor by the mesh",
        [
            *(MASTER, NODE_1, NODE_2),
            bgp_peer("a", node="kube-master", peerIP="10.192.0.3", asNumber=64512, filters=["gone"]),
            bgp_peer("b", node="kube-node-1", peerSelector="rack == '1'"),
        ],
        [mesh_4()],
        problems=["BGPPeer a spec.filters[0]"],
    ),
    Row(
        "one that must stay down loses against a stronger one",
        [
            *THREE,
            bgp_peer("a", peerIP="10.192.0.3", asNumber=64512),
            bgp_peer("b", node="kube-master", peerIP="10.192.0.3", asNumber=64512, filters=["gone"]),
        ],
        [Session("Global_10_192_0_3", "10.192.0.3", "a", passive=True)],
        problems=["BGPPeer b", "BGPPeer b spec.filters[0]"],
    ),
    Row(
        "a BGPPeer of other nodes is no conflict of ours",
        [
            *THREE,
            bgp_peer("a", node="kube-node-1", peerIP="192.0.2.1", asNumber=64501),
            bgp_peer("b", node="kube-master", peerIP="192.0.2.1", asNumber=64502),
        ],
        [external("Node_192_0_2_1", "192.0.2.1", "b", remote_as=64502)],
    ),
    Row(
        "an invalid BGPPeer claims nothing",
        [
            *THREE,
            bgp_peer("a", peerIP="192.0.2.1", asNumber=64501, ttlSecurity=256),
            bgp_peer("b", peerIP="192.0.2.1", asNumber=64502),
        ],
        [external("Global_192_0_2_1", "192.0.2.1", "b", remote_as=64502)],
    ),
    Row(
        "the same BGPPeer, the mesh and filters at once: nobody has another's",
        [
            *(MASTER, NODE_1, NODE_2, bgp_filter("f", "importV4"), defaults(nodeMeshMaxRestartTime="9s")),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64512, filters=["f"]),
        ],
        [node_3(by="p", imports=("f",)), mesh_4(restart_s=9)],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=rule_of)
def test_claims(row: Row) -> None:
    check(row)
