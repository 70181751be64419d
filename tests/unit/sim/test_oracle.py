"""What must hold at rest, for stores small enough to know it by hand."""

import pytest

from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.oracle import Forwarding, UnsettledError, expected, propagate
from felixbgp.sim.topology import Router, Speaker, read, sessions
from tests.support.stored import Item, block, cluster_of, node, pool, resource, without_mesh

PRIORITY = 1024
TOR = Router(
    Speaker("tor", 65000, {IPV4: Address.parse("172.30.0.9")}),
    (Prefix.parse("203.0.113.0/24"),),
    {Address.parse(f"172.30.0.{number}"): 64512 + number for number in (1, 2)},
)
TO_TOR = resource("BGPPeer", "tor", {"peerIP": "172.30.0.9", "asNumber": 65000})


def kernels(items: list[Item], *routers: Router) -> dict[str, dict[str, str]]:
    """By node and prefix, the gateways; "here" for a blackhole."""
    found = expected(read(items, routers)).kernels
    return {
        name: {str(prefix): " ".join(map(str, route.gateways)) or "here" for prefix, route in routes.items()}
        for name, routes in found.items()
    }


def peers(items: list[Item], *routers: Router) -> dict[str, set[str]]:
    found = expected(read(items, routers))
    return {name: {str(address)[-1] for address in found.peers_of(name)} for name in found.kernels}


def reflector(number: int, cluster_id: str = "244.0.0.1") -> Item:
    return node(number, labels={"reflector": "yes"}, routeReflectorClusterID=cluster_id)


TO_REFLECTORS = resource("BGPPeer", "rr", {"nodeSelector": "all()", "peerSelector": "has(reflector)"})


def test_in_a_mesh_everybody_hears_of_every_block_from_its_node() -> None:
    assert peers(cluster_of(3)) == {"node-1": {"2", "3"}, "node-2": {"1", "3"}, "node-3": {"1", "2"}}
    assert kernels(cluster_of(3))["node-2"] == {
        "10.0.1.0/26": "172.30.0.1",
        "10.0.2.0/26": "here",
        "10.0.3.0/26": "172.30.0.3",
    }


def test_without_sessions_everybody_has_its_own_block_alone() -> None:
    assert kernels([*cluster_of(2), without_mesh()]) == {
        "node-1": {"10.0.1.0/26": "here"},
        "node-2": {"10.0.2.0/26": "here"},
    }


def test_a_session_with_a_node_that_left_counts_for_nothing() -> None:
    whole, left = read(cluster_of(3)), read(cluster_of(2))
    best = propagate(left, sessions(whole), Prefix.parse("10.0.1.0/26"))
    assert best.keys() == {"node-1", "node-2"}


def test_a_reflector_takes_no_part_in_the_mesh() -> None:
    items = [*cluster_of(3), reflector(3)]
    assert peers(items) == {"node-1": {"2"}, "node-2": {"1"}, "node-3": set()}


def test_reflectors_pass_on_what_their_clients_tell_with_its_next_hop() -> None:
    items = [*cluster_of(4), without_mesh(), reflector(1), reflector(2), TO_REFLECTORS]
    assert peers(items)["node-3"] == {"1", "2"}
    assert peers(items)["node-1"] == {"2", "3", "4"}
    assert kernels(items)["node-3"] == {
        "10.0.1.0/26": "172.30.0.1",
        "10.0.2.0/26": "172.30.0.2",
        "10.0.3.0/26": "here",
        "10.0.4.0/26": "172.30.0.4",
    }


def test_reflectors_of_two_clusters_pass_on_what_the_other_one_heard() -> None:
    # node-3 is a client of node-1 alone, node-4 of node-2, and the reflectors know each other.
    ends = (("node-3", "172.30.0.1"), ("node-4", "172.30.0.2"), ("node-1", "172.30.0.2"))
    named = [
        resource("BGPPeer", f"of-{name}", {"node": name, "peerIP": address, "asNumber": 64512})
        for name, address in ends
    ]
    items = [*cluster_of(4), without_mesh(), reflector(1), reflector(2, "244.0.0.2"), *named]
    assert peers(items)["node-1"] == {"2", "3"}
    assert kernels(items)["node-3"]["10.0.4.0/26"] == "172.30.0.4"


def test_over_ebgp_the_router_is_the_next_hop_and_ones_own_as_a_loop() -> None:
    items = [*cluster_of(2), node(1, asNumber=64513), node(2, asNumber=64514), without_mesh(), TO_TOR]
    found = kernels(items, TOR)
    assert found["node-1"] == {
        "10.0.1.0/26": "here",
        "10.0.2.0/26": "172.30.0.9",
        "203.0.113.0/24": "172.30.0.9",
    }
    assert found["tor"]["10.0.2.0/26"] == "172.30.0.2"
    same = [*items, node(2, asNumber=64513)]
    other = TOR._replace(peers=dict.fromkeys(TOR.peers, 64513))
    assert "10.0.2.0/26" not in kernels(same, other)["node-1"]


def test_ends_that_do_not_agree_on_the_as_numbers_have_no_session() -> None:
    items = [*cluster_of(2), node(1, asNumber=64513), node(2, asNumber=64519), without_mesh(), TO_TOR]
    assert peers(items, TOR) == {"node-1": {"9"}, "node-2": set(), "tor": {"1"}}


def test_one_block_of_two_nodes_is_a_route_with_two_gateways() -> None:
    both = ("/calico/ipam/v2/host/node-1/ipv4/block/10.0.2.0-26", b'{"state":"confirmed"}')
    assert kernels([*cluster_of(3), both])["node-3"]["10.0.2.0/26"] == "172.30.0.1 172.30.0.2"


def test_what_filters_reject_is_nowhere_and_a_priority_is_a_metric() -> None:
    rules: dict[str, object] = {
        "exportV4": [
            {"action": "Reject", "cidr": "10.0.1.0/26", "matchOperator": "Equal"},
            {
                "action": "Accept",
                "cidr": "10.0.2.0/26",
                "matchOperator": "Equal",
                "operations": [{"setPriority": {"value": 512}}],
            },
        ]
    }
    to_all: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()", "filters": ["some"]}
    peer = resource("BGPPeer", "all", to_all)
    items = [*cluster_of(3), without_mesh(), resource("BGPFilter", "some", rules), peer]
    found = expected(read(items)).kernels["node-3"]
    assert found == {
        Prefix.parse("10.0.2.0/26"): Forwarding(512, (Address.parse("172.30.0.2"),)),
        Prefix.parse("10.0.3.0/26"): Forwarding(PRIORITY),
    }


def test_a_missing_filter_keeps_a_session_down_whoever_else_wants_it() -> None:
    spec: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()", "filters": ["missing"]}
    assert peers([*cluster_of(2), resource("BGPPeer", "all", spec)]) == {"node-1": set(), "node-2": set()}


def test_a_claim_that_is_pending_is_not_told_and_a_pool_may_keep_all_to_itself() -> None:
    pending = [*cluster_of(2), block(2, "pending")]
    assert list(kernels(pending)["node-1"]) == ["10.0.1.0/26"]
    assert list(kernels([*cluster_of(2), pool(disableBGPExport=True)])["node-1"]) == ["10.0.1.0/26"]


def test_ranges_of_services_are_in_no_kernel_but_a_routers() -> None:
    services = {"serviceClusterIPs": [{"cidr": "10.96.0.0/12"}]}
    ases = [node(1, asNumber=64513), node(2, asNumber=64514)]
    found = kernels([*cluster_of(2), *ases, without_mesh(**services), TO_TOR], TOR)
    assert "10.96.0.0/12" not in found["node-1"]
    assert found["tor"]["10.96.0.0/12"] == "172.30.0.1 172.30.0.2"


def test_policies_that_prefer_each_others_way_have_no_state_at_rest() -> None:
    # Griffin and Wilfong's bad gadget: of three, each prefers its neighbour's direct way to its own.
    items = [pool(), *(node(number, asNumber=64512 + number) for number in (1, 2, 3, 4)), block(4)]
    items += [without_mesh(), *peering(4, 1), *peering(4, 2), *peering(4, 3)]
    indirect = "65000:9"
    better = [{"addCommunity": {"value": indirect}}, {"setPriority": {"value": 1}}]
    hidden = {"action": "Reject", "communities": {"values": [indirect]}}
    prefers = {"importV4": [{"action": "Accept", "operations": better}], "exportV4": [{"action": "Reject"}]}
    items.append(resource("BGPFilter", "prefers", prefers))
    items.append(resource("BGPFilter", "tells", {"importV4": [{"action": "Reject"}], "exportV4": [hidden]}))
    for number, neighbour in ((1, 2), (2, 3), (3, 1)):
        items += peering(number, neighbour, "prefers", "tells")
    with pytest.raises(UnsettledError, match=r"10\.0\.4\.0/26: the choice"):
        expected(read(items))


def peering(one: int, other: int, *filters: str) -> list[Item]:
    """Two nodes that peer over eBGP, each by a BGPPeer of its own, with a filter for each."""
    found = []
    for place, (local, remote) in enumerate(((one, other), (other, one))):
        spec: dict[str, object] = {
            "node": f"node-{local}",
            "peerIP": f"172.30.0.{remote}",
            "asNumber": 64512 + remote,
            "reversePeering": "Manual",
            "filters": list(filters[place : place + 1]),
        }
        found.append(resource("BGPPeer", f"{local}-{remote}", spec))
    return found
