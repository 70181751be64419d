"""Work in parts: each take does what its credit is for, and one part at least."""

from felixbgp.cluster.parts import Work, whole
from tests.support.parts import in_parts


def test_work_goes_on_until_its_credit_is_spent_and_keeps_what_is_over() -> None:
    work = Work(in_parts("done", 2, 2, 2))
    assert work.go_on(3) == -1
    assert work.result is None
    assert work.go_on(0) == 0
    assert work.go_on(10) == 8
    assert work.result == "done"


def test_work_that_ends_with_its_credit_is_done_by_the_next() -> None:
    work = Work(in_parts("done", 1))
    assert work.go_on(1) == 0
    assert work.result is None
    assert work.go_on(1) == 1
    assert work.result == "done"


def test_whole_does_all_of_it() -> None:
    assert whole(in_parts("done", 5, 5)) == "done"
