"""What a collector reads of an agent."""

from collections.abc import Iterator

import pytest
import trio
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Fact, Observe
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.facts import NotificationSent, SessionStateChanged, UpdateMalformed
from felixbgp.cluster.inputs import KeyPut, RevisionReached, StoredValue
from felixbgp.fib.types import KernelSnapshot, ReplaceRoutes, Route, RouteFailed, RouteKind, RoutesApplied
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.runtime import telemetry_catalogue
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.metrics import Metrics
from felixbgp.runtime.settings import TelemetrySettings
from felixbgp.runtime.telemetry_export import Exporting

PEER = PeerId(Address.parse("192.0.2.2"))
PREFIX = Prefix.parse("10.0.0.0/24")
NODE = "/calico/resources/v3/projectcalico.org/nodes/other"


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def exporting(reader: InMemoryMetricReader) -> Exporting:
    return Exporting(TelemetrySettings(), "node", readers=[reader])


def an_agent() -> Agent:
    """With a peer that nobody connects to, and a kernel without routes."""
    agent = Agent(AgentConfig(node="node"), lambda: 0.5)
    speaker = SpeakerConfig(bgp_identifier=Address.parse("192.0.2.1"), local_as=65001)
    peer = PeerConfig(peer=PEER, name="tor", families=(IPV4,), local_as=65001, remote_as=65002, passive=True)
    for family in (IPV4, IPV6):
        agent.feed(KernelSnapshot(family, ()), 0)
    agent.feed(IntentGiven(Intent(speaker=speaker, peers={PEER: peer})), 0)
    agent.drain(0, 100)
    return agent


def points(reader: InMemoryMetricReader) -> Iterator[tuple[tuple[object, ...], object]]:
    data = reader.get_metrics_data()
    assert data is not None
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = getattr(point, "value", None)
                    found = getattr(point, "count", None) if value is None else value
                    yield (metric.name, *(point.attributes or {}).values()), found


async def read(reader: InMemoryMetricReader) -> dict[tuple[object, ...], object]:
    """As an exporter's thread does."""
    return dict(await trio.to_thread.run_sync(lambda: [*points(reader)]))


@pytest.mark.trio
async def test_sessions_routes_and_queues_are_counted_when_asked(
    reader: InMemoryMetricReader, exporting: Exporting
) -> None:
    driver = Driver(exporting.watch(an_agent()))
    async with exporting.running(driver):
        found = await read(reader)
    assert found["felixbgp.bgp.sessions", "Active"] + found["felixbgp.bgp.sessions", "Idle"] == 1  # type: ignore[operator]
    assert found["felixbgp.bgp.sessions", "Established"] == 0
    for family in ("ipv4", "ipv6"):
        for stage in ("received", "accepted", "selected", "advertised", "wanted", "installed"):
            assert found["felixbgp.routes", family, stage] == 0
    assert found["felixbgp.queue.depth", "kernel_writes"] == 0
    assert found["felixbgp.etcd.in_sync",] == 0
    assert found["felixbgp.drain.budget", "take"] == 250


@pytest.mark.trio
async def test_steps_are_counted_up_to_their_classes(
    reader: InMemoryMetricReader, exporting: Exporting
) -> None:
    times = iter([0, 3_000_000])
    driver = Driver(exporting.watch(Agent(AgentConfig(node="node"), lambda: 0.5)), clock=lambda: next(times))
    async with exporting.running(driver):
        driver.deliver([])
        found = await read(reader)
    assert found["felixbgp.step.longest", "feed"] == 0.003
    counted = [found["felixbgp.step.count", "feed", bound] for bound in ("0.002", "0.005", "0.01", "+Inf")]
    assert counted == [0, 1, 1, 1]
    assert found["felixbgp.step.time", "take"] == 0


@pytest.mark.trio
async def test_what_happens_is_counted(reader: InMemoryMetricReader, exporting: Exporting) -> None:
    driver = Driver(exporting.watch(an_agent()))
    changes = exporting.changes
    async with exporting.running(driver):
        facts: tuple[Fact, ...] = (
            SessionStateChanged(PEER, "tor", "OpenConfirm", "Established", ""),
            SessionStateChanged(PEER, "tor", "Established", "Idle", ""),
            SessionStateChanged(PEER, "tor", "Idle", "Active", ""),
            NotificationSent(PEER, 6, 2, ""),
            UpdateMalformed(PEER, "treat-as-withdraw", ""),
        )
        changes.asked([Observe(fact) for fact in facts], 1)
        changes.asked([ReplaceRoutes(((PREFIX, Route(RouteKind.BLACKHOLE)),) * 3)], 1)
        changes.heard(RoutesApplied((PREFIX,), present=True), 2, driver.agent.progress)
        changes.heard(RouteFailed(PREFIX, 101, "", present=True), 2, driver.agent.progress)
        found = await read(reader)
    assert found["felixbgp.bgp.session.changes", "up"] == 1
    assert found["felixbgp.bgp.session.changes", "down"] == 1
    assert found["felixbgp.bgp.notifications", "sent", "6"] == 1
    assert found["felixbgp.bgp.update.errors", "treat-as-withdraw"] == 1
    assert found["felixbgp.kernel.writes",] == 1
    assert found["felixbgp.kernel.errors", "101"] == 1
    assert found["felixbgp.queue.depth", "kernel_writes"] == 1


@pytest.mark.trio
async def test_lag_is_what_was_heard_of_and_is_not_derived(
    reader: InMemoryMetricReader, exporting: Exporting
) -> None:
    driver = Driver(exporting.watch(Agent(AgentConfig(node="node"), lambda: 0.5)))
    async with exporting.running(driver):
        driver.deliver([RevisionReached(4)])
        driver.agent.take(0, 100)
        driver.deliver([KeyPut(StoredValue(NODE, b"{}", 7)), RevisionReached(7)])
        found = await read(reader)
    assert found["felixbgp.etcd.revision", "heard"] == 7
    assert found["felixbgp.etcd.revision", "derived"] == 4
    assert found["felixbgp.etcd.lag",] == 3


@pytest.mark.trio
async def test_a_picture_is_taken_once_for_all_who_ask_together(exporting: Exporting) -> None:
    times = iter([10.0, 10.5, 11.0])
    driver = Driver(exporting.watch(an_agent()))
    meter = NoOpMeterProvider().get_meter("felixbgp")
    metrics = Metrics(driver, exporting.changes, meter, clock=lambda: next(times))
    first, second, third = [await trio.to_thread.run_sync(metrics.picture) for _ in range(3)]
    assert first is second
    assert second is not third


def test_every_metric_has_a_name_of_its_own() -> None:
    names = [metric.name for metric in telemetry_catalogue.METRICS]
    assert len({*names}) == len(names)
