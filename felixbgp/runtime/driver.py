"""The loop around the Agent: feed what comes in, drain, carry out, sleep until the next deadline.

etcd ─┐                                    ┌─ tcp
tcp  ─┼─► deliver ─► Agent ─ take, tell, publish ─► perform ─ kernel
kernel┘   (the only queue)                          └─ status, log

While a feed or a part of a drain lasts nobody else is served, so each is timed: `pace` sets the next one's
budget by it, `steps` keeps the longest ones, which the Agent is told for its status. What other tasks do
at once, an `observer` of the whole loop times.
"""

from collections.abc import Callable, Iterable
from math import inf
from time import perf_counter_ns, thread_time_ns

import trio

from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input, StepsMeasured
from felixbgp.runtime import garbage, telemetry
from felixbgp.runtime.clock import now_ns, seconds_until
from felixbgp.runtime.pace import FEWEST, MOST, START, TOLD_FEWEST, TOLD_START, Pace
from felixbgp.runtime.steps import MILLISECOND_NS, SLICE_NS, StepKind, Steps, StepTookLong, longest_of

UNTOLD_MAX = 16_384
"""Prefixes that peers are still to be told of, and could be, when no more is taken in for a while: what was
taken in had better be told while it is in the processor's caches, and before it fills the memory."""
UNTOLD_NS = 10_000_000
"""For how long peers' routes may be taken in before others are told of them, if there is no end of them."""
BUSY_SECONDS = 0.05
"""How long a timer may be late while the kernel is behind. An answer of the kernel mostly comes sooner."""
BACKLOG_MAX = 4096
"""What may wait for the Agent, in inputs, those of connections by what they cost; a socket's reader then
pauses, and TCP tells its peer to. Some ten milliseconds of work."""


class Driver:
    """Owns the Agent: nobody else calls it, so nothing in it needs a lock.

    `clock` gives nanoseconds, `work_clock` those that this thread had the processor: a machine that gives us
    little of it is no reason to do less at a time.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        clock: Callable[[], int] = perf_counter_ns,
        work_clock: Callable[[], int] = thread_time_ns,
        observe: Callable[[StepTookLong], None] = telemetry.observe,
    ) -> None:
        self._agent = agent
        self._clock = clock
        self._work_clock = work_clock
        self._observe = observe
        self._wake = trio.Event()
        self._drained = trio.Event()
        self._backlog = 0
        self._told = StepsMeasured()
        self._tell_at = 0
        self._untold_ns = 0
        self._working_out_ns = 0
        self._handing_out_ns = 0
        """How long the parts of the last turn took: what all are told, and to give it to each."""
        self.timed_ns = 0
        """What all steps together took that are timed here."""
        self.taking = Pace(START, FEWEST, MOST)
        self.telling = Pace(TOLD_START, TOLD_FEWEST, MOST)
        self.steps = {kind: Steps(kind) for kind in StepKind}
        """Parts of drains with what carrying out their effects took."""

    @property
    def agent(self) -> Agent:
        """For statistics and snapshots; never to be fed past `deliver`."""
        return self._agent

    def deliver(self, events: Iterable[Input]) -> None:
        """Hand inputs to the Agent, in order, at the present time."""
        began, now = self._clock(), now_ns()
        for event in events:
            self._agent.feed(event, now)
            self._backlog += 1
        self._wake.set()
        self.record(StepKind.FEED, began)

    async def turn(self) -> None:
        """Return when the loop has begun another turn, which it does at once unless something is wrong."""
        drained = self._drained
        self._wake.set()
        await drained.wait()

    async def wait_room(self, connection: int | None = None) -> None:
        """Return at once, or when the Agent has caught up; for producers that can be held back.

        The reader of a `connection` is held back for its own peer's sake too, who may send faster than its
        messages are worked off; without a connection it is the store's.
        """
        agent = self._agent
        while self._backlog >= BACKLOG_MAX or (
            agent.is_behind_store() if connection is None else agent.is_behind(connection)
        ):
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
            self._backlog = self._agent.backlog
            self._drained.set()
            self._drained = trio.Event()
            busy = is_busy()
            seconds_left = await self._drain(perform, busy=busy)
            if busy and not self._agent.backlog:
                seconds_left = BUSY_SECONDS
            if seconds_left <= 0 or self._wake.is_set():
                garbage.put_aside()
            else:
                garbage.look()
                with trio.move_on_after(seconds_left):
                    await self._wake.wait()

    async def _drain(self, perform: Callable[[Effect], None], *, busy: bool) -> float:
        """Do what is due in three steps, after each of which others are served; the seconds until more is.

        While there is no end of what peers send, the last two are left out for some milliseconds: a turn
        costs every peer a message, whatever is in it. Where that takes longer, peers' routes are taken in for
        as long as it took: turns are at most half of all work.
        """
        agent = self._agent
        holds_back = busy or agent.untold_count >= UNTOLD_MAX
        took = self._step(StepKind.TAKE, agent.take, perform, 0 if holds_back else self.taking.budget)
        if not holds_back:
            self.taking.learn(took, is_more=agent.is_selecting)
        await trio.lowlevel.checkpoint()
        self._untold_ns += took
        is_more = agent.is_selecting or agent.backlog > 0
        may_wait = is_more and not (busy or holds_back or agent.is_handing_out)
        if may_wait and self._untold_ns < max(UNTOLD_NS, self._handing_out_ns):
            return 0.0
        self._take_turn(perform, busy=busy)
        await trio.lowlevel.checkpoint()
        took = self._step(StepKind.PUBLISH, lambda now, _: agent.publish(now), perform, 0)
        seconds_left = self._seconds_left()
        if took > MILLISECOND_NS:
            # Mostly there is nothing to publish. With every turn a reader has, more of its peer waits here.
            await trio.lowlevel.checkpoint()
        return seconds_left

    def _take_turn(self, perform: Callable[[Effect], None], *, busy: bool) -> None:
        """Work out what all are told, or give it to the next peers.

        A turn is one step of the first kind, and as many of the second as there are peers for.
        """
        agent = self._agent
        is_working_out = not agent.is_handing_out
        took = self._step(StepKind.TELL, agent.tell, perform, 0 if busy else self.telling.budget)
        if is_working_out:
            self._untold_ns, self._working_out_ns, self._handing_out_ns = 0, took, 0
        else:
            self._handing_out_ns += took
        if not (busy or agent.is_handing_out):
            is_more, besides_ns = agent.is_telling, self._handing_out_ns
            self.telling.learn(self._working_out_ns, is_more=is_more, besides_ns=besides_ns)

    def _step(
        self,
        kind: StepKind,
        work: Callable[[int, int], list[Effect]],
        perform: Callable[[Effect], None],
        budget: int,
    ) -> int:
        """Do a part of a drain, and start what that asks for; the nanoseconds of work that this was."""
        began, work_began = self._clock(), self._work_clock()
        for effect in work(now_ns(), budget):
            perform(effect)
        worked = self._work_clock() - work_began
        self.record(kind, began, budget)
        return worked

    def _seconds_left(self) -> float:
        """Until there is something to do though nothing was fed."""
        deadline = self._agent.next_deadline()
        return inf if deadline is None else seconds_until(deadline)

    def record(self, kind: StepKind, began: int, budget: int = 0) -> None:
        """Take down a step that ends now; whether it is news is looked at now and then."""
        ended = self._clock()
        self.timed_ns += ended - began
        self.note(kind, ended, ended - began, budget)

    def note(self, kind: StepKind, ended: int, took: int, budget: int = 0) -> None:
        """The same for a step that somebody else timed."""
        steps = self.steps[kind]
        is_longest = took > steps.longest_ns
        steps.record(ended, took)
        if (complaint := steps.complaint(ended, took, budget)) is not None:
            self._observe(complaint)
        if is_longest or ended >= self._tell_at:
            self._tell_at = ended + SLICE_NS
            self._tell(ended)

    def _tell(self, now: int) -> None:
        longest = longest_of(self.steps.values(), now)
        measured = StepsMeasured(*longest)
        if measured != self._told:
            self._told = measured
            self._agent.feed(measured, now_ns())
            self._wake.set()
