"""Time for the core: trio's clock, so that tests can move it, as integer nanoseconds."""

import trio


def now_ns() -> int:
    """Monotonic nanoseconds; only differences mean anything."""
    return int(trio.current_time() * 1_000_000_000)


def seconds_until(deadline_ns: int) -> float:
    """How long to sleep for a deadline of the core; never negative."""
    return max(0.0, (deadline_ns - now_ns()) / 1_000_000_000)
