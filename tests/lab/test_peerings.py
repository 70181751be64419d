"""Resources written as Calico writes them, by hands that are not ours: `etcdctl`, and `felixbgp apply`."""

import json
import os
import re
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from felixbgp.lab import calico, checks, demo
from felixbgp.lab.lab import STATUS_PREFIX, Lab, felixbgp_command
from felixbgp.lab.monitor import RouteMonitor
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567
DE_CONFIGURED = "Received: Peer de-configured"
"""BIRD's words for a Cease with subcode 3."""


def etcdctl(lab: Lab, *arguments: str) -> str:
    return subprocess.run(
        ["etcdctl", *arguments],
        env=dict(os.environ) | lab.environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def mesh_times(lab: Lab) -> dict[tuple[str, str], str]:
    found = checks.session_times(lab.store, checks.mesh_sessions(lab.plan))
    assert len(found) == 12
    return found


def established(lab: Lab, *versions: int) -> None:
    """Wait for the sessions with the router, in these families."""
    wanted = checks.tor_sessions(lab.plan, versions)
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "sessions with the router", 90)


def told_by_etcdctl(lab: Lab, address: str) -> dict[str, list[str]]:
    """By node, the lines about a peer in what `etcdctl get --prefix /felixbgp/v1/` prints."""
    text = etcdctl(lab, "get", "--prefix", "/felixbgp/v1/")
    parts = re.split(rf"^{STATUS_PREFIX}(.+)/status$", text, flags=re.MULTILINE)
    about = zip(parts[1::2], parts[2::2], strict=True)
    return {node: [line for line in told.splitlines() if f'"{address}"' in line] for node, told in about}


def test_put_and_delete_of_a_peer_by_etcdctl(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    ((key, value),) = calico.peer_resource("by-hand", {"peerIP": tor.ipv4, "asNumber": TOR_AS}).items()
    mesh = mesh_times(lab)

    etcdctl(lab, "put", key, value)
    established(lab, 4)
    ceased = lab.log(tor.name).count(DE_CONFIGURED)
    told = told_by_etcdctl(lab, tor.ipv4)
    assert told.keys() == {"node-1", "node-2", "node-3"}
    for (line,) in told.values():
        assert '"scope": "global", "resource": "by-hand"' in line
        assert f'"remoteAs": {TOR_AS}, "state": "Established"' in line
    checks.wait_for(lambda: missing_stubs(lab), "the router's routes", 60)

    etcdctl(lab, "del", key)
    wait_until(lambda: not any(told_by_etcdctl(lab, tor.ipv4).values()), "the peer is gone from status", 60)
    wait_until(lambda: lab.log(tor.name).count(DE_CONFIGURED) == ceased + 3, "three Ceases", 60)
    wait_until(lambda: len(missing_stubs(lab)) == 3, "the router's routes are gone", 60)
    assert mesh_times(lab) == mesh


def missing_stubs(lab: Lab) -> list[str]:
    """Nodes without the router's IPv4 network in their kernel."""
    stub = lab.plan.tors[0].stub_v4
    return [node.name for node in lab.plan.nodes if stub not in checks.routes(node.namespace, 4)]


def test_a_peer_of_one_node_is_no_peer_of_the_others(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    lab.put_peer("only-two", {"peerIP": tor.ipv6, "asNumber": TOR_AS, "node": "node-2"})
    wanted = {"node-2": frozenset({tor.ipv6})}
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "session of node-2", 90)
    assert checks.peer(lab.store, "node-2", tor.ipv6)["scope"] == "node"
    assert not checks.peer(lab.store, "node-1", tor.ipv6)
    assert not checks.peer(lab.store, "node-3", tor.ipv6)


def test_the_wrong_as_number_is_refused_and_mending_it_helps_at_once(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    lab.put_peer("tor", {"peerIP": tor.ipv4, "asNumber": 64999})
    wait_until(lambda: checks.peer(lab.store, "node-1", tor.ipv4).get("lastError"), "an error in status", 60)
    assert checks.peer(lab.store, "node-1", tor.ipv4)["state"] != "Established"
    lab.put_peer("tor", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
    established(lab, 4)


def test_apply_and_delete_of_the_examples(lab: Lab, tmp_path: Path) -> None:
    tor = lab.plan.tors[0]
    file = tmp_path / "peers.yaml"
    file.write_text(demo.global_peer(tor) + "---\n" + demo.node_peers(lab.plan, tor))
    for verb, wanted in (("apply", 6), ("delete", 0)):
        done = subprocess.run(
            [*felixbgp_command(), verb, "-f", str(file)],
            env=dict(os.environ) | lab.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        checks.wait_for(partial(other_count, lab, wanted), f"sessions after {verb}", 90)
    assert lab.store.get_prefix(f"{calico.RESOURCES}bgppeers/") == {}


def other_count(lab: Lab, wanted: int) -> list[str]:
    found = len(checks.session_times(lab.store, checks.tor_sessions(lab.plan)))
    return [] if found == wanted else [f"{found} sessions with the router, not {wanted}"]


# --- values that are not valid, or newer than we are -------------------------------------------------


@pytest.mark.parametrize(
    ("good", "bad", "field", "reason"),
    [
        pytest.param('"kind"', "kind", "", "is not JSON: ", id="not JSON"),
        pytest.param('"172.30.2.1"', "7", "spec.peerIP", "7 is not an IP address", id="wrong type"),
        pytest.param(
            "64567", "4294967296", "spec.asNumber", "is not between 1 and 4294967295", id="AS out of range"
        ),
    ],
)
def test_an_invalid_value_counts_as_absent_and_is_named_until_it_is_corrected(
    lab: Lab, good: str, bad: str, field: str, reason: str
) -> None:
    """A peer's working value is spoilt: its session ends, and nothing else is touched."""
    tor = lab.plan.tors[0]
    ((key, value),) = calico.peer_resource("tor-v4", {"peerIP": tor.ipv4, "asNumber": TOR_AS}).items()
    lab.store.put(key, value)
    lab.put_peer("tor-v6", {"peerIP": tor.ipv6, "asNumber": TOR_AS})
    established(lab, 4, 6)
    checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes in all kernels", 60)
    others = others_than(lab, tor.ipv4)
    with ExitStack() as stack:
        monitors = [stack.enter_context(RouteMonitor(node.namespace)) for node in lab.plan.nodes]
        logs = {node.name: len(lab.log(node.name)) for node in lab.plan.nodes}

        lab.store.put(key, value.replace(good, bad))
        checks.wait_for(lambda: not_in_status(lab, key, field, reason), "status names the fault", 60)
        checks.wait_for(lambda: not_in_logs(lab, logs, key, field, reason), "the logs name the fault", 60)
        wait_until(lambda: len(missing_stubs(lab)) == 3, "the router's IPv4 routes are gone", 60)
        wait_until(
            lambda: not any(checks.peer(lab.store, node.name, tor.ipv4) for node in lab.plan.nodes),
            "the peer is gone from status",
            60,
        )

        lab.store.put(key, value)
        established(lab, 4)
        checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes in all kernels", 60)
        checks.wait_for(lambda: remaining_problems(lab), "no problems left", 30)
    events = [event for monitor in monitors for event in monitor.of_protocol(checks.BGP_PROTOCOL)]
    assert [event for event in events if tor.stub_v4 not in event] == []
    assert others_than(lab, tor.ipv4) == others


def test_a_cidr_with_host_bits_counts_as_absent_and_is_named_until_it_is_corrected(lab: Lab) -> None:
    """A pool that keeps node-1's block from being announced does so once its CIDR is one."""
    tor, node = lab.plan.tors[0], lab.plan.nodes[0]
    lab.put_peer("tor-v4", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
    lab.put_peer("tor-v6", {"peerIP": tor.ipv6, "asNumber": TOR_AS})
    established(lab, 4, 6)
    checks.wait_for(lambda: missing_ways(lab), "the router's ways by all nodes", 60)
    others = others_than(lab, "")
    with RouteMonitor(tor.namespace) as monitor:
        key = f"{calico.RESOURCES}ippools/crooked"
        logs = {node.name: len(lab.log(node.name)) for node in lab.plan.nodes}
        lab.store.put(key, a_pool("crooked", node.block_v4.replace(".64/", ".65/")))
        fault = (key, "spec.cidr", "has host bits")
        checks.wait_for(lambda: not_in_status(lab, *fault), "status names the fault", 60)
        checks.wait_for(lambda: not_in_logs(lab, logs, *fault), "the logs name the fault", 60)
    assert monitor.events == []

    lab.store.put(key, a_pool("crooked", node.block_v4))
    block = partial(checks.routes, tor.namespace, 4)
    wait_until(lambda: node.block_v4 not in block(), "the block is announced no more", 60)
    checks.wait_for(lambda: remaining_problems(lab), "no problems left", 30)
    assert others_than(lab, "") == others


def test_fields_of_a_newer_version_are_named_and_nothing_moves(lab: Lab) -> None:
    """Each agent goes on with a Node in which a newer Calico wrote more than we know."""
    key = f"{calico.NODES}{lab.plan.nodes[1].name}"
    value = calico.cluster_resources(lab.plan)[key]
    mesh = mesh_times(lab)
    with ExitStack() as stack:
        monitors = [stack.enter_context(RouteMonitor(node.namespace)) for node in lab.plan.nodes]
        lab.store.put(key, value.replace('"bgp":{', '"bgp":{"newer":{"a":[1]},'))
        fault = (key, "spec.bgp.newer", "is not known to this version and is ignored")
        checks.wait_for(lambda: not_in_status(lab, *fault), "status names the field", 60)
        lab.store.put(key, value)
        checks.wait_for(lambda: remaining_problems(lab), "no problems left", 30)
    assert [event for monitor in monitors for event in monitor.of_protocol(checks.BGP_PROTOCOL)] == []
    assert mesh_times(lab) == mesh


def missing_ways(lab: Lab) -> list[str]:
    """Blocks that the router does not reach by way of every node: each announces all."""
    namespace, nodes = lab.plan.tors[0].namespace, lab.plan.nodes
    found = checks.routes(namespace, 4) | checks.routes(namespace, 6)
    blocks = [block for node in nodes for block in (node.block_v4, node.block_v6)]
    return [block for block in blocks if block not in found or len(found[block].gateways) < len(nodes)]


def a_pool(name: str, cidr: str) -> str:
    spec = {"cidr": cidr, "blockSize": 26, "disableBGPExport": True}
    metadata = {"name": name, "creationTimestamp": calico.CREATED}
    return json.dumps(
        {"kind": "IPPool", "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
    )


def others_than(lab: Lab, address: str) -> dict[tuple[str, str], str]:
    """Since when every session stands, but for those with one peer."""
    mesh, tors = checks.mesh_sessions(lab.plan), checks.tor_sessions(lab.plan)
    found = checks.session_times(lab.store, {node: mesh[node] | tors[node] - {address} for node in mesh})
    assert len(found) == 12 + (3 if address else 6)
    return found


def not_in_status(lab: Lab, key: str, field: str, reason: str) -> list[str]:
    """Nodes whose status does not name this key, field and reason, and them alone."""
    told = {node.name: checks.problems(lab.store, node.name) for node in lab.plan.nodes}
    return [
        f"{node}: {problems}"
        for node, problems in told.items()
        if [(each["subject"], each["field"]) for each in problems] != [(key, field)]
        or reason not in problems[0]["reason"]
    ]


def not_in_logs(lab: Lab, lengths: dict[str, int], key: str, field: str, reason: str) -> list[str]:
    """Nodes whose logs, behind these lengths, hold no warning with this key, field and reason."""
    return [
        node
        for node, length in lengths.items()
        if not any(
            f"WARNING InvalidValue key={key} " in line and field in line and reason in line
            for line in lab.log(node)[length:].splitlines()
        )
    ]


def remaining_problems(lab: Lab) -> list[str]:
    return [str(problem) for node in lab.plan.nodes for problem in checks.problems(lab.store, node.name)]
