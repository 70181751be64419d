"""Exponential backoff with full jitter: many agents must not come back to etcd in one wave."""

from collections.abc import Callable

DOUBLINGS_MAX = 32


class Backoff:
    """Delays drawn from 0 up to a bound that doubles from `minimum` to `maximum` (seconds).

    `jitter()` gives numbers in [0, 1).
    """

    def __init__(self, minimum: float, maximum: float, jitter: Callable[[], float]) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._jitter = jitter
        self._failures = 0

    def next_delay(self) -> float:
        """Seconds to wait after one more failure."""
        bound = min(self._maximum, self._minimum * 2.0 ** min(self._failures, DOUBLINGS_MAX))
        self._failures += 1
        return bound * self._jitter()

    def reset(self) -> None:
        """It worked: begin again at the minimum."""
        self._failures = 0
