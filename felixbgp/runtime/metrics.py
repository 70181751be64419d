"""What OpenTelemetry is told when it asks: nothing is recorded step by step.

    exporter's thread ──▶ callback ──▶ the loop counts ──▶ Picture, for all callbacks of one reading

Who asks is a thread of its own, and the agent is the loop's. So the loop is asked to count, once a reading.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic
from typing import Final

import trio
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from felixbgp.agent.agent import AgentStatistics, Progress, Tallies
from felixbgp.agent.effects import Fact
from felixbgp.bgp import facts as bgp
from felixbgp.bgp.session.state import SessionState
from felixbgp.net import IPV4, IPV6
from felixbgp.runtime import telemetry_catalogue as catalogue
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.steps import BOUNDS_MS
from felixbgp.runtime.telemetry_catalogue import Metric
from felixbgp.runtime.telemetry_changes import Change, Changes

STATES: Final = tuple(map(str, SessionState))
FAMILIES: Final = {IPV4: "ipv4", IPV6: "ipv6"}
FRESH_SECONDS: Final = 1.0
"""A picture is that of all who ask within this time: one reading has a callback for every metric, and who
asks more often gets the same."""
SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """The agent at one moment."""

    backlog: int
    statistics: AgentStatistics
    tallies: Tallies
    progress: Progress


Observed = Iterable[tuple[float, dict[str, str]]]


class Metrics:
    """The metrics of one agent. To be made in the loop."""

    def __init__(
        self, driver: Driver, changes: Changes, meter: Meter, clock: Callable[[], float] = monotonic
    ) -> None:
        self._driver = driver
        self._changes = changes
        self._meter = meter
        self._token = trio.lowlevel.current_trio_token()
        self._lock = Lock()
        self._clock = clock
        self._picture, self._taken_at = self._take(), -inf
        session_changes, notifications, verdicts = (
            meter.create_counter(one.name, one.unit, one.text)
            for one in (catalogue.SESSION_CHANGES, catalogue.NOTIFICATIONS, catalogue.VERDICTS)
        )
        self._session_changes, self._notifications, self._verdicts = session_changes, notifications, verdicts
        for direction in ("up", "down"):
            session_changes.add(0, {"direction": direction})
        self._convergence = meter.create_histogram(
            catalogue.CONVERGENCE.name,
            catalogue.CONVERGENCE.unit,
            catalogue.CONVERGENCE.text,
            explicit_bucket_boundaries_advisory=catalogue.CONVERGENCE_BOUNDS,
        )
        for metric, observe in self._observers():
            self._register(metric, observe)

    # ---- as it happens

    def observe(self, fact: Fact) -> None:
        """Count a fact that a counter is for."""
        match fact:
            case bgp.SessionStateChanged(new="Established"):
                self._session_changes.add(1, {"direction": "up"})
            case bgp.SessionStateChanged(old="Established"):
                self._session_changes.add(1, {"direction": "down"})
            case bgp.NotificationSent():
                self._notifications.add(1, {"direction": "sent", "code": str(fact.code)})
            case bgp.NotificationReceived():
                self._notifications.add(1, {"direction": "received", "code": str(fact.code)})
            case bgp.UpdateMalformed():
                self._verdicts.add(1, {"verdict": fact.verdict})
            case _:
                pass

    def measure(self, change: Change) -> None:
        """Record how long a change took that somebody wrote."""
        if not change.revision:
            return
        kernel = None if change.kernel is None else change.kernel.ended
        stages = {"derived": change.derived_at, "told": change.told_at, "installed": kernel}
        for stage, at in stages.items():
            if at is not None and at >= change.heard_at:
                self._convergence.record((at - change.heard_at) / SECOND_NS, {"stage": stage})

    # ---- when asked

    def picture(self) -> Picture:
        """The agent as it is, or was a moment ago; never to be called in the loop."""
        with self._lock:
            now = self._clock()
            if now - self._taken_at >= FRESH_SECONDS:
                # At the end of the loop the last picture stays.
                with suppress(trio.RunFinishedError, trio.Cancelled):
                    self._picture = trio.from_thread.run_sync(self._take, trio_token=self._token)
                    self._taken_at = now
            return self._picture

    def _take(self) -> Picture:
        agent = self._driver.agent
        return Picture(agent.backlog, agent.statistics(), agent.tallies(), agent.progress())

    def _register(self, metric: Metric, observe: Callable[[], Observed]) -> None:
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, attributes) for value, attributes in observe()]

        is_gauge = metric.kind == "gauge"
        create = self._meter.create_observable_gauge if is_gauge else self._meter.create_observable_counter
        create(metric.name, [callback], metric.unit, metric.text)

    def _observers(self) -> Iterable[tuple[Metric, Callable[[], Observed]]]:
        counts, steps = self._changes.counts, tuple(self._driver.steps.values())
        driver = self._driver
        return (
            (catalogue.SESSIONS, self._sessions),
            (catalogue.ROUTES, self._routes),
            (catalogue.REJECTED, self._rejected),
            (catalogue.QUEUES, self._queues),
            (catalogue.REVISION, self._revisions),
            (catalogue.LAG, self._lag),
            (catalogue.IN_SYNC, lambda: [(int(self.picture().statistics.in_sync), {})]),
            (catalogue.KERNEL_PROBLEMS, lambda: [(self.picture().statistics.fib.problems, {})]),
            (
                catalogue.UPDATES,
                lambda: [
                    (counts.updates_sent, {"direction": "sent"}),
                    (counts.updates_received, {"direction": "received"}),
                ],
            ),
            (catalogue.KERNEL_WRITES, lambda: [(counts.writes_applied, {})]),
            (
                catalogue.KERNEL_ERRORS,
                lambda: [
                    (count, {"errno": str(errno)}) for errno, count in [*counts.writes_by_errno.items()]
                ],
            ),
            (catalogue.UNTOLD, lambda: [(counts.changes_untold, {})]),
            (catalogue.STEP_LONGEST, lambda: [(one.longest_ns / 1e9, {"step": one.name}) for one in steps]),
            (catalogue.STEP_TIME, lambda: [(one.total_ns / 1e9, {"step": one.name}) for one in steps]),
            (catalogue.STEP_COUNT, self._step_counts),
            (
                catalogue.BUDGET,
                lambda: [
                    (driver.taking.budget, {"half": "take"}),
                    (driver.telling.budget, {"half": "tell"}),
                ],
            ),
        )

    def _sessions(self) -> Observed:
        known = self.picture().tallies.sessions
        return [(known.get(state, 0), {"state": state}) for state in STATES]

    def _routes(self) -> Observed:
        tallies = self.picture().tallies
        for family, counts in tallies.routes.items():
            for stage, count in counts._asdict().items():
                yield count, {"family": FAMILIES[family], "stage": stage}
        for family, (wanted, installed) in tallies.kernel.items():
            yield wanted, {"family": FAMILIES[family], "stage": "wanted"}
            yield installed, {"family": FAMILIES[family], "stage": "installed"}

    def _rejected(self) -> Observed:
        for family, counts in self.picture().tallies.routes.items():
            yield counts.received - counts.accepted, {"family": FAMILIES[family]}

    def _queues(self) -> Observed:
        picture = self.picture()
        speaker = picture.statistics.speaker
        waiting = {
            "inputs": picture.backlog,
            "updates": speaker.updates_waiting,
            "decisions": speaker.prefixes_to_decide,
            "announcements": speaker.prefixes_to_send,
            "kernel_writes": self._changes.counts.kernel_waiting,
        }
        return [(count, {"queue": queue}) for queue, count in waiting.items()]

    def _revisions(self) -> Observed:
        heard, derived = self._changes.counts.heard_revision, self.picture().progress.revision
        return [(heard, {"stage": "heard"}), (derived, {"stage": "derived"})]

    def _lag(self) -> Observed:
        derived = self.picture().progress.revision
        return [(max(0, self._changes.counts.heard_revision - derived), {})]

    def _step_counts(self) -> Observed:
        classes = [*(str(bound / 1000) for bound in BOUNDS_MS), "+Inf"]
        for steps in self._driver.steps.values():
            total = 0
            for bound, count in zip(classes, steps.counts, strict=True):
                total += count
                yield total, {"step": steps.name, "le": bound}
