"""The blocks of a documentation page, as commands that can be run and outputs that can be compared.

    ```sh                      commands, one after the other; each must succeed
    ```console                 `$ ` a command, `> ` its next line, then all that it prints
    ```yaml title="a.yaml"     a file, which the commands below it use

In what a command prints `…` stands for any text within a line, and alone in a line for any lines. A command
whose shown output has a line that begins with `error:` must fail; any other must succeed.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```+ *(\S*)(.*)$")
TITLE = re.compile(r'title="([^"]+)"')
COMMANDS = ("sh", "console")
FILES = ("yaml", "json", "toml")
TEXTS = ("", "text", "python", *FILES)
"""What is shown and not typed, drawings among it; there are no others."""
ANY = "…"
FAILURE = "error:"


class PageError(Exception):
    """A page that cannot be read as commands."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it begins, what it is, the name of the file it holds, and its text."""

    line: int
    language: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that the page tells its reader to write."""

    line: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and what is shown as printed; None where nothing is said of that."""

    line: int
    text: str
    printed: str | None

    @property
    def is_to_fail(self) -> bool:
        """Whether the page shows an error."""
        return self.printed is not None and any(
            line.startswith(FAILURE) for line in self.printed.splitlines()
        )


def pages() -> list[Path]:
    """Every page for readers; decisions are for those who change the code."""
    found = (ROOT / "docs").rglob("*.md")
    return [ROOT / "README.md", *sorted(path for path in found if "adr" not in path.parts)]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order. Raises `PageError` for one that does not end."""
    found: list[Block] = []
    opened: tuple[int, str, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence is not None:
            title = TITLE.search(fence[3])
            opened, lines = (number, fence[2], title[1] if title else "", fence[1]), []
        elif opened is not None and fence is not None and not fence[2]:
            begin, language, name, indent = opened
            body = "".join(f"{each.removeprefix(indent)}\n" for each in lines)
            found.append(Block(begin, language, name, body))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        raise PageError(f"line {opened[0]}: a block that does not end")
    return found


def steps(text: str) -> list[File | Command]:
    """What a reader does who follows a page from top to bottom."""
    found: list[File | Command] = []
    for block in blocks(text):
        if block.language == "console":
            found += _of_console(block)
        elif block.language == "sh":
            found += _of_script(block)
        elif block.title:
            found.append(File(block.line, block.title, block.text))
    return found


def _of_console(block: Block) -> Iterator[Command]:
    line, typed, printed = 0, [""], [""]
    for number, text in enumerate(block.text.splitlines(), start=block.line + 1):
        if text.startswith("$ "):
            if line:
                yield Command(line, "\n".join(typed), "\n".join(printed))
            line, typed, printed = number, [text[2:]], []
        elif not line:
            raise PageError(f"line {number}: output before the first command")
        elif text.startswith("> ") and not printed:
            typed.append(text[2:])
        else:
            printed.append(text)
    if not line:
        raise PageError(f"line {block.line}: no command in it")
    yield Command(line, "\n".join(typed), "\n".join(printed))


def _of_script(block: Block) -> Iterator[Command]:
    """Each command by itself, so that each must succeed; with its here-document or its further lines."""
    typed: list[str] = []
    begin = block.line + 1
    for number, text in enumerate(block.text.splitlines(), start=block.line + 1):
        if not typed:
            begin = number
        typed.append(text)
        if not text.strip() and len(typed) == 1:
            typed = []
        elif _is_complete("\n".join(typed)):
            yield Command(begin, "\n".join(typed), None)
            typed = []
    if typed:
        raise PageError(f"line {begin}: a command that does not end")


def _is_complete(text: str) -> bool:
    """Bash takes a here-document without its end, with a warning, and a line that ends in a backslash."""
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return checked.returncode == 0 and not checked.stderr and not text.endswith("\\")


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether a command printed what the page shows; blanks at the ends of lines do not count."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANY else ".*?".join(map(re.escape, line.split(ANY))) + r"\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    """Without blanks at their ends, and without empty lines at the end of all."""
    return [line.rstrip() for line in text.rstrip().splitlines()]
