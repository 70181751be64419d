"""Golden files: what is the case, in full, in a file beside the test, compared to the letter."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A slow machine is no error; how fast things are is for `bench/`.
settings.register_profile("felixbgp", deadline=None)
settings.load_profile("felixbgp")

RULE = "golden files were written: commit a changed one only if you can say why it changed"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden files; commit a changed one only if you can say why it changed",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--update-golden"):
        terminalreporter.write_line(RULE, yellow=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` holds `text` against the file `name` beside the test."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = Path(request.path).parent / name
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return compare
