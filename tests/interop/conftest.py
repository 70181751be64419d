"""The matrix is measured as a whole: all daemons at once, the cells of each a few at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import page, scenarios
from tests.interop.daemons.base import Daemon
from tests.interop.matrix import CELLS, DAEMONS, Cell, Finding
from tests.interop.plan import LASTING, Feature, Role
from tests.interop.rig import Rig, a_rig

CELLS_AT_ONCE = 6
"""Of one daemon: cells wait for timers of TCP more than for the processor."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--interop-page", metavar="FILE", help="where to write the matrix, once all of it is measured"
    )


class Matrix:
    """The daemons of the wanted cells, started together, and the cells under way."""

    def __init__(self, cells: list[Cell], folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._findings: dict[Cell, Future[Finding]] = {}
        self._rigs: dict[type[Daemon], Future[Rig]] = {}
        for daemon in DAEMONS:
            wanted = [cell for cell in cells if cell.daemon is daemon]
            if wanted:
                self._begin(daemon, wanted)

    def finding(self, cell: Cell) -> Finding:
        """What was found; waits for it. Raises what the scenario raised."""
        return self._findings[cell].result()

    def all_findings(self) -> dict[Cell, Finding] | None:
        """All of them; None unless each cell was measured with success."""
        if set(self._findings) != set(CELLS) or any(one.exception() for one in self._findings.values()):
            return None
        return {cell: self._findings[cell].result() for cell in CELLS}

    def versions(self) -> dict[str, str]:
        """What the daemons say they are, by name."""
        return {daemon.name: rig.result().daemon.version() for daemon, rig in self._rigs.items()}

    def _begin(self, daemon: type[Daemon], cells: list[Cell]) -> None:
        pool = self._stack.enter_context(ThreadPoolExecutor(CELLS_AT_ONCE))
        lasting = self._rigs[daemon] = pool.submit(self._start, daemon, LASTING)
        restarting = lasting
        if any(cell.feature is Feature.RESTART for cell in cells):
            restarting = pool.submit(self._start, daemon, (Role.RESTARTING,))
        for cell in cells:
            rig = restarting if cell.feature is Feature.RESTART else lasting
            self._findings[cell] = pool.submit(_find, rig, cell)

    def _start(self, daemon: type[Daemon], roles: tuple[Role, ...]) -> Rig:
        folder = self._folder / f"{daemon.package}-{len(roles)}"
        folder.mkdir()
        return self._stack.enter_context(a_rig(daemon, folder, roles))


def _find(rig: Future[Rig], cell: Cell) -> Finding:
    return scenarios.find(rig.result(), cell.variant, cell.feature)


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """All cells of the selected tests."""
    wanted = [item.callspec.params.get("cell") for item in request.session.items if hasattr(item, "callspec")]
    cells = [cell for cell in CELLS if cell in wanted]
    with ExitStack() as stack:
        measured = Matrix(cells, tmp_path_factory.mktemp("interop"), stack)
        yield measured
        target = request.config.getoption("--interop-page")
        findings = measured.all_findings()
        if target and findings is not None:
            Path(target).write_text(page.render(findings, measured.versions()))


@pytest.fixture
def finding(matrix: Matrix) -> Callable[[Cell], Finding]:
    """Gives what was found in a cell."""
    return matrix.finding
