"""What a node must do. Tests named after Calico follow the golden files of its confd."""

import json

import pytest

from felixbgp.bgp.config import GracefulRestart, NextHopMode, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Intent, PeerOrigin, Tunnel
from felixbgp.net import Address, Prefix

PLURALS = {
    "Node": "nodes",
    "BGPPeer": "bgppeers",
    "BGPConfiguration": "bgpconfigurations",
    "BGPFilter": "bgpfilters",
    "IPPool": "ippools",
}
SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}


class Cluster:
    """A cluster written down with few words."""

    def __init__(self) -> None:
        self._state = ClusterState()
        self._revision = 0

    def put(self, kind: str, name: str, spec: object, **metadata: object) -> "Cluster":
        document = {
            "kind": kind,
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": name, **metadata},
            "spec": spec,
        }
        key = f"/calico/resources/v3/projectcalico.org/{PLURALS[kind]}/{name}"
        return self.store(key, json.dumps(document).encode())

    def store(self, key: str, value: bytes) -> "Cluster":
        self._revision += 1
        self._state.feed(KeyPut(StoredValue(key, value, self._revision)))
        return self

    def node(
        self,
        name: str,
        address: str = "",
        ipv6: str = "",
        labels: dict[str, str] | None = None,
        **bgp: object,
    ) -> "Cluster":
        written = {"ipv4Address": address, "ipv6Address": ipv6, **bgp}
        return self.put("Node", name, {"bgp": written}, labels=labels or {})

    def peer(self, name: str, **spec: object) -> "Cluster":
        return self.put("BGPPeer", name, spec)

    def defaults(self, **spec: object) -> "Cluster":
        return self.put("BGPConfiguration", "default", spec)

    def block(self, host: str, cidr: str, state: str = "confirmed") -> "Cluster":
        family = "ipv6" if ":" in cidr else "ipv4"
        key = f"/calico/ipam/v2/host/{host}/{family}/block/{cidr.replace('/', '-')}"
        return self.store(key, json.dumps({"state": state}).encode())

    def derive(self, node: str = "master", router_id: str | None = None, route_metric: int = 1024) -> Intent:
        identifier = None if router_id is None else Address.parse(router_id)
        return derive(self._state, node, router_id=identifier, route_metric=route_metric)


def three_nodes() -> Cluster:
    return (
        Cluster()
        .node("master", "10.192.0.2", labels={"group": "one"})
        .node("node-1", "10.192.0.3", labels={"group": "two"})
        .node("node-2", "10.192.0.4", labels={"group": "two"})
    )


def names(intent: Intent) -> list[str]:
    return sorted(config.name for config in intent.peers.values())


def by_name(intent: Intent) -> dict[str, PeerConfig]:
    return {config.name: config for config in intent.peers.values()}


def problems(intent: Intent) -> list[str]:
    return [f"{p.subject} | {p.field} | {p.reason}" for p in intent.problems]


def prefixes(*texts: str) -> tuple[Prefix, ...]:
    return tuple(Prefix.parse(text) for text in texts)


# --- who we are ---------------------------------------------------------------------------------------------


def test_a_node_that_does_not_exist() -> None:
    intent = Cluster().derive()
    assert (intent.speaker, intent.peers, intent.listen) == (None, {}, ())
    assert problems(intent) == [
        "Node master |  | does not exist or is invalid; the node takes no part in BGP"
    ]


def test_a_node_without_an_address_takes_no_part() -> None:
    for spec in ({}, {"bgp": {"asNumber": 5}}):
        intent = three_nodes().put("Node", "master", spec).derive()
        assert intent.speaker is None
        assert problems(intent) == ["Node master | spec.bgp | has no address; the node takes no part in BGP"]


@pytest.mark.parametrize(
    ("defaults", "bgp", "number"),
    [({}, {}, 64512), ({"asNumber": "64513"}, {}, 64513), ({"asNumber": 64513}, {"asNumber": 64514}, 64514)],
)
def test_the_as_number_is_the_nodes_else_the_clusters_else_64512(
    defaults: dict[str, object], bgp: dict[str, object], number: int
) -> None:
    spec = {"bgp": {"ipv4Address": "10.192.0.2"} | bgp}
    intent = Cluster().defaults(**defaults).put("Node", "master", spec).derive()
    assert intent.speaker == SpeakerConfig(
        bgp_identifier=Address.parse("10.192.0.2"),
        local_as=number,
        multipath_external=16,
        multipath_internal=16,
    )


def test_an_ipv6_only_node_needs_a_router_id() -> None:
    cluster = Cluster().node("master", ipv6="2001::103")
    assert cluster.derive().speaker is None
    (problem,) = problems(cluster.derive())
    assert problem.startswith("Node master | spec.bgp.ipv4Address | is absent, and no router ID is set")
    speaker = cluster.derive(router_id="1.2.3.4").speaker
    assert speaker is not None
    assert speaker.bgp_identifier == Address.parse("1.2.3.4")


def test_listening_addresses_and_port() -> None:
    cluster = Cluster().node("master", "10.192.0.2/24", "2001::103/64")
    assert cluster.derive().listen == (Address.parse("0.0.0.0"), Address.parse("::"))
    assert cluster.derive().listen_port == 179
    cluster.defaults(bindMode="NodeIP", listenPort=180)
    assert cluster.derive().listen == (Address.parse("10.192.0.2"), Address.parse("2001::103"))
    assert cluster.derive().listen_port == 180
    cluster.put("BGPConfiguration", "node.master", {"listenPort": 181})
    assert cluster.derive().listen_port == 181


# --- the mesh -----------------------------------------------------------------------------------------------


def test_calico_mesh_ipv4() -> None:
    intent = three_nodes().derive()
    assert names(intent) == ["Mesh_10_192_0_3", "Mesh_10_192_0_4"]
    assert all(config.passive for config in intent.peers.values())
    assert set(intent.origins.values()) == {PeerOrigin("mesh", "")}
    peer = by_name(intent)["Mesh_10_192_0_3"]
    assert peer.peer == PeerId(Address.parse("10.192.0.3"), 179)
    assert (peer.local_as, peer.remote_as, peer.route_reflector_client) == (64512, 64512, False)
    assert peer.transport == TransportOptions(local_address=Address.parse("10.192.0.2"), ttl=64)
    assert intent.problems == ()


def test_calico_mesh_ipv6_dials_the_peer_whose_address_text_is_less() -> None:
    cluster = (
        Cluster()
        .node("master", "10.0.0.1", "2001::103")
        .node("a", ipv6="2001::102")
        .node("b", ipv6="2001::104")
    )
    peers = by_name(cluster.derive())
    assert {name: peer.passive for name, peer in peers.items()} == {
        "Mesh_2001__102": False,
        "Mesh_2001__104": True,
    }


def test_the_order_that_chooses_the_dialler_is_that_of_the_texts() -> None:
    cluster = Cluster().node("nine", "10.0.0.9").node("ten", "10.0.0.10")
    assert by_name(cluster.derive("ten"))["Mesh_10_0_0_9"].passive
    assert not by_name(cluster.derive("nine"))["Mesh_10_0_0_10"].passive


def test_two_families_are_two_sessions() -> None:
    cluster = Cluster().node("master", "10.0.0.1", "fd00::1").node("a", "10.0.0.2", "fd00::2")
    peers = by_name(cluster.derive())
    assert {name: [f.label for f in peer.families] for name, peer in peers.items()} == {
        "Mesh_10_0_0_2": ["ipv4"],
        "Mesh_fd00__2": ["ipv6"],
    }


def test_mesh_peers_of_another_as_and_port() -> None:
    cluster = three_nodes().node("node-1", "10.192.0.3", asNumber=64600)
    cluster.put("BGPConfiguration", "node.node-1", {"listenPort": 500}).defaults(listenPort=400)
    peers = {str(peer): config.remote_as for peer, config in cluster.derive().peers.items()}
    assert peers == {"10.192.0.3:500": 64600, "10.192.0.4:400": 64512}


def test_nodes_without_bgp_and_reflectors_are_not_in_the_mesh() -> None:
    cluster = three_nodes().put("Node", "node-1", {})
    cluster.node("node-2", "10.192.0.4", routeReflectorClusterID="10.0.0.1")
    assert names(cluster.derive()) == []
    assert names(cluster.derive("node-2")) == []


def test_the_annotation_makes_a_reflector_too() -> None:
    annotation = {"projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}
    spec = {"bgp": {"ipv4Address": "10.192.0.4"}}
    cluster = three_nodes().put("Node", "node-2", spec, annotations=annotation)
    assert names(cluster.derive()) == ["Mesh_10_192_0_3"]
    speaker = cluster.derive("node-2").speaker
    assert speaker is not None
    assert speaker.cluster_id == Address.parse("244.0.0.1")


def test_the_mesh_can_be_switched_off() -> None:
    assert names(three_nodes().defaults(nodeToNodeMeshEnabled=False).derive()) == []


def test_a_mesh_password_that_cannot_be_read_keeps_the_mesh_down() -> None:
    intent = three_nodes().defaults(nodeMeshPassword=SECRET).derive()
    assert (intent.peers, intent.origins) == ({}, {})
    assert [problem.split(" | ")[1] for problem in problems(intent)] == ["spec.nodeMeshPassword.secretKeyRef"]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(None, 120), ("10s", 10), ("1m30s", 90), ("1500ms", 2), ("0", 0), ("2h", 4095)],
)
def test_every_peer_may_restart_and_for_how_long_can_be_said(duration: str | None, seconds: int) -> None:
    said = {} if duration is None else {"nodeMeshMaxRestartTime": duration}
    mesh = three_nodes().defaults(**said).derive()
    said = {} if duration is None else {"maxRestartTime": duration}
    explicit = Cluster().node("master", "10.0.0.1").peer("p", peerIP="192.0.2.1", asNumber=1, **said).derive()
    assert {config.graceful_restart for intent in (mesh, explicit) for config in intent.peers.values()} == {
        GracefulRestart(restart_time_s=seconds, forwarding_preserved=True)
    }


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(None, None), ("20s", 20), ("1m30s", 90), ("1500ms", 2), ("2500ms", 3), ("1ms", 1), ("0", None)],
)
def test_the_keepalive_time_of_a_peer_in_whole_seconds(duration: str | None, seconds: int | None) -> None:
    said = {} if duration is None else {"keepaliveTime": duration}
    cluster = three_nodes().peer("p", peerIP="192.0.2.1", asNumber=1, **said)
    assert problems(cluster.derive()) == []
    peers = by_name(cluster.derive())
    assert peers["Global_192_0_2_1"].keepalive_time_s == seconds
    assert peers["Mesh_10_192_0_3"].keepalive_time_s is None


def test_two_nodes_with_one_address_give_one_session() -> None:
    cluster = three_nodes().node("node-9", "10.192.0.3").node("copy", "10.192.0.2")
    intent = cluster.derive()
    assert names(intent) == ["Mesh_10_192_0_3", "Mesh_10_192_0_4"]
    assert problems(intent) == [
        f"Node {name} | spec.bgp | {address} is also the address of Node {first}, the one that is peered with"
        for name, address, first in (("copy", "10.192.0.2", "master"), ("node-9", "10.192.0.3", "node-1"))
    ]


def test_which_of_them_does_not_depend_on_who_came_first() -> None:
    cluster = three_nodes().node("node-0", "10.192.0.3", asNumber=64600)
    assert by_name(cluster.derive())["Mesh_10_192_0_3"].remote_as == 64600


# --- BGPPeers -----------------------------------------------------------------------------------------------


def test_a_global_peer_is_every_nodes() -> None:
    cluster = three_nodes().peer("tor", peerIP="192.20.30.40", asNumber=64567)
    for node in ("master", "node-1"):
        intent = cluster.derive(node)
        peer = by_name(intent)["Global_192_20_30_40"]
        assert (peer.local_as, peer.remote_as, peer.passive) == (64512, 64567, False)
        assert intent.origins[peer.peer] == PeerOrigin("global", "tor")


def test_a_peer_of_one_node_by_name_or_selector() -> None:
    cluster = three_nodes().defaults(nodeToNodeMeshEnabled=False)
    cluster.peer("by-name", node="master", peerIP="192.0.2.1", asNumber=1)
    cluster.peer("by-selector", nodeSelector="group == 'two'", peerIP="192.0.2.2", asNumber=2)
    assert names(cluster.derive()) == ["Node_192_0_2_1"]
    assert names(cluster.derive("node-1")) == ["Node_192_0_2_2"]


def test_calico_selectors_peer_in_both_directions_and_find_the_port() -> None:
    cluster = three_nodes().defaults(nodeToNodeMeshEnabled=False)
    cluster.put("BGPConfiguration", "node.node-1", {"listenPort": 500})
    cluster.peer("p", nodeSelector="group == 'one'", peerSelector="group == 'two'")
    assert names(cluster.derive()) == ["Node_10_192_0_3_port_500", "Node_10_192_0_4"]
    assert names(cluster.derive("node-1")) == ["Node_10_192_0_2"]
    assert set(cluster.derive("node-1").origins.values()) == {PeerOrigin("node", "p")}
    assert not any(config.passive for config in cluster.derive().peers.values())


def test_calico_a_reflector_in_a_mesh_cluster() -> None:
    cluster = three_nodes().node(
        "node-2", "10.192.0.4", labels={"rr": "1"}, routeReflectorClusterID="10.0.0.1"
    )
    cluster.peer("p", nodeSelector="has(rr)", peerSelector="!has(rr)")
    peers = by_name(cluster.derive())
    assert sorted(peers) == ["Mesh_10_192_0_3", "Node_10_192_0_4"]
    assert not peers["Node_10_192_0_4"].passive
    assert not peers["Node_10_192_0_4"].route_reflector_client
    reflector = by_name(cluster.derive("node-2"))
    assert {name: peer.route_reflector_client for name, peer in reflector.items()} == {
        "Node_10_192_0_2": True,
        "Node_10_192_0_3": True,
    }


def test_reflectors_of_one_cluster_are_no_clients_of_each_other_and_of_two_they_are() -> None:
    for other, client in (("1.1.1.1", False), ("2.2.2.2", True)):
        cluster = (
            Cluster()
            .node("master", "10.0.0.1", routeReflectorClusterID="1.1.1.1")
            .node("a", "10.0.0.2", routeReflectorClusterID=other)
            .peer("all", nodeSelector="all()", peerSelector="all()")
        )
        (peer,) = cluster.derive().peers.values()
        assert peer.route_reflector_client is client


def test_calico_peers_by_address_find_the_port_of_nodes_of_that_as() -> None:
    cluster = Cluster().node("master", "10.192.0.2").node("a", "10.192.0.3").node("b", "10.192.0.1")
    cluster.defaults(nodeToNodeMeshEnabled=False, asNumber=64567, listenPort=150)
    cluster.peer("p1", peerIP="10.192.0.3", asNumber=64567, sourceAddress="None")
    cluster.peer("p2", peerIP="10.192.0.1:166", asNumber=64567)
    cluster.peer("p3", peerIP="10.192.0.1", asNumber=64567)
    cluster.peer("p4", peerIP="10.192.0.4", asNumber=64567)
    peers = by_name(cluster.derive())
    assert {name: peer.passive for name, peer in peers.items()} == {
        "Global_10_192_0_3_port_150": True,
        "Global_10_192_0_1_port_166": False,
        "Global_10_192_0_1_port_150": False,
        # No node: the cluster's port says nothing about it.
        "Global_10_192_0_4": False,
    }
    assert peers["Global_10_192_0_3_port_150"].transport.local_address is None


def test_reverse_peering_by_address_asks_for_as_and_port() -> None:
    def peers_of_other(**spec: object) -> list[str]:
        cluster = three_nodes().defaults(nodeToNodeMeshEnabled=False)
        return names(cluster.peer("p", node="master", **spec).derive("node-1"))

    assert peers_of_other(peerIP="10.192.0.3", asNumber=64512) == ["Node_10_192_0_2"]
    assert peers_of_other(peerIP="10.192.0.3:179", asNumber=64512) == ["Node_10_192_0_2"]
    assert peers_of_other(peerIP="10.192.0.3:180", asNumber=64512) == []
    assert peers_of_other(peerIP="10.192.0.3", asNumber=64513) == []
    assert peers_of_other(peerIP="10.192.0.3", asNumber=64512, reversePeering="Manual") == []


def test_ourselves_are_never_a_peer() -> None:
    cluster = three_nodes().peer("p", peerIP="10.192.0.2:1790", asNumber=64512)
    cluster.peer("q", peerSelector="all()")
    assert names(cluster.derive()) == ["Global_10_192_0_3", "Global_10_192_0_4"]


def test_of_two_that_claim_a_peer_the_name_that_sorts_first_wins() -> None:
    cluster = three_nodes()
    cluster.peer("b", peerIP="192.0.2.1", asNumber=2).peer("a", peerIP="192.0.2.1", asNumber=1)
    intent = cluster.derive()
    assert by_name(intent)["Global_192_0_2_1"].remote_as == 1
    assert problems(intent) == ["BGPPeer b |  | 192.0.2.1 is already a peer by BGPPeer a, which comes first"]


def test_a_global_claim_beats_a_nodes_own_even_by_a_later_name() -> None:
    cluster = three_nodes().peer("z", peerIP="192.0.2.1", asNumber=1)
    cluster.peer("a", node="master", peerIP="192.0.2.1", asNumber=2)
    intent = cluster.derive()
    assert "Global_192_0_2_1" in names(intent)
    assert "Node_192_0_2_1" not in names(intent)


def test_two_that_say_the_same_are_no_problem() -> None:
    cluster = three_nodes()
    for name in "ab":
        cluster.peer(name, nodeSelector="all()", peerSelector="all()")
    assert cluster.derive().problems == ()


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        ({}, NextHopMode.AUTO),
        ({"keepOriginalNextHop": True}, NextHopMode.KEEP),
        ({"keepOriginalNextHop": True, "asNumber": 64512}, NextHopMode.AUTO),
        ({"nextHopMode": "Keep", "asNumber": 64512}, NextHopMode.KEEP),
        ({"nextHopMode": "Self"}, NextHopMode.SELF),
        ({"nextHopMode": "Auto"}, NextHopMode.AUTO),
    ],
)
def test_next_hop_towards_a_peer(spec: dict[str, object], mode: NextHopMode) -> None:
    cluster = Cluster().node("master", "10.0.0.1")
    cluster.peer("p", **({"peerIP": "192.0.2.1", "asNumber": 1} | spec))
    (peer,) = cluster.derive().peers.values()
    assert peer.next_hop is mode


def test_the_other_parameters_of_a_peer() -> None:
    cluster = Cluster().node("master", "10.0.0.1", routeReflectorClusterID="1.1.1.1")
    spec = {"numAllowedLocalASNumbers": 2, "ttlSecurity": 3, "localASNumber": 7, "asNumber": 7}
    (peer,) = cluster.peer("p", peerIP="192.0.2.1", **spec).derive().peers.values()
    assert (peer.allowed_local_as, peer.local_as, peer.remote_as) == (2, 7, 7)
    assert peer.route_reflector_client
    own = Address.parse("10.0.0.1")
    assert peer.transport == TransportOptions(local_address=own, ttl=255, min_ttl=253)
    cluster.peer("p", peerIP="192.0.2.1", asNumber=7, ttlSecurity=0)
    (peer,) = cluster.derive().peers.values()
    assert peer.transport == TransportOptions(local_address=own, ttl=64)


def test_the_other_side_of_a_local_as_expects_it() -> None:
    cluster = three_nodes().peer("p", node="master", peerSelector="group == 'two'", localASNumber=7)
    assert by_name(cluster.derive())["Node_10_192_0_3"].local_as == 7
    back = by_name(cluster.derive("node-1"))["Node_10_192_0_2"]
    assert (back.local_as, back.remote_as) == (64512, 7)


# --- what stays down, and what is said of it ----------------------------------------------------------------


def test_a_peer_whose_password_cannot_be_read_stays_down() -> None:
    intent = (
        Cluster()
        .node("master", "10.0.0.1")
        .peer("p", peerIP="192.0.2.1", asNumber=1, password=SECRET)
        .derive()
    )
    assert (intent.peers, intent.origins) == ({}, {})
    assert problems(intent) == [
        (
            'BGPPeer p | spec.password.secretKeyRef | secret "s", key "k": has not been read yet; '
            "the session stays down"
        )
    ]


def test_a_peer_held_down_is_opened_by_no_weaker_claim() -> None:
    cluster = three_nodes().peer("a", node="master", peerIP="10.192.0.3", asNumber=64512, filters=["gone"])
    cluster.peer("b", nodeSelector="all()", peerSelector="all()")
    # Neither the mesh nor the second BGPPeer opens what the first one must not.
    assert names(cluster.derive()) == ["Node_10_192_0_4"]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (None, "BGPFilter f does not exist or is invalid; the session stays down"),
        ({"importV4": [{}]}, "BGPFilter f does not exist or is invalid; the session stays down"),
    ],
)
def test_a_peer_whose_filter_is_missing_stays_down(spec: object, reason: str) -> None:
    cluster = Cluster().node("master", "10.0.0.1").put("BGPFilter", "other", {})
    if spec is not None:
        cluster.put("BGPFilter", "f", spec)
    intent = cluster.peer("p", peerIP="192.0.2.1", asNumber=1, filters=["other", "f"]).derive()
    assert intent.peers == {}
    assert f"BGPPeer p | spec.filters[1] | {reason}" in problems(intent)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, "spec | names no peer: it has neither peerIP nor peerSelector"),
        (
            {"peerIP": "2001:db8::1", "asNumber": 1},
            "spec.peerIP | is of a family in which Node master has no address",
        ),
    ],
)
def test_what_is_ignored_is_said(spec: dict[str, object], problem: str) -> None:
    intent = Cluster().node("master", "10.0.0.1").peer("p", **spec).derive()
    assert problems(intent) == [f"BGPPeer p | {problem}"]


def test_a_peer_of_other_nodes_is_no_problem_of_ours() -> None:
    assert three_nodes().peer("p", node="elsewhere").derive().problems == ()


def test_configurations_that_mean_nothing() -> None:
    cluster = three_nodes().put("BGPConfiguration", "mine", {}).put("BGPConfiguration", "node.other", {})
    cluster.defaults(
        logSeverityScreen="Debug",
        localWorkloadPeeringIPV4="169.254.0.179",
        localWorkloadPeeringIPV6="fe80::179",
        prefixAdvertisements=[{"cidr": "10.0.0.0/8", "communities": ["1:2"]}],
        serviceLoadBalancerAggregation="Enabled",
    )
    assert problems(cluster.derive()) == [
        "BGPConfiguration mine |  | is ignored: only the names default and node.<name> mean something",
    ]


def test_single_services_are_not_advertised() -> None:
    reason = (
        "no load balancer address is advertised: the ranges are not to be, "
        "and single services are known to the Kubernetes API alone"
    )
    intent = three_nodes().defaults(serviceLoadBalancerAggregation="Disabled").derive()
    assert problems(intent) == [f"BGPConfiguration default | spec.serviceLoadBalancerAggregation | {reason}"]


def test_what_only_the_default_configuration_can_say() -> None:
    cluster = three_nodes()
    fields: dict[str, object] = {
        "bindMode": "NodeIP",
        "ignoredInterfaces": ["eth1"],
        "ipv4NormalRoutePriority": 512,
        "ipv6NormalRoutePriority": 512,
        "localWorkloadPeeringIPV4": "169.254.0.179",
        "localWorkloadPeeringIPV6": "fe80::179",
        "programClusterRoutes": "Disabled",
        "serviceLoadBalancerAggregation": "Enabled",
    }
    reason = "is ignored: only that of the BGPConfiguration default counts"
    intent = cluster.put("BGPConfiguration", "node.master", fields).derive()
    assert problems(intent) == [f"BGPConfiguration node.master | spec.{field} | {reason}" for field in fields]
    assert intent.normal_priority == (1024, 1024)
    assert problems(cluster.put("BGPConfiguration", "node.master", {}).defaults(**fields).derive()) == []


def test_networks_of_some_interfaces_are_not_ours_to_originate() -> None:
    assert three_nodes().derive().ignored_interfaces == ("cali*", "kube-ipvs*")
    intent = three_nodes().defaults(ignoredInterfaces=["eth1", "docker*"]).derive()
    assert intent.ignored_interfaces == ("cali*", "kube-ipvs*", "eth1", "docker*")


def test_the_normal_priority_is_the_configurations_or_else_the_agents_metric() -> None:
    assert three_nodes().derive().normal_priority == (1024, 1024)
    cluster = three_nodes().defaults(ipv4NormalRoutePriority=512)
    assert cluster.derive().normal_priority == (512, 1024)
    assert cluster.derive(route_metric=77).normal_priority == (512, 77)


def test_an_invalid_object_is_left_to_the_state_that_names_its_key() -> None:
    cluster = three_nodes().peer("p", peerIP="192.0.2.1", asNumber=4294967296)
    assert problems(cluster.derive()) == []
    assert cluster.derive().peers == three_nodes().derive().peers


# --- what is originated, and what goes into the kernel ------------------------------------------------------


def test_aggregates_are_the_nodes_own_blocks() -> None:
    cluster = Cluster().node("master", "10.0.0.1")
    cluster.block("master", "10.65.2.0/26").block("master", "10.65.1.0/26", "pendingDeletion")
    cluster.block("master", "10.65.3.0/26", "pending").block("master", "10.65.4.1/32")
    cluster.block("other", "10.65.5.0/26").block("master", "fd00:1::/122")
    assert cluster.derive().aggregates == prefixes("10.65.1.0/26", "10.65.2.0/26", "fd00:1::/122")


def test_service_ranges_are_originated_and_kept_out_of_the_kernel() -> None:
    cluster = Cluster().node("master", "10.0.0.1")
    cluster.defaults(
        serviceClusterIPs=[{"cidr": "10.96.0.0/12"}, {}],
        serviceExternalIPs=[{"cidr": "192.0.2.0/28"}, {"cidr": "203.0.113.2/32"}],
        serviceLoadBalancerIPs=[{"cidr": "198.51.100.0/24"}, {"cidr": "203.0.113.1/32"}],
    )
    ranges = prefixes("10.96.0.0/12", "198.51.100.0/24", "192.0.2.0/28")
    assert cluster.derive().service_ranges == ranges
    assert cluster.derive().kernel_exclusions == ranges
    label = {"node.kubernetes.io/exclude-from-external-load-balancers": "true"}
    cluster.node("master", "10.0.0.1", labels=label)
    assert cluster.derive().service_ranges == ()
    assert len(cluster.derive().kernel_exclusions) == 3


def test_load_balancer_ranges_that_are_not_aggregated_stay_out_of_the_kernel_alone() -> None:
    cluster = Cluster().node("master", "10.0.0.1")
    cluster.defaults(
        serviceExternalIPs=[{"cidr": "192.0.2.0/28"}],
        serviceLoadBalancerIPs=[{"cidr": "198.51.100.0/24"}],
        serviceLoadBalancerAggregation="Disabled",
    )
    assert cluster.derive().service_ranges == prefixes("192.0.2.0/28")
    assert cluster.derive().kernel_exclusions == prefixes("198.51.100.0/24", "192.0.2.0/28")


def pools() -> Cluster:
    cluster = Cluster().node("master", "10.0.0.1/24")
    for name, cidr, spec in (
        ("plain", "10.1.0.0/16", {}),
        ("always", "10.2.0.0/16", {"ipipMode": "Always"}),
        ("crossing", "10.3.0.0/16", {"ipipMode": "CrossSubnet"}),
        ("vxlan", "10.4.0.0/16", {"vxlanMode": "CrossSubnet"}),
        ("vxlan6", "fd00:4::/64", {"vxlanMode": "Always"}),
    ):
        cluster.put("IPPool", name, {"cidr": cidr, **spec})
    return cluster


def test_vxlan_pools_are_kept_out_of_the_kernel_and_ipip_pools_have_a_tunnel() -> None:
    intent = pools().derive()
    always, crossing = prefixes("10.2.0.0/16", "10.3.0.0/16")
    assert intent.kernel_exclusions == prefixes("10.4.0.0/16", "fd00:4::/64")
    assert intent.tunnels == (
        Tunnel(always, "tunl0", None),
        Tunnel(crossing, "tunl0", Prefix.parse("10.0.0.0/24")),
    )
    assert intent.problems == ()


@pytest.mark.parametrize(
    ("mode", "excluded", "tunnels"),
    [
        ("Enabled", [4], 2),
        ("EnabledIPIPOnly", [1, 4], 2),
        ("EnabledNoEncapOnly", [2, 3, 4], 0),
        ("Disabled", [1, 2, 3, 4], 0),
    ],
)
def test_which_pools_are_ours_to_program(mode: str, excluded: list[int], tunnels: int) -> None:
    intent = pools().defaults(programClusterRoutes=mode).derive()
    own = [prefix for prefix in intent.kernel_exclusions if prefix.family.bits == 32]
    assert own == [Prefix.parse(f"10.{number}.0.0/16") for number in excluded]
    assert len(intent.tunnels) == tunnels


def test_of_two_pools_with_one_range_the_name_that_sorts_first_counts() -> None:
    cluster = Cluster().node("master", "10.0.0.1")
    cluster.put("IPPool", "b", {"cidr": "10.4.0.0/16", "vxlanMode": "Always"})
    assert cluster.derive().kernel_exclusions == prefixes("10.4.0.0/16")
    cluster.put("IPPool", "a", {"cidr": "10.4.0.0/16"})
    assert cluster.derive().kernel_exclusions == ()


def test_nodes_with_wireguard_are_left_to_felix_where_both_have_it() -> None:
    def wireguard(*families: str) -> dict[str, object]:
        addresses = {"4": "10.99.0.1", "6": "fd99::1"}
        return {f"interfaceIPv{family}Address": addresses[family] for family in families}

    cluster = Cluster()
    for number, families in enumerate(("46", "4", "46", "6", ""), start=1):
        bgp = {"ipv4Address": f"10.0.0.{number}/24", "ipv6Address": f"fd00::{number}/64"}
        cluster.put("Node", f"n{number}", {"bgp": bgp, "wireguard": wireguard(*families)})
    expected = {
        "n1": ("10.0.0.2", "10.0.0.3", "fd00::3", "fd00::4"),
        "n2": ("10.0.0.1", "10.0.0.3"),
        "n5": (),
    }
    for name, addresses in expected.items():
        assert [str(one) for one in cluster.derive(name).encrypted_next_hops] == list(addresses)
