"""Z9 on real machines' terms: a node without cable and agent, beside one whose agent alone is away."""

import pytest

from felixbgp.lab import checks, netns
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import Node

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

FOUND_SECONDS_MAX = 45.0
"""The lease of the key is 15 s, ARP gives up after 3 s; the restart time would be 120 s."""


def blocks(node: Node) -> list[tuple[int, str]]:
    return [(4, node.block_v4), (6, node.block_v6)]


def known(lab: Lab, node: Node) -> list[str]:
    """The routes to a node that the first one has."""
    namespace = lab.plan.nodes[0].namespace
    return [block for version, block in blocks(node) if block in checks.routes(namespace, version)]


def test_the_routes_of_a_dead_node_leave_and_those_of_a_restarting_one_stay(lab: Lab) -> None:
    one, restarting, dead = lab.plan.nodes
    try:
        lab.kill(restarting.name)
        lab.kill(dead.name)
        netns.batch([f"link set {dead.name} down"], lab.plan.fabric)
        checks.wait_for(lambda: known(lab, dead), "no route to the dead node", FOUND_SECONDS_MAX)
        assert known(lab, restarting) == [block for _, block in blocks(restarting)]
        checks.wait_for(
            lambda: [
                address
                for address in (dead.ipv4, dead.ipv6)
                if f"Node {dead.name} is dead"
                not in checks.peer(lab.store, one.name, address).get("warning", "")
            ],
            "the status names the reason",
            FOUND_SECONDS_MAX,
        )
    finally:
        netns.batch([f"link set {dead.name} up"], lab.plan.fabric)
        lab.start(restarting.name)
        lab.start(dead.name)
    mesh = checks.mesh_sessions(lab.plan)
    checks.wait_for(lambda: checks.missing_sessions(lab.store, mesh), "all sessions are back", 60.0)
    checks.wait_for(
        lambda: [] if len(known(lab, dead)) == len(blocks(dead)) else ["a route"], "so are its routes", 60.0
    )
