"""The way out against a model: peers that come, go, move, ask again and stop reading while routes change.

Parts are tiny here, so that everything that goes part by part is interrupted by everything else. A peer is
its side of the wire: it holds what it was told, and minds whatever it need not have been told.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.advertising import Advertising
from felixbgp.bgp.config import NextHopMode, PeerId
from felixbgp.bgp.policy.evaluate import evaluate
from felixbgp.bgp.policy.types import Action, AddCommunity, Match, Policy, PrefixMatch, Rule
from felixbgp.bgp.rib import adj_rib_out
from felixbgp.bgp.rib.adj_rib_out import IN_FLIGHT_MAX, Outlet
from felixbgp.bgp.rib.export import ExportView, told_attributes
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.wire.codec import decode_route_refresh, encode_route_refresh
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import (
    MessageType,
    Negotiated,
    PathAttributes,
    RouteRefreshMessage,
    UpdateMessage,
)
from felixbgp.bgp.wire.update import decode_update
from felixbgp.net import IPV4, Address, Nlri, Prefix
from felixbgp.net import table as table_module
from tests.support.paths import path, path_peer

PREFIXES = [Prefix.parse(f"10.{first}.{second}.0/24").nlri for first in (1, 2) for second in range(4)]
ONE = Prefix(IPV4, PREFIXES[0])
SOURCES = [path_peer(f"10.0.0.{host}", client=True) for host in (1, 2, 3)]
PATHS = [
    [path(source, local_pref=100 + pref, med=med) for pref, med in ((0, 1), (5, 2))] for source in SOURCES
]
"""Two for each source; those of the last one are told as the best ones among equals never are."""
PEERS = [PeerId(Address.parse(f"10.0.0.{host}")) for host in (1, 2, 3, 4)]
POLICIES = [
    Policy(),
    Policy((Rule("one", Match(PrefixMatch.equal(ONE)), Action.REJECT),)),
    Policy((Rule("colour", Match(), Action.ACCEPT, (AddCommunity(7),)),)),
    Policy(default=Action.REJECT),
]
BEGIN, END = (encode_route_refresh(RouteRefreshMessage(IPV4, subtype)) for subtype in (1, 2))


def view_of(policy: int, *, add_path: bool) -> ExportView:
    return ExportView(
        family=IPV4,
        external=False,
        client=True,
        local_as=64512,
        local_address=Address.parse("10.0.0.100"),
        next_hop=NextHopMode.SELF,
        cluster_id=bytes(4),
        policy=POLICIES[policy],
        add_path=add_path,
    )


class Receiver:
    """A peer's end of a session."""

    def __init__(self, peer: PeerId, world: "World", view: ExportView) -> None:
        self.peer, self.world, self.view = peer, world, view
        self.outlet = Outlet(0, [])
        self.known: dict[Nlri, PathAttributes] = {}
        self.stale: set[Nlri] | None = None
        """Between the marks of a refresh: what was not told again yet."""
        self.asked = False
        self.reads = True
        self.is_complete = False
        families = (IPV4,) if view.add_path else ()
        self.negotiated = Negotiated(
            families=(IPV4,),
            peer_as=64512,
            peer_identifier=peer.address,
            hold_time_ns=0,
            keepalive_ns=0,
            add_path_receive=families,
        )
        self.framer = Framer()

    def read(self) -> None:
        messages, self.outlet.outbox = self.outlet.outbox, []
        self.framer.feed(b"".join(messages))
        if self.reads:
            self.outlet.in_flight = 0
        for kind, body in self.framer.messages():
            if kind is MessageType.ROUTE_REFRESH:
                self.mark(decode_route_refresh(body, enhanced=True).subtype)
            else:
                self.take(decode_update(body, self.negotiated, ebgp=False))

    def mark(self, subtype: int) -> None:
        if subtype == 1:
            self.stale = set(self.known)
        else:
            assert not self.stale
            self.stale = None

    def take(self, update: UpdateMessage) -> None:
        assert not update.errors
        for _, nlris in update.withdrawn:
            for nlri in nlris:
                del self.known[nlri]  # KeyError: it never was told of it.
                (self.stale or set()).discard(nlri)
        for _, attributes, nlris in update.announced:
            for nlri in nlris:
                assert self.asked or self.known.get(nlri) != attributes
                assert nlri not in self.world.held
                self.known[nlri] = attributes
                (self.stale or set()).discard(nlri)
        if update.end_of_rib is not None:
            assert not self.is_complete
            self.is_complete = True
            assert self.view.add_path or self.known == self.world.wanted(self)


class World:
    """A Loc-RIB, the way out, and those who are told."""

    def __init__(self) -> None:
        self.loc_rib = LocRib(IPV4)
        self.advertising = Advertising({IPV4: self.loc_rib})
        self.present: dict[tuple[int, Nlri], Path] = {}
        self.receivers: dict[PeerId, Receiver] = {}
        self.held: set[Nlri] = set()
        self.budget = 1000

    def wanted(self, receiver: Receiver) -> dict[Nlri, PathAttributes]:
        """By brute force."""
        found: dict[Nlri, PathAttributes] = {}
        view = receiver.view
        for nlri in PREFIXES:
            best = self.loc_rib.path(nlri)
            for one in self.loc_rib.candidates(nlri) if view.add_path else (best,):
                if one is None or one.peer is None or one.peer.peer == receiver.peer:
                    continue
                verdict = evaluate(
                    view.policy, IPV4, nlri, source=one.source, interface="", attributes=one.attributes
                )
                told = told_attributes(view, one, verdict.attributes) if verdict.accepted else None
                if told is not None:
                    number = self.advertising._numbers.identifier(one) if view.add_path else b""
                    found[number + nlri] = told
        return found

    def announce(self, source: int, nlris: list[Nlri], which: int) -> None:
        new = PATHS[source][which]
        self.loc_rib.add([nlri for nlri in nlris if (source, nlri) not in self.present], new)
        for nlri in nlris:
            old = self.present.get((source, nlri))
            if old is not None:
                self.loc_rib.replace(nlri, old, new)
            self.present[source, nlri] = new

    def withdraw(self, source: int, nlris: list[Nlri]) -> None:
        for one in PATHS[source]:
            gone = [nlri for nlri in nlris if self.present.get((source, nlri)) is one]
            if gone:
                self.loc_rib.remove(gone, one)
            for nlri in gone:
                del self.present[source, nlri]

    def switch(self, peer: PeerId, policy: int, *, add_path: bool) -> None:
        """A session comes up, or goes down."""
        gone = self.receivers.pop(peer, None)
        if gone is not None:
            self.advertising.leave(gone.view, peer)
            return
        one = self.receivers[peer] = Receiver(peer, self, view_of(policy, add_path=add_path))
        self.advertising.join(one.view, peer, one.outlet)

    def move(self, peers: list[PeerId], policy: int) -> None:
        for peer in peers:
            one = self.receivers.get(peer)
            if one is not None:
                old, one.view = one.view, view_of(policy, add_path=one.view.add_path)
                self.advertising.move(peer, old, one.view)
        self.advertising.carry_out_moves()

    def refresh(self, peer: PeerId) -> None:
        one = self.receivers.get(peer)
        if one is not None:
            one.asked = True
            self.advertising.refresh(one.view, peer, ((BEGIN,), (END,)))

    def stop(self, peer: PeerId) -> None:
        """It stops reading, or goes on."""
        one = self.receivers.get(peer)
        if one is not None:
            one.reads = not one.reads
            one.outlet.in_flight = 0 if one.reads else IN_FLIGHT_MAX

    def hold(self, nlris: list[Nlri]) -> None:
        released, self.held = self.held - set(nlris), set(nlris)
        self.advertising.release(IPV4, sorted(released))

    def drain(self) -> None:
        self.advertising.mark(IPV4, self.loc_rib.decide(self.budget, None))
        self.advertising.withdraw(self.budget)
        self.advertising.announce(self.budget, {IPV4: self.held}, 0)
        self.read()

    def read(self) -> None:
        for one in self.receivers.values():
            one.read()
        counts = self.advertising.advertised_counts()
        assert counts == {peer: len(one.known) for peer, one in self.receivers.items()}

    def rest(self) -> None:
        """Everybody reads, nothing is held, and all is told."""
        self.hold([])
        for peer, one in self.receivers.items():
            if not one.reads:
                self.stop(peer)
        self.drain()
        for _ in range(10_000):
            if not self.loc_rib.has_work and self.advertising.next_deadline() is None:
                break
            self.drain()
        assert self.advertising.pending_count() == self.advertising.untold_count() == 0
        for one in self.receivers.values():
            assert one.known == self.wanted(one)
            assert one.is_complete
            assert one.stale is None
        groups = self.advertising._groups.values()
        assert all(len(group._tables) == 1 and not group._departed for group in groups)
        assert not any(group._discarded for group in groups)
        assert not self.advertising._left


source = st.integers(0, 2)
peer = st.sampled_from(PEERS)
policy = st.integers(0, len(POLICIES) - 1)
nlris = st.lists(st.sampled_from(PREFIXES), unique=True, min_size=1)
steps = st.one_of(
    st.tuples(st.just("announce"), source, nlris, st.integers(0, 1)),
    st.tuples(st.just("announce"), source, st.just(PREFIXES), st.integers(0, 1)),
    st.tuples(st.just("withdraw"), source, nlris),
    st.tuples(st.just("withdraw"), source, st.just(PREFIXES)),
    st.tuples(st.just("switch"), peer, policy),
    st.tuples(st.just("move"), st.lists(peer, unique=True, min_size=1), policy),
    st.tuples(st.just("refresh"), peer),
    st.tuples(st.just("stop"), peer),
    st.tuples(st.just("hold"), nlris),
    st.tuples(st.just("drain")),
    st.tuples(st.just("drain")),
    st.tuples(st.just("drain")),
)


@pytest.fixture(autouse=True, scope="module")
def tiny_parts() -> Iterator[None]:
    before = table_module.PART_MAX, adj_rib_out.PENDING_MAX
    table_module.PART_MAX, adj_rib_out.PENDING_MAX = 1, 2
    yield
    table_module.PART_MAX, adj_rib_out.PENDING_MAX = before


@given(st.lists(steps, max_size=50), st.sampled_from([1, 2, 1000]), st.booleans(), st.integers(0, 8))
def test_peers_know_what_they_should_and_were_told_nothing_else(
    happening: list[tuple[object, ...]], budget: int, add_path: bool, at_first: int
) -> None:
    world = World()
    world.budget = budget
    world.announce(0, PREFIXES[:at_first], 0)
    world.switch(PEERS[1], 0, add_path=add_path)
    world.switch(PEERS[0], 1, add_path=add_path)
    if at_first:
        world.rest()
    for one in PEERS[2:]:
        world.switch(one, 0, add_path=add_path)
    for name, *arguments in happening:
        if name == "switch":
            world.switch(*arguments, add_path=add_path)  # type: ignore[arg-type]
        else:
            getattr(world, str(name))(*arguments)
    world.rest()
