"""What the members of a table know, and what they are owed, through every kind of change."""

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.adj_rib_out import AdjRibOut, Completion, Member, Outlet
from felixbgp.bgp.rib.comparison import Pending
from felixbgp.bgp.rib.export import Export
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_set
from felixbgp.net import IPV4, Address, Nlri
from felixbgp.net.table import Table, Walk

ONE, TWO, THREE = b"\x08\x0a", b"\x08\x0b", b"\x08\x0c"
SOURCE = PeerId(Address.parse("10.0.0.9"))
OLD, NEW = (Export(SOURCE, encode_set(IPV4, PathAttributes(med=med)), via_us=False) for med in (1, 2))


def a_table(*hosts: int) -> AdjRibOut:
    peers = [PeerId(Address(bytes((10, 0, 0, host)))) for host in hosts]
    return AdjRibOut([Member(peer, Outlet(number, [])) for number, peer in enumerate(peers, 1)])


def pending(entries: dict[Nlri, Export | None]) -> Pending:
    table: Pending = Table()
    for key, known in entries.items():
        table.put(key, known)
    return table


def wanted(**exports: Export) -> Table[Export]:
    table: Table[Export] = Table()
    for name, export in exports.items():
        table.put({"one": ONE, "two": TWO, "three": THREE}[name], export)
    return table


def owed(table: AdjRibOut) -> tuple[dict[Nlri, Export | None], ...]:
    """What is to be announced, waits and is to be withdrawn."""
    return tuple(dict(one.items()) for one in (table.announcing, table.waiting, table.withdrawing))


def test_a_route_that_goes_before_it_was_told_of_leaves_nothing_to_tell() -> None:
    table = a_table(1)
    table.note(ONE, None, NEW)
    assert owed(table) == ({ONE: None}, {}, {})
    table.note(ONE, NEW, None)
    assert table.pending_count == 0


def test_a_route_that_changes_back_before_it_was_told_of_leaves_nothing_to_tell() -> None:
    table = a_table(1)
    table.note(ONE, OLD, NEW)
    assert owed(table) == ({ONE: OLD}, {}, {})
    table.note(ONE, NEW, OLD)
    assert table.pending_count == 0
    table.note(ONE, OLD, None)
    assert owed(table) == ({}, {}, {ONE: OLD})
    table.note(ONE, None, OLD)
    assert table.pending_count == 0


def test_only_what_waits_is_released() -> None:
    table = a_table(1)
    table.waiting = pending({ONE: OLD})
    table.release(TWO)
    assert owed(table) == ({}, {ONE: OLD}, {})
    table.release(ONE)
    assert owed(table) == ({ONE: OLD}, {}, {})


def test_tables_are_equal_when_they_owe_the_same_and_no_completion() -> None:
    table, other = a_table(1), a_table(2)
    assert table.equals(other)
    table.completion = Completion((b"",))
    assert not table.equals(other)
    assert not other.equals(table)
    table.completion = None
    table.announcing = pending({ONE: OLD})
    assert not table.equals(other)
    other.announcing = pending({ONE: OLD})
    assert table.equals(other)
    other.joining = Walk(wanted(two=NEW))
    assert not table.equals(other)
    assert not other.equals(table)


def test_members_that_part_take_along_what_they_are_owed_and_what_they_were_told() -> None:
    table = a_table(1, 2)
    table.announcing, table.waiting = pending({ONE: None}), pending({TWO: OLD})
    table.withdrawing = pending({THREE: OLD})
    table.count(SOURCE, 2)
    (_, second) = table.members.values()
    other = table.split([second])
    assert [*other.members] == [second.peer]
    assert second.peer not in table.members
    assert other.equals(table)
    other.note(ONE, NEW, None)
    assert owed(table)[0] == {ONE: None}
    other.count(SOURCE, -1)
    assert (table.told_count, other.told_count) == (2, 1)


def test_what_was_told_counts_but_for_the_peer_it_came_from() -> None:
    table = a_table(1, 9)
    table.count(SOURCE, 3)
    table.count(None, 2)
    assert [table.advertised_count(peer) for peer in table.members] == [5, 2]
    table.count(SOURCE, -3)
    assert [table.advertised_count(peer) for peer in table.members] == [2, 2]


def test_batches_stay_batches_until_one_of_their_prefixes_changes() -> None:
    table = a_table(1)
    table.note_fresh([ONE, TWO], NEW)
    assert (owed(table), table.sizes) == (({}, {}, {}), (2, 0, 0))
    table.note(TWO, NEW, None)
    assert owed(table) == ({ONE: None}, {}, {})
    table = a_table(1)
    table.note_gone([ONE, TWO], OLD)
    assert (owed(table), table.sizes) == (({}, {}, {}), (0, 0, 2))
    table.note_fresh([TWO], OLD)
    assert owed(table) == ({}, {}, {ONE: OLD})


def test_a_batch_of_which_something_is_pending_becomes_single_prefixes() -> None:
    table = a_table(1)
    table.waiting = pending({ONE: None})
    table.note_gone([ONE, TWO], OLD)
    assert owed(table) == ({}, {}, {TWO: OLD})


def test_batches_are_taken_until_there_are_enough_prefixes() -> None:
    table = a_table(1)
    batches = [([ONE], NEW), ([TWO, THREE], OLD)]
    for keys, export in batches:
        table.note_fresh(keys, export)
    assert table.take_batches(table.announcing_batches, 1) == [(NEW, [ONE])]
    assert table.take_batches(table.announcing_batches, 5) == [(OLD, [TWO, THREE])]
    assert (table.pending_count, table.is_to_announce) == (0, False)


def test_members_who_join_are_owed_what_is_ahead_only_when_its_turn_comes() -> None:
    table, here = a_table(1), wanted(one=OLD, two=OLD)
    table.joining = Walk(here)
    here.put(ONE, NEW)
    table.note(ONE, OLD, NEW)
    table.note_fresh([THREE], NEW)
    assert table.pending_count == 0
    here.put(THREE, NEW)
    assert table.look_ahead(here, 10) == 3
    assert owed(table) == ({ONE: None, TWO: None, THREE: None}, {}, {})
    assert (table.look_ahead(here, 10), table.is_behind) == (0, False)
    table.note(ONE, NEW, None)
    assert owed(table) == ({TWO: None, THREE: None}, {}, {})


def test_members_who_ask_again_are_owed_everything_that_is_not_owed_to_them_anyway() -> None:
    table, here = a_table(1), wanted(one=NEW, two=NEW, three=NEW)
    table.refreshing = Walk(here)
    table.note(ONE, OLD, NEW)
    table.waiting = pending({TWO: None})
    table.look_ahead(here, 10)
    announcing, waiting, _ = owed(table)
    assert (announcing.pop(ONE), waiting) == (OLD, {TWO: None})
    ((key, known),) = announcing.items()
    assert known is not None
    assert (key, known.source, NEW.same(known)) == (THREE, SOURCE, False)


def test_members_who_come_from_another_view_are_owed_the_difference() -> None:
    table, there, here = a_table(1), wanted(one=OLD, two=OLD), wanted(one=OLD, three=NEW)
    told = table.leave(there)
    table.enter(here, told)
    while table.is_behind:
        table.look_ahead(here, 1)
    assert owed(table) == ({THREE: None}, {}, {TWO: OLD})
    assert told.users == 0


def test_what_changes_on_either_side_while_they_are_compared_changes_nothing_that_they_know() -> None:
    table, there, here = a_table(1), wanted(one=OLD, two=OLD), wanted(one=OLD, two=OLD)
    told = table.leave(there)
    table.enter(here, told)
    there.pop(TWO)
    told.keep(TWO, OLD)
    there.put(THREE, NEW)
    told.keep(THREE, None)
    told.keep(THREE, NEW)
    assert [told.known(key) for key in (ONE, TWO, THREE)] == [OLD, OLD, None]
    here.put(THREE, NEW)
    table.note(THREE, None, NEW)
    here.pop(TWO)
    table.note(TWO, OLD, None)
    here.put(ONE, NEW)
    table.note_fresh([ONE], NEW)
    assert owed(table) == ({ONE: OLD, THREE: None}, {}, {TWO: OLD})
    while table.is_behind:
        table.look_ahead(here, 1)
    assert owed(table) == ({ONE: OLD, THREE: None}, {}, {TWO: OLD})


def test_what_was_ahead_of_members_who_leave_is_unknown() -> None:
    there = wanted(one=OLD, two=OLD)
    joining = a_table(1)
    joining.joining = Walk(there)
    told = joining.leave(there)
    assert (told.known(ONE), told.known(THREE)) == (None, None)


def test_members_who_move_on_before_they_were_compared_know_what_they_knew() -> None:
    table, first, second = a_table(1), wanted(one=OLD, two=OLD), wanted(three=NEW)
    table.enter(second, table.leave(first))
    table.look_ahead(second, 1)
    told = table.leave(second)
    assert table.pending_count == 0
    table.enter(first, told)
    while table.is_behind:
        table.look_ahead(first, 1)
    assert table.pending_count == 0


def test_members_who_asked_again_and_move_are_told_all_that_they_know() -> None:
    table, there, here = a_table(1), wanted(one=OLD, two=OLD), wanted(one=OLD)
    table.refreshing, table.again = Walk(there), True
    table.enter(here, table.leave(there))
    while table.is_behind:
        table.look_ahead(here, 1)
    announcing, _, withdrawing = owed(table)
    assert (list(announcing), list(withdrawing)) == ([ONE], [TWO])


def test_a_withdrawal_that_is_taken_back_is_told_again_to_who_asked_for_that() -> None:
    table = a_table(1)
    table.note(ONE, OLD, None)
    table.again = True
    table.note(ONE, None, OLD)
    assert list(table.announcing.keys()) == [ONE]
