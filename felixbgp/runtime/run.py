"""`felixbgp agent`: everything wired together, until a signal ends it.

store ──► driver.deliver ──► Agent ──► perform ──► tcp, kernel, store, telemetry
tcp, kernel ──► driver.deliver                     (each answers with an input)
"""

import os
import random
import signal
from contextlib import AsyncExitStack, closing
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, cast

import trio

from felixbgp import __version__
from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import (
    Effect,
    Follow,
    Listen,
    Observe,
    PutAudit,
    PutNodeStatusResource,
    PutStatus,
    ReadSecretFiles,
    SetLogLevel,
)
from felixbgp.agent.inputs import IntentGiven
from felixbgp.agent.liveness import AskAlive, ProbeHost
from felixbgp.agent.resets import AcquireTurn, ReleaseTurn
from felixbgp.cluster.state import FOLLOWED_KINDS
from felixbgp.fib.types import DeleteRoutes, KernelEffect, ReadKernel, ReplaceRoutes
from felixbgp.intent.types import DEFAULT_LOG_LEVEL, Intent
from felixbgp.resources.decode import prepare
from felixbgp.runtime import liveness, telemetry
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.core import core_form
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.garbage import short_collections
from felixbgp.runtime.heap import keep_heap
from felixbgp.runtime.netlink.kernel import Kernel
from felixbgp.runtime.netlink.takeover import require_nobody_listens
from felixbgp.runtime.notify import ServiceManager
from felixbgp.runtime.observer import LoopObserver
from felixbgp.runtime.secrets import SecretFiles
from felixbgp.runtime.settings import AgentSettings, authority
from felixbgp.runtime.state_keeper import open_directory
from felixbgp.runtime.store import NodeStore, open_node_store
from felixbgp.runtime.tcp import Tcp
from felixbgp.status.node_status import NodeStatus

if TYPE_CHECKING:
    from felixbgp.runtime.journal_file import JournalFile
    from felixbgp.runtime.telemetry_export import Exporting

ROUTES_WAITING_MAX = 4000
"""Kernel writes that may wait: those that the kernel works on, and the next that are asked for together.
What is more urgent than a large table that is being taken in waits behind these alone, some 16 ms."""
ROUTES_TOGETHER = 2000
"""Kernel writes that are asked for together: of IPv4, as many as a datagram holds."""

StoreEffect = PutStatus | PutNodeStatusResource | PutAudit | Follow | AskAlive | AcquireTurn | ReleaseTurn


async def run_agent(settings: AgentSettings, *, intent: Intent | None = None) -> None:
    """Run one node's agent until SIGTERM or SIGINT.

    With an `intent` the node is a plain router: it does what that says and uses no etcd. With `no_kernel`
    no route is written, and nothing of the kernel read. Kernel routes stay behind at the end, so that traffic
    flows on and the next start adopts them.
    """
    telemetry.start_logging(settings.log_level or DEFAULT_LOG_LEVEL)
    telemetry.LOGGER.info("felixbgp %s (core %s) starts on node %s", __version__, core_form(), settings.node)
    async with AsyncExitStack() as stack:
        # First whatever the settings may be wrong for: a journal takes the place of the one of the last life.
        kernel = None if settings.no_kernel else stack.enter_context(closing(_open_kernel(settings)))
        exporting = await _open_telemetry(settings) if settings.telemetry.is_on else None
        journal = None if settings.journal is None else _open_journal(settings.journal)
        if journal is not None:
            stack.enter_context(closing(journal))
        agent = _agent(settings, journal)
        driver = Driver(agent if exporting is None else exporting.watch(agent))
        keep_heap()
        if intent is None:
            prepare(FOLLOWED_KINDS)
        if exporting is not None:
            await stack.enter_async_context(exporting.running(driver))
        stack.enter_context(short_collections())
        trio.lowlevel.add_instrument(LoopObserver(driver))
        store = None
        if intent is None:
            state = open_directory(settings.state_directory)
            if state is not None:
                stack.enter_context(closing(state))
            told = "" if settings.status is None else authority(settings.status.endpoint)
            opening = open_node_store(
                settings.etcd, settings.node, driver.deliver, driver.wait_room, state=state, endpoint=told
            )
            store = await stack.enter_async_context(opening)
            if exporting is not None:
                exporting.identify(lambda: store.cluster_id)
        # Inside the store, so that its connection outlives it and the `alive` key goes when we do.
        nursery = await stack.enter_async_context(trio.open_nursery())
        manager = ServiceManager.of(os.environ, os.getpid())
        shell = _Shell(settings, nursery, driver, kernel, store, manager=manager)
        nursery.start_soon(manager.run)
        if kernel is not None:
            await nursery.start(kernel.run, driver.deliver)
            nursery.start_soon(shell.write_routes, kernel)
        if intent is not None:
            # After the kernel's first view, which tells whether this is a restart.
            driver.deliver([IntentGiven(intent)])
        nursery.start_soon(shell.secrets.run)
        nursery.start_soon(driver.run, shell.perform, shell.is_busy)
        if settings.health is not None or settings.status is not None:
            nursery.start_soon(_answer, settings, driver, store)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            number = await anext(aiter(signals))
        manager.stop()
        telemetry.LOGGER.info("felixbgp stops on %s; kernel routes stay", signal.Signals(number).name)
        nursery.cancel_scope.cancel()


def _open_kernel(settings: AgentSettings) -> Kernel:
    if settings.take_over:
        require_nobody_listens()
    return Kernel(settings.route_protocol, settings.route_table, settings.take_over)


async def _answer(settings: AgentSettings, driver: Driver, store: NodeStore | None) -> None:
    """Answer over HTTP; loaded late, as the routers of tests do not."""
    from felixbgp.runtime.endpoint import Answers, serve  # noqa: PLC0415

    answers = Answers(settings.node, driver, lambda: None if store is None else store.document)
    await serve(settings.health, settings.status, answers)


def _open_journal(path: Path) -> "JournalFile | None":
    """Loaded late: hardly any agent is recorded."""
    from felixbgp.runtime.journal_file import open_journal  # noqa: PLC0415

    return open_journal(path)


async def _open_telemetry(settings: AgentSettings) -> "Exporting":
    """Loaded late: it is 0.1 s at the start, and memory, for those who want it. Raises `SettingsError`."""
    from felixbgp.runtime.telemetry_export import Exporting  # noqa: PLC0415

    exporting = Exporting(settings.telemetry, settings.node)
    await exporting.listen()
    return exporting


def _agent(settings: AgentSettings, journal: "JournalFile | None") -> Agent:
    """The agent, or one that is recorded and looks the same to whoever drives it."""
    config, jitter = settings.agent_config, random.Random().random  # noqa: S311 - jitter is no secret
    if journal is None:
        return Agent(config, jitter)
    from felixbgp.journal.recorder import RecordedAgent  # noqa: PLC0415 - as above
    from felixbgp.runtime.journal_file import recorder_of  # noqa: PLC0415 - as above

    return cast("Agent", RecordedAgent(config, jitter, recorder_of(journal, time_ns() - now_ns())))


class _Shell:
    """Carries out effects. None of them is waited for here; the answers come back as inputs."""

    def __init__(
        self,
        settings: AgentSettings,
        nursery: trio.Nursery,
        driver: Driver,
        kernel: Kernel | None,
        store: NodeStore | None,
        *,
        manager: ServiceManager,
    ) -> None:
        self._manager = manager
        self._level_is_given = settings.log_level is not None
        self._nursery = nursery
        self._driver = driver
        self._kernel = kernel
        self._store = store
        self.secrets = SecretFiles(settings.secrets_dir, driver.deliver)
        self._tcp = Tcp(nursery, driver.deliver, driver.wait_room)
        self._routes: list[KernelEffect] = []
        self._waiting_for_kernel = 0
        self._routes_waiting = trio.Event()

    def perform(self, effect: Effect) -> None:
        """Start one effect."""
        if isinstance(effect, ReplaceRoutes | DeleteRoutes):
            self._routes.append(effect)
            self._waiting_for_kernel += len(effect.routes)
            self._routes_waiting.set()
        elif isinstance(effect, Observe):
            telemetry.observe(effect.fact)
        elif isinstance(effect, Listen):
            self._tcp.listen(effect)
        elif isinstance(effect, StoreEffect):
            self._tell_store(effect)
        elif isinstance(effect, ProbeHost):
            self._nursery.start_soon(self._probe, effect)
        elif isinstance(effect, ReadKernel):
            if self._kernel is not None:
                self._kernel.read_again()
        elif isinstance(effect, ReadSecretFiles):
            self.secrets.want(effect.secrets)
            if self._store is not None:
                self._store.want_secrets(effect.secrets)
        elif isinstance(effect, SetLogLevel):
            if not self._level_is_given:
                telemetry.set_level(effect.level)
        else:
            self._tcp.perform(effect)

    def is_busy(self) -> bool:
        """Whether so many kernel writes wait that the next had better stay undecided for a while."""
        return self._waiting_for_kernel >= ROUTES_WAITING_MAX

    async def _probe(self, effect: ProbeHost) -> None:
        self._driver.deliver([await liveness.probe(effect)])

    def _tell_store(self, effect: StoreEffect) -> None:
        """Start an effect on the store; a plain router has none."""
        if self._store is None:
            return
        if isinstance(effect, Follow):
            self._store.follow(effect)
        elif isinstance(effect, PutNodeStatusResource):
            self._nursery.start_soon(self._store.report, effect)
        elif isinstance(effect, PutAudit):
            self._nursery.start_soon(self._store.answer_audit, effect.answer)
        elif isinstance(effect, AskAlive):
            self._nursery.start_soon(self._store.ask_alive, effect)
        elif isinstance(effect, AcquireTurn):
            self._store.turn.acquire()
        elif isinstance(effect, ReleaseTurn):
            self._store.turn.release()
        else:
            self._nursery.start_soon(self._publish, self._store, effect.status)

    async def _publish(self, store: NodeStore, status: NodeStatus) -> None:
        """The service manager hears of it afterwards: whoever waited for us finds it on the disk."""
        await store.publish(status)
        self._manager.hear(status)

    async def write_routes(self, kernel: Kernel) -> None:
        """Write kernel routes in the order asked for; the agent has one write per prefix under way."""
        while True:
            await self._routes_waiting.wait()
            self._routes_waiting = trio.Event()
            while self._routes:
                effects = self._next_routes()
                answers = await kernel.apply(*effects)
                self._waiting_for_kernel -= sum(len(effect.routes) for effect in effects)
                self._driver.deliver(answers)

    def _next_routes(self) -> list[KernelEffect]:
        """The effects to carry out together, in their order, at least one of those that wait."""
        count = taken = 0
        for effect in self._routes:
            if taken and count + len(effect.routes) > ROUTES_TOGETHER:
                break
            count += len(effect.routes)
            taken += 1
        effects, self._routes = self._routes[:taken], self._routes[taken:]
        return effects
