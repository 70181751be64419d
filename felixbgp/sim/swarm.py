"""Runs of planned clusters: safety while things go wrong, and liveness when nothing does any more.

0 s            20 s                     end_ms                            + SETTLING_NS
│  comes up     │  events of the plan    │  at rest as soon as ──▶ stays so  │  at the latest
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from felixbgp.agent.agent import Agent
from felixbgp.resources.keys import prefix_of
from felixbgp.sim import machines
from felixbgp.sim.draw import draw
from felixbgp.sim.node import AgentMaker
from felixbgp.sim.plan import MS, Plan, schedule
from felixbgp.sim.rest import differences
from felixbgp.sim.safety import Safety, ViolationError
from felixbgp.sim.shrink import shrink
from felixbgp.sim.story import Story, Tell
from felixbgp.sim.topology import Router
from felixbgp.sim.world import SECOND, World

SETTLING_NS = 600 * SECOND
"""A peer may take 120 s to come back and 360 s to tell everything; sessions are drained for 120 s."""
TURNS_NS = 1800 * SECOND
"""How much longer with routers that refuse who has another AS number: resets take turns, of minutes each."""
LOOK_NS = 4 * SECOND
"""How long to wait before it is looked at for the first time whether all is at rest; then ever longer."""
LOOK_NS_MAX = 40 * SECOND
NODES = prefix_of("Node")
RESTLESS, RESTLESS_PER_NODE = 10_000, 300
"""More steps in one second than a cluster of so many nodes, squared, needs to come up: it does not settle."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run went. `rule` is what was violated first, "" when all is well, and `where` in words."""

    plan: Plan
    rule: str = ""
    where: tuple[str, ...] = ()
    at_ns: int = 0
    """When it was found, or the end of the run."""
    rested_ns: int = 0
    """How long after the last event all was as it must be."""

    @property
    def is_well(self) -> bool:
        """Whether nothing was violated."""
        return not self.rule


class Run:
    """One run of a plan.

    `tell` hears all that happens, with the time in nanoseconds; `make_agent` begins each life of an agent.
    """

    def __init__(self, plan: Plan, tell: Tell | None = None, make_agent: AgentMaker = Agent) -> None:
        self.plan = plan
        self.world = world = World(
            plan.seed, draining_seconds=plan.draining_s, make_agent=make_agent, is_traced=False
        )
        self._routers: list[Router] = [
            machines.router_of(machine) for machine in plan.machines if machine.as_number is not None
        ]
        watcher = Safety if tell is None else Story
        self.safety = watcher(world, self._routers, draining_s=plan.draining_s)
        if isinstance(self.safety, Story) and tell is not None:
            self.safety.tell = tell
        least, most = plan.link_us
        world.network.links.set_delays(least * 1000, most * 1000)
        for one in plan.objects:
            one.do(world)
        for machine in plan.machines:
            machines.start(world, machine)
        schedule(world, plan.events, lambda text: tell(world.clock.now, text) if tell else None)

    def go(self) -> Verdict:
        """Let it happen, to its end or to the first violation."""
        try:
            return self._go()
        except ViolationError as error:
            return Verdict(self.plan, error.rule, (error.where,), self.world.clock.now)

    def _go(self) -> Verdict:
        self.run_to(self.plan.end_ms * MS)
        end, wait = self.world.clock.now, LOOK_NS
        while True:
            self.run_to(self.world.clock.now + wait)
            wrong = self._differences()
            rested_ns = self.world.clock.now - end
            if not wrong:
                break
            if rested_ns > SETTLING_NS + (TURNS_NS if self._routers else 0):
                return Verdict(self.plan, "liveness", tuple(wrong), self.world.clock.now)
            wait = min(wait * 2, LOOK_NS_MAX)
        self.run_to(self.world.clock.now + self.plan.watch_s * SECOND)
        wrong = self._differences()
        rule = "liveness: it was well and is no longer" if wrong else ""
        return Verdict(self.plan, rule, tuple(wrong), self.world.clock.now, rested_ns)

    def _differences(self) -> list[str]:
        """What is not as the oracle has it; of nodes that are in the store and nowhere else it knows."""
        nodes = (key.removeprefix(NODES) for key in self.world.store.contents() if key.startswith(NODES))
        dead = [name for name in nodes if name not in self.world.nodes]
        return differences(self.world, self._routers, dead)

    def run_to(self, end: int) -> None:
        """Let everything happen up to a moment.

        Raises:
            ViolationError: a rule was broken.
        """
        world = self.world
        second, steps = 0, 0
        while True:
            upcoming = world.clock.next_time()
            if upcoming is None or upcoming > end:
                world.clock.now = end
                return
            if upcoming // SECOND != second:
                second, steps = upcoming // SECOND, 0
            steps += 1
            if steps > RESTLESS + RESTLESS_PER_NODE * len(world.nodes) ** 2:
                raise ViolationError("restless", f"{steps} steps in one second")
            world.step()


def run(plan: Plan, tell: Tell | None = None, make_agent: AgentMaker = Agent) -> Verdict:
    """Run a plan to its end, or to the first violation; what an agent raises is one."""
    started = Run(plan, tell, make_agent)
    try:
        return started.go()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        rule = f"exception {type(error).__name__}"
        return Verdict(plan, rule, (str(error), *where), started.world.clock.now)


def run_seed(seed: int) -> Verdict:
    """Run the plan of a seed."""
    return run(draw(seed))


def smallest(verdict: Verdict, tell: Callable[[Plan], None] = lambda _plan: None) -> Plan:
    """The smallest part of a plan that violates the same rule."""
    return shrink(verdict.plan, lambda plan: run(plan).rule == verdict.rule, tell)
