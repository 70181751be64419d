"""What an operator must be able to do, typed as the documentation has it: S1 to S15.

The `felixbgp` command goes in; BIRD, the kernels' routes and their TCP connections tell what came of it. What
we say of ourselves is believed in S10 alone, which is about that.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from felixbgp.lab import bird, checks, netns
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.plan import AS_NUMBER, POOL_V4, TOR_AS_NUMBER, LabPlan, Node
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name, healthy

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS_MAX = 60
TUNNEL = "tunl0"


@pytest.fixture(scope="module")
def seed_cluster() -> Iterator[Lab]:
    """Four nodes in two racks, and a router in each."""
    with a_lab(LabPlan(name=fresh_name(), node_count=4, tor_count=2, workload_count=1)) as made:
        yield made


@pytest.fixture
def lab(seed_cluster: Lab) -> Iterator[Lab]:
    """That cluster as `lab up` left it: no BGPPeer, no BGPConfiguration, the mesh Established."""
    yield from healthy(seed_cluster)


# --- the operator's hands ----------------------------------------------------------------------------


def run(lab: Lab, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*felixbgp_command(), *words],
        env=dict(os.environ) | lab.environment(), input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip


def felixbgp(lab: Lab, *words: str, typed: str = "") -> str:
    """What a command that must succeed prints."""
    done = run(lab, *words, typed=typed)
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(lab: Lab, kind: str, name: str, spec: str) -> str:
    lines = "".join(f"  {line}\n" for line in spec.strip().splitlines())
    text = f"apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{lines}"
    return felixbgp(lab, "apply", "-f", "-", typed=text)


def disable_the_mesh(lab: Lab) -> None:
    felixbgp(lab, "create", "-f", "-", typed=DEFAULT_CONFIGURATION)
    patch = '{"spec": {"nodeToNodeMeshEnabled": false}}'
    felixbgp(lab, "patch", "bgpconfiguration", "default", "-p", patch)


DEFAULT_CONFIGURATION = f"""\
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata:
  name: default
spec:
  logSeverityScreen: Info
  nodeToNodeMeshEnabled: true
  asNumber: {AS_NUMBER}
"""


def make_reflectors(lab: Lab, *names: str) -> None:
    """S3 and S7: by annotation and label."""
    for name in names:
        felixbgp(lab, "annotate", "node", name, "projectcalico.org/RouteReflectorClusterID=244.0.0.1")
        felixbgp(lab, "label", "node", name, "route-reflector=true")
    apply(
        lab,
        "BGPPeer",
        "peer-with-route-reflectors",
        "nodeSelector: all()\npeerSelector: route-reflector == 'true'",
    )


# --- what others see ---------------------------------------------------------------------------------


def kernel(node: Node, version: int = 4) -> dict[str, checks.Route]:
    return checks.routes(node.namespace, version)


def neighbours(lab: Lab, node: Node) -> set[str]:
    """Whom a node has a BGP connection over IPv4 with, by its kernel's list of TCP connections."""
    command = ["ss", "-Htn4", "state", "established", "( sport = :179 or dport = :179 )"]
    listed = subprocess.run(
        lab.exec_arguments(node.name, command), capture_output=True, text=True, check=True
    ).stdout
    remotes = {line.split()[3].rpartition(":")[0] for line in listed.splitlines()}
    return {member.name for member in lab.plan.routers if member.ipv4 in remotes}


def neighbours_become(lab: Lab, **wanted: str) -> None:
    """Wait until each node (`node_1`) has BGP connections with exactly those named, by their numbers."""

    def differing() -> list[str]:
        faults = []
        for name, others in wanted.items():
            node = lab.plan.node_at(name.replace("_", "-"))
            assert node is not None
            found = neighbours(lab, node)
            if found != set(others.split()):
                faults.append(f"{node.name} has {sorted(found)}, not {others}")
        return faults

    checks.wait_for(differing, "the BGP connections", SECONDS_MAX)


def all_blocks_are_routed(lab: Lab) -> None:
    """Every node's kernel has every other node's block, through that node."""
    plan = replace(lab.plan, tor_count=0)
    checks.wait_for(lambda: checks.missing_routes(plan), "every block in every kernel", SECONDS_MAX)


def in_bird(lab: Lab, prefix: str, *, tor: int = 1) -> str:
    """What a router's BIRD holds of a prefix, with all attributes; "" when it has no such route."""
    text = bird.query(lab.control(lab.plan.tors[tor - 1]), f"show route {prefix} all")
    return text if prefix in text else ""


def as_path(lab: Lab, prefix: str, *, tor: int = 1) -> str:
    found = re.search(r"BGP\.as_path: *(.*)", in_bird(lab, prefix, tor=tor))
    return found[1].strip() if found else ""


def eventually(holds: Callable[[], object], what: str) -> None:
    wait_until(holds, what, SECONDS_MAX)


def tor_peer(lab: Lab, *more: str, tor: int = 1, name: str = "tor") -> None:
    spec = [f"peerIP: {lab.plan.tors[tor - 1].ipv4}", f"asNumber: {TOR_AS_NUMBER}", *more]
    apply(lab, "BGPPeer", name, "\n".join(spec))


# --- S1 to S15 ---------------------------------------------------------------------------------------


def test_s1_a_full_mesh_without_any_configuration(lab: Lab) -> None:
    neighbours_become(
        lab,
        node_1="node-2 node-3 node-4",
        node_2="node-1 node-3 node-4",
        node_3="node-1 node-2 node-4",
        node_4="node-1 node-2 node-3",
    )
    all_blocks_are_routed(lab)
    pings = checks.workload_pings(lab.plan)
    checks.wait_for(lambda: checks.missing_pings(lab, pings), "workloads reach each other", SECONDS_MAX)


@pytest.fixture
def tunnel(lab: Lab) -> Iterator[str]:
    """A device of the name that Calico's IPIP has; a pair of veths serves where the kernel has no IPIP."""
    node = lab.plan.nodes[0]
    netns.batch([f"link add {TUNNEL} type veth peer name {TUNNEL}p", f"link set {TUNNEL} up"], node.namespace)
    yield TUNNEL
    netns.batch([f"link del {TUNNEL}"], node.namespace)


def pool(ipip: str, vxlan: str = "Never") -> str:
    return f"cidr: {POOL_V4}\nipipMode: {ipip}\nvxlanMode: {vxlan}\nblockSize: 26"


def test_s2_plain_ipip_between_subnets_ipip_always_and_vxlan(lab: Lab, tunnel: str) -> None:
    one, two, _, four = lab.plan.nodes

    def devices() -> tuple[str, str]:
        routes = kernel(one)
        return tuple(routes[b].device if b in routes else "" for b in (two.block_v4, four.block_v4))  # type: ignore[return-value]

    eventually(lambda: devices() == ("eth0", "eth0"), "plain routes")
    apply(lab, "IPPool", "default-ipv4-ippool", pool("Always"))
    eventually(lambda: devices() == (tunnel, tunnel), "routes through the tunnel")
    # The node's subnet shrinks to four addresses: node-4 is beyond it, node-2 is not.
    patch = f'{{"spec": {{"bgp": {{"ipv4Address": "{one.ipv4}/30"}}}}}}'
    felixbgp(lab, "patch", "node", one.name, "-p", patch)
    apply(lab, "IPPool", "default-ipv4-ippool", pool("CrossSubnet"))
    eventually(lambda: devices() == ("eth0", tunnel), "a plain route inside the subnet, a tunnel beyond")
    apply(lab, "IPPool", "default-ipv4-ippool", pool("Never", vxlan="Always"))
    eventually(lambda: devices() == ("", ""), "routes of a VXLAN pool left to others")
    assert neighbours(lab, one) == {"node-2", "node-3", "node-4"}


def test_s3_s7_s8_s9_from_the_mesh_to_two_reflectors_and_back(lab: Lab) -> None:
    make_reflectors(lab, "node-1", "node-2")
    disable_the_mesh(lab)
    neighbours_become(
        lab,
        node_1="node-2 node-3 node-4",
        node_2="node-1 node-3 node-4",
        node_3="node-1 node-2",
        node_4="node-1 node-2",
    )
    all_blocks_are_routed(lab)
    pings = checks.workload_pings(lab.plan)
    checks.wait_for(lambda: checks.missing_pings(lab, pings), "workloads reach each other", SECONDS_MAX)
    # One reflector less is no route less.
    felixbgp(lab, "label", "node", "node-2", "route-reflector", "--remove")
    felixbgp(lab, "annotate", "node", "node-2", "projectcalico.org/RouteReflectorClusterID-")
    neighbours_become(lab, node_1="node-2 node-3 node-4", node_2="node-1", node_3="node-1", node_4="node-1")
    all_blocks_are_routed(lab)
    patch = '{"spec": {"nodeToNodeMeshEnabled": true}}'
    felixbgp(lab, "patch", "bgpconfiguration", "default", "-p", patch)
    neighbours_become(lab, node_3="node-1 node-2 node-4", node_4="node-1 node-2 node-3")
    all_blocks_are_routed(lab)


def test_s4_peering_with_a_router_of_the_same_as(lab: Lab) -> None:
    """Internal to the router: it holds the blocks with an empty AS_PATH."""
    tor = lab.plan.tors[0]
    control = lab.control(tor)
    config = lab.folder / "internal.conf"
    internal = bird.configuration(tor).replace(f"as {TOR_AS_NUMBER}", f"as {AS_NUMBER}")
    config.write_text(internal.replace("external;", "internal;"), encoding="utf-8")
    configure(control, str(config))
    try:
        apply(lab, "BGPPeer", "tor", f"peerIP: {tor.ipv4}\nasNumber: {AS_NUMBER}")
        for node in lab.plan.nodes:
            eventually(lambda: in_bird(lab, node.block_v4), f"the block of {node.name}")  # noqa: B023 - used at once
            assert as_path(lab, node.block_v4) == ""
            eventually(lambda: tor.stub_v4 in kernel(node), f"the router's network on {node.name}")  # noqa: B023
    finally:
        configure(control, str(lab.folder / f"{tor.name}.conf"))


def configure(control: "os.PathLike[str]", config: str) -> None:
    done = subprocess.run(
        ["birdc", "-s", str(control), "configure", f'"{config}"'], capture_output=True, text=True, check=True
    )
    assert "Reconfigur" in done.stdout, done.stdout


def test_s4_s6_every_rack_with_its_own_router_by_label(lab: Lab) -> None:
    tor_peer(lab, "nodeSelector: rack == 'rack-1'", name="rack1-tor")
    tor_peer(lab, "nodeSelector: rack == 'rack-2'", tor=2, name="rack2-tor")
    neighbours_become(
        lab,
        node_1="tor-1 node-2 node-3 node-4",
        node_2="tor-2 node-1 node-3 node-4",
        node_3="tor-1 node-1 node-2 node-4",
        node_4="tor-2 node-1 node-2 node-3",
    )
    # A node that moves to another rack changes its router.
    felixbgp(lab, "label", "node", "node-3", "rack=rack-2", "--overwrite")
    neighbours_become(lab, node_3="tor-2 node-1 node-2 node-4", node_1="tor-1 node-2 node-3 node-4")


def test_s5_a_global_peer_of_every_node(lab: Lab) -> None:
    tor_peer(lab, name="my-global-peer")
    for node in lab.plan.nodes:
        eventually(lambda: in_bird(lab, node.block_v4), f"the block of {node.name}")  # noqa: B023 - used at once
        assert as_path(lab, node.block_v4) == str(AS_NUMBER)
    checks.wait_for(
        lambda: [node.name for node in lab.plan.nodes if lab.plan.tors[0].stub_v4 not in kernel(node)],
        "the router's network",
        SECONDS_MAX,
    )


def test_s6_a_peer_of_one_node_by_name(lab: Lab) -> None:
    tor_peer(lab, "node: node-2", name="node-2-tor")
    neighbours_become(lab, node_2="tor-1 node-1 node-3 node-4", node_1="node-2 node-3 node-4")
    eventually(lambda: lab.plan.tors[0].stub_v4 in kernel(lab.plan.nodes[1]), "the router's network")


def test_s10_the_status_of_a_node_from_elsewhere(lab: Lab) -> None:
    """From the host, which has no agent and is in none of the node's namespaces."""
    tor_peer(lab, name="my-global-peer")
    neighbours_become(lab, node_1="tor-1 node-2 node-3 node-4")

    def table() -> str:
        return felixbgp(lab, "node", "status", "node-1")

    def row(address: str, kind: str) -> str:
        return rf"\| {re.escape(address)} +\| {kind} +\| up +\| \d\d:\d\d:\d\d \| Established +\|"

    eventually(lambda: re.search(row(lab.plan.tors[0].ipv4, "global"), table()), "the router in the table")
    shown = table()
    for node in lab.plan.nodes[1:]:
        assert re.search(row(node.ipv4, "node-to-node mesh"), shown)
        assert re.search(row(node.ipv6, "node-to-node mesh"), shown)
    keys = subprocess.run(
        ["etcdctl", "get", "--prefix", "/felixbgp/v1/nodes/node-1/"],
        env=dict(os.environ) | lab.environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f'"address": "{lab.plan.tors[0].ipv4}"' in keys


def test_s11_the_global_as_number_as_a_text(lab: Lab) -> None:
    tor_peer(lab)
    one = lab.plan.nodes[0].block_v4
    eventually(lambda: as_path(lab, one) == str(AS_NUMBER), "the block with the old AS")
    felixbgp(lab, "create", "-f", "-", typed=DEFAULT_CONFIGURATION)
    felixbgp(lab, "patch", "bgpconfiguration", "default", "-p", '{"spec": {"asNumber": "64513"}}')
    for node in lab.plan.nodes:
        eventually(lambda: as_path(lab, node.block_v4) == "64513", f"{node.name} with the new AS")  # noqa: B023
    all_blocks_are_routed(lab)
    assert '"asNumber": 64513' in felixbgp(lab, "get", "bgpconfiguration", "default", "-o", "json")


def test_s12_the_as_number_of_one_node(lab: Lab) -> None:
    tor_peer(lab)
    felixbgp(lab, "patch", "node", "node-1", "-p", '{"spec": {"bgp": {"asNumber": "64514"}}}')
    one, two = lab.plan.nodes[:2]
    eventually(lambda: as_path(lab, one.block_v4) == "64514", "node-1's own AS")
    eventually(lambda: as_path(lab, two.block_v4) == str(AS_NUMBER), "node-2 as before")
    # Over the mesh, now external to node-1, all are reachable still.
    neighbours_become(lab, node_1="tor-1 node-2 node-3 node-4")
    all_blocks_are_routed(lab)


def test_s13_s14_filters_in_the_order_listed(lab: Lab) -> None:
    one, two = lab.plan.nodes[:2]
    stub = lab.plan.tors[0].stub_v4
    tor_peer(lab)
    eventually(lambda: in_bird(lab, two.block_v4) and stub in kernel(one), "routes both ways")
    accept = f"exportV4:\n- action: Accept\n  matchOperator: Equal\n  cidr: {one.block_v4}"
    reject = f"""exportV4:
- action: Reject
  matchOperator: In
  cidr: {POOL_V4}
importV4:
- action: Reject
  matchOperator: NotIn
  cidr: 44.0.0.0/16"""
    apply(lab, "BGPFilter", "first-bgp-filter", accept)
    apply(lab, "BGPFilter", "second-bgp-filter", reject)
    connections = checks.connections(one.namespace, 179)
    tor_peer(lab, "filters:\n  - first-bgp-filter\n  - second-bgp-filter")
    eventually(lambda: not in_bird(lab, two.block_v4), "the second filter rejects other blocks")
    eventually(lambda: stub not in kernel(one), "and what the router announces")
    assert in_bird(lab, one.block_v4), "the first filter accepts before"
    tor_peer(lab, "filters:\n  - second-bgp-filter\n  - first-bgp-filter")
    eventually(lambda: not in_bird(lab, one.block_v4), "in the other order it is rejected")
    felixbgp(lab, "patch", "bgppeer", "tor", "-p", '{"spec": {"filters": null}}')
    eventually(lambda: in_bird(lab, two.block_v4) and stub in kernel(one), "without filters, all as before")
    assert checks.connections(one.namespace, 179) == connections, "no session was made anew"


def test_s13_interfaces_and_sources(lab: Lab) -> None:
    """A workload's own route leaves by a `cali` interface; another node's comes from a peer."""
    one, two = lab.plan.nodes[:2]
    address = f"{one.workloads[0].ipv4}/32"
    tor_peer(lab)
    eventually(lambda: in_bird(lab, two.block_v4), "the blocks")
    assert not in_bird(lab, address), "hidden by its block"
    apply(
        lab,
        "BGPFilter",
        "my-filter",
        """exportV4:
- action: Accept
  interface: 'cali*'
- action: Reject
  source: RemotePeers""",
    )
    tor_peer(lab, "filters:\n  - my-filter", "node: node-1")
    eventually(lambda: in_bird(lab, address), "the workload's route")
    eventually(lambda: not in_bird(lab, two.block_v4), "nothing of other nodes")
    assert in_bird(lab, one.block_v4), "but its own block"


def test_s15_the_default_configuration_is_created_when_it_is_missed(lab: Lab) -> None:
    done = run(lab, "patch", "bgpconfiguration", "default", "-p", '{"spec": {"asNumber": "64513"}}')
    assert done.returncode == 1
    assert "resource does not exist: BGPConfiguration(default)" in done.stderr
    assert "felixbgp create" in done.stderr
    created = felixbgp(lab, "create", "-f", "-", typed=DEFAULT_CONFIGURATION)
    assert created == "Successfully created 1 'BGPConfiguration' resource(s)\n"
    again = run(lab, "create", "-f", "-", typed=DEFAULT_CONFIGURATION)
    assert again.returncode == 1
    assert "resource already exists: BGPConfiguration(default)" in again.stderr


EXAMPLES = {
    "rack1-tor": """apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: rack1-tor
spec:
  peerIP: 192.20.30.40
  asNumber: 64567
  nodeSelector: rack == 'rack-1'
""",
    "my-filter": """apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  name: my-filter
spec:
  exportV4:
    - action: Accept
      matchOperator: In
      cidr: 77.0.0.0/16
    - action: Reject
      source: RemotePeers
    - action: Reject
      interface: '*.calico'
  importV4:
    - action: Reject
      matchOperator: NotIn
      cidr: 44.0.0.0/16
  exportV6:
    - action: Reject
      source: RemotePeers
    - action: Reject
      interface: '*.calico'
  importV6:
    - action: Accept
      matchOperator: Equal
      cidr: 5000::0/64
    - action: Reject
""",
    "peer-with-filter": """kind: BGPPeer
apiVersion: projectcalico.org/v3
metadata:
  name: peer-with-filter
spec:
  peerSelector: has(filter-bgp)
  filters:
    - first-bgp-filter
    - second-bgp-filter
""",
}


def test_the_documentations_examples_are_taken_as_they_stand(lab: Lab) -> None:
    refused = run(lab, "apply", "-f", "-", typed=EXAMPLES["peer-with-filter"])
    assert refused.returncode == 1
    assert "first-bgp-filter" in refused.stderr
    assert "second-bgp-filter" in refused.stderr
    accept_all = "importV4:\n- action: Accept"
    apply(lab, "BGPFilter", "first-bgp-filter", accept_all)
    apply(lab, "BGPFilter", "second-bgp-filter", accept_all)
    printed = felixbgp(lab, "apply", "-f", "-", typed="---\n".join(EXAMPLES.values()))
    assert printed == "Successfully applied 3 resource(s)\n"
    # The filters stand between nodes, now that one has the label: sessions as before, by another BGPPeer.
    felixbgp(lab, "label", "node", "node-1", "filter-bgp=")
    neighbours_become(lab, node_1="node-2 node-3 node-4", node_2="node-1 node-3 node-4")
    all_blocks_are_routed(lab)
