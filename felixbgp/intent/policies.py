"""The import and export policies of a node's sessions.

Export runs the peer's BGPFilters, then Calico's own policy, then rejects; import runs the filters, then
accepts. The first rule that matches ends it, so a filter that accepts goes past Calico's policy (as there).
"""

from collections.abc import Collection, Iterator

from felixbgp.bgp.policy.types import Action, Match, Policy, PrefixMatch, RouteSource, Rule
from felixbgp.intent.aggregates import confirmed_blocks, load_balancer_ranges, service_ranges
from felixbgp.intent.site import Site
from felixbgp.net import IPV4, Family, Prefix
from felixbgp.resources import BgpFilter
from felixbgp.resources.bgp_filter import FilterAction, FilterRule, FilterSource, MatchOperator, PeerType

INTERNAL_REJECTED_INTERFACES = ("*.cali", "*.calico")
"""Tunnel devices: every node of the cluster has its own route over them."""

REJECTED_INTERFACES = ("bpf*.cali",)
"""Devices of the eBPF data path."""


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
    """Calico's export policy (bird_ipam.cfg.template, calico_export_to_bgp_peers), communities excepted."""
    pools = [pool for pool in site.pools if pool.spec.cidr.family == family]
    for pool in pools:
        if pool.spec.disable_bgp_export:
            name = f"pool {pool.name} has disableBGPExport"
            yield Rule(name, _inside(pool.spec.cidr), Action.REJECT)
    interfaces = (*INTERNAL_REJECTED_INTERFACES, *REJECTED_INTERFACES) if internal else REJECTED_INTERFACES
    for interface in interfaces:
        yield Rule(f"interface {interface}", Match(interface=interface), Action.REJECT)
    yield from _aggregation_rules(site, family)
    for range_ in service_ranges(site):
        if range_.family == family:
            yield Rule(f"service range {range_}", _inside(range_), Action.ACCEPT)
    if site.local.cluster_id is not None:
        for range_ in load_balancer_ranges(site):
            if range_.family == family:
                yield Rule(f"load balancer range {range_}", _inside(range_), Action.ACCEPT)
    for pool in pools:
        if not pool.spec.disable_bgp_export:
            yield Rule(f"pool {pool.name}", _inside(pool.spec.cidr), Action.ACCEPT)


def _aggregation_rules(site: Site, family: Family) -> Iterator[Rule]:
    """A block goes out as a whole, and nothing inside it does."""
    for block in confirmed_blocks(site):
        if block.family == family:
            yield Rule(f"own block {block}", Match(PrefixMatch.equal(block)), Action.ACCEPT)
            yield Rule(f"inside own block {block}", _inside(block), Action.REJECT)


def _inside(prefix: Prefix) -> Match:
    return Match(PrefixMatch.inside(prefix))


def filter_rules(resource: BgpFilter, family: Family, direction: str, *, same_as: bool) -> Iterator[Rule]:
    """The rules of a BGPFilter for one family and direction (`import`, `export`)."""
    suffix = "v4" if family == IPV4 else "v6"
    rules: tuple[FilterRule, ...] = getattr(resource.spec, f"{direction}_{suffix}")
    for number, rule in enumerate(rules, start=1):
        if rule.peer_type is not None and (rule.peer_type is PeerType.IBGP) is not same_as:
            continue
        action = Action.ACCEPT if rule.action is FilterAction.ACCEPT else Action.REJECT
        yield Rule(f"filter {resource.name} {direction} rule {number}", _match(rule), action)


def unsupported_fields(resource: BgpFilter) -> Iterator[str]:
    """Paths of the fields that these policies cannot express; leaving one out would change what matches."""
    for direction in ("exportV4", "importV4", "exportV6", "importV6"):
        rules: tuple[FilterRule, ...] = getattr(resource.spec, _SNAKE[direction])
        for index, rule in enumerate(rules):
            given = {
                "communities": rule.communities is not None,
                "asPathPrefix": bool(rule.as_path_prefix),
                "priority": rule.priority is not None,
                "operations": bool(rule.operations),
            }
            yield from (f"spec.{direction}[{index}].{name}" for name, present in given.items() if present)


_SNAKE = {
    "exportV4": "export_v4",
    "importV4": "import_v4",
    "exportV6": "export_v6",
    "importV6": "import_v6",
}


def _match(rule: FilterRule) -> Match:
    from_peers = rule.source is FilterSource.REMOTE_PEERS
    sources = frozenset({RouteSource.BGP}) if from_peers else None
    return Match(prefix=_prefix_match(rule), sources=sources, interface=rule.interface)


def _prefix_match(rule: FilterRule) -> PrefixMatch | None:
    """The prefix condition; a prefixLength replaces the comparison of lengths of any operator (as there)."""
    if rule.cidr is None:
        return None
    cidr = rule.cidr
    exact = rule.match_operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL)
    low, high = cidr.length, cidr.length if exact else cidr.family.bits
    if rule.prefix_length is not None:
        minimum, maximum = rule.prefix_length.min, rule.prefix_length.max
        low = max(cidr.length, minimum or 0)
        high = cidr.family.bits if maximum is None else maximum
    negated = rule.match_operator in (MatchOperator.NOT_EQUAL, MatchOperator.NOT_IN)
    return PrefixMatch(cidr, low, high, negated)
