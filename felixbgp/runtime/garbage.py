"""Keep Python's garbage collector from stopping everything for as long as there are many routes.

Objects go when nobody refers to them any more, at once; the collector is for those that refer to each other.
To find them it looks through all there are, which with 200,000 routes takes some 0.4 s, again and again while
a table grows. Nearly all of them are routes and attributes, which are in no circle. So what has survived one
look is put aside, and looked through again once an hour.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

OLDEST = 2
"""The generation whose collection looks through everything."""
WHOLE_LOOK_SECONDS = 3600.0
"""What went in a circle after it had been put aside stays that long: connections and peers, not routes."""


@contextmanager
def short_collections(clock: Callable[[], float] = monotonic) -> Iterator[None]:
    """For the length of a `with` block, look through what survived a full collection once an hour only."""
    whole_look_at = clock() + WHOLE_LOOK_SECONDS

    def collecting(phase: str, info: dict[str, int]) -> None:
        nonlocal whole_look_at
        if info["generation"] != OLDEST:
            return
        if phase == "stop":
            gc.freeze()
        elif clock() >= whole_look_at:
            whole_look_at = clock() + WHOLE_LOOK_SECONDS
            gc.unfreeze()

    gc.callbacks.append(collecting)
    try:
        yield
    finally:
        gc.callbacks.remove(collecting)
        gc.unfreeze()
