import pytest

from felixbgp.lab.checks import wait_for
from felixbgp.lab.waiting import NotInTimeError, wait_until


def test_a_condition_that_holds_is_looked_at_once() -> None:
    looks: list[int] = []

    def condition() -> bool:
        looks.append(1)
        return True

    assert wait_until(condition, "it", 0.0) >= 0
    assert looks == [1]


def test_it_looks_again_until_it_holds() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), "it", 60.0)
    assert list(answers) == []


def test_at_the_deadline_it_says_what_was_missing() -> None:
    with pytest.raises(NotInTimeError, match=r"not within 0 s: sessions \(node-1 to node-2: Idle\)"):
        wait_for(lambda: ["node-1 to node-2: Idle"], "sessions", 0.0)


def test_of_many_faults_it_names_the_first() -> None:
    with pytest.raises(NotInTimeError, match=r"\(f0; f1; f2; f3; f4; f5, and 94 more\)"):
        wait_for(lambda: [f"f{number}" for number in range(100)], "sessions", 0.0)


def test_an_error_of_the_condition_ends_the_waiting() -> None:
    def condition() -> bool:
        raise LookupError

    with pytest.raises(LookupError):
        wait_until(condition, "it", 60.0)
