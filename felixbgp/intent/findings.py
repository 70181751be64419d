"""What the operator should mend, collected while deriving."""

from collections.abc import Iterable
from typing import Final

from felixbgp.intent.types import Problem

STAYS_DOWN: Final = "stays down"
"""How the reason of a problem ends that keeps sessions down: that tells it from all others of its subject."""


class Findings:
    """Collects problems; the same one found twice counts once."""

    def __init__(self) -> None:
        self._found: set[tuple[str, str, str]] = set()

    def add(self, subject: str, field: str, reason: str) -> None:
        """Note a problem: `subject` is kind and name, `field` a path in it."""
        self._found.add((subject, field, reason))

    def include(self, problems: Iterable[Problem]) -> None:
        """Take over what was found elsewhere."""
        self._found.update((problem.subject, problem.field, problem.reason) for problem in problems)

    def problems(self) -> tuple[Problem, ...]:
        """All of them in order."""
        return tuple(Problem(*found) for found in sorted(self._found))
