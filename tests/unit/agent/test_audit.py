"""The rules by which intent, Loc-RIB and kernel are compared, one prefix at a time, and the walk over all."""

from collections.abc import Iterator

import pytest

from felixbgp.agent.audit import Reading, Walk, compare_kernel, compare_tables
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Precedence, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import IPV4, Address, Family, Nlri, Prefix
from felixbgp.status.audit import Kind

OURS, STATIC = 179, 4
PREFIX = Prefix.parse("10.0.0.0/24")


def via(*gateways: str, metric: int = 1024, interface: str = "") -> Route:
    hops = (NextHop(Address.parse(gateway), interface) for gateway in gateways)
    return Route(RouteKind.UNICAST, tuple(hops), metric)


def found(route: Route, protocol: int = OURS, prefix: Prefix = PREFIX) -> KernelRoute:
    return KernelRoute(prefix, route, protocol)


A, B = via("192.0.2.1"), via("192.0.2.2")
BLACKHOLE = Route(RouteKind.BLACKHOLE)

KERNEL_ROWS: list[tuple[str, Route | None, list[Route], list[Route], Kind | None]] = [
    ("neither wanted nor there", None, [], [], None),
    ("as wanted", A, [A], [], None),
    ("the kernel has filled in the interface", A, [via("192.0.2.1", interface="eth0")], [], None),
    ("as wanted beside a foreign one of another metric", A, [A], [via("192.0.2.9", metric=20)], None),
    ("a foreign one alone, and nothing wanted", None, [], [A], None),
    ("not there", A, [], [], Kind.MISSING),
    ("not there, and a foreign one of another metric is", A, [], [via("192.0.2.9", metric=20)], Kind.MISSING),
    ("another gateway", A, [B], [], Kind.DIFFERENT),
    ("a next hop too few", via("192.0.2.1", "192.0.2.2"), [A], [], Kind.DIFFERENT),
    ("another kind", A, [BLACKHOLE], [], Kind.DIFFERENT),
    ("another metric", A, [via("192.0.2.1", metric=7)], [], Kind.DIFFERENT),
    ("nobody wants it", None, [A], [], Kind.UNWANTED),
    ("one more of another metric", A, [A, via("192.0.2.1", metric=7)], [], Kind.UNWANTED),
    ("one more of the same metric", A, [A, B], [], Kind.UNWANTED),
    ("a foreign one of our metric", A, [], [B], Kind.CONFLICT),
    ("a foreign one that leads to the same", A, [], [A], Kind.CONFLICT),
    ("a foreign one of our metric, and ours of another", A, [via("192.0.2.1", metric=7)], [B], Kind.CONFLICT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "own", "foreign", "kind"),
    [row[1:] for row in KERNEL_ROWS],
    ids=[row[0] for row in KERNEL_ROWS],
)
def test_the_kernel(wanted: Route | None, own: list[Route], foreign: list[Route], kind: Kind | None) -> None:
    assert compare_kernel(wanted, map(found, own), [found(route, STATIC) for route in foreign]) is kind


def learned(*gateways: str) -> Selected:
    hops = tuple(map(Address.parse, gateways))
    return Selected(RouteSource.BGP, PeerId(Address.parse("192.0.2.1")), hops, PathAttributes(), "only path")


def local(source: RouteSource) -> Selected:
    return Selected(source, None, (), PathAttributes(), "only path")


LEARNED = learned("192.0.2.1")
BLOCK, WORKLOAD = LocalRoute(RouteSource.AGGREGATE), LocalRoute(RouteSource.KERNEL, "cali1")
OTHERS_FIRST = LocalRoute(RouteSource.KERNEL, "eth0", precedence=Precedence.LAST)
KEPT_OUT = "10.0.0.0/8 stays out of the kernel"

TABLE_ROWS: list[
    tuple[str, LocalRoute | None, Selected | None, Route | None, str, Kind | None]
] = [
    ("nothing at all", None, None, None, "", None),
    ("learned, and asked of the kernel", None, LEARNED, A, "", None),
    ("learned, and kept out of the kernel", None, LEARNED, None, KEPT_OUT, None),
    ("a block", BLOCK, local(RouteSource.AGGREGATE), BLACKHOLE, "", None),
    ("a service range, kept out of the kernel", BLOCK, local(RouteSource.AGGREGATE), None, KEPT_OUT, None),
    ("a workload, in the kernel already", WORKLOAD, local(RouteSource.KERNEL), None, "", None),
    ("a static route", LocalRoute(RouteSource.STATIC), local(RouteSource.STATIC), A, "", None),
    ("a workload whose route gave way to a learned one", OTHERS_FIRST, LEARNED, A, "", None),
    ("one that may give way, and nothing is selected", OTHERS_FIRST, None, None, "", Kind.NOT_ORIGINATED),
    ("a block that the Loc-RIB has not", BLOCK, None, None, "", Kind.NOT_ORIGINATED),
    ("a block that the Loc-RIB has from another", BLOCK, LEARNED, A, "", Kind.NOT_ORIGINATED),
    ("a workload that is taken for a block", WORKLOAD, local(RouteSource.AGGREGATE), BLACKHOLE, "",
     Kind.NOT_ORIGINATED),
    ("originated, and not wanted any more", None, local(RouteSource.AGGREGATE), BLACKHOLE, "",
     Kind.NOT_INTENDED),
    ("learned, and not asked of the kernel", None, LEARNED, None, "", Kind.NOT_PROGRAMMED),
    ("a block, and not asked of the kernel", BLOCK, local(RouteSource.AGGREGATE), None, "",
     Kind.NOT_PROGRAMMED),
    ("asked of the kernel, and from nowhere", None, None, A, "", Kind.NOT_SELECTED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("intended", "selected", "wanted", "excluded", "kind"),
    [row[1:] for row in TABLE_ROWS],
    ids=[row[0] for row in TABLE_ROWS],
)
def test_the_tables(
    intended: LocalRoute | None,
    selected: Selected | None,
    wanted: Route | None,
    excluded: str,
    kind: Kind | None,
) -> None:
    assert compare_tables(intended, selected, wanted, excluded) is kind


def numbered(number: int) -> Prefix:
    return Prefix.parse(f"10.0.{number}.0/24")


class LearnedEverything:
    """Tables in which the kernel is asked for exactly what was learned."""

    def __init__(self, wanted: dict[Prefix, Route]) -> None:
        self._wanted = wanted

    def intended(self, prefix: Prefix) -> LocalRoute | None:  # noqa: ARG002 - the protocol's
        return None

    def selected(self, prefix: Prefix) -> Selected | None:
        return LEARNED if prefix in self._wanted else None

    def wanted(self, prefix: Prefix) -> Route | None:
        return self._wanted.get(prefix)

    def excluded(self, prefix: Prefix) -> str:  # noqa: ARG002 - the protocol's
        return ""

    def prefixes(self, family: Family) -> Iterator[Nlri | None]:
        for prefix in self._wanted:
            yield prefix.nlri if prefix.family == family else None


def reading(wanted: dict[Prefix, Route], *routes: KernelRoute, in_work: tuple[Prefix, ...] = ()) -> Reading:
    asked = {prefix.nlri: route for prefix, route in wanted.items()}
    return Reading(IPV4, routes, OURS, asked, {prefix.nlri: None for prefix in in_work})


@pytest.mark.parametrize("budget", [1, 2, 7, 1000])
def test_a_walk_finds_the_same_however_it_is_cut(budget: int) -> None:
    wanted = dict.fromkeys(map(numbered, range(6)), A)
    routes = [found(A, prefix=numbered(number)) for number in (0, 1, 2)]
    routes += [found(B, prefix=numbered(3)), found(B, STATIC, numbered(4)), found(A, prefix=numbered(9))]
    # A foreign one at a prefix of nobody's interest.
    routes.append(found(B, STATIC, numbered(8)))

    walk = Walk(reading(wanted, *routes), LearnedEverything(wanted))
    while not walk.is_over:
        walk.advance(budget)

    assert [(finding.prefix, finding.kind) for finding in walk.findings] == [
        (numbered(3), Kind.DIFFERENT),
        (numbered(4), Kind.CONFLICT),
        (numbered(5), Kind.MISSING),
        (numbered(9), Kind.UNWANTED),
    ]
    assert walk.compared == 7


def test_a_finding_has_all_routes_of_its_prefix_and_what_was_wanted() -> None:
    wanted = {PREFIX: A}
    ours, theirs = found(B), found(via("192.0.2.9", metric=20), STATIC)
    walk = Walk(reading(wanted, theirs, ours), LearnedEverything(wanted))
    walk.advance(100)
    (finding,) = walk.findings
    assert (finding.kernel, finding.wanted) == ((ours, theirs), A)


def test_what_is_in_work_is_expected_to_differ() -> None:
    wanted = {numbered(1): A, numbered(2): A}
    walk = Walk(reading(wanted, in_work=(numbered(2),)), LearnedEverything(wanted))
    walk.advance(100)
    assert [(finding.prefix, finding.expected) for finding in walk.findings] == [
        (numbered(1), False),
        (numbered(2), True),
    ]


def test_the_tables_are_as_they_are_when_the_walk_passes_and_may_only_be_undecided() -> None:
    learned_now: dict[Prefix, Route] = {}
    tables = LearnedEverything(learned_now)
    walk = Walk(reading({}), tables)
    learned_now[PREFIX] = A
    tables.wanted = lambda prefix: None  # type: ignore[method-assign]  # noqa: ARG005
    walk.advance(100)
    (finding,) = walk.findings
    assert (finding.kind, finding.expected) == (Kind.NOT_PROGRAMMED, True)
