"""Work in parts, for tests that have its result at hand."""

from typing import TypeVar

from felixbgp.cluster.parts import Parts

Result = TypeVar("Result")


def in_parts(result: Result, *costs: int) -> Parts[Result]:
    """Parts that cost this, and then give `result`."""
    yield from costs
    return result
