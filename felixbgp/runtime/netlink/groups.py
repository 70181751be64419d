"""Next-hop groups: which there are, who uses them, and what has to be written so that few flows move.

Standing rules:

1.  One group per set of next hops. A route of a set leads to its group; a change of a group changes all
    its routes, and the flows of the members that stay do not move.
2.  If a batch takes the last users of a group over to a set without group, the group is replaced in place.
3.  Otherwise the new group is made as its parent was made, the group that most of its routes come from,
    and then replaced: equal steps give equal buckets, so the flows of the members that stay do not move
    either. What the kernel did to busy buckets since cannot be repeated.
4.  The kernel takes members away by itself, and says nothing (their interface is down or lost its
    carrier); somebody may delete what is ours. Then the objects are read again, and what a group's members
    are then, all its routes are said to be.
5.  Ours is what carries our protocol and a number of our range. What nobody uses is removed, but never
    before the routes of both families were read.

Nothing here talks to the kernel: `plan` gives what to write, `settled` takes what became of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from felixbgp.fib.hops import ordered
from felixbgp.fib.types import KernelRoute, KernelRouteChanged, NextHop, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, IPV6, Family
from felixbgp.runtime.netlink.messages import Answer
from felixbgp.runtime.netlink.nexthops import BUCKETS, Hop, NexthopObject

GROUPS_MAX = 1024
"""Groups at once, 8 KiB of the kernel's memory each; routes of further sets get legacy multipath."""
LINEAGE_MAX = 16
"""Steps in which a group is made; a group with more in its past is made at once, and flows move."""
NUMBERS = 0xFFFF
"""Numbers of our range, from 1; far more than `GROUPS_MAX` groups of 16 next hops that others share."""

HopSet = tuple[tuple[Hop, int], ...]
"""Next hops, each with its weight, in the one order of `hop_set_of`."""


class Step(NamedTuple):
    """One object to create, or (`replace`) to change; the last step of a group makes `hop_set` of it."""

    wanted: NexthopObject
    replace: bool = False
    hop_set: HopSet = ()
    lineage: tuple[HopSet, ...] = ()


def hop_set_of(family: Family, route: Route, index_of: Callable[[str], int | None]) -> HopSet:
    """The set of a route with several next hops; empty for a route that no group can stand for.

    That is one with an interface that is not there or was left to the kernel, with one next hop twice, or
    with more next hops than there are buckets.
    """
    if len(route.next_hops) < 2:
        return ()
    hops = []
    for hop in route.next_hops:
        index = index_of(hop.interface) if hop.interface else None
        if index is None:
            return ()
        of = family if hop.gateway is None else hop.gateway.family
        hops.append((Hop(of, hop.gateway, index, hop.onlink), max(hop.weight, 1)))
    if len({hop for hop, _ in hops}) < len(hops) or sum(weight for _, weight in hops) > BUCKETS:
        return ()
    # Not by name: an interface may get another one.
    return tuple(sorted(hops, key=lambda each: (each[0].gateway or b"", each[0].interface, each[0])))


def _longer(lineage: tuple[HopSet, ...], hop_set: HopSet) -> tuple[HopSet, ...]:
    """One step more; one that is too long to be repeated stays so, and does not grow."""
    return (*lineage[-LINEAGE_MAX:], hop_set)


class Groups:
    """What is believed about the nexthop objects of this network namespace."""

    def __init__(self, protocol: int, table: int) -> None:
        self.usable = False
        """Whether the kernel has resilient groups; until that is known there are none."""
        self.in_doubt = False
        """Whether the objects should be read again."""
        self._protocol = protocol
        self._table = table
        # They are the namespace's, and an agent for another table or with another protocol has its own.
        self._base = protocol << 24 | (table & 0xFF) << 16
        self._last = 0
        self._objects: dict[int, NexthopObject] = {}
        self._hops: dict[Hop, int] = {}
        self._sets: dict[HopSet, int] = {}
        self._set_of: dict[int, HopSet] = {}
        self._lineages: dict[int, tuple[HopSet, ...]] = {}
        self._users: dict[int, dict[RouteKey, None]] = {}
        self._used: dict[RouteKey, int] = {}
        self._pinned: dict[Family, dict[int, None]] = {}
        self._links_in_the_news: dict[int, None] = {}
        self._is_tidy = False

    # -- what there is ----------------------------------------------------------------------------------

    def hops_of(self, number: int, name_of: Callable[[int], str]) -> tuple[NextHop, ...] | None:
        """The next hops behind the object of a route; None when it is not known."""
        if number not in self._objects:
            return None
        hops = self._set_behind(number)
        return ordered(
            tuple(NextHop(hop.gateway, name_of(hop.interface), hop.onlink, weight) for hop, weight in hops)
        )

    def read(
        self, objects: Iterable[NexthopObject], name_of: Callable[[int], str]
    ) -> list[KernelRouteChanged]:
        """Take a complete view of the objects; gives the routes of ours that differ by it, or may seem to."""
        before = {number: self._set_behind(number) for number in (*self._set_of, *self._users)}
        self._objects = {each.number: each for each in objects}
        self._hops, self._sets, self._set_of = {}, {}, {}
        for known in self._objects.values():
            self._enter(known)
        self.in_doubt = self._is_tidy = False
        changes: list[KernelRouteChanged] = []
        for number, hop_set in before.items():
            now = self._set_behind(number)
            if now != hop_set:
                lineage = self._lineages.pop(number, (hop_set,))
                if number in self._set_of:
                    self._lineages[number] = _longer(lineage, now)
            if now != hop_set or any(hop.interface in self._links_in_the_news for hop, _ in hop_set):
                changes += self._changes_of(number, bool(now), name_of)
        self._links_in_the_news.clear()
        return changes

    def heard(self, known: NexthopObject, *, present: bool) -> None:
        """Somebody else (never ourselves) wrote an object, or removed it."""
        if self._is_ours(known.number):
            self.in_doubt = True
        elif present:
            self._objects[known.number] = known
        else:
            self._objects.pop(known.number, None)

    def heard_of_link(self, index: int, *, is_news: bool) -> None:
        """An interface or its addresses may have changed, and with it what objects of ours are on it.

        What the core was told (`is_news`) means another thing for routes with legacy multipath, so those that
        lead to a group through the interface are told as they are, whether they differ or not.
        """
        if any(hop.interface == index for hop in self._hops):
            self.in_doubt = True
            if is_news:
                self._links_in_the_news[index] = None

    # -- who uses it ------------------------------------------------------------------------------------

    def forget_users(self, family: Family) -> None:
        """The routes of one family are read again, and each is told by `found`."""
        for key in [key for key in self._used if key.prefix.family is family]:
            self.release(key)
        self._pinned[family] = {}
        self._is_tidy = False

    @property
    def have_users(self) -> bool:
        """Whether any route of ours leads to a group."""
        return bool(self._used)

    @property
    def knows_users(self) -> bool:
        """Whether the routes of both families were read since what became of one was not known."""
        return IPV4 in self._pinned and IPV6 in self._pinned

    def lose_users(self) -> None:
        """What became of a route is not known: nothing is removed before the routes were read again."""
        self._pinned.clear()

    def found(self, route: KernelRoute, number: int) -> None:
        """The routes are read, and this one leads to the object `number`."""
        if not self._is_ours(number):
            return
        if self._is_route_of_ours(route):
            self.use(RouteKey(route.prefix, route.metric), number)
        else:
            # With the group the kernel would remove the route, and that is not ours.
            self._pin(route.prefix.family, number)

    def told(self, route: KernelRoute, number: int, *, present: bool) -> KernelRoute | None:
        """Somebody else (never ourselves) moved a route; gives what there is to tell of that.

        None: it is older than what is known.
        """
        family = route.prefix.family
        if not self._is_route_of_ours(route):
            self._pin(family, number)
            return route
        key = RouteKey(route.prefix, route.metric)
        known = self._used.get(key, 0)
        # Our last write may be newer than this; what hangs on that is for the next reading to tell.
        self._pin(family, number)
        self._pin(family, known)
        if not present and self._is_ours(number) and number != known:
            return None
        self.use(key, number if present else 0)
        if present or not number:
            return route
        # It went as a whole, whatever is known of its next hops.
        return route._replace(route=route.route._replace(next_hops=()))

    def use(self, key: RouteKey, number: int) -> None:
        """A route of ours leads to this group now; 0: to none."""
        self.release(key)
        if number and self._is_ours(number):
            self._used[key] = number
            self._users.setdefault(number, {})[key] = None

    def release(self, key: RouteKey) -> None:
        """A route of ours is gone, or leads to no group any longer."""
        number = self._used.pop(key, 0)
        if number:
            del self._users[number][key]
            if not self._users[number]:
                del self._users[number]
                self._is_tidy = False

    def unused(self) -> list[int]:
        """The objects of ours that nobody uses, in the order in which they may be removed."""
        if self._is_tidy or not self.knows_users:
            return []
        self._is_tidy = True
        kept = {*self._users, *(number for numbers in self._pinned.values() for number in numbers)}
        groups = [
            number
            for number, known in self._objects.items()
            if self._is_own(known) and known.hop is None and number not in kept
        ]
        gone = set(groups)
        for number, known in self._objects.items():
            if number not in gone:
                kept |= {member for member, _ in known.members}
        return groups + [
            number
            for number, known in self._objects.items()
            if self._is_own(known) and known.hop is not None and number not in kept
        ]

    def removed(self, numbers: Iterable[int]) -> None:
        """These were removed, by ourselves."""
        for number in numbers:
            known = self._objects.pop(number)
            if known.hop is not None and self._hops.get(known.hop) == number:
                del self._hops[known.hop]
            hop_set = self._set_of.pop(number, ())
            if self._sets.get(hop_set) == number:
                del self._sets[hop_set]
            self._lineages.pop(number, None)

    # -- what is to be written --------------------------------------------------------------------------

    def plan(self, wanted: Mapping[RouteKey, HopSet]) -> list[Step]:
        """What to write, in this order, so that each of these sets has a group (or all that there may be)."""
        routes: dict[HopSet, list[RouteKey]] = {}
        for key, hop_set in wanted.items():
            if hop_set not in self._sets:
                routes.setdefault(hop_set, []).append(key)
        still = set(wanted.values())
        steps: list[Step] = []
        planned: dict[Hop, int] = {}
        count = len(self._set_of)
        for hop_set, keys in routes.items():
            parents = Counter(self._used[key] for key in keys if key in self._used).most_common()
            in_place = next(
                (
                    number
                    for number, users in parents
                    if self._all_leave(number, users) and self._set_of[number] not in still
                ),
                0,
            )
            if not in_place and count >= GROUPS_MAX:
                continue
            steps += self._hop_steps(hop_set, planned)
            if in_place:
                lineage = _longer(self._lineage(in_place), hop_set)
                steps.append(self._group_step(in_place, lineage, planned, replace=True))
            else:
                count += 1
                steps += self._new_group(hop_set, parents[0][0] if parents else 0, planned)
        return steps

    def settled(self, steps: list[Step], refused: Mapping[int, Answer]) -> dict[HopSet, Answer]:
        """Believe what was written but for what was refused (by number); gives the sets without a group."""
        self._is_tidy = False
        failed: dict[HopSet, Answer] = {}
        for step in steps:
            wanted = step.wanted
            numbers = (*(number for number, _ in wanted.members), wanted.number)
            answer = next((refused[number] for number in numbers if number in refused), None)
            if answer is None:
                self._forget_set(wanted.number)
                self._objects[wanted.number] = wanted
                self._enter(wanted)
                self._lineages[wanted.number] = step.lineage
            else:
                # Some of its steps may have been taken.
                self.in_doubt = True
                if step.hop_set:
                    failed[step.hop_set] = answer
        return failed

    def group_of(self, hop_set: HopSet) -> int:
        """The group of a set; 0 when there is none."""
        return self._sets.get(hop_set, 0)

    # -- the parts of a plan ----------------------------------------------------------------------------

    def _all_leave(self, number: int, leaving: int) -> bool:
        """Whether these are all the routes of a group, as far as anybody knows."""
        if number not in self._set_of or not self.knows_users:
            return False
        return leaving == len(self._users[number]) and all(
            number not in each for each in self._pinned.values()
        )

    def _hop_steps(self, hop_set: HopSet, planned: dict[Hop, int]) -> Iterator[Step]:
        for hop, _ in hop_set:
            if hop not in self._hops and hop not in planned:
                planned[hop] = self._free_number()
                yield Step(NexthopObject(planned[hop], self._protocol, hop))

    def _new_group(self, hop_set: HopSet, parent: int, planned: dict[Hop, int]) -> Iterator[Step]:
        number = self._free_number()
        lineage = _longer(self._lineage(parent), hop_set)
        known = self._hops.keys() | planned.keys()
        if len(lineage) > LINEAGE_MAX or not all(hop in known for past in lineage for hop, _ in past):
            lineage = (hop_set,)
        for made in range(1, len(lineage) + 1):
            yield self._group_step(number, lineage[:made], planned, replace=made > 1)

    def _group_step(
        self, number: int, lineage: tuple[HopSet, ...], planned: dict[Hop, int], *, replace: bool
    ) -> Step:
        hop_set = lineage[-1]
        members = tuple((self._hops.get(hop) or planned[hop], weight) for hop, weight in hop_set)
        return Step(NexthopObject(number, self._protocol, None, members, BUCKETS), replace, hop_set, lineage)

    def _lineage(self, number: int) -> tuple[HopSet, ...]:
        known = self._set_of.get(number)
        return self._lineages.get(number, (known,)) if known else ()

    def _free_number(self) -> int:
        while True:
            self._last = self._last % NUMBERS + 1
            if self._base + self._last not in self._objects:
                return self._base + self._last

    # -- the parts of a belief --------------------------------------------------------------------------

    def _enter(self, known: NexthopObject) -> None:
        if not self._is_own(known):
            return
        if known.hop is not None:
            self._hops.setdefault(known.hop, known.number)
        elif known.members and known.buckets == BUCKETS:
            hop_set = self._set_behind(known.number)
            self._set_of[known.number] = hop_set
            self._sets.setdefault(hop_set, known.number)

    def _forget_set(self, number: int) -> None:
        hop_set = self._set_of.pop(number, ())
        if self._sets.get(hop_set) == number:
            del self._sets[hop_set]

    def _set_behind(self, number: int) -> HopSet:
        """The next hops of an object, a group or not; none of one that is not there."""
        known = self._objects.get(number)
        members = ((number, 1),) if known is None or known.hop is not None else known.members
        found = ((self._objects.get(member), weight) for member, weight in members)
        return tuple(
            (each.hop, weight) for each, weight in found if each is not None and each.hop is not None
        )

    def _changes_of(
        self, number: int, present: bool, name_of: Callable[[int], str]
    ) -> Iterator[KernelRouteChanged]:
        hops = (self.hops_of(number, name_of) or ()) if present else ()
        for key in list(self._users.get(number, ())):
            if not present:
                self.release(key)
            route = Route(RouteKind.UNICAST, hops, key.metric)
            known = KernelRoute(key.prefix, route, self._protocol, self._table)
            yield KernelRouteChanged(known, present, alone=False)

    def _pin(self, family: Family, number: int) -> None:
        """Keep a group as it is until the routes of the family are read again."""
        if self._is_ours(number) and family in self._pinned:
            self._pinned[family][number] = None

    def _is_route_of_ours(self, route: KernelRoute) -> bool:
        return route.protocol == self._protocol and route.table == self._table

    def _is_ours(self, number: int) -> bool:
        return number - self._base in range(1, NUMBERS + 1)

    def _is_own(self, known: NexthopObject) -> bool:
        return known.protocol == self._protocol and self._is_ours(known.number)
