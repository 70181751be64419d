"""Keep Python's garbage collector from stopping everything for as long as there are many routes.

Objects go when nobody refers to them any more, at once; the collector is for those that refer to each other.
To find them it looks through all there are, which with a million routes takes seconds, again and again while
a table grows. So it looks through what is new, twice, and what has survived that is put aside for good:
routes, attributes and sessions are in no circle (`tests/unit/runtime/test_no_circles.py`), and what was
loaded at the start stays. And it looks between the steps of the loop: in the midst of one it would go through
the lists of thousands of prefixes that are nobody's at its end. docs/adr/0023 has the figures.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 300
"""Of which there are at least so many more than at the last look before `look` has another."""
LOOKS = 1
"""At new objects, between two at those that survived them."""
UNASKED_OBJECTS = 20_000
"""With so many new ones Python looks by itself, which takes some milliseconds."""
SURVIVORS = 1
"""The generation whose collection looks through these."""


@contextmanager
def short_collections() -> Iterator[None]:
    """For the length of a `with` block, look at no object more than twice, mostly when `look` is called."""
    thresholds = gc.get_threshold()

    def collected(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] >= SURVIVORS:
            gc.freeze()

    gc.freeze()
    gc.callbacks.append(collected)
    gc.set_threshold(UNASKED_OBJECTS, LOOKS, thresholds[2])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(collected)
        gc.unfreeze()


def look() -> None:
    """Look through what is new, if that has become enough; to be called between two steps of the loop."""
    new, looks, _ = gc.get_count()
    if new >= NEW_OBJECTS:
        gc.collect(SURVIVORS if looks > LOOKS else 0)
