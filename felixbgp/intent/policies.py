"""The import and export policies of a node's sessions.

Export runs the peer's BGPFilters, then Calico's own policy, then rejects; import runs the filters, then
accepts. The first rule that matches ends it, so a filter that accepts goes past Calico's policy (as there).
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from felixbgp.bgp.policy.types import (
    Action,
    AddCommunity,
    Match,
    Operation,
    Policy,
    PrefixMatch,
    PrependAsPath,
    RouteSource,
    Rule,
    SetLocalPref,
)
from felixbgp.intent.advertisements import advertisements, community_of
from felixbgp.intent.aggregates import (
    IPIP_INTERFACE,
    confirmed_blocks,
    pools_of_felix,
    programs_ipip,
    reflected_ranges,
    service_ranges,
)
from felixbgp.intent.priorities import local_pref_of
from felixbgp.intent.site import Site
from felixbgp.net import IPV4, Family, Prefix
from felixbgp.resources import BgpFilter
from felixbgp.resources.bgp_configuration import DEFAULT_NAME
from felixbgp.resources.bgp_filter import FilterAction, FilterRule, FilterSource, MatchOperator, PeerType
from felixbgp.resources.bgp_filter import Operation as WantedOperation

INTERNAL_REJECTED_INTERFACES = ("*.cali", "*.calico")
"""Tunnel devices: every node of the cluster has its own route over them. IPIP's is among them where Felix
writes its routes."""

REJECTED_INTERFACES = ("bpf*.cali",)
"""Devices of the eBPF data path."""

BLOCK_AFFINITY = "BlockAffinity"
"""What the claim of a block is called where a rule names its origin; all others are kinds of resources."""
_DEFAULTS = f"BGPConfiguration/{DEFAULT_NAME}"


class Policies:
    """The policies of one site; equal questions get the same answer object."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cache: dict[tuple[tuple[str, ...], Family, bool], tuple[Policy, Policy]] = {}
        self._calico: dict[tuple[Family, bool], tuple[Rule, ...]] = {}

    def of_mesh(self, family: Family) -> tuple[Policy, Policy]:
        """Import and export of a mesh session: no filters, and internal whatever the AS numbers."""
        return self.of_peer((), family, same_as=True)

    def of_peer(self, filters: tuple[str, ...], family: Family, *, same_as: bool) -> tuple[Policy, Policy]:
        """Import and export of a BGPPeer's session; every filter named must exist."""
        key = (filters, family, same_as)
        if key not in self._cache:
            self._cache[key] = self._build(filters, family, same_as=same_as)
        return self._cache[key]

    def forget(self, filters: Collection[str]) -> None:
        """These BGPFilters are others now."""
        stale = [key for key in self._cache if not set(key[0]).isdisjoint(filters)]
        for key in stale:
            del self._cache[key]

    def forget_all(self) -> None:
        """The site is another now."""
        self._cache.clear()
        self._calico.clear()

    def _build(self, filters: tuple[str, ...], family: Family, *, same_as: bool) -> tuple[Policy, Policy]:
        used = [self._site.filters[name] for name in filters]
        imports = [rule for f in used for rule in filter_rules(f, family, "import", same_as=same_as)]
        exports = [rule for f in used for rule in filter_rules(f, family, "export", same_as=same_as)]
        own = self._calico_rules(family, internal=same_as)
        return Policy(tuple(imports), Action.ACCEPT), Policy((*exports, *own), Action.REJECT)

    def _calico_rules(self, family: Family, *, internal: bool) -> tuple[Rule, ...]:
        key = (family, internal)
        if key not in self._calico:
            self._calico[key] = tuple(calico_export_rules(self._site, family, internal=internal))
        return self._calico[key]


def calico_export_rules(site: Site, family: Family, *, internal: bool) -> Iterator[Rule]:
    """Calico's export policy (bird_ipam.cfg.template, calico_export_to_bgp_peers)."""
    pools = [pool for pool in site.pools if pool.spec.cidr.family == family]
    for pool in pools:
        if pool.spec.disable_bgp_export:
            name = f"pool {pool.name} has disableBGPExport"
            yield Rule(name, _inside(pool.spec.cidr), Action.REJECT, origin=f"IPPool/{pool.name}")
    for interface in _rejected_interfaces(site, internal=internal):
        yield Rule(f"interface {interface}", Match(interface=interface), Action.REJECT)
    for pool in pools_of_felix(site) if internal else ():
        if pool.spec.cidr.family == family:
            name = f"pool {pool.name} over a next hop of Felix"
            yield Rule(name, _of_felix(pool.spec.cidr), Action.REJECT, origin=f"IPPool/{pool.name}")
    for cidr, communities in advertisements(site):
        if cidr.family == family and communities:
            name = f"prefix advertisement {cidr}"
            yield Rule(name, _inside(cidr), Action.NEXT, tuple(map(AddCommunity, communities)))
    yield from _aggregation_rules(site, family)
    for range_ in service_ranges(site):
        if range_.family == family:
            yield Rule(f"service range {range_}", _inside(range_), Action.ACCEPT, origin=_DEFAULTS)
    for range_ in reflected_ranges(site) if site.local.cluster_id is not None else ():
        if range_.family == family:
            name = f"reflected service range {range_}"
            yield Rule(name, _inside(range_), Action.ACCEPT, origin=_DEFAULTS)
    for pool in pools:
        if not pool.spec.disable_bgp_export:
            origin = f"IPPool/{pool.name}"
            yield Rule(f"pool {pool.name}", _inside(pool.spec.cidr), Action.ACCEPT, origin=origin)


def _rejected_interfaces(site: Site, *, internal: bool) -> tuple[str, ...]:
    if not internal:
        return REJECTED_INTERFACES
    of_ipip = () if programs_ipip(site) else (IPIP_INTERFACE,)
    return (*INTERNAL_REJECTED_INTERFACES, *of_ipip, *REJECTED_INTERFACES)


def _aggregation_rules(site: Site, family: Family) -> Iterator[Rule]:
    """A block goes out as a whole, and of what is inside it only what has a better priority than normal."""
    normal = local_pref_of(site.normal_priority.of(family))
    for block in confirmed_blocks(site):
        if block.family == family:
            inside, origin = PrefixMatch.inside(block), f"{BLOCK_AFFINITY}/{block}"
            yield Rule(f"own block {block}", Match(PrefixMatch.equal(block)), Action.ACCEPT, origin=origin)
            better = Match(inside, local_pref_above=normal)
            name = f"better priority inside own block {block}"
            yield Rule(name, better, Action.ACCEPT, origin=origin)
            yield Rule(f"inside own block {block}", Match(inside), Action.REJECT, origin=origin)


def _of_felix(pool: Prefix) -> Match:
    """Its routes to other nodes, which tell of their blocks themselves; a workload's has no next hop."""
    return Match(PrefixMatch.inside(pool), frozenset({RouteSource.KERNEL}), has_next_hop=True)


def _inside(prefix: Prefix) -> Match:
    return Match(PrefixMatch.inside(prefix))


def filter_rules(resource: BgpFilter, family: Family, direction: str, *, same_as: bool) -> Iterator[Rule]:
    """The rules of a BGPFilter for one family and direction (`import`, `export`)."""
    suffix = "v4" if family == IPV4 else "v6"
    rules: tuple[FilterRule, ...] = getattr(resource.spec, f"{direction}_{suffix}")
    for number, rule in enumerate(rules, start=1):
        compiled = compiled_rule(f"filter {resource.name} {direction} rule {number}", rule, same_as=same_as)
        if compiled is not None:
            yield replace(compiled, origin=f"BGPFilter/{resource.name}")


def compiled_rule(name: str, rule: FilterRule, *, same_as: bool) -> Rule | None:
    """A rule of a BGPFilter in BGP's words; None where it says nothing about a peer of this type."""
    if rule.peer_type is not None and (rule.peer_type is PeerType.IBGP) is not same_as:
        return None
    match = Match(
        prefix=None if rule.cidr is None else _prefix_match(rule, rule.cidr),
        sources=frozenset({RouteSource.BGP}) if rule.source is FilterSource.REMOTE_PEERS else None,
        interface=rule.interface,
        community=None if rule.communities is None else community_of(*rule.communities.values),
        as_path_start=rule.as_path_prefix,
        local_pref=None if rule.priority is None else local_pref_of(rule.priority),
    )
    action = Action.ACCEPT if rule.action is FilterAction.ACCEPT else Action.REJECT
    operations = tuple(one for wanted in rule.operations for one in _operations(wanted))
    return Rule(name, match, action, operations)


def _operations(operation: WantedOperation) -> Iterator[Operation]:
    """The one change that an operation of a BGPFilter stands for."""
    if operation.add_community is not None:
        yield AddCommunity(community_of(operation.add_community.value))
    if operation.prepend_as_path is not None:
        yield PrependAsPath(operation.prepend_as_path.prefix)
    if operation.set_priority is not None:
        yield SetLocalPref(local_pref_of(operation.set_priority.value))


def _prefix_match(rule: FilterRule, cidr: Prefix) -> PrefixMatch:
    """The prefix condition.

    With a prefixLength Calico compares the route's prefix with a set of prefixes instead of with the CIDR. It
    may be in such a set or not in it; but it never equals one, so Equal matches nothing then, and NotEqual
    everything.
    """
    negated = rule.match_operator in (MatchOperator.NOT_EQUAL, MatchOperator.NOT_IN)
    exact = rule.match_operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL)
    if rule.prefix_length is None:
        return PrefixMatch(cidr, cidr.length, cidr.length if exact else cidr.family.bits, negated)
    if exact:
        return PrefixMatch.nothing(cidr.family, negated=negated)
    minimum, maximum = rule.prefix_length.min, rule.prefix_length.max
    low = max(cidr.length, minimum or 0)
    high = cidr.family.bits if maximum is None else maximum
    return PrefixMatch(cidr, low, high, negated)
