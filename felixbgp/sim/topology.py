"""Who peers with whom, read off the store in the plainest way: the first half of the oracle.

Nothing here is shared with `intent/`, which does the same step by step and for one node: only the decoding of
resources is. `read` makes a `Cluster` of the store's contents, `sessions` the sessions that shall be up.

It understands these resources, and raises `NotUnderstoodError` for any other field that is set:

* Node: addresses, AS number, cluster ID (also as annotations), labels;
* the BGPConfiguration `default`: the mesh, the AS number, the ranges of services, priorities, communities;
* BGPPeer: `node`, `nodeSelector`, `peerIP` without a port, `asNumber`, `peerSelector`, `reversePeering`,
  `filters`, `nextHopMode`, `keepOriginalNextHop`, `numAllowedLocalASNumbers`, timers;
* BGPFilter: conditions on prefix, source, type of peer and community, all operations;
* IPPool: all but `vxlanMode`;
* block affinities;
* drains.

A value that cannot be decoded counts as absent. All nodes are on one segment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeVar

from felixbgp.cluster import drains
from felixbgp.cluster.drains import DrainPhase
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.resources.base import Value
from felixbgp.resources.bgp_configuration import (
    DEFAULT_NAME,
    BgpConfiguration,
    BgpConfigurationSpec,
    ServiceBlock,
)
from felixbgp.resources.bgp_filter import BgpFilter, BgpFilterSpec
from felixbgp.resources.bgp_peer import BgpPeer, BgpPeerSpec, NextHopMode, ReversePeering
from felixbgp.resources.block_affinity import AffinityState, BlockAffinity
from felixbgp.resources.decode import Decoded, decode
from felixbgp.resources.ip_pool import EncapsulationMode, IpPool, IpPoolSpec
from felixbgp.resources.keys import HOSTS, RESOURCES
from felixbgp.resources.node import Node
from felixbgp.resources.values import whole_seconds_of

CALICO_AS_NUMBER: Final = 64512
"""When nobody says otherwise."""
CALICO_RESTART_S: Final = 120
"""The same."""

_UNDERSTOOD: Final[Mapping[type[Value], frozenset[str]]] = {
    BgpPeerSpec: frozenset(
        {
            *("node", "node_selector", "peer_ip", "as_number", "peer_selector", "reverse_peering"),
            *("filters", "next_hop_mode", "keep_original_next_hop", "num_allowed_local_as_numbers"),
            *("max_restart_time", "keepalive_time"),
        }
    ),
    BgpConfigurationSpec: frozenset(
        {
            *("node_to_node_mesh_enabled", "as_number", "node_mesh_max_restart_time", "log_severity_screen"),
            *("service_cluster_ips", "service_external_ips", "service_load_balancer_ips"),
            *("ipv4_normal_route_priority", "ipv6_normal_route_priority"),
            *("communities", "prefix_advertisements"),
        }
    ),
}
_OF_RULES: Final = frozenset(
    {"cidr", "match_operator", "prefix_length", "source", "peer_type", "communities", "action", "operations"}
)

Spec = TypeVar("Spec", BgpPeerSpec, BgpConfigurationSpec)


class NotUnderstoodError(Exception):
    """The store holds something of which the oracle does not know what it means."""


class Speaker(NamedTuple):
    """Somebody who speaks BGP: a node, or a router that follows no store."""

    name: str
    as_number: int
    addresses: Mapping[Family, Address]
    cluster_id: Address | None = None
    labels: Mapping[str, str] = {}

    @property
    def identifier(self) -> Address:
        """The BGP Identifier; a node has an IPv4 address."""
        return self.addresses[IPV4]


class Router(NamedTuple):
    """A router that follows no store: it waits for `peers` (address and AS number) and accepts everything."""

    speaker: Speaker
    originates: tuple[Prefix, ...]
    peers: Mapping[Address, int]
    restart_s: int = 0
    """For how long its peers keep what it told when it is gone; 0 without graceful restart."""


class End(NamedTuple):
    """What one end of a session wants it to be."""

    local: Address
    remote: Address
    local_as: int
    remote_as: int
    passive: bool = False
    client: bool = False
    """Whether the other one is a client of this reflector."""
    next_hop: NextHopMode | None = None
    keeps_next_hop: bool = False
    allowed_local_as: int = 0
    filters: tuple[str, ...] = ()
    restart_s: int = CALICO_RESTART_S
    """For how long the other end shall keep what it was told."""
    is_closed: bool = False
    """A filter that it names is missing: it must stay down, whoever else wants it."""

    @property
    def external(self) -> bool:
        """Whether it is an eBGP session."""
        return self.local_as != self.remote_as


class Session(NamedTuple):
    """One that shall be up: what `receiver` hears from `sender`. There is one for each direction."""

    sender: str
    receiver: str
    out: End
    """The sender's end."""
    into: End
    """The receiver's."""


@dataclass(frozen=True)
class Cluster:
    """The store's contents, and the routers around the cluster."""

    speakers: Mapping[str, Speaker]
    defaults: BgpConfigurationSpec = field(default_factory=BgpConfigurationSpec)
    peers: Mapping[str, BgpPeerSpec] = field(default_factory=dict)
    filters: Mapping[str, BgpFilterSpec] = field(default_factory=dict)
    pools: Mapping[str, IpPoolSpec] = field(default_factory=dict)
    blocks: Mapping[str, Mapping[Prefix, AffinityState]] = field(default_factory=dict)
    subnets: Mapping[Address, Prefix] = field(default_factory=dict)
    """That of each node's address."""
    routers: Mapping[str, Router] = field(default_factory=dict)
    drains: Mapping[str, DrainPhase] = field(default_factory=dict)
    """The phase of each node that is drained."""

    @cached_property
    def service_ranges(self) -> frozenset[Prefix]:
        """What every node originates, and no kernel has: packets to it must meet the node's own balancing."""
        defaults = self.defaults
        external = (*defaults.service_external_ips, *defaults.service_load_balancer_ips)
        wide = (one for one in cidrs(external) if not one.is_host)
        return frozenset((*cidrs(defaults.service_cluster_ips), *wide))


def cidrs(blocks: Iterable[ServiceBlock]) -> list[Prefix]:
    """The ranges that entries of services have."""
    return [block.cidr for block in blocks if block.cidr is not None]


def read(values: Iterable[tuple[str, bytes]], routers: Iterable[Router] = ()) -> Cluster:
    """What keys and values stand for.

    Raises:
        NotUnderstoodError: one has a field that is not in the list above.
    """
    nodes: dict[str, Node] = {}
    peers: dict[str, BgpPeerSpec] = {}
    filters: dict[str, BgpFilterSpec] = {}
    pools: dict[str, IpPoolSpec] = {}
    blocks: dict[str, dict[Prefix, AffinityState]] = {}
    drained: dict[str, DrainPhase] = {}
    defaults = BgpConfigurationSpec()
    for key, value in values:
        decoded = decode(key, value) if key.startswith((RESOURCES, HOSTS)) else None
        found = decoded.value if isinstance(decoded, Decoded) else None
        match found:
            case Node():
                nodes[found.name] = found
            case BgpPeer():
                peers[found.name] = _understood(found.name, found.spec)
            case BgpFilter():
                filters[found.name] = _understood_filter(found.name, found.spec)
            case IpPool():
                pools[found.name] = _understood_pool(found.name, found.spec)
            case BlockAffinity():
                blocks.setdefault(found.host, {})[found.cidr] = found.state
            case BgpConfiguration() if found.name == DEFAULT_NAME:
                defaults = _understood(found.name, found.spec)
            case BgpConfiguration():
                raise NotUnderstoodError(f"BGPConfiguration {found.name}")
            case _:
                pass
        drain = drains.decode(value) if key.startswith(drains.DRAINS) else None
        if isinstance(drain, drains.Drain):
            drained[key.removeprefix(drains.DRAINS)] = drain.phase
    around = {router.speaker.name: router for router in routers}
    speakers = {name: speaker for name in sorted(nodes) if (speaker := _speaker(nodes[name], defaults))}
    subnets = dict(one for node in nodes.values() for one in _subnets(node))
    speakers |= {name: router.speaker for name, router in around.items()}
    return Cluster(speakers, defaults, peers, filters, pools, blocks, subnets, around, drained)


def sessions(cluster: Cluster) -> list[Session]:
    """The sessions that shall be up, in both directions: both ends want them, and agree on what they are."""
    ends = {name: _ends(cluster, speaker) for name, speaker in cluster.speakers.items()}
    at = {address: name for name, one in cluster.speakers.items() for address in one.addresses.values()}
    found = []
    for name, wanted in ends.items():
        for address, out in wanted.items():
            other = at.get(address)
            into = None if other is None else ends[other].get(out.local)
            if other is not None and into is not None and _agree(out, into):
                found.append(Session(name, other, out, into))
    return found


def _agree(one: End, other: End) -> bool:
    if one.is_closed or other.is_closed or (one.passive and other.passive):
        return False
    return one.local_as == other.remote_as and one.remote_as == other.local_as


def _ends(cluster: Cluster, local: Speaker) -> dict[Address, End]:
    """Whom a speaker wants to peer with; of two statements about one address the first holds."""
    wanted: dict[Address, End] = {}
    if local.name in cluster.routers:
        for address, as_number in cluster.routers[local.name].peers.items():
            own = local.addresses[address.family]
            restart_s = cluster.routers[local.name].restart_s
            wanted[address] = End(own, address, local.as_number, as_number, passive=True, restart_s=restart_s)
        return wanted
    for end in (*_by_peers(cluster, local), *_by_mesh(cluster, local)):
        wanted.setdefault(end.remote, end)
    return wanted


def _by_peers(cluster: Cluster, local: Speaker) -> Iterator[End]:
    """Global BGPPeers first, then those for some nodes, then those of which this node is the other end."""
    named = [cluster.peers[name] for name in sorted(cluster.peers)]
    for spec in (one for one in named if _is_global(one)):
        yield from _forward(cluster, local, spec)
    for spec in (one for one in named if not _is_global(one)):
        yield from _forward(cluster, local, spec)
    for spec in named:
        yield from _reverse(cluster, local, spec)


def _forward(cluster: Cluster, local: Speaker, spec: BgpPeerSpec) -> Iterator[End]:
    if not _selects(spec, local):
        return
    if spec.peer_ip is not None and spec.as_number is not None:
        address = spec.peer_ip.address
        own = local.addresses.get(address.family)
        if own is None or own == address:
            return
        is_node = any(address in node.addresses.values() for node in _nodes(cluster))
        # Of two nodes that a global BGPPeer names to each other only one dials.
        passive = _is_global(spec) and is_node and str(address) > str(own)
        yield _end(cluster, local, spec, (address, spec.as_number, None), passive=passive)
    if spec.peer_selector is not None:
        for other in _nodes(cluster):
            if other.name != local.name and spec.peer_selector.matches(other.labels):
                yield from _each_family(cluster, local, spec, other)


def _reverse(cluster: Cluster, local: Speaker, spec: BgpPeerSpec) -> Iterator[End]:
    if spec.reverse_peering is ReversePeering.MANUAL:
        return
    families: tuple[Family, ...] = (IPV4, IPV6)
    if spec.peer_selector is not None:
        is_target = spec.peer_selector.matches(local.labels)
    else:
        address = None if spec.peer_ip is None else spec.peer_ip.address
        is_target = address in local.addresses.values() and spec.as_number == local.as_number
        families = () if address is None else (address.family,)
    if is_target:
        for other in _nodes(cluster):
            if other.name != local.name and _selects(spec, other):
                ends = _each_family(cluster, local, spec, other)
                yield from (end for end in ends if end.local.family in families)


def _each_family(cluster: Cluster, local: Speaker, spec: BgpPeerSpec, other: Speaker) -> Iterator[End]:
    for family in local.addresses:
        if family in other.addresses:
            remote = other.addresses[family], other.as_number, other.cluster_id
            yield _end(cluster, local, spec, remote)


def _end(
    cluster: Cluster,
    local: Speaker,
    spec: BgpPeerSpec,
    remote: tuple[Address, int, Address | None],
    *,
    passive: bool = False,
) -> End:
    address, as_number, cluster_id = remote
    internal = as_number == local.as_number
    return End(
        local.addresses[address.family],
        address,
        local.as_number,
        as_number,
        passive,
        client=internal and local.cluster_id is not None and cluster_id != local.cluster_id,
        next_hop=spec.next_hop_mode,
        keeps_next_hop=spec.keep_original_next_hop and not internal,
        allowed_local_as=spec.num_allowed_local_as_numbers or 0,
        filters=spec.filters,
        restart_s=_restart_s(spec.max_restart_time),
        is_closed=any(name not in cluster.filters for name in spec.filters),
    )


def _by_mesh(cluster: Cluster, local: Speaker) -> Iterator[End]:
    """A session to every other node, but from and to reflectors."""
    if cluster.defaults.node_to_node_mesh_enabled is False or local.cluster_id is not None:
        return
    for other in _nodes(cluster):
        if other.name == local.name or other.cluster_id is not None:
            continue
        for family, address in other.addresses.items():
            own = local.addresses.get(family)
            if own is not None:
                passive = str(address) > str(own)
                restart_s = _restart_s(cluster.defaults.node_mesh_max_restart_time)
                yield End(own, address, local.as_number, other.as_number, passive, restart_s=restart_s)


def _restart_s(duration: str | None) -> int:
    return CALICO_RESTART_S if duration is None else whole_seconds_of(duration)


def _nodes(cluster: Cluster) -> list[Speaker]:
    return [one for name, one in cluster.speakers.items() if name not in cluster.routers]


def _is_global(spec: BgpPeerSpec) -> bool:
    return spec.node is None and spec.node_selector is None


def _selects(spec: BgpPeerSpec, node: Speaker) -> bool:
    if spec.node is not None:
        return spec.node == node.name
    return spec.node_selector is None or spec.node_selector.matches(node.labels)


def _speaker(node: Node, defaults: BgpConfigurationSpec) -> Speaker | None:
    bgp = node.effective_bgp
    if bgp is None or bgp.ipv4_address is None:
        return None
    written = {IPV4: bgp.ipv4_address, IPV6: bgp.ipv6_address}
    addresses = {family: one.address for family, one in written.items() if one is not None}
    as_number = bgp.as_number or defaults.as_number or CALICO_AS_NUMBER
    return Speaker(node.name, as_number, addresses, bgp.route_reflector_cluster_id, node.labels)


def _subnets(node: Node) -> Iterator[tuple[Address, Prefix]]:
    bgp = node.effective_bgp
    for written in () if bgp is None else (bgp.ipv4_address, bgp.ipv6_address):
        if written is not None:
            yield written.address, written.subnet


def _understood(name: str, spec: Spec) -> Spec:
    known = _UNDERSTOOD[type(spec)]
    strange = {one for one in spec.model_fields_set if getattr(spec, one) is not None} - known
    if strange:
        raise NotUnderstoodError(f"{type(spec).__name__} {name}: {', '.join(sorted(strange))}")
    return spec


def _understood_filter(name: str, spec: BgpFilterSpec) -> BgpFilterSpec:
    for rule in (*spec.export_v4, *spec.import_v4, *spec.export_v6, *spec.import_v6):
        strange = {one for one in rule.model_fields_set if getattr(rule, one) is not None} - _OF_RULES
        if strange:
            raise NotUnderstoodError(f"BGPFilter {name}: {', '.join(sorted(strange))}")
    return spec


def _understood_pool(name: str, spec: IpPoolSpec) -> IpPoolSpec:
    if spec.vxlan_mode is not EncapsulationMode.NEVER:
        raise NotUnderstoodError(f"IPPool {name}: vxlanMode")
    return spec
