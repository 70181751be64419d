"""Every cell of docs/interop.md."""

from collections.abc import Callable

import pytest

from tests.interop.matrix import CELLS, Cell, Finding

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.timeout(240)]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_daemon_and_we_agree(cell: Cell, finding: Callable[[Cell], Finding]) -> None:
    assert finding(cell).text
