import pytest

from felixbgp.lab.plan import LabPlan, PlanError, interface_name, owns_namespace
from felixbgp.net import Address, Prefix

BOTH = LabPlan(name="big", node_count=100, tor_count=8, workload_count=30)


def test_addresses_of_all_members_differ_and_lie_where_they_should() -> None:
    texts = [text for member in BOTH.routers for text in (member.ipv4, member.ipv6)]
    texts += [text for workload in BOTH.workloads for text in (workload.ipv4, workload.ipv6)]
    addresses = [Address.parse(text) for text in texts]
    assert len(set(addresses)) == len(texts) == 2 * (100 + 8 + 3000)


def test_every_workload_lies_in_its_nodes_blocks_and_blocks_in_the_pools() -> None:
    for node in BOTH.nodes:
        block_v4, block_v6 = Prefix.parse(node.block_v4), Prefix.parse(node.block_v6)
        assert Prefix.parse("10.65.0.0/16").covers(block_v4)
        assert Prefix.parse("fd00:10:65::/112").covers(block_v6)
        assert all(block_v4.contains(Address.parse(workload.ipv4)) for workload in node.workloads)
        assert all(block_v6.contains(Address.parse(workload.ipv6)) for workload in node.workloads)


def test_blocks_of_two_nodes_never_overlap() -> None:
    blocks = [block for node in BOTH.nodes for block in (node.block_v4, node.block_v6)]
    assert len(set(blocks)) == len(blocks)


def test_names_of_namespaces_and_interfaces() -> None:
    plan = LabPlan(node_count=1, tor_count=1, workload_count=1)
    members = ("fabric", "node-1", "tor-1", "node-1-w1", "tor-1-host")
    assert plan.namespaces == tuple(f"felix-{member}" for member in members)
    assert plan.namespace_of("tor-1") == plan.namespace_of("felix-tor-1") == "felix-tor-1"
    interface = plan.workloads[0].interface
    assert interface.startswith("cali")
    assert len(interface) == 15  # the kernel's limit is IFNAMSIZ - 1


def test_interfaces_of_one_node_differ() -> None:
    assert interface_name("felix", "node-1-w1") != interface_name("felix", "node-1-w2")


def test_a_member_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(PlanError, match=r"no 'node-2'; it has fabric, node-1"):
        LabPlan(node_count=1, tor_count=0, workload_count=0).namespace_of("node-2")


def test_a_lab_without_ipv6_has_no_ipv6_anywhere() -> None:
    plan = LabPlan(ipv6=False)
    assert plan.families == (4,)
    assert not any(router.ipv6 for router in plan.routers)
    assert not any(workload.ipv6 for workload in plan.workloads)
    assert not any(node.block_v6 for node in plan.nodes)
    assert not any(tor.stub_v6 or tor.service_v6 for tor in plan.tors)


@pytest.mark.parametrize("name", ["", "Felix", "1st", "a-b", "..", "a/b", "a b", "thirteenchars", "ä", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(PlanError, match="is no lab name"):
        LabPlan(name=name)


@pytest.mark.parametrize(
    "bounds",
    [
        {"node_count": 0},
        {"node_count": 101},
        {"tor_count": -1},
        {"tor_count": 9},
        {"workload_count": -1},
        {"workload_count": 31},
        {"subnet_count": 0},
        {"subnet_count": 9},
    ],
)
def test_numbers_out_of_bounds_are_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="a lab has"):
        LabPlan(**bounds)  # type: ignore[arg-type]


def test_a_lab_owns_its_namespaces_and_no_others() -> None:
    plan = LabPlan(name="felix")
    assert all(owns_namespace("felix", namespace) for namespace in plan.namespaces)
    for foreign in (
        "felix",
        "felix2-node-1",
        "felix-node-1-w1-x",
        "felix-node-x",
        "felix-db",
    ):
        assert not owns_namespace("felix", foreign)
    assert not owns_namespace("fel.x", "felix-fabric")


def test_racks_follow_the_tors() -> None:
    assert [node.rack for node in LabPlan(node_count=4, tor_count=2).nodes] == [
        "rack-1", "rack-2", "rack-1", "rack-2",
    ]  # fmt: skip
    assert {node.rack for node in LabPlan(tor_count=0).nodes} == {"rack-1"}


def test_nodes_and_tors_take_turns_in_the_subnets_and_lie_in_them() -> None:
    plan = LabPlan(node_count=100, tor_count=8, subnet_count=3)
    assert [member.subnet.bridge for member in plan.nodes[:4]] == ["br0", "br1", "br2", "br0"]
    for member in plan.routers:
        networks = (member.subnet.network_v4, member.subnet.network_v6)
        for network, address in zip(networks, (member.ipv4, member.ipv6), strict=True):
            assert Prefix.parse(network).contains(Address.parse(address))
    for subnet in plan.subnets:
        assert Prefix.parse(subnet.network_v4).contains(Address.parse(subnet.gateway_v4))
        assert Prefix.parse(subnet.network_v6).contains(Address.parse(subnet.gateway_v6))
    assert len({subnet.network_v4 for subnet in plan.subnets}) == 3


def test_a_lab_without_ipv6_has_no_ipv6_in_its_subnets() -> None:
    for subnet in LabPlan(ipv6=False, subnet_count=2).subnets:
        assert (subnet.network_v6, subnet.gateway_v6) == ("", "")
