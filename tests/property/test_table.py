"""A table in parts against one dictionary; parts are tiny here, so that they split all the time."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.net import Nlri
from felixbgp.net import table as table_module
from felixbgp.net.table import Table, Walk

octets = st.sampled_from([0, 1, 2, 255])
keys = st.builds(
    lambda length, address: bytes([length, *address]), octets, st.lists(octets, min_size=0, max_size=4)
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.integers(0, 3)),
        st.tuples(st.just("pop"), keys, st.just(0)),
        st.tuples(st.just("take"), st.just(b""), st.integers(0, 6)),
        st.tuples(st.just("next"), st.just(b""), st.just(0)),
        st.tuples(st.just("clear"), st.just(b""), st.just(0)),
    ),
    max_size=60,
)


@pytest.fixture(autouse=True, scope="module")
def tiny_parts() -> Iterator[None]:
    """A module that is compiled takes the new value as well: it is no `Final`."""
    before = table_module.PART_MAX
    table_module.PART_MAX = 2
    yield
    table_module.PART_MAX = before


def carry_out(table: Table[int], model: dict[Nlri, int], operation: tuple[str, Nlri, int]) -> None:
    what, key, number = operation
    if what == "put":
        table.put(key, number)
        model[key] = number
    elif what == "pop":
        assert table.pop(key) == model.pop(key, None)
    elif what == "take":
        taken = table.take(number)
        assert len(taken) == min(number, len(model))
        for taken_key, value in taken:
            assert model.pop(taken_key) == value
    elif what == "clear":
        table.clear()
        model.clear()


@given(operations)
def test_a_table_is_what_one_dictionary_would_be(found: list[tuple[str, Nlri, int]]) -> None:
    table: Table[int] = Table()
    model: dict[Nlri, int] = {}
    for operation in found:
        carry_out(table, model, operation)
        assert len(table) == len(model)
        assert dict(table.items()) == model
        assert (list(table.keys()), list(table.values())) == (
            [key for key, _ in table.items()],
            [value for _, value in table.items()],
        )
        for key in (b"\0", b"\1\1\1", operation[1]):
            assert (table.get(key), key in table) == (model.get(key), key in model)


@given(operations, operations)
def test_a_walk_meets_what_is_there_all_the_time_once_and_knows_what_it_will_meet(
    before: list[tuple[str, Nlri, int]], meanwhile: list[tuple[str, Nlri, int]]
) -> None:
    table: Table[int] = Table()
    model: dict[Nlri, int] = {}
    for operation in before:
        carry_out(table, model, operation)
    lasting = set(model)
    walk = Walk(table)
    met: list[Nlri] = []
    ahead: dict[Nlri, bool] = {}
    for operation in meanwhile:
        if operation[0] == "next":
            met += [key for key, _ in walk.next() or ()]
        else:
            carry_out(table, model, operation)
        lasting &= set(model)
        for key in model:
            ahead[key] = walk.is_ahead(key)
            assert not (ahead[key] and key in met and key in lasting)
    expected = {key for key in model if walk.is_ahead(key)}
    rest: list[Nlri] = []
    while (part := walk.next()) is not None:
        rest += [key for key, _ in part]
    assert sorted(rest) == sorted(expected)
    for key in lasting:
        assert (met + rest).count(key) == 1


@given(st.lists(keys, max_size=30), st.lists(keys, unique=True, max_size=30))
def test_many_keys_at_once(first: list[Nlri], then: list[Nlri]) -> None:
    table: Table[int] = Table()
    table.put_all(first, 1)
    present: list[Nlri] = []
    added = table.add(then, 2, present)
    assert added == [key for key in then if key not in first]
    assert present == [key for key in then if key in first]
    assert dict(table.items()) == dict.fromkeys(then, 2) | dict.fromkeys(first, 1)
    assert len(table) == len(set(first) | set(then))


@given(operations, operations)
def test_a_copy_goes_its_own_way(
    before: list[tuple[str, Nlri, int]], then: list[tuple[str, Nlri, int]]
) -> None:
    table: Table[int] = Table()
    model: dict[Nlri, int] = {}
    for operation in before:
        carry_out(table, model, operation)
    copy, copied = table.copy(), dict(model)
    for operation in then:
        carry_out(table, model, operation)
    assert (len(copy), dict(copy.items())) == (len(copied), copied)
    for operation in then:
        carry_out(copy, copied, operation)
    assert dict(table.items()) == model


def test_a_copy_of_a_table_that_was_split_is_split_alike() -> None:
    table: Table[int] = Table()
    keys = [bytes([24, 10, octet, 0]) for octet in range(200)]
    table.put_all(keys, 1)
    copy = table.copy()
    table.put_all(keys, 2)
    assert (list(copy.keys()), set(copy.values())) == (list(table.keys()), {1})
    assert copy.remove(keys, 1, []) == keys
    assert (len(copy), len(table)) == (0, 200)


def test_a_copy_of_a_walk_has_as_much_before_it() -> None:
    table: Table[int] = Table()
    table.put_all([bytes([24, 10, octet, 0]) for octet in range(20)], 1)
    walk = Walk(table)
    walk.next()
    copy = walk.copy()
    rest = []
    while (part := walk.next()) is not None:
        rest.append(part)
    for part in rest:
        assert copy.next() == part
    assert copy.next() is None


def test_no_part_is_larger_than_it_may_be_where_keys_differ_in_an_address() -> None:
    table: Table[None] = Table()
    for number in range(1000):
        table.put(bytes([24]) + number.to_bytes(3, "big"), None)
    sizes: list[int] = []
    walk = Walk(table)
    while (part := walk.next()) is not None:
        sizes.append(len(part))
    assert sum(sizes) == 1000
    assert max(sizes) <= 2
