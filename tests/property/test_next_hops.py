"""Whatever comes, in whatever order: the agent rests, the kernel takes all, and only the end counts."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from felixbgp.fib.types import KernelRoute, LinkChanged, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from tests.support.routers import Router

A, B = "10.0.0.2", "10.0.0.3"
PREFIXES = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.2.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.0.0.2/32",
)
NEXT_HOPS = (A, B, "10.1.2.3", "10.1.0.1", "10.2.0.1", "10.3.0.1")
GATEWAYS = (("10.0.0.254", "eth0"), ("10.5.0.254", "eth1"))

announcements = st.tuples(st.sampled_from(PREFIXES), st.sampled_from((None, *NEXT_HOPS)))
"""A prefix and its next hop; None withdraws it."""
foreigners = st.tuples(st.sampled_from(PREFIXES), st.sampled_from((None, *GATEWAYS)))
"""A route of somebody else and its gateway; None removes it."""
links = st.booleans()
"""Whether eth1 has a carrier."""
events = st.lists(st.one_of(announcements, foreigners, links), max_size=12)
Event = tuple[str, str | tuple[str, str] | None] | bool


class World:
    """A router and what holds now."""

    def __init__(self, *peers: str) -> None:
        self.router = Router(*peers, beside=("10.5.0.0/24",))
        self.announced: dict[str, str] = {}
        self.foreign: dict[str, KernelRoute] = {}
        self.carrier = True

    def take(self, event: Event, peer: str = A, local_pref: int = 100) -> None:
        if isinstance(event, bool):
            self.carrier = event
            self.router.feed(LinkChanged(3, "eth1", up=True, carrier=event))
            return
        prefix, way = event
        if isinstance(way, str):
            self.announced[prefix] = way
            self.router.announce(peer, prefix, next_hop=way, local_pref=local_pref)
        elif isinstance(way, tuple):
            hop = NextHop(Address.parse(way[0]), way[1])
            old, new = self.foreign.get(prefix), _foreign(prefix, hop)
            if old is not None and old != new:
                self.router.kernel_changed(old, present=False)
            self.foreign[prefix] = new
            self.router.kernel_changed(new, present=True)
        else:
            self.announced.pop(prefix, None)
            self.router.withdraw(peer, prefix)
            if (old := self.foreign.pop(prefix, None)) is not None:
                self.router.kernel_changed(old, present=False)

    def check(self) -> None:
        """No route was refused, none leads through a link without carrier, and none leads to itself."""
        assert [one for one in self.router.problems() if one.subject.startswith("route ")] == []
        for route in self.router.routes().values():
            for hop in route.next_hops:
                assert hop.interface == "eth0" or (hop.interface == "eth1" and self.carrier)
                assert hop.gateway in {Address.parse(one) for one in (A, B, *(way for way, _ in GATEWAYS))}


def _foreign(prefix: str, hop: NextHop) -> KernelRoute:
    return KernelRoute(Prefix.parse(prefix), Route(RouteKind.UNICAST, (hop,), 0), 4)


@settings(max_examples=300)
@given(events)
@example([("10.1.2.3/32", A), ("0.0.0.0/0", GATEWAYS[1]), ("10.1.2.3/32", "10.1.2.3"), False])
@example([("0.0.0.0/0", A), ("10.1.2.3/32", A), ("10.1.2.3/32", "10.1.2.3"), ("0.0.0.0/0", None)])
def test_with_one_path_per_prefix_only_the_end_counts(happened: list[Event]) -> None:
    world = World(A)
    for event in happened:
        world.take(event)
        world.check()
    fresh = World(A)
    fresh.take(world.carrier)
    for prefix, next_hop in sorted(world.announced.items()):
        fresh.take((prefix, next_hop))
    for prefix, route in sorted(world.foreign.items()):
        (hop,) = route.route.next_hops
        fresh.take((prefix, (str(hop.gateway), hop.interface)))
    assert world.router.ways() == fresh.router.ways()
    assert world.router.problems() == fresh.router.problems()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(((A, 100), (B, 200))), st.one_of(announcements, foreigners, links)))
)
def test_with_several_paths_the_agent_rests_and_the_kernel_takes_all(
    happened: list[tuple[tuple[str, int], Event]],
) -> None:
    world = World(A, B)
    for (peer, local_pref), event in happened:
        world.take(event, peer, local_pref)
        world.check()
