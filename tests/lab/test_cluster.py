"""A cluster as it should be: sessions, kernels, packets, status, all of it real."""

import json
import os
import subprocess
from functools import partial

import pytest

from felixbgp.lab import checks, netns
from felixbgp.lab.lab import STATUS_PREFIX, Lab, felixbgp_command
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567


def with_tor(lab: Lab) -> None:
    """Every node peers with the router over IPv4 and over IPv6, and that is so."""
    tor = lab.plan.tors[0]
    lab.put_peer("tor-v4", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
    lab.put_peer("tor-v6", {"peerIP": tor.ipv6, "asNumber": TOR_AS})
    wanted = checks.tor_sessions(lab.plan)
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "ToR sessions", 90)
    checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes in all kernels", 60)


def run(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*felixbgp_command(), *arguments],
        env=dict(os.environ) | lab.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_mesh_needs_no_configuration_and_carries_packets(lab: Lab) -> None:
    pings = checks.workload_pings(lab.plan)
    assert len(pings) == 6 * 5 * 2
    checks.wait_for(lambda: checks.missing_pings(lab, pings), "packets between all workloads", 30)


def test_every_kernel_has_our_routes_with_our_mark_and_blackholes_for_its_own_blocks(lab: Lab) -> None:
    with_tor(lab)
    checks.wait_for(lambda: checks.missing_blackholes(lab.plan), "blackholes", 30)
    for version in lab.plan.families:
        for node in lab.plan.nodes:
            found = checks.routes(node.namespace, version)
            for prefix, gateway in checks.wanted_by_node(lab.plan, node, version).items():
                route = found[prefix]
                assert (route.protocol, route.metric) == (checks.BGP_PROTOCOL, 1024)
                assert route.gateways == {gateway}


def test_foreign_routes_are_left_alone(lab: Lab) -> None:
    node = lab.plan.nodes[0]
    before = foreign_routes(node.namespace)
    with_tor(lab)
    assert foreign_routes(node.namespace) == before


def foreign_routes(namespace: str) -> list[str]:
    found = [
        entry
        for version in (4, 6)
        for entry in netns.query(["-N", f"-{version}", "route", "show", "table", "main"], namespace)
        if entry.get("protocol") != str(checks.BGP_PROTOCOL)
    ]
    return sorted(json.dumps(entry, sort_keys=True) for entry in found)


def test_bird_and_the_nodes_agree_over_ipv4_and_ipv6(lab: Lab) -> None:
    with_tor(lab)
    for version in lab.plan.families:
        checks.wait_for(partial(checks.missing_bird_sessions, lab, version), "BIRD's sessions", 60)


def test_packets_between_the_router_and_all_workloads(lab: Lab) -> None:
    with_tor(lab)
    checks.wait_for(lambda: checks.missing_pings(lab, checks.tor_pings(lab.plan)), "packets", 30)


def test_status_keys_are_text_that_tells_of_every_peer(lab: Lab) -> None:
    done = subprocess.run(
        ["etcdctl", "get", "--prefix", "/felixbgp/v1/"],
        env=dict(os.environ) | lab.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    for node in lab.plan.nodes:
        assert f"/felixbgp/v1/nodes/{node.name}/alive" in done.stdout
        document = checks.status(lab.store, node.name)
        assert document["node"] == node.name
        assert set(document["blocks"]) == {node.block_v4, node.block_v6}
        assert {peer["scope"] for peer in document["peers"]} == {"mesh"}
        assert {peer["state"] for peer in document["peers"]} == {"Established"}
        assert all(peer["address"] in done.stdout for peer in document["peers"])


def test_node_status_shows_every_node_from_any_machine(lab: Lab) -> None:
    done = run(lab, "node", "status", "--all")
    assert done.returncode == 0, done.stderr
    for node in lab.plan.nodes:
        assert node.name in done.stdout
        assert done.stdout.count(node.ipv4) >= len(lab.plan.nodes) - 1


def test_a_status_is_not_written_while_nothing_happens(lab: Lab) -> None:
    """Were it refreshed, or did it hold a counter, etcd would count more writes of the key.

    That the longest step of the last minute is another one, on a busy machine, is something that happens.
    """
    with_tor(lab)
    wait_until(lambda: writes_during(lab, 6) == 0, "six seconds in which no status is written", 60)


def writes_during(lab: Lab, seconds: int) -> int:
    """Status documents written while so many packets pass, one a second, between all workloads."""
    before = status_writes(lab)
    assert checks.lost_packets(lab, checks.workload_pings(lab.plan), count=seconds + 1) == []
    return status_writes(lab) - before


def status_writes(lab: Lab) -> int:
    return sum(lab.store.writes(f"{STATUS_PREFIX}{node.name}/status") for node in lab.plan.nodes)
