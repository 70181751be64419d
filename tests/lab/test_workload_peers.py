"""A router that runs in a workload, and its node as its peer."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp.lab import bird, calico, checks, netns
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import LabPlan, Workload
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name
from tests.support.secret_files import deploy_secret

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

WORKLOAD_AS = 65001
NODE_AS = 64512
HOST_V4 = "169.254.0.179"
PASSWORD = "correct horse"
BEHIND_V4 = "10.99.0.0/24"
"""What lies behind the workload."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with a_lab(LabPlan(name=fresh_name(), node_count=2, tor_count=0)) as made:
        yield made


def configure_host(lab: Lab, **more: str) -> None:
    spec = {"localWorkloadPeeringIPV4": HOST_V4, **more}
    lab.store.put_all(calico.configuration_resource("default", spec))


def router_in(workload: Workload, folder: Path, password: str = "") -> tuple[str, ...]:
    """The command of a BIRD inside the workload that dials its node."""
    secret = f'password "{password}";' if password else ""
    config = folder / f"{workload.name}.conf"
    config.write_text(f"""\
log stderr all;
router id {workload.ipv4};
protocol device {{ }}
protocol static behind {{ ipv4; route {BEHIND_V4} blackhole; }}
protocol kernel {{ ipv4 {{ import none; export none; }}; }}
protocol bgp host {{
  local {workload.ipv4} as {WORKLOAD_AS};
  neighbor {HOST_V4} as {NODE_AS};
  multihop; connect delay time 1; connect retry time 1; error wait time 1, 2;
  {secret}
  ipv4 {{ import all; export where source = RTS_STATIC; }};
}}
""")
    return bird.arguments(bird.find_bird() or "bird", config, folder / f"{workload.name}.ctl")


@pytest.mark.parametrize("bind_mode", ["None", "NodeIP"])
def test_a_router_in_a_workload_is_a_peer_while_its_endpoint_is_there(lab: Lab, bind_mode: str) -> None:
    node, other = lab.plan.nodes
    workload = node.workloads[0]
    configure_host(lab, bindMode=bind_mode)
    deploy_secret(lab.secrets, "bgp-secrets", "vm", PASSWORD.encode())
    spec = {
        "localWorkloadSelector": "bgp == 'yes'",
        "asNumber": WORKLOAD_AS,
        "password": {"secretKeyRef": {"name": "bgp-secrets", "key": "vm"}},
    }
    lab.put_peer("workloads", spec)
    endpoint = calico.workload_resource(node.name, workload.name, [workload.ipv4], {"bgp": "yes"})
    lab.store.put_all(endpoint)
    # As Felix does: an address of the host that is the same on every node, and comes when it comes.
    netns.batch([f"address add {HOST_V4}/32 dev lo"], node.namespace)
    control = lab.folder / f"{workload.name}.ctl"
    command = netns.exec_arguments(workload.namespace, router_in(workload, lab.folder, PASSWORD))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as router:
        try:
            wanted = {node.name: frozenset({workload.ipv4})}
            checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the workload's session", 90)
            peer = checks.peer(lab.store, node.name, workload.ipv4)
            name = f"Local_Workload_{workload.ipv4.replace('.', '_')}"
            assert (peer["scope"], peer["resource"], peer["name"]) == ("workload", "workloads", name)
            wait_until(lambda: BEHIND_V4 in checks.routes(node.namespace, 4), "what is behind it", 60)
            wait_until(lambda: node.block_v4 in bird.query(control, "show route"), "the node's block", 60)
            assert not checks.peer(lab.store, other.name, workload.ipv4)

            lab.store.delete(endpoint)
            wait_until(lambda: not checks.peer(lab.store, node.name, workload.ipv4), "the peer is gone", 60)
            wait_until(lambda: BEHIND_V4 not in checks.routes(node.namespace, 4), "its route is gone", 60)
        finally:
            router.terminate()
