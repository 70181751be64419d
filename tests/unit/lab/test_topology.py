from felixbgp.lab import topology
from felixbgp.lab.plan import LabPlan

PLAN = LabPlan(node_count=1, tor_count=1, workload_count=1)
NODE, TOR, WORKLOAD = PLAN.nodes[0], PLAN.tors[0], PLAN.workloads[0]


def test_every_link_is_made_across_namespaces_and_never_in_ours() -> None:
    made = list(topology.links(PLAN))
    assert made[0] == "link add name eth0 netns felix-node-1 type veth peer name node-1 netns felix-fabric"
    assert all(line.count(" netns ") == 2 for line in made)
    assert len(made) == 4


def test_the_host_behind_a_router_is_attached_as_a_workload_is() -> None:
    assert list(topology.attachments(PLAN)) == [(NODE, WORKLOAD), (TOR, TOR.host)]
    assert "route add 198.18.1.2/32 dev host0 scope link" in list(topology.tor_commands(TOR))
    assert "address add 2001:db8:1::2/128 dev eth0 nodad" in list(topology.workload_commands(TOR.host))


def test_a_workload_has_one_address_and_calicos_gateways() -> None:
    lines = list(topology.workload_commands(WORKLOAD))
    assert "address add 10.65.0.65/32 dev eth0" in lines
    assert "route add default via 169.254.1.1 dev eth0" in lines
    assert "route add default via fe80::ecee:eeff:feee:eeee dev eth0" in lines


def test_its_node_has_host_routes_to_it_and_answers_for_the_gateway() -> None:
    lines = list(topology.node_commands(NODE))
    assert f"route add 10.65.0.65/32 dev {WORKLOAD.interface} scope link" in lines
    assert f"route add fd00:10:65::41/128 dev {WORKLOAD.interface}" in lines
    assert topology.proxy_sysctls(WORKLOAD)[f"net/ipv4/conf/{WORKLOAD.interface}/proxy_arp"] == "1"


def test_a_router_answers_on_its_service_addresses() -> None:
    lines = list(topology.tor_commands(TOR))
    assert "address add 198.18.1.1/32 dev lo" in lines
    assert "address add 2001:db8:1::1/128 dev lo nodad" in lines


def test_every_subnet_is_a_bridge_with_the_gateway_of_its_members() -> None:
    plan = LabPlan(node_count=2, tor_count=0, subnet_count=2)
    lines = list(topology.fabric(plan))
    assert "address add 172.30.0.1/16 dev br0" in lines
    assert "address add fd00:172:31::1/64 dev br1 nodad" in lines
    assert "link set node-1 master br0 up" in lines
    assert "link set node-2 master br1 up" in lines
    far = list(topology.node_commands(plan.nodes[1]))
    assert "address add 172.31.1.2/16 dev eth0" in far
    assert "route add default via 172.31.0.1 dev eth0" in far


def test_without_ipv6_no_command_names_an_ipv6_address() -> None:
    plan = LabPlan(ipv6=False)
    lines = [*topology.fabric(plan), *topology.links(plan)]
    for node in plan.nodes:
        lines += topology.node_commands(node)
    for tor in plan.tors:
        lines += topology.tor_commands(tor)
    for workload in plan.workloads:
        lines += topology.workload_commands(workload)
    assert not any("::" in line for line in lines)
