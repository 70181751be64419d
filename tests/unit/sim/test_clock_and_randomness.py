from felixbgp.sim.clock import Clock
from felixbgp.sim.randomness import Randomness


def test_what_is_due_first_happens_first_and_ties_keep_their_order() -> None:
    clock, seen = Clock(), list[tuple[str, int]]()

    def note(name: str) -> None:
        seen.append((name, clock.now))

    clock.call_after(20, lambda: note("late"))
    clock.call_after(10, lambda: note("first of two"))
    clock.call_after(10, lambda: note("second of two"))
    while clock.step():
        pass
    assert seen == [("first of two", 10), ("second of two", 10), ("late", 20)]


def test_a_past_time_means_now() -> None:
    clock, seen = Clock(), list[int]()
    clock.call_after(10, lambda: clock.call_at(3, lambda: seen.append(clock.now)))
    while clock.step():
        pass
    assert seen == [10]


def test_a_seed_gives_the_published_sequence_of_splitmix64() -> None:
    numbers = Randomness(1234567)
    assert [numbers.bits() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_numbers_are_at_least_0_and_below_1() -> None:
    numbers = Randomness(0)
    assert all(0 <= numbers() < 1 for _ in range(1000))
