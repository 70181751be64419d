"""Tables as calicoctl draws them."""

from collections.abc import Sequence


def bordered(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with borders; headers in the middle of their columns, cells to the left."""
    cleaned = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(headers, *cleaned, strict=True)]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [
        border,
        _line([_centred(header, width) for header, width in zip(headers, widths, strict=True)]),
        border,
        *(_line([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]) for row in cleaned),
        border,
    ]
    return "\n".join(lines)


def plain(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns without borders, three blanks apart, no trailing blanks."""
    cleaned = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cleaned, strict=True)]
    lines = (
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cleaned
    )
    return "\n".join(line.rstrip() for line in lines)


def printable(text: str) -> str:
    """The text on one line, and without what could move the cursor: it comes from the store, from anybody."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _centred(text: str, width: int) -> str:
    """In the middle; the odd blank goes to the right, as calicoctl has it (`str.center` differs)."""
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
