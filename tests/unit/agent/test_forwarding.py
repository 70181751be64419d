"""Which kernel route each selected or static route becomes."""

from felixbgp.agent.forwarding import Forwarding
from felixbgp.agent.origination import BLACKHOLE
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.intent.types import StaticRoute, Tunnel
from felixbgp.net import Address, Prefix

GATEWAY = Address.parse("10.0.0.254")
HOP = Address.parse("10.0.0.2")
PEER = Prefix.parse("192.0.2.1/32")
BLOCK = Prefix.parse("10.65.0.0/26")
STATIC = Route(RouteKind.UNICAST, (NextHop(GATEWAY),))
LEARNED = Route(RouteKind.UNICAST, (NextHop(HOP),))


def selected(prefix: Prefix, source: RouteSource) -> RouteChange:
    learned = source is RouteSource.BGP
    hops = (HOP,) if learned else ()
    choice = Selected(source, PeerId(HOP) if learned else None, hops, PathAttributes(), "only")
    return RouteChange(prefix.family, prefix.nlri, choice)


def gone(prefix: Prefix) -> RouteChange:
    return RouteChange(prefix.family, prefix.nlri, None)


def test_a_block_is_a_blackhole_and_a_peers_route_leads_to_its_next_hop() -> None:
    forwarding = Forwarding()
    changes = [selected(BLOCK, RouteSource.AGGREGATE), selected(PEER, RouteSource.BGP)]
    assert list(forwarding.select(changes)) == [(BLOCK, BLACKHOLE), (PEER, LEARNED)]
    assert list(forwarding.select([gone(PEER)])) == [(PEER, None)]


def test_what_was_found_in_the_kernel_is_not_written_there() -> None:
    assert list(Forwarding().select([selected(PEER, RouteSource.KERNEL)])) == [(PEER, None)]


def test_another_set_of_ranges_changes_what_it_covers() -> None:
    forwarding = Forwarding()
    list(forwarding.select([selected(PEER, RouteSource.BGP), selected(BLOCK, RouteSource.BGP)]))
    assert list(forwarding.configure([PEER], [])) == [(PEER, None)]
    assert list(forwarding.configure([PEER], [])) == []
    tunnelled = Route(RouteKind.UNICAST, (NextHop(HOP, "tunl0", onlink=True),))
    assert list(forwarding.configure([], [Tunnel(BLOCK, "tunl0")])) == [(PEER, LEARNED), (BLOCK, tunnelled)]


def test_a_static_route_needs_nothing_selected_and_wins_over_all_else() -> None:
    forwarding = Forwarding()
    static = [StaticRoute(PEER, GATEWAY)]
    assert list(forwarding.configure([PEER], [Tunnel(PEER, "tunl0")], static)) == [(PEER, STATIC)]
    assert list(forwarding.select([selected(PEER, RouteSource.STATIC)])) == [(PEER, STATIC)]
    assert list(forwarding.select([selected(PEER, RouteSource.BGP)])) == [(PEER, STATIC)]
    assert list(forwarding.select([gone(PEER)])) == [(PEER, STATIC)]


def test_a_static_route_that_changes_or_goes_gives_way_to_what_is_selected() -> None:
    forwarding = Forwarding()
    list(forwarding.configure([], [], [StaticRoute(PEER, GATEWAY)]))
    list(forwarding.select([selected(PEER, RouteSource.BGP)]))
    assert list(forwarding.configure([], [], [StaticRoute(PEER, HOP)])) == [(PEER, LEARNED)]
    assert list(forwarding.configure([], [], [StaticRoute(PEER, GATEWAY)])) == [(PEER, STATIC)]
    assert list(forwarding.configure([], [], [])) == [(PEER, LEARNED)]


def test_every_route_has_the_metric_that_was_set() -> None:
    forwarding = Forwarding(7)
    changes = [selected(BLOCK, RouteSource.AGGREGATE), selected(PEER, RouteSource.BGP)]
    wanted = [*forwarding.select(changes), *forwarding.configure([], [], [StaticRoute(PEER, GATEWAY)])]
    assert wanted == [
        (BLOCK, BLACKHOLE._replace(metric=7)),
        (PEER, LEARNED._replace(metric=7)),
        (PEER, STATIC._replace(metric=7)),
    ]
