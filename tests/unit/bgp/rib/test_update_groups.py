"""What a group has still to tell, while it finds out part by part what that is."""

import pytest

from felixbgp.bgp.config import NextHopMode, PeerId
from felixbgp.bgp.policy.types import Action, Match, Policy, PrefixMatch, Rule
from felixbgp.bgp.rib import adj_rib_out
from felixbgp.bgp.rib.adj_rib_out import IN_FLIGHT_MAX, Member, Outlet
from felixbgp.bgp.rib.export import ExportView
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import local_path
from felixbgp.bgp.rib.path_numbers import PathNumbers
from felixbgp.bgp.rib.update_groups import COMPLETION_WAIT_NS, UpdateGroup
from felixbgp.bgp.wire.update import encode_withdrawals
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.net import table as table_module
from tests.support.paths import path
from tests.support.speakers import OWN

VIEW = ExportView(
    family=IPV4,
    external=False,
    client=True,
    local_as=64512,
    local_address=Address.parse("10.0.0.100"),
    next_hop=NextHopMode.AUTO,
    cluster_id=bytes(4),
    policy=Policy(),
)
NLRIS = [bytes((24, 10, 1, number)) for number in range(20)]


@pytest.fixture
def loc_rib(monkeypatch: pytest.MonkeyPatch) -> LocRib:
    """One with twenty prefixes, in parts of two."""
    monkeypatch.setattr(table_module, "PART_MAX", 2)
    monkeypatch.setattr(adj_rib_out, "PENDING_MAX", 4)
    rib = LocRib(IPV4)
    rib.add(NLRIS, path())
    rib.decide(100, None)
    return rib


def a_member(host: int) -> Member:
    return Member(PeerId(Address(bytes((10, 0, 0, host)))), Outlet(host, []))


def test_a_new_group_has_the_whole_loc_rib_to_tell(loc_rib: LocRib) -> None:
    group = UpdateGroup(VIEW, loc_rib, PathNumbers())
    group.join(a_member(2))
    assert (group.has_work(), group.pending_count()) == (True, 20)
    group.settle(100)
    assert group.pending_count() == 20
    assert group.send_announcements(100, (), 0) == 20
    assert (group.has_work(), group.pending_count()) == (False, 0)


def test_who_joins_without_credit_is_owed_everything_and_keeps_little_of_it(loc_rib: LocRib) -> None:
    group = UpdateGroup(VIEW, loc_rib, PathNumbers())
    first, late = a_member(2), a_member(3)
    group.join(first)
    group.settle(100)
    group.send_announcements(100, (), 0)
    late.outlet.in_flight = IN_FLIGHT_MAX
    group.join(late)
    group.settle(100)
    assert (group.has_work(), group.pending_count()) == (False, 20)
    assert 4 <= group._tables[1].pending_count <= 6
    late.outlet.in_flight = 0
    told = 0
    while group.has_work():
        group.settle(100)
        told += group.send_announcements(100, (), 0)
    assert (told, group.pending_count()) == (20, 0)
    assert dict(group.advertised_counts()) == {first.peer: 20, late.peer: 20}
    assert late.outlet.outbox[-1][-4:] == bytes(4)


def test_who_comes_from_another_view_is_told_nothing_before_all_is_compared(loc_rib: LocRib) -> None:
    without_one = Policy((Rule("one", Match(PrefixMatch.equal(Prefix(IPV4, NLRIS[3]))), Action.REJECT),))
    group, other = (
        UpdateGroup(VIEW._replace(policy=policy), loc_rib, PathNumbers())
        for policy in (Policy(), without_one)
    )
    member = a_member(2)
    group.join(member)
    group.settle(100)
    group.send_announcements(100, (), 0)
    member.outlet.outbox.clear()
    ((table, told),) = group.leave_together([member.peer])
    other.adopt(table, told)
    rounds = 0
    while other.has_work():
        rounds += 1
        other.settle(4)
        is_compared = table.comparison is None
        other.send_withdrawals(4)
        other.send_announcements(4, (), 0)
        assert is_compared or member.outlet.outbox == []
    assert rounds > 4
    assert member.outlet.outbox == encode_withdrawals(IPV4, [NLRIS[3]])
    assert not group.is_needed
    while not group.give_up(4):
        rounds += 1
    assert rounds > 8


def test_the_end_waits_for_the_kernel_from_when_there_is_something_to_tell(loc_rib: LocRib) -> None:
    """After a restart nothing is told for long, and then our own prefixes may have to be written first."""
    group, member = UpdateGroup(VIEW, loc_rib, PathNumbers()), a_member(2)
    group.join(member)
    nlri = Prefix.parse("10.9.0.0/24").nlri
    loc_rib.add([nlri], local_path(OWN))
    group.mark(loc_rib.decide(10, None))
    group.settle(1000)
    late = 60_000_000_000
    group.send_announcements(1000, (nlri,), late)
    assert member.outlet.outbox[-1][-4:] != bytes(4)
    assert group.next_deadline() == late + COMPLETION_WAIT_NS
    group.release([nlri])
    group.send_announcements(1000, (), late + 1)
    *_, announcement, end = member.outlet.outbox
    assert nlri in announcement
    assert end[-4:] == bytes(4)


def test_an_end_that_is_withheld_is_no_reason_to_be_woken_for_a_kernel_that_is_late(loc_rib: LocRib) -> None:
    """It waits for the kernel up to a deadline, and for others as long as who is asked says, and knows."""
    group = UpdateGroup(VIEW, loc_rib, PathNumbers())
    group.join(a_member(2))
    nlri = Prefix.parse("10.9.0.0/24").nlri
    loc_rib.add([nlri], local_path(OWN))
    group.mark(loc_rib.decide(10, None))

    def tell(now: int, *, complete: bool) -> None:
        group.settle(1000)
        group.send_announcements(1000, (nlri,), now, lambda *_: complete)

    tell(0, complete=False)
    deadline = group.next_deadline()
    assert deadline is not None
    tell(deadline, complete=False)
    assert group.next_deadline() is None
    assert not group.has_work()
    tell(deadline + 1, complete=True)
    assert group.next_deadline() is None
