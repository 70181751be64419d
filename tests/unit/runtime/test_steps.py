"""What is kept of the durations of steps."""

import pytest

from felixbgp.runtime.steps import (
    BOUNDS_MS,
    LONG_NS,
    Longest,
    StepKind,
    Steps,
    StepTookLong,
    longest_of,
    rounded_up_ms,
)

MS = 1_000_000
SECOND = 1000 * MS


def test_the_longest_is_known_for_ever_and_for_a_minute() -> None:
    steps = Steps("take")
    steps.record(1 * SECOND, 7 * MS)
    steps.record(30 * SECOND, 3 * MS)
    assert steps.longest(59 * SECOND) == Longest(7 * MS, 7 * MS)
    assert steps.longest(61 * SECOND) == Longest(7 * MS, 3 * MS)
    assert steps.longest(100 * SECOND) == Longest(7 * MS, 0)
    steps.record(10_000 * SECOND, 2 * MS)
    assert steps.longest(10_001 * SECOND) == Longest(7 * MS, 2 * MS)


def test_steps_are_counted_by_how_long_they_took() -> None:
    steps = Steps("take")
    for took in (0, MS, MS + 1, 2 * MS, 4 * MS, 60_000 * MS):
        steps.record(SECOND, took)
    assert dict(zip((*BOUNDS_MS, "more"), steps.counts, strict=True)) == (
        dict.fromkeys(BOUNDS_MS, 0) | {1: 2, 2: 2, 5: 1, "more": 1}
    )
    assert steps.total_ns == sum((0, MS, MS + 1, 2 * MS, 4 * MS, 60_000 * MS))


def test_a_very_long_step_is_told_of_and_a_run_of_them_every_ten_seconds() -> None:
    steps = Steps("take")
    told = [steps.complaint(at * SECOND, LONG_NS, 250) for at in range(21)]
    assert [at for at, one in enumerate(told) if one is not None] == [0, 10, 20]
    assert told[0] == StepTookLong("take", 100, 250)
    assert steps.complaint(100 * SECOND, LONG_NS - 1, 250) is None


@pytest.mark.parametrize(
    ("took", "told"), [(0, 5), (5 * MS, 5), (5 * MS + 1, 10), (99 * MS, 100), (900_000 * MS, 50_000)]
)
def test_a_status_tells_round_numbers(took: int, told: int) -> None:
    assert rounded_up_ms(took) == told


def test_the_longest_of_all_kinds_is_named_where_it_is_too_long() -> None:
    feed, tell = Steps(StepKind.FEED), Steps(StepKind.TELL)
    feed.record(1 * SECOND, 4 * MS)
    tell.record(1 * SECOND, 5 * MS)
    assert longest_of((feed, tell), 2 * SECOND) == (5, "", 5, "")
    tell.record(2 * SECOND, 11 * MS)
    feed.record(100 * SECOND, 7 * MS)
    assert longest_of((feed, tell), 101 * SECOND) == (20, "tell", 10, "feed")
