"""Rules about who peers with whom by a BGPPeer, one row each; kube-master is 10.192.0.2, the mesh off."""

from functools import partial

import pytest

from tests.support.derivation import (
    MESH_OFF,
    Row,
    Session,
    bgp_peer,
    check,
    configuration,
    defaults,
    node,
    resource,
    rule_of,
    workload,
)

MASTER = node("kube-master", "10.192.0.2", labels={"rack": "1"})
NODE_1 = node("kube-node-1", "10.192.0.3", labels={"rack": "2"})
NODE_2 = node("kube-node-2", "10.192.0.4", labels={"rack": "2", "rr": "1"})
THREE = (MESH_OFF, MASTER, NODE_1, NODE_2)
BOTH_FAMILIES = (
    MESH_OFF,
    node("kube-master", "10.192.0.2", "fd00::2", labels={"rack": "1"}),
    node("kube-node-1", "10.192.0.3", "fd00::3", labels={"rack": "2"}),
)
LISTENING_ON_150 = defaults(nodeToNodeMeshEnabled=False, listenPort=150)

ROUTER = {"peerIP": "192.0.2.1", "asNumber": 64567}
global_router = partial(Session, "Global_192_0_2_1", "192.0.2.1", "p", remote_as=64567, internal=False)
node_router = partial(Session, "Node_192_0_2_1", "192.0.2.1", "p", remote_as=64567, internal=False)
node_2 = partial(Session, "Node_10_192_0_2", "10.192.0.2", "p")
node_3 = partial(Session, "Node_10_192_0_3", "10.192.0.3", "p")
node_4 = partial(Session, "Node_10_192_0_4", "10.192.0.4", "p")
global_3 = partial(Session, "Global_10_192_0_3", "10.192.0.3", "p")
global_4 = partial(Session, "Global_10_192_0_4", "10.192.0.4", "p")

FORWARD = (
    Row(
        "neither node nor nodeSelector: every node, this one",
        [*THREE, bgp_peer("p", **ROUTER)],
        [global_router()],
    ),
    Row(
        "neither node nor nodeSelector: every node, that one",
        [*THREE, bgp_peer("p", **ROUTER)],
        [global_router()],
        on="kube-node-2",
    ),
    Row(
        "an empty nodeSelector is none", [*THREE, bgp_peer("p", nodeSelector="", **ROUTER)], [global_router()]
    ),
    Row(
        "node: the node of that name", [*THREE, bgp_peer("p", node="kube-master", **ROUTER)], [node_router()]
    ),
    Row("node: no other", [*THREE, bgp_peer("p", node="kube-master", **ROUTER)], on="kube-node-1"),
    Row("node: one that does not exist", [*THREE, bgp_peer("p", node="elsewhere", **ROUTER)]),
    Row(
        "nodeSelector: nodes whose labels match",
        [*THREE, bgp_peer("p", nodeSelector="rack == '1'", **ROUTER)],
        [node_router()],
    ),
    Row(
        "nodeSelector: none whose labels do not",
        [*THREE, bgp_peer("p", nodeSelector="rack == '1'", **ROUTER)],
        on="kube-node-1",
    ),
    Row(
        "nodeSelector all() is not the same as none: the scope is the node's",
        [*THREE, bgp_peer("p", nodeSelector="all()", **ROUTER)],
        [node_router()],
    ),
    Row(
        "peerSelector: every node that matches",
        [*THREE, bgp_peer("p", node="kube-master", peerSelector="rack == '2'")],
        [node_3(), node_4()],
    ),
    Row(
        "peerSelector: nodes without BGP are none",
        [
            *THREE,
            bgp_peer("p", node="kube-master", peerSelector="all()"),
            resource("Node", "kube-node-1", {}),
        ],
        [node_4()],
    ),
    Row(
        "peerSelector: one session per family that both have",
        [*BOTH_FAMILIES, NODE_2, bgp_peer("p", node="kube-master", peerSelector="rack == '2'")],
        [node_3(), Session("Node_fd00__3", "fd00::3", "p"), node_4()],
    ),
    Row(
        "peerSelector: the AS number is each node's own, else the cluster's",
        [
            defaults(nodeToNodeMeshEnabled=False, asNumber=64567),
            MASTER,
            node("kube-node-1", "10.192.0.3", asNumber=64600),
            NODE_2,
            bgp_peer("p", node="kube-master", peerSelector="all()"),
        ],
        [node_3(local_as=64567, remote_as=64600, internal=False), node_4(local_as=64567, remote_as=64567)],
    ),
    Row(
        "peerSelector: the port is each node's own, else the cluster's",
        [
            *(MASTER, NODE_1, NODE_2, LISTENING_ON_150),
            configuration("kube-node-1", listenPort=500),
            bgp_peer("p", node="kube-master", peerSelector="all()"),
        ],
        [
            Session("Node_10_192_0_3_port_500", "10.192.0.3:500", "p"),
            Session("Node_10_192_0_4_port_150", "10.192.0.4:150", "p"),
        ],
    ),
    Row(
        "peerSelector: a configured 179 is a port too",
        [
            *THREE,
            configuration("kube-node-1", listenPort=179),
            bgp_peer("p", node="kube-master", peerSelector="all()"),
        ],
        [Session("Node_10_192_0_3_port_179", "10.192.0.3", "p"), node_4()],
    ),
    Row(
        "peerSelector: ourselves are left out",
        [*THREE, bgp_peer("p", node="kube-master", peerSelector="has(rack)")],
        [node_3(), node_4()],
    ),
    Row(
        "peerSelector of a global BGPPeer",
        [*THREE, bgp_peer("p", peerSelector="rack == '2'")],
        [global_3(), global_4()],
    ),
    Row(
        "peerSelector of a global BGPPeer: the selected see each other globally, and all others in reverse",
        [*THREE, bgp_peer("p", peerSelector="rack == '2'")],
        [node_2(), global_4()],
        on="kube-node-1",
    ),
    Row(
        "peerSelector of two nodes at one address: the one whose name sorts first",
        [
            *THREE,
            node("kube-node-0", "10.192.0.3", asNumber=64600),
            bgp_peer("p", node="kube-master", peerSelector="all()"),
        ],
        [node_3(remote_as=64600, internal=False), node_4()],
    ),
    Row(
        "peerIP: the AS number is as written, though a node at that address has another",
        [*THREE, bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64599)],
        [node_3(remote_as=64599, internal=False)],
    ),
    Row(
        "peerIP with a port",
        [*THREE, bgp_peer("p", node="kube-master", peerIP="192.0.2.1:1790", asNumber=64567)],
        [Session("Node_192_0_2_1_port_1790", "192.0.2.1:1790", "p", remote_as=64567, internal=False)],
    ),
    Row(
        "peerIP with port 179: the name says so, the peer is the same",
        [*THREE, bgp_peer("p", node="kube-master", peerIP="192.0.2.1:179", asNumber=64567)],
        [Session("Node_192_0_2_1_port_179", "192.0.2.1", "p", remote_as=64567, internal=False)],
    ),
    Row(
        "peerIP of IPv6 with a port",
        [*BOTH_FAMILIES, bgp_peer("p", node="kube-master", peerIP="[2001:db8::1]:1790", asNumber=64567)],
        [Session("Node_2001_db8__1_port_1790", "[2001:db8::1]:1790", "p", remote_as=64567, internal=False)],
    ),
    Row(
        "peerIP of a node: its own port",
        [
            *(MASTER, NODE_1, LISTENING_ON_150, configuration("kube-node-1", listenPort=500)),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64512),
        ],
        [Session("Node_10_192_0_3_port_500", "10.192.0.3:500", "p")],
    ),
    Row(
        "peerIP of a node: else the cluster's port",
        [
            *(MASTER, NODE_1, LISTENING_ON_150),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64512),
        ],
        [Session("Node_10_192_0_3_port_150", "10.192.0.3:150", "p")],
    ),
    Row(
        "peerIP of a node of another AS: no port",
        [
            *(MASTER, NODE_1, LISTENING_ON_150),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64599),
        ],
        [node_3(remote_as=64599, internal=False)],
    ),
    Row(
        "peerIP of nobody: no port, though the cluster has one",
        [*(MASTER, NODE_1, LISTENING_ON_150), bgp_peer("p", node="kube-master", **ROUTER)],
        [node_router()],
    ),
    Row(
        "peerIP of a node, spelled in another way",
        [
            *BOTH_FAMILIES,
            configuration("kube-node-1", listenPort=500),
            bgp_peer("p", peerIP="FD00:0::0003", asNumber=64512),
        ],
        [Session("Global_fd00__3_port_500", "[fd00::3]:500", "p", passive=True)],
    ),
    Row(
        "peerIP of ourselves",
        [*THREE, bgp_peer("p", peerIP="10.192.0.2", asNumber=64512)],
        [
            node_3(),
            node_4(),
        ],
    ),
    Row(
        "peerIP of ourselves with another port",
        [*THREE, bgp_peer("p", node="kube-master", peerIP="10.192.0.2:1790", asNumber=64512)],
    ),
    Row(
        "peerIP of ourselves, spelled in another way",
        [*BOTH_FAMILIES, bgp_peer("p", node="kube-master", peerIP="fd00:0::0002", asNumber=64512)],
    ),
    Row(
        "peerIP of a family that we have not",
        [*THREE, bgp_peer("p", peerIP="2001:db8::1", asNumber=64567)],
        problems=["BGPPeer p spec.peerIP"],
    ),
    Row("no peer is named", [*THREE, bgp_peer("p", node="kube-master")], problems=["BGPPeer p spec"]),
    Row("no peer is named, by a BGPPeer of another node", [*THREE, bgp_peer("p", node="kube-node-1")]),
    Row("peerIP without an AS number is invalid", [*THREE, bgp_peer("p", peerIP="192.0.2.1")]),
    Row("peerIP with AS number 0 is invalid", [*THREE, bgp_peer("p", peerIP="192.0.2.1", asNumber=0)]),
    Row(
        "peerSelector with AS number 0 is invalid",
        [*THREE, bgp_peer("p", node="kube-master", peerSelector="rr == '1'", asNumber=0)],
    ),
    Row(
        "reachableBy of another family is invalid",
        [*BOTH_FAMILIES, bgp_peer("p", reachableBy="2001:db8::1", **ROUTER)],
    ),
    Row("a selector that does not parse is invalid", [*THREE, bgp_peer("p", peerSelector="rack = '1'")]),
    Row(
        "a selector on a label that a node has not: != matches",
        [*THREE, bgp_peer("p", node="kube-master", peerSelector="rr != '1'")],
        [node_3()],
    ),
    Row(
        "a selector alone, with no nodes named: everybody and the selected, in a mesh of those with all",
        [*THREE, bgp_peer("p", peerSelector="has(rr)")],
        [node_2(), node_3()],
        on="kube-node-2",
    ),
)

REVERSE = (
    Row(
        "peerSelector matches us: the nodes of nodeSelector, in both families",
        [
            *BOTH_FAMILIES,
            bgp_peer("p", nodeSelector="rack == '2'", peerSelector="rack == '1'"),
        ],
        [node_3(), Session("Node_fd00__3", "fd00::3", "p")],
    ),
    Row(
        "peerSelector matches us: the node of `node`",
        [*THREE, bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'")],
        [node_3()],
    ),
    Row(
        "peerSelector matches us: a node that does not exist is nobody",
        [*THREE, bgp_peer("p", node="elsewhere", peerSelector="rack == '1'")],
    ),
    Row(
        "peerSelector matches us: every node when none is named",
        [*THREE, bgp_peer("p", peerSelector="rack == '1'")],
        [node_3(), node_4()],
    ),
    Row(
        "peerSelector does not match us",
        [*THREE, bgp_peer("p", node="kube-node-1", peerSelector="has(rr)")],
    ),
    Row(
        "peerIP is ours, and the AS number: the nodes that peer, in its family alone",
        [*BOTH_FAMILIES, bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2", asNumber=64512)],
        [node_3()],
    ),
    Row(
        "peerIP is ours in IPv6, spelled in another way",
        [*BOTH_FAMILIES, bgp_peer("p", node="kube-node-1", peerIP="fd00:0::0002", asNumber=64512)],
        [Session("Node_fd00__3", "fd00::3", "p")],
    ),
    Row(
        "peerIP is ours, of a global BGPPeer: every node, by node sessions",
        [*THREE, bgp_peer("p", peerIP="10.192.0.2", asNumber=64512)],
        [node_3(), node_4()],
    ),
    Row(
        "peerIP is ours, the AS number another",
        [*THREE, bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2", asNumber=64599)],
    ),
    Row(
        "peerIP is ours, the AS number that of our Node",
        [
            *(MESH_OFF, NODE_1, node("kube-master", "10.192.0.2", asNumber=64599)),
            bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2", asNumber=64599),
        ],
        [node_3(local_as=64599, internal=False)],
    ),
    Row(
        "peerIP is ours, with our own port",
        [
            *(*THREE, configuration("kube-master", listenPort=500)),
            bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:500", asNumber=64512),
        ],
        [node_3()],
    ),
    Row(
        "peerIP is ours, with the cluster's port",
        [
            *(MASTER, NODE_1, LISTENING_ON_150),
            bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:150", asNumber=64512),
        ],
        [Session("Node_10_192_0_3_port_150", "10.192.0.3:150", "p")],
    ),
    Row(
        "peerIP is ours, with our own port where the cluster has another (Calico refuses it)",
        [
            *(MASTER, NODE_1, LISTENING_ON_150, configuration("kube-master", listenPort=500)),
            bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:500", asNumber=64512),
        ],
        [Session("Node_10_192_0_3_port_150", "10.192.0.3:150", "p")],
    ),
    Row(
        "peerIP is ours, with the cluster's port where we have our own",
        [
            *(MASTER, NODE_1, LISTENING_ON_150, configuration("kube-master", listenPort=500)),
            bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:150", asNumber=64512),
        ],
    ),
    Row(
        "peerIP is ours, with port 179 where nobody configured one",
        [*THREE, bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:179", asNumber=64512)],
        [node_3()],
    ),
    Row(
        "peerIP is ours, with a port that nobody listens on",
        [*THREE, bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2:500", asNumber=64512)],
    ),
    Row(
        "the other end is as its Node says: AS number, port",
        [
            *(MESH_OFF, MASTER, node("kube-node-1", "10.192.0.3", asNumber=64600)),
            configuration("kube-node-1", listenPort=500),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'"),
        ],
        [Session("Node_10_192_0_3_port_500", "10.192.0.3:500", "p", remote_as=64600, internal=False)],
    ),
    Row(
        "the other end presents its localASNumber",
        [*THREE, bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", localASNumber=64700)],
        [node_3(remote_as=64700, internal=False)],
    ),
    Row(
        "reversePeering Manual: nobody peers back",
        [*THREE, bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", reversePeering="Manual")],
    ),
    Row(
        "reversePeering Manual: the nodes that peer do so",
        [*THREE, bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", reversePeering="Manual")],
        [node_2()],
        on="kube-node-1",
    ),
    Row(
        "reversePeering Manual, both selected: each by its own forward entry",
        [*THREE, bgp_peer("p", nodeSelector="has(rack)", peerSelector="has(rack)", reversePeering="Manual")],
        [node_3(), node_4()],
    ),
    Row(
        "localWorkloadSelector: nobody peers back",
        [
            *(*THREE, workload("w", "10.65.0.1/32", on="kube-node-1")),
            bgp_peer("p", node="kube-node-1", localWorkloadSelector="all()", asNumber=65000),
        ],
    ),
    Row(
        "ourselves are left out in reverse as well",
        [*THREE, bgp_peer("p", nodeSelector="rack == '1'", peerSelector="rack == '1'")],
    ),
    Row(
        "a peerIP that is empty is nobody's address",
        [*THREE, bgp_peer("p", node="kube-node-1", peerIP="")],
    ),
)


@pytest.mark.parametrize("row", FORWARD, ids=rule_of)
def test_forward(row: Row) -> None:
    check(row)


@pytest.mark.parametrize("row", REVERSE, ids=rule_of)
def test_reverse(row: Row) -> None:
    check(row)
