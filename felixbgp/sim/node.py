"""One simulated node: an Agent, its kernel, and the part of the shell that joins them to the world."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from felixbgp import __version__
from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import (
    Effect,
    Fact,
    Follow,
    Listen,
    Observe,
    PutAudit,
    PutNodeStatusResource,
    PutStatus,
    ReadSecretFiles,
    SetLogLevel,
)
from felixbgp.agent.inputs import (
    AliveRead,
    AliveUnread,
    AuditWriteFailed,
    AuditWritten,
    Input,
    IntentGiven,
    Listening,
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceInput,
    NodeStatusResourceWritten,
    StatusWriteFailed,
    StatusWritten,
)
from felixbgp.agent.liveness import AskAlive, ProbeHost
from felixbgp.agent.resets import AcquireTurn, ReleaseTurn
from felixbgp.cluster.inputs import SecretFilesRead, StoreInput
from felixbgp.cluster.parts import whole
from felixbgp.cluster.secrets import SecretFile, SecretId
from felixbgp.fib.types import (
    DeleteRoutes,
    KernelEffect,
    KernelLost,
    KernelRead,
    KernelRoute,
    ReadKernel,
    ReplaceRoutes,
)
from felixbgp.intent.types import DEFAULT_LOG_LEVEL, Intent
from felixbgp.net import Address, Prefix
from felixbgp.resources import ResourceKey
from felixbgp.sim.clock import Clock, LocalClock
from felixbgp.sim.disk import PATIENCE_NS, Disk
from felixbgp.sim.kernel import Kernel
from felixbgp.sim.network import Host, Network
from felixbgp.sim.observer import NOBODY, Observer
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.store import Store
from felixbgp.sim.turns import Turn
from felixbgp.status import audit_document, keys, report_document
from felixbgp.status.document import AgentAlive, encode_alive
from felixbgp.status.node_status import NodeStatus

BUDGET: Final = 1000
"""Prefixes per drain, as the real shell has it."""
KERNEL_LATENCY_NS: Final = 1_000_000
ALIVE_TTL_NS: Final = 15_000_000_000
"""How long the leased key of a dead agent stays in the store."""
SECRETS_DIRECTORY: Final = "/etc/felixbgp/secrets"
Surroundings = tuple[Clock, Network, Store]
AgentMaker = Callable[[AgentConfig, Callable[[], float]], Agent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one node's shell and machine do what they do."""

    clock_offset_ns: int = 0
    clock_fast_ppm: int = 0
    kernel_latency_ns: int = KERNEL_LATENCY_NS
    """How long a write takes, and its answer."""
    status_latency_ns: int = 0
    """How long it takes to write a status."""
    keeps_state: bool = False
    """Whether it keeps on its disk what it knows of the store, to begin with that while the store is away."""


class Node:
    """Lives until `kill`; `start` gives it a new Agent on the same kernel.

    With an `intent` it is a plain router: it does what that says and follows no store. Unless `is_traced`,
    `trace` stays empty: to keep it takes a tenth of the time.
    """

    def __init__(
        self,
        config: AgentConfig,
        addresses: tuple[Address, ...],
        kernel: Kernel,
        world: Surroundings,
        randomness: Randomness,
        *,
        manner: Manner | None = None,
        is_traced: bool = True,
        intent: Intent | None = None,
        make_agent: AgentMaker = Agent,
    ) -> None:
        self.name = config.node
        self.forwards = config.forwards
        self.addresses = addresses
        self.kernel = kernel
        self.facts: list[Fact] = []
        self.status: NodeStatus | None = None
        self.observer: Observer = NOBODY
        self.trace = sha256()
        """Over every effect and its time: what two runs with one seed must agree on."""
        self.is_alive = False
        """Whether there is an agent."""
        self.is_off = False
        """Whether the machine has no power."""
        self.manner = manner or Manner()
        self.intent = intent
        self.log_level = DEFAULT_LOG_LEVEL
        self._is_traced = is_traced
        self._config = config
        self._make_agent = make_agent
        self._clock, self._network, self._store = world
        self._local = LocalClock(self._clock, self.manner.clock_offset_ns, self.manner.clock_fast_ppm)
        self._randomness = randomness
        self._secret_files: dict[SecretId, bytes] = {}
        self._wanted_secrets: tuple[SecretId, ...] = ()
        self._disk = Disk(self.name) if self.manner.keeps_state else None
        self._life = 0
        self._wake_at: int | None = None
        self._kernel_free_at = 0
        self._is_deaf = False
        """Whether what the kernel tells is lost for now."""
        self.start()

    @property
    def now(self) -> int:
        """The time by the node's own clock, which its agent goes by."""
        return self._local.now

    def start(self) -> None:
        """Begin a life: an Agent that knows nothing, on the kernel as it is."""
        self._life += 1
        life = self._life
        self._wake_at = None
        self._is_deaf = False
        self.is_alive, self.is_off = True, False
        self.agent = self._make_agent(self._config, self._randomness.fork())
        self._host = Host(self.name, self.addresses, lambda event: self._feed(event, life))
        self._turn = Turn(self.name, life, self._clock, self._store, lambda event: self._feed(event, life))
        self._network.attach(self._host)
        self._wanted_secrets = ()
        for snapshot in self.kernel.snapshots():
            self._feed(snapshot, life)
        if self.intent is not None:
            self._feed(IntentGiven(self.intent), life)
        else:
            self._store_write(self._put_alive, life)
            if self._disk is not None:
                self._disk.begin()
                self._clock.call_after(PATIENCE_NS, lambda: self._recover(life))

    def kill(self) -> None:
        """End like a process under `kill -9`: connections close, the kernel's routes stay."""
        if not self.is_alive:
            return
        self._end()
        self._network.detach(self._host)
        self._turn.abandon(ALIVE_TTL_NS)
        life = self._life
        self._clock.call_after(ALIVE_TTL_NS, lambda: self._forget_alive(life))

    def stop(self) -> None:
        """End like a process under SIGTERM: as `kill`, and the store knows at once."""
        if not self.is_alive:
            return
        if self._disk is not None:
            self._disk.write(self._local.now)
        self._end()
        self._network.detach(self._host)
        self._turn.abandon(0)
        self._forget_alive(self._life)

    @property
    def is_in_line(self) -> bool:
        """Whether it waits for its turn to reset, or has it."""
        return self.is_alive and self._turn.is_standing

    def turn_off(self) -> None:
        """The machine loses its power, and with it all that its kernel had from others."""
        self._end()
        self._network.vanish(self._host)
        self._turn.abandon(ALIVE_TTL_NS)
        self.is_off = True
        self.kernel.reboot()
        life = self._life
        self._clock.call_after(ALIVE_TTL_NS, lambda: self._forget_alive(life))

    def _end(self) -> None:
        self._life += 1
        self.is_alive = False
        self._store.unwatch(self.name)

    def kernel_changed(self, route: KernelRoute, *, present: bool) -> None:
        """Somebody else on this node adds or removes a route."""
        change = self.kernel.change(route, present=present)
        if not self._is_deaf:
            self._feed(change, self._life)

    def deafen(self) -> None:
        """From now on the agent hears nothing of what others do to its kernel: its queue is full."""
        self._is_deaf = True

    def hear_again(self) -> None:
        """The agent is told that it missed something, and of all that is there."""
        self._is_deaf = False
        self._feed(KernelLost("No buffer space available"), self._life)
        self.read_kernel()

    def read_kernel(self) -> None:
        """Have the agent told of all routes as they are, as the real shell does once a minute."""
        for snapshot in self.kernel.snapshots():
            self._feed(snapshot, self._life)

    def connect(self, network: Prefix) -> None:
        """The node has an address in one more network."""
        self._feed(self.kernel.connect(network), self._life)

    def write_secret(self, secret: SecretId, content: bytes | None) -> None:
        """Put a file into the node's directory of secrets, or with None remove it."""
        if content is None:
            self._secret_files.pop(secret, None)
        else:
            self._secret_files[secret] = content
        self._tell_secrets(self._life)

    def _tell_secrets(self, life: int) -> None:
        files = (SecretFile(secret, self._secret_files.get(secret)) for secret in self._wanted_secrets)
        self._answer_later(SecretFilesRead(SECRETS_DIRECTORY, tuple(files)), life)

    def _feed(self, event: Input, life: int) -> None:
        if life != self._life or not self.is_alive:
            return
        self.agent.feed(event, self._local.now)
        self._wake(self._clock.now)

    def _wake(self, when: int) -> None:
        """Drain at `when`; what is fed at one instant is drained once, after all of it."""
        if self._wake_at is not None and self._wake_at <= when:
            return
        self._wake_at = when
        life = self._life
        self._clock.call_at(when, lambda: self._drain(when, life))

    def _drain(self, planned: int, life: int) -> None:
        if life != self._life or planned != self._wake_at:
            return  # of a former life, or an earlier wake-up took this one's place
        self._wake_at = None
        for effect in self.agent.drain(self._local.now, BUDGET):
            if self._is_traced:
                self.trace.update(f"{self._clock.now} {effect!r}\n".encode())
            self._perform(effect, life)
        deadline = self.agent.next_deadline()
        if deadline is not None:
            self._wake(max(self._local.true_time(deadline), self._clock.now))

    # -- the store --------------------------------------------------------------------------------------

    def _hear(self, event: StoreInput, life: int) -> None:
        if self._disk is not None and life == self._life and self.is_alive:
            self._disk.hear(event, self._local.now)
        self._feed(event, life)

    def _recover(self, life: int) -> None:
        """Where the store has not answered by now, tell the agent what is on the disk."""
        kept = None if self._disk is None or life != self._life else self._disk.recovered()
        if kept is not None:
            self._feed(kept, life)

    def _store_write(self, write: Callable[[int], None], life: int) -> None:
        """Write when the request has arrived; the agent may be gone by then, and the write is done still."""
        self._clock.call_after(self._store.delay(self.name), lambda: write(life))

    def _put_alive(self, life: int) -> None:
        """Have the leased key, as soon as the store can be reached."""
        if life != self._life:
            return
        if self._store.is_reachable(self.name):
            self._store.put(
                keys.alive_key(self.name), encode_alive(AgentAlive(__version__, self._clock.now, life))
            )
        else:
            self._clock.call_after(ALIVE_TTL_NS, lambda: self._put_alive(life))

    def _forget_alive(self, life: int) -> None:
        if life == self._life:
            self._store.delete(keys.alive_key(self.name))

    def _read_alive(self, node: str, life: int) -> None:
        if not self._store.is_reachable(self.name):
            self._feed(AliveUnread(node, "no answer"), life)
            return
        is_present = self._store.get(keys.alive_key(node)) is not None
        self._feed(AliveRead(node, is_present, is_known=True), life)

    def _report(self, effect: PutNodeStatusResource) -> NodeStatusResourceInput:
        """Write a report as the real shell does; the clock began in 1970."""
        if not self._store.is_reachable(self.name):
            return NodeStatusResourceFailed(effect.name, "no answer")
        value = whole(report_document.encode(effect.document, effect.report, 0, self._local.now))
        key = str(ResourceKey("CalicoNodeStatus", effect.name))
        if not self._store.put_if_unchanged(key, value, effect.revision):
            return NodeStatusResourceConflicted(effect.name)
        return NodeStatusResourceWritten(effect.name, self._store.revision)

    def _put_audit(self, effect: PutAudit) -> AuditWritten | AuditWriteFailed:
        if not self._store.is_reachable(self.name):
            return AuditWriteFailed("no answer")
        self._store.put(keys.audit_key(self.name), audit_document.encode(effect.answer, 0))
        return AuditWritten()

    def _put_status(self, effect: PutStatus, life: int) -> None:
        if life != self._life:
            return
        if not self._store.is_reachable(self.name):
            self._feed(StatusWriteFailed("no answer"), life)
            return
        self.status = replace(effect.status)
        self._feed(StatusWritten(), life)

    # -- the kernel -------------------------------------------------------------------------------------

    def _write_routes(self, effect: KernelEffect, life: int) -> None:
        """Have the kernel do it when it has done what it was asked before."""
        self._kernel_free_at = max(self._kernel_free_at, self._clock.now) + self.manner.kernel_latency_ns
        self._clock.call_at(self._kernel_free_at, lambda: self._written(effect, life))

    def _written(self, effect: KernelEffect, life: int) -> None:
        if life == self._life:  # what a dead agent had not written yet, nobody writes
            for answer in self.kernel.apply(effect):
                self._feed(answer, life)

    def _read_asked(self, life: int) -> None:
        if life == self._life:
            self.read_kernel()
            self._feed(KernelRead(), life)

    def _answer_later(self, answer: Input, life: int) -> None:
        self._clock.call_after(KERNEL_LATENCY_NS, lambda: self._feed(answer, life))

    def _perform(self, effect: Effect, life: int) -> None:
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            self._write_routes(effect, life)
        elif isinstance(effect, Listen):
            opened = [endpoint for endpoint in effect.endpoints if endpoint not in self._host.listening]
            self._host.listening = frozenset(effect.endpoints)
            self._host.keys = dict(effect.keys)
            for endpoint in opened:
                self._feed(Listening(endpoint), life)
        elif isinstance(effect, Follow):
            if self._disk is not None:
                self._disk.follow(effect)
            prefixes = (*effect.required, *effect.optional)
            self._store.watch(self.name, prefixes, lambda event: self._hear(event, life))
        elif isinstance(effect, ReadSecretFiles):
            self._wanted_secrets = effect.secrets
            if self._disk is not None:
                self._disk.want_secrets(effect.secrets)
            self._tell_secrets(life)
        elif isinstance(effect, SetLogLevel):
            self.log_level = effect.level
        elif isinstance(effect, PutStatus):
            self._clock.call_after(self.manner.status_latency_ns, lambda: self._put_status(effect, life))
        elif isinstance(effect, PutNodeStatusResource):
            self._answer_later(self._report(effect), life)
        elif isinstance(effect, ReadKernel):
            self._clock.call_after(KERNEL_LATENCY_NS, lambda: self._read_asked(life))
        elif isinstance(effect, PutAudit):
            self._answer_later(self._put_audit(effect), life)
        elif isinstance(effect, ProbeHost):
            self._network.probe(self._host, effect, lambda probed: self._feed(probed, life))
        elif isinstance(effect, AskAlive):
            self._store_write(lambda life: self._read_alive(effect.node, life), life)
        elif isinstance(effect, AcquireTurn):
            self._turn.acquire()
        elif isinstance(effect, ReleaseTurn):
            self._turn.release()
        elif isinstance(effect, Observe):
            self.facts.append(effect.fact)
            self.observer.fact_told(self.name, effect.fact)
        else:
            self._network.perform(self._host, effect)
