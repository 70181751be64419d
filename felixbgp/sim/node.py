"""One simulated node: an Agent, its kernel, and the part of the shell that joins them to the world."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

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
    AuditWriteFailed,
    AuditWritten,
    Input,
    Listening,
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceInput,
    NodeStatusResourceWritten,
    StatusWritten,
)
from felixbgp.cluster.inputs import SecretFilesRead
from felixbgp.cluster.parts import whole
from felixbgp.cluster.secrets import SecretFile, SecretId
from felixbgp.fib.types import DeleteRoutes, KernelRead, KernelRoute, ReadKernel, ReplaceRoutes
from felixbgp.intent.types import DEFAULT_LOG_LEVEL
from felixbgp.net import Address, Prefix
from felixbgp.resources import ResourceKey
from felixbgp.sim.clock import Clock
from felixbgp.sim.kernel import Kernel
from felixbgp.sim.network import Host, Network
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.store import Store
from felixbgp.status import audit_document, keys, report_document
from felixbgp.status.node_status import NodeStatus

BUDGET: Final = 1000
"""Prefixes per drain, as the real shell has it."""
KERNEL_LATENCY_NS: Final = 1_000_000
SECRETS_DIRECTORY: Final = "/etc/felixbgp/secrets"


class Node:
    """Lives until `kill`; `start` gives it a new Agent on the same kernel."""

    def __init__(
        self,
        config: AgentConfig,
        addresses: tuple[Address, ...],
        kernel: Kernel,
        world: tuple[Clock, Network, Store],
        randomness: Randomness,
    ) -> None:
        self.name = config.node
        self.kernel = kernel
        self.facts: list[Fact] = []
        self.status: NodeStatus | None = None
        self.trace = sha256()
        """Over every effect and its time: what two runs with one seed must agree on."""
        self._config = config
        self._addresses = addresses
        self._clock, self._network, self._store = world
        self._randomness = randomness
        self._secret_files: dict[SecretId, bytes] = {}
        self._wanted_secrets: tuple[SecretId, ...] = ()
        self.log_level = DEFAULT_LOG_LEVEL
        self._life = 0
        self._wake_at: int | None = None
        self.start()

    def start(self) -> None:
        """Begin a life: an Agent that knows nothing, on the kernel as it is."""
        self._life += 1
        life = self._life
        self._wake_at = None
        self.agent = Agent(self._config, self._randomness.fork())
        self._host = Host(self.name, self._addresses, lambda event: self._feed(event, life))
        self._network.attach(self._host)
        self._wanted_secrets = ()
        for snapshot in self.kernel.snapshots():
            self._feed(snapshot, life)

    def kill(self) -> None:
        """End like a process under `kill -9`: connections close, the kernel's routes stay."""
        self._life += 1
        self._store.unwatch(self.name)
        self._network.detach(self._host)

    def kernel_changed(self, route: KernelRoute, *, present: bool) -> None:
        """Somebody else on this node adds or removes a route."""
        self._feed(self.kernel.change(route, present=present), self._life)

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
        if life != self._life:
            return
        self.agent.feed(event, self._clock.now)
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
        now = self._clock.now
        for effect in self.agent.drain(now, BUDGET):
            self.trace.update(f"{now} {effect!r}\n".encode())
            self._perform(effect, life)
        deadline = self.agent.next_deadline()
        if deadline is not None:
            self._wake(max(deadline, now))

    def _report(self, effect: PutNodeStatusResource) -> NodeStatusResourceInput:
        """Write a report as the real shell does; the clock began in 1970."""
        if not self._store.is_available:
            return NodeStatusResourceFailed(effect.name, "no answer")
        value = whole(report_document.encode(effect.document, effect.report, 0, self._clock.now))
        key = str(ResourceKey("CalicoNodeStatus", effect.name))
        if not self._store.put_if_unchanged(key, value, effect.revision):
            return NodeStatusResourceConflicted(effect.name)
        return NodeStatusResourceWritten(effect.name, self._store.revision)

    def _put_audit(self, effect: PutAudit) -> AuditWritten | AuditWriteFailed:
        if not self._store.is_available:
            return AuditWriteFailed("no answer")
        self._store.put(keys.audit_key(self.name), audit_document.encode(effect.answer, 0))
        return AuditWritten()

    def _read_asked(self, life: int) -> None:
        if life == self._life:
            self.read_kernel()
            self._feed(KernelRead(), life)

    def _answer_later(self, answer: Input, life: int) -> None:
        self._clock.call_after(KERNEL_LATENCY_NS, lambda: self._feed(answer, life))

    def _perform(self, effect: Effect, life: int) -> None:
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            for answer in self.kernel.apply(effect):
                self._answer_later(answer, life)
        elif isinstance(effect, Listen):
            opened = [endpoint for endpoint in effect.endpoints if endpoint not in self._host.listening]
            self._host.listening = frozenset(effect.endpoints)
            self._host.keys = dict(effect.keys)
            for endpoint in opened:
                self._feed(Listening(endpoint), life)
        elif isinstance(effect, Follow):
            prefixes = (*effect.required, *effect.optional)
            self._store.watch(self.name, prefixes, lambda event: self._feed(event, life))
        elif isinstance(effect, ReadSecretFiles):
            self._wanted_secrets = effect.secrets
            self._tell_secrets(life)
        elif isinstance(effect, SetLogLevel):
            self.log_level = effect.level
        elif isinstance(effect, PutStatus):
            self.status = replace(effect.status)
            self._feed(StatusWritten(), life)
        elif isinstance(effect, PutNodeStatusResource):
            self._answer_later(self._report(effect), life)
        elif isinstance(effect, ReadKernel):
            self._clock.call_after(KERNEL_LATENCY_NS, lambda: self._read_asked(life))
        elif isinstance(effect, PutAudit):
            self._answer_later(self._put_audit(effect), life)
        elif isinstance(effect, Observe):
            self.facts.append(effect.fact)
        else:
            self._network.perform(self._host, effect)
