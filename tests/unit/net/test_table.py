"""Tables that are empty, of which there are many: each peer has some."""

import random

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


def split_count(table: Table[int]) -> int:
    """How many parts have been split so far."""
    nodes, count = [table.root], 0
    for node in nodes:
        if node.children is not None:
            count += 1
            nodes += [child for child in node.children if child is not None]
    return count


def test_tables_that_get_the_same_prefixes_in_no_order_are_split_one_part_at_a_time() -> None:
    tables: list[Table[int]] = [Table(stagger) for stagger in range(3)]
    prefixes = [
        bytes([24, number >> 16, number >> 8 & 255, number & 255]) for number in range(0, 1 << 24, 56)
    ]
    random.Random(1).shuffle(prefixes)  # noqa: S311 - an order, no secret
    before, most = 0, 0
    for at in range(0, len(prefixes), 1000):
        for table in tables:
            for prefix in prefixes[at : at + 1000]:
                table.put(prefix, 0)
        now = sum(map(split_count, tables))
        before, most = now, max(most, now - before)
    assert before >= 3 * 17
    assert most <= 3
