"""When the CalicoNodeStatuses of our node are filled: at once when wanted, then every period, if it differs.

    wanted ─▶ due ─▶ built ─▶ as last time? ─ yes ─▶ due again after the period
               ▲                  │ no
               │                  ▼
               ├── retry ◀── PutNodeStatusResource ──▶ written: due again after the period
               └── a newer object ◀── conflict

Follows Calico's node/pkg/status/reporter.go, but for three things: what could not be written and has no
period is written when the store is back; a report that somebody removed is written again; and one object is
written at a time, so that many of them are no burst.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from felixbgp.agent.effects import NodeStatusNotWritten, PutNodeStatusResource
from felixbgp.agent.inputs import (
    NodeStatusResourceConflicted,
    NodeStatusResourceFailed,
    NodeStatusResourceInput,
    NodeStatusResourceWritten,
)
from felixbgp.agent.publication import PARTS_AT_ONCE
from felixbgp.cluster.node_statuses import Wanted
from felixbgp.cluster.parts import Parts, Work
from felixbgp.intent.types import Problem
from felixbgp.resources.calico_node_status import StatusClass
from felixbgp.status.report import Report

SECOND_NS: Final = 1_000_000_000
RETRY_NS: Final = SECOND_NS
TRIES_MAX: Final = 3
"""Calico's numbers: one second, three tries."""
PERIOD_WITHOUT_RETRY_S: Final = 30
"""Up to here the next report is as good as another try (Calico's number)."""


@dataclass(slots=True)
class _Object:
    """One CalicoNodeStatus. `due` is None while nothing is, `awaits` while a newer object must come first."""

    wanted: Wanted
    due: int | None
    last: Report | None = None
    """What the store has of us, as far as we know."""
    failures: int = 0
    reason: str = ""
    """Why the last write failed."""
    omissions: tuple[str, ...] = ()
    awaits: bool = False

    @property
    def period_ns(self) -> int | None:
        """None for a report that is made once."""
        return self.wanted.spec.update_period_seconds * SECOND_NS or None

    def due_by(self, at: int) -> None:
        """Be due at this time, if not before."""
        self.due = at if self.due is None else min(self.due, at)


class Reporting:
    """The objects of our node, with their deadlines. There are a handful: somebody makes each by hand."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._writing: PutNodeStatusResource | None = None
        self._building: tuple[_Object, Work[Report]] | None = None
        self._facts: list[NodeStatusNotWritten] = []

    def want(self, name: str, wanted: Wanted | None, now: int) -> None:
        """An object is as it is now; None: it is gone, or another node's."""
        if wanted is None:
            self._objects.pop(name, None)
            return
        known = self._objects.get(name)
        if known is None or known.wanted.spec != wanted.spec:
            self._objects[name] = _Object(wanted, due=now)
            return
        known.wanted = wanted
        if known.awaits:
            known.awaits = False
            known.due = now + RETRY_NS
        elif known.last is not None and not wanted.reported:
            known.last = None
            known.due_by(now)

    def feed(self, event: NodeStatusResourceInput, now: int) -> None:
        """Take the answer to the last write."""
        sent, self._writing = self._writing, None
        known = self._objects.get(event.name)
        if known is None or sent is None:
            return
        match event:
            case NodeStatusResourceWritten():
                if known.wanted.revision in (sent.revision, event.revision):
                    known.wanted = known.wanted._replace(revision=event.revision, reported=True)
                    known.last, known.failures, known.reason = sent.report, 0, ""
            case NodeStatusResourceConflicted():
                known.last = None
                if known.wanted.revision != sent.revision:
                    known.due_by(now + RETRY_NS)
                else:
                    known.awaits, known.due = True, None
            case NodeStatusResourceFailed():
                self._failed(known, event.reason, now)

    def restored(self, now: int) -> None:
        """The store answers again: what could not be written is due."""
        for known in self._objects.values():
            if known.reason and not known.awaits:
                known.due_by(now)

    def take(
        self, now: int, build: Callable[[frozenset[StatusClass]], Parts[Report]]
    ) -> list[PutNodeStatusResource]:
        """The write that is due, if any; one report is built at a time, and that in parts."""
        if self._building is None:
            due = None if self._writing is not None else self._first_due(now)
            if due is None:
                return []
            begun = self._objects[due]
            begun.due = None if begun.period_ns is None else now + begun.period_ns
            self._building = begun, Work(build(frozenset(begun.wanted.spec.classes)))
        known, work = self._building
        work.go_on(PARTS_AT_ONCE)
        if work.result is None:
            return []
        self._building = None
        return self._built(known, work.result)

    def _built(self, known: _Object, report: Report) -> list[PutNodeStatusResource]:
        """The write of a report, if the object is still ours and as it was, and does not have it."""
        name = known.wanted.name
        if self._objects.get(name) is not known:
            return []
        known.omissions = report.omissions()
        if report == known.last:
            return []
        wanted = known.wanted
        self._writing = PutNodeStatusResource(name, wanted.revision, report, wanted.document)
        return [self._writing]

    @property
    def is_building(self) -> bool:
        """Whether a report is being built; what else takes long had better wait for another step."""
        return self._building is not None

    def next_deadline(self) -> int | None:
        """When the next report is due, 0 while one is built; None if none is, or a write is under way."""
        if self._building is not None:
            return 0
        if self._writing is not None:
            return None
        return min((known.due for known in self._objects.values() if known.due is not None), default=None)

    def problems(self) -> tuple[Problem, ...]:
        """What could not be written, and what there was no room for."""
        problems: list[Problem] = []
        for name in sorted(self._objects):
            known, subject = self._objects[name], f"CalicoNodeStatus {name}"
            if known.reason:
                problems.append(Problem(subject, "status", f"cannot be written: {known.reason}"))
            problems += (Problem(subject, "status", f"has {omitted}") for omitted in known.omissions)
        return tuple(problems)

    def take_facts(self) -> list[NodeStatusNotWritten]:
        """The writes that failed since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _first_due(self, now: int) -> str | None:
        due = ((known.due, name) for name, known in self._objects.items() if known.due is not None)
        at, name = min(due, default=(now + 1, ""))
        return name if at <= now else None

    def _failed(self, known: _Object, reason: str, now: int) -> None:
        if reason != known.reason:
            self._facts.append(NodeStatusNotWritten(known.wanted.name, reason))
        known.reason = reason
        known.failures += 1
        period = known.wanted.spec.update_period_seconds
        if known.failures < TRIES_MAX and not 0 < period <= PERIOD_WITHOUT_RETRY_S:
            known.due_by(now + RETRY_NS)
        else:
            known.failures = 0
