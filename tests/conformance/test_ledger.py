"""The ledger of requirements: every sentence has a test that exists, or a reason that the notes know of."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LEDGER = tomllib.loads((ROOT / "tests/conformance/requirements.toml").read_text())["requirement"]
NOTES = (ROOT / "docs/rfc-notes.md").read_text()
WORDS_MAX = 25


def label(entry: dict[str, Any]) -> str:
    return f"RFC {entry['rfc']} §{entry['section']}: {entry['requirement']}"


@cache
def names_in(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The tests of a file, those in classes as `Class::test`, and all its texts, among which are its ids."""
    tree = ast.parse(path.read_text())
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    tests = {node.name for node in tree.body if isinstance(node, functions)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            tests |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, functions)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return frozenset(tests), frozenset(text for text in texts if isinstance(text, str))


@cache
def chapters(rfc: int) -> str:
    """What the notes say under the headings that name a standard."""
    parts = re.split(r"^## ", NOTES, flags=re.MULTILINE)
    return "\n".join(part for part in parts if re.search(rf"\bRFC {rfc}\b", part.partition("\n")[0]))


def exists(test: str) -> bool:
    """Whether `path::name`, with the id of a case in brackets or without, names a test."""
    path, _, name = test.partition("::")
    name, _, case = name.partition("[")
    tests, texts = names_in(ROOT / path) if (ROOT / path).is_file() else (frozenset(), frozenset())
    return name in tests and "test_" in name and (not case or case.removesuffix("]") in texts)


def noted(entry: dict[str, Any]) -> bool:
    """Whether the notes on the standard have a line on the section."""
    section = re.escape(entry["section"])
    return re.search(rf"(?<![\d.]){section}(?!\d|\.\d)", chapters(entry["rfc"])) is not None


def test_every_sentence_has_either_a_test_or_a_reason() -> None:
    forms = ({"rfc", "section", "requirement", proof} for proof in ("test", "reason"))
    allowed = [set(form) for form in forms]
    assert [entry for entry in LEDGER if set(entry) not in allowed or not all(entry.values())] == []


def test_sentences_are_short_and_each_there_once() -> None:
    assert [label(entry) for entry in LEDGER if len(entry["requirement"].split()) > WORDS_MAX] == []
    assert len({label(entry) for entry in LEDGER}) == len(LEDGER)


def test_every_named_test_exists() -> None:
    assert [label(entry) for entry in LEDGER if "test" in entry and not exists(entry["test"])] == []


def test_the_notes_have_a_line_on_every_section_without_a_test() -> None:
    assert [label(entry) for entry in LEDGER if "reason" in entry and not noted(entry)] == []
