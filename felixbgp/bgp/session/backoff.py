"""Waiting longer after each failure, and differently from everybody else."""

from collections.abc import Callable

SECOND_NS = 1_000_000_000


def jittered(duration_ns: int, jitter: Callable[[], float]) -> int:
    """`duration_ns` times a factor from 0.75 to 1.0, as RFC 4271 §10 asks of its timers."""
    return duration_ns * 3 // 4 + int(duration_ns // 4 * jitter())


class Backoff:
    """Delays in nanoseconds that double from `first_ns` up to `cap_ns`; each is jittered."""

    __slots__ = ("_cap_ns", "_first_ns", "_jitter", "_next_ns")

    def __init__(self, first_ns: int, cap_ns: int, jitter: Callable[[], float]) -> None:
        self._first_ns = first_ns
        self._cap_ns = cap_ns
        self._jitter = jitter
        self._next_ns = first_ns

    def take(self) -> int:
        """The delay before the next attempt."""
        delay_ns = self._next_ns
        self._next_ns = min(2 * delay_ns, self._cap_ns)
        return jittered(delay_ns, self._jitter)

    def reset(self) -> None:
        """Begin anew: the last attempt was a success worth the name."""
        self._next_ns = self._first_ns
