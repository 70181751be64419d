"""What the garbage collector looks through, and how often."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from felixbgp.runtime.garbage import (
    LOOKS,
    NEW_OBJECTS,
    UNASKED_OBJECTS,
    UNSEEN_OBJECTS,
    look,
    put_aside,
    short_collections,
)


class Circle:
    """An object that refers to itself, so that only the collector can find it unused."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    gc.collect()
    yield
    assert gc.get_freeze_count() == 0


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """How many objects each collection looked through at most."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(sum(len(gc.get_objects(young)) for young in range(info["generation"] + 1)))

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_however_many_objects_there_are_few_are_looked_through(collected: list[int]) -> None:
    kept: list[list[int]] = []
    with short_collections():
        for _ in range(40):
            kept += [[number] for number in range(NEW_OBJECTS)]
            look()
        assert len(kept) <= gc.get_freeze_count() + (LOOKS + 2) * NEW_OBJECTS
    assert len(collected) >= 30
    assert max(collected) < (LOOKS + 3) * NEW_OBJECTS


def test_a_look_at_few_new_objects_is_saved(collected: list[int]) -> None:
    with short_collections():
        look()
        kept = [[number] for number in range(NEW_OBJECTS // 2)]
        before = len(collected)
        look()
        assert len(collected) == before
        del kept


def test_much_that_comes_while_there_is_work_is_put_aside_unseen(collected: list[int]) -> None:
    with short_collections():
        look()
        kept = [[number] for number in range(UNSEEN_OBJECTS)]
        before, frozen = len(collected), gc.get_freeze_count()
        put_aside()
        look()
        assert len(collected) == before
        assert gc.get_freeze_count() >= frozen + len(kept)


def test_a_little_that_comes_while_there_is_work_is_looked_at_later(collected: list[int]) -> None:
    with short_collections():
        look()
        kept = [[number] for number in range(NEW_OBJECTS)]
        before = len(collected)
        put_aside()
        look()
        assert len(collected) == before + 1
        del kept


def test_what_is_forgotten_between_two_looks_is_in_none(collected: list[int]) -> None:
    with short_collections():
        look()
        before = len(collected)
        for _ in range(4):
            forgotten = [[number] for number in range(UNASKED_OBJECTS // 2)]
            del forgotten
            look()
        assert len(collected) == before


def test_with_very_many_objects_python_looks_unasked(collected: list[int]) -> None:
    with short_collections():
        kept = [[number] for number in range(4 * UNASKED_OBJECTS)]
        assert len(collected) >= 3
        del kept


def test_a_circle_left_behind_is_found() -> None:
    with short_collections():
        left = weakref.ref(Circle())
        assert left() is not None
        kept = [[number] for number in range(2 * NEW_OBJECTS)]
        look()
        assert left() is None
        del kept


def test_nothing_is_changed_afterwards() -> None:
    callbacks, thresholds = list(gc.callbacks), gc.get_threshold()
    with short_collections():
        gc.collect()
    assert gc.callbacks == callbacks
    assert gc.get_threshold() == thresholds
