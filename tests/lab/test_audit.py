"""`felixbgp node audit` on a cluster whose kernels are broken by hand."""

import json
import os
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from felixbgp.lab import checks, netns
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.plan import Node

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

OURS = f"proto {checks.BGP_PROTOCOL} metric 1024"
STRAY = "192.0.2.0/24"
REPAIRED_SECONDS_MAX = 30
"""Well below the minute after which the agent reads its kernel again whatever it has heard."""


def audit(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*felixbgp_command(), "node", "audit", "--timeout", "60", *arguments],
        env=dict(os.environ) | lab.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def answer(lab: Lab, node: Node) -> tuple[int, dict[str, Any]]:
    done = audit(lab, node.name, "-o", "json")
    found: dict[str, Any] = json.loads(done.stdout)["answer"]
    assert found["failure"] == ""
    return done.returncode, found


def learned(lab: Lab, node: Node) -> list[tuple[str, str]]:
    """Some prefixes that the node learned over IPv4, and the gateway of each."""
    return sorted(checks.wanted_by_node(replace(lab.plan, tor_count=0), node, 4).items())


def wrong_routes(lab: Lab, node: Node) -> list[str]:
    """What is not as before, and the stray route while it is there."""
    found = checks.routes(node.namespace, 4)
    wrong = [
        prefix
        for prefix, gateway in learned(lab, node)
        if prefix not in found
        or found[prefix].gateways != {gateway}
        or found[prefix].protocol != checks.BGP_PROTOCOL
    ]
    return wrong + [prefix for prefix in (STRAY,) if prefix in found]


def test_all_nodes_agree(lab: Lab) -> None:
    done = audit(lab, "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    for node in lab.plan.nodes:
        assert f"Node {node.name}: intent, Loc-RIB and kernel agree." in done.stdout
    assert list(lab.store.get_prefix(f"/felixbgp/v1/nodes/{node.name}/audit-requests/")) == []


def test_what_somebody_changes_is_put_right_and_told_to_who_audits(lab: Lab) -> None:
    node = lab.plan.nodes[0]
    answer(lab, node)
    (first, gateway), (second, other) = learned(lab, node)[:2]
    netns.batch(
        [
            f"route del {first}",
            f"route replace {second} via {gateway} {OURS}",
            f"route add {STRAY} via {other} {OURS}",
        ],
        node.namespace,
    )
    checks.wait_for(lambda: wrong_routes(lab, node), "all is put right", REPAIRED_SECONDS_MAX)

    code, found = answer(lab, node)
    assert (code, found["differing"]) == (0, 0)
    repaired = {entry["prefix"]: entry for entry in found["repaired"]}
    assert repaired.keys() == {first, second, STRAY}
    assert repaired[first]["found"] == ""
    assert f"via {gateway}" in repaired[first]["wanted"]
    assert f"via {gateway}" in repaired[second]["found"]
    assert f"via {other}" in repaired[second]["wanted"]
    assert repaired[STRAY]["wanted"] == ""
    assert answer(lab, node)[1]["repairs"] == 0


def test_a_foreign_route_in_our_place_is_named_and_stays(lab: Lab) -> None:
    node = lab.plan.nodes[0]
    (prefix, _), (_, other) = learned(lab, node)[:2]
    foreign = f"{prefix} via {other} proto static metric 1024"
    netns.batch([f"route replace {foreign}"], node.namespace)
    try:
        done = audit(lab, node.name)
        assert done.returncode == 1, done.stderr
        row, reason = (line for line in done.stdout.splitlines() if prefix in line)
        assert [cell.strip() for cell in row.split("|")][-3:-1] == ["conflict", "left alone"]
        assert "proto static" in row
        assert f"{prefix}: protocol static has a route" in reason
        assert prefix in wrong_routes(lab, node)
    finally:
        netns.batch([f"route del {foreign}"], node.namespace)
    checks.wait_for(lambda: wrong_routes(lab, node), "ours is back", REPAIRED_SECONDS_MAX)
    assert answer(lab, node)[1]["differing"] == 0
