"""Keep Python's garbage collector from stopping everything for as long as there are many routes.

Objects go when nobody refers to them any more, at once; the collector is for those that refer to each other.
To find them it looks through all there are, which with a million routes takes seconds, again and again while
a table grows. So it looks through what is new, twice, and what has survived that is put aside for good:
routes, attributes and sessions are in no circle (`tests/unit/runtime/test_no_circles.py`), and what was
loaded at the start stays. And it looks when the loop has nothing to do: while there is work, lists of
thousands of prefixes are on their way, each of which is an access to memory. docs/adr/0023 has the figures.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 300
"""Of which there are at least so many more than at the last look before `look` has another."""
LOOKS = 1
"""At new objects, between two at those that survived them."""
UNSEEN_OBJECTS = 2000
"""So many new ones are put aside unseen while there is work: the next look shall not be long."""
UNASKED_OBJECTS = 20_000
"""With so many new ones, of which the loop knows nothing, Python looks by itself; that takes milliseconds."""
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
    """Look through what is new, if that has become enough; to be called when there is nothing to do."""
    new, looks, _ = gc.get_count()
    if new >= NEW_OBJECTS:
        gc.collect(SURVIVORS if looks > LOOKS else 0)


def put_aside() -> None:
    """Have what is new never looked at, if that has become much; to be called while there is work.

    A circle among it stays. There are some where a connection breaks, and none where routes come and go.
    """
    if gc.get_count()[0] >= UNSEEN_OBJECTS:
        gc.freeze()
