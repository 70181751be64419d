"""Keep Python's garbage collector from stopping everything for as long as there are many routes.

Objects go when nobody refers to them any more, at once; the collector is for those that refer to each other.
To find them it looks through all there are, which with a million routes takes seconds, again and again while
a table grows. So it looks through what is new, twice, and what has survived that is put aside for good:
routes, attributes and sessions are in no circle (`tests/unit/runtime/test_no_circles.py`), and what was
loaded at the start stays. docs/adr/0023 has the figures.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 300
"""Between two looks at new objects."""
LOOKS = 1
"""At new objects, between two at those that survived them: 600 at most. A look goes through all that they
hold: of 2,000, among them lists of 1,000 prefixes, it took 8 ms."""
SURVIVORS = 1
"""The generation whose collection looks through these."""


@contextmanager
def short_collections() -> Iterator[None]:
    """For the length of a `with` block, look at no object more than twice."""
    thresholds = gc.get_threshold()

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] >= SURVIVORS:
            gc.freeze()

    gc.freeze()
    gc.callbacks.append(collected)
    gc.set_threshold(NEW_OBJECTS, LOOKS, thresholds[2])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(collected)
        gc.unfreeze()
