"""A router whose address is on no link of the node: without a static route it cannot be reached."""

import subprocess

import pytest

from felixbgp.lab import bird, checks, netns
from felixbgp.lab.checks import Route
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567


def test_the_way_to_a_router_is_made_and_removed_with_its_peer() -> None:
    with a_lab(LabPlan(name=fresh_name(), node_count=1)) as lab:
        node, tor = lab.plan.nodes[0], lab.plan.tors[0]
        config = bird.configuration(tor)
        config = config.replace(f"local {tor.ipv4} as", f"local {tor.service_v4} as").replace(
            "direct;", "multihop;"
        )
        (lab.folder / f"{tor.name}.conf").write_text(config)
        subprocess.run(["birdc", "-s", str(lab.control(tor)), "configure"], capture_output=True, check=True)

        def told() -> list[str]:
            return [problem["subject"] for problem in checks.problems(lab.store, node.name)]

        spec = {"peerIP": tor.service_v4, "asNumber": TOR_AS}
        prefix = tor.service_v4  # as `ip` prints a host route
        netns.batch(["route add unreachable 203.0.113.0/24"], node.namespace)
        lab.put_peer("tor", spec | {"reachableBy": "203.0.113.1"})
        wait_until(lambda: f"route {prefix}/32" in told(), "the kernel's refusal is in the status", 60)
        lab.put_peer("tor", spec | {"reachableBy": tor.ipv4})
        wanted = {node.name: frozenset({tor.service_v4})}
        checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the session", 90)
        assert checks.routes(node.namespace, 4)[prefix] == Route(
            prefix, checks.BGP_PROTOCOL, frozenset({tor.ipv4}), "eth0", 1024, blackhole=False
        )
        lab.delete_peer("tor")
        wait_until(lambda: prefix not in checks.routes(node.namespace, 4), "the route is gone", 60)
