"""Rules about the local node and the mesh, one row each; kube-master is 10.192.0.2."""

from functools import partial

import pytest

from tests.support.derivation import (
    SECRET_REFERENCE,
    Row,
    Session,
    bgp_filter,
    check,
    configuration,
    defaults,
    node,
    password,
    resource,
    rule_of,
)

MASTER = node("kube-master", "10.192.0.2")
NODE_1 = node("kube-node-1", "10.192.0.3")
NODE_2 = node("kube-node-2", "10.192.0.4")
REFLECTOR = {"projectcalico.org/RouteReflectorClusterID": "10.0.0.1"}
mesh_3 = partial(Session, "Mesh_10_192_0_3", "10.192.0.3", passive=True)
mesh_4 = partial(Session, "Mesh_10_192_0_4", "10.192.0.4", passive=True)

ROWS = (
    Row("no Node, no sessions", [NODE_1], problems=["Node kube-master"]),
    Row(
        "a Node without an address has no sessions",
        [resource("Node", "kube-master", {"bgp": {"asNumber": 64512}}), NODE_1],
        problems=["Node kube-master spec.bgp"],
    ),
    Row(
        "a Node without spec.bgp has no sessions",
        [resource("Node", "kube-master", {}), NODE_1],
        problems=["Node kube-master spec.bgp"],
    ),
    Row(
        "without an IPv4 address and a router ID there are no sessions",
        [node("kube-master", "", "fd00::2"), node("kube-node-1", "", "fd00::1")],
        problems=["Node kube-master spec.bgp.ipv4Address"],
    ),
    Row(
        "without an IPv4 address there are no IPv4 sessions",
        [node("kube-master", "", "fd00::2"), node("kube-node-1", "10.192.0.3", "fd00::1")],
        [Session("Mesh_fd00__1", "fd00::1")],
        router_id="1.2.3.4",
    ),
    Row(
        "the AS number is the Node's",
        [node("kube-master", "10.192.0.2", asNumber=64600), defaults(asNumber=64567), NODE_1],
        [mesh_3(local_as=64600, remote_as=64567)],
    ),
    Row(
        "else that of the default BGPConfiguration",
        [MASTER, defaults(asNumber="1.10"), NODE_1],
        [mesh_3(local_as=65546, remote_as=65546)],
    ),
    Row("else 64512", [MASTER, NODE_1], [mesh_3(local_as=64512, remote_as=64512)]),
    Row(
        "an address from annotations counts where the spec has none",
        [
            resource(
                "Node", "kube-master", {}, annotations={"projectcalico.org/IPv4Address": "10.192.0.2/16"}
            ),
            NODE_1,
        ],
        [mesh_3()],
    ),
    Row(
        "the spec counts where an annotation says something else",
        [
            node("kube-master", "10.192.0.2", annotations={"projectcalico.org/ASNumber": "5"}, asNumber=6),
            NODE_1,
        ],
        [mesh_3(local_as=6)],
        problems=["Node kube-master metadata.annotations.projectcalico.org/ASNumber"],
    ),
    Row(
        "mesh 1: a reflector is in no mesh",
        [node("kube-master", "10.192.0.2", routeReflectorClusterID="10.0.0.1"), NODE_1],
    ),
    Row("mesh 2: switched off", [defaults(nodeToNodeMeshEnabled=False), MASTER, NODE_1]),
    Row("mesh 2: switched on", [defaults(nodeToNodeMeshEnabled=True), MASTER, NODE_1], [mesh_3()]),
    Row(
        "mesh 3: one session per family that both have",
        [
            node("kube-master", "10.192.0.2", "fd00::2"),
            node("kube-node-1", "10.192.0.3", "fd00::3"),
            NODE_2,
            node("kube-node-3", "", "fd00::5"),
        ],
        [
            mesh_3(),
            mesh_4(),
            Session("Mesh_fd00__3", "fd00::3", passive=True),
            Session("Mesh_fd00__5", "fd00::5", passive=True),
        ],
    ),
    Row(
        "mesh 3: a node at our own address is ourselves",
        [MASTER, node("copy", "10.192.0.2"), NODE_1],
        [mesh_3()],
        problems=["Node copy spec.bgp"],
    ),
    Row(
        "mesh 3: addresses are compared as addresses, not as texts",
        [node("kube-master", "10.192.0.2", "fd00::2"), node("copy", "", "FD00:0::0002")],
        problems=["Node copy spec.bgp"],
    ),
    Row(
        "mesh 3: two nodes at one address are one session, with the one whose name sorts first",
        [MASTER, node("kube-node-9", "10.192.0.3"), node("kube-node-1", "10.192.0.3", asNumber=64600)],
        [mesh_3(remote_as=64600)],
        problems=["Node kube-node-9 spec.bgp"],
    ),
    Row(
        "mesh 3: a reflector is left out, whatever its cluster ID",
        [MASTER, node("kube-node-1", "10.192.0.3", routeReflectorClusterID="0.0.0.0"), NODE_2],
        [mesh_4()],
    ),
    Row(
        "mesh 3: a reflector by annotation is left out",
        [MASTER, node("kube-node-1", "10.192.0.3", annotations=REFLECTOR), NODE_2],
        [mesh_4()],
    ),
    Row(
        "mesh 3: a node without BGP is left out",
        [MASTER, resource("Node", "kube-node-1", {}), NODE_2],
        [mesh_4()],
    ),
    Row(
        "mesh 3: the name has no port",
        [defaults(listenPort=150), MASTER, NODE_1],
        [Session("Mesh_10_192_0_3", "10.192.0.3:150", passive=True)],
    ),
    Row(
        "mesh 4: the AS number is the other node's",
        [defaults(asNumber=64567), MASTER, node("kube-node-1", "10.192.0.3", asNumber=64600)],
        [mesh_3(local_as=64567, remote_as=64600)],
    ),
    Row(
        "mesh 4: that of a node without one is the cluster's, not ours",
        [node("kube-master", "10.192.0.2", asNumber=64600), NODE_1],
        [mesh_3(local_as=64600, remote_as=64512)],
    ),
    Row(
        "mesh 5, 7, 10: eBGP inside the mesh crosses routers and is internal to Calico's export policy",
        [MASTER, node("kube-node-1", "10.192.0.3", asNumber=64600)],
        [mesh_3(remote_as=64600, ttl=64, internal=True)],
    ),
    Row(
        "mesh 6: the port is the other node's, else the cluster's, and never ours",
        [
            *(MASTER, NODE_1, NODE_2),
            configuration("kube-master", listenPort=181),
            configuration("kube-node-1", listenPort=500),
            defaults(listenPort=400),
        ],
        [
            Session("Mesh_10_192_0_3", "10.192.0.3:500", passive=True),
            Session("Mesh_10_192_0_4", "10.192.0.4:400", passive=True),
        ],
    ),
    Row(
        "mesh 6: no port is configured, so it is 179",
        [MASTER, configuration("kube-master", listenPort=181), NODE_1],
        [Session("Mesh_10_192_0_3", "10.192.0.3", passive=True)],
    ),
    Row(
        "mesh 7: the source is our own address",
        [MASTER, NODE_1],
        [mesh_3(source="10.192.0.2")],
    ),
    Row(
        "mesh 8: the greater text is waited for",
        [node("kube-master", "10.0.0.10"), node("kube-node-1", "10.0.0.9")],
        [Session("Mesh_10_0_0_9", "10.0.0.9", passive=True)],
    ),
    Row(
        "mesh 8: the lesser text is dialled, though the greater number",
        [node("kube-master", "10.0.0.9"), node("kube-node-1", "10.0.0.10")],
        [Session("Mesh_10_0_0_10", "10.0.0.10", passive=False)],
    ),
    Row(
        "mesh 8: in IPv6 as well",
        [node("kube-master", "10.0.0.1", "fd00::a"), node("kube-node-1", "", "fd00::10")],
        [Session("Mesh_fd00__10", "fd00::10", passive=False)],
    ),
    Row(
        "mesh 9: the restart time is set",
        [defaults(nodeMeshMaxRestartTime="10s"), MASTER, NODE_1],
        [mesh_3(restart_s=10)],
    ),
    Row(
        "mesh 9: the restart time is rounded, halves up",
        [defaults(nodeMeshMaxRestartTime="2500ms"), MASTER, NODE_1],
        [mesh_3(restart_s=3)],
    ),
    Row(
        "mesh 9: the password is that of the secret",
        [defaults(nodeMeshPassword=SECRET_REFERENCE), password("swordfish"), MASTER, NODE_1],
        [mesh_3(password=b"swordfish")],
    ),
    Row(
        "mesh 9: without its password it stays down",
        [defaults(nodeMeshPassword=SECRET_REFERENCE), MASTER, NODE_1],
        problems=["BGPConfiguration default spec.nodeMeshPassword.secretKeyRef"],
    ),
    Row(
        "mesh 9: a reflector does not need the password",
        [
            defaults(nodeMeshPassword=SECRET_REFERENCE),
            node("kube-master", "10.192.0.2", routeReflectorClusterID="10.0.0.1"),
        ],
    ),
    Row(
        "mesh 11: no filters, though the cluster has some",
        [bgp_filter("f", "importV4", "exportV4"), MASTER, NODE_1],
        [mesh_3(imports=(), exports=(), client=False, allowed_local_as=0)],
    ),
    Row(
        "a BGPConfiguration of another name is ignored",
        [resource("BGPConfiguration", "mine", {"listenPort": 500}), MASTER, NODE_1],
        [mesh_3()],
        problems=["BGPConfiguration mine"],
    ),
    Row(
        "a BGPConfiguration of a node that does not exist is nobody's",
        [configuration("elsewhere", listenPort=500), MASTER, NODE_1],
        [mesh_3()],
    ),
    Row(
        "an invalid BGPConfiguration counts as none",
        [defaults(nodeToNodeMeshEnabled=False, asNumber=4294967296), MASTER, NODE_1],
        [mesh_3()],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=rule_of)
def test_mesh(row: Row) -> None:
    check(row)
