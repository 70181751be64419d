"""`felixbgp explain` and the endpoint that it asks, on real agents with certificates."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from felixbgp.lab import calico, checks, netns, processes
from felixbgp.lab.lab import NODE_ENDPOINT, Lab, felixbgp_command
from felixbgp.lab.plan import LabPlan, Node
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name
from tests.support.authority import CertificateAuthority

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS_MAX = 60.0
PORT = 9179
FROM = "node-1"
"""Where the command is typed, and what `curl` is told of."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def asked(authority: CertificateAuthority) -> Iterator[Lab]:
    """Three nodes whose agents answer to who has a certificate."""
    with a_lab(LabPlan(name=fresh_name(), tor_count=0), agents=False) as lab:
        running = []
        try:
            for node in lab.plan.nodes:
                certificate, key = authority.issue(node.name)
                settings = {
                    "NODENAME": node.name,
                    "ETCD_ENDPOINTS": NODE_ENDPOINT,
                    "FELIXBGP_STATE_DIRECTORY": "none",
                    "FELIXBGP_STATUS_ADDRESS": f"{node.ipv4}:{PORT}",
                    "FELIXBGP_STATUS_CERT_FILE": str(certificate),
                    "FELIXBGP_STATUS_KEY_FILE": str(key),
                    "FELIXBGP_STATUS_CA_CERT_FILE": str(authority.certificate),
                }
                command = processes.Command(
                    node.name,
                    (*felixbgp_command(), "agent"),
                    str(lab.folder / f"{node.name}.log"),
                    node.namespace,
                    tuple(settings.items()),
                )
                running.append(processes.spawn(command))
            mesh = checks.mesh_sessions(lab.plan)
            checks.wait_for(lambda: checks.missing_sessions(lab.store, mesh), "the mesh is up", SECONDS_MAX)
            checks.wait_for(lambda: checks.missing_routes(lab.plan), "the routes are there", SECONDS_MAX)
            yield lab
        finally:
            processes.stop_all(running)


def run(lab: Lab, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        lab.exec_arguments(FROM, arguments),
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def explain(lab: Lab, authority: CertificateAuthority, *arguments: str) -> subprocess.CompletedProcess[str]:
    certificate, key = authority.issue("operator")
    return run(
        lab,
        *felixbgp_command(),
        "explain",
        *arguments,
        ETCD_ENDPOINTS=NODE_ENDPOINT,
        FELIXBGP_STATUS_CERT_FILE=str(certificate),
        FELIXBGP_STATUS_KEY_FILE=str(key),
        FELIXBGP_STATUS_CA_CERT_FILE=str(authority.certificate),
    )


def answers(lab: Lab, authority: CertificateAuthority, prefix: str) -> dict[str, Any]:
    done = explain(lab, authority, prefix, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {answer["node"]: answer for answer in json.loads(done.stdout)}


def revision(lab: Lab, key: str) -> int:
    """That of the last write, as etcd itself says it."""
    found = subprocess.run(
        ["etcdctl", "get", key, "-w", "json"],
        env=dict(os.environ) | lab.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    number: int = json.loads(found.stdout)["kvs"][0]["mod_revision"]
    return number


def test_a_block_is_explained_by_all_nodes(asked: Lab, authority: CertificateAuthority) -> None:
    second = asked.plan.nodes[1]
    found = answers(asked, authority, second.block_v4)
    assert found.keys() == {node.name for node in asked.plan.nodes}
    mine = found[FROM]["explanation"]
    [path] = mine["paths"]
    assert (path["outcome"], path["node"], path["step"]) == ("Selected", second.name, "ONLY_PATH")
    assert path["nextHop"] == second.ipv4
    assert mine["kernel"]["outcome"] == "Installed"
    [own] = found[second.name]["explanation"]["paths"]
    assert own["source"] == "own block"
    assert own["decider"]["revision"] == revision(asked, _affinity(second))


def test_an_address_is_explained_by_what_it_is_routed_by(asked: Lab, authority: CertificateAuthority) -> None:
    second = asked.plan.nodes[1]
    inside = second.workloads[0].ipv4
    found = answers(asked, authority, inside)
    prefixes = {name: one["explanation"]["prefix"] for name, one in found.items()}
    assert prefixes.pop(second.name) == f"{inside}/32"
    assert set(prefixes.values()) == {second.block_v4}
    shown = explain(asked, authority, f"{inside}/32", "--node", FROM).stdout
    assert f"{second.block_v4} covers it: felixbgp explain {second.block_v4}" in shown


def _affinity(node: Node) -> str:
    return f"/calico/ipam/v2/host/{node.name}/ipv4/block/{node.block_v4.replace('/', '-')}"


def test_what_never_arrived_is_withheld_by_a_named_node(asked: Lab, authority: CertificateAuthority) -> None:
    first, second = asked.plan.nodes[:2]
    key = f"{calico.RESOURCES}bgpfilters/keep"
    rule = {"action": "Reject", "matchOperator": "In", "cidr": second.block_v4}
    filter_ = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "BGPFilter",
        "metadata": {"name": "keep"},
        "spec": {"exportV4": [rule]},
    }
    asked.store.put_all({key: json.dumps(filter_)})
    spec = {"node": second.name, "peerIP": first.ipv4, "asNumber": 64512, "filters": ["keep"]}
    asked.put_peer("kept", spec)
    try:
        checks.wait_for(
            lambda: [second.block_v4] if second.block_v4 in checks.routes(first.namespace, 4) else [],
            "the block is withdrawn",
            SECONDS_MAX,
        )
        answer = answers(asked, authority, second.block_v4)[first.name]
        assert answer["explanation"]["paths"] == []
        withheld = answer["withheldBy"][0]
        assert (withheld["node"], withheld["reason"]) == (second.name, "filter keep export rule 1")
        assert withheld["decider"]["revision"] == revision(asked, key)
        shown = explain(asked, authority, second.block_v4, "--node", first.name).stdout
        assert f"never arrived: withheld by {second.name}: filter keep export rule 1" in shown
    finally:
        asked.delete_peer("kept")
        asked.store.delete([key])
    checks.wait_for(lambda: checks.missing_routes(asked.plan), "the block is back", SECONDS_MAX)


def test_somebody_elses_route_in_the_kernel_is_told(asked: Lab, authority: CertificateAuthority) -> None:
    first, second, third = asked.plan.nodes
    foreign = f"{second.block_v4} via {third.ipv4} proto static metric 1024"
    netns.batch([f"route replace {foreign}"], first.namespace)
    try:
        checks.wait_for(
            lambda: [
                outcome
                for outcome in (_kernel(asked, authority, second.block_v4)["outcome"],)
                if outcome != "Conflict"
            ],
            "the conflict is seen",
            SECONDS_MAX,
        )
        assert "protocol static" in _kernel(asked, authority, second.block_v4)["reason"]
    finally:
        netns.batch([f"route del {foreign}"], first.namespace)
    checks.wait_for(lambda: checks.missing_routes(asked.plan), "ours is back", SECONDS_MAX)


def _kernel(lab: Lab, authority: CertificateAuthority, prefix: str) -> dict[str, str]:
    found: dict[str, str] = answers(lab, authority, prefix)[FROM]["explanation"]["kernel"]
    return found


def test_nobody_is_answered_without_a_certificate(asked: Lab, authority: CertificateAuthority) -> None:
    target = asked.plan.nodes[1]
    url = f"https://{target.name}:{PORT}/status"
    to = ("--resolve", f"{target.name}:{PORT}:{target.ipv4}", "--cacert", str(authority.certificate))
    certificate, key = authority.issue("operator")
    certified = run(asked, "curl", "-sS", *to, "--cert", str(certificate), "--key", str(key), url)
    assert json.loads(certified.stdout)["node"] == target.name
    refused = run(asked, "curl", "-sS", *to, url)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert run(asked, "curl", "-sS", url.replace("https", "http"), *to).stdout == ""


def test_readiness_is_open_on_the_node_alone(asked: Lab) -> None:
    def local() -> str:
        return run(asked, "curl", "-s", "-w", "%{http_code}", "http://127.0.0.1:9178/readiness").stdout

    # Sessions and routes are there before the last End-of-RIB.
    wait_until(lambda: local() == "ready\n200", "it is ready", SECONDS_MAX, describe=local)
    assert run(asked, "curl", "-s", "http://127.0.0.1:9178/liveness").stdout == "live\n"
    assert run(asked, "curl", "-s", "http://127.0.0.1:9178/status").stdout.startswith(
        "/status is answered over TLS"
    )
    other = asked.plan.nodes[1]
    assert run(asked, "curl", "-s", f"http://{other.ipv4}:9178/readiness").returncode != 0


def test_agents_tell_in_etcd_where_they_answer(asked: Lab) -> None:
    for node in asked.plan.nodes:
        key = f"/felixbgp/v1/nodes/{node.name}/alive"
        alive = json.loads(asked.store.get_prefix(key)[key])
        assert alive["endpoint"] == f"{node.ipv4}:{PORT}"


def test_a_command_without_a_certificate_says_which_is_missing(asked: Lab) -> None:
    done = run(asked, *felixbgp_command(), "explain", "10.0.0.0/8", ETCD_ENDPOINTS=NODE_ENDPOINT)
    assert done.returncode == 1
    assert "agents answer nobody without a certificate" in done.stderr
