"""Every cell of docs/interop.md."""

from pathlib import Path

import pytest

from tests.interop import page
from tests.interop.matrix import CELLS, Cell
from tests.interop.measuring import Matrix

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_daemon_and_we_agree(cell: Cell, matrix: Matrix) -> None:
    assert matrix.finding(cell).text


def test_the_page_shows_what_was_measured(matrix: Matrix, request: pytest.FixtureRequest) -> None:
    """`make interop` writes it."""
    found = matrix.all_findings()
    if request.config.getoption("--write-interop-page"):
        assert set(found) == set(CELLS), "a page of a part of the matrix"
        PAGE.write_text(page.render(found, matrix.versions()))
    written = page.read(PAGE.read_text())
    assert {cell: written[cell] for cell in found} == {cell: one.verdict.value for cell, one in found.items()}
