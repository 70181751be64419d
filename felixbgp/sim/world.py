"""A whole cluster in one process: many Agents, one virtual clock. One seed decides everything.

world = World(seed=1)
world.add_node("node-1", [Address.parse("10.0.0.1")])
world.store.put(key, value)
world.run_until(lambda: world.established() == 1, limit_ns=60 * SECOND)
"""

from collections.abc import Callable, Iterable
from hashlib import sha256

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import DRAINING_SECONDS, ROUTE_PROTOCOL, AgentConfig
from felixbgp.intent.types import Intent
from felixbgp.net import Address, Prefix
from felixbgp.sim import turns
from felixbgp.sim.clock import Clock
from felixbgp.sim.kernel import Kernel
from felixbgp.sim.network import Network
from felixbgp.sim.node import ALIVE_TTL_NS, AgentMaker, Manner, Node
from felixbgp.sim.observer import NOBODY, Observer
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.store import Backup, Store

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
LINK_LATENCY_NS = 200_000
STORE_LATENCY_NS = 2 * MILLISECOND
STEPS_MAX = 10_000_000
"""More steps than any scenario needs: reaching it means that somebody asks to be woken for ever."""


class NotReached(AssertionError):  # noqa: N818 - it is a failed expectation, as its base says
    """The condition did not come true in time, or nothing more could happen."""


class World:
    """Clock, network, store and nodes."""

    def __init__(
        self,
        seed: int,
        *,
        draining_seconds: int = DRAINING_SECONDS,
        make_agent: AgentMaker = Agent,
        is_traced: bool = True,
    ) -> None:
        """`draining_seconds`: for all agents, see `AgentConfig`; `make_agent` begins each of their lives.

        There is a `digest` if `is_traced`.
        """
        self._randomness = Randomness(seed)
        self.clock = Clock()
        self.network = Network(self.clock, LINK_LATENCY_NS, self._randomness.part("network"))
        self.store = Store(self.clock, STORE_LATENCY_NS)
        self.nodes: dict[str, Node] = {}
        self._is_traced = is_traced
        self._draining_seconds = draining_seconds
        self._down: dict[str, int] = {}
        self._make_agent = make_agent
        self.observer: Observer = NOBODY

    def observe(self, observer: Observer) -> None:
        """Tell somebody of all that happens from now on."""
        self.observer = self.network.observer = self.network.links.observer = observer
        self.store.observer = observer
        for name, node in self.nodes.items():
            node.kernel.name, node.kernel.observer = name, observer
            node.observer = observer

    def add_node(
        self,
        name: str,
        addresses: Iterable[Address],
        connected: Iterable[Prefix] | None = None,
        *,
        forwards: bool = True,
        manner: Manner | None = None,
        intent: Intent | None = None,
    ) -> Node:
        """Start a node; `connected` are its networks, by default everything is on one segment.

        One that does not forward leaves its kernel alone. With an `intent` it is a plain router.
        """
        everywhere = (Prefix.parse("0.0.0.0/0"), Prefix.parse("::/0"))
        kernel = Kernel(ROUTE_PROTOCOL, everywhere if connected is None else connected)
        # Felix makes one on every node.
        kernel.add_link("tunl0")
        kernel.name, kernel.observer = name, self.observer
        config = AgentConfig(
            node=name,
            route_protocol=ROUTE_PROTOCOL,
            forwards=forwards,
            draining_seconds=self._draining_seconds,
        )
        self.nodes[name] = node = Node(
            config,
            tuple(addresses),
            kernel,
            (self.clock, self.network, self.store),
            self._randomness.part(f"node {name}"),
            manner=manner,
            is_traced=self._is_traced,
            intent=intent,
            make_agent=self._make_agent,
        )
        node.observer = self.observer
        return node

    def remove_node(self, name: str) -> None:
        """Take a node out of the world; its agent stops before."""
        node = self.nodes.pop(name)
        if node.is_alive:
            node.stop()

    def take_down(self, name: str, how: Callable[[Node], None]) -> None:
        """Have a node without an agent until `bring_back` was called as often."""
        self._down[name] = self._down.get(name, 0) + 1
        if name in self.nodes:
            how(self.nodes[name])

    def bring_back(self, name: str) -> None:
        """End one `take_down`; with the last one the agent starts."""
        self._down[name] -= 1
        if not self._down[name] and name in self.nodes and not self.nodes[name].is_alive:
            self.nodes[name].start()

    def restore(self, backup: Backup) -> None:
        """Put a backup in place of what the store has become; leased keys in it live as long as a lease."""
        self.store.restore(backup)
        self.clock.call_after(ALIVE_TTL_NS, self._expire_turns)

    def _expire_turns(self) -> None:
        turns.expire(self.store, {name for name, node in self.nodes.items() if node.is_in_line})

    def step(self) -> None:
        """Let the next thing happen."""
        self.clock.step()
        self.observer.stepped()

    def run_until(self, condition: Callable[[], bool], limit_ns: int) -> int:
        """Let time pass until the condition holds; gives the time that took.

        Raises:
            NotReached: it does not within `limit_ns`.
        """
        start = self.clock.now
        for _ in range(STEPS_MAX):
            if condition():
                return self.clock.now - start
            upcoming = self.clock.next_time()
            if upcoming is None or upcoming > start + limit_ns:
                break
            self.step()
        raise NotReached(f"not reached after {(self.clock.now - start) / SECOND:.3f} s of virtual time")

    def run_for(self, duration_ns: int) -> None:
        """Let this much time pass."""
        end = self.clock.now + duration_ns
        for _ in range(STEPS_MAX):
            upcoming = self.clock.next_time()
            if upcoming is None or upcoming > end:
                self.clock.now = end
                return
            self.step()
        raise NotReached(f"time does not pass: {STEPS_MAX} steps before {end / SECOND:.3f} s")

    def established(self) -> int:
        """How many sessions are Established, each counted at both ends and halved."""
        total = sum(node.agent.statistics().speaker.peers_established for node in self.nodes.values())
        return total // 2

    def digest(self) -> str:
        """Over all that every node did and when: equal for two runs with one seed."""
        combined = sha256()
        for name in sorted(self.nodes):
            combined.update(f"{name} {self.nodes[name].trace.hexdigest()}\n".encode())
        return combined.hexdigest()
