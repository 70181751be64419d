"""Wait for a real condition, not for a time."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.1
"""Short beside what is waited for (sessions, routes), long beside what one look costs."""


class NotInTimeError(Exception):
    """A condition did not come true before its deadline; the text names it and what was seen last."""


def wait_until(
    condition: Callable[[], object],
    what: str,
    seconds_max: float,
    *,
    describe: Callable[[], str] = lambda: "",
) -> float:
    """Look until `condition()` is true; gives the seconds it took.

    Raises `NotInTimeError` with `what`, and with `describe()` for how things stood at the deadline. An
    exception of the condition is not caught: it means that waiting longer is of no use.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds_max:
            seen = describe()
            raise NotInTimeError(f"not within {seconds_max:g} s: {what}" + (f" ({seen})" if seen else ""))
        time.sleep(POLL_SECONDS)
    return time.monotonic() - start
