"""What a former life left comes back where others take the place of it and withdraw, until the sweep."""

import pytest

from felixbgp.agent import former
from felixbgp.agent.former import FormerRoutes
from felixbgp.fib.fib import Fib
from felixbgp.fib.types import (
    KernelRoute,
    KernelSnapshot,
    NextHop,
    Route,
    RouteKind,
    RoutesApplied,
)
from felixbgp.net import IPV4, IPV6, Address, Prefix

OURS = 80
BLOCK = Prefix.parse("10.65.0.0/26")
OTHER_BLOCK = Prefix.parse("10.65.1.0/26")
PEER = Address.parse("10.0.0.2")
OTHER_PEER = Address.parse("10.0.0.3")
NO_PEER = Address.parse("10.0.0.9")


def by(*gateways: Address) -> Route:
    return Route(RouteKind.UNICAST, tuple(map(NextHop, gateways)))


class Case:
    """A kernel that has what a former life left for some prefixes, and what its agent does to it."""

    def __init__(self, left: Route, *prefixes: Prefix) -> None:
        self.kernel = dict.fromkeys(prefixes or (BLOCK,), left)
        self.owing = {PEER: True, OTHER_PEER: False}
        self.fib = Fib(OURS)
        self.former = FormerRoutes(self.fib, lambda: self.owing)
        found = tuple(KernelRoute(prefix, left, OURS) for prefix in self.kernel)
        self.fib.feed(KernelSnapshot(IPV4, found), 0)
        self.fib.feed(KernelSnapshot(IPV6, ()), 0)
        self.writes = 0

    def select(self, route: Route | None, prefix: Prefix = BLOCK) -> Route | None:
        """Something is selected for a prefix; what the kernel has then."""
        self.former.want_each([(prefix, route)])
        self.settle()
        return self.kernel.get(prefix)

    def settle(self) -> None:
        """Carry out the writes that are due."""
        for written in self.fib.replacements(0, 100):
            self.writes += 1
            self.kernel |= dict(written.routes)
            self.fib.feed(RoutesApplied(tuple(prefix for prefix, _ in written.routes), present=True), 0)
        for deleted in self.fib.deletions(0, 100):
            self.writes += 1
            gone = tuple(key.prefix for key in deleted.routes)
            self.kernel = {prefix: route for prefix, route in self.kernel.items() if prefix not in gone}
            self.fib.feed(RoutesApplied(gone, present=False), 0)

    def sweep(self) -> None:
        while self.former.let_go():
            pass
        self.fib.start()
        self.settle()


def test_who_owes_its_table_keeps_the_route_by_it_until_the_sweep() -> None:
    case = Case(by(PEER))
    assert case.select(by(OTHER_PEER)) == by(OTHER_PEER)
    assert case.select(None) == by(PEER)
    case.sweep()
    assert case.kernel == {}


def test_a_route_that_others_told_of_just_as_it_was_stays_without_a_write() -> None:
    case = Case(by(PEER))
    assert case.select(by(PEER)) == by(PEER)
    assert case.select(None) == by(PEER)
    assert case.writes == 0


def test_who_has_said_all_it_has_is_believed() -> None:
    case = Case(by(OTHER_PEER))
    case.select(by(PEER))
    assert case.select(None) is None


def test_what_is_new_since_the_start_goes_when_it_is_withdrawn() -> None:
    case = Case(by(PEER))
    assert case.select(by(PEER), OTHER_BLOCK) == by(PEER)
    assert case.select(None, OTHER_BLOCK) is None


def test_behind_a_next_hop_that_is_no_peer_anybody_may_tell_of_it() -> None:
    case = Case(by(NO_PEER))
    case.select(by(OTHER_PEER))
    assert case.select(None) == by(NO_PEER)
    case.select(by(OTHER_PEER))
    case.owing[PEER] = False
    assert case.select(None) is None


def test_of_several_next_hops_those_stay_that_may_be_told_of() -> None:
    case = Case(by(PEER, OTHER_PEER))
    case.select(by(NO_PEER))
    assert case.select(None) == by(PEER)


def test_what_is_selected_again_is_no_former_route_any_more() -> None:
    case = Case(by(PEER))
    case.select(by(OTHER_PEER))
    case.select(None)
    assert case.select(by(OTHER_PEER)) == by(OTHER_PEER)
    case.sweep()
    assert case.kernel == {BLOCK: by(OTHER_PEER)}


def test_after_the_sweep_nothing_comes_back() -> None:
    case = Case(by(PEER))
    case.select(by(OTHER_PEER))
    case.sweep()
    assert case.select(None) is None


def test_what_is_selected_while_others_are_let_go_of_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former, "LET_GO_AT_ONCE", 1)
    case = Case(by(PEER), BLOCK, OTHER_BLOCK)
    for prefix in (BLOCK, OTHER_BLOCK):
        case.select(by(PEER), prefix)
        case.select(None, prefix)
    assert case.former.let_go()
    case.select(by(OTHER_PEER), OTHER_BLOCK)
    case.sweep()
    assert case.kernel == {OTHER_BLOCK: by(OTHER_PEER)}


def test_many_are_let_go_of_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former, "LET_GO_AT_ONCE", 1)
    case = Case(by(PEER), BLOCK, OTHER_BLOCK)
    for prefix in (BLOCK, OTHER_BLOCK):
        case.select(by(PEER), prefix)
        assert case.select(None, prefix) == by(PEER)
    assert case.former.let_go()
    assert not case.former.let_go()
    case.sweep()
    assert case.kernel == {}
