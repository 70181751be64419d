"""One Adj-RIB-In against a plain table: whatever was left for later is done in the end, and only once."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.policy.evaluate import evaluate
from felixbgp.bgp.policy.types import Action, AddCommunity, Match, Policy, PrefixMatch, RouteSource, Rule
from felixbgp.bgp.rib import adj_rib_in as adj_rib_in_module
from felixbgp.bgp.rib.acceptance import Acceptance
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.wire.communities import LLGR_STALE, NO_LLGR
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Nlri, Prefix
from felixbgp.net import table as table_module
from tests.support.paths import path_peer, sequence

NLRIS = [Prefix.parse(text).nlri for text in ("10.1.0.0/16", "10.2.0.0/16", "10.2.1.0/24", "11.0.0.0/8")]
GOOD = PathAttributes(next_hop=b"\12\0\0\2", as_path=sequence(65001))
SETS = [
    GOOD,
    GOOD.replace(med=1, next_hop=b"\12\0\0\3"),
    GOOD.replace(as_path=sequence(64512)),
    GOOD.replace(communities=(NO_LLGR,)),
]
LOOP = SETS[2]
ONE = Match(PrefixMatch.equal(Prefix(IPV4, NLRIS[0])))
POLICIES = [
    Policy(),
    Policy((Rule("not one", ONE, Action.REJECT),)),
    Policy((Rule("colour", ONE, Action.ACCEPT, (AddCommunity(7),)),)),
    Policy((Rule("no stale", Match(community=LLGR_STALE), Action.REJECT),)),
]
ACCEPTANCE = Acceptance(
    IPV4,
    local_as=frozenset((64512,)),
    allowed_local_as=0,
    identifier=b"\1\1\1\1",
    cluster_id=b"\1\1\1\1",
    own_addresses=frozenset(),
)


class Route(NamedTuple):
    """What the peer said of a prefix; `age`: how often the time to say it again has passed, and how."""

    attributes: PathAttributes
    age: str = "said"
    outlived: bool = False


class Peer:
    """The table by the book, in which everything happens at once."""

    def __init__(self) -> None:
        self.routes: dict[Nlri, Route] = {}
        self.not_outlived: set[Nlri] = set()
        """What went because it wants to outlive nothing, as long as the others await End-of-RIB."""
        self.policy = POLICIES[0]
        self.is_up = True

    @property
    def is_outliving(self) -> bool:
        """Whether something of the session before is kept as a last resort."""
        outlived = (route.outlived and route.age == "stale" for route in self.routes.values())
        return bool(self.not_outlived) or any(outlived)

    def _age(self, before: str, after: str) -> None:
        if after == "expired":
            self.not_outlived.clear()
        for nlri, route in self.routes.items():
            if route.age == before:
                self.routes[nlri] = route._replace(age=after)

    def happen(self, what: str, number: int, nlris: list[Nlri]) -> None:
        match what:
            case "announce":
                self.routes |= {nlri: Route(SETS[number]) for nlri in nlris}
                self.not_outlived -= {*nlris}
            case "withdraw":
                self.routes = {nlri: route for nlri, route in self.routes.items() if nlri not in nlris}
                self.not_outlived -= {*nlris}
            case "mark_stale":
                self._age("stale", "expired")
                self._age("said", "stale")
                self.is_up = False
            case "mark_stale_too":
                if self.is_outliving:
                    self._age("stale", "expired")
                self._age("said", "stale")
                self.is_up = False
            case "begin_refresh":
                self._age("said", "stale")
            case "end_refresh":
                self._age("stale", "expired")
            case "outlive":
                self._outlive()
            case "reconfigure":
                self.policy = POLICIES[number]
            case _:
                self.is_up = True

    def _outlive(self) -> None:
        for nlri, route in list(self.routes.items()):
            if route.age == "stale" and route.attributes == SETS[3]:
                del self.routes[nlri]
                self.not_outlived.add(nlri)
            elif route.age == "stale":
                self.routes[nlri] = route._replace(outlived=True)

    def may(self, what: str) -> bool:
        """Whether this can happen now."""
        if what in ("outlive", "resume"):
            return not self.is_up
        if what in ("reconfigure", "work_off", "decide"):
            return True
        if what == "begin_refresh":
            # RFC 7313 §4: not before End-of-RIB, after which nothing is left of the session before.
            return self.is_up and not self.is_outliving
        return self.is_up

    def accepted(self) -> dict[Nlri, PathAttributes]:
        """What the Loc-RIB should have once nothing is left to do."""
        found: dict[Nlri, PathAttributes] = {}
        for nlri, route in self.routes.items():
            attributes = route.attributes
            if route.age == "expired" or attributes == LOOP:
                continue
            if route.outlived:
                attributes = attributes.replace(communities=(*attributes.communities, LLGR_STALE))
            verdict = evaluate(
                self.policy, IPV4, nlri, source=RouteSource.BGP, interface="", attributes=attributes
            )
            if verdict.accepted:
                found[nlri] = verdict.attributes
        return found


@pytest.fixture(autouse=True, scope="module", params=[0, 1, 2])
def tiny_tables(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tables are split all the time, and some or all are too large to be moved at once."""
    before = (table_module.PART_MAX, adj_rib_in_module.MOVED_AT_ONCE)
    table_module.PART_MAX, adj_rib_in_module.MOVED_AT_ONCE = 1, request.param
    yield
    table_module.PART_MAX, adj_rib_in_module.MOVED_AT_ONCE = before


names = [
    "announce", "announce", "announce", "withdraw", "mark_stale", "mark_stale_too", "begin_refresh",
    "end_refresh", "outlive", "reconfigure", "resume", "work_off", "work_off", "decide",
]  # fmt: skip
steps = st.lists(
    st.tuples(
        st.sampled_from(names), st.integers(0, 3), st.lists(st.sampled_from(NLRIS), min_size=1, max_size=3)
    ),
    max_size=40,
)


@given(steps)
def test_in_the_end_everything_is_as_if_it_had_been_done_at_once(
    happening: list[tuple[str, int, Any]],
) -> None:
    loc_rib, peer = LocRib(IPV4), Peer()
    due: dict[AdjRibIn, None] = {}
    rib = AdjRibIn(loc_rib, path_peer("10.0.0.2", asn=65001), ACCEPTANCE, POLICIES[0], due=due)
    for what, number, nlris in happening:
        if not peer.may(what):
            continue
        if what == "work_off":
            rib.work_off(number)
        elif what == "decide":
            loc_rib.decide(number, None)
        else:
            peer.happen(what, number, nlris)
            happen(rib, what, number, nlris)
        assert not rib.has_work or rib in due
        assert len(rib) >= len([route for route in peer.routes.values() if route.age != "expired"])
    while rib.has_work:
        rib.work_off(1)
    while loc_rib.has_work:
        loc_rib.decide(1, None)
    assert_as_if_at_once(rib, loc_rib, peer)


def happen(rib: AdjRibIn, what: str, number: int, nlris: list[Nlri]) -> None:
    if what == "announce":
        rib.announce(SETS[number], nlris)
    elif what == "withdraw":
        rib.withdraw(nlris)
    elif what == "reconfigure":
        rib.reconfigure(path_peer("10.0.0.2", asn=65001), ACCEPTANCE, POLICIES[number])
    elif what != "resume":
        getattr(rib, what)()


def assert_as_if_at_once(rib: AdjRibIn, loc_rib: LocRib, peer: Peer) -> None:
    left = {nlri: route for nlri, route in peer.routes.items() if route.age != "expired"}
    accepted = peer.accepted()
    assert {nlri: rib.attributes(nlri) for nlri in rib.prefixes()} == {
        nlri: route.attributes for nlri, route in left.items()
    }
    assert {nlri: loc_rib.candidates(nlri)[0].attributes for nlri in loc_rib.prefixes()} == accepted
    assert (len(rib), rib.accepted_count, loc_rib.path_count) == (len(left), len(accepted), len(accepted))
    assert rib.stale_count == len([route for route in left.values() if route.age == "stale"])
    for nlri, route in left.items():
        refused = rib.refusal(nlri)
        assert (refused == "") is (nlri in accepted)
        assert refused.startswith("AS loop") is (route.attributes == LOOP)
    assert rib.attributes_count == len({(route.attributes, route.outlived) for route in left.values()})
    in_use = {route.attributes.next_hop for route in left.values()}
    loc_rib.next_hops.take_unjudged()
    assert not in_use & {bytes(one) for one in loc_rib.next_hops.sweep()}
    rib.give_up()
    assert rib.work_off(100) == len(left)
    assert loc_rib.path_count == 0
    assert {bytes(one) for one in loc_rib.next_hops.sweep()} == in_use
