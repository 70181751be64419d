"""Tables as calicoctl draws them."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

_CELL_MIN = 5
_PADDING = 3
"""What calicoctl gives to Go's tabwriter: the smallest width of a cell, and the blanks after the longest."""


class Coloured(NamedTuple):
    """A cell in a colour of a terminal."""

    text: str
    colour: str


Cell = str | Coloured


def bordered(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table with borders; headers in the middle of their columns, cells to the left."""
    texts = [[printable(_text(cell)) for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *texts, strict=True)]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [
        border,
        _line([_centred(header, width) for header, width in zip(headers, widths, strict=True)]),
        border,
    ]
    for row, row_texts in zip(rows, texts, strict=True):
        cells = zip(row, row_texts, widths, strict=True)
        lines.append(_line([_painted(text.ljust(width), cell) for cell, text, width in cells]))
    return "\n".join([*lines, border])


def tabbed(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns without borders, each line ended.

    Go's tabwriter as calicoctl has it: every cell is followed by blanks, the last of a line too.
    """
    cleaned = [list(headers), *([_without_controls(cell) for cell in row] for row in rows)]
    widths = [
        max(_CELL_MIN, _PADDING + max(len(cell) for cell in column)) for column in zip(*cleaned, strict=True)
    ]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + "\n" for row in cleaned
    )


def wants_colour() -> bool:
    """Whether standard output is a terminal on which nobody asked for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def some(names: Iterable[str], most: int) -> str:
    """The first `most` of these, and how many more there are."""
    found = list(names)
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")


def printable(text: str) -> str:
    """The text on one line, and without what could move the cursor: it comes from the store, from anybody."""
    return _without_controls(text).strip()


def harmless(text: str) -> str:
    """The text with its lines and tabs, without what else could move the cursor."""
    return "".join(character if character.isprintable() or character in "\n\t" else " " for character in text)


def _without_controls(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Coloured) else cell


def _painted(text: str, cell: Cell) -> str:
    return click.style(text, fg=cell.colour) if isinstance(cell, Coloured) else text


def _centred(text: str, width: int) -> str:
    """In the middle; the odd blank goes to the right, as calicoctl has it (`str.center` differs)."""
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
