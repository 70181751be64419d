"""The tree's own rules: what a reviewer would otherwise have to look for."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "_pb" not in path.parts)


def tracked() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file():
            yield name, path.read_text(errors="replace")


@pytest.mark.parametrize("path", sources("felixbgp"), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= FUNCTION_LINES_MAX, node.name


def test_nothing_is_left_to_do() -> None:
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [
        name for name, text in tracked() if name.endswith((".py", ".md", ".toml")) and pattern.search(text)
    ]
    assert found == []


def test_every_package_states_its_contract() -> None:
    for path in sources("felixbgp"):
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_tests_wait_for_conditions_and_never_sleep() -> None:
    pattern = re.compile(r"\btime\.sleep\(")
    found = [path.name for path in sources("tests") if pattern.search(path.read_text())]
    assert found == []


def test_the_documents_name_only_files_that_exist() -> None:
    missing = []
    for name, text in tracked():
        if not name.endswith(".md") or name == "CHANGELOG.md":
            continue
        folder = (ROOT / name).parent
        missing += [
            f"{name}: {target}"
            for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
            if not (folder / target).exists()
        ]
    assert missing == []
