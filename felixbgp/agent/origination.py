"""Which routes of its own a node originates: connected networks, static routes, blocks, what the kernel has.

    addresses, links ─▶ ConnectedNetworks ─┐
    Intent: ranges, static routes ─────────┼─▶ the best source of each prefix ─▶ LocalRoute
    kernel: routes of others ──────────────┘

What is originated takes part in the decision; what leaves the node is up to the export policies.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from felixbgp.agent.connected import ConnectedInput, ConnectedNetworks
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Precedence
from felixbgp.cluster.parts import Parts
from felixbgp.fib.types import KernelRoute
from felixbgp.intent.priorities import NormalPriority, local_pref_of
from felixbgp.intent.types import Intent
from felixbgp.net import Address, Prefix
from felixbgp.net.trie import PrefixTrie

LOOKED_AT = 100
"""Routes of the kernel in one part, at some 4 µs each."""


class Origination:
    """Local routes by prefix. Of several sources the first of this list counts.

    1. connected networks, then 2. static routes, as BIRD prefers its protocols (direct 240, static 200);
    3. a workload's route, as a block of one address has no blackhole in Calico: its workload stands for it;
    4. blocks and service ranges (static 200 as well);
    5. any other route of the kernel (10), which gives way to learned ones (100) too.

    A workload's route, which is 5 in BIRD, does not give way to a learned one unless that has a better
    priority: else an older or a foreign route for an address that is here would lead away from it.
    """

    def __init__(self) -> None:
        self._connected = ConnectedNetworks()
        self._ranges: dict[Prefix, None] = {}
        self._static: dict[Prefix, Address] = {}
        self._patterns: tuple[str, ...] = ()
        self._normal = NormalPriority()
        self._kernel: dict[Prefix, KernelRoute] = {}
        self._originated: dict[Prefix, LocalRoute] = {}
        self._dirty: dict[Prefix, None] = {}
        self._dirty_many: dict[Prefix, None] = {}
        """Those that there may be thousands of, a budget of them at a time."""
        self._is_configured = False

    def configure(self, intent: Intent) -> None:
        """State what is wanted. Nothing is originated before this was said once."""
        self._connected.ignore(intent.ignored_interfaces)
        gateways = {route.prefix: route.gateway for route in intent.static_routes}
        ranges = dict.fromkeys((*intent.aggregates, *intent.service_ranges))
        if gateways != self._static:
            self._dirty_many.update(dict.fromkeys((*self._static, *gateways)))
        self._dirty.update(dict.fromkeys(prefix for prefix in self._ranges if prefix not in ranges))
        self._dirty.update(dict.fromkeys(prefix for prefix in ranges if prefix not in self._ranges))
        self._static, self._ranges = gateways, ranges
        if intent.normal_priority != self._normal:
            self._normal = intent.normal_priority
            self._dirty_many.update(dict.fromkeys(self._originated))
        if intent.workload_interfaces != self._patterns:
            self._patterns = intent.workload_interfaces
            self._dirty_many.update(dict.fromkeys(self._kernel))
        self._is_configured = True

    def feed(self, event: ConnectedInput) -> None:
        """Take one fact about links or addresses."""
        self._connected.feed(event)

    def kernel_changed(self, changes: Iterable[tuple[Prefix, KernelRoute | None]]) -> None:
        """The best route that others wrote for these prefixes is now this; None when none is left."""
        for prefix, route in changes:
            if route is None:
                self._kernel.pop(prefix, None)
            else:
                self._kernel[prefix] = route
            self._dirty_many[prefix] = None

    def has_changes(self) -> bool:
        """Whether `take_changes` may have something to tell."""
        waiting = self._dirty or self._dirty_many or self._connected.has_changes()
        return self._is_configured and bool(waiting)

    def take_changes(self, budget: int) -> list[tuple[Prefix, LocalRoute | None]]:
        """Where the local route is another than was said, of up to `budget` prefixes where many wait."""
        if not self._is_configured:
            return []
        self._dirty.update(dict.fromkeys(self._connected.take_changes()))
        due, self._dirty = self._dirty, {}
        for prefix in list(islice(self._dirty_many, budget)):
            del self._dirty_many[prefix]
            due[prefix] = None
        changes = []
        for prefix in due:
            route = self._local_route(prefix)
            if route == self._originated.get(prefix):
                continue
            if route is None:
                del self._originated[prefix]
            else:
                self._originated[prefix] = route
            changes.append((prefix, route))
        return changes

    def originated(self, prefix: Prefix) -> LocalRoute | None:
        """The local route of a prefix as the last `take_changes` left it."""
        return self._originated.get(prefix)

    def prefixes(self) -> list[Prefix]:
        """The prefixes that have one."""
        return list(self._originated)

    def blocks_in_use(self, blocks: Sequence[Prefix]) -> Parts[tuple[Prefix, ...]]:
        """Those of the blocks that the kernel has routes of others inside of: of workloads, mostly.

        The node's own addresses are not among these, such as that of a tunnel.
        """
        trie: PrefixTrie[None] = PrefixTrie()
        for block in blocks:
            trie[block] = None
        used: dict[Prefix, None] = {}
        for number, prefix in enumerate(list(self._kernel) if blocks else ()):
            used.update(dict.fromkeys(block for block, _ in trie.covering(prefix) if block != prefix))
            if number % LOOKED_AT == LOOKED_AT - 1:
                yield LOOKED_AT
        return tuple(block for block in blocks if block in used)

    def _local_route(self, prefix: Prefix) -> LocalRoute | None:
        normal = local_pref_of(self._normal.of(prefix.family))
        if (interface := self._connected.interface(prefix)) is not None:
            return LocalRoute(RouteSource.DIRECT, interface, local_pref=normal)
        if (gateway := self._static.get(prefix)) is not None:
            return LocalRoute(RouteSource.STATIC, next_hop=gateway, local_pref=normal)
        found = self._kernel.get(prefix)
        if found is not None and (interface := self._workload_interface(found)):
            local_pref = local_pref_of(found.metric) if found.metric else normal
            return LocalRoute(RouteSource.KERNEL, interface, None, local_pref, Precedence.BESIDE)
        if prefix in self._ranges:
            return LocalRoute(RouteSource.AGGREGATE, local_pref=normal)
        if found is None or not prefix.address.is_routable:
            return None
        return _of_others(found, normal)

    def _workload_interface(self, found: KernelRoute) -> str:
        for hop in found.route.next_hops:
            if any(fnmatchcase(hop.interface, pattern) for pattern in self._patterns):
                return hop.interface
        return ""


def _of_others(found: KernelRoute, normal: int) -> LocalRoute:
    """A route that leaves by no workload interface. One with several next hops has no interface, as in BIRD.

    A metric is told as a priority, as in Calico; 0 stands for none, which Calico takes for the best one.
    """
    interface, gateway = "", None
    if len(found.route.next_hops) == 1:
        gateway, interface = found.route.next_hops[0][:2]
    local_pref = local_pref_of(found.metric) if found.metric else normal
    return LocalRoute(RouteSource.KERNEL, interface, gateway, local_pref, Precedence.LAST)
