"""What a collector reads of the loop's steps."""

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.metrics import register


@pytest.mark.trio
async def test_a_collector_reads_durations_and_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    times = iter([0, 3_000_000])
    driver = Driver(Agent(AgentConfig(node="node"), lambda: 0.5), clock=lambda: next(times))
    register(driver)
    driver.deliver([])

    data = reader.get_metrics_data()
    assert data is not None
    found = {
        (metric.name, *(point.attributes or {}).values()): getattr(point, "value", None)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    assert found["felixbgp.step.longest", "feed"] == 0.003
    assert found["felixbgp.step.count", "feed", "0.005"] == 1
    assert found["felixbgp.step.count", "feed", "+Inf"] == 0
    assert found["felixbgp.step.time", "take"] == 0
    assert found["felixbgp.drain.budget", "take"] == 250
    provider.shutdown()
