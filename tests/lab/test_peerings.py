"""Resources written as Calico writes them, by hands that are not ours: `etcdctl`, and `felixbgp apply`."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from felixbgp.lab import calico, checks, demo
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

DE_CONFIGURED = "Received: Peer de-configured"
"""BIRD's words for a Cease with subcode 3."""


def etcdctl(lab: Lab, *arguments: str) -> str:
    program = shutil.which("etcdctl")
    if program is None:
        pytest.skip("etcdctl is not installed")
    environment = dict(os.environ) | {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": lab.endpoints[0]}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_put_and_delete_of_a_peer_by_etcdctl(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    ((key, value),) = calico.peer_resource("by-hand", {"peerIP": tor.ipv4, "asNumber": 64567}).items()
    ceased = lab.log(tor.name).count(DE_CONFIGURED)
    mesh = checks.session_times(lab.store, lab.plan)

    etcdctl(lab, "put", key, value)
    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "sessions after put", 90)
    entry = checks.peer(lab.store, "node-1", tor.ipv4)
    assert (entry["scope"], entry["resource"], entry["remoteAs"]) == ("global", "by-hand", 64567)

    etcdctl(lab, "del", key)
    wait_until(lambda: not checks.peer(lab.store, "node-1", tor.ipv4), "the peer is gone from status", 60)
    if lab.tor_kind == "bird":
        wait_until(lambda: lab.log(tor.name).count(DE_CONFIGURED) == ceased + 3, "three Ceases", 60)
    stubs = [f"{node.name}: {tor.stub_v4}" for node in lab.plan.nodes]
    checks.wait_for(
        lambda: [stub for stub, node in zip(stubs, lab.plan.nodes, strict=True)
                 if tor.stub_v4 in checks.routes(node.namespace, 4)],
        "the router's routes are gone", 60,
    )  # fmt: skip
    assert checks.session_times(lab.store, lab.plan) == mesh


def test_a_peer_of_one_node_is_no_peer_of_the_others(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    lab.put_peer("only-two", {"peerIP": tor.ipv6, "asNumber": 64567, "node": "node-2"})
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
    lab.put_peer("tor", {"peerIP": tor.ipv4, "asNumber": 64567})
    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "sessions after the correction", 90)


def test_apply_and_delete_of_the_examples(lab: Lab, tmp_path: Path) -> None:
    tor = lab.plan.tors[0]
    file = tmp_path / "peers.yaml"
    file.write_text(demo.global_peer(tor) + "---\n" + demo.node_peers(lab.plan, tor))
    for verb, wanted in (("apply", checks.tor_sessions(lab.plan)), ("delete", {})):
        done = subprocess.run(
            [*felixbgp_command(), verb, "-f", str(file)],
            env=dict(os.environ) | lab.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        checks.wait_for(lambda w=wanted: checks.missing_sessions(lab.store, w), f"after {verb}", 90)  # type: ignore[misc]
    assert lab.store.get_prefix(f"{calico.RESOURCES}bgppeers/") == {}


def test_an_invalid_value_counts_as_absent_and_is_named_and_nothing_else_notices(lab: Lab) -> None:
    tor = lab.plan.tors[0]
    mesh = checks.session_times(lab.store, lab.plan)
    ((key, good),) = calico.peer_resource("tor", {"peerIP": tor.ipv4, "asNumber": 64567}).items()
    wrong = {
        "not JSON": ("{", ""),
        "an unknown field": (good.replace('"peerIP"', '"peerIp"'), "peerIp"),
        "a wrong type": (good.replace(f'"{tor.ipv4}"', "7"), "peerIP"),
        "an AS out of range": (good.replace("64567", "4294967296"), "asNumber"),
    }
    for value, field in wrong.values():
        lab.store.put(key, value)
        checks.wait_for(lambda f=field: _unnamed(lab, key, f), "the problem is named", 60)  # type: ignore[misc]
        assert not checks.peer(lab.store, "node-1", tor.ipv4)
        assert checks.session_times(lab.store, lab.plan) == mesh

    lab.store.put(key, good)
    wanted = checks.tor_sessions(lab.plan, (4,))
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "sessions after the correction", 90)
    checks.wait_for(lambda: [str(p) for p in checks.problems(lab.store, "node-1")], "no problems left", 30)
    assert checks.session_times(lab.store, lab.plan) == mesh
    assert key in lab.log("node-1")


def test_a_pool_with_host_bits_is_absent_and_named(lab: Lab) -> None:
    key = f"{calico.RESOURCES}ippools/crooked"
    good = lab.store.get(f"{calico.RESOURCES}ippools/default-ipv4-ippool")
    assert good is not None
    document = json.loads(good)
    document["metadata"]["name"] = "crooked"
    document["spec"]["cidr"] = "10.66.0.1/16"
    try:
        lab.store.put(key, json.dumps(document))
        checks.wait_for(lambda: _unnamed(lab, key, "cidr"), "the problem is named", 60)
    finally:
        lab.store.delete([key])


def _unnamed(lab: Lab, key: str, field: str) -> list[str]:
    """Nodes whose status does not name this key and field."""
    return [
        node.name
        for node in lab.plan.nodes
        if not any(
            problem["subject"] == key and field in problem.get("field", "") and problem["reason"]
            for problem in checks.problems(lab.store, node.name)
        )
    ]
