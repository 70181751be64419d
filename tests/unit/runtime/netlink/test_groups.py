"""What is written for which routes; a kernel of a few lines carries it out and keeps the invariants."""

from collections.abc import Mapping
from errno import ENETDOWN

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.runtime.netlink import groups as groups_module
from felixbgp.runtime.netlink.groups import Groups, HopSet, Step, hop_set_of
from felixbgp.runtime.netlink.messages import Answer
from felixbgp.runtime.netlink.nexthops import BUCKETS, Hop, NexthopObject

OURS, TABLE = 179, 254
BASE = OURS << 24 | TABLE << 16
INDICES = {"eth0": 2, "eth1": 3}


def key(number: int, metric: int = 1024) -> RouteKey:
    return RouteKey(Prefix.of(Address(bytes((10, 0, number, 0))), 24), metric)


def hop(number: int) -> Hop:
    return Hop(IPV4, Address(bytes((192, 0, 2, number))), 2)


def over(*numbers: int) -> HopSet:
    return tuple((hop(number), 1) for number in numbers)


class KernelOfTheTest:
    """Takes steps as Linux does; refuses what names objects that are not there."""

    def __init__(self, objects: Mapping[int, NexthopObject] | None = None) -> None:
        self.objects = dict(objects or {})
        self.routes: dict[RouteKey, int] = {}
        self.down: set[Hop] = set()

    def take(self, steps: list[Step]) -> dict[int, Answer]:
        refused: dict[int, Answer] = {}
        for step in steps:
            wanted = step.wanted
            assert step.replace == (wanted.number in self.objects)
            if wanted.hop in self.down:
                refused.setdefault(wanted.number, Answer(ENETDOWN, "down"))
            elif all(number in self.objects for number, _ in wanted.members):
                self.objects[wanted.number] = wanted
            else:
                refused.setdefault(wanted.number, Answer(22, "no such member"))
        return refused

    def remove(self, numbers: list[int]) -> None:
        for number in numbers:
            assert number not in self.routes.values()
            assert not any(number in dict(each.members) for each in self.objects.values())
            del self.objects[number]

    def set_of(self, number: int) -> HopSet:
        members = ((self.objects[member].hop, weight) for member, weight in self.objects[number].members)
        return tuple((of, weight) for of, weight in members if of is not None)

    def lose(self, lost: Hop) -> None:
        """As the kernel does when an interface goes: members leave, empty groups and their routes too."""
        gone = {number for number, each in self.objects.items() if each.hop == lost}
        for number, each in list(self.objects.items()):
            left = tuple(member for member in each.members if member[0] not in gone)
            if number in gone or (each.hop is None and not left):
                del self.objects[number]
                self.routes = {of: to for of, to in self.routes.items() if to != number}
            else:
                self.objects[number] = each._replace(members=left)


def reading(kernel: KernelOfTheTest) -> Groups:
    """Groups that have read everything."""
    groups = Groups(OURS, TABLE)
    groups.read(kernel.objects.values(), str)
    for family in (IPV4, IPV6):
        groups.forget_users(family)
    return groups


def write(groups: Groups, kernel: KernelOfTheTest, wanted: Mapping[RouteKey, HopSet]) -> list[Step]:
    """What the writer does with a batch that is not refused."""
    steps = groups.plan(wanted)
    assert groups.settled(steps, kernel.take(steps)) == {}
    for of, hop_set in wanted.items():
        groups.use(of, groups.group_of(hop_set))
        kernel.routes[of] = groups.group_of(hop_set)
    tidy(groups, kernel)
    return steps


def tidy(groups: Groups, kernel: KernelOfTheTest) -> None:
    unused = groups.unused()
    kernel.remove(unused)
    groups.removed(unused)


def test_the_last_users_take_their_group_with_them() -> None:
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2, 3), key(2): over(1, 2, 3)})
    group = kernel.routes[key(1)]
    (step,) = write(groups, kernel, {key(1): over(1, 2), key(2): over(1, 2)})
    assert (step.wanted.number, step.replace) == (group, True)
    assert kernel.set_of(group) == over(1, 2)
    assert len(kernel.objects) == 3


def test_one_of_two_users_gets_a_group_that_is_made_as_the_old_one_and_then_changed() -> None:
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2, 3), key(2): over(1, 2, 3)})
    old = kernel.routes[key(1)]
    steps = write(groups, kernel, {key(1): over(1, 2)})
    assert [(step.hop_set, step.replace) for step in steps] == [(over(1, 2, 3), False), (over(1, 2), True)]
    assert {step.wanted.number for step in steps} == {kernel.routes[key(1)]}
    assert kernel.routes[key(2)] == old != kernel.routes[key(1)]
    # The second generation repeats both steps, and one more.
    steps = write(groups, kernel, {key(3): over(1, 2), key(1): over(2, 3)})
    assert [step.hop_set for step in steps] == [over(1, 2, 3), over(1, 2), over(2, 3)]


def test_a_group_that_somebody_in_the_batch_wants_as_it_is_is_not_changed() -> None:
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2)})
    write(groups, kernel, {key(1): over(1, 3), key(2): over(1, 2)})
    assert kernel.set_of(kernel.routes[key(1)]) == over(1, 3)
    assert kernel.set_of(kernel.routes[key(2)]) == over(1, 2)


def test_a_past_that_is_too_long_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_module, "LINEAGE_MAX", 3)
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2), key(2): over(1, 2)})
    for number in range(3, 9):
        write(groups, kernel, {key(1): over(1, number), key(2): over(1, number)})
    steps = write(groups, kernel, {key(1): over(1, 9)})
    assert [step.hop_set for step in steps] == [(), over(1, 9)]
    assert all(len(each) <= 4 for each in groups._lineages.values())


def test_no_more_groups_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_module, "GROUPS_MAX", 2)
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    wanted = {key(number): over(number, number + 1) for number in range(1, 5)}
    groups.settled(steps := groups.plan(wanted), kernel.take(steps))
    assert [bool(groups.group_of(hop_set)) for hop_set in wanted.values()] == [True, True, False, False]


def test_what_is_refused_names_the_first_reason_and_harms_nobody_else() -> None:
    kernel = KernelOfTheTest()
    kernel.down = {hop(3)}
    groups = reading(kernel)
    steps = groups.plan({key(1): over(1, 2), key(2): over(2, 3)})
    assert groups.settled(steps, kernel.take(steps)) == {over(2, 3): Answer(ENETDOWN, "down")}
    assert groups.group_of(over(1, 2))
    assert not groups.group_of(over(2, 3))
    assert groups.in_doubt


def test_numbers_of_others_and_of_other_tables_are_left_alone() -> None:
    taken = NexthopObject(BASE + 1, 11, hop(1))
    elsewhere = NexthopObject((OURS << 24 | 100 << 16) + 1, OURS, hop(1))
    stranger = NexthopObject(7, OURS, hop(1))
    kernel = KernelOfTheTest({each.number: each for each in (taken, elsewhere, stranger)})
    groups = reading(kernel)
    assert groups.unused() == []
    steps = write(groups, kernel, {key(1): over(1, 2)})
    assert [step.wanted.number for step in steps] == [BASE + 2, BASE + 3, BASE + 4]


def test_nothing_is_removed_before_the_routes_of_both_families_were_read() -> None:
    left = NexthopObject(BASE + 1, OURS, hop(1))
    groups = Groups(OURS, TABLE)
    groups.read([left], str)
    assert groups.unused() == []
    groups.forget_users(IPV4)
    assert groups.unused() == []
    groups.forget_users(IPV6)
    assert groups.unused() == [left.number]
    groups.lose_users()
    groups.read([left], str)
    assert groups.unused() == []


def test_a_group_of_another_kind_is_used_up_and_never_changed() -> None:
    hops = {BASE + number: NexthopObject(BASE + number, OURS, hop(number)) for number in (1, 2)}
    plain = NexthopObject(BASE + 3, OURS, None, ((BASE + 1, 1), (BASE + 2, 1)), buckets=0)
    kernel = KernelOfTheTest({**hops, plain.number: plain})
    groups = reading(kernel)
    groups.use(key(1), plain.number)
    kernel.routes[key(1)] = plain.number
    assert groups.hops_of(plain.number, str) is not None
    steps = write(groups, kernel, {key(1): over(1, 2)})
    assert [step.replace for step in steps] == [False]
    assert plain.number not in kernel.objects


def test_a_deletion_through_another_group_than_the_last_is_old_news() -> None:
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2)})
    number = kernel.routes[key(1)]
    route = KernelRoute(key(1).prefix, Route(RouteKind.UNICAST), OURS)
    assert groups.told(route, BASE + 99, present=False) is None
    assert groups.unused() == []
    # Even what seems to be true may be older than our last write: the group stays until all is read.
    assert groups.told(route, number, present=False) == route
    assert groups.unused() == []
    groups.forget_users(IPV4)
    assert number in groups.unused()


def test_a_group_whose_route_seems_to_lead_elsewhere_stays_until_all_is_read() -> None:
    kernel = KernelOfTheTest()
    groups = reading(kernel)
    write(groups, kernel, {key(1): over(1, 2)})
    number = kernel.routes[key(1)]
    assert groups.told(KernelRoute(key(1).prefix, Route(RouteKind.BLACKHOLE), OURS), 0, present=True)
    assert groups.unused() == []
    groups.forget_users(IPV4)
    assert number in groups.unused()


def routes_with(*hops: NextHop) -> Route:
    return Route(RouteKind.UNICAST, hops)


GATEWAY = Address.parse("192.0.2.1")
OTHER = Address.parse("2001:db8::1")


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(routes_with(NextHop(GATEWAY, "eth0")), id="one next hop"),
        pytest.param(
            routes_with(NextHop(GATEWAY), NextHop(OTHER, "eth0")), id="interface left to the kernel"
        ),
        pytest.param(routes_with(NextHop(GATEWAY, "eth9"), NextHop(OTHER, "eth0")), id="no such interface"),
        pytest.param(
            routes_with(NextHop(GATEWAY, "eth0", weight=1), NextHop(GATEWAY, "eth0", weight=2)), id="twice"
        ),
        pytest.param(
            routes_with(NextHop(GATEWAY, "eth0", weight=BUCKETS), NextHop(OTHER, "eth0")),
            id="more weight than buckets",
        ),
        pytest.param(Route(RouteKind.BLACKHOLE), id="blackhole"),
    ],
)
def test_no_group_can_stand_for(route: Route) -> None:
    assert hop_set_of(IPV4, route, INDICES.get) == ()


def test_the_order_of_a_set_does_not_hang_on_names() -> None:
    route = routes_with(NextHop(None, "eth0"), NextHop(None, "eth1"), NextHop(GATEWAY, "eth1", weight=2))
    expected = ((Hop(IPV6, None, 2), 1), (Hop(IPV6, None, 3), 1), (Hop(IPV4, GATEWAY, 3), 2))
    assert hop_set_of(IPV6, route, INDICES.get) == expected
    renamed = Route(RouteKind.UNICAST, tuple(reversed(route.next_hops)))
    assert hop_set_of(IPV6, renamed, INDICES.get) == expected


SETS = st.sets(st.integers(1, 4), min_size=2, max_size=4).map(lambda numbers: over(*sorted(numbers)))
BATCHES = st.dictionaries(st.integers(1, 4).map(key), SETS, min_size=1, max_size=4)


class GroupsAndKernel(RuleBasedStateMachine):
    """Whatever is written, lost and read again: routes lead where they shall, and nothing is left over."""

    @initialize()
    def start(self) -> None:
        self.kernel = KernelOfTheTest()
        self.groups = reading(self.kernel)
        self.wanted: dict[RouteKey, HopSet] = {}

    @rule(batch=BATCHES)
    def write(self, batch: dict[RouteKey, HopSet]) -> None:
        write(self.groups, self.kernel, batch)
        self.wanted |= batch

    @rule(of=st.integers(1, 4).map(key))
    def delete(self, of: RouteKey) -> None:
        self.groups.release(of)
        self.kernel.routes.pop(of, None)
        self.wanted.pop(of, None)
        tidy(self.groups, self.kernel)

    @rule(lost=st.integers(1, 4).map(hop))
    def lose(self, lost: Hop) -> None:
        before = dict(self.kernel.routes)
        changed = {of for of, to in before.items() if lost in dict(self.kernel.set_of(to))}
        self.kernel.lose(lost)
        told = self.groups.read(self.kernel.objects.values(), str)
        assert {RouteKey(each.route.prefix, each.route.metric) for each in told} == changed
        for each in told:
            of = RouteKey(each.route.prefix, each.route.metric)
            assert each.present == (of in self.kernel.routes)
            left = tuple(member for member in self.wanted.pop(of) if member[0] != lost)
            if each.present:
                self.wanted[of] = left
                assert len(each.route.route.next_hops) == len(left)
        tidy(self.groups, self.kernel)

    @rule()
    def begin_anew(self) -> None:
        self.groups = reading(self.kernel)
        for of, number in self.kernel.routes.items():
            self.groups.found(KernelRoute(of.prefix, Route(RouteKind.UNICAST), OURS), number)
        tidy(self.groups, self.kernel)

    @invariant()
    def routes_lead_where_they_shall(self) -> None:
        assert {of: self.kernel.set_of(number) for of, number in self.kernel.routes.items()} == self.wanted

    @invariant()
    def nothing_is_left_over(self) -> None:
        groups = set(self.kernel.routes.values())
        hops = {of for number in groups for of, _ in self.kernel.set_of(number)}
        assert {number for number, each in self.kernel.objects.items() if each.hop is None} == groups
        assert sorted(each.hop for each in self.kernel.objects.values() if each.hop) == sorted(hops)


TestGroupsAndKernel = GroupsAndKernel.TestCase
TestGroupsAndKernel.settings = settings(stateful_step_count=20)


@given(BATCHES, BATCHES)
def test_equal_batches_give_equal_steps(
    first: dict[RouteKey, HopSet], second: dict[RouteKey, HopSet]
) -> None:
    lives = []
    for _ in range(2):
        kernel = KernelOfTheTest()
        groups = reading(kernel)
        lives.append([write(groups, kernel, batch) for batch in (first, second)])
    assert lives[0] == lives[1]
