"""docs/reference/ is what the code says, and the code says something of everything."""

import re

import pytest

from docs.generate import FOLDER, pages
from felixbgp.bgp.cause import Cause
from felixbgp.status.cause import EXPLANATIONS


@pytest.mark.parametrize("name", pages())
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "python -m docs.generate writes it anew"


def test_there_is_no_other_page() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(pages())


@pytest.mark.parametrize("name", ["resources.md", "agent.md", "status.md", "telemetry.md"])
def test_nothing_is_without_a_meaning(name: str) -> None:
    rows = [line for line in pages()[name].splitlines() if line.startswith("| `")]
    assert rows
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    column = 1 if name in ("status.md", "telemetry.md") else -1
    assert [row for row in cells if not row[column].strip()] == []


def test_every_option_has_a_help() -> None:
    """But `-o`, whose choices say it."""
    rows = [line for line in pages()["commands.md"].splitlines() if line.startswith("| `-")]
    assert [row for row in rows if row.endswith("|  |") and not row.startswith("| `-o, --output")] == []


def test_every_cause_is_there() -> None:
    assert list(EXPLANATIONS) == list(Cause)
