"""What the garbage collector looks through, and when."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from felixbgp.runtime.garbage import WHOLE_LOOK_SECONDS, short_collections


class Circle:
    """An object that refers to itself, so that only the collector can find it unused."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    gc.collect()
    yield
    assert gc.get_freeze_count() == 0


def test_what_survived_a_full_collection_is_not_looked_through_again() -> None:
    with short_collections(lambda: 0.0):
        gc.collect(1)
        assert gc.get_freeze_count() == 0
        gc.collect()
        assert gc.get_freeze_count() > 1000


def test_a_circle_left_behind_before_that_is_found() -> None:
    with short_collections(lambda: 0.0):
        left = weakref.ref(Circle())
        gc.collect()
        assert left() is None


def test_a_circle_left_behind_after_that_is_found_an_hour_later() -> None:
    now = 0.0
    with short_collections(lambda: now):
        circle = Circle()
        left = weakref.ref(circle)
        gc.collect()
        del circle
        gc.collect()
        assert left() is not None
        now = WHOLE_LOOK_SECONDS
        gc.collect()
        assert left() is None


def test_nothing_is_changed_afterwards() -> None:
    callbacks = list(gc.callbacks)
    with short_collections():
        gc.collect()
    gc.collect()
    assert gc.callbacks == callbacks
