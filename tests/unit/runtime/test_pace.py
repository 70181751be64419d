"""How a step's budget follows the time that steps take."""

from collections.abc import Callable

from felixbgp.runtime.pace import LONG_NS, PROBE_STEPS, SHORT_NS, Pace

MICROSECOND = 1000
FEWEST, MOST, START = 32, 1000, 250


def after(pace: Pace, steps: int, took: Callable[[int], int]) -> int:
    """The budget after some steps in a row, each of which leaves work behind."""
    for _ in range(steps):
        pace.learn(took(pace.budget), is_more=True)
    return pace.budget


def a_pace() -> Pace:
    return Pace(START, FEWEST, MOST)


def test_cheap_prefixes_are_taken_by_the_thousand() -> None:
    assert after(a_pace(), 20, lambda budget: budget * MICROSECOND) == MOST


def test_dear_ones_so_that_a_step_stays_short() -> None:
    pace = a_pace()
    assert FEWEST < after(pace, 20, lambda budget: 40 * budget * MICROSECOND) <= LONG_NS // (40 * MICROSECOND)
    assert 40 * pace.budget * MICROSECOND >= SHORT_NS


def test_cheap_ones_and_then_dear_ones_make_few_long_steps() -> None:
    pace = a_pace()
    after(pace, 20, lambda budget: budget * MICROSECOND)
    long = 0
    for _ in range(20):
        took = 12 * pace.budget * MICROSECOND
        long += took > LONG_NS
        pace.learn(took, is_more=True)
    assert long == 2


def test_it_never_gives_up_altogether() -> None:
    assert after(a_pace(), 20, lambda budget: budget * LONG_NS) == FEWEST


def test_where_half_the_prefixes_take_as_long_more_are_taken() -> None:
    pace = a_pace()
    after(pace, 2, lambda budget: LONG_NS + budget * MICROSECOND)
    assert pace.budget == 2 * (START - START % 2)
    assert after(pace, PROBE_STEPS - 1, lambda budget: LONG_NS + budget * MICROSECOND) == pace.budget
    # It is tried again, in case other work has come.
    assert after(pace, PROBE_STEPS, lambda budget: 40 * budget * MICROSECOND) < START // 2


def test_after_a_rest_it_begins_anew() -> None:
    pace = a_pace()
    after(pace, 20, lambda budget: budget * MICROSECOND)
    pace.learn(10 * MICROSECOND, is_more=False)
    assert pace.budget == START


def test_a_step_that_had_not_enough_to_do_is_no_reason_to_do_more() -> None:
    pace = a_pace()
    for _ in range(20):
        pace.learn(10 * MICROSECOND, is_more=False)
    assert pace.budget == START


def test_where_its_consequences_cost_more_than_a_step_twice_as_much_is_done() -> None:
    pace = a_pace()
    for budget in (250, 500, 1000):
        assert pace.budget == budget
        pace.learn(LONG_NS // 2, is_more=True, besides_ns=LONG_NS)
    assert pace.budget == MOST
    pace.learn(LONG_NS + 1, is_more=True, besides_ns=2 * LONG_NS)
    assert pace.budget == MOST // 2
