"""How long every task holds the loop: also those that decode, encode, read and write outside of the driver.

The driver times what the Agent does. A task that is no part of that may hold everybody up as well, so the
loop itself is asked.
"""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final

import trio

from felixbgp.runtime.driver import Driver
from felixbgp.runtime.steps import MILLISECOND_NS, StepKind

KINDS: Final = (
    ("felixbgp.runtime.etcd.", StepKind.STORE),
    ("felixbgp.runtime.store.", StepKind.STORE),
    ("felixbgp.runtime.netlink.", StepKind.KERNEL),
)
"""By how the names of tasks begin: trio calls one by the module and name of its function."""


class LoopObserver(trio.abc.Instrument):
    """Tells a driver of the steps of tasks that it does not time itself, if they are not short."""

    def __init__(self, driver: Driver, clock: Callable[[], int] = perf_counter_ns) -> None:
        self._driver = driver
        self._clock = clock
        # In the middle of a step, of which only the rest is seen.
        self._began = clock()
        self._timed = driver.timed_ns

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - trio gives it
        """A task has its turn."""
        self._timed = self._driver.timed_ns
        self._began = self._clock()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Its turn is over; what the driver timed of it is known already."""
        ended = self._clock()
        took = ended - self._began
        if took > MILLISECOND_NS:
            took -= self._driver.timed_ns - self._timed
            if took > MILLISECOND_NS:
                self._driver.note(kind_of(task.name), ended, took)


def kind_of(name: str) -> StepKind:
    """Of which kind the steps of a task are."""
    for beginning, kind in KINDS:
        if name.startswith(beginning):
            return kind
    return StepKind.OTHER
