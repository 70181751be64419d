"""What must hold at rest, computed from the store alone and by brute force: the second half of the oracle.

    store ─ topology.read ─▶ Cluster ─ topology.sessions ─▶ who hears whom ─ expected ─▶ kernels

For each prefix by itself: those who originate it have it; in rounds everybody tells everybody what it has, as
far as rules and filters let it, and takes the best of what it was told, until a round changes nothing. No
timers, no connections, no order, no state: a reader can go through it with RFC 4271 §9 and RFC 4456 §8 at
hand. Which resources it understands stands in `topology`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from felixbgp.net import IPV4, Address, Family, Prefix
from felixbgp.resources.bgp_peer import NextHopMode
from felixbgp.resources.block_affinity import AffinityState
from felixbgp.resources.ip_pool import EncapsulationMode
from felixbgp.sim import drains
from felixbgp.sim.filters import NO_ADVERTISE, NO_EXPORT, Answer, Path, ask, communities_of
from felixbgp.sim.topology import Cluster, End, Session, Speaker, cidrs, sessions

ROUNDS_MAX: Final = 64
"""Longer than any chain of reflectors: a choice that has not settled by then never does."""
NEXT_HOPS_MAX: Final = 16
DEFAULT_LOCAL_PREF: Final = 100
BEST_LOCAL_PREF: Final = 0x7FFF_FFFF
"""A route's priority and its LOCAL_PREF add up to this in Calico."""
NORMAL_PRIORITY: Final = 1024


Way = tuple[Address, Address]
"""The addresses of who speaks and who hears."""


class UnsettledError(Exception):
    """The policies give no stable choice of routes, so that nothing can be said of the state at rest."""


class Forwarding(NamedTuple):
    """A route that a kernel must have: a blackhole, for a block of its own, or gateways."""

    metric: int
    gateways: tuple[Address, ...] = ()
    tunnel: bool = False
    """Whether packets go into an IPIP tunnel."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The state at rest: who hears whom, and each one's kernel routes."""

    sessions: tuple[Session, ...]
    kernels: Mapping[str, Mapping[Prefix, Forwarding]]

    def peers_of(self, name: str) -> set[Address]:
        """With whom somebody has an Established session."""
        return {one.into.remote for one in self.sessions if one.receiver == name}


def expected(cluster: Cluster, without: frozenset[str] = frozenset()) -> Expected:
    """What must hold at rest, `without` those that are dead: they are in the store, and say nothing.

    Raises:
        UnsettledError: there is no such state.
    """
    living = (one for one in sessions(cluster) if one.sender not in without and one.receiver not in without)
    heard = tuple(living)
    kernels: dict[str, dict[Prefix, Forwarding]] = {name: {} for name in cluster.speakers}
    for prefix in originated(cluster):
        for name, best in propagate(cluster, heard, prefix).items():
            route = _forwarding(cluster, name, prefix, best)
            if route is not None:
                kernels[name][prefix] = route
    return Expected(heard, kernels)


def originated(cluster: Cluster) -> list[Prefix]:
    """Every prefix that somebody originates, in order."""
    return sorted({prefix for name in cluster.speakers for prefix in origins(cluster, name)})


def origins(cluster: Cluster, name: str) -> set[Prefix]:
    """The prefixes that one speaker originates: its blocks and the ranges of services."""
    if name in cluster.routers:
        return set(cluster.routers[name].originates)
    pending = AffinityState.PENDING
    blocks = cluster.blocks.get(name, {}).items()
    return {*cluster.service_ranges, *(b for b, state in blocks if state is not pending and not b.is_host)}


def propagate(
    cluster: Cluster,
    heard: Sequence[Session],
    prefix: Prefix,
    last_resort: frozenset[Way] = frozenset(),
) -> dict[str, list[Path]]:
    """Who has a way to a prefix at rest, and which: the best one first, then those that are as good.

    `heard` are the sessions over which routes go, of which those with a node that left the cluster count for
    nothing; what comes over those in `last_resort` is used only where there is nothing else.

    Raises:
        UnsettledError: the choice never settles.
    """
    family = prefix.family
    ways = [
        one
        for one in heard
        if one.out.local.family == family and cluster.speakers.keys() >= {one.sender, one.receiver}
    ]
    own = {name: _own(cluster, family) for name in cluster.speakers if prefix in origins(cluster, name)}
    told: dict[str, dict[Session, Path]] = {name: {} for name in cluster.speakers}
    best: dict[str, list[Path]] = {name: [path] for name, path in own.items()}
    changed = set(best)
    for _ in range(ROUNDS_MAX):
        concerned = [one for one in ways if one.sender in changed]
        if not concerned:
            return best
        for one in concerned:
            path = tell(cluster, one, prefix, best[one.sender][0] if one.sender in best else None)
            if path is None:
                told[one.receiver].pop(one, None)
            else:
                told[one.receiver][one] = path
        before, best = best, {}
        for name in cluster.speakers:
            found = [own[name]] if name in own else _best(list(told[name].values()), last_resort)
            if found:
                best[name] = found
        changed = {name for name in cluster.speakers if before.get(name) != best.get(name)}
    raise UnsettledError(f"{prefix}: the choice among its paths does not settle")


def _own(cluster: Cluster, family: Family) -> Path:
    return Path(local_pref=BEST_LOCAL_PREF - _normal_priority(cluster, family))


def _normal_priority(cluster: Cluster, family: Family) -> int:
    defaults = cluster.defaults
    v4, v6 = defaults.ipv4_normal_route_priority, defaults.ipv6_normal_route_priority
    return (v4 if family == IPV4 else v6) or NORMAL_PRIORITY


# ---- from one speaker to another


def tell(cluster: Cluster, session: Session, prefix: Prefix, path: Path | None) -> Path | None:
    """What a receiver makes of the path that the sender has; None: it is not told, or takes nothing."""
    if path is None or not may_tell(session, path):
        return None
    sender, receiver = cluster.speakers[session.sender], cluster.speakers[session.receiver]
    accepted = exported(cluster, session, prefix, path)
    if accepted is None:
        return None
    sent = drains.heard(session, _sent(session, sender, path, accepted))
    if _is_refused(session, receiver, sent):
        return None
    taken = sent._replace(heard=session, identifier=sender.identifier)
    if receiver.name in cluster.routers:
        return taken
    answer, changed = ask(cluster, session.into, "import", prefix, taken)
    return None if answer is Answer.REJECT else drains.taken(cluster, session, taken, changed)


def may_tell(session: Session, path: Path) -> bool:
    """The rules that forbid an advertisement, whatever the policy says."""
    if path.heard is not None and path.heard.sender == session.receiver:
        return False
    if NO_ADVERTISE in path.communities:
        return False
    if session.out.external:
        return NO_EXPORT not in path.communities
    # RFC 4456 §6: from iBGP to iBGP only from or to a client.
    from_internal = path.heard is not None and not path.heard.into.external
    return not from_internal or session.out.client or (path.heard is not None and path.heard.into.client)


def exported(cluster: Cluster, session: Session, prefix: Prefix, path: Path) -> Path | None:
    """What the export policy makes of a path: the filters first, then what Calico lets out; None: nothing."""
    if session.sender in cluster.routers:
        return path
    answer, changed = ask(cluster, session.out, "export", prefix, path)
    if answer is Answer.NOTHING:
        changed = with_advertised(cluster, prefix, changed)
        answer = Answer.ACCEPT if calico_lets_out(cluster, session.sender, prefix, changed) else Answer.REJECT
    return drains.told(cluster, session.sender, prefix, changed) if answer is Answer.ACCEPT else None


def calico_lets_out(cluster: Cluster, name: str, prefix: Prefix, path: Path | None = None) -> bool:
    """Calico's own export policy; without a path: whether it would let out some path to this prefix."""
    pools = [pool for pool in cluster.pools.values() if pool.cidr.covers(prefix)]
    if any(pool.disable_bgp_export for pool in pools):
        return False
    states = cluster.blocks.get(name, {})
    for block in (one for one, state in states.items() if state is AffinityState.CONFIRMED):
        if block == prefix:
            return True
        if block.covers(prefix):
            normal = BEST_LOCAL_PREF - _normal_priority(cluster, prefix.family)
            return path is None or (path.local_pref is not None and path.local_pref > normal)
    if pools or any(one.covers(prefix) for one in cluster.service_ranges):
        return True
    defaults = cluster.defaults
    passed_on = (*defaults.service_load_balancer_ips, *defaults.service_external_ips)
    is_reflector = cluster.speakers[name].cluster_id is not None
    return is_reflector and any(one.covers(prefix) for one in cidrs(passed_on))


def with_advertised(cluster: Cluster, prefix: Prefix, path: Path) -> Path:
    """The communities of `prefixAdvertisements` added."""
    names = {one.name: one.value for one in cluster.defaults.communities}
    added = {
        communities_of(names.get(text, text))
        for advertisement in cluster.defaults.prefix_advertisements
        if advertisement.cidr.covers(prefix)
        for text in advertisement.communities
    }
    return path._replace(communities=path.communities | added)


def _sent(session: Session, sender: Speaker, had: Path, path: Path) -> Path:
    """What leaves the sender: RFC 4271 §5, RFC 4456 §8."""
    next_hop = session.out.local if _is_via_sender(session.out, had) else had.next_hop
    if session.out.external:
        return Path(next_hop, (session.out.local_as, *path.as_path), None, path.communities)
    local_pref = DEFAULT_LOCAL_PREF if path.local_pref is None else path.local_pref
    sent = path._replace(next_hop=next_hop, local_pref=local_pref)
    if had.heard is None or had.heard.into.external:
        return sent
    cluster_id = sender.cluster_id or sender.identifier
    return sent._replace(originator=had.originator or had.identifier, clusters=(cluster_id, *had.clusters))


def _is_via_sender(end: End, path: Path) -> bool:
    """Whether the sender puts itself as NEXT_HOP."""
    if path.heard is None or end.next_hop is NextHopMode.SELF:
        return True
    if end.keeps_next_hop or end.next_hop is NextHopMode.KEEP:
        return False
    return end.external


def _is_refused(session: Session, receiver: Speaker, path: Path) -> bool:
    """Loops: RFC 4271 §9.1.2, RFC 4456 §8."""
    if path.as_path.count(receiver.as_number) > session.into.allowed_local_as:
        return True
    if path.next_hop in receiver.addresses.values() or path.originator == receiver.identifier:
        return True
    return (receiver.cluster_id or receiver.identifier) in path.clusters


# ---- the best of several


def _best(paths: list[Path], last_resort: frozenset[Way]) -> list[Path]:
    """The one to use first, then those that are as good but for what only breaks ties."""
    paths = [path for path in paths if _way(path) not in last_resort] or paths
    for key in (_preference, _length, _is_internal):
        if paths:
            least = min(map(key, paths))
            paths = [path for path in paths if key(path) == least]
    return sorted(paths, key=_tie_breakers)


def _way(path: Path) -> Way | None:
    return None if path.heard is None else (path.heard.out.local, path.heard.into.local)


def _preference(path: Path) -> int:
    return -(DEFAULT_LOCAL_PREF if path.local_pref is None else path.local_pref)


def _length(path: Path) -> int:
    return len(path.as_path)


def _is_internal(path: Path) -> int:
    return 0 if path.heard is not None and path.heard.into.external else 1


def _tie_breakers(path: Path) -> tuple[bytes, int, bytes]:
    """BGP Identifier or ORIGINATOR_ID, reflections, the peer's address."""
    remote = b"" if path.heard is None else path.heard.into.remote
    return path.originator or path.identifier or b"", len(path.clusters), remote


# ---- into the kernel


def _forwarding(cluster: Cluster, name: str, prefix: Prefix, best: list[Path]) -> Forwarding | None:
    """The route that a kernel has for what was chosen."""
    path = best[0]
    normal = NORMAL_PRIORITY if name in cluster.routers else _normal_priority(cluster, prefix.family)
    if name not in cluster.routers and any(one.covers(prefix) for one in cluster.service_ranges):
        return None
    if path.heard is None:
        return Forwarding(normal)
    metric = normal if path.local_pref is None else max(BEST_LOCAL_PREF - path.local_pref, 1)
    hops = list(dict.fromkeys(one.next_hop for one in best if one.next_hop is not None))[:NEXT_HOPS_MAX]
    tunnel = next(_tunnels(cluster, name, prefix, hops), False)
    return Forwarding(metric, tuple(sorted(hops)), tunnel)


def _tunnels(cluster: Cluster, name: str, prefix: Prefix, hops: Sequence[Address]) -> Iterator[bool]:
    """Whether packets go through the tunnel, by the pool that the prefix is in."""
    if name in cluster.routers:
        return
    for _, pool in sorted(cluster.pools.items()):
        if pool.effective_ipip_mode is not EncapsulationMode.NEVER and pool.cidr.covers(prefix):
            subnet = cluster.subnets.get(cluster.speakers[name].addresses[prefix.family])
            crossing = pool.effective_ipip_mode is EncapsulationMode.CROSS_SUBNET
            yield not (crossing and subnet is not None and all(subnet.contains(hop) for hop in hops))
