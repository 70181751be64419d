"""What can go wrong in a simulated cluster, each as a value.

What happens at once has `do`; what lasts has `begin`, which gives what ends it. Faults of one kind may
overlap and end in any order: the thing is whole when the last has ended. None draws anything, so that to
leave one out of a plan changes no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import errorcode

from felixbgp.fib.types import KernelRoute
from felixbgp.net import Prefix
from felixbgp.sim.links import Trouble
from felixbgp.sim.node import Node
from felixbgp.sim.store import IN_ORDER, CatchUp
from felixbgp.sim.world import World

Names = tuple[str, ...]
End = Callable[[], None]

# -- links ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Partition:
    """Nothing passes between the one set of machines and the other."""

    left: Names
    right: Names

    def begin(self, world: World) -> End:
        """Cut every link between them."""
        pairs = [(first, second) for first in self.left for second in self.right]
        for pair in pairs:
            world.network.cut(*pair)
        return lambda: _each(world.network.mend, pairs)


@dataclass(frozen=True, slots=True)
class Clog:
    """What two machines send each other stays with them."""

    first: str
    second: str

    def begin(self, world: World) -> End:
        """Close both windows."""
        world.network.clog(self.first, self.second)
        return lambda: world.network.unclog(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Bad:
    """A link is chopped, refuses who dials, or tells them that there is no route."""

    trouble: Trouble
    first: str
    second: str

    def begin(self, world: World) -> End:
        """Have the trouble."""
        links, place = world.network.links, (self.trouble, self.first, self.second)
        links.begin(*place)
        return lambda: _each(links.end, [place])


@dataclass(frozen=True, slots=True)
class Reset:
    """All connections between two machines end with a reset at both ends."""

    first: str
    second: str

    def do(self, world: World) -> None:
        """Do it."""
        world.network.reset(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Forget:
    """The first machine loses its ends of all connections to the second, which does not notice."""

    first: str
    second: str

    def do(self, world: World) -> None:
        """Do it."""
        world.network.forget(self.first, self.second)


# -- the store --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Silence:
    """The store tells some nodes nothing for a while, and nobody notices; then all of it, in some manner."""

    nodes: Names
    how: CatchUp = IN_ORDER

    def begin(self, world: World) -> End:
        """Fall silent."""
        for name in self.nodes:
            world.store.silence(name)
        return lambda: _each(world.store.speak, [(name, self.how) for name in self.nodes])


@dataclass(frozen=True, slots=True)
class Isolate:
    """Some nodes cannot reach the store, and know it."""

    nodes: Names
    how: CatchUp = IN_ORDER

    def begin(self, world: World) -> End:
        """Cut them off."""
        for name in self.nodes:
            world.store.isolate(name, "no route to host")
        return lambda: _each(world.store.rejoin, [(name, self.how) for name in self.nodes])


@dataclass(frozen=True, slots=True)
class Slow:
    """What a node hears from the store, and writes to it, takes long."""

    node: str
    delay_ms: int

    def begin(self, world: World) -> End:
        """Be slow."""
        world.store.slow_down(self.node, self.delay_ms * 1_000_000)
        return lambda: world.store.slow_down(self.node, 0)


@dataclass(frozen=True, slots=True)
class Compact:
    """The store forgets its history: who is cut off must list anew."""

    def do(self, world: World) -> None:
        """Do it."""
        world.store.compact()


@dataclass(frozen=True, slots=True)
class GoBack:
    """A backup of the store is taken, and at the end put in place of what the store has become."""

    def begin(self, world: World) -> End:
        """Take it."""
        backup = world.store.backup()
        return lambda: world.restore(backup)


# -- kernels ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refuse:
    """A node's kernel refuses writes with an errno: of some prefixes, or with none given of all."""

    node: str
    errno: int
    only: tuple[str, ...] = ()

    def begin(self, world: World) -> End:
        """Refuse."""
        node = world.nodes.get(self.node)
        if node is None:
            return _nothing
        only = [Prefix.parse(text) for text in self.only] or None
        node.kernel.refuse(self.errno, errorcode.get(self.errno, "?"), only=only)
        return node.kernel.relent


@dataclass(frozen=True, slots=True)
class Lose:
    """Somebody deletes routes of ours from a node's kernel: each `every`th, beginning with the `first`."""

    node: str
    first: int
    every: int

    def do(self, world: World) -> None:
        """Do it."""
        if (node := world.nodes.get(self.node)) is not None:
            for route in _ours(node)[self.first :: self.every]:
                node.kernel_changed(route, present=False)


@dataclass(frozen=True, slots=True)
class Deafen:
    """A node's agent does not hear what others do to its kernel; then it is told that it missed something."""

    node: str

    def begin(self, world: World) -> End:
        """Be deaf."""
        node = world.nodes.get(self.node)
        if node is None:
            return _nothing
        node.deafen()
        return node.hear_again


# -- agents and machines ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kill:
    """An agent ends under `kill -9`, and is started anew."""

    node: str

    def begin(self, world: World) -> End:
        """Kill it."""
        world.take_down(self.node, Node.kill)
        return lambda: world.bring_back(self.node)


@dataclass(frozen=True, slots=True)
class Stop:
    """An agent ends under SIGTERM, and is started anew."""

    node: str

    def begin(self, world: World) -> End:
        """Stop it."""
        world.take_down(self.node, Node.stop)
        return lambda: world.bring_back(self.node)


@dataclass(frozen=True, slots=True)
class TurnOff:
    """A machine loses its power, and gets it back."""

    node: str

    def begin(self, world: World) -> End:
        """Turn it off."""
        world.take_down(self.node, Node.turn_off)
        return lambda: world.bring_back(self.node)


LastingFault = (
    Partition | Clog | Bad | Silence | Isolate | Slow | GoBack | Refuse | Deafen | Kill | Stop | TurnOff
)
InstantFault = Reset | Forget | Compact | Lose


def _ours(node: Node) -> list[KernelRoute]:
    """The node's own routes in its kernel, in their order."""
    routes = (route for snapshot in node.kernel.snapshots() for route in snapshot.routes)
    return sorted(route for route in routes if route.protocol == node.kernel.protocol)


def _each(act: Callable[..., object], arguments: Sequence[tuple[object, ...]]) -> None:
    for one in arguments:
        act(*one)


def _nothing() -> None:
    """There was nobody to do it to."""
