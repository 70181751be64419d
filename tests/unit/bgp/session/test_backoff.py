from felixbgp.bgp.session.backoff import Backoff, jittered


def test_jitter_takes_up_to_a_quarter_off() -> None:
    assert jittered(1000, lambda: 0.0) == 750
    assert jittered(1000, lambda: 0.5) == 875
    assert jittered(1000, lambda: 0.999999999) == 999


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(100, 500, lambda: 0.0)
    assert [backoff.take() for _ in range(5)] == [75, 150, 300, 375, 375]


def test_reset_begins_anew() -> None:
    backoff = Backoff(100, 500, lambda: 0.0)
    backoff.take()
    backoff.take()
    backoff.reset()
    assert backoff.take() == 75


def test_each_delay_has_its_own_jitter() -> None:
    draws = iter((0.0, 0.5))
    backoff = Backoff(1000, 1000, lambda: next(draws))
    assert [backoff.take(), backoff.take()] == [750, 875]
