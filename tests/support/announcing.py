"""A cluster in which every rule about routes has its place, in both families, for tables of routes.

A row names prefixes and peers by what they are; `PLACES` and `PEERS` have the IPv4 one and the IPv6 one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from tests.support.cluster_node import ClusterNode
from tests.support.derivation import LOCAL, Object, bgp_peer, defaults, node, resource
from tests.support.paths import sequence

AS_NUMBER: Final = 64512
OTHER_AS: Final = 64999
NORMAL: Final = 2147483647 - 1024
"""The LOCAL_PREF of what has the normal priority."""
FELIX: Final = 80
"""rtm_protocol of Calico's Felix."""

PLACES: Final = {
    "own block": ("10.65.1.0/26", "fd00:65:0:1::/122"),
    "workload in own block": ("10.65.1.5/32", "fd00:65:0:1::5/128"),
    "block without state": ("10.65.4.0/26", "fd00:65:0:4::/122"),
    "workload in block without state": ("10.65.4.5/32", "fd00:65:0:4::5/128"),
    "block being given up": ("10.65.2.0/26", "fd00:65:0:2::/122"),
    "workload in block being given up": ("10.65.2.5/32", "fd00:65:0:2::5/128"),
    "pending block": ("10.65.3.0/26", "fd00:65:0:3::/122"),
    "workload in pending block": ("10.65.3.5/32", "fd00:65:0:3::5/128"),
    "block of one address": ("10.65.5.7/32", "fd00:65:0:5::7/128"),
    "borrowed address": ("10.65.9.5/32", "fd00:65:0:9::5/128"),
    "block of another node": ("10.65.10.0/26", "fd00:65:0:10::/122"),
    "pool itself": ("10.65.0.0/16", "fd00:65::/48"),
    "more than the pool": ("10.64.0.0/15", "fd00:64::/31"),
    "own block in the hidden pool": ("10.67.1.0/26", "fd00:67:0:1::/122"),
    "workload in the hidden pool": ("10.67.9.5/32", "fd00:67:0:9::5/128"),
    "workload in the disabled pool": ("10.66.9.5/32", "fd00:66:0:9::5/128"),
    "own block in the VXLAN pool": ("10.68.1.0/26", "fd00:68:0:1::/122"),
    "block in the VXLAN pool": ("10.68.10.0/26", "fd00:68:0:10::/122"),
    "block in the IPIP pool": ("10.69.10.0/26", ""),
    "own block in the IPIP pool": ("10.69.1.0/26", ""),
    "block in the CrossSubnet pool": ("10.70.10.0/26", ""),
    "cluster range": ("10.96.0.0/12", "fd00:96::/108"),
    "cluster address": ("10.96.0.10/32", "fd00:96::10/128"),
    "external range": ("198.51.100.0/24", "2001:db8:98::/64"),
    "external address": ("198.51.100.10/32", "2001:db8:98::10/128"),
    "single external address": ("192.0.2.98/32", "2001:db8:198::98/128"),
    "balanced range": ("203.0.113.0/24", "2001:db8:113::/64"),
    "balanced address": ("203.0.113.10/32", "2001:db8:113::10/128"),
    "single balanced address": ("192.0.2.113/32", "2001:db8:198::113/128"),
    "lan": ("172.20.0.0/16", "2001:db8:20::/64"),
    "elsewhere": ("172.21.0.0/16", "2001:db8:21::/64"),
    "everything": ("0.0.0.0/0", "::/0"),
    "loopback address": ("172.22.0.1/32", "2001:db8:22::1/128"),
    "distant peer": ("192.0.2.77/32", "2001:db8:77::77/128"),
    "advertised range": ("10.65.0.0/18", "fd00:65::/56"),
}
"""By what it is in the cluster: prefix of IPv4, prefix of IPv6 ("" where there is no such thing)."""

PEERS: Final = {
    "mesh": ("10.0.0.2", "fd00::2"),
    "internal": ("10.0.0.11", "fd00::11"),
    "second": ("10.0.0.13", "fd00::13"),
    "external": ("10.0.0.12", "fd00::12"),
}
GATEWAYS: Final = {
    "near": ("10.0.0.2", "fd00::2"),
    "router": ("10.0.0.254", "fd00::254"),
    "far": ("10.0.9.2", "fd00:0:0:9::2"),
}
NETWORKS: Final = ("10.0.0.0/24", "fd00::/64", "10.0.9.0/24", "fd00:0:0:9::/64")
"""On the link; the node's own subnet has only the first of each family."""
OWN: Final = ("10.0.0.1", "fd00::1")
CLUSTER_ID: Final = bytes((10, 0, 0, 1))
"""Of the node, where it is a route reflector."""

Given = Callable[[ClusterNode, int], None]
"""Something that happens to the node; the number is 0 for IPv4, 1 for IPv6."""


class Told(NamedTuple):
    """With what a peer is told of a route. What is None or left out goes without saying for its kind."""

    local_pref: int | None = None
    next_hop: str = ""
    """A name of `GATEWAYS` or `PEERS`; "" for ourselves."""
    as_path: tuple[int, ...] = ()
    """Beyond our own AS number, which external peers see in front."""
    communities: tuple[str, ...] = ()
    reflected: str = ""
    """The peer that it was reflected from."""


TOLD: Final = Told()


class Row(NamedTuple):
    """One line of the table: what is given, which prefix it is about, and what becomes of it for each peer.

    That is `Told`, or the name of the rule that keeps it back.
    """

    rule: str
    about: str
    outcome: dict[str, Told | str]
    given: Sequence[Given] = ()
    objects: Sequence[Object] = ()
    families: tuple[int, ...] = (0, 1)
    reflector: bool = False
    decided_by: str = ""
    """The name of the rule that lets it out, where the prefix alone does not tell."""


# ---- what may be given


def learned(peer: str, place: str, next_hop: str = "", **attributes: object) -> Given:
    """A peer tells of a route."""

    def happen(node: ClusterNode, family: int) -> None:
        known = dict(attributes)
        if next_hop:
            known["next_hop"] = bytes(Address.parse(GATEWAYS[next_hop][family]))
        node.announce(PEERS[peer][family], PLACES[place][family], **known)

    return happen


def in_kernel(
    place: str,
    interface: str = "eth0",
    via: str = "",
    *,
    metric: int = 0,
    protocol: int = FELIX,
    kind: RouteKind = RouteKind.UNICAST,
) -> Given:
    """Somebody else has a route in the kernel."""

    def happen(node: ClusterNode, family: int) -> None:
        gateway = Address.parse(GATEWAYS[via][family]) if via else None
        hops = (NextHop(gateway, interface),) if kind is RouteKind.UNICAST else ()
        prefix = Prefix.parse(PLACES[place][family])
        node.kernel_has(KernelRoute(prefix, Route(kind, hops, metric), protocol))

    return happen


def workload(place: str, metric: int = 0) -> Given:
    """A workload is here, behind an interface of its own."""
    return in_kernel(place, "cali12ab", metric=metric)


def connected(place: str, interface: str) -> Given:
    """An interface has the first address of a network."""

    def happen(node: ClusterNode, family: int) -> None:
        node.addresses({interface: PLACES[place][family]})

    return happen


# ---- the cluster


def block(place: str, value: bytes) -> Iterator[Object]:
    """A claim of the node to a block."""
    for family, prefix in zip(("ipv4", "ipv6"), PLACES[place], strict=True):
        if prefix:
            key = f"/calico/ipam/v2/host/{LOCAL}/{family}/block/{prefix.replace('/', '-')}"
            yield Object(key, value)


def claim(state: str) -> bytes:
    return json.dumps({"state": state, "deleted": False}).encode()


def pools(name: str, v4: str, v6: str, **spec: object) -> Iterator[Object]:
    """One of each family."""
    for suffix, cidr in (("", v4), ("6", v6)):
        if cidr:
            yield resource("IPPool", name + suffix, {"cidr": cidr, **spec})


def peer(name: str, asn: int = AS_NUMBER, *filters: str) -> Iterator[Object]:
    """A BGPPeer in each family."""
    for suffix, address in zip(("", "6"), PEERS[name], strict=True):
        yield bgp_peer(name + suffix, peerIP=address, asNumber=asn, filters=list(filters))


def filtered(name: str, *rules: dict[str, object], direction: str = "export") -> tuple[Object, ...]:
    """The same peer with a filter of these rules; `cidr` is a name of `PLACES`."""
    lists = {
        f"{direction}V{version}": [
            {key: PLACES[str(value)][family] if key == "cidr" else value for key, value in rule.items()}
            for rule in rules
        ]
        for family, version in enumerate((4, 6))
    }
    asn = OTHER_AS if name == "external" else AS_NUMBER
    return (resource("BGPFilter", "f", lists), *peer(name, asn, "f"))


def services(**spec: object) -> Object:
    """The BGPConfiguration `default` with ranges for services, and more."""
    kinds = {
        "serviceClusterIPs": ("cluster range",),
        "serviceExternalIPs": ("external range", "single external address"),
        "serviceLoadBalancerIPs": ("balanced range", "single balanced address"),
    }
    ranges = {
        field: [{"cidr": cidr} for place in places for cidr in PLACES[place]]
        for field, places in kinds.items()
    }
    return defaults(**ranges, **spec)


def local_node(ipv4: str = f"{OWN[0]}/24", **more: object) -> Object:
    """The node itself."""
    return node(LOCAL, ipv4, f"{OWN[1]}/64", **more)  # type: ignore[arg-type]


CLUSTER: Final = (
    local_node(),
    node("kube-node-1", "10.0.0.2/24", "fd00::2/64"),
    *peer("internal"),
    *peer("second"),
    *peer("external", OTHER_AS),
    *pools("pool", "10.65.0.0/16", "fd00:65::/48"),
    *pools("disabled", "10.66.0.0/16", "fd00:66::/48", disabled=True),
    *pools("hidden", "10.67.0.0/16", "fd00:67::/48", disableBGPExport=True),
    *pools("vxlan", "10.68.0.0/16", "fd00:68::/48", vxlanMode="Always"),
    *pools("ipip", "10.69.0.0/16", "", ipipMode="Always"),
    *pools("crossing", "10.70.0.0/16", "", ipipMode="CrossSubnet"),
    *block("own block", claim("confirmed")),
    *block("own block in the hidden pool", claim("confirmed")),
    *block("own block in the VXLAN pool", claim("confirmed")),
    *block("own block in the IPIP pool", claim("confirmed")),
    *block("block without state", b""),
    *block("block being given up", claim("pendingDeletion")),
    *block("pending block", claim("pending")),
    *block("block of one address", claim("confirmed")),
)


# ---- what becomes of it


def at(row: Row, family: int, peers: Iterable[str]) -> ClusterNode:
    """The node after everything that is given, with sessions to these peers and to those that tell it."""
    reflecting = (local_node(routeReflectorClusterID="10.0.0.1"),) if row.reflector else ()
    made = ClusterNode((*CLUSTER, *reflecting, *row.objects), NETWORKS)
    for name in peers:
        external = name == "external"
        made.connect(PEERS[name][family], OTHER_AS if external else AS_NUMBER, external=external)
    for happen in row.given:
        happen(made, family)
    return made


def expected(told: Told, peer_name: str, family: int) -> PathAttributes:
    """Every attribute that a peer is told."""
    external = peer_name == "external"
    next_hop = (GATEWAYS | PEERS)[told.next_hop][family] if told.next_hop else OWN[family]
    as_path = (AS_NUMBER, *told.as_path) if external else told.as_path
    numbers = [tuple(map(int, text.split(":"))) for text in told.communities]
    attributes = PathAttributes(
        next_hop=bytes(Address.parse(next_hop)),
        as_path=sequence(*as_path) if as_path else (),
        local_pref=None if external else NORMAL if told.local_pref is None else told.local_pref,
        communities=tuple(sorted(one[0] << 16 | one[1] for one in numbers if len(one) == 2)),
        large_communities=tuple(sorted(one for one in numbers if len(one) == 3)),
    )
    if not told.reflected:
        return attributes
    originator = _identifier(PEERS[told.reflected][family])
    return attributes.replace(originator_id=originator, cluster_list=(CLUSTER_ID,))


def _identifier(address: str) -> bytes:
    parsed = Address.parse(address)
    return bytes(parsed) if len(parsed) == 4 else bytes((10, *parsed[-3:]))
