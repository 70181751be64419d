from felixbgp.bgp.allowance import Allowance


def test_so_many_in_a_window_that_begins_with_the_first() -> None:
    allowance = Allowance(2, 10)
    assert [allowance.take(now) for now in (5, 5, 14, 14, 15, 24, 24, 25)] == [
        True, True, False, False, True, True, False, True,
    ]  # fmt: skip


def test_the_first_one_too_many_is_known() -> None:
    allowance = Allowance(1, 10)
    seen = []
    for now in (0, 1, 2, 10, 11):
        allowance.take(now)
        seen.append(allowance.has_just_run_out)
    assert seen == [False, True, False, False, True]
