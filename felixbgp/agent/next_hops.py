"""How next hops are reached: recursive resolution through the kernel's table (RFC 4271 §9.1.2.1, §5.1.3).

    kernel routes of others ──┐
    links, addresses ─────────┼─▶ resolve(next hop) ─▶ the hops that the kernel takes, or why there are none
    routes of our own ────────┘        ▲    │
                                       └────┘ a BGP route on the way has a next hop of its own

The longest match counts, as in the kernel, and of two routes to one prefix the one with the lower metric. But
what is in the network of a link is on that link, whatever more specific route we have.

A route of ours counts from when there are paths to it, though none may be usable: otherwise what is
resolvable only until it is used would come and go for ever. What is resolvable then does not depend on what
came first, unless two prefixes with several paths each are the way to each other: either end is stable.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from felixbgp.bgp.routes import Reachability
from felixbgp.fib.hops import is_connected
from felixbgp.fib.types import (
    KERNEL_PROTOCOL,
    AddressChanged,
    AddressSnapshot,
    InterfaceAddress,
    KernelInput,
    KernelRoute,
    KernelSnapshot,
    LinkChanged,
    NextHop,
    RouteKind,
)
from felixbgp.net import IPV6, Address, Family, Nlri, Prefix
from felixbgp.net.trie import PrefixTrie

RECURSIONS_MAX: Final = 4
"""BGP routes on the way to a next hop: a workload, its node, and the way to that are two."""


class Resolution(NamedTuple):
    """How a next hop is reached: by these hops, none if it is not resolvable, and `reason` says why.

    `through` are the BGP routes on the way, `by` their next hops, those without a way among them.
    """

    hops: tuple[NextHop, ...]
    through: frozenset[Prefix] = frozenset()
    reason: str = ""
    by: frozenset[Address] = frozenset()

    @property
    def reachability(self) -> Reachability:
        """The same for the decision process."""
        return Reachability(bool(self.hops), self.through if self.hops else frozenset())


class OwnRoutes(Protocol):
    """Our own routes in the kernel, or on their way there."""

    def longest_match(self, address: Address) -> tuple[Prefix, int] | None:
        """The most specific one that holds an address, and its metric."""

    def resolution(self, prefix: Prefix, passed: tuple[Prefix, ...]) -> Resolution:
        """Where one of them leads; `passed` are those on the way so far, this one included."""


class NextHopTable:
    """Every next hop in use, how it is reached, and what may have changed that."""

    def __init__(self) -> None:
        self._kernel: PrefixTrie[KernelRoute] = PrefixTrie()
        self._read: dict[Family, None] = {}
        self._links: dict[int, LinkChanged] = {}
        self._idle: dict[str, str] = {}
        """Interfaces that pass nothing on, and why."""
        self._addresses: dict[InterfaceAddress, None] = {}
        self._own: dict[Address, None] = {}
        self._known: dict[Address, Resolution] = {}
        self._sorted: dict[Family, list[Address]] = {}
        self._recursive: dict[Address, frozenset[Address]] = {}
        """Of those that others are on the way to, these others."""
        self._stale: dict[Address, None] = {}

    # ---- what may change the way to a next hop

    def feed(self, event: KernelInput) -> None:
        """Hear of links and addresses, and whether the routes of a family are known at all."""
        match event:
            case LinkChanged():
                self._link_changed(event)
            case AddressSnapshot(addresses):
                self._set_addresses(dict.fromkeys(addresses))
            case AddressChanged(address, present):
                others = {one: None for one in self._addresses if one != address}
                self._set_addresses(others | {address: None} if present else others)
            case KernelSnapshot(family) if family not in self._read:
                self._read[family] = None
                self.touch_all()
            case _:
                pass

    def kernel_changed(self, changes: Iterable[tuple[Prefix, KernelRoute | None]]) -> None:
        """The best route that others wrote for these prefixes is now this; None when none is left."""
        for prefix, route in changes:
            if route is not None:
                self._kernel[prefix] = route
            elif self._kernel.get(prefix) is not None:
                del self._kernel[prefix]
            self.touch(prefix.family, prefix.nlri)

    def touch(self, family: Family, nlri: Nlri) -> None:
        """A route to this prefix is another one: look at the next hops in it again."""
        addresses = self._sorted.get(family)
        if not addresses:
            return
        # What comes before every address of the prefix and after all lower ones: the octets of the NLRI.
        octets = nlri[1:]
        position = bisect_left(addresses, octets)
        if position == len(addresses) or not addresses[position].startswith(octets[: nlri[0] >> 3]):
            return
        prefix = Prefix(family, nlri)
        while position < len(addresses) and prefix.contains(addresses[position]):
            self._stale[addresses[position]] = None
            position += 1

    def touch_all(self) -> None:
        """Look at all next hops again."""
        self._stale.update(dict.fromkeys(self._known))

    # ---- next hops

    def track(self, addresses: Iterable[Address]) -> None:
        """Resolve these from now on."""
        for address in addresses:
            if address not in self._known:
                self._known[address] = _UNKNOWN
                insort(self._sorted.setdefault(address.family, []), address)
                self._stale[address] = None

    def forget(self, address: Address) -> None:
        """Nobody uses this one any more."""
        if self._known.pop(address, None) is not None:
            self._sorted[address.family].remove(address)
            self._stale.pop(address, None)
            self._recursive.pop(address, None)

    def get(self, address: Address) -> Resolution:
        """How a tracked next hop is reached, as of the last `settle`."""
        return self._known.get(address, _UNKNOWN)

    def settle(self, own: OwnRoutes) -> list[tuple[Address, Resolution]]:
        """Resolve again what may have changed; gives what has."""
        stale, self._stale = self._stale, {}
        changed = []
        for address in stale:
            resolution = self.resolve(address, own, ())
            if resolution == self._known[address]:
                continue
            self._known[address] = resolution
            changed.append((address, resolution))
            if resolution.by:
                self._recursive[address] = resolution.by
            else:
                self._recursive.pop(address, None)
            self._stale.update({one: None for one, by in self._recursive.items() if address in by})
        return changed

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits for `settle`."""
        return not self._stale

    def resolve(self, address: Address, own: OwnRoutes, passed: tuple[Prefix, ...]) -> Resolution:
        """How to reach an address; `passed` are our own routes that led to the question."""
        if address.family not in self._read:
            return Resolution((NextHop(address),))
        if address in self._own:
            return _no("it is an address of this node")
        if address.is_link_local and address.family == IPV6:
            return _no("it is a link-local address, and nobody says of which link")
        kernel = self._kernel.longest_match(address)
        ours = None if kernel is not None and _is_on_link(kernel[1]) else own.longest_match(address)
        if kernel is None and ours is None:
            return _no("no route leads to it")
        if ours is None or (kernel is not None and _precedes(kernel, ours)):
            return self._by_kernel(address, kernel)
        prefix, _ = ours
        if prefix in passed:
            return _no(f"the way to it leads through {prefix}, to which it is the way")
        if len(passed) == RECURSIONS_MAX:
            return _no(f"the way to it leads through more than {RECURSIONS_MAX} BGP routes")
        return own.resolution(prefix, (*passed, prefix))

    def _by_kernel(self, address: Address, match: tuple[Prefix, KernelRoute] | None) -> Resolution:
        assert match is not None  # noqa: S101 - one of the two matched, and ours did not
        prefix, found = match
        if found.route.kind is not RouteKind.UNICAST:
            return _no(f"the kernel's route to {prefix} is {found.route.kind.name.lower()}")
        hops = []
        reasons = []
        for hop in found.route.next_hops:
            if hop.interface in self._idle:
                reasons.append(self._idle[hop.interface])
            else:
                # Without a gateway the address itself is on the link.
                hops.append(hop._replace(gateway=address) if hop.gateway is None else hop)
        return Resolution(tuple(hops)) if hops else _no(", ".join(dict.fromkeys(reasons)))

    # ---- links and addresses

    def _link_changed(self, link: LinkChanged) -> None:
        if link.present:
            self._links[link.index] = link
        else:
            self._links.pop(link.index, None)
        idle = {one.name: _why_idle(one) for one in self._links.values() if not (one.up and one.carrier)}
        if idle != self._idle:
            self._idle = idle
            self.touch_all()

    def _set_addresses(self, addresses: dict[InterfaceAddress, None]) -> None:
        before, self._addresses = self._own, addresses
        self._own = {one.address: None for one in addresses}
        for address in (*before, *self._own):
            if address in self._known and (address in before) is not (address in self._own):
                self._stale[address] = None


_UNKNOWN: Final = Resolution((), reason="it was not looked for yet")


def _no(reason: str) -> Resolution:
    return Resolution((), reason=reason)


def _is_on_link(found: KernelRoute) -> bool:
    """Whether the prefix is that of a link: the kernel takes any gateway in it."""
    return found.protocol == KERNEL_PROTOCOL and is_connected(found.route)


def _precedes(kernel: tuple[Prefix, KernelRoute], ours: tuple[Prefix, int]) -> bool:
    """Whether the kernel would use the other's route."""
    (prefix, found), (own, metric) = kernel, ours
    return prefix.length > own.length or (prefix.length == own.length and found.metric <= metric)


def _why_idle(link: LinkChanged) -> str:
    return f"interface {link.name} {'has no carrier' if link.up else 'is down'}"
