"""What OpenTelemetry is told of the loop's steps, when it asks: nothing is recorded step by step.

Without a MeterProvider nobody asks, and this costs nothing.
"""

from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from felixbgp.runtime.driver import Driver
from felixbgp.runtime.steps import BOUNDS_MS


def register(driver: Driver) -> None:
    """Have a driver's steps among the metrics of this process."""
    kinds = tuple(driver.steps.values())

    def longest(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(steps.longest_ns / 1e9, {"step": steps.name}) for steps in kinds]

    def counts(_: CallbackOptions) -> Iterable[Observation]:
        classes = [*(str(bound / 1000) for bound in BOUNDS_MS), "+Inf"]
        return [
            Observation(count, {"step": steps.name, "le": bound})
            for steps in kinds
            for bound, count in zip(classes, steps.counts, strict=True)
        ]

    def totals(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(steps.total_ns / 1e9, {"step": steps.name}) for steps in kinds]

    def budgets(_: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(driver.taking.budget, {"half": "take"}),
            Observation(driver.telling.budget, {"half": "tell"}),
        ]

    meter = metrics.get_meter("felixbgp")
    meter.create_observable_gauge("felixbgp.step.longest", [longest], "s", "The longest step since the start")
    meter.create_observable_counter("felixbgp.step.count", [counts], "1", "Steps by how long they took")
    meter.create_observable_counter("felixbgp.step.time", [totals], "s", "Time spent in steps")
    meter.create_observable_gauge("felixbgp.drain.budget", [budgets], "1", "Prefixes of the next half drain")
