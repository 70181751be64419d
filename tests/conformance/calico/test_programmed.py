"""Which routes a node puts into its kernel, and in what form: Calico's calico_kernel_programming.

1  inside a range of services            not at all
2  inside a pool of Felix                not at all: VXLAN, and what programClusterRoutes leaves to it
3  inside an IPIP pool                   through tunl0; CrossSubnet: plain within the own subnet
4  everything else that peers tell       plain
5  own blocks                            blackhole
6  what the kernel has already           not at all
"""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from felixbgp.fib.types import Route, RouteKind
from tests.support.announcing import (
    GATEWAYS,
    NORMAL,
    PEERS,
    PLACES,
    Given,
    Row,
    at,
    connected,
    in_kernel,
    learned,
    local_node,
    pools,
    services,
    workload,
)
from tests.support.derivation import Object, bgp_peer, defaults

NOTHING = ""
BLACKHOLE = "blackhole"
PLAIN = "via near"
TUNNEL = "via near through tunl0"


class Programmed(NamedTuple):
    """One line of the table: what is given, which prefix it is about, and its route in the kernel.

    `form` names gateways by what they are; `metric` is only looked at where it is given.
    """

    rule: str
    about: str
    form: str
    given: Sequence[Given] = ()
    objects: Sequence[Object] = ()
    families: tuple[int, ...] = (0, 1)
    metric: int | None = None


def told(place: str, next_hop: str = "near", peer: str = "internal", **attributes: object) -> list[Given]:
    return [learned(peer, place, next_hop, **attributes)]


BOTH, V4 = (0, 1), (0,)

SERVICES = [
    Programmed(f"1: the {place} of other nodes", place, NOTHING, told(place), [services()])
    for place in ("cluster range", "external range", "balanced range")
]
SERVICES += [
    Programmed(f"1: a {place} of other nodes", place, NOTHING, told(place), [services()])
    for place in ("cluster address", "external address", "balanced address")
]
SERVICES += [
    Programmed(f"1: a {place} is in no range", place, PLAIN, told(place), [services()])
    for place in ("single external address", "single balanced address")
]
SERVICES += [
    Programmed(f"1: the own {place} is no blackhole", place, NOTHING, objects=[services()])
    for place in ("cluster range", "external range", "balanced range")
]
SERVICES += [
    Programmed(
        "1: also on a node that tells of no services",
        "cluster range",
        NOTHING,
        told("cluster range"),
        [
            services(),
            local_node(labels={"node.kubernetes.io/exclude-from-external-load-balancers": "true"}),
        ],
    ),
    Programmed(
        "1: also where ranges are not told as wholes (v3.31)",
        "balanced range",
        NOTHING,
        told("balanced range"),
        [services(serviceLoadBalancerAggregation="Disabled")],
    ),
]

POOLS = [
    Programmed("2: VXLAN is Felix's", "block in the VXLAN pool", NOTHING, told("block in the VXLAN pool")),
    Programmed("2: so is an own block in such a pool", "own block in the VXLAN pool", NOTHING),
    Programmed(
        "2: also VXLAN between subnets alone",
        "block of another node",
        NOTHING,
        told("block of another node"),
        [*pools("pool", "10.65.0.0/16", "fd00:65::/48", vxlanMode="CrossSubnet")],
    ),
    Programmed(
        "3: IPIP Always", "block in the IPIP pool", TUNNEL, told("block in the IPIP pool"), families=V4
    ),
    Programmed(
        "3: IPIP CrossSubnet within the subnet",
        "block in the CrossSubnet pool",
        PLAIN,
        told("block in the CrossSubnet pool"),
        families=V4,
    ),
    Programmed(
        "3: IPIP CrossSubnet beyond it",
        "block in the CrossSubnet pool",
        "via far through tunl0",
        told("block in the CrossSubnet pool", "far"),
        families=V4,
    ),
    Programmed(
        "3: IPIP CrossSubnet of a node that has no subnet",
        "block in the CrossSubnet pool",
        TUNNEL,
        told("block in the CrossSubnet pool"),
        [local_node("10.0.0.1")],
        families=V4,
    ),
    Programmed(
        "3: an own block ends here, tunnel or not", "own block in the IPIP pool", BLACKHOLE, families=V4
    ),
    Programmed(
        "3: the next hop that was told counts, whoever told it",
        "block in the CrossSubnet pool",
        "via far through tunl0",
        told("block in the CrossSubnet pool", "far", "second"),
        families=V4,
    ),
    Programmed(
        "4: a pool without encapsulation", "block of another node", PLAIN, told("block of another node")
    ),
    Programmed(
        "4: beyond the subnet too",
        "block of another node",
        "via far",
        told("block of another node", "far"),
    ),
    Programmed(
        "4: a disabled pool is one like others",
        "workload in the disabled pool",
        PLAIN,
        told("workload in the disabled pool"),
    ),
    Programmed(
        "4: so is a hidden one",
        "workload in the hidden pool",
        PLAIN,
        told("workload in the hidden pool"),
    ),
]

POOL_OF = {
    "ipip": "block in the IPIP pool",
    "plain": "block of another node",
    "vxlan": "block in the VXLAN pool",
}
PROGRAM_CLUSTER_ROUTES = [
    Programmed(
        f"2: programClusterRoutes {setting}, {kind}",
        POOL_OF[kind],
        form,
        told(POOL_OF[kind]),
        [defaults(programClusterRoutes=setting)],
        families=V4 if kind == "ipip" else BOTH,
    )
    for setting, ipip, plain in (
        ("Enabled", TUNNEL, PLAIN),
        ("EnabledIPIPOnly", TUNNEL, NOTHING),
        ("EnabledNoEncapOnly", NOTHING, PLAIN),
        ("Disabled", NOTHING, NOTHING),
    )
    for kind, form in (("ipip", ipip), ("plain", plain), ("vxlan", NOTHING))
]

OUTSIDE = [
    Programmed("4: a prefix in no pool", "elsewhere", PLAIN, told("elsewhere")),
    Programmed("4: a default route", "everything", PLAIN, told("everything")),
    Programmed(
        "4: of an external peer",
        "elsewhere",
        "via router",
        told("elsewhere", "router", "external"),
    ),
    Programmed(
        "4: several equally good ones together",
        "elsewhere",
        "via far, near",
        [*told("elsewhere"), *told("elsewhere", "far", "second")],
    ),
    Programmed(
        "4: of two the better one",
        "elsewhere",
        "via far",
        [*told("elsewhere"), *told("elsewhere", "far", "second", local_pref=101)],
    ),
    Programmed(
        "4: the way to a peer that is not on a link",
        "distant peer",
        "via router",
        objects=[
            bgp_peer(f"distant{family}", peerIP=peer.partition("/")[0], asNumber=1, reachableBy=gateway)
            for family, (peer, gateway) in enumerate(
                zip(PLACES["distant peer"], GATEWAYS["router"], strict=True)
            )
        ],
    ),
]

BLOCKS = [
    Programmed("5: an own block", "own block", BLACKHOLE),
    Programmed("5: one without state", "block without state", BLACKHOLE),
    Programmed("5: one being given up", "block being given up", BLACKHOLE),
    Programmed("5: none that is pending", "pending block", NOTHING),
    Programmed("5: none of one address", "block of one address", NOTHING),
    Programmed("5: one that is told to nobody", "own block in the hidden pool", BLACKHOLE),
    Programmed(
        "5: one that a peer tells of as well",
        "own block",
        BLACKHOLE,
        told("own block", local_pref=2147483647 - 512),
    ),
    Programmed(
        "5: left to Felix where it writes the pool's routes",
        "own block",
        NOTHING,
        objects=[defaults(programClusterRoutes="Disabled")],
    ),
]

THERE_ALREADY = [
    Programmed("6: a workload's route", "borrowed address", NOTHING, [workload("borrowed address")]),
    Programmed("6: somebody's default route", "everything", NOTHING, [in_kernel("everything", via="router")]),
    Programmed(
        "6: somebody's blackhole", "elsewhere", NOTHING, [in_kernel("elsewhere", kind=RouteKind.BLACKHOLE)]
    ),
    Programmed("6: a connected network", "lan", NOTHING, [connected("lan", "eth1")]),
    Programmed(
        "6: a connected network that a peer tells of",
        "lan",
        NOTHING,
        [connected("lan", "eth1"), *told("lan")],
    ),
    Programmed(
        "6: but a peer's route beside somebody's",
        "everything",
        PLAIN,
        [in_kernel("everything", via="router", metric=100), *told("everything")],
    ),
    Programmed(
        "6: a workload's route that a peer tells of",
        "borrowed address",
        NOTHING,
        [workload("borrowed address", 1024), *told("borrowed address", local_pref=NORMAL)],
    ),
]

PRIORITIES = [
    Programmed(
        "priorities: what a peer told is the metric (v3.32)",
        "block of another node",
        PLAIN,
        told("block of another node", local_pref=2147483647 - 777),
        metric=777,
    ),
    Programmed(
        "priorities: where it told none the normal one (v3.32)",
        "block of another node",
        PLAIN,
        told("block of another node", peer="external"),
        metric=1024,
    ),
    Programmed(
        "priorities: what is normal can be configured (v3.32)",
        "block of another node",
        PLAIN,
        told("block of another node", peer="external"),
        [defaults(ipv4NormalRoutePriority=99, ipv6NormalRoutePriority=99)],
        metric=99,
    ),
    Programmed(
        "priorities: a better one leads away from the workload that is still here (v3.32)",
        "borrowed address",
        PLAIN,
        [workload("borrowed address", 1024), *told("borrowed address", local_pref=2147483647 - 512)],
        metric=512,
    ),
]

ROWS = [
    *SERVICES,
    *POOLS,
    *PROGRAM_CLUSTER_ROUTES,
    *OUTSIDE,
    *BLOCKS,
    *THERE_ALREADY,
    *PRIORITIES,
]
CASES = [
    pytest.param(row, family, id=f"{row.rule} ({'IPv6' if family else 'IPv4'})")
    for row in ROWS
    for family in row.families
]


def form_of(route: Route | None, family: int) -> str:
    """A route in the words of the table."""
    if route is None:
        return NOTHING
    if not route.next_hops:
        return route.kind.name.lower()
    names = {both[family]: name for name, both in GATEWAYS.items()}
    gateways = ", ".join(sorted(names[str(hop.gateway)] for hop in route.next_hops))
    devices = {(hop.interface, hop.onlink) for hop in route.next_hops}
    if devices == {("tunl0", True)}:
        return f"via {gateways} through tunl0"
    assert not {("tunl0", False)} & devices, "a gateway beyond a tunnel is on no link"
    return f"via {gateways}"


@pytest.mark.parametrize(("row", "family"), CASES)
def test_what_is_in_the_kernel(row: Programmed, family: int) -> None:
    node = at(Row(row.rule, row.about, {}, row.given, row.objects), family, PEERS)
    route = node.programmed().get(PLACES[row.about][family])
    assert form_of(route, family) == row.form
    if row.metric is not None:
        assert route is not None
        assert route.metric == row.metric


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row.rule for row in ROWS}) == len(ROWS)
    assert len(CASES) > 100
