"""The worked examples: inputs of Calico's golden tests, and every session of kube-master (10.192.0.2)."""

from functools import partial

import pytest

from felixbgp.bgp.config import NextHopMode
from tests.support.derivation import (
    MESH_OFF,
    Object,
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

MASTER = node("kube-master", "10.192.0.2/16")
NODE_1 = node("kube-node-1", "10.192.0.3/16")
NODE_2 = node("kube-node-2", "10.192.0.4/16")
THREE = (MASTER, NODE_1, NODE_2)

REFLECTED = (
    MASTER,
    NODE_1,
    node("kube-node-2", "10.192.0.4/16", labels={"rr": "1"}, routeReflectorClusterID="10.0.0.1"),
    bgp_peer("clients", nodeSelector="has(rr)", peerSelector="!has(rr)"),
)

LISTENING_ON_150 = defaults(nodeToNodeMeshEnabled=False, asNumber=64567, listenPort=150)


def three_global(last: str) -> tuple[Object, ...]:
    """Global BGPPeers: to a node, and to a second address with a port and without."""
    return (
        LISTENING_ON_150,
        bgp_peer("one", peerIP="10.192.0.3", asNumber=64567, sourceAddress="None"),
        bgp_peer("two", peerIP=f"{last}:166", asNumber=64567),
        bgp_peer("three", peerIP=last, asNumber=64567),
    )


in_64567 = partial(Session, local_as=64567, remote_as=64567)

GROUPS = (
    MESH_OFF,
    node("kube-master", "10.192.0.2/16", "2001::103/64", labels={"group": "one"}),
    node("kube-node-1", "10.192.0.3/16", "2001::102/64", labels={"group": "two"}),
    node("kube-node-2", "10.192.0.4/16", "2001::104/64", labels={"group": "two"}),
    bgp_peer("groups", nodeSelector="group == 'one'", peerSelector="group == 'two'"),
)

REFLECTING = (
    defaults(nodeToNodeMeshEnabled=False, asNumber=64532),
    node(
        "kube-master", "10.192.0.2/16", "2001::103/64", labels={"rr": "1"}, routeReflectorClusterID="10.0.0.1"
    ),
    node("kube-node-1", "10.192.0.3/16"),
    node("kube-node-2", "10.192.0.4/16"),
    bgp_peer("clients", nodeSelector="has(rr)", peerSelector="!has(rr)"),
)
client = partial(Session, local_as=64532, remote_as=64532, client=True)
CLIENTS = (
    client("Node_10_192_0_3", "10.192.0.3", "clients"),
    client("Node_10_192_0_4", "10.192.0.4", "clients"),
)
outside = partial(Session, local_as=64532, remote_as=64533, internal=False)

FILTERS = (bgp_filter("in", "importV4", "importV6"), bgp_filter("out", "exportV4", "exportV6"))
filtered = partial(Session, imports=("in",), exports=("out",))

ROWS = (
    Row(
        "mesh of three nodes: both others passive",
        THREE,
        [
            Session("Mesh_10_192_0_3", "10.192.0.3", passive=True),
            Session("Mesh_10_192_0_4", "10.192.0.4", passive=True),
        ],
    ),
    Row(
        "mesh in IPv6: the lesser text is dialled, the greater one dials",
        [
            node("kube-master", "", "2001::103/64"),
            node("kube-node-1", "", "2001::102/64"),
            node("kube-node-2", "", "2001::104/64"),
        ],
        [
            Session("Mesh_2001__102", "2001::102"),
            Session("Mesh_2001__104", "2001::104", passive=True),
        ],
        router_id="10.192.0.2",
    ),
    Row(
        "mesh and a route reflector: a node's side",
        REFLECTED,
        [
            Session("Mesh_10_192_0_3", "10.192.0.3", passive=True),
            Session("Node_10_192_0_4", "10.192.0.4", "clients"),
        ],
    ),
    Row(
        "mesh and a route reflector: the reflector's side",
        REFLECTED,
        [
            Session("Node_10_192_0_2", "10.192.0.2", "clients", client=True),
            Session("Node_10_192_0_3", "10.192.0.3", "clients", client=True),
        ],
        on="kube-node-2",
    ),
    Row(
        "global peers that are nodes take the configured port; passive where the text is greater",
        [MASTER, NODE_1, node("kube-node-2", "10.192.0.1/16"), *three_global("10.192.0.1")],
        [
            in_64567("Global_10_192_0_3_port_150", "10.192.0.3:150", "one", passive=True, source=None),
            in_64567("Global_10_192_0_1_port_166", "10.192.0.1:166", "two"),
            in_64567("Global_10_192_0_1_port_150", "10.192.0.1:150", "three"),
        ],
    ),
    Row(
        "global peer that is no node has no port",
        [MASTER, NODE_1, *three_global("10.192.0.4")],
        [
            in_64567("Global_10_192_0_3_port_150", "10.192.0.3:150", "one", passive=True, source=None),
            in_64567("Global_10_192_0_4_port_166", "10.192.0.4:166", "two"),
            in_64567("Global_10_192_0_4", "10.192.0.4", "three"),
        ],
    ),
    Row(
        "selectors and a listenPort of one node, in both families",
        [*GROUPS, configuration("kube-node-1", listenPort=500)],
        [
            Session("Node_10_192_0_3_port_500", "10.192.0.3:500", "groups"),
            Session("Node_10_192_0_4", "10.192.0.4", "groups"),
            Session("Node_2001__102_port_500", "[2001::102]:500", "groups"),
            Session("Node_2001__104", "2001::104", "groups"),
        ],
    ),
    Row(
        "selectors, step 2: without the listenPort",
        [*GROUPS, configuration("kube-node-1", listenPort=500), configuration("kube-node-1")],
        [
            Session("Node_10_192_0_3", "10.192.0.3", "groups"),
            Session("Node_10_192_0_4", "10.192.0.4", "groups"),
            Session("Node_2001__102", "2001::102", "groups"),
            Session("Node_2001__104", "2001::104", "groups"),
        ],
    ),
    Row(
        "selectors: the other side peers back, at the port of kube-master",
        [*GROUPS, configuration("kube-node-1", listenPort=500)],
        [
            Session("Node_10_192_0_2", "10.192.0.2", "groups"),
            Session("Node_2001__103", "2001::103", "groups"),
        ],
        on="kube-node-1",
    ),
    Row(
        "reflector with clients and an external peer",
        [*REFLECTING, bgp_peer("router", node="kube-master", peerIP="172.19.4.87", asNumber=64533)],
        [*CLIENTS, outside("Node_172_19_4_87", "172.19.4.87", "router")],
    ),
    Row(
        "keepOriginalNextHop is for the external peer alone, and for its IPv6 twin with a port",
        [
            *REFLECTING,
            bgp_peer(
                "router", node="kube-master", peerIP="172.19.4.87", asNumber=64533, keepOriginalNextHop=True
            ),
            bgp_peer(
                "twin", node="kube-master", peerIP="[2001::9]:50", asNumber=64533, keepOriginalNextHop=True
            ),
        ],
        [
            *CLIENTS,
            outside("Node_172_19_4_87", "172.19.4.87", "router", next_hop=NextHopMode.KEEP),
            outside("Node_2001__9_port_50", "[2001::9]:50", "twin", next_hop=NextHopMode.KEEP),
        ],
    ),
    Row(
        "filters by a global peerSelector: active on both sides, this one",
        [MESH_OFF, *FILTERS, *THREE, bgp_peer("all", peerSelector="all()", filters=["in", "out"])],
        [
            filtered("Global_10_192_0_3", "10.192.0.3", "all"),
            filtered("Global_10_192_0_4", "10.192.0.4", "all"),
        ],
    ),
    Row(
        "filters by a global peerSelector: active on both sides, the other one",
        [MESH_OFF, *FILTERS, *THREE, bgp_peer("all", peerSelector="all()", filters=["in", "out"])],
        [
            filtered("Global_10_192_0_2", "10.192.0.2", "all"),
            filtered("Global_10_192_0_3", "10.192.0.3", "all"),
        ],
        on="kube-node-2",
    ),
    Row(
        "filters by the peerIP of a node in another AS: passive where the text is greater, though eBGP",
        [
            MESH_OFF,
            *FILTERS,
            MASTER,
            node("kube-node-1", "10.192.0.3/16", asNumber=64517),
            bgp_peer("other", peerIP="10.192.0.3", asNumber=64517, filters=["out", "in"]),
        ],
        [filtered("Global_10_192_0_3", "10.192.0.3", "other", remote_as=64517, passive=True, internal=False)],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=rule_of)
def test_worked_example(row: Row) -> None:
    check(row)
