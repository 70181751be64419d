"""What is generated in docs/losses.md: a table of the results, between two marks."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/losses.md"
BEGIN, END = "<!-- begin: python -m bench losses -->", "<!-- end: python -m bench losses -->"
RUNS = "<br>"
"""Between the runs in a cell."""


class MarksMissingError(Exception):
    """The page has no place for the table."""


def update(text: str, value: Mapping[str, Any], order: Iterable[str]) -> str:
    """The page with another table, its rows in this order. Raises `MarksMissingError`."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise MarksMissingError(f"{BEGIN} and {END} are not both there")
    return head + BEGIN + "\n" + "\n".join(table(value, order)) + "\n" + END + tail


def table(value: Mapping[str, Any], order: Iterable[str]) -> Iterator[str]:
    """Lines of Markdown."""
    machine, versions = value["machine"], value["daemons"]
    yield f"felixbgp {value['version']}; BIRD {versions.get('bird', 'not there')}."
    yield f"{machine['processors']} processors ({machine['processor']}), Linux {machine['kernel']},"
    yield f"Python {machine['python']}."
    yield ""
    yield "| | case | felixbgp lost / sent | longest gap, ms | BIRD lost / sent | longest gap, ms |"
    yield "|---|---|---|---|---|---|"
    for name in order:
        if name in value["cases"]:
            yield _row(value["cases"][name])


def _row(entry: Mapping[str, Any]) -> str:
    outcomes = entry["outcomes"]
    ours, theirs = outcomes.get("felixbgp", []), outcomes.get("bird", [])
    without = "not measured" if entry["bird"] else "not run"
    cells = (
        entry["group"],
        entry["title"],
        _lost(ours) or "not measured",
        _gaps(ours),
        _lost(theirs) or without,
        _gaps(theirs),
    )
    return f"| {' | '.join(cells)} |"


def _lost(outcomes: Iterable[Mapping[str, Any]]) -> str:
    return RUNS.join(
        one["fault"] if "fault" in one else f"{_bold(one['lost'])} / {one['sent']:,}" for one in outcomes
    )


def _gaps(outcomes: Iterable[Mapping[str, Any]]) -> str:
    return RUNS.join("" if "fault" in one else f"{one['gapMs']:,}" for one in outcomes)


def _bold(lost: int) -> str:
    return f"**{lost:,}**" if lost else "0"
