"""Which routes a node tells to whom, and with what: Calico's export policy, rule by rule (bird_ipam.cfg).

The rules run in this order, and the first that decides ends it:

    filters of the BGPPeer
    1  pools with disableBGPExport           reject
    2  tunnel devices, routes of Felix       reject, to internal peers
    3  devices of the eBPF data path         reject
    4  prefixAdvertisements                  add communities
    5  own blocks                            accept; inside them reject, but for better priorities
    6  service ranges                        accept
    7  service ranges of any node            accept, on a route reflector
    8  pools                                 accept
    9  everything else                       reject
"""

import pytest

from felixbgp.fib.types import RouteKind
from tests.support.announcing import (
    NORMAL,
    OTHER_AS,
    PEERS,
    PLACES,
    TOLD,
    Row,
    Told,
    at,
    connected,
    expected,
    filtered,
    in_kernel,
    learned,
    local_node,
    services,
    workload,
)
from tests.support.derivation import LOCAL, bgp_peer, configuration, defaults

BETTER = 2147483647 - 512
DHCP = 16
OWN_ROUTE = "own block"


def everybody(outcome: Told | str) -> dict[str, Told | str]:
    return {"mesh": outcome, "internal": outcome, "external": outcome}


def sides(internal: Told | str, external: Told | str) -> dict[str, Told | str]:
    return {"mesh": internal, "internal": internal, "external": external}


def advertising(*communities: str, place: str = "advertised range") -> list[dict[str, object]]:
    """In both families."""
    return [{"cidr": cidr, "communities": list(communities)} for cidr in PLACES[place]]


HIDDEN = "has disableBGPExport"
NOTHING = "no route"
DEFAULT = "default"

BLOCKS = [
    Row("5: an own block goes out", "own block", everybody(TOLD)),
    Row("5: a block without state counts as confirmed", "block without state", everybody(TOLD)),
    Row(
        "5: what is inside it stays",
        "workload in own block",
        everybody("inside own block"),
        [workload("workload in own block")],
    ),
    Row(
        "5: also with the normal priority as metric",
        "workload in own block",
        everybody("inside own block"),
        [workload("workload in own block", 1024)],
    ),
    Row(
        "5: and inside a block without state",
        "workload in block without state",
        everybody("inside own block"),
        [workload("workload in block without state")],
    ),
    Row(
        "5: and when a peer tells of it",
        "workload in own block",
        {"external": "inside own block"},
        [learned("second", "workload in own block")],
    ),
    Row(
        "5: a better priority goes out beside the block (v3.32)",
        "workload in own block",
        everybody(Told(local_pref=BETTER)),
        [workload("workload in own block", 512)],
    ),
    Row(
        "5: what is normal can be configured (v3.32)",
        "workload in own block",
        everybody("inside own block"),
        [workload("workload in own block", 512)],
        [defaults(ipv4NormalRoutePriority=512, ipv6NormalRoutePriority=512)],
    ),
    Row(
        "5: the configured normal priority is told of blocks (v3.32)",
        "own block",
        everybody(Told(local_pref=BETTER)),
        objects=[defaults(ipv4NormalRoutePriority=512, ipv6NormalRoutePriority=512)],
    ),
    Row(
        "5: a peer's better priority too, to where it may go on (v3.32)",
        "workload in own block",
        {"external": TOLD, "internal": "iBGP to iBGP"},
        [learned("second", "workload in own block", local_pref=BETTER)],
    ),
    Row("5: a block being given up goes out by its pool", "block being given up", everybody(TOLD)),
    Row(
        "5: and so does what is inside it",
        "workload in block being given up",
        everybody(TOLD),
        [workload("workload in block being given up")],
    ),
    Row("sources: a pending block is not originated", "pending block", everybody(NOTHING)),
    Row(
        "8: what is inside a pending block goes out",
        "workload in pending block",
        everybody(TOLD),
        [workload("workload in pending block")],
    ),
    Row(
        "sources: a block of one address has no route of its own", "block of one address", everybody(NOTHING)
    ),
    Row(
        "5: its workload goes out in its place",
        "block of one address",
        everybody(TOLD),
        [workload("block of one address")],
        decided_by="own block",
    ),
    Row(
        "sources: a block wins over a peer that tells of it",
        "own block",
        everybody(TOLD),
        [learned("second", "own block", local_pref=BETTER)],
    ),
]

POOLS = [
    Row(
        "1: nothing inside a pool with disableBGPExport",
        "workload in the hidden pool",
        everybody(HIDDEN),
        [workload("workload in the hidden pool")],
    ),
    Row("1 before 5: not even an own block in it", "own block in the hidden pool", everybody(HIDDEN)),
    Row(
        "1: nor with a better priority",
        "workload in the hidden pool",
        everybody(HIDDEN),
        [workload("workload in the hidden pool", 1)],
    ),
    Row(
        "8: a disabled pool is one like others",
        "workload in the disabled pool",
        everybody(TOLD),
        [workload("workload in the disabled pool")],
    ),
    Row(
        "8: a borrowed address goes out",
        "borrowed address",
        everybody(TOLD),
        [workload("borrowed address")],
    ),
    Row(
        "8: with the metric of its route as priority",
        "borrowed address",
        everybody(Told(local_pref=2147483647 - 2000)),
        [workload("borrowed address", 2000)],
    ),
    Row(
        "8: a pool's route of a peer goes to external peers, and to internal ones by reflection alone",
        "block of another node",
        {"external": TOLD, "internal": "iBGP to iBGP"},
        [learned("mesh", "block of another node")],
    ),
    Row(
        "8: one of an external peer goes to internal peers",
        "block of another node",
        {"mesh": Told(100, as_path=(OTHER_AS,), next_hop="external")},
        [learned("external", "block of another node")],
    ),
    Row(
        "8: a reflector passes it on to its clients",
        "block of another node",
        {
            "internal": Told(NORMAL, next_hop="second", reflected="second"),
            "external": TOLD,
        },
        [learned("second", "block of another node", local_pref=NORMAL)],
        reflector=True,
    ),
    Row(
        "8: a pool's own prefix is inside it",
        "pool itself",
        everybody(TOLD),
        [in_kernel("pool itself", kind=RouteKind.BLACKHOLE)],
    ),
    Row(
        "9: a prefix that has more than the pool is not",
        "more than the pool",
        everybody(DEFAULT),
        [in_kernel("more than the pool")],
    ),
    Row(
        "8: an address of the node itself, as a tunnel has",
        "borrowed address",
        everybody(TOLD),
        [connected("borrowed address", "tunl0")],
    ),
]

DEVICES = [
    Row(
        "2: a route over VXLAN stays from internal peers",
        "block in the VXLAN pool",
        sides("interface *.calico", TOLD),
        [in_kernel("block in the VXLAN pool", "vxlan.calico", "near")],
    ),
    Row(
        "2: and one over WireGuard",
        "block of another node",
        sides("interface *.cali", TOLD),
        [in_kernel("block of another node", "wireguard.cali")],
    ),
    Row(
        "2: and the network of such a device",
        "borrowed address",
        sides("interface *.calico", TOLD),
        [connected("borrowed address", "vxlan.calico")],
    ),
    Row(
        "2: and one over IPIP that Felix wrote (v3.33)",
        "block of another node",
        sides("interface tunl0", TOLD),
        [in_kernel("block of another node", "tunl0")],
        [defaults(programClusterRoutes="Disabled")],
    ),
    Row(
        "2: but not while BGP writes those",
        "block of another node",
        everybody(TOLD),
        [in_kernel("block of another node", "tunl0")],
        [defaults(programClusterRoutes="Enabled")],
    ),
    Row(
        "2: and one without a tunnel in a pool of Felix (v3.33)",
        "block of another node",
        sides("over a next hop of Felix", TOLD),
        [in_kernel("block of another node", via="router")],
        [defaults(programClusterRoutes="Disabled")],
    ),
    Row(
        "2: but not while BGP writes those, with the gateway as NEXT_HOP",
        "block of another node",
        sides(Told(next_hop="router"), TOLD),
        [in_kernel("block of another node", via="router")],
    ),
    Row(
        "2: and never a workload's, which has no next hop",
        "borrowed address",
        everybody(TOLD),
        [workload("borrowed address")],
        [defaults(programClusterRoutes="Disabled")],
    ),
    Row(
        "3: a device of eBPF, from everybody",
        "borrowed address",
        sides("interface *.cali", "interface bpf*.cali"),
        [in_kernel("borrowed address", "bpfin.cali")],
    ),
    Row(
        "2 before 5: an own block that the kernel has over VXLAN is a block first",
        "own block",
        everybody(TOLD),
        [in_kernel("own block", "vxlan.calico")],
    ),
]

COLOURS = ("64512:1", "64512:2", "64512:1:3")

COMMUNITIES = [
    Row(
        "4: communities of the cluster, standard, large and by name",
        "own block",
        everybody(Told(communities=COLOURS)),
        objects=[
            defaults(
                communities=[{"name": "two", "value": "64512:2"}, {"name": "large", "value": "64512:1:3"}],
                prefixAdvertisements=advertising("64512:1", "two", "large", "64512:2"),
            )
        ],
    ),
    Row(
        "4: those of the node in their place",
        "own block",
        everybody(Told(communities=("64512:7",))),
        objects=[
            defaults(prefixAdvertisements=advertising("64512:1")),
            configuration(LOCAL, prefixAdvertisements=advertising("64512:7")),
        ],
    ),
    Row(
        "4: also where the node has some for the other family alone",
        "own block",
        everybody(TOLD),
        objects=[
            defaults(prefixAdvertisements=advertising("64512:1")),
            configuration(LOCAL, prefixAdvertisements=advertising("64512:7")[1:]),
        ],
        families=(0,),
    ),
    Row(
        "4: of every range that it is in",
        "own block",
        everybody(Told(communities=("64512:1", "64512:2"))),
        objects=[
            defaults(
                prefixAdvertisements=[*advertising("64512:1"), *advertising("64512:2", place="own block")]
            )
        ],
    ),
    Row(
        "4: of no other range",
        "own block",
        everybody(TOLD),
        objects=[defaults(prefixAdvertisements=advertising("64512:1", place="block of another node"))],
    ),
    Row(
        "4: of what peers told too",
        "block of another node",
        {"external": Told(communities=("64512:1", "64999:9"))},
        [learned("mesh", "block of another node", communities=(OTHER_AS << 16 | 9,))],
        [defaults(prefixAdvertisements=advertising("64512:1"))],
    ),
    Row(
        "4: of services",
        "cluster range",
        everybody(Told(communities=("64512:1",))),
        objects=[services(prefixAdvertisements=advertising("64512:1", place="cluster range"))],
    ),
    Row(
        "4 before 5: no community lets a route out",
        "workload in own block",
        everybody("inside own block"),
        [workload("workload in own block")],
        [defaults(prefixAdvertisements=advertising("64512:1"))],
    ),
]

SERVICES = [
    Row(f"6: the {place} goes out", place, everybody(TOLD), objects=[services()])
    for place in ("cluster range", "external range", "balanced range")
]
SERVICES += [
    Row(
        f"6: an address inside goes on: {place}",
        place,
        {"external": TOLD},
        [learned("mesh", place)],
        [services()],
    )
    for place in ("cluster address", "external address", "balanced address")
]
SERVICES += [
    Row(
        f"services: one address is one service, and not ours to tell: {place}",
        place,
        everybody(NOTHING),
        objects=[services()],
    )
    for place in ("single external address", "single balanced address")
]
SERVICES += [
    Row(
        "services: without aggregation no range of load balancers (v3.31)",
        "balanced range",
        everybody(NOTHING),
        objects=[services(serviceLoadBalancerAggregation="Disabled")],
    ),
    Row(
        "services: and others as before",
        "external range",
        everybody(TOLD),
        objects=[services(serviceLoadBalancerAggregation="Disabled")],
    ),
    Row(
        "services: an excluded node tells of none",
        "cluster range",
        everybody(NOTHING),
        objects=[
            services(),
            local_node(labels={"node.kubernetes.io/exclude-from-external-load-balancers": "true"}),
        ],
    ),
    Row(
        "7: a reflector passes on a load balancer's address",
        "single balanced address",
        {"internal": Told(100, next_hop="second", reflected="second"), "external": TOLD},
        [learned("second", "single balanced address")],
        [services()],
        reflector=True,
    ),
    Row(
        "7: and an external one (v3.32)",
        "single external address",
        {"internal": Told(100, next_hop="second", reflected="second"), "external": TOLD},
        [learned("second", "single external address")],
        [services()],
        reflector=True,
    ),
    Row(
        "7: others do not",
        "single balanced address",
        {"external": DEFAULT},
        [learned("second", "single balanced address")],
        [services()],
    ),
]

OTHERS = [
    Row("9: a connected network", "lan", everybody(DEFAULT), [connected("lan", "eth1")]),
    Row(
        "9: an address on the loopback interface",
        "loopback address",
        everybody(DEFAULT),
        [connected("loopback address", "lo")],
    ),
    Row(
        "9: a default route of somebody else",
        "everything",
        everybody(DEFAULT),
        [in_kernel("everything", via="router", metric=100, protocol=DHCP)],
    ),
    Row("9: what peers tell", "elsewhere", {"mesh": DEFAULT}, [learned("external", "elsewhere")]),
    Row(
        "sources: a network of an ignored interface is none",
        "lan",
        everybody(NOTHING),
        [connected("lan", "eth1")],
        [defaults(ignoredInterfaces=["eth1"])],
    ),
    Row(
        "sources: nor one of a workload's interface",
        "lan",
        everybody(NOTHING),
        [connected("lan", "cali12ab")],
    ),
    Row(
        "sources: nor an address of kube-proxy",
        "cluster address",
        everybody(NOTHING),
        [connected("cluster address", "kube-ipvs0")],
    ),
    Row(
        "sources: a way to a peer is known, and not told",
        "distant peer",
        everybody(DEFAULT),
        objects=[
            bgp_peer(f"distant{family}", peerIP=peer.partition("/")[0], asNumber=1, reachableBy=gateway)
            for family, (peer, gateway) in enumerate(
                zip(PLACES["distant peer"], ("10.0.0.254", "fd00::254"), strict=True)
            )
        ],
    ),
]


def accept(**condition: object) -> dict[str, object]:
    return {"action": "Accept", **condition}


def reject(**condition: object) -> dict[str, object]:
    return {"action": "Reject", **condition}


FILTERS = [
    Row(
        "filters: a connected network by its interface",
        "lan",
        {"external": TOLD, "internal": DEFAULT},
        [connected("lan", "eth1")],
        filtered("external", accept(interface="eth*")),
    ),
    Row(
        "filters: a route of the kernel, with its gateway as NEXT_HOP and its metric as priority",
        "everything",
        {"internal": Told(2147483647 - 100, next_hop="router"), "external": DEFAULT},
        [in_kernel("everything", via="router", metric=100, protocol=DHCP)],
        filtered("internal", accept(cidr="everything", matchOperator="Equal")),
    ),
    Row(
        "filters before 1: an accept goes past disableBGPExport",
        "workload in the hidden pool",
        {"external": TOLD, "internal": HIDDEN},
        [workload("workload in the hidden pool")],
        filtered("external", accept(interface="cali*")),
    ),
    Row(
        "filters before 4: and past communities",
        "own block",
        {"external": TOLD, "internal": Told(communities=("64512:1",))},
        objects=(
            *filtered("external", accept(cidr="own block", matchOperator="Equal")),
            defaults(prefixAdvertisements=advertising("64512:1")),
        ),
    ),
    Row(
        "filters before 5: a reject keeps a block back",
        "own block",
        {"external": "filter f export rule 1", "internal": TOLD, "mesh": TOLD},
        objects=filtered("external", reject(cidr="own block", matchOperator="In")),
    ),
    Row(
        "filters: no match goes on to Calico's rules",
        "own block",
        {"external": TOLD},
        objects=filtered("external", reject(cidr="lan", matchOperator="In")),
    ),
    Row(
        "filters: what peers told, by source",
        "block of another node",
        {"external": "filter f export rule 1"},
        [learned("mesh", "block of another node")],
        filtered("external", reject(source="RemotePeers")),
    ),
    Row(
        "filters: what is our own is no such source",
        "borrowed address",
        {"external": TOLD},
        [workload("borrowed address")],
        filtered("external", reject(source="RemotePeers")),
    ),
    Row(
        "filters: priorities cross to another AS as communities (v3.32)",
        "workload in own block",
        {"external": Told(communities=("64512:512",)), "internal": Told(BETTER)},
        [workload("workload in own block", 512)],
        filtered("external", accept(priority=512, operations=[{"addCommunity": {"value": "64512:512"}}])),
    ),
    Row(
        "filters: another priority does not match (v3.32)",
        "workload in own block",
        {"external": "inside own block"},
        [workload("workload in own block", 1024)],
        filtered("external", accept(priority=512)),
    ),
    Row(
        "filters: a priority set on the way out (v3.32)",
        "own block",
        {"internal": Told(2147483647 - 77), "second": TOLD},
        objects=filtered("internal", accept(priority=1024, operations=[{"setPriority": {"value": 77}}])),
    ),
    Row(
        "filters: a priority set on the way in, which external peers do not see (v3.32)",
        "borrowed address",
        {"mesh": Told(BETTER, as_path=(OTHER_AS,), next_hop="external")},
        [learned("external", "borrowed address")],
        filtered("external", accept(operations=[{"setPriority": {"value": 512}}]), direction="import"),
    ),
    Row(
        "filters: only for the type of peer that they name (v3.32)",
        "own block",
        {"external": TOLD},
        objects=filtered("external", reject(peerType="iBGP")),
    ),
]

DECISION = [
    Row(
        "decision: a connected network before what peers tell of it",
        "lan",
        {"external": TOLD},
        [connected("lan", "eth1"), learned("mesh", "lan", local_pref=BETTER)],
        filtered("external", accept(cidr="lan", matchOperator="In", interface="eth1")),
    ),
    Row(
        "decision: what peers tell before what the kernel has from others",
        "everything",
        {"internal": Told(100, as_path=(OTHER_AS,), next_hop="external")},
        [
            in_kernel("everything", via="router", metric=100, protocol=DHCP),
            learned("external", "everything"),
        ],
        filtered("internal", accept(cidr="everything", matchOperator="Equal")),
    ),
    Row(
        "decision: a workload that is here before what peers tell with the same priority",
        "borrowed address",
        {"external": TOLD, "internal": TOLD},
        [workload("borrowed address", 1024), learned("second", "borrowed address", local_pref=NORMAL)],
    ),
    Row(
        "decision: and after what they tell with a better one (v3.32)",
        "borrowed address",
        {"external": TOLD, "internal": "iBGP to iBGP"},
        [workload("borrowed address", 1024), learned("second", "borrowed address", local_pref=BETTER)],
    ),
    Row(
        "decision: but not after what they tell with a worse one, however it came",
        "borrowed address",
        {"internal": TOLD},
        [workload("borrowed address", 1024), learned("external", "borrowed address")],
    ),
]

ROWS = [*BLOCKS, *POOLS, *DEVICES, *COMMUNITIES, *SERVICES, *OTHERS, *FILTERS, *DECISION]
CASES = [
    pytest.param(row, family, id=f"{row.rule} ({'IPv6' if family else 'IPv4'})")
    for row in ROWS
    for family in row.families
]


@pytest.mark.parametrize(("row", "family"), CASES)
def test_what_each_peer_is_told(row: Row, family: int) -> None:
    # A reflector is no part of the mesh.
    names = [name for name in PEERS if not (row.reflector and name == "mesh")]
    node = at(row, family, names)
    prefix = PLACES[row.about][family]
    for name, outcome in row.outcome.items():
        peer = PEERS[name][family]
        heard, rule = node.heard(peer).get(prefix), node.rule(peer, prefix)
        if isinstance(outcome, Told):
            assert heard == expected(outcome, name, family), f"{name}: {rule}"
            assert row.decided_by in rule
        else:
            assert heard is None, f"{name} was told by {rule}"
            assert outcome in rule, name


def test_the_table_is_large_enough_and_names_every_row() -> None:
    assert len({row.rule for row in ROWS}) == len(ROWS)
    assert sum(len(row.outcome) * len(row.families) for row in ROWS) > 300
