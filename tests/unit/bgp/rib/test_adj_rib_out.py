"""What the members of a table know, and what they are owed, through every kind of change."""

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.adj_rib_out import AdjRibOut, Completion, Member, Outlet
from felixbgp.bgp.rib.export import Export
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_set
from felixbgp.net import IPV4, Address

ONE, TWO, THREE = b"\x08\x0a", b"\x08\x0b", b"\x08\x0c"
SOURCE = PeerId(Address.parse("10.0.0.9"))
OLD, NEW = (Export(SOURCE, encode_set(IPV4, PathAttributes(med=med)), via_us=False) for med in (1, 2))


def a_table(*hosts: int) -> AdjRibOut:
    peers = [PeerId(Address(bytes((10, 0, 0, host)))) for host in hosts]
    return AdjRibOut([Member(peer, Outlet(number, [])) for number, peer in enumerate(peers, 1)])


def test_a_route_that_goes_before_it_was_told_of_leaves_nothing_to_tell() -> None:
    table = a_table(1)
    table.note(ONE, None, NEW)
    assert table.announcing == {ONE: None}
    table.note(ONE, NEW, None)
    assert table.pending_count == 0


def test_a_route_that_changes_back_before_it_was_told_of_leaves_nothing_to_tell() -> None:
    table = a_table(1)
    table.note(ONE, OLD, NEW)
    assert table.announcing == {ONE: OLD}
    table.note(ONE, NEW, OLD)
    assert table.pending_count == 0
    table.note(ONE, OLD, None)
    assert table.withdrawing == {ONE: OLD}
    table.note(ONE, None, OLD)
    assert table.pending_count == 0


def test_only_what_waits_is_released() -> None:
    table = a_table(1)
    table.waiting = {ONE: OLD}
    table.release(TWO)
    assert (table.announcing, table.waiting) == ({}, {ONE: OLD})
    table.release(ONE)
    assert (table.announcing, table.waiting) == ({ONE: OLD}, {})


def test_what_is_known_is_what_should_be_known_but_for_what_is_pending() -> None:
    table = a_table(1)
    table.announcing, table.waiting, table.withdrawing = {ONE: None}, {TWO: OLD}, {THREE: OLD}
    assert table.known({ONE: NEW, TWO: NEW}) == {TWO: OLD, THREE: OLD}


def test_tables_are_equal_when_they_owe_the_same_and_no_completion() -> None:
    table, other = a_table(1), a_table(2)
    assert table.equals(other)
    table.completion = Completion((b"",), 0)
    assert not table.equals(other)
    assert not other.equals(table)
    table.completion = None
    table.announcing = {ONE: OLD}
    assert not table.equals(other)
    other.announcing = {ONE: OLD}
    assert table.equals(other)


def test_members_that_part_take_along_what_they_are_owed() -> None:
    table = a_table(1, 2)
    table.announcing, table.waiting, table.withdrawing = {ONE: None}, {TWO: OLD}, {THREE: OLD}
    (_, second) = table.members.values()
    other = table.split([second])
    assert [*other.members] == [second.peer]
    assert second.peer not in table.members
    assert other.equals(table)
    other.note(ONE, NEW, None)
    assert table.announcing == {ONE: None}
