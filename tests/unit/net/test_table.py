"""Tables that are empty, of which there are many: each peer has some."""

from felixbgp.net.table import Table, Walk

KEY, OTHER = b"\x08\x0a", b"\x08\x0b"


def test_tables_without_entries_share_their_part_and_none_of_the_entries_that_follow() -> None:
    first: Table[int] = Table()
    second: Table[int] = Table()
    assert first.root is second.root
    first.put(KEY, 1)
    second.put_all([OTHER], 2)
    third: Table[int] = Table()
    assert third.add([KEY], 3, []) == [KEY]
    assert [dict(one.items()) for one in (first, second, third, Table[int]())] == [
        {KEY: 1},
        {OTHER: 2},
        {KEY: 3},
        {},
    ]


def test_a_table_that_is_cleared_gives_its_parts_back() -> None:
    table: Table[int] = Table()
    table.put(KEY, 1)
    table.clear()
    assert table.root is Table[int]().root
    table.put(OTHER, 2)
    assert dict(table.items()) == {OTHER: 2}


def test_a_copy_of_an_empty_table_is_another_table() -> None:
    table: Table[int] = Table()
    copy = table.copy()
    copy.put(KEY, 1)
    assert (len(table), len(copy)) == (0, 1)


def test_a_walk_through_nothing_meets_what_comes() -> None:
    table: Table[int] = Table()
    walk = Walk(table)
    assert walk.is_ahead(KEY)
    table.put(KEY, 1)
    assert walk.is_ahead(KEY)
    assert walk.next() == [(KEY, 1)]
    assert not walk.is_ahead(KEY)
