"""Who must have a way to whom, by what a store says and what sessions have carried; no agent is involved."""

import pytest

from felixbgp.net import Address, Prefix
from felixbgp.sim.network import End, Host
from felixbgp.sim.possible import SECOND, SETTLING_NS, VIEW_NS, Possible
from felixbgp.sim.topology import read
from tests.support.stored import Item, cluster_of, node, resource, without_mesh

BLOCK = Prefix.parse("10.0.1.0/26")
REJECTING: dict[str, object] = {"exportV4": [{"action": "Reject"}]}
TO_ALL: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()", "filters": ["some"]}


def address(number: int) -> Address:
    return Address.parse(f"172.30.0.{number}")


class Case:
    """Nodes 1 to 3 of a cluster; time passes when it is told to."""

    def __init__(self, items: list[Item], *, draining_s: int = 120) -> None:
        self.now = 0
        self.mute: frozenset[str] = frozenset()
        """The link, of those who may not have heard each other."""
        self.possible = Possible(
            lambda: self.now, draining_s * SECOND, lambda one, other: {one, other} == self.mute
        )
        self.items = dict(items)
        self.possible.store_changed(read(self.items.items()))
        self.ends: dict[tuple[int, int], End] = {}
        for number in (1, 2, 3):
            self.possible.began(f"node-{number}")

    def write(self, *items: Item) -> None:
        self.items |= dict(items)
        self.possible.store_changed(read(self.items.items()))

    def connect(self, one: int, other: int) -> None:
        """A session comes up, and both ends say all that they have."""
        pair = [End(Host(f"node-{number}", (address(number),), print), 1) for number in (one, other)]
        pair[0].other, pair[1].other = pair[1], pair[0]
        self.ends[one, other], self.ends[other, one] = pair
        self.possible.table_sent((address(one), address(other)), pair[0])
        self.possible.table_sent((address(other), address(one)), pair[1])

    def lose(self, one: int, other: int) -> None:
        """Its connection ends at one end."""
        self.possible.connection_ended((address(one), address(other)), self.ends[one, other])

    def after(self, seconds: float, node: int = 2) -> str:
        """Who tells a node of the block of node-1 when so much time has passed."""
        self.now += int(seconds * SECOND)
        return self.possible.must_have(f"node-{node}", BLOCK)


@pytest.fixture
def mesh() -> Case:
    """One in which all has been well for long."""
    case = Case(cluster_of(3))
    for one, other in ((1, 2), (1, 3), (2, 3)):
        case.connect(one, other)
    assert case.after(1000) == "node-1"
    return case


def test_what_does_not_arrive_is_not_told(mesh: Case) -> None:
    mesh.mute = frozenset(("node-1", "node-2"))
    assert mesh.after(1) == ""
    assert mesh.after(0, node=3) == "node-1"


def test_a_session_counts_when_both_ends_have_said_all_and_it_was_heard() -> None:
    case = Case(cluster_of(2))
    assert case.after(1000) == ""
    case.connect(1, 2)
    assert case.after(0) == ""
    # Not before it has been so for as long as it may take others to act on it.
    assert case.after((SETTLING_NS + VIEW_NS) / SECOND) == "node-1"


def test_a_lost_one_counts_for_the_restart_time(mesh: Case) -> None:
    mesh.lose(2, 1)
    assert mesh.after(114) == "node-1"
    assert mesh.after(2) == ""


def test_of_a_machine_without_power_nobody_keeps_anything(mesh: Case) -> None:
    mesh.lose(2, 1)
    mesh.possible.lost_power([address(1)])
    assert mesh.after(1) == ""


def test_what_is_drained_counts_while_it_is_up(mesh: Case) -> None:
    mesh.write(without_mesh())
    assert mesh.after(110) == "node-1"
    assert mesh.after(10) == ""


def test_what_is_drained_and_lost_counts_no_more(mesh: Case) -> None:
    mesh.write(without_mesh())
    mesh.lose(1, 2)
    assert mesh.after(1) == ""


def test_without_draining_a_session_that_nobody_wants_is_over() -> None:
    case = Case(cluster_of(2), draining_s=0)
    case.connect(1, 2)
    assert case.after(1000) == "node-1"
    case.write(without_mesh())
    assert case.after(1) == ""


def test_behind_a_reflector_that_restarted_only_what_it_heard_again_counts() -> None:
    reflector = node(3, labels={"reflector": "yes"}, routeReflectorClusterID="244.0.0.1")
    peer = resource("BGPPeer", "rr", {"nodeSelector": "all()", "peerSelector": "has(reflector)"})
    case = Case([*cluster_of(3), reflector, peer, without_mesh()])
    case.connect(1, 3)
    case.connect(2, 3)
    assert case.after(1000) == "node-3"
    case.lose(3, 1)
    case.lose(3, 2)
    assert case.after(1) == "node-3"
    case.possible.began("node-3")
    assert case.after(1) == ""


def test_what_came_and_went_at_once_may_have_been_used_meanwhile() -> None:
    # Each in its AS: node-3 hears of it from node-4, and tells node-2, which has no session with node-1.
    items = [node(number, asNumber=64600 + number) for number in (1, 2, 3, 4)]
    case = Case([*cluster_of(4), *items])
    for one, other in ((1, 4), (2, 3), (3, 4)):
        case.connect(one, other)
    assert case.after(1000) == "node-3"
    case.connect(1, 2)
    # By now node-3 may go by node-2, and not tell it of that.
    assert case.after(1) == ""
    case.lose(1, 2)
    assert case.after(1) == ""
    assert case.after(VIEW_NS / SECOND) == "node-3"


def test_who_joined_and_is_drained_was_unknown_before(mesh: Case) -> None:
    mesh.write(node(4))
    mesh.connect(1, 4)
    # Long enough for the session to count, and not for the store of before to be forgotten.
    assert mesh.after(SETTLING_NS / SECOND + 1) == "node-1"
    mesh.write(without_mesh())
    assert mesh.after(1) == "node-1"


def test_of_a_session_that_outlived_not_being_wanted_nothing_is_said_for_a_while() -> None:
    case = Case(cluster_of(3), draining_s=0)
    case.connect(1, 2)
    case.write(without_mesh())
    case.after(20)
    del case.items[without_mesh()[0]]
    case.write()
    ways = [(address(1), address(number)) for number in (2, 3)]
    assert [bool(case.possible.views_of(way)) for way in ways] == [False, True]
    case.after(VIEW_NS / SECOND)
    assert [bool(case.possible.views_of(way)) for way in ways] == [True, True]


def test_a_filter_that_rejects_it_and_for_a_while_one_that_did(mesh: Case) -> None:
    mesh.write(resource("BGPFilter", "some", REJECTING), resource("BGPPeer", "all", TO_ALL))
    assert mesh.after(1) == ""
    mesh.write(resource("BGPFilter", "some", {}))
    assert mesh.after(1) == ""
    assert mesh.after(VIEW_NS / SECOND) == "node-1"


def test_what_was_written_while_the_store_was_away_may_not_be_known_yet(mesh: Case) -> None:
    mesh.possible.store_is_sound(sound=False)
    mesh.write(resource("BGPFilter", "some", REJECTING), resource("BGPPeer", "all", TO_ALL))
    mesh.write(resource("BGPFilter", "some", {}))
    assert mesh.after(500) == ""
    mesh.possible.store_is_sound(sound=True)
    assert mesh.after(1) == ""
    assert mesh.after(VIEW_NS / SECOND) == "node-1"


def test_ones_own_block_is_ones_own(mesh: Case) -> None:
    assert mesh.after(0, node=1) == "node-1"


def expected(case: Case, heard_s: int) -> list[str]:
    """From whom node-1 shall hear, where the store needs so long to tell it."""
    return [session.sender for session in case.possible.wanted(address(1), heard_s * SECOND)]


def test_nobody_waits_for_a_peer_of_which_the_store_has_not_told_yet(mesh: Case) -> None:
    assert expected(mesh, 2) == ["node-2", "node-3"]
    mesh.write(node(4))
    assert expected(mesh, 2) == ["node-2", "node-3"]
    mesh.after(1.9)
    assert expected(mesh, 2) == ["node-2", "node-3"]
    assert expected(mesh, 1) == ["node-2", "node-3", "node-4"]
    mesh.after(20)
    mesh.possible.store_is_sound(sound=False)
    mesh.write(node(5))
    mesh.after(10)
    assert expected(mesh, 2) == ["node-2", "node-3", "node-4"]
    mesh.possible.store_is_sound(sound=True)
    assert expected(mesh, 2) == ["node-2", "node-3", "node-4"]
    mesh.after(2.1)
    assert expected(mesh, 2) == ["node-2", "node-3", "node-4", "node-5"]
