"""The policies as a whole: which routes leave a node and which come in, by evaluating them."""

import json

import pytest

from felixbgp.bgp.policy.evaluate import Verdict, evaluate
from felixbgp.bgp.policy.types import Policy, RouteSource
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derive import derive
from felixbgp.net import Prefix
from tests.support.paths import sequence

BGP, KERNEL, AGGREGATE = RouteSource.BGP, RouteSource.KERNEL, RouteSource.AGGREGATE
MESH = "Mesh_10_0_0_2"
INTERNAL = "Global_192_0_2_1"
EXTERNAL = "Global_192_0_2_2"
FILTERED = "Global_192_0_2_3"


def cluster(*resources: tuple[str, str, object], cluster_id: str = "") -> ClusterState:
    state = ClusterState("a")
    own = {
        "bgp": {"ipv4Address": "10.0.0.1", "ipv6Address": "fd00::1", "routeReflectorClusterID": cluster_id}
    }
    written: list[tuple[str, str, object]] = [
        ("Node", "nodes/a", own),
        ("Node", "nodes/b", {"bgp": {"ipv4Address": "10.0.0.2", "ipv6Address": "fd00::2"}}),
        ("BGPPeer", "bgppeers/internal", {"peerIP": "192.0.2.1", "asNumber": 64512}),
        ("BGPPeer", "bgppeers/external", {"peerIP": "192.0.2.2", "asNumber": 1}),
        ("IPPool", "ippools/pool", {"cidr": "10.65.0.0/16"}),
        ("IPPool", "ippools/pool6", {"cidr": "fd00:65::/64"}),
        ("IPPool", "ippools/disabled", {"cidr": "10.66.0.0/16", "disabled": True}),
        ("IPPool", "ippools/hidden", {"cidr": "10.67.0.0/16", "disableBGPExport": True}),
        *resources,
    ]
    for revision, (kind, path, spec) in enumerate(written, start=1):
        metadata = {"name": path.partition("/")[2]}
        document = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
        key = f"/calico/resources/v3/projectcalico.org/{path}"
        state.feed(KeyPut(StoredValue(key, json.dumps(document).encode(), revision)))
    for block, claim in (("10.65.1.0-26", "confirmed"), ("10.65.2.0-26", "pendingDeletion")):
        key = f"/calico/ipam/v2/host/a/ipv4/block/{block}"
        state.feed(KeyPut(StoredValue(key, json.dumps({"state": claim}).encode(), 100)))
    key = "/calico/ipam/v2/host/a/ipv6/block/fd00:65::-122"
    state.feed(KeyPut(StoredValue(key, b"", 100)))
    return state


def policies(state: ClusterState, peer: str) -> tuple[Policy, Policy]:
    intent = derive(state, "a")
    (found,) = [config for config in intent.peers.values() if config.name == peer]
    return found.import_policy, found.export_policy


def passes(policy: Policy, text: str, source: RouteSource = BGP, interface: str = "") -> bool:
    return judge(policy, text, source, interface).accepted


def judge(
    policy: Policy, text: str, source: RouteSource = BGP, interface: str = "", **attributes: object
) -> Verdict:
    prefix = Prefix.parse(text)
    known = PathAttributes(**{"next_hop": b"\1\2\3\4", **attributes})  # type: ignore[arg-type]
    return evaluate(policy, prefix.family, prefix.nlri, source=source, interface=interface, attributes=known)


@pytest.mark.parametrize(
    ("text", "source", "interface", "exported"),
    [
        ("10.65.1.0/26", AGGREGATE, "", True),
        ("10.65.1.5/32", KERNEL, "cali1", False),
        ("10.65.1.0/27", BGP, "", False),
        ("10.65.2.0/26", AGGREGATE, "", True),
        ("10.65.2.5/32", KERNEL, "cali1", True),
        ("10.65.9.5/32", KERNEL, "cali1", True),
        ("10.65.9.0/26", BGP, "eth0", True),
        ("10.64.0.0/15", BGP, "eth0", False),
        ("10.66.0.0/26", BGP, "eth0", True),
        ("10.67.0.0/26", BGP, "eth0", False),
        ("10.67.1.1/32", KERNEL, "cali1", False),
        ("10.0.0.0/24", RouteSource.DIRECT, "eth0", False),
        ("0.0.0.0/0", BGP, "eth0", False),
    ],
)
@pytest.mark.parametrize("peer", [MESH, INTERNAL, EXTERNAL])
def test_what_leaves_the_node(
    peer: str, text: str, source: RouteSource, interface: str, exported: bool
) -> None:
    _, export = policies(cluster(), peer)
    assert passes(export, text, source, interface) is exported


@pytest.mark.parametrize(
    ("interface", "internal", "external"),
    [
        ("vxlan.calico", False, True),
        ("wireguard.cali", False, True),
        ("bpfin.cali", False, False),
        ("cali1", True, True),
    ],
)
def test_routes_over_tunnel_devices_stay_in(interface: str, internal: bool, external: bool) -> None:
    state = cluster()
    for peer, expected in ((MESH, internal), (INTERNAL, internal), (EXTERNAL, external)):
        _, export = policies(state, peer)
        assert passes(export, "10.65.9.0/26", KERNEL, interface) is expected


def test_a_mesh_peer_of_another_as_is_internal_all_the_same() -> None:
    other = ("Node", "nodes/b", {"bgp": {"ipv4Address": "10.0.0.2", "asNumber": 5}})
    _, export = policies(cluster(other), MESH)
    assert not passes(export, "10.65.9.0/26", KERNEL, "vxlan.calico")


def test_ipv6_blocks_leave_by_the_ipv6_session() -> None:
    _, export = policies(cluster(), "Mesh_fd00__2")
    assert passes(export, "fd00:65::/122", AGGREGATE)
    assert not passes(export, "fd00:65::1/128", KERNEL, "cali1")
    assert passes(export, "fd00:65::99/128", KERNEL, "cali1")


def test_service_ranges_leave_and_on_a_reflector_load_balancer_addresses_too() -> None:
    spec = {
        "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}],
        "serviceExternalIPs": [{"cidr": "203.0.113.2/32"}],
        "serviceLoadBalancerIPs": [{"cidr": "203.0.113.1/32"}],
    }
    services = ("BGPConfiguration", "bgpconfigurations/default", spec)
    _, export = policies(cluster(services), EXTERNAL)
    assert passes(export, "10.96.0.0/12", AGGREGATE)
    assert passes(export, "10.96.0.1/32")
    assert not passes(export, "203.0.113.1/32")
    assert not passes(export, "203.0.113.2/32")
    _, export = policies(cluster(services, cluster_id="1.1.1.1"), EXTERNAL)
    assert passes(export, "203.0.113.1/32")
    assert passes(export, "203.0.113.2/32")


@pytest.mark.parametrize(
    ("setting", "internal"),
    [
        (None, True),
        ("Enabled", True),
        ("EnabledIPIPOnly", True),
        ("EnabledNoEncapOnly", False),
        ("Disabled", False),
    ],
)
def test_routes_that_felix_wrote_over_ipip_stay_in(setting: str | None, internal: bool) -> None:
    spec = {} if setting is None else {"programClusterRoutes": setting}
    state = cluster(("BGPConfiguration", "bgpconfigurations/default", spec))
    for peer, expected in ((MESH, internal), (INTERNAL, internal), (EXTERNAL, True)):
        _, export = policies(state, peer)
        assert judge(export, "10.65.9.0/26", KERNEL, "tunl0", next_hop=b"").accepted is expected


@pytest.mark.parametrize(
    ("setting", "pool", "internal"),
    [
        ("Enabled", {}, True),
        ("EnabledIPIPOnly", {}, False),
        ("EnabledNoEncapOnly", {}, True),
        ("Disabled", {}, False),
        ("Enabled", {"ipipMode": "CrossSubnet"}, True),
        ("EnabledIPIPOnly", {"ipipMode": "CrossSubnet"}, True),
        ("EnabledNoEncapOnly", {"ipipMode": "CrossSubnet"}, False),
        ("Enabled", {"vxlanMode": "CrossSubnet"}, False),
    ],
)
def test_routes_that_felix_wrote_to_other_nodes_stay_in(setting: str, pool: object, internal: bool) -> None:
    """Without a tunnel nothing tells them by their interface; a workload's route has no next hop."""
    state = cluster(
        ("BGPConfiguration", "bgpconfigurations/default", {"programClusterRoutes": setting}),
        ("IPPool", "ippools/felix", {"cidr": "10.68.0.0/16", **pool}),  # type: ignore[dict-item]
    )
    for peer, expected in ((MESH, internal), (INTERNAL, internal), (EXTERNAL, True)):
        _, export = policies(state, peer)
        assert passes(export, "10.68.9.0/26", KERNEL, "eth0") is expected
        assert passes(export, "10.68.9.0/26", BGP)
        assert judge(export, "10.68.9.1/32", KERNEL, "cali1", next_hop=b"").accepted


@pytest.mark.parametrize(("normal", "above"), [(None, 2147482623), (512, 2147483135)])
def test_inside_a_block_only_a_priority_better_than_normal_leaves(normal: int | None, above: int) -> None:
    spec = {} if normal is None else {"ipv4NormalRoutePriority": normal}
    _, export = policies(cluster(("BGPConfiguration", "bgpconfigurations/default", spec)), MESH)
    text, workload = "10.65.1.5/32", (KERNEL, "cali1")
    assert not judge(export, text, *workload).accepted
    assert not judge(export, text, *workload, local_pref=above).accepted
    better = judge(export, text, *workload, local_pref=above + 1)
    assert (better.accepted, better.rule) == (True, "better priority inside own block 10.65.1.0/26")
    assert judge(export, text, local_pref=above + 1).accepted


def test_everything_comes_in_without_filters() -> None:
    for peer in (MESH, INTERNAL, EXTERNAL):
        importing, _ = policies(cluster(), peer)
        assert passes(importing, "0.0.0.0/0")


def filtered(*filters: object, as_number: int = 1) -> tuple[Policy, Policy]:
    names = [f"f{number}" for number in range(len(filters))]
    peer = {"peerIP": "192.0.2.3", "asNumber": as_number, "filters": names}
    resources = [("BGPFilter", f"bgpfilters/{name}", spec) for name, spec in zip(names, filters, strict=True)]
    return policies(cluster(("BGPPeer", "bgppeers/filtered", peer), *resources), FILTERED)


def test_the_first_rule_that_matches_decides_over_all_filters_in_order() -> None:
    importing, _ = filtered(
        {"importV4": [{"action": "Accept", "matchOperator": "Equal", "cidr": "10.1.0.0/16"}]},
        {},
        {"importV4": [{"action": "Reject", "matchOperator": "In", "cidr": "10.1.0.0/16"}]},
    )
    assert passes(importing, "10.1.0.0/16")
    assert not passes(importing, "10.1.2.0/24")
    assert passes(importing, "10.2.0.0/16")


def test_an_accepting_export_filter_goes_past_calicos_policy_and_no_match_goes_to_it() -> None:
    _, export = filtered(
        {
            "exportV4": [
                {"action": "Accept", "matchOperator": "In", "cidr": "10.67.0.0/16"},
                {"action": "Reject", "matchOperator": "In", "cidr": "10.65.9.0/24"},
            ]
        }
    )
    assert passes(export, "10.67.0.0/26")
    assert not passes(export, "10.65.9.0/26")
    assert passes(export, "10.65.1.0/26", AGGREGATE)
    assert not passes(export, "10.65.1.5/32", KERNEL, "cali1")
    assert not passes(export, "0.0.0.0/0")


@pytest.mark.parametrize(
    ("operator", "lengths", "matching"),
    [
        ("Equal", None, ["10.1.0.0/16"]),
        ("NotEqual", None, ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "10.2.0.0/16"]),
        ("In", None, ["10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32"]),
        ("NotIn", None, ["10.0.0.0/8", "10.2.0.0/16"]),
        ("In", {"min": 20}, ["10.1.2.0/24", "10.1.2.3/32"]),
        ("In", {"min": 8, "max": 24}, ["10.1.0.0/16", "10.1.2.0/24"]),
        ("NotIn", {"max": 24}, ["10.0.0.0/8", "10.1.2.3/32", "10.2.0.0/16"]),
        ("In", {"max": 8}, []),
        ("NotIn", {"max": 8}, ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.2.0.0/16"]),
        ("In", {"min": 32, "max": 24}, []),
        ("In", {}, ["10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32"]),
        # BIRD compares a prefix with a set of prefixes, which are never the same.
        ("Equal", {"min": 16, "max": 24}, []),
        ("Equal", {"min": 16, "max": 16}, []),
        (
            "NotEqual",
            {"min": 16, "max": 24},
            ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.2.0.0/16"],
        ),
    ],
)
def test_operators(operator: str, lengths: object, matching: list[str]) -> None:
    rule = {"action": "Reject", "matchOperator": operator, "cidr": "10.1.0.0/16", "prefixLength": lengths}
    importing, _ = filtered({"importV4": [rule]})
    texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.2.0.0/16"]
    assert [text for text in texts if not passes(importing, text)] == matching


def test_source_and_interface() -> None:
    _, export = filtered(
        {
            "exportV4": [
                {"action": "Reject", "source": "RemotePeers"},
                {"action": "Reject", "interface": "*.calico"},
                {"action": "Accept"},
            ]
        }
    )
    assert not passes(export, "10.2.0.0/16", BGP, "eth0")
    assert not passes(export, "10.2.0.0/16", KERNEL, "vxlan.calico")
    assert passes(export, "10.2.0.0/16", KERNEL, "cali1")
    assert passes(export, "10.2.0.0/16", AGGREGATE)


def test_rules_for_one_type_of_peer() -> None:
    spec = {"importV4": [{"action": "Reject", "peerType": "eBGP"}]}
    assert not passes(filtered(spec)[0], "10.2.0.0/16")
    assert passes(filtered(spec, as_number=64512)[0], "10.2.0.0/16")


def test_mesh_peers_have_no_filters_and_families_have_their_own() -> None:
    spec = {"importV4": [{"action": "Reject"}], "importV6": [], "exportV4": [], "exportV6": []}
    peer = {"peerIP": "fd00::99", "asNumber": 1, "filters": ["f"]}
    state = cluster(("BGPPeer", "bgppeers/six", peer), ("BGPFilter", "bgpfilters/f", spec))
    assert passes(policies(state, "Global_fd00__99")[0], "fd00:9::/64")
    assert passes(policies(state, MESH)[0], "10.2.0.0/16")


def test_rules_are_named_for_the_person_who_asks_why() -> None:
    _, export = filtered({"exportV4": [{"action": "Reject"}]})
    assert [rule.name for rule in export.rules] == [
        "filter f0 export rule 1",
        "pool hidden has disableBGPExport",
        "interface bpf*.cali",
        "own block 10.65.1.0/26",
        "better priority inside own block 10.65.1.0/26",
        "inside own block 10.65.1.0/26",
        "pool pool",
        "pool disabled",
    ]


@pytest.mark.parametrize(
    ("condition", "attributes", "holds"),
    [
        ({"communities": {"values": ["65001:7"]}}, {"communities": (65001 << 16 | 7,)}, True),
        ({"communities": {"values": ["65001:7"]}}, {"communities": (65001 << 16 | 8,)}, False),
        ({"communities": {"values": ["65001:7:9"]}}, {"large_communities": ((65001, 7, 9),)}, True),
        ({"communities": {"values": ["65001:7:9"]}}, {"communities": (65001 << 16 | 7,)}, False),
        ({"asPathPrefix": [1, "1.0"]}, {"as_path": sequence(1, 65536, 3)}, True),
        ({"asPathPrefix": [1]}, {"as_path": sequence(2, 1)}, False),
        ({"priority": 512}, {"local_pref": 2147483647 - 512}, True),
        ({"priority": 512}, {"local_pref": 512}, False),
        ({"priority": 512}, {}, False),
    ],
)
def test_conditions_on_attributes(
    condition: dict[str, object], attributes: dict[str, object], holds: bool
) -> None:
    importing, export = filtered(
        {direction: [{"action": "Reject", **condition}] for direction in ("importV4", "exportV4")}
    )
    assert judge(importing, "10.65.9.0/26", **attributes).accepted is not holds  # type: ignore[arg-type]
    assert judge(export, "10.65.9.0/26", **attributes).accepted is not holds  # type: ignore[arg-type]


def test_operations_of_a_rule_that_accepts() -> None:
    operations = [
        {"addCommunity": {"value": "65001:7"}},
        {"addCommunity": {"value": "65001:7:9"}},
        {"prependASPath": {"prefix": [3, 4]}},
        {"setPriority": {"value": 1024}},
        {"prependASPath": {"prefix": [5]}},
    ]
    rule = {"action": "Accept", "operations": operations, "matchOperator": "In", "cidr": "10.1.0.0/16"}
    importing, _ = filtered({"importV4": [rule]})
    verdict = judge(importing, "10.1.2.0/24", as_path=sequence(1))
    assert verdict.accepted
    assert verdict.attributes == PathAttributes(
        next_hop=b"\1\2\3\4",
        as_path=sequence(5, 3, 4, 1),
        communities=(65001 << 16 | 7,),
        large_communities=((65001, 7, 9),),
        local_pref=2147482623,
    )
    assert verdict.rule == "filter f0 import rule 1"
    other = judge(importing, "10.2.0.0/16", as_path=sequence(1))
    assert (other.accepted, other.attributes.communities) == (True, ())


# --- communities by prefix ----------------------------------------------------------------------------------

LOCAL, WIDE = 64512 << 16 | 1, 64512 << 16 | 2


def advertising(*configurations: tuple[str, object]) -> ClusterState:
    return cluster(
        *(("BGPConfiguration", f"bgpconfigurations/{name}", spec) for name, spec in configurations)
    )


def coloured(state: ClusterState, peer: str, text: str, source: RouteSource = AGGREGATE) -> object:
    """The communities a route leaves with; None if it stays."""
    _, export = policies(state, peer)
    verdict = judge(export, text, source)
    attributes = verdict.attributes
    return (attributes.communities, attributes.large_communities) if verdict.accepted else None


DEFAULT = (
    "default",
    {
        "communities": [{"name": "wide", "value": "64512:2"}],
        "prefixAdvertisements": [
            {"cidr": "10.65.0.0/16", "communities": ["wide", "64512:1", "wide"]},
            {"cidr": "10.65.1.0/26", "communities": ["64512:1:2"]},
            {"cidr": "fd00:65::/64", "communities": ["wide"]},
        ],
    },
)


@pytest.mark.parametrize("peer", [MESH, INTERNAL, EXTERNAL])
@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        pytest.param(
            "10.65.1.0/26", AGGREGATE, ((LOCAL, WIDE), ((64512, 1, 2),)), id="the block: both ranges"
        ),
        pytest.param("10.65.9.0/26", BGP, ((LOCAL, WIDE), ()), id="a learned route in the pool"),
        pytest.param("10.66.0.0/26", BGP, ((), ()), id="another pool"),
        pytest.param("10.65.1.5/32", KERNEL, None, id="no community lets a route out"),
    ],
)
def test_prefix_advertisements_colour_what_leaves(
    peer: str, text: str, source: RouteSource, expected: object
) -> None:
    assert coloured(advertising(DEFAULT), peer, text, source) == expected


def test_advertisements_of_the_node_stand_for_the_clusters_also_in_the_other_family() -> None:
    own = {"prefixAdvertisements": [{"cidr": "fd00:65::/64", "communities": ["64512:7"]}]}
    state = advertising(DEFAULT, ("node.a", own))
    assert coloured(state, MESH, "10.65.9.0/26", BGP) == ((), ())
    assert coloured(state, "Mesh_fd00__2", "fd00:65::/122") == ((64512 << 16 | 7,), ())
    without = advertising(DEFAULT, ("node.a", {"listenPort": 180}), ("node.b", own))
    assert coloured(without, "Mesh_fd00__2", "fd00:65::/122") == ((WIDE,), ())


def test_services_are_coloured_and_a_filter_that_accepts_goes_past_it() -> None:
    spec = {
        "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}],
        "prefixAdvertisements": [{"cidr": "0.0.0.0/0", "communities": ["64512:1"]}],
    }
    state = advertising(("default", spec))
    assert coloured(state, EXTERNAL, "10.96.0.0/12") == ((LOCAL,), ())
    accepting = {"exportV4": [{"action": "Accept", "matchOperator": "In", "cidr": "10.96.0.0/12"}]}
    peer = {"peerIP": "192.0.2.3", "asNumber": 1, "filters": ["f"]}
    state = cluster(
        ("BGPConfiguration", "bgpconfigurations/default", spec),
        ("BGPPeer", "bgppeers/filtered", peer),
        ("BGPFilter", "bgpfilters/f", accepting),
    )
    assert coloured(state, FILTERED, "10.96.0.0/12") == ((), ())
    assert coloured(state, FILTERED, "10.65.1.0/26") == ((LOCAL,), ())


# --- policies are values ------------------------------------------------------------------------------------


def test_what_filters_are_called_and_how_rules_are_spread_over_them_is_no_part_of_a_policy() -> None:
    one, two = (
        {
            "action": "Accept",
            "matchOperator": "In",
            "cidr": cidr,
            "operations": [{"setPriority": {"value": 5}}],
        }
        for cidr in ("10.1.0.0/16", "10.2.0.0/16")
    )
    together = filtered({"importV4": [one, two]})
    assert filtered({"importV4": [one]}, {}, {"importV4": [two]}) == together
    assert filtered({"importV4": [one]}, {"importV4": [two]})[0].rules[1].name == "filter f1 import rule 1"
    assert filtered({"importV4": [two, one]}) != together


def test_the_order_of_communities_is_no_part_of_a_policy() -> None:
    first, second = (
        advertising(("default", {"prefixAdvertisements": [{"cidr": "10.65.0.0/16", "communities": texts}]}))
        for texts in (["64512:1", "64512:2"], ["64512:2", "64512:1", "64512:1"])
    )
    assert policies(first, EXTERNAL) == policies(second, EXTERNAL)
