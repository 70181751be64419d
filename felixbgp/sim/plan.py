"""A planned run of a simulated cluster: who is there, what is in the store, and what happens when.

A plan is a value: its repr is what makes it again, and a part of its events is a plan as well.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from felixbgp.sim.faults import InstantFault, LastingFault
from felixbgp.sim.machines import Machine
from felixbgp.sim.operators import Block, InstantAction, LastingAction, Put
from felixbgp.sim.world import World

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class At:
    """Something that happens at once, so many milliseconds after the start."""

    ms: int
    what: InstantFault | InstantAction

    @property
    def end_ms(self) -> int:
        """When it is over."""
        return self.ms

    def __str__(self) -> str:
        return f"{self.ms / 1000:.3f} s: {self.what}"


@dataclass(frozen=True, slots=True)
class During:
    """Something that lasts from one moment to another, in milliseconds after the start."""

    ms: int
    end_ms: int
    what: LastingFault | LastingAction

    def __str__(self) -> str:
        return f"{self.ms / 1000:.3f} s to {self.end_ms / 1000:.3f} s: {self.what}"


Event = At | During


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, up to the moment when nothing goes wrong any more."""

    seed: int
    shape: str
    """What it is like, in words."""
    machines: tuple[Machine, ...]
    objects: tuple[Put | Block, ...]
    events: tuple[Event, ...] = ()
    link_us: tuple[int, int] = (200, 200)
    """How long the fastest link takes, and the slowest."""
    draining_s: int = 120
    watch_s: int = 0
    """For how long it must stay as it is once all is well."""

    @property
    def end_ms(self) -> int:
        """When the last event is over."""
        return max((event.end_ms for event in self.events), default=0)

    def only(self, numbers: Collection[int]) -> "Plan":
        """The same with these events alone, counted from 0."""
        return replace(self, events=tuple(self.events[number] for number in sorted(numbers)))

    def lines(self) -> Iterator[str]:
        """What to tell of it, line by line."""
        names = " ".join(machine.name for machine in self.machines)
        yield f"seed {self.seed}: {self.shape}"
        yield f"machines: {names}"
        yield f"links: {self.link_us[0]} to {self.link_us[1]} us"
        for put in self.objects:
            if not isinstance(put, Block):
                yield f"stored: {put}"
        for number, event in enumerate(self.events):
            yield f"event {number}: {event}"


def schedule(world: World, events: Iterable[Event], tell: Callable[[str], None]) -> None:
    """Have the events of a plan happen in their time; `tell` hears of each."""
    for event in events:
        action = _beginning(world, event, tell)
        world.clock.call_at(event.ms * MS, action)


def _beginning(world: World, event: Event, tell: Callable[[str], None]) -> Callable[[], None]:
    """What is to be done when an event's time has come."""

    def happen() -> None:
        tell(f"{event.what}")
        if isinstance(event, At):
            event.what.do(world)
            return
        end = event.what.begin(world)
        world.clock.call_at(event.end_ms * MS, lambda: _end(event, end, tell))

    return happen


def _end(event: During, end: Callable[[], None], tell: Callable[[str], None]) -> None:
    tell(f"over: {event.what}")
    end()
