"""Four routers announce one prefix of each family; when one takes it back, no flow of the others moves."""

import subprocess
from collections import Counter

import pytest

from felixbgp.lab import bird, checks, netns
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import LabPlan, Tor
from felixbgp.net import IPV4, Address, Prefix
from tests.lab.conftest import a_lab, fresh_name
from tests.support.flows import Lookups, Way, flows_to, hash_ports

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567
ANYCAST = (Prefix.parse("198.18.0.0/24"), Prefix.parse("fd18::/64"))
FLOWS = 1024


def announce(lab: Lab, tor: Tor, prefixes: tuple[Prefix, ...]) -> None:
    """Have a router announce these, too."""
    static = "".join(
        f"protocol static anycast{n} {{ {prefix.family.label}; route {prefix} blackhole; }}\n"
        for n, prefix in enumerate(prefixes)
    )
    (lab.folder / f"{tor.name}.conf").write_text(bird.configuration(tor) + static)
    subprocess.run(["birdc", "-s", str(lab.control(tor)), "configure"], capture_output=True, check=True)


def shown(lab: Lab, prefix: Prefix) -> dict[str, object]:
    """The node's route, as `ip` prints it."""
    family = "-4" if prefix.family is IPV4 else "-6"
    found = netns.query([family, "route", "show", str(prefix)], lab.plan.nodes[0].namespace)
    return found[0] if found else {}


def missing(lab: Lab, gateways: int) -> list[str]:
    """What keeps the node from having so many next hops in every route."""
    routes = {prefix: shown(lab, prefix) for prefix in ANYCAST}
    return [f"{prefix}: {route}" for prefix, route in routes.items() if len(hops(route)) != gateways]


def hops(route: dict[str, object]) -> list[object]:
    found = route.get("nexthops", [])
    assert isinstance(found, list)
    return found


def ways(lab: Lab) -> dict[Prefix, list[Way]]:
    """Where the node's flows to the prefixes go."""
    with netns.inside(lab.plan.nodes[0].namespace), Lookups() as lookups:
        return {prefix: lookups.ways(flows_to(prefix, FLOWS)) for prefix in ANYCAST}


def test_no_flow_of_the_other_routers_moves_when_one_takes_its_route_back() -> None:
    with a_lab(LabPlan(name=fresh_name(), node_count=1, tor_count=4)) as lab:
        with netns.inside(lab.plan.nodes[0].namespace):
            hash_ports()
        for tor in lab.plan.tors:
            announce(lab, tor, ANYCAST)
            for address in (tor.ipv4, tor.ipv6):
                version = 4 if "." in address else 6
                lab.put_peer(f"{tor.name}-{version}", {"peerIP": address, "asNumber": TOR_AS})
        checks.wait_for(lambda: missing(lab, 4), "four next hops", 90)
        before = ways(lab)
        numbers = {prefix: shown(lab, prefix)["nhid"] for prefix in ANYCAST}

        gone = lab.plan.tors[1]
        announce(lab, gone, ())
        checks.wait_for(lambda: missing(lab, 3), "three next hops", 60)
        lost = {bytes(Address.parse(address)) for address in (gone.ipv4, gone.ipv6)}
        for prefix, after in ways(lab).items():
            pairs = list(zip(before[prefix], after, strict=True))
            assert min(Counter(gateway for (_, gateway), _ in pairs).values()) > FLOWS / 8
            assert {old[1] for old, new in pairs if old != new} <= lost
            assert not any(new[1] in lost for _, new in pairs)
        assert {prefix: shown(lab, prefix)["nhid"] for prefix in ANYCAST} == numbers

        announce(lab, gone, ANYCAST)
        checks.wait_for(lambda: missing(lab, 4), "four next hops again", 60)
        for tor in lab.plan.tors:
            announce(lab, tor, ())
        checks.wait_for(
            lambda: [str(each) for each in netns.query(["nexthop"], lab.plan.nodes[0].namespace)],
            "no nexthop object is left",
            60,
        )
