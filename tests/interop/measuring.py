"""The matrix is measured as a whole: all daemons at once, the cells of each a few at a time."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.interop import scenarios
from tests.interop.daemons.base import Daemon
from tests.interop.matrix import DAEMONS, Cell, Finding
from tests.interop.plan import LASTING, Feature, Role
from tests.interop.rig import Rig, a_rig

CELLS_AT_ONCE = 6
"""Of one daemon: cells wait for timers of TCP more than for the processor."""


class Matrix:
    """The daemons of the wanted cells, started together, and the cells under way."""

    def __init__(self, cells: list[Cell], folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self._pools: list[ThreadPoolExecutor] = []
        self._findings: dict[Cell, Future[Finding]] = {}
        self._rigs: dict[type[Daemon], Future[Rig]] = {}
        for daemon in DAEMONS:
            wanted = [cell for cell in cells if cell.daemon is daemon]
            if wanted:
                self._begin(daemon, wanted)

    def finding(self, cell: Cell) -> Finding:
        """What was found; waits for it. Raises what the scenario raised."""
        return self._findings[cell].result()

    def all_findings(self) -> dict[Cell, Finding]:
        """Those of all cells that were wanted and did not fail; waits for them."""
        return {cell: one.result() for cell, one in self._findings.items() if one.exception() is None}

    def versions(self) -> dict[str, str]:
        """What the daemons say they are, by name."""
        return {daemon.name: rig.result().daemon.version() for daemon, rig in self._rigs.items()}

    def close(self) -> None:
        """End the daemons, once what is under way has ended: nothing is started behind our back."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        self._running.close()

    def _begin(self, daemon: type[Daemon], cells: list[Cell]) -> None:
        pool = ThreadPoolExecutor(CELLS_AT_ONCE)
        self._pools.append(pool)
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
        return self._running.enter_context(a_rig(daemon, folder, roles))


def _find(rig: Future[Rig], cell: Cell) -> Finding:
    return scenarios.find(rig.result(), cell.variant, cell.feature)
