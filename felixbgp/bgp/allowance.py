"""How often something may happen that anybody outside can make happen."""


class Allowance:
    """So many in a window of time, which begins with the first of them."""

    __slots__ = ("_maximum", "_since", "_taken", "_window_ns")

    def __init__(self, maximum: int, window_ns: int) -> None:
        self._maximum = maximum
        self._window_ns = window_ns
        self._since: int | None = None
        self._taken = 0

    def take(self, now: int) -> bool:
        """Count one; whether it is within the allowance."""
        if self._since is None or now - self._since >= self._window_ns:
            self._since, self._taken = now, 0
        self._taken += 1
        return self._taken <= self._maximum

    @property
    def has_just_run_out(self) -> bool:
        """Whether the last one taken was the first of its window beyond the allowance."""
        return self._taken == self._maximum + 1
