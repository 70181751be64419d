"""Routes whose next hop is somewhere else: whether they are used, by which way, and what is said of them."""

from felixbgp.agent.audit import look
from felixbgp.agent.forwarding import NextHopResolved, NextHopUnresolvable
from felixbgp.bgp.routes import Reachability
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import KernelRoute, LinkChanged, NextHop, Route, RouteKind
from felixbgp.intent.types import Problem, StaticRoute, Tunnel
from felixbgp.net import IPV4, Address, Prefix
from tests.support.routers import Router

A, B = "10.0.0.2", "10.0.0.3"


def foreign(prefix: str, gateway: str | None, interface: str, *, onlink: bool = False) -> KernelRoute:
    hop = NextHop(None if gateway is None else Address.parse(gateway), interface, onlink)
    return KernelRoute(Prefix.parse(prefix), Route(RouteKind.UNICAST, (hop,), 0), 4)


DEFAULT = foreign("0.0.0.0/0", "10.0.0.254", "eth0")


def next_hop_facts(router: Router) -> list[str]:
    told = [fact for fact in router.facts if isinstance(fact, NextHopUnresolvable | NextHopResolved)]
    return [f"{type(fact).__name__} {fact.next_hop}" for fact in told]


def test_a_node_in_another_subnet_is_reached_by_the_router() -> None:
    router = Router("10.9.0.2")
    router.announce("10.9.0.2", "10.65.2.0/26")
    assert router.ways() == {}
    assert router.problems() == (
        Problem("next hop 10.9.0.2", "", "no route leads to it; not used for 1 prefixes"),
    )
    router.kernel_changed(DEFAULT, present=True)
    assert router.ways() == {"10.65.2.0/26": "10.0.0.254 eth0"}
    assert router.problems() == ()
    router.kernel_changed(DEFAULT, present=False)
    assert router.ways() == {}
    assert next_hop_facts(router) == [
        "NextHopUnresolvable 10.9.0.2", "NextHopResolved 10.9.0.2", "NextHopUnresolvable 10.9.0.2"
    ]  # fmt: skip


def test_a_workload_of_another_node_is_reached_by_that_node() -> None:
    router = Router(A)
    router.announce(A, "192.168.7.0/24", next_hop="10.65.2.7")
    assert router.ways() == {}
    router.announce(A, "10.65.2.0/26")
    assert router.ways() == {"10.65.2.0/26": f"{A} eth0", "192.168.7.0/24": f"{A} eth0"}
    router.withdraw(A, "10.65.2.0/26")
    assert router.ways() == {}
    assert router.problems()[0].subject == "next hop 10.65.2.7"


def test_a_workload_is_reached_another_way_when_its_node_is() -> None:
    router = Router("10.9.0.2")
    for gateway in ("10.0.0.254", "10.0.0.253"):
        router.kernel_changed(foreign("10.9.0.0/16", gateway, "eth0"), present=True)
        router.announce("10.9.0.2", "10.65.2.0/26")
        router.announce("10.9.0.2", "192.168.7.0/24", next_hop="10.65.2.7")
        assert router.ways() == {"10.65.2.0/26": f"{gateway} eth0", "192.168.7.0/24": f"{gateway} eth0"}


def test_more_routes_than_one_turn_takes_move_to_another_way() -> None:
    router = Router("10.9.0.2")
    router.kernel_changed(DEFAULT, present=True)
    prefixes = [f"10.65.{number}.0/24" for number in range(250)]
    router.tell("10.9.0.2", prefixes, PathAttributes(next_hop=Address.parse("10.9.0.2"), local_pref=100))
    assert set(router.ways().values()) == {"10.0.0.254 eth0"}
    router.kernel_changed(foreign("10.9.0.0/16", "10.0.0.253", "eth0"), present=True)
    assert router.ways() == dict.fromkeys(sorted(prefixes), "10.0.0.253 eth0")


def test_nothing_is_judged_by_half_of_the_kernels_table() -> None:
    """More routes of others than one turn takes, the one that counts the last of them."""
    router = Router("10.9.0.2")
    others = [
        foreign(f"10.66.{number // 256}.{number % 256}/32", "10.0.0.254", "eth0") for number in range(350)
    ]
    wrong, right = foreign("10.9.0.0/16", "10.0.0.253", "eth0"), foreign("10.9.0.0/24", "10.0.0.254", "eth0")
    for route in (wrong, *others, right):
        router.kernel.change(route, present=True)
    for snapshot in router.kernel.snapshots():
        router.agent.feed(snapshot, 0)
    router.announce("10.9.0.2", "10.65.2.0/26")
    told = [route for change in router.written for prefix, route in change if str(prefix) == "10.65.2.0/26"]
    assert [route.next_hops for route in told] == [(NextHop(Address.parse("10.0.0.254"), "eth0"),)]


def test_through_a_tunnel_if_the_way_leads_through_one() -> None:
    router = Router(A, tunnels=(Tunnel(Prefix.parse("10.65.0.0/16"), "tunl0"),))
    router.announce(A, "10.65.2.0/26")
    router.announce(A, "192.168.7.0/24", next_hop="10.65.2.7")
    assert router.ways() == {"10.65.2.0/26": f"{A} tunl0", "192.168.7.0/24": f"{A} tunl0"}
    assert all(hop.onlink for route in router.routes().values() for hop in route.next_hops)


def test_cross_subnet_is_plain_here_and_through_the_tunnel_there() -> None:
    pool, subnet = Prefix.parse("10.65.0.0/16"), Prefix.parse("10.0.0.0/24")
    router = Router(A, "10.9.0.2", tunnels=(Tunnel(pool, "tunl0", subnet),))
    router.kernel_changed(DEFAULT, present=True)
    router.announce(A, "10.65.2.0/26")
    router.announce("10.9.0.2", "10.65.3.0/26")
    assert router.ways() == {"10.65.2.0/26": f"{A} eth0", "10.65.3.0/26": "10.9.0.2 tunl0"}


def test_a_next_hop_in_the_tunnelled_pool_needs_a_way_itself() -> None:
    router = Router(A, tunnels=(Tunnel(Prefix.parse("10.65.0.0/16"), "tunl0"),))
    router.announce(A, "10.65.2.0/26", next_hop="10.9.0.2")
    assert router.ways() == {}
    router.kernel_changed(DEFAULT, present=True)
    assert router.ways() == {"10.65.2.0/26": "10.9.0.2 tunl0"}


def test_the_worse_path_is_used_while_the_better_one_leads_nowhere() -> None:
    router = Router(A, B)
    router.announce(A, "192.168.7.0/24", next_hop="10.9.0.2", local_pref=200)
    router.announce(B, "192.168.7.0/24")
    assert router.ways() == {"192.168.7.0/24": f"{B} eth0"}
    router.kernel_changed(DEFAULT, present=True)
    assert router.ways() == {"192.168.7.0/24": "10.0.0.254 eth0"}
    router.kernel_changed(DEFAULT, present=False)
    assert router.ways() == {"192.168.7.0/24": f"{B} eth0"}


def test_a_next_hop_without_a_way_leaves_a_multipath_route() -> None:
    router = Router(A, B, beside=("10.9.0.0/24",))
    router.announce(A, "192.168.7.0/24")
    router.announce(B, "192.168.7.0/24", next_hop="10.8.0.3")
    router.kernel_changed(foreign("10.8.0.0/24", "10.9.0.254", "eth1"), present=True)
    assert router.ways() == {"192.168.7.0/24": f"{A} eth0, 10.9.0.254 eth1"}
    router.feed(LinkChanged(3, "eth1", up=True, carrier=False))
    assert router.ways() == {"192.168.7.0/24": f"{A} eth0"}
    router.feed(LinkChanged(3, "eth1", up=True, carrier=True))
    assert router.ways() == {"192.168.7.0/24": f"{A} eth0, 10.9.0.254 eth1"}


def test_the_only_hop_that_is_left_has_no_weight() -> None:
    """The kernel would not tell it back."""
    router = Router(A, beside=("10.8.0.0/24",))
    hops = (
        NextHop(Address.parse("10.0.0.254"), "eth0", weight=3),
        NextHop(Address.parse("10.8.0.254"), "eth1"),
    )
    both = KernelRoute(Prefix.parse("10.9.0.0/16"), Route(RouteKind.UNICAST, hops, 0), 4)
    router.kernel_changed(both, present=True)
    router.announce(A, "192.168.7.0/24", next_hop="10.9.0.2")
    assert router.routes()["192.168.7.0/24"].next_hops == hops
    router.feed(LinkChanged(3, "eth1", up=True, carrier=False))
    assert router.routes()["192.168.7.0/24"].next_hops == (hops[0]._replace(weight=1),)


def test_two_next_hops_by_one_router_are_one_way() -> None:
    router = Router(A, B)
    router.kernel_changed(DEFAULT, present=True)
    router.announce(A, "192.168.7.0/24", next_hop="10.9.0.2")
    router.announce(B, "192.168.7.0/24", next_hop="10.9.0.3")
    assert router.routes()["192.168.7.0/24"].next_hops == (NextHop(Address.parse("10.0.0.254"), "eth0"),)


def test_a_route_is_no_way_to_its_own_next_hop() -> None:
    router = Router(A)
    router.kernel_changed(DEFAULT, present=True)
    router.announce(A, "10.9.0.0/16", next_hop="10.9.0.2")
    assert router.ways() == {}
    assert [problem.reason for problem in router.problems()] == [
        "the route to 10.9.0.0/16, which leads to it, cannot be used itself; not used for 1 prefixes"
    ]
    router.withdraw(A, "10.9.0.0/16")
    assert router.problems() == ()


def test_a_host_route_by_way_of_the_host_says_nothing_of_the_way() -> None:
    router = Router(A, B)
    router.announce(A, f"{B}/32", next_hop=B)
    router.announce(A, "192.168.7.0/24", next_hop=B)
    assert router.ways() == {f"{B}/32": f"{B} eth0", "192.168.7.0/24": f"{B} eth0"}


def test_of_two_routes_that_are_each_others_way_none_is_used() -> None:
    router = Router(A)
    router.kernel_changed(DEFAULT, present=True)
    router.announce(A, "10.8.0.0/16", next_hop="10.9.0.1")
    router.announce(A, "10.9.0.0/16", next_hop="10.8.0.1")
    assert router.ways() == {}
    router.announce(A, "10.9.0.0/16")
    assert router.ways() == {"10.8.0.0/16": f"{A} eth0", "10.9.0.0/16": f"{A} eth0"}


def test_a_path_that_would_lead_through_the_route_itself_gives_way_to_the_next() -> None:
    """10.8.0.0/16 by 10.9.0.1 would be reached by 10.9.0.0/16, and that by 10.8.0.0/16."""
    router = Router(A, B)
    router.announce(B, "10.8.0.0/16")
    router.announce(A, "10.9.0.0/16", next_hop="10.8.0.1")
    router.announce(A, "10.8.0.0/16", next_hop="10.9.0.1", local_pref=200)
    assert router.ways() == {"10.8.0.0/16": f"{B} eth0", "10.9.0.0/16": f"{B} eth0"}
    (problem,) = router.problems()
    assert problem.subject == "next hop 10.9.0.1"
    assert problem.reason.startswith("the way to it leads through 10.8.0.0/16, 10.9.0.0/16, to which")


def test_an_address_in_our_own_block_that_is_not_here_leads_nowhere() -> None:
    router = Router(A, aggregates=(Prefix.parse("10.65.0.0/26"),))
    router.announce(A, "192.168.7.0/24", next_hop="10.65.0.9")
    assert router.ways() == {"10.65.0.0/26": "blackhole"}
    assert router.problems()[0].reason.startswith("it would be in our own block 10.65.0.0/26")
    router.kernel_changed(foreign("10.65.0.9/32", None, "cali9"), present=True)
    assert router.ways() == {"10.65.0.0/26": "blackhole", "192.168.7.0/24": "10.65.0.9 cali9"}


def test_what_is_kept_out_of_the_kernel_is_no_way() -> None:
    router = Router(A, kernel_exclusions=(Prefix.parse("10.65.0.0/16"),))
    router.announce(A, "10.65.2.0/26")
    router.announce(A, "192.168.7.0/24", next_hop="10.65.2.7")
    assert router.ways() == {}
    router.kernel_changed(foreign("10.65.2.0/26", "10.65.2.0", "vxlan.calico", onlink=True), present=True)
    assert router.ways() == {"192.168.7.0/24": "10.65.2.0 vxlan.calico"}


def test_routes_by_a_node_behind_wireguard_are_left_to_felix() -> None:
    router = Router(A, B, encrypted_next_hops=(Address.parse(B),))
    router.announce(B, "10.65.3.0/26")
    router.announce(A, "10.65.2.0/26")
    router.announce(B, "10.65.2.0/26")
    router.announce(A, "192.168.7.0/24", next_hop="10.65.3.7")
    assert router.ways() == {"10.65.2.0/26": f"{A} eth0"}
    kept_out = [
        look(Prefix.parse(text), router.agent._auditing._rooms) for text in ("10.65.2.0/26", "10.65.3.0/26")
    ]
    assert kept_out == [None, None], "an audit takes it for wanted"
    router.kernel_changed(foreign("10.65.3.0/26", None, "wireguard.cali"), present=True)
    assert router.ways() == {"10.65.2.0/26": f"{A} eth0", "192.168.7.0/24": "10.65.3.7 wireguard.cali"}


def test_a_static_route_leads_to_a_peer_and_is_reached_by_a_router_itself() -> None:
    router = Router("10.9.0.2", static_routes=(StaticRoute(Prefix.parse("10.9.0.2/32"), Address.parse(A)),))
    router.announce("10.9.0.2", "192.168.7.0/24")
    assert router.ways() == {"10.9.0.2/32": f"{A} eth0", "192.168.7.0/24": f"{A} eth0"}


def test_the_default_route_of_a_peer_leads_to_everything_else() -> None:
    router = Router(A, "10.9.0.2")
    router.announce("10.9.0.2", "10.65.3.0/26")
    router.announce(A, "0.0.0.0/0")
    assert router.ways() == {"0.0.0.0/0": f"{A} eth0", "10.65.3.0/26": f"{A} eth0"}
    router.kernel_changed(foreign("10.9.0.0/16", "10.0.0.253", "eth0"), present=True)
    assert router.ways() == {"0.0.0.0/0": f"{A} eth0", "10.65.3.0/26": "10.0.0.253 eth0"}


def test_ipv6_is_resolved_like_ipv4() -> None:
    router = Router("fd30::2", connected=("10.0.0.0/24", "fd30::/64"))
    router.announce("fd30::2", "fd65:2::/122")
    router.announce("fd30::2", "fd99::/64", next_hop="fd65:2::7")
    router.announce("fd30::2", "fd98::/64", next_hop="fd31::7")
    assert router.ways() == {"fd65:2::/122": "fd30::2 eth0", "fd99::/64": "fd30::2 eth0"}
    assert [problem.subject for problem in router.problems()] == ["next hop fd31::7"]


def test_next_hops_that_nobody_uses_any_more_are_forgotten() -> None:
    router = Router(A)
    speaker = router.agent._speaker
    for number in range(1, 1100):
        router.announce(A, "192.168.7.0/24", next_hop=f"10.9.{number // 250}.{number % 250 + 1}")
    assert len(speaker.next_hops._met) < 600
    assert router.problems()[0].reason == "no route leads to it; not used for 1 prefixes"
    router.announce(A, "192.168.7.0/24", next_hop="10.9.0.2")
    router.kernel_changed(DEFAULT, present=True)
    assert router.ways() == {"192.168.7.0/24": "10.0.0.254 eth0"}


def test_nobody_is_told_of_a_route_that_is_not_resolvable() -> None:
    router = Router(A)
    router.announce(A, "192.168.7.0/24", next_hop="10.9.0.2")
    (found,) = router.agent._speaker.routes(IPV4, 10)
    assert (found.best, router.agent._speaker.selected(IPV4, Prefix.parse("192.168.7.0/24").nlri)) == (
        False,
        None,
    )


def test_what_is_judged_as_before_is_not_decided_again() -> None:
    router = Router(A)
    router.announce(A, "192.168.7.0/24")
    speaker = router.agent._speaker
    verdict = Reachability(resolvable=True)
    speaker.judge({Address.parse(A): verdict})
    assert not speaker._loc_ribs[IPV4].has_work
    speaker.judge({Address.parse(A): replace_through(verdict)})
    assert speaker._loc_ribs[IPV4].has_work


def replace_through(verdict: Reachability) -> Reachability:
    return verdict._replace(through=frozenset({Prefix.parse("10.0.0.0/8")}))
