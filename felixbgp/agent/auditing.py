"""When intent, Loc-RIB and kernel of this node are compared, and what is told of it.

    request ──► ReadKernel ──► snapshots, KernelRead
    now and then ─────────────► snapshots ──► Reading ──► Walk, some steps a drain ──► findings ─┐
                                                                                                 │ until each
                  AuditStatus, facts, PutAudit ◄── healed, refused, left alone, waiting ◄────────┘ has ended

Standing rules:

* A reading is taken before the fib believes it. What the fib then puts right is among the findings.
* What was known not to be as wanted, and is by the end, was no difference. What nobody had heard of was one,
  and is told as healed.
* All that is put right without being asked for is told to whoever asks next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final, NamedTuple

from felixbgp.agent.audit import OF_THE_KERNEL, Finding, Reading, Walk, look
from felixbgp.agent.audit_requests import AuditRequests, RequestFact
from felixbgp.agent.effects import AuditDiffered, AuditEnded, AuditFact, AuditNotWritten, PutAudit
from felixbgp.agent.inputs import AuditWriteFailed, AuditWritten
from felixbgp.agent.rooms import Rooms
from felixbgp.cluster.inputs import StoreInput
from felixbgp.fib.hops import satisfies
from felixbgp.fib.types import (
    KernelInput,
    KernelLost,
    KernelRead,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    ReadKernel,
    Route,
)
from felixbgp.intent.types import Intent
from felixbgp.net import Address, Family, Prefix
from felixbgp.status.audit import (
    DIFFERENCES_MAX,
    REPAIRS_MAX,
    AuditAnswer,
    AuditStatus,
    Difference,
    Kind,
    Outcome,
    Repair,
    kernel_text,
    route_text,
)

SECOND_NS: Final = 1_000_000_000
INTERVAL_NS: Final = SECOND_NS
"""Between two readings that were asked for: each costs as much as the table is long."""
UNASKED_INTERVAL_NS: Final = 10 * SECOND_NS
"""Between two comparisons of a family that nobody asked for: where another daemon writes the same prefixes,
the table is read again and again, and 200,000 routes take a second to compare."""
PATIENCE_NS: Final = 8 * SECOND_NS
"""An answer by then says what is missing; the command gives up after 10 s."""
HEALING_NS: Final = 2 * SECOND_NS
"""How long the end of what is being written is waited for: the kernel takes some 50,000 routes a second."""
STEPS_PER_PREFIX: Final = 4
"""Steps of a walk in the time that it takes to decide for a prefix and write it."""
FACTS_MAX: Final = 20
"""Of one comparison; the rest is counted."""

_FORMER_LIFE = "from before the agent's start; it goes when every peer has told its routes"
_NO_ROUTES = "the agent writes no routes (--no-kernel), so there is nothing to compare"
_APPENDED = "the kernel uses another one of ours with this metric; it can only be removed by hand"

_Key = tuple[Prefix, Kind]


class _Ended(NamedTuple):
    """What became of a finding."""

    finding: Finding
    outcome: Outcome
    reason: str


@dataclass(slots=True)
class _Audit:
    """One audit under way: of one family or both, asked for or not."""

    began: int
    give_up_at: int
    requests: dict[str, str] = field(default_factory=dict)
    is_wanted: bool = False
    """Whether it was asked for, or due; who asks later has to wait for the next one."""
    reading: bool = False
    """Whether the kernel is being read for it."""
    compared: dict[Family, int] = field(default_factory=dict)
    unchecked: list[Finding] = field(default_factory=list)
    in_work: list[Finding] = field(default_factory=list)
    lasting: dict[_Key, _Ended] = field(default_factory=dict)
    healed: dict[_Key, _Ended] = field(default_factory=dict)
    heals_until: int | None = None
    """None while not everything is compared."""

    def end(self, finding: Finding, outcome: Outcome, reason: str) -> None:
        """This became of a finding. Kept by result, since at the end there may be 200,000 that healed."""
        key = (finding.prefix, finding.kind)
        self.lasting.pop(key, None)
        self.healed.pop(key, None)
        ended = self.healed if outcome is Outcome.HEALED else self.lasting
        ended[key] = _Ended(finding, outcome, reason)

    def differing(self) -> Iterator[_Ended]:
        """All differences, those that last first."""
        return chain(self.lasting.values(), self.healed.values())


class Auditing:
    """Audits of node `node`, whose kernel routes carry `protocol`; it looks at rooms, and moves nothing.

    Where it writes none (`forwards` is False) there is nothing to compare, and who asks is told so.
    """

    def __init__(
        self, node: str, version: str, protocol: int, rooms: Rooms, *, forwards: bool = True
    ) -> None:
        self.requests = AuditRequests(node)
        self._node = node
        self._version = version
        self._protocol = protocol
        self._forwards = forwards
        self._rooms = rooms
        self._audit: _Audit | None = None
        self._walk: Walk | None = None
        self._readings: dict[Family, Reading] = {}
        self._is_due = False
        self._not_before = 0
        self._unasked_after: dict[Family, int] = {}
        self._lost = ""
        """Why the kernel could not be read last."""
        self._compared: dict[Family, int] = {}
        self._lasting: dict[Family, dict[_Key, None]] = {}
        """The differences that lasted beyond the last audit of each family."""
        self._status: AuditStatus | None = None
        self._repairs: dict[Prefix, Repair] = {}
        self._repair_count = 0
        self._facts: list[AuditFact] = []

    # ---- what is heard

    def configure(self, intent: Intent) -> None:
        """Compare with this; before the first one nothing is compared."""
        self._rooms.intent = intent

    def begin(self) -> None:
        """Compare as soon as may be, though nobody asks: from now on all of it should agree."""
        self._is_due = True

    def feed_request(self, event: StoreInput, now: int) -> None:
        """Take an event that concerns the requests."""
        self.requests.feed(event, now)

    def feed(self, event: AuditWritten | AuditWriteFailed) -> None:
        """Take the answer to the last write; who asked has given up before another try would succeed."""
        if isinstance(event, AuditWriteFailed):
            self._facts.append(AuditNotWritten(event.reason))

    def observe(self, event: KernelInput, now: int) -> None:
        """Hear of the kernel, before the fib does."""
        if self._rooms.intent is None:
            return
        match event:
            case KernelSnapshot(family, routes):
                self._take_reading(family, routes, now)
            case KernelRouteChanged():
                self._note_change(event, now)
            case KernelLost(reason):
                self._lost = reason
            case KernelRead() if self._audit is not None:
                self._audit.reading = False
            case _:
                pass

    def _take_reading(self, family: Family, routes: tuple[KernelRoute, ...], now: int) -> None:
        asked = self._audit is not None and self._audit.reading
        if not asked and now < self._unasked_after.get(family, 0):
            return
        self._unasked_after[family] = now + UNASKED_INTERVAL_NS
        fib = self._rooms.fib
        wanted, in_work = fib.all_wanted(family), fib.in_work(family)
        # One that waits gives way to the newer one; one that is being compared is not disturbed.
        self._readings[family] = Reading(family, routes, self._protocol, wanted, in_work)
        self._current(now).heals_until = None

    def _note_change(self, event: KernelRouteChanged, now: int) -> None:
        """Somebody changed a route of ours, which the fib is about to put right."""
        found = event.route
        if found.protocol != self._protocol:
            return
        wanted = self._rooms.wanted(found.prefix)
        if event.present:
            if wanted is None or not satisfies(found.route, wanted):
                self._note_repair(found.prefix, (found,), wanted, now)
        elif wanted is not None and wanted.metric == found.metric:
            self._note_repair(found.prefix, (), wanted, now)

    def _note_repair(
        self, prefix: Prefix, found: tuple[KernelRoute, ...], wanted: Route | None, now: int
    ) -> None:
        self._repair_count += 1
        self._repairs.pop(prefix, None)
        self._repairs[prefix] = Repair(prefix, now, kernel_text(found), route_text(wanted))
        if len(self._repairs) > REPAIRS_MAX:
            del self._repairs[next(iter(self._repairs))]

    # ---- what is done

    def take(self, now: int, budget: int) -> list[ReadKernel | PutAudit]:
        """Go on, for about `budget` prefixes."""
        effects: list[ReadKernel | PutAudit] = [*self._begin_asked(now)]
        self._compare(budget * STEPS_PER_PREFIX, now)
        audit = self._audit
        if audit is None:
            return effects
        if self._walk is None and not self._readings and not audit.reading:
            self._follow_up(audit, budget, now)
        healed = audit.heals_until is not None and not audit.unchecked
        if now >= audit.give_up_at or (healed and (not audit.in_work or now >= (audit.heals_until or 0))):
            effects += self._end(audit, now)
        return effects

    def next_deadline(self) -> int | None:
        """When to be called again though nothing was fed; 0 means now."""
        audit = self._audit
        if self._walk is not None or self._readings or (audit is not None and audit.unchecked):
            return 0
        deadlines = []
        if self._is_wanted():
            deadlines.append(self._not_before)
        if audit is not None:
            deadlines.append(audit.give_up_at if audit.reading else audit.heals_until or 0)
        return min(deadlines, default=None)

    def status(self) -> AuditStatus | None:
        """The result so far; None before the first one."""
        return self._status

    def take_facts(self) -> list[AuditFact | RequestFact]:
        """What is worth telling an operator since the last call."""
        facts = [*self._facts, *self.requests.take_facts()]
        self._facts.clear()
        return facts

    def _current(self, now: int) -> _Audit:
        if self._audit is None:
            self._audit = _Audit(now, now + PATIENCE_NS)
        return self._audit

    def _is_wanted(self) -> bool:
        """Whether the kernel is to be read for an audit, and there is not one under way that was wanted."""
        if self._rooms.intent is None or (self._audit is not None and self._audit.is_wanted):
            return False
        return self._is_due or self.requests.waiting

    def _begin_asked(self, now: int) -> Iterator[ReadKernel]:
        """Have the kernel read for those who ask; what is being compared already becomes part of it."""
        if not self._is_wanted() or now < self._not_before:
            return
        audit = self._current(now)
        self._not_before = now + INTERVAL_NS
        self._is_due, self._lost = False, ""
        audit.requests = self.requests.take()
        audit.is_wanted, audit.heals_until = True, None
        if not self._forwards:
            audit.give_up_at = now
            return
        audit.reading = True
        audit.give_up_at = now + PATIENCE_NS
        yield ReadKernel()

    def _compare(self, steps: int, now: int) -> None:
        if self._walk is None:
            if not self._readings:
                return
            self._walk = Walk(self._readings.pop(next(iter(self._readings))), self._rooms)
        audit, walk = self._current(now), self._walk
        walk.advance(steps)
        if walk.is_over:
            self._walk = None
            audit.compared[walk.family] = walk.compared
            audit.unchecked += walk.findings

    def _follow_up(self, audit: _Audit, budget: int, now: int) -> None:
        """See what became of the findings, some in each call."""
        if audit.heals_until is None:
            audit.heals_until = now + HEALING_NS
        if not audit.unchecked:
            audit.unchecked, audit.in_work = audit.in_work, []
        left = max(len(audit.unchecked) - budget, 0)
        batch = audit.unchecked[left:]
        del audit.unchecked[left:]
        for finding in batch:
            outcome, reason = self._outcome(finding)
            if outcome is Outcome.WAITING:
                audit.in_work.append(finding)
            elif not (finding.expected and outcome is Outcome.HEALED):
                audit.end(finding, outcome, reason)

    def _outcome(self, finding: Finding) -> tuple[Outcome, str]:
        if finding.kind not in OF_THE_KERNEL:
            return (Outcome.WAITING if look(finding.prefix, self._rooms) else Outcome.HEALED), ""
        standing = self._rooms.fib.standing(finding.prefix)
        if standing.waiting:
            return Outcome.WAITING, standing.problem
        if standing.problem:
            is_conflict = finding.kind is Kind.CONFLICT
            return Outcome.LEFT_ALONE if is_conflict else Outcome.REFUSED, standing.problem
        if not standing.settled:
            return Outcome.LEFT_ALONE, _FORMER_LIFE
        if _is_appended(finding, self._protocol):
            return Outcome.LEFT_ALONE, _APPENDED
        return Outcome.HEALED, ""

    # ---- what is told

    def _end(self, audit: _Audit, now: int) -> Iterator[PutAudit]:
        for finding in (*audit.unchecked, *audit.in_work):
            audit.end(finding, Outcome.WAITING, self._rooms.fib.standing(finding.prefix).problem)
        self._audit = None
        self._tell_facts(audit)
        self._update_status(audit, now)
        if audit.requests:
            yield PutAudit(self._answer(audit, now))
            return
        unlisted = max(len(audit.healed) - REPAIRS_MAX, 0)
        self._repair_count += unlisted
        for ended in islice(audit.healed.values(), unlisted, None):
            finding = ended.finding
            self._note_repair(finding.prefix, finding.kernel, finding.wanted, now)

    def _tell_facts(self, audit: _Audit) -> None:
        """Of what lasts only what is new, or it would be told again every minute."""
        news = [
            ended
            for (prefix, kind), ended in audit.lasting.items()
            if (prefix, kind) not in self._lasting.get(prefix.family, ())
        ]
        for finding, outcome, reason in islice(chain(news, audit.healed.values()), FACTS_MAX):
            self._facts.append(AuditDiffered(finding.prefix, finding.kind.value, outcome.value, reason))
        if news or audit.healed or audit.requests:
            differing = len(audit.lasting) + len(audit.healed)
            origins = tuple(audit.requests.values())
            compared = sum(audit.compared.values())
            self._facts.append(AuditEnded(compared, differing, len(audit.healed), origins))

    def _update_status(self, audit: _Audit, now: int) -> None:
        if not audit.compared:
            return
        for family, compared in audit.compared.items():
            self._compared[family] = compared
            self._lasting[family] = {key: None for key in audit.lasting if key[0].family == family}
        before, healed = self._status, len(audit.healed)
        differing = sum(map(len, self._lasting.values()))
        if before is not None and not healed and differing == before.differing:
            return
        total, last = (0, 0) if before is None else (before.healed, before.last_healed)
        compared = sum(self._compared.values())
        self._status = AuditStatus(now, compared, differing, total + healed, now if healed else last)

    def _answer(self, audit: _Audit, now: int) -> AuditAnswer:
        fib = self._rooms.fib
        repaired = [repair for repair in self._repairs.values() if fib.standing(repair.prefix).settled]
        repairs, self._repair_count = self._repair_count, 0
        self._repairs.clear()
        # Only those that are told are sorted: of very many that healed the first found are as good as any.
        listed = list(islice(audit.differing(), DIFFERENCES_MAX))
        listed.sort(key=lambda ended: (_order(ended.finding.prefix), ended.finding.kind.value))
        return AuditAnswer(
            requests=tuple(audit.requests),
            node=self._node,
            version=self._version,
            began=audit.began,
            ended=now,
            totals=self._rooms.totals(),
            compared=sum(audit.compared.values()),
            differing=len(audit.lasting) + len(audit.healed),
            healed=len(audit.healed),
            differences=tuple(
                Difference(finding.prefix, finding.kind, self._rooms.views(finding), outcome, reason)
                for finding, outcome, reason in listed
            ),
            repaired=tuple(sorted(repaired, key=lambda repair: (repair.time, _order(repair.prefix)))),
            repairs=repairs,
            failure=self._failure(audit),
        )

    def _failure(self, audit: _Audit) -> str:
        if not self._forwards:
            return _NO_ROUTES
        seconds = PATIENCE_NS // SECOND_NS
        if audit.reading:
            why = f": {self._lost}" if self._lost else ""
            return f"the kernel's routes could not be read within {seconds} s{why}"
        if audit.heals_until is None:
            return f"not everything could be compared within {seconds} s"
        return ""


def _is_appended(finding: Finding, protocol: int) -> bool:
    """Whether what is too much has the metric of the wanted one, and so cannot be removed by it."""
    if finding.kind is not Kind.UNWANTED or finding.wanted is None:
        return False
    metrics = [found.metric for found in finding.kernel if found.protocol == protocol]
    return metrics.count(finding.wanted.metric) > 1


def _order(prefix: Prefix) -> tuple[Family, Address, int]:
    return prefix.family, prefix.address, prefix.length
