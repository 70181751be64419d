"""Timers of many keys."""

from felixbgp.bgp.deadlines import Deadlines


def test_the_earliest_is_next_and_moves() -> None:
    deadlines = Deadlines()
    assert deadlines.earliest() is None
    deadlines.set(1, 50)
    deadlines.set(2, 40)
    assert deadlines.earliest() == 40
    deadlines.set(2, 60)
    assert deadlines.earliest() == 50
    deadlines.set(1, None)
    assert deadlines.earliest() == 60


def test_due_ones_come_once_in_order() -> None:
    deadlines = Deadlines()
    for key, at in ((3, 10), (1, 10), (2, 5), (4, 11)):
        deadlines.set(key, at)
    assert deadlines.take_due(10) == [2, 1, 3]
    assert deadlines.take_due(10) == []
    assert deadlines.earliest() == 11


def test_a_deadline_that_went_forth_and_back_is_due_once() -> None:
    deadlines = Deadlines()
    for at in (5, 7, 5):
        deadlines.set(1, at)
    assert deadlines.take_due(9) == [1]
    assert deadlines.take_due(9) == []


def test_deadlines_that_keep_moving_do_not_pile_up() -> None:
    deadlines = Deadlines()
    for at in range(10_000):
        deadlines.set(1, at)
    assert len(deadlines._heap) < 100
    assert deadlines.earliest() == 9_999


def test_deadlines_that_come_ever_closer_do_not_pile_up_and_none_is_lost() -> None:
    deadlines = Deadlines()
    deadlines.set(2, 500)
    deadlines.set(3, 20_000)
    for at in range(10_000, 100, -1):
        deadlines.set(1, at)
    assert len(deadlines._heap) < 100
    assert deadlines.take_due(499) == [1]
    assert deadlines.take_due(30_000) == [2, 3]
    assert deadlines.earliest() is None


def test_one_that_moves_away_comes_later_than_those_it_was_before() -> None:
    deadlines = Deadlines()
    for key, at in ((1, 10), (2, 20), (3, 30)):
        deadlines.set(key, at)
    deadlines.set(1, 25)
    assert deadlines.take_due(24) == [2]
    deadlines.set(1, None)
    assert deadlines.earliest() == 30
    deadlines.set(1, 26)
    assert deadlines.take_due(30) == [1, 3]
    assert deadlines.earliest() is None
