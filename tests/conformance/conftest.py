"""Golden tables: what is the case, in full, in a file beside the test, compared to the letter."""

from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden tables; commit a changed one only if you can say why it changed",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` holds `text` against the file `name` beside the test."""
    update = request.config.getoption("--update-golden", default=False)

    def compare(name: str, text: str) -> None:
        path = Path(request.path).parent / name
        if update:
            path.write_text(text)
        assert text.splitlines() == path.read_text().splitlines()

    return compare
