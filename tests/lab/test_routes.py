"""What BIRD is told of a node's routes, and what the node's kernel has: one route for every rule.

The tables of all rules are in tests/conformance/calico; here the same is asked of BIRD and of `ip route`. One
router is in another AS, one is in ours; only node-1 peers with them.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from felixbgp.lab import bird, calico, checks, netns
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.plan import AS_NUMBER, TOR_AS_NUMBER, LabPlan, Tor
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS_MAX = 60
NORMAL, BETTER = 2147483647 - 1024, 2147483647 - 512
EXTERNAL, INTERNAL = 0, 1
"""The routers of the lab by their place."""

INTERFACES = ("cali0test", "vxlan.calico", "bpfin.cali", "lan0", "other0", "tunl0")
ADDRESSES = {
    "lan0": ("172.20.0.1/16", "2001:db8:20::1/64"),
    "other0": ("172.23.0.1/16", "2001:db8:23::1/64"),
    "lo": ("172.22.0.1/32", "2001:db8:22::1/128"),
}
FELIX_ROUTES = {
    ("10.65.0.100/32", "fd00:10:65::64/128"): "dev cali0test metric 512",
    ("10.65.0.101/32", "fd00:10:65::65/128"): "dev cali0test metric 1024",
    ("10.65.9.5/32", "fd00:10:65::905/128"): "dev cali0test metric 1024",
    ("10.65.9.6/32", "fd00:10:65::906/128"): "dev cali0test metric 1024",
    ("10.67.9.5/32", "fd00:10:67::905/128"): "dev cali0test metric 1024",
    ("10.65.9.7/32", "fd00:10:65::907/128"): "dev bpfin.cali",
    ("10.68.10.0/26", "fd00:10:68::1000/122"): "dev vxlan.calico",
}
"""On node-1, as Calico's Felix writes them, and who else has interfaces there."""
ELEVATED = ("10.65.9.6/32", "fd00:10:65::906/128")
"""The workload that has moved to node-2, where its route has a better priority."""

GIVEN_UP = ("10.65.8.0/26", "fd00:10:65::800/122")
TOLD_BY_ROUTER = (
    ("198.19.1.0/24", "2001:db8:191::/64"),
    ("10.68.20.0/26", "fd00:10:68::2000/122"),
    ("10.69.20.0/26", ""),
    ("10.96.0.77/32", "fd00:10:96::77/128"),
)
BALANCED = ("192.0.2.113/32", "2001:db8:198::113/128")
"""Told by the router in our AS: the address of one service."""


def pool(name: str, cidr: str, *spec: str) -> str:
    return document("IPPool", name, f"cidr: {cidr}", *spec)


def document(kind: str, name: str, *spec: str) -> str:
    lines = "".join(f"  {line}\n" for part in spec for line in part.splitlines())
    return f"apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{lines}"


def both(*rules: str) -> str:
    """The same export rules for both families."""
    return "".join(f"{field}:\n{''.join(rules)}" for field in ("exportV4", "exportV6"))


def documents(lab: Lab) -> str:
    """Everything that an operator writes."""
    peers = [
        document(
            "BGPPeer",
            f"{tor.name}-v{version}",
            f"node: node-1\npeerIP: {address}\nasNumber: {asn}\nfilters: [{tor.name}]",
        )
        for tor, asn in zip(lab.plan.tors, (TOR_AS_NUMBER, AS_NUMBER), strict=True)
        for version, address in ((4, tor.ipv4), (6, tor.ipv6))
    ]
    configuration = """serviceClusterIPs: [{cidr: 10.96.0.0/16}, {cidr: "fd00:10:96::/112"}]
serviceLoadBalancerIPs: [{cidr: 192.0.2.113/32}, {cidr: "2001:db8:198::113/128"}]
ignoredInterfaces: ["other*"]
communities: [{name: large, value: "64512:1:3"}]
prefixAdvertisements:
- {cidr: 10.65.0.64/26, communities: ["64512:1", large]}
- {cidr: "fd00:10:65::40/122", communities: ["64512:1", large]}"""
    return "---\n".join(
        [
            pool("hidden", "10.67.0.0/16", "disableBGPExport: true"),
            pool("hidden6", "fd00:10:67::/112", "disableBGPExport: true"),
            pool("vxlan", "10.68.0.0/16", "vxlanMode: Always"),
            pool("vxlan6", "fd00:10:68::/112", "vxlanMode: Always"),
            pool("ipip", "10.69.0.0/16", "ipipMode: Always"),
            document("BGPConfiguration", "default", configuration),
            document("BGPFilter", "tor-1", both("- {action: Accept, interface: 'lan*'}\n")),
            document(
                "BGPFilter",
                "tor-2",
                "exportV4:\n- {action: Accept, matchOperator: Equal, cidr: 0.0.0.0/0}\n"
                "exportV6:\n- {action: Accept, matchOperator: Equal, cidr: '::/0'}\n",
            ),
            *peers,
        ]
    )


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two nodes and two routers, with all that the rules are about."""
    with a_lab(LabPlan(name=fresh_name(), node_count=2, tor_count=2, workload_count=1)) as made:
        netns.batch(host_commands(), made.plan.nodes[0].namespace)
        netns.batch(other_host_commands(), made.plan.nodes[1].namespace)
        configure(made, made.plan.tors[EXTERNAL], TOLD_BY_ROUTER)
        configure(made, made.plan.tors[INTERNAL], (BALANCED,), internal=True)
        state = '{"state":"pendingDeletion","deleted":false}'
        made.store.put_all({calico.affinity_key("node-1", block): state for block in GIVEN_UP})
        subprocess.run(
            [*felixbgp_command(), "apply", "-f", "-"],
            env=dict(os.environ) | made.environment(), input=documents(made), text=True, check=True,
        )  # fmt: skip
        yield made


def host_commands() -> Iterator[str]:
    for name in INTERFACES:
        yield f"link add {name} type veth peer name {name[:6]}-peer"
        yield f"link set {name} up"
        yield f"link set {name[:6]}-peer up"
    for name, addresses in ADDRESSES.items():
        yield from (f"address add {address} dev {name}" for address in addresses)
    for prefixes, way in FELIX_ROUTES.items():
        yield from (f"route add {prefix} {way} proto 80" for prefix in prefixes)


def other_host_commands() -> Iterator[str]:
    yield "link add cali0test type veth peer name cali0-peer"
    yield "link set cali0test up"
    yield "link set cali0-peer up"
    yield from (f"route add {prefix} dev cali0test metric 512 proto 80" for prefix in ELEVATED)


def configure(lab: Lab, tor: Tor, told: tuple[tuple[str, str], ...], *, internal: bool = False) -> None:
    """Have a router's BIRD tell of more prefixes, or be in our AS."""
    text = bird.configuration(tor)
    for place, stub in enumerate((tor.stub_v4, tor.stub_v6)):
        more = "".join(f"  route {both[place]} blackhole;\n" for both in told if both[place])
        text = text.replace(f"  route {stub} blackhole;\n", f"  route {stub} blackhole;\n{more}")
    if internal:
        text = text.replace(f"as {TOR_AS_NUMBER}", f"as {AS_NUMBER}").replace("external;", "internal;")
    config = lab.folder / f"{tor.name}-routes.conf"
    config.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["birdc", "-s", str(lab.control(tor)), "configure", f'"{config}"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Reconfigur" in done.stdout, done.stdout


# ---- what BIRD was told


def heard(lab: Lab, router: int, prefix: str) -> dict[str, str] | None:
    """The attributes that a router's BIRD holds of a prefix; None when it has no such route of ours."""
    text = bird.query(lab.control(lab.plan.tors[router]), f"show route {prefix} all")
    found = dict(re.findall(r"^\tBGP\.(\w+): *(.*?) *$", text, re.MULTILINE))
    return found if text and found else None


class Row(NamedTuple):
    """A rule, the route it is about, and what the two routers hold of it: None for nothing."""

    rule: str
    prefixes: tuple[str, str]
    external: dict[str, str] | None
    internal: dict[str, str] | None


PATH = {"as_path": str(AS_NUMBER)}
OWN = {"as_path": "", "local_pref": str(NORMAL)}
COLOURED = {"community": "(64512,1)", "large_community": "(64512, 1, 3)"}
ROWS = [
    Row("1: a pool with disableBGPExport", ("10.67.9.5/32", "fd00:10:67::905/128"), None, None),
    Row("2: a route over VXLAN", ("10.68.10.0/26", "fd00:10:68::1000/122"), PATH, None),
    Row("3: a device of eBPF", ("10.65.9.7/32", "fd00:10:65::907/128"), None, None),
    Row(
        "4 and 5: an own block, with communities",
        ("10.65.0.64/26", "fd00:10:65::40/122"),
        PATH | COLOURED,
        OWN | COLOURED,
    ),
    Row("5: inside it", ("10.65.0.101/32", "fd00:10:65::65/128"), None, None),
    Row(
        "5: inside it with a better priority",
        ("10.65.0.100/32", "fd00:10:65::64/128"),
        PATH | COLOURED,
        OWN | COLOURED | {"local_pref": str(BETTER)},
    ),
    Row("5 and 8: a block being given up", GIVEN_UP, PATH, OWN),
    Row("6: a service range", ("10.96.0.0/16", "fd00:10:96::/112"), PATH, OWN),
    Row("7: a service's address, on no reflector", BALANCED, None, None),
    Row("8: a borrowed address", ("10.65.9.5/32", "fd00:10:65::905/128"), PATH, OWN),
    Row("8: a block of another node", ("10.65.0.128/26", "fd00:10:65::80/122"), PATH, None),
    Row("9: an address on the loopback interface", ("172.22.0.1/32", "2001:db8:22::1/128"), None, None),
    Row("filters: a connected network", ("172.20.0.0/16", "2001:db8:20::/64"), PATH, None),
    Row("filters: not one of an ignored interface", ("172.23.0.0/16", "2001:db8:23::/64"), None, None),
    Row(
        "filters: a default route, with its gateway",
        ("0.0.0.0/0", "::/0"),
        None,
        OWN,
    ),
]
CASES = [
    pytest.param(row, family, id=f"{row.rule} ({'IPv6' if family else 'IPv4'})")
    for row in ROWS
    for family in (0, 1)
]


@pytest.fixture(scope="module")
def told(lab: Lab) -> Lab:
    """The routers once they know all that is wanted; what must not be told had the same time."""

    def missing() -> list[str]:
        return [
            f"{prefix} on {lab.plan.tors[router].name}"
            for row in ROWS
            for prefix in row.prefixes
            for router, wanted in ((EXTERNAL, row.external), (INTERNAL, row.internal))
            if wanted and not heard(lab, router, prefix)
        ]

    checks.wait_for(missing, "the routers know the routes", SECONDS_MAX)
    return lab


@pytest.mark.parametrize(("row", "family"), CASES)
def test_what_bird_is_told(told: Lab, row: Row, family: int) -> None:
    """Waited for, since node-1 may have been a route reflector until just now."""

    def differing() -> list[str]:
        faults = []
        for router, wanted in ((EXTERNAL, row.external), (INTERNAL, row.internal)):
            found = heard(told, router, row.prefixes[family])
            exact = {"community": "", "large_community": ""} | (wanted or {})
            named = found and {name: found.get(name, "") for name in exact}
            if named != (wanted and exact):
                faults.append(f"{told.plan.tors[router].name} holds {found}")
        return faults

    checks.wait_for(differing, row.rule, SECONDS_MAX)


def test_the_gateway_of_a_default_route_is_its_next_hop(told: Lab) -> None:
    def gateway() -> str:
        return (heard(told, INTERNAL, "0.0.0.0/0") or {}).get("next_hop", "")

    wait_until(lambda: gateway() == "172.30.0.1", "the default route", SECONDS_MAX, describe=gateway)


# ---- what the kernel has


def forms(lab: Lab, family: int) -> dict[str, list[str]]:
    """Every prefix of node-1's table and its routes of ours, as `gateway device metric`, or their kind."""
    version = ("-4", "-6")[family]
    entries = netns.query(
        ["-N", "-d", version, "route", "show", "table", "main"], lab.plan.nodes[0].namespace
    )
    ours = [entry for entry in entries if int(entry["protocol"]) == checks.BGP_PROTOCOL]
    found: dict[str, list[str]] = {}
    for entry in ours:
        way = [entry["gateway"]] if "gateway" in entry else [{"6": "blackhole"}[str(entry["type"])]]
        onlink = ["onlink"] if "onlink" in entry.get("flags", []) else []
        words = [*way, *([entry["dev"]] if "gateway" in entry else []), *onlink]
        found.setdefault(entry["dst"], []).append(" ".join([*words, str(entry.get("metric", 0))]))
    return found


KERNEL = [
    ("1: an address of a service range", ("10.96.0.77", "fd00:10:96::77"), ""),
    ("1: an own service range", ("10.96.0.0/16", "fd00:10:96::/112"), ""),
    ("2: a VXLAN pool", ("10.68.20.0/26", "fd00:10:68::2000/122"), ""),
    ("3: an IPIP pool", ("10.69.20.0/26", ""), "{router} tunl0 onlink 1024"),
    ("4: a prefix in no pool", ("198.19.1.0/24", "2001:db8:191::/64"), "{router} eth0 1024"),
    ("4: a block of another node", ("10.65.0.128/26", "fd00:10:65::80/122"), "{node} eth0 1024"),
    ("5: an own block", ("10.65.0.64/26", "fd00:10:65::40/122"), "blackhole 1024"),
    ("5: a block being given up", GIVEN_UP, "blackhole 1024"),
    ("6: a workload's route", ("10.65.9.5", "fd00:10:65::905"), ""),
    ("6: a connected network", ("172.20.0.0/16", "2001:db8:20::/64"), ""),
    ("priorities: the workload that moved", ("10.65.9.6", "fd00:10:65::906"), "{node} eth0 512"),
]


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(("prefixes", "form"), [row[1:] for row in KERNEL], ids=[row[0] for row in KERNEL])
def test_what_the_kernel_has(told: Lab, prefixes: tuple[str, str], form: str, family: int) -> None:
    router, node = told.plan.tors[EXTERNAL], told.plan.nodes[1]
    wanted = form.format(router=(router.ipv4, router.ipv6)[family], node=(node.ipv4, node.ipv6)[family])
    prefix = prefixes[family]
    if prefix:
        # That the routers know all of ours says little of what the node knows of theirs.
        wait_until(
            lambda: forms(told, family).get(prefix, []) == ([wanted] if wanted else []),
            f"{prefix} as it should be",
            SECONDS_MAX,
            describe=lambda: str(forms(told, family).get(prefix)),
        )


# ---- a route reflector


@pytest.fixture
def reflector(told: Lab) -> Iterator[Lab]:
    """Node-1 as a route reflector, which leaves the mesh meanwhile."""
    annotate(told, "projectcalico.org/RouteReflectorClusterID=244.0.0.1")
    yield told
    annotate(told, "projectcalico.org/RouteReflectorClusterID-")
    moved = KERNEL[-1][1]
    wait_until(
        lambda: all(moved[family] in forms(told, family) for family in (0, 1)),
        "node-1 is back in the mesh",
        SECONDS_MAX,
    )


def annotate(lab: Lab, annotation: str) -> None:
    subprocess.run(
        [*felixbgp_command(), "annotate", "node", "node-1", annotation],
        env=dict(os.environ) | lab.environment(), capture_output=True, check=True,
    )  # fmt: skip


def test_7_a_route_reflector_passes_on_a_services_address(reflector: Lab) -> None:
    wait_until(
        lambda: all(heard(reflector, EXTERNAL, prefix) for prefix in BALANCED),
        "the router in the other AS hears of the address",
        SECONDS_MAX,
    )
    for prefix in BALANCED:
        found = heard(reflector, EXTERNAL, prefix)
        assert found is not None
        assert found["as_path"] == str(AS_NUMBER)
