"""Delays between attempts."""

from felixbgp.runtime.etcd.backoff import Backoff


def test_bound_doubles_to_the_maximum_and_begins_anew() -> None:
    backoff = Backoff(0.05, 5.0, lambda: 1.0)
    delays = [backoff.next_delay() for _ in range(10_000)]
    assert delays[:8] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert set(delays[8:]) == {5.0}
    backoff.reset()
    assert backoff.next_delay() == 0.05


def test_jitter_is_full() -> None:
    draws = iter([0.0, 0.5, 0.25])
    backoff = Backoff(1.0, 4.0, lambda: next(draws))
    assert [backoff.next_delay() for _ in range(3)] == [0.0, 1.0, 1.0]
