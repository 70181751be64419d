"""Traces through `Fib`: what the kernel and the speaker say, and what is written in answer."""

from errno import EBUSY, EEXIST, ENETDOWN, ENETUNREACH, ENODEV, ENOENT

import pytest

from felixbgp.fib.fib import READ_AT_ONCE, Fib
from felixbgp.fib.types import (
    AddressChanged,
    AddressSnapshot,
    DeleteRoutes,
    InterfaceAddress,
    KernelLost,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    KernelUnheard,
    LinkChanged,
    NextHop,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RouteProblem,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Address, Prefix

SECOND = 1_000_000_000
OURS, METRIC = 179, 1024
BIRD, KERNEL = 12, 2
P1, P2, P3 = (Prefix.parse(f"10.65.{third}.0/26") for third in (1, 2, 3))
V6 = Prefix.parse("fd00:65::/122")
BLACKHOLE = Route(RouteKind.BLACKHOLE)


def via(gateway: str, interface: str = "", metric: int = METRIC) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(Address.parse(gateway), interface),), metric)


def link(interface: str, metric: int = 0) -> Route:
    return Route(RouteKind.UNICAST, (NextHop(None, interface),), metric)


R1, R2 = via("192.0.2.1"), via("192.0.2.2")
LOW = R1._replace(metric=20)
BOTH = Route(
    RouteKind.UNICAST,
    (NextHop(Address.parse("192.0.2.1"), "eth0"), NextHop(Address.parse("198.51.100.1"), "eth1")),
)


def own(prefix: Prefix, route: Route) -> KernelRoute:
    return KernelRoute(prefix, route, OURS)


def ready(*routes: KernelRoute, start: bool = True) -> Fib:
    """A Fib that knows an IPv4 table and an empty IPv6 table."""
    fib = Fib(OURS)
    fib.feed(KernelSnapshot(IPV4, routes), 0)
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    if start:
        fib.start()
    return fib


def writes(fib: Fib, now: int = 0) -> list[ReplaceRoutes | DeleteRoutes]:
    return [*fib.replacements(now, 10_000), *fib.deletions(now, 10_000)]


def remove(*prefixes: Prefix, metric: int = METRIC) -> DeleteRoutes:
    return DeleteRoutes(tuple(RouteKey(prefix, metric) for prefix in prefixes))


def add(*routes: tuple[Prefix, Route]) -> ReplaceRoutes:
    return ReplaceRoutes(routes, exclusive=True)


def installed(prefix: Prefix = P1, route: Route = R1) -> Fib:
    """A Fib that wanted one route and had it taken."""
    fib = ready()
    fib.want(prefix, route)
    assert writes(fib) == [add((prefix, route))]
    fib.feed(RoutesApplied((prefix,), present=True), 0)
    fib.take_released()
    assert writes(fib) == []
    return fib


def test_a_route_is_held_until_the_kernel_took_it() -> None:
    fib = Fib(OURS)
    fib.want(P1, R1)
    # Nothing is written before the family's own snapshot: a foreign route could be there.
    assert P1.nlri in fib.held()[IPV4]
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    assert writes(fib) == []
    assert fib.next_deadline() is None

    fib.feed(KernelSnapshot(IPV4, ()), 0)
    assert fib.next_deadline() == 0
    assert writes(fib) == [add((P1, R1))]
    assert P1.nlri in fib.held()[IPV4]
    assert fib.take_released() == {}
    assert fib.next_deadline() is None

    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert P1.nlri not in fib.held()[IPV4]
    assert fib.take_released() == {IPV4: [P1.nlri]}
    assert fib.take_released() == {}
    assert fib.statistics().installed == 1


def test_adoption_after_a_restart_writes_nothing() -> None:
    fib = Fib(OURS)
    fib.want(P1, R1)
    # The kernel has filled in the interface that was left to it.
    fib.feed(KernelSnapshot(IPV4, (own(P1, via("192.0.2.1", "eth0")),)), 0)
    fib.start()
    assert writes(fib) == []
    assert fib.take_released() == {IPV4: [P1.nlri]}


def test_own_routes_that_nobody_wants_are_swept_after_start_only() -> None:
    fib = ready(own(P1, R1), own(P2, R2), start=False)
    fib.want(P1, R1)
    assert writes(fib) == []
    assert fib.next_deadline() is None
    fib.start()
    assert fib.next_deadline() == 0
    assert writes(fib) == [remove(P2)]
    fib.feed(RoutesApplied((P2,), present=False), 0)
    assert fib.statistics().installed == 1
    assert writes(fib) == []


def test_what_was_wanted_once_goes_before_start_though_the_sweep_waits() -> None:
    fib = ready(own(P2, R2), start=False)
    fib.want(P1, R1)
    writes(fib)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.want(P1, None)
    assert fib.next_deadline() == 0
    assert writes(fib) == [remove(P1)]
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert fib.next_deadline() is None
    assert writes(fib) == []
    fib.start()
    assert writes(fib) == [remove(P2)]


def test_a_found_route_of_ours_is_replaced_when_it_differs() -> None:
    fib = ready(own(P1, R2))
    fib.want(P1, R1)
    assert writes(fib) == [ReplaceRoutes(((P1, R1),))]


def test_one_write_at_a_time_and_the_last_wanted_value_wins() -> None:
    fib = ready()
    fib.want(P1, R1)
    assert writes(fib) == [add((P1, R1))]
    fib.want(P1, R2)
    fib.want(P1, BLACKHOLE)
    assert writes(fib) == []
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [ReplaceRoutes(((P1, BLACKHOLE),))]
    fib.want(P1, None)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1)]


def test_wanting_again_while_the_deletion_is_outstanding_adds_after_it() -> None:
    fib = installed()
    fib.want(P1, None)
    assert writes(fib) == [remove(P1)]
    fib.want(P1, R1)
    assert writes(fib) == []
    assert P1.nlri not in fib.held()[IPV4]  # until the deletion is answered, it is there as far as we know
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert P1.nlri in fib.held()[IPV4]
    assert writes(fib) == [add((P1, R1))]


def test_a_route_no_longer_wanted_is_released() -> None:
    fib = Fib(OURS)
    fib.want(P1, R1)
    fib.want(P1, None)
    assert fib.take_released() == {IPV4: [P1.nlri]}
    fib.feed(KernelSnapshot(IPV4, ()), 0)
    assert writes(fib) == []


def test_a_foreign_route_of_our_metric_is_a_conflict_until_it_leaves() -> None:
    theirs = KernelRoute(P1, R2, BIRD)
    fib = ready(theirs)
    fib.want(P1, R1)
    assert writes(fib) == []
    (fact,) = fib.take_facts()
    assert fact == RouteProblem(P1, fib.problems()[P1])
    assert "bird" in fact.reason
    assert fib.next_deadline() is None

    fib.feed(KernelRouteChanged(theirs, present=False), 0)
    assert writes(fib) == [add((P1, R1))]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert fib.problems() == {}


def test_a_foreign_route_of_another_metric_is_let_be() -> None:
    fib = ready(KernelRoute(P1, R2._replace(metric=32), BIRD))
    fib.want(P1, R1)
    assert writes(fib) == [add((P1, R1))]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.want(P1, None)
    assert writes(fib) == [remove(P1)]


def test_another_metric_is_created_before_the_former_one_is_removed() -> None:
    fib = installed()
    fib.want(P1, LOW)
    assert writes(fib) == [add((P1, LOW))]
    assert P1.nlri in fib.held()[IPV4]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert fib.take_released() == {IPV4: [P1.nlri]}
    assert writes(fib) == [remove(P1)]
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert writes(fib) == []
    assert fib.statistics().installed == 1


def test_the_former_metric_goes_before_start_for_it_was_wanted_once() -> None:
    fib = ready(own(P1, R1), start=False)
    fib.want(P1, R1)
    fib.want(P1, LOW)
    assert writes(fib) == [add((P1, LOW))]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1)]


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_this_life_wrote_let_go_of_and_wants_again_is_no_former_route(is_answered: bool) -> None:
    fib = ready(start=False)
    fib.want(P1, R1)
    assert writes(fib) == [add((P1, R1))]
    if is_answered:
        fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.want(P1, None)
    fib.want(P1, Route(*R1))
    if not is_answered:
        fib.feed(RoutesApplied((P1,), present=True), 0)
    assert fib.statistics().installed == 1
    assert fib.former(P1) is None


def test_other_metrics_of_a_former_life_go_after_start_only_one_after_the_other() -> None:
    fib = ready(own(P1, R1), own(P1, LOW), own(P1, R2._replace(metric=7)), start=False)
    fib.want(P1, R1)
    assert writes(fib) == []
    assert P1.nlri not in fib.held()[IPV4]
    fib.start()
    assert writes(fib) == [remove(P1, metric=7)]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1, metric=20)]
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert writes(fib) == []


def test_the_former_metric_stays_while_the_new_one_is_refused() -> None:
    fib = installed()
    fib.want(P1, LOW)
    writes(fib)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    assert writes(fib) == []
    assert fib.next_deadline() == SECOND
    assert writes(fib, SECOND) == [add((P1, LOW))]


def test_the_former_metric_goes_when_a_foreign_route_has_the_new_one() -> None:
    theirs = KernelRoute(P1, R2._replace(metric=20), BIRD)
    fib = ready(theirs, own(P1, R1))
    fib.want(P1, LOW)
    assert writes(fib) == [remove(P1)]
    assert "bird" in fib.problems()[P1]
    # That it cannot be removed is less news than the conflict, and is tried again later.
    fib.feed(RouteFailed(P1, EBUSY, "busy", present=False), 0)
    assert "bird" in fib.problems()[P1]
    assert writes(fib) == []
    assert writes(fib, SECOND) == [remove(P1)]
    fib.feed(RoutesApplied((P1,), present=False), SECOND)
    assert "bird" in fib.problems()[P1]
    assert fib.next_deadline() is None


def test_surplus_that_the_kernel_keeps_is_tried_again_and_told() -> None:
    fib = ready(own(P1, R1), own(P1, LOW))
    fib.want(P1, R1)
    assert writes(fib) == [remove(P1, metric=20)]
    fib.feed(RouteFailed(P1, EBUSY, "busy", present=False), 0)
    assert writes(fib) == []
    assert fib.problems() == {P1: "busy"}
    assert P1.nlri not in fib.held()[IPV4]
    assert writes(fib, SECOND) == [remove(P1, metric=20)]
    # Another route wanted meanwhile does not wait for that.
    fib.want(P1, R2)
    fib.feed(RouteFailed(P1, EBUSY, "busy", present=False), SECOND)
    assert writes(fib, SECOND) == [ReplaceRoutes(((P1, R2),))]


def test_a_metric_that_is_wanted_again_while_it_is_removed_is_created_again() -> None:
    fib = installed()
    fib.want(P1, LOW)
    writes(fib)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1)]
    fib.want(P1, R1)
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert writes(fib) == [add((P1, R1))]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1, metric=20)]


def test_a_route_that_carries_our_protocol_is_ours_whatever_its_metric() -> None:
    fib = installed()
    fib.feed(KernelRouteChanged(own(P1, LOW), present=True, alone=False), 0)
    assert fib.take_foreign_changes(100) == []
    assert writes(fib) == [remove(P1, metric=20)]
    fib.feed(RoutesApplied((P1,), present=False), 0)
    # A foreign route that takes its place takes nothing of ours.
    fib.feed(KernelRouteChanged(own(P1, LOW), present=True, alone=False), 0)
    fib.feed(KernelRouteChanged(KernelRoute(P1, LOW, BIRD), present=True), 0)
    assert writes(fib) == []


def test_an_event_of_another_metric_hurries_no_refused_route() -> None:
    fib = ready()
    fib.want(P1, R1)
    writes(fib)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    fib.feed(KernelRouteChanged(KernelRoute(P1, LOW, BIRD), present=True), 0)
    assert writes(fib) == []


def test_in_a_table_of_our_own_routes_of_the_main_table_are_neither_ours_nor_rivals() -> None:
    theirs, like_ours = KernelRoute(P1, R2, BIRD), KernelRoute(P1, LOW, OURS)
    ours = KernelRoute(P1, R2, OURS, 1000)
    fib = Fib(OURS, 1000)
    fib.feed(KernelSnapshot(IPV4, (theirs, like_ours, ours)), 0)
    fib.start()
    fib.want(P1, R1)
    assert writes(fib) == [ReplaceRoutes(((P1, R1),))]
    # What happens there meanwhile is no news about ours.
    fib.feed(KernelRouteChanged(theirs, present=True), 0)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == []
    fib.feed(KernelRouteChanged(KernelRoute(P1, R2, BIRD, 1000), present=True), 0)
    assert "bird" in fib.problems()[P1]
    assert fib.foreign(IPV4, 10) == [like_ours, theirs, KernelRoute(P1, R2, BIRD, 1000)]
    fib.feed(KernelRouteChanged(ours, present=True), 0)
    assert fib.foreign(IPV4, 10) == [like_ours, theirs]
    assert writes(fib) == [ReplaceRoutes(((P1, R1),))]


def test_a_foreign_route_that_takes_over_ours_is_not_taken_back() -> None:
    fib = installed()
    theirs = KernelRoute(P1, R2, 4)
    fib.feed(KernelRouteChanged(theirs, present=True), 0)
    assert writes(fib) == []
    assert "static" in fib.problems()[P1]
    assert P1.nlri in fib.held()[IPV4]
    fib.want(P1, None)
    assert writes(fib) == []
    assert fib.problems() == {}


def test_a_foreign_route_beside_ours_neither_hides_it_nor_lets_it_be_replaced() -> None:
    fib = installed()
    theirs = KernelRoute(P1, R2, 4)
    fib.feed(KernelRouteChanged(theirs, present=True, alone=False), 0)
    assert P1.nlri not in fib.held()[IPV4]
    fib.want(P1, BLACKHOLE)
    assert writes(fib) == []
    assert P1 in fib.problems()
    fib.feed(KernelRouteChanged(theirs, present=False), 0)
    assert writes(fib) == [ReplaceRoutes(((P1, BLACKHOLE),))]


def test_our_route_removed_by_somebody_is_put_back() -> None:
    fib = installed()
    fib.feed(KernelRouteChanged(own(P1, R1), present=False), 0)
    assert P1.nlri in fib.held()[IPV4]
    assert writes(fib) == [add((P1, R1))]


def test_our_route_altered_by_somebody_is_put_right() -> None:
    fib = installed()
    fib.feed(KernelRouteChanged(own(P1, R2), present=True), 0)
    assert writes(fib) == [ReplaceRoutes(((P1, R1),))]


def test_what_an_event_says_while_a_write_is_outstanding_outlives_the_answer() -> None:
    fib = ready()
    fib.want(P1, R1)
    writes(fib)
    fib.feed(KernelRouteChanged(own(P1, R1), present=False), 0)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [add((P1, R1))]


def test_a_write_overtaken_by_the_loss_of_its_interface_is_taken_back_when_nobody_wants_it() -> None:
    """Which of the two came first cannot be known, and no later write would tell."""
    fib = ready()
    fib.want(P1, via("192.0.2.1", "eth0"))
    assert writes(fib) == [add((P1, via("192.0.2.1", "eth0")))]
    fib.want(P1, None)
    fib.feed(LinkChanged(2, "eth0", up=False), 0)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [remove(P1)]
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert writes(fib) == []


def test_a_write_overtaken_by_the_loss_of_its_interface_is_undone_when_its_former_is_wanted() -> None:
    """Which of the two came first cannot be known: if the write, what is there is not what we believe."""
    fib = installed(P1, BLACKHOLE)
    fib.want(P1, via("192.0.2.1", "eth0"))
    assert writes(fib) == [ReplaceRoutes(((P1, via("192.0.2.1", "eth0")),), exclusive=False)]
    fib.feed(LinkChanged(2, "eth0", up=False), 0)
    fib.want(P1, BLACKHOLE)
    assert writes(fib) == []
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [ReplaceRoutes(((P1, BLACKHOLE),), exclusive=False)]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == []


def test_lost_events_stop_writing_until_the_fresh_snapshot_which_causes_no_churn() -> None:
    fib = installed()
    fib.want(P2, R2)
    fib.feed(KernelLost("ENOBUFS"), 0)
    assert writes(fib) == []
    assert fib.next_deadline() is None
    assert P1.nlri not in fib.held()[IPV4]
    fib.feed(KernelSnapshot(IPV4, (own(P1, via("192.0.2.1", "eth0")), own(P3, R1))), 0)
    assert writes(fib) == [add((P2, R2)), remove(P3)]
    assert fib.statistics().losses == 1


def test_lost_events_are_told_once_and_named_until_both_families_were_read() -> None:
    fib = ready()
    assert fib.unheard() == ""
    fib.feed(KernelLost("No buffer space available"), 0)
    fib.feed(KernelLost("No buffer space available"), 0)
    assert fib.take_facts() == [KernelUnheard("No buffer space available")]
    fib.feed(KernelSnapshot(IPV4, ()), 0)
    assert fib.unheard() == "No buffer space available"
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    assert fib.unheard() == ""
    assert fib.statistics().losses == 2
    fib.feed(KernelLost("No buffer space available"), 0)
    assert fib.take_facts() == [KernelUnheard("No buffer space available")]


def test_a_snapshot_without_our_route_puts_it_back() -> None:
    fib = installed()
    fib.feed(KernelSnapshot(IPV4, ()), 0)
    assert writes(fib) == [add((P1, R1))]


def test_a_refused_route_is_retried_after_1_2_4_and_at_most_60_seconds() -> None:
    fib = ready()
    fib.want(P1, R1)
    now, waits = 0, []
    for _ in range(9):
        assert writes(fib, now) == [add((P1, R1))]
        fib.feed(RouteFailed(P1, ENETUNREACH, "Nexthop has invalid gateway", present=True), now)
        assert writes(fib, now) == []
        deadline = fib.next_deadline()
        assert deadline is not None
        waits.append((deadline - now) // SECOND)
        assert writes(fib, deadline - 1) == []
        now = deadline
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert fib.problems() == {P1: "Nexthop has invalid gateway"}
    assert fib.take_facts() == [RouteProblem(P1, "Nexthop has invalid gateway")]  # said once
    assert writes(fib, now) == [add((P1, R1))]
    fib.feed(RoutesApplied((P1,), present=True), now)
    assert fib.problems() == {}
    assert fib.next_deadline() is None


def test_another_value_is_tried_at_once_and_its_wait_starts_anew() -> None:
    fib = ready()
    fib.want(P1, R1)
    writes(fib)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    fib.want(P1, R2)
    assert writes(fib) == [add((P1, R2))]
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    assert fib.next_deadline() == SECOND


def test_a_refusal_of_a_value_that_is_no_longer_wanted_is_no_problem() -> None:
    fib = ready()
    fib.want(P1, R1)
    writes(fib)
    fib.want(P1, R2)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    assert fib.problems() == {}
    assert writes(fib) == [add((P1, R2))]


def test_a_refused_deletion_is_retried() -> None:
    fib = ready(own(P1, R1))
    assert writes(fib) == [remove(P1)]
    fib.feed(RouteFailed(P1, 16, "busy", present=False), 0)
    assert fib.problems() == {P1: "busy"}
    assert fib.next_deadline() == SECOND
    assert writes(fib, SECOND) == [remove(P1)]
    fib.feed(RoutesApplied((P1,), present=False), SECOND)
    assert fib.problems() == {}


def test_replacing_what_has_vanished_creates_it() -> None:
    fib = installed()
    fib.want(P1, R2)
    assert writes(fib) == [ReplaceRoutes(((P1, R2),))]
    fib.feed(RouteFailed(P1, ENOENT, "No such file or directory", present=True), 0)
    assert writes(fib) == [add((P1, R2))]
    # The second ENOENT cannot mean that: it waits.
    fib.feed(RouteFailed(P1, ENOENT, "No such file or directory", present=True), 0)
    assert writes(fib) == []


def test_a_foreign_route_that_was_quicker_shows_in_the_snapshot_after_the_refusal() -> None:
    fib = ready()
    fib.want(P1, R1)
    writes(fib)
    fib.feed(RouteFailed(P1, EEXIST, "File exists", present=True), 0)
    fib.feed(KernelSnapshot(IPV4, (KernelRoute(P1, R2, BIRD),)), 0)
    assert writes(fib, 100 * SECOND) == []
    assert "bird" in fib.problems()[P1]


@pytest.mark.parametrize(
    "lost", [LinkChanged(3, "eth0", up=False), LinkChanged(3, "eth0", up=False, present=False)]
)
def test_an_interface_that_goes_takes_its_routes_along(lost: LinkChanged) -> None:
    through = via("192.0.2.1", "eth0")
    fib = installed(P1, through)
    fib.feed(LinkChanged(3, "eth0", up=True), 0)
    assert writes(fib) == []
    fib.feed(lost, 0)
    assert P1.nlri in fib.held()[IPV4]
    assert writes(fib) == [add((P1, through))]
    fib.feed(RouteFailed(P1, 100, "Network is down", present=True), 0)
    assert writes(fib) == []
    # Its return is the cure: no waiting for the deadline.
    fib.feed(LinkChanged(3, "eth0", up=True), 1)
    assert writes(fib, 1) == [add((P1, through))]


def test_an_interface_that_only_says_so_again_hurries_nothing() -> None:
    fib = ready()
    fib.feed(LinkChanged(3, "eth0", up=True), 0)
    fib.want(P1, via("192.0.2.1", "eth0"))
    writes(fib)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    fib.feed(LinkChanged(3, "eth0", up=True), 0)
    assert writes(fib) == []


def test_a_carrier_that_is_back_is_tried_at_once() -> None:
    fib = ready()
    fib.feed(LinkChanged(3, "eth0", up=True, carrier=False), 0)
    fib.want(P1, via("192.0.2.1", "eth0"))
    writes(fib)
    fib.feed(RouteFailed(P1, ENETDOWN, "no carrier", present=True), 0)
    assert writes(fib) == []
    fib.feed(LinkChanged(3, "eth0", up=True, carrier=True), 0)
    assert writes(fib) == [add((P1, via("192.0.2.1", "eth0")))]


def test_a_lost_interface_leaves_the_other_next_hop_and_the_route_is_put_right_later() -> None:
    fib = installed(P1, BOTH)
    fib.feed(LinkChanged(4, "eth1", up=False), 0)
    assert writes(fib) == [ReplaceRoutes(((P1, BOTH),))]


def test_what_is_left_of_a_route_is_written_anew_though_it_is_what_is_wanted() -> None:
    """The kernel keeps the next hop that is down, and would revive it, or take the rest along with it."""
    fib = installed(P1, BOTH)
    fib.feed(LinkChanged(4, "eth1", up=False), 0)
    left = BOTH._replace(next_hops=BOTH.next_hops[:1])
    fib.want(P1, left)
    assert writes(fib) == [ReplaceRoutes(((P1, left),))]
    fib.feed(RoutesApplied((P1,), present=True), 0)
    # Now the interface means nothing to the route.
    fib.feed(LinkChanged(4, "eth1", up=False, present=False), 0)
    assert writes(fib) == []


def test_an_interface_that_is_removed_takes_along_ipv4_routes_that_only_named_it() -> None:
    fib = installed(P1, BOTH)
    fib.feed(LinkChanged(4, "eth1", up=False), 0)
    fib.feed(LinkChanged(4, "eth1", up=False, present=False), 0)
    assert writes(fib) == [add((P1, BOTH))]


def test_a_next_hop_that_the_kernel_does_not_use_is_seen_and_written_anew() -> None:
    one, other = BOTH.next_hops
    fib = ready(own(P1, BOTH._replace(next_hops=(one, other._replace(weight=-1)))))
    left = BOTH._replace(next_hops=(one,))
    fib.want(P1, left)
    assert writes(fib) == [ReplaceRoutes(((P1, left),))]


def test_a_next_hop_of_somebody_else_that_the_kernel_does_not_use_is_not_reported() -> None:
    one, other = BOTH.next_hops
    theirs = KernelRoute(P1, BOTH._replace(next_hops=(one, other._replace(weight=-1))), BIRD)
    used = theirs._replace(route=BOTH._replace(next_hops=(one,)))
    fib = ready(theirs)
    assert fib.take_foreign_changes(100) == [(P1, used)]
    fib.feed(KernelRouteChanged(theirs, present=True), 0)
    assert fib.take_foreign_changes(100) == []
    fib.feed(KernelRouteChanged(theirs, present=False), 0)
    assert fib.take_foreign_changes(100) == [(P1, None)]


def test_an_ipv6_route_of_ours_that_loses_a_next_hop_is_replaced() -> None:
    both = Route(
        RouteKind.UNICAST,
        (NextHop(Address.parse("fe80::1"), "eth0", weight=3), NextHop(Address.parse("fd00::1"))),
    )
    fib = installed(V6, both)
    gone = both._replace(next_hops=(NextHop(Address.parse("fd00::1"), "eth1"),))
    fib.feed(KernelRouteChanged(KernelRoute(V6, gone, OURS), present=False), 0)
    assert writes(fib) == [ReplaceRoutes(((V6, both),))]


def test_a_renamed_interface_keeps_its_routes() -> None:
    connected = KernelRoute(Prefix.parse("192.0.2.0/24"), link("eth0"), KERNEL)
    fib = ready(connected)
    fib.feed(LinkChanged(3, "eth0", up=True), 0)
    fib.want(P1, via("192.0.2.1", "eth0"))
    fib.want(P2, via("192.0.2.1"))
    writes(fib)
    fib.feed(RoutesApplied((P1, P2), present=True), 0)
    fib.take_used_changes(100)

    fib.feed(LinkChanged(3, "uplink", up=True), 0)
    assert fib.take_used_changes(100) == [(connected.prefix, connected._replace(route=link("uplink")))]
    # The name that is wanted leads elsewhere now.
    assert writes(fib) == [ReplaceRoutes(((P1, via("192.0.2.1", "eth0")),))]
    fib.want(P1, via("192.0.2.1", "uplink"))
    fib.feed(RouteFailed(P1, ENODEV, "there is no interface eth0", present=True), 0)
    assert writes(fib) == []
    assert fib.problems() == {}


def test_a_write_that_a_rename_overtook_is_made_sure_of() -> None:
    fib = ready()
    fib.feed(LinkChanged(3, "eth0", up=True), 0)
    fib.want(P1, via("192.0.2.1", "eth0"))
    writes(fib)
    fib.feed(LinkChanged(3, "uplink", up=True), 0)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    assert writes(fib) == [add((P1, via("192.0.2.1", "eth0")))]


def test_an_interface_without_an_ipv4_address_has_no_ipv4_routes() -> None:
    first, second = (InterfaceAddress("eth0", Address.parse(f"192.0.2.{n}"), 24) for n in (8, 9))
    sixth = InterfaceAddress("eth0", Address.parse("fd00::8"), 64)
    fib = ready()
    fib.feed(AddressSnapshot((first, sixth)), 0)
    for prefix, gateway in ((P1, "192.0.2.1"), (V6, "fd00::1")):
        fib.want(prefix, via(gateway, "eth0"))
    writes(fib)
    fib.feed(RoutesApplied((P1, V6), present=True), 0)
    fib.feed(AddressChanged(second, present=True), 0)
    fib.feed(AddressChanged(first, present=False), 0)
    fib.feed(AddressChanged(sixth, present=False), 0)
    assert writes(fib) == []
    fib.feed(AddressChanged(second, present=False), 0)
    assert writes(fib) == [add((P1, via("192.0.2.1", "eth0")))]
    fib.feed(RouteFailed(P1, ENETUNREACH, "Nexthop has invalid gateway", present=True), 0)
    assert writes(fib) == []
    # An address gives the network back, and with it the way to the gateway.
    connected = KernelRoute(Prefix.parse("192.0.2.0/24"), link("eth0"), KERNEL)
    fib.feed(KernelRouteChanged(connected, present=True), 0)
    assert writes(fib) == [add((P1, via("192.0.2.1", "eth0")))]


def test_a_gateway_is_lost_with_its_interface_though_its_network_went_before() -> None:
    connected = KernelRoute(Prefix.parse("192.0.2.0/24"), link("eth0"), KERNEL)
    fib = ready(connected)
    fib.want(P1, R1)
    writes(fib)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.feed(KernelRouteChanged(connected, present=False), 0)
    assert writes(fib) == []  # the kernel keeps it
    fib.feed(LinkChanged(3, "eth0", up=False), 0)
    assert writes(fib) == [add((P1, R1))]


def test_an_ipv4_route_through_an_ipv6_gateway_is_lost_with_its_interface() -> None:
    fib = ready()
    connected = KernelRoute(Prefix.parse("fd00::/64"), link("eth0", 256), KERNEL)
    fib.feed(KernelRouteChanged(connected, present=True), 0)
    fib.want(P1, via("fd00::1"))
    writes(fib)
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.feed(LinkChanged(3, "eth0", up=False), 0)
    assert writes(fib) == [add((P1, via("fd00::1")))]


def test_our_routes_as_they_are_believed_to_be_can_be_seen() -> None:
    fib = ready(own(P1, R1), own(P1, LOW), own(P2, R2))
    assert fib.own(IPV4, 10) == [(P1, LOW), (P1, R1), (P2, R2)]
    assert fib.own(IPV4, 1) == [(P1, LOW)]
    assert fib.own(IPV6, 10) == []


def test_losing_the_link_of_a_gateway_whose_interface_the_kernel_chose() -> None:
    connected = KernelRoute(Prefix.parse("192.0.2.0/24"), link("eth0"), KERNEL)
    fib = ready(connected)
    fib.want(P1, R1)
    fib.want(P2, via("203.0.113.1"))
    writes(fib)
    fib.feed(RoutesApplied((P1, P2), present=True), 0)
    fib.feed(LinkChanged(3, "eth0", up=False), 0)
    assert writes(fib) == [add((P1, R1))]


def test_a_connected_route_hurries_what_failed_for_want_of_it() -> None:
    fib = ready()
    fib.want(P1, R1)
    fib.want(P2, via("203.0.113.1"))
    writes(fib)
    fib.feed(RouteFailed(P1, ENETUNREACH, "no", present=True), 0)
    fib.feed(RouteFailed(P2, ENETUNREACH, "no", present=True), 0)
    connected = KernelRoute(Prefix.parse("192.0.2.0/24"), link("eth0"), KERNEL)
    fib.feed(KernelRouteChanged(connected, present=True), 0)
    assert writes(fib) == [add((P1, R1))]


def test_batches_hold_1000_and_the_budget_is_kept_over_both_families() -> None:
    fib = ready()
    prefixes = [Prefix.of(Address(bytes((10, n >> 8, n & 255, 0))), 24) for n in range(2200)]
    for prefix in prefixes:
        fib.want(prefix, R1)
    fib.want(V6, BLACKHOLE)
    assert [len(effect.routes) for effect in fib.replacements(0, 2100)] == [1000, 1000, 100]
    assert fib.next_deadline() == 0
    last, sixth = fib.replacements(0, 2100)
    assert [prefix for prefix, _ in last.routes] == prefixes[2100:]
    assert sixth == add((V6, BLACKHOLE))
    assert fib.replacements(0, 0) == []


def test_routes_of_others_are_reported_by_lowest_metric() -> None:
    workload = Prefix.parse("10.65.0.7/32")
    slow, fast = (KernelRoute(workload, link(f"cali{n}", n), 3) for n in (9, 1))
    sink = KernelRoute(P2, BLACKHOLE, 4)
    fib = ready(slow, own(P1, R1), sink)
    assert fib.take_foreign_changes(100) == [(workload, slow), (P2, sink)]
    assert fib.take_foreign_changes(100) == []
    fib.feed(KernelRouteChanged(fast, present=True), 0)
    assert fib.take_foreign_changes(100) == [(workload, fast)]
    fib.feed(KernelRouteChanged(slow, present=False), 0)
    assert fib.take_foreign_changes(100) == []
    fib.feed(LinkChanged(9, "cali1", up=False, present=False), 0)
    assert fib.take_foreign_changes(100) == [(workload, None)]


@pytest.mark.parametrize(
    ("protocol", "kind", "reported"),
    [
        pytest.param(0, RouteKind.UNICAST, False, id="nobody's"),
        pytest.param(1, RouteKind.UNICAST, False, id="an ICMP redirect"),
        pytest.param(2, RouteKind.UNICAST, False, id="the kernel's own"),
        pytest.param(3, RouteKind.UNICAST, True, id="typed by hand"),
        pytest.param(16, RouteKind.UNICAST, True, id="of a DHCP client"),
        pytest.param(80, RouteKind.BLACKHOLE, True, id="a blackhole of Felix"),
        pytest.param(4, RouteKind.UNREACHABLE, True, id="unreachable"),
        pytest.param(4, RouteKind.PROHIBIT, True, id="prohibited"),
        pytest.param(4, RouteKind.OTHER, False, id="a kind that we do not know"),
    ],
)
def test_what_bird_would_learn_is_reported(protocol: int, kind: RouteKind, reported: bool) -> None:
    """Also where a route of the kernel itself has a lower metric."""
    found = KernelRoute(P2, Route(kind, (NextHop(None, "eth0"),), 9), protocol)
    fib = ready(KernelRoute(P2, link("eth0"), KERNEL), found)
    assert fib.take_foreign_changes(100) == ([(P2, found)] if reported else [])


def test_a_workload_that_moves_between_interfaces_is_reported_once() -> None:
    workload = Prefix.parse("10.65.0.7/32")
    before, after = (KernelRoute(workload, link(f"cali{n}"), 3) for n in (1, 2))
    fib = ready(before)
    fib.take_foreign_changes(100)
    fib.feed(KernelRouteChanged(after, present=True), 0)
    assert fib.take_foreign_changes(100) == [(workload, after)]
    fib.feed(KernelRouteChanged(before, present=False), 0)
    assert fib.take_foreign_changes(100) == []


def test_ipv6_routes_to_the_same_prefix_on_two_links_live_side_by_side() -> None:
    prefix = Prefix.parse("fe80::/64")
    one, two = (KernelRoute(prefix, link(name, 256), 9) for name in ("eth0", "eth1"))
    fib = ready()
    fib.feed(KernelSnapshot(IPV6, (one, two)), 0)
    assert fib.take_foreign_changes(100) == [(prefix, one)]
    fib.feed(KernelRouteChanged(one, present=False), 0)
    assert fib.take_foreign_changes(100) == [(prefix, two)]


def test_ipv6_next_hops_of_a_foreign_route_leave_one_by_one() -> None:
    prefix = Prefix.parse("fd00::/64")
    hops = tuple(NextHop(Address.parse(f"fe80::{n}"), "eth0") for n in (1, 2))
    fib = ready()
    fib.feed(KernelSnapshot(IPV6, (KernelRoute(prefix, Route(RouteKind.UNICAST, hops, 32), BIRD),)), 0)
    fib.take_foreign_changes(100)
    gone = KernelRoute(prefix, Route(RouteKind.UNICAST, hops[:1], 32), BIRD)
    left = KernelRoute(prefix, Route(RouteKind.UNICAST, hops[1:], 32), BIRD)
    fib.feed(KernelRouteChanged(gone, present=False), 0)
    assert fib.take_foreign_changes(100) == [(prefix, left)]
    fib.feed(KernelRouteChanged(left, present=False), 0)
    assert fib.take_foreign_changes(100) == [(prefix, None)]


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    fib = ready()
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.feed(RouteFailed(P2, ENOENT, "what", present=True), 0)
    assert writes(fib) == []
    assert fib.problems() == {}
    assert fib.statistics().installed == 0


def test_what_others_have_and_what_we_want_can_be_seen() -> None:
    theirs = [KernelRoute(prefix, link("eth0"), KERNEL) for prefix in (P1, P2)]
    fib = ready(*theirs)
    assert fib.foreign(IPV4, 10) == theirs
    assert fib.foreign(IPV4, 1) == theirs[:1]
    assert fib.foreign(IPV6, 10) == []
    fib.want(P3, R1)
    assert (fib.wanted(P3), fib.wanted(P1), fib.wanted(V6)) == (R1, None, None)


def test_how_far_a_prefix_is_can_be_asked() -> None:
    fib = ready(own(P2, R1), start=False)
    assert fib.standing(P1) == (True, False, "")
    assert fib.standing(P2) == (False, False, ""), "from a former life"
    fib.want(P1, R1)
    fib.want(P3, R1)
    assert list(fib.in_work(IPV4)) == [P1.nlri, P3.nlri, P2.nlri]
    assert fib.standing(P1) == (False, True, ""), "due"
    writes(fib)
    assert fib.standing(P1) == (False, True, ""), "under way"
    fib.feed(RoutesApplied((P1,), present=True), 0)
    fib.feed(RouteFailed(P3, ENETUNREACH, "Network is unreachable", present=True), 0)
    assert fib.standing(P1) == (True, False, "")
    assert fib.standing(P3) == (False, False, "Network is unreachable")
    fib.start()
    assert fib.standing(P2) == (False, True, "")
    assert fib.all_wanted(IPV4) == {P1.nlri: R1, P3.nlri: R1}
    assert fib.all_wanted(IPV6) == {}


def test_all_routes_of_a_prefix_are_ours_and_then_those_of_others() -> None:
    theirs = KernelRoute(P1, LOW, BIRD)
    fib = ready(theirs, own(P1, R1))
    assert fib.routes(P1) == (own(P1, R1), theirs)
    assert fib.routes(P2) == ()


def test_what_is_no_longer_wanted_waits_for_the_answer_of_a_removal_that_an_event_came_before() -> None:
    surplus = own(P1, R1._replace(metric=20))
    fib = ready(own(P1, R1), surplus)
    fib.want(P1, R1)
    fib.start()
    assert writes(fib) == [DeleteRoutes((RouteKey(P1, 20),))]
    fib.feed(KernelRouteChanged(surplus, present=False), 0)
    fib.want(P1, None)
    assert writes(fib) == []
    fib.feed(RoutesApplied((P1,), present=False), 0)
    assert writes(fib) == [DeleteRoutes((RouteKey(P1, R1.metric),))]


def test_a_large_view_is_believed_in_steps_and_nothing_is_written_or_judged_before_its_end() -> None:
    count = 2 * READ_AT_ONCE
    prefixes = [Prefix.parse(f"10.{number >> 8}.{number & 255}.0/24") for number in range(count)]
    fib = Fib(OURS)
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    fib.feed(KernelSnapshot(IPV4, tuple(own(prefix, R1) for prefix in prefixes)), 0)
    assert fib.has_own()
    fib.want(prefixes[-1], R1)
    fib.want(P1, R2)
    fib.start()
    # What follows the view waits for it: else the route that left would be believed to be there.
    fib.feed(KernelRouteChanged(own(prefixes[0], R1), present=False), 0)
    steps = 0
    while fib.is_reading:
        assert fib.next_deadline() == 0
        assert fib.replacements(0, count) == []
        assert fib.deletions(0, count) == []
        fib.read_on()
        steps += 1
    assert steps > 4
    assert [prefix for effect in fib.replacements(0, count) for prefix, _ in effect.routes] == [P1]
    deleted = [key.prefix for effect in fib.deletions(0, count) for key in effect.routes]
    assert deleted == prefixes[1:-1]
    assert fib.standing(prefixes[-1]).settled


def test_that_there_are_routes_of_ours_is_known_however_much_of_a_view_was_looked_at() -> None:
    fib = Fib(OURS)
    there = (Prefix.parse(f"10.{n >> 8}.{n & 255}.0/24") for n in range(2 * READ_AT_ONCE))
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    fib.feed(KernelSnapshot(IPV4, (own(P1, R1), *(KernelRoute(prefix, R1, BIRD) for prefix in there))), 0)
    steps = 0
    while fib.is_reading:
        assert fib.has_own()
        fib.read_on()
        steps += 1
    assert steps > 4
    assert fib.has_own()
    assert [str(prefix) for prefix, _ in fib.own(IPV4, 9)] == [str(P1)]


def test_while_a_later_view_is_believed_nothing_is_written_either() -> None:
    fib = Fib(OURS)
    fib.feed(KernelSnapshot(IPV6, ()), 0)
    fib.feed(KernelSnapshot(IPV4, ()), 0)
    fib.want(P1, R1)
    there = (Prefix.parse(f"10.{n >> 8}.{n & 255}.0/24") for n in range(READ_AT_ONCE))
    fib.feed(KernelSnapshot(IPV4, (*(KernelRoute(prefix, R1, BIRD) for prefix in there), own(P1, R1))), 0)
    # It is there already, as the rest of the view will show.
    assert fib.replacements(0, 10) == []
    while fib.is_reading:
        fib.read_on()
    assert fib.replacements(0, 10) == []
    assert fib.standing(P1).settled
