"""A real route reflector that writes no routes, between two nodes that do."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from felixbgp.lab import calico, checks, processes
from felixbgp.lab.lab import NODE_ENDPOINT, Lab, felixbgp_command
from felixbgp.lab.plan import LabPlan
from tests.lab.conftest import a_lab, fresh_name

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

REFLECTOR = "node-3"
OURS = "179"
SECONDS_MAX = 60.0


@contextmanager
def agents(lab: Lab) -> Iterator[None]:
    """An agent on every node; that of the reflector leaves the kernel alone."""
    running = []
    try:
        for node in lab.plan.nodes:
            flags = ("--no-kernel",) if node.name == REFLECTOR else ()
            command = processes.Command(
                node.name,
                (*felixbgp_command(), "agent", *flags),
                str(lab.folder / f"{node.name}.log"),
                node.namespace,
                (
                    ("NODENAME", node.name),
                    ("ETCD_ENDPOINTS", NODE_ENDPOINT),
                    ("FELIXBGP_STATE_DIRECTORY", "none"),
                ),
            )
            running.append(processes.spawn(command))
        yield
    finally:
        processes.stop_all(running)


def peer_only_with_the_reflector(lab: Lab) -> None:
    lab.store.put_all(calico.configuration_resource("default", {"nodeToNodeMeshEnabled": False}))
    reflector = f"{calico.RESOURCES}nodes/{REFLECTOR}"
    node = json.loads(lab.store.get_prefix(reflector)[reflector])
    node["spec"]["bgp"]["routeReflectorClusterID"] = "244.0.0.1"
    node["metadata"]["labels"] = {"reflector": "yes"}
    lab.store.put_all({reflector: json.dumps(node)})
    lab.put_peer("reflector", {"nodeSelector": "all()", "peerSelector": "reflector == 'yes'"})


def ip(lab: Lab, *arguments: str) -> str:
    command = lab.exec_arguments(REFLECTOR, ("ip", *arguments))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing_routes(lab: Lab) -> list[str]:
    """What the clients have not learned of each other, and of the reflector's own blocks."""
    missing = []
    for node in lab.plan.nodes[:2]:
        for version in (4, 6):
            found = checks.routes(node.namespace, version)
            wanted = checks.wanted_by_node(lab.plan, node, version)
            missing += [f"{node.name}: {prefix}" for prefix in wanted if prefix not in found]
    return missing


def down_peers(lab: Lab) -> list[str]:
    """A status is written a second later at most, and traffic may flow before."""
    told = checks.status(lab.store, REFLECTOR)
    if not told:
        return ["no status yet"]
    return [peer["name"] for peer in told["peers"] if peer["state"] != "Established"]


def test_a_reflector_passes_routes_on_and_leaves_its_kernel_alone() -> None:
    with a_lab(LabPlan(name=fresh_name(), tor_count=0), agents=False) as lab:
        ip(lab, "route", "add", "192.0.2.0/24", "dev", "lo", "proto", OURS)
        before = ip(lab, "route", "show", "table", "all"), ip(lab, "-6", "route", "show", "proto", OURS)
        peer_only_with_the_reflector(lab)
        with agents(lab):
            checks.wait_for(lambda: missing_routes(lab), "the clients have all routes", SECONDS_MAX)
            between = [ping for ping in checks.workload_pings(lab.plan) if REFLECTOR not in str(ping)]
            assert between
            checks.wait_for(lambda: checks.missing_pings(lab, between), "workloads answer", SECONDS_MAX)
            checks.wait_for(lambda: down_peers(lab), "the status says that all sessions are up", SECONDS_MAX)
            assert "routes" not in checks.status(lab.store, REFLECTOR)
            after = ip(lab, "route", "show", "table", "all"), ip(lab, "-6", "route", "show", "proto", OURS)
            assert after == before
