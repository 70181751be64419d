"""Work that is done in parts, so that sessions get their turn in between.

Written as a generator that yields what the next part costs, in units of about ten microseconds, and returns
its result. Whoever wants all of it at once calls `whole`.
"""

from collections.abc import Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")
Parts = Generator[int, None, Result]


class Work(Generic[Result]):
    """Work that was begun; `result` is None until it is done."""

    __slots__ = ("_parts", "result")

    def __init__(self, parts: Parts[Result]) -> None:
        self._parts = parts
        self.result: Result | None = None

    def go_on(self, credit: int) -> int:
        """Do parts until they have cost `credit`, or all are done; what is left of it, if above 0."""
        while credit > 0:
            try:
                credit -= next(self._parts)
            except StopIteration as end:
                self.result = end.value
                break
        return credit


def whole(parts: Parts[Result]) -> Result:
    """Do all of it."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            result: Result = end.value
            return result
