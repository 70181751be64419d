"""The matrix, measured once for all tests of its cells."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.interop.matrix import CELLS
from tests.interop.measuring import Matrix


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-interop-page", action="store_true", help="write docs/interop.md")


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """All cells of the selected tests."""
    wanted = [item.callspec.params.get("cell") for item in request.session.items if hasattr(item, "callspec")]
    cells = [cell for cell in CELLS if cell in wanted]
    with closing(Matrix(cells, tmp_path_factory.mktemp("interop"))) as measured:
        yield measured
