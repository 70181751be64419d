"""The class Routes of a report: which route is in use, where it leads, where it comes from."""

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.snapshot import RouteSnapshot
from felixbgp.cluster.parts import whole
from felixbgp.fib.types import KernelRoute, NextHop, Route
from felixbgp.fib.types import RouteKind as KernelKind
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.resources.calico_node_status import RouteKind, RouteSourceType
from felixbgp.status.report_routes import (
    ROUTES_MAX,
    RouteFacts,
    RouteReport,
    RouteTables,
    Surroundings,
    routes_of,
)

METRIC = 1024
FAR = Prefix.parse("10.65.1.0/26")
PEER = Address.parse("10.0.0.2")
OTHER = Address.parse("10.0.0.3")
LAN = KernelRoute(Prefix.parse("10.0.0.0/24"), Route(KernelKind.UNICAST, (NextHop(None, "eth0"),), 0), 2)
FIB, RIB = RouteKind.FIB, RouteKind.RIB


def learned(prefix: Prefix = FAR, peer: Address = PEER, *, best: bool = True) -> RouteSnapshot:
    return RouteSnapshot(prefix.nlri, RouteSource.BGP, PeerId(peer), peer, best)


def foreign(prefix: Prefix, kind: KernelKind, metric: int = 0, *hops: NextHop) -> KernelRoute:
    return KernelRoute(prefix, Route(kind, hops, metric), 80)


def tables(
    paths: tuple[RouteSnapshot, ...] = (),
    kernel: tuple[KernelRoute, ...] = (),
    wanted: dict[Prefix, Route] | None = None,
    scope: str = "mesh",
) -> RouteTables:
    v4 = RouteFacts(IPV4, paths, [route for route in kernel if route.prefix.family == IPV4])
    v6 = RouteFacts(IPV6, (), [route for route in kernel if route.prefix.family == IPV6])
    around = Surroundings(METRIC, (wanted or {}).get, {PeerId(PEER): PeerOrigin(scope, "p")})
    return whole(routes_of(v4, v6, around))


def shown(*found: RouteReport) -> list[tuple[RouteKind, str, str, str]]:
    return [
        (route.kind, str(route.destination), str(route.gateway or "N/A"), route.interface) for route in found
    ]


@pytest.mark.parametrize(
    ("scope", "source"),
    [
        ("mesh", RouteSourceType.NODE_MESH),
        ("node", RouteSourceType.BGP_PEER),
        ("global", RouteSourceType.BGP_PEER),
    ],
)
def test_a_learned_route_leads_to_its_next_hop_through_the_connected_network(
    scope: str, source: RouteSourceType
) -> None:
    found = tables((learned(),), (LAN,), scope=scope).v4
    assert found == (
        RouteReport(FIB, LAN.prefix, None, "eth0", RouteSourceType.DIRECT),
        RouteReport(FIB, FAR, PEER, "eth0", source, PEER),
    )


def test_where_we_write_no_routes_none_is_in_use() -> None:
    around = Surroundings(METRIC, None, {})
    facts = RouteFacts(IPV4, (learned(), learned(peer=OTHER, best=False)), ())
    found = whole(routes_of(facts, RouteFacts(IPV6, (), ()), around))
    assert [route.kind for route in found.v4] == [RIB, RIB]


def test_the_best_path_comes_first_and_the_others_are_in_no_use() -> None:
    found = tables((learned(peer=PEER, best=False), learned(peer=OTHER))).v4
    assert shown(*found) == [
        (FIB, "10.65.1.0/26", "10.0.0.3", ""),
        (RIB, "10.65.1.0/26", "10.0.0.2", ""),
    ]
    # A peer that is in no origin is on its way out.
    assert found[0].source is RouteSourceType.BGP_PEER


def test_a_route_through_a_tunnel_has_the_tunnels_interface() -> None:
    wanted = {FAR: Route(KernelKind.UNICAST, (NextHop(OTHER, "eth9"), NextHop(PEER, "tunl0", onlink=True)))}
    assert shown(*tables((learned(),), (LAN,), wanted).v4)[1] == (FIB, "10.65.1.0/26", "10.0.0.2", "tunl0")


def test_a_block_of_our_own_is_a_blackhole() -> None:
    own = RouteSnapshot(FAR.nlri, RouteSource.AGGREGATE, None, None, best=True)
    assert tables((own,)).v4 == (RouteReport(FIB, FAR, None, "blackhole", RouteSourceType.STATIC),)


def test_a_static_route_to_a_peer_is_static() -> None:
    own = RouteSnapshot(FAR.nlri, RouteSource.STATIC, None, PEER, best=True)
    assert tables((own,), (LAN,)).v4[1] == RouteReport(FIB, FAR, PEER, "eth0", RouteSourceType.STATIC)


def test_a_workloads_route_is_told_once_as_the_kernel_has_it() -> None:
    host = Prefix.parse("10.65.1.7/32")
    # Of our own metric too: IPv6 routes have 1024 where nobody says otherwise.
    kernel = foreign(host, KernelKind.UNICAST, METRIC, NextHop(None, "cali1"))
    found = tables((learned(host, best=False),), (kernel,)).v4
    assert found == (
        RouteReport(FIB, host, None, "cali1", RouteSourceType.KERNEL),
        RouteReport(RIB, host, PEER, "", RouteSourceType.NODE_MESH, PEER),
    )


@pytest.mark.parametrize(("metric", "kinds"), [(0, [RIB, FIB]), (METRIC + 1, [FIB, RIB])])
def test_the_kernel_uses_the_lower_metric(metric: int, kinds: list[RouteKind]) -> None:
    kernel = foreign(FAR, KernelKind.UNICAST, metric, NextHop(OTHER, "eth1"))
    found = tables((learned(),), (kernel,)).v4
    by_source = {route.source: route.kind for route in found}
    assert [by_source[RouteSourceType.NODE_MESH], by_source[RouteSourceType.KERNEL]] == kinds


def test_a_route_is_in_use_by_the_metric_that_it_has() -> None:
    kernel = foreign(FAR, KernelKind.UNICAST, METRIC, NextHop(OTHER, "eth1"))
    for metric, kinds in ((METRIC - 1, [FIB, RIB]), (METRIC + 1, [RIB, FIB])):
        wanted = {FAR: Route(KernelKind.UNICAST, (NextHop(PEER),), metric)}
        by_source = {route.source: route.kind for route in tables((learned(),), (kernel,), wanted).v4}
        assert [by_source[RouteSourceType.NODE_MESH], by_source[RouteSourceType.KERNEL]] == kinds


@pytest.mark.parametrize(
    ("kind", "interface"),
    [
        (KernelKind.BLACKHOLE, "blackhole"),
        (KernelKind.UNREACHABLE, "unreachable"),
        (KernelKind.PROHIBIT, "prohibit"),
    ],
)
def test_a_kernel_route_that_leads_nowhere(kind: KernelKind, interface: str) -> None:
    assert shown(*tables(kernel=(foreign(FAR, kind),)).v4) == [(FIB, "10.65.1.0/26", "N/A", interface)]


def test_local_addresses_and_link_local_networks_are_not_told() -> None:
    link_local = KernelRoute(Prefix.parse("fe80::/64"), LAN.route._replace(metric=256), 2)
    found = tables(kernel=(foreign(FAR, KernelKind.OTHER), link_local))
    assert (found.v4, found.v6) == ((), ())


def test_routes_beyond_the_room_are_cut_those_in_no_use_first() -> None:
    many = [Prefix.of(Address(number.to_bytes(4, "big")), 32) for number in range(ROUTES_MAX // 2 + 1)]
    paths = tuple(learned(prefix, peer, best=peer == OTHER) for prefix in many for peer in (PEER, OTHER))
    lan_v6 = KernelRoute(Prefix.parse("fd00::/64"), LAN.route._replace(metric=256), 2)
    found = tables(paths, (lan_v6,))
    assert found.cut
    assert (len(found.v4), len(found.v6)) == (ROUTES_MAX - 1, 1)
    assert sum(route.kind is FIB for route in found.v4) == len(many)
    assert not tables(paths[:10]).cut


def test_a_connected_network_is_told_once_and_a_single_address_without_the_kernels_help() -> None:
    """The kernel has routes to its own addresses elsewhere."""
    host = Prefix.parse("10.65.9.9/32")
    paths = tuple(
        RouteSnapshot(prefix.nlri, RouteSource.DIRECT, None, None, best=True, interface=interface)
        for prefix, interface in ((LAN.prefix, "eth0"), (host, "lo"))
    )
    assert tables(paths, (LAN,)).v4 == (
        RouteReport(FIB, LAN.prefix, None, "eth0", RouteSourceType.DIRECT),
        RouteReport(FIB, host, None, "lo", RouteSourceType.DIRECT),
    )
