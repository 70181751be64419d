"""The loop around the Agent: feed what comes in, drain, carry out, sleep until the next deadline.

etcd ─┐                        ┌─ tcp
tcp  ─┼─► deliver ─► Agent ─► perform ─ kernel
kernel┘   (the only queue)     └─ status, log
"""

from collections.abc import Callable, Iterable
from math import inf

import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.runtime.clock import now_ns, seconds_until

BUDGET = 1000
"""Prefixes per drain: some milliseconds of work, after which arrived bytes get their turn."""
BUSY_SECONDS = 0.05
"""How long a timer may be late while the kernel is behind. An answer of the kernel mostly comes sooner."""
BACKLOG_MAX = 4096
"""Inputs that may wait between two drains; a socket's reader then pauses, and TCP tells its peer to."""


class Driver:
    """Owns the Agent: nobody else calls it, so nothing in it needs a lock."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._wake = trio.Event()
        self._drained = trio.Event()
        self._backlog = 0

    @property
    def agent(self) -> Agent:
        """For statistics and snapshots; never to be fed past `deliver`."""
        return self._agent

    def deliver(self, events: Iterable[Input]) -> None:
        """Hand inputs to the Agent, in order, at the present time."""
        now = now_ns()
        for event in events:
            self._agent.feed(event, now)
            self._backlog += 1
        self._wake.set()

    async def wait_room(self, connection: int | None = None) -> None:
        """Return at once, or when the Agent has caught up; for producers that can be held back.

        The reader of a `connection` is held back for its own peer's sake too, who may send faster than its
        messages are worked off.
        """
        while self._backlog >= BACKLOG_MAX or (connection is not None and self._agent.is_behind(connection)):
            await self._drained.wait()

    async def run(
        self, perform: Callable[[Effect], None], is_busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Drain for ever. `perform` starts an effect and does not wait for it.

        While `is_busy` the effects that were started last are not done, and nothing that a budget is for is
        added to them: what came in is answered, the rest is decided later, by what will be known then.
        """
        while True:
            self._wake = trio.Event()
            self._backlog = 0
            self._drained.set()
            self._drained = trio.Event()
            busy = is_busy()
            for effect in self._agent.drain(now_ns(), 0 if busy else BUDGET):
                perform(effect)
            await trio.lowlevel.checkpoint()
            with trio.move_on_after(BUSY_SECONDS if busy else self._seconds_left()):
                await self._wake.wait()

    def _seconds_left(self) -> float:
        """Until there is something to do though nothing was fed."""
        deadline = self._agent.next_deadline()
        return inf if deadline is None else seconds_until(deadline)
