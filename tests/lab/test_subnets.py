"""Nodes in two subnets with a router between them that knows nothing of the cluster.

```
   node-1   node-3          node-2   node-4
   ==+========+==  router  ==+========+==
    172.30.0.0/16            172.31.0.0/16
```

This kernel may have no IPIP, so a veth is named tunl0: the routes are real, and what they carry goes nowhere.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from felixbgp.lab import bird, calico, checks, netns
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan, Node
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS_MAX = 90.0
TUNNEL = "tunl0"


@pytest.fixture(scope="module")
def subnets() -> Iterator[Lab]:
    """Four nodes in two subnets, each with a tunnel device."""
    plan = LabPlan(name=fresh_name(), node_count=4, tor_count=0, workload_count=1, subnet_count=2)
    with a_lab(plan) as lab:
        for node in plan.nodes:
            netns.batch(
                [f"link add {TUNNEL} type veth peer name wire", "link set wire up", f"link set {TUNNEL} up"],
                node.namespace,
            )
        yield lab


@pytest.fixture
def lab(subnets: Lab) -> Lab:
    """The same with pools without encapsulation, every session up and every route as it should be."""
    set_pool(subnets, "Never")
    sessions = checks.mesh_sessions(subnets.plan)
    checks.wait_for(lambda: checks.missing_sessions(subnets.store, sessions), "the mesh", SECONDS_MAX)
    checks.wait_for(lambda: checks.missing_routes(subnets.plan), "all blocks are reached", SECONDS_MAX)
    return subnets


class Way(NamedTuple):
    """How a node's route to another node's block leads there."""

    gateway: str
    device: str
    onlink: bool


def set_pool(lab: Lab, ipip_mode: str) -> None:
    lab.store.put_all(calico.pool_resource(4, ipip_mode))


def near_and_far(plan: LabPlan, node: Node) -> tuple[list[Node], list[Node]]:
    """The other nodes of the node's subnet, and those of the other one."""
    near = [other for other in plan.nodes if other.subnet == node.subnet and other != node]
    return near, [other for other in plan.nodes if other.subnet != node.subnet]


def ways(node: Node, version: int) -> dict[str, Way]:
    """Our routes in a node's kernel, blackholes left out."""
    rows = netns.query(["-N", f"-{version}", "route", "show", "table", "main"], node.namespace)
    return {
        row["dst"]: Way(row["gateway"], row["dev"], "onlink" in row.get("flags", []))
        for row in rows
        if int(row.get("protocol", 0)) == checks.BGP_PROTOCOL and "gateway" in row
    }


def wrong_ways(plan: LabPlan, *, near_in_tunnel: bool, far_in_tunnel: bool) -> list[str]:
    """Where our routes in a kernel differ from what the pools ask for; that of IPv6 is never in a tunnel."""
    faults = []
    for node in plan.nodes:
        near, far = near_and_far(plan, node)
        wanted = {other.block_v4: Way(other.ipv4, "eth0", onlink=False) for other in near}
        wanted |= {other.block_v4: Way(node.subnet.gateway_v4, "eth0", onlink=False) for other in far}
        for others, in_tunnel in ((near, near_in_tunnel), (far, far_in_tunnel)):
            if in_tunnel:
                wanted |= {other.block_v4: Way(other.ipv4, TUNNEL, onlink=True) for other in others}
        wanted_v6 = {other.block_v6: Way(other.ipv6, "eth0", onlink=False) for other in near}
        wanted_v6 |= {other.block_v6: Way(node.subnet.gateway_v6, "eth0", onlink=False) for other in far}
        faults += [
            f"{node.name}: {found}, wanted {routes}"
            for version, routes in ((4, wanted), (6, wanted_v6))
            if (found := ways(node, version)) != routes
        ]
    return faults


@contextlib.contextmanager
def router_knows_the_blocks(plan: LabPlan) -> Iterator[None]:
    """As when it takes part in the cluster's BGP."""
    blocks = [(block, address) for node in plan.nodes for block, address in (
        (node.block_v4, node.ipv4), (node.block_v6, node.ipv6),
    )]  # fmt: skip
    netns.batch([f"route add {block} via {address}" for block, address in blocks], plan.fabric)
    yield
    netns.batch([f"route del {block} via {address}" for block, address in blocks], plan.fabric)


def test_without_encapsulation_the_other_subnets_blocks_are_reached_by_way_of_the_router(lab: Lab) -> None:
    checks.wait_for(
        lambda: wrong_ways(lab.plan, near_in_tunnel=False, far_in_tunnel=False), "Never", SECONDS_MAX
    )
    with router_knows_the_blocks(lab.plan):
        pings = checks.workload_pings(lab.plan)
        checks.wait_for(lambda: checks.missing_pings(lab, pings), "packets", SECONDS_MAX)


def test_cross_subnet_sends_only_the_other_subnets_blocks_through_the_tunnel(lab: Lab) -> None:
    set_pool(lab, "CrossSubnet")
    checks.wait_for(
        lambda: wrong_ways(lab.plan, near_in_tunnel=False, far_in_tunnel=True), "CrossSubnet", SECONDS_MAX
    )
    near = [
        ping
        for ping in checks.workload_pings(lab.plan)
        if ":" in ping.address or same_subnet(lab.plan, ping.source, ping.target)
    ]
    with router_knows_the_blocks(lab.plan):
        checks.wait_for(lambda: checks.missing_pings(lab, near), "packets", SECONDS_MAX)


def test_always_sends_every_block_through_the_tunnel(lab: Lab) -> None:
    set_pool(lab, "Always")
    checks.wait_for(
        lambda: wrong_ways(lab.plan, near_in_tunnel=True, far_in_tunnel=True), "Always", SECONDS_MAX
    )


def test_a_tunnel_that_is_down_costs_its_routes_alone_and_they_come_back_with_it(lab: Lab) -> None:
    set_pool(lab, "CrossSubnet")
    checks.wait_for(
        lambda: wrong_ways(lab.plan, near_in_tunnel=False, far_in_tunnel=True), "CrossSubnet", SECONDS_MAX
    )
    node = lab.plan.nodes[0]
    near, far = near_and_far(lab.plan, node)
    netns.batch([f"link set {TUNNEL} down"], node.namespace)
    assert ways(node, 4).keys() == {other.block_v4 for other in near}
    netns.batch([f"link set {TUNNEL} up"], node.namespace)
    checks.wait_for(
        lambda: wrong_ways(lab.plan, near_in_tunnel=False, far_in_tunnel=True), "they are back", SECONDS_MAX
    )
    assert len(far) == 2


def same_subnet(plan: LabPlan, *workloads: str) -> bool:
    return len({node.subnet for node in plan.nodes for each in node.workloads if each.name in workloads}) == 1


def router_configuration(plan: LabPlan) -> str:
    """A router that announces nothing but itself as the way to everywhere, and leaves its kernel alone."""
    subnet = plan.subnets[0]
    return f"""\
log stderr all;
router id {subnet.gateway_v4};
protocol device {{ }}
protocol static {{ ipv4; route 0.0.0.0/0 unreachable; }}
protocol static {{ ipv6; route ::/0 unreachable; }}
template bgp node {{ passive; direct; hold time 90; }}
protocol bgp node4 from node {{
  local {subnet.gateway_v4} as {TOR_AS_NUMBER};
  neighbor {plan.nodes[0].ipv4} external;
  ipv4 {{ import none; export where source = RTS_STATIC; next hop self; }};
}}
protocol bgp node6 from node {{
  local {subnet.gateway_v6} as {TOR_AS_NUMBER};
  neighbor {plan.nodes[0].ipv6} external;
  ipv6 {{ import none; export where source = RTS_STATIC; next hop self; }};
}}
"""


@contextlib.contextmanager
def a_router(lab: Lab) -> Iterator[None]:
    """BIRD in the fabric, for the length of a `with` block."""
    config, control = lab.folder / "router.conf", lab.folder / "router.ctl"
    config.write_text(router_configuration(lab.plan))
    program = bird.find_bird()
    assert program is not None
    arguments = netns.exec_arguments(lab.plan.fabric, bird.arguments(program, config, control))
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def defaults(node: Node) -> list[str]:
    """The gateways of our default routes."""
    found = [ways(node, version).get("default") for version in (4, 6)]
    return [way.gateway for way in found if way is not None]


def test_a_default_route_learned_by_bgp_leads_to_the_other_subnet(lab: Lab) -> None:
    """What the sessions to the other subnet go by, and what its nodes as next hops are resolved by."""
    node, subnet = lab.plan.nodes[0], lab.plan.subnets[0]
    gateways = (subnet.gateway_v4, subnet.gateway_v6)
    netns.batch([f"route del default via {gateway} dev eth0" for gateway in gateways], node.namespace)
    _, far = near_and_far(lab.plan, node)
    checks.wait_for(
        lambda: [block for block in ways(node, 4) if block in {other.block_v4 for other in far}],
        "the other subnet is not reached any more",
        SECONDS_MAX,
    )
    with a_router(lab):
        for version, gateway in zip((4, 6), gateways, strict=True):
            spec = {"node": node.name, "peerIP": gateway, "asNumber": TOR_AS_NUMBER}
            lab.put_peer(f"router-{version}", spec)
        checks.wait_for(lambda: checks.missing_routes(lab.plan), "all blocks are reached", SECONDS_MAX)
        wait_until(lambda: defaults(node) == list(gateways), "the default routes", SECONDS_MAX)
        with router_knows_the_blocks(lab.plan):
            pings = checks.workload_pings(lab.plan)
            checks.wait_for(lambda: checks.missing_pings(lab, pings), "packets", SECONDS_MAX)
        for version in (4, 6):
            lab.delete_peer(f"router-{version}")
        wait_until(lambda: defaults(node) == [], "the default routes are gone", SECONDS_MAX)
    netns.batch([f"route add default via {gateway} dev eth0" for gateway in gateways], node.namespace)
    checks.wait_for(lambda: checks.missing_routes(lab.plan), "all blocks are reached again", SECONDS_MAX)
