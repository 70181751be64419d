"""Somebody else at the kernel of a node with an agent: what is ours comes back, what is theirs stays."""

from functools import partial

import pytest

from felixbgp.lab import checks, netns
from felixbgp.lab.lab import Lab
from felixbgp.lab.monitor import RouteMonitor
from felixbgp.lab.plan import Node
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

OURS = str(checks.BGP_PROTOCOL)
SECONDS_MAX = 30
"""Well below the minute after which the agent reads its kernel again whatever it has heard."""


def learned(lab: Lab) -> dict[str, str]:
    """A block of another node, of each family, and the flag with which `ip` speaks of it."""
    other = lab.plan.nodes[1]
    return {other.block_v4: "-4", other.block_v6: "-6"}


def protocols(node: Node, prefix: str, flag: str) -> list[str]:
    """Whose the routes of a prefix are."""
    found = netns.query(["-N", flag, "route", "show", prefix], node.namespace)
    return [str(route["protocol"]) for route in found]


def conflicts(lab: Lab, node: Node) -> dict[str, str]:
    """What the status says of routes."""
    told = checks.problems(lab.store, node.name)
    return {each["subject"]: each["reason"] for each in told if each["subject"].startswith("route ")}


def routes_of_ours(node: Node) -> list[str]:
    """Those of an agent in both families, as `ip route del` takes them."""
    found = [netns.query([flag, "route", "show", "proto", OURS], node.namespace) for flag in ("-4", "-6")]
    return [f"{route['dst']} proto {OURS} metric {route['metric']}" for family in found for route in family]


def test_routes_of_ours_that_somebody_deletes_come_back(lab: Lab) -> None:
    node = lab.plan.nodes[0]
    before = routes_of_ours(node)
    with RouteMonitor(node.namespace) as monitor:
        # Not `ip route flush`: it deletes until nothing is left, and so also what came back meanwhile.
        netns.batch([f"route del {route}" for route in before], node.namespace)
        wait_until(lambda: sorted(routes_of_ours(node)) == sorted(before), "all are back", SECONDS_MAX)
    events = monitor.of_protocol(OURS)
    # Own blocks and those of two others, in two families: each once away and once back.
    assert len([event for event in events if event.startswith("Deleted")]) == 6
    assert len(events) == 12
    assert conflicts(lab, node) == {}


def is_ours(node: Node, prefix: str, flag: str) -> bool:
    return protocols(node, prefix, flag) == [OURS]


def test_a_route_of_somebody_else_in_our_place_stays_and_the_status_names_its_protocol(lab: Lab) -> None:
    node = lab.plan.nodes[0]
    subjects = {f"route {prefix}" for prefix in learned(lab)}
    theirs = [f"{prefix} proto static metric 1024" for prefix in learned(lab)]
    netns.batch([f"route replace unreachable {route}" for route in theirs], node.namespace)
    wait_until(lambda: conflicts(lab, node).keys() == subjects, "the conflicts are told", SECONDS_MAX)
    for reason in conflicts(lab, node).values():
        assert reason.startswith("protocol static has a route of the same metric 1024 here")
    for prefix, flag in learned(lab).items():
        assert protocols(node, prefix, flag) == ["4"]
    netns.batch([f"route del unreachable {route}" for route in theirs], node.namespace)
    for prefix, flag in learned(lab).items():
        wait_until(partial(is_ours, node, prefix, flag), f"{prefix} is ours again", SECONDS_MAX)
    wait_until(lambda: conflicts(lab, node) == {}, "the conflicts are over", SECONDS_MAX)
