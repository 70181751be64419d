"""The way to peers that are not on a link."""

from felixbgp.intent.types import StaticRoute
from felixbgp.net import Address, Prefix
from tests.unit.intent.test_derive import Cluster, names, problems, three_nodes


def routes(cluster: Cluster, node: str = "master") -> list[str]:
    return [f"{route.prefix} via {route.gateway}" for route in cluster.derive(node).static_routes]


def router(cluster: Cluster, name: str = "router", **more: object) -> Cluster:
    spec: dict[str, object] = {"peerIP": "192.0.2.1", "asNumber": 1, "reachableBy": "10.192.0.9"}
    return cluster.peer(name, **(spec | more))


def test_a_host_route_in_the_peers_family() -> None:
    cluster = router(three_nodes())
    router(cluster, "router6", peerIP="2001:db8::1", reachableBy="fd30::9").node(
        "master", "10.192.0.2", "fd30::2"
    )
    assert cluster.derive().static_routes == (
        StaticRoute(Prefix.parse("192.0.2.1/32"), Address.parse("10.192.0.9")),
        StaticRoute(Prefix.parse("2001:db8::1/128"), Address.parse("fd30::9")),
    )


def test_on_the_nodes_that_peer_and_on_no_other() -> None:
    cluster = router(three_nodes(), nodeSelector="group == 'two'")
    assert routes(cluster, "node-1") == ["192.0.2.1/32 via 10.192.0.9"]
    assert routes(cluster) == []


def test_none_where_the_node_has_no_address_of_the_family() -> None:
    assert routes(router(three_nodes(), peerIP="2001:db8::1", reachableBy="fd30::9")) == []


def test_none_to_ourselves_but_back_to_the_others_as_in_calico() -> None:
    cluster = router(three_nodes(), peerIP="10.192.0.2", asNumber=64512, node="node-1")
    assert routes(cluster, "node-1") == ["10.192.0.2/32 via 10.192.0.9"]
    assert routes(cluster) == ["10.192.0.3/32 via 10.192.0.9"]


def test_a_session_that_is_held_down_has_its_route_all_the_same() -> None:
    cluster = router(three_nodes(), filters=["gone"])
    assert not any(name.startswith("Global") for name in names(cluster.derive()))
    assert routes(cluster) == ["192.0.2.1/32 via 10.192.0.9"]


def test_several_may_name_one_and_the_first_name_counts() -> None:
    cluster = router(router(three_nodes(), "b"), "c", peerIP="192.0.2.1:1179")
    assert routes(cluster) == ["192.0.2.1/32 via 10.192.0.9"]
    assert problems(cluster.derive()) == []
    router(cluster, "a", peerIP="192.0.2.1:2179", reachableBy="10.192.0.8")
    assert routes(cluster) == ["192.0.2.1/32 via 10.192.0.8"]
    reason = "192.0.2.1 is already reached by 10.192.0.8, by BGPPeer a, which comes first"
    assert problems(cluster.derive()) == [f"BGPPeer {name} | spec.reachableBy | {reason}" for name in "bc"]
