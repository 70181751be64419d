"""From a seed to a plan. Each part of it is drawn by itself, so that none moves another."""

from collections.abc import Callable, Iterator, Sequence
from errno import EBUSY, ENETUNREACH, ENOBUFS, ENOMEM

from felixbgp.sim import shapes
from felixbgp.sim.faults import (
    Bad,
    Clog,
    Compact,
    Deafen,
    Forget,
    GoBack,
    InstantFault,
    Isolate,
    Kill,
    LastingFault,
    Lose,
    Partition,
    Refuse,
    Reset,
    Silence,
    Slow,
    Stop,
    TurnOff,
)
from felixbgp.sim.links import Trouble
from felixbgp.sim.plan import At, During, Event, Plan
from felixbgp.sim.programs import draw_drains, draw_programs
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.store import CatchUp

START_MS = 20_000
"""By then a cluster is up that nothing happens to."""
Names = Sequence[str]


def draw(seed: int, nodes: int | None = None) -> Plan:
    """The plan of a seed, with as many nodes as it draws, or with so many."""
    root = Randomness(seed)
    shape = shapes.draw_shape(root.part("shape"), nodes)
    own = root.part("machines")
    machines = shapes.machines(shape, own)
    span_ms = root.part("span").pick((20, 40, 40, 60, 60, 90, 150)) * 1000
    names = [machine.name for machine in machines]
    agents = [machine.name for machine in machines if machine.as_number is None]
    events = [
        *draw_faults(names, agents, root.part("faults"), span_ms),
        *draw_programs(shape, root.part("operators"), own, START_MS, span_ms),
        *draw_drains(shape, root.part("drains"), START_MS, span_ms),
    ]
    events.sort(key=lambda event: event.ms)
    most_us = root.part("links").pick((200, 1000, 5000, 50_000))
    return Plan(
        seed=seed,
        shape=_described(shape),
        machines=machines,
        objects=shapes.objects(shape, machines),
        events=tuple(events),
        link_us=(most_us // 10, most_us),
        watch_s=400 if root.part("watch").chance(0.05) else 10,
    )


def _described(shape: shapes.Shape) -> str:
    words = f"{shape.size} nodes, {shape.name}, {'IPv4 and IPv6' if shape.is_dual else 'IPv4'}"
    words += f", {'a' if shape.has_mesh else 'no'} mesh"
    if shape.reflectors:
        words += f", reflectors {' '.join(map(str, sorted(shape.reflectors)))}"
    return words


def draw_faults(names: Names, agents: Names, randomness: Randomness, span_ms: int) -> Iterator[Event]:
    """Some faults, of some kinds: which kinds there can be is drawn first, so that each meets few others."""
    if randomness.chance(0.15):
        return
    kinds = [kind for kind in KINDS if randomness.chance(0.35)] or [randomness.pick(KINDS)]
    for _ in range(randomness.pick((1, 1, 2, 2, 3, 4, 6, 9))):
        own = randomness.fork()
        begin = START_MS + own.between(0, span_ms)
        yield from own.pick(kinds)(names, agents, own, begin)


Kind = Callable[[Names, Names, Randomness, int], Iterator[Event]]


def _duration(randomness: Randomness) -> int:
    """How long something lasts, in milliseconds: mostly seconds, now and then longer than a hold time."""
    longest = randomness.pick((300, 2000, 2000, 10_000, 10_000, 30_000, 30_000, 100_000))
    return randomness.between(longest // 10, longest)


def _lasting(what: LastingFault, begin: int, randomness: Randomness) -> Event:
    return During(begin, begin + _duration(randomness), what)


def _pair(names: Names, randomness: Randomness) -> tuple[str, str]:
    first, second = randomness.sample(names, 2)
    return (first, second) if randomness.chance(0.5) else (second, first)


def _some(names: Names, randomness: Randomness) -> tuple[str, ...]:
    """One, a few, or all."""
    count = randomness.pick((1, 1, 2, max(1, len(names) // 2), len(names)))
    return tuple(randomness.sample(names, count))


def _partition(names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    left = _some(names, own)
    right = tuple(name for name in names if name not in left) or left
    if left == right or own.chance(0.3):
        left, right = left[:1], tuple(name for name in names if name != left[0])[:1]
    yield _lasting(Partition(left, right), begin, own)


def _clog(names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    yield _lasting(Clog(*_pair(names, own)), begin, own)


def _bad(names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    trouble = own.pick((Trouble.CHOPPED, Trouble.REFUSING, Trouble.UNREACHABLE))
    yield _lasting(Bad(trouble, *_pair(names, own)), begin, own)


def _reset(names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    what: InstantFault = Reset(*_pair(names, own)) if own.chance(0.5) else Forget(*_pair(names, own))
    yield At(begin, what)
    if own.chance(0.3):
        yield At(begin + own.between(1, 3000), what)


def _how(own: Randomness) -> CatchUp:
    return CatchUp(own.chance(0.4), own.chance(0.4), own.chance(0.3))


def _store(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    nodes = _some(agents, own)
    everybody = tuple(agents)
    choices: Sequence[LastingFault] = (
        Silence(nodes, _how(own)),
        Isolate(nodes, _how(own)),
        Isolate(everybody, _how(own)),
    )
    what = own.pick(choices)
    event = _lasting(what, begin, own)
    yield event
    if own.chance(0.4):
        yield At(own.between(begin, event.end_ms), Compact())


def _slow(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    yield _lasting(Slow(own.pick(agents), own.between(10, 5000)), begin, own)


def _go_back(_names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    yield _lasting(GoBack(), begin, own)


def _refuse(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    errno = own.pick((EBUSY, ENOMEM, ENOBUFS, ENETUNREACH))
    only = (f"10.0.{own.between(1, 9)}.0/26",) if own.chance(0.5) else ()
    yield _lasting(Refuse(own.pick(agents), errno, only), begin, own)


def _lose(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    node = own.pick(agents)
    yield At(begin, Lose(node, own.between(0, 2), own.between(1, 4)))
    if own.chance(0.4):
        yield _lasting(Deafen(node), begin - 1, own)


def _kill(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    node = own.pick(agents)
    end = begin + _duration(own)
    yield During(begin, end, Kill(node) if own.chance(0.7) else Stop(node))
    if own.chance(0.4):
        again = end + own.between(1, 8000)
        yield During(again, again + _duration(own) // 4, Kill(node))


def _kill_many(_names: Names, agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    gap = own.pick((0, 0, 500, 4000))
    for place, node in enumerate(_some(agents, own)):
        if place < 12:
            yield During(begin + place * gap, begin + place * gap + own.between(50, 5000), Stop(node))


def _turn_off(names: Names, _agents: Names, own: Randomness, begin: int) -> Iterator[Event]:
    yield _lasting(TurnOff(own.pick(names)), begin, own)


KINDS: Sequence[Kind] = (
    _partition,
    _clog,
    _bad,
    _reset,
    _store,
    _slow,
    _go_back,
    _refuse,
    _lose,
    _kill,
    _kill_many,
    _turn_off,
)
