"""One `felixbgp apply` is followed through the cluster: a real collector receives one trace of all nodes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from felixbgp.lab import calico, checks
from felixbgp.lab.lab import Lab, down, felixbgp_command
from felixbgp.lab.plan import POOL_V4, LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import fresh_name
from tests.support.collector import Collector, Span, as_tree, grpc_collector

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

NAME = "default-ipv4-ippool"
SECONDS_MAX = 120.0
PASSWORD = "correct horse battery staple"
POOL = """
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: {name}
spec:
  cidr: {cidr}
  blockSize: 26
  nodeSelector: all()
  disableBGPExport: true
"""


def apply(lab: Lab, text: str, environment: dict[str, str]) -> None:
    subprocess.run(
        [*felixbgp_command(), "apply", "-f", "-"],
        env=dict(os.environ) | lab.environment() | environment,
        input=text,
        text=True,
        check=True,
    )


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """By a Unix socket: nodes in network namespaces of their own reach it as well."""
    with grpc_collector(f"unix:{tmp_path}/otlp.sock") as made:
        yield made


def exported_to(collector: Collector) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


def live(lab: Lab) -> None:
    """All nodes have each other's blocks; and a peer refers to a password."""
    lab.store.put("/felixbgp/v1/secrets/bgp/nobody", PASSWORD)
    secret = {"secretKeyRef": {"name": "bgp", "key": "nobody"}}
    lab.put_peer("nobody", {"peerIP": "172.30.0.99", "asNumber": 65000, "password": secret})
    plan = replace(lab.plan, tor_count=0)
    checks.wait_for(lambda: checks.missing_routes(plan), "all blocks in all kernels", SECONDS_MAX)


def trace_of(collector: Collector) -> list[Span]:
    """The trace of the one write that a command told of."""
    spans = collector.spans
    roots = [one for one in spans if one.name == "felixbgp.write"]
    return [one for one in spans if roots and one.trace == roots[0].trace]


def is_over(lab: Lab, collector: Collector, resource: str) -> bool:
    """Whether every node has told of the write of a resource, as it does when nothing comes after that.

    Until then an UPDATE that is quicker than etcd counts to that write, not to the one that it follows.
    """
    told = {
        one.instance
        for one in collector.spans
        if one.name == "felixbgp.change" and resource in str(one.attributes.get("felixbgp.etcd.keys"))
    }
    return told == {node.name for node in lab.plan.nodes}


def is_whole(lab: Lab, collector: Collector) -> bool:
    """Whether every node has told what it made of the write."""
    told = {one.instance for one in trace_of(collector) if one.name == "felixbgp.change"}
    return told == {node.name for node in lab.plan.nodes}


def test_one_apply_is_one_trace_from_etcd_to_the_kernels_of_all_nodes(collector: Collector) -> None:
    plan = LabPlan(name=fresh_name(), node_count=3)
    settings = exported_to(collector) | {"FELIXBGP_DRAINING_SECONDS": "0", "OTEL_BSP_SCHEDULE_DELAY": "500"}
    try:
        lab = Lab.up(plan, tor_kind="bird", settings=settings)
        live(lab)
        wait_until(lambda: is_over(lab, collector, "bgppeers/nobody"), "the last write is over", SECONDS_MAX)
        pool = POOL.format(name=NAME, cidr=POOL_V4)
        apply(lab, pool, exported_to(collector))
        wait_until(
            lambda: is_whole(lab, collector),
            "all nodes told of the write",
            SECONDS_MAX,
            describe=lambda: as_tree(collector.spans),
        )
        logs = [lab.log(node.name) for node in plan.nodes]
    finally:
        down(plan.name)
    trace = trace_of(collector)
    sys.stdout.write(as_tree(trace) + "\n")
    changes = {one.id: one for one in trace if one.name == "felixbgp.change"}
    (root,) = [one for one in trace if not one.parent]
    assert (root.name, root.service) == ("felixbgp.write", "felixbgp-command")
    assert root.attributes["felixbgp.etcd.keys"] == [f"{calico.RESOURCES}ippools/{NAME}"]
    revision = root.attributes["felixbgp.etcd.revision"]
    assert {one.attributes["felixbgp.etcd.revision"] for one in changes.values()} == {revision}
    assert {one.parent for one in changes.values()} == {root.id}

    sent = {one.id: one for one in trace if one.name == "bgp.update.send"}
    for change in changes.values():
        below = [one for one in trace if one.parent == change.id]
        names = [one.name for one in below]
        assert {"felixbgp.derive", "felixbgp.policy", "felixbgp.kernel"} <= {*names}
        received = [one for one in below if one.name == "bgp.update.receive"]
        assert names.count("bgp.update.send") == len(received) == 2
        for one in received:
            # The other end of the session, on the other node, which sent before this one received.
            ((trace_id, target),) = one.links
            assert trace_id == root.trace
            assert sent[target].instance != change.instance
            assert sent[target].began <= one.began
            assert sent[target].attributes["network.peer.address"] == one.attributes["network.local.address"]
    assert PASSWORD.encode() not in collector.octets
    # Of sessions that became Established there is a line in each.
    assert all(" trace_id=" in log for log in logs)
