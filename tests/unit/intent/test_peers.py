"""Rules about what a session by a BGPPeer is like, one row each; kube-master is 10.192.0.2, the mesh off."""

from functools import partial

import pytest

from felixbgp.bgp.config import NextHopMode
from tests.support.derivation import (
    MESH_OFF,
    SECRET_REFERENCE,
    Object,
    Row,
    Session,
    bgp_filter,
    bgp_peer,
    check,
    defaults,
    node,
    password,
    resource,
    rule_of,
    workload,
)

MASTER = node("kube-master", "10.192.0.2", "fd00::2", labels={"rack": "1"})
REFLECTOR = node(
    "kube-master", "10.192.0.2", "fd00::2", labels={"rack": "1"}, routeReflectorClusterID="10.0.0.1"
)
NODE_1 = node("kube-node-1", "10.192.0.3", labels={"rack": "2"})
NODE_0 = node("kube-node-0", "10.192.0.1", labels={"rack": "2"})
FOR_EXTERNAL = resource("BGPFilter", "f", {"importV4": [{"action": "Reject", "peerType": "eBGP"}]})
OPTIONAL = {"secretKeyRef": {"name": "bgp", "key": "password", "optional": True}}


def router(as_number: int = 64567, **spec: object) -> Object:
    """A BGPPeer to somebody who is no node."""
    return bgp_peer("p", node="kube-master", peerIP="192.0.2.1", asNumber=as_number, **spec)


external = partial(Session, "Node_192_0_2_1", "192.0.2.1", "p", remote_as=64567, internal=False)
internal = partial(Session, "Node_192_0_2_1", "192.0.2.1", "p")
node_3 = partial(Session, "Node_10_192_0_3", "10.192.0.3", "p")

AS_NUMBERS = (
    Row("another AS: external", [MESH_OFF, MASTER, router()], [external()]),
    Row("our AS: internal", [MESH_OFF, MASTER, router(64512)], [internal()]),
    Row(
        "localASNumber is what we present",
        [MESH_OFF, MASTER, router(localASNumber=64700)],
        [external(local_as=64700)],
    ),
    Row(
        "localASNumber that is the peer's makes it internal",
        [MESH_OFF, MASTER, router(localASNumber=64567)],
        [internal(local_as=64567, remote_as=64567)],
    ),
    Row(
        "localASNumber makes a peer of our AS external",
        [MESH_OFF, MASTER, router(64512, localASNumber=64700)],
        [external(local_as=64700, remote_as=64512)],
    ),
    Row(
        "localASNumber with a peerSelector",
        [
            MESH_OFF,
            MASTER,
            NODE_1,
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'", localASNumber=64700),
        ],
        [node_3(local_as=64700, internal=False)],
    ),
    Row(
        "localASNumber is for those that peer, not for those peered with",
        [
            *(MESH_OFF, MASTER, NODE_1),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", localASNumber=64512),
        ],
        [node_3(local_as=64512, remote_as=64512)],
    ),
    Row(
        "numAllowedLocalASNumbers",
        [MESH_OFF, MASTER, router(numAllowedLocalASNumbers=2)],
        [external(allowed_local_as=2)],
    ),
    Row("numAllowedLocalASNumbers 0", [MESH_OFF, MASTER, router(numAllowedLocalASNumbers=0)], [external()]),
    Row(
        "numAllowedLocalASNumbers with a peerSelector",
        [
            *(MESH_OFF, MASTER, NODE_1),
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'", numAllowedLocalASNumbers=3),
        ],
        [node_3(allowed_local_as=3)],
    ),
)

REFLECTION = (
    Row("not a reflector: no clients", [MESH_OFF, MASTER, router(64512)], [internal(client=False)]),
    Row("external peers are no clients", [MESH_OFF, REFLECTOR, router()], [external(client=False)]),
    Row(
        "an internal peer that is no node is a client",
        [MESH_OFF, REFLECTOR, router(64512)],
        [internal(client=True)],
    ),
    Row(
        "a selected node without a cluster ID is a client",
        [MESH_OFF, REFLECTOR, NODE_1, bgp_peer("p", node="kube-master", peerSelector="rack == '2'")],
        [node_3(client=True)],
    ),
    Row(
        "a selected reflector of our cluster is no client",
        [
            *(MESH_OFF, REFLECTOR),
            node("kube-node-1", "10.192.0.3", labels={"rack": "2"}, routeReflectorClusterID="10.0.0.1"),
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'"),
        ],
        [node_3(client=False)],
    ),
    Row(
        "a selected reflector of another cluster is a client",
        [
            *(MESH_OFF, REFLECTOR),
            node("kube-node-1", "10.192.0.3", labels={"rack": "2"}, routeReflectorClusterID="10.0.0.2"),
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'"),
        ],
        [node_3(client=True)],
    ),
    Row(
        "a reflector of our cluster named by peerIP is a client",
        [
            *(MESH_OFF, REFLECTOR),
            node("kube-node-1", "10.192.0.3", labels={"rack": "2"}, routeReflectorClusterID="10.0.0.1"),
            bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64512),
        ],
        [node_3(client=True)],
    ),
    Row(
        "a node that peers with us is a client in reverse",
        [MESH_OFF, REFLECTOR, NODE_1, bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'")],
        [node_3(client=True)],
    ),
    Row(
        "a client is one by the AS number we present",
        [MESH_OFF, REFLECTOR, router(localASNumber=64567)],
        [internal(local_as=64567, remote_as=64567, client=True)],
    ),
    Row(
        "a peer of our AS to whom we present another is no client",
        [MESH_OFF, REFLECTOR, router(64512, localASNumber=64700)],
        [external(local_as=64700, remote_as=64512, client=False)],
    ),
)

NEXT_HOPS = (
    Row(
        "keepOriginalNextHop, external",
        [MESH_OFF, MASTER, router(keepOriginalNextHop=True)],
        [external(next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "keepOriginalNextHop, internal: nothing",
        [MESH_OFF, MASTER, router(64512, keepOriginalNextHop=True)],
        [internal()],
    ),
    Row(
        "keepOriginalNextHop, internal by localASNumber: nothing",
        [MESH_OFF, MASTER, router(keepOriginalNextHop=True, localASNumber=64567)],
        [internal(local_as=64567, remote_as=64567)],
    ),
    Row(
        "keepOriginalNextHop, external by localASNumber",
        [MESH_OFF, MASTER, router(64512, keepOriginalNextHop=True, localASNumber=64700)],
        [external(local_as=64700, remote_as=64512, next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "keepOriginalNextHop with a peerSelector",
        [
            *(MESH_OFF, MASTER, node("kube-node-1", "10.192.0.3", asNumber=64600)),
            bgp_peer("p", node="kube-master", peerSelector="all()", keepOriginalNextHop=True),
        ],
        [node_3(remote_as=64600, internal=False, next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "keepOriginalNextHop in reverse",
        [
            *(MESH_OFF, MASTER, node("kube-node-1", "10.192.0.3", asNumber=64600)),
            bgp_peer("p", node="kube-node-1", peerSelector="has(rack)", keepOriginalNextHop=True),
        ],
        [node_3(remote_as=64600, internal=False, next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "nextHopMode Keep, external",
        [MESH_OFF, MASTER, router(nextHopMode="Keep")],
        [external(next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "nextHopMode Keep, internal as well",
        [MESH_OFF, MASTER, router(64512, nextHopMode="Keep")],
        [internal(next_hop=NextHopMode.KEEP)],
    ),
    Row(
        "nextHopMode Self",
        [MESH_OFF, MASTER, router(64512, nextHopMode="Self")],
        [internal(next_hop=NextHopMode.SELF)],
    ),
    Row("nextHopMode Auto", [MESH_OFF, MASTER, router(nextHopMode="Auto")], [external()]),
    Row(
        "nextHopMode with a peerSelector",
        [
            MESH_OFF,
            MASTER,
            NODE_1,
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'", nextHopMode="Self"),
        ],
        [node_3(next_hop=NextHopMode.SELF)],
    ),
)

TRANSPORT = (
    Row(
        "the source is our address of the family",
        [MESH_OFF, MASTER, router()],
        [external(source="10.192.0.2")],
    ),
    Row(
        "the source is our address of the family, in IPv6",
        [MESH_OFF, MASTER, bgp_peer("p", node="kube-master", peerIP="2001:db8::1", asNumber=64567)],
        [Session("Node_2001_db8__1", "2001:db8::1", "p", remote_as=64567, internal=False, source="fd00::2")],
    ),
    Row(
        "sourceAddress UseNodeIP",
        [MESH_OFF, MASTER, router(sourceAddress="UseNodeIP")],
        [external(source="10.192.0.2")],
    ),
    Row("sourceAddress None", [MESH_OFF, MASTER, router(sourceAddress="None")], [external(source=None)]),
    Row(
        "sourceAddress None in reverse",
        [
            MESH_OFF,
            MASTER,
            NODE_1,
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", sourceAddress="None"),
        ],
        [node_3(source=None)],
    ),
    Row("64 hops without TTL security", [MESH_OFF, MASTER, router()], [external(ttl=64, min_ttl=None)]),
    Row(
        "ttlSecurity 1: a neighbour",
        [MESH_OFF, MASTER, router(ttlSecurity=1)],
        [external(ttl=255, min_ttl=255)],
    ),
    Row("ttlSecurity 3", [MESH_OFF, MASTER, router(ttlSecurity=3)], [external(ttl=255, min_ttl=253)]),
    Row("ttlSecurity 255", [MESH_OFF, MASTER, router(ttlSecurity=255)], [external(ttl=255, min_ttl=1)]),
    Row("ttlSecurity 0 is none", [MESH_OFF, MASTER, router(ttlSecurity=0)], [external(ttl=64, min_ttl=None)]),
    Row(
        "ttlSecurity in reverse",
        [
            MESH_OFF,
            MASTER,
            NODE_1,
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", ttlSecurity=2),
        ],
        [node_3(ttl=255, min_ttl=254)],
    ),
    Row("maxRestartTime", [MESH_OFF, MASTER, router(maxRestartTime="1m30s")], [external(restart_s=90)]),
    Row("maxRestartTime 0", [MESH_OFF, MASTER, router(maxRestartTime="0s")], [external(restart_s=0)]),
    Row("keepaliveTime", [MESH_OFF, MASTER, router(keepaliveTime="20s")], [external(keepalive_s=20)]),
    Row(
        "keepaliveTime is rounded, halves up",
        [MESH_OFF, MASTER, router(keepaliveTime="2500ms")],
        [external(keepalive_s=3)],
    ),
    Row("keepaliveTime 0 is none", [MESH_OFF, MASTER, router(keepaliveTime="0s")], [external()]),
    Row(
        "keepaliveTime in reverse",
        [
            *(MESH_OFF, MASTER, NODE_1),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", keepaliveTime="9s"),
        ],
        [node_3(keepalive_s=9)],
    ),
    Row(
        "maxRestartTime in reverse, and not that of the mesh",
        [
            *(defaults(nodeToNodeMeshEnabled=True, nodeMeshMaxRestartTime="7s"), MASTER, NODE_1),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", maxRestartTime="5s"),
        ],
        [node_3(restart_s=5)],
    ),
    Row(
        "without maxRestartTime 120 s, and not that of the mesh",
        [defaults(nodeMeshMaxRestartTime="7s"), MASTER, router()],
        [external(restart_s=120)],
    ),
    Row(
        "password",
        [MESH_OFF, MASTER, router(password=SECRET_REFERENCE), password("swordfish\n")],
        [external(password=b"swordfish")],
    ),
    Row(
        "password in reverse",
        [
            *(MESH_OFF, MASTER, NODE_1, password("swordfish")),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", password=SECRET_REFERENCE),
        ],
        [node_3(password=b"swordfish")],
    ),
    Row(
        "without its password a session stays down",
        [MESH_OFF, MASTER, router(password=SECRET_REFERENCE)],
        problems=["BGPPeer p spec.password.secretKeyRef"],
    ),
    Row(
        "without an optional password a session has none",
        [MESH_OFF, MASTER, router(password=OPTIONAL)],
        [external(password=None)],
    ),
    Row(
        "the password of a BGPPeer is not that of the mesh",
        [defaults(nodeMeshPassword=SECRET_REFERENCE), password("swordfish"), MASTER, router()],
        [external(password=None)],
    ),
    Row(
        "reachableBy is no matter of the session",
        [MESH_OFF, MASTER, router(reachableBy="10.192.0.254")],
        [external()],
    ),
)

PASSIVE = (
    Row(
        "a global peerIP that is a node with a greater text: passive",
        [MESH_OFF, MASTER, NODE_1, bgp_peer("p", peerIP="10.192.0.3", asNumber=64512)],
        [Session("Global_10_192_0_3", "10.192.0.3", "p", passive=True)],
    ),
    Row(
        "a global peerIP that is a node with a lesser text: active",
        [MESH_OFF, MASTER, NODE_0, bgp_peer("p", peerIP="10.192.0.1", asNumber=64512)],
        [Session("Global_10_192_0_1", "10.192.0.1", "p", passive=False)],
    ),
    Row(
        "a global peerIP that is a node of another AS than written: passive all the same",
        [MESH_OFF, MASTER, NODE_1, bgp_peer("p", peerIP="10.192.0.3", asNumber=64599)],
        [Session("Global_10_192_0_3", "10.192.0.3", "p", remote_as=64599, internal=False, passive=True)],
    ),
    Row(
        "a global peerIP that is no node: active",
        [MESH_OFF, MASTER, bgp_peer("p", peerIP="10.192.0.3", asNumber=64512)],
        [Session("Global_10_192_0_3", "10.192.0.3", "p", passive=False)],
    ),
    Row(
        "a peerIP of one node only: active, both sides dial",
        [MESH_OFF, MASTER, NODE_1, bgp_peer("p", node="kube-master", peerIP="10.192.0.3", asNumber=64512)],
        [node_3(passive=False)],
    ),
    Row(
        "a global peerSelector: active, both sides dial",
        [MESH_OFF, MASTER, NODE_1, bgp_peer("p", peerSelector="rack == '2'")],
        [Session("Global_10_192_0_3", "10.192.0.3", "p", passive=False)],
    ),
    Row(
        "in reverse: active, both sides dial",
        [MESH_OFF, MASTER, NODE_1, bgp_peer("p", node="kube-node-1", peerIP="10.192.0.2", asNumber=64512)],
        [node_3(passive=False)],
    ),
)

FILTERS = (
    Row(
        "filters in their order, in both directions",
        [
            *(MESH_OFF, MASTER, router(filters=["b", "a", "c"])),
            *(
                bgp_filter("a", "importV4", "exportV4"),
                bgp_filter("b", "importV4"),
                bgp_filter("c", "exportV4"),
            ),
        ],
        [external(imports=("b", "a"), exports=("a", "c"))],
    ),
    Row(
        "a filter without rules for the family is passed over",
        [MESH_OFF, MASTER, bgp_filter("f", "importV6", "exportV6"), router(filters=["f"])],
        [external(imports=(), exports=())],
    ),
    Row(
        "filters of IPv6",
        [
            *(MESH_OFF, MASTER, bgp_filter("f", "importV6"), bgp_filter("g", "exportV6", "importV4")),
            bgp_peer("p", node="kube-master", peerIP="2001:db8::1", asNumber=64567, filters=["f", "g"]),
        ],
        [
            Session(
                "Node_2001_db8__1",
                "2001:db8::1",
                "p",
                remote_as=64567,
                internal=False,
                imports=("f",),
                exports=("g",),
            )
        ],
    ),
    Row(
        "filters with a peerSelector",
        [
            *(MESH_OFF, MASTER, NODE_1, bgp_filter("f", "importV4")),
            bgp_peer("p", node="kube-master", peerSelector="rack == '2'", filters=["f"]),
        ],
        [node_3(imports=("f",))],
    ),
    Row(
        "filters in reverse",
        [
            *(MESH_OFF, MASTER, NODE_1, bgp_filter("f", "importV4", "exportV4")),
            bgp_peer("p", node="kube-node-1", peerSelector="rack == '1'", filters=["f"]),
        ],
        [node_3(imports=("f",), exports=("f",))],
    ),
    Row(
        "a filter that was changed is the changed one",
        [
            *(MESH_OFF, MASTER, bgp_filter("f", "importV4"), router(filters=["f"])),
            bgp_filter("f", "exportV4"),
        ],
        [external(imports=(), exports=("f",))],
    ),
    Row(
        "a rule for external peers is for external peers",
        [MESH_OFF, MASTER, FOR_EXTERNAL, router(filters=["f"])],
        [external(imports=("f",))],
    ),
    Row(
        "a rule for external peers is not for one whose AS we present",
        [MESH_OFF, MASTER, FOR_EXTERNAL, router(filters=["f"], localASNumber=64567)],
        [internal(local_as=64567, remote_as=64567, imports=())],
    ),
    Row(
        "without one of its filters a session stays down",
        [MESH_OFF, MASTER, bgp_filter("f", "importV4"), router(filters=["f", "gone"])],
        problems=["BGPPeer p spec.filters[1]"],
    ),
    Row(
        "an invalid filter is none, and the session stays down",
        [
            MESH_OFF,
            MASTER,
            resource("BGPFilter", "f", {"importV4": [{"action": "Maybe"}]}),
            router(filters=["f"]),
        ],
        problems=["BGPPeer p spec.filters[0]"],
    ),
)

WORKLOADS = (
    Row(
        "workloads of this node that match, in both families; passive, from no fixed address",
        [
            *(MESH_OFF, MASTER),
            workload("w", "10.65.0.1/32", "fd00:65::1/128", router="yes"),
            workload("x", "10.65.0.2/32"),
            workload("y", "10.65.0.3/32", on="kube-node-1", router="yes"),
            bgp_peer("p", localWorkloadSelector="router == 'yes'", asNumber=65000),
        ],
        [
            Session(name, address, "p", remote_as=65000, internal=False, passive=True, source=None)
            for name, address in (
                ("Local_Workload_10_65_0_1", "10.65.0.1"),
                ("Local_Workload_fd00_65__1", "fd00:65::1"),
            )
        ],
    ),
    Row(
        "workloads: filters, localASNumber, numAllowedLocalASNumbers",
        [
            *(MESH_OFF, MASTER, workload("w", "10.65.0.1/32"), bgp_filter("f", "importV4")),
            bgp_peer(
                "p",
                node="kube-master",
                localWorkloadSelector="all()",
                asNumber=65000,
                localASNumber=64700,
                numAllowedLocalASNumbers=1,
                filters=["f"],
            ),
        ],
        [
            Session(
                "Local_Workload_10_65_0_1",
                "10.65.0.1",
                "p",
                local_as=64700,
                remote_as=65000,
                internal=False,
                passive=True,
                source=None,
                allowed_local_as=1,
                imports=("f",),
            )
        ],
    ),
    Row(
        "workloads of a node that the BGPPeer is not for",
        [
            *(MESH_OFF, MASTER, workload("w", "10.65.0.1/32")),
            bgp_peer("p", node="kube-node-1", localWorkloadSelector="all()", asNumber=65000),
        ],
    ),
    Row(
        "workloads of a family that the node has not",
        [
            *(MESH_OFF, node("kube-master", "10.192.0.2"), workload("w", "fd00:65::1/128")),
            bgp_peer("p", localWorkloadSelector="all()", asNumber=65000),
        ],
    ),
)

ROWS = (*AS_NUMBERS, *REFLECTION, *NEXT_HOPS, *TRANSPORT, *PASSIVE, *FILTERS, *WORKLOADS)


@pytest.mark.parametrize("row", ROWS, ids=rule_of)
def test_session(row: Row) -> None:
    check(row)
