"""Which kernel route each selected or static route becomes."""

import pytest

from felixbgp.agent.forwarding import Forwarding
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import Reachability, RouteChange, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import KernelRoute, KernelSnapshot, NextHop, Route, RouteKind
from felixbgp.intent.priorities import NormalPriority
from felixbgp.intent.types import Intent, StaticRoute, Tunnel
from felixbgp.net import IPV4, Address, Prefix

GATEWAY = Address.parse("10.0.0.254")
HOP = Address.parse("10.0.0.2")
PEER = Prefix.parse("192.0.2.1/32")
BLOCK = Prefix.parse("10.65.0.0/26")
BLACKHOLE = Route(RouteKind.BLACKHOLE)
STATIC = Route(RouteKind.UNICAST, (NextHop(GATEWAY),))
LEARNED = Route(RouteKind.UNICAST, (NextHop(HOP),))


def selected(prefix: Prefix, source: RouteSource) -> RouteChange:
    learned = source is RouteSource.BGP
    hops = (HOP,) if learned else ()
    choice = Selected(source, PeerId(HOP) if learned else None, hops, PathAttributes(), "only")
    return RouteChange(prefix.family, prefix.nlri, choice)


def forwarding() -> Forwarding:
    """One that was not told of any kernel: every next hop is taken to be on a link."""
    made = Forwarding()
    made.track([HOP, GATEWAY])
    made.settle(0)
    return made


def configured(made: Forwarding, wanted: Intent) -> list[tuple[Prefix, Route | None]]:
    """The kernel routes that another intent may change."""
    made.configure(wanted)
    made.settle(0)
    return list(made.take_routes(1000))


def intent(
    *excluded: Prefix, tunnels: tuple[Tunnel, ...] = (), static: tuple[StaticRoute, ...] = ()
) -> Intent:
    return Intent(kernel_exclusions=excluded, tunnels=tunnels, static_routes=static)


def gone(prefix: Prefix) -> RouteChange:
    return RouteChange(prefix.family, prefix.nlri, None)


def test_a_block_is_a_blackhole_and_a_peers_route_leads_to_its_next_hop() -> None:
    made = forwarding()
    changes = [selected(BLOCK, RouteSource.AGGREGATE), selected(PEER, RouteSource.BGP)]
    assert list(made.select(changes)) == [(BLOCK, BLACKHOLE), (PEER, LEARNED)]
    assert list(made.select([gone(PEER)])) == [(PEER, None)]


def test_what_was_found_in_the_kernel_is_not_written_there() -> None:
    assert list(forwarding().select([selected(PEER, RouteSource.KERNEL)])) == [(PEER, None)]


def test_another_set_of_ranges_changes_what_it_covers() -> None:
    made = forwarding()
    list(made.select([selected(PEER, RouteSource.BGP), selected(BLOCK, RouteSource.BGP)]))
    assert dict(configured(made, intent(PEER))) == {PEER: None, BLOCK: LEARNED}
    assert configured(made, intent(PEER)) == []
    tunnelled = Route(RouteKind.UNICAST, (NextHop(HOP, "tunl0", onlink=True),))
    assert dict(configured(made, intent(tunnels=(Tunnel(BLOCK, "tunl0"),)))) == {
        PEER: LEARNED,
        BLOCK: tunnelled,
    }


def test_a_static_route_needs_nothing_selected_and_wins_over_all_else() -> None:
    made = forwarding()
    static = (StaticRoute(PEER, GATEWAY),)
    assert configured(made, intent(PEER, tunnels=(Tunnel(PEER, "tunl0"),), static=static)) == [(PEER, STATIC)]
    assert list(made.select([selected(PEER, RouteSource.STATIC)])) == [(PEER, STATIC)]
    assert list(made.select([selected(PEER, RouteSource.BGP)])) == [(PEER, STATIC)]
    assert list(made.select([gone(PEER)])) == [(PEER, STATIC)]


def test_a_static_route_that_changes_or_goes_gives_way_to_what_is_selected() -> None:
    made = forwarding()
    configured(made, intent(static=(StaticRoute(PEER, GATEWAY),)))
    list(made.select([selected(PEER, RouteSource.BGP)]))
    assert configured(made, intent(static=(StaticRoute(PEER, HOP),))) == [(PEER, LEARNED)]
    assert configured(made, intent(static=(StaticRoute(PEER, GATEWAY),))) == [(PEER, STATIC)]
    assert configured(made, intent()) == [(PEER, LEARNED)]


@pytest.mark.parametrize(
    ("local_pref", "metric"),
    [
        pytest.param(None, 600, id="none: the normal priority"),
        pytest.param(2147483647 - 1024, 1024, id="the normal priority of another node"),
        pytest.param(2147483647 - 512, 512, id="a better one"),
        pytest.param(100, 2147483547, id="that of a router that knows nothing of priorities"),
        pytest.param(2147483647, 1, id="the best there is"),
        pytest.param(4294967295, 1, id="beyond what Calico can say"),
        pytest.param(0, 2147483647, id="the worst"),
    ],
)
def test_the_metric_of_a_learned_route_is_its_priority(local_pref: int | None, metric: int) -> None:
    made = forwarding()
    normal = Intent(normal_priority=NormalPriority(ipv4=600), aggregates=(BLOCK,))
    made.configure(normal)
    change = selected(PEER, RouteSource.BGP)
    assert change.selected is not None
    change.selected.attributes = PathAttributes(local_pref=local_pref)
    changes = [change, selected(BLOCK, RouteSource.AGGREGATE)]
    assert list(made.select(changes)) == [
        (PEER, LEARNED._replace(metric=metric)),
        (BLOCK, BLACKHOLE._replace(metric=600)),
    ]


def test_a_next_hop_without_a_way_leaves_at_once_and_the_last_one_with_the_decision() -> None:
    made = forwarding()
    made.feed(KernelSnapshot(IPV4, ()))
    links = [
        KernelRoute(prefix, Route(RouteKind.UNICAST, (NextHop(None, name),), 0), 2)
        for prefix, name in ((Prefix.parse("10.0.0.2/31"), "eth0"), (Prefix.parse("10.0.0.254/31"), "eth1"))
    ]
    made.kernel_changed([(link.prefix, link) for link in links])
    made.settle(0)
    change = selected(PEER, RouteSource.BGP)
    assert change.selected is not None
    change.selected.next_hops = (HOP, GATEWAY)
    hops = (NextHop(HOP, "eth0"), NextHop(GATEWAY, "eth1"))
    assert list(made.select([change])) == [(PEER, Route(RouteKind.UNICAST, hops))]
    made.take_verdicts()

    made.kernel_changed([(links[1].prefix, None)])
    made.settle(0)
    assert list(made.take_routes(10)) == [(PEER, Route(RouteKind.UNICAST, hops[:1]))]
    made.kernel_changed([(links[0].prefix, None)])
    made.settle(0)
    assert list(made.take_routes(10)) == []
    lost = Reachability(resolvable=False)
    assert made.take_verdicts() == {GATEWAY: lost, HOP: lost}


def test_the_gateway_of_a_static_route_is_not_forgotten_with_the_last_path_by_it() -> None:
    made = forwarding()
    configured(made, intent(static=(StaticRoute(PEER, GATEWAY),)))
    made.forget([GATEWAY, HOP])
    made.feed(KernelSnapshot(IPV4, ()))
    link = KernelRoute(Prefix.parse("10.0.0.0/24"), Route(RouteKind.UNICAST, (NextHop(None, "eth0"),), 0), 2)
    made.kernel_changed([(link.prefix, link)])
    made.settle(0)
    wanted = Route(RouteKind.UNICAST, (NextHop(GATEWAY, "eth0"),))
    assert list(made.take_routes(10)) == [(PEER, wanted)]


def test_what_is_reached_another_way_is_written_again_in_parts_and_none_is_left_out() -> None:
    made = forwarding()
    prefixes = [Prefix.parse(f"192.0.2.{number}/32") for number in range(6)]
    made.select([selected(prefix, RouteSource.BGP) for prefix in prefixes])
    made.select([selected(BLOCK, RouteSource.AGGREGATE)])
    assert made.take_routes(10) == []
    made.configure(intent(BLOCK))
    made.settle(0)
    assert made.take_routes(2) == [(prefix, LEARNED) for prefix in prefixes[:2]]
    # Another change while some still wait: those that were looked at are due again, too.
    made.configure(intent())
    made.settle(0)
    found: list[tuple[Prefix, Route | None]] = []
    while not made.is_settled:
        found += made.take_routes(3)
    assert dict(found) == {**dict.fromkeys(prefixes, LEARNED), BLOCK: BLACKHOLE}
    assert [prefix for prefix, _ in found] == [*prefixes[2:], BLOCK, *prefixes]
