"""A CalicoNodeStatus as the documentation has it: created by the command, filled by the node."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from felixbgp.lab import checks
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

KEY = "/calico/resources/v3/projectcalico.org/caliconodestatuses/my-status"
MY_STATUS = """\
apiVersion: projectcalico.org/v3
kind: CalicoNodeStatus
metadata:
  name: my-status
spec:
  classes:
    - Agent
    - BGP
    - Routes
  node: node-1
  updatePeriodSeconds: 10
"""


def run(lab: Lab, *words: str, typed: str = "") -> str:
    return subprocess.run(
        words,
        env=dict(os.environ) | lab.environment(), input=typed, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def status(lab: Lab) -> dict[str, Any]:
    """What `etcdctl get` prints of it, as far as it is filled."""
    found: dict[str, Any] = json.loads(run(lab, "etcdctl", "get", "--print-value-only", KEY)).get(
        "status", {}
    )
    return found


@pytest.fixture
def my_status(lab: Lab) -> Iterator[Lab]:
    printed = run(lab, *felixbgp_command(), "create", "-f", "-", typed=MY_STATUS)
    assert printed == "Successfully created 1 'CalicoNodeStatus' resource(s)\n"
    yield lab
    run(lab, *felixbgp_command(), "delete", "caliconodestatus", "my-status")


def test_it_is_filled_with_sessions_and_routes_and_kept_up_to_date(my_status: Lab) -> None:
    lab = my_status
    wait_until(lambda: status(lab), "a report", 60)
    found = status(lab)
    plan, others = lab.plan, lab.plan.nodes[1:]
    agent = found["agent"]["birdV4"]
    assert (agent["state"], agent["routerID"]) == ("Ready", plan.nodes[0].ipv4)
    assert found["agent"]["birdV6"]["state"] == "Ready"
    told = {
        (peer["peerIP"], peer["type"], peer["state"])
        for peer in (*found["bgp"]["peersV4"], *found["bgp"]["peersV6"])
    }
    addresses = [address for node in others for address in (node.ipv4, node.ipv6)]
    assert told == {(address, "NodeMesh", "Established") for address in addresses}
    for family, source in (("routesV4", "ipv4"), ("routesV6", "ipv6")):
        learned = {
            route["gateway"]: (route["type"], route["interface"])
            for route in found["routes"][family]
            if route["learnedFrom"]["sourceType"] == "NodeMesh"
        }
        assert learned.keys() == {getattr(node, source) for node in others}
        assert {kind for kind, _ in learned.values()} == {"FIB"}
        assert len({interface for _, interface in learned.values()}) == 1
        sources = {route["learnedFrom"]["sourceType"] for route in found["routes"][family]}
        assert sources == {"NodeMesh", "Static", "Direct", "Kernel"}
    shown = yaml.safe_load(
        run(lab, *felixbgp_command(), "get", "caliconodestatus", "my-status", "-o", "yaml")
    )
    assert shown["status"]["bgp"] == found["bgp"]

    tor = plan.tors[0]
    lab.put_peer("tor-v4", {"peerIP": tor.ipv4, "asNumber": 64567})
    checks.wait_for(
        lambda: checks.missing_sessions(lab.store, checks.tor_sessions(plan, (4,))),
        "sessions with the router",
        90,
    )
    wait_until(lambda: status(lab)["bgp"]["numberEstablishedV4"] == len(others) + 1, "the next report", 60)
    kinds = {peer["peerIP"]: peer["type"] for peer in status(lab)["bgp"]["peersV4"]}
    assert kinds[tor.ipv4] == "GlobalPeer"
