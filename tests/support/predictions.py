"""A simulated cluster before and after a change, and what was predicted of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from felixbgp.bgp.changes import PEER_CHANGES, SPEAKER_CHANGES
from felixbgp.bgp.config import PeerConfig, SpeakerConfig
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.cluster.inputs import StoredValue
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.plan.outcome import NodeOutcome, Route, RouteOutcome
from felixbgp.plan.planning import plan
from felixbgp.plan.sessions import SessionChange
from felixbgp.resources.keys import prefix_of
from felixbgp.sim import machines, shapes
from felixbgp.sim.draw import draw
from felixbgp.sim.operators import InstantAction
from felixbgp.sim.plan import At
from felixbgp.sim.plan import Plan as Run
from felixbgp.sim.programs import draw_programs
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.rest import differences, established
from felixbgp.sim.world import SECOND, World

NODES_MAX = 7
"""Larger ones say no more, and take long: a mesh is simulated in the square of its size."""
REST_NS_MAX = 3000 * SECOND
NODES = prefix_of("Node")
OURS = (RouteSource.BGP, RouteSource.AGGREGATE)


@dataclass(frozen=True)
class Drawn:
    """A cluster, and what operators do to it at one instant."""

    run: Run
    actions: tuple[InstantAction, ...]

    def __str__(self) -> str:
        return "\n".join([*self.run.lines(), *(f"change: {action}" for action in self.actions)])


def drawn(seed: int) -> Drawn:
    """The cluster of a seed, without what goes wrong in it, and a change of that seed."""
    root = Randomness(seed)
    size = min(NODES_MAX, shapes.draw_shape(root.part("shape")).size)
    shape = shapes.draw_shape(root.part("shape"), size)
    randomness = root.part("change")
    while True:
        events = list(draw_programs(shape, randomness, root.part("machines"), 0, 1))
        actions = [e.what for e in events if isinstance(e, At) and isinstance(e.what, InstantAction)]
        if actions:
            break
    some = actions[: randomness.between(1, min(len(actions), 6))]
    return Drawn(replace(draw(seed, size), events=()), tuple(some))


class Observed:
    """One world: its cluster, at rest."""

    def __init__(self, run: Run) -> None:
        self.world = world = World(run.seed, draining_seconds=run.draining_s, is_traced=False)
        routers = [machine for machine in run.machines if machine.as_number is not None]
        self._routers = [machines.router_of(machine) for machine in routers]
        self.announced = {
            address: [one for one in map(Prefix.parse, machine.originates) if one.family == address.family]
            for machine in routers
            for address in machine.addresses
        }
        least, most = run.link_us
        world.network.links.set_delays(least * 1000, most * 1000)
        for one in run.objects:
            one.do(world)
        for machine in run.machines:
            machines.start(world, machine)
        self.rest()

    def rest(self) -> None:
        """Let all come to rest, and stay so for a while."""
        end = self.world.clock.now + REST_NS_MAX
        wait = 20 * SECOND
        wrong = ["not looked yet"]
        while wrong:
            assert self.world.clock.now < end, wrong
            self.world.run_for(wait)
            wrong = self._differences()
        self.world.run_for(130 * SECOND)
        assert not self._differences()

    def _differences(self) -> list[str]:
        contents = self.world.store.contents()
        names = (key.removeprefix(NODES) for key in contents if key.startswith(NODES))
        return differences(
            self.world, self._routers, [name for name in names if name not in self.world.nodes]
        )

    def values(self) -> dict[str, StoredValue]:
        """The store."""
        return {key: one for key, one in self.world.store.contents().items() if key.startswith("/calico/")}

    def nodes(self) -> list[str]:
        """Those that follow the store."""
        return [name for name, node in self.world.nodes.items() if node.intent is None]

    def sessions(self) -> dict[str, dict[Address, PeerConfig]]:
        """By node and address, those that are Established."""
        found: dict[str, dict[Address, PeerConfig]] = {}
        for name in self.nodes():
            there = established(self.world, name)
            peers = self.world.nodes[name].agent._speaker._peerings.by_peer.values()
            found[name] = {
                one.config.peer.address: one.config for one in peers if one.config.peer.address in there
            }
        return found

    def routes(self) -> dict[str, dict[Prefix, Route]]:
        """By node, what is selected of what was told and of what is originated by the store."""
        return {name: dict(self._routes(name)) for name in self.nodes()}

    def _routes(self, name: str) -> Iterator[tuple[Prefix, Route]]:
        speaker = self.world.nodes[name].agent._speaker
        for family in (IPV4, IPV6):
            for nlri in speaker.prefixes(family):
                selected = speaker.selected(family, nlri)
                if selected is not None and selected.source in OURS:
                    as_path = tuple(asn for segment in selected.attributes.as_path for asn in segment.asns)
                    yield Prefix(family, nlri), Route(selected.next_hops, as_path)

    def begun(self) -> dict[str, dict[Address, int]]:
        """By node and address, how often a session was Established so far."""
        found: dict[str, dict[Address, int]] = {}
        for name in self.nodes():
            counts = found.setdefault(name, {})
            for fact in self.world.nodes[name].facts:
                if isinstance(fact, SessionStateChanged) and fact.new == "Established":
                    counts[fact.peer.address] = counts.get(fact.peer.address, 0) + 1
        return found


Told = dict[str, object]
"""What became of a node: how many sessions stand, which came, went, began anew or changed, and its routes."""


def predicted_and_observed(case: Drawn) -> tuple[dict[str, Told], dict[str, Told]]:
    """What was predicted of a change for every node that is there afterwards, and what then happened."""
    observed = Observed(case.run)
    values, before = observed.values(), Picture.of(observed)
    for action in case.actions:
        action.do(observed.world)
    now = observed.values()
    changed = {
        key: now[key].value if key in now else None
        for key in {**values, **now}
        if key not in now or key not in values or now[key].value != values[key].value
    }
    outcome = plan(values.values(), changed, observed.announced)
    assert not outcome.unsettled
    observed.rest()
    after = Picture.of(observed)
    names = sorted(set(outcome.nodes) & set(observed.nodes()))
    predicted = {name: foretold(outcome.nodes[name]) for name in names}
    return predicted, {name: happened(name, before, after) for name in observed.nodes()}


def foretold(node: NodeOutcome) -> Told:
    """A prediction, as far as it can be observed from that node alone."""
    by = {
        change: {one.peer: one.parameters for one in node.sessions if one.change is change}
        for change in SessionChange
    }
    return {
        "stand": node.kept + len(by[SessionChange.CHANGED]),
        "changed": {peer: set(names) for peer, names in by[SessionChange.CHANGED].items() if names},
        "reset": set(by[SessionChange.RESET]),
        "added": set(by[SessionChange.ADDED]),
        "removed": set(by[SessionChange.REMOVED]),
        "gained": _ways(node.gained),
        "lost": _ways(node.lost),
        "stranded": _ways(node.stranded),
        "moved": _ways(node.moved),
    }


def _ways(found: Iterable[RouteOutcome]) -> dict[Prefix, tuple[Route | None, Route | None]]:
    return {one.prefix: (one.before, one.after) for one in found}


@dataclass(frozen=True)
class Picture:
    """A world at rest."""

    sessions: dict[str, dict[Address, PeerConfig]]
    speakers: dict[str, SpeakerConfig]
    routes: dict[str, dict[Prefix, Route]]
    begun: dict[str, dict[Address, int]]
    originated: frozenset[Prefix]

    @classmethod
    def of(cls, observed: Observed) -> "Picture":
        """The world as it is now."""
        routes = observed.routes()
        own = {prefix for known in routes.values() for prefix, one in known.items() if not one.next_hops}
        of_routers = {prefix for prefixes in observed.announced.values() for prefix in prefixes}
        speakers = {name: observed.world.nodes[name].agent._speaker._config for name in observed.nodes()}
        return cls(observed.sessions(), speakers, routes, observed.begun(), frozenset(own | of_routers))


def happened(name: str, before: Picture, after: Picture) -> Told:
    """What became of a node, by what was observed of it."""
    old, new = before.sessions.get(name, {}), after.sessions[name]
    began, begun = before.begun.get(name, {}), after.begun[name]
    both = [peer for peer in new if peer in old]
    stand = [peer for peer in both if begun.get(peer, 0) == began.get(peer, 0)]
    routes, ways = before.routes.get(name, {}), after.routes[name]
    changed = {p: (routes.get(p), ways.get(p)) for p in {**routes, **ways} if routes.get(p) != ways.get(p)}
    gone = {prefix: way for prefix, way in changed.items() if way[1] is None}
    of_speaker = {
        n
        for n in SPEAKER_CHANGES
        if name in before.speakers and getattr(before.speakers[name], n) != getattr(after.speakers[name], n)
    }
    differing = {
        peer: of_speaker
        | {n for n in PEER_CHANGES if getattr(old[peer], n) != getattr(new[peer], n)} - {"name"}
        for peer in stand
    }
    return {
        "stand": len(stand),
        "changed": {peer: names for peer, names in differing.items() if names},
        "reset": set(both) - set(stand),
        "added": {peer for peer in new if peer not in old},
        "removed": {peer for peer in old if peer not in new},
        "gained": {prefix: way for prefix, way in changed.items() if way[0] is None},
        "lost": {prefix: way for prefix, way in gone.items() if prefix not in after.originated},
        "stranded": {prefix: way for prefix, way in gone.items() if prefix in after.originated},
        "moved": {prefix: way for prefix, way in changed.items() if None not in way},
    }
